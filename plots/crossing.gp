# SPDX-License-Identifier: GPL-2.0-only
# Total cost over the price of an exit and of an emulated write, and below each who costs least.
# Usage: gnuplot -c crossing.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: price, its value and range in us, number of the design, name, 1 if it competes, its lower line (ms,
#      ms per us), its upper line
# BASE.regions.csv: price, platform, trace, value, range, from, to (us; empty: no end), number of a design
#      that may cost least there, its name, its place among as many

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"
regions = base.".regions.csv"

array price[8]
array value[8]
array low[8]
array high[8]
array name[max(n_models, 1)]
array there[max(n_models, 1)]
do for [m = 1:n_models] { there[m] = 0 }
panels = 0
price_(s) = panels == 0 || price[panels] ne s ? (panels = panels + 1, price[panels] = s, panels) : panels
stats csv skip 1 using (price_(strcol(1)), value[panels] = $2, low[panels] = $3, high[panels] = $4, \
	name[int($5)] = strcol(6), there[int($5)] = 1 + $7, 0) nooutput
of_(p, s) = price[p] eq s		# a line of data belongs to a panel

# Far enough to see the ranges, and what lies a little beyond.
array fixed[max(n_models, 1)]
array slope[max(n_models, 1)]
array meet_x[400]
array meet_y[400]
array end[panels]
array top[panels]
do for [p = 1:panels] {
	end[p] = max(4 * value[p], 1.5 * high[p])
	top[p] = 0
	stats csv skip 1 using (of_(p, strcol(1)) ? (top[p] = max(top[p], $8 + $9 * end[p])) : 0, 0) nooutput
	top[p] = top[p] * 1.08
}

do for [m = 1:n_models] {
	if (there[m] > 0) {
		leg_n = leg_n + 1
		leg_text[leg_n] = name[m].(there[m] == 1 ? " (does not compete)" : "")
		leg_rgb[leg_n] = colour(m)
		leg_kind[leg_n] = "line"
	}
}
leg_n = leg_n + 1
leg_text[leg_n] = "two designs change places"; leg_rgb[leg_n] = 0x222222; leg_kind[leg_n] = "pt6"
load "legend.gp"

across = narrow ? 1 : panels
down = panels / across
body = narrow ? 300 : 380
strip = 30
gap = px * 8
# Names of the points where it turns stand above a panel, in lines
names = 3
H = head + px * (2.2 + names * 1.3) + down * (body + strip) + (down - 1) * (gap + px * names * 1.3) + px * 4.4
load "canvas.gp"

left = px * 4.4
between = px * 5
wide = (W - left - 20 - (across - 1) * between) / across
set grid lt 1 lw 1 lc rgb rule back
unset key

set multiplot
do for [p = 1:panels] {
	x = left + ((p - 1) % across) * (wide + between)
	y = head + px * (2.2 + names * 1.3) + int((p - 1) / across) * (body + strip + gap + px * names * 1.3)
	if (p > 1) {
		unset label
		unset object
		unset arrow
	}
	set lmargin at screen X(x)
	set rmargin at screen X(x + wide)
	set tmargin at screen Y(y)
	set bmargin at screen Y(y + body)
	set label 1 "ms, over the price of: ".price[p] at screen X(x), Y(y - px * (names * 1.3 + 0.6)) left noenhanced
	# Its range on this platform, and the value
	set object 1 rectangle from first low[p], graph 0 to first high[p], graph 1 behind fillcolor rgb 0xeeeeee fillstyle solid noborder
	set arrow 1 from first value[p], graph 0 to first value[p], graph 1 nohead back lw 1.5 lc rgb 0xaaaaaa
	# Where it turns
	turns = 0
	last = -1
	turn_(from) = from > 0 && from <= end[p] && from != last ? (last = from, turns = turns + 1, turns) : 0
	array turn[64]
	set xrange [*:*]
	set yrange [*:*]
	stats regions skip 1 using (of_(p, strcol(1)) && turn_($7) > 0 && turns <= 64 ? (turn[turns] = $7) : 0, 0) nooutput
	do for [i = 1:min(turns, 64)] {
		line = (i - 1) % names
		set arrow 10+i from first turn[i], graph 0 to first turn[i], screen Y(y - px * (0.3 + 1.3 * line)) nohead front lw 1 dt 3 lc rgb 0x222222
		set label 10+i digits3(turn[i])." µs" at first turn[i], screen Y(y - px * (0.6 + 1.3 * line)) center front tc rgb 0x222222
	}
	set xtics ()
	s = step(end[p], narrow ? 4 : 6)
	do for [i = 0:int(end[p] / s)] { set xtics add ("" i * s) }
	set ytics () tc rgb 0x333333
	s = step(top[p], 6)
	do for [i = 0:int(top[p] / s)] { set ytics add (si(i * s) i * s) }
	# Where two that compete change places; twins and near misses are named once
	do for [m = 1:n_models] { there[m] = 0 }
	stats csv skip 1 using (of_(p, strcol(1)) && $7 == 1 ? (there[int($5)] = 1, fixed[int($5)] = $8, slope[int($5)] = $9) : 0, 0) nooutput
	n = 0
	do for [m = 1:n_models] {
		do for [k = m + 1:n_models] {
			if (there[m] && there[k] && slope[m] != slope[k]) {
				at = (fixed[k] - fixed[m]) / (slope[m] - slope[k])
				cost = fixed[m] + slope[m] * at
				again = 0
				do for [i = 1:n] { again = again || (abs(at - meet_x[i]) / end[p] * wide < 26 && abs(cost - meet_y[i]) / top[p] * body < 13) }
				if (at > 0 && at < end[p] && cost < top[p] && n < 400 && !again) {
					n = n + 1
					meet_x[n] = at
					meet_y[n] = cost
					set label 500+n digits3(at) at first at, cost center offset 0, 0.75 front tc rgb 0x222222 point pt 6 ps 0.8 lc rgb 0x222222
				}
			}
		}
	}
	set xrange [0:end[p]]
	set yrange [0:top[p]]
	# Each line has two ends: the same line of data once more, at the other one
	plot for [m = 1:n_models] csv skip 1 using (of_(p, strcol(1)) && $5 == m ? 0 : NaN):($10):(end[p]):($11 * end[p]) \
			with vectors nohead lw 1.5 dt 3 lc rgb colour(m), \
		for [m = 1:n_models] csv skip 1 using (of_(p, strcol(1)) && $5 == m ? 0 : NaN):8:(end[p]):($9 * end[p]) \
			with vectors nohead lw 2.5 dt dash(m) lc rgb colour(m)
	unset label
	unset object
	unset arrow
	set tmargin at screen Y(y + body + 6)
	set bmargin at screen Y(y + body + strip)
	unset ytics
	unset grid
	set label 3 price[p].", µs; below: who costs least" at screen X(x + wide / 2), Y(y + body + strip + px * 2.6) center tc rgb 0x333333 noenhanced
	set yrange [1:0]
	set xtics ()
	s = step(end[p], narrow ? 4 : 6)
	do for [i = 0:int(end[p] / s)] { set xtics add (si(i * s) i * s) }
	till(v) = valid(8) ? min(v, end[p]) : end[p]
	plot regions skip 1 using (of_(p, strcol(1)) && $7 < end[p] ? $7 : NaN):(0):7:(till(col0(8))):($11 / $12):(($11 + 1) / $12):(colour($9)) \
		with boxxyerror lc rgb variable
	set grid lt 1 lw 1 lc rgb rule back
}
unset multiplot
set output
