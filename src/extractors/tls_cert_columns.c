/*
 * Columns of the group tls that come from the server's certificates.
 *
 * Sources: RFC 5280, RFC 4514.
 */
#include "extractors/crypto.h"
#include "extractors/tls_cert_internal.h"
#include "extractors/tls_hello.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>
#include <sys/socket.h>

#define NAME_FLAGS (ASN1_STRFLGS_RFC2253 & ~ASN1_STRFLGS_ESC_MSB)

/* "CN=value" in the form of RFC 4514; a value that is no valid text as #HEX of its DER. */
static bool
write_attribute(BIO *to, X509_NAME_ENTRY *entry)
{
	const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(entry);
	ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
	int			nid = OBJ_obj2nid(type);
	char		dotted[128];
	BIO		   *text = BIO_new(BIO_s_mem());
	unsigned long flags = NAME_FLAGS;
	char	   *bytes = NULL;
	long		n = 0;
	bool		good = false;

	if (text == NULL)
		return false;
	if (nid == NID_undef)
	{
		OBJ_obj2txt(dotted, sizeof(dotted), type, 1);
		flags |= ASN1_STRFLGS_DUMP_ALL;
	}
	if (ASN1_STRING_print_ex(text, value, flags) >= 0)
	{
		n = BIO_get_mem_data(text, &bytes);
		good = jj_is_utf8((const uint8_t *) bytes, (size_t) n);
	}
	if (!good)
	{
		(void) BIO_reset(text);
		good = ASN1_STRING_print_ex(text, value, flags | ASN1_STRFLGS_DUMP_ALL) >= 0;
		n = BIO_get_mem_data(text, &bytes);
	}
	good = good && BIO_puts(to, nid == NID_undef ? dotted : OBJ_nid2sn(nid)) > 0 && BIO_puts(to, "=") == 1
		&& (n == 0 || BIO_write(to, bytes, (int) n) == n);
	BIO_free(text);
	return good;
}

/* As X509_NAME_print_ex with XN_FLAG_RFC2253, which would give up at the first value that is no valid text. */
static void
set_issuer(jj_row *row, jj_feature f, X509_NAME *name)
{
	BIO		   *text = jj_row_wants(row, f) ? BIO_new(BIO_s_mem()) : NULL;
	int			last = X509_NAME_entry_count(name) - 1;
	bool		good = text != NULL;
	char	   *bytes = NULL;
	long		n;

	for (int i = last; good && i >= 0; i--)
	{
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);

		if (i < last)
			good = BIO_puts(text, X509_NAME_ENTRY_set(entry) == X509_NAME_ENTRY_set(X509_NAME_get_entry(name, i + 1)) ? "+" : ",") == 1;
		good = good && write_attribute(text, entry);
	}
	if (good)
	{
		n = BIO_get_mem_data(text, &bytes);
		jj_row_put(row, f, bytes, (size_t) n);
	}
	BIO_free(text);
}

/* The last commonName; control characters as \xHH. */
static void
set_common_name(jj_row *row, jj_feature f, X509_NAME *name)
{
	size_t		size = 0;
	unsigned char *text;
	size_t		room = 0;
	char	   *to;

	if (!jj_row_wants(row, f))
		return;
	text = jj_attribute_text(name, jj_find_attribute(name, NID_commonName, -1), &size);
	if (text == NULL)
		return;
	for (size_t i = 0; i < size; i++)
		room += text[i] < 0x20 || text[i] == 0x7f ? 4 : 1;
	to = jj_row_reserve(row, f, room);
	for (size_t i = 0; to != NULL && i < size; i++)
	{
		if (text[i] < 0x20 || text[i] == 0x7f)
			to += jj_printable(to, text + i, 1, false);
		else
			*to++ = (char) text[i];
	}
	OPENSSL_free(text);
}

/* One dNSName or iPAddress behind its length, in out if that is not NULL; bytes, 0 for a name of another kind. */
static size_t
write_alternative_name(const GENERAL_NAME *g, char *out)
{
	char		address[INET6_ADDRSTRLEN];
	const uint8_t *b;
	uint32_t	n;

	if (g->type == GEN_DNS)
	{
		b = ASN1_STRING_get0_data(g->d.dNSName);
		n = (uint32_t) ASN1_STRING_length(g->d.dNSName);
		if (out == NULL)
			return sizeof(n) + 4 * (size_t) n;
		n = (uint32_t) jj_printable(out + sizeof(n), b, n, true);
	}
	else if (g->type == GEN_IPADD)
	{
		b = ASN1_STRING_get0_data(g->d.iPAddress);
		n = (uint32_t) ASN1_STRING_length(g->d.iPAddress);
		if ((n != 4 && n != 16) || inet_ntop(n == 4 ? AF_INET : AF_INET6, b, address, sizeof(address)) == NULL)
			return 0;
		n = (uint32_t) strlen(address);
		if (out == NULL)
			return sizeof(n) + n;
		memcpy(out + sizeof(n), address, n);
	}
	else
		return 0;
	memcpy(out, &n, sizeof(n));
	return sizeof(n) + n;
}

