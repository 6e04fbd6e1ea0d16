/*
 * ClientHello and ServerHello, over TLS, DTLS and QUIC, and the columns of
 * the group tls that come from them.
 *
 * A hello that was parsed is the bytes of its message and where things are in
 * them; lists, names and fingerprints are made when a flow ends.
 */
#ifndef JJ_TLS_HELLO_H
#define JJ_TLS_HELLO_H

#include "extractors/extractor.h"

#define JJ_HELLO_BYTES 16384	/* a longer message is not parsed */

typedef enum jj_hello_form
{
	JJ_HELLO_TLS,				/* TLS and QUIC (RFC 8446 4.1.2, RFC 5246 7.4.1) */
	JJ_HELLO_DTLS,				/* with a cookie (RFC 6347 4.2.1) */
	JJ_HELLO_SSL2				/* SSL 2.0 format (RFC 5246 E.2) */
} jj_hello_form;

typedef struct jj_hello
{
	const uint8_t *body;		/* of the handshake message (SSL 2.0 format: from its length on); NULL: no hello */
	uint8_t    *own;			/* body, if this hello owns it */
	uint16_t	size;
	uint16_t	version;		/* legacy_version */
	uint16_t	extensions;		/* offset of the first; size if there are none */
	uint16_t	ciphers;		/* ClientHello: offset of the suites */
	uint16_t	cipher_bytes;	/* and their bytes */
	uint16_t	cipher;			/* ServerHello: the suite */
	uint16_t	chosen;			/* ServerHello: supported_versions, or else legacy_version */
	uint8_t		session_id_len;
	uint8_t		cookie_len;		/* DTLS ClientHello */
	uint8_t		form;			/* jj_hello_form */
	bool		retry;			/* ServerHello: it is a HelloRetryRequest (RFC 8446 4.1.3) */
	bool		tls13;			/* ServerHello: what follows it is encrypted */
} jj_hello;

/*
 * Parse the body of a ClientHello or ServerHello message, which b keeps until
 * jj_hello_keep. False, and *h unchanged, unless it is valid: version major 3
 * (DTLS: 0xfe, or 0x0100), a cipher suite and a compression method, and
 * vectors and extensions that fill the message exactly.
 */
extern bool jj_client_hello_parse(jj_hello *h, const uint8_t *b, size_t n, bool dtls);
extern bool jj_server_hello_parse(jj_hello *h, const uint8_t *b, size_t n, bool dtls);

/*
 * A ClientHello in SSL 2.0 format at the start of the client's stream: its
 * length with the 2-byte header, 0 if it is none, -1 if b ends before that is
 * known or before its end.
 */
extern int	jj_ssl2_hello_parse(jj_hello *h, const uint8_t *b, size_t n);

/* Let h own a copy of its bytes; false without memory. jj_hello_free releases it and empties h. */
extern bool jj_hello_keep(jj_hello *h, const jj_allocator *a);
extern void jj_hello_free(jj_hello *h, const jj_allocator *a);

