/*
 * The worker of a watch: looks into the directory again and again, and ingests
 * files whose size and modification time have stayed as they are for long enough.
 *
 * What it remembers of files only saves it work: that each is ingested once is
 * the ledger's affair.
 */
#include "pg/watch.h"
#include "pg/ingest.h"
#include "pg/workers.h"

#include <sys/stat.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "common/hashfn.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define SHORTEST_PAUSE 1000		/* ms between two looks into the directory */
#define PAUSE_FACTOR 10			/* in units of how long a look takes, if that is more */
#define FIRST_RETRY 60			/* s until a file that failed is tried again; */
#define LAST_RETRY 3600			/* doubled up to this */
#define CHECK_PERIOD 500		/* ms between looks at whether the worker is in the way, while it reads a file */
#define GRACE 1000				/* ms within which a transaction that does not get to check() should come to its end */

/* What is known of a file. */
typedef struct watched
{
	uint64		path;			/* hash */
	int64		size;			/* as seen last */
	int64		modified;		/* ns */
	TimestampTz since;			/* when it was first seen so */
	TimestampTz retry;			/* of one that failed: not before; 0 = none did */
	int			failures;
	bool		done;
	uint32		look;			/* number of the last look that saw it */
} watched;

typedef struct watch
{
	jj_slot    *slot;
	jj_slot		own;
	jj_watch_row row;
	jj_ingest  *ingest;
	HTAB	   *files;
	uint32		look;
	MemoryContext context;		/* of the worker */
	MemoryContext look_context;
} watch;

PGDLLEXPORT void jj_watch_main(Datum main_arg);

static jj_slot *checked;
static TimestampTz next_check;

/* ---- transactions */

static void
begin(MemoryContext context)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
}

static void
finish(MemoryContext context)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/* Of jj_ingest. */
static void
commit(void)
{
	const MemoryContext context = CurrentMemoryContext;

	finish(context);
	(void) pgstat_report_stat(false);
	begin(context);
}

/* While a file is read: what has been committed of it stays, and is gone on with later. */
static void
check(void)
{
	TimestampTz now;

	if (jj_worker_should_end(checked))
		ereport(ERROR,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("the watch was stopped")));
	now = GetCurrentTimestamp();
	if (now < next_check)
		return;
	next_check = TimestampTzPlusMilliseconds(now, CHECK_PERIOD);
	if (jj_worker_is_in_the_way())
		ereport(ERROR,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("the database is locked")));
}

/* ---- begin */

/* The target as the row names it; if it has gone, the watch has come to its end. */
static Oid
find_target(watch *w)
{
	/* without a lock, for which it might have to wait */
	Oid			relid = RangeVarGetRelid(makeRangeVarFromNameList(jj_qualified_name(w->row.target)), NoLock, true);

	if (OidIsValid(relid))
		return relid;
	jj_worker_set_error(w->slot, psprintf("table %s has been dropped", w->row.target));
	jj_worker_set_done(w->slot);
	jj_watch_disable(w->row.name);
	ereport(LOG,
			(errmsg("watch \"%s\" ends, table %s has been dropped", w->row.name, w->row.target)));
	finish(w->context);
	proc_exit(0);
}

static void
start(watch *w)
{
	jj_ingest_order order = {.kind = "watch", .commit = commit, .check = check};
	HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(watched), .hcxt = w->context};

	jj_worker_guard_begin(w->slot, GRACE);
	begin(w->context);
	if (!OidIsValid(get_extension_oid("joyfuljay", true)) || !jj_watch_read(w->own.name, &w->row) || !w->row.enabled)
	{
		jj_worker_set_done(w->slot);
		proc_exit(0);
	}
	order.name = w->row.name;
	order.source = w->row.directory;
	order.filter = w->row.filter;
	order.commit_rows = w->row.commit_rows;
	jj_options_from_jsonb(&order.options, w->row.options);
	order.target = find_target(w);
	w->ingest = jj_ingest_begin(&order);
	finish(w->context);
	jj_worker_guard_end();
	w->look_context = AllocSetContextCreate(w->context, "joyfuljay directory", ALLOCSET_DEFAULT_SIZES);
	w->files = hash_create("joyfuljay watched files", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* ---- files */

/* Whether to ingest the file now. */
static bool
is_ready(watch *w, watched *f, const struct stat *st, bool found, TimestampTz now)
{
	const int64 modified = (int64) st->st_mtim.tv_sec * JJ_SECOND + st->st_mtim.tv_nsec;

	f->look = w->look;
	if (!found || f->size != st->st_size || f->modified != modified)
	{
		f->size = st->st_size;
		f->modified = modified;
		f->since = now;
		f->retry = 0;
		f->failures = 0;
		f->done = false;
	}
	return !f->done && now - f->since >= w->row.settle && now >= f->retry;
}

static void
note_outcome(watched *f, jj_outcome outcome)
{
	int			pause = FIRST_RETRY << Min(f->failures, 6);

	switch (outcome)
	{
		case JJ_INGESTED:
		case JJ_KNOWN:
		case JJ_DUPLICATE:
			f->done = true;
			break;
		case JJ_FAILED:
			f->failures++;
			f->retry = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), INT64CONST(1000) * Min(pause, LAST_RETRY));
			break;
		case JJ_BUSY:
		case JJ_CHANGED:
			f->since = GetCurrentTimestamp();
			break;
		case JJ_OUTCOMES:
			break;
	}
}

static void
ingest(watch *w, watched *f, const jj_source *source)
{
	jj_outcome	outcome;

	pgstat_report_activity(STATE_RUNNING, source->label);
	jj_worker_guard_begin(w->slot, GRACE);
	begin(w->context);
	outcome = jj_ingest_file(w->ingest, source);
	finish(w->look_context);
	jj_worker_guard_end();
	pgstat_report_activity(STATE_IDLE, NULL);
	(void) pgstat_report_stat(false);
	note_outcome(f, outcome);
}

