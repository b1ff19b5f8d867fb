# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Losses: counted by cause and kind, and in the trace where they happened.

# check_losses NAME FILE CAUSE
check_losses()
{
	local name=$1 file=$2 cause=$3
	holds "$name: counted" more_than ".lost_by_cause[\"$cause\"]" 0 "$file"
	holds "$name: nothing else lost" is '.lost == .lost_by_cause["'"$cause"'"]' true "$file"
	holds "$name: the trace is whole all the same" is .complete true "$file"
	unsync dump "$file" >dump.txt
	holds "$name: each loss stands in the trace" \
		test "$(grep -c ' lost  ' dump.txt)" = "$(info "$file" .kinds.lost)"
	unsync info "$file" >info.txt
	holds "$name: info warns" grep -q '^LOST' info.txt
	ends "$name: replay warns" 0 '^unsync: warning: .*lost' \
		unsync replay --no-measure -o "$file.result" --model unsync-bitmap "$file"
	holds "$name: the page warns" unsync plot "$file.result" -o "$file.page"
	holds "$name: the page does say so" grep -qri 'lost' "$file.page"
}

# stat FILE NAME: a counter of the VM, or of the capture, at its end
stat_of() { info "$1" "[.host_statistics[] | select(.name == \"$2\") | .end] | add // 0"; }

# lost_of FILE KIND: how many events of a kind were lost, any cause
lost_of()
{
	unsync dump "$1" | awk -v kind="$2" '$3 == "lost" && $NF == kind { for (i = 4; i < NF; i++)
		if ($i == "count") n += $(i + 1) } END { print n + 0 }'
}

# adds_up NAME FILE COUNTER KIND...: what was recorded and what was lost are what KVM counted
adds_up()
{
	local name=$1 file=$2 counter=$3 kind recorded=0 lost=0 all
	shift 3
	for kind; do
		recorded=$((recorded + $(info "$file" ".kinds[\"$kind\"]")))
		lost=$((lost + $(lost_of "$file" "$kind")))
	done
	all=$(stat_of "$file" "$counter")
	echo "$name: $recorded recorded + $lost lost, $counter $all"
	holds "$name: $* recorded and lost are $counter" test $((recorded + lost)) = "$all"
}

# A ring that is far too small, on one CPU with a busy guest.
taskset -p 1 $$ >/dev/null
ends "tiny ring" 3 'lost; a larger ring' \
	unsync record -m 64k -o ring.utrace -- guest --pace 0 --rounds 2000
taskset -p 3 $$ >/dev/null
check_losses "tiny ring" ring.utrace ring-full
adds_up "tiny ring" ring.utrace kvm.mmu_cache_miss page-new
adds_up "tiny ring" ring.utrace kvm.invlpg invlpg
adds_up "tiny ring" ring.utrace kvm.pf_taken fault

# The same with room enough: so it was the ring.
ends "large ring" 0 ' 0 lost' unsync record -o large.utrace -- guest --pace 0 --rounds 2000
adds_up "large ring" large.utrace kvm.mmu_cache_miss page-new
holds "large ring: nothing lost" is .lost 0 large.utrace

# A cap on events.
ends "rate" 3 'lost' unsync record --max-rate 1000 -o rate.utrace -- guest --pace 0 --rounds 500
check_losses "rate" rate.utrace rate
adds_up "rate" rate.utrace kvm.mmu_cache_miss page-new
adds_up "rate" rate.utrace kvm.invlpg invlpg
rate='(.events - .kinds.lost) * 1e9 / (.last_ns - .first_ns)'
note "rate: $(info rate.utrace "$rate") events a second"
holds "rate: kept" is "$rate < 1500" true rate.utrace

# A table that the host cannot read when it goes out of sync or back: dropped every tenth round.
ends "unreadable" 3 'lost' unsync record -o hide.utrace -- guest --rounds 300 --hide 10
check_losses "unreadable" hide.utrace unreadable
holds "unreadable: each time" is '.lost_by_cause.unreadable' 30 hide.utrace

# Two vCPUs on one CPU, on a kernel that may switch between them while a hook runs.
if [[ -w /sys/kernel/debug/sched/preempt ]]; then
	was=$(grep -o '(.*)' /sys/kernel/debug/sched/preempt | tr -d '()')
	echo full >/sys/kernel/debug/sched/preempt
	unsync record -q -o recursion.utrace -- taskset 1 guest --pace 0 --rounds 300 --vcpus 3 2>err
	status=$?
	echo "$was" >/sys/kernel/debug/sched/preempt
	# A hook that copes with that loses nothing; what it does lose must be told.
	n=$(info recursion.utrace .lost)
	holds "preemption: exit status tells of losses" test $status = $((n ? 3 : 0))
	((n == 0)) || check_losses "preemption" recursion.utrace recursion
	ends "preemption: no more is missing than that" $((n ? 3 : 0)) '' unsync info --check recursion.utrace
else
	skips "preemption" "this kernel's way of preemption cannot be changed"
fi
holds "losses: nothing stays in the kernel" nothing_stays
