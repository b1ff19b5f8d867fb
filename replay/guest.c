// SPDX-License-Identifier: GPL-2.0-only
#include "replay/guest.h"

#include <stdlib.h>
#include <string.h>

#define FOREVER UINT64_MAX
#define SHIFT 12
#define PCIDS 4096
#define MAX_PAGES_FLUSHED (1u << 18) /* addresses remembered; as above */
#define MAX_STRUCTURE_FLUSHES (1u << 16)
#define ROOTS_KEPT 256u /* power of two */
#define TOPS 4		/* entries at the top of PAE */
#define GLOBAL 0x1000u	/* instead of a PCID: translations of every address space */
#define MAX_LEAF_LEVEL 3
#define PAE_TOP (1ull << 60)
#define PAE_ENTRIES 4
#define PSE_FRAMES 1024u /* of a large page in tables of 4-byte entries */

/* A word as it once was: from event @from on, until event @to changed it. */
struct version {
	uint64_t value, from, to;
	int32_t older; /* position of the one before; -1: none is remembered */
};

struct table {
	uint64_t gfn;
	uint32_t host_pages; /* shadow pages that the recorded host has of it */
	bool known;	     /* now[] is what it holds; else what it held when last known */
	bool partial;	     /* its content was not told: known from walks, in doubt elsewhere */
	uint64_t now[UT_TABLE_ENTRIES], since[UT_TABLE_ENTRIES];
	int32_t past[UT_TABLE_ENTRIES]; /* newest version before now; -1: none */
	uint64_t doubt[UT_TABLE_ENTRIES / 64];
	struct version *versions;
	int32_t n_versions, cap_versions;
};

/* The vCPU began to run on a root. It ends when the next one begins. */
struct stay {
	uint64_t root, from;
};

/* The last flush of single addresses, by PCID, size and number of the page. */
struct flushed {
	uint64_t key, at; /* key 0: free */
};

struct structure_flush {
	uint64_t at;
	uint16_t pcid;
};

struct vcpu {
	uint16_t id;
	bool seen; /* its registers are known */
	uint64_t cr0, cr3, cr4, efer;
	uint64_t globals_since; /* last flush of everything */
	uint64_t pcids_since;	/* last flush of all PCIDs */
	uint64_t *pcid_flushed; /* of each of them; NULL: none by itself */
	struct stay *stays;
	size_t n_stays, cap_stays;
	struct flushed *pages;
	size_t n_pages, cap_pages;	   /* cap: power of two */
	struct structure_flush *structure; /* flushes of the paging-structure caches alone */
	size_t n_structure, cap_structure;
};

struct ur_guest {
	uint64_t seq;
	struct table **tables; /* open addressing, power of two */
	size_t n_tables, cap_tables;
	struct vcpu **vcpus;
	size_t n_vcpus, cap_vcpus;
	struct ur_change *changes;
	size_t n_changes, cap_changes;
	uint64_t contradictions;
	bool failed;
};

/* Room for one more in a growing array; false and the guest failed if there is none. */
static bool room(struct ur_guest *g, void **array, size_t n, size_t *cap, size_t size)
{
	size_t bigger = *cap ? *cap * 2 : 8;
	void *more;

	if (n < *cap)
		return true;
	more = realloc(*array, bigger * size);
	if (!more) {
		g->failed = true;
		return false;
	}
	*array = more;
	*cap = bigger;
	return true;
}

/* ---- tables ---- */

static size_t slot_of(uint64_t key, size_t cap)
{
	return (key * 0x9e3779b97f4a7c15ull >> 24) & (cap - 1);
}

static struct table *find_table(const struct ur_guest *g, uint64_t gfn)
{
	if (!g->cap_tables)
		return NULL;
	for (size_t i = slot_of(gfn, g->cap_tables);; i = (i + 1) & (g->cap_tables - 1)) {
		struct table *t = g->tables[i];

		if (!t || t->gfn == gfn)
			return t;
	}
}

static void put_table(struct table **slots, size_t cap, struct table *t)
{
	size_t i = slot_of(t->gfn, cap);

	while (slots[i])
		i = (i + 1) & (cap - 1);
	slots[i] = t;
}

static bool grow_tables(struct ur_guest *g)
{
	size_t cap = g->cap_tables ? g->cap_tables * 2 : 256;
	struct table **slots = calloc(cap, sizeof(struct table *));

	if (!slots)
		return false;
	for (size_t i = 0; i < g->cap_tables; i++) {
		if (g->tables[i])
			put_table(slots, cap, g->tables[i]);
	}
	free(g->tables);
	g->tables = slots;
	g->cap_tables = cap;
	return true;
}

