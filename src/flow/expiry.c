/*
 * When flows end by time, and the order in which ended flows come out.
 *
 * A packet only moves its flow's clock on. A flow is looked at when it would
 * have ended without that: first a flow_timeout after its start, which is the
 * order of most starts, then by a heap.
 *
 * Expiry follows packet time, or the time that a live capture has come to. The low-water mark is the smallest time of the
 * last few thousand frames: for a capture in order that is a little in the
 * past, and packets out of order within that window still find their flow.
 * Each flow's own timeouts are tested exactly when its next packet arrives.
 */
#include "flow/table.h"

/* When a flow ends if no packet of it comes any more. */
static inline int64_t
end_of(const jj_table *t, const jj_flow *f)
{
	int64_t		last = jj_time_add(f->start, f->closed ? f->closed_at : f->clock);

	return jj_time_add(jj_time_add(last, f->closed ? JJ_LINGER : t->options.flow_timeout), 1);
}

/* Whether a flow is past its time at mark; then why, and since when. */
static bool
overdue(const jj_table *t, const jj_flow *f, int64_t mark, jj_end_reason *reason, int64_t *when)
{
	int64_t		last = jj_time_add(f->start, f->closed ? f->closed_at : f->clock);
	int64_t		limit = f->closed ? JJ_LINGER : t->options.flow_timeout;

	if (limit == JJ_INFINITE || jj_time_diff(mark, last) <= limit)
		return false;
	*reason = f->closed ? (jj_end_reason) f->end_reason : JJ_END_IDLE;
	*when = end_of(t, f);
	return true;
}

/* Whether a flow of this start belongs to the end of the young ones. */
static inline bool
is_youngest(const jj_table *t, int64_t start)
{
	return t->young.head == JJ_NO_FLOW || start >= t->youngest;
}

bool
jj_table_reserve_watch(jj_table *t, int64_t start)
{
	return t->options.flow_timeout == JJ_INFINITE || is_youngest(t, start) || jj_heap_reserve(&t->due, &t->allocator);
}

void
jj_table_watch(jj_table *t, jj_flow *f)
{
	if (t->options.flow_timeout == JJ_INFINITE)
		return;
	f->young = is_youngest(t, f->start);
	if (f->young)
	{
		jj_list_append(&t->young, t->young_link, f->self);
		t->youngest = f->start;
		return;
	}
	jj_table_clean_heap(t, &t->due);
	jj_heap_push(&t->due, jj_heap_item_of(f, end_of(t, f)));
}

/* mark, or the time of the oldest fragment that waits if that is earlier: no flow that it may be of must end before it. */
static int64_t
mark_of_early(const jj_table *t, int64_t mark)
{
	int64_t		held = jj_early_oldest(&t->early);

	return held < mark ? held : mark;
}

/* Flows that are looked at soon, and the buckets that lead to them, are fetched so many ahead. */
#define FETCH_FLOWS 6
#define FETCH_BUCKETS 3

/* A place ahead in a list. */
static inline uint32_t
step(const jj_link *link, uint32_t i)
{
	return i == JJ_NO_FLOW ? i : link[i].next;
}

static inline void
fetch_flow(const jj_table *t, uint32_t i)
{
	const char *f;

	if (i == JJ_NO_FLOW)
		return;
	f = (const char *) jj_table_flow(t, i);
	for (size_t o = 0; o < JJ_FLOW_BYTES; o += 64)
		JJ_PREFETCH(f + o);
}

static inline void
fetch_bucket(const jj_table *t, uint32_t i)
{
	if (i != JJ_NO_FLOW)
		JJ_PREFETCH(&t->bucket[jj_table_flow(t, i)->hash & t->bucket_mask]);
}

/* Look at the young flows that may be past their time. False without memory. */
static bool
expire_young(jj_table *t, int64_t mark)
{
	const jj_link *link = t->young_link;
	uint32_t	near = t->young.head;	/* FETCH_BUCKETS behind the head, */
	uint32_t	far;			/* FETCH_FLOWS */

	if (near == JJ_NO_FLOW || jj_time_diff(mark, jj_table_flow(t, near)->start) <= t->options.flow_timeout)
		return true;
	for (int k = 0; k < FETCH_BUCKETS; k++, near = step(link, near))
		fetch_flow(t, near);
	far = near;
	for (int k = FETCH_BUCKETS; k < FETCH_FLOWS; k++, far = step(link, far))
		fetch_flow(t, far);
	while (t->young.head != JJ_NO_FLOW)
	{
		jj_flow    *f = jj_table_flow(t, t->young.head);
		jj_end_reason reason;
		int64_t		when;

		if (jj_time_diff(mark, f->start) <= t->options.flow_timeout)
			break;
		fetch_bucket(t, near);
		near = step(link, near);
		fetch_flow(t, far);
		far = step(link, far);
		if (!f->closed && overdue(t, f, mark, &reason, &when))
		{
			if (!jj_table_end(t, f, reason, when))
				return false;
			continue;
		}
		/* the list of closed flows looks after those */
		if (!f->closed)
		{
			if (!jj_heap_reserve(&t->due, &t->allocator))
				return false;
			jj_heap_push(&t->due, jj_heap_item_of(f, end_of(t, f)));
		}
		jj_list_remove(&t->young, t->young_link, f->self);
		f->young = false;
	}
	return true;
}

