/*
 * Keys and protection of Initial and Retry packets.
 */
#include "extractors/quic_crypto.h"
#include "extractors/crypto.h"

#include <string.h>

#define SALT 20
#define SAMPLE 4				/* the sample begins so many bytes behind the begin of the packet number */
#define MAX_LABEL 16

/* One salt for each range of drafts (jj_quic_draft), up to the last it is for. */
static const struct
{
	int			last;
	uint8_t		salt[SALT];
}			salts[] = {
	{22, {0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a}},
	{28, {0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02}},
	{32, {0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99}},
	{34, {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a}},
	{100, {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9}}
};

static const uint8_t salt_q050[SALT] = {
	0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94, 0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45
};
static const uint8_t salt_t050[SALT] = {
	0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10
};
static const uint8_t salt_t051[SALT] = {
	0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d
};

/* Keys of the integrity tag of Retry. */
static const struct
{
	int			last;
	uint8_t		key[16];
	uint8_t		nonce[JJ_GCM_NONCE];
}			retry_keys[] = {
	{28, {0x4d, 0x32, 0xec, 0xdb, 0x2a, 0x21, 0x33, 0xc8, 0x41, 0xe4, 0x04, 0x3d, 0xf2, 0x7d, 0x44, 0x30},
	{0x4d, 0x16, 0x11, 0xd0, 0x55, 0x13, 0xa5, 0x52, 0xc5, 0x87, 0xd5, 0x75}},
	{32, {0xcc, 0xce, 0x18, 0x7e, 0xd0, 0x9a, 0x09, 0xd0, 0x57, 0x28, 0x15, 0x5a, 0x6c, 0xb9, 0x6b, 0xe1},
	{0xe5, 0x49, 0x30, 0xf9, 0x7f, 0x21, 0x36, 0xf0, 0x53, 0x0a, 0x8c, 0x1c}},
	{34, {0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76, 0x6b, 0x54, 0xe3, 0x68, 0xc8, 0x4e},
	{0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb}},
	{100, {0x8f, 0xb4, 0xb0, 0x1b, 0x56, 0xac, 0x48, 0xe2, 0x60, 0xfb, 0xcb, 0xce, 0xad, 0x7c, 0xcc, 0x92},
	{0xd8, 0x69, 0x69, 0xbc, 0x2d, 0x7c, 0x6d, 0x99, 0x90, 0xef, 0xb0, 0x4a}}
};

static const uint8_t *
salt_of(uint32_t version)
{
	int			draft = jj_quic_draft(version);
	size_t		i = 0;

	if (draft == 0)
		return version == JJ_QUIC_Q050 ? salt_q050 : version == JJ_QUIC_T050 ? salt_t050 : salt_t051;
	while (draft > salts[i].last)
		i++;
	return salts[i].salt;
}

/* HKDF-Expand-Label (RFC 8446 7.1) with an empty context, of at most one digest. */
static bool
expand_label(const uint8_t secret[JJ_SHA256_SIZE], const char *prefix, const char *label, unsigned n, uint8_t *out, const jj_work *w)
{
	uint8_t		info[3 + 6 + 2 * MAX_LABEL + 2];
	uint8_t		digest[JJ_SHA256_SIZE];
	size_t		first = strlen(prefix);
	size_t		second = strlen(label);
	uint8_t    *b = info + 3;

	info[0] = 0;
	info[1] = (uint8_t) n;
	info[2] = (uint8_t) (6 + first + second);
	memcpy(b, "tls13 ", 6);
	memcpy(b += 6, prefix, first);
	memcpy(b += first, label, second);
	b += second;
	*b++ = 0;
	*b++ = 1;					/* the counter of HKDF-Expand (RFC 5869 2.3) */
	if (!jj_hmac_sha256(w, secret, JJ_SHA256_SIZE, info, (size_t) (b - info), digest))
		return false;
	memcpy(out, digest, n);
	return true;
}

bool
jj_quic_initial_keys(jj_quic_keys *k, uint32_t version, const uint8_t *dcid, unsigned dcid_len, bool server, const jj_work *w)
{
	const char *prefix = version == JJ_QUIC_V2 ? "quicv2 " : "quic ";
	uint8_t		secret[JJ_SHA256_SIZE];

	return jj_hmac_sha256(w, salt_of(version), SALT, dcid, dcid_len, secret)
		&& expand_label(secret, "", server ? "server in" : "client in", JJ_SHA256_SIZE, secret, w)
		&& expand_label(secret, prefix, "key", sizeof(k->key), k->key, w)
		&& expand_label(secret, prefix, "iv", sizeof(k->iv), k->iv, w)
		&& expand_label(secret, prefix, "hp", sizeof(k->hp), k->hp, w);
}

const uint8_t *
jj_quic_open(const jj_quic_packet *p, const jj_quic_keys *k, uint32_t *size, unsigned *number_len, const jj_work *w)
{
	uint8_t		mask[JJ_AES_BLOCK];
	uint8_t		nonce[JJ_GCM_NONCE];
	uint32_t	at = p->number_at;
	uint8_t    *head;
	uint8_t    *payload;
	unsigned	n;

	if (at == 0 || p->have < p->size || p->size - at < SAMPLE + JJ_AES_BLOCK)
		return NULL;
	if (!jj_aes128_block(w, k->hp, p->raw + at + SAMPLE, mask))
		return NULL;
	head = jj_crypto_scratch(w, p->size + SAMPLE);
	if (head == NULL)
		return NULL;
	memcpy(head, p->raw, at + SAMPLE);
	head[0] ^= mask[0] & 0x0f;
	n = (head[0] & 3) + 1;
	memcpy(nonce, k->iv, sizeof(nonce));
	for (unsigned i = 0; i < n; i++)
	{
		head[at + i] ^= mask[1 + i];
		nonce[sizeof(nonce) - n + i] ^= head[at + i];
	}
	payload = head + at + n;
	*number_len = n;
	*size = p->size - at - n - JJ_GCM_TAG;
	return jj_aes128_gcm_open(w, k->key, nonce, head, at + n, p->raw + at + n, p->size - at - n, payload) ? payload : NULL;
}

bool
jj_quic_retry_valid(const jj_quic_packet *p, const uint8_t *dcid, unsigned dcid_len, const jj_work *w)
{
	int			draft = jj_quic_draft(p->version);
	size_t		i = 0;
	uint8_t    *pseudo;
	uint32_t	n = p->have - JJ_GCM_TAG;

	if (draft < 25)
		return true;
	if (p->have < p->size || p->have < JJ_GCM_TAG)
		return false;
	while (draft > retry_keys[i].last)
		i++;
	/* the Retry Pseudo-Packet is authenticated, nothing is encrypted */
	pseudo = jj_crypto_scratch(w, 1 + dcid_len + (size_t) n);
	if (pseudo == NULL)
		return false;
	pseudo[0] = (uint8_t) dcid_len;
	memcpy(pseudo + 1, dcid, dcid_len);
	memcpy(pseudo + 1 + dcid_len, p->raw, n);
	return jj_aes128_gcm_open(w, retry_keys[i].key, retry_keys[i].nonce, pseudo, 1 + dcid_len + (size_t) n, p->raw + n, JJ_GCM_TAG, NULL);
}
