# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync compare

unsync replay --passes 7 -q -o a.json exact.utrace native.utrace 2>/dev/null
unsync replay --no-measure -q -o counted.json exact.utrace native.utrace 2>/dev/null
unsync replay --no-measure -q -m kvm -o kvm.json exact.utrace 2>/dev/null

fails "nothing" 2 "two results files" unsync compare
fails "one file" 2 "two results files" unsync compare a.json
fails "three files" 2 "two results files" unsync compare a.json a.json a.json
fails "no such option" 2 "no option '--colour'" unsync compare a.json a.json --colour
fails "no such format" 2 "no format 'yaml'" unsync compare a.json a.json --format yaml
fails "no percentage" 2 "--slower fast: give a number" unsync compare a.json a.json --slower fast
fails "a negative one" 2 "--slower -1: give a number" unsync compare a.json a.json --slower -1
fails "no alpha" 2 "--alpha 2: give a number" unsync compare a.json a.json --alpha 2
fails "times, but not" 2 "--counted leaves alone" unsync compare a.json a.json --counted --slower 5
fails "no such file" 1 "^unsync: missing.json: " unsync compare a.json missing.json
fails "no such file before" 1 "^unsync: missing.json: " unsync compare missing.json a.json
jq '.version = 2' counted.json >newer.json
fails "another version of the format" 1 "^unsync: newer.json: version: is 2, this program reads 1" \
	unsync compare counted.json newer.json
fails "a trace for results" 1 "^unsync: exact.utrace: " unsync compare counted.json exact.utrace
fails "no such model in it" 1 "^unsync: a.json: has no model 'magic'" \
	unsync compare a.json a.json -m magic
fails "no such trace in it" 1 "^unsync: a.json: has no trace 'nowhere'" \
	unsync compare a.json a.json -t nowhere
jq '.traces[0].xxh64 = "0123456789abcdef"' counted.json >mixed.json
fails "another trace of the same name" 1 "^unsync: mixed.json: trace 'exact' has another content" \
	unsync compare counted.json mixed.json
jq '.traces |= map(.xxh64 = "0123456789abcdef" | .id += "x") | .runs |= map(.trace += "x")' \
	counted.json >strange.json
fails "nothing in common" 1 "no result in common" unsync compare counted.json strange.json
fails "a gate on nothing" 1 "no measured result in common" \
	unsync compare counted.json counted.json --slower 5
unsync replay --passes 2 -q -o two.json exact.utrace 2>/dev/null
fails "a gate that could never close" 1 "with so few passes" \
	unsync compare two.json two.json --slower 5

prints "counted, with itself" 'compared, all the same$' unsync compare counted.json counted.json
prints "counted, again" 'compared, all the same$' unsync compare a.json counted.json
prints "says what it left out" '^note: only A has measured times' unsync compare a.json counted.json
prints "measured, with itself" '^no difference shown' unsync compare a.json a.json
prints "measured, with itself: each model" 'kvm +total .* 1\.000 .* no difference shown$' \
	unsync compare a.json a.json
passes "a gate that stays open" unsync compare a.json a.json --slower 0
prints "too few passes are said" '^note: with so few passes none of these' \
	unsync compare two.json two.json
passes "quiet" unsync compare -q a.json a.json
holds "quiet: says nothing" test ! -s "$work/out"

# differs NAME STATUS PATTERN CMD...: a finding: on stdout, with a status of its own.
differs()
{
	local name=$1 wanted=$2 pattern=$3 status=0
	shift 3
	run "$@" || status=$?
	if ((status != wanted)); then
		bad "$name" "exit status $status, not $wanted"
	elif complaints >/dev/null; then
		bad "$name" "complained on stderr"
	elif ! grep -Eqe "$pattern" "$work/out"; then
		bad "$name" "stdout does not match '$pattern'"
	else
		good
	fi
}

