// SPDX-License-Identifier: GPL-2.0-only
/*
 * unsync_exact: make KVM keep chosen guests' shadow page tables always in step.
 *
 * KVM lets last-level guest page tables go out of sync: writes to them stop exiting until the next
 * flush, and what was written in between is lost to anybody who records the guest. While this
 * module is told to, KVM refuses that for the virtual machines named to it. Their tables stay
 * write-protected; every write to one exits, is emulated, and can be recorded with its value.
 *
 * How it refuses. Before KVM maps a guest page writable it asks mmu_try_to_unsync_pages() whether
 * the tables in that page may go out of sync. Parameter 4 of that function says whether its caller
 * can accept that at all; which way round depends on the kernel:
 *
 *	bool can_unsync		false means no; KVM then answers -EPERM and write-protects
 *	bool synchronizing	true means no
 *
 * A kretprobe sets it to "no" as the function is entered. On x86-64 parameter 4 is in RCX. The name
 * is in the kernel's BTF, where user space finds it and passes it on: the module knows nothing about
 * kernel versions. User space must check that the parameter is the fourth, a bool.
 *
 * What it counts. Most of the pages that KVM asks about hold no table at all, so most refusals change
 * nothing. Those that did are known as the function returns: it was made to say no, and the answer is
 * -EPERM. One probe does both, so that no call can be in one count and not in the other.
 *
 * Whom it refuses. Entries of a shadow page are made by a vCPU's own thread only, so the process
 * that calls the function is the one that owns the VM. The process is therefore compared, by the
 * identity of its thread group (struct pid, held, so that a reused number cannot match). Unlike
 * fields of struct kvm, that does not depend on how KVM was built. All VMs of a process are taken
 * together.
 *
 * Interface: /dev/unsync-exact. Every open file has its own targets; when it is closed, or its
 * owner dies, they are gone, and with the last one the probe. Open it with O_CLOEXEC: a child
 * that inherits it keeps the refusal on. The module can be removed whenever nobody has it open,
 * whether guests run or not; they go on as if it had never been there.
 *
 *	write "arg=can_unsync" or "arg=synchronizing"	once, first
 *	write "pid=N"		refuse for the process N (any of its threads will do)
 *	read, at offset 0	text, a line each:
 *		active 0|1	whether the probe is in place
 *		calls N		times KVM asked on behalf of this file's targets
 *		refusals N	of these, times it would have accepted and was made to refuse
 *		denied N	of these, times the page did hold a shadowed table, so that KVM kept
 *				it write-protected
 *		missed N	times the probe could not run since it was placed, for any process;
 *				a recording during which this grew is not exact
 *
 * One command a write. Errors: EINVAL (no such command, or pid before arg), EBUSY (arg given twice
 * with different names), ENOENT (this kernel has no such function, or kvm is not loaded), ESRCH (no
 * such process), EEXIST (already a target), ENOSPC (too many that have not ended), ENODEV
 * (kvm went away).
 *
 * Tables that are out of sync when a VM becomes a target stay so until KVM syncs or zaps them, at
 * the next flush.
 */
#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#ifndef CONFIG_X86_64
#error "unsync_exact knows the registers of x86-64 only"
#endif

#define EXACT_MAX_TARGETS 64
#define EXACT_MAX_COMMAND 32

/*
 * Calls that may be under way at a time. They hold KVM's MMU lock, so there is one for each CPU, but
 * with PREEMPT_RT, where that lock sleeps, one for each vCPU that shares it. Too few show as missed.
 */
#define EXACT_MAX_ACTIVE 512

/* One open file. */
struct exact_session {
	bool armed;	    /* "arg=" was given, and this session holds the probe */
	bool refuse;	    /* value of parameter 4 that means "no" */
	unsigned int count; /* of targets */
	struct list_head targets;
	atomic64_t calls;
	atomic64_t refusals;
	atomic64_t denied;
};

struct exact_target {
	struct list_head node; /* in exact_targets */
	struct list_head own;  /* in session->targets */
	struct pid *tgid;      /* held */
	struct exact_session *session;
};

