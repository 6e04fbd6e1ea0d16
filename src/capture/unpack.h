/*
 * Streaming decompression of gzip (RFC 1952), zstd (RFC 8878) and the lz4
 * frame format. Private to src/capture.
 */
#ifndef JJ_UNPACK_H
#define JJ_UNPACK_H

#include "capture/reader.h"

typedef struct jj_unpack jj_unpack;

/* Where compressed bytes come from: first those of data, then read(2) from fd into buffer, unless fd is -1. */
typedef struct jj_packed
{
	int			fd;
	const uint8_t *data;
	size_t		pos;
	size_t		end;
	uint64_t	base;			/* offset of data[0] in the source */
	uint8_t    *buffer;			/* NULL for memory */
	size_t		capacity;
} jj_packed;

/*
 * Start to decompress. packed is copied; its buffer belongs to the caller
 * until the call succeeds, and to the jj_unpack after that. gzip's state comes
 * from the allocator, that of zstd and lz4 from malloc(3).
 */
extern jj_code jj_unpack_open(jj_unpack **out, jj_compression compression, const jj_packed *packed, const jj_allocator *a, jj_error *err);

/*
 * Up to size decompressed bytes; *got < size only at the end. Damaged data are
 * an end too, which jj_unpack_damage explains.
 */
extern jj_code jj_unpack_read(jj_unpack *u, uint8_t *to, size_t size, size_t *got, jj_error *err);

/* Compressed bytes used so far. */
extern uint64_t jj_unpack_taken(const jj_unpack *u);

/* What was wrong and at which compressed byte, or NULL. */
extern const char *jj_unpack_damage(const jj_unpack *u);

extern void jj_unpack_close(jj_unpack *u);

#endif
