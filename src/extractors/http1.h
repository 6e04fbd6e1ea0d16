/*
 * HTTP/1 of one direction of a connection (RFC 9112): the head of the first
 * request, or the heads of the responses up to the first final one.
 */
#ifndef JJ_HTTP1_H
#define JJ_HTTP1_H

#include "extractors/stream.h"

#define JJ_HTTP1_HEAD 16384		/* a head is read up to so many bytes */
#define JJ_HTTP1_METHOD 32		/* bytes of a method that are kept */
#define JJ_HTTP1_TARGET 16		/* bytes of a request target that are kept */

typedef enum jj_http1_kind
{
	JJ_HTTP1_NONE,				/* not HTTP/1, or not known yet */
	JJ_HTTP1_REQUEST,
	JJ_HTTP1_RESPONSE,
	JJ_HTTP1_OLD				/* a request of HTTP/0.9: GET and a path, no version */
} jj_http1_kind;

/* The fields that are kept: of each the first, with its folded lines. */
typedef enum jj_http1_field
{
	JJ_HTTP1_HOST,
	JJ_HTTP1_AGENT,
	JJ_HTTP1_UPGRADE,
	JJ_HTTP1_LENGTH,
	JJ_HTTP1_FIELDS
} jj_http1_field;

typedef struct jj_http1
{
	uint8_t		kind;			/* jj_http1_kind */
	uint8_t		state;			/* private */
	uint8_t		target_state;	/* private */
	uint8_t		place;			/* private: of a byte in what must follow */
	uint8_t		n_empty;		/* lines before the start line */
	uint8_t		minor;			/* digit of the version; of responses, the first one's */
	bool		final;			/* RESPONSE: status is the final one's, or 101 */
	bool		ended;			/* the empty line behind the fields was seen */
	bool		any_field;
	uint8_t		has;			/* of the fields, one bit each */
	uint8_t		current;		/* which of them a folded line continues; JJ_HTTP1_FIELDS: none */
	uint16_t	status;
	uint32_t	head_bytes;		/* from the start line's first byte */
	uint32_t	method_bytes;
	uint32_t	target_bytes;
	uint8_t		method[JJ_HTTP1_METHOD];
	uint8_t		target[JJ_HTTP1_TARGET];
	jj_buffer authority;	/* of an absolute-form target, or a CONNECT's whole target */
	jj_buffer line;		/* private: the beginning of a line */
	jj_buffer field[JJ_HTTP1_FIELDS];
} jj_http1;

typedef enum jj_http1_result
{
	JJ_HTTP1_MORE,				/* all bytes taken, the head goes on */
	JJ_HTTP1_END,				/* the head is complete: a request, or a final response (without its fields unless it is 101) */
	JJ_HTTP1_STOP,				/* nothing more can be learned: another protocol, HTTP/0.9, or a head that is too long */
	JJ_HTTP1_MEMORY
} jj_http1_result;

/*
 * Take the next n bytes of a direction; *used of them belong to the head.
 * *h was zeroed before the first call. Not to be called again after END or STOP.
 */
extern jj_http1_result jj_http1_feed(jj_http1 *h, const uint8_t *bytes, uint32_t n, uint32_t *used, const jj_allocator *a);

/* May a head begin with this byte: a line that is empty, or a token (RFC 9112 2.2, 3)? */
extern bool jj_http1_may_begin(uint8_t c);

/* The host of a request (RFC 9110 7.2): Host, else the target's authority; NULL and 0 if there is none. As sent, not in lower case. */
extern const uint8_t *jj_http1_host(const jj_http1 *h, uint32_t *n);

/* Whether a 101 response upgrades to h2c (RFC 7540 3.2). */
extern bool jj_http1_upgrades_h2c(const jj_http1 *h);

/* The request's Content-Length in bytes; 0 without one that is a number, saturating. */
extern uint64_t jj_http1_content_length(const jj_http1 *h);

extern void jj_http1_free(jj_http1 *h, const jj_allocator *a);

#endif
