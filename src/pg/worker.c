/*
 * The worker of a capture: takes finished flows from its feed, keeps them in a
 * bounded queue, and inserts them in batches.
 *
 * No transaction is open between batches, so the worker holds no lock and no
 * snapshot then. Nothing that it does takes long without a look at its latch:
 * the feed is read for PUMP ms at a time, a batch is bounded, and locks are
 * taken if they are free or waited for only briefly.
 */
#include "pg/feed.h"
#include "pg/insert.h"
#include "pg/provenance.h"
#include "pg/target.h"

#include "flow/flow.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"

#define LOOK_EVERY 256			/* flows between checks for interrupts */
#define QUEUE_SLACK 65536		/* bytes, more than most rows have */
#define PUMP 20					/* ms of reading at a time */
#define PUMP_IN_BATCH 3			/* ms of reading, between two rows of a batch */
#define PUMP_EVERY 5			/* ms between those */
#define SECOND_MS 1000
#define SHORTEST_PAUSE 200		/* ms after a failure */
#define LONGEST_PAUSE 5000
#define LASTING 10000			/* ms after which a feed that fails has been a good one */
#define LOCK_PAUSE 100			/* ms after a lock that is held */
#define REJECT_PAUSE 10
#define LAST_WRITES 5000		/* ms for the rows that are left at the end */
#define LAST_WRITES_IN_THE_WAY 1500
#define LAST_STATEMENT 3000		/* ms for a statement at the end */
#define LOG_EVERY 60000			/* ms between log entries of the same error */

typedef struct capture
{
	jj_row_source source;		/* of the INSERT; first */
	jj_slot    *slot;
	jj_slot		own;
	MemoryContext context;		/* as long as the worker */
	MemoryContext turn;			/* as long as a turn of its loop */
	jj_capture_row row;
	jj_capture_options options;
	int64		run;
	WaitEventSet *events;

	/* reading */
	jj_feed_request request;
	jj_feed    *feed;			/* NULL: it is to be opened at open_at */
	bool		fed;			/* there was one before */
	bool		reading;		/* the feed is ready, and the status says so */
	TimestampTz open_at;
	TimestampTz opened;
	int			open_pause;
	uint64		base[JJ_COUNTS];	/* counts of the feeds before this one */
	TimestampTz next_second;

	/* writing */
	jj_queue   *queue;
	MemoryContext writing;		/* of the target and the writer */
	jj_target  *target;
	jj_writer  *writer;
	uint64		batch;			/* rows in the next batch, at most */
	uint64		given;			/* rows given to the INSERT so far */
	TimestampTz pumped;
	TimestampTz write_at;		/* not before, after a failure */
	int			write_pause;
	bool		write_fails;
	bool		lossy;			/* what the queue has no room for is lost */
	uint64		seen;			/* flows taken */
	char		logged[JJ_WORKER_MESSAGE];
	TimestampTz logged_at;
} capture;

PGDLLEXPORT void jj_capture_main(Datum main_arg);

static TimestampTz
after(int ms)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

/* ---- counts and errors */

static void
add_count(capture *c, int count, uint64 n)
{
	jj_worker_count(c->slot, count, jj_worker_counted(c->slot, count) + n);
}

/* Show what the feed has counted, on top of the feeds before. */
static void
show_counts(capture *c)
{
	static const jj_count of_feed[] = {
		JJ_COUNT_PACKETS, JJ_COUNT_BYTES, JJ_COUNT_NO_FLOW, JJ_COUNT_KERNEL_DROPS, JJ_COUNT_INTERFACE_DROPS, JJ_COUNT_SAVED, JJ_COUNT_SAVE_DROPS
	};

	for (size_t i = 0; i < lengthof(of_feed); i++)
		jj_worker_count(c->slot, of_feed[i], c->base[of_feed[i]] + (c->feed == NULL ? 0 : c->feed->count[of_feed[i]]));
	jj_worker_count(c->slot, JJ_COUNT_ACTIVE_FLOWS, c->feed == NULL ? 0 : c->feed->count[JJ_COUNT_ACTIVE_FLOWS]);
	jj_worker_count(c->slot, JJ_COUNT_MEMORY, c->feed == NULL ? 0 : c->feed->count[JJ_COUNT_MEMORY]);
}

static void
show_queue(capture *c)
{
	jj_worker_count(c->slot, JJ_COUNT_QUEUE_ROWS, jj_queue_rows(c->queue));
	jj_worker_count(c->slot, JJ_COUNT_QUEUE_BYTES, jj_queue_bytes(c->queue));
	c->slot->oldest = jj_queue_oldest(c->queue);
}

