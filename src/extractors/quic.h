/*
 * What is known of QUIC in a flow: the state of jj_parser_quic, for the groups
 * quic, tls and fingerprint.
 */
#ifndef JJ_QUIC_H
#define JJ_QUIC_H

#include "extractors/quic_packet.h"
#include "extractors/tls_hello.h"

/* Connection IDs that one side sent together. */
typedef struct jj_quic_ids
{
	uint8_t		dcid_len;
	uint8_t		scid_len;
	uint8_t		uses;			/* JJ_QUIC_USE_* */
	uint8_t		dcid[JJ_QUIC_CID];
	uint8_t		scid[JJ_QUIC_CID];
} jj_quic_ids;

#define JJ_QUIC_USE_FIRST 1		/* first packet of a datagram: a Version Negotiation packet may echo them */
#define JJ_QUIC_USE_KEY 2		/* Initial or 0-RTT: a Retry is made for the destination ID */
#define JJ_QUIC_USE_SOURCE 4	/* the other side may address short headers to the source ID */
#define JJ_QUIC_USE_NO_SOURCE 8	/* there is no source ID */

/* What one side sent. */
typedef struct jj_quic_side
{
	jj_quic_ids *ids;			/* in order of appearance: [0] are those of its first long header */
	uint8_t		n_ids;
	uint8_t		ids_room;
	uint8_t		last_id;		/* of the other side's source IDs: the one that a short header had last */
	uint8_t		number_len;		/* of its first Initial that was opened, 0 if none was */
	uint8_t		one_rtt;		/* short headers of the connection, up to 2 */
	uint8_t		spin;			/* bit of the last one */
	bool		plain;			/* a datagram that is QUIC, whoever sent it */
	bool		if_server;		/* one that is QUIC if this side is the server */
	bool		negotiated;		/* a Version Negotiation packet with IDs of the other side */
	bool		retry;			/* a valid Retry for an ID of the other side */
	uint8_t		retries;		/* that were checked */
	bool		has_version;	/* a long header but Version Negotiation and public headers */
	bool		has_any_version;	/* a long header but Version Negotiation */
	bool		has_token;
	bool		has_chlo;
	uint32_t	version;		/* last one, of the first kind */
	uint32_t	any_version;	/* and of the second */
	uint32_t	token_len;		/* of its first Initial */
	uint8_t    *sni;			/* server name of its first CHLO, NULL if it has none */
	uint32_t	sni_len;
} jj_quic_side;

typedef struct jj_quic_opener jj_quic_opener;

typedef struct jj_quic
{
	jj_hello	ch;				/* of the first complete ones; body NULL: not seen */
	jj_hello	sh;
	jj_quic_side side[2];		/* by direction of the flow */
	jj_quic_opener *opener;		/* while Initials are decrypted */
	uint32_t	ch_version;		/* QUIC version of the packet that completed ch */
	uint32_t	initial_packets;
	uint32_t	handshake_datagrams;	/* datagrams with an Initial or a Handshake packet */
	uint8_t		ch_dir;
	uint8_t		sh_dir;
	uint8_t		first_client;	/* sender of the first client Initial that was opened, if decrypted */
	uint8_t		failures;		/* Initials that were not opened */
	bool		decrypted;		/* a client Initial with a valid tag */
	bool		opened;			/* no more Initials need to be decrypted */
	bool		hrr;			/* a HelloRetryRequest was seen */
	bool		zero_rtt;
	bool		handshake;		/* a Handshake packet was seen */
	bool		ietf;			/* a version or draft of IETF's was seen */
	bool		moved;			/* the spin bit changed in a direction */
} jj_quic;

/* Direction of the client; q is not NULL. */
extern int	jj_quic_client(const jj_quic *q);

/* Whether the flow is QUIC, as column quic_detected says; q may be NULL. */
extern bool jj_quic_detected(const jj_quic *q);

/* Whether there is a hello of TLS in it; q may be NULL. */
static inline bool
jj_quic_has_tls(const jj_quic *q)
{
	return q != NULL && (q->ch.body != NULL || q->sh.body != NULL || q->hrr);
}

/* The server name in a CHLO of Google QUIC that client sent, without a ClientHello; NULL if there is none. */
static inline const uint8_t *
jj_quic_google_sni(const jj_quic *q, int client, uint32_t *size)
{
	*size = q->side[client].sni_len;
	return q->ch.body != NULL ? NULL : q->side[client].sni;
}

#endif
