/*
 * jj_extract: captures to rows of jj_flow; and the arguments that it shares
 * with jj_packets.
 */
#include "pg/pg.h"

#include "catalog/pg_type.h"
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

void
jj_arguments_options(const Datum values[3], const bool nulls[3], const char **filter, jj_call_options *options)
{
	if (nulls[2])
		null_argument("options", "Leave the argument out, or give '{}'.");
	jj_options_from_jsonb(options, DatumGetJsonbP(values[2]));
	*filter = nulls[1] ? NULL : TextDatumGetCString(values[1]);
}

List *
jj_arguments_sources(Oid type, Datum value, bool null)
{
	switch (type)
	{
		case TEXTOID:
			if (null)
				null_argument("path", "Give the path of a file, a directory or a pattern.");
			return jj_sources_from_path(TextDatumGetCString(value));
		case TEXTARRAYOID:
			if (null)
				null_argument("paths", "Give an array of paths: files, directories or patterns.");
			return jj_sources_from_array(DatumGetArrayTypeP(value));
		case BYTEAOID:
			if (null)
				null_argument("capture", "Give the bytes of a capture file.");
			return jj_source_from_bytea(DatumGetByteaPP(value));
		default:
			elog(ERROR, "type %u is none of a capture argument", type);
	}
}

Datum
jj_call_function(FunctionCallInfo fcinfo, Oid type, jj_capture_function function)
{
	const Datum values[3] = {fcinfo->args[0].value, fcinfo->args[1].value, fcinfo->args[2].value};
	const bool	nulls[3] = {fcinfo->args[0].isnull, fcinfo->args[1].isnull, fcinfo->args[2].isnull};
	jj_call_options options;
	const char *filter;

	jj_arguments_options(values, nulls, &filter, &options);
	return function(fcinfo, jj_arguments_sources(type, values[0], nulls[0]), filter, &options);
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
	jj_row_plan *plan;
	MemoryContext memory;
	MemoryContext old;

	InitMaterializedSRF(fcinfo, 0);
	rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	desc = rsinfo->setDesc;
	jj_row_map(desc, column);
	plan = jj_row_plan_make(column, desc);
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
			jj_row_fill(plan, row, values, nulls);
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
	return jj_call_function(fcinfo, TEXTOID, extract);
}

Datum
jj_extract_paths(PG_FUNCTION_ARGS)
{
	return jj_call_function(fcinfo, TEXTARRAYOID, extract);
}

Datum
jj_extract_bytea(PG_FUNCTION_ARGS)
{
	return jj_call_function(fcinfo, BYTEAOID, extract);
}
