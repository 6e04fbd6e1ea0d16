/*
 * DNS messages: names and their compression, counts that lie, what is cut,
 * and the text of names and SVCB records.
 */
#include "extractors/dns_message.h"
#include "tap.h"

#include <stdlib.h>

/* A literal with its size, without the terminator. */
#define BYTES(s) (const uint8_t *) (s), (uint32_t) (sizeof(s) - 1)

#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define QUESTION "\3www\7example\3com\0\0\1\0\1"	/* at 12, 21 bytes */
#define A_RECORD "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1"
#define OPT_RECORD "\0\0\x29\x04\xd0\1\0\0\0\0\0"

static jj_dns_message m;

/* Parse a copy of exactly n bytes, so that AddressSanitizer sees a step beyond; m leads into it until the next call. */
static bool
parse(const uint8_t *b, uint32_t n, bool cut)
{
	static uint8_t *copy;

	free(copy);
	copy = malloc(n > 0 ? n : 1);
	memcpy(copy, b, n);
	return jj_dns_parse(&m, copy, n, cut);
}

static const char *
name_at(uint32_t offset)
{
	static char text[1024];
	uint8_t		labels[JJ_DNS_NAME_BYTES];
	uint32_t	n = jj_dns_name(&m, offset, labels);
	jj_text_out out = {text};

	jj_dns_name_text(&out, labels, n);
	*out.to = '\0';
	return (size_t) (out.to - text) <= JJ_DNS_NAME_TEXT(n) ? text : "(longer than promised)";
}

static const char *
svcb(const uint8_t *b, uint32_t n)
{
	static char text[2048];
	uint8_t    *copy = malloc(n > 0 ? n : 1);
	jj_text_out out = {text};

	memcpy(copy, b, n);
	snprintf(text, sizeof(text), "(damaged)");
	if (jj_dns_svcb_valid(copy, n))
	{
		jj_dns_svcb_text(&out, copy, n);
		*out.to = '\0';
	}
	free(copy);
	return (size_t) (out.to - text) <= JJ_DNS_SVCB_TEXT(n) ? text : "(longer than promised)";
}

static void
test_message(void)
{
	uint32_t	o = JJ_DNS_HEADER;
	jj_dns_question q;
	jj_dns_record r;

	ok(parse(BYTES(HEAD("\1\0", "\1", "\0", "\0", "\1") QUESTION OPT_RECORD), false), "a query");
	ok(m.id == 0x1234 && m.flags == JJ_DNS_RD && m.qtype == 1 && m.qclass == 1, "header and question");
	ok(m.n_opt == 1 && m.opt_class == 1232 && m.opt_ttl == UINT32_C(0x01000000), "OPT");
	jj_dns_next_question(&m, &o, &q);
	is_text(name_at(JJ_DNS_HEADER), "www.example.com", "its name");
	ok(q.name_size == 16 && memcmp(q.name, "\3www\7example\3com", 16) == 0, "and its labels");
	ok(q.type == 1 && q.class == 1 && o == 33, "its type and class");

	ok(parse(BYTES(HEAD("\x81\x80", "\1", "\3", "\0", "\0") QUESTION A_RECORD
				   "\xc0\x10\0\1\0\1\0\0\0\7\0\4\xc0\0\2\2" "\0\0\2\0\1\xff\xff\xff\xff\0\1x"), false), "a response");
	ok(m.n_answers == 3 && m.min_ttl == 0 && m.max_ttl == 300 && m.answers_whole && !m.cut, "TTLs; one with its top bit set is 0");
	o = m.answers;
	jj_dns_next_answer(&m, &o, &r);
	ok(r.type == JJ_DNS_A && r.size == 4 && memcmp(r.data, "\xc0\0\2\1", 4) == 0, "an address");
	is_text(name_at(r.name), "www.example.com", "owner by a pointer to the question");
	jj_dns_next_answer(&m, &o, &r);
	is_text(name_at(r.name), "example.com", "owner by a pointer into it");
	jj_dns_next_answer(&m, &o, &r);
	is_text(name_at(r.name), ".", "owner is the root");
	ok(r.type == 2 && r.size == 1 && *r.data == 'x' && o == m.size, "the last record, whose data is not looked into");

	ok(parse(BYTES(HEAD("\0\0", "\0", "\0", "\0", "\0")), false), "no records at all");
	ok(parse(BYTES(HEAD("\0\0", "\0", "\0", "\0", "\0") "behind"), false), "bytes behind the last record are allowed");
	ok(!parse(BYTES("\0\0\0\0\0\0\0\0\0\0\0"), false), "eleven bytes are no message");
	for (unsigned opcode = 0; opcode < 16; opcode++)
	{
		uint8_t		b[12] = {0, 0, (uint8_t) (opcode << 3)};

		ok(parse(b, 12, false) == (opcode <= 6 && opcode != 3), "opcode %u", opcode);
	}
}

