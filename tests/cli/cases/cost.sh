# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync cost

unsync replay --no-measure -q -o R.json exact.utrace
unsync replay --no-measure -q -o both.json exact.utrace native.utrace
profile=$source_dir/data/platforms/xeon-2023.json

prints "built-in profiles" '^xeon-2023 ' unsync cost --list
mapfile -t platforms < <(unsync cost --list | cut -d' ' -f1)
holds "four platforms or more" test "${#platforms[@]}" -ge 4
for platform in "${platforms[@]}"; do
	prints "$platform" "^$platform: " unsync cost R.json -p "$platform"
	prints "$platform: prices" "^$platform: " unsync cost --prices -p "$platform"
	holds "$platform: a price without a source" test -z "$(jq -r '.prices[] | select(.source == "")' \
		"$source_dir/data/platforms/$platform.json")"
done
prints "table" '^  sync-on-write +[0-9]' unsync cost R.json -p xeon-2023
prints "by component" 'TLB flushes of the design' unsync cost R.json -p xeon-2023 --components
prints "over the ranges" '^  kvm ' unsync cost R.json -p xeon-2023 --ranges
prints "crossings" '^    emulated write, 0 to ' unsync cost R.json -p xeon-2023 --crossings
prints "among two" 'exact: (kvm|sync-on-write|kvm and sync|sync-on-write and kvm)' \
	unsync cost R.json -p xeon-2023 --among kvm -m sync-on-write
prints "a native trace is not ranked" 'native: nothing to rank' unsync cost both.json -p xeon-2023
prints "CSV" '^exact,xeon-2023,kvm,0,' unsync cost R.json --format csv
prints "a profile as a file" '^xeon-2023: ' unsync cost R.json -p "$profile"
passes "JSON to a file" unsync cost R.json -p xeon-2023 -p intel-2007 --format json -o C.json
holds "JSON: every design on every platform" test "$(jq '.costs | length' C.json)" -eq \
	$((2 * (${#models[@]} - 1)))
holds "JSON: the components are the total" jq -e 'all(.costs[];
	((([.components[].most_ns] | add) - .total.most_ns) | fabs) <= 1e-6 * .total.most_ns + 1e-6)' C.json
holds "JSON: regions have no gaps" jq -e 'all(.sweeps[].regions; .[0].from_ns == 0 and .[-1].to_ns == null
	and ([range(length - 1) as $i | .[$i].to_ns == .[$i + 1].from_ns] | all))' C.json
prints "to standard output" '^xeon-2023: ' unsync cost R.json -p xeon-2023 -o -
holds "the same again" cmp C.json <(unsync cost R.json -p xeon-2023 -p intel-2007 --format json)

fails "nothing to do" 2 "give results files" unsync cost
fails "results and prices" 2 "give results files" unsync cost R.json --prices
fails "no such option" 2 "no option '--cheap'" unsync cost --cheap
fails "no value" 2 "needs a value" unsync cost R.json -p
fails "no such format" 2 "'xml'" unsync cost R.json --format xml
fails "a name without a trace" 2 "profile-from" unsync cost R.json --name mine
fails "no such platform" 1 "^unsync: pdp-11: no platform profile .*--list" unsync cost R.json -p pdp-11
fails "a platform twice" 1 "xeon-2023.*there already" unsync cost R.json -p xeon-2023 -p "$profile"
fails "no such design" 1 "--among magic" unsync cost R.json --among magic
fails "no such results" 1 "^unsync: missing.json: " unsync cost missing.json
fails "a trace for results" 1 "^unsync: exact.utrace: " unsync cost exact.utrace
fails "output into nowhere" 1 "^unsync: no/such/C.json: " unsync cost R.json -o no/such/C.json

# spoil NAME FILTER PATTERN: a profile with one thing wrong is refused, by file and place.
spoil()
{
	jq "$2" "$profile" >"$1.json"
	fails "profile: $1" 1 "^unsync: $1.json: $3" unsync cost R.json -p "$1.json"
	rm "$1.json"
}
spoil negative '.prices.exit.value = -1' "prices.exit: .*negative"
spoil missing 'del(.prices.fill)' "prices.fill: .*missing"
spoil reversed '.prices.emulate.range = [3, 1]' "prices.emulate: .*wrong way round"
spoil outside '.prices.emulate.value = 9' "prices.emulate: .*outside"
spoil huge '.prices.page.range[1] = 1e300' "prices.page: .*beyond"
spoil unit '.prices.table.unit = "miles"' "prices.table: unit 'miles'"
spoil mistyped '.prices.exti = .prices.exit' "prices: no key 'exti'"
spoil version '.["unsync-platform"] = 9' "unsync-platform: "
spoil clock '.ghz = 0' "ghz: "
spoil text '.prices.exit.value = "much"' "prices.exit: .*no number"
sed 's/"value": 0.5,/"value": NaN,/' "$profile" >nan.json
fails "profile: NaN" 1 "^unsync: nan.json: line [0-9]+" unsync cost R.json -p nan.json
sed 's/"ghz": 2.5,/"ghz": 2.5, "ghz": 3,/' "$profile" >twice.json
fails "profile: a key twice" 1 "^unsync: twice.json: .*duplicate" unsync cost R.json -p twice.json
: >empty.json
fails "profile: empty" 1 "^unsync: empty.json: line 1" unsync cost R.json -p empty.json
fails "profile: results" 1 "^unsync: R.json: is no platform profile" unsync cost R.json -p R.json
fails "profile: a folder" 1 "^unsync: ./: is a directory" unsync cost R.json -p ./
fails "profile: missing" 1 "^unsync: none.json: No such file" unsync cost R.json -p none.json
rm nan.json twice.json empty.json

# Out of a capture: of the shipped ones, whose times are an emulator's.
warns "profile from a capture" 'an exit took .*emulated' unsync cost --profile-from \
	"$traces/boot-native.utrace" -o captured.json
prints "what it says" '^captured: .*emulated' unsync cost --prices -p captured.json
prints "costs with it" '^captured: ' unsync cost R.json -p captured.json
warns "named, from another base" 'an exit took' unsync cost --profile-from "$traces/boot-exact.utrace" \
	--name lab -p intel-2009 -o lab.json
holds "both are taken up" jq -e '.name == "lab" and (.prices.page.source | test("intel-2009"))' lab.json
fails "profile from no trace" 1 "^unsync: R.json: " unsync cost --profile-from R.json -o x.json
fails "profile from nothing" 1 "^unsync: missing.utrace: " unsync cost --profile-from missing.utrace
fails "profile from two bases" 2 "one platform" unsync cost --profile-from exact.utrace -p xeon-2023 -p amd-2020
rm -f R.json both.json C.json captured.json lab.json