/* Guards everything below, and every session's fields other than the counters. */
static DEFINE_MUTEX(exact_lock);
static LIST_HEAD(exact_targets); /* read under RCU by the probe */
static unsigned int exact_users; /* sessions that are armed */

/* The caller holds rcu_read_lock(). Returns NULL for a process that is nobody's target. */
static struct exact_session *exact_session_of(const struct pid *tgid)
{
	const struct exact_target *target;

	list_for_each_entry_rcu(target, &exact_targets, node) {
		if (target->tgid == tgid)
			return target->session;
	}
	return NULL;
}

/* Returns 0 if the answer is to be seen, too. */
static int exact_asked(struct kretprobe_instance *call, struct pt_regs *regs)
{
	struct exact_session *session;
	bool refused = false;

	rcu_read_lock();
	session = exact_session_of(task_tgid(current));
	if (session) {
		atomic64_inc(&session->calls);
		/* A bool is passed in the low byte; what stands above it is undefined. */
		refused = (bool)(regs->cx & 0xff) != session->refuse;
	}
	if (refused) {
		regs->cx = session->refuse;
		atomic64_inc(&session->refusals);
	}
	rcu_read_unlock();
	return !refused;
}

/* The session may have been closed since, so it is looked up again. */
static int exact_answered(struct kretprobe_instance *call, struct pt_regs *regs)
{
	struct exact_session *session;

	if ((int)regs_return_value(regs) != -EPERM)
		return 0;
	rcu_read_lock();
	session = exact_session_of(task_tgid(current));
	if (session)
		atomic64_inc(&session->denied);
	rcu_read_unlock();
	return 0;
}

static struct kretprobe exact_probe;

static int exact_get_probe(void)
{
	int err;

	if (!exact_users) {
		/* One that was registered before cannot be registered again as it is. */
		exact_probe = (struct kretprobe){
			.kp.symbol_name = "mmu_try_to_unsync_pages",
			.entry_handler = exact_asked,
			.handler = exact_answered,
			.maxactive = EXACT_MAX_ACTIVE,
		};
		err = register_kretprobe(&exact_probe);
		if (err)
			return err;
	}
	exact_users++;
	return 0;
}

static void exact_put_probe(void)
{
	if (!--exact_users)
		unregister_kretprobe(&exact_probe);
}

static bool exact_active(void)
{
	return exact_users && !kprobe_gone(&exact_probe.kp) && !kprobe_disabled(&exact_probe.kp);
}

/* The entry was not seen because of another probe, or for want of a place to keep the return. */
static unsigned long exact_missed(void)
{
	return exact_probe.kp.nmissed + exact_probe.nmissed;
}

static int exact_set_arg(struct exact_session *session, const char *name)
{
	bool refuse;
	int err;

	if (!strcmp(name, "can_unsync"))
		refuse = false;
	else if (!strcmp(name, "synchronizing"))
		refuse = true;
	else
		return -EINVAL;

	if (session->armed)
		return session->refuse == refuse ? 0 : -EBUSY;
	err = exact_get_probe();
	if (err)
		return err;
	session->refuse = refuse;
	session->armed = true;
	return 0;
}

/* The thread group that the thread with this number belongs to; the caller puts it. */
static struct pid *exact_find_tgid(pid_t nr)
{
	struct pid *pid = find_get_pid(nr), *tgid = NULL;
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);

	if (task) {
		tgid = get_task_pid(task, PIDTYPE_TGID);
		put_task_struct(task);
	}
	put_pid(pid);
	return tgid;
}

static bool exact_has_ended(struct pid *tgid)
{
	bool ended;

	rcu_read_lock();
	ended = !pid_task(tgid, PIDTYPE_TGID);
	rcu_read_unlock();
	return ended;
}

static void exact_drop_ended(struct exact_session *session)
{
	struct exact_target *target, *next;
	LIST_HEAD(ended);

	list_for_each_entry_safe(target, next, &session->targets, own) {
		if (!exact_has_ended(target->tgid))
			continue;
		list_del_rcu(&target->node);
		list_move(&target->own, &ended);
		session->count--;
	}
	if (list_empty(&ended))
		return;
	synchronize_rcu();
	list_for_each_entry_safe(target, next, &ended, own) {
		put_pid(target->tgid);
		kfree(target);
	}
}

