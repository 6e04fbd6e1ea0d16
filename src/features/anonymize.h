/*
 * Anonymised rows: which columns carry addresses, and what becomes of them.
 */
#ifndef JJ_ANONYMIZE_H
#define JJ_ANONYMIZE_H

#include "features/cryptopan.h"
#include "features/row.h"

/* What anonymisation does to a column. */
typedef enum jj_treatment
{
	JJ_UNTOUCHED,				/* carries no address */
	JJ_PSEUDONYM,				/* an address or an array of them */
	JJ_RECOMPUTED,				/* made from pseudonyms where it is computed */
	JJ_SCANNED,					/* text: addresses in it, and names of reverse lookups, are replaced */
	JJ_IDENTIFYING				/* left as it is, though it may tell who it was */
} jj_treatment;

extern const char *const jj_treatment_name[5];

/* What becomes of a column, and for JJ_IDENTIFYING and JJ_RECOMPUTED why (otherwise NULL). */
extern jj_treatment jj_treatment_of(jj_feature f, const char **remark);

/* The columns that jj_anonymize_row changes. */
extern void jj_anonymize_features(jj_feature_set *s);

/* Replace addresses in these columns of the row. False without memory. */
extern bool jj_anonymize_row(jj_cryptopan *c, const jj_feature_set *features, jj_row *row);

typedef struct jj_scanned
{
	char	   *text;
	size_t		used;
	size_t		room;
	bool		failed;			/* out of memory */
	jj_allocator allocator;
} jj_scanned;

/*
 * Append a text to *out, with pseudonyms in place of addresses: IPv4 as four
 * numbers joined by '.' or '-', IPv6, hardware addresses joined by ':', and
 * names below in-addr.arpa and ip6.arpa (RFC 1035 3.5, RFC 3596 2.5), also
 * those of networks. True if there was any.
 */
extern bool jj_anonymize_text(jj_cryptopan *c, const char *text, size_t size, jj_scanned *out);

/* Pseudonyms in the addresses of a QUIC preferred_address (RFC 9000 18.2) of size bytes; false if it is too short to have them. */
extern bool jj_anonymize_preferred(jj_cryptopan *c, uint8_t *value, size_t size);

/*
 * Pseudonyms in the addresses of MPTCP ADD_ADDR options (RFC 8684 3.4.1) among n
 * captured bytes of TCP options. What was cut off is made zero.
 */
extern void jj_anonymize_tcp_options(jj_cryptopan *c, uint8_t *options, size_t n);

#endif