/* Whether this text goes to the log: not if it was there a moment ago. */
static bool
should_log(capture *c, const char *text)
{
	TimestampTz now = GetCurrentTimestamp();

	if (strncmp(c->logged, text, sizeof(c->logged) - 1) == 0 && !TimestampDifferenceExceeds(c->logged_at, now, LOG_EVERY))
		return false;
	strlcpy(c->logged, text, sizeof(c->logged));
	c->logged_at = now;
	return true;
}

/* What goes wrong, for now. */
static void
complain(capture *c, const char *text)
{
	jj_worker_set_error(c->slot, text);
	if (should_log(c, text))
		ereport(LOG,
				(errmsg("capture \"%s\": %s", c->row.name, text)));
}

/* ---- reading */

/* A finished flow: count it and keep it. */
static void
take(void *arg, const jj_row *row)
{
	capture    *c = arg;
	uint32		size;
	const uint8_t *reason;

	if (jj_row_has(row, JJ_F_end_reason))
	{
		reason = jj_row_bytes(row, JJ_F_end_reason, &size);
		for (int i = JJ_END_NONE + 1; i < JJ_END_REASONS; i++)
		{
			const char *name = jj_end_reason_name((jj_end_reason) i);

			if (strlen(name) == size && memcmp(name, reason, size) == 0)
				add_count(c, JJ_COUNT_ENDS + i, 1);
		}
	}
	if (!jj_queue_add(c->queue, row, GetCurrentTimestamp()))
		add_count(c, JJ_COUNT_QUEUE_DROPS, 1);
	if (++c->seen % LOOK_EVERY == 0)
		jj_check_interrupts();
}

/* While the table takes rows, a full queue has room again in a moment: flows stay in the engine, or in the pipe, until then. */
static bool
has_room(void *arg)
{
	const capture *c = arg;

	return c->write_fails || c->lossy || jj_queue_bytes(c->queue) + QUEUE_SLACK <= (uint64) c->options.queue_bytes;
}

static void
make_events(capture *c)
{
	if (c->events != NULL)
		FreeWaitEventSet(c->events);
	c->events = jj_create_wait_event_set(c->context, 3);
	AddWaitEventToSet(c->events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(c->events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	if (c->feed != NULL && c->feed->fd >= 0)
		AddWaitEventToSet(c->events, WL_SOCKET_READABLE, c->feed->fd, NULL, NULL);
}

static void
close_feed(capture *c)
{
	if (c->feed == NULL)
		return;
	for (int i = 0; i < JJ_COUNTS; i++)
		c->base[i] += c->feed->count[i];
	c->feed->close(c->feed);
	c->feed = NULL;
	c->reading = false;
	show_counts(c);
	make_events(c);
}

static const char *
error_text(const jj_error *error)
{
	return error->sys_errno == 0 ? jj_shown(error->message) : psprintf("%s: %s", jj_shown(error->message), strerror(error->sys_errno));
}

static void
open_feed(capture *c)
{
	MemoryContext old = MemoryContextSwitchTo(c->context);
	jj_error	error = {0};

	c->feed = jj_feed_open(&c->request, &error);
	MemoryContextSwitchTo(old);
	if (c->feed == NULL)
	{
		complain(c, error_text(&error));
		jj_worker_set_state(c->slot, JJ_WORKER_RETRYING);
		c->open_pause = c->open_pause == 0 ? SHORTEST_PAUSE : Min(c->open_pause * 2, LONGEST_PAUSE);
		c->open_at = after(c->open_pause);
		return;
	}
	c->opened = GetCurrentTimestamp();
	strlcpy(c->slot->how, c->feed->how, sizeof(c->slot->how));
	make_events(c);
}

/* The feed has the interface open. */
static void
feed_is_ready(capture *c)
{
	c->reading = true;
	if (c->fed)
		add_count(c, JJ_COUNT_GAPS, 1);
	c->fed = true;
	jj_worker_set_state(c->slot, c->write_fails ? JJ_WORKER_RETRYING : JJ_WORKER_RUNNING);
}

/* The feed has failed: say so, keep its flows, and open it again later. */
static void
lose_feed(capture *c)
{
	complain(c, error_text(&c->feed->error));
	c->lossy = true;
	c->feed->finish(c->feed, 0);
	c->lossy = false;
	close_feed(c);
	jj_worker_set_state(c->slot, JJ_WORKER_RETRYING);
	if (c->open_pause == 0 || TimestampDifferenceExceeds(c->opened, GetCurrentTimestamp(), LASTING))
		c->open_pause = SHORTEST_PAUSE;
	else
		c->open_pause = Min(c->open_pause * 2, LONGEST_PAUSE);
	c->open_at = after(c->open_pause);
}

/* Read for a while. True: there is more. */
static bool
read_feed(capture *c, int ms)
{
	bool		more;

	if (c->feed == NULL || c->feed->error.code != JJ_OK)
		return false;
	more = c->feed->pump(c->feed, ms);
	c->pumped = GetCurrentTimestamp();
	return more && c->feed->error.code == JJ_OK;
}

/* ---- writing */

static bool
same_target(const jj_target *a, const jj_target *b)
{
	if (a == NULL || a->relid != b->relid || a->n != b->n || a->has_run != b->has_run || strcmp(a->name, b->name) != 0)
		return false;
	for (int i = 0; i < a->n; i++)
		if (a->feature[i] != b->feature[i] || strcmp(a->column[i], b->column[i]) != 0)
			return false;
	return true;
}

/* The table of that name, locked for INSERT; an error without waiting if somebody else has it. */
static Oid
lock_target(const char *name)
{
	RangeVar   *table = makeRangeVarFromNameList(jj_qualified_name(name));
	Oid			relid = RangeVarGetRelid(table, NoLock, false);

	if (!ConditionalLockRelationOid(relid, RowExclusiveLock))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("table %s is locked", name)));
	return relid;
}

