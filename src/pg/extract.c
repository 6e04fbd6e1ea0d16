/*
 * jj_extract: captures to rows of jj_flow; and the arguments that it shares
 * with jj_packets.
 */
#include "pg/pg.h"

#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(jj_extract_path);
PG_FUNCTION_INFO_V1(jj_extract_paths);
PG_FUNCTION_INFO_V1(jj_extract_bytea);

static void
null_argument(const char *name, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", name),
			 errhint("%s", hint)));
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

static Datum
extract(FunctionCallInfo fcinfo, List *sources, const char *filter, const jj_call_options *options)
{
	ReturnSetInfo *rsinfo;
	TupleDesc	desc;
	jj_extraction *x;
	Datum	   *values;
	bool	   *nulls;
	int			column[JJ_FEATURES];
	MemoryContext memory;
	MemoryContext old;

	InitMaterializedSRF(fcinfo, 0);
	rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	desc = rsinfo->setDesc;
	jj_row_map(desc, column);
	values = palloc0(sizeof(Datum) * (size_t) desc->natts);
	nulls = palloc(sizeof(bool) * (size_t) desc->natts);
	x = jj_extraction_begin(sources, filter, options, false);
	memory = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay row", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(memory);
	do
	{
		const jj_row *row;

		while ((row = jj_extraction_row(x)) != NULL)
		{
			jj_row_fill(row, column, desc->natts, values, nulls);
			tuplestore_putvalues(rsinfo->setResult, desc, values, nulls);
			MemoryContextReset(memory);
		}
	} while (jj_extraction_step(x));
	MemoryContextSwitchTo(old);
	jj_extraction_end(x);
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