static bool
set_alternative_names(jj_row *row, jj_feature f, const GENERAL_NAMES *names, jj_work *w)
{
	int			n = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
	size_t		room = 0;
	size_t		used = 0;
	int			count = 0;
	char	   *text;

	if (names == NULL || !jj_row_wants(row, f))
		return true;
	for (int i = 0; i < n; i++)
		room += write_alternative_name(sk_GENERAL_NAME_value(names, i), NULL);
	text = jj_alloc(&w->allocator, room);
	if (text == NULL)
		return false;
	for (int i = 0; i < n && count < JJ_CERT_NAMES; i++)
	{
		size_t		size = write_alternative_name(sk_GENERAL_NAME_value(names, i), text + used);

		used += size;
		count += size > 0;
	}
	jj_row_put(row, f, text, used);
	jj_release(&w->allocator, text);
	return true;
}

static void
set_date(jj_row *row, jj_feature f, const ASN1_TIME *date)
{
	ASN1_TIME  *epoch;
	int			days;
	int			seconds;

	if (!jj_row_wants(row, f))
		return;
	epoch = ASN1_TIME_set(NULL, 0);
	if (epoch != NULL && ASN1_TIME_check(date) == 1 && ASN1_TIME_diff(&days, &seconds, epoch, date) == 1)
		jj_row_int(row, f, ((int64_t) days * 86400 + seconds) * 1000000);
	ASN1_TIME_free(epoch);
}

static bool
set_leaf(jj_row *row, jj_cert *c, jj_work *w)
{
	set_issuer(row, JJ_F_tls_cert_issuer, X509_get_issuer_name(c->x));
	set_common_name(row, JJ_F_tls_cert_subject_cn, X509_get_subject_name(c->x));
	set_date(row, JJ_F_tls_cert_not_before, X509_get0_notBefore(c->x));
	set_date(row, JJ_F_tls_cert_not_after, X509_get0_notAfter(c->x));
	if (jj_row_wants(row, JJ_F_tls_cert_key) && jj_cert_key(c)[0] != '\0')
		jj_row_text(row, JJ_F_tls_cert_key, jj_cert_key(c));
	if (jj_row_wants(row, JJ_F_tls_cert_self_signed))
		jj_row_int(row, JJ_F_tls_cert_self_signed, jj_cert_self_signed(c));
	return set_alternative_names(row, JJ_F_tls_cert_san, c->names, w);
}

static bool
wants_leaf(const jj_row *row)
{
	static const jj_feature columns[] = {
		JJ_F_tls_cert_issuer, JJ_F_tls_cert_subject_cn, JJ_F_tls_cert_san, JJ_F_tls_cert_not_before, JJ_F_tls_cert_not_after,
		JJ_F_tls_cert_self_signed, JJ_F_tls_cert_key
	};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (jj_row_wants(row, columns[i]))
			return true;
	return false;
}

bool
jj_cert_columns(jj_row *row, const uint8_t *body, size_t n, jj_work *w)
{
	jj_cert_list list;
	uint8_t		digest[JJ_SHA256_SIZE];
	jj_cert    *c;
	bool		good = true;

	if (!jj_cert_list_parse(&list, body, n))
		return true;
	jj_row_int(row, JJ_F_tls_cert_count, list.count);
	jj_row_int(row, JJ_F_tls_cert_chain_length, list.count);
	jj_row_int(row, JJ_F_tls_cert_total_length, list.total);
	if (list.count == 0)
		return true;
	jj_row_int(row, JJ_F_tls_cert_first_length, list.leaf_size);
	if (jj_row_wants(row, JJ_F_tls_cert_sha256) && jj_digest(w, JJ_SHA256, list.leaf, list.leaf_size, digest))
		jj_row_put(row, JJ_F_tls_cert_sha256, digest, sizeof(digest));
	if (!wants_leaf(row))
		return true;
	if (!jj_cert_get(&c, list.leaf, list.leaf_size, w))
		return false;
	if (c != NULL)
	{
		ERR_set_mark();
		good = set_leaf(row, c, w);
		ERR_pop_to_mark();
	}
	return good;
}
