/*
 * Frames of an HTTP/2 connection in the clear (RFC 9113 4 to 6): counted, with
 * the streams they name, and the header fields of the first exchange.
 */
#ifndef JJ_H2_FRAMES_H
#define JJ_H2_FRAMES_H

#include "extractors/hpack.h"

#define JJ_H2_HEADER 9			/* bytes of a frame's header */
#define JJ_H2_RUNS 256			/* runs of stream identifiers of one parity */

enum
{
	JJ_H2_DATA = 0,
	JJ_H2_HEADERS = 1,
	JJ_H2_RST_STREAM = 3,
	JJ_H2_SETTINGS = 4,
	JJ_H2_PUSH_PROMISE = 5,
	JJ_H2_GOAWAY = 7,
	JJ_H2_WINDOW_UPDATE = 8,
	JJ_H2_CONTINUATION = 9,
	JJ_H2_TYPES = 10			/* those above; others count in the total alone */
};

/*
 * A set of stream identifiers of one parity, as runs without a gap. Each side
 * opens streams in increasing order, and what it skips is closed (RFC 9113
 * 5.1.1); so when there are more than JJ_H2_RUNS runs, the lowest two become
 * one, and what lies between them counts as seen.
 */
typedef struct jj_h2_ids
{
	uint32_t	(*run)[2];		/* first and last number (identifier / 2), increasing */
	uint16_t	n;
	uint16_t	room;
	uint32_t	count;			/* identifiers that were added */
} jj_h2_ids;

/* Add an identifier; *is_new says whether it was not there. False without memory. */
extern bool jj_h2_ids_add(jj_h2_ids ids[2], uint32_t id, bool *is_new, const jj_allocator *a);
extern bool jj_h2_ids_has(const jj_h2_ids ids[2], uint32_t id);
extern void jj_h2_ids_free(jj_h2_ids ids[2], const jj_allocator *a);

typedef enum jj_h2_search
{
	JJ_H2_SEARCHING,
	JJ_H2_FOUND,
	JJ_H2_GIVEN_UP				/* could not be decoded, or is not looked for */
} jj_h2_search;

/* One direction. */
typedef struct jj_h2_side
{
	/* the frame that goes on */
	uint8_t		header[JJ_H2_HEADER];
	uint8_t		n_header;
	uint8_t		type;
	uint8_t		flags;
	uint8_t		n_head;			/* first bytes of a PUSH_PROMISE */
	uint8_t		head[5];
	uint32_t	stream;
	uint32_t	length;
	uint32_t	left;			/* bytes of its payload to come */
	bool		in_frame;		/* its header is complete */

	/* complete ones */
	uint64_t	frames;
	uint64_t	count[JJ_H2_TYPES];

	/* the header block that goes on */
	bool		open;			/* END_HEADERS has not come */
	uint8_t		block_type;
	uint8_t		fixed;			/* bytes of this frame before its part of the block, behind the pad length */
	bool		at_pad;			/* the next byte is the pad length */
	uint32_t	body;			/* bytes of the block, and those before, to come in this frame */
	uint8_t		request;		/* jj_h2_search: fields of the first HEADERS, if this side is the client */
	uint8_t		response;		/* jj_h2_search: status of the first final HEADERS, if it is the server */
	jj_hpack_fields block;		/* fields of it so far */
	jj_hpack	hpack;
	jj_hpack_fields fields;		/* of the request */
	int16_t		status;			/* of the response, -1 if it has none */
} jj_h2_side;

typedef struct jj_h2
{
	jj_h2_side	side[2];
	int			client;			/* direction that is the client, or may be; -1 */
	bool		counting;		/* frames and streams are wanted */
	jj_h2_ids	ids[2];			/* of HEADERS, DATA and promised streams */

	/* request streams that are open: one at most until multiplexed is known */
	uint32_t	live;			/* its identifier, 0 if there is none */
	bool		ended[2];		/* END_STREAM of client and server */
	bool		multiplexed;
	jj_h2_ids	closed[2];
} jj_h2;

/* A valid header of a SETTINGS frame (RFC 9113 6.5)? 9 bytes. */
extern bool jj_h2_settings(const uint8_t header[JJ_H2_HEADER]);

/* What was learned about streams so far is void; with seen, also which streams were seen. */
extern void jj_h2_forget(jj_h2 *h, bool seen, const jj_allocator *a);

/* Take the next n bytes of a direction, from its first frame on, in the order in which both directions' packets came. False without memory. */
extern bool jj_h2_walk(jj_h2 *h, int dir, const uint8_t *bytes, uint32_t n, const jj_allocator *a);

/* Which header fields are looked for in a direction; call it again when more is known. */
extern void jj_h2_look_for(jj_h2_side *s, bool request, bool response, const jj_allocator *a);

/* Is any still looked for? */
extern bool jj_h2_searching(const jj_h2_side *s);

extern void jj_h2_free(jj_h2 *h, const jj_allocator *a);

#endif
