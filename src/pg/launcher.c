/*
 * The launcher: a background worker that starts the workers of captures and
 * watches, and starts them again, less and less often, when they fail.
 *
 * It is connected to no database, so it is in nobody's way. Which captures and
 * watches are enabled is read by a short-lived worker in each database:
 *  - with the library in shared_preload_libraries, at the server's start (on a
 *    standby, at its promotion) in the databases of joyfuljay.databases;
 *  - otherwise the launcher is started by the first session that needs it, and
 *    reads only when it finds that the server has restarted after a crash:
 *    what was started since the postmaster's start goes on.
 */
#include "pg/workers.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#define LONGEST_PAUSE 60000		/* ms between starts of a worker that fails */
#define LASTING 60000			/* ms after which a worker that fails has run well before */
#define LOOK_AGAIN 1000			/* ms, while something waits */
#define START_LIMIT 30000		/* ms within which a registered worker should have begun */

static const struct
{
	const char *name;
	const char *function;
	const char *table;
}			kinds[] = {
	[JJ_WORKER_CAPTURE] = {"capture", "jj_capture_main", "joyfuljay.capture"},
	[JJ_WORKER_WATCH] = {"watch", "jj_watch_main", "joyfuljay.watch"},
};

static char *databases;			/* setting joyfuljay.databases */
static bool preloaded;
static BackgroundWorkerHandle *handle[JJ_SLOTS];

PGDLLEXPORT void jj_launcher_main(Datum main_arg);
PGDLLEXPORT void jj_resume_main(Datum main_arg);

#if PG_VERSION_NUM >= 150000
static shmem_request_hook_type next_shmem_request;

static void
request_shmem(void)
{
	if (next_shmem_request != NULL)
		next_shmem_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(jj_workers)));
}
#endif

/* ---- registration */

static void
describe_launcher(BackgroundWorker *w)
{
	memset(w, 0, sizeof(*w));
	strlcpy(w->bgw_name, "joyfuljay launcher", BGW_MAXLEN);
	strlcpy(w->bgw_type, "joyfuljay launcher", BGW_MAXLEN);
	w->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	w->bgw_start_time = BgWorkerStart_RecoveryFinished;
	w->bgw_restart_time = 1;
	strlcpy(w->bgw_library_name, "joyfuljay", sizeof(w->bgw_library_name));
	strlcpy(w->bgw_function_name, "jj_launcher_main", BGW_MAXLEN);
	w->bgw_main_arg = BoolGetDatum(preloaded);
}

static bool
check_databases(char **value, void **extra pg_attribute_unused(), GucSource source pg_attribute_unused())
{
	char	   *copy = pstrdup(*value);
	List	   *names;
	bool		good = SplitIdentifierString(copy, ',', &names);

	if (!good)
		GUC_check_errdetail("List syntax is invalid.");
	list_free(names);
	pfree(copy);
	return good;
}

void
jj_launcher_init(void)
{
	DefineCustomStringVariable("joyfuljay.databases", "Databases whose enabled captures and watches are started with the server.",
							   "Works with joyfuljay in shared_preload_libraries.", &databases, "",
							   PGC_SIGHUP, GUC_LIST_INPUT, check_databases, NULL, NULL);
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	preloaded = true;
#if PG_VERSION_NUM >= 150000
	next_shmem_request = shmem_request_hook;
	shmem_request_hook = request_shmem;
#else
	RequestAddinShmemSpace(MAXALIGN(sizeof(jj_workers)));
#endif
	{
		BackgroundWorker w;

		describe_launcher(&w);
		RegisterBackgroundWorker(&w);
	}
}

bool
jj_launcher_is_preloaded(void)
{
	return preloaded;
}

/* The names in joyfuljay.databases, palloc'd. */
static List *
listed_databases(void)
{
	List	   *names = NIL;

	(void) SplitIdentifierString(pstrdup(databases), ',', &names);
	return names;
}

