/*
 * DNS messages (RFC 1035 4.1), and the text of what is in them.
 *
 * Nothing is copied: a jj_dns_message leads into the bytes it was read from.
 */
#ifndef JJ_DNS_MESSAGE_H
#define JJ_DNS_MESSAGE_H

#include "extractors/text_out.h"

#include <stdbool.h>

#define JJ_DNS_HEADER 12
#define JJ_DNS_NAME_BYTES 254	/* longest name without the root's byte (RFC 1035 3.1) */
#define JJ_DNS_JUMPS 128		/* compression pointers of a name; one of 127 labels needs no more, unless pointers lead to pointers */

/* Types that are read (https://www.iana.org/assignments/dns-parameters). */
#define JJ_DNS_A 1
#define JJ_DNS_AAAA 28
#define JJ_DNS_OPT 41
#define JJ_DNS_SVCB 64
#define JJ_DNS_HTTPS 65

/* Bits of jj_dns_message.flags. */
#define JJ_DNS_QR 0x8000
#define JJ_DNS_TC 0x0200
#define JJ_DNS_RD 0x0100
#define JJ_DNS_RA 0x0080

enum
{
	JJ_DNS_QUESTIONS, JJ_DNS_ANSWERS, JJ_DNS_AUTHORITIES, JJ_DNS_ADDITIONALS
};

typedef struct jj_dns_message
{
	const uint8_t *bytes;
	uint32_t	size;
	uint16_t	id;
	uint16_t	flags;
	uint16_t	count[4];		/* as the header says */
	uint32_t	answers;		/* offset of the first answer */
	uint32_t	n_answers;		/* answers that are there: count[JJ_DNS_ANSWERS] unless the message ends before */
	uint32_t	min_ttl;		/* of these answers, if any; a TTL with its top bit set is 0 (RFC 2181 8) */
	uint32_t	max_ttl;
	uint32_t	n_opt;			/* OPT records among the additionals */
	uint32_t	opt_ttl;		/* of the first of them (RFC 6891 6.1.3) */
	uint16_t	opt_class;
	uint16_t	qtype;			/* of the first question, if count[JJ_DNS_QUESTIONS] > 0 */
	uint16_t	qclass;
	bool		cut;			/* it was not captured to its end, and ends before its last record does */
	bool		answers_whole;	/* all of the answers are there */
} jj_dns_message;

typedef struct jj_dns_question
{
	uint16_t	type;
	uint16_t	class;
	uint8_t		name[JJ_DNS_NAME_BYTES];	/* as jj_dns_name gives it */
	uint32_t	name_size;
} jj_dns_question;

typedef struct jj_dns_record
{
	uint32_t	name;			/* offset */
	uint16_t	type;
	uint16_t	size;			/* of data */
	const uint8_t *data;
} jj_dns_record;

/*
 * Read a message of n bytes; cut: the bytes end before the message does. False
 * if it is none: an opcode without meaning, a name out of bounds, a pointer
 * that doesn't lead backward, or records that aren't all inside, unless TC is
 * set or the message cut behind its questions. RDATA is not looked into.
 * The work is bounded by JJ_DNS_JUMPS + 128 steps a record.
 */
extern bool jj_dns_parse(jj_dns_message *m, const uint8_t *bytes, uint32_t n, bool cut);

/*
 * The question at *offset, which moves behind it. Begin at JJ_DNS_HEADER; a
 * parsed message has count[JJ_DNS_QUESTIONS] of them.
 */
extern void jj_dns_next_question(const jj_dns_message *m, uint32_t *offset, jj_dns_question *q);

/* The answer at *offset, likewise; begin at m->answers, there are m->n_answers. */
extern void jj_dns_next_answer(const jj_dns_message *m, uint32_t *offset, jj_dns_record *r);

/* The labels of a parsed message's name, each behind its length, without compression and the root's byte; their size. */
extern uint32_t jj_dns_name(const jj_dns_message *m, uint32_t offset, uint8_t out[JJ_DNS_NAME_BYTES]);

/* Whether the parsed message's name at offset is this one, as jj_dns_name gives it: letters of ASCII match in either case (RFC 4343). */
extern bool jj_dns_is_name(const jj_dns_message *m, uint32_t offset, const uint8_t *name, uint32_t size);

#define JJ_DNS_NAME_TEXT(size) (4 * (size_t) (size) + 1)	/* longest text of a name of so many bytes */

/*
 * A name as text: no trailing dot, the root a single dot, "." and "\" in a
 * label behind a backslash, bytes outside 0x21 to 0x7e as \DDD (RFC 1035 5.1, RFC 4343 2.1).
 */
extern void jj_dns_name_text(jj_text_out *out, const uint8_t *name, uint32_t size);

/* Whether RDATA of type SVCB or HTTPS is in order: priority, target without compression, parameters that fill it (RFC 9460 2.2). */
extern bool jj_dns_svcb_valid(const uint8_t *data, uint32_t size);

#define JJ_DNS_SVCB_TEXT(size) (4 * (size_t) (size) + 8)	/* longest text of so many bytes of RDATA */

/*
 * Valid RDATA in presentation form (RFC 9460 2.1): priority, target, then
 * key=value with alpn, port, ipv4hint, ipv6hint and ech by name, others as keyN=hex.
 */
extern void jj_dns_svcb_text(jj_text_out *out, const uint8_t *data, uint32_t size);

/* IANA's mnemonic of a type or of an extended RCODE; NULL if it has none. */
extern const char *jj_dns_type_name(uint16_t type);
extern const char *jj_dns_rcode_name(unsigned rcode);

#endif
