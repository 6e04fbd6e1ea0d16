/*
 * Live captures: the SQL functions, and the table joyfuljay.capture.
 */
#include "pg/capture.h"
#include "pg/provenance.h"
#include "pg/target.h"

#include "flow/flow.h"

#include <unistd.h>

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define STOP_SECONDS 15

static char *sensor_path;		/* setting joyfuljay.sensor_path */

void
jj_capture_init(void)
{
	DefineCustomStringVariable("joyfuljay.sensor_path", "Program that captures for workers which may not open network interfaces themselves.",
							   "Empty: jj-sensor in the folder of the server's programs.", &sensor_path, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
}

const char *
jj_sensor_program(void)
{
	char		folder[MAXPGPATH];

	if (sensor_path != NULL && sensor_path[0] != '\0')
		return sensor_path;
	strlcpy(folder, my_exec_path, sizeof(folder));
	get_parent_directory(folder);
	return psprintf("%s/jj-sensor", folder);
}

/* ---- the table */

bool
jj_capture_read(const char *name, jj_capture_row *row)
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
	if (SPI_execute_with_args("SELECT name, source, target, filter, options, owner, enabled, ends FROM joyfuljay.capture WHERE name = $1::name",
							  1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read table joyfuljay.capture");
	found = SPI_processed > 0;
	if (found)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		null;
		Datum		value;

		row->name = SPI_getvalue(tuple, desc, 1);
		row->source = SPI_getvalue(tuple, desc, 2);
		row->target = SPI_getvalue(tuple, desc, 3);
		row->filter = SPI_getvalue(tuple, desc, 4);
		row->options = DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, 5, &null));
		row->owner = SPI_getvalue(tuple, desc, 6);
		row->enabled = DatumGetBool(SPI_getbinval(tuple, desc, 7, &null));
		value = SPI_getbinval(tuple, desc, 8, &null);
		row->ends = null ? DT_NOEND : DatumGetTimestampTz(value);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	jj_owner_end(&saved);
	return found;
}

void
jj_capture_disable(const char *name)
{
	const Oid	types[] = {TEXTOID};
	const Datum values[] = {CStringGetTextDatum(name)};

	(void) jj_owner_query("UPDATE joyfuljay.capture SET enabled = false WHERE name = $1::name AND enabled", 1, types, values, NULL, 0, NULL);
}

/* Insert or replace the row, enabled. */
static void
write_row(const char *name, const char *source, const char *target, const char *filter, Jsonb *options, const Interval *duration)
{
	const Oid	types[] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, INTERVALOID};
	Datum		values[lengthof(types)] = {0};
	bool		nulls[lengthof(types)] = {false};

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(source);
	values[2] = CStringGetTextDatum(target);
	if (filter != NULL)
		values[3] = CStringGetTextDatum(filter);
	nulls[3] = filter == NULL;
	values[4] = JsonbPGetDatum(options);
	values[5] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	if (duration != NULL)
		values[6] = IntervalPGetDatum(duration);
	nulls[6] = duration == NULL;
	(void) jj_owner_query("INSERT INTO joyfuljay.capture AS c (name, source, target, filter, options, enabled, owner, duration, ends, started) "
							"VALUES ($1::name, $2, $3, $4, $5, true, $6::name, $7, clock_timestamp() + $7, clock_timestamp()) "
							"ON CONFLICT (name) DO UPDATE SET source = excluded.source, target = excluded.target, filter = excluded.filter, "
							"options = excluded.options, enabled = true, owner = excluded.owner, duration = excluded.duration, ends = excluded.ends, "
							"started = excluded.started",
							lengthof(types), types, values, nulls, 0, NULL);
}

/* ---- checks */

static void
read_existing(const char *name, jj_capture_row *row)
{
	if (!jj_capture_read(name, row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("capture \"%s\" does not exist", name)));
	jj_worker_check_owner(JJ_WORKER_CAPTURE, row->name, row->owner);
}

static void
check_source(const char *source)
{
	jj_allocator a = jj_context_allocator(CurrentMemoryContext);
	jj_interface_list *list;
	StringInfoData hint;
	uint32		n;

	if (jj_interface_exists(source))
		return;
	initStringInfo(&hint);
	if (jj_interfaces_open(&list, &a, NULL) == JJ_OK)
	{
		const jj_interface *i = jj_interfaces_get(list, &n);

		for (uint32 k = 0; k < n; k++)
			appendStringInfo(&hint, "%s%s", k == 0 ? "Network interfaces: " : ", ", jj_shown(i[k].name));
		appendStringInfoChar(&hint, '.');
		jj_interfaces_close(list);
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no network interface \"%s\"", source),
			 hint.len > 0 ? errhint("%s", hint.data) : 0));
}

static void
check_filter(const char *filter)
{
	jj_allocator a = jj_context_allocator(CurrentMemoryContext);
	jj_error	error = {0};
	jj_filter  *compiled;

	if (filter == NULL)
		return;
	if (jj_filter_open(&compiled, filter, &a, &error) != JJ_OK)
		jj_raise(&error, NULL);
	jj_filter_close(compiled);
}

