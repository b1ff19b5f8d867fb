# SPDX-License-Identifier: GPL-2.0-only
# Out-of-sync tables, exits and tables synced over the trace's time.
# Usage: gnuplot -c timeline.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: seconds at which a bin begins, then for each design the most tables out of sync in the bin, then
#      for each the exits, then for each the tables synced. The headings begin with the design's name.

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"

array heading[3] = ["Tables out of sync (most at once in the bin)", "Exits per bin", "Tables synced per bin"]
array top[3]
set datafile columnheaders
do for [m = 1:n_models] {
	stats csv using (leg_text[m] = columnhead(m + 1), 0) nooutput
	leg_text[m] = leg_text[m][1:strstrt(leg_text[m], ": ") - 1]
	leg_rgb[m] = colour(m)
	leg_kind[m] = "line"
}
unset datafile columnheaders
leg_n = n_models
load "legend.gp"

seconds = 0
bins = 0
previous = 0
bin = 0
stats csv skip 1 using (bin = $1 - previous, previous = $1, bins = bins + 1, 0) nooutput
bin = bins > 1 ? bin : 1
seconds = previous + bin
do for [p = 1:3] {
	top[p] = 0
	do for [m = 1:n_models] {
		c = 1 + (p - 1) * n_models + m
		stats csv skip 1 using (top[p] = max(top[p], column(c)), 0) nooutput
	}
}
# In a unit that suits the length
factor = seconds >= 1 ? 1 : seconds >= 1e-3 ? 1e3 : 1e6
axis = sprintf("time in the trace, %s (%d bins of %s %s)", seconds >= 1 ? "s" : seconds >= 1e-3 ? "ms" : "µs", bins, \
	digits3(bin * (bin >= 1 ? 1 : bin >= 1e-3 ? 1e3 : 1e6)), bin >= 1 ? "s" : bin >= 1e-3 ? "ms" : "µs")

body = narrow ? 130 : 170
gap = px * 2.6
H = head + 3 * (body + gap) + foot - px * 0.5
load "canvas.gp"

set lmargin at screen X(narrow ? 52 : 72)
set rmargin at screen X(W - 20)
set xrange [0:seconds * factor]
s = step(seconds * factor, narrow ? 5 : 10)
set border 3 lc rgb 0x888888

set multiplot
do for [p = 1:3] {
	y = head + px * 1.9 + (p - 1) * (body + gap)
	set tmargin at screen Y(y)
	set bmargin at screen Y(y + body)
	if (p > 1) {
		unset label
		unset object
		unset arrow
	}
	set label 1 heading[p] at screen X(narrow ? 14 : 16), Y(y - px) left
	set yrange [0:top[p] > 0 ? top[p] * 1.06 : 1]
	t = step(top[p] > 0 ? top[p] : 1, 4)
	set ytics ()
	do for [i = 0:int(max(top[p], 1) / t)] { set ytics add (si(i * t) i * t) }
	set xtics ()
	do for [i = 0:int(seconds * factor / s)] { set xtics add (p == 3 ? sprintf("%g", i * s) : "" i * s) }
	set grid xtics ytics lt 1 lw 1 lc rgb rule back
	plot for [m = 1:n_models] csv skip 1 using ($1 * factor):(column(1 + (p - 1) * n_models + m)) \
		with steps lw (narrow ? 1.3 : 1.8) lc rgb colour(m) dt dash(m)
}
unset multiplot
set output
