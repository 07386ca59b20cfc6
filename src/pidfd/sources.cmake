# SPDX-License-Identifier: MIT
# Sets PG_PIDFD_SOURCES to the sources of all operations on a pidfd, which keep no state.
set(PG_PIDFD_SOURCES)
foreach(unit act cgroup feature identity info namespace open proc set signal socket spawn text tree wait)
  list(APPEND PG_PIDFD_SOURCES ${CMAKE_CURRENT_LIST_DIR}/${unit}.c)
endforeach()
