# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync replay

count=(unsync replay --no-measure)

# Every model, on its own.
for model in "${models[@]}"; do
	for trace in exact native; do
		prints "$model: $trace" "^$model +[0-9]" "${count[@]}" --model "$model" $trace.utrace
	done
	prints "$model: CSV" "^exact,$model,$model,[0-9]" \
		"${count[@]}" --model "$model" --format csv exact.utrace
	passes "$model: JSON" "${count[@]}" --model "$model" -q -o one.json exact.utrace
	holds "$model: JSON holds one run" jq -e --arg m "$model" \
		'[.runs[].model] == [$m]' one.json
	passes "$model: again" "${count[@]}" --model "$model" -q -o two.json exact.utrace
	holds "$model: counts are the same every time" cmp \
		<(jq -S 'del(.context)' one.json) <(jq -S 'del(.context)' two.json)
	passes "$model: measured" unsync replay --passes 2 --model "$model" -q -o timed.json exact.utrace
	holds "$model: measuring does not change the counts" cmp \
		<(jq -S '[.runs[].counted]' one.json) \
		<(jq -S '[.runs[].counted]' timed.json)
	rm -f one.json two.json timed.json

	for trace in exact native; do
		prints "$model: verified: $trace" \
			"^$model +verified: 0 violations in [0-9]+ events, [0-9]+ checks" \
			"${count[@]}" --verify --model "$model" $trace.utrace
	done

	# every option with its own default, and with values that cannot be
	while read -r option type default; do
		prints "$model: $option=$default" "^$model" \
			"${count[@]}" --model "$model:$option=$default" exact.utrace
		fails "$model: $option without a value" 2 "$option" \
			"${count[@]}" --model "$model:$option" exact.utrace
		fails "$model: $option=nonsense ($type)" 2 "$option" \
			"${count[@]}" --model "$model:$option=nonsense" exact.utrace
	done < <(unsync models --json "$model" | jq -r '.[].options[] | "\(.name) \(.type) \(.default)"')
	while read -r option max; do
		fails "$model: $option above its range" 2 "$option" \
			"${count[@]}" --model "$model:$option=$((max + 1))" exact.utrace
		fails "$model: $option below zero" 2 "$option" \
			"${count[@]}" --model "$model:$option=-1" exact.utrace
	done < <(unsync models --json "$model" |
		jq -r '.[].options[] | select(.type == "number") | "\(.name) \(.max)"')
	fails "$model: unknown option" 2 "nonsense" \
		"${count[@]}" --model "$model:nonsense=1" exact.utrace
done

# All of them together.
passes "all models" "${count[@]}" --model all --format json exact.utrace native.utrace
cp "$work/out" all.json
holds "all: each model once on each trace" jq -e --argjson n "${#models[@]}" \
	'[.runs[] | "\(.trace) \(.model)"] | length == 2 * $n and length == (unique | length)' all.json
holds "all: nothing but counts" jq -e \
	'(.runs | length > 0) and all(.runs[]; (.counted | length > 0) and .measured == null)' all.json
holds "the same guest writes for every model" jq -e \
	'.runs | group_by(.trace) | length == 2 and
		all(.[]; map(.counted.writes) | unique | length == 1 and .[0] > 0)' all.json
holds "sync-on-write: no table out of sync" jq -e \
	'.runs[] | select(.trace == "exact" and .model == "sync-on-write") | .counted |
		.unsyncs == 0 and .unsync_peak == 0 and .writes_emulated > 0' all.json
holds "null: no exit at all" jq -e \
	'.runs[] | select(.trace == "exact" and .model == "null") | .counted |
		[to_entries[] | select(.key | startswith("exit_")) | .value] | add == 0' all.json
prints "default is all models" "^unsync-bitmap" "${count[@]}" exact.utrace
prints "the same model twice is one" "^null" "${count[@]}" --model null,null --model null exact.utrace
holds "the same model twice is one line a table" test "$(grep -c '^null' "$work/out")" -le 3
prints "- is standard output" '"schema": "unsync-results"' \
	"${count[@]}" --model null -o - exact.utrace
passes "the same trace twice" "${count[@]}" --model null -q -o twice.json exact.utrace ./exact.utrace
holds "the same trace twice: told apart" jq -e '[.traces[].id] | unique | length == 2' twice.json
rm -f all.json twice.json
warns "native: says that writes are lower bounds" "lower bounds" "${count[@]}" native.utrace
warns "losses: says so" "lost" "${count[@]}" lossy.utrace
holds "losses: and how many" grep -q 12 "$work/err"

