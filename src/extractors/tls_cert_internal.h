/*
 * A parsed certificate, for tls_cert.c and its columns.
 */
#ifndef JJ_TLS_CERT_INTERNAL_H
#define JJ_TLS_CERT_INTERNAL_H

#include "extractors/tls_cert.h"

#include <openssl/x509v3.h>

#define JJ_CERT_KEY_TEXT 96

struct jj_cert
{
	X509	   *x;
	GENERAL_NAMES *names;		/* of subjectAltName, NULL if there is none or it can't be read */
	enum
	{
		JJ_CERT_NOT_CHECKED,
		JJ_CERT_SELF_SIGNED,
		JJ_CERT_NOT_SELF_SIGNED
	}			self_signed;
	char		key[JJ_CERT_KEY_TEXT];	/* as tls_cert_key gives it, empty until it is asked for */
};

/* As the columns of these names say; worked out once. The key is empty if its algorithm can't be read. */
extern bool jj_cert_self_signed(jj_cert *c);
extern const char *jj_cert_key(jj_cert *c);

/* UTF-8 that a database takes: no surrogates, nothing beyond U+10FFFF, no overlong form (RFC 3629 4). */
extern bool jj_is_utf8(const uint8_t *b, size_t n);

/* UTF-8 of an attribute's value, to be released with OPENSSL_free; NULL if at is below 0 or it is no text. */
extern unsigned char *jj_attribute_text(X509_NAME *name, int at, size_t *size);

/* The i-th attribute of a type, -1 if there is none; i < 0: the last. */
extern int	jj_find_attribute(X509_NAME *name, int nid, int i);

#endif
