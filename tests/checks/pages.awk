# SPDX-License-Identifier: MIT
# Extracts the examples of a manual page. Each example becomes a file N.text, and its comments become N.test and
# N.expect. `stem` is the start of the files' names.
/^\.\\" test: / { sub(/^\.\\" test: /, ""); test = $0; next }
/^\.\\" expect: / { sub(/^\.\\" expect: /, ""); pattern = $0; next }
/^\.EX$/ {
  name = sprintf("%s%02d", stem, ++n)
  print test >(name ".test")
  print pattern >(name ".expect")
  printf "" >(name ".text")
  on = 1
  next
}
/^\.EE$/ { on = 0; test = pattern = ""; close(name ".text") }
on {
  gsub(/\\\(aq/, "\047")
  gsub(/\\-/, "-")
  gsub(/\\e/, "\\")
  print >(name ".text")
}
