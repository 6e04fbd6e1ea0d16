/*
 * Handshake messages of TLS made in the test, for the tests of whatever reads
 * hellos.
 */
#ifndef JJ_HELLO_BYTES_H
#define JJ_HELLO_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct message
{
	uint8_t		b[40000];
	size_t		n;
} message;

static inline void
put_bytes(message *m, const void *bytes, size_t n)
{
	if (n > 0)
		memcpy(m->b + m->n, bytes, n);
	m->n += n;
}

/* A number of so many bytes, big endian. */
static inline void
put_number(message *m, unsigned v, int bytes)
{
	while (bytes-- > 0)
		m->b[m->n++] = (uint8_t) (v >> 8 * bytes);
}

/* "01 ff": hex digits, blanks between them don't matter. */
static inline void
put_hex(message *m, const char *hex)
{
	unsigned	v = 0;
	int			digits = 0;

	for (; *hex != '\0'; hex++)
	{
		if (*hex == ' ')
			continue;
		v = v << 4 | (unsigned) (*hex <= '9' ? *hex - '0' : (*hex | 32) - 'a' + 10);
		if (++digits % 2 == 0)
			m->b[m->n++] = (uint8_t) v;
	}
}

/* Put the number of bytes since at into the bytes before it. */
static inline void
close_length(message *m, size_t at, int bytes)
{
	size_t		n = m->n - at;

	for (int i = 1; i <= bytes; i++, n >>= 8)
		m->b[at - (size_t) i] = (uint8_t) n;
}

/* A ClientHello up to its extensions; session and cookie (NULL: no cookie field, as in TLS) are text, suites hex. */
static inline void
client_hello(message *m, unsigned version, const char *session, const char *cookie, const char *suites)
{
	size_t		at;

	m->n = 0;
	put_number(m, version, 2);
	for (int i = 0; i < 32; i++)
		put_number(m, (unsigned) i, 1);
	put_number(m, (unsigned) strlen(session), 1);
	put_bytes(m, session, strlen(session));
	if (cookie != NULL)
	{
		put_number(m, (unsigned) strlen(cookie), 1);
		put_bytes(m, cookie, strlen(cookie));
	}
	put_number(m, 0, 2);
	at = m->n;
	put_hex(m, suites);
	close_length(m, at, 2);
	put_hex(m, "01 00");
}

/* A ServerHello up to its extensions. */
static inline void
server_hello(message *m, unsigned version, unsigned suite, bool retry)
{
	m->n = 0;
	put_number(m, version, 2);
	put_hex(m, retry ? "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
			: "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f");
	put_number(m, 0, 1);
	put_number(m, suite, 2);
	put_number(m, 0, 1);
}

/* Begin the block of extensions; where it begins, for end_extensions. */
static inline size_t
extensions(message *m)
{
	put_number(m, 0, 2);
	return m->n;
}

static inline void
extension(message *m, unsigned type, const char *hex)
{
	size_t		at;

	put_number(m, type, 2);
	put_number(m, 0, 2);
	at = m->n;
	put_hex(m, hex);
	close_length(m, at, 2);
}

/* server_name with one host_name. */
static inline void
name_extension(message *m, const char *name)
{
	size_t		n = strlen(name);

	put_number(m, 0, 2);
	put_number(m, (unsigned) n + 5, 2);
	put_number(m, (unsigned) n + 3, 2);
	put_number(m, 0, 1);
	put_number(m, (unsigned) n, 2);
	put_bytes(m, name, n);
}

/* ALPN with names that are separated by commas. */
static inline void
alpn_extension(message *m, const char *names)
{
	size_t		at;

	put_number(m, 16, 2);
	put_number(m, (unsigned) strlen(names) + 3, 2);
	put_number(m, (unsigned) strlen(names) + 1, 2);
	put_number(m, 0, 1);
	for (at = m->n; *names != '\0'; names++)
	{
		if (*names != ',')
		{
			put_bytes(m, names, 1);
			continue;
		}
		close_length(m, at, 1);
		put_number(m, 0, 1);
		at = m->n;
	}
	close_length(m, at, 1);
}

static inline void
end_extensions(message *m, size_t at)
{
	close_length(m, at, 2);
}

#endif
