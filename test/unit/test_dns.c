/*
 * Group dns on datagrams and streams: transactions, counts, lists and their
 * bounds.
 */
#include "failing.h"
#include "payload.h"

/* ---- messages */

typedef struct message
{
	uint8_t		b[20000];
	uint32_t	n;
} message;

static message q;
static message r;

static void
put(message *m, const void *bytes, uint32_t n)
{
	memcpy(m->b + m->n, bytes, n);
	m->n += n;
}

/* Dots part the labels. */
static void
put_name(message *m, const char *name)
{
	while (*name != '\0')
	{
		size_t		n = strcspn(name, ".");

		m->b[m->n++] = (uint8_t) n;
		put(m, name, (uint32_t) n);
		name += n + (name[n] == '.');
	}
	m->b[m->n++] = 0;
}

static void
count(message *m, unsigned section)
{
	uint8_t    *c = m->b + 4 + 2 * section;

	put16(c, ((unsigned) c[0] << 8 | c[1]) + 1);
}

static void
begin_message(message *m, unsigned id, unsigned flags)
{
	memset(m->b, 0, 12);
	m->n = 12;
	put16(m->b, id);
	put16(m->b + 2, flags);
}

static void
question(message *m, const char *name, unsigned type)
{
	uint8_t		b[4];

	put_name(m, name);
	put16(b, type);
	put16(b + 2, 1);
	put(m, b, 4);
	count(m, 0);
}

/* A record; name NULL is a pointer to the first question. */
static void
record(message *m, unsigned section, const char *name, unsigned type, unsigned class, uint32_t ttl, const void *data, uint32_t size)
{
	uint8_t		b[10];

	if (name != NULL)
		put_name(m, name);
	else
		put(m, "\xc0\x0c", 2);
	put16(b, type);
	put16(b + 2, class);
	put32(b + 4, ttl);
	put16(b + 8, size);
	put(m, b, 10);
	put(m, data, size);
	count(m, section);
}

static void
address(message *m, unsigned n, uint32_t ttl)
{
	uint8_t		b[4] = {192, 0, (uint8_t) (n >> 8), (uint8_t) n};

	record(m, 1, NULL, 1, 1, ttl, b, 4);
}

/* q asks for the name, r answers with one address. */
static void
pair_of(const char *name)
{
	begin_message(&q, 7, 0x0100);
	question(&q, name, 1);
	begin_message(&r, 7, 0x8180);
	question(&r, name, 1);
	address(&r, 1, 300);
}

static void
ask_it(void)
{
	datagram(1, q.b, q.n);
}

static void
answer_it(void)
{
	datagram(2, r.b, r.n);
}

static unsigned
element_count(jj_feature f)
{
	const uint8_t *b = arena + value[f].bytes.offset;
	const uint8_t *end = b + value[f].bytes.size;
	unsigned	n = 0;

	if (is_null(f))
		return 0;
	for (; b < end; n++)
	{
		uint32_t	size;

		if (jj_feature_table[f].type == JJ_INET_ARRAY)
			b += 1 + *b;
		else
		{
			memcpy(&size, b, sizeof(size));
			b += sizeof(size) + size;
		}
	}
	return n;
}

/* ---- tests */

