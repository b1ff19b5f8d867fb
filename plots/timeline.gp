# SPDX-License-Identifier: GPL-2.0-only
# Out-of-sync tables, exits and time in resyncs over the trace's time: a line of small charts for each
# design, on the same scales.
# Usage: gnuplot -c timeline.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: seconds at which a bin begins, then for each design the most tables out of sync in the bin, then
#      for each the exits, then for each the µs in resyncs (empty: not measured). The headings begin with
#      the design's name.

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"

array heading[3] = ["Tables out of sync, most at once", "Exits per bin", "Time in resyncs per bin, µs (log scale)"]
array top[3]
set datafile columnheaders
do for [m = 1:n_models] {
	stats csv using (name[m] = columnhead(m + 1), 0) nooutput
	name[m] = name[m][1:strstrt(name[m], ": ") - 1]
	longest = max(longest, width(name[m]))
}
unset datafile columnheaders

seconds = 0
bins = 0
previous = 0
bin = 0
stats csv skip 1 using (bin = $1 - previous, previous = $1, bins = bins + 1, 0) nooutput
bin = bins > 1 ? bin : 1
seconds = previous + bin
timed = 0
do for [p = 1:3] {
	top[p] = 0
	do for [m = 1:n_models] {
		c = 1 + (p - 1) * n_models + m
		stats csv skip 1 using (top[p] = max(top[p], col0(c)), timed = timed + (p == 3 && valid(c)), 0) nooutput
	}
}
# In a unit that suits the length
factor = seconds >= 1 ? 1 : seconds >= 1e-3 ? 1e3 : 1e6
axis = sprintf("time in the trace, %s (%d bins of %s %s); one scale for all designs", \
	seconds >= 1 ? "s" : seconds >= 1e-3 ? "ms" : "µs", bins, \
	digits3(bin * (bin >= 1 ? 1 : bin >= 1e-3 ? 1e3 : 1e6)), bin >= 1 ? "s" : bin >= 1e-3 ? "ms" : "µs")
axis = narrow ? axis[1:strstrt(axis, ";") - 1] : axis

# Side by side there is a line for each design; on a narrow picture there are three blocks of lines.
body = narrow ? 34 : 44
gap = narrow ? 15 : 8
block = n_models * (body + gap)
H = head + (narrow ? 3 * (block + px * 3.6) : px * 2.2 + block) + foot
load "canvas.gp"

left = narrow ? 44 : longest + 66
between = 52
wide = narrow ? W - left - 14 : (W - left - 20 - 2 * between) / 3
set xrange [0:seconds * factor]
s = step(seconds * factor, narrow ? 5 : 4)
set border 3 lc rgb 0x888888
if (fmt ne "png") { set print base.(narrow ? ".narrow" : "").".panels" }

set multiplot
do for [p = 1:3] {
	x = narrow ? left : left + (p - 1) * (wide + between)
	y0 = head + px * 2.2 + (narrow ? (p - 1) * (block + px * 3.6) : 0)
	t = step(top[p] > 0 ? top[p] : 1, 2.5)
	do for [m = 1:n_models] {
		y = y0 + (m - 1) * (body + gap)
		c = 1 + (p - 1) * n_models + m
		last = m == n_models
		set lmargin at screen X(x)
		set rmargin at screen X(x + wide)
		set tmargin at screen Y(y)
		set bmargin at screen Y(y + body)
		if (m > 1 || p > 1) {
			unset label
			unset object
			unset arrow
		}
		if (m == 1) { set label 1 heading[p] at screen X(narrow ? 14 : x), Y(y - px * (narrow ? 2.1 : 1.1)) left }
		if (narrow) {
			set label 2 name[m] at screen X(x + 4), Y(y - 4) left front noenhanced
		} else {
			if (p == 1) { set label 2 name[m] at screen X(longest + 18), Y(y + body / 2) right noenhanced }
		}
		set ytics ()
		unset logscale y
		# One interrupted resync would dwarf all others on a linear scale.
		floor_ = 0
		if (p == 3 && top[p] > 0) {
			decades = ceil(log10(top[p])) < 3 ? 3 : ceil(log10(top[p]))
			floor_ = 10.0**(decades - 4)
			set logscale y
			set yrange [floor_:10.0**decades]
			do for [i = 1:3:2] { set ytics add (si(floor_ * 10**i) floor_ * 10**i) }
		} else {
			set yrange [0:top[p] > 0 ? top[p] * 1.06 : 1]
			do for [i = 0:int(max(top[p], 1) / t)] { set ytics add (si(i * t) i * t) }
		}
		set xtics ()
		do for [i = 0:int(seconds * factor / s)] { set xtics add (last ? sprintf("%g", i * s) : "" i * s) }
		set grid xtics ytics lt 1 lw 1 lc rgb rule back
		if (fmt ne "png") { print sprintf("%.1f %.1f %.1f %.1f 0 %.9g 0", x, y, wide, body, seconds) }
		if (p < 3 || timed) {
			# A bin is hardly wider than a pixel: from middle to middle is as good as steps, and smaller.
			plot csv skip 1 using (($1 + bin / 2) * factor):(max(col0(c), floor_)) with filledcurves y=floor_ lc rgb colour(m)
		} else {
			if (m == 1) { set label 3 "not measured" at graph 0.5, 0.5 center tc rgb grey }
			plot -1 notitle
		}
	}
}
unset multiplot
set output
