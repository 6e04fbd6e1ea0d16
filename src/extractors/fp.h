/*
 * What the files of group fingerprint share: the codes of evidence, the names
 * of application protocols, and the rules that look at messages.
 *
 * A rule takes bytes and gives a verdict; nothing here knows of flows but
 * fingerprint.c and fp_tls.c.
 */
#ifndef JJ_FP_H
#define JJ_FP_H

#include "extractors/stream.h"

/* Evidence, in the order in which confidences are multiplied and codes are listed. */
typedef enum jj_fp_code
{
	JJ_EV_TOR_CERT,
	JJ_EV_TOR_SNI,
	JJ_EV_TOR_CELLS,
	JJ_EV_TOR_PORT,
	JJ_EV_WG_HANDSHAKE,
	JJ_EV_WG_DATA,
	JJ_EV_WG_INIT,
	JJ_EV_OPENVPN_RESET,
	JJ_EV_OPENVPN_SESSION,
	JJ_EV_OPENVPN_ONEWAY,
	JJ_EV_IKE,
	JJ_EV_ESP,
	JJ_EV_AH,
	JJ_EV_NATT,
	JJ_EV_L2TP,
	JJ_EV_PPTP,
	JJ_EV_GRE_PPTP,
	JJ_EV_TAILSCALE,
	JJ_EV_TINC,
	JJ_EV_SOFTETHER,
	JJ_EV_PROVIDER_NAME,
	JJ_EV_PROVIDER_CERT,
	JJ_EV_DOH_ALPN,
	JJ_EV_DOH_SNI,
	JJ_EV_DOT_PORT,
	JJ_EV_DOH_CERT,
	JJ_EV_DOH_ADDR,
	JJ_EV_CODES
} jj_fp_code;

#define JJ_EV(code) (UINT32_C(1) << JJ_EV_##code)

/* Application protocols that are known by the shape of their messages. */
typedef enum jj_fp_app
{
	JJ_APP_NONE,
	JJ_APP_STUN,
	JJ_APP_NTP,
	JJ_APP_DHCP,
	JJ_APP_DHCPV6,
	JJ_APP_SMTP,
	JJ_APP_FTP,
	JJ_APP_IMAP,
	JJ_APP_POP3,
	JJ_APP_SIP,
	JJ_APP_RTSP,
	JJ_APP_SSDP,
	JJ_APP_BITTORRENT,
	JJ_APP_RDP,
	JJ_APP_SMB,
	JJ_APP_NBNS,
	JJ_APP_SNMP,
	JJ_APP_POSTGRESQL,
	JJ_APP_MYSQL,
	JJ_APP_REDIS,
	JJ_APP_MQTT,
	JJ_APP_LDAP,
	JJ_APP_KERBEROS,
	JJ_APP_BGP,
	JJ_APP_TACACS,
	JJ_APP_TFTP,
	JJ_APP_SYSLOG,
	JJ_APP_RADIUS,
	JJ_APP_RTP,
	JJ_APP_HTTP,				/* below: only as what came before TLS */
	JJ_APP_XMPP,
	JJ_APPS
} jj_fp_app;

/* ---- TCP: the beginning of a stream (fp_head.c) */

/* What the beginning of one direction is. */
enum
{
	JJ_HEAD_PPTP,				/* control message (RFC 2637 2) */
	JJ_HEAD_TINC,				/* ID request of version 17 */
	JJ_HEAD_220,				/* greeting "220 " or "220-" (RFC 5321, 959) */
	JJ_HEAD_220_SMTP,			/* with SMTP in its line */
	JJ_HEAD_STAR_OK,			/* greeting "* OK" (RFC 9051) */
	JJ_HEAD_PLUS_OK,			/* "+OK" (RFC 1939) */
	JJ_HEAD_EHLO,				/* line with EHLO or HELO */
	JJ_HEAD_FTP,				/* line with USER or AUTH */
	JJ_HEAD_IMAP,				/* line with a tag and a command */
	JJ_HEAD_POP3,				/* line with USER, APOP, CAPA, STLS or AUTH (RFC 1939, 2449, 5034) */
	JJ_HEAD_SIP,
	JJ_HEAD_RTSP,
	JJ_HEAD_BITTORRENT,
	JJ_HEAD_RDP,
	JJ_HEAD_SMB,
	JJ_HEAD_POSTGRESQL,
	JJ_HEAD_SSLREQUEST,			/* of PostgreSQL */
	JJ_HEAD_MYSQL,
	JJ_HEAD_REDIS,
	JJ_HEAD_MQTT,
	JJ_HEAD_LDAP,
	JJ_HEAD_KERBEROS,
	JJ_HEAD_BGP,
	JJ_HEAD_TACACS,
	JJ_HEAD_XMPP,				/* XML with a stream tag in the first 512 bytes (RFC 6120 4.2) */
	JJ_HEADS
};

