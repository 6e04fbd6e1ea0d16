/*
 * Captures through the engine, a step at a time: sources are opened one after
 * the other, frames are fed, flows come out as they end.
 */
#include "pg/graph.h"

#include "utils/fmgrprotos.h"

/* What an extraction has seen, of all its sources. */
typedef struct totals
{
	uint64		packets;		/* records, unusable ones included */
	uint64		unusable;		/* of an interface that is not described */
	char	   *unsupported;	/* names of the link types that were not supported, or NULL */
} totals;

struct jj_extraction
{
	jj_call    *call;
	MemoryContext memory;		/* of the texts of messages */
	List	   *sources;
	int			next;			/* index of the source to open next */
	const jj_source *source;	/* the one that is read, or NULL */
	bool		keep_flows;
	bool		loud;			/* says what is wrong: of shares of the same flows, one does */
	jj_first_pass *first;		/* NULL: no column needs one */
	bool		finished;		/* every flow has ended */
	uint64		unsupported_before; /* packets of unsupported link types before this source */
	totals		totals;
	int64		rows;
	bool		measures;		/* times */
	jj_times	times;			/* those of the engine are in its counters */
	jj_batch	batch;
};

uint64
jj_hash_seed(void)
{
	uint64		seed;

	if (!pg_strong_random(&seed, sizeof(seed)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random seed")));
	return seed;
}

static void
open_engine(jj_extraction *x, const char *filter, jj_call_options *options)
{
	jj_call    *call = x->call;
	jj_error	error = {0};

	if (options->engine.shares < 2)
		options->engine.hash_seed = jj_hash_seed();
	if (filter != NULL && jj_filter_open(&call->filter, filter, &call->allocator, &error) != JJ_OK)
		jj_raise(&error, NULL);
	if (jj_first_pass_needed(&options->engine.features))
		x->first = jj_first_pass_begin(call, options, &options->engine, x->loud);
	if (jj_engine_open(&call->engine, &options->engine, call->filter, &call->allocator, &error) != JJ_OK)
		jj_raise(&error, NULL);
}

jj_extraction *
jj_extraction_begin(List *sources, const char *filter, const jj_call_options *options, bool observe)
{
	jj_call_options own = *options;
	jj_call    *call = jj_call_begin(sources, jj_first_pass_needed(&options->engine.features) ? 2 : 1);
	jj_extraction *x = MemoryContextAllocZero(call->context, sizeof(jj_extraction));

	x->call = call;
	x->memory = call->context;
	x->sources = sources;
	x->keep_flows = own.keep_flows;
	x->loud = own.engine.share == 0;
	open_engine(x, filter, &own);
	if (observe)
		jj_engine_observe(call->engine, x->batch.seen);
	return x;
}

const jj_counters *
jj_extraction_counters(const jj_extraction *x)
{
	return jj_engine_counters(x->call->engine);
}

bool
jj_extraction_first_pass(const jj_extraction *x, jj_first_pass_counts *counts)
{
	if (x->first != NULL)
		*counts = jj_first_pass_counted(x->first);
	return x->first != NULL;
}

uint64
jj_extraction_unusable(const jj_extraction *x)
{
	return x->totals.unusable + (x->source != NULL ? jj_reader_info_get(x->call->reader)->unusable : 0);
}

static uint64
clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64) t.tv_sec * UINT64CONST(1000000000) + (uint64) t.tv_nsec;
}

void
jj_extraction_measure(jj_extraction *x)
{
	x->measures = true;
	jj_engine_clock(x->call->engine, clock_ns);
}

jj_times
jj_extraction_times(const jj_extraction *x)
{
	const jj_counters *c = jj_extraction_counters(x);
	jj_times	times = x->times;

	times.decoding = c->decoding_ns;
	times.features = c->features_ns;
	return times;
}

uint64
jj_extraction_clock(const jj_extraction *x)
{
	return unlikely(x->measures) ? clock_ns() : 0;
}

void
jj_extraction_formed(jj_extraction *x, uint64 begin)
{
	if (unlikely(x->measures))
		x->times.forming += clock_ns() - begin;
}

void
jj_extraction_target(jj_extraction *x, Oid relid)
{
	jj_call_target(x->call, x->sources, relid);
}

void
jj_extraction_report(jj_extraction *x, void (*report) (int64 bytes))
{
	jj_call_report(x->call, report);
}

uint64
jj_extraction_packets(const jj_extraction *x)
{
	return x->totals.packets;
}

