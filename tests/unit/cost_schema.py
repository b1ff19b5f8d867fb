#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Usage: cost_schema.py UNSYNC SCHEMA RESULTS...

What 'unsync cost --format json' says of results fits the schema; damaged, it does not.
Exits 77 (skipped) without python3-jsonschema.
"""
import copy
import json
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(77)

unsync, schema_path, *results = sys.argv[1:]
with open(schema_path, encoding="utf-8") as f:
    schema = json.load(f)
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
done = subprocess.run([unsync, "cost", "--format", "json", *results], check=True, stdout=subprocess.PIPE)
good = json.loads(done.stdout)
errors = list(validator.iter_errors(good))
for e in errors:
    print(f"{'/'.join(map(str, e.absolute_path))}: {e.message}")
if errors:
    sys.exit(1)


def must_not_fit(what, path, value=None):
    """With the value at the path another, or gone."""
    broken = copy.deepcopy(good)
    o = broken
    for key in path[:-1]:
        o = o[key]
    if value is None:
        del o[path[-1]]
    else:
        o[path[-1]] = value
    if validator.is_valid(broken):
        print(f"{what}: passes the schema, but should not")
        sys.exit(1)


for key in good:
    must_not_fit(f"without {key}", [key])
must_not_fit("another version", ["version"], 2)
must_not_fit("a negative cost", ["costs", 0, "total", "least_ns"], -1)
must_not_fit("a component less", ["costs", 0, "components", "syncs"])
must_not_fit("a price without a source", ["platforms", 0, "prices", "exit", "source"], "")
must_not_fit("a price less", ["platforms", 0, "prices", "kick"])
must_not_fit("no regions", ["sweeps", 0, "regions"], [])
must_not_fit("a region without an end", ["sweeps", 0, "regions", 0, "to_ns"])
must_not_fit("ahead twice", ["ahead", 0, "by_value"], ["kvm", "kvm"])
