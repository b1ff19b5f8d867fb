# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Several captures at a time; what a capture needs, what it may do, and what it says if it may not.

start_guest -name one
one=$guest_pid
start_guest -name two
two=$guest_pid

# ---- two captures of the same guest, and one of another ----

start_record a.utrace -p "$one"
a=$rec_pid
start_record b.utrace -p "$one"
b=$rec_pid
start_record c.utrace -p "$two"
c=$rec_pid
ends "mark: into all" 0 '' unsync mark here
ends "mark: into one" 0 '' unsync mark --pid "$c" 'only one'
within 10 has_beaten "$one" $(($(beats "$one") + 200))
ends "mark: into all, again" 0 '' unsync mark there
ends "mark: into no capture" 1 "^unsync: process $one records nothing" unsync mark --pid "$one" no

# What a recorder may do once it runs.
for key in Uid Gid; do
	[[ $key == Uid ]] && nobody=$(id -u nobody) || nobody=$(id -g nobody)
	holds "privileges: $key of nobody" \
		grep -qP "^$key:\t$nobody\t$nobody\t$nobody\t$nobody\$" "/proc/$a/status"
done
for key in CapEff CapPrm CapInh CapAmb; do
	# Linux 5.19 and later let anybody who has the descriptor read a BPF map.
	holds "privileges: $key is empty" grep -qP "^$key:\t0{16}\$" "/proc/$a/status"
done
holds "privileges: none to be had again" grep -qP '^NoNewPrivs:\t1$' "/proc/$a/status"
holds "privileges: nobody else may look into it" test "$(stat -c %U "/proc/$a/environ")" = root

cost='the collector took [0-9.]+ s of CPU time .*and at most [0-9.]+ MiB of memory'
rec_pid=$a stop_record "two at once: the first" a.utrace INT 0 "$cost"
rec_pid=$b stop_record "two at once: the second" b.utrace INT 0 "$cost"
rec_pid=$c stop_record "two at once: of another guest" c.utrace INT 0 "$cost"
holds "two at once: both tell the same" "$here/same_events.py" unsync a.utrace b.utrace 3000
sed "s/^/two at once: /" out
for file in a b c; do
	holds "two at once: $file is whole" is '.complete and .lost == 0' true $file.utrace
	holds "two at once: $file agrees with KVM's counters" counters_agree $file.utrace
done
holds "two at once: each its guest" is '[.vms[].pid] == ['"$two"']' true c.utrace
marks() { unsync dump "$1" | awk '$3 == "mark"' | grep -cw "$2"; }
holds "marks: in both" test "$(marks a.utrace here)$(marks b.utrace there)" = 11
holds "marks: in the one that was named" test "$(marks a.utrace only)$(marks c.utrace only)" = 01
ends "mark: nothing records" 1 '^unsync: no capture runs' unsync mark late
note "two at once"

# ---- one exact, one native; exact twice ----

insmod "$module"
start_record exact.utrace --exact -p "$one"
a=$rec_pid
start_record native.utrace -p "$one"
b=$rec_pid
goes_on "$one"
unsync mark here
within 10 has_beaten "$one" $(($(beats "$one") + 200))
unsync mark there
ends "exact twice: a guest has one" 1 '^unsync: .*another capture' \
	unsync record --exact -o twice.utrace -p "$one"
holds "exact twice: no file" test ! -e twice.utrace
start_record other.utrace --exact -p "$two"
c=$rec_pid
goes_on "$two"
rec_pid=$a stop_record "exact and native: exact" exact.utrace INT 0 ' 0 lost'
rec_pid=$b stop_record "exact and native: native" native.utrace INT 0 ' 0 lost'
rec_pid=$c stop_record "exact and native: of another guest" other.utrace INT 0 ' 0 lost'
holds "exact and native: both tell the same" "$here/same_events.py" unsync exact.utrace native.utrace 3000
sed "s/^/exact and native: /" out
for file in exact native other; do
	holds "exact and native: $file agrees with KVM's counters" counters_agree $file.utrace
done
holds "exact and native: how each was made" \
	test "$(info exact.utrace .mode)/$(info native.utrace .mode)" = exact/native