Jsonb *
jj_extraction_skipped(const jj_extraction *x)
{
	const jj_counters *c = jj_extraction_counters(x);
	StringInfoData json;

	initStringInfo(&json);
	for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
		if (c->skipped[i] > 0)
			appendStringInfo(&json, "%s\"%s\": " UINT64_FORMAT, json.len > 0 ? ", " : "{", jj_skip_name[i], (uint64) c->skipped[i]);
	if (x->totals.unusable > 0)
		appendStringInfo(&json, "%s\"unknown_interface\": " UINT64_FORMAT, json.len > 0 ? ", " : "{", x->totals.unusable);
	appendStringInfoString(&json, json.len > 0 ? "}" : "{}");
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

List *
jj_extraction_warnings(const jj_extraction *x)
{
	return x->call->warnings;
}

jj_cryptopan *
jj_extraction_cryptopan(const jj_extraction *x)
{
	return jj_engine_cryptopan(x->call->engine);
}

const jj_batch *
jj_extraction_batch(const jj_extraction *x)
{
	return &x->batch;
}

const jj_settled *
jj_extraction_settled(jj_extraction *x)
{
	return jj_engine_settled(x->call->engine);
}

const jj_row *
jj_extraction_row(jj_extraction *x)
{
	jj_error	error = {0};
	const jj_row *row;
	bool		have;

	CHECK_FOR_INTERRUPTS();
	if (jj_engine_next(x->call->engine, &row, &have, &error) != JJ_OK)
		jj_raise(&error, NULL);
	if (x->first != NULL)
		jj_first_pass_check(x->first);
	if (!have)
	{
		jj_call_rows(x->call, x->rows);
		return NULL;
	}
	jj_extraction_count(x);
	return row;
}

void
jj_extraction_count(jj_extraction *x)
{
	if (++x->rows % 1024 == 0)
		jj_call_rows(x->call, x->rows);
}

static void
link_error(const jj_source *source, const char *link)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("capture \"%s\": link type %s is not supported", source->label, link),
			 errhint("jj_status() lists the link types that are.")));
}

/* Add the link types of the open source that are not supported to the names. */
static void
note_unsupported(const jj_reader_info *info, totals *t)
{
	for (uint32 i = 0; i < info->iface_count; i++)
	{
		const jj_iface *f = &info->ifaces[i];
		char	   *text;

		if (f->packets == 0 || jj_link_supported(f->link))
			continue;
		text = jj_link_text(f->link);
		if (t->unsupported == NULL)
			t->unsupported = text;
		else if (strstr(psprintf(", %s", t->unsupported), psprintf(", %s", text)) == NULL)
			t->unsupported = psprintf("%s, %s", t->unsupported, text);
	}
}

static void
open_source(jj_extraction *x)
{
	const jj_source *source = list_nth(x->sources, x->next++);
	const jj_reader_info *info;
	jj_error	error = {0};
	uint64		begin = jj_extraction_clock(x);

	x->unsupported_before = jj_extraction_counters(x)->skipped[JJ_SKIP_LINK_TYPE];
	jj_call_open(x->call, source);
	x->times.reading += jj_extraction_clock(x) - begin;
	x->source = source;
	info = jj_reader_info_get(x->call->reader);
	if (info->format != JJ_FORMAT_PCAPNG && !jj_link_supported(info->ifaces[0].link))
		link_error(source, jj_link_text(info->ifaces[0].link));
	if (x->first != NULL && !x->keep_flows)
	{
		begin = jj_extraction_clock(x);
		jj_first_pass_source(x->first, x->next - 1);
		x->times.first_pass += jj_extraction_clock(x) - begin;
	}
	if (jj_engine_source(x->call->engine, source->name, !x->keep_flows, &error) != JJ_OK)
		jj_raise(&error, NULL);
}

/* The first pass over all sources together. */
static void
read_ahead(jj_extraction *x)
{
	uint64		begin = jj_extraction_clock(x);

	jj_first_pass_all(x->first, x->sources);
	x->times.first_pass += jj_extraction_clock(x) - begin;
}

static void
close_source(jj_extraction *x)
{
	const jj_reader_info *info = jj_reader_info_get(x->call->reader);
	const uint64 packets = x->first != NULL ? Min(info->packets, jj_first_pass_records(x->first, x->next - 1)) : info->packets;
	totals	   *t = &x->totals;
	jj_error	error = {0};

	t->packets += packets;
	t->unusable += info->unusable;
	note_unsupported(info, t);
	if (packets > info->unusable
		&& jj_extraction_counters(x)->skipped[JJ_SKIP_LINK_TYPE] - x->unsupported_before == packets - info->unusable)
	{
		totals		own = {0};

		note_unsupported(info, &own);
		if (own.unsupported != NULL)
			link_error(x->source, own.unsupported);
	}
	x->batch.last = packets;
	jj_call_close(x->call, x->loud);
	x->source = NULL;
	/* the next source's graph takes the place of this one's */
	if (x->first != NULL && !x->keep_flows && jj_engine_finish(x->call->engine, &error) != JJ_OK)
		jj_raise(&error, NULL);
}

