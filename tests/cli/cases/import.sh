# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync import

recordings=$source_dir/data/recordings

# le FILE OFFSET BYTES: the number that stands there.
le() { od -An -t "u$3" --endian=little -j "$2" -N "$3" "$1" | tr -d ' '; }

# put FILE OFFSET BYTES...: writes bytes, in hexadecimal, into a file.
put()
{
	local file=$1 offset=$2
	shift 2
	printf '%b' "$(printf '\\x%s' "$@")" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

if [[ $(unsync import 2>&1) == *"this build reads no recordings"* ]]; then
	skips "import" "this build has none"
	return
fi

fails "no file" 2 "^unsync import: no file given" unsync import -o x
fails "two files" 2 "^unsync import: one file" unsync import a b -o x
fails "nowhere" 2 "^unsync import: where to" unsync import a
fails "unknown option" 2 "^unsync import: no option" unsync import a --what
fails "no value" 2 "^unsync import: -o needs" unsync import a -o
prints "help" '^usage: unsync import FILE' unsync import --help

fails "missing" 1 "^unsync: missing: No such file" unsync import missing -o x
fails "a folder" 1 "^unsync: /: is a folder; .*record without --threads" unsync import / -o x
fails "a device" 1 "^unsync: /dev/null: .*neither a file nor a pipe" unsync import /dev/null -o x
: >empty
fails "empty" 1 "^unsync: empty: is empty; a perf.data or a trace.dat is wanted" unsync import empty -o x
fails "a trace" 1 "^unsync: exact.utrace: holds something else" unsync import exact.utrace -o x
fails "something else" 1 "^unsync: .*/main.c: holds something else; a perf.data" \
	unsync import "$source_dir/cli/main.c" -o x
fails "no folder" 1 "^unsync: nowhere/x: " unsync import "$recordings/perf-plain.data" -o nowhere/x
fails "not over a file" 1 "^unsync: empty: is there already" \
	unsync import "$recordings/perf-plain.data" -o empty
rm -f empty

cp "$recordings/perf-plain.data" same.data
fails "not over the recording" 1 "^unsync: same.data: is the recording itself" unsync import -f same.data -o same.data
rm -f same.data

# imported NAME FILE KIND: it can be imported; the trace says what it is, and can be replayed
imported()
{
	passes "$1" unsync import -q "$2" -o "$1.utrace"
	prints "$1: says so" "^  imported +$3\$" unsync info "$1.utrace"
	passes "$1: replayed" unsync replay -q --no-measure --model kvm "$1.utrace" -o "$1.json"
	holds "$1: with faults" jq -e '.runs[0].counted | .exit_fault > 0 and .unsyncs > 0' "$1.json"
	rm -f "$1.utrace" "$1.json"
}

# Told by what is in it, not by its name.
imported perf "$recordings/perf-z.data" perf.data
cp "$recordings/perf-z.data" trace.dat
imported "perf as trace.dat" trace.dat perf.data
rm -f trace.dat

passes "once" unsync import -q "$recordings/perf-z.data" -o a.utrace
holds "only for its owner" test "$(stat -c %a a.utrace)" = 600
passes "over a file, with -f" unsync import -qf "$recordings/perf-z.data" -o a.utrace
passes "to standard output" sh -c 'unsync import -q "$1" -o - >b.utrace' sh "$recordings/perf-z.data"
passes "from a file as standard input" sh -c 'unsync import -q - -o c.utrace <"$1"' sh "$recordings/perf-z.data"
events() { unsync dump "$1" | cksum; }
holds "the same events" test "$(events a.utrace)" = "$(events b.utrace)"
holds "and again" test "$(events a.utrace)" = "$(events c.utrace)"
passes "from a pipe" sh -c 'unsync import -q - -o d.utrace <"$1"' sh "$recordings/perf-pipe.data"
passes "from a real pipe" sh -c 'cat "$1" | unsync import -q - -o e.utrace' sh "$recordings/perf-pipe.data"
holds "with the same in it" test "$(events d.utrace)" = "$(events e.utrace)"
rm -f ./?.utrace
run unsync import "$recordings/perf-z.data" -o a.utrace
holds "a summary" grep -Eq '^unsync: a.utrace: [0-9]+ events, [0-9]+ bytes .*; perf.data: [0-9]+ records, ' "$work/err"
rm -f a.utrace
fails "full disk" 1 "^unsync: .*No space left" sh -c 'unsync import "$1" -o - >/dev/full' sh "$recordings/perf-z.data"

# lossy NAME FILE: a recording that lost something: status 3, a warning, and the trace says it
lossy()
{
	local status=0
	run unsync import -q "$2" -o a.utrace || status=$?
	holds "$1: status 3" test "$status" = 3
	holds "$1: a warning" grep -Eq '^unsync: warning: .*: [0-9]+ records were lost when it was recorded' "$work/err"
	holds "$1: nothing else" test "$(complaints | wc -l)" = 0
	run unsync info a.utrace
	holds "$1: info says it" grep -Eq '^  import +[0-9,]+ ' "$work/out"
	rm -f a.utrace
}
lossy "perf lost" "$recordings/perf-lost.data"

fails "perf: no events of KVM" 1 "perf-sched.data: .*no events of KVM; record with: perf record" \
	unsync import "$recordings/perf-sched.data" -o x
fails "perf: nested paging" 1 "perf-npt.data: .*EPT or NPT.*npt=0" unsync import "$recordings/perf-npt.data" -o x

# The child is killed while it waits for more of a pipe: as if it had crashed.
mkfifo pipe
# (SIGTRAP, for sanitizers have an opinion on SIGSEGV.)
for sig in TRAP ABRT KILL; do
	exec 9<>pipe
	head -c 5000 "$recordings/perf-pipe.data" >&9
	unsync import pipe -o x.utrace 2>"$work/err" &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		child=$(pgrep -P "$pid") && break
		sleep 0.05
	done
	kill -"$sig" "$child"
	{ wait "$pid"; } 2>/dev/null
	holds "SIG$sig: status 1" test $? = 1
	exec 9>&-
	wanted='pipe: reading it ended in a crash'
	[[ $sig == KILL ]] && wanted='pipe: its import was killed'
	holds "SIG$sig: one line" test "$(wc -l <"$work/err")" = 1
	holds "SIG$sig: that names it" grep -q "^unsync: $wanted" "$work/err"
	holds "SIG$sig: nothing is left" test "$(find . -name 'x.utrace*')" = ''
done

# So is its parent: nothing is left, neither a file nor a process.
for sig in INT TERM HUP; do
	exec 9<>pipe
	head -c 5000 "$recordings/perf-pipe.data" >&9
	# a shell lets what it starts in the background ignore SIGINT
	env --default-signal="$sig" unsync import pipe -o x.utrace 2>"$work/err" &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		child=$(pgrep -P "$pid") && break
		sleep 0.05
	done
	kill -"$sig" "$pid"
	{ wait "$pid"; } 2>/dev/null
	holds "parent, SIG$sig: it ends" test $? -gt 128
	exec 9>&-
	for ((i = 0; i < 100; i++)); do
		kill -0 "$child" 2>/dev/null || break
		sleep 0.05
	done
	holds "parent, SIG$sig: and its child" test "$i" -lt 100
	holds "parent, SIG$sig: nothing is left" test "$(find . -name 'x.utrace*')" = ''
done
rm -f pipe

# ---- trace.dat ----

if [[ $(unsync import -q "$recordings/trace-v7.dat" -o x.utrace 2>&1) == *"this build does not read"* ]]; then
	skips "trace.dat" "this build has no libtracecmd"
	return
fi
rm -f x.utrace

for name in v6 v7 v7-plain v6-6.12 v7-6.12 few; do
	imported "trace-$name" "$recordings/trace-$name.dat" trace.dat
done
lossy "trace-cmd lost" "$recordings/trace-lost.dat"
warns "local clock" "by the clock 'local' each CPU has a time of its own" \
	unsync import -q "$recordings/trace-local-clock.dat" -o x.utrace
rm -f x.utrace
fails "trace-cmd: no events of KVM" 1 "trace-sched.dat: .*no events of KVM" \
	unsync import "$recordings/trace-sched.dat" -o x
fails "trace-cmd: nested paging" 1 "trace-npt.dat: .*EPT or NPT" unsync import "$recordings/trace-npt.dat" -o x
fails "trace.dat from a pipe" 1 "^unsync: standard input: a trace.dat must be a file, not a pipe" \
	sh -c 'cat "$1" | unsync import - -o x' sh "$recordings/trace-v7.dat"
passes "trace.dat as standard input" sh -c 'unsync import -q - -o x <"$1"' sh "$recordings/trace-v7.dat"
rm -f x

# The head: 3 bytes of magic, "tracing", version and 0, endianness, size of long, size of a page.
for v in v6 v7; do
	cp "$recordings/trace-$v.dat" t.dat
	chmod u+w t.dat
	put t.dat 12 01
	fails "$v: big endian" 1 "^unsync: t.dat: recorded on a big-endian machine; only recordings of x86-64" \
		unsync import t.dat -o x
	put t.dat 12 00
	put t.dat 14 00 00 01 00
	passes "$v: pages of 64 KiB in the head" true
	put t.dat 14 01 10 00 00
	fails "$v: odd pages" 1 "^unsync: t.dat: pages of 4097 bytes" unsync import t.dat -o x
	put t.dat 14 00 10 00 00
	put t.dat 10 38
	fails "$v: a version from the future" 1 "^unsync: t.dat: version '8'; versions 6 and 7" \
		unsync import t.dat -o x
	rm -f t.dat
	size=$(stat -c %s "$recordings/trace-$v.dat")
	for cut in 10 18 25 40 300 2000 $((size / 2)) $((size - 1)); do
		head -c "$cut" "$recordings/trace-$v.dat" >t.dat
		fails "$v: cut off after $cut bytes" 1 "^unsync: t.dat: is cut off: " unsync import t.dat -o x
	done
	head -c 9 "$recordings/trace-$v.dat" >t.dat
	fails "$v: nine bytes" 1 "^unsync: t.dat: holds something else" unsync import t.dat -o x
	rm -f t.dat
done

# arm64 keeps the length of the text
sed 's/x86_64/arm64v/' "$recordings/trace-v6.dat" >t.dat
fails "v6: another machine" 1 "^unsync: t.dat: recorded on arm64v; only recordings of x86-64" unsync import t.dat -o x
sed 's/flyrecord\x00/latency  \x00/' "$recordings/trace-v6.dat" >t.dat
fails "v6: text of a tracer" 1 "^unsync: t.dat: holds the text of a tracer, no records; record events: trace-cmd" \
	unsync import t.dat -o x
sed 's/header_page/header_pagX/' "$recordings/trace-v6.dat" >t.dat
fails "v6: no header_page" 1 "^unsync: t.dat: offset 18: header_page" unsync import t.dat -o x

# Version 7: the offset of the first options comes after the two texts of the compression.
cp "$recordings/trace-v7-plain.dat" t.dat
chmod u+w t.dat
holds "where the options are" test "$(le t.dat 24 8)" -lt "$(stat -c %s t.dat)"
put t.dat 24 00 00 00 00 00 00 00 00
fails "v7: not finished" 1 "^unsync: t.dat: trace-cmd did not finish it; 'trace-cmd restore'" \
	unsync import t.dat -o x
put t.dat 24 00 00 00 00 00 01 00 00
fails "v7: options beyond its end" 1 "^unsync: t.dat: is cut off: a section begins" unsync import t.dat -o x
sed 's/zstd\x00/lzo9\x00/' "$recordings/trace-v7.dat" >t.dat
fails "v7: another compression" 1 "^unsync: t.dat: compressed with 'lzo9'.*trace-cmd convert" \
	unsync import t.dat -o x

# A format on which libtraceevent 1.7 dereferences NULL, when libtracecmd gives it what is meant for printing.
sed 's/(REC->host_clock, {/(REC->ho\x00\x00\x00\x80lock, {/' "$recordings/trace-v6.dat" >t.dat
holds "v6: there is such a format" sh -c '! cmp -s "$1" t.dat' sh "$recordings/trace-v6.dat"
status=0
run unsync import t.dat -o x || status=$?
holds "v6: a crash: status 1" test "$status" = 1
holds "v6: a crash: it says so" grep -q '^unsync: t.dat: reading it ended in a crash' "$work/err"
holds "v6: a crash: nothing is left" test "$(find . -name 'x*')" = ''

# No damage does more than a line; a byte that is turned round may well pass unnoticed.
for v in v6 v7 v7-plain; do
	size=$(stat -c %s "$recordings/trace-$v.dat")
	for ((i = 0; i < 40; i++)); do
		cp "$recordings/trace-$v.dat" t.dat
		chmod u+w t.dat
		flip t.dat $((i < 20 ? i * 13 + 10 : (i - 20) * size / 20 + 5))
		status=0
		run unsync import -q t.dat -o x || status=$?
		holds "$v: byte turned round ($i): status $status" test "$status" = 0 -o "$status" = 1 -o "$status" = 3
		# a sanitizer has more to say of a crash in a library
		grep -q Sanitizer "$work/err" ||
			holds "$v: byte turned round ($i): told" test "$status" != 1 -o "$(complaints | wc -l)" = 1
		holds "$v: byte turned round ($i): all or nothing" test -e x -o "$status" = 1
		rm -f x
	done
done
rm -f t.dat
