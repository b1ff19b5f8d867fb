# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# The scripts of the tree, as far as a wrong call or a missing thing goes.

for script in "$source_dir"/scripts/* "$source_dir"/lab/{capture,guest,host,record-all,run-guest,setup}; do
	name=$(basename "$(dirname "$script")")/$(basename "$script")
	prints "$name --help" "^Usage: $name" "$script" --help
	fails "$name: unknown option" 2 "^$name: " "$script" --no-such-option
done
fails "setup: unknown set" 2 "no set 'everything'" "$source_dir/scripts/setup" everything
fails "golden: --unsync without a value" 2 "needs a value" "$source_dir/scripts/golden" --unsync
fails "golden: not built" 1 "not built" "$source_dir/scripts/golden" --unsync ./no-such-program
fails "golden: no such trace" 1 "missing.utrace: " \
	"$source_dir/scripts/golden" --unsync "$unsync_binary" missing.utrace
fails "readme-chart: not built" 1 "not built" "$source_dir/scripts/readme-chart" --unsync ./no-such-program
fails "capture: no workload" 2 "no workload" "$source_dir/lab/capture"
fails "capture: no output" 2 "-o FILE" "$source_dir/lab/capture" boot
fails "capture: output in a folder that is not there" 1 "^lab/capture: no/such/x.utrace: " \
	"$source_dir/lab/capture" boot -o no/such/x.utrace --unsync "$unsync_binary"
fails "capture: no such workload" 1 "nonsense: no such workload" \
	"$source_dir/lab/capture" nonsense -o x.utrace --unsync "$unsync_binary"
fails "capture: CPUs without sense" 2 "cpus" "$source_dir/lab/capture" boot -o x.utrace --cpus none
fails "fuzz: --seconds without a number" 2 "takes a number" "$source_dir/scripts/fuzz" --seconds soon
fails "fuzz: unknown option" 2 "no option '--fast'" "$source_dir/scripts/fuzz" --fast
