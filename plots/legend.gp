# SPDX-License-Identifier: GPL-2.0-only
# Lays the legend out in lines below the title; moves head below it.

leg_left = 16.0
leg_cx = leg_left
leg_cy = head + px * 0.7
do for [i = 1:leg_n] {
	w = px * 1.7 + strlen(leg_text[i]) * px * 0.55 + px * 1.2
	if (leg_cx > leg_left && (leg_cx + w > W - 8 || i == leg_break)) {
		leg_cx = leg_left
		leg_cy = leg_cy + px * 1.5
	}
	leg_x[i] = leg_cx
	leg_y[i] = leg_cy
	leg_cx = leg_cx + w
}
if (leg_n > 0) { head = leg_cy + px * 1.2 }