static struct table *get_table(struct ur_guest *g, uint64_t gfn)
{
	struct table *t = find_table(g, gfn);

	if (t)
		return t;
	if ((g->n_tables + 1) * 2 > g->cap_tables && !grow_tables(g)) {
		g->failed = true;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		g->failed = true;
		return NULL;
	}
	t->gfn = gfn;
	memset(t->past, -1, sizeof(t->past));
	if (gfn & PAE_TOP)
		memset(t->doubt, -1, sizeof(t->doubt));
	put_table(g->tables, g->cap_tables, t);
	g->n_tables++;
	return t;
}

static bool doubtful(const struct table *t, unsigned int index)
{
	return t->doubt[index / 64] >> (index & 63) & 1;
}

static void set_doubt(struct table *t, unsigned int index, bool on)
{
	uint64_t bit = 1ull << (index & 63);

	t->doubt[index / 64] = on ? t->doubt[index / 64] | bit : t->doubt[index / 64] & ~bit;
}

static void remember(struct ur_guest *g, struct table *t, unsigned int index, uint64_t value,
		     uint64_t from, uint64_t to)
{
	if (t->n_versions == t->cap_versions) {
		int32_t cap = t->cap_versions ? t->cap_versions * 2 : 16;
		struct version *more;

		if (cap < 0)
			goto fail;
		more = realloc(t->versions, (size_t)cap * sizeof(*more));
		if (!more)
			goto fail;
		t->versions = more;
		t->cap_versions = cap;
	}
	t->versions[t->n_versions] = (struct version){ value, from, to, t->past[index] };
	t->past[index] = t->n_versions++;
	return;
fail:
	g->failed = true;
}

static void set_word(struct ur_guest *g, struct table *t, unsigned int index, uint64_t value)
{
	if (t->now[index] == value)
		return;
	/* Within one event only what it leaves behind counts. */
	if (t->since[index] != g->seq)
		remember(g, t, index, t->now[index], t->since[index], g->seq);
	t->now[index] = value;
	t->since[index] = g->seq;
	if (room(g, (void **)&g->changes, g->n_changes, &g->cap_changes, sizeof(*g->changes)))
		g->changes[g->n_changes++] = (struct ur_change){ t->gfn, (uint16_t)index };
}

static void on_page_new(struct ur_guest *g, const struct ut_page *p)
{
	struct table *t;

	if (p->role & UT_ROLE_DIRECT)
		return;
	t = get_table(g, p->gfn);
	if (!t)
		return;
	t->host_pages++;
	if (!p->known)
		return;
	/* What it held when it was forgotten it may have held until now. */
	t->known = true;
	t->partial = false;
	for (unsigned int i = 0, next = 0; i < UT_TABLE_ENTRIES; i++) {
		uint64_t value = 0;

		if (next < p->n && p->entries[next].index == i)
			value = p->entries[next++].value;
		set_word(g, t, i, value);
		set_doubt(t, i, false);
	}
}

static void on_page_zap(struct ur_guest *g, const struct ut_page *p)
{
	struct table *t = find_table(g, p->gfn);

	if (!t || (p->role & UT_ROLE_DIRECT))
		return;
	if (t->host_pages && --t->host_pages)
		return;
	/* Nothing is known of it from here on. */
	t->known = false;
	t->partial = false;
}

static void on_write(struct ur_guest *g, const struct ut_write *w)
{
	struct table *t = find_table(g, w->gfn);

	if (!t || !t->known)
		return;
	for (unsigned int byte = w->offset; byte < w->offset + w->size && byte < 4096;) {
		unsigned int index = byte / 8;
		uint64_t value = t->now[index];

		for (; byte < w->offset + w->size && byte / 8 == index; byte++) {
			unsigned int shift = (byte & 7) * 8;
			uint64_t b = w->val >> ((byte - w->offset) * 8) & 0xff;

			value = (value & ~(0xffull << shift)) | b << shift;
		}
		set_word(g, t, index, value);
	}
}

static void on_ad(struct ur_guest *g, const struct ut_ad *ad)
{
	struct table *t = find_table(g, ad->gfn);
	unsigned int byte = ad->index * ad->entry_size;
	uint64_t bit = ad->dirty ? UT_PTE_D : UT_PTE_A;

	if (t && t->known && byte / 8 < UT_TABLE_ENTRIES)
		set_word(g, t, byte / 8, t->now[byte / 8] | bit << (byte % 8 * 8));
}

