/*
 * Group tls on TCP connections made here: where TLS begins, records, messages
 * over records and segments, who is the client, resumption, alerts, and lengths
 * that lie.
 */
#include "failing.h"
#include "tls_streams.h"

static void
test_tls12(void)
{
	static const uint32_t sizes[] = {1400, 1, 2, 3, 5, 7, 100};
	char		name[80];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		tls12(sizes[i]);
		rows();
		snprintf(name, sizeof(name), "TLS 1.2 in segments of %u: record lengths in order", sizes[i]);
		is_text(lengths(), "102 -44 -510 -46 -4 37 1 40 -1 -40 100 26 -2000", name);
		ok(both_hellos("tcp") && INT(tls_version, 0x303) && INT(tls_cipher_suite, 0xc02f) && INT(tls_session_resumed, 0)
		   && INT(tls_hello_retry, 0), "hellos");
		ok(INT(tls_cert_count, 1) && INT(tls_cert_total_length, 500) && INT(tls_cert_first_length, 500) && INT(tls_key_exchange_group, 29)
		   && INT(tls_key_exchange_length, 256), "certificate and key exchange");
		ok(NIL(tls_alert), "an encrypted alert is none");
	}
	tls12(1400);
	rows();
	ok(INT(tls_handshake_packets, 4), "packets of the handshake: two of each side");
	tls12(100);
	rows();
	ok(INT(tls_handshake_packets, 2 + 7 + 1 + 1), "in smaller segments there are more");

	tls12(1400);
	o.max_sequence_length = 4;
	rows();
	is_text(lengths(), "102 -44 -510 -46", "max_sequence_length cuts the record lengths");
	o.max_sequence_length = 0;
	rows();
	is_text(lengths(), "null", "and 0 leaves them out");
}

static void
test_segments(void)
{
	uint32_t	n;

	/* all of the client's hello, the later half first */
	fresh();
	hello_of_client();
	n = side[1].n;
	segment(1, S, 999, NULL, 0);
	segment(1, A | PSH, 1000 + n / 2, side[1].b + n / 2, n - n / 2);
	segment(1, A | PSH, 1000, side[1].b, n / 2);
	segment(1, A | PSH, 1000, side[1].b, n / 2);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_sni, "host.example") && INT(tls_handshake_packets, 2), "halves of a hello in the wrong order, one of them twice");

	fresh();
	make_client_hello();
	send_in_records(1, 1, 1);
	send(1, 1400);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_sni, "host.example"), "a hello in records of a byte");

	fresh();
	make_client_hello();
	{
		message		both = *handshake_message(1);

		make_client_hello();
		change_name();
		put_bytes(&both, handshake_message(1)->b, handshake_message(1)->n);
		record(1, 22, 0x301, both.b, (uint32_t) both.n);
	}
	send(1, 1400);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_sni, "host.example"), "of two hellos in a record the first counts");

	/* longest hello that is parsed, and one byte more */
	for (uint32_t extra = 0; extra < 2; extra++)
	{
		size_t		at;

		fresh();
		client_hello(&m, 0x303, "", NULL, "1301");
		at = extensions(&m);
		put_number(&m, 21, 2);
		put_number(&m, 16384 + extra - (unsigned) m.n - 2, 2);
		while (m.n < 16384 + extra)
			put_number(&m, 0, 1);
		end_extensions(&m, at);
		send_in_records(1, 1, 16384);
		send(1, 1400);
		rows();
		ok(extra == 0 ? INT(tls_detected, 1) && INT(tls_extension_count, 1) : INT(tls_detected, 1) && NIL(tls_extension_count),
		   "a hello of %u bytes", 16384 + extra);
	}

	fresh();
	hello_of_client();
	segment(1, A | PSH, 1000, side[1].b, 50);
	segment(1, A | PSH, 1060, side[1].b + 60, side[1].n - 60);
	rows();
	ok(INT(tls_detected, 0) && NIL(tls_sni), "a hello with a hole is none");
}

