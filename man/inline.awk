# SPDX-License-Identifier: GPL-2.0-only
# What help.awk and markdown.awk share: text that stands for itself in roff.

# A backslash, and every hyphen: a manual is copied from, and a hyphen may be printed as a dash.
function escape(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	return text
}

# A line of running text. A full stop or an apostrophe at its beginning would make it a request.
function line(text) {
	sub(/^ +/, "", text)
	sub(/ +$/, "", text)
	if (text ~ /^[.']/)
		text = "\\&" text
	print text
}

# Options in running text are bold, as in their list.
function mark_options(text,    out, word, at) {
	out = ""
	while (match(text, /(^|[ (,'])--?[a-z][a-z-]*/)) {
		at = RSTART + (substr(text, RSTART, 1) != "-")
		word = substr(text, at, RSTART + RLENGTH - at)
		out = out escape(substr(text, 1, at - 1)) "\\fB" escape(word) "\\fR"
		text = substr(text, RSTART + RLENGTH)
	}
	return out escape(text)
}
