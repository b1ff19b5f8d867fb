// SPDX-License-Identifier: GPL-2.0-only
#include "import/story_parts.h"

#include <string.h>

int story_fail(struct story *s, const char *what)
{
	return ut_error_set(&s->sink.err, "%s", what);
}

int story_no_memory(struct story *s)
{
	return story_fail(s, "out of memory");
}

struct rec_head story_head(const struct guest_vcpu *c, uint64_t time, unsigned int kind)
{
	return (struct rec_head){
		.time = time, .kind = (uint8_t)kind, .vm = c->vm->id, .vcpu = c->id
	};
}

int story_put(struct story *s, const void *record, size_t size)
{
	if (!assembler_record(s->assembler, record, size))
		return 0;
	/* What emit() has to say is its own. */
	return s->refused ? -1 : story_no_memory(s);
}

int story_put_value(struct story *s, const struct guest_vcpu *c, uint64_t time, unsigned int kind,
		    uint64_t a, uint64_t b)
{
	struct rec_value r = { .head = story_head(c, time, kind), .a = a, .b = b };

	return story_put(s, &r, sizeof(r));
}

/* Something happened, but the recording has not what. */
int story_put_gap(struct story *s, const struct guest_vcpu *c, uint64_t time, unsigned int kind)
{
	struct rec_lost r = { .head = story_head(c, time, UT_LOST), .cause = UT_LOST_IMPORT };

	r.head.vcpu = UT_NO_VCPU;
	r.counts[kind] = 1;
	return story_put(s, &r, sizeof(r));
}

int story_put_state(struct story *s, struct guest_vcpu *c, uint64_t time)
{
	struct rec_state r = { .head = story_head(c, time, UT_STATE),
			       .cr0 = c->state.cr0,
			       .cr3 = c->state.cr3,
			       .cr4 = c->state.cr4,
			       .efer = c->state.efer };

	c->told = true;
	return story_put(s, &r, sizeof(r));
}

int story_put_vm(struct story *s, const struct guest_vcpu *c, const struct guest_thread *t,
		 uint64_t time)
{
	struct rec_vm r = { .head = story_head(c, time, UT_VM), .pid = t->pid ? t->pid : t->tid };
	struct guest_thread *main = t->pid ? guests_thread(s->guests, t->pid, t->pid, false) : NULL;

	r.head.vcpu = UT_NO_VCPU;
	/* Of QEMU's threads the first has the name of the program. */
	memcpy(r.comm, main && main->name[0] ? main->name : t->name, sizeof(r.comm));
	return story_put(s, &r, sizeof(r));
}