/* ---- what vCPUs have cached ---- */

static struct vcpu *find_vcpu(const struct ur_guest *g, uint16_t id)
{
	for (size_t i = 0; i < g->n_vcpus; i++) {
		if (g->vcpus[i]->id == id)
			return g->vcpus[i];
	}
	return NULL;
}

static struct vcpu *get_vcpu(struct ur_guest *g, uint16_t id)
{
	struct vcpu *v = find_vcpu(g, id);

	if (v)
		return v;
	if (!room(g, (void **)&g->vcpus, g->n_vcpus, &g->cap_vcpus, sizeof(struct vcpu *)))
		return NULL;
	v = calloc(1, sizeof(*v));
	if (!v) {
		g->failed = true;
		return NULL;
	}
	v->id = id;
	g->vcpus[g->n_vcpus++] = v;
	return v;
}

static uint16_t pcid_of(const struct vcpu *v)
{
	return v->cr4 & UT_CR4_PCIDE ? v->cr3 & UT_CR3_PCID : 0;
}

/* How a vCPU's tables are to be read. */
struct mode {
	unsigned int levels; /* 0: no paging */
	bool narrow;	     /* entries of 4 bytes */
	bool pae;	     /* the four top entries are no table, but read when CR3 is written */
};

static struct mode mode_of(const struct vcpu *v)
{
	if (!v->seen || !(v->cr0 & UT_CR0_PG))
		return (struct mode){ 0 };
	if (!(v->cr4 & UT_CR4_PAE))
		return (struct mode){ .levels = 2, .narrow = true };
	if (!(v->efer & (UT_EFER_LME | UT_EFER_LMA)))
		return (struct mode){ .levels = 3, .pae = true };
	return (struct mode){ .levels = v->cr4 & UT_CR4_LA57 ? 5 : 4 };
}

/* The top-level table; what stands for PAE's top entries has a number that no frame has. */
static uint64_t root_of(const struct vcpu *v)
{
	struct mode m = mode_of(v);

	if (m.pae)
		return PAE_TOP | (v->cr3 & 0xffffffe0u) >> 5;
	return (v->cr3 & (m.narrow ? 0xfffff000u : UT_PTE_FRAME)) >> SHIFT;
}

/* PAE's top entries are read again, and no event tells of them: they may be others than before. */
static void doubt_tops(struct ur_guest *g, uint64_t root)
{
	struct table *t = find_table(g, root);

	for (unsigned int i = 0; t && i < TOPS; i++)
		set_doubt(t, i, true);
}

/* The vCPU runs on another root now, perhaps. */
static void enter_root(struct ur_guest *g, struct vcpu *v)
{
	uint64_t root = root_of(v);

	if (root & PAE_TOP)
		doubt_tops(g, root);
	if (!(v->cr4 & UT_CR4_PGE))
		v->n_stays = 0; /* nothing is global */
	if (v->n_stays && v->stays[v->n_stays - 1].root == root)
		return;
	if (room(g, (void **)&v->stays, v->n_stays, &v->cap_stays, sizeof(*v->stays)))
		v->stays[v->n_stays++] = (struct stay){ root, g->seq };
}

/* Everything cached with a PCID goes, but for what is global. */
static void flush_pcid(struct ur_guest *g, struct vcpu *v, uint16_t pcid)
{
	if (!v->pcid_flushed) {
		v->pcid_flushed = calloc(PCIDS, sizeof(*v->pcid_flushed));
		if (!v->pcid_flushed) {
			g->failed = true;
			return;
		}
	}
	v->pcid_flushed[pcid % PCIDS] = g->seq;
}

static uint64_t pcid_since(const struct vcpu *v, uint16_t pcid)
{
	uint64_t at = v->pcid_flushed ? v->pcid_flushed[pcid % PCIDS] : 0;

	return at > v->pcids_since ? at : v->pcids_since;
}

static void flush_pcids(struct ur_guest *g, struct vcpu *v)
{
	v->pcids_since = g->seq;
	v->n_structure = 0;
}

static void flush_all(struct ur_guest *g, struct vcpu *v)
{
	flush_pcids(g, v);
	v->globals_since = g->seq;
	v->n_pages = 0;
	if (v->pages)
		memset(v->pages, 0, v->cap_pages * sizeof(*v->pages));
	/* Of where it was before only the present root matters. */
	if (v->n_stays) {
		v->stays[0] = v->stays[v->n_stays - 1];
		v->n_stays = 1;
	}
}

