#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the layers of src/: which folder may use which other one. Looks at the #include graph and at the symbols of the
# built objects. Prints each breach with its place. Usage: layers.sh BUILD_DIRECTORY
set -uf
export LC_ALL=C
root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P) || exit 1
build=${1:?usage: layers.sh BUILD_DIRECTORY}

# ---- The plan ----

# Each layer, and the layers below that it may use. All libraries use base: attributes, the errno border, text.
declare -A below=(
  [base]=''
  [kernel]='base'
  [runtime]='kernel base'
  [pidfd]='kernel base'
  [child]='pidfd runtime kernel base'
  [api]='child pidfd runtime kernel base'
  [preload]='child runtime kernel base'
  [tool]=''
)
# The program tool/ uses no other layer but for two things: the layout of what a running process says about itself, and
# the opening of the log.
tool_of_others=' child/status.h runtime/config.h runtime/log_file.h '
# The API may use only these headers of runtime, for the counters and for libc's own functions.
api_of_runtime=' runtime/counters.h runtime/hot.h runtime/next.h '

# The names that each layer takes from libc. None of these functions allocates, locks or sets errno. Compilers insert
# those of `anywhere` by themselves. clock_gettime is in the vdso. The names of child/ are about threads and about the
# start of the program. An unlisted name is a breach.
anywhere=' memcpy memmove memset memcmp stack_chk_fail '
declare -A libc=(
  [base]=''
  [kernel]='__errno_location'
  [runtime]='strlen gnu_get_libc_version __libc_single_threaded'
  [pidfd]='__cmsg_nxthdr clock_gettime strchr strcmp strlen strncmp strrchr'
  [child]='__errno_location environ getauxval __libc_single_threaded'
  [api]='__errno_location environ strncmp'
  [preload]='__errno_location __libc_single_threaded
    posix_spawnattr_getflags posix_spawnattr_getpgroup posix_spawnattr_setpgroup'
)
# One file binds libc's own functions for all other files.
binder=runtime/next.c
binder_libc='__errno_location dlsym dlvsym strcmp'

# Intended breaches, one a line: FILE WHAT. Each run prints them. One that no longer happens is an error.
declare -A meant=(
  # Finds out whether another copy of the object is in front, by a lookup of the name as in the program.
  ['child/born.c pidguard_is_preloaded']=1
  # The script of the demonstration, which the build turns into C.
  ['tool/demo.c demo.inc']=1
  # syscall(SYS_vfork) jumps to vfork(), because no stack frame may be between the caller and vfork().
  ['preload/syscall_x86_64.S pg_vfork']=1
  # Finds out whether the object stands behind libc, by a name as the program has it.
  ['runtime/next.c wait4']=1
)

# ---- The checks ----

breaches=0
checked=0
declare -A used=() told=()
breach() { # PLACE WHAT FILE NAME: an intended breach is listed under the last two
  if [[ -n ${meant["${3-} ${4-}"]-} ]]; then
    used["$3 $4"]=1
    return
  fi
  [[ -z ${told["$1 $2"]-} ]] || return
  told["$1 $2"]=1 # printed once, although several libraries contain the same file
  breaches=$((breaches + 1))
  printf '%s: %s\n' "$1" "$2"
}

may_use() { [[ $1 == "$2" || " ${below[$1]} " == *" $2 "* ]]; } # LAYER LAYER

check_includes() {
  local place text file line floor header other
  while IFS=: read -r file line text; do
    file=${file#"$root/src/"}
    floor=${file%%/*}
    [[ -n ${below[$floor]+x} ]] || continue
    checked=$((checked + 1))
    place=src/$file:$line
    header=${text#*\"}
    header=${header%%\"*}
    other=${header%%/*}
    if [[ $header == pidguard/pidguard.h ]]; then
      [[ $floor == api ]] || breach "$place" "only api/ may include the public header" "$file" "$header"
    elif [[ ! -e $root/src/$header ]]; then
      breach "$place" "$header is no path below src/" "$file" "$header"
    elif [[ $floor == tool && $tool_of_others == *" $header "* ]]; then
      :
    elif ! may_use "$floor" "$other"; then
      breach "$place" "$floor/ may not include $header" "$file" "$header"
    elif [[ $floor == api && $other == runtime && $api_of_runtime != *" $header "* ]]; then
      breach "$place" "api/ may not include $header" "$file" "$header"
    fi
  done < <(grep -rn --include='*.[chS]' '^ *# *include *"' "$root/src")
}

# Every layer may read errno after a call of libc, and restore it. Only the border may set a new value.
check_errno() {
  local file line text
  while IFS=: read -r file line text; do
    file=${file#"$root/src/"}
    case $file in
    api/* | preload/* | base/errno.h | examples/* | tool/*) continue ;;
    esac
    [[ ! $text =~ (^|[^_a-z])errno\ *=\ *saved\; ]] || continue
    breach "src/$file:$line" "sets errno: ${text#"${text%%[! ]*}"}" "$file" errno
  done < <(grep -rnE --include='*.[ch]' '(^|[^_a-z.>])errno *[-+|]?=[^=]|pg_retl? *\(' "$root/src")
}

# Prints "KIND LAYER/FILE SYMBOL" for the symbols that each object defines (D), needs (U) or names in a relocation (R).
# Relocations also show calls of exported names that the object defines itself, because these go through the dynamic
# linker. One call of a tool reads all objects.
list_symbols() {
  {
    nm -g -A "${objects[@]}"
    readelf -rW "${objects[@]}"
  } | awk -v prefix="$dir/" '
    function short(path) {
      sub(".*" prefix, "", path)
      sub(/\.o:?$/, "", path)
      return path
    }
    /^File: / {file = short($2); next}
    /^Relocation section/ {code = /\.rela?\.(text|data|rodata|init_array)/; next}
    $1 ~ /\.o:[0-9a-f]*$/ {
      sub(/:[0-9a-f]*$/, "", $1)
      print $(NF - 1) ~ /^[Uwv]$/ ? "U" : "D", short($1), $NF
      next
    }
    code && NF >= 5 && $3 ~ /^R_/ && $5 !~ /^[.0-9]/ {print "R", file, $5}' | sort -u
}

# Prints the names that the preload object takes from libc.
list_interposed() {
  nm -D --defined-only "$build/lib/libpidguard-preload.so" |
    awk '$2 ~ /[TW]/ {sub(/@.*/, "", $3); if ($3 !~ /^pidguard_/) print $3}'
}

