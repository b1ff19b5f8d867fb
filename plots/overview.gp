# SPDX-License-Identifier: GPL-2.0-only
# One figure of each design on each trace: a small chart for each trace, all on one scale, with bounds or
# intervals.
# Usage: gnuplot -c overview.gp FORMAT BASE TITLE NOTE COLOURS AXIS LINE
# AXIS says what the bars measure, LINE what their lines mean; "" if they have none.
# CSV: trace, then for each design the value and the two ends of its line. The headings begin with
#      the design's name.

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"
axis = ARG6

array trace[256]
traces = 0
trace_(s) = (traces = traces + 1, trace[traces] = s, 0)
stats csv skip 1 using (trace_(strcol(1)), 0) nooutput
top = 0
value = 0
# On a narrow picture a long name must leave room for bars.
fit(s) = narrow && strlen(s) > 19 ? s[1:18]."…" : s
set datafile columnheaders
do for [m = 1:n_models] {
	stats csv using (name[m] = columnhead(3 * m - 1), value = max(value, col0(3 * m - 1)), \
		top = max(top, max(col0(3 * m - 1), col0(3 * m + 1))), 0) nooutput
	name[m] = fit(name[m][1:strstrt(name[m], ": ") - 1])
	longest = max(longest, width(name[m]))
}
unset datafile columnheaders
limit = scale_end(value, top)
if (strlen(ARG7)) {
	leg_n = 1
	leg_text[1] = ARG7
	leg_rgb[1] = 0x222222
	leg_kind[1] = "bound"
}
if (limit < top) {
	leg_n = leg_n + 1
	leg_text[leg_n] = "reaches farther, see the figures"
	leg_rgb[leg_n] = 0x222222
	leg_kind[leg_n] = "arrow"
}
load "legend.gp"

across = narrow ? 1 : min(traces, 3)
down = ceil(1.0 * traces / across)
bar = narrow ? 18 : 21
body = n_models * bar + 4
pitch = px * 2.1 + body + px * 2.4		# heading, bars, scale
H = head + down * pitch + px * 1.6
load "canvas.gp"

left = longest + (narrow ? 18 : 28)
between = 26
wide = (W - left - 20 - (across - 1) * between) / across
# A bound: "least to most"; an interval: "median (low to high)"
figures(v, low, high) = low == high || digits3(low) eq digits3(high) ? digits3(v) : v == low ? digits3(low)." to ".digits3(high) : \
	digits3(v)." (".digits3(low)." to ".digits3(high).")"
# Where the bar of a design or its line ends
end(m) = max(col0(3 * m - 1), min(col0(3 * m + 1), limit))
# Room for the figures at the end of the longest bar
room = 0
do for [m = 1:n_models] {
	stats csv skip 1 using (room = max(room, end(m) < 0.5 * limit ? 0 : \
		width(figures(col0(3 * m - 1), col0(3 * m), col0(3 * m + 1)))), 0) nooutput
}
right = limit > 0 ? limit * 1.02 / (1 - min((room + 14) / wide, 0.6)) : 1
s = step(right, narrow ? 4 : 3)
# Only the line of the CSV file that this panel shows
row(v) = int($0) == t - 1 ? v : NaN

set multiplot
do for [t = 1:traces] {
	x = left + ((t - 1) % across) * (wide + between)
	y = head + int((t - 1) / across) * pitch + px * 2.1
	set lmargin at screen X(x)
	set rmargin at screen X(x + wide)
	set tmargin at screen Y(y)
	set bmargin at screen Y(y + body)
	if (t > 1) {
		unset label
		unset object
		unset arrow
	}
	set label 1 trace[t] at screen X(x), Y(y - px * 0.8) left noenhanced
	if ((t - 1) % across == 0) {
		do for [m = 1:n_models] {
			set label 10+m name[m] at screen X(x - 10), first m right noenhanced
		}
	}
	set xrange [0:right]
	set yrange [n_models + 0.6:0.4]
	unset ytics
	set xtics ()
	do for [i = 0:int(right / s)] { set xtics add (si(i * s) i * s) }
	set grid xtics lt 1 lw 1 lc rgb rule back
	plot for [m = 1:n_models] csv skip 1 using (row(0)):0:(0):(col0(3 * m - 1)):(m - 0.38):(m + 0.38) \
			with boxxyerror lc rgb colour(m), \
		for [m = 1:n_models] csv skip 1 using (col0(3 * m) == col0(3 * m + 1) || col0(3 * m + 1) > limit ? NaN : row(col(3 * m - 1))):(m):(col0(3 * m)):(col0(3 * m + 1)) \
			with xerrorbars pt -1 lw 1.5 lc rgb 0x222222, \
		for [m = 1:n_models] csv skip 1 using (col0(3 * m + 1) > limit ? row(col0(3 * m)) : NaN):(m):(limit - col0(3 * m)):(0) \
			with vectors head filled size screen X(8), 20 lw 1.5 lc rgb 0x222222, \
		for [m = 1:n_models] csv skip 1 using (row(end(m))):(m):(valid(3 * m - 1) ? figures(column(3 * m - 1), col0(3 * m), col0(3 * m + 1)) : "none") \
			with labels left offset char 0.8, 0 noenhanced
}
unset multiplot
set output
