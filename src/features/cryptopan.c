/*
 * Prefix-preserving pseudonyms of addresses: Crypto-PAn, with a cache.
 */
#include "features/cryptopan.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define BLOCK 16
#define MAX_BITS 128
#define CACHE_BITS 13			/* 8192 entries: 272 kB */
#define CONSTANT "joyfuljay anonymization"

typedef struct entry
{
	uint8_t		in[16];
	uint8_t		out[16];
	uint8_t		size;			/* 0 = free */
} entry;

/* An AES key, and the encrypted padding. */
typedef struct cipher
{
	EVP_CIPHER_CTX *aes;
	uint8_t		pad[BLOCK];
} cipher;

struct jj_cryptopan
{
	jj_allocator allocator;
	cipher		ip;
	cipher		mac;
	bool		failed;
	uint8_t		blocks[MAX_BITS * BLOCK];
	entry		cache[1 << CACHE_BITS];
};

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char) (c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 64 hexadecimal digits to 32 bytes; false if it is anything else. */
static bool
from_hex(const char *text, size_t size, uint8_t bytes[JJ_CRYPTOPAN_KEY])
{
	if (size != 2 * JJ_CRYPTOPAN_KEY)
		return false;
	for (size_t i = 0; i < size; i++)
		if (hex_digit(text[i]) < 0)
			return false;
	for (size_t i = 0; i < JJ_CRYPTOPAN_KEY; i++)
		bytes[i] = (uint8_t) (hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	return true;
}

bool
jj_cryptopan_key(const char *secret, size_t size, const char *salt, size_t salt_size, uint8_t key[JJ_CRYPTOPAN_KEY])
{
	uint8_t		raw[JJ_CRYPTOPAN_KEY];
	uint8_t		inner[JJ_CRYPTOPAN_KEY];
	const void *k = secret;
	bool		good = true;

	if (from_hex(secret, size, raw))
	{
		if (salt_size == 0)
		{
			memcpy(key, raw, sizeof(raw));
			OPENSSL_cleanse(raw, sizeof(raw));
			return true;
		}
		k = raw;
		size = sizeof(raw);
	}
	/* the salt has a length of its own, so it goes in by a second step */
	good = size <= INT32_MAX
		&& HMAC(EVP_sha256(), k, (int) size, (const unsigned char *) CONSTANT, sizeof(CONSTANT), inner, NULL) != NULL
		&& HMAC(EVP_sha256(), inner, sizeof(inner), (const unsigned char *) salt, salt_size, key, NULL) != NULL;
	OPENSSL_cleanse(raw, sizeof(raw));
	OPENSSL_cleanse(inner, sizeof(inner));
	return good;
}

static bool
encrypt(EVP_CIPHER_CTX *aes, uint8_t *blocks, unsigned n)
{
	int			size;

	return EVP_EncryptUpdate(aes, blocks, &size, blocks, (int) (n * BLOCK)) == 1 && size == (int) (n * BLOCK);
}

static bool
open_cipher(cipher *c, const uint8_t key[JJ_CRYPTOPAN_KEY])
{
	c->aes = EVP_CIPHER_CTX_new();
	memcpy(c->pad, key + BLOCK, BLOCK);
	return c->aes != NULL && EVP_EncryptInit_ex(c->aes, EVP_aes_128_ecb(), NULL, key, NULL) == 1
		&& EVP_CIPHER_CTX_set_padding(c->aes, 0) == 1 && encrypt(c->aes, c->pad, 1);
}

jj_code
jj_cryptopan_open(jj_cryptopan **out, const uint8_t key[JJ_CRYPTOPAN_KEY], const jj_allocator *a, jj_error *err)
{
	jj_cryptopan *c = jj_alloc_zero(a, sizeof(jj_cryptopan));
	static const char label[JJ_CRYPTOPAN_KEY + 1] = "joyfuljay hardware address key 1";
	uint8_t		second[JJ_CRYPTOPAN_KEY];
	bool		good;

	*out = NULL;
	memcpy(second, label, sizeof(second));
	if (c == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	c->allocator = *a;
	good = open_cipher(&c->ip, key) && encrypt(c->ip.aes, second, 2) && open_cipher(&c->mac, second);
	OPENSSL_cleanse(second, sizeof(second));
	if (!good)
	{
		jj_cryptopan_close(c);
		return jj_fail(err, JJ_ERR_ARGUMENT, "libcrypto does not offer AES-128, which anonymization needs");
	}
	*out = c;
	return JJ_OK;
}

void
jj_cryptopan_close(jj_cryptopan *c)
{
	jj_allocator a;

	if (c == NULL)
		return;
	a = c->allocator;
	EVP_CIPHER_CTX_free(c->ip.aes);
	EVP_CIPHER_CTX_free(c->mac.aes);
	OPENSSL_cleanse(c, sizeof(*c));
	jj_release(&a, c);
}

bool
jj_cryptopan_failed(const jj_cryptopan *c)
{
	return c->failed;
}

/*
 * Bit i of the pseudonym is bit i of the address, flipped or not by the first
 * bit of AES over the first i bits of the address and the rest of the padding.
 */
static void
compute(jj_cryptopan *c, cipher *k, const uint8_t *in, unsigned bits, uint8_t *out)
{
	uint8_t		flip[BLOCK] = {0};

	for (unsigned i = 0; i < bits; i++)
	{
		uint8_t    *b = c->blocks + i * BLOCK;
		unsigned	whole = i / 8;

		memcpy(b, in, whole);
		memcpy(b + whole, k->pad + whole, BLOCK - whole);
		if (i % 8 > 0)
		{
			uint8_t		mask = (uint8_t) (0xff << (8 - i % 8));

			b[whole] = (uint8_t) ((in[whole] & mask) | (k->pad[whole] & ~mask));
		}
	}
	if (!encrypt(k->aes, c->blocks, bits))
	{
		c->failed = true;
		memset(out, 0, bits / 8);
		return;
	}
	for (unsigned i = 0; i < bits; i++)
		flip[i / 8] |= (uint8_t) (c->blocks[i * BLOCK] >> 7 << (7 - i % 8));
	for (unsigned i = 0; i < bits / 8; i++)
		out[i] = in[i] ^ flip[i];
}

/* Size says what it is: 4 and 16 are addresses of IP, 6 is a hardware address. */
static void
look_up(jj_cryptopan *c, const uint8_t *in, unsigned size, uint8_t *out)
{
	uint8_t		key[16] = {0};
	uint64_t	h[2];
	entry	   *e;

	memcpy(key, in, size);
	memcpy(h, key, sizeof(h));
	h[0] = (h[0] ^ (h[1] * UINT64_C(0x9e3779b97f4a7c15)) ^ size) * UINT64_C(0xbf58476d1ce4e5b9);
	h[0] = (h[0] ^ h[0] >> 32) * UINT64_C(0x94d049bb133111eb);
	e = &c->cache[h[0] >> (64 - CACHE_BITS)];
	if (e->size != size || memcmp(e->in, key, sizeof(key)) != 0)
	{
		memcpy(e->in, key, sizeof(key));
		compute(c, size == 6 ? &c->mac : &c->ip, key, size * 8, e->out);
		e->size = c->failed ? 0 : (uint8_t) size;
	}
	memcpy(out, e->out, size);
}

void
jj_cryptopan_ip(jj_cryptopan *c, const uint8_t *in, unsigned size, uint8_t *out)
{
	look_up(c, in, size, out);
}

void
jj_cryptopan_mapped(jj_cryptopan *c, const uint8_t in[16], int version, uint8_t out[16])
{
	if (version != 4)
	{
		look_up(c, in, 16, out);
		return;
	}
	memmove(out, in, 12);
	look_up(c, in + 12, 4, out + 12);
}

void
jj_cryptopan_mac(jj_cryptopan *c, const uint8_t in[6], uint8_t out[6])
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t		kept = in[0] & 3;

	if (memcmp(in, broadcast, sizeof(broadcast)) == 0)
	{
		memmove(out, in, sizeof(broadcast));
		return;
	}
	look_up(c, in, 6, out);
	out[0] = (uint8_t) ((out[0] & ~3) | kept);
}
