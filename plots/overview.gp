# SPDX-License-Identifier: GPL-2.0-only
# One figure of each design on each trace, side by side, with bounds or intervals.
# Usage: gnuplot -c overview.gp FORMAT BASE TITLE NOTE COLOURS AXIS LINE
# AXIS says what the bars measure, LINE what their lines mean.
# CSV: trace, then for each design the value and the two ends of its line. The headings begin with
#      the design's name.

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"
axis = ARG6

array trace[256]
traces = 0
trace_(s) = (traces = traces + 1, trace[traces] = s, longest = max(longest, width(s)), 0)
stats csv skip 1 using (trace_(strcol(1)), 0) nooutput
top = 0
set datafile columnheaders
do for [m = 1:n_models] {
	stats csv using (leg_text[m] = columnhead(3 * m - 1), top = max(top, max(col0(3 * m - 1), col0(3 * m + 1))), 0) nooutput
	leg_text[m] = leg_text[m][1:strstrt(leg_text[m], ": ") - 1]
	leg_rgb[m] = colour(m)
	leg_kind[m] = "box"
}
unset datafile columnheaders
leg_n = n_models + 1
leg_text[leg_n] = ARG7
leg_rgb[leg_n] = 0x222222
leg_kind[leg_n] = "bound"
load "legend.gp"

bar = narrow ? 17 : 20
pitch = n_models * bar + (narrow ? 30 : 16)
H = head + traces * pitch + foot
load "canvas.gp"

left = narrow ? 14 : longest + 28
set lmargin at screen X(left)
set rmargin at screen X(W - 20)
set tmargin at screen Y(head)
set bmargin at screen Y(H - foot)
# A bound: "least to most"; an interval: "median (low to high)"
said(v, low, high) = low == high ? digits3(v) : v == low ? digits3(low)." to ".digits3(high) : \
	digits3(v)." (".digits3(low)." to ".digits3(high).")"
# Room for the figures at the end of the longest bar
room = 0
do for [m = 1:n_models] {
	stats csv skip 1 using (room = max(room, max(col0(3 * m - 1), col0(3 * m + 1)) < 0.7 * top ? 0 : \
		width(said(col0(3 * m - 1), col0(3 * m), col0(3 * m + 1)))), 0) nooutput
}
right = top > 0 ? top * 1.02 / (1 - min((room + 14) / (W - left - 20), 0.6)) : 1
set xrange [0:right]
set yrange [traces * pitch:0]
s = step(right, narrow ? 4 : 8)
set xtics ()
do for [i = 0:int(right / s)] { set xtics add (si(i * s) i * s) }
set grid xtics lt 1 lw 1 lc rgb rule back
unset ytics
# Middle of a bar, in pixels from the top
y(row, m) = row * pitch + (narrow ? 24 : 8) + (m - 0.5) * bar
do for [i = 1:traces] {
	if (narrow) {
		set label i trace[i] at first 0, first (i - 1) * pitch + 13 left front noenhanced
	} else {
		set label i trace[i] at screen X(left - 10), first (i - 0.5) * pitch right noenhanced
	}
}

plot for [m = 1:n_models] csv skip 1 using (0):0:(0):(col0(3 * m - 1)):(y($0, m) - bar * 0.4):(y($0, m) + bar * 0.4) \
		with boxxyerror lc rgb colour(m), \
	for [m = 1:n_models] csv skip 1 using (col0(3 * m) == col0(3 * m + 1) ? NaN : col(3 * m - 1)):(y($0, m)):(col0(3 * m)):(col0(3 * m + 1)) \
		with xerrorbars pt -1 lw 1.5 lc rgb 0x222222, \
	for [m = 1:n_models] csv skip 1 using (max(col0(3 * m - 1), col0(3 * m + 1))):(y($0, m)):(valid(3 * m - 1) ? said(column(3 * m - 1), col0(3 * m), col0(3 * m + 1)) : "no result") \
		with labels left offset char 0.8, 0
set output
