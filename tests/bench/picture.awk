# SPDX-License-Identifier: MIT
# Makes a picture (SVG) from the table file of scripts/bench --full. It shows the ratio to the plain program for each
# work. Below, it shows that ratio against the number of other children and of held descriptors. Runs with any awk.
BEGIN {
  FS = "\t"
  WIDTH = 960; LEFT = 250; RIGHT = 60; ROW = 22; BOTTOM = 0.8
  ways = split("shim empty pidfd", way, " ")
  name["shim"] = "shim"; name["empty"] = "empty preload object"; name["pidfd"] = "by hand with pidfds"
  color["shim"] = "#c0392b"; color["empty"] = "#7f8c8d"; color["pidfd"] = "#2471a3"
  lines = split("kill-child waitpid-child fork-waitpid vfork-waitpid spawn-wait", line, " ")
  split("#c0392b #2471a3 #1e8449 #b7950b #6c3483", line_color, " ")
}
$1 == "machine" { machine = $2; how = $3; next }
$1 == "memory" || $1 == "object" { next }
{
  median[$1, $2, $3, $4, $7] = $9; low[$1, $2, $3, $4, $7] = $8; high[$1, $2, $3, $4, $7] = $10
  told[$4] = $5
  if ($2 == 0 && $3 == 1 && ($1 == "works" || $1 == "programs") && !(($1, $4) in seen)) {
    seen[$1, $4] = 1; bars++; bar_label[bars] = $1; bar_work[bars] = $4
  }
}

function escape(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
function text(x, y, s, anchor, size, fill) {
  printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\" fill=\"%s\">%s</text>\n",
    x, y, anchor ? anchor : "start", size ? size : 12, fill ? fill : "#222", escape(s)
}
function stroke(x1, y1, x2, y2, colour, width, dash) {
  printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%s\"%s/>\n",
    x1, y1, x2, y2, colour, width, dash ? " stroke-dasharray=\"4 3\"" : ""
}
function dot(x, y, colour, r) { printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", x, y, r, colour }
# A ratio outside the picture is drawn at its edge. The figure beside it has the value.
function x_of(ratio) {
  if (ratio > top) ratio = top
  if (ratio < BOTTOM) ratio = BOTTOM
  return LEFT + (ratio - BOTTOM) / (top - BOTTOM) * (WIDTH - LEFT - RIGHT)
}

# A panel of lines. The steps, which grow by factors, are evenly spaced. The ratio is on a logarithmic axis.
function y_of(ratio, y0, h, least, most) { return y0 + h - log(ratio / least) / log(most / least) * h }
function panel(x0, y0, w, h, title, steps, n, held,   i, k, v, least, most, px, py, qx, qy, key, marks, mark,
               legend_y) {
  least = 0.98; most = 1.12
  for (i = 1; i <= lines; i++)
    for (k = 1; k <= n; k++) {
      key = held ? "fd-max=" steps[k] SUBSEP 1200 : "works" SUBSEP steps[k]
      if (!((key, 1, line[i], "shim") in median)) continue
      v = median[key, 1, line[i], "shim"]
      if (v > most) most = v
      if (v < least) least = v
    }
  text(x0, y0 - 12, title, "start", 13)
  marks = split("0.5 0.7 0.9 1 1.1 1.2 1.3 1.5 1.7 2 2.5 3 4 5 7 10 15 20", mark, " ")
  for (i = 1; i <= marks; i++) {
    if (mark[i] < least || mark[i] > most) continue
    py = y_of(mark[i], y0, h, least, most)
    stroke(x0, py, x0 + w, py, mark[i] == 1 ? "#222" : "#ddd", 1)
    text(x0 - 6, py + 4, mark[i], "end", 11)
  }
  for (k = 1; k <= n; k++)
    text(x0 + (k - 0.5) * w / n, y0 + h + 16, steps[k], "middle", 11)
  for (i = 1; i <= lines; i++) {
    px = ""
    for (k = 1; k <= n; k++) {
      key = held ? "fd-max=" steps[k] SUBSEP 1200 : "works" SUBSEP steps[k]
      if (!((key, 1, line[i], "shim") in median)) continue
      qx = x0 + (k - 0.5) * w / n
      qy = y_of(median[key, 1, line[i], "shim"], y0, h, least, most)
      if (px != "") stroke(px, py, qx, qy, line_color[i], 2)
      dot(qx, qy, line_color[i], 3)
      px = qx; py = qy
    }
    legend_y = y0 + h + 36 + (i - 1) * 15
    stroke(x0, legend_y - 4, x0 + 18, legend_y - 4, line_color[i], 2)
    text(x0 + 24, legend_y, told[line[i]], "start", 11)
  }
}

END {
  top = 1.5
  for (i = 1; i <= bars; i++)
    if (median[bar_label[i], 0, 1, bar_work[i], "shim"] > top) top = median[bar_label[i], 0, 1, bar_work[i], "shim"]
  top = int(top * 10 + 1.5) / 10
  height = 84 + bars * ROW + 40 + 260 + 140
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" " \
    "font-family=\"sans-serif\">\n", WIDTH, height, WIDTH, height
  printf "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH, height
  text(16, 24, "Time of each operation, as a ratio to the plain program (median and quartiles)", "start", 15)
  text(16, 42, machine "; " how, "start", 11, "#666")
  x = 16
  for (k = 1; k <= ways; k++) {
    dot(x + 5, 58, color[way[k]], 4)
    text(x + 14, 62, name[way[k]], "start", 12)
    x += 40 + 7 * length(name[way[k]])
  }
  y = 84
  for (r = BOTTOM; r <= top + 0.001; r += 0.1) {
    stroke(x_of(r), y - 6, x_of(r), y + bars * ROW, r > 0.99 && r < 1.01 ? "#222" : "#e5e5e5", 1)
    if (top > 2 && int(r * 10 + 0.5) % 2) continue
    text(x_of(r), y + bars * ROW + 14, sprintf("%.1f", r), "middle", 11)
  }
  for (i = 1; i <= bars; i++) {
    cy = y + (i - 0.5) * ROW
    text(LEFT - 8, cy + 4, told[bar_work[i]], "end", 12)
    for (k = ways; k >= 1; k--) {
      key = bar_label[i] SUBSEP 0 SUBSEP 1 SUBSEP bar_work[i] SUBSEP way[k]
      if (!(key in median)) continue
      stroke(x_of(low[key]), cy, x_of(high[key]), cy, color[way[k]], 2)
      dot(x_of(median[key]), cy, color[way[k]], way[k] == "shim" ? 5 : 4)
    }
    key = bar_label[i] SUBSEP 0 SUBSEP 1 SUBSEP bar_work[i] SUBSEP "shim"
    text(WIDTH - RIGHT + 8, cy + 4, sprintf("%.2f", median[key]), "start", 12, color["shim"])
  }
  y = 84 + bars * ROW + 70
  n = split("1 10 100 1000 30000", steps, " ")
  panel(60, y, 390, 240, "shim/plain against other live children", steps, n, 0)
  n = split("0 16 64 256 1024", steps, " ")
  panel(540, y, 390, 240, "shim/plain against descriptors held, 1,200 children", steps, n, 1)
  print "</svg>"
}
