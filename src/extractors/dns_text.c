/*
 * Text of names and of SVCB records.
 */
#include "extractors/dns_message.h"

#include <openssl/evp.h>

/* Keys of RFC 9460 14.3.2 that are shown by name. */
enum
{
	KEY_ALPN = 1,
	KEY_PORT = 3,
	KEY_IPV4HINT = 4,
	KEY_ECH = 5,
	KEY_IPV6HINT = 6
};

static inline uint16_t
get16(const uint8_t *b)
{
	return (uint16_t) (b[0] << 8 | b[1]);
}

static void
escape(jj_text_out *out, uint8_t c)
{
	jj_out_byte(out, '\\');
	jj_out_byte(out, (char) ('0' + c / 100));
	jj_out_byte(out, (char) ('0' + c / 10 % 10));
	jj_out_byte(out, (char) ('0' + c % 10));
}

void
jj_dns_name_text(jj_text_out *out, const uint8_t *name, uint32_t size)
{
	const uint8_t *end = name + size;

	if (size == 0)
		jj_out_byte(out, '.');
	for (const uint8_t *b = name; b < end;)
	{
		const uint8_t *label_end = b + 1 + *b;

		if (b > name)
			jj_out_byte(out, '.');
		for (b++; b < label_end; b++)
		{
			if (*b == '.' || *b == '\\')
				jj_out_byte(out, '\\');
			if (*b >= 0x21 && *b <= 0x7e)
				jj_out_byte(out, (char) *b);
			else
				escape(out, *b);
		}
	}
}

/* The offset behind the target's labels, at its root byte; 0 if there is no such target. */
static uint32_t
target_end(const uint8_t *data, uint32_t size)
{
	uint32_t	o = 2;

	while (o < size && data[o] > 0)
	{
		if (data[o] > 63 || size - o - 1 < data[o])
			return 0;
		o += 1 + (uint32_t) data[o];
	}
	return o < size ? o : 0;
}

bool
jj_dns_svcb_valid(const uint8_t *data, uint32_t size)
{
	uint32_t	o = target_end(data, size);

	if (o == 0)
		return false;
	o++;
	while (o < size)
	{
		if (size - o < 4 || size - o - 4 < get16(data + o + 2))
			return false;
		o += 4 + (uint32_t) get16(data + o + 2);
	}
	return true;
}

/* Names behind their lengths, none empty, that fill the value. */
static bool
alpn_valid(const uint8_t *v, uint32_t n)
{
	uint32_t	o = 0;

	while (o < n)
	{
		if (v[o] == 0 || n - o - 1 < v[o])
			return false;
		o += 1 + (uint32_t) v[o];
	}
	return n > 0;
}

/* With the escapes of a list of values, and those of a string around them (RFC 9460 A.1). */
static void
alpn_text(jj_text_out *out, const uint8_t *v, uint32_t n)
{
	uint32_t	name = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		uint8_t		c = v[i];

		if (i == name)
		{
			if (i > 0)
				jj_out_byte(out, ',');
			name += 1 + (uint32_t) c;
		}
		else if (c == ',')
			jj_out_text(out, "\\\\,");
		else if (c == '\\')
			jj_out_text(out, "\\\\\\\\");
		else if (c == '"')
			jj_out_text(out, "\\\"");
		else if (c >= 0x21 && c <= 0x7e)
			jj_out_byte(out, (char) c);
		else
			escape(out, c);
	}
}

static void
ipv4_text(jj_text_out *out, const uint8_t *a)
{
	for (unsigned i = 0; i < 4; i++)
	{
		if (i > 0)
			jj_out_byte(out, '.');
		jj_out_number(out, a[i]);
	}
}

/* Lower case, without leading zeros, "::" for the first of the longest runs of two or more zero groups (RFC 5952 4). */
static void
ipv6_text(jj_text_out *out, const uint8_t *a)
{
	unsigned	best = 8;
	unsigned	length = 1;
	unsigned	run = 0;

	for (unsigned i = 0; i < 8; i++)
	{
		run = get16(a + 2 * i) == 0 ? run + 1 : 0;
		if (run > length)
		{
			length = run;
			best = i + 1 - run;
		}
	}
	for (unsigned i = 0; i < 8; i++)
	{
		unsigned	group = get16(a + 2 * i);
		int			shift = 12;

		if (i == best)
		{
			jj_out_text(out, "::");
			i += length - 1;
			continue;
		}
		if (i > 0 && i != best + length)
			jj_out_byte(out, ':');
		while (shift > 0 && group >> shift == 0)
			shift -= 4;
		for (; shift >= 0; shift -= 4)
			jj_out_byte(out, "0123456789abcdef"[group >> shift & 15]);
	}
}

static void
addresses_text(jj_text_out *out, const uint8_t *v, uint32_t n, uint32_t size)
{
	for (uint32_t i = 0; i < n; i += size)
	{
		if (i > 0)
			jj_out_byte(out, ',');
		if (size == 4)
			ipv4_text(out, v + i);
		else
			ipv6_text(out, v + i);
	}
}

static void
base64_text(jj_text_out *out, const uint8_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += 3)
	{
		unsigned char four[5];

		EVP_EncodeBlock(four, v + i, n - i < 3 ? (int) (n - i) : 3);
		jj_out_bytes(out, four, 4);
	}
}

static void
parameter_text(jj_text_out *out, unsigned key, const uint8_t *v, uint32_t n)
{
	if (key == KEY_ALPN && alpn_valid(v, n))
	{
		jj_out_text(out, "alpn=");
		alpn_text(out, v, n);
	}
	else if (key == KEY_PORT && n == 2)
	{
		jj_out_text(out, "port=");
		jj_out_number(out, get16(v));
	}
	else if (key == KEY_IPV4HINT && n > 0 && n % 4 == 0)
	{
		jj_out_text(out, "ipv4hint=");
		addresses_text(out, v, n, 4);
	}
	else if (key == KEY_IPV6HINT && n > 0 && n % 16 == 0)
	{
		jj_out_text(out, "ipv6hint=");
		addresses_text(out, v, n, 16);
	}
	else if (key == KEY_ECH)
	{
		jj_out_text(out, "ech=");
		base64_text(out, v, n);
	}
	else
	{
		jj_out_text(out, "key");
		jj_out_number(out, key);
		if (n > 0)
			jj_out_byte(out, '=');
		for (uint32_t i = 0; i < n; i++)
			jj_out_hex(out, v[i]);
	}
}

void
jj_dns_svcb_text(jj_text_out *out, const uint8_t *data, uint32_t size)
{
	uint32_t	o = target_end(data, size);

	jj_out_number(out, get16(data));
	jj_out_byte(out, ' ');
	jj_dns_name_text(out, data + 2, o - 2);
	o++;
	while (o < size)
	{
		uint32_t	n = get16(data + o + 2);

		jj_out_byte(out, ' ');
		parameter_text(out, get16(data + o), data + o + 4, n);
		o += 4 + n;
	}
}