static uint64_t page_key(uint16_t pcid, unsigned int level, uint64_t gva)
{
	uint64_t page = (gva & 0x01ffffffffffffffull) >> (SHIFT + 9 * (level - 1));

	return page << 16 | (uint64_t)level << 13 | pcid;
}

static struct flushed *page_slot(const struct vcpu *v, uint64_t key)
{
	size_t i = slot_of(key, v->cap_pages);

	while (v->pages[i].key && v->pages[i].key != key)
		i = (i + 1) & (v->cap_pages - 1);
	return &v->pages[i];
}

static void grow_pages(struct ur_guest *g, struct vcpu *v)
{
	struct vcpu bigger = { .cap_pages = v->cap_pages ? v->cap_pages * 2 : 64 };

	bigger.pages = calloc(bigger.cap_pages, sizeof(*bigger.pages));
	if (!bigger.pages) {
		g->failed = true;
		return;
	}
	for (size_t i = 0; i < v->cap_pages; i++) {
		if (v->pages[i].key)
			*page_slot(&bigger, v->pages[i].key) = v->pages[i];
	}
	free(v->pages);
	v->pages = bigger.pages;
	v->cap_pages = bigger.cap_pages;
}

static void flush_unit(struct ur_guest *g, struct vcpu *v, uint64_t key)
{
	struct flushed *f;

	if ((v->n_pages + 1) * 2 > v->cap_pages)
		grow_pages(g, v);
	if (g->failed)
		return;
	f = page_slot(v, key);
	if (!f->key)
		v->n_pages++;
	f->key = key;
	f->at = g->seq;
}

/* An address went, and with it every larger page that holds it. */
static void flush_page(struct ur_guest *g, struct vcpu *v, uint16_t pcid, uint64_t gva)
{
	if (v->n_pages >= MAX_PAGES_FLUSHED) {
		memset(v->pages, 0, v->cap_pages * sizeof(*v->pages));
		v->n_pages = 0;
	}
	for (unsigned int level = 1; level <= MAX_LEAF_LEVEL; level++) {
		flush_unit(g, v, page_key(pcid, level, gva));
		/* A large page of 32-bit tables is two of 2 MiB. */
		if (level == 2 && mode_of(v).narrow)
			flush_unit(g, v, page_key(pcid, level, gva ^ 1ull << (SHIFT + 9)));
	}
}

static uint64_t page_flushed_at(const struct vcpu *v, uint16_t pcid, unsigned int level,
				uint64_t gva)
{
	return v->n_pages ? page_slot(v, page_key(pcid, level, gva))->at : 0;
}

static void on_invlpg(struct ur_guest *g, struct vcpu *v, uint64_t gva)
{
	flush_page(g, v, pcid_of(v), gva);
	flush_page(g, v, GLOBAL, gva);
	/* The paging-structure caches of the PCID go as a whole, whatever the address. */
	if (v->n_structure == MAX_STRUCTURE_FLUSHES) {
		v->n_structure /= 2;
		memmove(v->structure, v->structure + v->n_structure,
			v->n_structure * sizeof(*v->structure));
	}
	if (room(g, (void **)&v->structure, v->n_structure, &v->cap_structure,
		 sizeof(*v->structure)))
		v->structure[v->n_structure++] = (struct structure_flush){ g->seq, pcid_of(v) };
}

static void on_invpcid(struct ur_guest *g, struct vcpu *v, const struct ut_invpcid *inv)
{
	switch (inv->type) {
	case 0:
		flush_page(g, v, inv->pcid, inv->gva);
		break;
	case 1:
		flush_pcid(g, v, inv->pcid);
		break;
	case 2:
		flush_all(g, v);
		break;
	default:
		flush_pcids(g, v);
		break;
	}
}

static void on_cr(struct ur_guest *g, struct vcpu *v, const struct ut_cr *cr)
{
	uint64_t changed;

	switch (cr->cr) {
	case 0:
		changed = v->cr0 ^ cr->value;
		v->cr0 = cr->value;
		if (changed & UT_CR0_PG)
			flush_all(g, v);
		enter_root(g, v);
		break;
	case 3:
		v->cr3 = cr->value & ~UT_CR3_NOFLUSH;
		if (!(v->cr4 & UT_CR4_PCIDE) || !(cr->value & UT_CR3_NOFLUSH))
			flush_pcid(g, v, pcid_of(v));
		if (!(v->cr4 & UT_CR4_PCIDE))
			v->n_structure = 0;
		enter_root(g, v);
		break;
	case 4:
		changed = v->cr4 ^ cr->value;
		v->cr4 = cr->value;
		if ((changed & UT_CR4_PGE) || (changed & ~v->cr4 & UT_CR4_PCIDE))
			flush_all(g, v);
		else if ((changed & UT_CR4_PAE) || (changed & v->cr4 & UT_CR4_SMEP))
			flush_pcid(g, v, pcid_of(v));
		enter_root(g, v);
		break;
	default:
		break;
	}
}

