/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events in the order in which they happened.
 *
 * A host syncs a table after it has told of the register write or the invalidation that made it do so,
 * and only then does a native trace learn what the guest had written into that table while it was out
 * of sync. The guest wrote that before: a model that syncs at the same event must see it, or it would
 * sync too early and then take the writes for new ones.
 *
 * So writes that were not seen happening (UT_HOW_WINDOW, UT_HOW_WALK) and are followed by the sync of their table are
 * moved to before the event of that vCPU that came last, if it is one of those: UT_STATE, UT_CR,
 * UT_INVLPG, UT_INVPCID, UT_PV_FLUSH; or even before such an event of another vCPU whose resync may be
 * under way, as whoever is first syncs for all. They get its time. What is told during a fault need not be moved,
 * as a fault is told when it is over. Shadow pages looked up or given up in between do not matter: a
 * host that changes roots gets the new one before it syncs it. Nothing is moved past another write to the same table, nor past
 * its going out of sync, nor past more than UR_ORDER_REACH events.
 *
 * A resync (UT_HOST_RESYNC, told at its end) is moved to right after the event that made it necessary,
 * and keeps its time: so it is known how long it lasts while other vCPUs' events happen.
 */
#ifndef UNSYNC_REPLAY_ORDER_H
#define UNSYNC_REPLAY_ORDER_H

#include "trace/trace.h"

#define UR_ORDER_REACH 4096

struct ur_order;

/**
 * ur_order_create() - for the events of one trace, from its beginning
 *
 * Return: to be freed with ur_order_free(); NULL if out of memory.
 */
struct ur_order *ur_order_create(void);
void ur_order_free(struct ur_order *o);

/**
 * ur_order_block() - put a block in order
 * @o: remembers the end of a block until the next one tells what belongs before it
 * @in: the next block of the trace; NULL: there is none, give what is left
 * @out: the events that are due, perhaps none; good until the next call, or until @in is
 *
 * No event is lost and none is made up. Return: 0, or -1 if out of memory.
 */
int ur_order_block(struct ur_order *o, const struct ut_block *in, struct ut_block *out);

#endif
