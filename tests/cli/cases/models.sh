# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# unsync models

passes "list" unsync models
holds "the three designs and null are there" test -z \
	"$(comm -23 <(printf '%s\n' null oos-per-root sync-on-write unsync-bitmap) \
		<(printf '%s\n' "${models[@]}" | sort))"
prints "as JSON" '^\[' unsync models --json
holds "JSON: every option has a default and a help" jq -e \
	'all(.[].options[]; .name and .type and .help and has("default"))' "$work/out"
for model in "${models[@]}"; do
	prints "$model alone" "^$model\$" unsync models "$model"
	run unsync models "$model"
	holds "$model alone is one" test "$(grep -c '^[a-z]' "$work/out")" = 1
	passes "$model: check" unsync models --check "$model"
	holds "$model: all tests of the check passed" \
		grep -qE '^[0-9]+ passed, 0 failed$' "$work/out"
	run unsync models --json "$model"
	holds "$model alone, as JSON" jq -e --arg m "$model" 'length == 1 and .[0].name == $m' "$work/out"
done
fails "no such model" 2 "no model 'nonsense'; " unsync models nonsense
fails "full disk" 1 "standard output" sh -c 'unsync models >/dev/full'
fails "check of what there is not" 2 "no model 'nonsense'; " unsync models --check nonsense
fails "check of nothing" 2 "--check which\\? name a model" unsync models --check
fails "check as JSON" 2 "takes no format" unsync models --check --json null
fails "no time" 2 "--seconds 0: give a number from 1 to" unsync models --check --seconds 0 null
fails "seconds without a number" 2 "--seconds needs a value" unsync models --check null --seconds
fails "full disk, check" 1 "standard output" sh -c 'unsync models --check null >/dev/full'
