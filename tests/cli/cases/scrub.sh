# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync scrub

# counts FILE: what every model counts, and some with options; without the names of the file.
# How entries that go are counted may differ by a few for two models (docs/sharing-traces.md).
counts()
{
	unsync replay --no-measure -q --format json "$1" --model all \
		--model sync-on-write:flood=page,reinstall=no,byte_writes=yes \
		--model sync-on-write:flood=off --model oos-per-root:globals=0 \
		--model oos-per-root:sync=both --model oos-per-root:sync=left,globals=64 \
		--model unsync-bitmap:reads=no --model unsync-bitmap:prev_roots=0 2>/dev/null |
		jq '(.. | strings) |= sub("^.*/"; "") |
			del(.command, .warnings, .traces[].xxh64, .traces[].bytes, .traces[].blocks) |
			.runs |= map(if .model == "oos-per-root" or .model == "xen-oos"
				then del(.counted.entries_retargeted, .counted.entries_fixed,
					.counted.entries_reinstalled, .counted.rmap_visited,
					.counted.flush_remote, .resyncs.write.changed) else . end)'
}

# same_counts NAME FILE: a scrubbed copy counts the same.
same_counts()
{
	mkdir -p hidden
	run unsync scrub -q "$2" -o "hidden/${2##*/}"
	holds "$1: scrubbed" test -s "hidden/${2##*/}"
	counts "$2" >plain.json
	counts "hidden/${2##*/}" >hidden.json
	holds "$1: there are counts" jq -e '.runs | length >= 10' plain.json
	holds "$1: they are the same" cmp plain.json hidden.json
	holds "$1: but it is another file" sh -c '! cmp -s "$1" "hidden/${1##*/}"' sh "$2"
	rm -rf hidden plain.json hidden.json
}

for trace in native.utrace exact.utrace lossy.utrace; do
	same_counts "$trace" "$trace"
done
if compgen -G "$traces/*.utrace" >/dev/null; then
	for trace in "$traces"/*.utrace; do
		same_counts "$(basename "$trace")" "$trace"
	done
else
	skips "shipped traces" "none in data/traces"
fi

prints "says what it wrote" '^hidden.utrace: [0-9,]+ events$' unsync scrub exact.utrace -o hidden.utrace
holds "only for its owner" test "$(stat -c %a hidden.utrace)" = 600
fails "not over a file" 1 "^unsync: hidden.utrace: is there already" \
	unsync scrub exact.utrace -o hidden.utrace
passes "over a file, with -f" unsync scrub exact.utrace -f -o hidden.utrace
prints "says that it is scrubbed" '^  scrubbed ' unsync info hidden.utrace
passes "KVM's count agrees as before" unsync info --check hidden.utrace
run unsync info hidden.utrace
holds "no command, no name" sh -c '! grep -Eq "two processes|mktrace,|4711" "$1"' sh "$work/out"
run unsync dump hidden.utrace
holds "no marks" sh -c '! grep -q "both processes" "$1"' sh "$work/out"
passes "with marks" unsync scrub exact.utrace --keep-texts -f -o hidden.utrace
prints "marks are kept" "both processes are there" unsync dump hidden.utrace
passes "a seed" unsync scrub exact.utrace --seed 7 -o a.utrace
passes "the same seed" unsync scrub exact.utrace --seed 7 -o b.utrace
holds "gives the same" cmp a.utrace b.utrace
passes "no seed" unsync scrub exact.utrace -f -o a.utrace
passes "no seed again" unsync scrub exact.utrace -f -o b.utrace
holds "gives another" sh -c '! cmp -s a.utrace b.utrace'
passes "to standard output" sh -c 'unsync scrub exact.utrace -o - >c.utrace'
prints "which can be read" '^ +complete +yes' unsync info c.utrace
rm -f hidden.utrace a.utrace b.utrace c.utrace

fails "no file" 2 "^unsync scrub: no file given" unsync scrub -o x
fails "two files" 2 "^unsync scrub: one file" unsync scrub a b -o x
fails "nowhere" 2 "^unsync scrub: where to" unsync scrub exact.utrace
fails "unknown option" 2 "^unsync scrub: no option" unsync scrub exact.utrace --what
fails "no number" 2 "^unsync scrub: --seed x" unsync scrub exact.utrace --seed x -o x
fails "missing" 1 "^unsync: missing.utrace: " unsync scrub missing.utrace -o x
fails "no folder" 1 "^unsync: nowhere/x" unsync scrub exact.utrace -o nowhere/x
fails "a pipe" 1 "^unsync: standard input: " sh -c 'unsync scrub - -o x <exact.utrace'
fails "full disk" 1 "." sh -c 'unsync scrub exact.utrace -o - >/dev/full'

size=$(stat -c %s exact.utrace)
for i in {0..12}; do
	head -c $((1 + (size - 2) * i / 12)) exact.utrace >hurt.utrace
	tolerates "cut off after $(stat -c %s hurt.utrace) of $size bytes" hurt.utrace \
		unsync scrub -q hurt.utrace -f -o x.utrace
	cp exact.utrace hurt.utrace
	flip hurt.utrace $(((size - 1) * i / 12))
	tolerates "byte $(((size - 1) * i / 12)) flipped" hurt.utrace \
		unsync scrub -q hurt.utrace -f -o x.utrace
done
holds "no half of a file stays" sh -c '! ls -A | grep -q "utrace\."'
rm -f hurt.utrace x.utrace
