# SPDX-License-Identifier: GPL-2.0-only
# What each design makes the guest or the host pay: one panel for each component, each on its own scale.
# Usage: gnuplot -c cost.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: model, exits (least, most), writes emulated, pages created, tables synced, entries compared,
#      ms in resyncs per pass (median, 95 % interval), passes

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"

panels = 6
array heading[panels] = ["Exits", "Table writes emulated", "Shadow pages built", "Tables synced", "Entries compared in syncs", "Time in resyncs"]
array unit[panels] = ["count; line: to the upper bound", "count", "count", "count", "count", "ms per pass; median, 95 % interval"]
array low[panels] = [2, 4, 5, 6, 7, 8]		# columns: the value, and the end of its line
array high[panels] = [3, 4, 5, 6, 7, 10]
array least[panels] = [2, 4, 5, 6, 7, 9]
array top[panels]
array limit[panels]
timed = 0
stats csv skip 1 using (name_(strcol(1)), 0) nooutput
do for [p = 1:panels] {
	top[p] = 0
	value = 0
	stats csv skip 1 using (value = max(value, col0(low[p])), top[p] = max(top[p], max(col0(low[p]), col0(high[p]))), 0) nooutput
	limit[p] = scale_end(value, top[p])
}
stats csv skip 1 using (timed = timed + valid(8), 0) nooutput

across = narrow ? 1 : 3
down = panels / across
pitch = narrow ? 40 : 32
gap = px * 5.6					# between panels: scale below, heading above
body = n_models * pitch + 4
H = head + px * 3.4 + down * body + (down - 1) * gap + px * 2.6
load "canvas.gp"

left = narrow ? 14 : longest + 28
between = 44
wide = (W - left - 20 - (across - 1) * between) / across
lo = narrow ? -0.08 : -0.32
hi = narrow ? 0.36 : 0.32
unset ytics
figure(v, p) = p == 6 ? digits3(v) : commas(v)
# A bound: "least to most"; an interval: "median (low to high)"
said(v, low, high, p) = low == high ? figure(v, p) : p == 1 ? figure(low, p)." to ".figure(high, p) : \
	figure(v, p)." (".figure(low, p)." to ".figure(high, p).")"
# Where a bar or its line ends; one that reaches beyond the scale has an arrow there.
end(p) = max(col0(low[p]), min(col0(high[p]), limit[p]))

set multiplot
do for [p = 1:panels] {
	x = left + ((p - 1) % across) * (wide + between)
	y = head + px * 3.4 + int((p - 1) / across) * (body + gap)
	set lmargin at screen X(x)
	set rmargin at screen X(x + wide)
	set tmargin at screen Y(y)
	set bmargin at screen Y(y + body)
	if (p > 1) {
		unset label
		unset object
		unset arrow
	}
	set label 1 heading[p] at screen X(x), Y(y - px * 2.2) left
	set label 2 unit[p] at screen X(x), Y(y - px * 0.95) left tc rgb grey
	do for [i = 1:n_models] {
		if (narrow) {
			set label 10+i name[i] at first 0, first i - 0.28 left front noenhanced
		} else {
			if ((p - 1) % across == 0) { set label 10+i name[i] at screen X(x - 10), first i right noenhanced }
		}
	}
	room = 0
	set xrange [*:*]	# stats drops what lies outside
	set yrange [*:*]
	stats csv skip 1 using (room = max(room, end(p) < 0.7 * limit[p] ? 0 : \
		width(said(col0(low[p]), col0(least[p]), col0(high[p]), p))), 0) nooutput
	right = top[p] > 0 ? limit[p] * 1.02 / (1 - min(room / wide + 0.05, 0.65)) : 1
	set xrange [0:right]
	set yrange [n_models + 0.5:0.5]
	set xtics ()
	s = step(right, narrow ? 4 : 3.5)
	do for [i = 0:int(right / s)] { set xtics add (si(i * s) i * s) }
	if (top[p] == 0) { set xtics add ("" 1) }
	set grid xtics lt 1 lw 1 lc rgb rule back
	if (p < 6 || timed) {
		plot csv skip 1 using (0):0:(0):(col0(low[p])):($0 + 1 + lo):($0 + 1 + hi):(colour($0 + 1)) \
				with boxxyerror lc rgb variable, \
			csv skip 1 using (col0(high[p]) == col0(least[p]) || col0(high[p]) > limit[p] ? NaN : col(low[p])):($0 + 1 + (lo + hi) / 2):(col0(least[p])):(col0(high[p])) \
				with xerrorbars pt -1 lw 1.5 lc rgb 0x222222, \
			csv skip 1 using (col0(high[p]) > limit[p] ? col0(least[p]) : NaN):($0 + 1 + (lo + hi) / 2):(limit[p] - col0(least[p])):(0) \
				with vectors head filled size screen X(8), 20 lw 1.5 lc rgb 0x222222, \
			csv skip 1 using (end(p)):($0 + 1 + (lo + hi) / 2):(valid(low[p]) ? said(column(low[p]), col0(least[p]), col0(high[p]), p) : "not measured") \
				with labels left offset char 0.8, 0
	} else {
		set label 3 "not measured" at graph 0.5, 0.5 center tc rgb grey
		plot -1 notitle
	}
}
unset multiplot
set output
