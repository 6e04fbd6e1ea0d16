/*
 * Finished flows into a table, by INSERT ... SELECT unless it can do without.
 */
#include "pg/insert.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(jj_finished_flows);

struct jj_writer
{
	SPIPlanPtr	plan;
	const char *sql;
	jj_target	target;
	MemoryContextCallback callback;
	MemoryContext context;
};

/* Of the statement that jj_writer_write executes, until its scan begins. */
static jj_row_source *waiting = NULL;

static void
free_plan(void *arg)
{
	jj_writer  *w = arg;

	if (w->plan != NULL)
		(void) SPI_freeplan(w->plan);
	w->plan = NULL;
}

static char *
insert_text(const jj_target *t)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s (", t->name);
	for (int i = 0; i < t->n; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "", quote_identifier(t->column[i]));
	appendStringInfo(&sql, "%s) SELECT ", t->has_run ? ", run" : "");
	for (int i = 0; i < t->n; i++)
		appendStringInfo(&sql, "%sf.%s", i > 0 ? ", " : "", quote_identifier(t->column[i]));
	appendStringInfo(&sql, "%s FROM joyfuljay.finished_flows() f", t->has_run ? ", $1" : "");
	return sql.data;
}

/* What jj_writer_write needs of a target, copied. */
static jj_target
copy_target(const jj_target *t)
{
	jj_target	copy = *t;

	copy.name = pstrdup(t->name);
	copy.column = palloc(sizeof(char *) * (size_t) t->n);
	for (int i = 0; i < t->n; i++)
		copy.column[i] = pstrdup(t->column[i]);
	copy.feature = palloc(sizeof(int) * (size_t) t->n);
	memcpy(copy.feature, t->feature, sizeof(int) * (size_t) t->n);
	return copy;
}

jj_writer *
jj_writer_begin(const jj_target *target)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay writer", ALLOCSET_SMALL_SIZES);
	jj_writer  *w = MemoryContextAllocZero(context, sizeof(jj_writer));
	Oid			types[] = {INT8OID};
	char	   *sql = insert_text(target);
	const MemoryContext old = MemoryContextSwitchTo(context);

	w->context = context;
	w->sql = pstrdup(sql);
	w->target = copy_target(target);
	MemoryContextSwitchTo(old);
	w->callback.func = free_plan;
	w->callback.arg = w;
	MemoryContextRegisterResetCallback(context, &w->callback);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	w->plan = SPI_prepare(sql, lengthof(types), types);
	if (w->plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
	if (SPI_keepplan(w->plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	SPI_finish();
	return w;
}

/* Raise the error again, in whose context the statement, with all its columns, is reduced to its purpose. */
static void
rethrow(const jj_writer *w, MemoryContext context)
{
	ErrorData  *error;
	char	   *statement;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	statement = error->context == NULL ? NULL : strstr(error->context, w->sql);
	if (statement != NULL)
		error->context = psprintf("%.*sINSERT INTO %s%s", (int) (statement - error->context), error->context, w->target.name, statement + strlen(w->sql));
	ReThrowError(error);
}

static void
add_context(void *arg)
{
	errcontext("INSERT INTO %s", ((jj_writer *) arg)->target.name);
}

/* Straight into the table, if that is possible. */
static bool
write_bulk(jj_writer *w, jj_row_source *source, int64 run, uint64 *rows)
{
	ErrorContextCallback callback = {.previous = error_context_stack, .callback = add_context, .arg = w};
	bool		written;

	error_context_stack = &callback;
	written = jj_bulk_write(&w->target, source, run, rows);
	error_context_stack = callback.previous;
	return written;
}

uint64
jj_writer_write(jj_writer *w, jj_row_source *source, int64 run)
{
	const MemoryContext context = CurrentMemoryContext;
	Datum		values[] = {Int64GetDatum(run)};
	uint64		rows;
	int			status;

	if (write_bulk(w, source, run, &rows))
		return rows;
	if (source->shape != NULL)
		elog(ERROR, "rows of a shape can't be inserted into %s", w->target.name);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	waiting = source;
	PG_TRY();
	{
		status = SPI_execute_plan(w->plan, values, NULL, false, 0);
	}
	PG_CATCH();
	{
		waiting = NULL;
		rethrow(w, context);
	}
	PG_END_TRY();
	waiting = NULL;
	if (status < 0)
		elog(ERROR, "could not insert flows: %s", SPI_result_code_string(status));
	rows = SPI_processed;
	SPI_finish();
	return rows;
}

void
jj_writer_end(jj_writer *w)
{
	MemoryContextDelete(w->context);
}

jj_row_source *
jj_writer_take_source(void)
{
	jj_row_source *taken = waiting;

	waiting = NULL;
	return taken;
}

/* What is called if a statement is not one of jj_writer_write. */
Datum
jj_finished_flows(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("no flows are being written"),
			 errdetail("The function finished_flows gives the rows of jj_ingest and of captures to the one INSERT that writes them.")));
}
