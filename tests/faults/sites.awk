# SPDX-License-Identifier: MIT
# Reads `objdump -d --no-show-raw-insn` of the preload object. Prints one line for each system call in it:
#   NUMBER OFFSET FUNCTION
# NUMBER comes from the instructions before the call. It is "?" if they load no constant. OFFSET is that of the
# instruction after the call, because a seccomp filter sees that address. For x86-64 and aarch64.
function number(text,   i, value) {
  if (text !~ /^0x/)
    return text + 0
  value = 0
  for (i = 3; i <= length(text); i++)
    value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
  return value
}
# One name for a register and its lower half.
function whole(reg) {
  sub(/^%/, "", reg)
  if (reg ~ /^[xw][0-9]+$/)
    return "x" substr(reg, 2)
  if (reg ~ /^r[0-9]+d$/)
    return substr(reg, 1, length(reg) - 1)
  if (reg ~ /^e[a-z][a-z]$/)
    return "r" substr(reg, 2)
  return reg
}
function known(reg) { return reg in value ? value[reg] : "?" }
function set(to, what) {
  if (what == "?")
    delete value[to]
  else
    value[to] = what
}
/^[0-9a-f]+ <.*>:$/ {
  name = substr($2, 2, length($2) - 3)
  split("", value)
}
!/^ +[0-9a-f]+:/ { next }
{
  offset = $1
  sub(":", "", offset)
  if (waiting != "")
    print waiting, offset, name
  waiting = ""
  split($3, operand, ",")
}
$2 ~ /^xor/ && operand[1] == operand[2] { set(whole(operand[2]), 0); next }
$2 == "mov" && operand[1] ~ /^\$0x[0-9a-f]+$/ && operand[2] ~ /^%/ {
  set(whole(operand[2]), number(substr(operand[1], 2)))
  next
}
$2 == "mov" && operand[1] ~ /^%/ && operand[2] ~ /^%/ { set(whole(operand[2]), known(whole(operand[1]))); next }
$2 == "mov" && $3 ~ /^[xw][0-9]+,$/ { # aarch64 writes "x8, #0x2d"
  set(whole(operand[1]), $4 ~ /^#/ ? number(substr($4, 2)) : known(whole($4)))
  next
}
$2 == "syscall" { waiting = known("rax"); delete value["rax"]; next }
$2 == "svc" { waiting = known("x8"); next }
$2 ~ /^call/ { delete value["rax"]; next }
operand[2] ~ /^%/ { delete value[whole(operand[2])] } # anything else that writes a register
$3 ~ /^%/ && $3 !~ /,/ { delete value[whole($3)] }
