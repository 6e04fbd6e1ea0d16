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

/* What an engine keeps of libcrypto; NULL without memory. */
extern jj_crypto *jj_crypto_open(const jj_allocator *a);
extern void jj_crypto_close(jj_crypto *c, const jj_allocator *a);

#endif