/* ---- functions */

static const char *
required_text(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return i == 0 ? NameStr(*PG_GETARG_NAME(i)) : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

PG_FUNCTION_INFO_V1(jj_capture_start);
Datum
jj_capture_start(PG_FUNCTION_ARGS)
{
	const char *name = required_text(fcinfo, 0, "name");
	const char *source = required_text(fcinfo, 1, "source");
	const char *filter = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	Jsonb	   *options;
	Interval   *duration = PG_ARGISNULL(5) ? NULL : PG_GETARG_INTERVAL_P(5);
	jj_capture_options parsed;
	jj_capture_row row;
	jj_target  *target;

	if (PG_ARGISNULL(2) || PG_ARGISNULL(4))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", PG_ARGISNULL(2) ? "target" : "options")));
	options = PG_GETARG_JSONB_P(4);
	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the name of a capture must not be empty")));
	if (duration != NULL && DatumGetBool(DirectFunctionCall2(interval_le, IntervalPGetDatum(duration), IntervalPGetDatum(palloc0(sizeof(Interval))))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("duration must be greater than zero")));
	PreventCommandDuringRecovery("jj_capture_start()");
	if (jj_capture_read(name, &row))
		jj_worker_check_owner(JJ_WORKER_CAPTURE, row.name, row.owner);
	jj_worker_check_login(JJ_WORKER_CAPTURE, GetUserId());
	check_source(source);
	check_filter(filter);
	jj_capture_options_from_jsonb(&parsed, options);
	target = jj_target_open(PG_GETARG_OID(2));
	jj_worker_start(JJ_WORKER_CAPTURE, name, GetUserId());
	write_row(name, source, target->name, filter, options, duration);
	jj_worker_say_how_long(JJ_WORKER_CAPTURE, name);
	PG_RETURN_VOID();
}

/* Wait for the worker's end. */
static void
stop(const char *name)
{
	if (!jj_worker_stop(JJ_WORKER_CAPTURE, name, STOP_SECONDS))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("capture \"%s\" has not ended within %d seconds", name, STOP_SECONDS),
				 errdetail("It will as soon as it can; it may be waiting for a lock of this transaction.")));
}

