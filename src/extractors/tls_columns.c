/*
 * Columns of the group tls that come from ClientHello and ServerHello: lists,
 * names, and the fingerprints JA3, JA3S and JA4.
 *
 * Sources: https://github.com/salesforce/ja3,
 * https://github.com/FoxIO-LLC/ja4 (technical_details/JA4.md; JA4 alone).
 */
#include "extractors/crypto.h"
#include "extractors/tls_hello.h"

#include <stdlib.h>
#include <string.h>

#define EXT_SERVER_NAME 0
#define EXT_GROUPS 10
#define EXT_POINT_FORMATS 11
#define EXT_SIGNATURE_ALGORITHMS 13
#define EXT_ALPN 16
#define EXT_SESSION_TICKET 35
#define EXT_PSK 41
#define EXT_EARLY_DATA 42
#define EXT_SUPPORTED_VERSIONS 43
#define EXT_ECH 0xfe0d
#define EXT_ESNI 0xffce
#define FOLDED_GREASE 0x0a0a
#define MAX_CIPHERS 1024		/* in tls_client_ciphers */

static unsigned
get16(const uint8_t *b)
{
	return (unsigned) b[0] << 8 | b[1];
}

/* The next value that is not GREASE. */
static bool
next_real(jj_list16 *l, unsigned *value)
{
	while (jj_list16_next(l, value))
		if (!jj_is_grease(*value))
			return true;
	return false;
}

static uint32_t
count_real(jj_list16 l)
{
	uint32_t	n = 0;
	unsigned	value;

	while (next_real(&l, &value))
		n++;
	return n;
}

/* ---- text */

