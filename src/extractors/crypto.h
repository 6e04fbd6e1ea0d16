/*
 * Digests and ciphers of libcrypto, found once for an engine.
 */
#ifndef JJ_CRYPTO_H
#define JJ_CRYPTO_H

#include "extractors/extractor.h"

typedef enum jj_hash
{
	JJ_MD5,
	JJ_SHA1,
	JJ_SHA256,
	JJ_HASHES
} jj_hash;

#define JJ_MD5_SIZE 16
#define JJ_SHA1_SIZE 20
#define JJ_SHA256_SIZE 32

/* A digest of size bytes, to out (its size above). False if libcrypto doesn't offer it, as MD5 under FIPS: the column stays NULL. */
extern bool jj_digest(const jj_work *w, jj_hash hash, const void *bytes, size_t size, uint8_t *out);

/* The same as n lower-case hex digits of the digest's beginning, without terminator; n is even. */
extern bool jj_digest_hex(const jj_work *w, jj_hash hash, const void *bytes, size_t size, char *out, size_t n);

/* HMAC-SHA-256 (RFC 2104) of size bytes; out may be key. */
extern bool jj_hmac_sha256(const jj_work *w, const uint8_t *key, size_t key_size, const uint8_t *bytes, size_t size,
						   uint8_t out[JJ_SHA256_SIZE]);

#define JJ_AES_BLOCK 16
#define JJ_GCM_NONCE 12
#define JJ_GCM_TAG 16

/* One block encrypted by AES-128. */
extern bool jj_aes128_block(const jj_work *w, const uint8_t key[16], const uint8_t in[JJ_AES_BLOCK], uint8_t out[JJ_AES_BLOCK]);

/*
 * AEAD_AES_128_GCM (RFC 5116 5.1): size bytes, the tag at their end, opened to
 * out, which has room for size - JJ_GCM_TAG. False if the tag is wrong.
 */
extern bool jj_aes128_gcm_open(const jj_work *w, const uint8_t key[16], const uint8_t nonce[JJ_GCM_NONCE],
							   const uint8_t *aad, size_t aad_size, const uint8_t *bytes, size_t size, uint8_t *out);

/* Scratch memory of at least size bytes, valid until it is asked for again; NULL without memory. */
extern uint8_t *jj_crypto_scratch(const jj_work *w, size_t size);

/* What an engine keeps of libcrypto; NULL without memory. */
extern jj_crypto *jj_crypto_open(const jj_allocator *a);
extern void jj_crypto_close(jj_crypto *c, const jj_allocator *a);

#endif
