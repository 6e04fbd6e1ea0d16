/*
 * The bytes of a source as one window that moves forward, decompressed on the
 * way. For src/capture, and whoever wants a capture's bytes as they are.
 */
#ifndef JJ_INPUT_H
#define JJ_INPUT_H

#include "capture/reader.h"
#include "capture/unpack.h"

/* Size of a read(2). Larger ones leave the processor's second cache, smaller ones cost system calls. */
#define JJ_BLOCK_SIZE (256 * 1024)

typedef struct jj_input
{
	jj_allocator a;
	const uint8_t *data;		/* the window: bytes pos to end of data are there and not yet used */
	size_t		pos;
	size_t		end;
	uint64_t	base;			/* offset of data[0] in the decompressed stream */
	bool		ended;			/* nothing comes behind end */
	int			fd;				/* -1 for memory */
	uint8_t    *buffer;			/* what data points to, unless that is the caller's memory */
	size_t		capacity;
	uint64_t	total;			/* size of the source, 0 if unknown */
	jj_compression compression;
	jj_unpack  *unpack;			/* NULL for JJ_PLAIN */
} jj_input;

/* Begin with a descriptor, or with memory if fd is -1; recognises compression by its first bytes. Close it in either case. */
extern jj_code jj_input_open(jj_input *in, int fd, const uint8_t *bytes, size_t size, const jj_allocator *a, jj_error *err);

/*
 * Make size bytes available from pos on; fewer are there afterwards only if
 * the source has ended. What data pointed to before is gone.
 */
extern jj_code jj_input_need(jj_input *in, size_t size, jj_error *err);

/* Move on by size bytes, which need not be in the window. *skipped is less than size if the source ends before. */
extern jj_code jj_input_skip(jj_input *in, uint64_t size, uint64_t *skipped, jj_error *err);

/* Bytes of the source used so far, before decompression. */
extern uint64_t jj_input_taken(const jj_input *in);

/* What was wrong with the compressed data, with its byte, or NULL. */
extern const char *jj_input_damage(const jj_input *in);

/* "gzip" etc., NULL for JJ_PLAIN. */
extern const char *jj_compression_name(jj_compression compression);

extern void jj_input_close(jj_input *in);

/* read(2) until size bytes are there or the file ends; EINTR is retried. offset is for the message alone. */
extern jj_code jj_read_fully(int fd, uint8_t *to, size_t size, uint64_t offset, size_t *got, jj_error *err);

#endif
