/*
 * Certificates: the message, the columns, and damage.
 */
#include "extractors/crypto.h"
#include "extractors/tls_cert.h"
#include "certs.h"
#include "failing.h"
#include "hello_bytes.h"
#include "row_text.h"

#include <openssl/err.h>

static message m;
static jj_work work;

/* A Certificate message of these certificates, hex; NULL ends them. */
static void
chain(const char *first, const char *second)
{
	const char *const certs[] = {first, second};

	m.n = 0;
	put_number(&m, 0, 3);
	for (int i = 0; i < 2 && certs[i] != NULL; i++)
	{
		size_t		at;

		put_number(&m, 0, 3);
		at = m.n;
		put_hex(&m, certs[i]);
		close_length(&m, at, 3);
	}
	close_length(&m, 3, 3);
}

/* The columns, with memory that ends where the message does. */
static void
columns(void)
{
	uint8_t    *copy = malloc(m.n > 0 ? m.n : 1);

	memcpy(copy, m.b, m.n);
	jj_row_clear(&row);
	ok(jj_cert_columns(&row, copy, m.n, &work), "columns");
	free(copy);
	ok(ERR_peek_error() == 0, "nothing is left in the error queue");
}

/* Put bytes in place of the at-th (from 0) occurrence of others, of the same number. */
static void
patch(const char *from, const char *to, int at)
{
	message		a = {.n = 0};
	message		b = {.n = 0};

	put_hex(&a, from);
	put_hex(&b, to);
	for (size_t i = 0; i + a.n <= m.n; i++)
		if (memcmp(m.b + i, a.b, a.n) == 0 && at-- == 0)
		{
			memcpy(m.b + i, b.b, b.n);
			return;
		}
	ok(false, "%s is not in the message", from);
}

static void
test_columns(void)
{
	chain(CERT_EC, CERT_RSA);
	columns();
	IS(tls_cert_count, "2");
	IS(tls_cert_chain_length, "2");
	IS(tls_cert_total_length, "990");
	IS(tls_cert_first_length, "549");
	IS(tls_cert_issuer, "1.2.3.4=#0C036F6464,CN=s\\01\xc3\xbc #\\\",emailAddress=a@b.example,CN=first,O=Example\\, Inc.,C=DE");
	IS(tls_cert_subject_cn, "s\\x01\xc3\xbc #\"");
	IS(tls_cert_san, "{example.org,192.0.2.1,2001:db8::1,*.example.net}");
	IS(tls_cert_not_before, "946684799000000");
	IS(tls_cert_not_after, "253402300799000000");
	IS(tls_cert_self_signed, "1");
	IS(tls_cert_key, "ec:secp256r1:256");
	ok(jj_row_has(&row, JJ_F_tls_cert_sha256), "SHA-256");

	chain(CERT_RSA, NULL);
	columns();
	IS(tls_cert_count, "1");
	IS(tls_cert_issuer, "street=\\ x\\ ,CN=Test CA+OU=Unit");
	IS(tls_cert_subject_cn, "NULL");
	IS(tls_cert_san, "NULL");
	IS(tls_cert_not_before, "1577836800000000");
	IS(tls_cert_not_after, "2524608000000000");
	IS(tls_cert_self_signed, "0");
	IS(tls_cert_key, "rsa:1024");

	chain(CERT_ED25519, NULL);
	columns();
	IS(tls_cert_key, "ed25519:256");
	IS(tls_cert_self_signed, "1");
	m.b[m.n - 1] ^= 1;
	columns();
	IS(tls_cert_self_signed, "0");

	chain(NULL, NULL);
	columns();
	IS(tls_cert_count, "0");
	IS(tls_cert_total_length, "0");
	IS(tls_cert_first_length, "NULL");
	IS(tls_cert_sha256, "NULL");
}

