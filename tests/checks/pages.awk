# SPDX-License-Identifier: MIT
# The examples of a manual page: each becomes a file N.text, and what its comments say N.test and N.expect.
# -v stem=: what the names begin with.
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
