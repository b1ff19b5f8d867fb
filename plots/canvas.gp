# SPDX-License-Identifier: GPL-2.0-only
# Opens the output, H pixels high, and draws title, note and legend.

if (fmt eq "png") {
	# Points are three quarters of a pixel there.
	set terminal pngcairo size W, H font sprintf("Sans,%.2f", px * 0.75) background "white"
	set output base.".png"
	title_points = title_px * 0.75
} else {
	set terminal svg size W, H font sprintf("sans-serif,%d", px) background "white"
	set output base.(narrow ? ".narrow.svg" : ".svg")
	title_points = title_px
}

# Bold takes the enhanced mode, in which these characters would mean something. All other text that
# comes from a file is drawn without it.
plain_(s) = s eq "" ? "" : (strstrt("_^{}@&~\\", s[1:1]) ? "\\" : "").s[1:1].plain_(s[2:*])
do for [i = 1:lines(title)] {
	set label 1010+i sprintf("{/:Bold=%.1f %s}", title_points, plain_(line(title, i))) \
		at screen X(12), Y(14 + title_px * (1.35 * i - 0.75)) left enhanced
}
set label 1002 note at screen X(12), Y(14 + lines(title) * title_px * 1.35 + px * 0.5) left tc rgb grey noenhanced
do for [i = 1:leg_n] {
	y = leg_y[i]
	x = leg_x[i]
	if (leg_kind[i] eq "box") {
		set object 1000+i rectangle from screen X(x), Y(y - px * 0.45) to screen X(x + px * 1.3), Y(y + px * 0.45) \
			fillcolor rgb leg_rgb[i] fillstyle solid noborder
	}
	if (leg_kind[i] eq "hatch") {
		set object 1000+i rectangle from screen X(x), Y(y - px * 0.45) to screen X(x + px * 1.3), Y(y + px * 0.45) \
			fillcolor rgb leg_rgb[i] fillstyle pattern 4 border rgb leg_rgb[i]
	}
	if (leg_kind[i] eq "line") {
		set arrow 1000+i from screen X(x), Y(y) to screen X(x + px * 1.3), Y(y) nohead lw 3 \
			lc rgb leg_rgb[i] dt dash(i)
	}
	if (leg_kind[i] eq "bound") {
		set arrow 1000+i from screen X(x), Y(y) to screen X(x + px * 1.3), Y(y) heads size screen X(4), 90 \
			lw 1.5 lc rgb leg_rgb[i]
	}
	if (leg_kind[i] eq "arrow") {
		set arrow 1000+i from screen X(x), Y(y) to screen X(x + px * 1.3), Y(y) head filled size screen X(8), 20 \
			lw 1.5 lc rgb leg_rgb[i]
	}
	if (leg_kind[i][1:2] eq "pt") {
		set label 1100+i "" at screen X(x + px * 0.65), Y(y) point pt int(leg_kind[i][3:*]) ps 1.1 lc rgb leg_rgb[i]
	}
	set label 1200+i leg_text[i] at screen X(x + px * 1.7), Y(y) left noenhanced
}

set key noautotitle
set border 1 lc rgb 0x888888
set tics nomirror scale 0.5 tc rgb 0x333333
set style fill solid 1.0 noborder
set xtics offset 0, 0.3
# What the scale at the foot measures
set label 1003 axis at screen X(W / 2), Y(H - px * 0.9) center tc rgb 0x333333 noenhanced
