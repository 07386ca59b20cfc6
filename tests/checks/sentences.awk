# SPDX-License-Identifier: MIT
# Counts the words of each sentence of a Markdown file, of a manual page, or of the comments of C files. Code, tables,
# quotes and synopses are left out. Prints the number of sentences, their average and the longest, and each sentence
# that is longer than `most`. With most=0 any length is allowed. `name` is the name that is printed for several files.
# Status 1 if a sentence is too long, or if the average is above `average`.
function finish(    words) {
  gsub(/[[:space:]]+/, " ", text)
  sub(/^ /, "", text)
  words = split(text, word, " ")
  text = ""
  if (words < 3) # the tag of a list
    return
  sentences++
  total += words
  if (words > longest)
    longest = words
  if (most && words > most) {
    printf "%s:%d: %d words: %s %s %s %s ...\n", FILENAME, FNR, words, word[1], word[2], word[3], word[4]
    bad = 1
  }
}
# A sentence ends at a full stop, a question mark or an exclamation mark, with the brackets and quotes that follow.
function add(line) {
  while (match(line, /[.?!]["')*]*( |$)/)) {
    text = text " " substr(line, 1, RSTART + RLENGTH - 1)
    line = substr(line, RSTART + RLENGTH)
    finish()
  }
  text = text " " line
}
BEGIN { manual = ARGV[1] ~ /\.[1-9]$/; c = ARGV[1] ~ /\.[chS]$/ }

# ---- Manual pages ----
manual && /^\.\\"/ { next }
manual && /^\.SH/ { finish(); skip = /SYNOPSIS|NAME|SEE ALSO/; next }
manual && /^\.EX/ { finish(); example = 1; next }
manual && /^\.EE/ { example = 0; next }
manual && (skip || example) { next }
manual && /^\.TP/ { finish(); tag = 1; next }
manual && /^\.(SS|PP|IP|RS|RE|TH|nh|ad|br|nf|fi)/ { finish(); next }
manual {
  line = $0
  joined = line ~ /^\.[A-Z][A-Z] / # words without blanks between them, unless quoted
  sub(/^\.[A-Z]+ /, "", line)
  gsub(/\\f[A-Z]|\\&|"/, "", line)
  gsub(/\\-/, "-", line)
  gsub(/\\\(aq/, "'", line)
  if (joined)
    gsub(/ /, "", line)
  add(line)
  if (tag) { # the line behind .TP
    finish()
    tag = 0
  }
  next
}

# ---- Comments of C ----
# A blank line, an item of a list and a line of a table end a sentence. So does each error of a list of errors. Lines
# with an indent of four are an example, unless they belong to an item.
c {
  line = $0
  if (!comment) {
    if (!sub(/^(.*[^a-z])?\/\*/, "", line)) # behind a letter it belongs to a path with a wildcard
      next
    comment = 1
    item = 0
    line = " " line
  } else {
    sub(/^ *\*( |$)/, "", line)
  }
  ends = sub(/ *\*\/.*/, "", line)
  if (line !~ /SPDX|clang-format|-----/) {
    blank = line ~ /^ *$/
    starts = line ~ /^ *- / || line ~ /^ +[^ ]+(, [^ ]+)*  +[^ ]/ ||
      line ~ /^  ? ?[^ ]+( [^ ]+)*  +[^ ]/
    if (blank || starts) {
      finish()
      item = starts
    }
    sub(/^ *- /, "", line)
    gsub(/; and |[;,] -?E[A-Z]/, ".  &", line)
    sub(/^(Errors|Kernel|Safety)/, ".  &", line)
    if (item || line !~ /^    /)
      add(line)
  }
  if (ends) {
    finish()
    comment = 0
  }
  next
}

# ---- Markdown ----
/^```/ { finish(); code = !code; next }
code { next }
/^(\||>|#|!|    )/ || /^ *$/ { finish(); next }
/^ *([*-]|[0-9]+\.) / { finish(); sub(/^ *([*-]|[0-9]+\.) /, "") }
{
  gsub(/`[^`]*`/, "code")
  gsub(/\]\([^)]*\)/, "")
  gsub(/[[*]/, "")
  add($0)
}

END {
  finish()
  if (!sentences)
    exit 2
  printf "%s: %d sentences, %.1f words on the average, %d the longest\n",
    name ? name : FILENAME, sentences, total / sentences, longest
  exit bad || total / sentences > average
}