static void
test_odd(void)
{
	/* an algorithm without a name: the names alone say that it is self-signed */
	chain(CERT_ED25519, NULL);
	for (int i = 0; i < 3; i++)
		patch("06032b6570", "06032b6501", 0);
	columns();
	IS(tls_cert_key, "1.3.101.1");
	IS(tls_cert_self_signed, "1");
	IS(tls_cert_subject_cn, "ed.example");

	/* another curve, one without a name, and an RSA key that is none */
	chain(CERT_EC, NULL);
	patch("06082a8648ce3d030107", "06082a8648ce3d030101", 0);
	columns();
	IS(tls_cert_key, "ec:secp192r1:192");
	chain(CERT_EC, NULL);
	patch("06082a8648ce3d030107", "06082a8648ce3d030177", 0);
	columns();
	IS(tls_cert_key, "1.2.840.10045.2.1");
	IS(tls_cert_self_signed, "1");
	chain(CERT_RSA, NULL);
	patch("30818902818100", "04818902818100", 0);
	columns();
	IS(tls_cert_key, "1.2.840.113549.1.1.1");

	/* a name that is no UTF-8: libcrypto doesn't take the certificate */
	chain(CERT_RSA, NULL);
	patch("0c0754657374204341", "0c07546573ff204341", 0);
	columns();
	IS(tls_cert_issuer, "NULL");
	IS(tls_cert_key, "NULL");
	IS(tls_cert_first_length, "441");
	/* as Latin-1 it is text */
	patch("0c07546573ff204341", "1407546573ff204341", 0);
	columns();
	IS(tls_cert_issuer, "street=\\ x\\ ,CN=Tes\xc3\xbf CA+OU=Unit");
	/* as something else than a string it is given as it is */
	patch("1407546573ff204341", "3007546573ff204341", 0);
	columns();
	IS(tls_cert_issuer, "street=\\ x\\ ,CN=#3007546573FF204341+OU=Unit");

	/* dates that are none */
	chain(CERT_ED25519, NULL);
	patch("170d323030323239", "170d323030323330", 0);
	columns();
	IS(tls_cert_not_before, "NULL");
	IS(tls_cert_not_after, "1614470400000000");

	/* subjectAltName that can't be read */
	chain(CERT_EC, NULL);
	patch("820b4578616d706c65", "82ff4578616d706c65", 0);
	columns();
	IS(tls_cert_san, "NULL");
	IS(tls_cert_key, "ec:secp256r1:256");
	chain(CERT_EC, NULL);
	patch("820b4578616d706c65", "820b457861ff706c65", 0);
	columns();
	IS(tls_cert_san, "{exa\\xffple.org,192.0.2.1,2001:db8::1,*.example.net}");
}

static void
test_damage(void)
{
	message		whole;
	bool		good = true;

	chain(CERT_EC, CERT_ED25519);
	whole = m;
	for (size_t n = 0; n < whole.n; n++)
	{
		jj_cert_list list;

		if (jj_cert_list_parse(&list, whole.b, n))
			good = false;
	}
	ok(good, "a message that is cut off is none");
	m.b[5] ^= 1;
	columns();
	IS(tls_cert_count, "NULL");
	m = whole;
	m.b[m.n - 217 - 1]++;		/* length of the second certificate */
	columns();
	IS(tls_cert_count, "NULL");

	m.n = 0;
	put_hex(&m, "000004 000001 30");
	columns();
	IS(tls_cert_count, "1");
	IS(tls_cert_first_length, "1");
	ok(jj_row_has(&row, JJ_F_tls_cert_sha256), "bytes that are no certificate have a SHA-256");
	IS(tls_cert_issuer, "NULL");
	IS(tls_cert_self_signed, "NULL");
	IS(tls_cert_key, "NULL");

	/* every byte of a certificate changed, every length cut */
	chain(CERT_EC, NULL);
	whole = m;
	for (size_t i = 6; i < whole.n; i++)
	{
		m = whole;
		m.b[i] ^= 0x80;
		jj_row_clear(&row);
		jj_cert_columns(&row, m.b, m.n, &work);
	}
	for (size_t n = 1; n < whole.n - 6; n++)
	{
		m.n = 3;
		put_number(&m, (unsigned) n, 3);
		put_bytes(&m, whole.b + 6, n);
		close_length(&m, 3, 3);
		jj_row_clear(&row);
		jj_cert_columns(&row, m.b, m.n, &work);
		if (jj_row_has(&row, JJ_F_tls_cert_key))
			ok(false, "%zu bytes of a certificate are one", n);
	}
	ok(ERR_peek_error() == 0, "damage leaves nothing in the error queue");
}