static void
test_tls13(void)
{
	fresh();
	hello_of_client();
	send(1, 1400);
	make_server_hello(true, true);
	send_message(2, 2);
	record(2, 20, 0x303, "\1", 1);
	send(2, 1400);
	record(1, 20, 0x303, "\1", 1);
	make_client_hello();
	change_name();
	send_message(1, 1);
	send(1, 1400);
	make_server_hello(true, false);
	send_message(2, 2);
	sealed(2, 23, 1200);
	send(2, 1400);
	record(1, 21, 0x303, "\2\50", 2);
	sealed(1, 23, 60);
	send(1, 1400);
	rows();
	ok(both_hellos("tcp") && INT(tls_version, 0x304) && INT(tls_hello_retry, 1) && INT(tls_session_resumed, 0), "TLS 1.3 with HelloRetryRequest: the first ClientHello counts");
	is_text(lengths(), "102 -50 -1 1 102 -50 -1200 2 60", "record lengths");
	ok(NIL(tls_alert), "an alert behind ChangeCipherSpec is not in the clear");
	ok(NIL(tls_cert_count) && INT(tls_handshake_packets, 4), "no certificate is seen");

	fresh();
	hello_of_client();
	send(1, 1400);
	make_server_hello(true, true);
	send_message(2, 2);
	send(2, 1400);
	rows();
	ok(INT(tls_detected, 1) && INT(tls_hello_retry, 1) && NIL(tls_version) && NIL(tls_cipher_suite) && NIL(tls_session_resumed),
	   "a HelloRetryRequest alone is no ServerHello");
}

static void
test_resumption(void)
{
	fresh();
	hello_of_client();
	send(1, 1400);
	hello_of_server(false);
	send(2, 1400);
	rows();
	ok(INT(tls_version, 0x303) && NIL(tls_session_resumed), "a ServerHello alone leaves resumption open");
	m.n = 20;
	send_message(2, 4);
	record(2, 20, 0x303, "\1", 1);
	send(2, 1400);
	rows();
	ok(INT(tls_session_resumed, 1), "ChangeCipherSpec behind a ticket: resumed");

	fresh();
	hello_of_server(false);
	make_certificate(4000);
	record(2, 22, 0x303, handshake_message(11)->b, 100);
	send(2, 1400);
	rows();
	ok(INT(tls_session_resumed, 0) && NIL(tls_cert_count), "the header of a Certificate is enough: not resumed");
	ok(INT(tls_detected, 1) && NIL(tls_sni) && INT(tls_cipher_suite, 0xc02f), "and the ServerHello alone is TLS");
}

static void
test_client(void)
{
	/* the capture begins with the server's answer, so that the server is the flow's initiator */
	fresh();
	hello_of_server(false);
	send(2, 1400);
	record(1, 21, 0x303, "\2\60", 2);
	send(1, 1400);
	rows();
	is_text(lengths(), "-44 2", "the other side of the ServerHello's sender is the client");
	ok(INT(tls_alert, 48), "its alert");

	fresh();
	hello_of_client();
	send(1, 1400);
	record(2, 21, 0x301, "\2", 1);
	record(2, 21, 0x301, "\2\106", 2);
	record(2, 21, 0x301, "\2\0", 2);
	send(2, 1);
	rows();
	ok(INT(tls_alert, 70) && NIL(tls_version), "the first alert of two bytes");
	is_text(lengths(), "102 -1 -2 -2", "records of a server without hello");
}

static void
text(int from, const char *words)
{
	put(from, words, (uint32_t) strlen(words));
	send(from, 1400);
}

