/*
 * What can be asked about captures and about the extension: jj_pcap_info,
 * jj_features, jj_settings, jj_status.
 */
#include "pg/graph.h"

#include <lz4.h>
#include <openssl/crypto.h>
#include <pcap/pcap.h>
#include <zlib.h>
#include <zstd.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(jj_pcap_info_path);
PG_FUNCTION_INFO_V1(jj_pcap_info_bytea);
PG_FUNCTION_INFO_V1(jj_features);
PG_FUNCTION_INFO_V1(jj_settings);
PG_FUNCTION_INFO_V1(jj_status);

#define INFO_BATCH 64

/* ---- jj_pcap_info */

typedef struct summary
{
	uint64		frames;
	uint64		captured;		/* bytes */
	uint64		wire;			/* bytes */
	uint64		cut;			/* frames captured shorter than they were */
	uint64		out_of_order;	/* frames with a time before an earlier frame's */
	int64		first;			/* ns */
	int64		last;
	uint64		skipped[JJ_SKIP_REASONS];
} summary;

static void
summarize(summary *s, const jj_frame *frame)
{
	jj_packet	packet;

	if (s->frames == 0)
		s->first = s->last = frame->ts;
	else if (frame->ts < s->last)
		s->out_of_order++;
	s->first = Min(s->first, frame->ts);
	s->last = Max(s->last, frame->ts);
	s->frames++;
	s->captured += frame->caplen;
	s->wire += frame->wirelen;
	s->cut += frame->caplen < frame->wirelen;
	s->skipped[jj_decode(frame, true, &packet)]++;
}

/* Append "key": and the string as JSON. */
static void
append_json_string(StringInfo json, const char *key, const char *value)
{
	appendStringInfo(json, ", \"%s\": ", key);
	if (value != NULL)
		escape_json(json, value);
	else
		appendStringInfoString(json, "null");
}

static Datum
jsonb_from_text(const StringInfoData *json)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json->data));
}

static Datum
interfaces_datum(const jj_reader_info *info)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (uint32 i = 0; i < info->iface_count; i++)
	{
		const jj_iface *f = &info->ifaces[i];
		size_t		size;

		appendStringInfo(&json, "%s{\"section\": %u, \"link_type\": %u", i > 0 ? ", " : "", f->section, f->link);
		append_json_string(&json, "link_name", jj_link_name(f->link));
		appendStringInfo(&json, ", \"supported\": %s", jj_link_supported(f->link) ? "true" : "false");
		append_json_string(&json, "name", f->name[0] != '\0' ? jj_from_utf8(f->name, strlen(f->name), &size) : NULL);
		if (f->snaplen > 0)
			appendStringInfo(&json, ", \"snap_length\": %u", f->snaplen);
		else
			appendStringInfoString(&json, ", \"snap_length\": null");
		if (f->ticks_per_second > 0)
			appendStringInfo(&json, ", \"ticks_per_second\": " UINT64_FORMAT, (uint64) f->ticks_per_second);
		else
			appendStringInfoString(&json, ", \"ticks_per_second\": null");
		appendStringInfo(&json, ", \"packets\": " UINT64_FORMAT "}", (uint64) f->packets);
	}
	appendStringInfoChar(&json, ']');
	return jsonb_from_text(&json);
}

