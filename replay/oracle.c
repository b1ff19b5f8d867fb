// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "replay/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/guest.h"

#define SHIFT 12
#define MAX_PATHS 4096	     /* from one root to one page; self-maps multiply them */
#define MAX_BELOW (1u << 20) /* translations followed at a time */
#define MAX_KNOWN (1u << 16) /* violations told apart; beyond that each finding counts */
#define ENOUGH 10000	     /* violations; nobody reads on, and such shadows are slow to check */
#define AUDIT_LEAST 256	     /* events */
#define AUDIT_WORK 64	     /* entries audited for each event, on average */

/* A way from a running vCPU's root to a page. */
struct path {
	uint16_t vcpu;
	uint64_t gva;
};

struct ur_oracle {
	const struct um_mmu *mmu;
	struct ur_guest *guest;
	struct ur_verified result;
	const struct ut_event *event; /* under way */
	bool failed;

	/* Words that changed while a shadow entry of them stood; they may be stale. */
	struct ur_change *suspects;
	size_t n_suspects, cap_suspects, sorted;
	uint64_t seen; /* of the counters that tell of links, roots and syncs: their sum */

	unsigned int audit_every;
	uint64_t audited, next_audit; /* events */
	uint64_t work;		      /* entries looked at in this audit */
	uint32_t *links;	      /* by page id: entries that lead there */
	size_t cap_links;
	uint64_t *protected; /* frames of tables in sync, sorted */
	size_t n_protected, cap_protected;

	struct path *paths;
	size_t n_paths, cap_paths;
	unsigned int below; /* translations followed by now */
	uint64_t found;	    /* violations, those that last included */
	uint64_t *known;    /* violations told of: hashes, open addressing */
	size_t n_known;
};

static const char *const rule_names[] = {
#define X(name, help) #name,
	UR_RULES(X)
#undef X
};

static const char *const rule_helps[] = {
#define X(name, help) help,
	UR_RULES(X)
#undef X
};

const char *ur_rule_name(enum ur_rule rule)
{
	return rule_names[rule];
}

const char *ur_rule_help(enum ur_rule rule)
{
	return rule_helps[rule];
}

static bool room(struct ur_oracle *o, void **array, size_t n, size_t *cap, size_t size)
{
	size_t bigger = *cap ? *cap * 2 : 64;
	void *more;

	if (n < *cap)
		return true;
	while (bigger <= n)
		bigger *= 2;
	more = realloc(*array, bigger * size);
	if (!more) {
		o->failed = true;
		return false;
	}
	*array = more;
	*cap = bigger;
	return true;
}

static enum ur_knowledge gpte_of(const struct ur_oracle *o, const struct um_page *page,
				 unsigned int index, uint64_t *gpte);

/* ---- telling of violations ---- */

