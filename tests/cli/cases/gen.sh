# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync gen

gen() { unsync gen -q -f -o x.utrace "$@"; }

# verified NAME OPTION...: every model keeps to what a TLB may hold, and is looked at.
verified()
{
	local name=$1
	shift
	passes "$name: made" unsync gen -q -f -o x.utrace "$@"
	passes "$name: verified" unsync replay --no-measure --verify -q --format json --model all x.utrace
	cp "$work/out" x.json
	holds "$name: no violation" jq -e '[.runs[].verified.violations] | length >= 10 and add == 0' x.json
	holds "$name: somebody looked" jq -e '[.runs[] | select(.model == "kvm").verified.checks] | add > 500' x.json
	holds "$name: nothing unknown" jq -e '[.runs[].counted | .unknown_tables + .unmodelled_faults] |
		add == 0' x.json
}

for levels in 2 3 4 5; do
	for share in 0 $((levels - 1)); do
		for branch in 2 $levels; do
			for roots in 1 3; do
				change=(protect move unmap)
				verified "$levels levels, share $share, branch $branch, $roots roots" \
					--levels "$levels" --share "$share" --branch "$branch" --roots "$roots" \
					--change "${change[(levels + share + branch + roots) % 3]}" \
					--tables 3 --entries 20 --rounds 12
			done
		done
	done
done

# counted OPTION... -- MODEL KEY: a counter of a model on a trace of these options.
counted()
{
	local -a options=()
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	gen "${options[@]}" && unsync replay --no-measure -q --format json --model "$2" x.utrace |
		jq -r ".runs[0].counted.$3"
}

# equals NAME NUMBER OPTION... -- MODEL KEY
equals()
{
	local now
	now=$(counted "${@:3}")
	holds "$1: $2, is $now" test "$now" = "$2"
}

# Each parameter does what it says, and nothing else.
equals "as many tables out of sync" 8 -- kvm unsync_peak
equals "more tables" 37 --tables 37 -- kvm unsync_peak
equals "each round syncs them all" $((37 * 5)) --tables 37 --rounds 5 -- kvm tables_synced
equals "entries in use are compared" $((8 * 64 * 64)) -- kvm entries_compared
equals "fewer entries in use" $((8 * 64 * 20)) --entries 20 -- kvm entries_compared
equals "entries changed" $((8 * 64 * 4)) -- kvm entries_permission
equals "more entries changed" $((8 * 64 * 9)) --changed 9 -- kvm entries_permission
equals "more entries changed, none more compared" $((8 * 64 * 64)) --changed 9 -- kvm entries_compared
equals "moved entries go" $((8 * 64 * 4)) --change move -- kvm entries_dropped
equals "writes" $((8 * 64 * 4)) -- kvm writes
equals "CR3 writes" 7 --rounds 7 -- kvm exit_cr3
equals "CR3 writes of more roots: each is entered once before" $((7 + 5)) --rounds 7 --roots 5 -- kvm exit_cr3
equals "marks up to the root, where the ways join early" $((64 * (4 + 2))) --tables 4 -- kvm parents_marked
equals "where they join late" $((64 * (4 + 4 + 1))) --tables 4 --branch 3 -- kvm parents_marked
equals "and nodes on the way down" $((64 * (1 + 1 + 4))) --tables 4 --branch 3 -- kvm nodes_visited
equals "one level more is one node more" $((64 * 4)) --levels 5 -- kvm nodes_visited
equals "with tables of their own, roots hold none protected" $((64 * 8)) --roots 2 --share 0 \
	-- oos-per-root unsyncs
equals "with tables that they share, they do" yes --roots 2 -- oos-per-root 'unsyncs_refused > 0 |
	if . then "yes" else "no" end'

run unsync gen -o a.utrace
holds "quiet" test ! -s "$work/out"
holds "only for its owner" test "$(stat -c %a a.utrace)" = 600
passes "again" unsync gen -o b.utrace
holds "the same bytes" cmp a.utrace b.utrace
passes "another seed" unsync gen --seed 2 -f -o b.utrace
holds "another trace" sh -c '! cmp -s a.utrace b.utrace'
passes "to standard output" sh -c 'unsync gen -o - >b.utrace'
holds "the same there" cmp a.utrace b.utrace
prints "says what it is" '^  synthetic.tables +8$' unsync info a.utrace
prints "as does the replay" '^a: synthetic exact trace, ' unsync replay --no-measure --model null a.utrace
prints "and the results" '"tables": 8,' unsync replay --no-measure -q --format json --model null a.utrace
passes "scrubbed" unsync scrub -q a.utrace -f -o b.utrace
prints "it still says so" '^  synthetic.change +protect$' unsync info b.utrace
rm -f a.utrace b.utrace x.utrace x.json

fails "nowhere" 2 "^unsync gen: where to" unsync gen
fails "a file" 2 "^unsync gen: 'x' is no option" unsync gen x -o y
fails "unknown option" 2 "^unsync gen: no option '--what'" unsync gen --what -o x
fails "no value" 2 "^unsync gen: --tables needs a value" unsync gen -o x --tables
fails "no number" 2 "^unsync gen: --tables many: give a number from 1 to" unsync gen -o x --tables many
fails "no tables" 2 "^unsync gen: --tables 0: " unsync gen -o x --tables 0
fails "no such change" 2 "^unsync gen: no change 'x'" unsync gen -o x --change x
fails "more changed than in use" 2 "^unsync gen: --changed 65: only 64" unsync gen -o x --changed 65
fails "more entries than there are" 2 "^unsync gen: --entries 513: .* 512" unsync gen -o x --entries 513
passes "32-bit tables have more" unsync gen -o x --entries 1024 --levels 2
rm -f x
fails "no such level" 2 "^unsync gen: --branch 4: there are 3" unsync gen -o x --branch 4 --levels 3
fails "roots are not shared" 2 "^unsync gen: --share 3: roots" unsync gen -o x --share 3 --levels 3
fails "no room" 2 "^unsync gen: --tables 4: there is room for 3" \
	unsync gen -o x --tables 4 --levels 3 --branch 3
fails "too many tables" 2 "^unsync gen: the guest would have" \
	unsync gen -o x --tables 16384 --roots 3 --share 0
touch there
fails "not over a file" 1 "^unsync: there: is there already" unsync gen -o there
passes "over a file, with -f" unsync gen -f -o there
rm -f there
fails "no folder" 1 "^unsync: nowhere/x: cannot create" unsync gen -o nowhere/x
# It would take minutes, but is told to stop.
holds "stopped" test "$(timeout -k 20 1 "$unsync_binary" gen -q --rounds 1000000 --tables 100 -o stopped \
	>/dev/null 2>&1; echo $?)" = 124
holds "nothing is left" sh -c '! ls -A | grep -q "^stopped"'
fails "full disk" 1 "." sh -c 'unsync gen -o - >/dev/full'
holds "no half of a file stays" sh -c '! ls -A | grep -q "^x"'
