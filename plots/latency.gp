# SPDX-License-Identifier: GPL-2.0-only
# How long one resync takes: cumulative distribution, and percentiles of each design, over one scale.
# Usage: gnuplot -c latency.gp FORMAT BASE TITLE NOTE COLOURS
# CSV: BASE.csv: number of the design, name, upper end of a bucket in ns, resyncs in it, percent that
#      took at most that long. BASE.percentiles.csv: model, resyncs, mean, p50, p90, p99, p99.9, max, error

fmt = ARG1; base = ARG2; title = ARG3; note = ARG4; colours = ARG5
load "common.gp"
percentiles = base.".percentiles.csv"

array resyncs[max(n_models, 1)]
error_ = 0
stats percentiles skip 1 using (name_(strcol(1)), resyncs[n_read] = $2, error_ = max(error_, strcol(9) eq "" ? 0 : real(strcol(9))), 0) nooutput
lowest = 1e30
highest = 1
stats csv skip 1 using (lowest = min(lowest, max($3, 1)), highest = max(highest, $3), 0) nooutput
stats percentiles skip 1 using (highest = max(highest, valid(8) ? $8 : 0), 0) nooutput

do for [i = 1:n_models] {
	leg_text[i] = sprintf("%s, n = %s", name[i], commas(resyncs[i]))
	leg_rgb[i] = colour(i)
	leg_kind[i] = "line"
}
leg_n = n_models
load "legend.gp"
axis = sprintf("time of one resync (log scale; values within %.1f %% or a step of the clock)", 100 * error_)

body = narrow ? 190 : 300
gap = px * 2.7
pitch = narrow ? 36 : 30
strip = n_models * pitch
H = head + px * 1.9 + body + gap + strip + foot
load "canvas.gp"

left = narrow ? 48 : max(longest + 28, 72)
set lmargin at screen X(left)
set rmargin at screen X(W - 24)
set logscale x
set xrange [lowest * 0.85:highest * 1.25]
clock(v) = v >= 1e9 ? sprintf("%g s", v / 1e9) : v >= 1e6 ? sprintf("%g ms", v / 1e6) : \
	v >= 1e3 ? sprintf("%g µs", v / 1e3) : sprintf("%g ns", v)
d0 = floor(log10(lowest * 0.85))
d1 = ceil(log10(highest * 1.25))
few = d1 - d0 <= 3 && !narrow
set xtics ()
do for [d = d0:d1] {
	set xtics add ("" 10.0**d)
	do for [k = 2:9] { set xtics add ("" k * 10.0**d 1) }
}

if (fmt ne "png") {
	set print base.(narrow ? ".narrow" : "").".panels"
	do for [p = 0:1] {
		print sprintf("%.1f %.1f %.1f %.1f %.9g %.9g 1", left, head + px * 1.9 + p * (body + gap), \
			W - 24 - left, p ? strip : body, lowest * 0.85, highest * 1.25)
	}
}

set multiplot
y = head + px * 1.9
set tmargin at screen Y(y)
set bmargin at screen Y(y + body)
set label 1 "share of resyncs that took at most that long, %" at screen X(narrow ? 14 : 16), Y(y - px * 1.3) left
set border 3 lc rgb 0x888888
set yrange [0:100]
set ytics 0, 25, 100
set grid xtics ytics lt 1 lw 1 lc rgb rule back
plot for [m = 1:n_models] csv skip 1 using (int($1) == m ? max($3, 1) : NaN):5 \
	with steps lw (narrow ? 1.8 : 2.2) lc rgb colour(m) dt dash(m)

unset label
unset object
unset arrow
set tmargin at screen Y(y + body + gap)
set bmargin at screen Y(y + body + gap + strip)
set border 1 lc rgb 0x888888
set yrange [n_models + 0.5:0.5]
unset ytics
do for [d = d0:d1] {
	set xtics add (clock(10.0**d) 10.0**d)
	do for [k = 2:9] {
		set xtics add (few && (k == 2 || k == 5) ? clock(k * 10.0**d) : "" k * 10.0**d 1)
	}
}
set grid xtics lt 1 lw 1 lc rgb rule back
mid = narrow ? 0.2 : 0
set label 1 "median (tick), then thinner and thinner to p90, p99, p99.9; line: to the longest" \
	at screen X(narrow ? 14 : left), Y(y + body + gap - px * 0.8) left noenhanced
do for [i = 1:n_models] {
	if (narrow) {
		set label 10+i name[i] at screen X(left + 2), first i - 0.25 left front noenhanced
	} else {
		set label 10+i name[i] at screen X(left - 10), first i right noenhanced
	}
}
# The farther into the tail, the thinner the bar: half of all resyncs lie left of the first tick.
thick = narrow ? 0.2 : 0.26
plot percentiles skip 1 using (column(4)):($0 + 1 + mid):4:(valid(8) ? $8 : NaN):(colour($0 + 1)) with xerrorbars pt -1 lw 1 lc rgb variable, \
	for [k = 1:3] percentiles skip 1 using (valid(k + 3) ? 0 : NaN):0:(max(column(k + 3), 1)):(max(column(k + 4), 1)):($0 + 1 + mid - thick / k):($0 + 1 + mid + thick / k):(colour($0 + 1)) \
		with boxxyerror lc rgb variable, \
	percentiles skip 1 using (valid(4) ? max($4, 1) : NaN):($0 + 1 + mid - thick * 1.35):(0):(thick * 2.7) with vectors nohead lw 2.5 lc rgb 0x222222
unset multiplot
set output