/* GREASE value (RFC 8701 2): 0x0a0a, 0x1a1a ... 0xfafa. */
static inline bool
jj_is_grease(unsigned v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

/* A walk through 16-bit values in a message. */
typedef struct jj_list16
{
	const uint8_t *b;
	uint32_t	n;				/* bytes left */
	enum
	{
		JJ_LIST_VALUES,
		JJ_LIST_EXTENSIONS,		/* types, with their data between them */
		JJ_LIST_SSL2			/* 3-byte cipher specs: those that begin with 0 */
	}			kind;
} jj_list16;

/* Cipher suites of a ClientHello; extension types; the values of extension 10 or 13 (empty without it). In wire order, GREASE included. */
extern jj_list16 jj_hello_ciphers(const jj_hello *h);
extern jj_list16 jj_hello_types(const jj_hello *h);
extern jj_list16 jj_hello_values(const jj_hello *h, unsigned type);
extern bool jj_list16_next(jj_list16 *l, unsigned *value);

/* The data of the first extension of that type; false if there is none. */
extern bool jj_hello_extension(const jj_hello *h, unsigned type, const uint8_t **data, uint32_t *size);

static inline bool
jj_hello_has(const jj_hello *h, unsigned type)
{
	const uint8_t *data;
	uint32_t	size;

	return jj_hello_extension(h, type, &data, &size);
}

/* The names of the ALPN extension (RFC 7301 3.1) without GREASE, one after the other. Start with a zeroed walk. */
typedef struct jj_alpn_walk
{
	const uint8_t *next;
	uint32_t	left;
	bool		begun;
} jj_alpn_walk;

extern bool jj_hello_alpn_next(const jj_hello *h, jj_alpn_walk *w, const uint8_t **name, uint32_t *size);

/* The host_name of server_name (RFC 6066 3) as sent, without one trailing dot; false if there is none or it is empty. */
extern bool jj_hello_sni(const jj_hello *h, const uint8_t **name, uint32_t *size);

/*
 * Text as the columns give it: bytes outside printable ASCII as \xHH; lower:
 * A to Z in lower case. out has room for 4 * size bytes. Bytes written.
 */
extern size_t jj_printable(char *out, const uint8_t *b, size_t size, bool lower);

/* Set a text column to bytes by jj_printable; a name as tls_sni gives it: lower, without one trailing dot, NULL if empty. */
extern void jj_row_printable(jj_row *row, jj_feature f, const uint8_t *b, size_t size, bool lower);
extern void jj_row_host(jj_row *row, jj_feature f, const uint8_t *b, size_t size);

/* Set a text column to the first name of the ALPN extension; NULL without one. */
extern void jj_hello_alpn_column(jj_row *row, jj_feature f, const jj_hello *h);

/* Name of a version on the wire, as tls_version_str gives it. */
#define JJ_TLS_VERSION_TEXT 24
extern void jj_tls_version_name(char out[JJ_TLS_VERSION_TEXT], unsigned version);

/* Name of a group of the IANA registry TLS Supported Groups in lower case, as tls_key_exchange_group_name gives it. */
#define JJ_TLS_GROUP_TEXT 24
extern void jj_tls_group_name(char out[JJ_TLS_GROUP_TEXT], unsigned group);

/* The server's public value: from its key_share, or from the body of a ServerKeyExchange message (NULL: none seen). */
typedef struct jj_key_exchange
{
	bool		known;			/* there is one */
	int32_t		group;			/* -1: a prime that is none of RFC 7919 */
	uint32_t	bits;
} jj_key_exchange;

/* Source: RFC 8446 4.2.8, RFC 8422 5.4, RFC 5246 7.4.3, RFC 4279, RFC 5489, RFC 7919. */
extern jj_key_exchange jj_server_key(const jj_hello *sh, const uint8_t *ske, size_t n);

/*
 * Set the columns of the group tls that a ClientHello gives: counts, lists,
 * SNI, ALPN, JA3 and JA4. letter: JA4's 't' (TCP), 'd' (DTLS) or 'q' (QUIC).
 * False without memory.
 * Source: https://github.com/salesforce/ja3, https://github.com/FoxIO-LLC/ja4 (JA4 alone)
 */
extern bool jj_client_hello_columns(jj_row *row, const jj_hello *ch, char letter, jj_work *w);

/* And those that a ServerHello (not a HelloRetryRequest) and a ServerKeyExchange (NULL: not seen) give: version, suite, JA3S, key exchange, ALPN. */
extern bool jj_server_hello_columns(jj_row *row, const jj_hello *sh, const uint8_t *ske, size_t ske_size, jj_work *w);

/*
 * JA3's string and JA4's raw form (JA4_r): text of out, with room for
 * jj_fingerprint_room bytes; bytes written, without terminator.
 */
extern size_t jj_fingerprint_room(const jj_hello *ch);
extern size_t jj_ja3_text(char *out, const jj_hello *ch);
extern size_t jj_ja4_raw_text(char *out, const jj_hello *ch, char letter);

#define JJ_JA4_SIZE 36			/* a_b_c: 10 + 1 + 12 + 1 + 12 */
/* JA4 from its raw form; false without SHA-256. */
extern bool jj_ja4_text(char out[JJ_JA4_SIZE], const char *raw, size_t size, jj_work *w);

#endif
