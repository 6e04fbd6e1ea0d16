/*
 * When flows end by time, and the order in which ended flows come out.
 *
 * Expiry follows packet time, or the time that a live capture has come to. The low-water mark is the smallest time of the
 * last few thousand frames: for a capture in order that is a little in the
 * past, and packets out of order within that window still find their flow.
 * Each flow's own timeouts are tested exactly when its next packet arrives.
 */
#include "flow/table.h"

/* Whether a flow is past its time at mark; then why, and since when. */
static bool
overdue(const jj_table *t, const jj_flow *f, int64_t mark, jj_end_reason *reason, int64_t *when)
{
	int64_t		last = jj_time_add(f->start, f->closed ? f->closed_at : f->clock);
	int64_t		limit = f->closed ? JJ_LINGER : t->options.flow_timeout;

	if (limit == JJ_INFINITE || jj_time_diff(mark, last) <= limit)
		return false;
	*reason = f->closed ? (jj_end_reason) f->end_reason : JJ_END_IDLE;
	*when = jj_time_add(jj_time_add(last, limit), 1);
	return true;
}

/* mark, or the time of the oldest fragment that waits if that is earlier: no flow that it may be of must end before it. */
static int64_t
mark_of_early(const jj_table *t, int64_t mark)
{
	int64_t		held = jj_early_oldest(&t->early);

	return held < mark ? held : mark;
}

/*
 * End what is past its time at mark. Only the heads of the lists are
 * looked at, so with clocks out of order, or a flow_timeout below JJ_LINGER,
 * some flows end a little later than they could. That changes neither their
 * rows nor their reasons, but under max_concurrent_flows it may cost another
 * flow its place.
 */
bool
jj_table_expire(jj_table *t, int64_t mark)
{
	jj_end_reason reason;
	int64_t		when;

	while (t->closed.head != JJ_NO_FLOW && overdue(t, jj_table_flow(t, t->closed.head), mark, &reason, &when))
		if (!jj_table_end(t, jj_table_flow(t, t->closed.head), reason, when))
			return false;
	while (t->lru.head != JJ_NO_FLOW && overdue(t, jj_table_flow(t, t->lru.head), mark, &reason, &when))
		if (!jj_table_end(t, jj_table_flow(t, t->lru.head), reason, when))
			return false;
	while (t->late.head != JJ_NO_FLOW && overdue(t, jj_table_flow(t, t->late.head), mark, &reason, &when))
		if (!jj_table_end(t, jj_table_flow(t, t->late.head), reason, when))
			return false;
	return true;
}

static bool
make_ready(jj_table *t)
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
	t->ready[(t->ready_head + t->ready_count++) % t->ready_room] = jj_heap_pop(&t->waiting).flow;
	return true;
}

/* Ended flows up to mark get their place in the output. */
static bool
release(jj_table *t, int64_t mark)
{
	while (t->waiting.used > 0 && (t->waiting.item[0].when <= mark || t->waiting.used > JJ_MAX_WAITING))
		if (!make_ready(t))
			return false;
	return true;
}

/* End what is past its time at mark, and let out what can't be preceded any more. */
static bool
expire_and_release(jj_table *t, int64_t mark)
{
	mark = mark_of_early(t, mark);
	if (!jj_table_expire(t, mark))
		return false;

	/* an idle flow behind a lingering one in the list may still end up to JJ_LINGER before mark */
	return release(t, t->options.flow_timeout < JJ_LINGER ? jj_time_diff(mark, JJ_LINGER) : mark);
}

void
jj_table_clock(jj_table *t, int64_t ts)
{
	if (!t->clock_set || ts > t->clock)
		t->clock = ts;
	t->clock_set = true;
}

bool
jj_table_advance(jj_table *t, int64_t now)
{
	return expire_and_release(t, now);
}

bool
jj_table_tick(jj_table *t, int64_t ts)
{
	int64_t		mark;

	jj_table_clock(t, ts);
	if (t->block_frames++ == 0 || ts < t->block_min[0])
		t->block_min[0] = ts;
	if (t->block_frames < JJ_EXPIRY_BLOCK)
		return true;
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
	while (t->lru.head != JJ_NO_FLOW || t->late.head != JJ_NO_FLOW)
	{
		jj_flow    *f = jj_table_flow(t, t->lru.head != JJ_NO_FLOW ? t->lru.head : t->late.head);
		jj_end_reason reason = f->closed ? (jj_end_reason) f->end_reason : JJ_END_OF_CAPTURE;
		int64_t		when = INT64_MAX;

		overdue(t, f, t->clock, &reason, &when);
		if (!jj_table_end(t, f, reason, when))
			return false;
	}
	while (t->waiting.used > 0)
		if (!make_ready(t))
			return false;
	t->clock_set = false;
	t->block_frames = t->blocks = 0;
	jj_fragments_free(&t->fragments, &t->allocator);
	return true;
}
