/*
 * How TLS is read: the handshake of one side, the records of one direction of
 * TCP, and DTLS. Shared by tls*.c and dtls.c alone.
 */
#ifndef JJ_TLS_INTERNAL_H
#define JJ_TLS_INTERNAL_H

#include "extractors/fp.h"
#include "extractors/tls.h"

#include <string.h>

/* ContentType (RFC 8446 5.1). */
#define JJ_TLS_CCS 20
#define JJ_TLS_ALERT 21
#define JJ_TLS_HANDSHAKE 22
#define JJ_TLS_APPDATA 23
#define JJ_TLS_HEARTBEAT 24

#define JJ_TLS_MAX_RECORD (16384 + 2048)	/* RFC 5246 6.2.3 */

/* HandshakeType (RFC 8446 4, RFC 5246 7.4). */
#define JJ_TLS_CLIENT_HELLO 1
#define JJ_TLS_SERVER_HELLO 2
#define JJ_TLS_CERTIFICATE 11
#define JJ_TLS_SERVER_KEY_EXCHANGE 12
#define JJ_TLS_SERVER_HELLO_DONE 14

/* What the wanted columns need beyond hellos. */
typedef struct jj_tls_need
{
	bool		certs : 1;
	bool		key_exchange : 1;
	bool		resumed : 1;
	bool		packets : 1;
	bool		alert : 1;
	bool		cells : 1;		/* records that may hold Tor cells, until they prove to hold none */
	bool		shaped : 1;		/* the shape of the connection's records is known */
	jj_fp_shape shape;
	uint16_t	lengths;		/* records whose length is wanted */
} jj_tls_need;

extern jj_tls_need jj_tls_needs(const jj_work *w);

/* What the handshake messages of one direction say, be it the client or the server. */
typedef struct jj_tls_side
{
	jj_hello	ch;
	jj_hello	sh;
	uint8_t    *certs;
	uint8_t    *key_exchange;
	uint16_t	certs_size;
	uint16_t	key_exchange_size;
	bool		retry;
	int8_t		resumed;		/* as in jj_tls_view, plus 1, so that zero is unknown */
} jj_tls_side;

/* The header of a message of the server's is there. */
extern void jj_tls_side_header(jj_tls_side *s, unsigned type);

/* Whether the body of such a message is of use to a side that is the server. */
extern bool jj_tls_side_wants(const jj_tls_side *s, unsigned type, const jj_tls_need *need);

/* A complete message of the server's other than its hello. False without memory. */
extern bool jj_tls_side_message(jj_tls_side *s, unsigned type, const uint8_t *body, uint32_t n, const jj_allocator *a);

/* A valid ServerHello or HelloRetryRequest, kept if it is the first. False without memory. */
extern bool jj_tls_side_server_hello(jj_tls_side *s, const jj_hello *h, const jj_allocator *a);

/* The server has sent ChangeCipherSpec. */
extern void jj_tls_side_ccs(jj_tls_side *s);

extern void jj_tls_side_free(jj_tls_side *s, const jj_allocator *a);

static inline bool
jj_tls_has_sh(const jj_tls_side *s)
{
	return s->sh.body != NULL;
}

/* Lengths of records, with their place in the order in which all records of the flow were complete. */
typedef struct jj_tls_length
{
	uint32_t	order;
	uint16_t	length;
	uint16_t	dir;
} jj_tls_length;

typedef struct jj_tls_lengths
{
	jj_tls_length *list;
	uint32_t	n;
	uint32_t	room;
} jj_tls_lengths;

/* Add one unless there are max already. False without memory. */
extern bool jj_tls_lengths_add(jj_tls_lengths *l, uint32_t order, uint32_t length, unsigned dir, uint32_t max, const jj_allocator *a);

/* ---- records of a direction of TCP, tls_run.c */

#define JJ_TLS_RECENT 4

typedef enum jj_tls_first
{
	JJ_TLS_FIRST_OPEN,			/* not known yet */
	JJ_TLS_FIRST_CLIENT,		/* a valid ClientHello in records from the start on */
	JJ_TLS_FIRST_SERVER,		/* a valid ServerHello */
	JJ_TLS_FIRST_OTHER
} jj_tls_first;

/* Handshake records of a run. */
typedef struct jj_tls_talk
{
	uint64_t	recent[JJ_TLS_RECENT];	/* index + 1 of the packets counted last */
	uint32_t	packets;		/* that carried bytes of handshake records */
	uint32_t	message_left;
	uint8_t		n_message_head;
	uint8_t		message_head[4];
	bool		keep;			/* the message's body is wanted */
	jj_buffer	message;
	jj_tls_side side;
} jj_tls_talk;

#define JJ_TLS_CELLS_FIRST 64
#define JJ_TLS_CELLS_FEW 20

/* Application data of a run, in records of more than 100 bytes. */
typedef struct jj_tls_cells
{
	uint32_t	n;
	uint32_t	fit;			/* of those behind the first ones, how many hold whole Tor cells */
	uint16_t	first[];		/* lengths, at most JJ_TLS_CELLS_FIRST; room for JJ_TLS_CELLS_FEW until there are more */
} jj_tls_cells;

