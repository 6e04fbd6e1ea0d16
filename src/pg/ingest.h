/*
 * Captures into a table, each once, by the ledger: what jj_ingest and the
 * watches share.
 */
#ifndef JJ_INGEST_H
#define JJ_INGEST_H

#include "pg/pg.h"

typedef struct jj_ingest_order
{
	const char *kind;			/* of the run: ingest or watch */
	const char *name;			/* of the watch, or NULL */
	const char *source;			/* of the run: as the user gave it */
	Oid			target;
	const char *filter;			/* or NULL */
	jj_call_options options;
	int64		commit_rows;	/* flows of a transaction, 0 = no limit */

	/* Commit, and begin the next transaction. Memory contexts of the ingest must survive it. */
	void		(*commit) (void);

	/* Called again and again while a capture is read, may raise an error of class 57; or NULL. */
	void		(*check) (void);
} jj_ingest_order;

typedef enum jj_outcome
{
	JJ_INGESTED,
	JJ_KNOWN,					/* it is in the table, by this path */
	JJ_DUPLICATE,				/* its content is in the table, by another path */
	JJ_BUSY,					/* another session is at it */
	JJ_CHANGED,					/* it was written to while it was read */
	JJ_FAILED,					/* its error is in the ledger */
	JJ_OUTCOMES
} jj_outcome;

typedef struct jj_ingest
{
	jj_ingest_order order;
	Jsonb	   *settings;		/* key of the ledger */
	char	   *target_name;
	int64		run;			/* 0: not begun */
	uint64		count[JJ_OUTCOMES];
	uint64		rows;
	MemoryContext context;		/* the caller's, which it was begun in */
	MemoryContext file_context; /* of one capture */
} jj_ingest;

/*
 * Check the order: target (jj_target_open), filter and options, of which
 * continue is refused. Lives in the current memory context, with what the order
 * refers to. Needs a transaction, does not commit.
 */
extern jj_ingest *jj_ingest_begin(const jj_ingest_order *order);

/*
 * Ingest a capture. Needs a transaction without subtransactions, and commits
 * several. What is wrong with the capture or its rows goes to the ledger and is
 * a WARNING; an error is raised if other captures would have it as well: it was
 * cancelled, the target is gone, there is no room on the disk. That is in the
 * ledger too.
 */
extern jj_outcome jj_ingest_file(jj_ingest *in, const jj_source *source);

/* Record the end of the run, without commit. The rest goes with the memory context. */
extern void jj_ingest_end(jj_ingest *in);

#endif
