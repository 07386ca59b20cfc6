# SPDX-License-Identifier: MIT
# Finds each conditional operator within a branch of another one, because a plain `if` reads better. Prints FILE:LINE
# of each. Status 1 if there is one.
function judge(    n, i, c, depth, open, at) {
  n = length(statement)
  for (i = 1; i <= n; i++) {
    c = substr(statement, i, 1)
    if (c == "(" || c == "[")
      depth++
    else if (c == ")" || c == "]") {
      depth--
      while (open && at[open] > depth)
        open--
    } else if (c == ",") {
      while (open && at[open] >= depth)
        open--
    } else if (c == "?") {
      if (open) {
        printf "%s:%d: a conditional operator within another one\n", FILENAME, FNR
        bad = 1
        break
      }
      at[++open] = depth
    }
  }
  statement = ""
}
FNR == 1 { statement = ""; comment = 0 }
{
  line = $0
  gsub(/\\./, "", line)
  gsub(/"[^"]*"|'[^']*'/, "0", line)
  if (comment && !sub(/^.*\*\//, "", line))
    next
  comment = 0
  gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
  sub(/\/\/.*/, "", line)
  if (sub(/\/\*.*/, "", line))
    comment = 1
  while (match(line, /[;{}]/)) {
    statement = statement " " substr(line, 1, RSTART - 1)
    line = substr(line, RSTART + 1)
    if (statement ~ /\?.*\?/)
      judge()
    else
      statement = ""
  }
  statement = statement " " line
}
END { exit bad }