/* Records that follow each other from an offset of the stream on. What each chunk touches comes first, in 64 bytes. */
typedef struct jj_tls_run
{
	struct jj_tls_run *next;	/* of the same direction, starts later */
	uint32_t	left;			/* bytes of the record still to come */
	uint8_t		n_head;			/* bytes in head */
	uint8_t		head[5];
	uint8_t		n_pending;		/* carriers of an incomplete header */
	uint8_t		dir;
	uint8_t		first;			/* jj_tls_first */
	bool		used : 1;
	bool		over : 1;		/* no record header where one should be */
	bool		broken : 1;		/* an empty record, or one of type 24: a chain of plain records ends here */
	bool		closed : 1;		/* a complete ChangeCipherSpec or application data record */
	bool		headed : 1;		/* a complete header */
	bool		appdata : 1;	/* one of application data */
	bool		at_piece : 1;	/* the start is that of a piece */
	bool		ssl2 : 1;		/* behind a ClientHello in SSL 2.0 format */
	bool		client_over : 1;	/* no hello of a client can come any more */
	bool		server_over : 1;	/* no message in the clear of a server */
	bool		no_cells : 1;	/* application data are no Tor cells */
	uint32_t	records;		/* complete */
	uint32_t	good;			/* so many of them end where a piece does */
	jj_tls_lengths lengths;
	jj_tls_cells *cells;		/* NULL before the first application data, and if they are no cells */
	uint64_t	start;			/* offset */

	jj_tls_talk *talk;			/* NULL before the first handshake record */
	uint64_t	begun;			/* index of the packet with which the first byte was in order */
	uint64_t	answer;			/* offset of the first piece of the other direction after that packet; UINT64_MAX: none came */
	uint64_t	pending[4];
	uint32_t	alert_order;
	int16_t		alert;			/* description + 1; 0: none */
	uint8_t		alert_byte[2];
} jj_tls_run;

/* Whether n > 0 bytes may begin a record, as far as they are there. */
extern bool jj_tls_may_be_record(const uint8_t *b, uint32_t n);

/* The next n bytes, all to the end of a piece that a packet brought; *order counts the flow's complete records. False without memory. */
extern bool jj_tls_run_add(jj_tls_run *r, const uint8_t *b, uint32_t n, uint64_t carrier, uint32_t *order, const jj_tls_need *need,
						   const jj_allocator *a);

/* The run's handshake records, begun if need be; NULL without memory. */
extern jj_tls_talk *jj_tls_run_talk(jj_tls_run *r, const jj_allocator *a);

/* Whether a ServerHello of TLS 1.3 was read. */
static inline bool
jj_tls_run_is_13(const jj_tls_run *r)
{
	return r->talk != NULL && r->talk->side.sh.tls13;
}

/* Whether the next byte is one of a record of application data. */
static inline bool
jj_tls_run_in_appdata(const jj_tls_run *r)
{
	return !r->over && r->n_head == sizeof(r->head) && r->left > 0 && r->head[0] == JJ_TLS_APPDATA;
}

/* Release what the run owns, not the run. */
extern void jj_tls_run_free(jj_tls_run *r, const jj_allocator *a);

/* ---- application data in whole Tor cells, tls_cells.c */

/* A complete record of application data. False without memory. */
extern bool jj_tls_cells_add(jj_tls_run *r, uint32_t length, const jj_tls_need *need, const jj_allocator *a);

/* The records of both directions (NULL: none), and how many of them hold whole cells; 0 and 0 if they hold none. */
extern void jj_tls_cells_read(const jj_tls_run *const run[2], const jj_hello *sh, uint32_t *records, uint32_t *fit);

/* ---- TLS over TCP, tls_tcp.c */

/* The lines of the cache that a chunk touches are the first one and the first of its direction's run. */
typedef struct jj_tls_tcp
{
	jj_tls_run *run[2];			/* by start */
	uint32_t	order;
	jj_tls_need need;
	bool		begun;			/* it is set */
	bool		steady[2];		/* nothing but the one run of the direction is to be followed, to the end */
	uint64_t	at[2];			/* where the next piece begins if no byte of the stream is left out */
	jj_tls_run	slot[2];		/* of one run in each direction, the others are allocated */
	jj_buffer	ssl2[2];		/* what may be a ClientHello in SSL 2.0 format */
} jj_tls_tcp;

extern bool jj_tls_tcp_opens(const jj_chunk *c, bool *done);
extern jj_want jj_tls_tcp_add(jj_tls_tcp *t, const jj_chunk *c, const jj_work *w);

/* How many of the next bytes of a direction are of no use: all but the last of a record of application data. */
extern uint32_t jj_tls_tcp_pass(const jj_tls_tcp *t, unsigned dir);
extern void jj_tls_tcp_free(jj_tls_tcp *t, const jj_allocator *a);

/* Which records are TLS; *run of each direction, NULL if none. */
extern void jj_tls_tcp_read(const jj_tls_tcp *t, jj_tls_view *v, const jj_tls_run *run[2]);

/* ---- DTLS, dtls.c */

typedef struct jj_dtls jj_dtls;

extern bool jj_dtls_opens(const jj_packet *p, bool *done);
extern jj_want jj_dtls_add(jj_dtls **d, const jj_packet *p, const jj_work *w);
extern void jj_dtls_free(jj_dtls *d, const jj_allocator *a);
extern void jj_dtls_read(const jj_dtls *d, jj_tls_view *v, const jj_tls_lengths **lengths);

/* A direction as one role or the other. */
extern void jj_tls_view_client(jj_tls_view *v, const jj_tls_side *s);
extern void jj_tls_view_server(jj_tls_view *v, const jj_tls_side *s);

/* State of jj_parser_tls. */
typedef struct jj_tls
{
	jj_tls_tcp	tcp;
	jj_dtls    *dtls;
} jj_tls;

#endif
