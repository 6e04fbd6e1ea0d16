/*
 * QUIC packets made in the test, and one flow of datagrams run through the
 * base of the application protocols, for the tests of the group quic.
 */
#ifndef JJ_QUIC_BYTES_H
#define JJ_QUIC_BYTES_H

#include "extractors/app.h"
#include "extractors/crypto.h"
#include "extractors/quic.h"
#include "extractors/quic_crypto.h"
#include "extractors/stream.h"
#include "hello_bytes.h"

#include <openssl/evp.h>

static jj_work quic_work;

/* ---- packets */

/* AES-128 of one block, or GCM with the tag behind it. Tests may fail loudly: a failure here is libcrypto's. */
static inline void
encrypt(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *nonce, const uint8_t *aad, size_t aad_size, const uint8_t *in, size_t n,
		uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t		rest[16];
	int			k;

	if (ctx == NULL || EVP_EncryptInit_ex(ctx, cipher, NULL, key, nonce) != 1)
		abort();
	if (nonce != NULL && EVP_EncryptUpdate(ctx, NULL, &k, aad, (int) aad_size) != 1)
		abort();
	if (n > 0 && EVP_EncryptUpdate(ctx, out, &k, in, (int) n) != 1)
		abort();
	if (nonce != NULL && (EVP_EncryptFinal_ex(ctx, rest, &k) != 1 || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, out + n) != 1))
		abort();
	EVP_CIPHER_CTX_free(ctx);
}

/* A connection ID. */
typedef struct cid
{
	uint8_t		n;
	uint8_t		b[20];
} cid;

#define CID(...) ((cid) {sizeof((uint8_t[]) {__VA_ARGS__}), {__VA_ARGS__}})
static const cid no_cid;

/* What makes up an Initial. */
typedef struct initial
{
	uint32_t	version;
	bool		server;			/* the server's key */
	cid			key;			/* destination ID of which the keys are made */
	cid			dcid;
	cid			scid;
	unsigned	token;			/* bytes of token */
	unsigned	number;
	unsigned	number_len;		/* 1 to 4 */
} initial;

static inline void
put_varint(message *m, uint64_t v)
{
	int			bytes = v < 64 ? 1 : v < 16384 ? 2 : v < (1 << 30) ? 4 : 8;

	for (int i = bytes - 1; i >= 0; i--)
		m->b[m->n++] = (uint8_t) (v >> 8 * i);
	m->b[m->n - (size_t) bytes] |= (uint8_t) (bytes == 1 ? 0 : bytes == 2 ? 0x40 : bytes == 4 ? 0x80 : 0xc0);
}

static inline void
put_cid(message *m, cid c)
{
	put_number(m, c.n, 1);
	put_bytes(m, c.b, c.n);
}

/* First byte, version, IDs. */
static inline void
put_long(message *m, unsigned first, uint32_t version, cid dcid, cid scid)
{
	put_number(m, first, 1);
	put_number(m, version, 4);
	put_cid(m, dcid);
	put_cid(m, scid);
}

/* Append a protected Initial with those frames. */
static inline void
put_initial(message *m, const initial *p, const message *frames)
{
	size_t		start = m->n;
	size_t		n = frames->n;
	size_t		number_at;
	jj_quic_keys k;
	uint8_t		nonce[12];
	uint8_t		mask[16];

	if (!jj_quic_initial_keys(&k, p->version, p->key.b, p->key.n, p->server, &quic_work))
		abort();
	put_long(m, (p->version == JJ_QUIC_V2 ? 0xd0 : 0xc0) | (p->number_len - 1), p->version, p->dcid, p->scid);
	put_varint(m, p->token);
	memset(m->b + m->n, 0x74, p->token);
	m->n += p->token;
	put_number(m, (unsigned) (0x4000 | (p->number_len + n + 16)), 2);
	number_at = m->n;
	put_number(m, p->number, (int) p->number_len);
	memcpy(nonce, k.iv, 12);
	for (unsigned i = 0; i < p->number_len; i++)
		nonce[11 - i] ^= (uint8_t) (p->number >> 8 * i);
	encrypt(EVP_aes_128_gcm(), k.key, nonce, m->b + start, m->n - start, frames->b, n, m->b + m->n);
	m->n += n + 16;
	encrypt(EVP_aes_128_ecb(), k.hp, NULL, NULL, 0, m->b + number_at + 4, 16, mask);
	m->b[start] ^= mask[0] & 15;
	for (unsigned i = 0; i < p->number_len; i++)
		m->b[number_at + i] ^= mask[1 + i];
}

