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
# With many designs their names stand at the bars: nobody compares a dozen colours with a legend.
many = n_models > 8
top = 0
value = 0
widest = 0
set datafile columnheaders
do for [m = 1:n_models] {
	stats csv using (name[m] = columnhead(3 * m - 1), value = max(value, col0(3 * m - 1)), \
		top = max(top, max(col0(3 * m - 1), col0(3 * m + 1))), 0) nooutput
	name[m] = name[m][1:strstrt(name[m], ": ") - 1]
	widest = max(widest, width(name[m]))
	if (!many) {
		leg_text[m] = name[m]
		leg_rgb[m] = colour(m)
		leg_kind[m] = "box"
	}
}
unset datafile columnheaders
leg_n = (many ? 0 : n_models) + 1
leg_text[leg_n] = ARG7
leg_rgb[leg_n] = 0x222222
leg_kind[leg_n] = "bound"
limit = scale_end(value, top)
if (limit < top) {
	leg_n = leg_n + 1
	leg_text[leg_n] = "reaches farther, see the figures"
	leg_rgb[leg_n] = 0x222222
	leg_kind[leg_n] = "arrow"
}
load "legend.gp"

bar = narrow ? 17 : 20
heading = narrow || many ? px * 1.9 : 8		# room above the bars of a trace
pitch = n_models * bar + heading + (narrow ? 6 : 8)
H = head + traces * pitch + foot
load "canvas.gp"

left = narrow ? 14 : (many ? widest : longest) + 28
set lmargin at screen X(left)
set rmargin at screen X(W - 20)
set tmargin at screen Y(head)
set bmargin at screen Y(H - foot)
# A bound: "least to most"; an interval: "median (low to high)"
figures(v, low, high) = low == high ? digits3(v) : v == low ? digits3(low)." to ".digits3(high) : \
	digits3(v)." (".digits3(low)." to ".digits3(high).")"
# On a narrow chart the names of many designs stand behind the figures.
said(v, low, high, m) = figures(v, low, high).(narrow && many ? "  ".name[m] : "")
# Where the bar of a design or its line ends
end(m) = max(col0(3 * m - 1), min(col0(3 * m + 1), limit))
# Room for the figures at the end of the longest bar
room = 0
do for [m = 1:n_models] {
	stats csv skip 1 using (room = max(room, end(m) < (narrow && many ? 0.2 : 0.7) * limit ? 0 : \
		width(said(col0(3 * m - 1), col0(3 * m), col0(3 * m + 1), m))), 0) nooutput
}
right = limit > 0 ? limit * 1.02 / (1 - min((room + 14) / (W - left - 20), 0.6)) : 1
set xrange [0:right]
set yrange [traces * pitch:0]
s = step(right, narrow ? 4 : 8)
set xtics ()
do for [i = 0:int(right / s)] { set xtics add (si(i * s) i * s) }
set grid xtics lt 1 lw 1 lc rgb rule back
unset ytics
# Middle of a bar, in pixels from the top
y(row, m) = row * pitch + heading + (m - 0.5) * bar
do for [i = 1:traces] {
	if (narrow || many) {
		set label i trace[i] at screen X(narrow ? 14 : 16), first (i - 1) * pitch + heading - px * 0.9 left front noenhanced
	} else {
		set label i trace[i] at screen X(left - 10), first (i - 0.5) * pitch right noenhanced
	}
	if (many && !narrow) {
		do for [m = 1:n_models] {
			set label i * 100000 + m name[m] at screen X(left - 10), first y(i - 1, m) right tc rgb 0x333333 noenhanced
		}
	}
}

plot for [m = 1:n_models] csv skip 1 using (0):0:(0):(col0(3 * m - 1)):(y($0, m) - bar * 0.4):(y($0, m) + bar * 0.4) \
		with boxxyerror lc rgb colour(m), \
	for [m = 1:n_models] csv skip 1 using (col0(3 * m) == col0(3 * m + 1) || col0(3 * m + 1) > limit ? NaN : col(3 * m - 1)):(y($0, m)):(col0(3 * m)):(col0(3 * m + 1)) \
		with xerrorbars pt -1 lw 1.5 lc rgb 0x222222, \
	for [m = 1:n_models] csv skip 1 using (col0(3 * m + 1) > limit ? col0(3 * m) : NaN):(y($0, m)):(limit - col0(3 * m)):(0) \
		with vectors head filled size screen X(8), 20 lw 1.5 lc rgb 0x222222, \
	for [m = 1:n_models] csv skip 1 using (end(m)):(y($0, m)):(valid(3 * m - 1) ? said(column(3 * m - 1), col0(3 * m), col0(3 * m + 1), m) : "no result") \
		with labels left offset char 0.8, 0 noenhanced
set output
