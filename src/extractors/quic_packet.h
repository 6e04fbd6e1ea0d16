/*
 * Packets of QUIC and Google QUIC as far as they are in the clear, and the
 * frames of a decrypted Initial.
 *
 * Sources: RFC 8999, RFC 9000 17 and 19, RFC 9369 3.2.
 */
#ifndef JJ_QUIC_PACKET_H
#define JJ_QUIC_PACKET_H

#include "extractors/extractor.h"

#define JJ_QUIC_V1 1
#define JJ_QUIC_V2 0x6b3343cfu
#define JJ_QUIC_Q046 0x51303436u
#define JJ_QUIC_Q050 0x51303530u
#define JJ_QUIC_T050 0x54303530u
#define JJ_QUIC_T051 0x54303531u
#define JJ_QUIC_CID 20			/* most bytes of a connection ID (RFC 9000 17.2) */

typedef enum jj_quic_kind
{
	JJ_QUIC_INITIAL,
	JJ_QUIC_0RTT,
	JJ_QUIC_HANDSHAKE,
	JJ_QUIC_RETRY,
	JJ_QUIC_NEGOTIATION,		/* Version Negotiation */
	JJ_QUIC_PUBLIC,				/* public header of Q024 to Q043, with its version */
	JJ_QUIC_RESERVED,			/* long header of a version that forces negotiation */
	JJ_QUIC_SHORT				/* short header behind a long one */
} jj_quic_kind;

/* One packet of a datagram. Pointers lead into the datagram. */
typedef struct jj_quic_packet
{
	jj_quic_kind kind;
	uint32_t	version;
	const uint8_t *raw;
	uint32_t	have;			/* captured bytes at raw, not beyond the packet's end */
	uint32_t	size;			/* bytes of the packet, where it has a Length field; else those to the datagram's end */
	uint32_t	number_at;		/* offset of the protected packet number, 0 if it has none */
	uint32_t	token_len;		/* of an Initial */
	bool		has_token;		/* there is a Token field, empty or not */
	bool		has_scid;
	uint8_t		dcid_len;
	uint8_t		scid_len;
	const uint8_t *dcid;		/* NULL: JJ_QUIC_SHORT */
	const uint8_t *scid;
} jj_quic_packet;

/* A walk through the packets of a datagram of wire bytes, of which the first have are captured. */
typedef struct jj_quic_walk
{
	const uint8_t *b;
	uint32_t	have;
	uint32_t	wire;
	uint32_t	at;				/* begin with 0 */
	bool		over;
} jj_quic_walk;

/* The next packet; false if there is none. The first thing that is no packet of a known version ends the walk. */
extern bool jj_quic_next(jj_quic_walk *walk, jj_quic_packet *p);

/* Whether a datagram can begin with a packet for jj_quic_next: a few comparisons. */
extern bool jj_quic_begins(const uint8_t *b, uint32_t have);

/* The draft a version behaves as: 22 to 34, 34 for version 1, 100 for version 2; 0 for Google QUIC and unknown ones. */
extern int	jj_quic_draft(uint32_t version);

/* Versions with the long header of RFC 9000 whose Initials can be decrypted. */
extern bool jj_quic_is_ietf(uint32_t version);

/* Name of a version as quic_version_str gives it. */
#define JJ_QUIC_VERSION_TEXT 24
extern void jj_quic_version_name(char out[JJ_QUIC_VERSION_TEXT], uint32_t version);

/* A variable-length integer (RFC 9000 16) at *at, which moves behind it; false if it doesn't end within n. */
extern bool jj_quic_varint(const uint8_t *b, uint32_t n, uint32_t *at, uint64_t *value);

/* The frames of an Initial: from at = 0 on, the next CRYPTO frame; false if there is none, or a frame that can't be in an Initial. */
typedef struct jj_quic_frames
{
	const uint8_t *b;
	uint32_t	n;
	uint32_t	at;
	bool		google;			/* frames of Q050, T050, T051 */
} jj_quic_frames;

extern bool jj_quic_crypto_frame(jj_quic_frames *f, uint64_t *offset, const uint8_t **data, uint32_t *size);

/*
 * A CRYPTO stream: bytes by offset, the first copy wins, up to
 * JJ_QUIC_CRYPTO of them.
 */
#define JJ_QUIC_CRYPTO 16384

typedef struct jj_quic_bytes
{
	uint8_t    *b;				/* followed by a bit for each byte that is there */
	uint32_t	room;
	uint32_t	done;			/* bytes from the start without a gap */
} jj_quic_bytes;

/*
 * Add what is below the limit; false without memory. Room is counted in hold;
 * what would go beyond its limit is counted as refused and dropped.
 */
extern bool jj_quic_bytes_add(jj_quic_bytes *s, uint64_t offset, const uint8_t *data, uint32_t size, struct jj_hold *hold,
							  const jj_allocator *a);
extern void jj_quic_bytes_free(jj_quic_bytes *s, struct jj_hold *hold, const jj_allocator *a);

/*
 * The CHLO of Google QUIC somewhere in b: the number of its tags that are
 * whole, 0 if there is none; *sni (NULL: no such tag) is its server name.
 * *more: there are tags that are not whole, so that it may be among them.
 */
extern uint32_t jj_quic_chlo(const uint8_t *b, uint32_t n, const uint8_t **sni, uint32_t *sni_size, bool *more);

#endif
