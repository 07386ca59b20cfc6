#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the walls of the house: which folder of src/ may use which, by the #include graph and by the symbols of the
# objects that were built. Says each breach with its place. Usage: layers.sh BUILD_DIRECTORY
set -uf
export LC_ALL=C
root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P) || exit 1
build=${1:?usage: layers.sh BUILD_DIRECTORY}

# ---- The plan ----

# Each floor, and the ones below that it may use. base is everybody's ground: attributes, the errno border, text.
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
# The program stands apart: it knows of the others what a running process says of itself.
tool_of_child=' child/status.h '
# Of runtime, the API may see what is counted and what comes next; the rest is the child floor's business.
api_of_runtime=' runtime/counters.h runtime/hot.h runtime/next.h '

# What each floor takes from libc; nothing of it allocates, locks, or sets errno. Everybody may be given those that
# compilers insert by themselves. clock_gettime lives in the vdso; the names of child/ are about cancellation and about
# the start of the program. An unlisted name is a breach: think before listing.
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
# One file binds libc's own functions, for all others.
binder=runtime/next.c
binder_libc='__errno_location dlsym dladdr dlvsym'

# Breaches that are meant, one a line: FILE WHAT. Printed at each run; one that is not needed any more is an error.
declare -A meant=(
  # To find out whether another copy of the object stands in front, asked by name as the program would.
  ['child/born.c pidguard_is_preloaded']=1
  # The demonstration's script, made into a text of C when it is built.
  ['tool/demo.c demo.inc']=1
  # syscall(SYS_vfork) is vfork(), and nothing may lie between the caller and it: a jump, not a call.
  ['preload/syscall_x86_64.S pg_vfork']=1
)

# ---- The checks ----

breaches=0
checked=0
declare -A used=() told=()
breach() { # PLACE WHAT FILE NAME: the last two are looked up among the meant ones
  if [[ -n ${meant["${3-} ${4-}"]-} ]]; then
    used["$3 $4"]=1
    return
  fi
  [[ -z ${told["$1 $2"]-} ]] || return
  told["$1 $2"]=1 # once, though several libraries are made of the same file
  breaches=$((breaches + 1))
  printf '%s: %s\n' "$1" "$2"
}

may_use() { [[ $1 == "$2" || " ${below[$1]} " == *" $2 "* ]]; } # FLOOR FLOOR

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
      [[ $floor == api ]] || breach "$place" "only api/ knows the public header" "$file" "$header"
    elif [[ ! -e $root/src/$header ]]; then
      breach "$place" "$header: not a path below src/" "$file" "$header"
    elif [[ $floor == tool && $tool_of_child == *" $header "* ]]; then
      :
    elif ! may_use "$floor" "$other"; then
      breach "$place" "$floor/ may not include $header" "$file" "$header"
    elif [[ $floor == api && $other == runtime && $api_of_runtime != *" $header "* ]]; then
      breach "$place" "api/ may not include $header" "$file" "$header"
    fi
  done < <(grep -rn --include='*.[chS]' '^ *# *include *"' "$root/src")
}

# Reading errno after a call of libc, and putting it back, is everybody's; making a new one is the border's.
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

# "FLOOR/FILE SYMBOL" for the symbols that each object defines, and for those that it refers to by a relocation. These
# show also calls of names that the object defines itself: exported ones go through the dynamic linker all the same.
list_symbols() {
  local object name
  for object in "${objects[@]}"; do
    name=${object#*"$dir/"}
    name=${name%.o}
    nm -g --defined-only "$object" | awk -v f="$name" 'NF == 3 {print "D", f, $3}'
    nm -u "$object" | awk -v f="$name" '{print "U", f, $NF}'
    readelf -rW "$object" | awk -v f="$name" '
      /^Relocation section/ {code = /\.rela?\.(text|data|rodata|init_array)/}
      code && NF >= 5 && $3 ~ /^R_/ && $5 !~ /^[.0-9]/ {print "R", f, $5}'
  done | sort -u
}

# The names that the preload object takes from libc.
list_interposed() {
  nm -D --defined-only "$build/lib/libpidguard-preload.so" |
    awk '$2 ~ /[TW]/ {sub(/@.*/, "", $3); if ($3 !~ /^pidguard_/) print $3}'
}

family() { # the file without its folder, ending and architecture: vfork.c and vfork_x86_64.S are one family
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
        breach "src/$file" "calls $symbol, which the preload object takes: use pg_next.$symbol" "$file" "$symbol"
        continue
        ;;
      esac
      checked=$((checked + 1))
      symbol=${symbol%_chk} # what _FORTIFY_SOURCE makes of it
      if [[ -n ${home[$symbol]-} ]]; then
        other=${home[$symbol]%%/*}
        if ! may_use "$floor" "$other"; then
          breach "src/$file" "$floor/ may not use $symbol of ${home[$symbol]}" "$file" "$symbol"
        elif [[ $floor == preload && $other == preload ]]; then
          family "$file" && mine=$REPLY
          family "${home[$symbol]}"
          [[ $mine == "$REPLY" ]] ||
            breach "src/$file" "files of preload/ do not call each other: $symbol of ${home[$symbol]}" "$file" "$symbol"
        fi
      elif [[ $symbol == _GLOBAL_OFFSET_TABLE_ || $symbol == __aarch64_* || $anywhere == *" ${symbol#__} "* ||
        " ${libc[$floor]//$'\n'/ } " == *" $symbol "* ]]; then
        :
      elif [[ $file == "$binder" ]]; then
        [[ " $binder_libc " == *" $symbol "* || -n ${interposed[$symbol]-} ]] ||
          breach "src/$file" "takes $symbol" "$file" "$symbol"
      elif [[ -z ${interposed[$symbol]-} ]]; then # those are told once, above
        breach "src/$file" "$floor/ may not use $symbol of libc" "$file" "$symbol"
      fi
    done < <(list_symbols) # sorted: all definitions come first
  done
}

check_includes
check_errno
check_object_symbols
for entry in "${!meant[@]}"; do
  if [[ -n ${used[$entry]-} ]]; then
    echo "meant: src/$entry"
  elif [[ -e $build/src/CMakeFiles/pidguard_preload.dir/${entry% *}.o ]]; then # else: for another machine
    breach "${BASH_SOURCE[0]##*/}" "'$entry' is listed as meant, and nothing does it"
  fi
done
((checked > 300)) || { echo "only $checked arrows found: this check does not see the house" && exit 1; }
echo "$checked arrows checked, $breaches breaches"
((breaches == 0))
