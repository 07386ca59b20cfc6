# From `objdump -d --no-show-raw-insn` of the preload object: one line for each system call in it,
#   NUMBER OFFSET FUNCTION
# NUMBER is read from the instructions before the call, "?" where it is not a constant; OFFSET is that of the
# instruction after the call, which is what a seccomp filter sees. x86-64 and aarch64.
function number(text, base,   i, value) {
  if (base == 10)
    return text + 0
  value = 0
  for (i = 3; i <= length(text); i++)
    value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
  return value
}
/^[0-9a-f]+ <.*>:$/ {
  name = substr($2, 2, length($2) - 3)
  nr = "?"
}
/^ +[0-9a-f]+:/ {
  offset = $1
  sub(":", "", offset)
  if (waiting != "")
    print waiting, offset, name
  waiting = ""
}
/xor +%eax,%eax/ { nr = 0 }
match($0, /mov +\$0x[0-9a-f]+,%eax/) {
  text = substr($0, RSTART, RLENGTH)
  sub(/^mov +\$/, "", text)
  sub(/,.*/, "", text)
  nr = number(text, 16)
}
match($0, /mov\t[xw]8, #0x[0-9a-f]+/) {
  text = substr($0, RSTART, RLENGTH)
  sub(/.*#/, "", text)
  nr = number(text, 16)
}
/\tsyscall/ || /\tsvc\t#0x0/ { waiting = nr }
