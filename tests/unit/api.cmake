# SPDX-License-Identifier: MIT
# Unit tests of src/pidfd and src/api. They build these sources alone, without the core, so that they can hide kernel
# features.
include(${PROJECT_SOURCE_DIR}/src/pidfd/sources.cmake)
include(${PROJECT_SOURCE_DIR}/src/api/sources.cmake)

add_library(pg_unit_api STATIC pidfd_support.c ${PG_PIDFD_SOURCES} ${PG_API_SOURCES}
  ${PROJECT_SOURCE_DIR}/src/kernel/sys.c ${PROJECT_SOURCE_DIR}/src/kernel/clone.c
  ${PROJECT_SOURCE_DIR}/src/base/fmt.c
  ${PROJECT_SOURCE_DIR}/src/runtime/counters.c)
target_include_directories(pg_unit_api PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(pg_unit_api PUBLIC _GNU_SOURCE)
target_link_libraries(pg_unit_api PUBLIC pg_test_support Threads::Threads)

foreach(name pidfd_open pidfd_filter pidfd_identity pidfd_signal pidfd_wait pidfd_set pidfd_info pidfd_places
        pidfd_proc pidfd_namespace pidfd_socket pidfd_act pidfd_tree pidfd_kernel pidfd_time api_spawn
        api_races api_border api_scarce)
  add_executable(pg_unit_${name} ${name}.c)
  target_link_libraries(pg_unit_${name} PRIVATE pg_unit_api)
  pg_add_test(NAME unit-${name} EXECUTABLE pg_unit_${name} LABELS unit)
endforeach()
target_sources(pg_unit_api_border PRIVATE api_uapi.c)

# Compiles the public header alone, in every language and with every compiler that is installed.
add_test(NAME unit-api_header COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/api_header.sh ${PROJECT_SOURCE_DIR}/include)
set_tests_properties(unit-api_header PROPERTIES SKIP_RETURN_CODE 77 LABELS unit TIMEOUT ${PG_TEST_TIMEOUT})

# Tests of tracked children. They use the library in each form that programs can use. One test has both objects in one
# process, where they share a table.
foreach(form shared static preload)
  if(TARGET pidguard_${form})
    add_executable(pg_unit_api_track_${form} api_track.c api_track_stale.c)
    target_compile_definitions(pg_unit_api_track_${form} PRIVATE _GNU_SOURCE)
    target_link_libraries(pg_unit_api_track_${form} PRIVATE pidguard_${form} pg_test_support Threads::Threads)
    if(form STREQUAL "preload")
      pg_add_test(NAME unit-api_track_${form} EXECUTABLE pg_unit_api_track_${form} ARGS preload LABELS unit)
    else()
      pg_add_test(NAME unit-api_track_${form} EXECUTABLE pg_unit_api_track_${form} ARGS api LABELS unit)
    endif()
  endif()
endforeach()
pg_add_test(NAME unit-api_track_off EXECUTABLE pg_unit_api_track_shared ARGS off LABELS unit)
if(TARGET pidguard_preload AND NOT PIDGUARD_SANITIZE)
  pg_add_test(NAME unit-api_track_both EXECUTABLE pg_unit_api_track_shared ARGS both LABELS unit)
endif()

# A test of internal functions of the library.
if(TARGET pidguard_static)
  pg_test_executable(pg_unit_settle settle.c)
  target_include_directories(pg_unit_settle PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(pg_unit_settle PRIVATE _GNU_SOURCE)
  target_link_libraries(pg_unit_settle PRIVATE pidguard_internal)
  pg_add_test(NAME unit-settle EXECUTABLE pg_unit_settle LABELS unit)
endif()
