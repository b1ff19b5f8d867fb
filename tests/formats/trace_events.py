#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Usage: trace_events.py FILE [--kinds KIND=N,...] [--counter NAME=MAX] [--windows N]

Is FILE Trace Event JSON that a viewer can take? Holds it to the format's rules: what each kind of event
must have, that slices on a track begin and end in pairs and in the order of time, that every process and
thread that is used has a name, and no other. With --kinds, how often each kind of moment ('i', by its
category) must occur.
"""
import argparse
import collections
import json
import sys

parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("--kinds", default="")
parser.add_argument("--counter", default="")
parser.add_argument("--windows", type=int)
args = parser.parse_args()

required = {
    "B": {"ts", "tid"},
    "E": {"ts", "tid"},
    "X": {"ts", "tid", "dur", "args"},
    "i": {"ts", "tid", "s", "cat", "args"},
    "b": {"ts", "id", "cat", "args"},
    "e": {"ts", "id", "cat"},
    "C": {"ts", "args"},
    "M": {"args"},
}


def no_twice(pairs):
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key is there twice: {keys}"
    return dict(pairs)


def no_constant(name):
    raise AssertionError(f"{name} is no JSON")


def whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 32


with open(args.file, encoding="utf-8") as f:
    document = json.load(f, object_pairs_hook=no_twice, parse_constant=no_constant)
assert set(document) == {"displayTimeUnit", "traceEvents", "otherData"}, set(document)
assert document["displayTimeUnit"] in ("ms", "ns")

named, used, last, top = set(), set(), {}, {}
stacks = collections.defaultdict(list)
windows, closed = {}, 0
moments = collections.Counter()
counters = {}
for e in document["traceEvents"]:
    ph = e.get("ph")
    assert ph in required, f"no such kind of event: {e}"
    missing = required[ph] - set(e)
    assert not missing, f"{missing} missing: {e}"
    assert isinstance(e.get("name"), str) and whole(e.get("pid")), e
    assert "tid" not in e or whole(e["tid"]), e
    pid, tid = e["pid"], e.get("tid")
    if ph == "M":
        key = ("thread", pid, tid) if e["name"].startswith("thread_") else ("process", pid)
        if e["name"].endswith("_name"):
            assert isinstance(e["args"]["name"], str) and e["args"]["name"], e
            named.add(key)
        elif e["name"].endswith("_sort_index"):
            assert isinstance(e["args"]["sort_index"], int), e
        else:
            assert e["name"] == "process_labels" and isinstance(e["args"]["labels"], str), e
        continue
    assert isinstance(e["ts"], (int, float)) and e["ts"] >= 0, e
    used.add(("process", pid))
    if tid is not None:
        used.add(("thread", pid, tid))
    if ph in "BEXi":
        track = (pid, tid)
        assert e["ts"] >= last.get(track, 0), f"time goes back on a track: {e}, {last[track]}"
        last[track] = e["ts"]
    if ph == "B":
        stacks[track].append(e)
    elif ph == "E":
        assert stacks[track], f"ends what has not begun: {e}"
        stacks[track].pop()
    elif ph == "X":
        assert e["dur"] >= 0 and not stacks[track], e
        # to the nanosecond: three digits after the point
        assert round(e["ts"] * 1000) >= top.get(track, 0), f"overlaps the one before: {e}"
        top[track] = round(e["ts"] * 1000) + round(e["dur"] * 1000)
    elif ph == "i":
        assert e["s"] in ("g", "p", "t"), e
        moments[e["cat"]] += 1
    elif ph == "b":
        key = (e["cat"], e["id"])
        assert key not in windows, f"begins twice: {e}"
        windows[key] = e
    elif ph == "e":
        begun = windows.pop((e["cat"], e["id"]), None)
        assert begun, f"ends what has not begun: {e}"
        assert begun["ts"] <= e["ts"] and begun["name"] == e["name"] and begun["pid"] == pid, e
        closed += 1
    elif ph == "C":
        counter = (pid, e["name"])
        assert e["args"] and all(isinstance(v, (int, float)) for v in e["args"].values()), e
        assert e["ts"] >= counters.get(counter, (0, 0))[0], f"time goes back in a counter: {e}"
        counters[counter] = (e["ts"], max([counters.get(counter, (0, 0))[1], *e["args"].values()]))

assert not windows, f"never end: {list(windows.values())[:3]}"
assert not any(stacks.values()), "slices that never end"
assert used <= named, f"without a name: {used - named}"
for item in filter(None, args.kinds.split(",")):
    kind, n = item.split("=")
    assert moments[kind] == int(n), f"{moments[kind]} moments of kind {kind}, not {n}"
if args.counter:
    name, most = args.counter.split("=")
    found = [v[1] for (_, n), v in counters.items() if n.startswith(name)]
    assert found and max(found) == int(most), f"counter '{name}': most {found}, not {most}"
if args.windows is not None:
    assert closed == args.windows, f"{closed} windows, not {args.windows}"
print(f"{len(document['traceEvents'])} events, {closed} windows, {len(counters)} counters")
sys.exit(0)
