/*
 * Group fingerprint: what its parser keeps of a flow, and what the group
 * gathers of the other parsers when the flow ends.
 */
#ifndef JJ_FINGERPRINT_H
#define JJ_FINGERPRINT_H

#include "extractors/app.h"
#include "extractors/fp.h"
#include "extractors/tls_hello.h"

/* The looks at VPN messages that span packets; only flows that may be one have it. */
typedef struct jj_fp_vpn
{
	jj_fp_wireguard wireguard;
	jj_fp_openvpn openvpn;
	jj_fp_natt	natt;
} jj_fp_vpn;

/* The verdict of Algorithm 1 over the client's first data segment. */
typedef enum jj_fp_opaque
{
	JJ_OPAQUE_UNKNOWN,			/* none seen, or it was cut */
	JJ_OPAQUE_NO,
	JJ_OPAQUE_YES
} jj_fp_opaque;

/* State of jj_parser_fingerprint, in each flow record (app.c). */
typedef struct jj_fp_state
{
	uint32_t	evidence;		/* JJ_EV bits, of messages */
	uint8_t		look;			/* what is still looked for */
	uint8_t		seen : 2;		/* directions that have sent payload, one bit each */
	uint8_t		opaque : 2;		/* jj_fp_opaque */
	uint8_t		tcp : 1;		/* u.tcp is used */
	uint8_t		stun : 1;
	uint8_t		rtp : 1;
	uint8_t		first[2];		/* UDP: jj_fp_app of each direction's first datagram */
	jj_fp_vpn  *vpn;			/* NULL until needed */
	union
	{
		struct
		{
			jj_fp_head *open;	/* 2, one for each direction; NULL unless rules were open behind the first bytes of one */
			uint32_t	found[2];	/* rules that hold in directions where none is open any more */
		}			tcp;
		jj_fp_rtp	rtp[2];		/* UDP */
	}			u;
} jj_fp_state;

_Static_assert(sizeof(jj_fp_state) <= 32, "each flow record has one");

/* What the parsers of the other groups found in a flow. */
typedef struct jj_fp_facts
{
	/* TLS over TCP, DTLS, QUIC: at most one */
	bool		tls;
	bool		dtls;
	bool		quic;
	bool		starttls;		/* tls: another protocol came first */
	bool		opened;			/* quic: an Initial was decrypted */
	const jj_hello *client;		/* NULL: no complete ClientHello */
	const jj_hello *server;		/* NULL: no ServerHello */
	const uint8_t *sni;			/* NULL: none */
	uint32_t	sni_size;
	const uint8_t *certificate; /* DER of the server's leaf, if it came in the clear; else NULL */
	uint32_t	certificate_size;
	uint32_t	certificates;	/* in its message */
	uint32_t	cell_records;	/* application-data records of more than 100 bytes */
	uint32_t	cells_fit;		/* those of whole Tor cells */

	bool		ssh;
	bool		ssh_both;		/* identification lines of both sides */
	bool		ssh_newkeys;

	bool		http2;			/* in the clear */
	bool		http_request;	/* HTTP/1 */
	bool		http_response;
	bool		softether;		/* the request is POST /vpnsvc/... */
	const uint8_t *host;		/* of the request; NULL: none */
	uint32_t	host_size;

	bool		dns;			/* a message of DNS, mDNS or LLMNR */
} jj_fp_facts;

/* Gather them in *facts, which is zero (fp_facts.c). */
extern void jj_fp_gather(jj_fp_facts *facts, const jj_flow *f, const jj_app *app);

/* Add the evidence that TLS and QUIC, names and certificates give: JJ_EV bits of tor, provider and doh codes (fp_tls.c). False without memory. */
extern bool jj_fp_tls_evidence(uint32_t *evidence, const jj_fp_facts *facts, const jj_flow *f, jj_work *w);

/* What is inside TLS, DTLS or QUIC by its ALPN names or DTLS-SRTP, e.g. "http"; NULL if they don't say. */
extern const char *jj_fp_inside(const jj_fp_facts *facts);

/* Whether a ClientHello offers DNS over TLS (dot) or over QUIC (doq). */
extern bool jj_fp_offers_dns(const jj_fp_facts *facts, const char *kind);

#endif
