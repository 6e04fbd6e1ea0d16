/*
 * HTTP over TCP in the clear, as the parser of app.h finds it: HTTP/1, and
 * HTTP/2 with prior knowledge or by upgrade. What groups read when a flow ends.
 */
#ifndef JJ_HTTP_H
#define JJ_HTTP_H

#include "extractors/app.h"
#include "extractors/h2_frames.h"
#include "extractors/http1.h"

#define JJ_HTTP_PREFACE 24		/* bytes of the client preface (RFC 9113 3.4) */

/* What a direction turned out to be. */
typedef enum jj_http_kind
{
	JJ_HTTP_UNKNOWN,
	JJ_HTTP_OTHER,
	JJ_HTTP_1,					/* HTTP/1, or perhaps */
	JJ_HTTP_PREFACE_ONLY,		/* the client preface, without SETTINGS so far */
	JJ_HTTP_PRIOR,				/* the client preface and SETTINGS */
	JJ_HTTP_SETTINGS,			/* begins with SETTINGS: a server */
	JJ_HTTP_ACK,				/* begins with an acknowledgement of SETTINGS: either side, the preface not being there */
	JJ_HTTP_UPGRADE_PREFACE,	/* the client preface behind a request, without SETTINGS so far */
	JJ_HTTP_UPGRADED,			/* and with SETTINGS */
	JJ_HTTP_SWITCHED			/* SETTINGS behind a 101 response to h2c */
} jj_http_kind;

typedef struct jj_http_side
{
	uint8_t		kind;			/* jj_http_kind */
	uint8_t		stage;			/* private */
	uint8_t		matched;		/* bytes of the preface */
	uint8_t		n_header;
	bool		enough;			/* as much of the stream was seen as is always needed */
	uint8_t		header[JJ_H2_HEADER];	/* of the first frame */
	uint64_t	skip;			/* bytes of a request's content to come */
	jj_http1   *h1;				/* NULL unless something may be HTTP/1 */
} jj_http_side;

/* The parser's state. */
typedef struct jj_http
{
	jj_http_side side[2];
	jj_h2	   *h2;				/* NULL until one side may be HTTP/2 */
} jj_http;

/* What both directions together are; all pointers lead into the state. */
typedef struct jj_http_view
{
	bool		preface;		/* the client preface was seen where it belongs */
	bool		h2;				/* a connection of HTTP/2 in the clear */
	bool		upgraded;		/* it began as HTTP/1 */
	int			client;			/* its client's direction */
	bool		server_frames;	/* the server's frames could be read as well */
	const jj_h2 *frames;		/* with h2 */
	const jj_http1 *request;	/* the first, NULL if there is none */
	const jj_http1 *response;	/* the status lines of the other direction */
	const jj_http1 *old;		/* a request of HTTP/0.9, without the two above */
} jj_http_view;

/* A flow's state (NULL: it has none) when the flow has ended. */
extern void jj_http_read(const jj_http *h, jj_http_view *v);

#endif
