/*
 * What Tor connections look like from outside: names that Tor makes up, and
 * records of whole cells.
 */
#include "extractors/fp.h"

#include <string.h>

static bool
is_base32(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
}

/* The length of the label between "www." and ".com" or ".net", if it is base32 and from 8 to longest long; else 0. */
static size_t
made_up(const char *name, size_t n, size_t longest)
{
	size_t		label = n - 8;

	if (n < 8 + 8 || label > longest || memcmp(name, "www.", 4) != 0)
		return 0;
	if (memcmp(name + n - 4, ".com", 4) != 0 && memcmp(name + n - 4, ".net", 4) != 0)
		return 0;
	for (size_t i = 0; i < label; i++)
		if (!is_base32(name[4 + i]))
			return 0;
	return label;
}

bool
jj_fp_is_tor_name(const char *name, size_t n)
{
	return made_up(name, n, 20) != 0;
}

bool
jj_fp_is_tor_sni(const char *name, size_t n)
{
	size_t		label = made_up(name, n, 25);
	unsigned	letters = 0,
				vowels = 0;
	bool		enclosed = false,	/* digits with a letter on both sides */
				letter_before = false,
				in_digits = false;

	for (size_t i = 4; i < 4 + label; i++)
	{
		if (name[i] <= '7')
		{
			in_digits = true;
			continue;
		}
		enclosed = enclosed || (in_digits && letter_before);
		in_digits = false;
		letter_before = true;
		letters++;
		vowels += strchr("aeiou", name[i]) != NULL;
	}
	return enclosed && vowels * 10 < letters * 3;
}

/* What a cipher adds to a record's content before TLS 1.3. */
typedef enum cipher
{
	CBC_8_MD5,					/* block size, MAC */
	CBC_8_SHA,
	CBC_16_SHA,
	CBC_16_SHA256,
	CBC_16_SHA256_384,			/* of the suites in the range, the first, third ... with SHA-256, the others with SHA-384 */
	AEAD,						/* explicit nonce of 8 bytes, tag of 16 (RFC 5288, 6655) */
	AEAD_8,						/* explicit nonce of 8 bytes, tag of 8 (RFC 6655, CCM_8) */
	CHACHA						/* tag of 16 bytes (RFC 7905) */
} cipher;

/* IANA, TLS Cipher Suites (https://www.iana.org/assignments/tls-parameters), sorted; RC4 and NULL suites are not here. */
static const struct
{
	uint16_t	first;
	uint16_t	last;
	uint8_t		cipher;
}			suites[] = {
	{0x0006, 0x0006, CBC_8_MD5}, {0x0007, 0x0016, CBC_8_SHA}, {0x0019, 0x001b, CBC_8_SHA}, {0x001e, 0x001f, CBC_8_SHA},
	{0x0021, 0x0021, CBC_8_SHA}, {0x0022, 0x0023, CBC_8_MD5}, {0x0025, 0x0025, CBC_8_MD5}, {0x0026, 0x0027, CBC_8_SHA},
	{0x0029, 0x002a, CBC_8_MD5}, {0x002f, 0x003a, CBC_16_SHA}, {0x003c, 0x0040, CBC_16_SHA256}, {0x0041, 0x0046, CBC_16_SHA},
	{0x0067, 0x006d, CBC_16_SHA256}, {0x0084, 0x0089, CBC_16_SHA}, {0x008b, 0x008b, CBC_8_SHA}, {0x008c, 0x008d, CBC_16_SHA},
	{0x008f, 0x008f, CBC_8_SHA}, {0x0090, 0x0091, CBC_16_SHA}, {0x0093, 0x0093, CBC_8_SHA}, {0x0094, 0x009b, CBC_16_SHA},
	{0x009c, 0x00ad, AEAD}, {0x00ae, 0x00af, CBC_16_SHA256_384}, {0x00b2, 0x00b3, CBC_16_SHA256_384},
	{0x00b6, 0x00b7, CBC_16_SHA256_384}, {0x00ba, 0x00c5, CBC_16_SHA256},
	{0xc003, 0xc003, CBC_8_SHA}, {0xc004, 0xc005, CBC_16_SHA}, {0xc008, 0xc008, CBC_8_SHA}, {0xc009, 0xc00a, CBC_16_SHA},
	{0xc00d, 0xc00d, CBC_8_SHA}, {0xc00e, 0xc00f, CBC_16_SHA}, {0xc012, 0xc012, CBC_8_SHA}, {0xc013, 0xc014, CBC_16_SHA},
	{0xc017, 0xc017, CBC_8_SHA}, {0xc018, 0xc019, CBC_16_SHA}, {0xc01a, 0xc01c, CBC_8_SHA}, {0xc01d, 0xc022, CBC_16_SHA},
	{0xc023, 0xc02a, CBC_16_SHA256_384}, {0xc02b, 0xc032, AEAD}, {0xc034, 0xc034, CBC_8_SHA}, {0xc035, 0xc036, CBC_16_SHA},
	{0xc037, 0xc038, CBC_16_SHA256_384}, {0xc03c, 0xc04f, CBC_16_SHA256_384}, {0xc050, 0xc063, AEAD},
	{0xc064, 0xc069, CBC_16_SHA256_384}, {0xc06a, 0xc06f, AEAD}, {0xc070, 0xc079, CBC_16_SHA256_384}, {0xc07a, 0xc093, AEAD},
	{0xc094, 0xc09b, CBC_16_SHA256_384}, {0xc09c, 0xc09f, AEAD}, {0xc0a0, 0xc0a3, AEAD_8}, {0xc0a4, 0xc0a7, AEAD},
	{0xc0a8, 0xc0ab, AEAD_8}, {0xc0ac, 0xc0ad, AEAD}, {0xc0ae, 0xc0af, AEAD_8}, {0xcc13, 0xcc15, CHACHA}, {0xcca8, 0xccae, CHACHA},
	{0xd001, 0xd002, AEAD}, {0xd003, 0xd003, AEAD_8}, {0xd005, 0xd005, AEAD}
};

