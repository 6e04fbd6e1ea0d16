/*
 * Finished flows, and what a capture has to say of itself, as a stream of
 * bytes: what jj-sensor writes and the server's worker reads.
 *
 * Numbers are little-endian, "varint" is an unsigned LEB128 number of at most
 * 10 bytes, "zigzag" a varint of (n << 1) ^ (n >> 63).
 *
 *     header      8 bytes "JJROWS\r\n", u32 format version (1), u32 size of the
 *                 header, u64 jj_registry_hash(), 16 bytes library version,
 *                 padded with zeros, u32 number of columns n, then a bit for
 *                 each column, lowest first: those that rows can have
 *     message     u8 type, u32 size of the payload, payload
 *
 *     'B' begin       u32 LINKTYPE_, u8 nanoseconds, varint size and UTF-8 text: the source
 *     'R' row         a bit for each column, lowest first: those that are not
 *                     NULL; their values in the order of columns (below)
 *     'S' statistics  varint number of counters, as varints, in the order of jj_rowstream_stats
 *     'H' heartbeat   zigzag ns since 1970: all flows that had ended then were sent
 *     'W' warning     UTF-8 text
 *     'E' error       u8 jj_code, zigzag errno, varint size and text of the message, the same of the hint
 *     'Z' end         varint rows sent; nothing follows
 *
 *     integers, timestamptz   zigzag (us since 1970 for times)
 *     boolean                 u8 0 or 1
 *     double precision        8 bytes
 *     macaddr                 6 bytes
 *     inet                    u8 4 or 16, so many bytes
 *     text, bytea, jsonb      varint size, bytes
 *     arrays                  varint size, elements: 8, 4 or 2 bytes a number; u32 size (2^32 - 1: NULL) and bytes a text; as inet
 */
#ifndef JJ_ROWSTREAM_H
#define JJ_ROWSTREAM_H

#include "features/engine.h"

#define JJ_ROWSTREAM_VERSION 1
#define JJ_ROWSTREAM_MAX (UINT32_C(1) << 24)	/* bytes of a payload */
#define JJ_ROWSTREAM_TEXT 4096	/* bytes of a source's name or a warning */

/* A hash of the columns' names and types, in their order (64-bit FNV-1a). */
extern uint64_t jj_registry_hash(void);

/* Counters since the capture began; all of them 64-bit numbers. A reader takes missing ones, of an older writer, as 0, and leaves out further ones. */
typedef struct jj_rowstream_stats
{
	uint64_t	time;			/* ns since 1970, when these were read */
	uint64_t	rows;			/* sent before */

	/* as in jj_live_stats */
	uint64_t	delivered;
	uint64_t	delivered_bytes;
	uint64_t	received;
	uint64_t	kernel_drops;
	uint64_t	interface_drops;
	uint64_t	up;				/* 0 or 1 */

	/* as in jj_counters */
	uint64_t	frames;
	uint64_t	decoded;
	uint64_t	captured_bytes;
	uint64_t	wire_bytes;
	uint64_t	flows_started;
	uint64_t	flows_ended;
	uint64_t	flows_evicted;
	uint64_t	flows_live;
	uint64_t	memory_flows;
	uint64_t	memory_peak;
	uint64_t	truncated;
	uint64_t	stream_refused;
	uint64_t	unsupported_link;
	uint64_t	skipped[JJ_SKIP_REASONS];
} jj_rowstream_stats;

#define JJ_ROWSTREAM_COUNTERS (sizeof(jj_rowstream_stats) / sizeof(uint64_t))

/* The engine's counters into *s; the rest stays as it is. */
extern void jj_rowstream_stats_engine(jj_rowstream_stats *s, const jj_counters *c);

/* ---- rowstream_write.c */

/* Bytes to be sent. They may be taken, from the front, at any time. */
typedef struct jj_rowstream_writer
{
	jj_allocator a;
	uint8_t    *bytes;
	size_t		used;
	size_t		size;
	uint64_t	rows;			/* written so far */
} jj_rowstream_writer;

extern void jj_rowstream_writer_init(jj_rowstream_writer *w, const jj_allocator *a);
extern void jj_rowstream_writer_free(jj_rowstream_writer *w);

