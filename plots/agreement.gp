# SPDX-License-Identifier: GPL-2.0-only
# What a model and the recorded host did alike, and what only one of them did, in shares of all.
# Usage: gnuplot -c agreement.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: trace, model, then gone out of sync: matched, by the host only, by the model only; the same for
#      synced

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"

array heading[2] = ["Tables gone out of sync", "Tables synced"]
shades = "#44bb99 #ee8866 #77aadd"
rows = 0
array row_name[1024]
short(s) = narrow && strlen(s) > 34 ? s[1:33]."…" : s
stats csv skip 1 using (rows = rows + 1, row_name[rows] = short(strcol(1).", ".strcol(2)), longest = max(longest, width(row_name[rows])), 0) nooutput
array words_[3] = ["model and host alike", "host only", "model only"]
leg_n = 3
do for [i = 1:3] {
	leg_text[i] = words_[i]
	leg_rgb[i] = hex(word(shades, i))
	leg_kind[i] = "box"
}
load "legend.gp"
axis = "% of all that either did"

across = narrow ? 1 : 2
pitch = narrow ? 40 : 26
body = rows * pitch + 4
gap = px * 4.8
H = head + px * 1.8 + body + (narrow ? gap + body : 0) + foot
load "canvas.gp"

left = narrow ? 14 : longest + 28
between = 150					# room for the figures behind the bars
wide = (W - left - 20 - across * between) / across
lo = narrow ? -0.08 : -0.32
hi = narrow ? 0.36 : 0.32
set xrange [0:100]
set yrange [rows + 0.6:0.4]
unset ytics
set xtics 0, 25, 100
set grid xtics lt 1 lw 1 lc rgb rule back
all(c) = column(c) + column(c + 1) + column(c + 2)
part(c, k) = k == 0 ? 0 : all(c) == 0 ? 0 : 100.0 * (k == 1 ? column(c) : k == 2 ? column(c) + column(c + 1) : all(c)) / all(c)
# All of them alike must not be said of all but a few.
percent(v) = v < 100 && v > 99.99 ? "> 99.99 %" : sprintf("%.4g %%", v)
said(c) = all(c) == 0 ? "none" : percent(part(c, 1))." of ".commas(all(c))

set multiplot
do for [p = 1:2] {
	c = 3 * p
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
	do for [i = 1:rows] {
		if (narrow) {
			set label 10+i row_name[i] at first 0, first i - 0.3 left front noenhanced
		} else {
			if (p == 1) { set label 10+i row_name[i] at screen X(x - 10), first i right noenhanced }
		}
	}
	plot for [k = 1:3] csv skip 1 using (0):0:(part(c, k - 1)):(part(c, k)):($0 + 1 + lo):($0 + 1 + hi) \
			with boxxyerror lc rgb hex(word(shades, k)), \
		csv skip 1 using (100):($0 + 1 + (lo + hi) / 2):(said(c)) with labels left offset char 0.8, 0
}
unset multiplot
set output
