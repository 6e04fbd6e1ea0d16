/*
 * Group tls on DTLS made here: fragments, cookies, and lengths that lie.
 */
#include "failing.h"
#include "tls_streams.h"

#include "extractors/tls_internal.h"

static unsigned epoch_of[3];
static unsigned number_of[3];

static void
dtls_record(message *d, int from, unsigned type, const void *bytes, size_t n)
{
	put_number(d, type, 1);
	put_number(d, 0xfefd, 2);
	put_number(d, epoch_of[from], 2);
	put_number(d, 0, 4);
	put_number(d, number_of[from]++, 2);
	put_number(d, (unsigned) n, 2);
	put_bytes(d, bytes, n);
}

/* Bytes from off on of m as a fragment of a message, in a record. */
static void
fragment(message *d, int from, unsigned type, unsigned seq, size_t off, size_t n)
{
	static message f;

	f.n = 0;
	put_number(&f, type, 1);
	put_number(&f, (unsigned) m.n, 3);
	put_number(&f, seq, 2);
	put_number(&f, (unsigned) off, 3);
	put_number(&f, (unsigned) n, 3);
	put_bytes(&f, m.b + off, n);
	dtls_record(d, from, 22, f.b, f.n);
}

static message d;

static void
send_datagram(int from)
{
	datagram(from, d.b, (uint32_t) d.n);
	d.n = 0;
}

static void
make_dtls_hello(const char *cookie)
{
	size_t		at;

	client_hello(&m, 0xfefd, "", cookie, "c02f 009c");
	at = extensions(&m);
	name_extension(&m, cookie[0] == '\0' ? "first.example" : "second.example");
	end_extensions(&m, at);
}

static void
make_dtls_server_hello(void)
{
	server_hello(&m, 0xfefd, 0xc02f, false);
}

static void
fresh_dtls(void)
{
	fresh();
	d.n = 0;
	memset(epoch_of, 0, sizeof(epoch_of));
	memset(number_of, 0, sizeof(number_of));
}

static void
test_dtls(void)
{
	fresh_dtls();
	datagram(1, "\0\1\0\0\41\22\244\102 a STUN message", 20);
	make_dtls_hello("");
	fragment(&d, 1, 1, 0, 0, m.n);
	send_datagram(1);
	m.n = 0;
	put_hex(&m, "feff 04 abcdef01");
	fragment(&d, 2, 3, 0, 0, m.n);
	send_datagram(2);
	make_dtls_hello("cookie");
	fragment(&d, 1, 1, 1, 0, m.n);
	send_datagram(1);
	make_dtls_server_hello();
	fragment(&d, 2, 2, 1, 0, m.n);
	make_certificate(600);
	fragment(&d, 2, 11, 2, 400, 206);
	send_datagram(2);
	fragment(&d, 2, 11, 2, 0, 300);
	send_datagram(2);
	fragment(&d, 2, 11, 2, 200, 200);
	m.n = 0;
	fragment(&d, 2, 14, 3, 0, 0);
	send_datagram(2);
	dtls_record(&d, 1, 20, "\1", 1);
	epoch_of[1] = 1;
	dtls_record(&d, 1, 22, side[0].b, 40);
	dtls_record(&d, 1, 21, "\1\0", 2);
	send_datagram(1);
	dtls_record(&d, 2, 21, "\2\57", 2);
	send_datagram(2);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_transport, "dtls") && TEXT(tls_sni, "second.example") && INT(tls_cipher_suite, 0xc02f)
	   && INT(tls_session_resumed, 0), "DTLS with a cookie: the hello that carries it counts");
	ok(INT(tls_cert_count, 1) && INT(tls_cert_first_length, 600), "a Certificate in fragments, the last first, two of them overlapping");
	ok(INT(tls_handshake_packets, 7) && INT(tls_alert, 47), "datagrams of the handshake, the alert in the clear");
	is_text(lengths(), "80 -19 87 -50 -218 -312 -212 -12 1 40 2 -2", "record lengths");
}

