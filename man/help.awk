# SPDX-License-Identifier: GPL-2.0-only
# awk -f inline.awk -f help.awk -v verb=VERB -v version=V -v date=D SUMMARIES [HELP]
#
# The man page of a verb from what the verb says of itself: SUMMARIES is `unsync --help`, HELP is
# `unsync VERB --help`. So there is one text for both, and neither lags behind. Without a verb, the page
# of unsync itself. Sections that help has no place for are appended by markdown.awk.

FNR == NR {
	summary_line[++n_summary_lines] = $0
	if ($0 ~ /^  [a-z]/) {
		verbs[++n_verbs] = $1
		text = $0
		sub(/^ +[a-z]+ +/, "", text)
		summaries[$1] = text
	}
	next
}

{ help[++n] = $0 }

END {
	print "'\\\" t"
	print ".\\\" SPDX-License-Identifier: GPL-2.0-only"
	if (verb == "")
		whole()
	else
		page()
}

function whole(    i, text) {
	printf ".TH UNSYNC 1 %s \"unsync %s\" \"unsync manual\"\n", date, version
	print ".SH NAME"
	print "unsync \\- record, replay and compare how shadow page tables are kept in step"
	print ".SH SYNOPSIS"
	line(synopsis("unsync VERB [options]"))
	print ".br"
	line(synopsis("unsync --help"))
	print ".br"
	line(synopsis("unsync --version"))
	print ".SH DESCRIPTION"
	for (i = 3; i <= n_summary_lines && summary_line[i] != ""; i++)
		line(mark_options(summary_line[i]))
	print ".SH VERBS"
	for (i = 1; i <= n_verbs; i++) {
		print ".TP"
		print ".BR unsync\\-" verbs[i] " (1)"
		line(mark_options(summaries[verbs[i]]))
	}
	print ".SH OPTIONS"
	print ".TP"
	print "\\fB\\-h\\fR, \\fB\\-\\-help\\fR"
	print "list the verbs; after a verb, say what it does and takes"
	print ".TP"
	print "\\fB\\-\\-version\\fR"
	print "name the version"
}

function page(    first, i, last, seen, how) {
	printf ".TH UNSYNC\\-%s 1 %s \"unsync %s\" \"unsync manual\"\n", toupper(escape(verb)), date, \
		version
	print ".SH NAME"
	print "unsync\\-" escape(verb) " \\- " escape(summaries[verb])
	print ".SH SYNOPSIS"
	for (i = 1; i <= n && help[i] != ""; i++) {
		sub(/^usage: /, "", help[i])
		sub(/^ +/, "", help[i])
		if (i > 1)
			print ".br"
		line(synopsis(help[i]))
	}
	print ".SH DESCRIPTION"
	for (first = i + 1; first <= n; first = last + 1) {
		for (last = first; last <= n && help[last] != ""; last++)
			;
		if (help[first] ~ /^ +-/) {
			print ".SH OPTIONS"
			list(first, last - 1)
			seen = 1
		} else if (sub(/^Exit status: /, "", help[first])) {
			print ".SH EXIT STATUS"
			prose(first, last - 1)
		} else if (sub(/^Example: /, "", help[first])) {
			print ".SH EXAMPLE"
			example(first)
			prose(first + 1, last - 1)
		} else {
			how = seen ? seen++ == 1 ? ".SH NOTES" : ".PP" : first > i + 1 ? ".PP" : ""
			if (how != "")
				print how
			prose(first, last - 1)
		}
	}
}

# Running text; lines that are set in stand as they are.
function prose(first, last,    i, set_in) {
	for (i = first; i <= last; i++) {
		if (help[i] ~ /^ / && !set_in) {
			print ".RS 4"
			print ".EX"
			set_in = 1
		} else if (help[i] !~ /^ / && set_in) {
			print ".EE"
			print ".RE"
			set_in = 0
		}
		if (set_in)
			line(escape(help[i]))
		else
			line(mark_options(help[i]))
	}
	if (set_in) {
		print ".EE"
		print ".RE"
	}
}

function example(i) {
	print ".RS 4"
	print ".EX"
	line(escape(help[i]))
	print ".EE"
	print ".RE"
	if (help[i + 1] != "")
		print ".PP"
}

# Options, each with what it means. A line of two columns in between is an item of a list of its own.
function list(first, last,    i, at, nested, text) {
	for (i = first; i <= last; i++) {
		at = second_column(help[i])
		if (help[i] ~ /^ +-/) {
			if (nested)
				print ".RE"
			nested = 0
			print ".TP"
			line(flags(at ? substr(help[i], 1, at - 1) : help[i]))
		} else if (at) {
			if (!nested)
				print ".RS"
			nested = 1
			print ".TP"
			text = substr(help[i], 1, at - 1)
			gsub(/^ +| +$/, "", text)
			line("\\fB" escape(text) "\\fR")
		}
		if (at || help[i] !~ /^ +-/)
			line(mark_options(at ? substr(help[i], at) : help[i]))
	}
	if (nested)
		print ".RE"
}

# Where the second of two columns begins; 0: there is only one.
function second_column(text) {
	return match(text, /[^ ]  +[^ ]/) ? RSTART + RLENGTH - 1 : 0
}

# "unsync replay FILE... [options]", each word as what it is.
function synopsis(usage,    words, n_words, i, w, out, before, after) {
	n_words = split(usage, words, " ")
	for (i = 1; i <= n_words; i++) {
		w = words[i]
		before = after = ""
		for (; w ~ /^\[/; w = substr(w, 2))
			before = before "["
		while (w ~ /(\]|\.\.\.)$/) {
			if (w ~ /\]$/) {
				after = "]" after
				w = substr(w, 1, length(w) - 1)
			} else {
				after = "..." after
				w = substr(w, 1, length(w) - 3)
			}
		}
		if (i == 1 || w ~ /^-/ || w ~ /^[a-z]+$/ && w != "options")
			w = "\\fB" escape(w) "\\fR"
		else if (w != "|")
			w = "\\fI" escape(w) "\\fR"
		out = out (i > 1 ? " " : "") before w after
	}
	return out
}

# "-o, --output FILE"
function flags(text,    words, n_words, i, out, comma) {
	n_words = split(text, words, " ")
	for (i = 1; i <= n_words; i++) {
		comma = sub(/,$/, "", words[i]) ? "," : ""
		out = out (i > 1 ? " " : "") (words[i] ~ /^-/ ? "\\fB" : "\\fI") escape(words[i]) \
			"\\fR" comma
	}
	return out
}