static int exact_add_target(struct exact_session *session, const char *number)
{
	struct exact_target *target, *other;
	int err, nr;

	err = kstrtoint(number, 10, &nr);
	if (err || nr <= 0 || !session->armed)
		return -EINVAL;
	if (!exact_active())
		return -ENODEV;
	target = kzalloc(sizeof(*target), GFP_KERNEL);
	if (!target)
		return -ENOMEM;
	target->session = session;
	target->tgid = exact_find_tgid(nr);
	if (!target->tgid) {
		err = -ESRCH;
		goto free;
	}
	/* A process has one owner, so that no two files count or undo the same refusal. */
	list_for_each_entry(other, &exact_targets, node) {
		if (other->tgid == target->tgid) {
			err = -EEXIST;
			goto put;
		}
	}
	if (session->count >= EXACT_MAX_TARGETS)
		exact_drop_ended(session);
	if (session->count >= EXACT_MAX_TARGETS) {
		err = -ENOSPC;
		goto put;
	}
	list_add_tail_rcu(&target->node, &exact_targets);
	list_add_tail(&target->own, &session->targets);
	session->count++;
	return 0;

put:
	put_pid(target->tgid);
free:
	kfree(target);
	return err;
}

static ssize_t exact_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct exact_session *session = file->private_data;
	char buf[EXACT_MAX_COMMAND + 1], *command;
	int err = -EINVAL;

	if (!len || len > EXACT_MAX_COMMAND)
		return -EINVAL;
	if (copy_from_user(buf, from, len))
		return -EFAULT;
	buf[len] = '\0';
	if (strlen(buf) != len)
		return -EINVAL;
	command = strim(buf);

	mutex_lock(&exact_lock);
	if (!strncmp(command, "arg=", 4))
		err = exact_set_arg(session, command + 4);
	else if (!strncmp(command, "pid=", 4))
		err = exact_add_target(session, command + 4);
	mutex_unlock(&exact_lock);
	return err ? err : len;
}

static ssize_t exact_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	struct exact_session *session = file->private_data;
	char buf[160];
	int n;

	mutex_lock(&exact_lock);
	n = scnprintf(buf, sizeof(buf),
		      "active %d\ncalls %lld\nrefusals %lld\ndenied %lld\nmissed %lu\n",
		      session->armed && exact_active(), atomic64_read(&session->calls),
		      atomic64_read(&session->refusals), atomic64_read(&session->denied),
		      session->armed ? exact_missed() : 0);
	mutex_unlock(&exact_lock);
	return simple_read_from_buffer(to, len, pos, buf, n);
}

static int exact_open(struct inode *inode, struct file *file)
{
	struct exact_session *session = kzalloc(sizeof(*session), GFP_KERNEL);

	if (!session)
		return -ENOMEM;
	INIT_LIST_HEAD(&session->targets);
	file->private_data = session;
	return 0;
}

static int exact_release(struct inode *inode, struct file *file)
{
	struct exact_session *session = file->private_data;
	struct exact_target *target, *next;

	mutex_lock(&exact_lock);
	list_for_each_entry(target, &session->targets, own)
		list_del_rcu(&target->node);
	if (session->armed)
		exact_put_probe();
	mutex_unlock(&exact_lock);

	/* The probe may still be looking at a target, and through it at the session. */
	synchronize_rcu();
	list_for_each_entry_safe(target, next, &session->targets, own) {
		put_pid(target->tgid);
		kfree(target);
	}
	kfree(session);
	return 0;
}

static const struct file_operations exact_fops = {
	.owner = THIS_MODULE,
	.open = exact_open,
	.release = exact_release,
	.read = exact_read,
	.write = exact_write,
	.llseek = default_llseek,
};

static struct miscdevice exact_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "unsync-exact",
	.fops = &exact_fops,
	.mode = 0600,
};

module_misc_device(exact_device);

MODULE_DESCRIPTION("Keep KVM from letting shadow page tables of recorded guests go out of sync");
MODULE_LICENSE("GPL");
