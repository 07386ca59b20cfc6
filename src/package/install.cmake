# SPDX-License-Identifier: MIT
# Installs three components: runtime (what programs load), tools (the program pidguard) and dev (what programs are built
# with). Each file finds the others by relative paths, so the installation can be moved as a whole.
install(TARGETS pidguard_shared pidguard_preload EXPORT pidguard-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev)
install(TARGETS pidguard_static EXPORT pidguard-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/pidguard DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)

set(pg_cmakedir ${CMAKE_INSTALL_LIBDIR}/cmake/pidguard)
install(EXPORT pidguard-targets NAMESPACE pidguard:: DESTINATION ${pg_cmakedir} COMPONENT dev)
# While the SONAME stays the same, programs that were built for an older version run with a newer one.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/pidguard-config-version.cmake COMPATIBILITY SameMajorVersion)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/pidguard-config.cmake
  "include(\"\${CMAKE_CURRENT_LIST_DIR}/pidguard-targets.cmake\")\n")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pidguard-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/pidguard-config-version.cmake
  DESTINATION ${pg_cmakedir} COMPONENT dev)

# The pkg-config files name the folders relative to their own folder. An absolute folder stays absolute.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
  set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
  file(RELATIVE_PATH pc_up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
  set(pc_prefix "\${pcfiledir}/${pc_up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
string(REGEX REPLACE "([^;]+)" "-l\\1" private "${CMAKE_DL_LIBS}") # with libpidguard.a
foreach(name pidguard pidguard-preload)
  set(link -l${name})
  if(name STREQUAL pidguard-preload) # needed even if only a library of the program calls the functions that it takes
    set(link "-Wl,--push-state,--no-as-needed -l${name} -Wl,--pop-state")
  endif()
  configure_file(${CMAKE_CURRENT_SOURCE_DIR}/package/pkgconfig.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
endforeach()

install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/tool/completion.bash RENAME pidguard
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tools)
# zsh searches site-functions of each prefix, except that Debian's zsh searches vendor-completions of /usr.
set(pg_datadir "\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_DATADIR}")
  set(pg_datadir "${CMAKE_INSTALL_DATADIR}")
endif()
install(CODE "
  set(pg_zsh site-functions)
  if(\"\${CMAKE_INSTALL_PREFIX}\" MATCHES \"^/usr/?$\" AND EXISTS /etc/debian_version)
    set(pg_zsh vendor-completions)
  endif()
  file(INSTALL \"${CMAKE_CURRENT_SOURCE_DIR}/tool/completion.zsh\" RENAME _pidguard
    DESTINATION \"${pg_datadir}/zsh/\${pg_zsh}\")" COMPONENT tools)

if(pg_alone)
  # Removes the files that the manifest of the installation names, and the project's own folders. Rebuilds the loader's
  # cache if the system has one.
  add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DMANIFEST=${CMAKE_BINARY_DIR}/install_manifest.txt
    -P ${CMAKE_CURRENT_SOURCE_DIR}/package/uninstall.cmake)
  # After an installation into /usr or /usr/local, ldconfig tells the loader about the libraries.
  install(CODE "
    if(\"\$ENV{DESTDIR}\" STREQUAL \"\" AND \"\${CMAKE_INSTALL_PREFIX}\" MATCHES \"^/usr(/local)?/?$\")
      find_program(pg_ldconfig ldconfig PATHS /sbin /usr/sbin)
      if(pg_ldconfig)
        execute_process(COMMAND \"\${pg_ldconfig}\" ERROR_QUIET OUTPUT_QUIET)
      endif()
    endif()" COMPONENT runtime)
  include(package/cpack.cmake)
endif()
