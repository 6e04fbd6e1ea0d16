/*
 * A capture file that is held open beyond transactions, and what identifies its
 * content.
 */
#ifndef JJ_HELD_FILE_H
#define JJ_HELD_FILE_H

#include "pg/pg.h"

#define JJ_SHA256 32

/* As stat(2) has it. */
typedef struct jj_file_identity
{
	int64		size;			/* bytes */
	TimestampTz modified;
	TimestampTz changed;		/* of content, name or rights */
	int64		inode;
} jj_file_identity;

typedef struct jj_held_file
{
	int			fd;				/* -1: closed */
	jj_file_identity identity;	/* when it was opened */
	int64		modified_ns;	/* the same in full, since 1970 */
	MemoryContextCallback callback;
} jj_held_file;

/* Open a regular file for reading; it is closed when the current memory context ends or is reset. Errors as of jj_call_open. */
extern jj_held_file *jj_held_file_open(const jj_source *source);

/*
 * SHA-256 of the content from its beginning to its end, of a compressed file that of what it holds. Checks for interrupts;
 * leaves the descriptor's offset where it was.
 */
extern void jj_held_file_digest(const jj_held_file *file, const jj_source *source, uint8 digest[JJ_SHA256]);

/* Whether the content is compressed. Moves the descriptor's offset. */
extern bool jj_held_file_compressed(const jj_held_file *file, const jj_source *source);

/* Whether the content has been written to since the file was opened. A file that was given another name has not. */
extern bool jj_held_file_written(const jj_held_file *file, const jj_source *source);

/*
 * The same digest a block at a time. Nobody else may read the descriptor
 * meanwhile. Lives in the current memory context, without an end of its own.
 * Step and end raise nothing: JJ_ERR_IO, JJ_ERR_NOMEM or JJ_ERR_LIBRARY, after which there is no
 * going on. *more is false behind the last block.
 */
typedef struct jj_digest jj_digest;

extern jj_digest *jj_digest_begin(const jj_held_file *file, const jj_source *source);
extern jj_code jj_digest_step(jj_digest *d, bool *more, jj_error *err);
extern jj_code jj_digest_end(jj_digest *d, uint8 digest[JJ_SHA256], jj_error *err);

#endif
