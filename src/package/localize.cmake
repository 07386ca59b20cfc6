# SPDX-License-Identifier: MIT
# Runs after libpidguard.a was made. Links its members into one object, and makes the hidden symbols of that local.
get_filename_component(folder "${ARCHIVE}" DIRECTORY)
set(object "${folder}/libpidguard.o")
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(status)
    file(REMOVE "${ARCHIVE}") # so that make does not take it for a finished archive
    message(FATAL_ERROR "${ARGN}: ${status}")
  endif()
endfunction()
separate_arguments(flags UNIX_COMMAND "${FLAGS}") # -m32, for example
run("${CC}" ${flags} -r -nostdlib -o "${object}" -Wl,--whole-archive "${ARCHIVE}" -Wl,--no-whole-archive)
run("${OBJCOPY}" --localize-hidden "${object}")
file(REMOVE "${ARCHIVE}")
run("${AR}" qcs "${ARCHIVE}" "${object}")
file(REMOVE "${object}")
