/*
 * Names of versions and groups, and the key exchange that a server chose.
 *
 * Sources: IANA registries TLS Cipher Suites and TLS Supported Groups.
 */
#include "extractors/tls_hello.h"

#include <string.h>

static unsigned
get16(const uint8_t *b)
{
	return (unsigned) b[0] << 8 | b[1];
}

/* Append text; the position behind it. */
static char *
put(char *to, const char *text)
{
	size_t		n = strlen(text);

	memcpy(to, text, n + 1);
	return to + n;
}

static char *
put_hex(char *to, unsigned v, int digits)
{
	for (int i = digits - 1; i >= 0; i--)
		*to++ = "0123456789abcdef"[v >> 4 * i & 15];
	*to = '\0';
	return to;
}

void
jj_tls_version_name(char out[JJ_TLS_VERSION_TEXT], unsigned version)
{
	static const struct
	{
		uint16_t	version;
		const char *name;
	}			table[] = {
		{0x0002, "SSL 2.0"}, {0x0300, "SSL 3.0"}, {0x0301, "TLS 1.0"}, {0x0302, "TLS 1.1"}, {0x0303, "TLS 1.2"},
		{0x0304, "TLS 1.3"}, {0xfeff, "DTLS 1.0"}, {0xfefd, "DTLS 1.2"}, {0xfefc, "DTLS 1.3"}
	};
	char		number[4];
	char	   *d = number + 3;
	unsigned	n = version & 0xff;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].version == version)
		{
			put(out, table[i].name);
			return;
		}
	if (version >> 8 == 0x7f)
	{
		*d = '\0';
		do
			*--d = (char) ('0' + n % 10);
		while ((n /= 10) > 0);
		put(put(put(out, "TLS 1.3 (draft "), d), ")");
	}
	else if (version >> 8 == 0xfb)
		put(put_hex(put(out, "TLS 1.3 (draft "), version, 4), ")");
	else
		put(put_hex(put(out, "unknown (0x"), version, 4), ")");
}

void
jj_tls_group_name(char out[JJ_TLS_GROUP_TEXT], unsigned group)
{
	static const char *const low[] = {
		NULL, "sect163k1", "sect163r1", "sect163r2", "sect193r1", "sect193r2", "sect233k1", "sect233r1", "sect239k1", "sect283k1",
		"sect283r1", "sect409k1", "sect409r1", "sect571k1", "sect571r1", "secp160k1", "secp160r1", "secp160r2", "secp192k1",
		"secp192r1", "secp224k1", "secp224r1", "secp256k1", "secp256r1", "secp384r1", "secp521r1", "brainpoolp256r1",
		"brainpoolp384r1", "brainpoolp512r1", "x25519", "x448", "brainpoolp256r1tls13", "brainpoolp384r1tls13",
		"brainpoolp512r1tls13", "gc256a", "gc256b", "gc256c", "gc256d", "gc512a", "gc512b", "gc512c", "curvesm2"
	};
	static const struct
	{
		uint16_t	group;
		const char *name;
	}			high[] = {
		{0x0100, "ffdhe2048"}, {0x0101, "ffdhe3072"}, {0x0102, "ffdhe4096"}, {0x0103, "ffdhe6144"}, {0x0104, "ffdhe8192"},
		{0x0200, "mlkem512"}, {0x0201, "mlkem768"}, {0x0202, "mlkem1024"}, {0x11eb, "secp256r1mlkem768"},
		{0x11ec, "x25519mlkem768"}, {0x11ed, "secp384r1mlkem1024"}, {0x6399, "x25519kyber768draft00"}
	};

	if (group > 0 && group < sizeof(low) / sizeof(low[0]))
	{
		put(out, low[group]);
		return;
	}
	for (size_t i = 0; i < sizeof(high) / sizeof(high[0]); i++)
		if (high[i].group == group)
		{
			put(out, high[i].name);
			return;
		}
	put(put_hex(put(out, "unknown(0x"), group, 4), ")");
}

/* ---- key exchange */

typedef enum exchange
{
	OTHER,						/* no value of the server's to be seen: RSA, PSK */
	ECDHE,
	ECDHE_PSK,
	DHE,
	DHE_PSK
} exchange;