#define JJ_HEAD(what) (UINT32_C(1) << JJ_HEAD_##what)
#define JJ_HEAD_BYTES 2048		/* no rule looks further */

/*
 * The beginning of one direction, while rules are still open. Zeroed memory is
 * a stream of which nothing has come.
 */
typedef struct jj_fp_head
{
	jj_buffer	held;			/* the bytes so far, only if rules are open */
	uint32_t	open;			/* rules that need more bytes */
	uint32_t	found;			/* rules that hold */
	uint16_t	n;				/* bytes so far, at most JJ_HEAD_BYTES */
	uint8_t		tag;			/* bytes of the XMPP stream tag that the stream ends in */
	bool		xml;			/* the tag may still come */
} jj_fp_head;

/*
 * The next n bytes of a stream. *more is false when no rule needs another byte.
 * False without memory.
 */
extern bool jj_fp_head_add(jj_fp_head *h, const uint8_t *b, uint32_t n, bool *more, const jj_allocator *a);

/* The rules that hold if the stream ends here: a set of JJ_HEAD bits. */
extern uint32_t jj_fp_head_found(const jj_fp_head *h);

extern void jj_fp_head_free(jj_fp_head *h, const jj_allocator *a);

/* The rules that a stream with these n > 0 bytes in front may still fulfil; most others are left out (fp_stream.c). */
extern uint32_t jj_fp_head_candidates(const uint8_t *b, uint32_t n);

/*
 * Put the rules of *open to the first n > 0 bytes of a stream; with whole no
 * more will come. The rules that hold; *open keeps those that need more.
 */
extern uint32_t jj_fp_head_rules(uint32_t *open, const uint8_t *b, uint32_t n, bool whole);

/*
 * The application protocol by the heads of the initiator's [0] and the
 * responder's [1] stream, in the order of the rules; ports decide on kerberos
 * and tacacs. JJ_APP_NONE if none holds.
 */
extern jj_fp_app jj_fp_stream_app(const uint32_t head[2], int32_t src_port, int32_t dst_port);

/* The protocol in which STARTTLS was asked, by the heads; http: HTTP/1 was seen. */
extern jj_fp_app jj_fp_before_tls(const uint32_t head[2], bool http);

/*
 * (fp_opaque.c) Whether a client's first payload looks fully encrypted: Wu et al., "How the
 * Great Firewall of China Detects and Blocks Fully Encrypted Traffic", USENIX
 * Security 2023, Algorithm 1. n > 0.
 */
extern bool jj_fp_fully_encrypted(const uint8_t *b, uint32_t n);

/* ---- UDP (fp_datagram.c) */

/* STUN message that fills a payload of wire bytes, of which n are captured (RFC 8489 5). */
extern bool jj_fp_is_stun(const uint8_t *b, uint32_t n, uint32_t wire);

/* The application protocol of a direction's first datagram, of which n of wire bytes are captured; either port may be 0. */
extern jj_fp_app jj_fp_first_datagram(const uint8_t *b, uint32_t n, uint32_t wire, int32_t port, int32_t other);

/* Of the protocols of both directions' first datagrams, the one whose rule comes first. */
extern jj_fp_app jj_fp_datagram_app(jj_fp_app initiator, jj_fp_app responder);

/* RTP in one direction: the last packet of a run with one source and payload type (RFC 3550 5.1). */
typedef struct jj_fp_rtp
{
	uint32_t	ssrc;
	uint16_t	seq;
	uint8_t		type;
	uint8_t		run;			/* packets with numbers in order, 0 if none */
} jj_fp_rtp;

/* The next datagram of a direction; true with the third of a run. */
extern bool jj_fp_rtp_add(jj_fp_rtp *r, const uint8_t *b, uint32_t n);

/* ---- BER, shared by both (X.690 8.1): the item at *b + o */
typedef struct jj_fp_ber
{
	uint64_t	start;			/* of the contents, from b */
	uint64_t	end;			/* may lie behind the captured bytes */
	uint8_t		tag;
} jj_fp_ber;

extern bool jj_fp_ber_read(jj_fp_ber *x, const uint8_t *b, uint64_t n, uint64_t o);
extern bool jj_fp_is_ldap(const uint8_t *b, uint32_t n);

/* A Kerberos message of wire bytes, of which n are captured (RFC 4120 5). */
extern bool jj_fp_is_kerberos(const uint8_t *b, uint32_t n, uint64_t wire);