/* Room for n more bytes behind the used ones, which do not count as used yet; NULL without memory. */
extern uint8_t *jj_rowstream_room(jj_rowstream_writer *w, size_t n);

/* The first n bytes have been sent; forget them. */
extern void jj_rowstream_sent(jj_rowstream_writer *w, size_t n);

/*
 * Append the header, then messages. All fail with JJ_ERR_NOMEM, and leave what
 * is there as it was then. A row fails with JJ_ERR_ARGUMENT, too: a value is
 * out of the range of its column's type, or it takes more than JJ_ROWSTREAM_MAX.
 */
extern jj_code jj_rowstream_header(jj_rowstream_writer *w, const jj_feature_set *features, jj_error *err);
extern jj_code jj_rowstream_begin(jj_rowstream_writer *w, uint32_t link, bool nanoseconds, const char *source, jj_error *err);
extern jj_code jj_rowstream_row(jj_rowstream_writer *w, const jj_row *row, jj_error *err);
extern jj_code jj_rowstream_statistics(jj_rowstream_writer *w, const jj_rowstream_stats *s, jj_error *err);
extern jj_code jj_rowstream_heartbeat(jj_rowstream_writer *w, int64_t now, jj_error *err);
extern jj_code jj_rowstream_warning(jj_rowstream_writer *w, const char *text, jj_error *err);
extern jj_code jj_rowstream_failure(jj_rowstream_writer *w, const jj_error *what, jj_error *err);
extern jj_code jj_rowstream_end(jj_rowstream_writer *w, jj_error *err);

/* ---- rowstream_read.c */

typedef enum jj_rowstream_type
{
	JJ_ROWSTREAM_BEGIN = 'B',
	JJ_ROWSTREAM_ROW = 'R',
	JJ_ROWSTREAM_STATISTICS = 'S',
	JJ_ROWSTREAM_HEARTBEAT = 'H',
	JJ_ROWSTREAM_WARNING = 'W',
	JJ_ROWSTREAM_ERROR = 'E',
	JJ_ROWSTREAM_END = 'Z'
} jj_rowstream_type;

/* A message; everything in it is valid until the next call for its reader. */
typedef struct jj_rowstream_message
{
	jj_rowstream_type type;
	const jj_row *row;			/* of a row; types, sizes and ranges of its values are right, jsonb is JSON, texts may be any bytes */
	const jj_rowstream_stats *stats;	/* of statistics */
	const jj_error *error;		/* of an error */
	const char *text;			/* of a warning, or the source of a begin; terminated, any bytes otherwise */
	uint32_t	link;			/* of a begin */
	bool		nanoseconds;
	int64_t		time;			/* of a heartbeat */
	uint64_t	rows;			/* of an end */
} jj_rowstream_message;

typedef struct jj_rowstream_reader jj_rowstream_reader;

extern jj_code jj_rowstream_open(jj_rowstream_reader **out, const jj_allocator *a, jj_error *err);
extern void jj_rowstream_close(jj_rowstream_reader *r);

/*
 * Where the next bytes of the stream go; *room (at least 64 kB) says how many.
 * To be called only when jj_rowstream_next has nothing more, so that memory is
 * bounded by twice the largest message that did come. NULL without memory.
 */
extern uint8_t *jj_rowstream_space(jj_rowstream_reader *r, size_t *room);

/* n bytes are there now. */
extern void jj_rowstream_filled(jj_rowstream_reader *r, size_t n);

/*
 * The next message; *have is false if more bytes are needed for it. JJ_ERR_FORMAT:
 * the stream is malformed, foreign, or of another version or other columns;
 * the message says what and where. After a failure it fails again in the same way.
 */
extern jj_code jj_rowstream_next(jj_rowstream_reader *r, jj_rowstream_message *m, bool *have, jj_error *err);

/* There will be no more bytes, and next has nothing more: JJ_ERR_FORMAT unless that is behind an end message. */
extern jj_code jj_rowstream_finish(jj_rowstream_reader *r, jj_error *err);

/* Columns that rows can have, once a message has come; before that none. */
extern const jj_feature_set *jj_rowstream_features(const jj_rowstream_reader *r);

#endif
