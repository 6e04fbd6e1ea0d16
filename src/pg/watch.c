/*
 * Watched directories: the SQL functions, and the table joyfuljay.watch.
 */
#include "pg/watch.h"
#include "pg/ingest.h"
#include "pg/provenance.h"
#include "pg/workers.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define STOP_SECONDS 15

/* ---- the table */

bool
jj_watch_read(const char *name, jj_watch_row *row)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	MemoryContext context = CurrentMemoryContext;
	jj_owner	saved;
	bool		found;

	memset(row, 0, sizeof(*row));
	jj_owner_begin(&saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args("SELECT name, directory, target, pattern, recursive, filter, options, (extract(epoch FROM settle) * 1000000)::bigint, "
							  "commit_rows, enabled, owner FROM joyfuljay.watch WHERE name = $1::name", 1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read table joyfuljay.watch");
	found = SPI_processed > 0;
	if (found)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		null;

		row->name = SPI_getvalue(tuple, desc, 1);
		row->directory = SPI_getvalue(tuple, desc, 2);
		row->target = SPI_getvalue(tuple, desc, 3);
		row->pattern = SPI_getvalue(tuple, desc, 4);
		row->recursive = DatumGetBool(SPI_getbinval(tuple, desc, 5, &null));
		row->filter = SPI_getvalue(tuple, desc, 6);
		row->options = DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, 7, &null));
		row->settle = DatumGetInt64(SPI_getbinval(tuple, desc, 8, &null));
		row->commit_rows = DatumGetInt64(SPI_getbinval(tuple, desc, 9, &null));
		row->enabled = DatumGetBool(SPI_getbinval(tuple, desc, 10, &null));
		row->owner = SPI_getvalue(tuple, desc, 11);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	jj_owner_end(&saved);
	return found;
}

static void
update(const char *sql, const char *name)
{
	const Oid	types[] = {TEXTOID};
	const Datum values[] = {CStringGetTextDatum(name)};

	(void) jj_owner_query(sql, lengthof(types), types, values, NULL, 0, NULL);
}

void
jj_watch_disable(const char *name)
{
	update("UPDATE joyfuljay.watch SET enabled = false WHERE name = $1::name AND enabled", name);
}

static Datum
text_or_null(const char *text, bool *null)
{
	*null = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/* Insert or replace the row, enabled. */
static void
write_row(const jj_watch_row *row, const Interval *settle)
{
	const Oid	types[] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID, JSONBOID, INTERVALOID, INT8OID, TEXTOID};
	Datum		values[lengthof(types)];
	bool		nulls[lengthof(types)] = {false};

	values[0] = CStringGetTextDatum(row->name);
	values[1] = CStringGetTextDatum(row->directory);
	values[2] = CStringGetTextDatum(row->target);
	values[3] = text_or_null(row->pattern, &nulls[3]);
	values[4] = BoolGetDatum(row->recursive);
	values[5] = text_or_null(row->filter, &nulls[5]);
	values[6] = JsonbPGetDatum(row->options);
	values[7] = IntervalPGetDatum(settle);
	values[8] = Int64GetDatum(row->commit_rows);
	values[9] = CStringGetTextDatum(row->owner);
	(void) jj_owner_query("INSERT INTO joyfuljay.watch (name, directory, target, pattern, recursive, filter, options, settle, commit_rows, owner, started) "
						  "VALUES ($1::name, $2, $3, $4, $5, $6, $7, $8, $9, $10::name, clock_timestamp()) "
						  "ON CONFLICT (name) DO UPDATE SET directory = excluded.directory, target = excluded.target, pattern = excluded.pattern, "
						  "recursive = excluded.recursive, filter = excluded.filter, options = excluded.options, settle = excluded.settle, "
						  "commit_rows = excluded.commit_rows, enabled = true, owner = excluded.owner, started = excluded.started",
						  lengthof(types), types, values, nulls, 0, NULL);
}

/* ---- functions */

static void
check_not_null(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"directory", "target", NULL, "recursive", NULL, "options", NULL, "settle", "commit_rows"};

	for (size_t i = 0; i < lengthof(names); i++)
		if (names[i] != NULL && PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null", names[i])));
}

static char *
optional_text(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static void
check_numbers(const Interval *settle, int64 commit_rows)
{
	const Interval zero = {0};

	if (DatumGetBool(DirectFunctionCall2(interval_lt, IntervalPGetDatum(settle), IntervalPGetDatum(&zero))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"settle\" must not be negative")));
	if (commit_rows < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"commit_rows\" must not be negative"),
				 errhint("0 ingests each capture in one transaction.")));
}

/* By default the directory, if that can be a name. */
static char *
watch_name(FunctionCallInfo fcinfo, const char *directory)
{
	char	   *name = PG_ARGISNULL(6) ? pstrdup(directory) : pstrdup(NameStr(*PG_GETARG_NAME(6)));

	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" cannot be the name of a watch", name),
				 errhint("Give another one with argument \"name\".")));
	return name;
}