/* See that the writer is one for the table as it is now. */
static void
prepare_writer(capture *c, Oid relid)
{
	MemoryContext old;

	if (same_target(c->target, jj_target_open(relid)))
		return;
	c->target = NULL;
	c->writer = NULL;
	MemoryContextReset(c->writing);
	old = MemoryContextSwitchTo(c->writing);
	c->target = jj_target_open(relid);
	c->writer = jj_writer_begin(c->target);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < c->target->n; i++)
		if (!jj_set_has(&c->options.call.engine.features, (unsigned) c->target->feature[i]))
		{
			ereport(LOG,
					(errmsg("capture \"%s\": column \"%s\" of table %s stays NULL until the capture is restarted", c->row.name, c->target->column[i], c->target->name)));
			break;
		}
}

/* The next row of the batch. While rows are inserted, packets are read. */
static const jj_row *
next_row(jj_row_source *source)
{
	capture    *c = (capture *) source;

	CHECK_FOR_INTERRUPTS();
	if (TimestampDifferenceExceeds(c->pumped, GetCurrentTimestamp(), PUMP_EVERY))
		(void) read_feed(c, PUMP_IN_BATCH);
	if (c->given >= c->batch)
		return NULL;
	c->given++;
	return jj_queue_next(c->queue);
}

/* Insert the oldest rows of the queue; in a transaction of its own. */
static void
insert_batch(capture *c)
{
	uint64		rows;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	prepare_writer(c, lock_target(c->row.target));
	c->given = 0;
	jj_queue_rewind(c->queue);
	rows = jj_queue_rows(c->queue);
	c->batch = Min(c->batch, rows);
	(void) jj_writer_write(c->writer, &c->source, c->run);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* Whether an error is about a row rather than about the table or the server. */
static bool
is_of_row(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_WITH_CHECK_OPTION_VIOLATION:
		case ERRCODE_PLPGSQL_ERROR:
			return true;
		default:
			return false;
	}
}

/* What to do after a batch that failed with this error. */
static void
batch_failed(capture *c, const ErrorData *error)
{
	uint64		tried = c->batch;

	jj_worker_set_error(c->slot, error->message);
	jj_queue_rewind(c->queue);
	if (is_of_row(error->sqlerrcode))
	{
		/* find the row: it is the one that fails alone */
		if (tried > 1)
			c->batch = tried / 2;
		else
		{
			jj_queue_forget(c->queue, 1);
			add_count(c, JJ_COUNT_REJECTED, 1);
			c->write_at = after(REJECT_PAUSE);
		}
		return;
	}
	c->write_fails = true;
	jj_worker_set_state(c->slot, JJ_WORKER_RETRYING);
	if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		c->write_pause = LOCK_PAUSE;
	else
		c->write_pause = c->write_pause == 0 ? SHORTEST_PAUSE : Min(c->write_pause * 2, LONGEST_PAUSE);
	c->write_at = after(c->write_pause);
}