family() { # sets REPLY to the file without folder, suffix and architecture; vfork.c and vfork_x86_64.S are one family
  REPLY=${1##*/}
  REPLY=${REPLY%.[cS]}
  REPLY=${REPLY%_x86_64}
  REPLY=${REPLY%_aarch64}
}

check_object_symbols() {
  local dir kind file symbol floor other mine
  local -A home=() interposed=()
  local -a objects
  while read -r symbol; do interposed[$symbol]=1; done < <(list_interposed)
  ((${#interposed[@]})) || { echo "no libpidguard-preload.so in $build/lib" && exit 1; }
  for dir in pidguard_static.dir pidguard_preload.dir; do
    set +f
    shopt -s globstar nullglob
    objects=("$build/src/CMakeFiles/$dir"/**/*.o)
    set -f
    ((${#objects[@]})) || { echo "no objects of $dir in $build" && exit 1; }
    home=()
    while read -r kind file symbol; do
      floor=${file%%/*}
      case $kind in
      D)
        home[$symbol]=$file
        continue
        ;;
      R)
        [[ -n ${interposed[$symbol]-} && $file != "$binder" ]] || continue
        checked=$((checked + 1))
        breach "src/$file" "calls $symbol, which the preload object takes; use pg_next.$symbol" "$file" "$symbol"
        continue
        ;;
      esac
      checked=$((checked + 1))
      symbol=${symbol%_chk} # the suffix of _FORTIFY_SOURCE
      if [[ -n ${home[$symbol]-} ]]; then
        other=${home[$symbol]%%/*}
        if ! may_use "$floor" "$other"; then
          breach "src/$file" "$floor/ may not use $symbol of ${home[$symbol]}" "$file" "$symbol"
        elif [[ $floor == preload && $other == preload ]]; then
          family "$file" && mine=$REPLY
          family "${home[$symbol]}"
          [[ $mine == "$REPLY" ]] ||
            breach "src/$file" "files of preload/ may not use each other: $symbol of ${home[$symbol]}" "$file" "$symbol"
        fi
      elif [[ $symbol == _GLOBAL_OFFSET_TABLE_ || $symbol == __aarch64_* || $anywhere == *" ${symbol#__} "* ||
        " ${libc[$floor]//$'\n'/ } " == *" $symbol "* ]]; then
        :
      elif [[ $file == "$binder" ]]; then
        [[ " $binder_libc " == *" $symbol "* || -n ${interposed[$symbol]-} ]] ||
          breach "src/$file" "may not use $symbol of libc" "$file" "$symbol"
      elif [[ -z ${interposed[$symbol]-} ]]; then # relocations have shown the interposed ones, see R above
        breach "src/$file" "$floor/ may not use $symbol of libc" "$file" "$symbol"
      fi
    done < <(list_symbols) # sorted, so that all definitions come first
  done
}

# Each wrapper may be called before the loader has relocated the object (preload/border.h), and asks for that first.
check_early() {
  local line
  while IFS= read -r line; do
    breach "src/preload/${line%% *}" "${line#* } does not ask pg_is_early()"
  done < <(cd "$root/src/preload" && set +f && awk '
    /^PG_EXPORT.*\{$/ { inside = 1; early = 0; name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); wrappers++ }
    inside && /EARLY\(|pg_is_early\(/ { early = 1 }
    inside && /^}/ { if (!early) print FILENAME ":" FNR, name; inside = 0 }
    END { if (wrappers < 20) print "*.c: only " wrappers + 0 " wrappers were found, so the check" }' *.c)
}

check_includes
check_errno
check_early
check_object_symbols
for entry in "${!meant[@]}"; do
  if [[ -n ${used[$entry]-} ]]; then
    echo "intended: src/$entry"
  elif [[ -e $build/src/CMakeFiles/pidguard_preload.dir/${entry% *}.o ]]; then # else it is for another machine
    breach "${BASH_SOURCE[0]##*/}" "'$entry' is listed as intended, but no longer happens"
  fi
done
((checked > 300)) || { echo "only $checked uses were found, so this check does not see the sources" && exit 1; }
echo "$checked uses checked, $breaches breaches"
((breaches == 0))