/* Forget files that are not there any more. */
static void
forget_others(watch *w)
{
	HASH_SEQ_STATUS scan;
	watched    *f;

	hash_seq_init(&scan, w->files);
	while ((f = hash_seq_search(&scan)) != NULL)
		if (f->look != w->look)
			(void) hash_search(w->files, &f->path, HASH_REMOVE, NULL);
}

/* The captures in the directory, in look_context; false if it can't be read, which is no reason to end. */
static bool
list_captures(watch *w, List **sources)
{
	volatile bool good = true;

	begin(w->context);
	MemoryContextSwitchTo(w->look_context);
	PG_TRY();
	{
		*sources = jj_sources_in_tree(w->row.directory, w->row.pattern, w->row.recursive);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(w->look_context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION))
			PG_RE_THROW();
		FlushErrorState();
		AbortCurrentTransaction();
		jj_worker_set_error(w->slot, error->message);
		if (w->slot->state != JJ_WORKER_RETRYING)
			ereport(LOG,
					(errmsg("watch \"%s\": %s", w->row.name, error->message)));
		good = false;
	}
	PG_END_TRY();
	if (good)
		finish(w->look_context);
	jj_worker_set_state(w->slot, good ? JJ_WORKER_RUNNING : JJ_WORKER_RETRYING);
	return good;
}

static bool
should_go_on(const watch *w)
{
	CHECK_FOR_INTERRUPTS();
	return !jj_worker_should_end(w->slot);
}

static void
look(watch *w)
{
	List	   *sources = NIL;
	ListCell   *cell;

	w->look++;
	if (list_captures(w, &sources))
	{
		foreach(cell, sources)
		{
			const jj_source *source = lfirst(cell);
			const uint64 key = hash_bytes_extended((const unsigned char *) source->path, (int) strlen(source->path), 0);
			struct stat st;
			watched    *f;
			bool		found;

			if (!should_go_on(w))
				break;
			MemoryContextSwitchTo(w->look_context);
			/* if it has gone since, the next look does not see it */
			if (stat(source->path, &st) < 0)
				continue;
			f = hash_search(w->files, &key, HASH_ENTER, &found);
			if (is_ready(w, f, &st, found, GetCurrentTimestamp()))
				ingest(w, f, source);
		}
		if (should_go_on(w))
			forget_others(w);
	}
	MemoryContextSwitchTo(w->context);
	MemoryContextReset(w->look_context);
}

/* ---- the worker's life */

static bool
extension_is_gone(const watch *w)
{
	bool		gone;

	begin(w->context);
	gone = !OidIsValid(get_extension_oid("joyfuljay", true));
	finish(w->context);
	return gone;
}

/* The target has gone: the watch ends for good. Otherwise it goes on. */
static void
check_target(watch *w)
{
	begin(w->context);
	(void) find_target(w);
	finish(w->context);
}

static void
end(watch *w)
{
	jj_worker_set_state(w->slot, JJ_WORKER_STOPPING);
	jj_worker_guard_begin(w->slot, GRACE);
	begin(w->context);
	jj_ingest_end(w->ingest);
	finish(w->context);
	jj_worker_guard_end();
}

static void
run(watch *w)
{
	TimestampTz next_look = 0;

	while (should_go_on(w))
	{
		TimestampTz now = GetCurrentTimestamp();

		ResetLatch(MyLatch);
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		/* also between looks, which may be minutes apart */
		if (jj_worker_is_in_the_way())
			return;
		if (extension_is_gone(w))
		{
			jj_worker_set_done(w->slot);
			proc_exit(0);
		}
		check_target(w);
		if (now >= next_look)
		{
			long		took;

			look(w);
			took = TimestampDifferenceMilliseconds(now, GetCurrentTimestamp());
			next_look = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Max(SHORTEST_PAUSE, Min(took, 60000) * PAUSE_FACTOR));
			continue;
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Min(TimestampDifferenceMilliseconds(now, next_look) + 1, SHORTEST_PAUSE), PG_WAIT_EXTENSION);
	}
	end(w);
}

/* The worker ends; whether it was asked to, has nothing left to do, or is to be started again. */
static void
after_error(watch *w)
{
	ErrorData  *error;

	MemoryContextSwitchTo(TopMemoryContext);
	error = CopyErrorData();
	if (!jj_worker_should_end(w->slot))
	{
		jj_worker_set_error(w->slot, error->message);
		EmitErrorReport();
	}
	FlushErrorState();
	AbortCurrentTransaction();
	if (jj_worker_should_end(w->slot))
	{
		if (w->ingest != NULL)
			end(w);
		proc_exit(0);
	}
	if (extension_is_gone(w))
		jj_worker_set_done(w->slot);
	proc_exit(1);
}

void
jj_watch_main(Datum main_arg)
{
	watch	   *volatile w = MemoryContextAllocZero(TopMemoryContext, sizeof(watch));

	w->slot = jj_worker_attach(main_arg, &w->own);
	checked = w->slot;
	w->context = AllocSetContextCreate(TopMemoryContext, "joyfuljay watch", ALLOCSET_DEFAULT_SIZES);
	pgstat_report_appname("joyfuljay watch");
	/* rows and ledger are lost together */
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_OVERRIDE);
	PG_TRY();
	{
		start(w);
		jj_worker_set_state(w->slot, JJ_WORKER_RUNNING);
		run(w);
	}
	PG_CATCH();
	{
		after_error(w);
	}
	PG_END_TRY();
	proc_exit(0);
}
