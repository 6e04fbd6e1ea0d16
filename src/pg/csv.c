/*
 * Lines of CSV files: fields of a line, as COPY takes them apart.
 *
 * COPY gives a file up at its first bad line; label files have some, and those
 * are to be named.
 */
#include "pg/pg.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(jj_csv_fields);

/*
 * The fields of a line, without the line's end. A field may be in double
 * quotes, wholly or in part, a quote in it is doubled. NULL if a quote is not closed.
 */
Datum
jj_csv_fields(PG_FUNCTION_ARGS)
{
	const text *line = PG_GETARG_TEXT_PP(0);
	const text *delimiter = PG_GETARG_TEXT_PP(1);
	const char *t = VARDATA_ANY(line);
	const char *end = t + VARSIZE_ANY_EXHDR(line);
	ArrayBuildState *fields = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	StringInfoData field;
	bool		quoted = false;

	if (VARSIZE_ANY_EXHDR(delimiter) != 1 || strchr("\"\r\n", *VARDATA_ANY(delimiter)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("delimiter must be a single one-byte character, and no quote or line end")));
	if (end > t && end[-1] == '\r')
		end--;
	initStringInfo(&field);
	for (;; t++)
	{
		if (t == end || (!quoted && *t == *VARDATA_ANY(delimiter)))
		{
			if (quoted)
				PG_RETURN_NULL();
			fields = accumArrayResult(fields, PointerGetDatum(cstring_to_text_with_len(field.data, field.len)), false, TEXTOID, CurrentMemoryContext);
			resetStringInfo(&field);
			if (t == end)
				break;
		}
		else if (*t != '"')
			appendStringInfoCharMacro(&field, *t);
		else if (quoted && t + 1 < end && t[1] == '"')
			appendStringInfoCharMacro(&field, *t++);
		else
			quoted = !quoted;
	}
	PG_RETURN_DATUM(makeArrayResult(fields, CurrentMemoryContext));
}
