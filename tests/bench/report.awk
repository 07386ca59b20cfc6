# SPDX-License-Identifier: MIT
# Makes tables in Markdown from the table file of scripts/bench --full. They have the targets of the project, and
# whether these were reached. Runs with any awk.
BEGIN {
  FS = "\t"
  # A target is a ratio to the plain program, or to the empty preload object.
  target["kill-child"] = target["kill-stranger"] = 1.03
  target["kill-reaped"] = 0.3
  target["waitpid-child"] = target["waitpid-any"] = 1.05
  target["fork-waitpid"] = target["fork-wait-any"] = 1.02
  target["vfork-waitpid"] = target["vfork-exec"] = 1.05
  target["spawn-wait"] = 1.02; over_empty["spawn-wait"] = 1
  target["exec-start"] = 1.15; over_empty["exec-start"] = 1
  target["open-close"] = target["dup2"] = target["syscall-getppid"] = 1.01
  program_target = 1.03
  split("kill-child kill-oldest waitpid-child fork-waitpid vfork-waitpid spawn-wait kill-each poll-each wait-each",
        curve, " ")
}

$1 == "machine" { machine = $2; how = $3; next }
$1 == "memory" {
  weight[$2, $4] = $5; own[$2, $4] = $6; maps[$2, $4] = $7
  if (!($2 in weighed)) { weighed[$2] = 1; weights[++weight_count] = $2 }
  next
}
$1 == "object" { object[$2, $3] = $4 "\t" $5 "\t" $6; next }
{
  key = $1 SUBSEP $2 SUBSEP $3 SUBSEP $4
  if (!(key in told)) { told[key] = $5; plain[key] = $6; keys[++count] = key }
  median[key, $7] = $9; low[key, $7] = $8; high[key, $7] = $10
}

function time_of(ns) {
  if (ns < 0) return "-" time_of(-ns)
  if (ns < 1000) return sprintf("%.0f ns", ns)
  if (ns < 99500) return sprintf("%.1f us", ns / 1e3)
  if (ns < 1e6) return sprintf("%.0f us", ns / 1e3)
  if (ns < 99.5e6) return sprintf("%.1f ms", ns / 1e6)
  return sprintf("%.2f s", ns / 1e9)
}
function cell(key, way) {
  if (!((key, way) in median)) return ""
  return sprintf("%.3f (%.3f-%.3f)", median[key, way], low[key, way], high[key, way])
}
function short(key, way) { return (key, way) in median ? sprintf("%.2f", median[key, way]) : "" }
# Tells whether the target was reached. If the target is between the quartiles, the measurement is too coarse to tell.
function verdict(key, work, program,   way, may) {
  may = program ? program_target : target[work]
  way = over_empty[work] ? "shim/empty" : "shim"
  if (!may || !((key, way) in median)) return " |"
  return sprintf("≤ %s%s | %s", may, over_empty[work] ? " of empty" : "",
    high[key, way] <= may + 0.0005 ? "yes" : low[key, way] > may ? "no" : "unclear")
}

function works_table(label, children,   i, f, first) {
  first = 1
  for (i = 1; i <= count; i++) {
    split(keys[i], f, SUBSEP)
    if (f[1] != label || f[2] != children || f[3] != 1) continue
    if (first) {
      print "| work | plain | shim | empty object | by hand | shim/empty | aim | reached |"
      print "|---|---|---|---|---|---|---|---|"
      first = 0
    }
    printf "| %s | %s | %s | %s | %s | %s | %s |\n", told[keys[i]], time_of(plain[keys[i]]), cell(keys[i], "shim"),
      cell(keys[i], "empty"), cell(keys[i], "pidfd"), short(keys[i], "shim/empty"),
      verdict(keys[i], f[4], label == "programs")
  }
  print ""
}

# One line for each work and one column for each step, with the time that the shim adds and the ratio.
function curve_table(title, label, steps, n, by_label,   i, k, key, line) {
  line = "| " title " |"
  for (k = 1; k <= n; k++) line = line " " steps[k] " |"
  print line
  gsub(/[^|]+/, "---", line); print line
  for (i = 1; i in curve; i++) {
    line = name = ""
    for (k = 1; k <= n; k++) {
      key = (by_label ? label "=" steps[k] SUBSEP 1200 : label SUBSEP steps[k]) SUBSEP 1 SUBSEP curve[i]
      if (key in told) name = told[key]
      if ((key, "shim") in median)
        line = line sprintf(" +%s, %.2f", time_of((median[key, "shim"] - 1) * plain[key]), median[key, "shim"])
      line = line " |"
    }
    gsub(/\+-/, "-", line)
    if (name) print "| " name " |" line
  }
  print ""
}

END {
  print machine "; " how ". Ratios to the plain program: median, and in brackets the quartiles.\n"
  works_table("works", 0)
  print "Whole programs (the shim in every process):\n"
  works_table("programs", 0)
  print "With 1,000 other children alive; the oldest is known by identity only, as more children live than are held:\n"
  works_table("works", 1000)
  print "With 30,000 (one way after the other, so less exact):\n"
  works_table("works", 30000)
  n = split("1 10 100 1000 30000", steps, " ")
  print "What the shim adds to an operation, and the ratio, against the number of other children:\n"
  curve_table("children", "works", steps, n, 0)
  n = split("0 63 64 199 1999 29999", steps, " ")
  print "Each child in turn, against the number of other children:\n"
  curve_table("children", "turn", steps, n, 0)
  n = split("0 16 64 256 1024", steps, " ")
  print "Against how many descriptors are held (`PIDGUARD_FD_MAX`), with 1,200 other children:\n"
  curve_table("held", "fd-max", steps, n, 1)
  print "In several threads at once:\n"
  print "| work | 1 | 2 | 3 | 4 |\n|---|---|---|---|---|"
  m = split("kill-child kill-same kill-stranger waitpid-child syscall-getppid", threaded, " ")
  for (i = 1; i <= m; i++) {
    line = name = ""
    for (k = 1; k <= 4; k++) {
      key = "threads" SUBSEP 0 SUBSEP k SUBSEP threaded[i]
      line = line " " short(key, "shim") " |"
      if (key in told) name = told[key]
    }
    if (name) print "| " name " |" line
  }
  print "\nMemory of a process (`own` are pages with no file behind them), in kB:\n"
  print "| other children | plain | shim | plain, own | shim, own | mappings plain | shim |"
  print "|---|---|---|---|---|---|---|"
  for (i = 1; i <= weight_count; i++) {
    c = weights[i]
    printf "| %s | %s | %s | %s | %s | %s | %s |\n", c, weight[c, "plain"], weight[c, "shim"],
      own[c, "plain"], own[c, "shim"], maps[c, "plain"], maps[c, "shim"]
  }
  split(object["shim", "relocations"], r, "\t")
  split(object["plain", "start"], p, "\t")
  split(object["empty", "start"], e, "\t")
  split(object["shim", "start"], s, "\t")
  printf "\nThe object has %d relative relocations and %d by symbol. ", r[1], r[2]
  printf "From exec to exit a program of nothing takes %d page faults plain, %d with the empty object, ", p[1], e[1]
  printf "%d with the shim. It makes %d, %d and %d mappings.\n", s[1], p[2], e[2], s[2]
}
