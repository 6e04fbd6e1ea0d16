/*
 * Certificates, by libcrypto. Whatever it can't read gives NULL; it leaves
 * nothing in the error queue, which belongs to the server.
 *
 * Sources: RFC 5246 7.4.2, RFC 5280, RFC 4514.
 */
#include "extractors/tls_cert_internal.h"
#include "extractors/crypto.h"
#include "extractors/tls_hello.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <string.h>

#define CACHE 64				/* certificates kept, by the first bits of their digest */

struct jj_cert_cache
{
	struct
	{
		bool		used;
		uint8_t		digest[JJ_SHA256_SIZE];
		jj_cert    *cert;		/* NULL: it is none */
	}			slot[CACHE];
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
	c = x == NULL ? NULL : OPENSSL_zalloc(sizeof(*c));
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

/* Many flows show the same certificate, and to parse one costs as much as hundreds of packets. */
bool
jj_cert_get(jj_cert **c, const uint8_t *der, size_t n, jj_work *w)
{
	uint8_t		digest[JJ_SHA256_SIZE];
	unsigned	i;

	*c = NULL;
	if (!jj_digest(w, JJ_SHA256, der, n, digest))
		return true;
	if (w->certs == NULL && (w->certs = jj_alloc_zero(&w->allocator, sizeof(*w->certs))) == NULL)
		return false;
	i = digest[0] % CACHE;
	if (!w->certs->slot[i].used || memcmp(w->certs->slot[i].digest, digest, sizeof(digest)) != 0)
	{
		jj_cert_free(w->certs->slot[i].cert);
		w->certs->slot[i].cert = jj_cert_parse(der, n);
		memcpy(w->certs->slot[i].digest, digest, sizeof(digest));
		w->certs->slot[i].used = true;
	}
	*c = w->certs->slot[i].cert;
	return true;
}

void
jj_cert_cache_free(jj_cert_cache *cache, const jj_allocator *a)
{
	for (unsigned i = 0; cache != NULL && i < CACHE; i++)
		jj_cert_free(cache->slot[i].cert);
	jj_release(a, cache);
}

bool
jj_is_utf8(const uint8_t *b, size_t n)
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

int
jj_find_attribute(X509_NAME *name, int nid, int i)
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

unsigned char *
jj_attribute_text(X509_NAME *name, int at, size_t *size)
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
	if (jj_is_utf8(text, *size))
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
	unsigned char *text = i < 0 ? NULL : jj_attribute_text(name, jj_find_attribute(name, nids[attribute], i), &size);

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

/* ---- key and signature */

static void
write_key(char out[JJ_CERT_KEY_TEXT], const char *kind, int bits)
{
	BIO_snprintf(out, JJ_CERT_KEY_TEXT, "%s:%d", kind, bits);
}

/* The curve of an EC key by its algorithm identifier, so that a key on a curve that libcrypto can't use is named too. */
static bool
describe_curve(char out[JJ_CERT_KEY_TEXT], const X509_ALGOR *algorithm)
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
	BIO_snprintf(out, JJ_CERT_KEY_TEXT, "ec:%s:%d", name, EC_GROUP_get_degree(group));
	EC_GROUP_free(group);
	return true;
}

const char *
jj_cert_key(jj_cert *c)
{
	X509_ALGOR *algorithm;
	ASN1_OBJECT *object;
	int			nid;

	if (c->key[0] != '\0' || X509_PUBKEY_get0_param(&object, NULL, NULL, &algorithm, X509_get_X509_PUBKEY(c->x)) != 1)
		return c->key;
	nid = OBJ_obj2nid(object);
	if (nid == NID_ED25519)
		write_key(c->key, "ed25519", 256);
	else if (nid == NID_ED448)
		write_key(c->key, "ed448", 448);
	else if (nid == NID_X9_62_id_ecPublicKey && describe_curve(c->key, algorithm))
		return c->key;
	else if (X509_get0_pubkey(c->x) != NULL && (nid == NID_rsaEncryption || nid == NID_rsassaPss || nid == NID_dsa))
		write_key(c->key, nid == NID_dsa ? "dsa" : nid == NID_rsassaPss ? "rsa-pss" : "rsa", EVP_PKEY_bits(X509_get0_pubkey(c->x)));
	else if (OBJ_obj2txt(c->key, sizeof(c->key), object, 1) <= 0)
		c->key[0] = '\0';
	return c->key;
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
check_self_signed(X509 *x)
{
	EVP_PKEY   *key = X509_get0_pubkey(x);
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

bool
jj_cert_self_signed(jj_cert *c)
{
	if (c->self_signed == JJ_CERT_NOT_CHECKED)
		c->self_signed = check_self_signed(c->x) ? JJ_CERT_SELF_SIGNED : JJ_CERT_NOT_SELF_SIGNED;
	return c->self_signed == JJ_CERT_SELF_SIGNED;
}
