/*
 * Slots of background workers in shared memory: requests of sessions, and what
 * every worker does at its start and end.
 */
#include "pg/workers.h"

#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

static const char *const state_name[] = {
	[JJ_WORKER_FREE] = "stopped",
	[JJ_WORKER_RESERVED] = "stopped",
	[JJ_WORKER_WANTED] = "starting",
	[JJ_WORKER_STARTING] = "starting",
	[JJ_WORKER_RUNNING] = "running",
	[JJ_WORKER_RETRYING] = "retrying",
	[JJ_WORKER_STOPPING] = "stopping",
	[JJ_WORKER_FAILED] = "failed",
	[JJ_WORKER_STOPPED] = "stopped",
};

static jj_workers *workers;

/* Slots reserved for this transaction. */
static int	reserved[JJ_SLOTS];
static int	n_reserved;

/* Of a worker's process. */
static jj_slot *my_slot;
static volatile sig_atomic_t got_sigterm;
static TimeoutId guard_timeout = MAX_TIMEOUTS;
static int	guard_grace;		/* ms */
static int	guard_passed;		/* ms since the worker should end */

#define GUARD_PERIOD 200		/* ms */

jj_workers *
jj_workers_get(void)
{
	bool		found;

	if (workers != NULL)
		return workers;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	workers = ShmemInitStruct("joyfuljay workers", sizeof(jj_workers), &found);
	if (!found)
	{
		memset(workers, 0, sizeof(*workers));
		workers->tranche = LWLockNewTrancheId();
		LWLockInitialize(&workers->lock, workers->tranche);
		for (int i = 0; i < JJ_SLOTS; i++)
			for (int k = 0; k < JJ_COUNTS; k++)
				pg_atomic_init_u64(&workers->slot[i].count[k], 0);
	}
	LWLockRelease(AddinShmemInitLock);
	LWLockRegisterTranche(workers->tranche, "joyfuljay workers");
	return workers;
}

const char *
jj_worker_state_name(jj_worker_state state)
{
	return state_name[state];
}

static void
change_state(jj_slot *s, jj_worker_state state)
{
	s->state = state;
	s->changed = GetCurrentTimestamp();
}

/* ---- rules for SQL functions */

const char *
jj_worker_kind_name(jj_worker_kind kind)
{
	return kind == JJ_WORKER_CAPTURE ? "capture" : "watch";
}

void
jj_worker_check_owner(jj_worker_kind kind, const char *name, const char *owner)
{
	Oid			role = get_role_oid(owner, true);

	if (superuser() || (OidIsValid(role) && has_privs_of_role(GetUserId(), role)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("must be owner of %s \"%s\"", jj_worker_kind_name(kind), name)));
}

void
jj_worker_check_login(jj_worker_kind kind, Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		login;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "role with OID %u does not exist", role);
	login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!login && jj_bypass_login_check == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("role \"%s\" is not permitted to log in", GetUserNameFromId(role, false)),
				 errdetail("The worker of a %s connects as the role that starts it.", jj_worker_kind_name(kind)),
				 errhint("Start the %s as another role, or use ALTER ROLE ... LOGIN.", jj_worker_kind_name(kind))));
}

void
jj_worker_say_how_long(jj_worker_kind kind, const char *name)
{
	if (!jj_launcher_is_preloaded())
		ereport(NOTICE,
				(errmsg("%s \"%s\" runs until the server is restarted", jj_worker_kind_name(kind), name),
				 errhint("Add joyfuljay to shared_preload_libraries, and the database to joyfuljay.databases, to have it back after a restart.")));
	else if (!jj_launcher_knows_database())
		ereport(NOTICE,
				(errmsg("%s \"%s\" runs until the server is restarted", jj_worker_kind_name(kind), name),
				 errhint("Add the database to joyfuljay.databases to have it back after a restart.")));
}

/* ---- requests of sessions */