bool
jj_launcher_knows_database(void)
{
	const char *own = get_database_name(MyDatabaseId);
	ListCell   *cell;

	if (!preloaded || own == NULL)
		return false;
	foreach(cell, listed_databases())
		if (strcmp(lfirst(cell), own) == 0)
			return true;
	return false;
}

void
jj_launcher_need(void)
{
	jj_workers *w = jj_workers_get();
	BackgroundWorker worker;
	BackgroundWorkerHandle *unused;
	bool		needed;

	if (preloaded)
		return;
	LWLockAcquire(&w->lock, LW_EXCLUSIVE);
	needed = !w->asked;
	w->asked = true;
	LWLockRelease(&w->lock);
	if (!needed)
		return;
	describe_launcher(&worker);
	if (RegisterDynamicBackgroundWorker(&worker, &unused))
		return;
	LWLockAcquire(&w->lock, LW_EXCLUSIVE);
	w->asked = false;
	LWLockRelease(&w->lock);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("could not start the launcher of captures"),
			 errhint("You may need to increase max_worker_processes.")));
}

void
jj_launcher_wake(void)
{
	jj_workers *w = jj_workers_get();
	Latch	   *latch = ((volatile jj_workers *) w)->launcher_latch;

	if (latch != NULL)
		SetLatch(latch);
}

/* ---- looking into shared catalogs */

static bool
database_exists(Oid database)
{
	return SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database));
}

/*
 * OIDs of the databases that one can connect to: of all, or of those in a list
 * of names. The names that are found are removed from the list. Scans the
 * table as it lies: without a database there are no system caches by name.
 */
static List *
find_databases(List **names)
{
	List	   *found = NIL;
	Relation	r = table_open(DatabaseRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(r, 0, NULL);
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database d = (Form_pg_database) GETSTRUCT(tuple);
		ListCell   *cell;

		if (!d->datallowconn)
			continue;
		if (names == NULL)
		{
			if (!d->datistemplate)
				found = lappend_oid(found, d->oid);
			continue;
		}
		foreach(cell, *names)
		{
			if (strcmp(lfirst(cell), NameStr(d->datname)) != 0)
				continue;
			found = lappend_oid(found, d->oid);
			*names = foreach_delete_current(*names, cell);
		}
	}
	table_endscan(scan);
	table_close(r, AccessShareLock);
	return found;
}

/* ---- what is enabled in a database */

/* Have a worker read it. */
static void
start_reading(Oid database, bool all)
{
	BackgroundWorker w;
	BackgroundWorkerHandle *unused;

	memset(&w, 0, sizeof(w));
	strlcpy(w.bgw_name, "joyfuljay resume", BGW_MAXLEN);
	strlcpy(w.bgw_type, "joyfuljay resume", BGW_MAXLEN);
	w.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	w.bgw_start_time = BgWorkerStart_RecoveryFinished;
	w.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(w.bgw_library_name, "joyfuljay", sizeof(w.bgw_library_name));
	strlcpy(w.bgw_function_name, "jj_resume_main", BGW_MAXLEN);
	w.bgw_main_arg = ObjectIdGetDatum(database);
	memcpy(w.bgw_extra, &all, sizeof(all));
	w.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&w, &unused))
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not look for captures and watches in database with OID %u", database),
				 errhint("You may need to increase max_worker_processes.")));
}

static void
read_databases(bool listed)
{
	List	   *names = NIL;
	ListCell   *cell;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	if (listed)
		names = listed_databases();
	foreach(cell, find_databases(listed ? &names : NULL))
		start_reading(lfirst_oid(cell), listed);
	foreach(cell, names)
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_DATABASE),
				 errmsg("there is no database \"%s\" to connect to, which is in setting \"joyfuljay.databases\"", (char *) lfirst(cell))));
	CommitTransactionCommand();
}

