/*
 * Fuzz target: messages of DNS, and the columns of a flow of them.
 *
 * Input: a byte (1 = TCP; next two bits: port 53, 5353, 5355 or another), then
 * packets: a byte of bits (1 = from the responder, 2 = a first fragment, 4 =
 * the last ten bytes are not captured), a length (2 bytes, big endian), and so
 * many bytes. TCP segments follow one another, so that messages may be cut
 * anywhere.
 */
#include "app_flow.h"

#include "extractors/dns_message.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything in a message that was accepted is inside it. */
static void
check_message(const uint8_t *bytes, uint32_t n, bool cut)
{
	uint8_t    *copy = malloc(n > 0 ? n : 1);
	jj_dns_message m;
	uint8_t		name[JJ_DNS_NAME_BYTES];
	uint32_t	o = JJ_DNS_HEADER;

	CHECK(copy != NULL);
	if (n > 0)
		memcpy(copy, bytes, n);
	if (jj_dns_parse(&m, copy, n, cut))
	{
		for (unsigned i = 0; i < m.count[JJ_DNS_QUESTIONS]; i++)
		{
			jj_dns_question q;
			uint32_t	start = o;
			char		text[JJ_DNS_NAME_TEXT(JJ_DNS_NAME_BYTES)];
			jj_text_out out = {text};

			jj_dns_next_question(&m, &o, &q);
			CHECK(o <= n);
			CHECK(q.name_size <= JJ_DNS_NAME_BYTES && jj_dns_is_name(&m, start, q.name, q.name_size));
			CHECK(jj_dns_name(&m, start, name) == q.name_size && memcmp(name, q.name, q.name_size) == 0);
			jj_dns_name_text(&out, q.name, q.name_size);
			CHECK(out.to > text && out.to <= text + JJ_DNS_NAME_TEXT(q.name_size));
			CHECK(i > 0 || (q.type == m.qtype && q.class == m.qclass));
		}
		CHECK(o == m.answers && m.n_answers <= m.count[JJ_DNS_ANSWERS] && m.min_ttl <= m.max_ttl);
		CHECK(m.n_answers == m.count[JJ_DNS_ANSWERS] || !m.answers_whole);
		CHECK(m.n_opt <= m.count[JJ_DNS_ADDITIONALS]);
		for (uint32_t i = 0; i < m.n_answers; i++)
		{
			jj_dns_record r;

			jj_dns_next_answer(&m, &o, &r);
			CHECK(o <= n && r.data + r.size == copy + o);
			(void) jj_dns_name(&m, r.name, name);
			if (jj_dns_svcb_valid(r.data, r.size))
			{
				char	   *text = malloc(JJ_DNS_SVCB_TEXT(r.size));
				jj_text_out out = {text};

				CHECK(text != NULL);
				jj_dns_svcb_text(&out, r.data, r.size);
				CHECK((size_t) (out.to - text) <= JJ_DNS_SVCB_TEXT(r.size));
				free(text);
			}
		}
	}
	free(copy);
}

static int64_t
int_of(const jj_row *row, jj_feature f)
{
	return jj_row_has(row, f) ? row->value[f].i : -1;
}

static void
check_row(const jj_row *row)
{
	int64_t		queries = int_of(row, JJ_F_dns_query_count);
	int64_t		responses = int_of(row, JJ_F_dns_response_count);
	bool		answered = jj_row_has(row, JJ_F_dns_response_code);

	CHECK(jj_row_has(row, JJ_F_dns_detected) == (int_of(row, JJ_F_dns_detected) >= 0));
	CHECK((int_of(row, JJ_F_dns_detected) == 1) == (queries + responses > 0));
	CHECK(queries < 0 || int_of(row, JJ_F_dns_is_query) == (queries > 0));
	CHECK(responses < 0 || int_of(row, JJ_F_dns_is_response) == (responses > 0));
	CHECK(!answered || responses > 0);
	CHECK(jj_row_has(row, JJ_F_dns_response_time) == (answered && queries > 0));
	CHECK(jj_row_has(row, JJ_F_dns_answer_count) == answered && jj_row_has(row, JJ_F_dns_truncated) == answered);
	CHECK(jj_row_has(row, JJ_F_dns_min_ttl) == jj_row_has(row, JJ_F_dns_max_ttl));
	CHECK(int_of(row, JJ_F_dns_min_ttl) <= int_of(row, JJ_F_dns_max_ttl));
	CHECK(jj_row_has(row, JJ_F_dns_query_name) == jj_row_has(row, JJ_F_dns_query_type));
	CHECK(!jj_row_has(row, JJ_F_dns_query_name) || jj_row_has(row, JJ_F_dns_query_names));
	CHECK(!jj_row_has(row, JJ_F_dns_query_names) || check_value(row, JJ_F_dns_query_names) <= 100);
	CHECK(!jj_row_has(row, JJ_F_dns_answers) || (responses > 0 && check_value(row, JJ_F_dns_answers) <= 100));
	CHECK(!jj_row_has(row, JJ_F_dns_svcb) || (responses > 0 && check_value(row, JJ_F_dns_svcb) <= 20));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int32_t ports[] = {53, 5353, 5355, 54};
	app_flow	f;
	bool		tcp;
	uint32_t	seq[2] = {1, UINT32_MAX - 5};

	if (size == 0)
		return 0;
	tcp = data[0] & 1;
	open_flow(&f, "dns", tcp ? JJ_PROTO_TCP : JJ_PROTO_UDP, 40000, ports[data[0] >> 1 & 3]);
	data++;
	size--;
	while (size >= 3)
	{
		jj_packet	p = {.has_tcp = tcp, .tcp_flags = JJ_TCP_ACK | JJ_TCP_PSH};
		unsigned	bits = data[0];
		uint32_t	n = (uint32_t) data[1] << 8 | data[2];
		uint32_t	captured;

		if (n > size - 3)
			n = (uint32_t) size - 3;
		captured = (bits & 4) && n >= 10 ? n - 10 : n;
		p.fragment = !tcp && (bits & 2);
		p.seq = seq[bits & 1];
		seq[bits & 1] += n;
		check_message(data + 3, captured, captured < n || p.fragment);
		give_packet(&f, &p, bits & 1, data + 3, n, captured);
		data += 3 + n;
		size -= 3 + n;
	}
	check_row(emit_flow(&f, &jj_extract_dns));
	close_flow(&f);
	return 0;
}
