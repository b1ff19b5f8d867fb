# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Virtual machines that run already: found, recorded one by one or all together, as they come and go.

start_guest -name first --vcpus 2
first=$guest_pid
start_guest -name "second, of two" --vms 2
second=$guest_pid

# ---- which there are ----

listed() { grep -qE "^$1 +$2 +$3 +shadow +[1-9][0-9]*\$" list; }
unsync record --list >list 2>err
holds "list: works" test $? = 0
holds "list: name, process, vCPUs, paging, shadow pages" listed first "$first" 2
holds "list: both machines of a process" test "$(grep -c "^second.* $second  *1 " list)" = 2
holds "list: a head and three machines" test "$(wc -l <list)" = 4

# ---- one, by process or name ----

# agrees NAME FILE: KVM's own counters, as far as they were read, are what the events add up to
agrees()
{
	holds "$1: whole" is .complete true "$2"
	holds "$1: nothing lost" is .lost 0 "$2"
	holds "$1: KVM's counters agree" counters_agree "$2"
}

start_record pid.utrace -p "$first"
sleep 1
stop_record "-p" pid.utrace INT 0 'pid.utrace: [0-9]+ events'
holds "-p: that machine" is '[.vms[].pid] == ['"$first"']' true pid.utrace
holds "-p: with both vCPUs" is '.vms[0].vcpus' 2 pid.utrace
agrees "-p" pid.utrace

start_record name.utrace --vm first
sleep 1
stop_record "--vm" name.utrace INT 0 'name.utrace: [0-9]+ events'
holds "--vm: that machine" is '[.vms[].pid] == ['"$first"']' true name.utrace
ends "--vm: no such name" 1 "^unsync: no virtual machine is called 'third'.*first" \
	unsync record -o none.utrace --vm third
holds "--vm: no such name: no file" test ! -e none.utrace

start_record two.utrace -p "$second"
sleep 1
stop_record "a process with two machines" two.utrace INT 0 'two.utrace: [0-9]+ events'
holds "a process with two machines: both" \
	is '[.vms[].pid] == ['"$second, $second"'] and ([.vms[].events] | min) > 100' true two.utrace
agrees "a process with two machines" two.utrace

start_record both.utrace -p "$first" -p "$second"
sleep 1
stop_record "two processes" both.utrace INT 0 'both.utrace: [0-9]+ events'
holds "two processes: three machines" \
	is '[.vms[].pid] | sort == ['"$first, $second, $second"'] | not' false both.utrace
agrees "two processes" both.utrace
note "one by one"

# ---- all, while others come and go ----

start_record all.utrace -a
guest --lives 2 --vcpus 2 --late 20 --rounds 60 -name passing
status=$?
sleep 0.5
stop_record "-a" all.utrace INT 0 'all.utrace: [0-9]+ events'
holds "-a: guests that came ran well" test $status = 0
holds "-a: those that ran and those that came" is '.vms | length' 5 all.utrace
holds "-a: those that came have ended" is '[.vms[] | select(.ended)] | length' 2 all.utrace
holds "-a: a vCPU that came late" is '[.vms[] | select(.ended) | .vcpus] == [2, 2]' true all.utrace
agrees "-a" all.utrace
end "$first" "$second"
note "all"

# ---- attached in the middle ----

for mode in native exact; do
	[[ $mode == native ]] || insmod "$module"
	options=()
	[[ $mode == native ]] || options=(--exact)
	start_guest
	start_record early.utrace "${options[@]}" -p "$guest_pid"
	early=$rec_pid
	within 10 has_beaten "$guest_pid" 200
	start_record late.utrace -p "$guest_pid"
	late=$rec_pid
	goes_on "$guest_pid"
	unsync mark here
	within 10 has_beaten "$guest_pid" $(($(beats "$guest_pid") + 200))
	unsync mark there
	rec_pid=$early stop_record "attached, $mode: the first" early.utrace INT 0 ' events'
	rec_pid=$late stop_record "attached, $mode: the second" late.utrace INT 0 ' events'
	end "$guest_pid"
	holds "attached, $mode: both tell the same" \
		"$here/same_events.py" unsync early.utrace late.utrace 3000
	sed "s/^/attached, $mode: /" out
	agrees "attached, $mode: the first" early.utrace
	agrees "attached, $mode: the second" late.utrace
	rm early.utrace late.utrace
	[[ $mode == native ]] || holds "the module can be removed" rmmod unsync_exact
	note "attached, $mode"
done
holds "attach: nothing stays in the kernel" nothing_stays
