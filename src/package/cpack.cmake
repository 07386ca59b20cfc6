# SPDX-License-Identifier: MIT
# Packages: `cpack -G DEB` makes libpidguard0, pidguard and libpidguard-dev; `cpack --config CPackSourceConfig.cmake` the
# source tarball. Configure with -DCMAKE_INSTALL_PREFIX=/usr, and the folders are Debian's (scripts/packages does that).
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
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "A signal that a program sends to a child by its number can hit a stranger
that was given the number meanwhile. These libraries hold a pidfd for every
child: preloaded or linked in front of libc for programs that know nothing
of it, or called by those that do.")
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
libpidguard, and what it takes to link the object that hardens a program.")
if(pg_shlibdeps)
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
endif()

# The loader's list is made anew by dpkg's trigger; the symbols file is the kept list that the tests hold against the
# libraries.
set(pg_debian ${CMAKE_CURRENT_BINARY_DIR}/debian)
file(WRITE ${pg_debian}/triggers "activate-noawait ldconfig\n")
file(WRITE ${pg_debian}/shlibs "libpidguard 0 libpidguard0 (>= ${PROJECT_VERSION})
libpidguard-preload 0 libpidguard0 (>= ${PROJECT_VERSION})\n")
configure_file(${CMAKE_CURRENT_SOURCE_DIR}/package/symbols ${pg_debian}/symbols COPYONLY)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${pg_debian}/triggers;${pg_debian}/shlibs;${pg_debian}/symbols")

# What Debian wants beside the files: who may do what with them, and what has changed.
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
