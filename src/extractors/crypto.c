/*
 * Digests of libcrypto. An algorithm is looked up when it is first needed,
 * since each look-up of OpenSSL 3 costs more than a digest.
 */
#include "extractors/crypto.h"

#include <openssl/evp.h>

struct jj_crypto
{
	EVP_MD_CTX *digest;
	EVP_MD	   *hash[JJ_HASHES];
	bool		looked[JJ_HASHES];
};

jj_crypto *
jj_crypto_open(const jj_allocator *a)
{
	return jj_alloc_zero(a, sizeof(jj_crypto));
}

void
jj_crypto_close(jj_crypto *c, const jj_allocator *a)
{
	if (c == NULL)
		return;
	EVP_MD_CTX_free(c->digest);
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

bool
jj_digest(const jj_work *w, jj_hash hash, const void *bytes, size_t size, uint8_t *out)
{
	jj_crypto  *c = w->crypto;
	const EVP_MD *type;

	if (c == NULL || (type = find_hash(c, hash)) == NULL)
		return false;
	if (c->digest == NULL)
		c->digest = EVP_MD_CTX_new();
	return c->digest != NULL && EVP_DigestInit_ex(c->digest, type, NULL) == 1
		&& EVP_DigestUpdate(c->digest, bytes, size) == 1
		&& EVP_DigestFinal_ex(c->digest, out, NULL) == 1;
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
