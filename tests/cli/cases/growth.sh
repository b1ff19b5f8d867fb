# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync plot: what costs grow with

points=()
for n in 1 2 4; do
	unsync gen --rounds 8 --tables $n -o tables-$n.utrace
	unsync gen --rounds 8 --tables 2 --changed $((n * 3)) -o changed-$n.utrace
	points+=("tables-$n.utrace" "changed-$n.utrace")
done
unsync gen --rounds 8 --tables 2 --seed 7 -o seed.utrace
unsync gen --rounds 8 --tables 2 -o again.utrace
designs=(--model "kvm,sync-on-write,null,virtual-tlb")
unsync replay -q --passes 6 "${designs[@]}" "${points[@]}" -o growth.json 2>/dev/null
unsync replay -q --passes 2 "${designs[@]}" exact.utrace again.utrace -o exact.json 2>/dev/null
unsync replay -q --no-measure "${designs[@]}" "${points[@]}" -o counted.json 2>/dev/null
unsync replay -q --no-measure "${designs[@]}" tables-1.utrace tables-2.utrace seed.utrace -o few.json
jq '.traces[0].synthetic = 7' counted.json >number.json
jq '.traces[0].synthetic.tables = -1' counted.json >negative.json
jq '.traces[0].synthetic.tables = [1]' counted.json >array.json

fails "parameters that are none" 1 "^unsync: number.json: traces\[0\].synthetic" unsync plot number.json -o x
fails "a negative one" 1 "^unsync: negative.json: traces\[0\].synthetic.tables" unsync plot negative.json -o x
fails "a list" 1 "^unsync: array.json: traces\[0\].synthetic.tables" unsync plot array.json -o x

if ! command -v gnuplot >/dev/null; then
	skips "charts of growth" "gnuplot is not installed"
	return
fi

# line FILE PATTERN: the one line of a CSV file that matches.
line() { [[ $(grep -cE "$2" "$1") == 1 ]]; }

passes "growth along with a recorded trace" unsync plot -q exact.json growth.json -o page
charts=page/charts
for chart in growth-resync growth-writes; do
	for suffix in csv svg png; do
		holds "$chart.$suffix" test -s "$charts/$chart.$suffix"
	done
done
# tables-2 is one of those with another number of entries changed, too.
holds "three points and four for each design" test "$(grep -c ,kvm, $charts/growth-resync.csv)" = 7
holds "by rising value" test "$(awk -F , '$1 == "changed" && $4 == "kvm" { printf "%s ", $2 }' \
	$charts/growth-resync.csv)" = "3 4 6 12 "
holds "null is not there" sh -c '! grep -q ,null, "$1"' sh $charts/growth-resync.csv
# 3 of 4 writes to each of 2 tables, and 8 rounds; with the third one the table is given up.
holds "counts are those of the replay" line $charts/growth-writes.csv '^tables,2,[0-9],sync-on-write,6,8,48,'
exits=$(jq '.runs[] | select(.trace == "tables-4" and .model == "sync-on-write").counted.exit_table_write' \
	counted.json)
holds "for each CR3 write: $exits / 8" line $charts/growth-writes.csv \
	"^tables,4,[0-9],sync-on-write,$((exits / 8)),8,$exits,"
times=$(jq -r '.runs[] | select(.trace == "tables-1" and .model == "kvm").measured.resync_total |
	"\(.median) \(.ci95[0]) \(.ci95[1])"' growth.json)
holds "times are those of the replay: $times ns in 8 rounds" awk -F , -v times="$times" '
	$1 == "tables" && $2 == 1 && $4 == "kvm" {
		split(times, want, " ")
		for (i = 1; i <= 3; i++)
			good += ($(i + 4) * 8000 - want[i]) ^ 2 <= (1e-4 * want[i]) ^ 2
	}
	END { exit good != 3 }' $charts/growth-resync.csv
holds "no other chart has them" sh -c '! ls "$1" | grep -qE "tables-|changed-|again"' sh $charts
holds "nor the comparison" sh -c '! grep -qE "tables-|changed-|again" "$1"' sh $charts/exits-overview.csv
holds "the recorded one is there" grep -q '^exact,' $charts/exits-overview.csv

passes "growth alone" unsync plot -q counted.json -o alone
holds "no times, no chart of times" test ! -e alone/charts/growth-resync.csv
holds "but of counts" test -s alone/charts/growth-writes.svg
passes "two points and another seed make no series" unsync plot -q few.json -o few
holds "so there is no such chart" test ! -e few/charts/growth-writes.csv
holds "and all are shown" test -s few/charts/exits-seed.svg
rm -rf page alone few ./*.json ./*tables-*.utrace changed-*.utrace seed.utrace again.utrace

# scripts/growth
passes "the script counts" "$source_dir/scripts/growth" --unsync "$unsync_binary" -o out -- \
	--no-measure --model kvm
holds "each thing is varied" jq -e '[.traces[].synthetic | .tables, .roots * 1000, .levels * 100000] | unique |
	length > 15' out/growth.json
holds "no trace twice" jq -e '[.traces[].xxh64] | length > 25 and length == (unique | length)' out/growth.json
fails "unknown option" 2 "no option '--what'" "$source_dir/scripts/growth" --what
fails "no value" 2 "needs a value" "$source_dir/scripts/growth" -o
rm -rf out