/* Whether a message begins with a start line of RTSP, or else SIP (RFC 2326 6.1, 7.1, RFC 3261 7.1, 7.2). */
extern bool jj_fp_start_line(const uint8_t *b, uint32_t n, bool rtsp);

/* Length of the first line, without CR and LF, if it ends within JJ_HEAD_BYTES; else -1. */
extern int32_t jj_fp_first_line(const uint8_t *b, uint32_t n);

/* ---- VPN messages (fp_vpn.c) */

typedef struct jj_fp_wireguard
{
	uint32_t	sender[2];		/* index of the last handshake initiation, by direction */
	uint32_t	receiver[2][2];	/* indices that data messages were sent to */
	uint8_t		receivers[2];	/* how many, 3 = too many */
	uint8_t		initiated;		/* bit per direction */
	uint8_t		data;			/* data messages, at most 3 counted */
} jj_fp_wireguard;

typedef struct jj_fp_openvpn
{
	uint8_t		session[2][8];
	uint8_t		first_opcode[2];
	uint8_t		count[2];		/* control packets */
	uint8_t		payloads;		/* looked at */
} jj_fp_openvpn;

#define JJ_FP_SPIS 8

typedef struct jj_fp_natt
{
	uint32_t	spi[JJ_FP_SPIS];	/* 0 = unused */
	uint32_t	seq[JJ_FP_SPIS];
	uint8_t		dir[JJ_FP_SPIS];
	uint8_t		next;			/* the place to use next */
} jj_fp_natt;

/*
 * The next payload of a flow: dir its direction, n of its wire bytes captured.
 * Evidence found is added to *evidence. False when the look has ended: the
 * payload can't be of the protocol, or nothing more can be learnt.
 */
extern bool jj_fp_wireguard_add(jj_fp_wireguard *s, unsigned dir, const uint8_t *b, uint32_t n, uint32_t wire, uint32_t *evidence);
extern bool jj_fp_openvpn_add(jj_fp_openvpn *s, bool tcp, unsigned dir, const uint8_t *b, uint32_t n, uint32_t wire, uint32_t *evidence);
extern bool jj_fp_natt_add(jj_fp_natt *s, unsigned dir, const uint8_t *b, uint32_t n, uint32_t *evidence);

/* A payload that may begin a look at WireGuard or OpenVPN: cheap, and never false where the function above would go on. */
extern bool jj_fp_wireguard_may(const uint8_t *b, uint32_t n, uint32_t wire);
extern bool jj_fp_openvpn_may(bool tcp, const uint8_t *b, uint32_t n, uint32_t wire);

/* ISAKMP message (RFC 2408 3.1, RFC 7296 3.1); with marker, behind the four zero bytes of RFC 3948 2.2. */
extern bool jj_fp_is_ike(const uint8_t *b, uint32_t n, uint32_t wire, bool marker);

/* L2TP control message whose first AVP is Message Type (RFC 2661 3.1, 4.4.1). */
extern bool jj_fp_is_l2tp(const uint8_t *b, uint32_t n, uint32_t wire);

/* GRE header of PPTP, from its first byte (RFC 2637 4.1). */
extern bool jj_fp_is_gre_pptp(const uint8_t *b, uint32_t n);

/* Tailscale discovery message. */
extern bool jj_fp_is_tailscale(const uint8_t *b, uint32_t n);

/* ---- names and addresses (fp_names.c) */

/* Whether a host name, lower case, is in the list or below a name of it. */
extern bool jj_fp_is_provider(const char *host, size_t n);
extern bool jj_fp_is_resolver(const char *host, size_t n);

/* Whether an address of 16 bytes, IPv4 as ::ffff:a.b.c.d, is that of a listed resolver. */
extern bool jj_fp_is_resolver_address(const uint8_t address[16]);

/* ---- Tor (fp_tor.c) */

/* www.<base32>.com or .net, as Tor makes for its certificates. */
extern bool jj_fp_is_tor_name(const char *name, size_t n);

/* A server name as Tor clients make it, and few others look like. */
extern bool jj_fp_is_tor_sni(const char *name, size_t n);

/* How long a TLS record is beyond the cells in it; block 1 if the cipher has none. */
typedef struct jj_fp_shape
{
	uint8_t		lowest;
	uint8_t		highest;
	uint8_t		block;
} jj_fp_shape;

/* The shape of a cipher suite's records; false if it is not known. */
extern bool jj_fp_suite_shape(uint16_t suite, uint16_t version, jj_fp_shape *shape);

/* Whether an application-data record of this length (over 100) can hold 1 to 7 whole cells. */
extern bool jj_fp_fits_cells(const jj_fp_shape *shape, uint32_t length);

#endif
