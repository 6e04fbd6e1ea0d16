/*
 * Background workers that belong to a row of a table: one for each running
 * capture (joyfuljay.capture) or watch (joyfuljay.watch).
 *
 * The launcher (launcher.c) starts them, and starts them again when they fail.
 * Each has a slot in shared memory, in which it counts and which says how it
 * is. The slot outlives the worker, so that counts can be seen after its end.
 */
#ifndef JJ_WORKERS_H
#define JJ_WORKERS_H

#include "pg/pg.h"

#include "flow/flow.h"

#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#define JJ_SLOTS 32				/* workers of a server, those that have ended lately included */
#define JJ_WORKER_MESSAGE 256

typedef enum jj_worker_kind
{
	JJ_WORKER_CAPTURE,
	JJ_WORKER_WATCH,
	JJ_WORKER_KINDS
} jj_worker_kind;

typedef enum jj_worker_state
{
	JJ_WORKER_FREE,				/* the slot is nobody's */
	JJ_WORKER_RESERVED,			/* for a transaction that has not committed yet */
	JJ_WORKER_WANTED,			/* to be started, at next_start */
	JJ_WORKER_STARTING,			/* registered with the postmaster */
	JJ_WORKER_RUNNING,
	JJ_WORKER_RETRYING,			/* running, but what it waits for is not there: see last_error */
	JJ_WORKER_STOPPING,			/* running its last statements */
	JJ_WORKER_FAILED,			/* ended by an error; the launcher decides what next */
	JJ_WORKER_STOPPED			/* not to be started again */
} jj_worker_state;

/* Counts of a worker; only captures have them. */
typedef enum jj_count
{
	JJ_COUNT_PACKETS,			/* taken from the interface */
	JJ_COUNT_BYTES,				/* their lengths on the wire */
	JJ_COUNT_NO_FLOW,			/* of the packets those that gave no flow */
	JJ_COUNT_KERNEL_DROPS,		/* packets */
	JJ_COUNT_INTERFACE_DROPS,	/* packets */
	JJ_COUNT_ACTIVE_FLOWS,		/* open now */
	JJ_COUNT_MEMORY,			/* bytes held by flows, now */
	JJ_COUNT_ROWS,				/* written and committed */
	JJ_COUNT_QUEUE_ROWS,		/* waiting now */
	JJ_COUNT_QUEUE_BYTES,		/* of those */
	JJ_COUNT_QUEUE_DROPS,		/* rows for which the queue had no room, or that were left at the end */
	JJ_COUNT_REJECTED,			/* rows that the target refused */
	JJ_COUNT_SAVED,				/* packets saved to files */
	JJ_COUNT_SAVE_DROPS,		/* packets that could not be saved */
	JJ_COUNT_GAPS,				/* times that the source was lost and opened again */
	JJ_COUNT_ENDS,				/* flows by end reason, in the order of jj_end_reason */
	JJ_COUNTS = JJ_COUNT_ENDS + JJ_END_REASONS
} jj_count;

typedef struct jj_slot
{
	/* under jj_workers.lock */
	jj_worker_state state;
	jj_worker_kind kind;
	Oid			database;
	Oid			role;			/* whose rights the worker has */
	char		name[NAMEDATALEN];
	uint32		generation;		/* another one after each start that was asked for */
	bool		wanted;			/* false: end soon */
	pid_t		pid;			/* of the worker, 0 = none; of the backend while reserved */
	Latch	   *latch;			/* of the worker; NULL without one */
	int			failures;		/* one after the other */
	int64		restarts;
	TimestampTz next_start;
	TimestampTz changed;		/* when the state changed last */
	TimestampTz since;			/* start of what the counts count */
	TimestampTz last_batch;		/* 0 = none */
	TimestampTz oldest;			/* when the oldest row in the queue came, 0 = the queue is empty */
	TimestampTz last_error_time;
	char		last_error[JJ_WORKER_MESSAGE];	/* in UTF-8: databases differ in their encodings; empty if none */
	char		how[32];		/* how the source is read: worker or sensor */

	/* written by the worker alone, read by anyone */
	pg_atomic_uint64 count[JJ_COUNTS];
} jj_slot;