/* Say which packets gave no flow, and why there are no rows if there are none. */
static void
report(const jj_extraction *x)
{
	const jj_counters *c = jj_extraction_counters(x);
	const totals *t = &x->totals;
	const jj_source *first = x->sources != NIL ? linitial(x->sources) : NULL;
	uint64		skipped = t->unusable;
	StringInfoData reasons;
	char	   *where;

	if (first == NULL)
	{
		if (x->loud)
			ereport(NOTICE,
					(errmsg("no rows: argument \"paths\" is an empty array")));
		return;
	}
	if (list_length(x->sources) > 1)
		where = psprintf("%d captures", list_length(x->sources));
	else
		where = psprintf("capture \"%s\"", first->label);

	initStringInfo(&reasons);
	for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
	{
		if (c->skipped[i] == 0)
			continue;
		appendStringInfo(&reasons, "%s" UINT64_FORMAT " %s", skipped > t->unusable ? ", " : "", (uint64) c->skipped[i], jj_skip_name[i]);
		/* none if it is inside of a PPI header */
		if (i == JJ_SKIP_LINK_TYPE && t->unsupported != NULL)
			appendStringInfo(&reasons, " (%s)", t->unsupported);
		skipped += c->skipped[i];
	}
	if (t->unusable > 0)
		appendStringInfo(&reasons, "%s" UINT64_FORMAT " unknown_interface", reasons.len > 0 ? ", " : "", t->unusable);

	/* of shares, each has flows of its own */
	if (c->stream_refused > 0)
		ereport(NOTICE,
				(errmsg(UINT64_FORMAT " payload bytes behind gaps of TCP streams in %s were not kept", (uint64) c->stream_refused, where),
				 errdetail("All flows together hold at most " UINT64_FORMAT " MB of them.", (uint64) (JJ_STREAM_TOTAL >> 20))));
	if (!x->loud)
		return;
	if (t->packets == 0)
		ereport(NOTICE,
				(errmsg("no rows: there are no packets in %s", where)));
	else if (skipped == 0)
		return;
	else if (x->rows == 0 && skipped == t->packets)
		ereport(NOTICE,
				(errmsg("no rows: none of the " UINT64_FORMAT " packets in %s gave a flow: %s", t->packets, where, reasons.data)));
	else
		ereport(NOTICE,
				(errmsg(UINT64_FORMAT " of " UINT64_FORMAT " packets in %s gave no flow: %s", skipped, t->packets, where, reasons.data)));
}

/* The next frames of the source, those that a first pass has seen, too. */
static uint32
next_frames(jj_extraction *x)
{
	uint32		n = jj_call_next(x->call, x->batch.frames, JJ_BATCH);

	if (likely(x->first == NULL))
		return n;
	/* what has been appended since then */
	while (n > 0 && x->batch.frames[n - 1].index > jj_first_pass_records(x->first, x->next - 1))
		n--;
	if (n == 0)
		jj_first_pass_compare(x->first, x->next - 1, jj_reader_info_get(x->call->reader)->packets);
	return n;
}

bool
jj_extraction_step(jj_extraction *x)
{
	MemoryContext old = MemoryContextSwitchTo(x->memory);
	jj_error	error = {0};
	bool		more = true;

	x->batch.n = 0;
	x->batch.source = x->source;
	if (x->source != NULL)
	{
		uint64		begin = jj_extraction_clock(x);

		x->batch.n = next_frames(x);
		x->times.reading += jj_extraction_clock(x) - begin;
		if (x->batch.n == 0)
			close_source(x);
		else
		{
			if (jj_engine_feed(x->call->engine, x->batch.frames, x->batch.n, &error) != JJ_OK)
				jj_raise(&error, x->source);
			x->batch.last = x->batch.frames[x->batch.n - 1].index;
		}
	}
	else if (x->next < list_length(x->sources))
	{
		if (x->first != NULL && x->keep_flows && x->next == 0)
			read_ahead(x);
		open_source(x);
	}
	else if (!x->finished)
	{
		if (jj_engine_finish(x->call->engine, &error) != JJ_OK)
			jj_raise(&error, NULL);
		x->finished = true;
	}
	else
	{
		report(x);
		more = false;
	}
	MemoryContextSwitchTo(old);
	return more;
}

void
jj_extraction_end(jj_extraction *x)
{
	jj_call_end(x->call);
}
