# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# unsync mark, as far as it goes without a guest.

if [[ $(unsync mark x 2>&1) == *"no collector"* ]]; then
	fails "mark: needs a collector" 1 "libbpf-dev, bpftool and clang" unsync mark x
	skips "mark" "this build has no collector"
	return
fi

prints "mark: help" "^usage: unsync mark" unsync mark --help
fails "mark: no text" 2 "which text" unsync mark
fails "mark: two texts" 2 "one text" unsync mark two words
fails "mark: an empty text" 2 "1 to 4096 bytes" unsync mark ""
fails "mark: a line feed" 2 "control characters" unsync mark $'two\nlines'
fails "mark: an escape sequence" 2 "control characters" unsync mark $'\e[2J'
fails "mark: a control character above 127" 2 "control characters" unsync mark $'\xc2\x9b2J'
fails "mark: no UTF-8" 2 "UTF-8" unsync mark $'caf\xe9'
fails "mark: over-long UTF-8" 2 "UTF-8" unsync mark $'\xc0\xaf'
fails "mark: too long" 2 "4096 bytes" unsync mark "$(printf '%4097s' x)"
fails "mark: no process id" 2 "'all' is no process id" unsync mark --pid all x
fails "mark: --pid without a value" 2 "needs a value" unsync mark --pid
fails "mark: unknown option" 2 "unknown option '--now'" unsync mark --now x

# Captures of others may be running on this host: in a /run of its own there are none.
own_run=(unshare -m sh -c 'mount -t tmpfs -o mode=755 none /run && exec "$@"' sh)
if ! "${own_run[@]}" true 2>/dev/null; then
	skips "mark: no capture runs" "needs root and unshare"
	return
fi
fails "mark: no capture runs" 1 "^unsync: no capture runs; 'unsync record' starts one" \
	"${own_run[@]}" unsync mark "a text"
fails "mark: not a recorder" 1 "^unsync: process $$ records nothing; without --pid" \
	"${own_run[@]}" unsync mark --pid $$ "a text"

# A recorder and its keeper are killed; what they leave is recognised, and removed.
# shellcheck disable=SC2016 # for that shell
left_behind='
	unsync record -q -f -o stale.utrace -- sleep 60 2>/dev/null & recorder=$!
	for _ in $(seq 300); do [ -e /run/unsync/record.$recorder ] && break; sleep 0.1; done
	[ -e /run/unsync/record.$recorder ] || exit 7
	for _ in $(seq 300); do keeper=$(pgrep -P $recorder -x unsync-keeper) && break; sleep 0.1; done
	kill -9 $keeper $recorder
	wait $recorder
	[ -e /run/unsync/record.$recorder ] || exit 8
	unsync mark x && exit 9
	[ ! -e /run/unsync/record.$recorder ]'
if unsync doctor >/dev/null 2>&1; then
	holds "mark: what a killed recorder left is removed" \
		"${own_run[@]}" sh -c "$left_behind"
	rm -f .stale.utrace.*
else
	skips "mark: what a killed recorder left" "this host cannot capture"
fi
