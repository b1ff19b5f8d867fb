# SPDX-License-Identifier: GPL-2.0-only
# awk -f inline.awk -f markdown.awk [-v name=NAME -v section=N -v about=TEXT -v version=V -v date=D]
#	[-v see="NAME(N) ..."] DOCUMENT.md
#
# A document of docs/ as a man page, as far as the documents here use Markdown: headings, paragraphs,
# lists, tables, code, emphasis, links. Without a name: only what would follow the head, to be
# appended to a page. What this does not know stands as it was written.

BEGIN {
	manual["trace-format.md"] = "unsync\\-trace(5)"
	manual["results.md"] = "unsync\\-results(5)"
	manual["writing-a-model.md"] = "unsync\\-model(7)"
	if (name != "") {
		print "'\\\" t"
		print ".\\\" SPDX-License-Identifier: GPL-2.0-only"
		printf ".TH %s %s %s \"unsync %s\" \"unsync manual\"\n", toupper(escape(name)), section, \
			date, version
		print ".SH NAME"
		print escape(name) " \\- " escape(about)
		print ".SH DESCRIPTION"
		fresh = 1
	}
}

{ sub(/\r$/, "") }

# Comments of one line are for whoever reads the source.
/^<!--.*-->$/ { next }
/^SPDX-License-Identifier/ { next }

/^```/ {
	if (code)
		end_code()
	else
		begin_code()
	fenced = code
	next
}

fenced {
	line_of_code($0)
	next
}

/^    / && (code || after_blank && !in_list) {
	begin_code()
	line_of_code(substr($0, 5))
	next
}

/^$/ {
	if (code) {
		held_blank++
		next
	}
	end_table()
	flush()
	after_blank = 1
	next
}

{
	end_code()
	if ($0 !~ /^\|/)
		end_table()
}

/^# / { next }

/^## / {
	in_list = 0
	sub(/^## +/, "")
	sub(/^[0-9]+\. /, "")
	print ".SH " escape(toupper($0))
	fresh = 1
	after_blank = 0
	next
}

/^###+ / {
	in_list = 0
	sub(/^#+ +/, "")
	print ".SS " inline($0)
	fresh = 1
	after_blank = 0
	next
}

/^\|/ {
	rows[++n_rows] = $0
	next
}

/^- / {
	print ".IP \\(bu 2"
	item(substr($0, 3))
	next
}

/^[0-9]+\. / {
	match($0, /^[0-9]+\./)
	print ".IP " substr($0, 1, RLENGTH) " 4"
	item(substr($0, RLENGTH + 2))
	next
}

{
	if (after_blank && !(in_list && /^ /)) {
		in_list = 0
		if (!fresh)
			print ".PP"
	}
	text_line($0)
}

END {
	end_code()
	end_table()
	flush()
	if (see != "") {
		print ".SH SEE ALSO"
		n_see = split(see, others, " ")
		for (i = 1; i <= n_see; i++) {
			match(others[i], /\(/)
			printf ".BR %s %s%s\n", escape(substr(others[i], 1, RSTART - 1)), \
				substr(others[i], RSTART), i < n_see ? " ," : ""
		}
	}
}

function item(text) {
	in_list = 1
	text_line(text)
}

# Emphasis and links may go on in the next line.
function text_line(text) {
	if (pending != "")
		text = pending " " text
	pending = ""
	if (open_mark(text)) {
		pending = text
		after_blank = 0
		return
	}
	line(inline(text))
	fresh = after_blank = 0
}

function flush() {
	if (pending != "")
		line(inline(pending))
	pending = ""
}

function open_mark(text,    t, marks) {
	t = text
	marks = gsub(/`/, "", t)
	if (marks % 2)
		return 1
	t = text
	gsub(/`[^`]*`/, "", t)
	if (t ~ /\[[^\]]*$/ || t ~ /\]\([^)]*$/)
		return 1
	gsub(/[ (]\*[ )]/, "", t)
	marks = gsub(/\*\*/, "", t)
	if (marks % 2)
		return 1
	return gsub(/\*/, "", t) % 2
}

# `code`, **strong**, *emphasis*, [text](link), <link>
function inline(text,    out, before, inner, link) {
	out = ""
	while (match(text, /`[^`]+`|\*\*[^*]+\*\*|\*[^* ][^*]*\*|\[[^\]]+\]\([^)]*\)|<https?:[^>]*>/)) {
		before = substr(text, 1, RSTART - 1)
		inner = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH)
		out = out escape(before)
		if (inner ~ /^`/) {
			out = out "\\fB" escape(substr(inner, 2, length(inner) - 2)) "\\fR"
		} else if (inner ~ /^\*\*/) {
			out = out "\\fB" inline(substr(inner, 3, length(inner) - 4)) "\\fR"
		} else if (inner ~ /^\*/) {
			out = out "\\fI" inline(substr(inner, 2, length(inner) - 2)) "\\fR"
		} else if (inner ~ /^</) {
			out = out escape(substr(inner, 2, length(inner) - 2))
		} else {
			link = inner
			sub(/^.*\]\(/, "", link)
			sub(/[)#].*$/, "", link)
			sub(/\]\([^)]*\)$/, "", inner)
			out = out (link in manual ? manual[link] : inline(substr(inner, 2)))
		}
	}
	return out escape(text)
}

function begin_code() {
	if (code)
		return
	flush()
	print fresh ? ".RS 4" : ".PP\n.RS 4"
	print ".EX"
	code = 1
	held_blank = after_blank = 0
}

function line_of_code(text) {
	for (; held_blank; held_blank--)
		print ""
	text = escape(text)
	print text ~ /^[.']/ ? "\\&" text : text
}

function end_code() {
	if (!code)
		return
	print ".EE"
	print ".RE"
	code = fenced = held_blank = 0
	after_blank = 1
	fresh = 0
}

# Cells are split at bars that no backslash and no code protects.
function cells(row, into,    i, c, n_cells, in_code) {
	gsub(/^\| ?| ?\|$/, "", row)
	for (i in into)
		delete into[i]
	n_cells = 1
	into[1] = ""
	for (i = 1; i <= length(row); i++) {
		c = substr(row, i, 1)
		if (c == "`")
			in_code = !in_code
		if (c == "\\" && substr(row, i + 1, 1) == "|") {
			into[n_cells] = into[n_cells] "|"
			i++
		} else if (c == "|" && !in_code) {
			into[++n_cells] = ""
		} else {
			into[n_cells] = into[n_cells] c
		}
	}
	for (i = 1; i <= n_cells; i++)
		gsub(/^ +| +$/, "", into[i])
	return n_cells
}

