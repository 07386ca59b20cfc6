# SPDX-License-Identifier: MIT
# Shared by scripts/kernels and scripts/ports (sourced, bash). A port is the tree built for one compiler and libc. An
# image is a directory that contains only that build, the libraries that it is linked with, and the programs that its
# tests run. They are at the paths where the tests expect them. scripts/ports enters an image with chroot, and
# scripts/kernels packs it for a kernel to boot.
# Expects pg_root. shellcheck shell=bash disable=SC2154

image_files=$pg_root/tests/kernels

# Sets port_cc, port_flags, port_cmake and port_libs (the folders of its libraries) for one port. If the port is
# cross-compiled, also sets port_triplet and port_machine.
port_describe() {
  port_flags=() port_cmake=() port_libs=() port_triplet=
  case $1 in
  gcc | clang) port_cc=$1 ;;
  musl)
    # musl has no headers of the kernel, and musl-gcc hides the system's. As the last folders these shadow nothing.
    port_cc=musl-gcc
    port_flags=(-idirafter /usr/include -idirafter "/usr/include/$(gcc -print-multiarch)"
      -include "$image_files/musl/port.h" -Wno-overflow) # its ioctl() takes an int
    ;;
  i386)
    port_cc=gcc port_libs=(/usr/lib32)
    port_flags=(-m32 -Wno-psabi -isystem "/usr/include/$(gcc -print-multiarch)")
    ;;
  arm64 | armhf | riscv64)
    case $1 in
    arm64) port_triplet=aarch64-linux-gnu port_machine=aarch64 ;;
    armhf) port_triplet=arm-linux-gnueabihf port_machine=arm ;;
    riscv64) port_triplet=riscv64-linux-gnu port_machine=riscv64 ;;
    esac
    port_cc=$port_triplet-gcc port_libs=("/usr/$port_triplet/lib")
    port_cmake=(-DCMAKE_SYSTEM_NAME=Linux "-DCMAKE_SYSTEM_PROCESSOR=$port_machine")
    ;;
  *) return 1 ;;
  esac
}

# Builds the port in a directory. CUnit is installed for the machine's own libc only, so the other ports get a stand-in.
# make -k leaves out targets that cannot be built for a port. Their tests then count as failed, unless the port excuses
# them by name.
port_build() {
  local name=$1 build=$2 log=$2/build.log
  local -a cunit=()
  port_describe "$name" || return 1
  mkdir -p "$build/cunit" || return 1
  grep -qsxF "CMAKE_HOME_DIRECTORY:INTERNAL=$pg_root" "$build/CMakeCache.txt" ||
    rm -f "$build/CMakeCache.txt" # of a tree that was moved
  {
    if [[ $name != gcc && $name != clang ]]; then
      "$port_cc" "${port_flags[@]}" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -O2 -g -I"$image_files/cunit" \
        -c "$image_files/cunit/cunit.c" -o "$build/cunit/cunit.o" || return 1
      ar rcs "$build/cunit/libcunit.a" "$build/cunit/cunit.o" || return 1
      cunit=("-DCUNIT_INCLUDE_DIR=$image_files/cunit" "-DCUNIT_LIBRARY=$build/cunit/libcunit.a")
    fi
    cmake -S "$pg_root" -B "$build" -DCMAKE_C_COMPILER="$port_cc" -DCMAKE_C_FLAGS="${port_flags[*]}" \
      -DCMAKE_ASM_FLAGS="${port_flags[*]}" "${port_cmake[@]}" -DPIDGUARD_TESTS=ON "${cunit[@]}" || return 1
    cmake --build "$build" -- -k -j2
    cmake --build "$build" --target pidguard_preload pidguard_shared pidguard_static
  } </dev/null >"$log" 2>&1
}

