# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync export

checker=$source_dir/tests/formats/trace_events.py

unsync replay --no-measure -q -o r.json exact.utrace native.utrace 2>/dev/null
fails "nothing" 2 "name a trace, or results" unsync export
fails "two traces" 2 "one trace at a time" unsync export exact.utrace native.utrace -o out.json
fails "no output" 2 "give -o OUT.json" unsync export exact.utrace
fails "no such option" 2 "no option '--proto'" unsync export exact.utrace -o out.json --proto
fails "no time" 2 "'soon' is no time" unsync export exact.utrace -o out.json --from soon
fails "a range backwards" 2 "before --from" unsync export exact.utrace -o out.json --from 2 --to 1
fails "no such trace" 1 "^unsync: none.utrace: " unsync export none.utrace -o out.json
fails "results for a trace" 1 "^unsync: r.json: " unsync export r.json -o out.json
fails "a trace for results" 1 "^unsync: exact.utrace: " unsync export -r exact.utrace -o out.json
fails "onto itself" 1 "what is to be exported" unsync export exact.utrace -o exact.utrace
fails "a folder" 1 "^unsync: \.: is a folder" unsync export exact.utrace -o .
fails "no such folder" 1 "^unsync: no/out.json: " unsync export exact.utrace -o no/out.json
fails "the replay of another trace" 1 "holds no replay of lossy.utrace" \
	unsync export lossy.utrace --replay r.json -o out.json
fails "a pipe and its replay" 2 "needs the trace as a file" \
	unsync export - --replay r.json -o out.json
jq '.version = 9' r.json >newer.json
fails "results of another version" 1 "^unsync: newer.json: version" \
	unsync export --replay newer.json -o out.json
fails "a full disk" 1 "^unsync: /dev/full: cannot be written" unsync export exact.utrace -o /dev/full
holds "a device is never replaced" test -c /dev/full

# counted FILE KIND: how many events of a kind 'dump' prints.
counted() { unsync dump -k "$2" "$1" | wc -l; }

for trace in exact.utrace native.utrace lossy.utrace "$traces"/boot-native.utrace; do
	name=$(basename "$trace" .utrace)
	passes "$name" unsync export -q "$trace" -o out.json
	kinds=$(for kind in fault write invlpg invpcid pv-flush page-new page-found page-zap mark lost; do
		printf '%s=%d,' "$kind" "$(counted "$trace" "$kind")"
	done)
	holds "$name: fits the format, and nothing is missing" "$checker" out.json --kinds "$kinds"
	holds "$name: only the owner may read it" test "$(stat -c %a out.json)" = 600
	holds "$name: a slice for each address space" test \
		"$(grep -c '"ph":"B"' out.json)" = "$(unsync dump -k state,cr "$trace" | grep -c 'cr3 ')"
	passes "$name with its replay" unsync replay --no-measure -q -m kvm -o one.json "$trace"
	passes "$name with its replay: export" unsync export "$trace" -r one.json -o out.json
	holds "$name with its replay: as many tables out of sync as it counted" "$checker" out.json \
		--kinds "$kinds" --counter "tables out of sync, most=$(jq '.runs[0].timeline.unsync | max' one.json)"
done
trace=$traces/boot-native.utrace
unsync export "$trace" -o all.json
holds "a window for each table that went out of sync" "$checker" all.json \
	--windows "$(counted "$trace" host-unsync)"
passes "from standard input" sh -c 'unsync export - -o - <"$1" >piped.json' sh "$trace"
holds "from standard input: the same events" cmp <(jq -c .traceEvents all.json) <(jq -c .traceEvents piped.json)
passes "a range" unsync export "$trace" --from 3s --to 3.5s -o part.json
holds "a range: fits the format" "$checker" part.json \
	--kinds "fault=$(unsync dump -k fault --from 3s --to 3.5s "$trace" | wc -l)"
holds "a range: nothing outside" jq -e \
	'[.traceEvents[] | select(.ts) | .ts] | min >= 3e6 and max <= 3.5e6' part.json
passes "a range after the end" unsync export "$trace" --from 100h -o part.json
holds "a range after the end: fits the format" "$checker" part.json --kinds fault=0
passes "timelines alone" unsync export --replay r.json -o out.json
holds "timelines alone: fits the format" "$checker" out.json --kinds fault=0
holds "timelines alone: three for each model and trace" jq -e --argjson n "${#models[@]}" \
	'[.traceEvents[] | select(.ph == "C") | {pid, name}] | unique | length == 2 * 3 * $n' out.json

# What is at stake is memory: a trace of 28 times the events must not take more than a little of it.
memory() { python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' unsync export -q "$1" -o out.json; }
if nm -D "$unsync_binary" 2>/dev/null | grep -q __asan; then
	skips "memory does not grow with the trace" "a build with sanitizers takes what it likes"
else
	holds "memory does not grow with the trace" test \
		"$(memory "$traces/messaging-exact.utrace")" -lt $(($(memory exact.utrace) + 8192))
fi

head -c 5000 native.utrace >cut.utrace
tolerates "cut off" cut.utrace unsync export cut.utrace -o out.json
flip native.utrace 4000 # somewhere in the first block
tolerates "damaged" native.utrace unsync export native.utrace -o out.json
rm -f ./*.json cut.utrace
