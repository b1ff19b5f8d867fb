/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Platform profiles: what an exit, an emulated write and so on take on one machine, each figure with a
 * range and its source. The form of the file, and where the shipped ones have their figures from, is
 * told in docs/platforms.md.
 */
#ifndef UNSYNC_COST_PLATFORM_H
#define UNSYNC_COST_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CO_VERSION 1
#define CO_MAX_NS 1e9 /* a second: nothing that is priced takes as long */

/*
 * The prices, by their names in a profile. The second text says what one is paid for. "exit" is the way
 * out and in again; all others come on top of it.
 */
#define CO_PRICES(X)                                                                               \
	X(exit, "exit", "an exit, whatever for, and the way back into the guest")                  \
	X(fill, "page fault filled",                                                               \
	  "a fault, or a return from the guest's handler, that fills "                             \
	  "the shadow")                                                                            \
	X(reflect, "page fault passed on", "a fault that is the guest's own")                      \
	X(emulate, "emulated write", "a write to a table, decoded and carried out")                \
	X(cr3, "CR3 write",                                                                        \
	  "a write to CR0, CR3 or CR4, INVPCID or a paravirtual flush, beyond "                    \
	  "what it syncs")                                                                         \
	X(invlpg, "INVLPG", "an INVLPG, beyond the entry that it fixes")                           \
	X(unsync, "going out of sync", "a table let go out of sync, beyond the fault")             \
	X(table, "table sync", "a table compared, beyond its present entries")                     \
	X(entry, "entry compared", "a present entry compared")                                     \
	X(fix, "entry fixed", "a shadow entry dropped or installed outside of faults")             \
	X(page, "shadow page", "a shadow page made")                                               \
	X(flush, "TLB flush",                                                                      \
	  "a flush that the design asks for: what the TLB fetches again, on "                      \
	  "average over those that meet another")                                                  \
	X(kick, "kick", "the same at each other vCPU, which has to stop for it if it runs")        \
	X(reference, "walk reference", "a memory reference of a TLB miss, with nested paging")

enum co_price {
#define X(key, name, help) CO_##key,
	CO_PRICES(X)
#undef X
		CO_PRICE_END
};

/* In nanoseconds. low <= value <= high. */
struct co_figure {
	double value, low, high;
	bool estimated;
	const char *source;
};

/* Zero-initialise. Strings live in json. */
struct co_platform {
	const char *name, *title, *ghz_source;
	double ghz; /* 0: not known */
	struct co_figure prices[CO_PRICE_END];
	struct json_t *json;
};

/**
 * co_price_key() - the name of a price in a profile: "exit"
 */
const char *co_price_key(enum co_price price);

/**
 * co_price_name() - the name of a price for people: "table sync"
 */
const char *co_price_name(enum co_price price);

/**
 * co_price_help() - what a price is paid for
 */
const char *co_price_help(enum co_price price);

/**
 * co_platform_get() - read a profile
 * @platform: result, to be given back with co_platform_free() whatever is returned
 * @name: of a built-in profile; or a file, if it has a slash or ends with ".json"
 * @error: a line for the user if it fails: file, place, what, remedy
 * @error_len: bytes there
 *
 * Return: 0, or -1.
 */
int co_platform_get(struct co_platform *platform, const char *name, char *error, size_t error_len);

/**
 * co_platform_free() - give back what a profile holds and zero it
 */
void co_platform_free(struct co_platform *platform);

/**
 * co_builtin() - the name of the n-th built-in profile, or NULL if there are not so many
 */
const char *co_builtin(size_t n);

/* Exits of one kind, from a capture's summary: how many, and the time from exit to entry, summed. */
struct co_exits {
	uint64_t count;
	double ns;
};

/* What a capture says of the machine that it was made on. */
struct co_capture {
	const char *file; /* the trace, for the sources */
	struct co_exits cpuid, fault, cr3, invlpg;
	uint64_t synced;  /* tables that the host synced */
	double resync_ns; /* and its time in that, which is part of the exits above */
	bool cr3_is_all;  /* Intel counts all accesses to control registers as one reason */
};

/**
 * co_profile_write() - write a profile made from a capture's exit summary
 * @out: to be checked with ferror() by the caller
 * @name: of the new profile
 * @capture: what the trace says; CPUID and page-fault exits are needed
 * @base: profile for what no exit summary tells; scaled by the ratio of the two exits
 * @error: a line for the user if the capture does not do
 * @error_len: bytes there
 *
 * Return: 0, or -1.
 */
int co_profile_write(FILE *out, const char *name, const struct co_capture *capture,
		     const struct co_platform *base, char *error, size_t error_len);

/* An exit that takes longer than this, CPUID handled, was not made by a processor alone. */
#define CO_SLOWEST_EXIT_NS 12000.0

#endif