static char *
put_decimal(char *to, unsigned v)
{
	char		digits[10];
	int			n = 0;

	do
		digits[n++] = (char) ('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0)
		*to++ = digits[--n];
	return to;
}

static char *
put_hex16(char *to, unsigned v)
{
	for (int shift = 12; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[v >> shift & 15];
	return to;
}

/* "1-2-3" of the values without GREASE. */
static char *
put_list(char *to, jj_list16 l)
{
	unsigned	value;
	char	   *start = to;

	while (next_real(&l, &value))
	{
		if (to != start)
			*to++ = '-';
		to = put_decimal(to, value);
	}
	return to;
}

size_t
jj_printable(char *out, const uint8_t *b, size_t size, bool lower)
{
	char	   *to = out;

	for (size_t i = 0; i < size; i++)
	{
		if (b[i] >= 0x20 && b[i] <= 0x7e)
		{
			*to++ = (char) (lower && b[i] >= 'A' && b[i] <= 'Z' ? b[i] + ('a' - 'A') : b[i]);
			continue;
		}
		*to++ = '\\';
		*to++ = 'x';
		*to++ = "0123456789abcdef"[b[i] >> 4];
		*to++ = "0123456789abcdef"[b[i] & 15];
	}
	return (size_t) (to - out);
}

static size_t
printable_size(const uint8_t *b, size_t size)
{
	size_t		n = size;

	for (size_t i = 0; i < size; i++)
		if (b[i] < 0x20 || b[i] > 0x7e)
			n += 3;
	return n;
}

void
jj_row_printable(jj_row *row, jj_feature f, const uint8_t *b, size_t size, bool lower)
{
	char	   *to = jj_row_reserve(row, f, printable_size(b, size));

	if (to != NULL)
		jj_printable(to, b, size, lower);
}

void
jj_row_host(jj_row *row, jj_feature f, const uint8_t *b, size_t size)
{
	if (size > 0 && b[size - 1] == '.')
		size--;
	if (size > 0)
		jj_row_printable(row, f, b, size, true);
}

void
jj_hello_alpn_column(jj_row *row, jj_feature f, const jj_hello *h)
{
	jj_alpn_walk w = {0};
	const uint8_t *name;
	uint32_t	size;

	if (jj_hello_alpn_next(h, &w, &name, &size))
		jj_row_printable(row, f, name, size, false);
}

/* ---- JA3, JA4 */

size_t
jj_fingerprint_room(const jj_hello *ch)
{
	/* a value of two bytes gives at most six characters, one of one byte four */
	return 4 * (size_t) ch->size + 64;
}

size_t
jj_ja3_text(char *out, const jj_hello *ch)
{
	const uint8_t *data;
	uint32_t	size;
	char	   *to = put_decimal(out, ch->version);

	*to++ = ',';
	to = put_list(to, jj_hello_ciphers(ch));
	*to++ = ',';
	to = put_list(to, jj_hello_types(ch));
	*to++ = ',';
	to = put_list(to, jj_hello_values(ch, EXT_GROUPS));
	*to++ = ',';
	if (jj_hello_extension(ch, EXT_POINT_FORMATS, &data, &size) && size > 0)
		for (uint32_t i = 1; i < size && i <= data[0]; i++)
		{
			if (i > 1)
				*to++ = '-';
			to = put_decimal(to, data[i]);
		}
	return (size_t) (to - out);
}

/* The newest version offered: DTLS counts downwards. */
static unsigned
offered_version(const jj_hello *ch)
{
	const uint8_t *data;
	uint32_t	size;
	unsigned	best = 0;
	bool		found = false;

	if (jj_hello_extension(ch, EXT_SUPPORTED_VERSIONS, &data, &size) && size > 0)
	{
		uint32_t	end = 1 + (uint32_t) data[0] < size ? 1 + (uint32_t) data[0] : size;

		for (uint32_t i = 1; i + 1 < end; i += 2)
		{
			unsigned	v = get16(data + i);

			if (jj_is_grease(v) || (found && (ch->form == JJ_HELLO_DTLS ? v >= best : v <= best)))
				continue;
			best = v;
			found = true;
		}
	}
	return found ? best : ch->version;
}

static const char *
ja4_version(unsigned version)
{
	switch (version)
	{
		case 0x0304:
			return "13";
		case 0x0303:
			return "12";
		case 0x0302:
			return "11";
		case 0x0301:
			return "10";
		case 0x0300:
			return "s3";
		case 0x0002:
			return "s2";
		case 0xfeff:
			return "d1";
		case 0xfefd:
			return "d2";
		case 0xfefc:
			return "d3";
		default:
			return "00";
	}
}

static bool
is_alphanumeric(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static char *
put_two_digits(char *to, uint32_t n)
{
	n = n < 99 ? n : 99;
	*to++ = (char) ('0' + n / 10);
	*to++ = (char) ('0' + n % 10);
	return to;
}

static int
compare16(const void *a, const void *b)
{
	uint16_t	x;
	uint16_t	y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* "_" and the values without GREASE, sorted, but not those two. They are sorted where the text will be: its bytes are twice theirs and more. */
static char *
put_sorted(char *to, jj_list16 l, unsigned but, unsigned nor)
{
	char	   *values = to + 1;
	unsigned	value;
	size_t		n = 0;
	char	   *end;

	while (next_real(&l, &value))
	{
		uint16_t	v = (uint16_t) value;

		if (value == but || value == nor)
			continue;
		memcpy(values + 2 * n++, &v, sizeof(v));
	}
	qsort(values, n, 2, compare16);
	*to++ = '_';
	end = to + (n == 0 ? 0 : 5 * n - 1);
	for (size_t i = n; i-- > 0;)
	{
		uint16_t	v;

		memcpy(&v, values + 2 * i, sizeof(v));
		put_hex16(to + 5 * i, v);
		if (i < n - 1)
			to[5 * i + 4] = ',';
	}
	return end;
}

size_t
jj_ja4_raw_text(char *out, const jj_hello *ch, char letter)
{
	jj_alpn_walk w = {0};
	jj_list16	l = jj_hello_values(ch, EXT_SIGNATURE_ALGORITHMS);
	const uint8_t *name;
	uint32_t	size;
	unsigned	value;
	char		separator = '_';
	const char *version = ja4_version(offered_version(ch));
	char	   *to = out;

	*to++ = letter;
	*to++ = version[0];
	*to++ = version[1];
	*to++ = jj_hello_has(ch, EXT_SERVER_NAME) ? 'd' : 'i';
	to = put_two_digits(to, count_real(jj_hello_ciphers(ch)));
	to = put_two_digits(to, count_real(jj_hello_types(ch)));
	if (!jj_hello_alpn_next(ch, &w, &name, &size) || size == 0)
	{
		*to++ = '0';
		*to++ = '0';
	}
	else if (is_alphanumeric(name[0]) && is_alphanumeric(name[size - 1]))
	{
		*to++ = (char) name[0];
		*to++ = (char) name[size - 1];
	}
	else
	{
		*to++ = "0123456789abcdef"[name[0] >> 4];
		*to++ = "0123456789abcdef"[name[size - 1] & 15];
	}
	to = put_sorted(to, jj_hello_ciphers(ch), UINT32_MAX, UINT32_MAX);
	to = put_sorted(to, jj_hello_types(ch), EXT_SERVER_NAME, EXT_ALPN);
	while (next_real(&l, &value))
	{
		*to++ = separator;
		to = put_hex16(to, value);
		separator = ',';
	}
	return (size_t) (to - out);
}

bool
jj_ja4_text(char out[JJ_JA4_SIZE], const char *raw, size_t size, jj_work *w)
{
	const char *end = raw + size;
	const char *b = memchr(raw, '_', size);
	const char *c = b == NULL ? NULL : memchr(b + 1, '_', (size_t) (end - b - 1));

	if (c == NULL || b - raw != 10)
		return false;
	memcpy(out, raw, 11);
	memset(out + 11, '0', 12);
	out[23] = '_';
	memset(out + 24, '0', 12);
	if (c - b > 1 && !jj_digest_hex(w, JJ_SHA256, b + 1, (size_t) (c - b - 1), out + 11, 12))
		return false;
	/* without extensions it is zeros, even if there were signature algorithms */
	return c + 1 == end || c[1] == '_' || jj_digest_hex(w, JJ_SHA256, c + 1, (size_t) (end - c - 1), out + 24, 12);
}

/* ---- columns */

static void
set_md5(jj_row *row, jj_feature f, const char *text, size_t size, const jj_work *w)
{
	char		hex[2 * JJ_MD5_SIZE];

	if (jj_row_wants(row, f) && jj_digest_hex(w, JJ_MD5, text, size, hex, sizeof(hex)))
		jj_row_put(row, f, hex, sizeof(hex));
}

static bool
set_fingerprints(jj_row *row, const jj_hello *ch, char letter, jj_work *w)
{
	bool		ja3 = jj_row_wants(row, JJ_F_ja3_raw) || jj_row_wants(row, JJ_F_ja3_hash);
	bool		ja4 = jj_row_wants(row, JJ_F_ja4_raw) || jj_row_wants(row, JJ_F_ja4);
	char		hash[JJ_JA4_SIZE];
	char	   *text;
	size_t		n;

	if (!ja3 && !ja4)
		return true;
	text = jj_alloc(&w->allocator, jj_fingerprint_room(ch));
	if (text == NULL)
		return false;
	if (ja3)
	{
		n = jj_ja3_text(text, ch);
		jj_row_put(row, JJ_F_ja3_raw, text, n);
		set_md5(row, JJ_F_ja3_hash, text, n, w);
	}
	if (ja4)
	{
		n = jj_ja4_raw_text(text, ch, letter);
		jj_row_put(row, JJ_F_ja4_raw, text, n);
		if (jj_row_wants(row, JJ_F_ja4) && jj_ja4_text(hash, text, n, w))
			jj_row_put(row, JJ_F_ja4, hash, sizeof(hash));
	}
	jj_release(&w->allocator, text);
	return true;
}

/* Set an integer[] column to the first max values, GREASE folded. */
static void
set_list(jj_row *row, jj_feature f, jj_list16 l, uint32_t max)
{
	jj_list16	again = l;
	unsigned	value;
	uint32_t	n = 0;
	int32_t    *to;

	if (!jj_row_wants(row, f))
		return;
	while (n < max && jj_list16_next(&again, &value))
		n++;
	to = jj_row_reserve(row, f, n * sizeof(int32_t));
	if (to == NULL)
		return;
	for (uint32_t i = 0; i < n && jj_list16_next(&l, &value); i++)
		to[i] = jj_is_grease(value) ? FOLDED_GREASE : (int32_t) value;
}

/* Set a text[] column to the ALPN names. */
static void
set_alpn_list(jj_row *row, jj_feature f, const jj_hello *h)
{
	jj_alpn_walk w = {0};
	const uint8_t *name;
	uint32_t	size;
	size_t		total = 0;
	char	   *to;

	if (!jj_row_wants(row, f))
		return;
	while (jj_hello_alpn_next(h, &w, &name, &size))
		total += sizeof(uint32_t) + printable_size(name, size);
	to = jj_row_reserve(row, f, total);
	if (to == NULL)
		return;
	memset(&w, 0, sizeof(w));
	while (jj_hello_alpn_next(h, &w, &name, &size))
	{
		uint32_t	n = (uint32_t) jj_printable(to + sizeof(n), name, size, false);

		memcpy(to, &n, sizeof(n));
		to += sizeof(n) + n;
	}
}

bool
jj_client_hello_columns(jj_row *row, const jj_hello *ch, char letter, jj_work *w)
{
	const uint8_t *name;
	uint32_t	size;

	jj_row_int(row, JJ_F_tls_cipher_count, count_real(jj_hello_ciphers(ch)));
	jj_row_int(row, JJ_F_tls_extension_count, count_real(jj_hello_types(ch)));
	if (jj_hello_sni(ch, &name, &size))
		jj_row_printable(row, JJ_F_tls_sni, name, size, true);
	if (jj_hello_has(ch, EXT_ALPN))
	{
		jj_hello_alpn_column(row, JJ_F_tls_alpn, ch);
		set_alpn_list(row, JJ_F_tls_client_alpn, ch);
	}
	if (ch->session_id_len <= 32)
		jj_row_int(row, JJ_F_tls_session_id_len, ch->session_id_len);
	jj_row_int(row, JJ_F_tls_session_ticket_ext, jj_hello_has(ch, EXT_SESSION_TICKET));
	jj_row_int(row, JJ_F_tls_psk_ext, jj_hello_has(ch, EXT_PSK));
	jj_row_int(row, JJ_F_tls_early_data_ext, jj_hello_has(ch, EXT_EARLY_DATA));
	jj_row_int(row, JJ_F_tls_ech, jj_hello_has(ch, EXT_ECH) || jj_hello_has(ch, EXT_ESNI));
	set_list(row, JJ_F_tls_client_ciphers, jj_hello_ciphers(ch), MAX_CIPHERS);
	set_list(row, JJ_F_tls_client_extensions, jj_hello_types(ch), JJ_HELLO_BYTES);
	if (jj_hello_has(ch, EXT_GROUPS))
		set_list(row, JJ_F_tls_client_groups, jj_hello_values(ch, EXT_GROUPS), JJ_HELLO_BYTES);
	if (jj_hello_has(ch, EXT_SIGNATURE_ALGORITHMS))
		set_list(row, JJ_F_tls_client_sig_algs, jj_hello_values(ch, EXT_SIGNATURE_ALGORITHMS), JJ_HELLO_BYTES);
	return set_fingerprints(row, ch, letter, w);
}

static bool
set_ja3s(jj_row *row, const jj_hello *sh, jj_work *w)
{
	char	   *text;
	char	   *to;

	if (!jj_row_wants(row, JJ_F_ja3s_hash))
		return true;
	text = jj_alloc(&w->allocator, jj_fingerprint_room(sh));
	if (text == NULL)
		return false;
	to = put_decimal(text, sh->version);
	*to++ = ',';
	to = put_decimal(to, sh->cipher);
	*to++ = ',';
	to = put_list(to, jj_hello_types(sh));
	set_md5(row, JJ_F_ja3s_hash, text, (size_t) (to - text), w);
	jj_release(&w->allocator, text);
	return true;
}

bool
jj_server_hello_columns(jj_row *row, const jj_hello *sh, const uint8_t *ske, size_t ske_size, jj_work *w)
{
	jj_key_exchange k = jj_server_key(sh, ske, ske_size);
	char		version[JJ_TLS_VERSION_TEXT];
	char		group[JJ_TLS_GROUP_TEXT];

	jj_row_int(row, JJ_F_tls_version, sh->chosen);
	jj_row_int(row, JJ_F_tls_cipher_suite, sh->cipher);
	if (jj_row_wants(row, JJ_F_tls_version_str))
	{
		jj_tls_version_name(version, sh->chosen);
		jj_row_text(row, JJ_F_tls_version_str, version);
	}
	if (k.known)
	{
		jj_row_int(row, JJ_F_tls_key_exchange_length, k.bits);
		if (k.group >= 0)
		{
			jj_row_int(row, JJ_F_tls_key_exchange_group, k.group);
			jj_tls_group_name(group, (unsigned) k.group);
		}
		jj_row_text(row, JJ_F_tls_key_exchange_group_name, k.group >= 0 ? group : "dhe");
	}
	jj_hello_alpn_column(row, JJ_F_tls_server_alpn, sh);
	return set_ja3s(row, sh, w);
}
