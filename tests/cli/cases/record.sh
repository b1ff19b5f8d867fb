# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# unsync record and unsync doctor, as far as they go without a guest; the rest is tests/e2e.

if [[ $(unsync doctor 2>&1) == *"no collector"* ]]; then
	fails "record: needs a collector" 1 "libbpf-dev, bpftool and clang" unsync record -o x.utrace -- true
	fails "doctor: needs a collector" 1 "libbpf-dev, bpftool and clang" unsync doctor
	fails "doctor: names another way" 1 "or record with: perf record -a .*, then unsync import" unsync doctor
	skips "record and doctor" "this build has no collector"
	return
fi

# Whatever the host, doctor says what is what and gives a verdict that matches its exit status.
status=0
run unsync doctor || status=$?
holds "doctor: exit status 0 or 1" test $status -le 1
holds "doctor: nothing on stderr" test ! -s "$work/err"
verdict=$(tail -n 1 "$work/out")
if ((status)); then
	holds "doctor: verdict" test "$verdict" = "Captures do not work on this host."
	holds "doctor: names what is missing" grep -q '^missing ' "$work/out"
else
	expected="Native captures work on this host."
	if grep -q '^missing *hook' "$work/out"; then
		expected="Native captures work on this host, but lack what the missing hooks would tell."
	fi
	holds "doctor: verdict" test "$verdict" = "$expected"
fi
holds "doctor: looks at the kernel's types and at KVM" test "$(grep -cE 'kernel types|KVM' "$work/out")" -ge 2
fails "doctor: an argument" 2 "not expected" unsync doctor here

# Nobody without privileges may load BPF programs; others may record instead, where there is KVM.
if ((EUID == 0)) && command -v setpriv >/dev/null; then
	as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	cp "$unsync_binary" "$work/unsync"
	chmod 755 "$work" "$work/unsync"
	run "${as_nobody[@]}" "$work/unsync" doctor
	if grep -q '^ok *KVM ' "$work/out" && ! grep -qE '(NPT|EPT) is in use' "$work/out"; then
		for other in perf trace-cmd; do
			holds "doctor: suggests $other" grep -qE \
				"^instead +$other +$other record .*; unsync import [a-z.]+ -o" "$work/out"
		done
		fails "record: suggests perf" 1 "or record without BPF: perf record -a .*unsync import" \
			"${as_nobody[@]}" "$work/unsync" record -o x.utrace -a
	else
		skips "doctor: other recorders" "this host has nothing for them to record"
	fi
	rm -f "$work/unsync"
fi

fails "record: no output" 2 "-o FILE" unsync record -- true
fails "record: nothing to record" 2 "say what to record" unsync record -o x.utrace
fails "record: command and process" 2 "not both" unsync record -o x.utrace -p 1 -- true
fails "record: all and one" 2 "not both" unsync record -o x.utrace -a --vm web
fails "record: all and a command" 2 "not both" unsync record -o x.utrace --all -- true
fails "record: list and record" 2 "--list goes with no output" unsync record --list -o x.utrace
fails "record: no name" 2 "no name of a virtual machine" unsync record -o x.utrace --vm ""
fails "record: unknown option" 2 "unknown option '--fast'" unsync record -o x.utrace --fast -- true
many=()
for ((i = 1; i <= 65; i++)); do many+=(-p "$i"); done
fails "record: too many processes" 2 "more than 64" unsync record -o x.utrace "${many[@]}"
for time in soon 0 -5s 10d 1e400s; do
	fails "record: duration $time" 2 "'$time' is no time" \
		unsync record -o x.utrace --duration "$time" -- true
done
for size in big 0 1k 255k -1M 1T; do
	fails "record: size $size" 2 "'$size' is no size from 256k" \
		unsync record -o x.utrace --max-size "$size" -- true
done
for rate in fast 0 0.1 -1 2000M 1G; do
	fails "record: rate $rate" 2 "'$rate' is no number of events" \
		unsync record -o x.utrace --max-rate "$rate" -- true
done
fails "record: no process id" 2 "'many' is no process id" unsync record -o x.utrace -p many
fails "record: process 0" 2 "'0' is no process id" unsync record -o x.utrace -p 0
fails "record: output without a value" 2 "needs a value" unsync record -o
fails "record: ring without sense" 2 "'large' is no size" unsync record -o x.utrace -m large -- true
fails "record: ring too small" 2 "'4k' is no size" unsync record -o x.utrace -m 4k -- true
fails "record: ring too large" 2 "'9G' is no size" unsync record -o x.utrace -m 9G -- true
fails "record: negative ring" 2 "is no size" unsync record -o x.utrace -m -1 -- true
fails "record: no such process" 1 "^unsync: no process 4194303" unsync record -o x.utrace -p 4194303
fails "record: the output exists" 1 "^unsync: exact.utrace: exists; -f" \
	unsync record -o exact.utrace -- true