static void
test_pair(void)
{
	const uint8_t *a;

	between(40000, 53);
	pair_of("www.Example.com");
	record(&q, 3, "", 41, 1232, 0, "", 0);
	record(&r, 2, NULL, 2, 1, 60, "\0", 1);
	record(&r, 3, NULL, 28, 1, 60, "0123456789abcdef", 16);
	record(&r, 3, "", 41, 4096, UINT32_C(0x01000000), "", 0);
	address(&r, 1, 0);			/* behind the other sections it is an additional record */
	put16(r.b + 6, 1);
	put16(r.b + 10, 3);
	ask_it();
	answer_it();
	rows();
	is_int(n_rows, 1, "a query and its answer are one flow");
	ok(INT(dns_detected, 1) && INT(dns_is_query, 1) && INT(dns_is_response, 1), "detected");
	ok(INT(dns_query_count, 1) && INT(dns_response_count, 1), "counts");
	ok(TEXT(dns_query_name, "www.Example.com") && INT(dns_query_type, 1) && TEXT(dns_query_type_str, "A"), "question, case kept");
	ok(INT(dns_response_code, 16) && TEXT(dns_response_code_str, "BADVERS"), "extended RCODE");
	ok(INT(dns_answer_count, 1) && INT(dns_authority_count, 1) && INT(dns_additional_count, 2), "sections, OPT not counted");
	ok(INT(dns_min_ttl, 300) && INT(dns_max_ttl, 300), "TTLs of the answers only");
	ok(INT(dns_truncated, 0) && INT(dns_recursion_desired, 1) && INT(dns_recursion_available, 1), "bits");
	ok(REAL(dns_response_time, 0.001), "response time");
	ok(INT(dns_edns_udp_size, 1232), "UDP size of the query's OPT");
	TEXTS(dns_query_names, "www.Example.com|", "names");
	a = arena + value[JJ_F_dns_answers].bytes.offset;
	ok(element_count(JJ_F_dns_answers) == 1 && memcmp(a, "\4\xc0\0\0\1", 5) == 0, "address of the answer");
	ok(NIL(dns_svcb), "no SVCB");

	between(40000, 53);
	pair_of("");
	q.b[q.n - 4] = 0x12;
	q.b[q.n - 3] = 0x34;
	ask_it();
	rows();
	ok(TEXT(dns_query_name, ".") && TEXT(dns_query_type_str, "TYPE4660"), "root, a type without name");
	ok(NIL(dns_response_code) && NIL(dns_response_code_str) && NIL(dns_answer_count) && NIL(dns_truncated) && NIL(dns_response_time)
	   && NIL(dns_min_ttl) && NIL(dns_recursion_available) && NIL(dns_additional_count), "no response: NULL");
	ok(INT(dns_is_response, 0) && INT(dns_response_count, 0), "and 0 responses");
}

static void
test_matching(void)
{
	between(40000, 53);
	pair_of("a.example");
	ask_it();
	ask_it();
	r.b[1] = 8;
	answer_it();
	rows();
	ok(NIL(dns_response_code) && INT(dns_response_count, 1) && INT(dns_query_count, 2), "another id is no answer");

	between(40000, 53);
	pair_of("a.example");
	ask_it();
	begin_message(&r, 7, 0x8180);
	question(&r, "b.example", 1);
	answer_it();
	begin_message(&r, 7, 0x8183);
	question(&r, "A.EXAMPLE", 1);
	answer_it();
	rows();
	ok(INT(dns_response_code, 3) && INT(dns_response_count, 2), "the question must be the same, in either case of letters");
	ok(REAL(dns_response_time, 0.002), "the time is that of the response that matches");

	between(40000, 53);
	pair_of("a.example");
	ask_it();
	begin_message(&r, 7, 0x8181);
	answer_it();
	rows();
	ok(INT(dns_response_code, 1) && TEXT(dns_response_code_str, "FORMERR") && NIL(dns_min_ttl), "a response without question matches by id");

	between(40000, 53);
	pair_of("a.example");
	ask_it();
	datagram(1, r.b, r.n);
	rows();
	ok(NIL(dns_response_code) && INT(dns_response_count, 1), "a response in the query's direction is no answer");

	between(53, 40000);
	pair_of("late.example");
	datagram(1, r.b, r.n);
	rows();
	ok(INT(dns_response_code, 0) && INT(dns_max_ttl, 300) && NIL(dns_response_time) && TEXT(dns_query_name, "late.example")
	   && INT(dns_is_query, 0), "a response alone is the transaction");
	TEXTS(dns_query_names, "late.example|", "with its name");
	pair_of("next.example");
	datagram(2, q.b, q.n);
	rows();
	ok(NIL(dns_response_code) && TEXT(dns_query_name, "next.example") && INT(dns_response_count, 1), "until there is a query");
	TEXTS(dns_query_names, "next.example|", "names are the queries'");
	is_int(element_count(JJ_F_dns_answers), 1, "addresses stay");

	between(40000, 53);
	pair_of("a.example");
	begin_message(&q, 7, 0x0080);
	ask_it();
	pair_of("a.example");
	answer_it();
	ask_it();
	rows();
	ok(NIL(dns_query_name) && NIL(dns_query_type) && NIL(dns_response_code), "a first query without question");
	ok(INT(dns_recursion_desired, 0), "whose RD counts");
	TEXTS(dns_query_names, "a.example|", "names of other queries");
}

