# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# unsync record and unsync doctor, as far as they go without a guest; the rest is tests/e2e.

if [[ $(unsync doctor 2>&1) == *"no collector"* ]]; then
	fails "record: needs a collector" 1 "libbpf-dev, bpftool and clang" unsync record -o x.utrace -- true
	fails "doctor: needs a collector" 1 "libbpf-dev, bpftool and clang" unsync doctor
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

fails "record: no output" 2 "-o FILE" unsync record -- true
fails "record: nothing to record" 2 "say what to record" unsync record -o x.utrace
fails "record: command and process" 2 "not both" unsync record -o x.utrace -p 1 -- true
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
if ((status)); then
	fails "record: a host that cannot" 1 "^unsync: " unsync record -o x.utrace -- true
	fails "record: a host that cannot, exact" 1 "^unsync: " unsync record --exact -o x.utrace -- true
	fails "record: a host that cannot replaces nothing" 1 "^unsync: " \
		unsync record -f -o exact.utrace -- true
fi