fails "record: the output is a folder" 1 "^unsync: \\.: is a folder" unsync record -f -o . -- true
fails "record: no folder for the output" 1 "^unsync: none/x: cannot create: No such file" \
	unsync record -f -o none/x -- true
fails "record: a file for a folder" 1 "^unsync: exact.utrace/x: cannot create: Not a directory" \
	unsync record -f -o exact.utrace/x -- true
ln -s nothing dangling
fails "record: a link to nothing" 1 "^unsync: dangling: a link to nothing" \
	unsync record -f -o dangling -- true
rm dangling
fails "record: no such command" 1 "^unsync: cannot run 'no-such-command': No such file" \
	unsync record -f -o exact.utrace -- no-such-command
fails "record: no such command, by path" 1 "^unsync: cannot run './no-such-command': No such file" \
	unsync record -f -o exact.utrace -- ./no-such-command
fails "record: a command that is a trace" 1 "^unsync: cannot run './native.utrace': Permission denied" \
	unsync record -f -o exact.utrace -- ./native.utrace
fails "record: a command that is a folder" 1 "^unsync: cannot run '/': Permission denied" \
	unsync record -f -o exact.utrace -- /
fails "record: a command without a name" 1 "^unsync: cannot run ''" \
	unsync record -f -o exact.utrace -- ''
printf '#!/no/such/interpreter\n' >no-interpreter
chmod +x no-interpreter
if ((status)); then
	fails "record: a host that cannot" 1 "^unsync: " unsync record -o x.utrace -- true
	fails "record: a host that cannot, exact" 1 "^unsync: " unsync record --exact -o x.utrace -- true
	fails "record: a host that cannot replaces nothing" 1 "^unsync: " \
		unsync record -f -o exact.utrace -- true
	fails "record: a host that cannot, list" 1 "^unsync: " unsync record --list
else
	seen="^unsync: no virtual machine was seen, so there is no trace; does the command use KVM"
	fails "record: no guest, no trace" 1 "$seen" unsync record -o x.utrace -- true
	fails "record: no guest replaces nothing" 1 "$seen" unsync record -f -o exact.utrace -- true
	fails "record: no guest within a time" 1 "no virtual machine was seen" \
		unsync record -q -a --duration 200ms -o x.utrace
	fails "record: no interpreter replaces nothing" 1 \
		"^unsync: cannot run './no-interpreter': the interpreter" \
		unsync record -f -o exact.utrace -- ./no-interpreter
	fails "record: a process without a machine" 1 "^unsync: process 1 has no virtual machine; " \
		unsync record -f -o exact.utrace -p 1
	fails "record: no machine of that name" 1 "^unsync: no virtual machine is called 'no such'" \
		unsync record -f -o exact.utrace --vm "no such"
	if [[ ! -e /dev/unsync-exact ]]; then
		fails "record: exact without the module" 1 "^unsync: --exact" \
			unsync record --exact -f -o exact.utrace -- true
	fi
	passes "record: list" unsync record --list
	# What the command gets is what the caller has, whatever becomes of the recorder.
	run unsync record -q -o x.utrace -- sh -c \
		'grep -E "^(Uid|Cap|NoNew|Sig(Blk|Ign))" /proc/self/status >got; umask >>got'
	grep -E "^(Uid|Cap|NoNew|Sig(Blk|Ign))" /proc/self/status >wanted
	umask >>wanted
	holds "record: the command keeps the privileges and signals of the caller" cmp got wanted
	run unsync record -q -o x.utrace -- sh -c \
		'sleep 1; grep -E "^(Uid|Gid|Groups|CapPrm|CapEff|NoNew)" /proc/$PPID/status >got'
	holds "record: goes on as nobody" grep -Eq "^Uid:.65534.65534.65534.65534$" got
	holds "record: without groups" grep -Eq "^Groups:[[:space:]]*$" got
	holds "record: gets no new privileges" grep -Eq "^NoNewPrivs:.1$" got
	# Kernels before 5.19 want CAP_BPF (bit 39) for reading maps.
	holds "record: has no capabilities" grep -Eq "^CapPrm:.0000(0000|0080)00000000$" got
	rm -f got wanted
fi
# Nothing that a user did not ask for stays, not even under another name.
holds "record: leaves no temporary file" sh -c '! ls -A | grep "^\.[a-z].*utrace"'
rm no-interpreter
