# SPDX-License-Identifier: GPL-2.0-only
# What all charts share. A chart's script sets fmt, base, title, note and colours from its arguments,
# loads this, works out its height H in pixels, and then loads canvas.gp.
#
#   fmt      svg: 1200 wide; png: the same; narrow: SVG, 420 wide, panels one below the other
#   base     name of its files without suffix
#   colours  "#rrggbb ...": of the designs, in the order of the CSV file

set encoding utf8
set datafile separator comma
set minussign

narrow = fmt eq "narrow"
W = narrow ? 420.0 : 1200.0
px = narrow ? 12 : 15				# height of ordinary text
csv = base.".csv"
n_models = words(colours)
grey = 0x666666
rule = 0xdddddd

hex(s) = int("0x".s[2:*])
colour(i) = hex(word(colours, int(i)))
# Where there are more designs than colours, the lines of those that come second are dashed.
earlier_(i, k) = k >= i ? 0 : (word(colours, k) eq word(colours, i)) + earlier_(i, k + 1)
dash(i) = 1 + earlier_(i, 1)
max(a, b) = a > b ? a : b
min(a, b) = a < b ? a : b
# An empty field is no reason to skip a whole line of data.
col(c) = valid(c) ? column(c) : NaN
col0(c) = valid(c) ? column(c) : 0
width(s) = strlen(s) * px * 0.58		# of a text, in pixels, roughly

# Where the scale should end: one bound that lies far beyond all bars must not make these unreadable.
# What reaches farther ends in an arrow.
scale_end(bars, bounds) = bars > 0 && bounds > 1.8 * bars ? 1.8 * bars : bounds

# 1234567 as 1,234,567
commas_(s) = strlen(s) <= 3 ? s : commas_(s[1:strlen(s)-3]).",".s[strlen(s)-2:*]
commas(v) = commas_(sprintf("%.0f", v))
digits3(v) = v >= 99.95 || v == 0 ? commas(v) : v >= 9.995 ? sprintf("%.1f", v) : v >= 0.9995 ? \
	sprintf("%.2f", v) : sprintf("%.3g", v)

# Steps of 1, 2 or 5 times a power of ten, about n of them up to top
step_(r, mag) = (r <= 1 ? 1 : r <= 2 ? 2 : r <= 5 ? 5 : 10) * mag
step(top, n) = step_(1.0 * top / n / 10**floor(log10(1.0 * top / n)), 10**floor(log10(1.0 * top / n)))
si(v) = v >= 1e9 ? sprintf("%g G", v / 1e9) : v >= 1e6 ? sprintf("%g M", v / 1e6) : \
	v >= 1e4 ? sprintf("%g k", v / 1e3) : sprintf("%g", v)

# A text in lines of at most n characters
space_(s, i, n) = i <= 1 ? n : s[i:i] eq " " ? i : space_(s, i - 1, n)
wrap(s, n) = strlen(s) <= n ? s : s[1:space_(s, n + 1, n)]."\n".wrap(s[space_(s, n + 1, n)+1:*], n)
lines(s) = strstrt(s, "\n") ? 1 + lines(s[strstrt(s, "\n")+1:*]) : 1
line(s, i) = i > 1 ? line(s[strstrt(s, "\n")+1:*], i - 1) : strstrt(s, "\n") ? s[1:strstrt(s, "\n")-1] : s

# Names of the designs (first column of most CSV files)
array name[max(n_models, 1)]
n_read = 0
longest = 0
name_(s) = (n_read = n_read + 1, n_read <= n_models ? (name[n_read] = s, longest = max(longest, width(s))) : 0, n_read)

# Pixels from the left and from the top, as gnuplot's screen coordinates
X(p) = p / W
Y(p) = 1 - p / H

title_px = px * 1.25
title = wrap(title, int((W - 24) / title_px / 0.62))
note = wrap(note, int((W - 24) / px / 0.56))
# Where the title ends and the chart, or its legend, begins
head = 14 + lines(title) * title_px * 1.35 + lines(note) * px * 1.35 + 6

# The legend: entry i has leg_text[i], leg_rgb[i] and leg_kind[i] (box, hatch, line or a point type)
array leg_text[80]
array leg_rgb[80]
array leg_kind[80]
array leg_x[80]
array leg_y[80]
leg_n = 0
leg_break = 0					# an entry that begins a new line
axis = ""
foot = px * 3.6					# height of the scale and its name