/* Start what the rows of a table say. */
static void
resume_kind(jj_worker_kind kind, bool all)
{
	char	   *sql;

	if (SPI_execute(psprintf("SELECT 1 FROM pg_catalog.pg_class WHERE oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass('%s')", kinds[kind].table), true, 1) != SPI_OK_SELECT
		|| SPI_processed == 0)
		return;
	sql = psprintf("SELECT name, owner, started FROM %s WHERE enabled ORDER BY name", kinds[kind].table);
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read table %s", kinds[kind].table);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		null;
		char	   *name = SPI_getvalue(tuple, SPI_tuptable->tupdesc, 1);
		char	   *owner = SPI_getvalue(tuple, SPI_tuptable->tupdesc, 2);
		Datum		started = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &null);
		Oid			role = get_role_oid(owner, true);

		if (!all && (null || DatumGetTimestampTz(started) < PgStartTime))
			continue;
		if (!OidIsValid(role))
			ereport(WARNING,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("%s \"%s\" is not started, its owner \"%s\" does not exist", kinds[kind].name, name, owner)));
		else if (!jj_worker_is_active(kind, name))
			jj_worker_start(kind, name, role);
	}
}

void
jj_resume_main(Datum main_arg)
{
	bool		all;

	memcpy(&all, MyBgworkerEntry->bgw_extra, sizeof(all));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(main_arg), InvalidOid, 0);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	for (int kind = 0; kind < JJ_WORKER_KINDS; kind++)
		resume_kind((jj_worker_kind) kind, all);
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	proc_exit(0);
}

/* ---- slots */

/* Register the worker of a slot, whose state is STARTING by now. False if the server can't. */
static bool
register_worker(int number, const jj_slot *s)
{
	BackgroundWorker w;
	MemoryContext old;
	bool		good;

	memset(&w, 0, sizeof(w));
	snprintf(w.bgw_name, BGW_MAXLEN, "joyfuljay %s %s", kinds[s->kind].name, s->name);
	snprintf(w.bgw_type, BGW_MAXLEN, "joyfuljay %s", kinds[s->kind].name);
	w.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	w.bgw_start_time = BgWorkerStart_RecoveryFinished;
	w.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(w.bgw_library_name, "joyfuljay", sizeof(w.bgw_library_name));
	strlcpy(w.bgw_function_name, kinds[s->kind].function, BGW_MAXLEN);
	w.bgw_main_arg = Int32GetDatum(number);
	memcpy(w.bgw_extra, &s->generation, sizeof(s->generation));
	w.bgw_notify_pid = MyProcPid;
	if (handle[number] != NULL)
		pfree(handle[number]);
	handle[number] = NULL;
	old = MemoryContextSwitchTo(TopMemoryContext);
	good = RegisterDynamicBackgroundWorker(&w, &handle[number]);
	MemoryContextSwitchTo(old);
	return good;
}

static void
set_error(jj_slot *s, const char *text)
{
	strlcpy(s->last_error, text, sizeof(s->last_error));
	s->last_error_time = GetCurrentTimestamp();
}

/* A worker has failed: wait, then start it again. Under the lock. */
static void
plan_restart(jj_slot *s, TimestampTz now)
{
	int			pause;

	if (now - s->changed > 0 && s->failures > 0 && TimestampDifferenceExceeds(s->next_start, s->changed, LASTING))
		s->failures = 0;
	pause = s->failures < 6 ? 1000 << s->failures : LONGEST_PAUSE;
	s->failures++;
	s->restarts++;
	s->state = JJ_WORKER_WANTED;
	s->changed = now;
	s->next_start = TimestampTzPlusMilliseconds(now, pause);
}

