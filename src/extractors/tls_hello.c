/*
 * ClientHello and ServerHello: their structure.
 *
 * Sources: RFC 8446 4.1, RFC 5246 7.4.1 and E.2, RFC 6347 4.2.1, RFC 6066 3,
 * RFC 7301 3.1.
 */
#include "extractors/tls_hello.h"

#include <string.h>

#define EXT_SERVER_NAME 0
#define EXT_ALPN 16
#define EXT_SUPPORTED_VERSIONS 43
#define RANDOM 2				/* offset of the random */
#define SESSION_ID 34			/* and of the length behind it */

static const uint8_t hello_retry_request[32] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c
};

static unsigned
get16(const uint8_t *b)
{
	return (unsigned) b[0] << 8 | b[1];
}

/* Whether the extension block that begins at o fills the message; *first = offset of the first extension. */
static bool
check_extensions(const uint8_t *b, size_t n, size_t o, uint16_t *first)
{
	*first = (uint16_t) n;
	if (o == n)
		return true;
	if (n - o < 2 || get16(b + o) != n - o - 2)
		return false;
	o += 2;
	*first = (uint16_t) o;
	while (o < n)
	{
		if (n - o < 4 || get16(b + o + 2) > n - o - 4)
			return false;
		o += 4 + get16(b + o + 2);
	}
	return true;
}

static bool
check_version(unsigned version, bool dtls)
{
	return version >> 8 == (dtls ? 0xfe : 3) || (dtls && version == 0x0100);
}

bool
jj_client_hello_parse(jj_hello *h, const uint8_t *b, size_t n, bool dtls)
{
	jj_hello	r = {.body = b, .size = (uint16_t) n, .form = dtls ? JJ_HELLO_DTLS : JJ_HELLO_TLS};
	size_t		o = SESSION_ID + 1;

	if (n <= SESSION_ID || n > JJ_HELLO_BYTES)
		return false;
	r.version = (uint16_t) get16(b);
	if (!check_version(r.version, dtls))
		return false;
	r.session_id_len = b[SESSION_ID];
	o += r.session_id_len;
	if (dtls)
	{
		if (o >= n)
			return false;
		r.cookie_len = b[o];
		o += 1 + (size_t) r.cookie_len;
	}
	if (o + 2 > n)
		return false;
	r.cipher_bytes = (uint16_t) get16(b + o);
	r.ciphers = (uint16_t) (o + 2);
	o += 2 + (size_t) r.cipher_bytes;
	if (r.cipher_bytes < 2 || r.cipher_bytes % 2 != 0 || o >= n)
		return false;
	if (b[o] < 1 || o + 1 + b[o] > n)
		return false;
	o += 1 + (size_t) b[o];
	if (!check_extensions(b, n, o, &r.extensions))
		return false;
	*h = r;
	return true;
}

bool
jj_server_hello_parse(jj_hello *h, const uint8_t *b, size_t n, bool dtls)
{
	jj_hello	r = {.body = b, .size = (uint16_t) n, .form = dtls ? JJ_HELLO_DTLS : JJ_HELLO_TLS};
	size_t		o = SESSION_ID + 1;
	const uint8_t *data;
	uint32_t	size;
	bool		draft;

	if (n <= SESSION_ID || n > JJ_HELLO_BYTES)
		return false;
	r.version = (uint16_t) get16(b);
	draft = r.version >> 8 == 0x7f;	/* TLS 1.3 before draft 22 has no session id and no compression method */
	if (!check_version(r.version, dtls) && !draft)
		return false;
	if (draft)
		o = SESSION_ID;
	else
	{
		r.session_id_len = b[SESSION_ID];
		if (r.session_id_len > 32)
			return false;
		o += r.session_id_len;
	}
	if (o + (draft ? 2 : 3) > n)
		return false;
	r.cipher = (uint16_t) get16(b + o);
	o += draft ? 2 : 3;
	if (!check_extensions(b, n, o, &r.extensions))
		return false;
	r.retry = memcmp(b + RANDOM, hello_retry_request, sizeof(hello_retry_request)) == 0;
	r.chosen = r.version;
	if (jj_hello_extension(&r, EXT_SUPPORTED_VERSIONS, &data, &size) && size == 2)
		r.chosen = (uint16_t) get16(data);
	r.tls13 = (r.chosen >= 0x0304 && r.chosen < 0xfe00) || r.chosen == 0xfefc;
	*h = r;
	return true;
}