static void
test_names(void)
{
	char		text[16];
	const uint8_t *name;
	uint32_t	size;
	jj_cert    *c;

	m.n = 0;
	put_hex(&m, CERT_EC);
	c = jj_cert_parse(m.b, m.n);
	ok(c != NULL, "a certificate");
	is_int(jj_cert_attributes(c, JJ_CERT_SUBJECT), 6, "its subject has six attributes");
	ok(jj_cert_value(c, JJ_CERT_ISSUER, JJ_CERT_CN, 0, text, sizeof(text)) == 5 && memcmp(text, "first", 5) == 0, "first common name");
	ok(jj_cert_value(c, JJ_CERT_ISSUER, JJ_CERT_CN, 1, text, sizeof(text)) == 7 && text[1] == 1, "second common name");
	is_int(jj_cert_value(c, JJ_CERT_ISSUER, JJ_CERT_CN, 2, text, sizeof(text)), -1, "there is no third");
	ok(jj_cert_value(c, JJ_CERT_SUBJECT, JJ_CERT_O, 0, text, 7) == 13 && memcmp(text, "Example", 7) == 0, "what doesn't fit is cut");
	is_int(jj_cert_value(c, JJ_CERT_SUBJECT, JJ_CERT_OU, 0, text, sizeof(text)), -1, "no organizational unit");
	ok(jj_cert_dns_name(c, 0, &name, &size) && size == 11 && memcmp(name, "Example.ORG", 11) == 0, "first name");
	ok(jj_cert_dns_name(c, 1, &name, &size) && size == 13 && *name == '*', "second name");
	ok(!jj_cert_dns_name(c, 2, &name, &size), "there is no third");
	jj_cert_free(c);
	jj_cert_free(NULL);
	m.n = 0;
	put_hex(&m, CERT_RSA);
	c = jj_cert_parse(m.b, m.n);
	ok(!jj_cert_dns_name(c, 0, &name, &size), "no names");
	jj_cert_free(c);
}

/* The last certificates are kept. */
static void
test_cache(void)
{
	jj_cert    *first;
	jj_cert    *again;
	bool		good = true;

	m.n = 0;
	put_hex(&m, CERT_EC);
	ok(jj_cert_get(&first, m.b, m.n, &work) && first != NULL, "a certificate");
	ok(jj_cert_get(&again, m.b, m.n, &work) && again == first, "is parsed once");
	for (unsigned i = 0; i < 500; i++)
	{
		m.b[m.n - 1] = (uint8_t) i;
		m.b[m.n - 2] = (uint8_t) (i >> 8);
		good = good && jj_cert_get(&again, m.b, m.n, &work) && again != NULL && jj_cert_attributes(again, JJ_CERT_SUBJECT) == 6;
	}
	ok(good, "five hundred of them");
	m.b[0] = 0;
	ok(jj_cert_get(&again, m.b, m.n, &work) && again == NULL, "what is none");
	ok(jj_cert_get(&again, m.b, m.n, &work) && again == NULL, "is none the next time");
}

static void
test_memory(void)
{
	failing		f = {.calls = 0};
	jj_allocator kept = work.allocator;

	chain(CERT_EC, NULL);
	work.allocator = (jj_allocator) {failing_alloc, failing_release, &f};
	f.fail_at = 1;
	jj_row_clear(&row);
	ok(!jj_cert_columns(&row, m.b, m.n, &work) && f.live == 0, "no memory for the names");
	jj_cert_cache_free(work.certs, &kept);
	work.certs = NULL;
	f.fail_at = f.calls + 1;
	jj_row_clear(&row);
	ok(!jj_cert_columns(&row, m.b, m.n, &work) && f.live == 0, "nor for what is kept of certificates");
	work.allocator = kept;
}

int
main(void)
{
	work.allocator = jj_malloc_allocator();
	work.crypto = jj_crypto_open(&work.allocator);
	jj_set_all(&all);
	jj_row_init(&row, &all, &work.allocator);
	test_columns();
	test_odd();
	test_damage();
	test_names();
	test_cache();
	test_memory();
	jj_row_free(&row);
	jj_work_free(&work);
	return done_testing();
}
