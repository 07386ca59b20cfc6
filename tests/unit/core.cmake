# SPDX-License-Identifier: MIT
# Unit tests of the core. A test builds the sources that it tests and runs them alone, or is linked with the whole
# library.
set(pg_src ${PROJECT_SOURCE_DIR}/src)

function(pg_core_test name)
  cmake_parse_arguments(PG "" "" "SOURCES;OPTIONS;LABELS" ${ARGN})
  pg_test_executable(pg_unit_${name} ${name}.c ${PG_SOURCES})
  target_include_directories(pg_unit_${name} PRIVATE ${pg_src})
  target_compile_definitions(pg_unit_${name} PRIVATE _GNU_SOURCE)
  target_compile_options(pg_unit_${name} PRIVATE ${PG_OPTIONS})
  target_link_options(pg_unit_${name} PRIVATE ${PG_OPTIONS})
  target_link_libraries(pg_unit_${name} PRIVATE Threads::Threads)
  pg_add_test(NAME unit-${name} EXECUTABLE pg_unit_${name} LABELS unit)
endfunction()

set(pg_number ${pg_src}/child/number.c ${pg_src}/runtime/counters.c ${pg_src}/runtime/filter.c
  ${pg_src}/runtime/probe.c ${pg_src}/runtime/proc_self.c
  ${pg_src}/runtime/window.c ${pg_src}/kernel/sys.c
  ${pg_src}/kernel/bpf.c ${pg_src}/base/fmt.c)

pg_core_test(bpf SOURCES ${pg_src}/kernel/bpf.c)
pg_core_test(number_model SOURCES ${pg_number})

if(PG_HAVE_SANITIZER_thread AND NOT PIDGUARD_SANITIZE)
  pg_core_test(number_race SOURCES ${pg_number} OPTIONS -fsanitize=thread)
endif()

pg_core_test(held)
target_link_libraries(pg_unit_held PRIVATE pidguard_internal)