static void
test_kinds(void)
{
	between(5353, 5353);
	pair_of("host.local");
	ask_it();
	begin_message(&r, 0, 0x8400);
	record(&r, 1, "other.local", 1, 0x8001, 120, "abcd", 4);
	answer_it();
	begin_message(&r, 0, 0x8400);
	record(&r, 1, "other.local", 1, 0x8001, 120, "abcd", 4);
	record(&r, 1, "HOST.local", 16, 0x8001, 120, "abcd", 4);
	record(&r, 1, "HOST.local", 1, 0x8001, 4500, "abce", 4);
	answer_it();
	rows();
	ok(INT(dns_answer_count, 3) && INT(dns_max_ttl, 4500) && INT(dns_min_ttl, 120), "mDNS: by name and type of an answer, without id");
	ok(INT(dns_recursion_available, 0), "mDNS has RA");

	between(40000, 5355);
	pair_of("host");
	ask_it();
	answer_it();
	rows();
	ok(NIL(dns_recursion_desired) && NIL(dns_recursion_available) && INT(dns_truncated, 0) && INT(dns_response_code, 0), "LLMNR has neither RD nor RA");

	between(40000, 54);
	pair_of("host");
	ask_it();
	rows();
	ok(INT(dns_detected, 0) && NIL(dns_is_query) && NIL(dns_query_count), "another port");

	between(40000, 53);
	datagram(1, "not a message of DNS", 20);
	rows();
	ok(INT(dns_detected, 0) && NIL(dns_query_count), "other bytes on port 53");

	between(40000, 53);
	datagram_cut(1, q.b, q.n, 0, 0);
	rows();
	ok(NIL(dns_detected), "payload that was not captured");

	between(40000, 54);
	datagram_cut(1, q.b, q.n, 0, 0);
	rows();
	ok(INT(dns_detected, 0), "that is no DNS on another port");
}

static void
test_cut(void)
{
	between(40000, 53);
	pair_of("a.example");
	address(&r, 2, 60);
	record(&r, 3, "", 41, 4096, 0, "", 0);
	ask_it();
	datagram_cut(2, r.b, r.n, r.n - 1, 0);
	rows();
	ok(INT(dns_answer_count, 2) && INT(dns_min_ttl, 60) && NIL(dns_additional_count), "cut behind the answers");

	between(40000, 53);
	ask_it();
	datagram_cut(2, r.b, r.n, r.n - 12, 0);
	rows();
	ok(INT(dns_answer_count, 2) && NIL(dns_min_ttl) && NIL(dns_max_ttl) && NIL(dns_additional_count), "cut among the answers");
	is_int(element_count(JJ_F_dns_answers), 1, "addresses that were captured");

	between(40000, 53);
	ask_it();
	datagram_cut(2, r.b, r.n, r.n - 12, 0x2000);
	rows();
	ok(INT(dns_answer_count, 2) && NIL(dns_min_ttl), "a first fragment");

	between(40000, 53);
	r.b[2] |= 2;
	ask_it();
	datagram(2, r.b, r.n - 12);
	rows();
	ok(INT(dns_truncated, 1) && INT(dns_min_ttl, 300) && INT(dns_additional_count, 1), "cut by the server (TC)");

	between(40000, 53);
	r.b[2] &= 0xfd;
	ask_it();
	datagram(2, r.b, r.n - 12);
	rows();
	ok(NIL(dns_answer_count) && INT(dns_response_count, 0), "records that aren't there");
}