int
jj_ssl2_hello_parse(jj_hello *h, const uint8_t *b, size_t n)
{
	size_t		size;
	unsigned	specs;
	unsigned	id;
	unsigned	challenge;
	jj_hello	r = {.body = b, .form = JJ_HELLO_SSL2};

	if ((n > 0 && !(b[0] & 0x80)) || (n > 2 && b[2] != 1) || (n > 3 && b[3] != 3))
		return 0;
	if (n < 11)
		return -1;
	size = (get16(b) & 0x7fff) + 2;
	specs = get16(b + 5);
	id = get16(b + 7);
	challenge = get16(b + 9);
	if (specs < 3 || specs % 3 != 0 || challenge < 16 || challenge > 32
		|| 11 + (size_t) specs + id + challenge != size || size > JJ_HELLO_BYTES)
		return 0;
	if (n < size)
		return -1;
	r.size = r.extensions = (uint16_t) size;
	r.version = (uint16_t) get16(b + 3);
	r.ciphers = 11;
	r.cipher_bytes = (uint16_t) specs;
	r.session_id_len = (uint8_t) (id < UINT8_MAX ? id : UINT8_MAX);	/* above 32 it is no length in any case */
	*h = r;
	return (int) size;
}

bool
jj_hello_keep(jj_hello *h, const jj_allocator *a)
{
	uint8_t    *copy = jj_alloc(a, h->size);

	if (copy == NULL)
		return false;
	memcpy(copy, h->body, h->size);
	h->body = h->own = copy;
	return true;
}

void
jj_hello_free(jj_hello *h, const jj_allocator *a)
{
	jj_release(a, h->own);
	memset(h, 0, sizeof(*h));
}

/* ---- lists */

jj_list16
jj_hello_ciphers(const jj_hello *h)
{
	bool		ssl2 = h->form == JJ_HELLO_SSL2;

	return (jj_list16)
	{
		.b = h->body + h->ciphers, .n = h->cipher_bytes, .kind = ssl2 ? JJ_LIST_SSL2 : JJ_LIST_VALUES
	};
}

jj_list16
jj_hello_types(const jj_hello *h)
{
	return (jj_list16)
	{
		.b = h->body + h->extensions, .n = (uint32_t) (h->size - h->extensions), .kind = JJ_LIST_EXTENSIONS
	};
}

jj_list16
jj_hello_values(const jj_hello *h, unsigned type)
{
	jj_list16	l = {.b = h->body, .kind = JJ_LIST_VALUES};
	const uint8_t *data;
	uint32_t	size;

	if (!jj_hello_extension(h, type, &data, &size) || size < 2)
		return l;
	l.b = data + 2;
	l.n = get16(data) < size - 2 ? get16(data) : size - 2;
	return l;
}

bool
jj_list16_next(jj_list16 *l, unsigned *value)
{
	const uint8_t *b = l->b;
	uint32_t	step = 2;

	if (l->kind == JJ_LIST_SSL2)
	{
		while (l->n >= 3 && *b != 0)
		{
			b += 3;
			l->n -= 3;
		}
		b++;
		step = 3;
	}
	if (l->n < step)
		return false;
	if (l->kind == JJ_LIST_EXTENSIONS)
		step = 4 + get16(b + 2);	/* checked when it was parsed */
	*value = get16(b);
	l->b = l->kind == JJ_LIST_SSL2 ? b + 2 : b + step;
	l->n -= step;
	return true;
}

bool
jj_hello_extension(const jj_hello *h, unsigned type, const uint8_t **data, uint32_t *size)
{
	const uint8_t *b = h->body + h->extensions;
	const uint8_t *end = h->body + h->size;

	for (; b < end; b += 4 + get16(b + 2))
		if (get16(b) == type)
		{
			*data = b + 4;
			*size = get16(b + 2);
			return true;
		}
	return false;
}

bool
jj_hello_alpn_next(const jj_hello *h, jj_alpn_walk *w, const uint8_t **name, uint32_t *size)
{
	if (!w->begun)
	{
		const uint8_t *data;
		uint32_t	n;

		w->begun = true;
		if (jj_hello_extension(h, EXT_ALPN, &data, &n) && n >= 2)
		{
			w->next = data + 2;
			w->left = get16(data) < n - 2 ? get16(data) : n - 2;
		}
	}
	while (w->left > 0 && *w->next < w->left)
	{
		const uint8_t *b = w->next + 1;
		uint32_t	n = *w->next;

		w->next += 1 + n;
		w->left -= 1 + n;
		if (n == 2 && jj_is_grease(get16(b)))
			continue;
		*name = b;
		*size = n;
		return true;
	}
	w->left = 0;
	return false;
}

bool
jj_hello_sni(const jj_hello *h, const uint8_t **name, uint32_t *size)
{
	const uint8_t *b;
	uint32_t	n;
	uint32_t	left;

	if (!jj_hello_extension(h, EXT_SERVER_NAME, &b, &n) || n < 2)
		return false;
	left = get16(b) < n - 2 ? get16(b) : n - 2;
	b += 2;
	while (left >= 3)
	{
		n = get16(b + 1);
		if (n > left - 3)
			return false;
		if (*b == 0)
		{
			if (n > 0 && b[3 + n - 1] == '.')
				n--;
			*name = b + 3;
			*size = n;
			return n > 0;
		}
		b += 3 + n;
		left -= 3 + n;
	}
	return false;
}
