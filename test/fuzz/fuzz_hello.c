/*
 * Fuzz target: hellos, certificates, and the columns made of them.
 *
 * Input: a byte that says what follows. 0 and 1: ClientHello of TLS and of
 * DTLS; 2 and 3: ServerHello; 4: ClientHello in SSL 2.0 format; 5: Certificate
 * message; 6: a certificate; 7: a cipher suite (2 bytes) and a ServerKeyExchange.
 */
#include "extractors/crypto.h"
#include "extractors/tls_cert.h"
#include "extractors/tls_hello.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) \
	do { \
		if (!(x)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x); \
			abort(); \
		} \
	} while (0)

static jj_work work;
static jj_feature_set all;
static jj_row row;

static void
check_utf8(const uint8_t *b, uint32_t n)
{
	for (uint32_t i = 0; i < n;)
	{
		int			more = b[i] < 0x80 ? 0 : (b[i] & 0xe0) == 0xc0 ? 1 : (b[i] & 0xf0) == 0xe0 ? 2 : 3;

		CHECK(b[i] != 0 && (b[i] < 0x80 || b[i] >= 0xc2) && b[i] <= 0xf4);
		for (i++; more-- > 0; i++)
			CHECK(i < n && (b[i] & 0xc0) == 0x80);
	}
}

static void
check_columns(void)
{
	CHECK(!row.failed && ERR_peek_error() == 0);
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		uint32_t	size;
		const uint8_t *b;

		if (!jj_row_has(&row, f))
			continue;
		CHECK(jj_feature_table[f].group == JJ_G_tls);
		switch (jj_feature_table[f].type)
		{
			case JJ_TEXT:
				b = jj_row_bytes(&row, f, &size);
				check_utf8(b, size);
				break;
			case JJ_TEXT_ARRAY:
				b = jj_row_bytes(&row, f, &size);
				while (size > 0)
				{
					uint32_t	n;

					CHECK(size >= sizeof(n));
					memcpy(&n, b, sizeof(n));
					CHECK(n <= size - sizeof(n));
					check_utf8(b + sizeof(n), n);
					b += sizeof(n) + n;
					size -= (uint32_t) sizeof(n) + n;
				}
				break;
			case JJ_INT4_ARRAY:
				jj_row_bytes(&row, f, &size);
				CHECK(size % 4 == 0);
				break;
			case JJ_BYTEA:
				jj_row_bytes(&row, f, &size);
				CHECK(size == JJ_SHA256_SIZE);
				break;
			case JJ_INT2:
				CHECK(row.value[f].i >= 0 && row.value[f].i <= INT16_MAX);
				break;
			case JJ_TIMESTAMPTZ:
				break;
			default:
				CHECK(row.value[f].i >= 0);
		}
	}
}

static void
client(const jj_hello *h, char letter)
{
	char	   *text = malloc(jj_fingerprint_room(h));
	char		ja4[JJ_JA4_SIZE];
	size_t		n;

	CHECK(h->extensions <= h->size && (size_t) h->ciphers + h->cipher_bytes <= h->size);
	CHECK(jj_client_hello_columns(&row, h, letter, &work));
	n = jj_ja3_text(text, h);
	CHECK(n <= jj_fingerprint_room(h));
	n = jj_ja4_raw_text(text, h, letter);
	CHECK(n <= jj_fingerprint_room(h));
	CHECK(jj_ja4_text(ja4, text, n, &work) && memcmp(ja4, text, 10) == 0);
	free(text);
}

static void
certificate(const uint8_t *b, size_t n)
{
	jj_cert    *c = jj_cert_parse(b, n);
	char		text[64];
	const uint8_t *name;
	uint32_t	size;

	if (c == NULL)
		return;
	for (int part = JJ_CERT_SUBJECT; part <= JJ_CERT_ISSUER; part++)
	{
		int			attributes = jj_cert_attributes(c, (jj_cert_part) part);

		CHECK(attributes >= 0);
		for (int i = 0; i < attributes + 1; i++)
			CHECK(jj_cert_value(c, (jj_cert_part) part, JJ_CERT_CN, i, text, sizeof(text)) >= -1);
	}
	for (int i = 0; jj_cert_dns_name(c, i, &name, &size); i++)
		CHECK(size <= n);
	jj_cert_free(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	jj_hello	h;
	int			n;

	if (work.crypto == NULL)
	{
		work.allocator = jj_malloc_allocator();
		work.crypto = jj_crypto_open(&work.allocator);
		jj_set_all(&all);
	}
	if (size < 1)
		return 0;
	jj_row_init(&row, &all, &work.allocator);
	switch (data[0])
	{
		case 0:
		case 1:
			if (jj_client_hello_parse(&h, data + 1, size - 1, data[0] == 1))
				client(&h, data[0] == 1 ? 'd' : 't');
			break;
		case 2:
		case 3:
			if (jj_server_hello_parse(&h, data + 1, size - 1, data[0] == 3))
				CHECK(jj_server_hello_columns(&row, &h, NULL, 0, &work));
			break;
		case 4:
			n = jj_ssl2_hello_parse(&h, data + 1, size - 1);
			CHECK(n >= -1 && n <= (int) size - 1);
			if (n > 0)
				client(&h, 't');
			break;
		case 5:
			CHECK(jj_cert_columns(&row, data + 1, size - 1, &work));
			break;
		case 6:
			certificate(data + 1, size - 1);
			break;
		case 7:
			if (size >= 3)
			{
				uint8_t		sh[38] = {3, 3, [35] = data[1], [36] = data[2]};

				CHECK(jj_server_hello_parse(&h, sh, sizeof(sh), false));
				CHECK(jj_server_hello_columns(&row, &h, data + 3, size - 3, &work));
			}
			break;
		default:
			break;
	}
	check_columns();
	jj_row_free(&row);
	return 0;
}
