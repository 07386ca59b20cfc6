# SPDX-License-Identifier: MIT
# Run after libpidguard.a was made: puts its members into one object, in which what is hidden becomes local.
get_filename_component(folder "${ARCHIVE}" DIRECTORY)
set(object "${folder}/libpidguard.o")
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(status)
    file(REMOVE "${ARCHIVE}") # not to be taken for a good one
    message(FATAL_ERROR "${ARGN}: ${status}")
  endif()
endfunction()
run("${CC}" -r -nostdlib -o "${object}" -Wl,--whole-archive "${ARCHIVE}" -Wl,--no-whole-archive)
run("${OBJCOPY}" --localize-hidden "${object}")
file(REMOVE "${ARCHIVE}")
run("${AR}" qcs "${ARCHIVE}" "${object}")
file(REMOVE "${object}")