holds "exact: the module can be removed" rmmod unsync_exact
holds "exact: the guest goes on" goes_on "$one"
start_record again.utrace -p "$one"
sleep 1
stop_record "exact: afterwards" again.utrace INT 0 ' 0 lost'
holds "exact: afterwards tables go out of sync again" more_than '.kinds["host-unsync"]' 0 again.utrace
note "exact and native"

# ---- what is missing is said ----

as_nobody=(setpriv --reuid nobody --regid nogroup --clear-groups)
ends "nobody: record" 1 '^unsync: .*CAP_BPF.*run as root' \
	"${as_nobody[@]}" unsync record -o /tmp/none.utrace -p "$one"
ends "nobody: list" 1 '^unsync: .*CAP_BPF.*run as root' "${as_nobody[@]}" unsync record --list
"${as_nobody[@]}" unsync doctor >doctor.txt 2>err
holds "nobody: doctor" test $? = 1
holds "nobody: doctor names the privilege" grep -q '^missing .*CAP_BPF' doctor.txt

# As root, but with these capabilities only.
capped()
{
	local only=-all,$1
	capped=(setpriv --inh-caps "$only" --bounding-set "$only" --no-new-privs)
}
capped +bpf,+sys_resource
ends "no CAP_PERFMON" 1 '^unsync: .*no CAP_PERFMON' "${capped[@]}" unsync record -o none.utrace -p "$one"
capped +perfmon,+sys_resource
ends "no CAP_BPF" 1 '^unsync: .*no CAP_BPF' "${capped[@]}" unsync record -o none.utrace -p "$one"
if [[ -e /sys/kernel/btf/kvm ]]; then
	capped +bpf,+perfmon,+sys_resource
	ends "no CAP_SYS_ADMIN" 1 '^unsync: .*no CAP_SYS_ADMIN' \
		"${capped[@]}" unsync record -o none.utrace -p "$one"
fi
ends "enough" 0 'enough.utrace: [0-9]+ events' unsync record --duration 1 -o enough.utrace -p "$one"
unsync doctor >doctor.txt 2>err
holds "nothing missing: doctor" test $? = 0
holds "nothing missing: doctor says so" grep -q 'captures work on this host' doctor.txt
note "privileges"

# No BTF, of KVM and of all.
hide_btf=(unshare -m bash -c 'mount -t tmpfs tmpfs /sys/kernel/btf && exec "$@"' bash)
ends "no BTF: record" 1 '^unsync: .*(BTF|type information)' \
	"${hide_btf[@]}" unsync record -o none.utrace -p "$one"
"${hide_btf[@]}" unsync doctor >doctor.txt 2>err
holds "no BTF: doctor" test $? = 1
holds "no BTF: doctor says it" grep -qE '^missing .*(BTF|types)' doctor.txt

# KVM is not there.
end "$one" "$two"
holds "no KVM: it was unloaded" rmmod kvm_amd kvm
ends "no KVM: record" 1 '^unsync: KVM is not there; load' unsync record -o none.utrace -p $$
ends "no KVM: list" 1 '^unsync: KVM is not there; load' unsync record --list
unsync doctor >doctor.txt 2>err
holds "no KVM: doctor" test $? = 1
holds "no KVM: doctor says it" grep -qE '^missing .*KVM' doctor.txt

# Nested paging in use. The lab's CPU has none, so the module says what it would with it.
modprobe kvm tdp_mmu=0 && modprobe kvm_amd npt=0 nested=0
echo Y >npt.is
chmod 444 npt.is
nested_paging=(unshare -m bash -c 'mount --bind npt.is /sys/module/kvm_amd/parameters/npt && exec "$@"' bash)
sleep 100 &
ends "nested paging: record" 1 '^unsync: kvm_amd uses nested paging.*npt=0' \
	"${nested_paging[@]}" unsync record -o none.utrace -p $!
end $!
"${nested_paging[@]}" unsync doctor >doctor.txt 2>err
holds "nested paging: doctor" test $? = 1
holds "nested paging: doctor says it, and what to do" grep -qE '^missing .*npt=0' doctor.txt
holds "none of these has left a file" test ! -e none.utrace
holds "nothing stays in the kernel" nothing_stays
holds "and then it works again" unsync doctor
