/*
 * Application protocols: the base that the groups tls, quic, http2, ssh, dns
 * and fingerprint share. It owns a flow's streams and hands their bytes, or a
 * flow's datagrams, to the parsers; the groups read what the parsers found.
 */
#ifndef JJ_APP_H
#define JJ_APP_H

#include "extractors/extractor.h"

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
	JJ_WANT_MEMORY				/* the allocator gave NULL: the extraction fails */
} jj_want;

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
 * A protocol's parser. Its state is zeroed memory, allocated before the first
 * call for a flow. It never fails for what bytes say; it stops wanting them.
 * A hook that is NULL is not called, and one that wants none isn't called again (stream: per direction).
 */
typedef struct jj_parser
{
	size_t		state_size;

	/* TCP: the next bytes of a stream. */
	jj_want		(*stream) (void *state, const jj_chunk *c, jj_app *app, const jj_work *w);

	/* UDP: each packet with captured payload, first fragments included, later ones not. */
	jj_want		(*datagram) (void *state, const jj_packet *p, jj_app *app, const jj_work *w);

	/* Every packet of the flow, of any protocol, before the hooks above see it. */
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

#endif