static void
test_starttls(void)
{
	for (int how = 0; how < 3; how++)
	{
		fresh();
		text(2, "220 mail.example ESMTP\r\n");
		text(1, "EHLO me\r\n");
		text(2, "250 STARTTLS\r\n");
		if (how == 1)
			put(1, "STARTTLS\r\n", 10);		/* and the hello right behind it */
		else
			text(1, "STARTTLS\r\n");
		if (how != 1)
			text(2, "220 go on\r\n");
		hello_of_client();
		send(1, how == 2 ? 7 : 1400);
		hello_of_server(false);
		send(2, how == 2 ? 7 : 1400);
		rows();
		ok(both_hellos("starttls"), "STARTTLS, %s", how == 0 ? "in segments of their own" : how == 1 ? "the hello behind its line" : "in pieces");
		is_text(lengths(), "102 -44", "record lengths");
	}

	fresh();
	text(1, "STARTTLS\r\n");
	text(2, "220 go on\r\n");
	hello_of_client();
	send(1, 1400);
	record(2, 21, 0x301, "\2\106", 2);
	send(2, 1400);
	rows();
	ok(TEXT(tls_transport, "starttls") && INT(tls_alert, 70), "an alert as answer");
	is_text(lengths(), "102 -2", "and its length");

	fresh();
	hello_of_client();
	{
		uint32_t	n = side[1].n;
		uint8_t		copy[1000];

		memcpy(copy, side[1].b, n);
		side[1].n = 0;
		put(1, "ab ", 3);
		put(1, copy, n);
	}
	send(1, 1400);
	rows();
	ok(INT(tls_detected, 0), "a hello in the middle of a line is not TLS of the flow");

	/* records from the first byte on: not after another protocol */
	fresh();
	sealed(1, 23, 30);
	send(1, 1400);
	hello_of_client();
	send(1, 1400);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_transport, "tcp") && NIL(tls_sni), "records in front of a hello");

	/* many that look like hellos and are not */
	fresh();
	for (int i = 0; i < 500; i++)
	{
		put(1, "x\n\26\3\1\100\0\1\0\77\360", 11);
		if (i % 3 == 0)
			put(1, "\26\3\1\0\100\1\0\0\74\3\3", 11);
		send(1, 1400);
	}
	for (int i = 0; i < 60; i++)
	{
		memset(side[1].b + side[1].n, 'z', 1000);
		side[1].n += 1000;
	}
	send(1, 1400);
	hello_of_client();
	send(1, 1400);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_transport, "starttls") && TEXT(tls_sni, "host.example"), "five hundred that look like hellos, then one");
}

static void
test_midstream(void)
{
	fresh();
	put(1, "the end of a record that began before", 37);
	send(1, 1400);
	sealed(1, 23, 100);
	send(1, 1400);
	sealed(2, 23, 3000);
	send(2, 1400);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_transport, "tcp") && NIL(tls_version) && NIL(tls_handshake_packets), "a record of either side in the middle of a connection");
	is_text(lengths(), "100 -3000", "their lengths, the initiator as client");

	fresh();
	sealed(1, 23, 100);
	send(1, 1400);
	put(2, "no record", 9);
	send(2, 1400);
	rows();
	ok(INT(tls_detected, 0), "one record is not enough");

	fresh();
	sealed(1, 23, 100);
	sealed(1, 23, 100);
	put(1, "x", 1);
	send(1, 1400);
	rows();
	ok(INT(tls_detected, 0), "nor are two that don't end with a segment");

	fresh();
	for (int i = 0; i < 3; i++)
		record(1, 24, 0x303, "abcd", 4);
	send(1, 1400);
	rows();
	ok(INT(tls_detected, 0), "nor heartbeats alone");

	fresh();
	sealed(1, 23, 100);
	record(1, 23, 0x303, "", 0);
	sealed(1, 23, 100);
	send(1, 1400);
	rows();
	ok(INT(tls_detected, 0), "nor records around an empty one");

	/* what looks like a record hides the true ones, until it ends */
	fresh();
	put(1, "\27\3\3\10\0 a false record of 2048 bytes", 34);
	send(1, 1400);
	for (int i = 0; i < 4; i++)
		sealed(1, 23, 600);
	send(1, 605);
	rows();
	ok(INT(tls_detected, 1), "records behind what looks like one");
	is_text(lengths(), "600 600 600 600", "are the ones that count");
}