/* Go through the slots. Returns ms until the next look, -1: until something happens. */
static long
look_after(jj_workers *w)
{
	TimestampTz now = GetCurrentTimestamp();
	long		next = -1;

	for (int i = 0; i < JJ_SLOTS; i++)
	{
		jj_slot    *s = &w->slot[i];
		jj_slot		copy;
		bool		exists;
		pid_t		pid;

		LWLockAcquire(&w->lock, LW_EXCLUSIVE);
		if (s->state == JJ_WORKER_STARTING && s->pid == 0
			&& ((handle[i] != NULL && GetBackgroundWorkerPid(handle[i], &pid) == BGWH_STOPPED)
				|| TimestampDifferenceExceeds(s->changed, now, START_LIMIT)))
		{
			set_error(s, "the worker could not be started, see the server's log");
			s->state = JJ_WORKER_FAILED;
		}
		if (s->state == JJ_WORKER_STARTING && s->pid == 0)
			next = LOOK_AGAIN;
		memcpy(&copy, s, sizeof(copy));
		LWLockRelease(&w->lock);
		if (copy.state != JJ_WORKER_FAILED && copy.state != JJ_WORKER_WANTED)
			continue;

		StartTransactionCommand();
		exists = database_exists(copy.database);
		if (exists && !SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(copy.role)))
		{
			ereport(LOG,
					(errmsg("%s \"%s\" is not started again, its owner does not exist any more", kinds[copy.kind].name, copy.name)));
			LWLockAcquire(&w->lock, LW_EXCLUSIVE);
			set_error(s, "the owner does not exist any more");
			s->state = JJ_WORKER_STOPPED;
			LWLockRelease(&w->lock);
			CommitTransactionCommand();
			continue;
		}
		CommitTransactionCommand();

		LWLockAcquire(&w->lock, LW_EXCLUSIVE);
		if (s->generation != copy.generation || s->state != copy.state)
			next = 0;
		else if (!exists)
			s->state = JJ_WORKER_FREE;
		else if (!s->wanted)
			s->state = JJ_WORKER_STOPPED;
		else if (s->state == JJ_WORKER_FAILED)
		{
			plan_restart(s, now);
			next = next < 0 || next > LOOK_AGAIN ? LOOK_AGAIN : next;
		}
		else if (s->next_start > now || jj_database_is_locked(s->database))
			next = next < 0 || next > LOOK_AGAIN ? LOOK_AGAIN : next;
		else
		{
			s->state = JJ_WORKER_STARTING;
			s->changed = s->next_start = now;
			next = next < 0 || next > LOOK_AGAIN ? LOOK_AGAIN : next;
			memcpy(&copy, s, sizeof(copy));
			LWLockRelease(&w->lock);
			if (!register_worker(i, &copy))
			{
				LWLockAcquire(&w->lock, LW_EXCLUSIVE);
				if (s->generation == copy.generation && s->state == JJ_WORKER_STARTING && s->pid == 0)
				{
					set_error(s, "there is no free background worker, max_worker_processes is too low");
					plan_restart(s, now);
				}
				LWLockRelease(&w->lock);
			}
			continue;
		}
		LWLockRelease(&w->lock);
	}
	return next;
}

static void
forget_launcher(int code pg_attribute_unused(), Datum arg)
{
	jj_workers *w = (jj_workers *) DatumGetPointer(arg);

	LWLockAcquire(&w->lock, LW_EXCLUSIVE);
	if (w->launcher == MyProcPid)
	{
		w->launcher = 0;
		w->launcher_latch = NULL;
	}
	LWLockRelease(&w->lock);
}

void
jj_launcher_main(Datum main_arg)
{
	jj_workers *w = jj_workers_get();
	bool		from_start = DatumGetBool(main_arg);
	bool		other;
	bool		asked;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	LWLockAcquire(&w->lock, LW_EXCLUSIVE);
	other = w->launcher != 0;
	asked = w->asked;
	w->asked = true;
	if (!other)
	{
		w->launcher = MyProcPid;
		w->launcher_latch = MyLatch;
	}
	LWLockRelease(&w->lock);
	if (other)
		proc_exit(0);
	before_shmem_exit(forget_launcher, PointerGetDatum(w));
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	if (!asked)
		read_databases(from_start);
	while (!ShutdownRequestPending)
	{
		long		pause;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		pause = look_after(w);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (pause >= 0 ? WL_TIMEOUT : 0), pause, PG_WAIT_EXTENSION);
	}
	/* 1: unless the server is shut down, it is started again */
	proc_exit(1);
}