/* Cipher suites by key exchange, ranges in rising order. */
static const struct
{
	uint16_t	from;
	uint16_t	to;
	uint8_t		exchange;
}			suites[] = {
	{0x0011, 0x001b, DHE}, {0x002d, 0x002d, DHE_PSK}, {0x0032, 0x0034, DHE}, {0x0038, 0x003a, DHE}, {0x0040, 0x0040, DHE},
	{0x0044, 0x0046, DHE}, {0x0063, 0x0063, DHE}, {0x0065, 0x0067, DHE}, {0x006a, 0x006d, DHE}, {0x0087, 0x0089, DHE},
	{0x008e, 0x0091, DHE_PSK}, {0x0099, 0x009b, DHE}, {0x009e, 0x009f, DHE}, {0x00a2, 0x00a3, DHE}, {0x00a6, 0x00a7, DHE},
	{0x00aa, 0x00ab, DHE_PSK}, {0x00b2, 0x00b5, DHE_PSK}, {0x00bd, 0x00bf, DHE}, {0x00c3, 0x00c5, DHE},
	{0xc006, 0xc00a, ECDHE}, {0xc010, 0xc019, ECDHE}, {0xc023, 0xc024, ECDHE}, {0xc027, 0xc028, ECDHE}, {0xc02b, 0xc02c, ECDHE},
	{0xc02f, 0xc030, ECDHE}, {0xc033, 0xc03b, ECDHE_PSK}, {0xc042, 0xc047, DHE}, {0xc048, 0xc049, ECDHE}, {0xc04c, 0xc04d, ECDHE},
	{0xc052, 0xc053, DHE}, {0xc056, 0xc057, DHE}, {0xc05a, 0xc05b, DHE}, {0xc05c, 0xc05d, ECDHE}, {0xc060, 0xc061, ECDHE},
	{0xc066, 0xc067, DHE_PSK}, {0xc06c, 0xc06d, DHE_PSK}, {0xc070, 0xc071, ECDHE_PSK}, {0xc072, 0xc073, ECDHE},
	{0xc076, 0xc077, ECDHE}, {0xc07c, 0xc07d, DHE}, {0xc080, 0xc081, DHE}, {0xc084, 0xc085, DHE}, {0xc086, 0xc087, ECDHE},
	{0xc08a, 0xc08b, ECDHE}, {0xc090, 0xc091, DHE_PSK}, {0xc096, 0xc097, DHE_PSK}, {0xc09a, 0xc09b, ECDHE_PSK},
	{0xc09e, 0xc09f, DHE}, {0xc0a2, 0xc0a3, DHE}, {0xc0a6, 0xc0a7, DHE_PSK}, {0xc0aa, 0xc0ab, DHE_PSK}, {0xc0ac, 0xc0af, ECDHE},
	{0xcc13, 0xcc14, ECDHE}, {0xcc15, 0xcc15, DHE}, {0xcca8, 0xcca9, ECDHE}, {0xccaa, 0xccaa, DHE}, {0xccac, 0xccac, ECDHE_PSK},
	{0xccad, 0xccad, DHE_PSK}, {0xd001, 0xd003, ECDHE_PSK}, {0xd005, 0xd005, ECDHE_PSK}
};

static exchange
exchange_of(unsigned cipher)
{
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (cipher >= suites[i].from && cipher <= suites[i].to)
			return (exchange) suites[i].exchange;
	return OTHER;
}

/* The group of RFC 7919 with a prime of n bytes, -1 if this is none: they are told apart by length alone. */
static int32_t
ffdhe_group(const uint8_t *prime, size_t n)
{
	static const uint8_t start[16] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xad, 0xf8, 0x54, 0x58, 0xa2, 0xbb, 0x4a, 0x9a
	};

	if (n < sizeof(start) || memcmp(prime, start, sizeof(start)) != 0)
		return -1;
	return n == 256 ? 256 : n == 384 ? 257 : n == 512 ? 258 : n == 768 ? 259 : n == 1024 ? 260 : -1;
}

jj_key_exchange
jj_server_key(const jj_hello *sh, const uint8_t *ske, size_t n)
{
	jj_key_exchange k = {.group = -1};
	const uint8_t *share;
	uint32_t	size;
	exchange	e = exchange_of(sh->cipher);

	/* key_share was extension 40 before draft 23 */
	if (jj_hello_extension(sh, 51, &share, &size) || (sh->chosen >> 8 == 0x7f && jj_hello_extension(sh, 40, &share, &size)))
	{
		if (size < 4 || get16(share + 2) > size - 4)
			return k;
		k.known = true;
		k.group = (int32_t) get16(share);
		k.bits = 8 * get16(share + 2);
		return k;
	}
	if (ske == NULL || e == OTHER)
		return k;
	if (e == ECDHE_PSK || e == DHE_PSK)
	{
		size_t		hint = n < 2 ? n : 2 + (size_t) get16(ske);

		if (hint >= n)
			return k;
		ske += hint;
		n -= hint;
	}
	if (e == ECDHE || e == ECDHE_PSK)
	{
		if (n < 4 || ske[0] != 3 || 4 + (size_t) ske[3] > n)
			return k;
		k.group = (int32_t) get16(ske + 1);
		k.bits = 8 * (uint32_t) ske[3];
	}
	else
	{
		size_t		prime = n < 2 ? 0 : get16(ske);

		if (n < 2 || 2 + prime > n)
			return k;
		for (ske += 2; prime > 0 && *ske == 0; prime--)
			ske++;
		k.group = ffdhe_group(ske, prime);
		if (prime > 0)
		{
			k.bits = 8 * (uint32_t) prime;
			for (unsigned top = *ske; top < 0x80; top <<= 1)
				k.bits--;
		}
	}
	k.known = true;
	return k;
}
