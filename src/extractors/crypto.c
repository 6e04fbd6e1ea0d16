/*
 * Digests and ciphers of libcrypto. An algorithm is looked up when it is first needed,
 * since each look-up of OpenSSL 3 costs more than a digest.
 */
#include "extractors/crypto.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define SHA256_BLOCK 64
#define SCRATCH 2048			/* least bytes of scratch memory: room for a datagram */

typedef enum cipher
{
	AES_ECB,
	AES_GCM,
	CIPHERS
} cipher;

struct jj_crypto
{
	EVP_MD_CTX *digest;
	EVP_MD	   *hash[JJ_HASHES];
	bool		looked[JJ_HASHES];
	EVP_CIPHER_CTX *cipher[CIPHERS];	/* with its algorithm set */
	bool		tried[CIPHERS];
	uint8_t    *scratch;
	size_t		scratch_size;
	jj_allocator allocator;
};

jj_crypto *
jj_crypto_open(const jj_allocator *a)
{
	jj_crypto  *c = jj_alloc_zero(a, sizeof(jj_crypto));

	if (c != NULL)
		c->allocator = *a;
	return c;
}

void
jj_crypto_close(jj_crypto *c, const jj_allocator *a)
{
	if (c == NULL)
		return;
	EVP_MD_CTX_free(c->digest);
	for (int i = 0; i < CIPHERS; i++)
		EVP_CIPHER_CTX_free(c->cipher[i]);
	jj_release(a, c->scratch);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	for (int i = 0; i < JJ_HASHES; i++)
		EVP_MD_free(c->hash[i]);
#endif
	jj_release(a, c);
}

/* The algorithm, or NULL if libcrypto doesn't have it. */
static const EVP_MD *
find_hash(jj_crypto *c, jj_hash hash)
{
	if (!c->looked[hash])
	{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
		static const char *const name[JJ_HASHES] = {[JJ_MD5] = "MD5", [JJ_SHA1] = "SHA1", [JJ_SHA256] = "SHA256"};

		c->hash[hash] = EVP_MD_fetch(NULL, name[hash], NULL);
#else
		c->hash[hash] = (EVP_MD *) (hash == JJ_MD5 ? EVP_md5() : hash == JJ_SHA1 ? EVP_sha1() : EVP_sha256());
#endif
		c->looked[hash] = true;
	}
	return c->hash[hash];
}

/* The context, at the beginning of a digest; NULL if there is none. */
static EVP_MD_CTX *
begin_digest(const jj_work *w, jj_hash hash)
{
	jj_crypto  *c = w->crypto;
	const EVP_MD *type;

	if (c == NULL || (type = find_hash(c, hash)) == NULL)
		return NULL;
	if (c->digest == NULL)
		c->digest = EVP_MD_CTX_new();
	return c->digest != NULL && EVP_DigestInit_ex(c->digest, type, NULL) == 1 ? c->digest : NULL;
}