/* True if rows were written. */
static bool
write_batch(capture *c)
{
	MemoryContext old = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	pgstat_report_activity(STATE_RUNNING, "INSERT");
	jj_worker_guard_begin(c->slot, LAST_STATEMENT);
	PG_TRY();
	{
		insert_batch(c);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(c->context);
		error = CopyErrorData();
		if (should_log(c, error->message))
			EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	jj_worker_guard_end();
	MemoryContextSwitchTo(old);
	pgstat_report_activity(STATE_IDLE, NULL);
	if (error == NULL)
	{
		jj_queue_forget(c->queue, c->given);
		add_count(c, JJ_COUNT_ROWS, c->given);
		c->slot->last_batch = GetCurrentTimestamp();
		c->batch = Min(Max(c->batch * 2, 16), (uint64) c->options.batch_rows);
		c->write_pause = 0;
		c->write_fails = false;
		if (c->reading)
			jj_worker_set_state(c->slot, JJ_WORKER_RUNNING);
		(void) pgstat_report_stat(false);
	}
	else
	{
		batch_failed(c, error);
		FreeErrorData(error);
	}
	show_queue(c);
	return error == NULL;
}

/* Whether the queue should be written now; *ms when to ask again otherwise. */
static bool
is_due(const capture *c, TimestampTz now, int *ms)
{
	TimestampTz due;

	if (jj_queue_rows(c->queue) == 0)
		return false;
	due = TimestampTzPlusMilliseconds(jj_queue_oldest(c->queue), c->options.batch_interval / (JJ_SECOND / 1000));
	if (jj_queue_rows(c->queue) >= (uint64) c->options.batch_rows || !has_room(unconstify(capture *, c)))
		due = now;
	if (due < c->write_at)
		due = c->write_at;
	if (due <= now)
		return true;
	*ms = (int) Min(*ms, TimestampDifferenceMilliseconds(now, due) + 1);
	return false;
}

/* ---- the worker's life */

static void
start(capture *c)
{
	jj_run		run = {.kind = "capture"};
	jj_target  *target;
	MemoryContext old;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	old = MemoryContextSwitchTo(c->context);
	if (!OidIsValid(get_extension_oid("joyfuljay", true)) || !jj_capture_read(c->own.name, &c->row) || !c->row.enabled)
	{
		jj_worker_set_done(c->slot);
		proc_exit(0);
	}
	jj_capture_options_from_jsonb(&c->options, c->row.options);
	target = jj_target_open(lock_target(c->row.target));
	jj_target_limit(target, &c->options.call.engine);
	run.options = jj_options_to_jsonb(&c->options.call, false);
	jj_set_add(&c->options.call.engine.features, JJ_F_end_reason);
	run.name = c->row.name;
	run.source = c->row.source;
	run.filter = c->row.filter;
	run.target = c->row.target;
	c->run = jj_run_begin(&run);
	c->queue = jj_queue_create(c->options.queue_bytes);
	MemoryContextSwitchTo(old);
	PopActiveSnapshot();
	CommitTransactionCommand();

	c->turn = AllocSetContextCreate(c->context, "joyfuljay capture turn", ALLOCSET_DEFAULT_SIZES);
	c->writing = AllocSetContextCreate(c->context, "joyfuljay capture target", ALLOCSET_DEFAULT_SIZES);
	c->batch = (uint64) c->options.batch_rows;
	c->source.next = next_row;
	c->request.source = c->row.source;
	c->request.filter = c->row.filter;
	c->request.options = &c->options;
	c->request.take = take;
	c->request.has_room = has_room;
	c->request.arg = c;
	for (int i = 0; i < JJ_COUNTS; i++)
		c->base[i] = jj_worker_counted(c->slot, i);
	c->fed = c->base[JJ_COUNT_PACKETS] > 0;
	make_events(c);
}

/* A transaction whose failure doesn't matter: all it does is written by f. */
static void
in_transaction(capture *c, void (*f) (capture *))
{
	MemoryContext old = CurrentMemoryContext;

	jj_worker_guard_begin(c->slot, LAST_STATEMENT);
	PG_TRY();
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		f(c);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	jj_worker_guard_end();
	MemoryContextSwitchTo(old);
}

static void
finish_run(capture *c)
{
	jj_run_finish(c->run);
}

static void
disable(capture *c)
{
	jj_capture_disable(c->row.name);
}

static bool
extension_is_gone(void)
{
	bool		gone;

	StartTransactionCommand();
	gone = !OidIsValid(get_extension_oid("joyfuljay", true));
	CommitTransactionCommand();
	return gone;
}

/* The last flows come, and are written if that is possible within ms. */
static void
end(capture *c, int ms, bool write)
{
	TimestampTz limit = after(ms);
	bool		more = false;

	jj_worker_set_state(c->slot, JJ_WORKER_STOPPING);
	c->lossy = !write;
	if (c->feed != NULL)
	{
		c->feed->finish(c->feed, Min(ms / 2, 1000));
		more = true;
	}
	c->batch = (uint64) c->options.batch_rows;
	while (write && (more || jj_queue_rows(c->queue) > 0) && GetCurrentTimestamp() < limit)
	{
		jj_check_interrupts();
		if (more)
			more = c->feed->error.code == JJ_OK && c->feed->pump(c->feed, PUMP);
		if (jj_queue_rows(c->queue) == 0)
			continue;
		if (c->write_at > GetCurrentTimestamp())
			pg_usleep(20000L);
		else
		{
			(void) write_batch(c);
			jj_worker_set_state(c->slot, JJ_WORKER_STOPPING);
			c->write_at = Min(c->write_at, after(LOCK_PAUSE));
		}
	}
	c->lossy = true;
	if (more)
		(void) c->feed->pump(c->feed, PUMP);
	close_feed(c);
	if (jj_queue_rows(c->queue) > 0)
	{
		ereport(LOG,
				(errmsg("capture \"%s\": " UINT64_FORMAT " flows could not be written before its end", c->row.name, jj_queue_rows(c->queue))));
		add_count(c, JJ_COUNT_QUEUE_DROPS, jj_queue_rows(c->queue));
		jj_queue_forget(c->queue, jj_queue_rows(c->queue));
	}
	show_queue(c);
	if (write)
		in_transaction(c, finish_run);
}

/* What is due once a second. False: the worker has come to its end. */
static bool
each_second(capture *c)
{
	if (c->feed != NULL && c->feed->error.code == JJ_OK)
	{
		c->feed->tick(c->feed);
		show_counts(c);
		if (c->feed->warning[0] != '\0')
			complain(c, jj_shown(c->feed->warning));
		c->feed->warning[0] = '\0';
	}
	show_queue(c);
	if (jj_worker_is_in_the_way())
	{
		ereport(LOG,
				(errmsg("capture \"%s\" ends, for its database is locked", c->row.name),
				 errdetail("It is started again if the database is still there.")));
		end(c, LAST_WRITES_IN_THE_WAY, true);
		return false;
	}
	if (extension_is_gone())
	{
		ereport(LOG,
				(errmsg("capture \"%s\" ends with its extension", c->row.name)));
		jj_worker_set_done(c->slot);
		end(c, 0, false);
		return false;
	}
	if (c->row.ends != DT_NOEND && GetCurrentTimestamp() >= c->row.ends)
	{
		jj_worker_set_done(c->slot);
		end(c, LAST_WRITES, true);
		in_transaction(c, disable);
		return false;
	}
	return true;
}

static void
run_capture(capture *c)
{
	for (;;)
	{
		bool		more = false;
		TimestampTz now;
		int			ms = SECOND_MS;
		WaitEvent	event;

		MemoryContextSwitchTo(c->turn);
		MemoryContextReset(c->turn);
		ResetLatch(MyLatch);
		jj_check_interrupts();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (jj_worker_should_end(c->slot))
		{
			end(c, LAST_WRITES, true);
			return;
		}
		now = GetCurrentTimestamp();
		if (c->feed == NULL && now >= c->open_at)
			open_feed(c);
		more = read_feed(c, PUMP);
		if (c->feed != NULL && c->feed->ready && !c->reading)
			feed_is_ready(c);
		if (c->feed != NULL && c->feed->error.code != JJ_OK)
			lose_feed(c);
		now = GetCurrentTimestamp();
		if (now >= c->next_second)
		{
			if (!each_second(c))
				return;
			c->next_second = TimestampTzPlusMilliseconds(now, SECOND_MS);
		}
		if (is_due(c, now, &ms))
		{
			(void) write_batch(c);
			continue;
		}
		if (more)
			continue;
		if (c->feed == NULL)
			ms = Min(ms, SHORTEST_PAUSE);
		(void) WaitEventSetWait(c->events, ms, &event, 1, PG_WAIT_EXTENSION);
	}
}

void
jj_capture_main(Datum main_arg)
{
	capture    *volatile c = MemoryContextAllocZero(TopMemoryContext, sizeof(capture));

	c->slot = jj_worker_attach(main_arg, &c->own);
	c->context = AllocSetContextCreate(TopMemoryContext, "joyfuljay capture", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(c->context);
	pgstat_report_appname("joyfuljay capture");
	SetConfigOption("lock_timeout", "1000", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_OVERRIDE);
	PG_TRY();
	{
		start(c);
		run_capture(c);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(TopMemoryContext);
		error = CopyErrorData();
		jj_worker_set_error(c->slot, error->message);
		PG_RE_THROW();
	}
	PG_END_TRY();
	proc_exit(0);
}
