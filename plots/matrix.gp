# SPDX-License-Identifier: GPL-2.0-only
# Designs against traces: how many times the least each one takes, and who is ahead. One panel for each
# kind of figure.
# Usage: gnuplot -c matrix.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: number and title of the panel, number and name of the trace or platform, number and name of the design, times
#      the least, the same of the upper bound, rank (2: ahead, 1: among those not told apart), 1: a bound

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"

array heading[16]
array columns[16]
array has[16]
array column_name[16 * 300]
panels = 0
do for [i = 1:16] { has[i] = 0; columns[i] = 0 }
at(p, c) = p * 300 - 300 + c
stats csv skip 1 using (heading[int($1)] = strcol(2), panels = max(panels, int($1)), column_name[at(int($1), int($3))] = strcol(4), \
	columns[int($1)] = max(columns[int($1)], int($3)), name[int($5)] = strcol(6), longest = max(longest, width(strcol(6))), \
	has[int($1)] = has[int($1)] + valid(7), 0) nooutput
shown = 0
array panel[16]
slanted = 0
most = 1
# Total cost, the last in the file, comes first.
do for [k = 0:panels - 1] {
	i = k ? k : panels
	if (has[i] > 0) {
		shown = shown + 1
		panel[shown] = i
		most = max(most, columns[i])
		do for [c = 1:columns[i]] { slanted = max(slanted, width(column_name[at(i, c)])) }
	}
}

across = narrow || most > 8 ? 1 : min(shown, 3)
down = ceil(1.0 * shown / across)
left = narrow ? min(longest, 118) + 18 : longest + 28
between = 40
# Names lie slantwise where they do not fit; the last one then reaches beyond its column.
slant = slanted > (W - left - 20 - (across - 1) * between) / across / most - 8
edge = slant ? slanted * 0.62 : 20
wide = (W - left - edge - (across - 1) * between) / across
names = slant ? slanted * 0.55 + px : px * 1.4
row_ = narrow ? 22 : 26
body = n_models * row_
pitch = px * 2 + names + body + px
H = head + px * 0.6 + down * pitch + px * 0.6
load "canvas.gp"

set border 0
unset xtics
unset ytics
# The nearer to the least, the fuller the colour: it is gone at four times as much.
clear_(r) = r <= 1 ? 100 : r >= 4 ? 255 : 100 + int(155 * log(r) / log(4))
fill(r, bound) = bound == 1 ? 0xff3a9188 : clear_(r) * 0x1000000 + 0x3a9188
two(r) = r >= 9.95 ? sprintf("%.0f", r) : sprintf("%.1f", r)
span(low, high) = two(low) eq two(high) ? two(low) : two(low)."–".two(high)
mark(low, high, rank, bound) = rank == 2 ? "✓" : rank == 1 ? "≈ ".span(low, high) : span(low, high)
fit(s) = narrow && strlen(s) > 17 ? s[1:16]."…" : s

set multiplot
do for [k = 1:shown] {
	p = panel[k]
	x = left + ((k - 1) % across) * (wide + between)
	y = head + px * 0.6 + int((k - 1) / across) * pitch + px * 2 + names
	set lmargin at screen X(x)
	set rmargin at screen X(x + wide)
	set tmargin at screen Y(y)
	set bmargin at screen Y(y + body)
	if (k > 1) {
		unset label
		unset object
		unset arrow
	}
	set label 1 heading[p] at screen X(narrow ? 14 : x), Y(y - names - px * 0.7) left noenhanced
	cell = wide / columns[p]
	do for [t = 1:columns[p]] {
		if (slant) {
			set label 300+t column_name[at(p, t)] at screen X(x + (t - 0.68) * cell), Y(y - 5) left rotate by 33 tc rgb 0x333333 noenhanced
		} else {
			set label 300+t column_name[at(p, t)] at screen X(x + (t - 0.5) * cell), Y(y - px * 0.7) center tc rgb 0x333333 noenhanced
		}
	}
	if ((k - 1) % across == 0) {
		do for [m = 1:n_models] { set label 600+m fit(name[m]) at screen X(x - 10), first m right noenhanced }
	}
	set xrange [0.5:columns[p] + 0.5]
	set yrange [n_models + 0.5:0.5]
	plot csv skip 1 using (int($1) == p && valid(7) ? 0 : NaN):(0):($3 - 0.48):($3 + 0.48):($5 - 0.46):($5 + 0.46):(fill(col0(7), $10)) \
			with boxxyerror fillstyle solid noborder lc rgb variable, \
		csv skip 1 using (int($1) == p && $9 == 2 ? 0 : NaN):(0):($3 - 0.46):($3 + 0.46):($5 - 0.43):($5 + 0.43) \
			with boxxyerror fillstyle empty border lc rgb 0x222222 lc rgb 0x222222 lw 2, \
		csv skip 1 using (int($1) == p ? $3 : NaN):5:(valid(7) ? mark($7, valid(8) ? $8 : $7, $9, $10) : "none"):($10 == 1 || !valid(7) ? 0x666666 : 0x222222) \
			with labels tc rgb variable font (narrow ? ",10" : fmt eq "png" ? ",9" : ",12")
}
unset multiplot
set output
