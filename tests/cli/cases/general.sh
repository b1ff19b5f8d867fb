# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# The command without a verb, and what every verb has in common.

prints "version" '^unsync [0-9]+\.[0-9]+\.[0-9]+$' unsync --version
prints "help" '^usage: unsync VERB' unsync --help
prints "help as a verb" '^usage: unsync VERB' unsync help
fails "unknown verb" 2 "^unsync: no verb 'frobnicate'; " unsync frobnicate
fails "empty verb" 2 "^unsync: no verb ''; " unsync ""

mapfile -t verbs < <(unsync --help | sed -n 's/^  \([a-z]*\)  *.*/\1/p')
holds "there are verbs" test "${#verbs[@]}" -ge 7
for verb in "${verbs[@]}"; do
	if [[ $(unsync "$verb" 2>&1 </dev/null) == *"this build "* ]]; then
		fails "$verb left out" 1 "this build (has no collector|reads no recordings of others); install " \
			unsync "$verb"
		continue
	fi
	prints "$verb --help" "^[Uu]sage: unsync $verb" unsync "$verb" --help
	run unsync "$verb" --help
	holds "$verb --help fits a screen" test "$(wc -l <"$work/out")" -le 50
	fails "$verb: unknown option" 2 "^unsync $verb: .*; see 'unsync $verb --help'\$" \
		unsync "$verb" --no-such-option
done
