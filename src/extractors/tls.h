/*
 * What was read of TLS in a flow: over TCP, after another protocol on TCP, in
 * DTLS, or inside QUIC. The group tls and the groups that build on it read it.
 */
#ifndef JJ_TLS_H
#define JJ_TLS_H

#include "extractors/app.h"
#include "extractors/tls_hello.h"

typedef enum jj_tls_transport
{
	JJ_TLS_NONE,				/* no TLS */
	JJ_TLS_TCP,
	JJ_TLS_STARTTLS,
	JJ_TLS_DTLS,
	JJ_TLS_QUIC
} jj_tls_transport;

/* Pointers lead into the flow's state. */
typedef struct jj_tls_view
{
	jj_tls_transport transport; /* if none, nothing below is set */
	uint8_t		client;			/* direction of the client */
	const jj_hello *ch;			/* the ClientHello that counts, NULL if none was complete */
	const jj_hello *sh;			/* the ServerHello, never a HelloRetryRequest */
	bool		hello_retry;	/* a HelloRetryRequest was seen */
	int8_t		resumed;		/* 1, 0, or -1: not known */
	const uint8_t *certs;		/* body of the server's first Certificate message in the clear, NULL if none */
	uint32_t	certs_size;
	const uint8_t *key_exchange;	/* body of its first ServerKeyExchange, NULL if none */
	uint32_t	key_exchange_size;
	uint32_t	handshake_packets;
	int16_t		alert;			/* description of the first alert in the clear, -1 if none */
	uint32_t	cell_records;	/* for group fingerprint, over TCP: application-data records of more than 100 bytes, 0 if they are no Tor cells */
	uint32_t	cells_fit;		/* those of them with the length of whole cells */
} jj_tls_view;

/* The flow's TLS; Certificate and key exchange only if a wanted column needs them. */
extern void jj_tls_read(const jj_app *app, jj_tls_view *v);

#endif