/* Different link types in the order of the interfaces, by name (or number) in *names. */
static Datum
link_types_datum(const jj_reader_info *info, Datum *names)
{
	Datum	   *numbers = palloc(sizeof(Datum) * (info->iface_count + 1));
	Datum	   *texts = palloc(sizeof(Datum) * (info->iface_count + 1));
	int			n = 0;

	for (uint32 i = 0; i < info->iface_count; i++)
	{
		const uint32 link = info->ifaces[i].link;
		const char *name = jj_link_name(link);
		int			k;

		for (k = 0; k < n && numbers[k] != Int32GetDatum((int32) link); k++)
			;
		if (k < n)
			continue;
		numbers[n] = Int32GetDatum((int32) link);
		texts[n++] = CStringGetTextDatum(name != NULL ? name : psprintf("%u", link));
	}
	*names = PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
	return PointerGetDatum(construct_array(numbers, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

/* Seconds per tick of each interface; NULL for a unit too fine to count. */
static Datum
resolution_datum(const jj_reader_info *info)
{
	Datum	   *seconds = palloc(sizeof(Datum) * (info->iface_count + 1));
	bool	   *nulls = palloc(sizeof(bool) * (info->iface_count + 1));
	int			dims[1] = {(int) info->iface_count};
	int			bounds[1] = {1};

	for (uint32 i = 0; i < info->iface_count; i++)
	{
		nulls[i] = info->ifaces[i].ticks_per_second == 0;
		seconds[i] = nulls[i] ? (Datum) 0 : Float8GetDatum(1.0 / (double) info->ifaces[i].ticks_per_second);
	}
	if (info->iface_count == 0)
		return PointerGetDatum(construct_empty_array(FLOAT8OID));
	return PointerGetDatum(construct_md_array(seconds, nulls, 1, dims, bounds, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
skipped_datum(const summary *s, const jj_reader_info *info)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
		if (s->skipped[i] > 0)
			appendStringInfo(&json, "%s\"%s\": " UINT64_FORMAT, json.len > 1 ? ", " : "", jj_skip_name[i], s->skipped[i]);
	if (info->unusable > 0)
		appendStringInfo(&json, "%s\"unknown_interface\": " UINT64_FORMAT, json.len > 1 ? ", " : "", (uint64) info->unusable);
	appendStringInfoChar(&json, '}');
	return jsonb_from_text(&json);
}

static Datum
warnings_datum(const jj_reader *reader)
{
	Datum		texts[JJ_MAX_WARNINGS];
	const char *text;
	int			n = 0;

	while (n < JJ_MAX_WARNINGS && (text = jj_reader_warning(reader, (uint32) n)) != NULL)
		texts[n++] = CStringGetTextDatum(text);
	return PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The largest snap length of the interfaces; false if one has no limit, or there is none. */
static bool
snap_length(const jj_reader_info *info, uint32 *largest)
{
	*largest = 0;
	for (uint32 i = 0; i < info->iface_count; i++)
	{
		if (info->ifaces[i].snaplen == 0)
			return false;
		*largest = Max(*largest, info->ifaces[i].snaplen);
	}
	return info->iface_count > 0;
}

static void
put_info_row(ReturnSetInfo *rsinfo, const jj_source *source, const summary *s, const jj_reader *reader)
{
	static const char *const formats[] = {
		[JJ_FORMAT_PCAP] = "pcap",[JJ_FORMAT_PCAP_MODIFIED] = "modified pcap",[JJ_FORMAT_PCAPNG] = "pcapng"
	};
	static const char *const compressions[] = {
		[JJ_PLAIN] = NULL,[JJ_GZIP] = "gzip",[JJ_ZSTD] = "zstd",[JJ_LZ4] = "lz4"
	};
	const jj_reader_info *info = jj_reader_info_get(reader);
	Datum		values[20];
	bool		nulls[20] = {false};
	size_t		size;
	char	   *name = jj_from_utf8(source->name, strlen(source->name), &size);
	uint32		snap;
	int			n = 0;

	values[n++] = CStringGetTextDatum(name);
	values[n++] = CStringGetTextDatum(formats[info->format]);
	nulls[n] = compressions[info->compression] == NULL;
	values[n] = nulls[n] ? (Datum) 0 : CStringGetTextDatum(compressions[info->compression]);
	n++;
	values[n++] = CStringGetTextDatum(info->big_endian ? "big endian" : "little endian");
	values[n++] = Int32GetDatum((int32) info->sections);
	values[n++] = resolution_datum(info);
	values[n] = link_types_datum(info, &values[n + 1]);
	n += 2;
	nulls[n] = !snap_length(info, &snap);
	values[n++] = Int64GetDatum((int64) snap);
	values[n++] = Int64GetDatum((int64) info->packets);
	values[n++] = Int64GetDatum((int64) s->captured);
	values[n++] = Int64GetDatum((int64) s->wire);
	values[n++] = Int64GetDatum((int64) s->cut);
	nulls[n] = nulls[n + 1] = s->frames == 0;
	values[n++] = TimestampTzGetDatum(jj_timestamp(s->first));
	values[n++] = TimestampTzGetDatum(jj_timestamp(s->last));
	values[n++] = Int64GetDatum((int64) s->out_of_order);
	values[n++] = BoolGetDatum(info->truncated);
	values[n++] = skipped_datum(s, info);
	values[n++] = interfaces_datum(info);
	values[n++] = warnings_datum(reader);
	if (n != rsinfo->setDesc->natts)
		elog(ERROR, "jj_pcap_info has %d columns, not %d", rsinfo->setDesc->natts, n);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static Datum
pcap_info(FunctionCallInfo fcinfo, List *sources)
{
	ReturnSetInfo *rsinfo;
	jj_call    *call;
	ListCell   *cell;
	int64		rows = 0;

	InitMaterializedSRF(fcinfo, 0);
	rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	call = jj_call_begin(sources, 1);
	foreach(cell, sources)
	{
		const jj_source *source = lfirst(cell);
		jj_frame	frames[INFO_BATCH];
		summary		s = {0};
		uint32		n;

		jj_call_open(call, source);
		while ((n = jj_call_next(call, frames, INFO_BATCH)) > 0)
			for (uint32 i = 0; i < n; i++)
				summarize(&s, &frames[i]);
		put_info_row(rsinfo, source, &s, call->reader);
		jj_call_close(call, false);
		jj_call_rows(call, ++rows);
	}
	jj_call_end(call);
	return (Datum) 0;
}

static void
check_not_null(FunctionCallInfo fcinfo, const char *name)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name),
				 errhint("Give a capture file: by its path, or its bytes.")));
}

Datum
jj_pcap_info_path(PG_FUNCTION_ARGS)
{
	check_not_null(fcinfo, "path");
	return pcap_info(fcinfo, jj_sources_from_path(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

Datum
jj_pcap_info_bytea(PG_FUNCTION_ARGS)
{
	check_not_null(fcinfo, "capture");
	return pcap_info(fcinfo, jj_source_from_bytea(PG_GETARG_BYTEA_PP(0)));
}

/* ---- jj_features */

/* A text that is "-" in the registry is NULL. */
static void
put_text(Datum *value, bool *null, const char *text)
{
	*null = text == NULL || strcmp(text, "-") == 0;
	*value = *null ? (Datum) 0 : CStringGetTextDatum(text);
}

Datum
jj_features(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < JJ_FEATURES; i++)
	{
		const jj_feature_info *f = &jj_feature_table[i];
		Datum		values[11];
		bool		nulls[11] = {false};

		values[0] = Int32GetDatum(i + 1);
		values[1] = CStringGetTextDatum(f->name);
		values[2] = CStringGetTextDatum(jj_group_name[f->group]);
		values[3] = CStringGetTextDatum(jj_type_sql((jj_type) f->type));
		put_text(&values[4], &nulls[4], f->unit);
		values[5] = CStringGetTextDatum(jj_tier_name[f->tier]);
		put_text(&values[6], &nulls[6], f->null_when);
		values[7] = CStringGetTextDatum(f->definition);
		put_text(&values[8], &nulls[8], f->deviation);
		values[9] = BoolGetDatum(jj_group_implemented((jj_group) f->group));
		put_text(&values[10], &nulls[10], f->fill);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- jj_settings */

Datum
jj_settings(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	jj_setting_line line;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; jj_setting_describe(i, &line); i++)
	{
		Datum		values[7];
		bool		nulls[7] = {false};

		values[0] = CStringGetTextDatum(line.name);
		values[1] = CStringGetTextDatum(line.setting);
		values[2] = CStringGetTextDatum(line.value);
		values[3] = CStringGetTextDatum(line.initial);
		values[4] = CStringGetTextDatum(line.range);
		put_text(&values[5], &nulls[5], line.unit);
		values[6] = CStringGetTextDatum(line.meaning);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- jj_status */

static void
put_status(ReturnSetInfo *rsinfo, const char *name, const char *value)
{
	Datum		values[2] = {CStringGetTextDatum(name), CStringGetTextDatum(value)};
	bool		nulls[2] = {false, false};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static const char *
compiler(void)
{
#if defined(__clang__)
	return __VERSION__;
#elif defined(__GNUC__)
	return "gcc " __VERSION__;
#else
	return "unknown";
#endif
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BUILT_WITH_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define BUILT_WITH_ASAN
#endif

/* Options of the compiler that change how fast or careful the library is. */
static char *
build_options(void)
{
	StringInfoData s;

	initStringInfo(&s);
#ifdef __OPTIMIZE__
	appendStringInfoString(&s, "optimized");
#else
	appendStringInfoString(&s, "not optimized");
#endif
#ifdef USE_ASSERT_CHECKING
	appendStringInfoString(&s, ", assertions");
#endif
#ifdef BUILT_WITH_ASAN
	appendStringInfoString(&s, ", AddressSanitizer");
#endif
	appendStringInfo(&s, ", %d-bit", (int) sizeof(void *) * 8);
#ifdef WORDS_BIGENDIAN
	appendStringInfoString(&s, ", big endian");
#else
	appendStringInfoString(&s, ", little endian");
#endif
	return s.data;
}

static char *
link_types(void)
{
	StringInfoData s;
	const char *name;
	uint32		link;

	initStringInfo(&s);
	for (uint32 i = 0; (name = jj_link_supported_name(i, &link)) != NULL; i++)
		appendStringInfo(&s, "%s%u %s", i > 0 ? ", " : "", link, name);
	return s.data;
}

static char *
groups_built(void)
{
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < JJ_GROUPS; i++)
		if (jj_group_implemented((jj_group) i))
			appendStringInfo(&s, "%s%s", s.len > 0 ? ", " : "", jj_group_name[i]);
	return s.data;
}

Datum
jj_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	jj_options	all;

	InitMaterializedSRF(fcinfo, 0);
	jj_options_default(&all);
	put_status(rsinfo, "version", JJ_VERSION);
	put_status(rsinfo, "built for PostgreSQL", PG_VERSION);
	put_status(rsinfo, "compiler", compiler());
	put_status(rsinfo, "build options", build_options());
	put_status(rsinfo, "libpcap", pcap_lib_version());
	put_status(rsinfo, "OpenSSL", OpenSSL_version(OPENSSL_VERSION));
	put_status(rsinfo, "zlib", zlibVersion());
	put_status(rsinfo, "zstd", ZSTD_versionString());
	put_status(rsinfo, "lz4", LZ4_versionString());
	put_status(rsinfo, "graph module", jj_graph_installed() ? JJ_GRAPH_MODULE DLSUFFIX : "not installed");
	put_status(rsinfo, "link types", link_types());
	put_status(rsinfo, "columns", psprintf("%d", JJ_FEATURES));
	put_status(rsinfo, "groups built", groups_built());
	put_status(rsinfo, "bytes per flow", psprintf("%zu", jj_engine_flow_bytes(&all)));
	return (Datum) 0;
}
