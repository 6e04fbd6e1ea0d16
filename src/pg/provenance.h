/*
 * Runs: what wrote flows to a table, with which settings; and how the library
 * writes to the extension's tables, which no role may write to.
 */
#ifndef JJ_PROVENANCE_H
#define JJ_PROVENANCE_H

#include "pg/pg.h"

/* What the table joyfuljay.run says of a run, beside times, versions and the current user. */
typedef struct jj_run
{
	const char *kind;			/* ingest, watch or capture */
	const char *name;			/* of the watch or capture, or NULL */
	const char *source;			/* path, pattern or interface, in the server's encoding, without passwords */
	const char *filter;			/* or NULL */
	Jsonb	   *options;		/* all in force */
	const char *target;			/* with schema, quoted where needed */
} jj_run;

/*
 * Record that a run begins, as the current user's, and return its number. Needs
 * a transaction, and is part of it: the caller commits. Errors of SQL.
 */
extern int64 jj_run_begin(const jj_run *run);

/* Record that it has ended; the same transaction rules. Does nothing to a run that has ended. */
extern void jj_run_finish(int64 run);

/*
 * Between these two, statements run with the rights of the owner of the
 * extension's tables and search_path = pg_catalog, pg_temp. Only fixed
 * statements with parameters may be executed there. An error in between
 * restores both, by the abort of the (sub)transaction.
 */
typedef struct jj_owner
{
	Oid			user;
	int			context;
	int			guc_level;
} jj_owner;

extern void jj_owner_begin(jj_owner *saved);
extern void jj_owner_end(const jj_owner *saved);

/*
 * Execute one statement of that kind, with n parameters ($1 to $n). False if it
 * gives no row; otherwise the columns of its first row, which are all bigint, go
 * to result, 0 for NULL. SPI need not be connected.
 */
extern bool jj_owner_query(const char *sql, int n, const Oid *types, const Datum *values, const bool *nulls, int columns, int64 *result);

#endif
