# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync plot

unsync replay --passes 2 -q -o measured.json exact.utrace native.utrace 2>/dev/null
unsync replay --no-measure -q -o counted.json exact.utrace 2>/dev/null

# What is wrong with the request comes to light before anybody asks for gnuplot.
fails "no results" 2 "at least one results file" unsync plot
fails "no folder" 2 "-o DIR" unsync plot measured.json
fails "folder without a value" 2 "needs a value" unsync plot measured.json -o
fails "empty folder name" 2 "-o DIR" unsync plot measured.json -o ""
fails "no such platform" 1 "^unsync: pdp-11: " unsync plot measured.json -o report -p pdp-11
fails "no profile" 1 "^unsync: ./measured.json: is no platform profile" \
	unsync plot measured.json -o report -p ./measured.json
fails "no such format" 2 "'jpeg' is no format" unsync plot measured.json -o report --format jpeg
fails "no such file" 1 "^unsync: missing.json: " unsync plot missing.json -o report
fails "a folder for results" 1 "^unsync: \.: " unsync plot . -o report
: >empty.json
fails "empty results" 1 "^unsync: empty.json: " unsync plot empty.json -o report
echo '{"schema": "unsync-results", "version": 1' >cut.json
fails "results cut off" 1 "^unsync: cut.json: " unsync plot cut.json -o report
echo '{"schema": "something-else", "version": 1}' >other.json
fails "other JSON" 1 "^unsync: other.json: " unsync plot other.json -o report
jq '.version = 99' measured.json >newer.json
fails "results of another version" 1 "^unsync: newer.json: .*version" unsync plot newer.json -o report
echo '[1, 2, 3]' >list.json
fails "a list" 1 "^unsync: list.json: " unsync plot list.json -o report
jq '.runs = "none"' measured.json >runs.json
fails "runs are no list" 1 "^unsync: runs.json: " unsync plot runs.json -o report
jq '.runs[0].counted.exit_fault = "many"' measured.json >word.json
fails "a count is a word" 1 "^unsync: word.json: .*exit_fault" unsync plot word.json -o report
jq '.runs[0].trace = "nowhere"' measured.json >nowhere.json
fails "a run of no trace" 1 "^unsync: nowhere.json: " unsync plot nowhere.json -o report
jq '.runs = []' measured.json >none.json
fails "no runs" 1 "^unsync: none.json: " unsync plot none.json -o report
fails "a trace for results" 1 "^unsync: exact.utrace: " unsync plot exact.utrace -o report
fails "a bad one among good ones" 1 "^unsync: other.json: " unsync plot measured.json other.json -o report
jq '.traces[0].xxh64 = "0123456789abcdef"' measured.json >mixed.json
fails "mixed traces" 1 "^unsync: mixed.json: traces\\[0\\]: .*another content.*one by one" \
	unsync plot measured.json mixed.json -o report
fails "the same results twice" 1 "^unsync: measured.json: runs\\[0\\]: .*there already" \
	unsync plot measured.json measured.json -o report
mkdir own
echo "mine" >own/notes
fails "a folder that holds something else" 1 "^unsync: own" unsync plot measured.json -o own
fails "a folder in a file" 1 "^unsync: own/notes" unsync plot measured.json -o own/notes/report
mkdir bare
ln -s "$(command -v sh)" bare/sh
fails "no gnuplot" 1 "gnuplot" env PATH="$PWD/bare" "$unsync_binary" plot measured.json -o report
rm -rf empty.json cut.json other.json newer.json list.json runs.json word.json nowhere.json none.json mixed.json \
	bare

if ! command -v gnuplot >/dev/null; then
	skips "charts" "gnuplot is not installed"
	return
fi

# chart_check DIR: every chart in it is there in both formats, with its data, and draws something.
chart_check()
{
	local svg n=0
	for svg in "$1"/charts/*.svg; do
		n=$((n + 1))
		[[ $(head -c 8 "${svg%.svg}.png" | od -An -tx1 | tr -d ' ') == 89504e470d0a1a0a ]] ||
			{ echo "${svg%.svg}.png is no PNG"; return 1; }
		grep -q '</svg>' "$svg" || { echo "$svg is cut off"; return 1; }
		[[ $(wc -l <"${svg%.svg}.csv") -ge 2 ]] || { echo "${svg%.svg}.csv holds nothing"; return 1; }
	done
	((n >= 5)) || { echo "only $n charts"; return 1; }
}

# self_contained PAGE: nothing in it is fetched from anywhere.
self_contained()
{
	! grep -Eoi '(src|href|url\()="?(https?:|//|file:|/)[^" ]*' "$1"
}

# explained DIR: docs/reading-charts.md has a line for every kind of chart.
explained()
{
	local svg name bad=0
	for svg in "$1"/charts/*.svg; do
		name=$(basename "$svg" .svg)
		name=${name%-exact}
		name=${name%-native}
		grep -qE "^\\| ([a-z-]+, )?$name(, [a-z-]+)? \\|" "$source_dir/docs/reading-charts.md" ||
			{ echo "$name is not explained"; bad=1; }
	done
	return $bad
}

prints "report" '^report/index.html$' unsync plot measured.json -o report
holds "report: charts" chart_check report
holds "report: page names every model" test -z "$(for model in "${models[@]}"; do
	grep -qF "$model" report/index.html || echo "$model"
done)"
holds "report: every chart is explained" explained report
holds "report: page is whole" grep -q '</html>' report/index.html
holds "report: page fetches nothing" self_contained report/index.html
holds "report: native trace has its warning" grep -qi 'lower bound' report/index.html
passes "one platform of one's own" unsync plot measured.json -q -o priced -p intel-2007 \
	-p "$source_dir/data/platforms/xeon-2023.json"
holds "those platforms and no others" test "$(tail -n +2 priced/charts/total-overview.csv |
	cut -d, -f1 | sort -u | tr '\n' ' ')" = "intel-2007 xeon-2023 "
holds "crossings of the first" grep -q 'intel-2007' priced/charts/crossing-exact.regions.csv
rm -rf priced
passes "report is replaced" unsync plot counted.json -q -o report
holds "report was replaced: nothing of the native trace" test -z "$(find report -name '*native*')"
passes "forced into a folder that holds something else" unsync plot measured.json -q -f -o own
holds "what was there is left alone" grep -qx mine own/notes
passes "SVG only" unsync plot measured.json -q --format svg -o svg
holds "SVG only: no PNG" test -z "$(find svg -name '*.png')"
for model in "${models[@]}"; do
	unsync replay --no-measure -q --model "$model" -o one.json exact.utrace
	passes "$model alone" unsync plot one.json -q -o one
	holds "$model alone: page names it" grep -qF "$model" one/index.html
	rm -rf one one.json
done
fails "charts cannot be written" 1 "^unsync: /proc/report" unsync plot measured.json -o /proc/report
rm -rf report own svg measured.json counted.json
