/*
 * Certificates, by libcrypto. Whatever it can't read gives NULL; it leaves
 * nothing in the error queue, which belongs to the server.
 *
 * Sources: RFC 5246 7.4.2, RFC 5280, RFC 4514.
 */
#include "extractors/tls_cert.h"
#include "extractors/crypto.h"
#include "extractors/tls_hello.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

#define NAME_FLAGS (ASN1_STRFLGS_RFC2253 & ~ASN1_STRFLGS_ESC_MSB)
#define KEY_TEXT 96

struct jj_cert
{
	X509	   *x;
	GENERAL_NAMES *names;		/* of subjectAltName, NULL if there is none or it can't be read */
};

static uint32_t
get24(const uint8_t *b)
{
	return (uint32_t) b[0] << 16 | (uint32_t) b[1] << 8 | b[2];
}

bool
jj_cert_list_parse(jj_cert_list *list, const uint8_t *body, size_t n)
{
	jj_cert_list l = {0};
	size_t		o = 3;

	if (n < 3 || get24(body) != n - 3)
		return false;
	while (o < n)
	{
		uint32_t	size;

		if (n - o < 3 || (size = get24(body + o)) > n - o - 3)
			return false;
		if (l.count++ == 0)
		{
			l.leaf = body + o + 3;
			l.leaf_size = size;
		}
		l.total += size;
		o += 3 + (size_t) size;
	}
	*list = l;
	return true;
}

/* ---- a certificate */

static GENERAL_NAMES *
read_alternative_names(X509 *x)
{
	int			at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);

	return at < 0 ? NULL : X509V3_EXT_d2i(X509_get_ext(x, at));
}

jj_cert *
jj_cert_parse(const uint8_t *der, size_t n)
{
	const unsigned char *next = der;
	jj_cert    *c;
	X509	   *x;

	if (n > JJ_HELLO_BYTES)
		return NULL;
	ERR_set_mark();
	x = d2i_X509(NULL, &next, (long) n);
	c = x == NULL ? NULL : OPENSSL_malloc(sizeof(*c));
	if (c != NULL)
	{
		c->x = x;
		c->names = read_alternative_names(x);
	}
	else
		X509_free(x);
	ERR_pop_to_mark();
	return c;
}

void
jj_cert_free(jj_cert *c)
{
	if (c == NULL)
		return;
	GENERAL_NAMES_free(c->names);
	X509_free(c->x);
	OPENSSL_free(c);
}

/* Whether bytes are UTF-8 that a database takes: no surrogates, nothing beyond U+10FFFF, no overlong form (RFC 3629 4). */
static bool
is_utf8(const uint8_t *b, size_t n)
{
	size_t		i = 0;

	while (i < n)
	{
		uint8_t		c = b[i];
		size_t		more = c < 0x80 ? 0 : c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 4;

		if (more > 3 || more > n - i - 1)
			return false;
		for (size_t k = 1; k <= more; k++)
			if ((b[i + k] & 0xc0) != 0x80)
				return false;
		if ((c == 0xe0 && b[i + 1] < 0xa0) || (c == 0xed && b[i + 1] > 0x9f)
			|| (c == 0xf0 && b[i + 1] < 0x90) || (c == 0xf4 && b[i + 1] > 0x8f))
			return false;
		i += 1 + more;
	}
	return true;
}

static X509_NAME *
name_of(const jj_cert *c, jj_cert_part part)
{
	return part == JJ_CERT_SUBJECT ? X509_get_subject_name(c->x) : X509_get_issuer_name(c->x);
}

int
jj_cert_attributes(const jj_cert *c, jj_cert_part part)
{
	return X509_NAME_entry_count(name_of(c, part));
}

/* The i-th attribute of a type, -1 if there is none; i < 0: the last. */
static int
find_attribute(X509_NAME *name, int nid, int i)
{
	int			found = -1;

	for (int at; (at = X509_NAME_get_index_by_NID(name, nid, found)) >= 0;)
	{
		found = at;
		if (i-- == 0)
			return found;
	}
	return i < -1 ? found : -1;
}

/* UTF-8 of an attribute's value, to be released with OPENSSL_free; NULL if it is no text. */
static unsigned char *
attribute_text(X509_NAME *name, int at, size_t *size)
{
	unsigned char *text = NULL;
	int			n;

	if (at < 0)
		return NULL;
	ERR_set_mark();
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	ERR_pop_to_mark();
	if (n < 0)
		return NULL;
	*size = (size_t) n;
	if (is_utf8(text, *size))
		return text;
	OPENSSL_free(text);
	return NULL;
}

int
jj_cert_value(const jj_cert *c, jj_cert_part part, jj_cert_attribute attribute, int i, char *out, size_t room)
{
	static const int nids[] = {NID_commonName, NID_organizationName, NID_organizationalUnitName};
	X509_NAME  *name = name_of(c, part);
	size_t		size;
	unsigned char *text = i < 0 ? NULL : attribute_text(name, find_attribute(name, nids[attribute], i), &size);

	if (text == NULL)
		return -1;
	if (size < room)
		room = size;
	memcpy(out, text, room);
	OPENSSL_free(text);
	return (int) size;
}

