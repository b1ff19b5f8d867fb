# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# --format table|json|csv, the same in every verb that prints data.

# csv_shape FILE: at least a head and a line, every line with as many fields as the head, no two of a name.
csv_shape()
{
	python3 - "$1" <<-'END'
	import csv, sys
	with open(sys.argv[1], newline="") as f:
	    rows = list(csv.reader(f, strict=True))
	assert len(rows) >= 2, f"{len(rows)} lines"
	assert len(set(rows[0])) == len(rows[0]) and all(rows[0]), f"heads: {rows[0]}"
	for i, row in enumerate(rows):
	    assert len(row) == len(rows[0]), f"line {i + 1}: {len(row)} fields, not {len(rows[0])}"
	END
}

unsync replay --no-measure -q -o r.json exact.utrace
formats=(
	"info exact.utrace native.utrace"
	"dump native.utrace"
	"models"
	"replay --no-measure -q -m kvm,null exact.utrace"
	"compare r.json r.json"
)
if [[ $(unsync doctor 2>&1) != *"no collector"* ]]; then
	formats+=("doctor")
	fails "record: a format for a trace" 2 "--format is for --list" \
		unsync record -o x.utrace --format csv -- true
fi
for line in "${formats[@]}"; do
	read -ra command <<<"$line"
	verb=${command[0]}
	for format in table json csv; do
		# doctor has its verdict as exit status
		status=0
		run unsync "${command[@]}" --format "$format" || status=$?
		holds "$verb: $format: exit status" test $((status)) -eq 0 -o "$verb" = doctor
		cp "$work/out" "$verb.$format"
	done
	run unsync "${command[@]}"
	holds "$verb: table is the default" diff <(sed 's/20[0-9-]*T[0-9:]*Z//' "$work/out") \
		<([[ $verb == replay ]] || sed 's/20[0-9-]*T[0-9:]*Z//' "$verb.table")
	holds "$verb: JSON" jq -es 'length >= 1' "$verb.json"
	case $verb in
	compare) holds "compare: CSV has its head" grep -qx 'class,trace,model,what,.*verdict' compare.csv ;;
	*) holds "$verb: CSV is a table" csv_shape "$verb.csv" ;;
	esac
	fails "$verb: no such format" 2 "no format 'xml'; choose table, json or csv" \
		unsync "${command[@]}" --format xml
	fails "$verb: format without a value" 2 "needs a value" unsync "${command[@]}" --format
done
holds "dump: a line of CSV for each event" test "$(wc -l <dump.csv)" = "$(($(wc -l <dump.json) + 1))"
holds "dump: CSV says what JSON says" python3 - <<'END'
import csv, json
with open("dump.csv", newline="") as f:
    rows = list(csv.DictReader(f))
with open("dump.json") as f:
    events = [json.loads(line) for line in f]
assert {k for e in events for k in e} <= set(rows[0]), "columns are missing"
kinds = set()
for row, event in zip(rows, events, strict=True):
    kinds.add(event["kind"])
    for key, value in event.items():
        if value is None:
            wanted = ""
        elif key == "walk":
            wanted = ";".join(f"{level}:{entry}" for level, entry in value.items())
        elif key == "entries":
            wanted = ";".join(f"{index}:{entry}" for index, entry in value)
        else:
            wanted = json.dumps(value) if isinstance(value, bool) else str(value)
        assert row[key] == wanted, f"{event}: {key} is {row[key]!r}"
    assert all(not v for k, v in row.items() if k not in event), f"too much: {row}"
assert {"fault", "write", "page-new", "host-unsync"} <= kinds, kinds
END
holds "info: CSV says what JSON says" python3 - <<'END'
import csv, json
def flat(value, path=""):
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if members is None:
        text = "" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)
        yield path, text
        return
    for key, member in members:
        yield from flat(member, f"{path}.{key}" if path else str(key))
with open("info.csv", newline="") as f:
    rows = [(r["file"], r["key"], r["value"]) for r in csv.DictReader(f)]
wanted = []
with open("info.json") as f:
    for line in f:
        info = json.loads(line)
        name = info.pop("file")
        wanted += [(name, k, v) for k, v in flat(info)]
def close(a, b):
    return a == b or abs(float(a[2]) - float(b[2])) < 1e-3
assert len(rows) == len(wanted) and all(map(close, rows, wanted)), "not the same"
END
holds "models: CSV has every option" test \
	"$(jq '[.[].options[]] | length' models.json)" = "$(grep -c '^[^,]*,option,' models.csv)"
rm -f ./*.json ./*.csv ./*.table
