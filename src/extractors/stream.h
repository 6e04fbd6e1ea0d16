/*
 * A TCP direction as a byte stream: in order, each byte once, in bounded
 * memory.
 *
 * The start is the byte behind the SYN, or without one the first payload byte
 * seen. The first copy of a byte wins. A segment that contains the next byte
 * is passed on whole and is not copied; of one behind a gap only the bytes
 * less than stream_bytes ahead of the next one are held, the rest is dropped.
 * Bytes cut off by the snap length are a gap. What a gap never filled hides is
 * not passed on, nor is anything behind it.
 */
#ifndef JJ_STREAM_H
#define JJ_STREAM_H

#include "packet/packet.h"

/*
 * The next bytes of one TCP direction, each byte once and in sequence order:
 * all that one packet was the first to bring there (a piece).
 */
typedef struct jj_chunk
{
	const uint8_t *bytes;		/* valid during the call */
	uint32_t	n;				/* > 0 */
	uint8_t		dir;			/* 0 from the initiator, 1 from the responder */
	uint64_t	offset;			/* of bytes[0] in the stream */
	uint64_t	carrier;		/* jj_packet.index of the packet that brought them */
	const jj_packet *done;		/* the packet with whose arrival they were in order: the carrier, or one that filled a gap */
} jj_chunk;

typedef enum jj_want
{
	JJ_WANT_MORE,				/* go on with this direction (stream), with this flow (datagram, packet) */
	JJ_WANT_NONE,				/* nothing more of it is needed */
	JJ_WANT_END,				/* nothing more of the flow is needed, in either direction */
	JJ_WANT_RESET,				/* it was nothing: release the parser's state, and ask its opens hooks again */
	JJ_WANT_MEMORY				/* the allocator gave NULL: the extraction fails */
} jj_want;

/* Bytes held by all streams of an engine. */
typedef struct jj_hold
{
	uint64_t	bytes;			/* with what manages them */
	uint64_t	limit;
	uint64_t	refused;		/* payload bytes dropped because of the limit */
} jj_hold;

typedef struct jj_held jj_held;

#define JJ_STREAM_SYNS 3		/* different SYNs remembered before the first byte, the latest ones */

/* Zeroed at the start. */
typedef struct jj_stream
{
	uint64_t	next;			/* bytes in order so far */
	uint64_t	far;			/* largest end of payload seen, captured or not */
	jj_held    *first;			/* held, ascending, disjoint, all behind next */
	jj_held    *last;
	uint32_t	start;			/* sequence number of byte 0, if started */
	uint32_t	syn[JJ_STREAM_SYNS - 1];	/* starts that SYNs before the latest gave */
	uint16_t	n_held;
	uint8_t		n_syns : 6;		/* in syn */
	bool		started : 1;
	bool		start_seen : 1;	/* by a SYN: byte 0 is the first of the connection */
} jj_stream;

/* Takes the pieces of a stream; its result is that of jj_stream_add, and nothing follows any but JJ_WANT_MORE. */
typedef jj_want (*jj_stream_sink) (void *context, const jj_chunk *c);

/*
 * A segment (has_tcp) of the direction; the sink gets what is in order with
 * it. limit is the option stream_bytes; hold is shared by the engine's
 * streams. JJ_WANT_MORE if the sink was not called.
 */
extern jj_want jj_stream_add(jj_stream *s, const jj_packet *p, uint32_t limit, jj_hold *hold, const jj_allocator *a, jj_stream_sink sink,
							 void *context);

/* Whether a segment's payload is padding that was counted into the IP length, or a probe: 1 to 6 zero bytes without PSH. */
extern bool jj_stream_padding(const jj_packet *p);

/* Whether payload was sent behind the end of the bytes in order. */
static inline bool
jj_stream_gap(const jj_stream *s)
{
	return s->far > s->next;
}

/* Release what the stream holds. */
extern void jj_stream_drop(jj_stream *s, jj_hold *hold, const jj_allocator *a);

/* Bytes of an incomplete message that a parser keeps. Zeroed at the start. */
typedef struct jj_buffer
{
	uint8_t    *bytes;
	uint32_t	n;
	uint32_t	room;
} jj_buffer;

/* Append n bytes; how many there may be is the caller's concern. False without memory. */
extern bool jj_buffer_add(jj_buffer *b, const uint8_t *bytes, uint32_t n, const jj_allocator *a);

/* Release the bytes; the buffer is empty then. */
extern void jj_buffer_free(jj_buffer *b, const jj_allocator *a);

#endif
