/*
 * The flow table: finds the flow of a packet, starts and ends flows.
 *
 * Flows that have ended wait until no flow can end before them any more, then
 * come out in the order (time of end, number of flow).
 */
#ifndef JJ_TABLE_H
#define JJ_TABLE_H

#include "features/bulk.h"
#include "features/engine.h"
#include "flow/flow.h"
#include "flow/fragment.h"
#include "flow/heap.h"
#include "flow/early.h"

/* Expiry lags this many frames behind, so that packets a little out of order still find their flow. */
#define JJ_EXPIRY_BLOCK 1024
#define JJ_EXPIRY_BLOCKS 4

/* More ended flows than this do not wait for their turn; only clocks that jump far back bring so many. */
#define JJ_MAX_WAITING 65536

typedef struct jj_list
{
	uint32_t	head;
	uint32_t	tail;
} jj_list;

/* A flow's neighbours in a list. All links of a list are together, apart from the flows: small enough for the processor's caches. */
typedef struct jj_link
{
	uint32_t	prev;
	uint32_t	next;
} jj_link;

typedef struct jj_bucket
{
	uint32_t	hash;
	uint32_t	flow;			/* JJ_NO_FLOW = empty */
} jj_bucket;

typedef struct jj_table
{
	jj_options	options;
	jj_allocator allocator;
	jj_counters *counters;
	size_t		record_size;

	jj_bucket  *bucket;			/* open addressing, linear probing */
	uint32_t	bucket_mask;
	uint32_t	live;

	jj_bulk    *bulk;			/* has the slabs */
	uint8_t   **slab;			/* records */
	uint32_t	slabs;
	uint32_t	slab_room;
	uint32_t	free_flow;		/* list through young_link */
	uint32_t	next_flow;		/* never used so far */

	jj_link    *young_link;		/* of each flow that is in young */
	jj_link    *closed_link;	/* of each flow that is in closed */
	jj_link    *used_link;		/* of each flow, in lru or late; NULL unless those are kept */
	uint32_t	link_room;

	/* a flow is looked at a flow_timeout after its start, and then whenever it would have ended without further packets */
	jj_list		young;			/* flows that have not been looked at so far, by start */
	int64_t		youngest;		/* start of the last of them */
	jj_heap		due;			/* the other flows with that time, and stale entries */
	jj_list		closed;			/* lingering flows, first closed first */

	/* only for JJ_EVICT_LRU */
	jj_list		lru;			/* live flows, least recently used first */
	jj_list		late;			/* the live flows whose last packet is a fragment that has waited in vain, in the same order */
	jj_heap		oldest;			/* live flows by start, and stale entries; only for JJ_EVICT_OLDEST */
	jj_heap		waiting;		/* ended flows */
	uint32_t   *ready;			/* ended flows in their final order: a ring */
	uint32_t	ready_head;
	uint32_t	ready_count;
	uint32_t	ready_room;

	int64_t		clock;			/* largest time of any frame, or of jj_table_clock */
	int64_t		now;			/* the clock at the frame of the packet in jj_table_add */
	bool		clock_set;
	int64_t		block_min[JJ_EXPIRY_BLOCKS + 1];	/* smallest time in each of the last blocks of frames */
	uint32_t	block_frames;	/* frames in the current block, block_min[0] */
	uint32_t	blocks;

	jj_fragments fragments;
	jj_early	early;
	int64_t		early_life;		/* ns that a fragment waits: no longer than its flow would */
} jj_table;

#define JJ_SLAB_FLOWS 256

/* Whether the lists lru and late are kept. */
static inline bool
jj_table_keeps_lru(const jj_table *t)
{
	return t->options.max_concurrent_flows != 0 && t->options.eviction == JJ_EVICT_LRU;
}

static inline jj_flow *
jj_table_flow(const jj_table *t, uint32_t i)
{
	return (jj_flow *) (t->slab[i / JJ_SLAB_FLOWS] + (size_t) (i % JJ_SLAB_FLOWS) * t->record_size);
}

/* record_size: bytes of a jj_flow and the extractor states behind it. False without memory. */
extern bool jj_table_init(jj_table *t, const jj_options *o, size_t record_size, const jj_allocator *a, jj_bulk *bulk, jj_counters *c);
extern void jj_table_free(jj_table *t);

/* The clock has come to ts; it never goes back. */
static inline void
jj_table_clock(jj_table *t, int64_t ts)
{
	if (!t->clock_set || ts > t->clock)
		t->clock = ts;
	t->clock_set = true;
}