static void
check_stopped(const char *name)
{
	if (jj_worker_is_active(JJ_WORKER_WATCH, name))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("watch \"%s\" is already running", name),
				 errhint("Stop it first with jj_watch_stop, or give this one a name of its own.")));
}

PG_FUNCTION_INFO_V1(jj_watch_start);
Datum
jj_watch_start(PG_FUNCTION_ARGS)
{
	jj_watch_row existing;
	jj_watch_row row = {0};
	jj_ingest_order order = {0};
	Interval   *settle;

	check_not_null(fcinfo);
	PreventCommandDuringRecovery("jj_watch_start()");
	row.directory = optional_text(fcinfo, 0);
	row.pattern = optional_text(fcinfo, 2);
	row.recursive = PG_GETARG_BOOL(3);
	row.filter = optional_text(fcinfo, 4);
	row.name = watch_name(fcinfo, row.directory);
	settle = PG_GETARG_INTERVAL_P(7);
	row.commit_rows = PG_GETARG_INT64(8);
	row.owner = GetUserNameFromId(GetUserId(), false);
	check_numbers(settle, row.commit_rows);
	if (jj_watch_read(row.name, &existing))
		jj_worker_check_owner(JJ_WORKER_WATCH, existing.name, existing.owner);
	jj_worker_check_login(JJ_WORKER_WATCH, GetUserId());
	check_stopped(row.name);

	/* what the worker would find wrong with it */
	(void) jj_sources_in_tree(row.directory, row.pattern, false);
	order.target = PG_GETARG_OID(1);
	order.filter = row.filter;
	jj_options_from_jsonb(&order.options, PG_GETARG_JSONB_P(5));
	row.target = jj_ingest_begin(&order)->target_name;
	/* later changes of settings make no other flows */
	row.options = jj_options_to_jsonb(&order.options, false);
	jj_worker_start(JJ_WORKER_WATCH, row.name, GetUserId());
	write_row(&row, settle);
	jj_worker_say_how_long(JJ_WORKER_WATCH, row.name);
	return DirectFunctionCall1(namein, CStringGetDatum(row.name));
}

static void
read_existing(const char *name, jj_watch_row *row)
{
	if (!jj_watch_read(name, row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("watch \"%s\" does not exist", name)));
	jj_worker_check_owner(JJ_WORKER_WATCH, row->name, row->owner);
}

/* Wait for the worker's end. */
static void
stop(const char *name)
{
	if (!jj_worker_stop(JJ_WORKER_WATCH, name, STOP_SECONDS))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("watch \"%s\" has not ended within %d seconds", name, STOP_SECONDS),
				 errdetail("It will as soon as it can.")));
}

PG_FUNCTION_INFO_V1(jj_watch_stop);
Datum
jj_watch_stop(PG_FUNCTION_ARGS)
{
	const char *name = NameStr(*PG_GETARG_NAME(0));
	jj_watch_row row;

	PreventCommandDuringRecovery("jj_watch_stop()");
	read_existing(name, &row);
	stop(name);
	jj_watch_disable(name);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(jj_watch_restart);
Datum
jj_watch_restart(PG_FUNCTION_ARGS)
{
	const char *name = NameStr(*PG_GETARG_NAME(0));
	jj_watch_row row;
	Oid			owner;

	PreventCommandDuringRecovery("jj_watch_restart()");
	read_existing(name, &row);
	owner = get_role_oid(row.owner, false);
	jj_worker_check_login(JJ_WORKER_WATCH, owner);
	stop(name);
	jj_worker_start(JJ_WORKER_WATCH, name, owner);
	update("UPDATE joyfuljay.watch SET enabled = true, started = clock_timestamp() WHERE name = $1::name", name);
	jj_worker_say_how_long(JJ_WORKER_WATCH, name);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(jj_watch_states);
Datum
jj_watch_states(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	jj_workers *w = jj_workers_get();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < JJ_SLOTS; i++)
	{
		jj_slot		s;
		Datum		values[7];
		bool		nulls[7] = {false};

		LWLockAcquire(&w->lock, LW_SHARED);
		memcpy(&s, &w->slot[i], offsetof(jj_slot, count));
		LWLockRelease(&w->lock);
		if (s.state == JJ_WORKER_FREE || s.kind != JJ_WORKER_WATCH || s.database != MyDatabaseId)
			continue;
		if (!has_privs_of_role(GetUserId(), s.role) && !has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
			continue;
		values[0] = DirectFunctionCall1(namein, CStringGetDatum(s.name));
		values[1] = CStringGetTextDatum(jj_worker_state_name(s.state));
		values[2] = Int32GetDatum(s.pid);
		nulls[2] = s.pid == 0 || s.state == JJ_WORKER_RESERVED;
		values[3] = TimestampTzGetDatum(s.since);
		nulls[3] = s.since == 0;
		nulls[4] = s.last_error[0] == '\0';
		values[4] = nulls[4] ? (Datum) 0 : jj_text_datum(s.last_error, strlen(s.last_error));
		values[5] = TimestampTzGetDatum(s.last_error_time);
		nulls[5] = s.last_error_time == 0;
		values[6] = Int64GetDatum(s.restarts);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
