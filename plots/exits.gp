# SPDX-License-Identifier: GPL-2.0-only
# Exits by cause: one stacked bar for each design, its bound hatched.
# Usage: gnuplot -c exits.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: model, one column for each group of causes, further faults that cannot be ruled out

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"

groups = 6
shades = "#77aadd #99ddff #ee8866 #44bb99 #eedd88 #bbbbbb"
sum_(c) = c < 2 ? 0 : column(c) + sum_(c - 1)		# of columns 2 to c
top = 0
bound = 0
certain = 0
stats csv skip 1 using (name_(strcol(1)), certain = max(certain, sum_(groups + 1)), top = max(top, sum_(groups + 2)), \
	bound = max(bound, column(groups + 2))) nooutput
limit = scale_end(certain, top)

# Which causes occur, and what they are called in the heading
array used[groups]
do for [g = 1:groups] {
	used[g] = 0
	stats csv skip 1 using (used[g] = max(used[g], column(g + 1))) nooutput
}
array heading[groups]
set datafile columnheaders
do for [g = 1:groups] {
	heading[g] = ""
	stats csv using (heading[g] = columnhead(g + 1), 0) nooutput
	if (used[g] > 0) {
		leg_n = leg_n + 1
		leg_text[leg_n] = heading[g]; leg_rgb[leg_n] = hex(word(shades, g)); leg_kind[leg_n] = "box"
	}
}
unset datafile columnheaders
if (bound > 0) {
	leg_n = leg_n + 1
	leg_text[leg_n] = "up to: faults that cannot be ruled out"; leg_rgb[leg_n] = 0x555555; leg_kind[leg_n] = "hatch"
}
if (limit < top) {
	leg_n = leg_n + 1
	leg_text[leg_n] = "reaches farther, see the figures"; leg_rgb[leg_n] = 0x222222; leg_kind[leg_n] = "arrow"
}
load "legend.gp"

pitch = narrow ? 44 : 50
axis = "exits"
H = head + n_models * pitch + foot
load "canvas.gp"

lo = narrow ? -0.08 : -0.3
hi = narrow ? 0.36 : 0.3
set lmargin at screen X(narrow ? 14 : longest + 28)
set rmargin at screen X(W - 20)
set tmargin at screen Y(head)
set bmargin at screen Y(H - foot)
# Room for the figures at the end of the longest bar
end(t, b) = b > 0 ? commas(t)." to ".commas(t + b) : commas(t)
room = (width(end(top, bound)) + (limit < top ? px * 1.3 : 0)) / (W - (narrow ? 34 : longest + 48))
right = limit > 0 ? limit / (1 - min(room + 0.02, 0.6)) : 1
# Where the hatched part ends, and where the figures begin
stop(t) = min(t, limit)
set xrange [0:right]
set yrange [n_models + 0.5:0.5]
set xtics ()
s = step(right, narrow ? 4 : 8)
do for [i = 0:int(right / s)] { set xtics add (si(i * s) i * s) }
set grid xtics lt 1 lw 1 lc rgb rule back
unset ytics
do for [i = 1:n_models] {
	if (narrow) {
		set label i name[i] at first 0, first i - 0.28 left front noenhanced
	} else {
		set label i name[i] at screen X(longest + 18), first i right noenhanced
	}
}

plot for [g = 1:groups] csv skip 1 using (sum_(g)):0:(sum_(g)):(sum_(g + 1)):($0 + 1 + lo):($0 + 1 + hi) \
		with boxxyerror lc rgb hex(word(shades, g)), \
	csv skip 1 using (sum_(groups + 1)):0:(sum_(groups + 1)):(stop(sum_(groups + 2))):($0 + 1 + lo):($0 + 1 + hi) \
		with boxxyerror lc rgb 0x555555 fillstyle pattern 4 border rgb 0x555555, \
	csv skip 1 using (sum_(groups + 2) > limit ? limit : NaN):($0 + 1 + (lo + hi) / 2):(right / W * px):(0) \
		with vectors head filled size screen X(8), 20 lw 1.5 lc rgb 0x222222, \
	csv skip 1 using (stop(sum_(groups + 2)) + (sum_(groups + 2) > limit ? right / W * px : 0)):($0 + 1 + (lo + hi) / 2):(end(sum_(groups + 1), column(groups + 2))) \
		with labels left offset char 0.6, 0
set output
