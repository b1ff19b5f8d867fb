#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Usage: same_events.py UNSYNC FIRST SECOND [LEAST]

Two captures of one guest must tell the same of the time that they share, between the marks "here" and
"there": every control event, write and page event, with all that stands in it, in the same order.

The hooks of two captures fire one after the other, so the same event has two times. The guest writes
0x1000 to CR3 once a round, and rests for longer than hooks take; of the first and of the last rounds
those are taken as the ends of what is compared whose times are nearest to each other.

LEAST: how many events there must be (default 1000). Exit status 0 if all are the same.
"""
import subprocess
import sys

KINDS = {"cr", "invlpg", "write", "page-new", "page-found", "page-zap", "host-unsync", "host-sync"}
ROUND = "cr cr3 0x1000"


def load(unsync, trace):
    """[(ns since boot, text)] of what is compared, and the times of the marks"""
    info = subprocess.run([unsync, "info", trace], capture_output=True, text=True).stdout
    start = next(int(line.split()[1]) for line in info.splitlines() if line.split()[:1] == ["start_ns"])
    dump = subprocess.run([unsync, "dump", trace], capture_output=True, text=True, check=True)
    events, marks = [], []
    for line in dump.stdout.splitlines():
        words = line.split()
        seconds, fraction = words[0].split(".")
        time = start + int(seconds) * 10**9 + int(fraction)
        if words[2] == "mark":
            marks.append(time)
        elif words[2] in KINDS:
            events.append((time, " ".join(words[2:])))
    if len(marks) != 2:
        sys.exit(f"{trace}: {len(marks)} marks, not 2")
    return events, marks


def nearest(first, second, rounds):
    """the pair of indices, out of these rounds of second, whose times differ least"""
    ends = [i for i, (_, text) in enumerate(first) if text == ROUND]
    pairs = [(abs(first[i][0] - second[k][0]), i, k) for k in rounds for i in ends]
    return min(pairs)


def main():
    unsync, one, two = sys.argv[1:4]
    least = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
    first, _ = load(unsync, one)
    second, (here, there) = load(unsync, two)
    rounds = [i for i, (t, text) in enumerate(second) if text == ROUND and here < t < there]
    if len(rounds) < 20:
        sys.exit(f"{two}: {len(rounds)} rounds between the marks")
    _, begin1, begin2 = nearest(first, second, rounds[:8])
    _, end1, end2 = nearest(first, second, rounds[-8:])
    a = [text for _, text in first[begin1:end1]]
    b = [text for _, text in second[begin2:end2]]
    if a == b:
        print(f"{len(a)} events are the same")
        sys.exit(0 if len(a) >= least else f"that is less than {least}")
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    print(f"{len(a)} and {len(b)} events; number {at} is the first that differs:")
    for name, events in (one, a), (two, b):
        print(f"{name}:")
        for text in events[max(0, at - 3) : at + 4]:
            print("   ", text[:150])
    sys.exit(1)


main()
