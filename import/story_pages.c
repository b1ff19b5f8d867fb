// SPDX-License-Identifier: GPL-2.0-only
#include "import/story_parts.h"

#include <string.h>

/* Who a page is, while it lives: no record has its address. */
static uint64_t name_page(unsigned int vm, uint64_t gfn, uint32_t role)
{
	uint64_t name = (gfn << 10 ^ vm) * 0x9e3779b97f4a7c15ull;

	return (name ^ name >> 29 ^ role) * 0xbf58476d1ce4e5b9ull;
}

/* Not only vCPUs zap pages. */
static struct guest_vm *vm_of(struct story *s, const struct now *n, uint64_t gfn, uint32_t role)
{
	struct guest_vm *found;

	if (n->vcpu)
		return n->vcpu->vm;
	found = guests_of_process(s->guests, n->pid);
	for (struct guest_vm *vm = found ? NULL : guests_vms(s->guests); vm; vm = vm->next) {
		if (!assembler_has_page(s->assembler, name_page(vm->id, gfn, role)))
			continue;
		if (found)
			return NULL;
		found = vm;
	}
	return found;
}

static bool is_root(const struct guest_vcpu *c, uint32_t role)
{
	unsigned int level = ut_role_level(role), levels = c ? story_levels(&c->state) : 0;

	return !(role & UT_ROLE_DIRECT) && (level == 5 || (level == 4 && levels != 5));
}

static unsigned int page_kind(const struct now *n)
{
	switch (n->format->tracepoint) {
	case TP_GET_PAGE:
		return get(n, PAGE_CREATED) ? UT_PAGE_NEW : UT_PAGE_FOUND;
	case TP_ZAP_PAGE:
		return UT_PAGE_ZAP;
	case TP_SYNC_PAGE:
		return UT_HOST_SYNC;
	default:
		return UT_HOST_UNSYNC;
	}
}

/* What pages tell about roots, before the assembler hears of them. */
static int page_and_roots(struct story *s, const struct now *n, struct guest_vm *vm, uint64_t gfn,
			  uint32_t role, unsigned int kind)
{
	struct guest_vcpu *c = n->vcpu;
	bool root = is_root(c, role);

	if (kind == UT_HOST_SYNC && c && c->exit.open) {
		c->exit.syncs = gfn;
		if (story_end_cr(s, c, n->time))
			return -1;
	}
	if (kind == UT_HOST_SYNC || kind == UT_HOST_UNSYNC)
		roots_unsync(vm, gfn, kind == UT_HOST_UNSYNC);
	if (kind == UT_PAGE_ZAP && (root || ut_role_level(role) == 1))
		roots_zapped(vm, gfn, root);
	if (!root || !c || (kind != UT_PAGE_NEW && kind != UT_PAGE_FOUND))
		return 0;
	if (story_see_root(s, n, gfn, role))
		return -1;
	return story_end_cr(s, c, n->time);
}

/* Until its thread says which vCPU it is. */
static void hold(struct story *s, const struct now *n)
{
	struct held *h = &s->held[s->n_held];

	if (s->n_held == HELD_RECORDS || n->format->bytes > sizeof(h->data)) {
		s->counts.astray++;
		return;
	}
	*h = (struct held){ .format = n->format, .tid = n->tid };
	memcpy(h->data, n->data, n->format->bytes);
	s->n_held++;
}

int story_take_page(struct story *s, const struct now *n)
{
	const struct role_layout *layout = formats_role(s->formats);
	struct rec_page r = { .gfn = get(n, PAGE_GFN), .role = (uint32_t)get(n, PAGE_ROLE) };
	unsigned int kind = page_kind(n);
	uint32_t role = role_normalise(layout, r.role);
	struct guest_vm *vm;

	/* It was zapped when it was made invalid; now it goes, no vCPU having it as its root any more. */
	if (role & UT_ROLE_INVALID)
		return 0;
	/* Only vCPUs look pages up. */
	if (!n->vcpu && (kind == UT_PAGE_NEW || kind == UT_PAGE_FOUND)) {
		hold(s, n);
		return 0;
	}
	vm = vm_of(s, n, r.gfn, role);
	if (!vm) {
		s->counts.astray++;
		return 0;
	}
	if (role & UT_ROLE_DIRECT)
		s->pages++;
	else
		s->tables++;
	r.sp = name_page(vm->id, r.gfn, role);
	/* Zapping a page that is out of sync ends that, and KVM tells so. */
	if (kind == UT_HOST_SYNC && n->thread && n->thread->zapping == r.sp)
		return 0;
	if (n->thread)
		n->thread->zapping = kind == UT_PAGE_ZAP && get(n, PAGE_UNSYNC) ? r.sp : 0;
	if (page_and_roots(s, n, vm, r.gfn, role, kind))
		return -1;
	r.head = (struct rec_head){ .time = n->time,
				    .vm = vm->id,
				    .vcpu = n->vcpu ? n->vcpu->id : UT_NO_VCPU };
	r.flags = get(n, PAGE_UNSYNC) ? REC_PAGE_UNSYNC : 0;
	if ((kind == UT_HOST_SYNC || kind == UT_HOST_UNSYNC) &&
	    !assembler_has_page(s->assembler, r.sp)) {
		/* It was there before the recording. */
		r.head.kind = REC_RUNNING_PAGE;
		if (story_put(s, &r, sizeof(r)))
			return -1;
	}
	r.head.kind = (uint8_t)kind;
	return story_put(s, &r, sizeof(r));
}