/*
 * Registers when first seen, or found changed without the trace having told of the write. Which flush
 * that was is not known, so none is taken for granted.
 */
static void on_state(struct ur_guest *g, struct vcpu *v, const struct ut_state *s)
{
	bool first = !v->seen;

	v->seen = true;
	v->cr0 = s->cr0;
	v->cr3 = s->cr3;
	v->cr4 = s->cr4;
	v->efer = s->efer;
	if (first)
		flush_all(g, v);
	enter_root(g, v);
}

/* ---- walks of the recorded host ---- */

static unsigned int index_at(struct mode m, uint64_t gva, unsigned int level)
{
	unsigned int bits = m.narrow ? 10 : 9;
	uint64_t index = gva >> (SHIFT + bits * (level - 1)) & ((1u << bits) - 1);

	return (unsigned int)(m.pae && level == 3 ? index % PAE_ENTRIES : index);
}

/* The word of a table that holds an entry. */
static unsigned int word_at(struct mode m, unsigned int index)
{
	return m.narrow ? index / 2 : index;
}

static uint64_t entry_in(struct mode m, unsigned int index, uint64_t word)
{
	return m.narrow ? word >> (index % 2 * 32) & 0xffffffffu : word;
}

static uint64_t word_with(struct mode m, unsigned int index, uint64_t word, uint64_t entry)
{
	unsigned int shift = index % 2 * 32;

	return m.narrow ? (word & ~(0xffffffffull << shift)) | entry << shift : entry;
}

static bool is_leaf(const struct vcpu *v, struct mode m, uint64_t gpte, unsigned int level)
{
	if (level == 1)
		return true;
	if (!(gpte & UT_PTE_PS) || (m.pae && level == 3))
		return false;
	return m.narrow ? !!(v->cr4 & UT_CR4_PSE) : level <= MAX_LEAF_LEVEL;
}

/* The frame that a leaf entry gives an address. */
static uint64_t leaf_gfn(struct mode m, uint64_t gpte, unsigned int level, uint64_t gva)
{
	uint64_t inside = (1ull << (9 * (level - 1))) - 1, gfn = (gpte & UT_PTE_FRAME) >> SHIFT;

	if (m.narrow && level == 2) {
		/* Bits 13 to 20 are bits 32 to 39 of the address (PSE-36). */
		gfn = (gpte & 0xffc00000u) >> SHIFT | (gpte & 0x1fe000u) << 7;
		inside = PSE_FRAMES - 1;
	}
	return (gfn & ~inside) | (gva >> SHIFT & inside);
}

/* PAE's top entries are known from walks only; they have no permissions and no accessed bit. */
static void witness_top(struct ur_guest *g, struct table *t, unsigned int index, uint64_t value)
{
	const uint64_t always = UT_PTE_W | UT_PTE_U | UT_PTE_A;

	t->known = true;
	set_doubt(t, index, false);
	set_word(g, t, index, value & UT_PTE_P ? (value & (UT_PTE_P | UT_PTE_FRAME)) | always : 0);
}

/*
 * The walk read @value, and the host then used it with the bits that it set itself; whether the trace tells
 * of these or not, they are set.
 */
static void witness(struct ur_guest *g, struct table *t, struct mode m, unsigned int index,
		    uint64_t value, uint64_t used)
{
	unsigned int word = word_at(m, index);
	uint64_t known = entry_in(m, index, t->now[word]);

	if (!t->known && t->host_pages) {
		t->known = t->partial = true;
		memset(t->doubt, -1, sizeof(t->doubt));
	}
	if (t->partial && doubtful(t, word)) {
		set_word(g, t, word, word_with(m, index, t->now[word], used));
		set_doubt(t, word, m.narrow);
		return;
	}
	if (t->known && !((known ^ value) & ~(UT_PTE_A | UT_PTE_D)) && !doubtful(t, word)) {
		set_word(g, t, word, word_with(m, index, t->now[word], known | (used & ~value)));
		return;
	}
	if (t->known) {
		g->contradictions += !doubtful(t, word);
		set_doubt(t, word, true);
	}
	remember(g, t, word, word_with(m, index, t->now[word], used), g->seq, g->seq + 1);
}

