/*
 * Finished flows into a table: straight into a plain one (bulk.c), in which an
 * INSERT would do no more than write its rows, into any other by
 *
 *     INSERT INTO target (columns) SELECT columns FROM joyfuljay.finished_flows()
 *
 * through SPI, so that triggers, partitions, constraints, row security,
 * generated and identity columns work as for any INSERT. The function, planned
 * as a custom scan (insert_scan.c), pulls its rows one by one from the caller's
 * jj_row_source; nothing is kept beyond the row that is being inserted.
 *
 *     target = jj_target_open(relid);
 *     writer = jj_writer_begin(target);
 *     for each transaction
 *         rows = jj_writer_write(writer, &source, run);    -- until source.next gives NULL
 *     jj_writer_end(writer);
 */
#ifndef JJ_INSERT_H
#define JJ_INSERT_H

#include "pg/pg.h"
#include "pg/target.h"

/* The form of a plain table's rows, all bytes of it set: equal ones are equal in memory. */
typedef struct jj_shape
{
	int			natts;
	int			run;			/* attribute that gets the run's number, from 0; -1 = none */
	int			column[JJ_FEATURES];	/* attribute of a column, from 0; -1 = none */
	char		storage[MaxTupleAttributeNumber];	/* of each attribute */
} jj_shape;

/* Put it first into a struct of your own. */
typedef struct jj_row_source
{
	/*
	 * The next row, or NULL: this statement gets no more. The row is valid until
	 * the next call. Must check for interrupts. Is called in a short-lived memory
	 * context. It may raise errors, which end the INSERT.
	 */
	const jj_row *(*next) (struct jj_row_source *source);

	/* If tuples of this shape, run's number included, come more easily than rows: next_tuple gives them, palloc'd, and next is not called. Or NULL. */
	const jj_shape *shape;
	HeapTuple	(*next_tuple) (struct jj_row_source *source);
} jj_row_source;

typedef struct jj_writer jj_writer;

/*
 * Prepare the INSERT; needs a transaction. The writer lives in the current memory
 * context, beyond transactions, until jj_writer_end; if it is not called, as
 * after an error, when that memory context ends. It depends on the names of the
 * table and its columns: open another when these may have changed.
 */
extern jj_writer *jj_writer_begin(const jj_target *target);

/*
 * Insert what the source gives, as the current user; needs a transaction. SPI
 * need not be connected. Column run, if there is one, gets the number. Returns the
 * number of rows inserted, which triggers may have made smaller than the number
 * of rows given. Errors are those of INSERT and of the source; after one the
 * writer can be used again, in the next transaction or behind the rolled back
 * subtransaction.
 */
extern uint64 jj_writer_write(jj_writer *writer, jj_row_source *source, int64 run);

extern void jj_writer_end(jj_writer *writer);

/*
 * The shape of the rows that jj_writer_write would write straight into the
 * table, as it is now; false if it would execute an INSERT. As long as the table
 * is locked and the user's rights stay, this doesn't change.
 */
extern bool jj_writer_shape(const jj_target *target, jj_shape *shape);

/* The row type of a shape, palloc'd, and the plan of its rows. Needs a transaction. */
extern jj_row_plan *jj_shape_plan(const jj_shape *shape);

/* ---- between insert.c, bulk.c and insert_scan.c */

/*
 * Write what the source gives without an INSERT, if that makes no difference:
 * a heap without triggers, rules and row security in force for the current user,
 * who may insert into all of it, not a partition, whose columns are the
 * target's. *rows is how many there were. Otherwise false, and nothing is done.
 */
extern bool jj_bulk_write(const jj_target *target, jj_row_source *source, int64 run, uint64 *rows);

/* The source of the INSERT that is about to run; NULL if there is none, or if it was taken already. */
extern jj_row_source *jj_writer_take_source(void);

extern void jj_insert_scan_init(void);

#endif