static uint64_t mix(uint64_t hash, uint64_t v)
{
	hash = (hash ^ v) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

/* Was the same found before? Then it lasts, and is no other one. */
static bool is_new(struct ur_oracle *o, uint64_t hash)
{
	size_t i = hash & (2 * MAX_KNOWN - 1);

	if (o->n_known == MAX_KNOWN)
		return true;
	if (!o->known) {
		o->known = calloc(2 * MAX_KNOWN, sizeof(*o->known));
		if (!o->known) {
			o->failed = true;
			return false;
		}
	}
	hash += !hash;
	for (; o->known[i]; i = (i + 1) & (2 * MAX_KNOWN - 1)) {
		if (o->known[i] == hash)
			return false;
	}
	o->known[i] = hash;
	o->n_known++;
	return true;
}

static void keep_line(struct ur_oracle *o, enum ur_rule rule, const char *what)
{
	const struct ut_event *e = o->event;
	char *line;
	int n;

	if (o->result.n_first == UR_SHOWN)
		return;
	if (e)
		n = asprintf(&line, "event %" PRIu64 " (%s) at %.9f s: %s: %s", o->result.events,
			     ut_kind_name(e->kind), (double)e->time / 1e9, rule_names[rule], what);
	else
		n = asprintf(&line, "at the end: %s: %s", rule_names[rule], what);
	if (n < 0)
		o->failed = true;
	else
		o->result.first[o->result.n_first++] = line;
}

/* @page: which page is concerned; @index: of its entry, or UM_ENTRIES for the page as such. */
static void violation(struct ur_oracle *o, enum ur_rule rule, const struct um_page *page,
		      unsigned int index, uint64_t more, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
static void violation(struct ur_oracle *o, enum ur_rule rule, const struct um_page *page,
		      unsigned int index, uint64_t more, const char *fmt, ...)
{
	uint64_t spte = index < UM_ENTRIES ? page->spt[index] & ~UM_SPTE_A : 0, gpte = 0;
	uint64_t hash = mix(mix(mix(mix(rule, page->gfn), page->role), index), more);
	char detail[256], what[512];
	va_list ap;

	o->found++;
	if (!is_new(o, mix(mix(hash, spte), page->id)))
		return;
	o->result.violations++;
	o->result.by_rule[rule]++;
	if (o->result.n_first == UR_SHOWN)
		return;
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	if (index < UM_ENTRIES) {
		gpte_of(o, page, index, &gpte);
		snprintf(what, sizeof(what),
			 "L%u %spage of gfn %#" PRIx64 " (role %#x, %s) entry %u: shadow %#" PRIx64
			 ", guest %#" PRIx64 ": %s",
			 ut_role_level(page->role), page->role & UT_ROLE_DIRECT ? "direct " : "",
			 page->gfn, page->role, page->unsync ? "out of sync" : "in sync", index,
			 page->spt[index], page->role & UT_ROLE_DIRECT ? 0 : gpte, detail);
	} else {
		snprintf(what, sizeof(what), "L%u page of gfn %#" PRIx64 " (role %#x): %s",
			 ut_role_level(page->role), page->gfn, page->role, detail);
	}
	keep_line(o, rule, what);
}

/* ---- an entry against the guest's ---- */

static uint64_t frame_of(uint64_t entry)
{
	return (entry & UT_PTE_FRAME) >> SHIFT;
}

static uint64_t span(unsigned int level)
{
	return 1ull << (9 * (level - 1));
}

static bool in_sync(const struct ur_oracle *o, const struct um_page *page)
{
	return !page->unsync && !o->mmu->model->no_protect && !(page->role & UT_ROLE_DIRECT);
}

/*
 * The first of the shadow entries that a word of the guest's table stands behind, and how many. Of 4-byte
 * entries a word holds two, and a page shadows the part of the table that its quadrant says; a directory
 * entry covers 4 MiB, its shadow two times 2.
 */
static unsigned int entries_of(const struct um_page *page, unsigned int word, unsigned int *n)
{
	unsigned int each = ut_role_level(page->role) > 1 ? 4 : 2;
	unsigned int part = (page->role & UT_ROLE_QUADRANT) >> UT_ROLE_QUADRANT_SHIFT;

	*n = 1;
	if (page->role & UT_ROLE_DIRECT)
		*n = 0;
	if (!(page->role & UT_ROLE_4BYTE))
		return word;
	*n = word * each / UM_ENTRIES == part ? each : 0;
	return word * each % UM_ENTRIES;
}

/* The guest's entry behind a shadow entry. */
static enum ur_knowledge gpte_of(const struct ur_oracle *o, const struct um_page *page,
				 unsigned int index, uint64_t *gpte)
{
	unsigned int each = ut_role_level(page->role) > 1 ? 4 : 2;
	unsigned int part = (page->role & UT_ROLE_QUADRANT) >> UT_ROLE_QUADRANT_SHIFT;
	unsigned int at = part * UM_ENTRIES + index;
	enum ur_knowledge k;
	uint64_t word = 0;

	if (page->role & UT_ROLE_DIRECT)
		return UR_UNKNOWN;
	if (!(page->role & UT_ROLE_4BYTE)) {
		k = ur_guest_entry(o->guest, page->gfn, index, gpte);
		return k;
	}
	k = ur_guest_entry(o->guest, page->gfn, at / each, &word);
	*gpte = word >> (at % each * 2 / each * 32) & 0xffffffffu;
	return k;
}

/* The frame of a large page's part that a shadow entry above the leaves stands for. */
static uint64_t large_gfn(const struct um_page *page, unsigned int index, uint64_t gpte)
{
	if (page->role & UT_ROLE_4BYTE)
		return ((gpte & 0xffc00000u) >> SHIFT | (gpte & 0x1fe000u) << 7) |
		       (index % 2 * span(2));
	return frame_of(gpte) & ~(span(ut_role_level(page->role)) - 1);
}

/* What the guest's entry leaves of the access that the walk had so far. */
static uint32_t access_below(const struct um_page *page, uint64_t gpte)
{
	uint32_t access = page->role & UT_ROLE_ACCESS;

	if (!(gpte & UT_PTE_W))
		access &= ~UT_ROLE_WRITE;
	if (!(gpte & UT_PTE_U))
		access &= ~UT_ROLE_USER;
	if ((page->role & UT_ROLE_EFER_NX) && (gpte & UT_PTE_NX))
		access &= ~UT_ROLE_EXEC;
	return access;
}

static const char *leaf_fault(const struct um_page *page, unsigned int index, uint64_t gpte)
{
	uint64_t spte = page->spt[index];
	uint32_t access = access_below(page, gpte);
	bool past_wp = !(page->role & UT_ROLE_CR0_WP) && !(spte & UM_SPTE_U);
	bool large = ut_role_level(page->role) > 1;

	if (large && !(gpte & UT_PTE_PS))
		return "a table by now";
	if (frame_of(spte) != (large ? large_gfn(page, index, gpte) : frame_of(gpte)))
		return "another frame";
	if ((spte & UM_SPTE_W) && !(access & UT_ROLE_WRITE) && !past_wp)
		return "writable against the guest's will";
	if ((spte & UM_SPTE_W) && !(gpte & UT_PTE_D))
		return "writable though clean";
	if ((spte & UM_SPTE_U) && !(access & UT_ROLE_USER))
		return "open to users";
	if (!(spte & UM_SPTE_NX) && !(access & UT_ROLE_EXEC))
		return "executable";
	return NULL;
}

static const char *link_fault(const struct um_page *page, unsigned int index,
			      const struct um_page *child, uint64_t gpte)
{
	unsigned int level = ut_role_level(page->role);
	bool large = (gpte & UT_PTE_PS) && level <= 3;
	uint32_t access = access_below(page, gpte);
	uint64_t gfn = frame_of(gpte);

	if (large != !!(child->role & UT_ROLE_DIRECT))
		return large ? "a large page by now" : "a table by now";
	if (large) {
		gfn = large_gfn(page, index, gpte);
		if (!(gpte & UT_PTE_D))
			access &= ~UT_ROLE_WRITE;
	}
	if (child->gfn != gfn)
		return "another table";
	if ((page->role & UT_ROLE_4BYTE) && level == 2 && !large &&
	    (child->role & UT_ROLE_QUADRANT) != (index % 2) << UT_ROLE_QUADRANT_SHIFT)
		return "another part of the table";
	/* With CR0.WP off, a supervisor's write makes it the supervisor's. */
	if (large && !(page->role & UT_ROLE_CR0_WP) && !(child->role & UT_ROLE_USER) &&
	    (gpte & UT_PTE_D))
		access |= UT_ROLE_WRITE;
	if (child->role & UT_ROLE_ACCESS & ~access)
		return "a page with more access";
	return NULL;
}

/* Why a present entry is not as the guest's table has it now; NULL: it is, or that is not known. */
static const char *entry_fault(struct ur_oracle *o, const struct um_page *page, unsigned int index)
{
	uint64_t spte = page->spt[index], gpte;
	const struct um_page *child;

	o->result.checks++;
	if (gpte_of(o, page, index, &gpte) != UR_KNOWN) {
		o->result.undecided++;
		return NULL;
	}
	if (!(gpte & UT_PTE_P))
		return "not present any more";
	if (!(gpte & UT_PTE_A))
		return "not accessed any more";
	if (spte & UM_SPTE_LEAF)
		return leaf_fault(page, index, gpte);
	child = um_child(o->mmu, page, index);
	return child ? link_fault(page, index, child, gpte) : NULL;
}

/* ---- translations ---- */

static uint64_t canonical(uint64_t gva, unsigned int levels)
{
	unsigned int unused = 64 - (SHIFT + 9 * levels);

	if (levels < 4)
		return gva;
	return (uint64_t)((int64_t)(gva << unused) >> unused);
}

static const char *bits_text(uint64_t spte, char *text)
{
	text[0] = spte & UM_SPTE_W ? 'w' : '-';
	text[1] = spte & UM_SPTE_U ? 'u' : '-';
	text[2] = spte & UM_SPTE_NX ? '-' : 'x';
	text[3] = '\0';
	return text;
}

static void tell_translation(struct ur_oracle *o, uint16_t vcpu, const struct um_page *page,
			     unsigned int index, const struct ur_translation *t)
{
	char bits[4], now[64];
	uint64_t gfn, entry;

	if (ur_guest_now(o->guest, vcpu, t->gva, &gfn, &entry))
		snprintf(now, sizeof(now), "now gfn %#" PRIx64 " by %#" PRIx64, gfn, entry);
	else
		snprintf(now, sizeof(now), "now nowhere, as of %#" PRIx64, entry);
	violation(o, UR_RULE_tlb, page, index, mix(vcpu, t->gva),
		  "vCPU %u reaches gfn %#" PRIx64 " (%s) at gva %#" PRIx64 "; the tables lead %s, "
		  "and no flush since allows the old",
		  vcpu, t->gfn, bits_text(page->spt[index], bits), t->gva, now);
}

/* May a running vCPU use this leaf entry at this address? */
static void check_leaf(struct ur_oracle *o, uint16_t vcpu, const struct um_page *page,
		       unsigned int index, uint64_t gva)
{
	uint64_t spte = page->spt[index];
	unsigned int level = ut_role_level(page->role);
	struct ur_translation t = { .gva = gva & ~((span(level) << SHIFT) - 1),
				    .gfn = frame_of(spte),
				    .level = level,
				    .write = spte & UM_SPTE_W,
				    .user = spte & UM_SPTE_U,
				    .exec = !(spte & UM_SPTE_NX) };

	o->result.checks++;
	switch (ur_guest_may_use(o->guest, vcpu, &t)) {
	case UR_NO:
		tell_translation(o, vcpu, page, index, &t);
		break;
	case UR_CANNOT:
		o->result.undecided++;
		break;
	default:
		break;
	}
}

/* Every translation below a page that a vCPU reaches at @gva. */
static void check_below(struct ur_oracle *o, uint16_t vcpu, const struct um_page *page,
			uint64_t gva)
{
	unsigned int level = ut_role_level(page->role);
	uint32_t left = page->present;

	for (unsigned int i = 0; i < UM_ENTRIES && left; i++) {
		uint64_t at = gva | (uint64_t)i << (SHIFT + 9 * (level - 1));
		const struct um_page *child;

		if (!(page->spt[i] & UM_SPTE_P))
			continue;
		left--;
		if (o->below++ >= MAX_BELOW) {
			o->result.undecided++;
			return;
		}
		child = um_child(o->mmu, page, i);
		if (page->spt[i] & UM_SPTE_LEAF)
			check_leaf(o, vcpu, page, i, at);
		else if (child && ut_role_level(child->role) == level - 1)
			check_below(o, vcpu, child, at);
	}
}

static uint64_t at_root(const struct um_page *root, unsigned int index)
{
	unsigned int levels = ut_role_level(root->role);

	return canonical((uint64_t)index << (SHIFT + 9 * (levels - 1)), levels);
}

static void check_root(struct ur_oracle *o, const struct um_vcpu *vcpu)
{
	const struct um_page *root = vcpu->root;

	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		const struct um_page *child = um_child(o->mmu, root, i);

		if (child)
			check_below(o, vcpu->id, child, at_root(root, i));
	}
}

static void add_path(struct ur_oracle *o, uint16_t vcpu, uint64_t gva)
{
	if (o->n_paths == MAX_PATHS) {
		o->result.undecided++;
		return;
	}
	if (room(o, (void **)&o->paths, o->n_paths, &o->cap_paths, sizeof(*o->paths)))
		o->paths[o->n_paths++] = (struct path){ vcpu, gva };
}

static void climb(struct ur_oracle *o, const struct um_page *page, uint64_t below)
{
	const struct um_vcpu *vcpu;

	for (unsigned int i = 0; (vcpu = um_vcpu_at(o->mmu, i)); i++) {
		if (vcpu->root == page && ur_guest_paged(o->guest, vcpu->id))
			add_path(o, vcpu->id, canonical(below, ut_role_level(page->role)));
	}
	for (uint32_t i = 0; i < page->n_parents; i++) {
		const struct um_page *parent = um_page_by_id(o->mmu, page->parents[i].page);
		unsigned int level = ut_role_level(page->role);

		if (parent && ut_role_level(parent->role) == level + 1 && level < UT_MAX_LEVELS)
			climb(o, parent,
			      below | (uint64_t)page->parents[i].index << (SHIFT + 9 * level));
	}
}

/* All ways from running vCPUs to a page. */
static void find_paths(struct ur_oracle *o, const struct um_page *page)
{
	o->n_paths = 0;
	climb(o, page, 0);
}

static void check_entry_everywhere(struct ur_oracle *o, const struct um_page *page,
				   unsigned int index)
{
	unsigned int shift = SHIFT + 9 * (ut_role_level(page->role) - 1);
	const struct um_page *child = um_child(o->mmu, page, index);

	for (size_t i = 0; i < o->n_paths; i++) {
		uint64_t gva = o->paths[i].gva | (uint64_t)index << shift;

		/* Of a root's own entries the sign was not known before. */
		if (!page->n_parents)
			gva = at_root(page, index);
		if (page->spt[index] & UM_SPTE_LEAF)
			check_leaf(o, o->paths[i].vcpu, page, index, gva);
		else if (child)
			check_below(o, o->paths[i].vcpu, child, gva);
	}
}

/* ---- suspects ---- */

static int by_place(const void *a, const void *b)
{
	const struct ur_change *x = a, *y = b;

	if (x->gfn != y->gfn)
		return x->gfn < y->gfn ? -1 : 1;
	return (int)x->index - (int)y->index;
}

static void sort_suspects(struct ur_oracle *o)
{
	size_t kept = 0;

	if (o->sorted == o->n_suspects)
		return;
	qsort(o->suspects, o->n_suspects, sizeof(*o->suspects), by_place);
	for (size_t i = 0; i < o->n_suspects; i++) {
		if (!kept || by_place(&o->suspects[kept - 1], &o->suspects[i]))
			o->suspects[kept++] = o->suspects[i];
	}
	o->n_suspects = o->sorted = kept;
}

/* Is a present entry of the page not as the guest's now? In a table in sync that is a violation. */
static bool stale(struct ur_oracle *o, const struct um_page *page, unsigned int index)
{
	const char *why;

	if (!(page->spt[index] & UM_SPTE_P))
		return false;
	why = entry_fault(o, page, index);
	if (why && in_sync(o, page))
		violation(o, UR_RULE_in_sync, page, index, 0, "%s", why);
	return why;
}

static bool any_stale(struct ur_oracle *o, const struct um_page *page, unsigned int word)
{
	unsigned int n, first = entries_of(page, word, &n);
	bool any = false;

	for (unsigned int i = first; i < first + n; i++)
		any |= stale(o, page, i);
	return any;
}

/*
 * The suspects of one frame, @n of them, in one of its pages: those that are stale are followed from
 * every running vCPU. @still: for each, whether it is stale in any page. What was found to be wrong need
 * not be looked at again.
 */
static void check_page_suspects(struct ur_oracle *o, const struct um_page *page,
				const struct ur_change *s, size_t n, bool *still)
{
	bool looked = false;

	for (size_t i = 0; i < n; i++) {
		unsigned int count, first = entries_of(page, s[i].index, &count);

		for (unsigned int k = first; k < first + count; k++) {
			uint64_t found = o->found;

			if (!stale(o, page, k))
				continue;
			if (!looked)
				find_paths(o, page);
			looked = true;
			check_entry_everywhere(o, page, k);
			still[i] |= o->found == found;
		}
	}
}

/* Every stale entry that a running vCPU reaches must be one that its TLB may hold. */
static void check_suspects(struct ur_oracle *o)
{
	size_t kept = 0, i = 0;

	sort_suspects(o);
	o->below = 0;
	while (i < o->n_suspects) {
		const struct um_frame *frame = um_mmu_frame(o->mmu, o->suspects[i].gfn);
		bool still[UM_ENTRIES] = { false };
		size_t n = 1;

		while (i + n < o->n_suspects && o->suspects[i + n].gfn == o->suspects[i].gfn)
			n++;
		for (const struct um_page *p = frame ? frame->pages : NULL; p; p = p->next_of_gfn)
			check_page_suspects(o, p, &o->suspects[i], n, still);
		for (size_t k = 0; k < n; k++) {
			if (still[k])
				o->suspects[kept++] = o->suspects[i + k];
		}
		i += n;
	}
	o->n_suspects = o->sorted = kept;
}

/* What the event changed becomes suspect if a shadow entry stands for it that is not as it is now. */
static void note_changes(struct ur_oracle *o)
{
	size_t n;
	const struct ur_change *c = ur_guest_changes(o->guest, &n);

	for (size_t i = 0; i < n; i++) {
		const struct um_frame *frame = um_mmu_frame(o->mmu, c[i].gfn);
		bool any = false;

		for (const struct um_page *p = frame ? frame->pages : NULL; p; p = p->next_of_gfn)
			any |= any_stale(o, p, c[i].index);
		if (any && room(o, (void **)&o->suspects, o->n_suspects, &o->cap_suspects,
				sizeof(*o->suspects)))
			o->suspects[o->n_suspects++] = c[i];
	}
	if (o->n_suspects > 2 * o->sorted + 1024)
		sort_suspects(o);
}

/* ---- the whole structure ---- */

static void check_count(struct ur_oracle *o, const struct um_page *page, const char *what,
			uint64_t is, uint64_t should)
{
	o->result.checks++;
	if (is != should)
		violation(o, UR_RULE_counts, page, UM_ENTRIES, mix(is, should),
			  "%s is %" PRIu64 ", counted are %" PRIu64, what, is, should);
}

static bool listed(const struct um_frame *frame, const struct um_page *page, unsigned int index)
{
	for (uint32_t i = frame->n_writable; i-- > 0;) {
		if (frame->writable[i] == ((uint64_t)page->id << 16 | index))
			return true;
	}
	return false;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The first protected frame at or above @gfn. */
static uint64_t next_protected(const struct ur_oracle *o, uint64_t gfn)
{
	size_t lo = 0, hi = o->n_protected;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (o->protected[mid] < gfn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < o->n_protected ? o->protected[lo] : UINT64_MAX;
}

/* A writable leaf entry: never of a table in sync, and known to its frame. */
static void check_writable(struct ur_oracle *o, const struct um_page *page, unsigned int index)
{
	uint64_t gfn = frame_of(page->spt[index]);
	unsigned int level = ut_role_level(page->role);
	const struct um_frame *frame;

	o->result.checks++;
	if (level > 1) {
		if (next_protected(o, gfn) < gfn + span(level))
			violation(o, UR_RULE_writable, page, index, 0, "gfn %#" PRIx64 " is in it",
				  next_protected(o, gfn));
		return;
	}
	frame = um_mmu_frame(o->mmu, gfn);
	if (frame && frame->n_synced && !o->mmu->model->no_protect)
		violation(o, UR_RULE_writable, page, index, 0, "%u pages of it are in sync",
			  frame->n_synced);
	if (!frame || !listed(frame, page, index))
		violation(o, UR_RULE_reverse, page, index, 0,
			  "writable, but its frame's list "
			  "does not have it");
}

static void check_reverse(struct ur_oracle *o, const struct um_page *page)
{
	const struct um_frame *frame = page->frame;

	for (uint32_t i = 0; i < frame->n_writable; i++) {
		const struct um_page *from =
			um_page_by_id(o->mmu, (uint32_t)(frame->writable[i] >> 16));
		unsigned int index = frame->writable[i] & 0xffff;

		o->result.checks++;
		if (!from || index >= UM_ENTRIES || !(from->spt[index] & UM_SPTE_W) ||
		    frame_of(from->spt[index]) != frame->gfn)
			violation(o, UR_RULE_reverse, page, UM_ENTRIES, frame->writable[i],
				  "its frame is said to be mapped writable by entry %u of page "
				  "%u, which does not",
				  index, (uint32_t)(frame->writable[i] >> 16));
	}
}

static void check_link(struct ur_oracle *o, const struct um_page *page, unsigned int index)
{
	const uint32_t mode = ~(UT_ROLE_LEVEL | UT_ROLE_ACCESS | UT_ROLE_DIRECT | UT_ROLE_4BYTE |
				UT_ROLE_QUADRANT);
	const struct um_page *child = um_child(o->mmu, page, index);

	o->result.checks++;
	if (!child) {
		violation(o, UR_RULE_links, page, index, 0, "leads to a page that is gone");
		return;
	}
	if (room(o, (void **)&o->links, child->id, &o->cap_links, sizeof(*o->links)))
		o->links[child->id]++;
	if (ut_role_level(child->role) + 1 != ut_role_level(page->role) ||
	    ((child->role ^ page->role) & mode) ||
	    ((page->role & UT_ROLE_DIRECT) && !um_is_top(page) && !(child->role & UT_ROLE_DIRECT)))
		violation(o, UR_RULE_shape, page, index, child->role, "leads to a page of role %#x",
			  child->role);
}

/* A direct page maps a range of frames, one after the other. */
static void check_direct(struct ur_oracle *o, const struct um_page *page, unsigned int index)
{
	uint64_t gfn = page->gfn + index * span(ut_role_level(page->role));
	const struct um_page *child = um_child(o->mmu, page, index);
	uint64_t spte = page->spt[index];

	o->result.checks++;
	if (child ? child->gfn != gfn : frame_of(spte) != gfn)
		violation(o, UR_RULE_shape, page, index, 0, "gfn %#" PRIx64 " belongs there", gfn);
	if (child)
		return;
	if (((spte & UM_SPTE_W) && !(page->role & UT_ROLE_WRITE) &&
	     ((page->role & UT_ROLE_CR0_WP) || (spte & UM_SPTE_U))) ||
	    ((spte & UM_SPTE_U) && !(page->role & UT_ROLE_USER)) ||
	    (!(spte & UM_SPTE_NX) && !(page->role & UT_ROLE_EXEC)))
		violation(o, UR_RULE_shape, page, index, 1, "more access than its role gives");
}

static void audit_entry(struct ur_oracle *o, const struct um_page *page, unsigned int index)
{
	const char *why;

	if (!(page->spt[index] & UM_SPTE_LEAF))
		check_link(o, page, index);
	else if (page->spt[index] & UM_SPTE_W)
		check_writable(o, page, index);
	if ((page->role & UT_ROLE_DIRECT) && !um_is_top(page))
		check_direct(o, page, index);
	if (!in_sync(o, page))
		return;
	why = entry_fault(o, page, index);
	if (why)
		violation(o, UR_RULE_in_sync, page, index, 0, "%s", why);
}

static void audit_page(struct ur_oracle *o, const struct um_page *page)
{
	uint32_t present = 0;

	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		if (!(page->spt[i] & UM_SPTE_P))
			continue;
		present++;
		audit_entry(o, page, i);
	}
	check_count(o, page, "the number of present entries", page->present, present);
	o->work += UM_ENTRIES / 8 + 4 * present;
}

static void audit_frame(struct ur_oracle *o, const struct um_page *first)
{
	const struct um_frame *frame = first->frame;
	uint32_t pages = 0, synced = 0;

	for (const struct um_page *p = first; p; p = p->next_of_gfn) {
		if (p->frame != frame || p->gfn != frame->gfn)
			violation(o, UR_RULE_counts, p, UM_ENTRIES, 0,
				  "it is listed at gfn %#" PRIx64, frame->gfn);
		if (p->role & UT_ROLE_DIRECT)
			continue;
		pages++;
		synced += in_sync(o, p);
	}
	check_count(o, first, "the number of pages of the frame", frame->n_pages, pages);
	check_count(o, first, "the number of pages of the frame in sync", frame->n_synced, synced);
	check_reverse(o, first);
}

static void audit_parents(struct ur_oracle *o, const struct um_page *page)
{
	check_count(o, page, "the number of parents", page->n_parents, o->links[page->id]);
	for (uint32_t i = 0; i < page->n_parents; i++) {
		const struct um_page *parent = um_page_by_id(o->mmu, page->parents[i].page);

		o->result.checks++;
		if (!parent || um_child(o->mmu, parent, page->parents[i].index) != page)
			violation(o, UR_RULE_links, page, UM_ENTRIES, page->parents[i].page,
				  "page %u entry %u is said to lead there, and does not",
				  page->parents[i].page, page->parents[i].index);
	}
}

/* Which frames are protected, and how many links lead to each page: nothing yet. */
static void prepare_audit(struct ur_oracle *o)
{
	o->n_protected = 0;
	o->work = 0;
	for (const struct um_page *p = um_mmu_oldest(o->mmu); p; p = p->newer) {
		if (!room(o, (void **)&o->links, p->id, &o->cap_links, sizeof(*o->links)))
			return;
		o->links[p->id] = 0;
		if (in_sync(o, p) && room(o, (void **)&o->protected, o->n_protected,
					  &o->cap_protected, sizeof(*o->protected)))
			o->protected[o->n_protected++] = p->gfn;
	}
	if (o->n_protected)
		qsort(o->protected, o->n_protected, sizeof(*o->protected), by_value);
}

static void audit(struct ur_oracle *o)
{
	const struct um_page *oldest = um_mmu_oldest(o->mmu);
	const struct um_vcpu *vcpu;
	uint32_t unsync = 0;

	check_suspects(o);
	prepare_audit(o);
	if (o->failed)
		return;
	for (const struct um_page *p = oldest; p; p = p->newer) {
		audit_page(o, p);
		unsync += p->unsync;
		if (p->frame->pages == p)
			audit_frame(o, p);
	}
	for (const struct um_page *p = oldest; p; p = p->newer)
		audit_parents(o, p);
	if (oldest)
		check_count(o, oldest, "(of all pages) the number out of sync", o->mmu->unsync_now,
			    unsync);
	o->below = 0;
	for (unsigned int i = 0; (vcpu = um_vcpu_at(o->mmu, i)); i++) {
		if (vcpu->root && ur_guest_paged(o->guest, vcpu->id))
			check_root(o, vcpu);
	}
	o->work += 8ull * o->below;
	o->audited = o->result.events;
	o->next_audit = o->audit_every ? o->audit_every : o->work / AUDIT_WORK + AUDIT_LEAST;
}

/* ---- events ---- */

static const struct um_vcpu *vcpu_of(const struct ur_oracle *o, uint16_t id)
{
	const struct um_vcpu *vcpu;

	for (unsigned int i = 0; (vcpu = um_vcpu_at(o->mmu, i)); i++) {
		if (vcpu->id == id)
			return vcpu;
	}
	return NULL;
}

/* What the access used, if the shadow let it through, or what it filled. */
static void check_access(struct ur_oracle *o, const struct ut_event *e)
{
	const struct um_vcpu *vcpu = vcpu_of(o, e->vcpu);
	const struct um_frame *frame;
	const struct um_page *page;
	unsigned int index;

	if (!vcpu || !vcpu->root || !ur_guest_paged(o->guest, e->vcpu))
		return;
	page = um_leaf_of(o->mmu, vcpu->root, e->fault.gva, &index);
	if (!page || !(page->spt[index] & UM_SPTE_P))
		return;
	check_leaf(o, e->vcpu, page, index, e->fault.gva);
	if (!(page->spt[index] & UM_SPTE_W) || ut_role_level(page->role) > 1)
		return;
	frame = um_mmu_frame(o->mmu, frame_of(page->spt[index]));
	if (frame && frame->n_synced)
		violation(o, UR_RULE_writable, page, index, 0, "%u pages of it are in sync",
			  frame->n_synced);
}

/* Rises whenever something was linked, loaded or compared. */
static uint64_t movement(const struct um_mmu *mmu)
{
	const uint64_t *c = mmu->count;

	return c[UM_pages_created] + c[UM_pages_reused] + c[UM_roots_loaded] + c[UM_roots_cached] +
	       c[UM_tables_synced] + c[UM_entries_compared] + c[UM_entries_reinstalled];
}

/* Did a CR3 write that flushes leave a table out of sync that the root leads to? */
static void check_left(struct ur_oracle *o, const struct ut_event *e)
{
	const struct um_vcpu *vcpu = vcpu_of(o, e->vcpu);

	if (!vcpu || !vcpu->root || !o->mmu->unsync_now ||
	    ((vcpu->cr4 & UT_CR4_PCIDE) && (e->cr.value & UT_CR3_NOFLUSH)))
		return;
	for (const struct um_page *p = um_mmu_oldest(o->mmu); p; p = p->newer) {
		if (!p->unsync)
			continue;
		o->result.checks++;
		find_paths(o, p);
		for (size_t i = 0; i < o->n_paths; i++) {
			if (o->paths[i].vcpu == e->vcpu)
				violation(o, UR_RULE_left, p, UM_ENTRIES, o->paths[i].gva,
					  "vCPU %u reaches it at gva %#" PRIx64, e->vcpu,
					  o->paths[i].gva);
		}
	}
}

static bool is_flush(const struct ut_event *e)
{
	return e->kind == UT_STATE || e->kind == UT_CR || e->kind == UT_INVLPG ||
	       e->kind == UT_INVPCID || e->kind == UT_PV_FLUSH;
}

int ur_oracle_event(struct ur_oracle *o, const struct ut_event *e)
{
	uint64_t seen = movement(o->mmu);

	o->event = e;
	o->result.events++;
	if (o->failed || ur_guest_event(o->guest, e)) {
		o->failed = true;
		return -1;
	}
	/* An instance that gave up may have done so in the middle of something. */
	if (o->mmu->model->no_shadow || um_mmu_failure(o->mmu) || o->result.violations >= ENOUGH)
		return 0;
	note_changes(o);
	if (e->kind == UT_FAULT)
		check_access(o, e);
	if (e->kind == UT_CR && e->cr.cr == 3 && o->mmu->model->syncs_root)
		check_left(o, e);
	if (o->result.events - o->audited >= o->next_audit)
		audit(o);
	else if (o->n_suspects && (is_flush(e) || seen != o->seen))
		check_suspects(o);
	o->seen = seen;
	return o->failed ? -1 : 0;
}

/* ---- life ---- */

struct ur_oracle *ur_oracle_create(const struct um_mmu *mmu, unsigned int audit_every)
{
	struct ur_oracle *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->mmu = mmu;
	o->audit_every = audit_every;
	o->next_audit = audit_every ? audit_every : AUDIT_LEAST;
	o->guest = ur_guest_create();
	if (o->guest)
		return o;
	free(o);
	return NULL;
}

static void add(struct ur_verified *out, struct ur_verified *v)
{
	out->events += v->events;
	out->checks += v->checks;
	out->undecided += v->undecided;
	out->violations += v->violations;
	for (unsigned int i = 0; i < UR_RULE_END; i++)
		out->by_rule[i] += v->by_rule[i];
	for (unsigned int i = 0; i < v->n_first; i++) {
		if (out->n_first < UR_SHOWN)
			out->first[out->n_first++] = v->first[i];
		else
			free(v->first[i]);
	}
}

int ur_oracle_finish(struct ur_oracle *o, struct ur_verified *out)
{
	int ret;

	o->event = NULL;
	if (!o->failed && !o->mmu->model->no_shadow && !um_mmu_failure(o->mmu) &&
	    o->result.violations < ENOUGH)
		audit(o);
	ret = o->failed ? -1 : 0;
	add(out, &o->result);
	ur_guest_destroy(o->guest);
	free(o->suspects);
	free(o->links);
	free(o->protected);
	free(o->paths);
	free(o->known);
	free(o);
	return ret;
}

void ur_verified_free(struct ur_verified *v)
{
	for (unsigned int i = 0; i < v->n_first; i++)
		free(v->first[i]);
	v->n_first = 0;
}
