# SPDX-License-Identifier: GPL-2.0-only
# Total cost of each design by component: a panel for each platform, each on its own scale.
# Usage: gnuplot -c total.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: platform, model, eight components in ms, what the trace cannot rule out, least and most over the
#      ranges of the prices, 1 if the design may cost least

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"

groups = 8
further = groups + 3
low = groups + 4
high = groups + 5
shades = "#77aadd #99ddff #ee8866 #44bb99 #eedd88 #ffaabb #aaaa77 #bbbbbb"
sum_(c) = c < 3 ? 0 : col0(c) + sum_(c - 1)		# of columns 3 to c

array platform[32]
panels = 0
platform_(s) = panels == 0 || platform[panels] ne s ? (panels = panels + 1, platform[panels] = s, panels) : panels
stats csv skip 1 using (platform_(strcol(1)), name_(strcol(2)), 0) nooutput
panel(d) = int(column(0)) / n_models + 1		# of a line of data
row(d) = int(column(0)) % n_models + 1
array certain[panels]
array top[panels]
array reach[panels]
array limit[panels]
do for [p = 1:panels] {
	certain[p] = 0
	top[p] = 0
	reach[p] = 0
}
array used[groups + 1]
do for [g = 1:groups + 1] { used[g] = 0 }
usage_(g) = g < 1 ? 0 : (used[g] = max(used[g], col0(g + 2)), usage_(g - 1))
array ahead[panels * n_models]
stats csv skip 1 using (certain[panel(0)] = max(certain[panel(0)], sum_(groups + 2)), \
	top[panel(0)] = max(top[panel(0)], sum_(further)), reach[panel(0)] = max(reach[panel(0)], col0(high)), \
	usage_(groups + 1), ahead[int(column(0)) + 1] = col0(high + 1), 0) nooutput

# A bar shall take half of the room or more: what reaches farther ends in an arrow.
cut = 0
do for [p = 1:panels] {
	limit[p] = min(max(top[p], reach[p]), 2.2 * certain[p])
	cut = cut || max(top[p], reach[p]) > limit[p]
}

array heading[groups + 1]
set datafile columnheaders
do for [g = 1:groups + 1] {
	heading[g] = ""
	stats csv using (heading[g] = columnhead(g + 2), 0) nooutput
	if (used[g] > 0) {
		leg_n = leg_n + 1
		leg_text[leg_n] = heading[g]
		leg_rgb[leg_n] = g > groups ? 0x555555 : hex(word(shades, g))
		leg_kind[leg_n] = g > groups ? "hatch" : "box"
	}
}
unset datafile columnheaders
leg_n = leg_n + 1
leg_text[leg_n] = "over the ranges of the prices"; leg_rgb[leg_n] = 0x222222; leg_kind[leg_n] = "bound"
if (cut) {
	leg_n = leg_n + 1
	leg_text[leg_n] = "reaches farther, see the figures"; leg_rgb[leg_n] = 0x222222; leg_kind[leg_n] = "arrow"
}
load "legend.gp"

across = narrow || panels == 1 ? 1 : 2
down = (panels + across - 1) / across
pitch = narrow ? 38 : 27
gap = px * 4.6					# between panels: scale below, heading above
body = n_models * pitch + 4
H = head + px * 2.2 + down * body + (down - 1) * gap + px * 2.6
load "canvas.gp"

left = narrow ? 14 : longest + 28
between = 36
wide = (W - left - 20 - (across - 1) * between) / across
lo = narrow ? -0.06 : -0.34
hi = narrow ? 0.36 : 0.34
unset ytics
figure(t, b) = digits3(t) eq digits3(t + b) ? digits3(t) : digits3(t)." to ".digits3(t + b)
# What the line of a panel's row is made of; NaN in other panels, so that nothing is drawn
here(p, v) = panel(0) == p && valid(3) ? v : NaN
# Where the bar or its line ends
end(p) = min(max(sum_(further), col0(high)), limit[p])

set multiplot
do for [p = 1:panels] {
	x = left + ((p - 1) % across) * (wide + between)
	y = head + px * 2.2 + int((p - 1) / across) * (body + gap)
	set lmargin at screen X(x)
	set rmargin at screen X(x + wide)
	set tmargin at screen Y(y)
	set bmargin at screen Y(y + body)
	if (p > 1) {
		unset label
		unset object
		unset arrow
	}
	set label 1 platform[p].", ms" at screen X(x), Y(y - px * 1.0) left noenhanced
	do for [i = 1:n_models] {
		best = ahead[(p - 1) * n_models + i] == 1
		if (narrow) {
			set label 10+i name[i].(best ? "  *" : "") at first 0, first i - 0.28 left front noenhanced
		} else {
			if ((p - 1) % across == 0) { set label 10+i name[i] at screen X(x - 10), first i right noenhanced }
		}
	}
	room = 0
	set xrange [*:*]	# stats drops what lies outside
	set yrange [*:*]
	stats csv skip 1 using (panel(0) == p ? (room = max(room, end(p) < 0.6 * limit[p] ? 0 : \
		width(figure(sum_(groups + 2), col0(further))."  *"))) : 0, 0) nooutput
	right = limit[p] > 0 ? limit[p] * 1.02 / (1 - min(room / wide + 0.06, 0.6)) : 1
	set xrange [0:right]
	set yrange [n_models + 0.5:0.5]
	set xtics ()
	s = step(right, narrow ? 4 : 5)
	do for [i = 0:int(right / s)] { set xtics add (si(i * s) i * s) }
	set grid xtics lt 1 lw 1 lc rgb rule back
	plot for [g = 1:groups] csv skip 1 using (here(p, sum_(g + 1))):(row(0)):(sum_(g + 1)):(sum_(g + 2)):(row(0) + lo):(row(0) + hi) \
			with boxxyerror lc rgb hex(word(shades, g)), \
		csv skip 1 using (here(p, sum_(groups + 2))):(row(0)):(min(sum_(groups + 2), limit[p])):(min(sum_(further), limit[p])):(row(0) + lo):(row(0) + hi) \
			with boxxyerror lc rgb 0x555555 fillstyle pattern 4 border rgb 0x555555, \
		csv skip 1 using (here(p, col0(low))):(row(0) + (lo + hi) / 2):(col0(low)):(min(col0(high), limit[p])) \
			with xerrorbars pt -1 lw 1.2 lc rgb 0x222222, \
		csv skip 1 using (here(p, max(col0(high), sum_(further)) > limit[p] ? limit[p] * 0.985 : NaN)):(row(0) + (lo + hi) / 2):(right / wide * px * 0.8):(0) \
			with vectors head filled size screen X(8), 20 lw 1.2 lc rgb 0x222222, \
		csv skip 1 using (here(p, end(p) + (max(col0(high), sum_(further)) > limit[p] ? right / wide * px * 0.6 : 0))):(row(0) + (lo + hi) / 2):(figure(sum_(groups + 2), col0(further)).(col0(high + 1) == 1 ? "  *" : "")) \
			with labels left offset char 0.7, 0
}
unset multiplot
set output
