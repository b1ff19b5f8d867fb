#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Usage: schemas.py UNSYNC SOURCE

What the program writes as JSON fits the schemas in docs/, the golden results too, and a comparison that
is damaged does not. Exits 77 (skipped) without python3-jsonschema.
"""
import copy
import glob
import json
import os
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped schemas: python3-jsonschema is not installed")
    sys.exit(77)

unsync, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
counts = {"passed": 0, "failed": 0}


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def validator(name):
    schema = load(os.path.join(source, "docs", name))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def judge(good, what, why=""):
    counts["passed" if good else "failed"] += 1
    if not good:
        print(f"FAILED {what}: {why}")


def fits(schema, document, what):
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in schema.iter_errors(document)]
    judge(not errors, what, "; ".join(errors[:3]))


def does_not_fit(schema, document, what, path, *value):
    """With the member at a path replaced, or removed if no value is given."""
    broken = copy.deepcopy(document)
    place = broken
    for key in path[:-1]:
        place = place[key]
    if value:
        place[path[-1]] = value[0]
    else:
        del place[path[-1]]
    judge(not schema.is_valid(broken), what, "passes the schema, but should not")


def run(*args, status=0):
    done = subprocess.run([unsync, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    judge(done.returncode == status, " ".join(args), f"exit status {done.returncode}")
    return done.stdout


results = validator("results.schema.json")
comparison = validator("comparison.schema.json")
goldens = sorted(glob.glob(os.path.join(source, "tests/golden/*.json")))
judge(len(goldens) >= 10, "golden results", f"only {len(goldens)} files")
for path in goldens:
    fits(results, load(path), os.path.basename(path))

trace = os.path.join(source, "data/traces/boot-native.utrace")
with tempfile.TemporaryDirectory() as room:
    os.chdir(room)
    run("replay", trace, "-q", "-m", "all", "--passes", "7", "-o", "a.json")
    run("replay", trace, "-q", "-m", "null,kvm", "--passes", "7", "-o", "b.json")
    a, b = load("a.json"), load("b.json")
    fits(results, a, "measured results")
    run("gen", "--rounds", "8", "-o", "made-up.utrace")
    run("replay", "made-up.utrace", "-q", "--no-measure", "-o", "made-up.json")
    fits(results, load("made-up.json"), "results of a synthetic trace")
    for key in a:
        does_not_fit(results, a, f"results without {key}", [key])
    does_not_fit(results, a, "results of another version", ["version"], 2)

    same = json.loads(run("compare", "a.json", "a.json", "--format", "json"))
    fits(comparison, same, "a comparison with itself")
    judge(same["status"] == "same" and same["measured"]["shown"] == 0, "a comparison with itself", "differs")
    for run_of_b in b["runs"]:
        run_of_b["counted"]["exit_cr3"] += 1
        run_of_b["timeline"]["exits"][5] += 1
        run_of_b["options"]["new"] = "1"
        run_of_b["measured"]["total_ns"] = [10 * ns for ns in run_of_b["measured"]["total_ns"]]
    with open("b.json", "w", encoding="utf-8") as f:
        json.dump(b, f)
    other = json.loads(run("compare", "a.json", "b.json", "--format", "json", "--slower", "5", status=3))
    fits(comparison, other, "a comparison that finds everything")
    judge(other["status"] == "differ" and other["measured"]["too_slow"] >= 2 and other["missing"] and
          len(other["counted"]["differences"]) == 4, "a comparison that finds everything", json.dumps(other)[:500])
    for key in other:
        does_not_fit(comparison, other, f"a comparison without {key}", [key])
    first = ["counted", "differences", 0]
    measure = ["measured", "comparisons", 0]
    for key in other["counted"]["differences"][0]:
        does_not_fit(comparison, other, f"a difference without {key}", [*first, key])
    for key in same["measured"]["comparisons"][0]:
        does_not_fit(comparison, same, f"a measure without {key}", [*measure, key])
    does_not_fit(comparison, other, "another version of a comparison", ["version"], 2)
    does_not_fit(comparison, other, "a verdict that there is not", [*measure, "verdict"], "perhaps")
    does_not_fit(comparison, other, "a p above 1", [*measure, "p"], 1.5)
    does_not_fit(comparison, other, "a key that nobody explained", ["more"], 1)

print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(1 if counts["failed"] else 0)
