/*
 * Captures through the engine, and jj_extract: captures to rows of jj_flow.
 */
#include "pg/pg.h"

#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(jj_extract_path);
PG_FUNCTION_INFO_V1(jj_extract_paths);
PG_FUNCTION_INFO_V1(jj_extract_bytea);

/* What a call has seen, of all its sources. */
typedef struct totals
{
	uint64		packets;		/* records, unusable ones included */
	uint64		unusable;		/* of an interface that is not described */
	char	   *unsupported;	/* names of the link types that were not supported, or NULL */
} totals;

static void
null_argument(const char *name, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", name),
			 errhint("%s", hint)));
}

static jj_engine *
open_engine(jj_scan *scan, const char *filter, jj_options *options)
{
	jj_error	error = {0};

	if (!pg_strong_random(&options->hash_seed, sizeof(options->hash_seed)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random seed")));
	if (filter != NULL && jj_filter_open(&scan->filter, filter, &scan->allocator, &error) != JJ_OK)
		jj_raise(&error, NULL);
	if (jj_engine_open(&scan->engine, options, scan->filter, &scan->allocator, &error) != JJ_OK)
		jj_raise(&error, NULL);
	return scan->engine;
}

/* Take frames that have waited for their flow and the flows that have ended out of the engine. */
static void
take_results(jj_scan *scan, jj_sink *sink)
{
	jj_error	error = {0};
	const jj_settled *frame;
	const jj_row *row;
	bool		have;

	while (sink->packets != NULL && (frame = jj_engine_settled(scan->engine)) != NULL)
		sink->settled(sink, frame);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (jj_engine_next(scan->engine, &row, &have, &error) != JJ_OK)
			jj_raise(&error, NULL);
		if (!have)
			break;
		if (sink->flow == NULL)
			continue;
		sink->flow(sink, row);
		if (sink->rows % 1024 == 0)
			jj_scan_rows(scan, sink->rows);
	}
	jj_scan_rows(scan, sink->rows);
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
read_source(jj_scan *scan, const jj_source *source, bool fresh, jj_sink *sink, totals *t)
{
	const uint64 unsupported_before = jj_engine_counters(scan->engine)->skipped[JJ_SKIP_LINK_TYPE];
	const jj_reader_info *info;
	jj_error	error = {0};
	jj_frame	frames[JJ_BATCH];
	uint32		n;

	jj_scan_open(scan, source);
	info = jj_reader_info_get(scan->reader);
	if (info->format != JJ_FORMAT_PCAPNG && !jj_link_supported(info->ifaces[0].link))
		link_error(source, jj_link_text(info->ifaces[0].link));
	if (jj_engine_source(scan->engine, source->name, fresh, &error) != JJ_OK)
		jj_raise(&error, NULL);
	take_results(scan, sink);
	while ((n = jj_scan_next(scan, frames, JJ_BATCH)) > 0)
	{
		if (jj_engine_feed(scan->engine, frames, n, &error) != JJ_OK)
			jj_raise(&error, source);
		if (sink->packets != NULL)
			sink->packets(sink, source, frames, n, frames[n - 1].index);
		take_results(scan, sink);
	}
	info = jj_reader_info_get(scan->reader);
	if (sink->packets != NULL)
		sink->packets(sink, source, NULL, 0, info->packets);
	t->packets += info->packets;
	t->unusable += info->unusable;
	note_unsupported(info, t);
	if (info->packets > info->unusable
		&& jj_engine_counters(scan->engine)->skipped[JJ_SKIP_LINK_TYPE] - unsupported_before == info->packets - info->unusable)
	{
		totals		own = {0};

		note_unsupported(info, &own);
		if (own.unsupported != NULL)
			link_error(source, own.unsupported);
	}
	jj_scan_close(scan, true);
}

/* Say which packets gave no flow, and why there are no rows if there are none. */
static void
report(const jj_scan *scan, List *sources, const totals *t, int64 rows)
{
	const jj_counters *c = jj_engine_counters(scan->engine);
	const jj_source *first = sources != NIL ? linitial(sources) : NULL;
	uint64		skipped = t->unusable;
	StringInfoData reasons;
	char	   *where;

	if (first == NULL)
	{
		ereport(NOTICE,
				(errmsg("no rows: argument \"paths\" is an empty array")));
		return;
	}
	if (list_length(sources) > 1)
		where = psprintf("%d captures", list_length(sources));
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

	if (c->stream_refused > 0)
		ereport(NOTICE,
				(errmsg(UINT64_FORMAT " payload bytes behind gaps of TCP streams in %s were not kept", (uint64) c->stream_refused, where),
				 errdetail("All flows together hold at most " UINT64_FORMAT " MB of them.", (uint64) (JJ_STREAM_TOTAL >> 20))));
	if (t->packets == 0)
		ereport(NOTICE,
				(errmsg("no rows: there are no packets in %s", where)));
	else if (skipped == 0)
		return;
	else if (rows == 0)
		ereport(NOTICE,
				(errmsg("no rows: none of the " UINT64_FORMAT " packets in %s gave a flow: %s", t->packets, where, reasons.data)));
	else
		ereport(NOTICE,
				(errmsg(UINT64_FORMAT " of " UINT64_FORMAT " packets in %s gave no flow: %s", skipped, t->packets, where, reasons.data)));
}

void
jj_run(List *sources, const char *filter, const jj_call_options *options, jj_sink *sink)
{
	jj_call_options own = *options;
	totals		t = {0};
	jj_error	error = {0};
	jj_scan    *scan = jj_scan_begin(sources);
	ListCell   *cell;

	open_engine(scan, filter, &own.engine);
	if (sink->packets != NULL)
		jj_engine_observe(scan->engine, sink->seen);
	foreach(cell, sources)
		read_source(scan, lfirst(cell), !own.keep_flows, sink, &t);
	if (jj_engine_finish(scan->engine, &error) != JJ_OK)
		jj_raise(&error, NULL);
	take_results(scan, sink);
	report(scan, sources, &t, sink->rows);
	jj_scan_end(scan);
}

/* Arguments 2 and 3: filter, NULL for none, and options. */
static const char *
common_arguments(FunctionCallInfo fcinfo, jj_call_options *options)
{
	if (PG_ARGISNULL(2))
		null_argument("options", "Leave the argument out, or give '{}'.");
	jj_options_from_jsonb(options, PG_GETARG_JSONB_P(2));
	return PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
}

Datum
jj_call_path(FunctionCallInfo fcinfo, jj_capture_function function)
{
	jj_call_options options;
	const char *filter;

	if (PG_ARGISNULL(0))
		null_argument("path", "Give the path of a file, a directory or a pattern.");
	filter = common_arguments(fcinfo, &options);
	return function(fcinfo, jj_sources_from_path(text_to_cstring(PG_GETARG_TEXT_PP(0))), filter, &options);
}

Datum
jj_call_paths(FunctionCallInfo fcinfo, jj_capture_function function)
{
	jj_call_options options;
	const char *filter;

	if (PG_ARGISNULL(0))
		null_argument("paths", "Give an array of paths: files, directories or patterns.");
	filter = common_arguments(fcinfo, &options);
	return function(fcinfo, jj_sources_from_array(PG_GETARG_ARRAYTYPE_P(0)), filter, &options);
}

Datum
jj_call_bytea(FunctionCallInfo fcinfo, jj_capture_function function)
{
	jj_call_options options;
	const char *filter;

	if (PG_ARGISNULL(0))
		null_argument("capture", "Give the bytes of a capture file.");
	filter = common_arguments(fcinfo, &options);
	return function(fcinfo, jj_source_from_bytea(PG_GETARG_BYTEA_PP(0)), filter, &options);
}

/* ---- jj_extract */

static void
write_flow(jj_sink *sink, const jj_row *row)
{
	jj_row_write(sink->state, row);
	sink->rows++;
}

static Datum
extract(FunctionCallInfo fcinfo, List *sources, const char *filter, const jj_call_options *options)
{
	jj_sink		sink = {0};

	InitMaterializedSRF(fcinfo, 0);
	sink.state = jj_row_writer_create((ReturnSetInfo *) fcinfo->resultinfo);
	sink.flow = write_flow;
	jj_run(sources, filter, options, &sink);
	return (Datum) 0;
}

Datum
jj_extract_path(PG_FUNCTION_ARGS)
{
	return jj_call_path(fcinfo, extract);
}

Datum
jj_extract_paths(PG_FUNCTION_ARGS)
{
	return jj_call_paths(fcinfo, extract);
}

Datum
jj_extract_bytea(PG_FUNCTION_ARGS)
{
	return jj_call_bytea(fcinfo, extract);
}