/* The slot of a row in the current database, or NULL. Under the lock. */
static jj_slot *
find_slot(jj_worker_kind kind, const char *name)
{
	for (int i = 0; i < JJ_SLOTS; i++)
	{
		jj_slot    *s = &workers->slot[i];

		if (s->state != JJ_WORKER_FREE && s->kind == kind && s->database == MyDatabaseId && strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

/* A slot that nobody uses: a free one, or else the one whose worker has been stopped for longest. NULL: there is none. */
static jj_slot *
unused_slot(void)
{
	jj_slot    *stopped = NULL;

	for (int i = 0; i < JJ_SLOTS; i++)
	{
		jj_slot    *s = &workers->slot[i];

		if (s->state == JJ_WORKER_FREE)
			return s;
		if (s->state == JJ_WORKER_STOPPED && (stopped == NULL || s->changed < stopped->changed))
			stopped = s;
	}
	return stopped;
}

/* At the end of the transaction: what was reserved is wanted, or not. */
static void
transaction_ends(XactEvent event, void *arg pg_attribute_unused())
{
	bool		commit = event == XACT_EVENT_COMMIT;

	if (n_reserved == 0)
		return;
	if (event == XACT_EVENT_PRE_PREPARE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has started a capture or watch")));
	if (!commit && event != XACT_EVENT_ABORT)
		return;
	LWLockAcquire(&workers->lock, LW_EXCLUSIVE);
	for (int i = 0; i < n_reserved; i++)
	{
		jj_slot    *s = &workers->slot[reserved[i]];

		if (s->state != JJ_WORKER_RESERVED || s->pid != MyProcPid)
			continue;
		s->pid = 0;
		s->wanted = commit;
		s->next_start = 0;
		change_state(s, commit ? JJ_WORKER_WANTED : JJ_WORKER_FREE);
	}
	LWLockRelease(&workers->lock);
	n_reserved = 0;
	if (commit)
		jj_launcher_wake();
}

/* A backend that ends in a way that calls no transaction callback leaves no slot reserved. */
static bool
is_left_over(const jj_slot *s)
{
	return s->state == JJ_WORKER_RESERVED && s->pid != MyProcPid && BackendPidGetProc(s->pid) == NULL;
}

void
jj_worker_start(jj_worker_kind kind, const char *name, Oid role)
{
	static bool registered;
	jj_slot    *s;
	bool		active;

	jj_workers_get();
	jj_launcher_need();
	if (!registered)
	{
		RegisterXactCallback(transaction_ends, NULL);
		registered = true;
	}
	LWLockAcquire(&workers->lock, LW_EXCLUSIVE);
	s = find_slot(kind, name);
	active = s != NULL && s->state != JJ_WORKER_STOPPED && !is_left_over(s);
	if (s == NULL)
		s = unused_slot();
	if (s != NULL && !active)
	{
		s->kind = kind;
		s->database = MyDatabaseId;
		s->role = role;
		strlcpy(s->name, name, NAMEDATALEN);
		s->generation++;
		s->wanted = false;
		s->pid = MyProcPid;
		s->latch = NULL;
		s->failures = 0;
		s->restarts = 0;
		s->since = GetCurrentTimestamp();
		s->last_batch = s->oldest = s->last_error_time = 0;
		s->last_error[0] = s->how[0] = '\0';
		for (int k = 0; k < JJ_COUNTS; k++)
			pg_atomic_write_u64(&s->count[k], 0);
		change_state(s, JJ_WORKER_RESERVED);
		reserved[n_reserved++] = (int) (s - workers->slot);
	}
	LWLockRelease(&workers->lock);
	if (active)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("%s \"%s\" is already running", jj_worker_kind_name(kind), name)));
	if (s == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("there are already %d captures and watches on this server", JJ_SLOTS)));
}

bool
jj_worker_is_active(jj_worker_kind kind, const char *name)
{
	const jj_slot *s;
	bool		active;

	jj_workers_get();
	LWLockAcquire(&workers->lock, LW_SHARED);
	s = find_slot(kind, name);
	active = s != NULL && s->state != JJ_WORKER_STOPPED && !is_left_over(s);
	LWLockRelease(&workers->lock);
	return active;
}

/* Ask for the end; true if there is nothing to wait for. */
static bool
ask_to_end(jj_worker_kind kind, const char *name)
{
	jj_slot    *s;
	bool		ended = true;

	LWLockAcquire(&workers->lock, LW_EXCLUSIVE);
	s = find_slot(kind, name);
	if (s != NULL && s->state != JJ_WORKER_STOPPED && s->state != JJ_WORKER_FREE)
	{
		s->wanted = false;
		ended = s->state == JJ_WORKER_RESERVED || s->state == JJ_WORKER_WANTED || s->state == JJ_WORKER_FAILED;
		if (ended)
		{
			s->pid = 0;
			change_state(s, JJ_WORKER_STOPPED);
		}
		else if (s->latch != NULL)
			SetLatch(s->latch);
	}
	LWLockRelease(&workers->lock);
	return ended;
}

bool
jj_worker_stop(jj_worker_kind kind, const char *name, int seconds)
{
	TimestampTz limit = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), seconds * 1000);

	jj_workers_get();
	while (!ask_to_end(kind, name))
	{
		if (GetCurrentTimestamp() >= limit)
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 20, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return true;
}

