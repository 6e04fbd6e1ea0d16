/*
 * Application protocols: the base that the groups tls, quic, http2, ssh, dns
 * and fingerprint share. It owns a flow's streams and hands their bytes, or a
 * flow's datagrams, to the parsers; the groups read what the parsers found.
 *
 * A group of these is a jj_extractor with base = &jj_app_base, and its emit
 * reads jj_app_of(state).
 */
#ifndef JJ_APP_H
#define JJ_APP_H

#include "extractors/extractor.h"
#include "extractors/stream.h"

#define JJ_MESSAGE_BYTES 16384	/* a longer message is not parsed */

/* In the order in which they are given a packet. */
typedef enum jj_parser_id
{
	JJ_P_QUIC,
	JJ_P_TLS,					/* over TCP, and DTLS; TLS inside QUIC is JJ_P_QUIC's */
	JJ_P_SSH,
	JJ_P_DNS,
	JJ_P_HTTP,
	JJ_P_FINGERPRINT,
	JJ_PARSERS
} jj_parser_id;

typedef struct jj_app jj_app;

/*
 * A protocol's parser. Its state is zeroed memory, there from the first call
 * for a flow on. It never fails for what bytes say; it stops wanting them.
 * A hook that is NULL is not called, and one that wants none isn't called again
 * (stream: per direction).
 */
typedef struct jj_parser
{
	size_t		state_size;

	/*
	 * Whether the bytes may be the parser's; asked for each chunk, datagram or
	 * packet, as long as it has no state. One that it says no to does not reach the
	 * parser and costs no state. NULL = always. May set *done: the hook is not
	 * asked again (stream: for this direction).
	 */
	bool		(*stream_opens) (const jj_chunk *c, bool *done);
	bool		(*datagram_opens) (const jj_packet *p, bool *done);
	bool		(*packet_opens) (const jj_packet *p, bool *done);

	/* TCP: the next bytes of a stream. */
	jj_want		(*stream) (void *state, const jj_chunk *c, jj_app *app, const jj_work *w);

	/*
	 * How many of the next bytes of a direction (in order, no segment of them cut)
	 * the parser does not need to see. Asked behind each stream hook. Pieces that
	 * lie within them may be left out, and the offset of the next tells; they are
	 * shown again once the answer is 0 behind one of the other direction.
	 * Optional: none.
	 */
	uint32_t	(*pass) (const void *state, unsigned dir);

	/* Begin to load what the stream hook will touch of the state for a direction; optional: all of it. */
	void		(*fetch) (const void *state, unsigned dir);

	/* UDP: each packet with captured payload, first fragments included, later ones not. */
	jj_want		(*datagram) (void *state, const jj_packet *p, jj_app *app, const jj_work *w);

	/*
	 * Every packet of the flow, of any protocol, before the hooks above see it; of
	 * TCP only those with payload and SYNs.
	 * For a parser with an opens hook, those that follow the one with which it
	 * got its state, unless that hook is packet_opens.
	 */
	jj_want		(*packet) (void *state, const jj_packet *p, jj_app *app, const jj_work *w);

	/* Release what the state owns, not the state. */
	void		(*release) (void *state, const jj_allocator *a);
} jj_parser;

extern const jj_parser jj_parser_quic;
extern const jj_parser jj_parser_tls;
extern const jj_parser jj_parser_ssh;
extern const jj_parser jj_parser_dns;
extern const jj_parser jj_parser_http;
extern const jj_parser jj_parser_fingerprint;

/* State in the flow record. What it leads to is allocated when a parser opens, or when a segment is not in order. */
extern const jj_extractor jj_app_base;

/* What the base knows of the flow in an emit function's state; never NULL. */
extern const jj_app *jj_app_of(const void *state);

/* Whether payload existed and none of it was captured (any protocol): then nothing is known of what it carried. */
extern bool jj_app_blind(const jj_flow *f, const void *state);

/* Whether a packet of the flow had an Authentication Header between IP and the flow's protocol. */
extern bool jj_app_saw_ah(const void *state);

/* The state of a parser; NULL if it was never called. */
extern void *jj_app_parser(const jj_app *app, jj_parser_id id);

/* Whether a parser but that of group fingerprint was called. */
extern bool jj_app_opened(const jj_app *app);

/* A direction's stream. */
typedef struct jj_app_side
{
	uint64_t	next;			/* its length so far */
	uint32_t	start;			/* sequence number of byte 0, if started */
	bool		started;
	bool		start_seen;		/* by a SYN */
	bool		gap;			/* it goes on behind the end of what is in order */
} jj_app_side;

/* Followed only as long as a parser wants the direction. */
extern jj_app_side jj_app_stream(const jj_app *app, int dir);

/*
 * Whether the beginning of a direction's stream was captured: its SYN was
 * seen, or the first SYN-ACK of the other side acknowledges the sequence
 * number before its first byte.
 */
extern bool jj_app_start_known(const jj_app *app, int dir);

#endif