/* No packet before now will come: end what is past its time then. False without memory. */
extern bool jj_table_advance(jj_table *t, int64_t now);

/* expiry.c: a block of frames is complete. False without memory. */
extern bool jj_table_end_block(jj_table *t);

/* Note the time of a frame, also of one without a packet. False without memory. */
static inline bool
jj_table_tick(jj_table *t, int64_t ts)
{
	jj_table_clock(t, ts);
	if (t->block_frames++ == 0 || ts < t->block_min[0])
		t->block_min[0] = ts;
	return t->block_frames < JJ_EXPIRY_BLOCK || jj_table_end_block(t);
}

/* To be called for each packet in capture order, right after its jj_table_tick. False without memory. */
extern bool jj_table_lookup(jj_table *t, jj_packet *p, jj_lookup *l);

/* What jj_table_add will touch; each when the one before has arrived: the bucket, the flow, what the flow's record points to. */
static inline void
jj_table_prefetch_bucket(const jj_table *t, const jj_lookup *l)
{
	JJ_PREFETCH(&t->bucket[l->hash & t->bucket_mask]);
}

extern void jj_table_prefetch_flow(const jj_table *t, jj_lookup *l);
extern void jj_table_prefetch_rest(const jj_table *t, const jj_lookup *l);

/*
 * The flow of a packet, started if need be, with the packet counted and its
 * clock and direction set; ends the flow that was there before where the rules
 * say so. The fragments that join the packet, from the one ahead (NULL: none)
 * on, go into the flow before it. NULL without memory. *ends is set if this
 * packet is the flow's last (flow_end = fin_rst): the caller calls
 * jj_table_end after the extractors.
 */
extern jj_flow *jj_table_add(jj_table *t, jj_packet *p, const jj_lookup *l, uint32_t capture, jj_early_fragment *ahead, bool *ends);

/* End a live flow at a time; its record stays until jj_table_forget. */
extern bool jj_table_end(jj_table *t, jj_flow *f, jj_end_reason reason, int64_t when);

/* The same, but the index and the lists still have it: for all of them at once, before jj_table_unlink_all. */
extern bool jj_table_end_linked(jj_table *t, jj_flow *f, jj_end_reason reason, int64_t when);
extern void jj_table_unlink_all(jj_table *t);

/* The item of a flow in a heap, and whether it is not stale. */
static inline jj_heap_item
jj_heap_item_of(const jj_flow *f, int64_t when)
{
	jj_heap_item item = {when, jj_flow_number(f), f->self};

	return item;
}

static inline bool
jj_table_is_live(const jj_table *t, const jj_heap_item *item)
{
	const jj_flow *f = jj_table_flow(t, item->flow);

	return f->live && jj_flow_number(f) == item->number;
}

/* Take stale items out of a heap when they are more than the live ones. */
extern void jj_table_clean_heap(jj_table *t, jj_heap *h);

/* Lists of flows through their links. */
extern void jj_list_append(jj_list *l, jj_link *link, uint32_t i);
extern void jj_list_remove(jj_list *l, jj_link *link, uint32_t i);

/* expiry.c: end the flows that are past their time at mark. False without memory. */
extern bool jj_table_expire(jj_table *t, int64_t mark);

/* Make room for what jj_table_watch will note of one more flow; false without memory. */
extern bool jj_table_reserve_watch(jj_table *t, int64_t start);

/* From now on jj_table_expire looks after this flow, which has just started. */
extern void jj_table_watch(jj_table *t, jj_flow *f);

/* End all flows and make all of them ready. */
extern bool jj_table_finish(jj_table *t);

/* The next flow that has ended, NULL if none is ready; to be given to jj_table_forget, its samples released by the caller. */
extern jj_flow *jj_table_next(jj_table *t);

/* The one that comes so many flows behind the next one, NULL if it is not ready. */
extern const jj_flow *jj_table_ready(const jj_table *t, uint32_t ahead);
extern void jj_table_forget(jj_table *t, jj_flow *f);

/* tcp_close.c: follow the TCP life cycle; true if the flow ends with this packet (flow_end = fin_rst). */
extern bool jj_tcp_follow(jj_flow *f, const jj_packet *p, jj_flow_end rule, bool existing);

/* Whether a SYN begins another connection than the one of this flow. */
extern bool jj_tcp_is_new(const jj_flow *f, const jj_packet *p, int dir);

#endif
