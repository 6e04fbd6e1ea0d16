/*
 * Tables that flows are written to.
 */
#ifndef JJ_TARGET_H
#define JJ_TARGET_H

#include "pg/pg.h"

/*
 * A table's columns that flows go into: those with the name of a column of
 * jj_flow, unless they are generated. A column "run" takes the run's number.
 * Other columns get their defaults.
 */
typedef struct jj_target
{
	Oid			relid;
	char	   *name;			/* with schema, quoted where needed */
	int			n;				/* columns, without run */
	char	  **column;			/* names of these, not quoted, in the table's order */
	int		   *feature;		/* which jj_feature each is */
	bool		has_run;
	jj_feature_set features;	/* all of them: what jj_options.features should be reduced to */
} jj_target;

/*
 * Look at the table, palloc'd; it is locked (ROW EXCLUSIVE) until the end of the
 * transaction. Errors: there is no such table, or it is of a kind that takes no
 * INSERT; the current user may not insert into one of the columns; it has no
 * column of jj_flow; a column's type takes no value of jj_flow's type; a column
 * that must not be NULL gets no value.
 */
extern jj_target *jj_target_open(Oid relid);

/* Reduce the columns to compute to those that the table has; those that say which flow a row is are computed in any case. */
extern void jj_target_limit(const jj_target *target, jj_options *options);

#endif