static void
test_bounds(void)
{
	char		name[32];

	between(40000, 53);
	for (int i = 0; i < 150; i++)
	{
		snprintf(name, sizeof(name), "n%d.example", i / 2 % 75 * 2);
		pair_of(name);
		ask_it();
	}
	for (int i = 0; i < 150; i++)
	{
		snprintf(name, sizeof(name), "m%d.example", i);
		pair_of(name);
		ask_it();
	}
	rows();
	is_int(element_count(JJ_F_dns_query_names), 100, "at most 100 names");
	ok(strncmp(texts_of(JJ_F_dns_query_names), "n0.example|n2.example|n4.example|", 33) == 0
	   && strstr(texts_of(JJ_F_dns_query_names), "|n148.example|m0.example|m1.example|") != NULL, "distinct, in order");
	ok(INT(dns_query_count, 300), "all are counted");

	between(40000, 53);
	pair_of("a.example");
	for (unsigned i = 0; i < 200; i++)
		address(&r, i, 300);
	record(&r, 1, NULL, 1, 1, 1, "x", 1);
	record(&r, 1, NULL, 28, 1, 1, "abcd", 4);
	ask_it();
	answer_it();
	answer_it();
	rows();
	is_int(element_count(JJ_F_dns_answers), 100, "at most 100 addresses");

	between(40000, 53);
	pair_of("a.example");
	record(&r, 1, NULL, 28, 1, 300, "0123456789abcdef", 16);
	record(&r, 1, NULL, 28, 1, 300, "0123456789abcdef", 16);
	record(&r, 1, NULL, 28, 1, 300, "abcd", 4);
	ask_it();
	answer_it();
	rows();
	is_int(element_count(JJ_F_dns_answers), 2, "IPv4 and IPv6, each once, none of another size");

	between(40000, 53);
	begin_message(&r, 7, 0x8180);
	question(&r, "a.example", 65);
	record(&r, 1, NULL, 65, 1, 300, "\0\1\0\0\1\0\3\2h", 9);	/* damaged */
	for (int i = 0; i < 30; i++)
	{
		uint8_t		data[3] = {0, (uint8_t) i, 0};

		record(&r, 1, NULL, i % 2 ? 64 : 65, 1, 300, data, 3);
	}
	datagram(2, r.b, r.n);
	rows();
	TEXTS(dns_svcb, "0 .|1 .|2 .|3 .|4 .|5 .|6 .|7 .|8 .|9 .|10 .|11 .|12 .|13 .|14 .|15 .|16 .|17 .|18 .|19 .|", "at most 20 SVCB records");
}

/* Both messages over TCP in segments of the given size; the later half first if reversed. */
static void
over_tcp(const uint8_t *b, uint32_t n, uint32_t size, bool reversed)
{
	uint32_t	half = n / 2 / size * size;

	if (reversed)
		for (uint32_t i = half; i < n; i += size)
			segment(1, A | JJ_TCP_PSH, 101 + i, b + i, n - i < size ? n - i : size);
	for (uint32_t i = 0; i < (reversed ? half : n); i += size)
		segment(1, A | JJ_TCP_PSH, 101 + i, b + i, n - i < size ? n - i : size);
}

static void
framed(message *to, const message *m)
{
	uint8_t		size[2];

	put16(size, m->n);
	put(to, size, 2);
	put(to, m->b, m->n);
}