/* Send what was put up to byte end, in pairs of segments of 700 bytes; mixed: the later one of a pair first, and last again. */
static void
send_pairs(int from, uint32_t end, bool mixed)
{
	stream	   *s = &side[from];

	while (s->sent < end)
	{
		uint32_t	n[2];

		n[0] = end - s->sent < 700 ? end - s->sent : 700;
		n[1] = end - s->sent - n[0] < 700 ? end - s->sent - n[0] : 700;
		if (mixed && n[1] > 0)
			segment(from, A | PSH, 1000 + s->sent + n[0], s->b + s->sent + n[0], n[1]);
		segment(from, A | PSH, 1000 + s->sent, s->b + s->sent, n[0]);
		if (n[1] > 0)
			segment(from, A | PSH, 1000 + s->sent + n[0], s->b + s->sent + n[0], n[1]);
		s->sent += n[0] + n[1];
	}
}

/* Segments that lie within records of application data, with hellos before and without. */
static void
test_long_records(void)
{
	char		name[80];

	for (int i = 0; i < 4; i++)
	{
		bool		hello = i & 1;
		bool		mixed = i & 2;

		fresh();
		segment(1, S, 999, NULL, 0);
		segment(2, S | A, 999, NULL, 0);
		if (hello)
		{
			hello_of_client();
			send(1, 1400);
			hello_of_server(false);
			send(2, 1400);
		}
		for (uint32_t k = 0; k < 3; k++)
		{
			sealed(2, 23, 16384 - k);
			sealed(1, 23, 5000 + k);
			send_pairs(2, side[2].sent + 7000, mixed);
			send_pairs(1, side[1].n, mixed);
			send_pairs(2, side[2].n, mixed);
		}
		sealed(1, 23, 1);
		sealed(1, 23, 2);
		send(1, 1400);
		rows();
		snprintf(name, sizeof(name), "long records, hellos %d, segments mixed up %d", hello, mixed);
		is_text(lengths(), hello ? "102 -44 5000 -16384 5001 -16383 5002 -16382 1 2" : "5000 -16384 5001 -16383 5002 -16382 1 2", name);
	}
}

static void
test_floods(void)
{
	fresh();
	hello_of_client();
	for (int i = 0; i < 1000; i++)
		record(1, 21, 0x301, "\1\132", 2);
	send(1, 1400);
	for (int i = 0; i < 1000; i++)
		record(2, 22, 0x301, "", 0);
	hello_of_server(false);
	send(2, 1400);
	rows();
	ok(both_hellos("tcp") && INT(tls_alert, 90), "a thousand alerts, a thousand empty records");

	fresh();
	hello_of_client();
	send(1, 1400);
	hello_of_server(false);
	for (int i = 0; i < 1000; i++)
	{
		m.n = 3;
		memset(m.b, 0, 3);
		send_message(2, 11);
	}
	send(2, 1400);
	rows();
	ok(both_hellos("tcp") && INT(tls_cert_count, 0) && NIL(tls_cert_first_length), "a thousand empty Certificates");

	/* a message that claims to be 16 MB is passed over */
	fresh();
	hello_of_client();
	send(1, 1400);
	hello_of_server(false);
	record(2, 22, 0x303, "\13\377\377\377abc", 7);
	for (int i = 0; i < 5; i++)
		sealed(2, 22, 16000);
	send(2, 1400);
	rows();
	ok(both_hellos("tcp") && INT(tls_session_resumed, 0) && NIL(tls_cert_count), "a Certificate of 16 MB");
}

/* A lying number at each place of a hello: nothing breaks, and only a whole hello is one. */
static void
test_lies(void)
{
	unsigned	bad = 0;
	uint32_t	n;

	fresh();
	hello_of_client();
	hello_of_server(false);
	n = side[1].n;
	for (uint32_t at = 0; at < n; at++)
	{
		static const uint8_t lies[] = {0, 1, 0x7f, 0xff};

		for (size_t k = 0; k < sizeof(lies); k++)
		{
			between(40000, 443);
			side[1].sent = side[2].sent = 0;
			hello_of_client();
			side[1].n = n;
			side[1].b[at] = lies[k];
			send(1, 40);
			send(2, 1400);
			rows();
			side[1].sent = 0;
			side[1].n = 0;
			bad += n_rows != 1;

			/* the server's hello is whole in any case */
			bad += !INT(tls_detected, 1) || !INT(tls_cipher_suite, 0xc02f);
		}
	}
	is_int(bad, 0, "a lie at each byte of a ClientHello");
}