PG_FUNCTION_INFO_V1(jj_capture_stop);
Datum
jj_capture_stop(PG_FUNCTION_ARGS)
{
	const char *name = NameStr(*PG_GETARG_NAME(0));
	jj_capture_row row;

	PreventCommandDuringRecovery("jj_capture_stop()");
	read_existing(name, &row);
	stop(name);
	jj_capture_disable(name);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(jj_capture_restart);
Datum
jj_capture_restart(PG_FUNCTION_ARGS)
{
	const char *name = NameStr(*PG_GETARG_NAME(0));
	const Oid	types[] = {TEXTOID};
	const Datum values[] = {CStringGetTextDatum(name)};
	jj_capture_row row;
	Oid			owner;

	PreventCommandDuringRecovery("jj_capture_restart()");
	read_existing(name, &row);
	owner = get_role_oid(row.owner, false);
	jj_worker_check_login(JJ_WORKER_CAPTURE, owner);
	stop(name);
	jj_worker_start(JJ_WORKER_CAPTURE, name, owner);
	(void) jj_owner_query("UPDATE joyfuljay.capture SET enabled = true, started = clock_timestamp(), ends = clock_timestamp() + duration WHERE name = $1::name",
							1, types, values, NULL, 0, NULL);
	jj_worker_say_how_long(JJ_WORKER_CAPTURE, name);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(jj_interfaces);
Datum
jj_interfaces(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	jj_allocator a = jj_context_allocator(CurrentMemoryContext);
	jj_error	error = {0};
	jj_interface_list *list;
	const jj_interface *interfaces;
	uint32		n;

	InitMaterializedSRF(fcinfo, 0);
	if (jj_interfaces_open(&list, &a, &error) != JJ_OK)
		jj_raise(&error, NULL);
	interfaces = jj_interfaces_get(list, &n);
	for (uint32 i = 0; i < n; i++)
	{
		const jj_interface *x = &interfaces[i];
		Datum	   *addresses = palloc(sizeof(Datum) * (x->n_addresses + 1));
		Datum		values[6];
		bool		nulls[6] = {false};

		for (uint32 k = 0; k < x->n_addresses; k++)
		{
			const jj_interface_address *address = &x->addresses[k];
			bool		four = address->version == 4;

			addresses[k] = jj_inet_datum(address->address + (four ? 12 : 0), four ? 4 : 16);
			ip_bits((inet *) DatumGetPointer(addresses[k])) = address->prefix;
		}
		values[0] = jj_text_datum(x->name, strlen(x->name));
		values[1] = BoolGetDatum(x->up);
		values[2] = BoolGetDatum(x->running);
		values[3] = BoolGetDatum(x->loopback);
		values[4] = x->n_addresses == 0 ? PointerGetDatum(construct_empty_array(INETOID))
			: PointerGetDatum(construct_array(addresses, (int) x->n_addresses, INETOID, -1, false, TYPALIGN_INT));
		values[5] = jj_text_datum(x->description, strlen(x->description));
		nulls[5] = x->description[0] == '\0';
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	jj_interfaces_close(list);
	return (Datum) 0;
}

/* ---- status */

static Datum
ends_datum(const uint64 *count)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = JJ_END_NONE + 1; i < JJ_END_REASONS; i++)
		if (count[JJ_COUNT_ENDS + i] > 0)
			appendStringInfo(&text, "%s\"%s\": " UINT64_FORMAT, text.len == 0 ? "{" : ", ", jj_end_reason_name((jj_end_reason) i),
							 count[JJ_COUNT_ENDS + i]);
	appendStringInfoString(&text, text.len == 0 ? "{}" : "}");
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

static Datum
time_or_null(TimestampTz t, bool *null)
{
	*null = t == 0;
	return TimestampTzGetDatum(t);
}

static Datum
text_or_null(const char *text, bool *null)
{
	*null = text[0] == '\0';
	return *null ? (Datum) 0 : jj_text_datum(text, strlen(text));
}

PG_FUNCTION_INFO_V1(jj_capture_counts);
Datum
jj_capture_counts(PG_FUNCTION_ARGS)
{
	enum
	{
		NAME, STATE, HOW, PID, SINCE, PACKETS, BYTES, NO_FLOW, KERNEL_DROPS, INTERFACE_DROPS, ACTIVE_FLOWS, FLOW_MEMORY, FLOWS_ENDED, ROWS,
		QUEUE_ROWS, QUEUE_BYTES, QUEUE_DROPS, REJECTED, SAVED, SAVE_DROPS, LAST_BATCH, LAG, LAST_ERROR, LAST_ERROR_TIME, RESTARTS, GAPS, COLUMNS
	};
	static const struct
	{
		int			column;
		jj_count	count;
	}			counts[] = {
		{PACKETS, JJ_COUNT_PACKETS}, {BYTES, JJ_COUNT_BYTES}, {NO_FLOW, JJ_COUNT_NO_FLOW}, {KERNEL_DROPS, JJ_COUNT_KERNEL_DROPS},
		{INTERFACE_DROPS, JJ_COUNT_INTERFACE_DROPS}, {ACTIVE_FLOWS, JJ_COUNT_ACTIVE_FLOWS}, {FLOW_MEMORY, JJ_COUNT_MEMORY},
		{ROWS, JJ_COUNT_ROWS}, {QUEUE_ROWS, JJ_COUNT_QUEUE_ROWS}, {QUEUE_BYTES, JJ_COUNT_QUEUE_BYTES}, {QUEUE_DROPS, JJ_COUNT_QUEUE_DROPS},
		{REJECTED, JJ_COUNT_REJECTED}, {SAVED, JJ_COUNT_SAVED}, {SAVE_DROPS, JJ_COUNT_SAVE_DROPS}, {GAPS, JJ_COUNT_GAPS}
	};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	jj_workers *w = jj_workers_get();
	TimestampTz now = GetCurrentTimestamp();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < JJ_SLOTS; i++)
	{
		jj_slot		s;
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS] = {false};
		uint64		count[JJ_COUNTS];
		Interval   *lag = palloc0(sizeof(Interval));

		LWLockAcquire(&w->lock, LW_SHARED);
		memcpy(&s, &w->slot[i], offsetof(jj_slot, count));
		LWLockRelease(&w->lock);
		if (s.state == JJ_WORKER_FREE || s.kind != JJ_WORKER_CAPTURE || s.database != MyDatabaseId)
			continue;
		if (!has_privs_of_role(GetUserId(), s.role) && !has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
			continue;
		for (int k = 0; k < JJ_COUNTS; k++)
			count[k] = jj_worker_counted(&w->slot[i], k);
		for (size_t k = 0; k < lengthof(counts); k++)
			values[counts[k].column] = Int64GetDatum((int64) count[counts[k].count]);
		if (s.oldest != 0 && s.oldest < now)
			lag->time = now - s.oldest;
		values[NAME] = DirectFunctionCall1(namein, CStringGetDatum(s.name));
		values[STATE] = CStringGetTextDatum(jj_worker_state_name(s.state));
		values[HOW] = text_or_null(s.how, &nulls[HOW]);
		values[PID] = Int32GetDatum(s.pid);
		nulls[PID] = s.pid == 0 || s.state == JJ_WORKER_RESERVED;
		values[SINCE] = time_or_null(s.since, &nulls[SINCE]);
		values[FLOWS_ENDED] = ends_datum(count);
		values[LAST_BATCH] = time_or_null(s.last_batch, &nulls[LAST_BATCH]);
		values[LAG] = IntervalPGetDatum(lag);
		values[LAST_ERROR] = text_or_null(s.last_error, &nulls[LAST_ERROR]);
		values[LAST_ERROR_TIME] = time_or_null(s.last_error_time, &nulls[LAST_ERROR_TIME]);
		values[RESTARTS] = Int64GetDatum(s.restarts);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
