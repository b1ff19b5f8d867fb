# SPDX-License-Identifier: GPL-2.0-only
# What resyncs looked at, and how much of it had changed: tables and entries, each on its own scale.
# Usage: gnuplot -c synced.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: model, tables that had changed, tables in vain, entries unchanged, permissions changed, dropped

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"

array heading[2] = ["Tables synced", "Entries compared"]
array first_[2] = [2, 4]
array last_[2] = [3, 6]
array top[2]
shades = "#44bb99 #dddddd #dddddd #77aadd #ee8866"	# of columns 2 to 6
stats csv skip 1 using (name_(strcol(1)), 0) nooutput
top[1] = 0
top[2] = 0
stats csv skip 1 using (top[1] = max(top[1], $2 + $3), top[2] = max(top[2], $4 + $5 + $6), 0) nooutput

array words_[4] = ["table had changed", "in vain, or entry unchanged", "entry's permissions changed", "entry dropped"]
array shade[4] = [2, 3, 5, 6]
leg_n = 4
do for [i = 1:4] {
	leg_text[i] = words_[i]
	leg_rgb[i] = hex(word(shades, shade[i] - 1))
	leg_kind[i] = "box"
}
load "legend.gp"

across = narrow ? 1 : 2
pitch = narrow ? 42 : 40
body = n_models * pitch + 4
gap = px * 4.8
H = head + px * 1.8 + body + (narrow ? gap + body : 0) + px * 2.6
load "canvas.gp"

left = narrow ? 14 : longest + 28
between = 40
wide = (W - left - 20 - (across - 1) * between) / across
lo = narrow ? -0.08 : -0.3
hi = narrow ? 0.36 : 0.3
set yrange [n_models + 0.5:0.5]
unset ytics
share(part, all) = sprintf(100.0 * part / all < 9.95 ? "%.1f" : "%.0f", 100.0 * part / all)
said(p) = p == 1 ? ($2 + $3 == 0 ? "none" : commas($2 + $3).", ".share($3, $2 + $3)." % in vain") : \
	$4 + $5 + $6 == 0 ? "none" : commas($4 + $5 + $6).", ".share($5 + $6, $4 + $5 + $6)." % changed"
sum_(a, c) = c < a ? 0 : column(c) + sum_(a, c - 1)	# of columns a to c

set multiplot
do for [p = 1:2] {
	x = left + (narrow ? 0 : (p - 1) * (wide + between))
	y = head + px * 1.8 + (narrow ? (p - 1) * (body + gap) : 0)
	set lmargin at screen X(x)
	set rmargin at screen X(x + wide)
	set tmargin at screen Y(y)
	set bmargin at screen Y(y + body)
	if (p > 1) {
		unset label
		unset object
		unset arrow
	}
	set label 1 heading[p] at screen X(x), Y(y - px * 0.8) left
	do for [i = 1:n_models] {
		if (narrow) {
			set label 10+i name[i] at first 0, first i - 0.28 left front noenhanced
		} else {
			if (p == 1) { set label 10+i name[i] at screen X(x - 10), first i right noenhanced }
		}
	}
	right = top[p] > 0 ? top[p] / (1 - min((width(commas(top[p]).", 99.9 % changed") + 12) / wide, 0.7)) : 1
	set xrange [0:right]
	set xtics ()
	s = step(right, 4)
	do for [i = 0:int(right / s)] { set xtics add (si(i * s) i * s) }
	set grid xtics lt 1 lw 1 lc rgb rule back
	plot for [c = first_[p]:last_[p]] csv skip 1 using (0):0:(sum_(first_[p], c - 1)):(sum_(first_[p], c)):($0 + 1 + lo):($0 + 1 + hi) \
			with boxxyerror lc rgb hex(word(shades, c - 1)), \
		csv skip 1 using (sum_(first_[p], last_[p])):($0 + 1 + (lo + hi) / 2):(said(p)) \
			with labels left offset char 0.6, 0
}
unset multiplot
set output