# What the recorded host did itself.
native=$traces/messaging-native.utrace
passes "agreement" "${count[@]}" --model unsync-bitmap,sync-on-write --mismatches 3 \
	--format json "$native" "$traces/boot-exact.utrace"
cp "$work/out" agree.json
holds "agreement: nearly everything is matched" jq -e \
	'.runs[] | select(.trace == "messaging-native" and .model == "unsync-bitmap") | .agreement |
		[.unsync, .sync] | all(.[]; .host > 1000 and .recall > 0.99 and .precision > 0.99)' agree.json
holds "agreement: no more is listed than asked for" jq -e \
	'[.runs[].agreement | select(. != null) | .mismatches | length] | length == 1 and .[0] <= 3' agree.json
holds "agreement: only where there is ground truth, for models that predict it" jq -e \
	'all(.runs[]; (.agreement == null) ==
		(.trace != "messaging-native" or .model != "unsync-bitmap"))' agree.json
prints "agreement: in the table" "^unsync-bitmap +sync +[1-9]" \
	"${count[@]}" --model unsync-bitmap "$native"
rm -f agree.json
pair=$source_dir/tests/known/pairs/linux-6.12
passes "verified: JSON" "${count[@]}" --verify -q -o verified.json exact.utrace
holds "verified: every run says so" jq -e \
	'.runs | length > 3 and all(.verified | .violations == 0 and .first == [] and .events > 0)' \
	verified.json
passes "verified: not asked for" "${count[@]}" -q -o plain.json exact.utrace
holds "verified: changes nothing else" cmp \
	<(jq -S 'del(.context, .runs[].verified)' verified.json) <(jq -S 'del(.context)' plain.json)
fails "verified: not with --predict" 2 "do not go together" \
	unsync replay exact.utrace --verify --predict native.utrace
rm -f verified.json plain.json
prints "prediction" "6 VMs, 6 alike event by event" \
	unsync replay "$pair-exact.utrace" --predict "$pair-native.utrace" --model unsync-bitmap
status=0
run unsync replay "$pair-exact.utrace" --predict "$pair-native.utrace" -m sync-on-write || status=$?
holds "prediction: a model that does something else" test "$status" = 1
fails "prediction: the other way round" 1 "is no native trace" \
	unsync replay "$pair-native.utrace" --predict "$pair-exact.utrace"

# Times: every table, the floor, what could not be counted; each warning once.
times=$traces/boot-exact.utrace
passes "times" unsync replay --model null,kvm,unsync-bitmap,ideal --passes 6 "$times" exact.utrace \
	-o times.json --format table
cp "$work/out" times.txt
for line in "time +total +MAD +above null +events/s +95 % interval" \
	"kvm( +-?[0-9.]+ [num]?s){3} +[0-9.]+ [kM] +[0-9.]+ [kM] - [0-9.]+ [kM]" \
	"resyncs +count +p50 +p90 +p99 +p99\.9 +max +all of it +95 % interval" \
	"kvm +9756( +[0-9.]+ [num]?s){6}" \
	"cost of +a resync +a table +an entry +a change +in vain +tables in +floor +times it" \
	"ideal +[0-9.]+ [num]?s( +-){7} " \
	"reading a table of 4 KiB takes at least: [0-9.]+ [nu]s from L1"; do
	holds "times: the table says '${line:0:20}'" grep -Eq "^$line" times.txt
done
holds "times: the processor's counters, or why not" grep -Eq \
	"^processor +cycles|^note: not counted: .*cycles.*: (the processor|not permitted|the kernel|another)" \
	times.txt
holds "times: no note twice" test -z "$(grep '^note: ' times.txt | sed 's/.*: //' | sort | uniq -d)"
holds "times: no warning twice" jq -e \
	'[.context.warnings[] | sub(".*: "; "")] | length == (unique | length)' times.json
holds "times: at least what reading takes" jq -e \
	'[.runs[].measured.floor | select(. != null)] | length == 4 and all(.ratio.median > 0.5)' times.json
prints "times: CSV" "^null,|^[^,]*,null," unsync replay --model null,kvm --passes 2 --format csv "$times"
holds "times: CSV has as many fields in each line" test \
	"$(awk -F, '{ print NF }' "$work/out" | sort -u | wc -l)" = 1