static void
test_tcp(void)
{
	static message all;
	static uint8_t long_one[40000];
	bool		good = true;

	pair_of("one.example");
	all.n = 0;
	framed(&all, &q);
	pair_of("two.example");
	framed(&all, &q);
	for (int reversed = 0; reversed < 2; reversed++)
		for (uint32_t size = 1; size <= all.n; size++)
		{
			between(40000, 53);
			segment(1, S, 100, NULL, 0);
			over_tcp(all.b, all.n, size, reversed);
			rows();
			good = good && n_rows == 1 && INT(dns_query_count, 2) && TEXT(dns_query_name, "one.example")
				&& strcmp(texts_of(JJ_F_dns_query_names), "one.example|two.example|") == 0;
		}
	ok(good, "two queries in segments of every size, in order and not");

	between(40000, 53);
	pair_of("tcp.example");
	all.n = 0;
	framed(&all, &q);
	segment(1, A, 101, all.b, all.n);
	all.n = 0;
	framed(&all, &r);
	segment(2, A, 501, all.b, 10);
	segment(2, A, 511, all.b + 10, all.n - 10);
	rows();
	ok(INT(dns_response_code, 0) && REAL(dns_response_time, 0.002), "the response time ends with the response");

	/* 16382 bytes are the longest message that is parsed */
	for (unsigned extra = 0; extra < 2; extra++)
	{
		memset(long_one, 0, sizeof(long_one));
		put16(long_one, 16382 + extra);
		put16(long_one + 2, 1);
		between(40000, 53);
		segment(1, A, 101, long_one, 9000);
		pair_of("behind.example");
		all.n = 0;
		framed(&all, &q);
		memcpy(long_one + 2 + 16382 + extra, all.b, all.n);
		segment(1, A, 9101, long_one + 9000, 2 + 16382 + extra - 9000 + all.n);
		rows();
		ok(INT(dns_query_count, 2 - extra), "a message of %u bytes", 16382 + extra);
		TEXTS(dns_query_names, "behind.example|", "and the one behind it");
	}

	between(40000, 53);
	segment(1, A | JJ_TCP_PSH, 101, "\0\0\0\5abcde\0\0", 11);
	all.n = 0;
	framed(&all, &q);
	segment(1, A, 112, all.b, all.n);
	rows();
	ok(INT(dns_query_count, 1), "messages too short to be any are passed over");

	between(40000, 53);
	segment(1, A, 101, "\0\x20half", 6);
	rows();
	ok(INT(dns_detected, 0), "a message that isn't complete");
}

static void
only(jj_feature f)
{
	memset(&o.features, 0, sizeof(o.features));
	jj_set_add(&o.features, f);
	rows();
}

static void
test_wanted(void)
{
	between(40000, 53);
	pair_of("a.example");
	ask_it();
	pair_of("b.example");
	record(&r, 1, NULL, 65, 1, 300, "\0\1\0", 3);
	ask_it();
	answer_it();
	only(JJ_F_dns_query_name);
	ok(TEXT(dns_query_name, "a.example") && NIL(dns_detected), "the name alone");
	only(JJ_F_dns_response_code);
	ok(NIL(dns_response_code), "the code alone: not of this question");
	only(JJ_F_dns_query_names);
	TEXTS(dns_query_names, "a.example|b.example|", "the names alone");
	only(JJ_F_dns_svcb);
	TEXTS(dns_svcb, "1 .|", "SVCB alone");
	only(JJ_F_dns_answers);
	is_int(element_count(JJ_F_dns_answers), 1, "addresses alone");
	o = defaults();
}

static void
forget(const jj_row *row)
{
	(void) row;
}

static void
test_memory(void)
{
	failing		f = {0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_error	err;
	uint64_t	calls;
	static message all;
	bool		good = true;

	between(40000, 53);
	pair_of("a.rather.long.name.that.does.not.fit.into.the.state.example");
	for (unsigned i = 0; i < 30; i++)
		address(&r, i, 300);
	record(&r, 1, NULL, 65, 1, 300, "\0\1\0", 3);
	ask_it();
	answer_it();
	all.n = 0;
	framed(&all, &q);
	segment(1, S, 100, NULL, 0);
	segment(1, A, 101, all.b, 10);
	segment(1, A, 111, all.b + 10, all.n - 10);
	segment(1, A, 101 + all.n, "\xff\xff", 2);
	memset(&o.features, 0, sizeof(o.features));
	(void) jj_set_add_name(&o.features, "dns");
	good = run_with(&o, NULL, &a, 1, forget, &err) == JJ_OK;
	calls = f.calls;
	ok(good && f.live == 0 && calls > 10, "memory is given back");
	for (uint64_t i = 1; i <= calls; i++)
	{
		f = (failing) {.fail_at = i};
		good = good && run_with(&o, NULL, &a, 1, forget, &err) == JJ_ERR_NOMEM && f.live == 0;
	}
	ok(good, "and when any one of %d allocations fails, too", (int) calls);
	o = defaults();
}

int
main(void)
{
	o = defaults();
	test_pair();
	test_matching();
	test_kinds();
	test_cut();
	test_bounds();
	test_tcp();
	test_wanted();
	test_memory();
	return done_testing();
}
