# SPDX-License-Identifier: MIT
# `cpack -G DEB` makes the packages libpidguard0, pidguard and libpidguard-dev. `cpack --config CPackSourceConfig.cmake`
# makes the source tarball. Debian's folders need -DCMAKE_INSTALL_PREFIX=/usr, which scripts/packages sets.
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pidguard)
set(CPACK_PACKAGE_VENDOR "the pidguard maintainers")
set(CPACK_PACKAGE_CONTACT "pidguard maintainers <maintainers@pidguard.example>" CACHE STRING "Maintainer: of the packages")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime tools dev)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
  WORLD_EXECUTE)
find_program(pg_shlibdeps dpkg-shlibdeps)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libpidguard0)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "A signal that a program sends to a child by its PID can hit a stranger
that got the PID meanwhile. These libraries hold a pidfd for every child.
One is preloaded, or linked in front of libc, for programs that know nothing
of it. The other is for programs that call it.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME pidguard)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "libpidguard0 (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_TOOLS_PACKAGE_SUGGESTS "binutils")
set(CPACK_DEBIAN_TOOLS_DESCRIPTION "pidguard runs an unmodified command so that a signal or a wait for one of
its children cannot hit a stranger. It also reads the logs of such runs,
tells which programs can be protected, and shows what a protected process
knows of its children.")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libpidguard-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libpidguard0 (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEV_DESCRIPTION "Header, static library, manual, pkg-config files and CMake package of
libpidguard, and the files to link the object that hardens a program.")
if(pg_shlibdeps)
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
endif()

# dpkg's trigger rebuilds the loader's cache. The tests compare the symbols file with the libraries.
set(pg_debian ${CMAKE_CURRENT_BINARY_DIR}/debian)
file(WRITE ${pg_debian}/triggers "activate-noawait ldconfig\n")
file(WRITE ${pg_debian}/shlibs "libpidguard 0 libpidguard0 (>= ${PROJECT_VERSION})
libpidguard-preload 0 libpidguard0 (>= ${PROJECT_VERSION})\n")
configure_file(${CMAKE_CURRENT_SOURCE_DIR}/package/symbols ${pg_debian}/symbols COPYONLY)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${pg_debian}/triggers;${pg_debian}/shlibs;${pg_debian}/symbols")

# Debian's policy wants a copyright file and a changelog in each package.
file(READ ${CMAKE_CURRENT_SOURCE_DIR}/package/changelog changelog)
string(REPLACE "@VERSION@" "${PROJECT_VERSION}" changelog "${changelog}")
file(WRITE ${pg_debian}/changelog "${changelog}")
find_program(pg_gzip gzip)
if(pg_gzip)
  execute_process(COMMAND ${pg_gzip} -9nfk ${pg_debian}/changelog)
endif()
foreach(part runtime:libpidguard0 tools:pidguard dev:libpidguard-dev)
  string(REGEX REPLACE ":.*" "" component ${part})
  string(REGEX REPLACE ".*:" "" package ${part})
  install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/package/copyright ${pg_debian}/changelog.gz
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component} OPTIONAL EXCLUDE_FROM_ALL)
endforeach()

set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/package/compress.cmake)

set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME pidguard-${PROJECT_VERSION})
set(CPACK_SOURCE_IGNORE_FILES "/\\.git/;/build[^/]*/;\\.swp$;~$")
include(CPack)
