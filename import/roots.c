// SPDX-License-Identifier: GPL-2.0-only
#include "import/roots.h"

#include <stdlib.h>
#include <string.h>

#define HOME_BUCKETS 4096u
#define HOMES_MAX (1u << 20) /* last-level tables whose root is remembered */
#define ENTRIES 512u
#define SHARED UINT64_MAX

struct guest_root {
	struct guest_root *next;
	uint64_t gfn;
	uint32_t unsync; /* tables out of sync that are of this root alone */
	uint64_t known[ENTRIES / 64];
	uint64_t top[ENTRIES];
};

/* Through which root a last-level table was reached. */
struct guest_home {
	struct guest_home *next;
	uint64_t gfn;
	uint64_t root; /* SHARED: through several */
	bool unsync;
};

static struct guest_root *find(const struct guest_vm *vm, uint64_t gfn)
{
	struct guest_root *r = vm->roots;

	while (r && r->gfn != gfn)
		r = r->next;
	return r;
}

static unsigned int bucket(uint64_t gfn)
{
	return (unsigned int)(gfn * 0x9e3779b97f4a7c15ull >> 40) % HOME_BUCKETS;
}

static struct guest_home *find_home(const struct guest_vm *vm, uint64_t gfn)
{
	struct guest_home *h = vm->homes ? vm->homes[bucket(gfn)] : NULL;

	while (h && h->gfn != gfn)
		h = h->next;
	return h;
}

/* Which of them was used last stands first. */
static struct guest_root *to_front(struct guest_vm *vm, uint64_t gfn)
{
	struct guest_root **at = &vm->roots, *r;

	while (*at && (*at)->gfn != gfn)
		at = &(*at)->next;
	r = *at;
	if (!r)
		return NULL;
	*at = r->next;
	r->next = vm->roots;
	vm->roots = r;
	return r;
}

static void forget_last(struct guest_vm *vm)
{
	struct guest_root **at = &vm->roots;

	while (*at && (*at)->next)
		at = &(*at)->next;
	free(*at);
	*at = NULL;
	vm->n_roots--;
}

int roots_use(struct guest_vm *vm, uint64_t gfn)
{
	struct guest_root *r;

	if (vm->roots && vm->roots->gfn == gfn)
		return 0;
	if (to_front(vm, gfn))
		return 0;
	if (vm->n_roots == ROOTS_MAX)
		forget_last(vm);
	r = calloc(1, sizeof(*r));
	if (!r)
		return -1;
	r->gfn = gfn;
	r->next = vm->roots;
	vm->roots = r;
	vm->n_roots++;
	return 0;
}

static uint64_t without_ad(uint64_t entry)
{
	return entry & ~(UT_PTE_A | UT_PTE_D);
}

static bool knows(const struct guest_root *r, unsigned int index)
{
	return r->known[index / 64] >> index % 64 & 1;
}

static void move_home(struct guest_vm *vm, struct guest_home *h, uint64_t root)
{
	struct guest_root *from = find(vm, h->root), *to = find(vm, root);

	if (h->unsync && from && from->unsync)
		from->unsync--;
	if (h->unsync && to)
		to->unsync++;
	h->root = root;
}

static int note_home(struct guest_vm *vm, uint64_t root, uint64_t leaf)
{
	struct guest_home *h = find_home(vm, leaf);

	if (h) {
		if (h->root != root && h->root != SHARED)
			move_home(vm, h, SHARED);
		return 0;
	}
	if (vm->n_homes == HOMES_MAX)
		return 0;
	if (!vm->homes)
		vm->homes = calloc(HOME_BUCKETS, sizeof(struct guest_home *));
	h = vm->homes ? calloc(1, sizeof(*h)) : NULL;
	if (!h)
		return -1;
	h->gfn = leaf;
	h->root = root;
	h->next = vm->homes[bucket(leaf)];
	vm->homes[bucket(leaf)] = h;
	vm->n_homes++;
	return 0;
}

int roots_walked(struct guest_vm *vm, uint64_t gfn, unsigned int index, uint64_t entry,
		 uint64_t leaf)
{
	struct guest_root *r = find(vm, gfn);

	if (!r)
		return 0;
	r->top[index] = without_ad(entry);
	r->known[index / 64] |= 1ull << index % 64;
	return leaf ? note_home(vm, gfn, leaf) : 0;
}

uint64_t roots_by_entry(const struct guest_vm *vm, uint64_t now, unsigned int index, uint64_t entry)
{
	const struct guest_root *r = find(vm, now);
	uint64_t found = 0;

	/* The upper half is the kernel's, which all have in common. */
	if (r && knows(r, index) ? r->top[index] == without_ad(entry) : index >= ENTRIES / 2)
		return now;
	for (r = vm->roots; r; r = r->next) {
		if (r->gfn == now || !knows(r, index) || r->top[index] != without_ad(entry))
			continue;
		if (found)
			return now;
		found = r->gfn;
	}
	return found ? found : now;
}

uint64_t roots_entered(const struct guest_vm *vm, uint64_t now, uint64_t synced)
{
	const struct guest_home *h = synced ? find_home(vm, synced) : NULL;
	const struct guest_root *r = find(vm, now);

	if (h && h->root != SHARED && find(vm, h->root))
		return h->root;
	/* Had it been entered, what is out of sync there would have been synced. */
	if (!r || !r->unsync)
		return now;
	for (r = vm->roots; r; r = r->next) {
		if (r->gfn != now && !r->unsync)
			return r->gfn;
	}
	return now;
}

void roots_unsync(struct guest_vm *vm, uint64_t gfn, bool unsync)
{
	struct guest_home *h = find_home(vm, gfn);
	struct guest_root *r = h ? find(vm, h->root) : NULL;

	if (!h || h->unsync == unsync)
		return;
	h->unsync = unsync;
	if (r && unsync)
		r->unsync++;
	else if (r && r->unsync)
		r->unsync--;
}

static void forget_home(struct guest_vm *vm, uint64_t gfn)
{
	struct guest_home **at, *h = find_home(vm, gfn);

	if (!h)
		return;
	roots_unsync(vm, gfn, false);
	for (at = &vm->homes[bucket(gfn)]; *at != h; at = &(*at)->next)
		;
	*at = h->next;
	free(h);
	vm->n_homes--;
}

void roots_zapped(struct guest_vm *vm, uint64_t gfn, bool root)
{
	struct guest_root **at = &vm->roots, *r;

	if (!root) {
		forget_home(vm, gfn);
		return;
	}
	while (*at && (*at)->gfn != gfn)
		at = &(*at)->next;
	r = *at;
	if (!r)
		return;
	*at = r->next;
	free(r);
	vm->n_roots--;
}

void roots_free(struct guest_vm *vm)
{
	struct guest_home *next_home;
	struct guest_root *next;

	for (struct guest_root *r = vm->roots; r; r = next) {
		next = r->next;
		free(r);
	}
	for (unsigned int i = 0; vm->homes && i < HOME_BUCKETS; i++) {
		for (struct guest_home *h = vm->homes[i]; h; h = next_home) {
			next_home = h->next;
			free(h);
		}
	}
	free(vm->homes);
}
