#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Usage: results_schema.py UNSYNC MKTRACE SCHEMA

Results of a replay, counted and measured, fit the schema; damaged ones do not.
Exits 77 (skipped) without python3-jsonschema.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(77)

unsync, mktrace, schema_path = sys.argv[1:4]
with open(schema_path) as f:
    schema = json.load(f)
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)


def replay(*args):
    return json.loads(subprocess.run([unsync, "replay", *args], check=True, stdout=subprocess.PIPE).stdout)


def must_fit(results, what):
    errors = list(validator.iter_errors(results))
    for e in errors:
        print(f"{what}: {'/'.join(map(str, e.absolute_path))}: {e.message}")
    if errors:
        sys.exit(1)


def must_not_fit(results, what, change):
    broken = copy.deepcopy(results)
    change(broken)
    if validator.is_valid(broken):
        print(f"{what}: passes the schema, but should not")
        sys.exit(1)


def set_key(path, value):
    def change(o):
        for key in path[:-1]:
            o = o[key]
        o[path[-1]] = value
    return change


def drop_key(path):
    def change(o):
        for key in path[:-1]:
            o = o[key]
        del o[path[-1]]
    return change


with tempfile.TemporaryDirectory() as room:
    os.chdir(room)
    subprocess.run([mktrace, "native", "20", "3", "small.utrace"], check=True)
    counted = replay("small.utrace", "--no-measure", "--verify", "-o", "-")
    few = replay("small.utrace", "--passes", "2", "-o", "-")
    measured = replay("small.utrace", "--model", "all", "--model", "oos-per-root:globals=0", "-o", "-")

for name, results in (("counted", counted), ("two passes", few), ("measured", measured)):
    must_fit(results, name)
    for key in results:
        must_not_fit(results, f"{name} without {key}", drop_key([key]))
    must_not_fit(results, "another version", set_key(["version"], 2))
    must_not_fit(results, "a negative count", set_key(["runs", 0, "counted", "writes"], -1))
    must_not_fit(results, "a count with a fraction", set_key(["traces", 0, "events"], 1.5))
    must_not_fit(results, "no timeline", drop_key(["runs", 0, "timeline"]))
    must_not_fit(results, "no such mode", set_key(["traces", 0, "mode"], "guess"))
must_not_fit(measured, "an interval of three", set_key(["runs", 0, "measured", "total", "ci95"], [1, 2, 3]))
must_not_fit(measured, "a clock without a machine", drop_key(["context", "cpu"]))
synced = next(i for i, r in enumerate(measured["runs"]) if r["measured"]["floor"])
must_not_fit(measured, "a floor without a ratio", drop_key(["runs", synced, "measured", "floor", "ratio"]))
must_not_fit(measured, "no raw readings of the floor",
             drop_key(["runs", synced, "measured", "floor", "read_ns", "values"]))
must_not_fit(measured, "a cost without an interval",
             drop_key(["runs", synced, "measured", "cost", "table", "ci95"]))
must_not_fit(measured, "a counter that no processor has",
             set_key(["context", "hardware", "unavailable", "luck"], "there is none"))
must_not_fit(measured, "a counter of one run that no processor has",
             set_key(["runs", 0, "measured", "hardware"], {"luck": {}}))
must_not_fit(measured, "a level without a size", drop_key(["traces", 0, "floor", 0, "set_bytes"]))

assert all(r["measured"] is None for r in counted["runs"]) and set(counted["context"]) == {"tool", "warnings"}
assert all(r["measured"]["total"]["ci95"] is None for r in few["runs"])
assert all(len(r["measured"]["total"]["ci95"]) == 2 for r in measured["runs"])
hardware = measured["context"]["hardware"]
assert set(hardware["available"]) | set(hardware["unavailable"]) == {
    "cycles", "instructions", "llc_misses", "dtlb_misses"}
for r in measured["runs"]:
    m, synced = r["measured"], r["counted"]["tables_synced"] > 0
    assert set(m.get("hardware", {})) == set(hardware["available"]), r["label"]
    assert (m["floor"] is not None) == (m["cost"]["table"] is not None) == synced, r["label"]
    assert ("above_null" in m) == (r["model"] != "null"), r["label"]
    assert len(m["away_ns"]) == len(m["interrupted"]) == m["passes"], r["label"]
    assert all(t <= a + 1 for t, a in zip(m["table_ns"], m["resync_ns"])), r["label"]
assert "oos-per-root(globals=0)" in [r["label"] for r in measured["runs"]]
for r in counted["runs"]:
    assert set(r["counted"]) == set(counted["glossary"]["counters"])
    assert set(r["resyncs"]) == set(counted["glossary"]["causes"])
    assert r["counted"]["resyncs"] == sum(c["count"] for c in r["resyncs"].values()), r["label"]
