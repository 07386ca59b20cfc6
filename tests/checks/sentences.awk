# SPDX-License-Identifier: MIT
# Counts the words of each sentence of a Markdown file or a manual page. Code, tables, quotes and synopses are left out.
# Prints "FILE SENTENCES AVERAGE LONGEST", and each sentence that is longer than `most`. Status 1: one is, or the
# average is above `average`.
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
  if (words > most) {
    printf "%s:%d: %d words: %s %s %s %s ...\n", FILENAME, FNR, words, word[1], word[2], word[3], word[4]
    bad = 1
  }
}
# A sentence ends at a full stop, question or exclamation mark, and a bracket or quote behind it.
function add(line) {
  while (match(line, /[.?!]["')*]*( |$)/)) {
    text = text " " substr(line, 1, RSTART + RLENGTH - 1)
    line = substr(line, RSTART + RLENGTH)
    finish()
  }
  text = text " " line
}
BEGIN { manual = ARGV[1] ~ /\.[1-9]$/ }

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
    FILENAME, sentences, total / sentences, longest
  exit bad || total / sentences > average
}
