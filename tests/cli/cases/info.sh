# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync info

prints "exact" 'exact: every write' unsync info exact.utrace
prints "native" 'native: .*lower bounds' unsync info native.utrace
prints "complete" '^ +complete +yes' unsync info exact.utrace
prints "nothing lost" '^nothing lost' unsync info exact.utrace
prints "losses" 'ring-full +12 ' unsync info lossy.utrace
prints "from a pipe" '^ +complete +yes' sh -c 'unsync info - <exact.utrace'
prints "several files" '^native.utrace' unsync info exact.utrace native.utrace
passes "JSON" unsync info --json exact.utrace native.utrace lossy.utrace
cp "$work/out" info.json
holds "JSON: one object a file" test "$(jq -s length info.json)" = 3
holds "JSON: kinds add up" jq -se 'all(.[]; .events == ([.kinds[]] | add) and .events > 0)' info.json
holds "JSON: faults add up" jq -se 'all(.[]; .kinds.fault == ([.faults[]] | add))' info.json
holds "JSON: writes add up" jq -se 'all(.[]; .kinds.write == ([.writes[]] | add))' info.json
holds "JSON: mode" test "$(jq -r .mode info.json | tr '\n' ' ')" = "exact native exact "
holds "JSON: losses" test "$(jq -r .lost info.json | tr '\n' ' ')" = "0 0 12 "
rm -f info.json

# The shipped ones.
if compgen -G "$traces/*.utrace" >/dev/null; then
	for trace in "$traces"/*.utrace; do
		name=$(basename "$trace")
		prints "$name" '^ +complete +yes' unsync info "$trace"
	done
else
	skips "shipped traces" "none in data/traces"
fi

fails "no file given" 2 "^unsync info: " unsync info
fails "no such file" 1 "^unsync: missing.utrace: " unsync info missing.utrace
fails "a folder" 1 "^unsync: \.: " unsync info .
: >empty.utrace
fails "empty" 1 "^unsync: empty.utrace: " unsync info empty.utrace
echo "this is no trace, only a line of text that is long enough to be read" >text.utrace
fails "no trace" 1 "^unsync: text.utrace: offset 0: " unsync info text.utrace
fails "no trace, from a pipe" 1 "^unsync: standard input: offset 0: " sh -c 'unsync info - <text.utrace'
head -c 100000 /dev/zero >zero.utrace
fails "zeros" 1 "^unsync: zero.utrace: offset 0: " unsync info zero.utrace
fails "full disk" 1 "standard output" sh -c 'unsync info exact.utrace >/dev/full'

# Damage: cut off and flipped at places all over the file.
size=$(stat -c %s exact.utrace)
for i in {0..24}; do
	head -c $((1 + (size - 2) * i / 24)) exact.utrace >hurt.utrace
	tolerates "cut off after $(stat -c %s hurt.utrace) of $size bytes" hurt.utrace \
		unsync info hurt.utrace
	cp exact.utrace hurt.utrace
	at=$(((size - 1) * i / 24))
	flip hurt.utrace $at
	tolerates "byte $at of $size flipped" hurt.utrace unsync info hurt.utrace
done
rm -f ./*.utrace.tmp hurt.utrace empty.utrace text.utrace zero.utrace
