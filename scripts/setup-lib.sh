# SPDX-License-Identifier: MIT
# Shared by the scripts of the source tree (sourced, bash). Finds missing packages and installs them, builds the tree,
# and finds the command that makes a pid namespace. Its messages go to stderr, and it reads nothing from stdin. Expects
# pg_root (the top of the tree) and pg_build (the build directory).
# shellcheck shell=bash disable=SC2154

pg_say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

pg_have() { type -P -- "$1" >/dev/null; }

# Prints the C compiler that CMake would take.
pg_compiler() { type -P "${CC:-cc}" || type -P gcc || type -P clang; }

# True if the C preprocessor finds a header. Without a compiler it finds none.
pg_have_header() {
  local cc
  cc=$(pg_compiler) || return 1
  printf '#include <%s>\n' "$1" | "$cc" -E - >/dev/null 2>&1
}

# Prints the Debian packages that this machine lacks, one a line. Arguments: PACKAGE, PACKAGE=COMMAND, PACKAGE=HEADER.h
# or PACKAGE=/A/FILE.
pg_missing() {
  local want package thing
  for want; do
    package=${want%%=*}
    thing=${want#*=}
    case $thing in
    cc) pg_compiler >/dev/null || printf '%s\n' "$package" ;;
    /*) [[ -e $thing ]] || printf '%s\n' "$package" ;;
    *.h) pg_have_header "$thing" || printf '%s\n' "$package" ;;
    *) pg_have "$thing" || printf '%s\n' "$package" ;;
    esac
  done
}

pg_build_wants=(cmake make gcc=cc libc6-dev=stdio.h)

# Installs Debian packages as root, quietly. Prints the log if that fails.
pg_apt_install() {
  local log status=0
  log=$(mktemp) || return 1
  pg_say "installing: $*"
  {
    DEBIAN_FRONTEND=noninteractive apt-get update -q &&
      DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
  } </dev/null >"$log" 2>&1 || status=$?
  ((status == 0)) || tail -n 20 "$log" >&2
  rm -f "$log"
  return "$status"
}

# Makes sure that the packages are there. As root it installs them. It tells any other user what is missing.
pg_require() {
  local -a missing
  mapfile -t missing < <(pg_missing "$@")
  ((${#missing[@]})) || return 0
  if ((EUID == 0)) && pg_have apt-get; then
    pg_apt_install "${missing[@]}" || {
      pg_say "could not install: ${missing[*]}"
      return 1
    }
    mapfile -t missing < <(pg_missing "$@")
    ((${#missing[@]})) || return 0
  fi
  pg_say "missing: ${missing[*]} (on Debian, as root: apt-get install ${missing[*]})"
  return 1
}

# Does the same for packages of single tests. If root cannot install them together, it tries them one by one, because a
# suite of Debian may lack a package of another suite.
pg_require_each() {
  local want status=0
  local -a missing
  mapfile -t missing < <(pg_missing "$@")
  if ((EUID || ${#missing[@]} == 0)) || ! pg_have apt-get || pg_apt_install "${missing[@]}"; then
    pg_require "$@"
    return
  fi
  for want; do
    pg_require "$want" || status=1
  done
  return "$status"
}

# Configures if there is no build yet, or if there are options. Then builds. Arguments: CMake options, then optionally
# `--` and targets. One builder runs at a time, and its output appears only if it fails. The stamp has the time before
# the build began, so a source that is saved meanwhile counts as newer.
pg_build_tree() {
  local -a options=() targets=()
  while (($#)) && [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  (($#)) && shift && targets=("$@")
  mkdir -p "$pg_build" || return 1
  (
    flock 9 || exit 1
    pg_build_locked 9>&-
  ) 9>"$pg_build/.lock"
}

# Does the cache of CMake belong to another place, because the tree was moved or copied? CMake then refuses to build.
pg_is_other_place() {
  local line
  [[ -e $pg_build/CMakeCache.txt ]] || return 1
  while IFS= read -r line; do
    case $line in
    CMAKE_HOME_DIRECTORY:INTERNAL=*) [[ ${line#*=} -ef $pg_root ]] || return 0 ;;
    CMAKE_CACHEFILE_DIR:INTERNAL=*) [[ ${line#*=} -ef $pg_build ]] || return 0 ;;
    esac
  done <"$pg_build/CMakeCache.txt"
  return 1
}

pg_build_locked() {
  local log=$pg_build/build.log target
  if [[ ${targets[*]} == pidguard_tool ]] && pg_is_built; then
    return 0 # another process was faster
  fi
  : >"$pg_build/.stamp-new" || return 1
  if pg_is_other_place; then
    pg_say "this tree was moved; building it anew in $pg_build"
    rm -rf "$pg_build/CMakeCache.txt" "$pg_build/CMakeFiles"
  fi
  {
    export PATH # without one in the environment, bash has a PATH of its own, and cmake does not find itself
    if [[ ! -e $pg_build/CMakeCache.txt ]] || ((${#options[@]})); then
      cmake -S "$pg_root" -B "$pg_build" "${options[@]}" || exit 1
    fi
    if ((${#targets[@]})); then
      for target in "${targets[@]}"; do
        cmake --build "$pg_build" --target "$target" -- -j"$(nproc)" || exit 1
      done
    else
      cmake --build "$pg_build" -- -j"$(nproc)" || exit 1
    fi
  } </dev/null >"$log" 2>&1 &
  if ! wait $!; then
    tail -n 40 "$log" >&2
    pg_say "the build failed; the whole log is $log"
    return 1
  fi
  mv "$pg_build/.stamp-new" "$pg_build/.stamp"
}

# True if the preload object and the program exist, and no source is newer than the build. Needs one find, no cmake.
pg_is_built() {
  local lib=$pg_build/lib/libpidguard-preload.so.0 stamp=$pg_build/.stamp
  [[ -e $lib && -x $pg_build/bin/pidguard && -e $stamp ]] || return 1
  [[ -z $(find "$pg_root/CMakeLists.txt" "$pg_root/src" "$pg_root/include" -newer "$stamp" -print -quit) ]]
}

# The launcher calls this if pg_is_built says no.
pg_build_library() {
  if [[ -e $pg_build/lib/libpidguard-preload.so.0 && -x $pg_build/bin/pidguard && ! -w $pg_build ]]; then
    pg_say "the sources are newer than $pg_build, which this user cannot write; using that build unchanged"
    return 0
  fi
  pg_require "${pg_build_wants[@]}" || return 1
  [[ -e $pg_build/lib/libpidguard-preload.so.0 ]] || pg_say "building in $pg_build (on first use only)"
  local -a options=()
  [[ -e $pg_build/CMakeCache.txt ]] && ! pg_is_other_place || options=(-DPIDGUARD_TESTS=OFF)
  pg_build_tree "${options[@]}" -- pidguard_tool # the preload object is a dependency of this target
}

# Sets pg_unshare to the command that makes a pid namespace with its own /proc. Root can make one directly. In a chroot
# "/" is no mount, so unshare cannot change its propagation. An ordinary user needs a user namespace, and stays an
# ordinary user in it. With a util-linux before 2.38 that user becomes root in it. False if this user cannot make a pid
# namespace. pg_why then has the reasons.
pg_find_namespace() {
  local pid=(--pid --fork --mount-proc --kill-child) how
  pg_why=
  for how in '' '--propagation unchanged' '--user --map-current-user' '--user --map-root-user'; do
    # shellcheck disable=SC2206 # options, split on purpose
    pg_unshare=(unshare $how "${pid[@]}")
    pg_why+=${pg_why:+; }$("${pg_unshare[@]}" true 2>&1) && return 0
  done
  return 1
}