jq '.runs[4].counted.exit_cr3 += 1' counted.json >one.json
differs "one count" 3 '^    exit_cr3 +[0-9,]+ +[0-9,]+ ' unsync compare counted.json one.json
holds "one count: nothing else" test "$(grep -c '^    [a-z]' "$work/out")" = 1
differs "one count, as CSV" 3 '^counted,exact,kvm,exit_cr3,[0-9]+,[0-9]+,,,1\.[0-9]+,,,,,,,differs$' \
	unsync compare counted.json one.json --format csv
differs "one count, as JSON" 3 '"status": "differ"' \
	unsync compare counted.json one.json --format json
holds "one count, as JSON: its values" jq -e '.counted.differences ==
	[{trace: "exact", model: "kvm", what: "exit_cr3", a: $a, b: ($a + 1), ratio: (($a + 1) / $a)}] or
	(.counted.differences | length == 1 and (.[0].b - .[0].a == 1))' \
	--argjson a "$(jq '.runs[4].counted.exit_cr3' counted.json)" "$work/out"
jq '.runs[4].timeline.exits[3] += 5 | .runs[4].timeline.exits[8] += 1' counted.json >bins.json
differs "bins of a timeline" 3 'timeline\.exits\[3\] .*the first of 2 that differ, of [0-9]+' \
	unsync compare counted.json bins.json
jq '.runs[4].resyncs.cr3.tables += 1' counted.json >cause.json
differs "resyncs of a cause" 3 '^    resyncs\.cr3\.tables ' unsync compare counted.json cause.json
jq '.runs[4].options.prev_roots = "9"' counted.json >option.json
differs "an option" 3 '^    options\.prev_roots +3 +9$' unsync compare counted.json option.json
differs "results that B lacks" 3 '^missing in B: exact with null$' \
	unsync compare counted.json kvm.json
passes "which were not asked for" unsync compare counted.json kvm.json -t exact -m kvm
prints "results that only B has" '^note: only B has exact with null$' \
	unsync compare kvm.json counted.json
jq '.runs[].counted.new_counter = 1' counted.json >added.json
prints "a counter that A does not know" "^note: only B has 'new_counter', which is not compared" \
	unsync compare counted.json added.json
jq '.traces |= map(.id += "x") | .runs |= map(.trace += "x")' counted.json >renamed.json
prints "a trace that was renamed" "^note: trace 'exact' is 'exactx' in B" \
	unsync compare counted.json renamed.json

# Passes as an idle machine has them: what this one does at the moment must not decide.
jq '.runs |= map(if .measured then .measured.total_ns = [range(7) | 1e6 + 100 * .] else . end)' \
	a.json >steady.json
mv steady.json a.json
jq '.runs |= map(if .model == "kvm" then .measured.total_ns |= map(. * 1.2 | floor) else . end)' \
	a.json >slow.json
prints "slower" ' kvm .* 1\.(19|2)[0-9]* .* slower$' unsync compare a.json slow.json -m kvm
prints "faster, the other way round" ' kvm .* 0\.8[0-9]* .* faster$' unsync compare slow.json a.json -m kvm
jq '.runs |= map(if .model == "kvm" then .measured.total_ns |= map(. * 10) else . end)' \
	a.json >slower.json
differs "a gate that closes" 4 'slower, beyond --slower$' \
	unsync compare a.json slower.json -m kvm --slower 5
passes "a gate that is wide enough" unsync compare a.json slower.json -m kvm --slower 2000 -q
jq '.runs |= map(if .model == "null" then .measured.total_ns |= map(. * 10) else . end)' \
	a.json >harness.json
prints "the harness itself" '^note: (exact|native): null, which is the harness alone, takes 10 times' \
	unsync compare a.json harness.json -m null
jq '.context.cpu = "Another"' a.json >cpu.json
prints "another machine" "^note: measured times: the CPU was '.*' for A, 'Another' for B" \
	unsync compare a.json cpu.json
warns "notes beside CSV" "the CPU was" unsync compare a.json cpu.json --format csv
rm -f ./*.json