holds "times: CSV has costs and the floor" grep -q \
	",resync_p999_ns,above_null_ns,cost_resync_ns,.*,floor_read_ns,floor_ratio,cycles" "$work/out"
rm -f times.json times.txt

# Output.
(umask 022; run "${count[@]}" --model null -q -o out.json exact.utrace)
holds "results are a proper file" test -s out.json
passes "results are replaced" "${count[@]}" --model null -q -o out.json native.utrace
holds "results were replaced" jq -e '.traces[0].id == "native"' out.json
rm -f out.json
fails "output in a folder that is not there" 1 "^unsync: no/such/r.json: " \
	"${count[@]}" -q -o no/such/r.json exact.utrace
fails "output is a folder: said before the work is done" 1 "^unsync: \.: is a folder" \
	"${count[@]}" -q -o . exact.utrace
fails "output without a name" 1 "needs a name" "${count[@]}" -q -o "" exact.utrace
fails "full disk" 1 "standard output" sh -c 'unsync replay --no-measure exact.utrace >/dev/full'

# Usage.
fails "no trace" 2 "which trace" "${count[@]}"
fails "no such model" 2 "no model 'nonsense'" "${count[@]}" --model nonsense exact.utrace
fails "empty model" 2 "no model ''" "${count[@]}" --model "" exact.utrace
fails "model list with a hole" 2 "no model ''" "${count[@]}" --model null,,null exact.utrace
fails "colon without options" 2 "null" "${count[@]}" --model null: exact.utrace
fails "no such format" 2 "no format 'xml'" "${count[@]}" --format xml exact.utrace
fails "no threads" 2 "^unsync replay: -j 0: give a number from 1" unsync replay -j 0 exact.utrace
fails "threads that are none" 2 "^unsync replay: -j many" unsync replay --jobs many exact.utrace
fails "no passes" 2 "passes" unsync replay --passes 0 exact.utrace
fails "passes without sense" 2 "passes" unsync replay --passes many exact.utrace
fails "too many passes" 2 "passes" unsync replay --passes 99999999999999999999 exact.utrace
fails "option without a value" 2 "needs a value" unsync replay exact.utrace --model
fails "two things on standard output" 2 "standard output" \
	"${count[@]}" -o - --format table exact.utrace

# Input.
fails "no such file" 1 "^unsync: missing.utrace: " "${count[@]}" missing.utrace
fails "a folder" 1 "^unsync: \.: " "${count[@]}" .
fails "a pipe" 1 "^unsync: -: " "${count[@]}" -
mkfifo pipe.utrace
fails "a named pipe" 1 "^unsync: pipe.utrace: .*pipe does not allow" "${count[@]}" pipe.utrace
rm -f pipe.utrace
: >empty.utrace
fails "empty file" 1 "^unsync: empty.utrace: " "${count[@]}" empty.utrace
echo "this is no trace, only a line of text that is long enough to be read" >text.utrace
fails "no trace at all" 1 "^unsync: text.utrace: " "${count[@]}" text.utrace
fails "a bad one among good ones" 1 "^unsync: text.utrace: " "${count[@]}" exact.utrace text.utrace
fails "a bad one among good ones: no results" 1 "^unsync: text.utrace: " \
	"${count[@]}" -q -o r.json exact.utrace text.utrace
# what comes before the damage counts, with a warning
head -c $(($(stat -c %s exact.utrace) * 2 / 3)) exact.utrace >cut.utrace
tolerates "cut off" cut.utrace "${count[@]}" -q -o cut.json cut.utrace
rm -f empty.utrace text.utrace cut.utrace cut.json

# Losses, by cause and kind: said at once, in the results, and on the page.
warns "losses" "12 events were lost while it was captured .ring-full: 12 of any kind.; counts" \
	unsync replay --no-measure -q lossy.utrace -o lossy.json
holds "losses in the results" jq -e '.traces[0] | .lost == 12 and
	.losses == [{cause: "ring-full", kind: "any", count: 12}]' lossy.json
passes "losses: a page" unsync plot lossy.json -o lossy-page
holds "losses on the page" grep -rq "ring-full: 12 of any kind" lossy-page
passes "no losses" unsync replay --no-measure -q exact.utrace -o lossless.json
holds "no losses, no list of them" jq -e '.traces[0] | .lost == 0 and (has("losses") | not)' lossless.json
rm -rf lossy.json lossy-page lossless.json
