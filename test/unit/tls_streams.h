/*
 * What the two sides of a TLS connection send, made in the test, for the tests
 * of TLS over TCP and of DTLS.
 */
#ifndef JJ_TLS_STREAMS_H
#define JJ_TLS_STREAMS_H

#include "hello_bytes.h"
#include "payload.h"

#define PSH JJ_TCP_PSH

/* ---- what the sides send: a stream each, cut into segments as needed */

typedef struct stream
{
	uint8_t		b[200000];
	uint32_t	n;
	uint32_t	sent;
} stream;

static stream side[3];			/* 1 and 2, as the hosts */
static message m;

static inline void
fresh(void)
{
	o = defaults();
	between(40000, 443);
	memset(side, 0, sizeof(side[0]) * 3);
}

static inline void
put(int from, const void *bytes, uint32_t n)
{
	memcpy(side[from].b + side[from].n, bytes, n);
	side[from].n += n;
}

static inline void
record(int from, unsigned type, unsigned version, const void *bytes, uint32_t n)
{
	uint8_t		head[5] = {(uint8_t) type, (uint8_t) (version >> 8), (uint8_t) version, (uint8_t) (n >> 8), (uint8_t) n};

	put(from, head, 5);
	put(from, bytes, n);
}

/* A record of n bytes that look encrypted. */
static inline void
sealed(int from, unsigned type, uint32_t n)
{
	static uint8_t noise[20000];

	for (uint32_t i = 0; i < n; i++)
		noise[i] = (uint8_t) (0x90 + i * 7 % 100);
	record(from, type, 0x303, noise, n);
}

/* A handshake message of m's bytes, in front of which its header is put. */
static inline message *
handshake_message(unsigned type)
{
	static message h;

	h.n = 0;
	put_number(&h, type, 1);
	put_number(&h, (unsigned) m.n, 3);
	put_bytes(&h, m.b, m.n);
	return &h;
}

static inline void
send_message(int from, unsigned type)
{
	const message *h = handshake_message(type);

	record(from, 22, 0x303, h->b, (uint32_t) h->n);
}

/* As it is, in records of so many bytes. */
static inline void
send_in_records(int from, unsigned type, uint32_t size)
{
	const message *h = handshake_message(type);

	for (uint32_t i = 0; i < h->n; i += size)
		record(from, 22, 0x301, h->b + i, h->n - i < size ? (uint32_t) h->n - i : size);
}

static inline void
make_client_hello(void)
{
	size_t		at;

	client_hello(&m, 0x303, "", NULL, "1a1a 1301 c02f 009c");
	at = extensions(&m);
	name_extension(&m, "Host.Example.");
	alpn_extension(&m, "h2,http/1.1");
	extension(&m, 43, "04 0304 0303");
	end_extensions(&m, at);
}

/* Another server name in m. */
static inline void
change_name(void)
{
	for (size_t i = 0; i < m.n; i++)
		if (m.b[i] == 'H')
			m.b[i] = 'P';
}

static inline void
make_server_hello(bool tls13, bool retry)
{
	size_t		at;

	server_hello(&m, 0x303, tls13 ? 0x1301 : 0xc02f, retry);
	at = extensions(&m);
	if (tls13)
		extension(&m, 43, "0304");
	end_extensions(&m, at);
}

/* A Certificate message with one certificate that is none. */
static inline void
make_certificate(uint32_t size)
{
	m.n = 0;
	put_number(&m, size + 3, 3);
	put_number(&m, size, 3);
	for (uint32_t i = 0; i < size; i++)
		put_number(&m, i, 1);
}

static inline void
hello_of_client(void)
{
	make_client_hello();
	send_message(1, 1);
}

static inline void
hello_of_server(bool tls13)
{
	make_server_hello(tls13, false);
	send_message(2, 2);
}

/* Send what was put, in segments of at most size bytes. */
static inline void
send(int from, uint32_t size)
{
	stream	   *s = &side[from];

	while (s->sent < s->n)
	{
		uint32_t	n = s->n - s->sent < size ? s->n - s->sent : size;

		segment(from, PSH | A, 1000 + s->sent, s->b + s->sent, n);
		s->sent += n;
	}
}

/* A whole TLS 1.2 connection: 7 records of the client, 8 of the server; in segments of at most size bytes. */
static inline void
tls12(uint32_t size)
{
	fresh();
	hello_of_client();
	send(1, size);
	hello_of_server(false);
	make_certificate(500);
	send_message(2, 11);
	m.n = 0;
	put_hex(&m, "03 001d 20");
	put_bytes(&m, side[2].b, 32);
	put_hex(&m, "0403 0002 abcd");
	send_message(2, 12);
	m.n = 0;
	send_message(2, 14);
	send(2, size);
	sealed(1, 22, 37);
	record(1, 20, 0x303, "\1", 1);
	sealed(1, 22, 40);
	send(1, size);
	record(2, 20, 0x303, "\1", 1);
	sealed(2, 22, 40);
	send(2, size);
	sealed(1, 23, 100);
	sealed(1, 21, 26);
	send(1, size);
	sealed(2, 23, 2000);
	send(2, size);
}

static inline const char *
lengths(void)
{
	static char text[40000];
	const uint8_t *b = arena + value[JJ_F_tls_record_lengths].bytes.offset;
	size_t		n = 0;

	if (n_rows == 0 || is_null(JJ_F_tls_record_lengths))
		return "null";
	text[0] = '\0';
	for (uint32_t i = 0; i < value[JJ_F_tls_record_lengths].bytes.size; i += 4)
	{
		int32_t		v;

		memcpy(&v, b + i, sizeof(v));
		n += (size_t) sprintf(text + n, "%s%d", i > 0 ? " " : "", (int) v);
	}
	return text;
}

static inline bool
both_hellos(const char *transport)
{
	return INT(tls_detected, 1) && TEXT(tls_transport, transport) && TEXT(tls_sni, "host.example") && INT(tls_cipher_count, 3)
		&& n_rows == 1 && !NIL(tls_version);
}

#endif
