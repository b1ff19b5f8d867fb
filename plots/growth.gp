# SPDX-License-Identifier: GPL-2.0-only
# What a figure of each design grows with: a panel for each thing that was varied, all on one scale.
# Usage: gnuplot -c growth.gp FORMAT BASE TITLE NOTE COLOURS AXIS
# CSV: parameter, its value, number of the design, name, figure, and the ends of its interval, if the
#      headings say that there is one

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"
measure = ARG6

array said[16] = ["tables", "changed", "entries", "roots", "share", "levels", "branch", "", "", "", "", "", "", "", "", ""]
array long[16] = ["tables out of sync at a CR3 write", "entries changed in each table", \
	"entries in use in each table", "roots that share the tables", "level up to which roots share tables", \
	"levels of paging", "level at which the ways to the tables part", "", "", "", "", "", "", "", "", ""]
named_(s, i) = i > 16 ? s : said[i] eq s ? long[i] : named_(s, i + 1)

array parameter[16]
array from[16]
array to[16]
array seen[max(n_models, 1)]
panels = 0
lowest = 1e30
highest = 0
do for [m = 1:n_models] { seen[m] = 0 }
panel_(s) = (panels == 0 || parameter[panels] ne s ? (panels = panels + 1, parameter[panels] = s, from[panels] = 1e30, to[panels] = 0) : 0, panels)
value_(m, s, v) = v > 0 ? (seen[m] = 1, name[m] = s, lowest = min(lowest, v), highest = max(highest, v)) : 0
stats csv skip 1 using (panel_(strcol(1)), from[panels] = min(from[panels], $2), to[panels] = max(to[panels], $2), \
	value_(int($3), strcol(4), col0(5)), 0) nooutput
intervals = 0
set datafile columnheaders
stats csv using (intervals = columnhead(6) eq "ci95_low", 0) nooutput
unset datafile columnheaders

# A design without a figure has no line.
leg_n = 0
do for [m = 1:n_models] {
	if (seen[m]) {
		leg_n = leg_n + 1
		leg_text[leg_n] = name[m]
		leg_rgb[leg_n] = colour(m)
		leg_kind[leg_n] = sprintf("pt%d", 4 + m)
	}
}
load "legend.gp"

across = narrow ? 1 : min(3, panels)
down = ceil(1.0 * panels / across)
body = narrow ? 230 : 250
gap = px * 4.2				# between rows: the scale and the name of the next panel
H = head + px * 2 + down * body + (down - 1) * gap + px * 2.4
load "canvas.gp"

left = 72
between = 24
wide = (W - left - 20 - (across - 1) * between) / across
ymin = 10**floor(log10(lowest))
ymax = 10**ceil(log10(highest * 1.001))
logs(p) = to[p] >= 8 * from[p]
short_(v) = v >= 1e6 ? sprintf("%g M", v / 1e6) : v >= 1e4 ? sprintf("%g k", v / 1e3) : sprintf("%g", v)

# Half way to white
pale(rgb) = (rgb & 0xfefefe) / 2 + 0x7f7f7f
here(m) = strcol(1) eq parameter[p] && int($3) == m && col0(5) > 0

if (fmt ne "png") { set print base.(narrow ? ".narrow" : "").".panels" }

set multiplot
do for [p = 1:panels] {
	c = (p - 1) % across
	r = (p - 1) / across
	x = left + c * (wide + between)
	y = head + px * 2 + r * (body + gap)
	if (p > 1) {
		unset label
		unset object
		unset arrow
	}
	set lmargin at screen X(x)
	set rmargin at screen X(x + wide)
	set tmargin at screen Y(y)
	set bmargin at screen Y(y + body)
	if (c == 0) { set label 2 measure at screen X(narrow ? 10 : 12), Y(y + body / 2) center rotate by 90 tc rgb 0x333333 noenhanced }
	set label 1 named_(parameter[p], 1) at screen X(x), Y(y - px * 0.9) left noenhanced
	set border 3 lc rgb 0x888888
	unset logscale
	set logscale y
	set yrange [ymin:ymax]
	set ytics () nomirror
	do for [d = int(log10(ymin) + 0.5 * sgn(log10(ymin))):int(log10(ymax) + 0.5 * sgn(log10(ymax)))] {
		set ytics add ((c == 0 ? short_(10.0**d) : "") 10.0**d)
	}
	set xtics ()
	if (logs(p)) {
		set logscale x 2
		set xrange [from[p] / 1.2:to[p] * 1.2]
		steps = log(to[p] / from[p]) / log(2)
		every_ = steps > 6 ? 2 : 1
		do for [i = 0:int(steps) / every_] { set xtics add (short_(from[p] * 2**(i * every_)) from[p] * 2**(i * every_)) }
	} else {
		set xrange [from[p] - 0.3:to[p] + 0.3]
		do for [i = int(from[p]):int(to[p])] { set xtics add (sprintf("%d", i) i) }
	}
	if (fmt ne "png") {
		print sprintf("%.1f %.1f %.1f %.1f %.9g %.9g %d 1", x, y, wide, body, logs(p) ? from[p] / 1.2 : from[p] - 0.3, \
			logs(p) ? to[p] * 1.2 : to[p] + 0.3, logs(p))
	}
	set grid xtics ytics lt 1 lw 1 lc rgb rule back
	middle = sqrt(ymin * ymax)
	plot (logs(p) ? middle * x / sqrt(from[p] * to[p]) : NaN) with lines lw 1.5 dt 3 lc rgb 0x888888, \
		for [m = 1:(intervals ? n_models : 0)] csv skip 1 using (here(m) && valid(6) ? $2 : NaN):(max(col0(6), ymin)):(0):(col0(7) - max(col0(6), ymin)) \
			with vectors nohead lw (narrow ? 2.5 : 4) lc rgb pale(colour(m)), \
		for [m = 1:n_models] csv skip 1 using (here(m) ? $2 : NaN):5 \
			with linespoints lw (narrow ? 1.5 : 1.8) pt 4 + m ps (narrow ? 0.5 : 0.8) lc rgb colour(m)
}
unset multiplot
set output
