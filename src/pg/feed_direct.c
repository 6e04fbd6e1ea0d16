/*
 * Packets of an interface through the engine, in this process.
 */
#include "pg/feed.h"

#include "portability/instr_time.h"
#include "utils/memutils.h"

#define MOST_LEFT 65536			/* flows that have ended and are left in the engine for want of room */

typedef struct direct
{
	jj_feed		feed;
	MemoryContext context;
	jj_allocator allocator;
	jj_live    *live;
	jj_engine  *engine;
	jj_saver   *saver;			/* NULL: packets are not saved */
	uint64		taken;			/* flows */
	bool		left;			/* flows have ended that were not taken */
	bool		finished;
	bool		drained;		/* at time drained_at there was nothing to read */
	int64		drained_at;		/* ns since the epoch */
	uint64		saved;
	uint64		not_saved;
	MemoryContextCallback callback;
} direct;

static int64
wall_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64) t.tv_sec * JJ_SECOND + t.tv_nsec;
}

/* What is not in the context's memory. */
static void
close_all(void *arg)
{
	direct	   *d = arg;

	jj_engine_close(d->engine);
	jj_live_close(d->live);
	if (d->saver != NULL)
		jj_saver_close(d->saver);
	d->engine = NULL;
	d->live = NULL;
	d->saver = NULL;
}

static void
close_direct(jj_feed *feed)
{
	MemoryContextDelete(((direct *) feed)->context);
}

/* Give the flows that have ended to the taker, as long as it has room. */
static bool
take_rows(direct *d)
{
	const jj_feed_request *r = d->feed.request;
	const jj_counters *c = jj_engine_counters(d->engine);
	const jj_row *row;
	bool		have;

	for (;;)
	{
		d->left = !r->has_room(r->arg) && c->flows_ended > d->taken && (d->finished || c->flows_ended - d->taken < MOST_LEFT);
		if (d->left)
			return true;
		if (jj_engine_next(d->engine, &row, &have, &d->feed.error) != JJ_OK)
			return false;
		if (!have)
			return true;
		d->taken++;
		r->take(r->arg, row);
	}
}

static bool
pump(jj_feed *feed, int ms)
{
	direct	   *d = (direct *) feed;
	jj_frame	frames[JJ_BATCH];
	uint32		n;
	instr_time	begin;
	instr_time	now;

	if (d->finished || d->left)
	{
		if (!take_rows(d))
			return false;
		if (d->finished)
			return d->left;
	}
	INSTR_TIME_SET_CURRENT(begin);
	for (;;)
	{
		int64		clock = wall_clock();

		if (jj_live_next(d->live, frames, JJ_BATCH, &n, &feed->error) != JJ_OK)
			return false;
		if (n == 0)
		{
			d->drained = true;
			d->drained_at = clock;
			return d->left;
		}
		if (d->saver != NULL)
		{
			uint32		saved = jj_saver_write(d->saver, frames, n);

			d->saved += saved;
			d->not_saved += n - saved;
		}
		if (jj_engine_feed(d->engine, frames, n, &feed->error) != JJ_OK || !take_rows(d))
			return false;
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, begin);
		if (INSTR_TIME_GET_MILLISEC(now) >= ms)
			return true;
	}
}

static void
set_counts(direct *d)
{
	uint64	   *count = d->feed.count;
	const jj_counters *c = jj_engine_counters(d->engine);
	jj_live_stats stats;
	uint64		skipped = 0;

	for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
		skipped += c->skipped[i];
	count[JJ_COUNT_PACKETS] = c->frames;
	count[JJ_COUNT_BYTES] = c->wire_bytes;
	count[JJ_COUNT_NO_FLOW] = skipped;
	count[JJ_COUNT_ACTIVE_FLOWS] = c->flows_live;
	count[JJ_COUNT_MEMORY] = c->memory_flows;
	count[JJ_COUNT_SAVED] = d->saved;
	count[JJ_COUNT_SAVE_DROPS] = d->not_saved;
	(void) jj_live_stats_get(d->live, &stats, &d->feed.error);
	count[JJ_COUNT_KERNEL_DROPS] = stats.kernel_drops;
	count[JJ_COUNT_INTERFACE_DROPS] = stats.interface_drops;
}

static void
tick(jj_feed *feed)
{
	direct	   *d = (direct *) feed;
	const jj_live_options *o = &feed->request->options->live;

	/* a packet can be read so much later than it came; packets of several processors are a little out of order */
	if (d->drained && jj_engine_advance(d->engine, d->drained_at - JJ_SECOND - (int64) o->timeout_ms * (JJ_SECOND / 1000), &feed->error) == JJ_OK)
		(void) take_rows(d);
	d->drained = false;
	if (d->saver != NULL)
	{
		const char *wrong;

		jj_saver_flush(d->saver);
		wrong = jj_saver_error(d->saver);
		if (wrong != NULL)
			strlcpy(feed->warning, wrong, sizeof(feed->warning));
	}
	set_counts(d);
}

static void
finish(jj_feed *feed, int ms)
{
	direct	   *d = (direct *) feed;

	if (feed->error.code == JJ_OK)
		(void) pump(feed, ms);
	set_counts(d);
	feed->error.code = JJ_OK;
	d->finished = true;
	if (jj_engine_finish(d->engine, &feed->error) == JJ_OK)
		(void) take_rows(d);
	feed->count[JJ_COUNT_ACTIVE_FLOWS] = 0;
}

jj_feed *
jj_feed_direct(const jj_feed_request *r, jj_error *error)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay feed", ALLOCSET_DEFAULT_SIZES);
	direct	   *d = MemoryContextAllocZero(context, sizeof(direct));
	jj_options	options = r->options->call.engine;
	MemoryContext old;

	d->context = context;
	d->allocator = jj_context_allocator(context);
	d->feed = (jj_feed) {.request = r, .how = "worker", .ready = true, .pump = pump, .tick = tick, .finish = finish, .close = close_direct};
	d->callback.func = close_all;
	d->callback.arg = d;
	MemoryContextRegisterResetCallback(context, &d->callback);
	if (!pg_strong_random(&options.hash_seed, sizeof(options.hash_seed)))
		(void) jj_fail(error, JJ_ERR_IO, "could not generate a random seed");
	else if (jj_live_open(&d->live, r->source, r->filter, &r->options->live, &d->allocator, error) == JJ_OK
			 && jj_engine_open(&d->engine, &options, NULL, &d->allocator, error) == JJ_OK
			 && jj_engine_source(d->engine, r->source, true, error) == JJ_OK)
	{
		old = MemoryContextSwitchTo(context);
		d->feed.fd = jj_live_fd(d->live);
		if (jj_live_warning(d->live) != NULL)
			strlcpy(d->feed.warning, jj_live_warning(d->live), sizeof(d->feed.warning));
		if (r->options->save_pcap != NULL)
			d->saver = jj_saver_open(r->options, jj_live_link(d->live));
		MemoryContextSwitchTo(old);
		return &d->feed;
	}
	MemoryContextDelete(context);
	return NULL;
}

jj_feed *
jj_feed_open(const jj_feed_request *r, jj_error *error)
{
	jj_feed    *feed;

	if (r->options->isolation == JJ_ISOLATION_SENSOR)
		return jj_feed_sensor(r, error);
	feed = jj_feed_direct(r, error);
	if (feed != NULL || error->code != JJ_ERR_PERMISSION || r->options->isolation == JJ_ISOLATION_WORKER || jj_capture_needs_worker(r->options) != NULL)
		return feed;
	return jj_feed_sensor(r, error);
}
