# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync info

# fails_check NAME FILE: info tells what is in it, but --check does not let it pass.
fails_check()
{
	local status=0
	run unsync info --check "$2" || status=$?
	if ((status == 1)) && [ "$(complaints | grep -c "^unsync: $2: ")" = 1 ]; then
		good
	else
		bad "$1" "exit status $status"
	fi
}

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
		prints "$name: KVM's count agrees" "^does KVM's own count agree. yes" \
			unsync info --check "$trace"
		passes "$name: JSON" unsync info --json "$trace"
		holds "$name: every counter of KVM is compared, or it is said why not" jq -e '
			([.host_statistics[].name | select(startswith("kvm."))] -
			 ["kvm.pf_spurious"]) as $have |
			[.agreement.checks[].counter | split(" ")[0]] as $seen |
			($have - $seen) == [] and ($have | length) > 10 and
			all(.agreement.checks[]; .status == "agrees" or .status == "no-event" or
				(.status == "explained" and (.why | length) > 10))' "$work/out"
		holds "$name: most agree to the digit" jq -e \
			'[.agreement.checks[] | select(.status == "agrees")] | length >= 14' "$work/out"
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

# A trace that holds less, or more, than KVM counted.
for kind in page-new page-zap fault invlpg cr write; do
	"$mktrace" exact 2 0 short.utrace $kind 1
	fails_check "a missing $kind is noticed" short.utrace
done
for kind in host-unsync host-sync; do
	"$mktrace" native 2 0 short.utrace $kind 1
	fails_check "a missing $kind is noticed" short.utrace
done
"$mktrace" exact 2 0 short.utrace fault 7
run unsync info --json short.utrace
holds "how many are missing" jq -e '.agreement.verdict == "differs" and any(.agreement.checks[];
	.counter == "kvm.pf_taken" and .status == "differs" and .kvm - .trace == 7)' "$work/out"
"$mktrace" exact 2 7 short.utrace fault 7
run unsync info --json short.utrace
holds "as many were lost" jq -e '.agreement.verdict == "lost" and any(.agreement.checks[];
	.counter == "kvm.pf_taken" and .status == "lost")' "$work/out"
status=0
run unsync info --check short.utrace || status=$?
holds "--check: lost events" test $status = 3
"$mktrace" exact 2 6 short.utrace fault 7
fails_check "more is missing than was lost" short.utrace
"$mktrace" exact 2 0 short.utrace stat 99
fails_check "no counters, no proof" short.utrace
passes "--check" unsync info --check exact.utrace
passes "--check: native" unsync info --check native.utrace
warns "losses are a warning" "lossy.utrace: 12 events were lost" unsync info lossy.utrace
prints "where events were lost" 'ring-full +12  of kind any, from 0\.[0-9]+ s to 0\.[0-9]+ s' \
	unsync info lossy.utrace
passes "losses in JSON" unsync info --json lossy.utrace
holds "losses by cause and kind" jq -e '.losses == [{cause: "ring-full", kind: "any", count: 12,
	first_ns: .losses[0].first_ns, last_ns: .losses[0].last_ns}] and
	.losses[0].last_ns >= .losses[0].first_ns and .losses[0].first_ns > 0' "$work/out"

# Of a damaged file, what could be read is what an event takes.
head -c $(($(stat -c %s exact.utrace) / 2)) exact.utrace >hurt.utrace
run unsync info --json hurt.utrace
holds "bytes of a damaged file" jq -e --argjson size "$(stat -c %s hurt.utrace)" \
	'.complete == false and .bytes <= $size' "$work/out"

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