static void on_fault(struct ur_guest *g, const struct vcpu *v, const struct ut_fault *f)
{
	struct mode m = mode_of(v);
	uint64_t gfn = root_of(v);
	bool filled = f->outcome != UT_OUT_REFLECTED && f->outcome != UT_OUT_UNKNOWN;

	if (!m.levels || f->top != m.levels)
		return;
	for (unsigned int level = f->top; level && level >= f->bottom; level--) {
		uint64_t value = f->walk[level - 1], used = value;
		unsigned int index = index_at(m, f->gva, level);
		struct table *t = get_table(g, gfn);

		if (!t)
			return;
		if (filled)
			used |= UT_PTE_A;
		if (filled && level == f->bottom && (f->error & UT_PF_WRITE))
			used |= UT_PTE_D;
		if (m.pae && level == 3)
			witness_top(g, t, index, value);
		else
			witness(g, t, m, index, value, used);
		gfn = (value & UT_PTE_FRAME) >> SHIFT;
	}
}

/* ---- may it be used? ---- */

/* From when until when there may have been a way down from a root: nothing outside of it. */
struct span {
	uint64_t root, from, to;
};

struct question {
	const struct ur_guest *g;
	const struct vcpu *v;
	const struct ur_translation *t;
	struct mode m;
	unsigned int leaf_level;  /* of the guest's own entry */
	uint64_t globals_flushed; /* when those for the address were, last */
	bool global;		  /* only leaf entries marked global count */
	struct span *span;	  /* not NULL: every way counts, and is noted there */
	bool now;		  /* only what the tables hold now counts */
	bool cut;		  /* that is not known of all of them */
};

/* Between two readings on one way down. */
struct way {
	uint64_t from, before; /* the next reading is at or after, and before */
	bool write, user, exec;
};

static bool exec_by(const struct vcpu *v, uint64_t gpte)
{
	return !(v->efer & UT_EFER_NX) || !(gpte & UT_PTE_NX);
}

static bool grants(const struct question *q, const struct way *w, uint64_t gpte, unsigned int level)
{
	const struct ur_translation *t = q->t;
	bool write = w->write && (gpte & UT_PTE_W), user = w->user && (gpte & UT_PTE_U);

	/*
	 * With CR0.WP off the supervisor writes what is read-only; but a user's page that was made the
	 * supervisor's for that must not get round SMEP.
	 */
	if (t->write && !write && !(q->v->cr0 & UT_CR0_WP) && !t->user)
		write = !((q->v->cr4 & UT_CR4_SMEP) && user && t->exec);
	if (leaf_gfn(q->m, gpte, level, t->gva) != t->gfn || level < t->level)
		return false;
	if (t->write && (!write || !(gpte & UT_PTE_D)))
		return false;
	if (t->user && !user)
		return false;
	return !t->exec || (w->exec && exec_by(q->v, gpte));
}

/* First flush of the paging-structure caches at or after an event. */
static uint64_t structure_flush_after(const struct vcpu *v, uint64_t at)
{
	size_t lo = 0, hi = v->n_structure;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (v->structure[mid].at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < v->n_structure; lo++) {
		if (v->structure[lo].pcid == pcid_of(v))
			return v->structure[lo].at;
	}
	return FOREVER;
}

static bool reach(struct question *q, uint64_t gfn, unsigned int level, const struct way *w);

static void span_add(struct span *s, uint64_t from, uint64_t to)
{
	if (from < s->from)
		s->from = from;
	if (to > s->to)
		s->to = to;
}

/* One reading of an entry that had @value from @from until @to. */
static bool reading(struct question *q, unsigned int level, const struct way *w, uint64_t value,
		    uint64_t from, uint64_t to)
{
	struct way next = *w;

	if (!(value & UT_PTE_P) || !(value & UT_PTE_A) || to <= w->from || from >= w->before)
		return false;
	if (is_leaf(q->v, q->m, value, level)) {
		bool global = (value & UT_PTE_G) && (q->v->cr4 & UT_CR4_PGE);

		/* INVLPG takes global translations of every PCID. */
		if (global ? to <= q->globals_flushed : q->global)
			return false;
		if (level != q->leaf_level || !grants(q, w, value, level))
			return false;
		if (!q->span)
			return true;
		span_add(q->span, from, to);
		return false;
	}
	if (level <= q->leaf_level)
		return false;
	if (from > next.from)
		next.from = from;
	if (to != FOREVER) {
		uint64_t flush = structure_flush_after(q->v, to);

		if (flush < next.before)
			next.before = flush;
	}
	next.write &= !!(value & UT_PTE_W);
	next.user &= !!(value & UT_PTE_U);
	next.exec &= exec_by(q->v, value);
	return reach(q, (value & UT_PTE_FRAME) >> SHIFT, level - 1, &next);
}