static void
test_dtls_lies(void)
{
	static uint8_t whole[4000];
	uint32_t	n;
	unsigned	bad = 0;

	/* fragments of the same message that don't agree on its length */
	fresh_dtls();
	make_dtls_hello("");
	fragment(&d, 1, 1, 0, 0, 20);
	m.n -= 3;
	fragment(&d, 1, 1, 0, 20, m.n - 20);
	m.n += 3;
	fragment(&d, 1, 1, 0, 10, m.n - 10);
	send_datagram(1);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_sni, "first.example"), "a fragment of another length is of another message");

	fresh_dtls();
	make_dtls_hello("");
	fragment(&d, 1, 1, 0, 30, m.n - 30);
	for (unsigned i = 10; i < 40; i++)
		fragment(&d, 1, 1, i, 1, 10);
	fragment(&d, 1, 1, 50, 0, m.n);
	send_datagram(1);
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_sni, "first.example"), "a whole message behind thirty incomplete ones");

	fresh_dtls();
	make_dtls_hello("");
	fragment(&d, 1, 1, 0, 0, m.n);
	make_dtls_server_hello();
	fragment(&d, 2, 2, 0, 0, m.n);
	n = (uint32_t) d.n;
	memcpy(whole, d.b, n);
	for (uint32_t at = 0; at < n; at++)
		for (unsigned lie = 0; lie < 256; lie += 85)
		{
			between(40000, 443);
			whole[at] ^= (uint8_t) (lie + 1);
			datagram(1, whole, n);
			datagram_cut(2, whole, n, at, 0);
			whole[at] ^= (uint8_t) (lie + 1);
			rows();
			bad += n_rows != 1;
		}
	is_int(bad, 0, "a lie at each byte of hellos, and a cut there");

	/* records in the middle of a connection */
	fresh_dtls();
	epoch_of[1] = 1;
	for (int i = 0; i < 2; i++)
	{
		dtls_record(&d, 1, 23, side[0].b, 50);
		send_datagram(1);
	}
	rows();
	ok(INT(tls_detected, 1) && TEXT(tls_transport, "dtls") && NIL(tls_version) && NIL(tls_handshake_packets), "two records of application data, the second one later");
	is_text(lengths(), "50 50", "are DTLS");
	fresh_dtls();
	for (int i = 0; i < 2; i++)
	{
		number_of[1] = 5;
		dtls_record(&d, 1, 23, side[0].b, 50);
		send_datagram(1);
	}
	rows();
	ok(INT(tls_detected, 0), "with the same number they are not");
	fresh_dtls();
	for (int i = 0; i < 2; i++)
	{
		dtls_record(&d, 1, 23, side[0].b, 50);
		put_number(&d, 0, 1);
		send_datagram(1);
	}
	rows();
	ok(INT(tls_detected, 0), "nor with a byte behind them");
}

/* Incomplete messages count in what all flows may hold. */
static void
test_dtls_hold(void)
{
	jj_hold		hold = {.limit = 20000};
	jj_work		w = {.allocator = jj_malloc_allocator(), .hold = &hold};
	jj_dtls    *state = NULL;

	for (uint8_t seq = 0; seq < 2; seq++)
	{
		uint8_t		begun[29] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 1, 0, 0x3f, 0xff, 0, seq, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4};
		jj_packet	p = {.proto = 17, .payload = begun, .payload_len = sizeof(begun), .payload_caplen = sizeof(begun)};

		ok(jj_dtls_add(&state, &p, &w) == JJ_WANT_MORE && hold.bytes > 16383 && hold.bytes <= 20000 && hold.refused == 4 * seq,
		   "message %u of 16 kB that is begun: %s", seq, seq == 0 ? "held" : "no room");
	}
	jj_dtls_free(state, &w.allocator);
	is_int((int64_t) hold.bytes, 0, "released, it counts no more");
}

static void
test_dtls_memory(void)
{
	failing		f = {.live = 0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	unsigned	failures = 0;
	bool		all = true;

	fresh_dtls();
	make_dtls_hello("");
	fragment(&d, 1, 1, 0, 0, 40);
	fragment(&d, 1, 1, 0, 40, m.n - 40);
	send_datagram(1);
	make_dtls_server_hello();
	fragment(&d, 2, 2, 0, 0, m.n);
	make_certificate(300);
	fragment(&d, 2, 11, 1, 0, 200);
	send_datagram(2);
	fragment(&d, 2, 11, 1, 200, 106);
	send_datagram(2);
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
	ok(failures > 10 && f.live == 0, "without memory at any of %u places it says so, and nothing is lost", failures);
}

int
main(void)
{
	test_dtls();
	test_dtls_lies();
	test_dtls_hold();
	test_dtls_memory();
	return done_testing();
}