function cell(text) {
	text = inline(text)
	if (text ~ /^[.']/)
		text = "\\&" text
	return length(text) > 20 || text ~ /^\\\^|^_$|^=$/ ? "T{\n" text "\nT}" : text
}

function end_table(    i, k, n_columns, one, widest, out, empty) {
	if (!n_rows)
		return
	flush()
	n_columns = cells(rows[1], one)
	empty = 1
	for (k in widest)
		delete widest[k]
	for (k = 1; k <= n_columns; k++)
		if (one[k] != "")
			empty = 0
	for (i = 1; i <= n_rows; i++) {
		if (i == 2)
			continue
		cells(rows[i], one)
		for (k = 1; k <= n_columns; k++)
			if (length(one[k]) > widest[k])
				widest[k] = length(one[k])
	}
	if (widest[n_columns] > 400) {
		long_table(n_columns, one)
		return
	}
	if (!fresh)
		print ".PP"
	print ".TS\nnokeep nowarn;"
	for (k = 1; k <= n_columns; k++)
		printf("%s%s", k > 1 ? " " : "", (k == n_columns || widest[k] > 28) ? "lx" : "l")
	print "."
	for (i = 1; i <= n_rows; i++) {
		if (i == 2) {
			if (!empty)
				print "_"
			continue
		}
		if (i == 1 && empty)
			continue
		cells(rows[i], one)
		out = ""
		for (k = 1; k <= n_columns; k++)
			out = out (k > 1 ? "\t" : "") cell(one[k])
		print out
	}
	print ".TE"
	n_rows = 0
	fresh = 0
	after_blank = 1
}

# A cell that may be longer than a page is none that tbl takes: then the last column stands below the others.
function long_table(n_columns, one,    i, k, out) {
	for (i = 3; i <= n_rows; i++) {
		cells(rows[i], one)
		out = ""
		for (k = 1; k < n_columns; k++)
			if (one[k] != "")
				out = out (out == "" ? "" : ", ") inline(one[k])
		print ".TP"
		line(out)
		line(inline(one[n_columns]))
	}
	n_rows = 0
	fresh = 0
	after_blank = 1
}
