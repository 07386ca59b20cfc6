#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the form of every file: the licence line at its top, lines of at most 120 columns, and the layout of C by
# clang-format. In src/ a conditional operator must not be within another one. Usage: form.sh
set -uf
export LC_ALL=C.UTF-8
root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P) || exit 1
cd "$root" || exit 1
layout=14 # the version of clang-format that formatted the sources; others differ a little

failures=0
fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$*"
}

mapfile -t files < <(find .ci .clang-format CMakeLists.txt README.md include scripts src tests -type f | sort)
((${#files[@]} > 400)) || fail "only ${#files[@]} files were found"
licensed=() narrow=() sources=()
for file in "${files[@]}"; do
  case $file in
  *.md | *.svg | .clang-format | src/package/c[oh]* | src/package/symbols) ;; # these have no place for it
  *) licensed+=("$file") ;;
  esac
  case $file in
  *.c | *.h | *.cc) sources+=("$file") ;;
  esac
  case $file in
  *.svg | *.md | *.table | src/package/*) ;; # lines of tables cannot be broken
  *) narrow+=("$file") ;;
  esac
done
while IFS= read -r file; do
  fail "$file: no SPDX-License-Identifier in its first three lines"
done < <(awk 'FNR <= 3 && /SPDX-License-Identifier: MIT/ { print FILENAME }' "${licensed[@]}" | sort |
  comm -13 - <(printf '%s\n' "${licensed[@]}" | sort))
while IFS= read -r line; do
  fail "$line"
done < <(awk 'length($0) > 120 { print FILENAME ":" FNR ": " length($0) " columns" }' "${narrow[@]}")

# Checks nested.awk itself first, and then the sources.
nested=$(printf 'int f(int a) { return a ? 1 : a > 2 ? 3 : 4; }\nint g(int a) { return h(a ? 1 : 2, a ? 3 : 4); }\n' |
  awk -f tests/checks/nested.awk | grep -c '')
((nested == 1)) || fail "nested.awk finds $nested of 1 operator within another one"
while IFS= read -r line; do
  fail "$line"
done < <(find src include -name '*.[ch]' -exec awk -f tests/checks/nested.awk {} + | sort)

if ! type -P clang-format >/dev/null; then
  echo 'SKIP: the layout was not checked, because clang-format is not installed'
elif have=$(clang-format --version | sed -E 's/.*version ([0-9]+).*/\1/') && ((have != layout)); then
  echo "The layout was not checked, because it is that of clang-format $layout, and this is version $have"
else
  while IFS= read -r line; do
    fail "$line"
  done < <(clang-format --dry-run "${sources[@]}" 2>&1 | grep 'warning: code should' | cut -d' ' -f1 |
    cut -d: -f1,2 | sort -u)
fi
printf '%s files, %s of them in C, %s failed\n' "${#files[@]}" "${#sources[@]}" "$failures"
((failures == 0))