/* ---- workers */

static void
handle_sigterm(SIGNAL_ARGS)
{
	int			saved = errno;

	got_sigterm = true;
	SetLatch(MyLatch);
	errno = saved;
}

bool
jj_worker_should_end(const jj_slot *slot)
{
	return got_sigterm || !((volatile const jj_slot *) slot)->wanted;
}

/* The process ends, in whichever way: the launcher looks after the rest. */
static void
leave_slot(int code pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	jj_slot    *s = my_slot;

	if (s == NULL)
		return;
	my_slot = NULL;
	LWLockAcquire(&workers->lock, LW_EXCLUSIVE);
	if (!OidIsValid(MyDatabaseId))
	{
		strlcpy(s->last_error, "the worker could not connect to the database, see the server's log", sizeof(s->last_error));
		s->last_error_time = GetCurrentTimestamp();
	}
	s->pid = 0;
	s->latch = NULL;
	change_state(s, s->wanted ? JJ_WORKER_FAILED : JJ_WORKER_STOPPED);
	LWLockRelease(&workers->lock);
	jj_launcher_wake();
}

jj_slot *
jj_worker_attach(Datum main_arg, jj_slot *own)
{
	int			number = DatumGetInt32(main_arg);
	jj_slot    *s;
	uint32		generation;

	memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
	jj_workers_get();
	s = &workers->slot[number];
	LWLockAcquire(&workers->lock, LW_EXCLUSIVE);
	if (s->state == JJ_WORKER_STARTING && s->generation == generation && s->pid == 0)
	{
		s->pid = MyProcPid;
		s->latch = MyLatch;
		memcpy(own, s, sizeof(*own));
		my_slot = s;
	}
	LWLockRelease(&workers->lock);
	if (my_slot == NULL)
		proc_exit(0);
	before_shmem_exit(leave_slot, (Datum) 0);
	pqsignal(SIGTERM, handle_sigterm);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGPIPE, SIG_IGN);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(own->database, own->role, jj_bypass_login_check);
	return s;
}

/* Called in a signal handler. */
static void
guard_rings(void)
{
	jj_timeout_again(guard_timeout, GUARD_PERIOD);
	if (my_slot == NULL || !jj_worker_should_end(my_slot))
		return;
	guard_passed += GUARD_PERIOD;
	if (guard_passed >= guard_grace)
	{
		InterruptPending = true;
		ProcDiePending = true;
		SetLatch(MyLatch);
	}
}

void
jj_worker_guard_begin(jj_slot *slot pg_attribute_unused(), int grace_ms)
{
	if (guard_timeout == MAX_TIMEOUTS)
		guard_timeout = RegisterTimeout(USER_TIMEOUT, guard_rings);
	guard_grace = grace_ms;
	guard_passed = 0;
	jj_enable_timeout_every(guard_timeout, GUARD_PERIOD);
}

void
jj_worker_guard_end(void)
{
	if (guard_timeout != MAX_TIMEOUTS)
		disable_timeout(guard_timeout, false);
}

bool
jj_database_is_locked(Oid database)
{
	LOCKTAG		tag;

	/* the lock that a session takes when it connects */
	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database, 0);
	if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, RowExclusiveLock, true);
	return false;
}

bool
jj_worker_is_in_the_way(void)
{
	return jj_database_is_locked(MyDatabaseId);
}

void
jj_worker_set_state(jj_slot *slot, jj_worker_state state)
{
	if (slot->state == state)
		return;
	LWLockAcquire(&workers->lock, LW_EXCLUSIVE);
	change_state(slot, state);
	LWLockRelease(&workers->lock);
}

void
jj_worker_set_error(jj_slot *slot, const char *text)
{
	char	   *utf8 = jj_to_utf8(text);
	size_t		size = strlen(utf8);

	/* cut between characters */
	if (size >= JJ_WORKER_MESSAGE)
		for (size = JJ_WORKER_MESSAGE - 1; size > 0 && ((unsigned char) utf8[size] & 0xc0) == 0x80;)
			size--;
	LWLockAcquire(&workers->lock, LW_EXCLUSIVE);
	memcpy(slot->last_error, utf8, size);
	slot->last_error[size] = '\0';
	slot->last_error_time = GetCurrentTimestamp();
	LWLockRelease(&workers->lock);
	pfree(utf8);
}

void
jj_worker_set_done(jj_slot *slot)
{
	LWLockAcquire(&workers->lock, LW_EXCLUSIVE);
	slot->wanted = false;
	LWLockRelease(&workers->lock);
}
