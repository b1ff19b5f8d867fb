# SPDX-License-Identifier: GPL-2.0-only
# Who costs least over the price of an exit and of an emulated write: a strip for each platform and trace.
# Usage: gnuplot -c turns.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: price, platform, trace, value and range of the price in us, from, to (us; empty: no end), number of a
#      design that may cost least there, its name, its place among as many

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"

array price[8]
array name[max(n_models, 1)]
do for [m = 1:n_models] { name[m] = "" }
array trace[1024]
array platform[1024]
panels = 0
rows = 0
heads = 0				# platforms so far
array above[1024]			# platforms that begin at a row or before
price_(s) = panels == 0 || price[panels] ne s ? (panels = panels + 1, price[panels] = s, rows = 0, heads = 0, panels) : panels
row_(s, t) = rows == 0 || platform[rows] ne s || trace[rows] ne t ? (heads = heads + (rows == 0 || platform[rows] ne s), \
	rows = rows + 1, platform[rows] = s, trace[rows] = t, above[rows] = heads, rows) : rows
stats csv skip 1 using (price_(strcol(1)), row_(strcol(2), strcol(3)), longest = max(longest, width(strcol(3))), \
	name[int($9)] = strcol(10), 0) nooutput

do for [m = 1:n_models] {
	if (name[m] ne "") {
		leg_n = leg_n + 1
		leg_text[leg_n] = name[m]
		leg_rgb[leg_n] = colour(m)
		leg_kind[leg_n] = "box"
	}
}
leg_n = leg_n + 1
leg_text[leg_n] = "range of the price on that platform"; leg_rgb[leg_n] = 0x222222; leg_kind[leg_n] = "bound"
load "legend.gp"

across = narrow ? 1 : panels
down = panels / across
bar = 30
title_row = px * 1.7				# a platform's name above its strips
body = rows * bar + heads * title_row + 4
gap = px * 5.5
H = head + px * 2 + down * body + (down - 1) * gap + px * 3.4
load "canvas.gp"

left = longest + 28
between = 30
wide = (W - left - 20 - (across - 1) * between) / across
from = 0.02
to = 50.0
y(i) = i < 1 ? 0 : i * bar + above[i] * title_row		# lower end of a strip, in pixels
unset ytics
set logscale x
set xtics ("0.02" 0.02, "0.1" 0.1, "0.5" 0.5, "1" 1, "5" 5, "10" 10, "50" 50)

set multiplot
do for [p = 1:panels] {
	x = left + ((p - 1) % across) * (wide + between)
	top = head + px * 2 + int((p - 1) / across) * (body + gap)
	if (p > 1) {
		unset label
		unset object
		unset arrow
	}
	set lmargin at screen X(x)
	set rmargin at screen X(x + wide)
	set tmargin at screen Y(top)
	set bmargin at screen Y(top + body)
	set label 1 price[p] at screen X(x + wide / 2), Y(top - px * 0.9) center noenhanced
	set label 2 "µs for each" at screen X(x + wide / 2), Y(top + body + px * 2.6) center tc rgb 0x333333
	do for [i = 1:rows] {
		if (i == 1 || platform[i] ne platform[i - 1]) {
			if ((p - 1) % across == 0) {
				set label 1000+i platform[i] at screen X(14), Y(top + y(i) - bar - px * 0.75) left noenhanced
			}
		}
		if ((p - 1) % across == 0) {
			set label 2000+i trace[i] at screen X(left - 10), Y(top + y(i) - (bar - 14) / 2) right tc rgb 0x333333 noenhanced
		}
	}
	set xrange [*:*]
	set yrange [*:*]
	# The row that a line of data belongs to: found by its names, as it was made
	row = 0
	now = ""
	next_(s) = s eq now ? row : (now = s, row = row + 1, row)
	array line[8192]
	n = 0
	stats csv skip 1 using (n = n + 1, line[n] = strcol(1) eq price[p] ? next_(strcol(2)."\t".strcol(3)) : 0, 0) nooutput
	at(d) = line[int(column(0)) + 1]
	set xrange [from:to]
	set yrange [body:0]
	set grid xtics lt 1 lw 1 lc rgb rule back
	left_(v) = max(v, from)
	right_(v) = valid(8) ? min(v, to) : to
	h = bar - 14.0
	# What would stand on its neighbour is left out: the data has it
	last_row = 0
	last = 0
	said(i, v) = i == last_row && v < 1.3 * last ? "" : (last_row = i, last = v, digits3(v))
	shown(d) = at(0) > 0 && $7 < to && right_(col0(8)) > from
	plot csv skip 1 using (shown(0) ? left_($7) : NaN):(0):(left_($7)):(right_(col0(8))):(y(at(0)) - h + h * $11 / $12):(y(at(0)) - h + h * ($11 + 1) / $12):(colour($9)) \
			with boxxyerror lc rgb variable, \
		csv skip 1 using (at(0) > 0 && $11 == 0 && $7 == 0 ? $4 : NaN):(y(at(0)) - h / 2):(max($5, from)):(min($6, to)) \
			with xerrorbars pt 9 ps 0.6 lw 1.5 lc rgb 0x222222, \
		csv skip 1 using (at(0) > 0 && $11 == 0 && $7 > from && $7 < to ? $7 : NaN):(y(at(0)) - h - px * 0.45):(at(0) > 0 && $11 == 0 && $7 > from && $7 < to ? said(at(0), $7) : "") \
			with labels center font sprintf(",%.1f", fmt eq "png" ? px * 0.6 : px * 0.8) tc rgb 0x222222
}
unset multiplot
set output