static void
test_ssl2(void)
{
	fresh();
	m.n = 0;
	put_hex(&m, "802e 01 0301 0015 0000 0010 00002f 000035 010080 000004 000005 00000a 00ff00");
	m.n = 11 + 21;
	while (m.n < 48)
		put_number(&m, 7, 1);
	put(1, m.b, (uint32_t) m.n);
	send(1, 5);
	hello_of_server(false);
	send(2, 1400);
	record(1, 20, 0x303, "\1", 1);
	send(1, 1400);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_transport, "tcp") && INT(tls_extension_count, 0) && INT(tls_cipher_suite, 0xc02f), "a hello in SSL 2.0 format");
	is_text(lengths(), "-44 1", "is no record");
}

static void
test_blind(void)
{
	fresh();
	hello_of_client();
	send(1, 1400);
	frames[0].caplen = 40;
	rows();
	ok(NIL(tls_detected), "payload of which nothing was captured");
	fresh();
	segment(1, S, 999, NULL, 0);
	rows();
	ok(INT(tls_detected, 0), "no payload at all");
}

/* Only what is asked for is kept, and a settled connection costs nothing more. */
static void
test_wants(void)
{
	static const jj_feature single[] = {
		JJ_F_tls_detected, JJ_F_tls_sni, JJ_F_ja3s_hash, JJ_F_tls_cert_count, JJ_F_tls_key_exchange_group, JJ_F_tls_session_resumed,
		JJ_F_tls_handshake_packets, JJ_F_tls_record_lengths, JJ_F_tls_alert, JJ_F_tls_hello_retry,
	};
	unsigned	bad = 0;

	for (int tls13 = 0; tls13 < 2; tls13++)
	{
		jj_feature_set all;
		jj_value	values[JJ_FEATURES];
		static uint8_t bytes[sizeof(arena)];

		tls12(300);
		if (tls13)
			test_tls13();
		rows();
		all = present;
		memcpy(values, value, sizeof(values));
		memcpy(bytes, arena, sizeof(bytes));
		for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		{
			jj_feature	f = single[i];

			memset(&o.features, 0, sizeof(o.features));
			jj_set_add(&o.features, f);
			rows();
			if (jj_set_has(&present, f) != jj_set_has(&all, f))
				bad++;
			else if (jj_set_has(&all, f) && jj_feature_table[f].type < JJ_FLOAT8)
				bad += value[f].i != values[f].i;
			else if (jj_set_has(&all, f))
				bad += value[f].bytes.size != values[f].bytes.size
					|| memcmp(arena + value[f].bytes.offset, bytes + values[f].bytes.offset, value[f].bytes.size) != 0;
		}
		jj_set_all(&o.features);
	}
	is_int(bad, 0, "each column alone is what it is among all");
}

static void
test_memory(void)
{
	failing		f = {.live = 0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	unsigned	failures = 0;
	bool		all = true;

	tls12(100);
	memset(&o.features, 0, sizeof(o.features));
	jj_set_add_name(&o.features, "tls");
	for (f.fail_at = 1; all; f.fail_at++)
	{
		jj_error	err;

		f.calls = 0;
		all = run_with(&o, NULL, &a, JJ_BATCH, keep, &err) == JJ_ERR_NOMEM;
		failures += all;
		if (f.live != 0)
			break;
	}
	ok(failures > 20 && f.live == 0, "without memory at any of %u places it says so, and nothing is lost", failures);
}

int
main(void)
{
	test_tls12();
	test_segments();
	test_tls13();
	test_resumption();
	test_client();
	test_starttls();
	test_midstream();
	test_long_records();
	test_floods();
	test_lies();
	test_ssl2();
	test_blind();
	test_wants();
	test_memory();
	return done_testing();
}
