/*
 * Certificates of the server, read by libcrypto, and the columns of the group
 * tls that come from them.
 */
#ifndef JJ_TLS_CERT_H
#define JJ_TLS_CERT_H

#include "extractors/extractor.h"

#define JJ_CERT_NAMES 256		/* of subjectAltName that are read */

/* A Certificate message of TLS 1.2 and below (RFC 5246 7.4.2). */
typedef struct jj_cert_list
{
	uint32_t	count;
	uint32_t	total;			/* bytes of DER, without length fields */
	const uint8_t *leaf;		/* DER of the first; NULL if the list is empty */
	uint32_t	leaf_size;
} jj_cert_list;

/* Take the body of the message apart; false if its lengths don't fit. */
extern bool jj_cert_list_parse(jj_cert_list *list, const uint8_t *body, size_t n);

/* Set the columns of a Certificate message's body: all tls_cert_*. False without memory. */
extern bool jj_cert_columns(jj_row *row, const uint8_t *body, size_t n, jj_work *w);

/* A parsed certificate. */
typedef struct jj_cert jj_cert;

/*
 * The certificate with this DER, which is parsed unless it is one of the last
 * that were asked for: *c, NULL if it is no X.509 certificate. It stays w's,
 * until the next call. False without memory.
 */
extern bool jj_cert_get(jj_cert **c, const uint8_t *der, size_t n, jj_work *w);

/* Parse DER without that, for the caller to release; NULL if it is none. Costs tens of microseconds. */
extern jj_cert *jj_cert_parse(const uint8_t *der, size_t n);
extern void jj_cert_free(jj_cert *c);

extern void jj_cert_cache_free(jj_cert_cache *cache, const jj_allocator *a);

/* The names in a certificate that are held against patterns. */
typedef enum jj_cert_part
{
	JJ_CERT_SUBJECT,
	JJ_CERT_ISSUER
} jj_cert_part;

typedef enum jj_cert_attribute
{
	JJ_CERT_CN,					/* commonName */
	JJ_CERT_O,					/* organizationName */
	JJ_CERT_OU					/* organizationalUnitName */
} jj_cert_attribute;

/* Number of attributes in a name; of which i-th is of that type, its UTF-8 bytes copied to out (up to room). -1 if there is no i-th or it is no text. */
extern int	jj_cert_attributes(const jj_cert *c, jj_cert_part part);
extern int	jj_cert_value(const jj_cert *c, jj_cert_part part, jj_cert_attribute attribute, int i, char *out, size_t room);

/* The i-th dNSName of subjectAltName, from 0; false if there are no more. */
extern bool jj_cert_dns_name(const jj_cert *c, int i, const uint8_t **name, uint32_t *size);

#endif