static bool reach_below_top(struct question *q, const struct table *t, unsigned int index,
			    const struct way *w)
{
	if (reading(q, 3, w, t->now[index], 0, FOREVER))
		return true;
	for (int32_t i = t->past[index]; i >= 0; i = t->versions[i].older) {
		if (reading(q, 3, w, t->versions[i].value, 0, FOREVER))
			return true;
	}
	return false;
}

static bool reach(struct question *q, uint64_t gfn, unsigned int level, const struct way *w)
{
	const struct table *t = find_table(q->g, gfn);
	unsigned int index = index_at(q->m, q->t->gva, level), word = word_at(q->m, index);

	if (q->now && (!t || !t->known || doubtful(t, word)))
		q->cut = true;
	if (!t)
		return false;
	/* Which vCPU read PAE's top entries when is not known; each may have any that was seen. */
	if (gfn & PAE_TOP)
		return reach_below_top(q, t, index, w);
	/* Of a table that is not known any more the last content may have lasted. */
	if ((t->known || !q->now) &&
	    reading(q, level, w, entry_in(q->m, index, t->now[word]), t->since[word], FOREVER))
		return true;
	for (int32_t i = t->past[word]; i >= 0; i = t->versions[i].older) {
		const struct version *old = &t->versions[i];

		/* What a walk witnessed may stand among them out of order; it lasts one event. */
		if (old->to <= w->from && old->to - old->from > 1)
			break;
		if (reading(q, level, w, entry_in(q->m, index, old->value), old->from, old->to))
			return true;
	}
	return false;
}

/* Is there a way down that ends in the translation, begun on @root not before @from? */
static bool way_down(struct question *q, uint64_t root, uint64_t from, uint64_t before,
		     uint16_t pcid)
{
	for (q->leaf_level = 1; q->leaf_level <= MAX_LEAF_LEVEL; q->leaf_level++) {
		struct way w = {
			.from = from, .before = before, .write = true, .user = true, .exec = true
		};
		uint64_t flushed = page_flushed_at(q->v, pcid, q->leaf_level, q->t->gva);

		if (flushed > w.from)
			w.from = flushed;
		q->globals_flushed = page_flushed_at(q->v, GLOBAL, q->leaf_level, q->t->gva);
		if (w.from < w.before && reach(q, root, q->m.levels, &w))
			return true;
	}
	return false;
}

/* A global translation lives until all are flushed, whatever root it was found through. */
static bool global_way_down(struct question *q)
{
	const struct vcpu *v = q->v;
	struct span kept[ROOTS_KEPT]; /* by hash of the root; of others it is found again */

	memset(kept, -1, sizeof(kept));
	q->global = true;
	for (size_t i = v->n_stays; i-- > 0;) {
		uint64_t root = v->stays[i].root, from = v->stays[i].from;
		uint64_t before = i + 1 < v->n_stays ? v->stays[i + 1].from : FOREVER;
		struct span *s = &kept[slot_of(root, ROOTS_KEPT)];

		if (s->root != root) {
			*s = (struct span){ .root = root, .from = FOREVER };
			q->span = s;
			way_down(q, root, v->globals_since, FOREVER, GLOBAL);
			q->span = NULL;
		}
		if (from >= s->to || before <= s->from)
			continue;
		if (way_down(q, root, from > v->globals_since ? from : v->globals_since, before,
			     GLOBAL))
			return true;
	}
	return false;
}