static void
test_lies(void)
{
	ok(!parse(BYTES(HEAD("\0\0", "\2", "\0", "\0", "\0") QUESTION), false), "a question that isn't there");
	ok(!parse(BYTES(HEAD("\2\0", "\2", "\0", "\0", "\0") QUESTION), true), "a message that is cut in its questions");
	ok(!parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\3www\0\0\1\0"), false), "half a class");
	ok(!parse(BYTES(HEAD("\x80\0", "\1", "\2", "\0", "\0") QUESTION A_RECORD), false), "an answer that isn't there");
	ok(parse(BYTES(HEAD("\x82\0", "\1", "\2", "\0", "\0") QUESTION A_RECORD), false), "the same with TC");
	ok(m.n_answers == 1 && !m.answers_whole && !m.cut && m.max_ttl == 300, "one answer of two");
	ok(parse(BYTES(HEAD("\x80\0", "\1", "\2", "\0", "\0") QUESTION A_RECORD "\xc0"), true), "the same, not captured to its end");
	ok(m.n_answers == 1 && !m.answers_whole && m.cut, "cut among the answers");
	ok(parse(BYTES(HEAD("\x80\0", "\1", "\1", "\1", "\1") QUESTION A_RECORD "\0\0\6"), true) && m.answers_whole && m.cut && m.n_opt == 0,
	   "cut behind the answers");
	ok(parse(BYTES(HEAD("\x80\0", "\1", "\1", "\0", "\0") QUESTION A_RECORD), true) && !m.cut, "cut behind the last record");
	ok(!parse(BYTES(HEAD("\x80\0", "\1", "\1", "\0", "\0") QUESTION "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\5\xc0\0\2\1"), false),
	   "RDLENGTH beyond the end");
	ok(!parse(BYTES(HEAD("\x80\0", "\0", "\xff\xff" "\0", "\0", "")), false), "many answers in twelve bytes");
}

static void
test_names(void)
{
	uint8_t		b[600] = {0, 0, 0, 0, 0, 1};
	uint32_t	n = JJ_DNS_HEADER;
	uint32_t	label;

	ok(!parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\xc0\x0c\0\1\0\1"), false), "a pointer to itself");
	ok(!parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\1a\xc0\x0c\0\1\0\1"), false), "a pointer back into its own name");
	ok(!parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\1a\xc0\x12\0\1\0\1"), false), "a pointer forward");
	ok(!parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\1a\xc0\x04\0\1\0\1"), false), "a pointer into the header");
	ok(!parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\1a\xc0"), false), "half a pointer");
	ok(!parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\x40" "a\0\0\1\0\1"), false), "a label of a type that isn't used: 0x40");
	ok(!parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\x80" "a\0\0\1\0\1"), false), "and 0x80");
	ok(!parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\x3f" "a\0\0\1\0\1"), false), "a label beyond the end");

	ok(parse(BYTES(HEAD("\0\0", "\2", "\0", "\0", "\0") "\1b\0\0\1\0\1" "\1a\xc0\x0c\0\1\0\1"), false), "a label and a pointer");
	is_text(name_at(19), "a.b", "make a name");
	ok(!parse(BYTES(HEAD("\0\0", "\2", "\0", "\0", "\0") "\xc0\x0c\0\1\0\1\xc0\x0c\0\1\0\1"), false),
	   "a bad first name that the second one leads to");

	/* 63 + 63 + 63 + 61 bytes and their lengths are 254; the root's byte is the 255th */
	for (int i = 0; i < 4; i++)
	{
		label = i < 3 ? 63 : 61;
		b[n] = (uint8_t) label;
		memset(b + n + 1, 'a' + i, label);
		n += 1 + label;
	}
	memcpy(b + n, "\0\0\1\0\1", 5);
	ok(parse(b, n + 5, false), "a name of 255 bytes");
	is_int((int64_t) strlen(name_at(JJ_DNS_HEADER)), 253, "its text");
	b[n - 62] = 62;
	b[n] = 'd';
	memcpy(b + n + 1, "\0\0\1\0\1", 5);
	ok(!parse(b, n + 6, false), "one of 256");

	/* a chain of pointers behind a name, each to the one before: read from its end */
	memset(b, 0, sizeof(b));
	memcpy(b + 12, "\1x", 3);
	n = 15;
	for (unsigned i = 0; i <= JJ_DNS_JUMPS; i++, n += 2)
	{
		uint32_t	to = i == 0 ? 12 : n - 2;

		b[n] = (uint8_t) (0xc0 | to >> 8);
		b[n + 1] = (uint8_t) to;
	}
	m = (jj_dns_message) {.bytes = b, .size = n};
	is_text(name_at(n - 4), "x", "as many pointers as a name may have");
	is_text(name_at(n - 2), ".", "one more, and there is no name");

	ok(parse(BYTES(HEAD("\0\0", "\1", "\0", "\0", "\0") "\4a.b\\\5\0 \x7f\x80~\0\0\1\0\1"), false), "special bytes");
	is_text(name_at(12), "a\\.b\\\\.\\000\\032\\127\\128~", "are escaped");

	ok(parse(BYTES(HEAD("\0\0", "\2", "\0", "\0", "\0") "\3wWw\1[\0\0\1\0\1" "\1x\xc0\x0c\0\1\0\1"), false), "two names");
	ok(jj_dns_is_name(&m, 12, BYTES("\3wWw\1[")), "the same name in every byte");
	ok(jj_dns_is_name(&m, 12, BYTES("\3WWw\1[")), "letters match in either case");
	ok(!jj_dns_is_name(&m, 12, BYTES("\3www\1{")), "other bytes don't");
	ok(!jj_dns_is_name(&m, 12, BYTES("\3wWw")) && !jj_dns_is_name(&m, 12, BYTES("\3wWw\1[\1a")) && !jj_dns_is_name(&m, 12, BYTES("")),
	   "nor do names of other lengths");
	ok(jj_dns_is_name(&m, 23, BYTES("\1x\3www\1[")) && !jj_dns_is_name(&m, 23, BYTES("\1x\3www")), "a compressed name");
}

static void
test_svcb(void)
{
	is_text(svcb(BYTES("\0\1\0")), "1 .", "priority and root");
	is_text(svcb(BYTES("\0\0\3foo\7example\0")), "0 foo.example", "an alias");
	is_text(svcb(BYTES("\0\1\0\0\1\0\6\2h2\2h3")), "1 . alpn=h2,h3", "alpn");
	is_text(svcb(BYTES("\0\1\0\0\1\0\x09\4f\\,o\3\"\x80 ")), "1 . alpn=f\\\\\\\\\\\\,o,\\\"\\128\\032", "alpn with escapes");
	is_text(svcb(BYTES("\0\1\0\0\1\0\3\0\1a")), "1 . key1=000161", "alpn with an empty name");
	is_text(svcb(BYTES("\0\1\0\0\1\0\2\2a")), "1 . key1=0261", "alpn that ends early");
	is_text(svcb(BYTES("\0\1\0\0\1\0\0")), "1 . key1", "alpn without names");
	is_text(svcb(BYTES("\0\1\0\0\3\0\2\x1f\x90\0\2\0\0")), "1 . port=8080 key2", "port; no-default-alpn by number");
	is_text(svcb(BYTES("\0\1\0\0\3\0\1\1")), "1 . key3=01", "a port of one byte");
	is_text(svcb(BYTES("\0\1\0\0\4\0\x08\xc0\0\2\1\xff\0\0\x0a")), "1 . ipv4hint=192.0.2.1,255.0.0.10", "ipv4hint");
	is_text(svcb(BYTES("\0\1\0\0\4\0\3\xc0\0\2")), "1 . key4=c00002", "an ipv4hint of three bytes");
	is_text(svcb(BYTES("\0\1\0\0\6\0\x30" "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
					   "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4" "\0\1\0\0\0\2\0\0\0\3\0\0\0\0\0\4")),
			"1 . ipv6hint=2001:db8::1,::ffff:102:304,1:0:2:0:3::4", "ipv6hint");
	is_text(svcb(BYTES("\0\1\0\0\6\0\x20" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0")), "1 . ipv6hint=::,fe80::",
			"zeros at the end");
	is_text(svcb(BYTES("\0\1\0\0\6\0\x10" "\0\1\0\0\0\0\0\1\0\0\0\0\0\1\0\1")), "1 . ipv6hint=1::1:0:0:1:1", "the first of two runs");
	is_text(svcb(BYTES("\0\1\0\0\5\0\4\1\2\3\4\0\5\0\0")), "1 . ech=AQIDBA== ech=", "ech");
	is_text(svcb(BYTES("\0\1\0\xff\xff\0\2\xab\x0c")), "1 . key65535=ab0c", "a key without a name");
	is_text(svcb(BYTES("\0")), "(damaged)", "no priority");
	is_text(svcb(BYTES("\0\1")), "(damaged)", "no target");
	is_text(svcb(BYTES("\0\1\1a")), "(damaged)", "a target without end");
	is_text(svcb(BYTES("\0\1\xc0\x0c")), "(damaged)", "a compressed target");
	is_text(svcb(BYTES("\0\1\5a\0")), "(damaged)", "a label beyond the end");
	is_text(svcb(BYTES("\0\1\0\0\1\0")), "(damaged)", "half a parameter");
	is_text(svcb(BYTES("\0\1\0\0\1\0\3\2h2\0")), "(damaged)", "a byte behind the last parameter");
	is_text(svcb(BYTES("\0\1\0\0\1\0\4\2h2")), "(damaged)", "a value beyond the end");
}

static void
test_mnemonics(void)
{
	static const struct
	{
		uint16_t	type;
		const char *name;
	}			some[] = {{1, "A"}, {28, "AAAA"}, {35, "NAPTR"}, {43, "DS"}, {64, "SVCB"}, {65, "HTTPS"}, {252, "AXFR"}, {255, "ANY"},
	{257, "CAA"}, {32768, "TA"}, {32769, "DLV"}};
	unsigned	named = 0;

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		is_text(jj_dns_type_name(some[i].type), some[i].name, "type");
	for (unsigned t = 0; t <= UINT16_MAX; t++)
		named += jj_dns_type_name((uint16_t) t) != NULL;
	is_int(named, 97, "types with a name");
	ok(jj_dns_type_name(0) == NULL && jj_dns_type_name(54) == NULL && jj_dns_type_name(65535) == NULL, "types without");
	is_text(jj_dns_rcode_name(0), "NOERROR", "rcode 0");
	is_text(jj_dns_rcode_name(3), "NXDOMAIN", "rcode 3");
	is_text(jj_dns_rcode_name(16), "BADVERS", "rcode 16");
	is_text(jj_dns_rcode_name(23), "BADCOOKIE", "rcode 23");
	ok(jj_dns_rcode_name(12) == NULL && jj_dns_rcode_name(24) == NULL && jj_dns_rcode_name(4095) == NULL, "rcodes without a name");
}

int
main(void)
{
	test_message();
	test_lies();
	test_names();
	test_svcb();
	test_mnemonics();
	return done_testing();
}