typedef struct jj_workers
{
	LWLock		lock;
	int			tranche;
	bool		asked;			/* a launcher has been asked for in a session, since shared memory was made */
	pid_t		launcher;		/* 0 = none */
	Latch	   *launcher_latch;
	jj_slot		slot[JJ_SLOTS];
} jj_workers;

/* The shared memory, made by whoever asks first. Error if there is no room for it. */
extern jj_workers *jj_workers_get(void);

/* Whether the launcher runs from the server's start (shared_preload_libraries), and whether it looks into the current database then. */
extern bool jj_launcher_is_preloaded(void);
extern bool jj_launcher_knows_database(void);

/* ---- for SQL functions */

/* "capture" or "watch". */
extern const char *jj_worker_kind_name(jj_worker_kind kind);

/* Errors: the current user is no member of the role of that name; a worker can't connect as the role, since it may not log in. */
extern void jj_worker_check_owner(jj_worker_kind kind, const char *name, const char *owner);
extern void jj_worker_check_login(jj_worker_kind kind, Oid role);

/* A NOTICE if what was started will not come back by itself after a restart of the server. */
extern void jj_worker_say_how_long(jj_worker_kind kind, const char *name);

/*
 * Start the worker of a row when the transaction commits, with the rights of
 * the role. Error if it runs already, or no more can.
 */
extern void jj_worker_start(jj_worker_kind kind, const char *name, Oid role);

/*
 * Ask a worker to end, and wait up to seconds for that. False if it is still
 * at it. Takes effect at once, not at commit. Also ends a start that the
 * transaction has asked for.
 */
extern bool jj_worker_stop(jj_worker_kind kind, const char *name, int seconds);

/* Whether the worker of a row runs or will be started. */
extern bool jj_worker_is_active(jj_worker_kind kind, const char *name);

extern const char *jj_worker_state_name(jj_worker_state state);

/* ---- for workers */

/*
 * At the start of a worker's main function: connect to the slot's database as
 * its role, and return the slot, a copy of whose fixed part is in *own. Ends
 * the process if the slot is not meant for it. SIGTERM from then on only sets
 * what jj_worker_should_end asks. The state stays STARTING until the worker
 * sets another one.
 */
extern jj_slot *jj_worker_attach(Datum main_arg, jj_slot *own);

/* Whether to end soon: SIGTERM, or it is no longer wanted. */
extern bool jj_worker_should_end(const jj_slot *slot);

/*
 * Between these two, a statement runs that may take long: if the worker should
 * end and that is not done grace_ms later, the transaction is aborted and the
 * process ends.
 */
extern void jj_worker_guard_begin(jj_slot *slot, int grace_ms);
extern void jj_worker_guard_end(void);

/* Whether somebody wants to drop, rename, move or copy the database, for which nobody may be connected to it. */
extern bool jj_worker_is_in_the_way(void);

extern void jj_worker_set_state(jj_slot *slot, jj_worker_state state);

/* Note what went wrong (text in the server's encoding); NULL: nothing is wrong any more, the last error stays to be seen. */
extern void jj_worker_set_error(jj_slot *slot, const char *text);

/* It has done what it was for: don't start it again. */
extern void jj_worker_set_done(jj_slot *slot);

static inline void
jj_worker_count(jj_slot *slot, int count, uint64 value)
{
	pg_atomic_write_u64(&slot->count[count], value);
}

static inline uint64
jj_worker_counted(jj_slot *slot, int count)
{
	return pg_atomic_read_u64(&slot->count[count]);
}

/* Whether somebody's database is locked for being dropped, renamed, moved or copied. */
extern bool jj_database_is_locked(Oid database);

/* ---- launcher.c */

/* Its settings and, if the library is preloaded, itself; for _PG_init, before jj_settings_init. */
extern void jj_launcher_init(void);

/* See that there is a launcher. Error if none can be started. */
extern void jj_launcher_need(void);
extern void jj_launcher_wake(void);

#endif