enum ur_answer ur_guest_may_use(const struct ur_guest *g, uint16_t vcpu,
				const struct ur_translation *t)
{
	struct question q = { .g = g, .v = find_vcpu(g, vcpu), .t = t, .now = true };

	if (!q.v)
		return UR_CANNOT;
	q.m = mode_of(q.v);
	if (!q.m.levels)
		return UR_CANNOT;
	/* What is so now needs no past. */
	if (way_down(&q, root_of(q.v), g->seq, FOREVER, pcid_of(q.v)))
		return UR_NOW;
	q.now = false;
	if (way_down(&q, root_of(q.v), pcid_since(q.v, pcid_of(q.v)), FOREVER, pcid_of(q.v)))
		return UR_PAST;
	if (q.cut)
		return UR_CANNOT;
	if ((q.v->cr4 & UT_CR4_PGE) && global_way_down(&q))
		return UR_PAST;
	return UR_NO;
}

bool ur_guest_now(const struct ur_guest *g, uint16_t vcpu, uint64_t gva, uint64_t *gfn,
		  uint64_t *entry)
{
	const struct vcpu *v = find_vcpu(g, vcpu);
	struct mode m = v ? mode_of(v) : (struct mode){ 0 };
	uint64_t at = v ? root_of(v) : 0;

	*entry = 0;
	for (unsigned int level = m.levels; level; level--) {
		const struct table *t = find_table(g, at);
		unsigned int index = index_at(m, gva, level);

		if (!t || !t->known)
			return false;
		*entry = entry_in(m, index, t->now[word_at(m, index)]);
		at = (*entry & UT_PTE_FRAME) >> SHIFT;
		if (!(*entry & UT_PTE_P))
			return false;
		if (is_leaf(v, m, *entry, level)) {
			*gfn = leaf_gfn(m, *entry, level, gva);
			return true;
		}
	}
	return false;
}

bool ur_guest_paged(const struct ur_guest *g, uint16_t vcpu)
{
	const struct vcpu *v = find_vcpu(g, vcpu);

	return v && mode_of(v).levels;
}

enum ur_knowledge ur_guest_entry(const struct ur_guest *g, uint64_t gfn, unsigned int index,
				 uint64_t *value)
{
	const struct table *t = find_table(g, gfn);

	if (!t || !t->known)
		return UR_UNKNOWN;
	*value = t->now[index];
	return doubtful(t, index) ? UR_DOUBTFUL : UR_KNOWN;
}

const struct ur_change *ur_guest_changes(const struct ur_guest *g, size_t *n)
{
	*n = g->n_changes;
	return g->changes;
}

uint64_t ur_guest_contradictions(const struct ur_guest *g)
{
	return g->contradictions;
}

/* ---- life ---- */

static void vcpu_event(struct ur_guest *g, struct vcpu *v, const struct ut_event *e)
{
	switch (e->kind) {
	case UT_STATE:
		on_state(g, v, &e->state);
		break;
	case UT_CR:
		on_cr(g, v, &e->cr);
		break;
	case UT_INVLPG:
		on_invlpg(g, v, e->invlpg.gva);
		break;
	case UT_INVPCID:
		on_invpcid(g, v, &e->invpcid);
		break;
	case UT_PV_FLUSH:
		flush_all(g, v);
		break;
	default:
		on_fault(g, v, &e->fault);
		break;
	}
}

int ur_guest_event(struct ur_guest *g, const struct ut_event *e)
{
	struct vcpu *v;

	g->seq++;
	g->n_changes = 0;
	switch (e->kind) {
	case UT_STATE:
	case UT_CR:
	case UT_INVLPG:
	case UT_INVPCID:
	case UT_PV_FLUSH:
	case UT_FAULT:
		v = get_vcpu(g, e->vcpu);
		if (v)
			vcpu_event(g, v, e);
		break;
	case UT_WRITE:
		on_write(g, &e->write);
		break;
	case UT_AD:
		on_ad(g, &e->ad);
		break;
	case UT_PAGE_NEW:
		on_page_new(g, &e->page);
		break;
	case UT_PAGE_ZAP:
		on_page_zap(g, &e->page);
		break;
	default:
		break;
	}
	return g->failed ? -1 : 0;
}

struct ur_guest *ur_guest_create(void)
{
	return calloc(1, sizeof(struct ur_guest));
}

void ur_guest_destroy(struct ur_guest *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->cap_tables; i++) {
		if (g->tables[i])
			free(g->tables[i]->versions);
		free(g->tables[i]);
	}
	for (size_t i = 0; i < g->n_vcpus; i++) {
		free(g->vcpus[i]->pcid_flushed);
		free(g->vcpus[i]->stays);
		free(g->vcpus[i]->pages);
		free(g->vcpus[i]->structure);
		free(g->vcpus[i]);
	}
	free(g->tables);
	free(g->vcpus);
	free(g->changes);
	free(g);
}
