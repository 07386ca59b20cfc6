# SPDX-License-Identifier: MIT
# Real programs. bash runs each entry of programs.table. Its output, its errors and its exit status are compared without
# PIDs and addresses.
# shellcheck shell=bash disable=SC2154,SC2034
suite_always=1
suite_wants=(gcc=cc libc6-dev=stdio.h)

# An entry is a line "## NAME WANTS…", with the lines of shell up to the next entry.
programs_names() { sed -n 's/^## \([^ ]*\).*/\1/p' "$conf_tests/programs.table"; }
programs_wants() {
  awk -v name="$1" '/^## / && $2 == name { for (i = 3; i <= NF; i++) print $i }' "$conf_tests/programs.table"
}
programs_lines() { awk -v name="$1" '/^## / { on = $2 == name; next } on' "$conf_tests/programs.table"; }

suite_prepare() {
  local -a all
  mapfile -t all < <(programs_names | while read -r name; do programs_wants "$name"; done | sort -u)
  conf_require "${all[@]}" || pg_say 'the entries that need these packages are not run'
  "$(pg_compiler)" -O1 -g -o "$suite_dir/children" "$conf_tests/children.c" -lpthread
}

suite_units() {
  local name
  local -a wants
  while read -r name; do
    mapfile -t wants < <(programs_wants "$name")
    if [[ -z $(conf_missing "${wants[@]}") ]]; then
      printf '%s\n' "$name"
    else
      pg_say "the program $name is NOT RUN, because these packages are missing: $(conf_missing "${wants[@]}" | xargs)"
    fi
  done < <(programs_names)
}

conf_command() {
  directory=$(mktemp -d "$suite_dir/run.XXXXXX")
  chmod 755 "$directory"
  environment=(env -u PYTHONUNBUFFERED LC_ALL=C TERM=dumb "HOME=$directory" "TMPDIR=$directory"
    "CHILDREN=$suite_dir/children" "CONF_TESTS=$conf_tests"
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  command=(bash -c "$(programs_lines "$1")" bash)
}

# The whole text is one verdict.
conf_verdicts() {
  local stream text
  for stream in "$2" "$3"; do
    text=$(sed -E -e 's#/[^ ]*/run\.[A-Za-z0-9]{6}#DIR#g' -e 's/0x[0-9a-f]+/0xN/g' \
      -e 's/(pid|PID|process|Process|LWP)([ =:]*)[0-9]+/\1\2N/g' -e 's/^(==|--)[0-9]+(==|--)/\1N\2/' "$stream" |
      tr '\t' ' ' | sed ':a;N;$!ba;s/\n/ \/ /g' | cut -c 1-1500)
    printf '%s\tok: %s\n' "${stream##*.}" "$text"
  done
}