/* Look at the other flows that may be. Each once, since times at the end of time are due for ever. False without memory. */
static bool
expire_due(jj_table *t, int64_t mark)
{
	for (uint32_t n = t->due.used; n > 0 && t->due.item[0].when <= mark; n--)
	{
		jj_heap_item item = jj_heap_pop(&t->due);
		jj_flow    *f = jj_table_flow(t, item.flow);
		jj_end_reason reason;
		int64_t		when;

		if (!jj_table_is_live(t, &item) || f->closed)
			continue;
		if (!overdue(t, f, mark, &reason, &when))
			jj_heap_push(&t->due, jj_heap_item_of(f, end_of(t, f)));
		else if (!jj_table_end(t, f, reason, when))
			return false;
	}
	return true;
}

/*
 * End what is past its time at mark. Of flows that linger only the first is
 * looked at, so with clocks out of order some end a little later than they
 * could. That changes neither their rows nor their reasons, but under
 * max_concurrent_flows it may cost another flow its place.
 */
bool
jj_table_expire(jj_table *t, int64_t mark)
{
	jj_end_reason reason;
	int64_t		when;

	while (t->closed.head != JJ_NO_FLOW && overdue(t, jj_table_flow(t, t->closed.head), mark, &reason, &when))
	{
		fetch_flow(t, t->closed_link[t->closed.head].next);
		if (!jj_table_end(t, jj_table_flow(t, t->closed.head), reason, when))
			return false;
	}
	return t->options.flow_timeout == JJ_INFINITE || (expire_young(t, mark) && expire_due(t, mark));
}

/* A flow gets its place in the output. False without memory. */
static bool
make_ready(jj_table *t, uint32_t flow)
{
	if (t->ready_count == t->ready_room)
	{
		uint32_t	room = t->ready_room == 0 ? 256 : t->ready_room * 2;
		uint32_t   *grown = room < t->ready_room ? NULL : jj_alloc(&t->allocator, sizeof(*grown) * room);

		if (grown == NULL)
			return false;
		for (uint32_t i = 0; i < t->ready_count; i++)
			grown[i] = t->ready[(t->ready_head + i) % t->ready_room];
		jj_release(&t->allocator, t->ready);
		t->ready = grown;
		t->ready_room = room;
		t->ready_head = 0;
	}
	t->ready[(t->ready_head + t->ready_count++) % t->ready_room] = flow;
	return true;
}

/* Ended flows up to mark get their place in the output. */
static bool
release(jj_table *t, int64_t mark)
{
	while (t->waiting.used > 0 && (t->waiting.item[0].when <= mark || t->waiting.used > JJ_MAX_WAITING))
		if (!make_ready(t, jj_heap_pop(&t->waiting).flow))
			return false;
	return true;
}

/* End what is past its time at mark, and let out what can't be preceded any more. */
static bool
expire_and_release(jj_table *t, int64_t mark)
{
	mark = mark_of_early(t, mark);
	return jj_table_expire(t, mark) && release(t, mark);
}

bool
jj_table_advance(jj_table *t, int64_t now)
{
	return expire_and_release(t, now);
}

bool
jj_table_end_block(jj_table *t)
{
	int64_t		mark;

	t->block_frames = 0;
	mark = t->block_min[0];
	for (int i = JJ_EXPIRY_BLOCKS; i > 0; i--)
	{
		t->block_min[i] = t->block_min[i - 1];
		if (t->block_min[i] < mark && (uint32_t) i <= t->blocks + 1)
			mark = t->block_min[i];
	}
	if (++t->blocks < JJ_EXPIRY_BLOCKS)
		return true;
	t->blocks = JJ_EXPIRY_BLOCKS;
	return expire_and_release(t, mark);
}

const jj_flow *
jj_table_ready(const jj_table *t, uint32_t ahead)
{
	if (ahead >= t->ready_count)
		return NULL;
	return jj_table_flow(t, t->ready[(t->ready_head + ahead) % t->ready_room]);
}

jj_flow *
jj_table_next(jj_table *t)
{
	uint32_t	i;

	if (t->ready_count == 0)
		return NULL;
	i = t->ready[t->ready_head];
	t->ready_head = (t->ready_head + 1) % t->ready_room;
	t->ready_count--;
	return jj_table_flow(t, i);
}

bool
jj_table_finish(jj_table *t)
{
	for (uint32_t i = 0; t->live > 0 && i < t->next_flow; i++)
	{
		jj_flow    *f = jj_table_flow(t, i);
		jj_end_reason reason;
		int64_t		when = INT64_MAX;

		if (!f->used || !f->live)
			continue;
		reason = f->closed ? (jj_end_reason) f->end_reason : JJ_END_OF_CAPTURE;
		overdue(t, f, t->clock, &reason, &when);
		if (!jj_table_end_linked(t, f, reason, when))
			return false;
	}
	jj_table_unlink_all(t);
	if (!jj_heap_sort(&t->waiting, &t->allocator))
		return false;
	for (uint32_t i = 0; i < t->waiting.used; i++)
		if (!make_ready(t, t->waiting.item[i].flow))
			return false;
	t->waiting.used = 0;
	t->clock_set = false;
	t->block_frames = t->blocks = 0;
	jj_fragments_free(&t->fragments, &t->allocator);
	return true;
}
