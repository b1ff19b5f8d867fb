# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Recorder, guest or disk fail in the middle of a capture. Whatever happens, the guest goes on,
# nothing stays in the kernel, and what was captured before can be read.

# aftermath NAME: in all cases, unless it was the guest that was killed
aftermath()
{
	holds "$1: the guest goes on" goes_on "$guest_pid"
	holds "$1: nothing stays in the kernel" nothing_stays
	holds "$1: no temporary file stays" no_leftovers
	note "$1"
}

no_leftovers()
{
	! compgen -G ".*.utrace.*" && ! compgen -G "disk/.*" && [[ -z $(ls -A /run/unsync 2>/dev/null) ]]
}

# whole NAME FILE
whole()
{
	holds "$1: the trace is whole" is .complete true "$2"
	holds "$1: nothing lost" is .lost 0 "$2"
	holds "$1: the guest is in it" more_than .kinds.write 0 "$2"
	holds "$1: private to its owner" test "$(stat -c %a "$2")" = 600
}

# cut NAME FILE EARLIER: readable up to its last block; EARLIER is a copy made during the capture
cut()
{
	holds "$1: the guest is in it" more_than .kinds.write 0 "$2"
	holds "$1: not taken for whole" is .complete false "$2"
	holds "$1: private to its owner" test "$(stat -c %a "$2")" = 600
	unsync dump "$2" >all.txt 2>err
	holds "$1: dump says in one line that the end is missing" \
		test "$(grep -c '^unsync: ' err)/$(grep -c . err)" = 1/1
	[[ -z $3 ]] && return
	unsync dump "$3" >earlier.txt 2>/dev/null
	holds "$1: an earlier copy has events" test "$(wc -l <earlier.txt)" -gt 100
	holds "$1: and they are how the trace begins" \
		cmp -n "$(stat -c %s earlier.txt)" earlier.txt all.txt
	holds "$1: and not all of it" test "$(wc -l <earlier.txt)" -lt "$(wc -l <all.txt)"
}

start_guest

for signal in INT TERM HUP; do
	start_record $signal.utrace -p "$guest_pid"
	sleep 1
	stop_record "SIG$signal" $signal.utrace $signal 0 "unsync: $signal.utrace: [0-9]+ events"
	whole "SIG$signal" $signal.utrace
	aftermath "SIG$signal"
done

end "$guest_pid"

# A second SIGINT while the recorder cannot finish: its output goes into a pipe that nobody reads.
mkfifo pipe
start_guest --pace 0
{ sleep 1000 & echo $! >sleeper; wait; exec cat; } <pipe >twice.utrace 2>/dev/null &
env --default-signal=INT unsync record -q -o - -p "$guest_pid" >pipe 2>err </dev/null &
rec_pid=$!
is_blocked() { [[ $(<"/proc/$rec_pid/wchan") == *pipe_write* ]]; }
holds "second SIGINT: the pipe is full" within 90 is_blocked
kill -INT $rec_pid
sleep 1
holds "second SIGINT: the first one waits for the pipe" kill -0 $rec_pid
kill -INT $rec_pid
status=0
reap $rec_pid || status=$?
holds "second SIGINT: ends it" test $status = 130
kill "$(<sleeper)"
wait %%  2>/dev/null
rm pipe
chmod 600 twice.utrace
cut "second SIGINT" twice.utrace ''
aftermath "second SIGINT"
end "$guest_pid"

start_guest
start_record kill.utrace -p "$guest_pid"
cp kill.utrace earlier.utrace
within 10 size_is_above $(($(stat -c %s earlier.utrace) + 1)) kill.utrace
kill -KILL "$rec_pid"
reap "$rec_pid"
cut "SIGKILL" kill.utrace earlier.utrace
aftermath "SIGKILL"

# The guest is killed: the capture ends by itself.
start_record gone.utrace -p "$guest_pid"
end "$guest_pid"
finish_record "SIGKILL of the guest" gone.utrace 0 'gone.utrace: [0-9]+ events'
whole "SIGKILL of the guest" gone.utrace
holds "SIGKILL of the guest: its end is in the trace" is '.vms[0].ended' true gone.utrace
holds "SIGKILL of the guest: KVM's counters are, too" \
	more_than '[.host_statistics[] | select(.name == "kvm.exits")][0].end' 0 gone.utrace
holds "SIGKILL of the guest: nothing stays in the kernel" nothing_stays
note "SIGKILL of the guest"

start_record command.utrace -- guest --beat beat.command
within 10 has_beaten command 10
kill -KILL "$(pgrep -x guest -P "$rec_pid")"
finish_record "SIGKILL of the command" command.utrace 1 "'guest' was ended by signal 9"
whole "SIGKILL of the command" command.utrace
holds "SIGKILL of the command: nothing stays in the kernel" nothing_stays

# The recorder ends before its command does: the command goes on.
start_record before.utrace -- guest --beat beat.before
within 10 has_beaten before 10
child=$(pgrep -x guest -P "$rec_pid")
stop_record "SIGINT with a command" before.utrace INT 0 "'guest' goes on as process $child"
mv beat.before "beat.$child"
whole "SIGINT with a command" before.utrace
holds "SIGINT with a command: the guest goes on" goes_on "$child"
kill -KILL "$child"

# A disk that gets full. What fits stays readable.
start_guest --pace 0
mkdir disk
mount -t tmpfs -o size=64k tmpfs disk
ends "full disk" 1 '^unsync: disk/full.utrace: .*No space left' \
	unsync record -o disk/full.utrace -p "$guest_pid"
cut "full disk" disk/full.utrace ''
aftermath "full disk"
rm disk/full.utrace

# Places where no trace can be.
mount -o remount,ro disk
ends "read-only disk" 1 '^unsync: disk/x.utrace: .*Read-only' unsync record -o disk/x.utrace -p "$guest_pid"
umount disk
rmdir disk
ends "no such folder" 1 '^unsync: nowhere/x.utrace: .*No such file' \
	unsync record -o nowhere/x.utrace -p "$guest_pid"
ends "the output is a folder" 1 '^unsync: \.: is a folder' unsync record -f -o . -p "$guest_pid"
cp INT.utrace there.utrace
ends "the output exists" 1 '^unsync: there.utrace: exists; -f replaces it' \
	unsync record -o there.utrace -p "$guest_pid"
holds "the output exists: and stays" cmp INT.utrace there.utrace
aftermath "no output"

# Things that cannot be recorded leave no file.
sleep 1000 &
sleeper=$!
ends "a target that is no VM" 1 "^unsync: process $sleeper has no virtual machine; .*--list" \
	unsync record -o none.utrace -p $sleeper
holds "a target that is no VM: no file" test ! -e none.utrace
holds "a target that is no VM: goes on" kill -0 $sleeper
end $sleeper
ends "no such process" 1 "^unsync: no process $sleeper" unsync record -o none.utrace -p $sleeper
holds "no such process: no file" test ! -e none.utrace
ends "exact without the module" 1 '^unsync: --exact: the module unsync_exact is not loaded; ' \
	unsync record --exact -o none.utrace -p "$guest_pid"
holds "exact without the module: no file" test ! -e none.utrace
holds "nothing to record: nothing stays in the kernel" nothing_stays
end "$guest_pid"