bool
jj_cert_dns_name(const jj_cert *c, int i, const uint8_t **name, uint32_t *size)
{
	int			n = c->names == NULL ? 0 : sk_GENERAL_NAME_num(c->names);

	for (int k = 0; k < n && i >= 0; k++)
	{
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(c->names, k);

		if (g->type == GEN_DNS && i-- == 0)
		{
			*name = ASN1_STRING_get0_data(g->d.dNSName);
			*size = (uint32_t) ASN1_STRING_length(g->d.dNSName);
			return true;
		}
	}
	return false;
}

/* ---- columns */

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
		good = is_utf8((const uint8_t *) bytes, (size_t) n);
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
	text = attribute_text(name, find_attribute(name, NID_commonName, -1), &size);
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

static void
write_key(char out[KEY_TEXT], const char *kind, int bits)
{
	BIO_snprintf(out, KEY_TEXT, "%s:%d", kind, bits);
}

/* The curve of an EC key by its algorithm identifier, so that a key on a curve that libcrypto can't use is named too. */
static bool
describe_curve(char out[KEY_TEXT], const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object;
	const void *parameter;
	int			type;
	int			nid;
	const char *name;
	EC_GROUP   *group;

	X509_ALGOR_get0(&object, &type, &parameter, algorithm);
	if (type != V_ASN1_OBJECT)
		return false;
	nid = OBJ_obj2nid(parameter);
	group = nid == NID_undef ? NULL : EC_GROUP_new_by_curve_name(nid);
	if (group == NULL)
		return false;
	/* OpenSSL has these two under the names of X9.62; the others are those of SEC 2 and RFC 5639 */
	name = nid == NID_X9_62_prime256v1 ? "secp256r1" : nid == NID_X9_62_prime192v1 ? "secp192r1" : OBJ_nid2sn(nid);
	BIO_snprintf(out, KEY_TEXT, "ec:%s:%d", name, EC_GROUP_get_degree(group));
	EC_GROUP_free(group);
	return true;
}

static void
set_key(jj_row *row, jj_feature f, X509 *x, EVP_PKEY *key)
{
	X509_ALGOR *algorithm;
	ASN1_OBJECT *object;
	char		out[KEY_TEXT];
	int			nid;

	if (!jj_row_wants(row, f) || X509_PUBKEY_get0_param(&object, NULL, NULL, &algorithm, X509_get_X509_PUBKEY(x)) != 1)
		return;
	nid = OBJ_obj2nid(object);
	if (nid == NID_ED25519)
		write_key(out, "ed25519", 256);
	else if (nid == NID_ED448)
		write_key(out, "ed448", 448);
	else if (nid == NID_X9_62_id_ecPublicKey && describe_curve(out, algorithm))
		;
	else if (key != NULL && (nid == NID_rsaEncryption || nid == NID_rsassaPss || nid == NID_dsa))
		write_key(out, nid == NID_dsa ? "dsa" : nid == NID_rsassaPss ? "rsa-pss" : "rsa", EVP_PKEY_bits(key));
	else if (OBJ_obj2txt(out, sizeof(out), object, 1) <= 0)
		return;
	jj_row_text(row, f, out);
}

/* Whether libcrypto can check the signature with this key. */
static bool
can_verify(X509 *x, EVP_PKEY *key)
{
	int			hash;
	int			kind;

	return key != NULL && OBJ_find_sigid_algs(X509_get_signature_nid(x), &hash, &kind) == 1
		&& (hash == NID_undef || EVP_get_digestbynid(hash) != NULL)
		&& (EVP_PKEY_type(kind) == EVP_PKEY_base_id(key) || (kind == NID_rsassaPss && EVP_PKEY_base_id(key) == EVP_PKEY_RSA));
}

static bool
is_self_signed(X509 *x, EVP_PKEY *key)
{
	const unsigned char *issuer;
	const unsigned char *subject;
	size_t		issuer_size;
	size_t		subject_size;

	if (X509_NAME_get0_der(X509_get_issuer_name(x), &issuer, &issuer_size) != 1
		|| X509_NAME_get0_der(X509_get_subject_name(x), &subject, &subject_size) != 1
		|| issuer_size != subject_size || memcmp(issuer, subject, issuer_size) != 0)
		return false;
	return !can_verify(x, key) || X509_verify(x, key) == 1;
}

static bool
set_leaf(jj_row *row, const jj_cert *c, jj_work *w)
{
	EVP_PKEY   *key = NULL;
	bool		good;

	if (jj_row_wants(row, JJ_F_tls_cert_key) || jj_row_wants(row, JJ_F_tls_cert_self_signed))
		key = X509_get_pubkey(c->x);
	set_issuer(row, JJ_F_tls_cert_issuer, X509_get_issuer_name(c->x));
	set_common_name(row, JJ_F_tls_cert_subject_cn, X509_get_subject_name(c->x));
	good = set_alternative_names(row, JJ_F_tls_cert_san, c->names, w);
	set_date(row, JJ_F_tls_cert_not_before, X509_get0_notBefore(c->x));
	set_date(row, JJ_F_tls_cert_not_after, X509_get0_notAfter(c->x));
	set_key(row, JJ_F_tls_cert_key, c->x, key);
	if (jj_row_wants(row, JJ_F_tls_cert_self_signed))
		jj_row_int(row, JJ_F_tls_cert_self_signed, is_self_signed(c->x, key));
	EVP_PKEY_free(key);
	return good;
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
	c = jj_cert_parse(list.leaf, list.leaf_size);
	if (c != NULL)
	{
		ERR_set_mark();
		good = set_leaf(row, c, w);
		ERR_pop_to_mark();
	}
	jj_cert_free(c);
	return good;
}
