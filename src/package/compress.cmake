# SPDX-License-Identifier: MIT
# cpack (3.19 and later) runs this before it makes a package, because Debian's policy wants compressed manual pages.
file(GLOB_RECURSE pages LIST_DIRECTORIES false "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*")
list(FILTER pages INCLUDE REGEX "/share/man/man")
foreach(page IN LISTS pages)
  if(NOT page MATCHES "\\.gz$" AND NOT IS_SYMLINK "${page}")
    execute_process(COMMAND gzip -9n "${page}" RESULT_VARIABLE status)
    if(status)
      message(FATAL_ERROR "gzip ${page}: ${status}")
    endif()
  endif()
endforeach()