/* Append a Retry with a valid tag for the client's destination ID. */
static inline void
put_retry(message *m, uint32_t version, cid dcid, cid scid, cid original)
{
	static const uint8_t key1[16] = {0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76, 0x6b, 0x54, 0xe3, 0x68, 0xc8, 0x4e};
	static const uint8_t nonce1[12] = {0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb};
	size_t		start = m->n;
	message		pseudo = {.n = 0};

	put_long(m, 0xf0, version, dcid, scid);
	put_hex(m, "746f6b656e");
	put_cid(&pseudo, original);
	put_bytes(&pseudo, m->b + start, m->n - start);
	encrypt(EVP_aes_128_gcm(), key1, nonce1, pseudo.b, pseudo.n, NULL, 0, m->b + m->n);
	m->n += 16;
}

/* A CRYPTO frame. */
static inline void
put_crypto(message *frames, uint64_t offset, const uint8_t *b, size_t n)
{
	put_number(frames, 6, 1);
	put_varint(frames, offset);
	put_varint(frames, n);
	put_bytes(frames, b, n);
}

/* A handshake message around a body. */
static inline void
put_handshake(message *m, unsigned type, const message *body)
{
	put_number(m, type, 1);
	put_number(m, (unsigned) body->n, 3);
	put_bytes(m, body->b, body->n);
}

/* ---- the flow */

static jj_flow quic_flow;
static void *quic_state[9];		/* of jj_app_base, in the flow's record */
static uint64_t quic_index;

static jj_hold quic_hold;

static inline void
quic_open(const jj_allocator *a)
{
	memset(&quic_work, 0, sizeof(quic_work));
	jj_options_default(&quic_work.options);
	quic_work.allocator = *a;
	quic_work.groups = 1u << JJ_G_quic;
	quic_hold = (jj_hold) {.limit = 1 << 20};
	quic_work.hold = &quic_hold;
	quic_work.crypto = jj_crypto_open(a);
	if (jj_app_base.state_size > sizeof(quic_state))
		abort();
	memset(&quic_flow, 0, sizeof(quic_flow));
	quic_flow.key.proto = JJ_PROTO_UDP;
}

/* Forget the flow so far. */
static inline void
quic_restart(void)
{
	jj_app_base.free_state(quic_state, &quic_work.allocator);
	memset(quic_state, 0, sizeof(quic_state));
	quic_flow.payload[0] = quic_flow.payload[1] = 0;
}

static inline void
quic_shut(void)
{
	quic_restart();
	jj_work_free(&quic_work);
}

/* A datagram of wire bytes of which n are captured, in memory that ends with them. False without memory. */
static inline bool
quic_cut(int dir, const uint8_t *b, size_t n, size_t wire)
{
	jj_packet	p = {.proto = JJ_PROTO_UDP, .dir = (uint8_t) dir, .index = ++quic_index};
	uint8_t    *copy = malloc(n > 0 ? n : 1);
	bool		good;

	memcpy(copy, b, n);
	p.payload = copy;
	p.payload_len = (uint32_t) wire;
	p.payload_caplen = (uint32_t) n;
	quic_flow.payload[dir] += wire;
	good = jj_app_base.update(quic_state, &p, &quic_work);
	free(copy);
	return good;
}

static inline bool
quic_send(int dir, const message *m)
{
	return quic_cut(dir, m->b, m->n, m->n);
}

static inline jj_quic *
quic_now(void)
{
	return jj_app_parser(jj_app_of(quic_state), JJ_P_QUIC);
}

#endif