# Prints the tests of a build, one a line: name, time limit, command as the shell reads it. These are the unit and
# integration tests that need no source tree, and the differential tester.
image_list_tests() {
  local build=$1 dir
  for dir in unit integration differential; do
    awk -v build="$build" '
      /^add_test\(/ { line = $0; sub(/^add_test\((\[=+\[)?/, "", line); sub(/\)$/, "", line)
                      name = line; sub(/(\]=+\])? .*/, "", name); sub(/^[^ ]* /, "", line); command = line }
      /^set_tests_properties\(/ && name != "" {
        limit = match($0, /TIMEOUT "[0-9]+"/) ? substr($0, RSTART + 9, RLENGTH - 10) : 60
        if (limit > 400) limit = 400 # times SLOW
        if (index(command, "\"" build "/bin/") == 1 && name !~ /^differential-(selftest|plain)$/)
          print name "\t" limit "\t" command
        name = "" }' "$build/tests/$dir/CTestTestfile.cmake"
  done
}

# Copies a file into the image at its own path (or another), and the libraries that it is linked with.
image_add() {
  local image=$1 file=$2 to=${3:-$2} need from dir
  [[ -e $image$to ]] && return 0
  mkdir -p "$image${to%/*}" && cp -L "$file" "$image$to" || return 1
  [[ $(head -c 4 "$file" | tr -d '\0') == $'\x7fELF' ]] || return 0
  need=$(readelf -lW "$file" | sed -n 's/.*interpreter: \(.*\)\]$/\1/p')
  if [[ $need ]]; then
    from=$need
    [[ ${port_libs[0]:-} && -e ${port_libs[0]}/${need##*/} ]] && from=${port_libs[0]}/${need##*/}
    image_add "$image" "$from" "$need" || return 1
  fi
  for need in $(readelf -dW "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'); do
    [[ -e $image/lib/$need ]] && continue
    for dir in "${port_libs[@]}" /lib/"$(gcc -print-multiarch)" /usr/lib/"$(gcc -print-multiarch)"; do
      [[ -e $dir/$need ]] || continue
      image_add "$image" "$dir/$need" "/lib/$need"
      break
    done
  done
}

# image_make IMAGE BUILD BUSYBOX [PROGRAM…]: makes an image. The programs are the machine's own, for ports that can
# run them. All other commands are the static busybox, into which nothing can be preloaded.
image_make() {
  local image=$1 build=$2 busybox=$3 file from
  shift 3
  rm -rf "$image" && mkdir -p "$image"/{bin,dev,etc,proc,sys,tmp,root,run,usr,lib} &&
    ln -s ../bin "$image/usr/bin" || return 1
  cp "$busybox" "$image/bin/busybox" && cp "$image_files"/{inside,compare}.sh "$image/" || return 1
  cp "$image_files/init.sh" "$image/init" && chmod +x "$image/init" || return 1
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$image/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$image/etc/group"
  for file; do
    from=$(type -P -- "$file") && image_add "$image" "$(readlink -f "$from")" "/bin/$file"
  done
  [[ -e $image/bin/dash ]] && ln -s dash "$image/bin/sh"
  for file in sh sleep true false cat env ls cmp diff kill mount mkdir timeout id uname setsid seq echo test printf \
    head tail grep sed awk tr chmod cp rm cut wc sort ps pwd touch expr yes stat poweroff; do
    [[ -e $image/bin/$file || -L $image/bin/$file ]] || ln -s busybox "$image/bin/$file"
  done
  for file in "$build"/bin/* "$build"/lib/*.so* "$build"/tests/programs/{,*/}*.so; do
    [[ -f $file && ${file##*/} != pg_bench* ]] || continue
    image_add "$image" "$file" || return 1
  done
  "$port_cc" "${port_flags[@]}" -std=c11 -O2 -Wall -Wextra "$image_files/vfork_check.c" -o "$build/bin/vfork_check" \
    -pthread && image_add "$image" "$build/bin/vfork_check" || return 1
  {
    image_list_tests "$build"
    printf 'vfork-plain\t60\t%s/bin/vfork_check\n' "$build"
    printf 'vfork\t60\tenv LD_PRELOAD=%s/lib/libpidguard-preload.so %s/bin/vfork_check\n' "$build" "$build"
    printf 'compare\t400\tsh /compare.sh %s/bin %s/lib/libpidguard-preload.so\n' "$build" "$build"
  } >"$image/tests.list"
  [[ $(wc -l <"$image/tests.list") -gt 3 ]]
}

# Reads the output of inside.sh, and prints a line for each test that did not pass. Then prints the skipped parts of
# tests by reason. Sets image_passed, image_failed and image_skipped. Arguments: log, list of tests, prefix, optionally
# tests that may fail, as NAME=REASON.
image_report() {
  local log=$1 list=$2 prefix=$3 name limit command result reason excuse
  shift 3
  image_passed=0 image_failed=0 image_skipped=0
  while IFS=$'\t' read -r name limit command; do
    result=$(sed -n "s/^@@end $name \([0-9]*\) .*/\1/p" "$log" | tail -n 1)
    excuse=
    for reason; do [[ ${reason%%=*} == "$name" ]] && excuse=${reason#*=}; done
    case ${result:-none} in
    0) image_passed=$((image_passed + 1)) ;;
    77)
      image_skipped=$((image_skipped + 1))
      printf 'SKIP %s %s: %s\n' "$prefix" "$name" "$(sed -n "s/^@@$name .*SKIP: //p" "$log" | tail -n 1)"
      ;;
    *)
      if [[ $excuse ]]; then
        image_skipped=$((image_skipped + 1))
        printf 'SKIP %s %s: %s\n' "$prefix" "$name" "$excuse"
        continue
      fi
      image_failed=$((image_failed + 1))
      printf 'FAIL %s %s: %s\n' "$prefix" "$name" "$(
        if [[ $result == 137 || $result == 143 ]]; then echo 'killed, or its time limit expired'
        elif [[ ${result:-none} == none ]]; then echo 'never ended'
        else echo "status $result"; fi)"
      sed -n "s/^@@$name *//p" "$log" | grep -E 'FAILED|  - |SKIP|killed' | cut -c1-400 | head -n 12 | sed 's/^/     /'
      ;;
    esac
  done <"$list"
  # The parts of tests that were skipped, by reason.
  sed -n 's/^@@[^ ]* .*SKIP: \(.*\)$/\1/p' "$log" | sed 's/ \.\.\.\(passed\)\?$//' | sort | uniq -c | sort -rn |
    sed "s/^ *\([0-9]*\) /  skipped part \1x: /"
}
