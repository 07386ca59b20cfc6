# SPDX-License-Identifier: MIT
# Sets PG_API_SOURCES to the sources of the public functions on pidfds.
set(PG_API_SOURCES)
foreach(unit act ask obtain signal socket spawn wait)
  list(APPEND PG_API_SOURCES ${CMAKE_CURRENT_LIST_DIR}/${unit}.c)
endforeach()
