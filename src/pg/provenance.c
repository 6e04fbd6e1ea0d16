/*
 * Runs, and writing to the extension's own tables.
 */
#include "pg/provenance.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* The owner of joyfuljay.run, and with it of all tables of the extension. */
static Oid
tables_owner(void)
{
	Oid			relid = get_relname_relid("run", get_namespace_oid("joyfuljay", false));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"joyfuljay.run\" does not exist"),
				 errhint("Run ALTER EXTENSION joyfuljay UPDATE.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
jj_owner_begin(jj_owner *saved)
{
	Oid			owner = tables_owner();

	GetUserIdAndSecContext(&saved->user, &saved->context);
	SetUserIdAndSecContext(owner, saved->context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
jj_owner_end(const jj_owner *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

bool
jj_owner_query(const char *sql, int n, const Oid *types, const Datum *values, const bool *nulls, int columns, int64 *result)
{
	jj_owner	saved;
	char	   *null_letters = palloc((size_t) n + 1);
	bool		found;
	int			status;

	for (int i = 0; i < n; i++)
		null_letters[i] = nulls != NULL && nulls[i] ? 'n' : ' ';
	jj_owner_begin(&saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	/* SPI does not change these */
	status = SPI_execute_with_args(sql, n, unconstify(Oid *, types), unconstify(Datum *, values), null_letters, false, 0);
	if (status < 0)
		elog(ERROR, "\"%s\" failed: %s", sql, SPI_result_code_string(status));
	found = SPI_processed > 0 && SPI_tuptable != NULL;
	for (int i = 0; found && i < columns; i++)
	{
		bool		null;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &null);

		Assert(SPI_gettypeid(SPI_tuptable->tupdesc, i + 1) == INT8OID);
		result[i] = null ? 0 : DatumGetInt64(value);
	}
	SPI_finish();
	jj_owner_end(&saved);
	pfree(null_letters);
	return found;
}

static Datum
text_or_null(const char *text, bool *null)
{
	*null = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

int64
jj_run_begin(const jj_run *run)
{
	const Oid	types[] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, NAMEOID};
	Datum		values[lengthof(types)];
	bool		nulls[lengthof(types)] = {false};
	NameData	user;
	int64		number;

	namestrcpy(&user, GetUserNameFromId(GetUserId(), false));
	values[0] = CStringGetTextDatum(run->kind);
	values[1] = text_or_null(run->name, &nulls[1]);
	values[2] = CStringGetTextDatum(run->source);
	values[3] = text_or_null(run->filter, &nulls[3]);
	values[4] = JsonbPGetDatum(run->options);
	values[5] = CStringGetTextDatum(run->target);
	values[6] = CStringGetTextDatum(JJ_VERSION);
	values[7] = NameGetDatum(&user);
	if (!jj_owner_query("INSERT INTO joyfuljay.run (kind, name, source, filter, options, target, version, started_by) "
						"VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING run",
						lengthof(types), types, values, nulls, 1, &number))
		elog(ERROR, "could not record a run");
	return number;
}

void
jj_run_finish(int64 run)
{
	const Oid	types[] = {INT8OID};
	const Datum values[] = {Int64GetDatum(run)};

	(void) jj_owner_query("UPDATE joyfuljay.run SET finished = clock_timestamp() WHERE run = $1 AND finished IS NULL", 1, types, values, NULL, 0, NULL);
}
