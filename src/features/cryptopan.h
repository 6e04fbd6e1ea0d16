/*
 * Prefix-preserving pseudonyms of addresses: Crypto-PAn.
 *
 * Two addresses that share their first k bits have pseudonyms that share exactly
 * their first k bits. Source: Xu, Fan, Ammar, Moon: Prefix-preserving IP address
 * anonymization (ICNP 2002); over 128 bits for IPv6 and 48 for hardware addresses.
 */
#ifndef JJ_CRYPTOPAN_H
#define JJ_CRYPTOPAN_H

#include "features/base.h"

#define JJ_CRYPTOPAN_KEY 32		/* bytes: an AES-128 key, and the block that the padding is made of */

typedef struct jj_cryptopan jj_cryptopan;

/*
 * The key that a secret of size > 0 bytes and a salt of salt_size bytes give. 64
 * hexadecimal digits without salt are the key itself, otherwise it is
 * HMAC-SHA-256 (RFC 2104) with the secret (digits as the 32 bytes they are) as
 * key over a constant and the salt. False if libcrypto doesn't have it.
 */
extern bool jj_cryptopan_key(const char *secret, size_t size, const char *salt, size_t salt_size, uint8_t key[JJ_CRYPTOPAN_KEY]);

/* With a cache of bounded size. JJ_ERR_NOMEM, or JJ_ERR_ARGUMENT if libcrypto doesn't offer AES. */
extern jj_code jj_cryptopan_open(jj_cryptopan **out, const uint8_t key[JJ_CRYPTOPAN_KEY], const jj_allocator *a, jj_error *err);

/* Pseudonym of an address of 4 or 16 bytes; out may be in. Zeros if libcrypto fails, see jj_cryptopan_failed. */
extern void jj_cryptopan_ip(jj_cryptopan *c, const uint8_t *in, unsigned size, uint8_t *out);

/* The same for 16 bytes, IPv4 as ::ffff:a.b.c.d, which it remains. */
extern void jj_cryptopan_mapped(jj_cryptopan *c, const uint8_t in[16], int version, uint8_t out[16]);

/*
 * The same for a hardware address, by a key of its own. Its bits for group and
 * local addresses (the lowest two of the first byte) and the broadcast address stay.
 */
extern void jj_cryptopan_mac(jj_cryptopan *c, const uint8_t in[6], uint8_t out[6]);

/* Whether any pseudonym so far could not be computed. */
extern bool jj_cryptopan_failed(const jj_cryptopan *c);

/* Wipes the key; NULL is ignored. */
extern void jj_cryptopan_close(jj_cryptopan *c);

#endif
