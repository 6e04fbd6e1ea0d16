/*
 * Watched directories: a background worker for each (watch_worker.c), the
 * table joyfuljay.watch and the SQL functions (watch.c).
 */
#ifndef JJ_WATCH_H
#define JJ_WATCH_H

#include "pg/pg.h"

/* A row of joyfuljay.watch; see the comments on its columns. */
typedef struct jj_watch_row
{
	char	   *name;
	char	   *directory;
	char	   *target;
	char	   *pattern;		/* or NULL */
	bool		recursive;
	char	   *filter;			/* or NULL */
	Jsonb	   *options;
	int64		settle;			/* us */
	int64		commit_rows;
	bool		enabled;
	char	   *owner;
} jj_watch_row;

/* Read the row, palloc'd; false if there is none. Needs a transaction. */
extern bool jj_watch_read(const char *name, jj_watch_row *row);

/* It is not to run any more. Needs a transaction. */
extern void jj_watch_disable(const char *name);

#endif
