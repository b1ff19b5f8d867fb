# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154
# Captures that end by themselves, files that appear when there is something in them, and what the
# user is told of the collector itself.

# whole FILE: complete, nothing lost, and KVM's own counters agree
whole()
{
	holds "$1: whole" is .complete true "$1"
	holds "$1: nothing lost" is .lost 0 "$1"
	holds "$1: KVM's counters agree" unsync info --check "$1"
}

size_within() { local size; size=$(stat -c %s "$1") && ((size >= $2 && size <= $3)); }

start_guest -name busy --pace 200

ends "--duration" 0 'time.utrace: [0-9]+ events' unsync record --duration 2s -o time.utrace -p "$guest_pid"
cp err summary
whole time.utrace
holds "--duration: about that long" is '(.last_ns - .first_ns) as $ns | $ns > 1e9 and $ns < 30e9' true time.utrace
holds "the collector's own use is told" grep -qE \
	'^unsync: the collector took [0-9.]+ s of CPU time .* at most [0-9.]+ MiB of memory; the ring may take 64.0 of it' \
	summary
holds "without the kernel's statistics, no time in BPF programs" test "$(grep -c 'BPF programs' summary)" = 0
sysctl -q kernel.bpf_stats_enabled=1
ends "with the kernel's statistics" 0 ', its BPF programs [0-9.]+ s, ' \
	unsync record --duration 1s -o stats.utrace -p "$guest_pid"
sysctl -q kernel.bpf_stats_enabled=0

ends "--max-size" 0 'size.utrace: .*, 0 lost; ended by --max-size' \
	unsync record --max-size 512k -o size.utrace --vm busy
whole size.utrace
holds "--max-size: not above it, nor far below" size_within size.utrace 300000 524288
holds "--max-size and --quiet" unsync record -q --max-size 512k -o quiet.utrace --vm busy
holds "--quiet says nothing" test ! -s err

ends "no guest in a time" 1 "^unsync: no virtual machine was seen.*'sleep' goes on as" \
	unsync record --duration 200ms -f -o time.utrace -- sleep 30
pkill -x sleep
whole time.utrace
end "$guest_pid"

# With -a it waits for a guest, and the file waits with it.
env --default-signal=INT unsync record -a -o later.utrace >out 2>later.utrace.err </dev/null &
rec_pid=$!
holds "-a: says that it waits" within 30 grep -q 'no virtual machine runs yet; waiting for one' later.utrace.err
holds "-a: no file yet" test ! -e later.utrace
start_guest
holds "-a: then there is one" within 10 test -s later.utrace
end "$guest_pid"
sleep 1
stop_record "-a: Ctrl-C" later.utrace INT 0 'later.utrace: [0-9]+ events'
whole later.utrace
holds "nothing stays in the kernel" nothing_stays