static void
fixed_shape(jj_fp_shape *shape, uint8_t overhead)
{
	shape->lowest = shape->highest = overhead;
	shape->block = 1;
}

/* MAC and 1 to block bytes of padding, and from TLS 1.1 an IV (RFC 5246 6.2.3.2). */
static void
cbc_shape(jj_fp_shape *shape, uint8_t block, uint8_t mac, uint16_t version)
{
	shape->lowest = (uint8_t) (mac + 1 + (version >= 0x0302 ? block : 0));
	shape->highest = (uint8_t) (shape->lowest + block - 1);
	shape->block = block;
}

bool
jj_fp_suite_shape(uint16_t suite, uint16_t version, jj_fp_shape *shape)
{
	if (version == 0x0304 || version >> 8 == 0x7f || version >> 8 == 0xfb)
	{
		fixed_shape(shape, 17);	/* tag and content type (RFC 8446 5.2), its drafts too */
		return true;
	}
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
	{
		if (suite < suites[i].first || suite > suites[i].last)
			continue;
		switch ((cipher) suites[i].cipher)
		{
			case CBC_8_MD5:
				cbc_shape(shape, 8, 16, version);
				return true;
			case CBC_8_SHA:
				cbc_shape(shape, 8, 20, version);
				return true;
			case CBC_16_SHA:
				cbc_shape(shape, 16, 20, version);
				return true;
			case CBC_16_SHA256:
				cbc_shape(shape, 16, 32, version);
				return true;
			case CBC_16_SHA256_384:
				cbc_shape(shape, 16, (suite - suites[i].first) % 2 == 0 ? 32 : 48, version);
				return true;
			case AEAD:
				fixed_shape(shape, 24);
				return true;
			case AEAD_8:
				fixed_shape(shape, 16);
				return true;
			case CHACHA:
				fixed_shape(shape, 16);
				return true;
		}
	}
	return false;
}

/* Whether length is that of 1 to 7 cells and what the cipher adds. */
static bool
whole_cells(const jj_fp_shape *shape, uint32_t length, uint32_t cell)
{
	for (uint32_t cells = cell; cells <= 7 * cell; cells += cell)
		if (length >= cells + shape->lowest && length <= cells + shape->highest)
			return true;
	return false;
}

bool
jj_fp_fits_cells(const jj_fp_shape *shape, uint32_t length)
{
	/* tor-spec 3: a cell has 514 bytes, 512 before link protocol 4 */
	return length % shape->block == 0 && (whole_cells(shape, length, 514) || whole_cells(shape, length, 512));
}