bool
jj_digest(const jj_work *w, jj_hash hash, const void *bytes, size_t size, uint8_t *out)
{
	EVP_MD_CTX *ctx = begin_digest(w, hash);

	return ctx != NULL && EVP_DigestUpdate(ctx, bytes, size) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

bool
jj_digest_hex(const jj_work *w, jj_hash hash, const void *bytes, size_t size, char *out, size_t n)
{
	uint8_t		digest[EVP_MAX_MD_SIZE];

	if (!jj_digest(w, hash, bytes, size, digest))
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = "0123456789abcdef"[digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	return true;
}

/* SHA-256 of a block and what follows it. */
static bool
digest_behind(const jj_work *w, const uint8_t block[SHA256_BLOCK], const uint8_t *bytes, size_t size, uint8_t out[JJ_SHA256_SIZE])
{
	EVP_MD_CTX *ctx = begin_digest(w, JJ_SHA256);

	return ctx != NULL && EVP_DigestUpdate(ctx, block, SHA256_BLOCK) == 1 && EVP_DigestUpdate(ctx, bytes, size) == 1
		&& EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

bool
jj_hmac_sha256(const jj_work *w, const uint8_t *key, size_t key_size, const uint8_t *bytes, size_t size, uint8_t out[JJ_SHA256_SIZE])
{
	uint8_t		block[SHA256_BLOCK] = {0};
	uint8_t		inner[JJ_SHA256_SIZE];

	if (key_size > SHA256_BLOCK && !jj_digest(w, JJ_SHA256, key, key_size, block))
		return false;
	if (key_size > 0 && key_size <= SHA256_BLOCK)
		memcpy(block, key, key_size);
	for (int i = 0; i < SHA256_BLOCK; i++)
		block[i] ^= 0x36;
	if (!digest_behind(w, block, bytes, size, inner))
		return false;
	for (int i = 0; i < SHA256_BLOCK; i++)
		block[i] ^= 0x36 ^ 0x5c;
	return digest_behind(w, block, inner, sizeof(inner), out);
}

/* A context with the algorithm, to which a key is given for each use; NULL if libcrypto doesn't have it. */
static EVP_CIPHER_CTX *
find_cipher(jj_crypto *c, cipher which)
{
	EVP_CIPHER *algorithm;
	EVP_CIPHER_CTX *ctx;

	if (c == NULL || c->tried[which])
		return c == NULL ? NULL : c->cipher[which];
	c->tried[which] = true;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	algorithm = EVP_CIPHER_fetch(NULL, which == AES_ECB ? "AES-128-ECB" : "AES-128-GCM", NULL);
#else
	algorithm = (EVP_CIPHER *) (which == AES_ECB ? EVP_aes_128_ecb() : EVP_aes_128_gcm());
#endif
	ctx = algorithm == NULL ? NULL : EVP_CIPHER_CTX_new();
	if (ctx != NULL && EVP_CipherInit_ex(ctx, algorithm, NULL, NULL, NULL, which == AES_ECB) == 1)
		c->cipher[which] = ctx;
	else
		EVP_CIPHER_CTX_free(ctx);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	EVP_CIPHER_free(algorithm); /* the context has its own reference */
#endif
	return c->cipher[which];
}

bool
jj_aes128_block(const jj_work *w, const uint8_t key[16], const uint8_t in[JJ_AES_BLOCK], uint8_t out[JJ_AES_BLOCK])
{
	EVP_CIPHER_CTX *ctx = find_cipher(w->crypto, AES_ECB);
	int			n;

	return ctx != NULL && EVP_CipherInit_ex(ctx, NULL, NULL, key, NULL, 1) == 1
		&& EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 && EVP_CipherUpdate(ctx, out, &n, in, JJ_AES_BLOCK) == 1;
}

bool
jj_aes128_gcm_open(const jj_work *w, const uint8_t key[16], const uint8_t nonce[JJ_GCM_NONCE],
				   const uint8_t *aad, size_t aad_size, const uint8_t *bytes, size_t size, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = find_cipher(w->crypto, AES_GCM);
	uint8_t		tag[JJ_GCM_TAG];
	uint8_t		none[JJ_GCM_TAG];
	bool		good;
	int			n;

	if (ctx == NULL || size < JJ_GCM_TAG || size > INT32_MAX || aad_size > INT32_MAX)
		return false;
	size -= JJ_GCM_TAG;
	memcpy(tag, bytes + size, JJ_GCM_TAG);
	ERR_set_mark();
	good = EVP_CipherInit_ex(ctx, NULL, NULL, key, nonce, 0) == 1
		&& EVP_CipherUpdate(ctx, NULL, &n, aad, (int) aad_size) == 1
		&& (size == 0 || EVP_CipherUpdate(ctx, out, &n, bytes, (int) size) == 1)
		&& EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, JJ_GCM_TAG, tag) == 1
		&& EVP_CipherFinal_ex(ctx, none, &n) == 1;
	ERR_pop_to_mark();
	return good;
}

uint8_t *
jj_crypto_scratch(const jj_work *w, size_t size)
{
	jj_crypto  *c = w->crypto;

	if (c == NULL)
		return NULL;
	if (c->scratch_size < size)
	{
		jj_release(&c->allocator, c->scratch);
		c->scratch_size = 0;
		c->scratch = jj_alloc(&c->allocator, size < SCRATCH ? SCRATCH : size);
		if (c->scratch != NULL)
			c->scratch_size = size < SCRATCH ? SCRATCH : size;
	}
	return c->scratch;
}
