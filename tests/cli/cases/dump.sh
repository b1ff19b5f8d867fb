# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync dump

# lines CMD...: how many lines it prints.
lines() { "$@" 2>/dev/null | wc -l; }
counted=$(unsync info --json exact.utrace)
events=$(jq .events <<<"$counted")

prints "text" '0/0 +fault +gva 0x' unsync dump exact.utrace
holds "text: a line for each event" test "$(lines unsync dump exact.utrace)" = "$events"
prints "JSON" '^\{"time":[0-9]+,' unsync dump --json exact.utrace
holds "JSON: an object for each event" test \
	"$(unsync dump --json exact.utrace | jq -s length)" = "$events"
prints "from a pipe" ' cr ' sh -c 'unsync dump - <exact.utrace'
for kind in $(jq -r '.kinds | keys[]' <<<"$counted"); do
	holds "kind $kind: as many as info says" test \
		"$(lines unsync dump --kind "$kind" exact.utrace)" = "$(jq ".kinds[\"$kind\"]" <<<"$counted")"
done
holds "two kinds" test "$(unsync dump --json -k cr,invlpg exact.utrace | jq -rs 'map(.kind) | unique |
	join(",")')" = cr,invlpg
holds "first three" test "$(lines unsync dump -n 3 exact.utrace)" = 3
holds "none" test "$(lines unsync dump -n 0 exact.utrace)" = 0
holds "this VM" test "$(lines unsync dump --vm 0 exact.utrace)" = "$events"
holds "another VM" test "$(lines unsync dump --vm 7 exact.utrace)" = 0
holds "another vCPU" test "$(lines unsync dump --vcpu 3 exact.utrace)" = 0
middle=$(jq '((.first_ns + .last_ns) / 2) | floor' <<<"$counted")
before=$(lines unsync dump --to "$((middle - 1))ns" exact.utrace)
after=$(lines unsync dump --from "${middle}ns" exact.utrace)
holds "two halves make a whole" test "$((before + after))" = "$events" -a "$before" -gt 0 -a "$after" -gt 0
holds "from: nothing before" jq -se --argjson t "$middle" 'length > 0 and all(.[]; .time >= $t)' \
	<(unsync dump --json --from "${middle}ns" -n 5 exact.utrace)
passes "a reader that stops early" sh -c 'unsync dump exact.utrace | head -n 1'

fails "no file given" 2 "^unsync dump: " unsync dump
fails "two files" 2 "one file" unsync dump exact.utrace native.utrace
fails "no such kind" 2 "no kind of event 'nonsense'" unsync dump -k nonsense exact.utrace
fails "empty kind" 2 "no kind of event ''" unsync dump -k "" exact.utrace
fails "kind without a value" 2 "needs a value" unsync dump exact.utrace --kind
fails "time without sense" 2 "from" unsync dump --from yesterday exact.utrace
fails "negative time" 2 "from" unsync dump --from=-1s exact.utrace
fails "to before from" 2 "before" unsync dump --from 2s --to 1s exact.utrace
fails "VM without sense" 2 "vm" unsync dump --vm x exact.utrace
fails "vCPU too large" 2 "vcpu" unsync dump --vcpu 65535 exact.utrace
fails "limit without sense" 2 "limit" unsync dump -n many exact.utrace
fails "no such file" 1 "^unsync: missing.utrace: " unsync dump missing.utrace
fails "a folder" 1 "^unsync: \.: " unsync dump .
fails "full disk" 1 "standard output" sh -c 'unsync dump exact.utrace >/dev/full'
: >empty.utrace
fails "empty" 1 "^unsync: empty.utrace: " unsync dump empty.utrace

size=$(stat -c %s exact.utrace)
for i in {0..9}; do
	head -c $((1 + (size - 2) * i / 9)) exact.utrace >hurt.utrace
	tolerates "cut off after $(stat -c %s hurt.utrace) of $size bytes" hurt.utrace \
		unsync dump hurt.utrace
	cp exact.utrace hurt.utrace
	at=$(((size - 1) * i / 9))
	flip hurt.utrace $at
	tolerates "byte $at of $size flipped" hurt.utrace unsync dump --json hurt.utrace
done
rm -f hurt.utrace empty.utrace
