/*
 * The flows of one capture, one after the other, across transactions: what
 * jj_ingest and watches write.
 *
 * A large capture is read by a worker of its own, whose rows come through a
 * queue in shared memory while this process writes those before: the same rows
 * in the same order. PostgreSQL's settings of parallel scans say when: the
 * capture has min_parallel_table_scan_size, max_parallel_workers_per_gather is
 * not 0, and one of max_parallel_workers is free. Otherwise, and if the worker
 * can't start or doesn't find the file that is held open, this process reads.
 */
#ifndef JJ_ROW_READER_H
#define JJ_ROW_READER_H

#include "pg/held_file.h"
#include "pg/insert.h"

#include "port/atomics.h"

typedef struct jj_row_reader jj_row_reader;

/* Whether a worker would read this capture, if there is one. */
extern bool jj_row_reader_wants_worker(const jj_source *source);

/*
 * Begin with a capture that is held open as source->fd; it, source and filter
 * (NULL for none) stay the caller's. Progress is shown as that of a table. check
 * is called again and again while the caller waits for rows, may raise an error,
 * and can be NULL. With a shape (NULL = none) a worker makes tuples, with the run's
 * number in them. With digest it computes that of the content, while it would
 * wait. Lives in the current memory context until jj_row_reader_end; if that is
 * not called, as after an error, until the context ends. Errors: the filter's, of
 * which the next flow may tell.
 */
extern jj_row_reader *jj_row_reader_begin(jj_source *source, const jj_held_file *file, const char *filter, const jj_call_options *options, Oid target,
										  const jj_shape *shape, int64 run, bool digest, void (*check) (void));

/* Whether flows come as tuples of the shape: by jj_row_reader_tuple, otherwise by jj_row_reader_next. */
extern bool jj_row_reader_gives_tuples(const jj_row_reader *r);

/*
 * The next flow, valid until the next call; NULL behind the last. Checks for
 * interrupts. Errors are those of reading, whichever process does it; or that
 * the worker has ended. None is recovered from.
 */
extern const jj_row *jj_row_reader_next(jj_row_reader *r);

/* The same as a tuple, palloc'd. */
extern HeapTuple jj_row_reader_tuple(jj_row_reader *r);

/* Leave out the next flow; false behind the last. Errors as above. */
extern bool jj_row_reader_skip(jj_row_reader *r);

/*
 * The digest of the content, for which this waits; rows may be taken or not. False:
 * there is none, as it was not asked for, no worker reads, or something is wrong.
 */
extern bool jj_row_reader_digest(jj_row_reader *r, uint8 digest[JJ_SHA256]);

/* Of a capture read to its end: as jj_extraction_packets, jj_extraction_skipped, jj_extraction_warnings have it; valid until jj_row_reader_end. */
typedef struct jj_reading_totals
{
	uint64		packets;
	Jsonb	   *skipped;
	List	   *warnings;
} jj_reading_totals;

extern jj_reading_totals jj_row_reader_totals(const jj_row_reader *r);

extern void jj_row_reader_end(jj_row_reader *r);

/* ---- between row_reader.c and row_reader_worker.c */

/* What the worker is told, in shared memory; behind it the texts with their terminators, then the queue. */
typedef struct jj_reading
{
	Oid			database;
	int64		size;			/* identity of the file, of jj_held_file */
	int64		inode;
	int64		modified_ns;
	jj_call_options options;	/* without anything by reference */
	bool		tuples;			/* not rows, but tuples of ... */
	jj_shape	shape;
	int64		run;			/* and with its number */
	Size		path;			/* offsets from here; 0 = there is none */
	Size		label;
	Size		name;
	Size		filter;
	Size		queue;
	bool		digests;		/* whether the digest of the content is wanted; the receiver's latch is set when it is there */
	pg_atomic_uint32 digest_state;
	uint8		digest[JJ_SHA256];	/* with JJ_DIGEST_DONE */
} jj_reading;

#define JJ_DIGEST_AWAITED 0
#define JJ_DIGEST_DONE 1
#define JJ_DIGEST_NONE 2		/* something was wrong */

/* First byte of a message to the reading process; besides there are those of errors and notices, as the protocol of clients has them. */
#define JJ_READING_BEGUN 'b'	/* nothing else: the file is the right one */
#define JJ_READING_PROGRESS 'p'	/* jj_reading_progress */
#define JJ_READING_ROW 'r'		/* jj_reading_row, the values, the arena's used part */
#define JJ_READING_TUPLE 't'	/* jj_reading_tuple, the tuple with its header */
#define JJ_READING_DONE 'd'		/* jj_reading_done, skipped, each warning with its terminator */

typedef struct jj_reading_progress
{
	char		kind;
	int64		bytes;			/* read so far */
} jj_reading_progress;

typedef struct jj_reading_row
{
	char		kind;
	uint32		arena_used;
	jj_feature_set present;
} jj_reading_row;

typedef struct jj_reading_tuple
{
	char		kind;
	uint32		size;			/* of the tuple */
} jj_reading_tuple;

typedef struct jj_reading_done
{
	char		kind;
	uint64		packets;
} jj_reading_done;

#endif
