/*
 * HTTP/1 heads (RFC 9112 2 to 5). The start line is checked byte by byte, so
 * that another protocol is known for one by its first bytes.
 */
#include "extractors/http1.h"

#include <string.h>

#define MAX_EMPTY_LINES 4		/* before a start line (RFC 9112 2.2) */
#define SWITCHING_PROTOCOLS 101

/* In which part of a head the next byte lies. */
enum
{
	AT_START,					/* first byte of a line that may be the start line */
	IN_EMPTY,					/* behind the CR of an empty line before it */
	IN_METHOD,
	IN_TARGET,
	IN_OLD_END,					/* behind the CR of a request line without version */
	IN_VERSION,					/* "HTTP/1." of a request line */
	IN_MINOR,
	IN_REQUEST_END,
	IN_REQUEST_CR,
	IN_STATUS_VERSION,			/* "1." behind "HTTP/" of a status line */
	IN_STATUS_MINOR,
	IN_STATUS,					/* space and three digits */
	IN_STATUS_END,
	IN_STATUS_CR,
	IN_REASON,
	IN_FIELDS
};

/* Where in a request target. */
enum
{
	TARGET_START,
	TARGET_SCHEME,
	TARGET_SLASH,				/* first of the two behind the colon */
	TARGET_SLASH2,
	TARGET_AUTHORITY,
	TARGET_REST
};

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* RFC 9110 5.6.2 */
static bool
is_tchar(uint8_t c)
{
	static const uint32_t others[4] = {
		0, 1u << ('!' - 32) | 1u << ('#' - 32) | 1u << ('$' - 32) | 1u << ('%' - 32) | 1u << ('&' - 32) | 1u << ('\'' - 32)
		| 1u << ('*' - 32) | 1u << ('+' - 32) | 1u << ('-' - 32) | 1u << ('.' - 32),
		1u << ('^' - 64) | 1u << ('_' - 64), 1u << ('`' - 96) | 1u << ('|' - 96) | 1u << ('~' - 96)
	};

	return is_letter(c) || is_digit(c) || (c < 128 && (others[c / 32] >> (c % 32) & 1));
}

bool
jj_http1_may_begin(uint8_t c)
{
	return c == '\r' || c == '\n' || is_tchar(c);
}

void
jj_http1_free(jj_http1 *h, const jj_allocator *a)
{
	jj_buffer_free(&h->authority, a);
	jj_buffer_free(&h->line, a);
	for (int i = 0; i < JJ_HTTP1_FIELDS; i++)
		jj_buffer_free(&h->field[i], a);
}

/* ---- start line */

static bool
method_is(const jj_http1 *h, const char *method)
{
	return h->method_bytes == strlen(method) && memcmp(h->method, method, h->method_bytes) == 0;
}

/* The next byte of a request target: keep what is an authority (RFC 9112 3.2.2, 3.2.3). */
static bool
take_target(jj_http1 *h, uint8_t c, const jj_allocator *a)
{
	if (h->target_bytes < JJ_HTTP1_TARGET)
		h->target[h->target_bytes] = c;
	h->target_bytes++;
	switch (h->target_state)
	{
		case TARGET_START:
			if (method_is(h, "CONNECT"))
				break;
			h->target_state = is_letter(c) ? TARGET_SCHEME : TARGET_REST;
			return true;
		case TARGET_SCHEME:
			if (c == ':')
				h->target_state = TARGET_SLASH;
			else if (!is_letter(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
				h->target_state = TARGET_REST;
			return true;
		case TARGET_SLASH:
		case TARGET_SLASH2:
			h->target_state = c != '/' ? TARGET_REST : h->target_state + 1;
			return true;
		case TARGET_AUTHORITY:
			if (c != '/' && c != '?' && c != '#')
				break;
			h->target_state = TARGET_REST;
			return true;
		default:
			return true;
	}
	return jj_buffer_add(&h->authority, &c, 1, a);
}

/* The start line is one of a request, and was the only one in its direction. */
static jj_http1_result
request_line(jj_http1 *h, jj_http1_kind kind)
{
	if (h->kind != JJ_HTTP1_NONE)
		return JJ_HTTP1_STOP;
	h->kind = (uint8_t) kind;
	h->state = IN_FIELDS;
	return kind == JJ_HTTP1_OLD ? JJ_HTTP1_STOP : JJ_HTTP1_MORE;
}

static jj_http1_result
status_line(jj_http1 *h)
{
	h->kind = JJ_HTTP1_RESPONSE;
	h->state = IN_FIELDS;
	h->final = h->status / 100 != 1 || h->status == SWITCHING_PROTOCOLS;
	return h->status / 100 != 1 ? JJ_HTTP1_END : JJ_HTTP1_MORE;
}

/* A line without version is one of HTTP/0.9 if it is the first of its stream. */
static jj_http1_result
old_line(jj_http1 *h)
{
	if (h->n_empty == 0 && method_is(h, "GET") && h->target_bytes > 0 && h->target[0] == '/')
		return request_line(h, JJ_HTTP1_OLD);
	return JJ_HTTP1_STOP;
}

/* The next byte of a start line. STOP: it can't be one. */
static jj_http1_result
start_byte(jj_http1 *h, uint8_t c, const jj_allocator *a)
{
	switch (h->state)
	{
		case AT_START:
			if (c == '\r')
			{
				h->state = IN_EMPTY;
				return JJ_HTTP1_MORE;
			}
			h->state = IN_METHOD;
			h->method_bytes = 0;
			/* FALLTHROUGH */
		case IN_METHOD:
		case IN_EMPTY:
			if (c == '\n' && (h->state == IN_EMPTY || h->method_bytes == 0))
			{
				if (h->n_empty++ == MAX_EMPTY_LINES)
					return JJ_HTTP1_STOP;
				h->state = AT_START;
				h->head_bytes = 0;
				return JJ_HTTP1_MORE;
			}
			if (h->state == IN_EMPTY)
				return JJ_HTTP1_STOP;
			if (is_tchar(c))
			{
				if (h->method_bytes < JJ_HTTP1_METHOD)
					h->method[h->method_bytes] = c;
				h->method_bytes++;
				return JJ_HTTP1_MORE;
			}
			h->place = 0;
			if (c == ' ' && h->method_bytes > 0)
				h->state = IN_TARGET;
			else if (c == '/' && method_is(h, "HTTP"))
				h->state = IN_STATUS_VERSION;
			else
				return JJ_HTTP1_STOP;
			return JJ_HTTP1_MORE;

		case IN_TARGET:
			if (c == ' ' && h->target_bytes > 0)
				h->state = IN_VERSION;
			else if (c == '\r')
				h->state = IN_OLD_END;
			else if (c == '\n')
				return old_line(h);
			else if (c == ' ' || c == '\t' || c == '\v' || c == '\f')
				return JJ_HTTP1_STOP;
			else if (!take_target(h, c, a))
				return JJ_HTTP1_MEMORY;
			return JJ_HTTP1_MORE;
		case IN_OLD_END:
			return c == '\n' ? old_line(h) : JJ_HTTP1_STOP;
		case IN_VERSION:
			if (c != "HTTP/1."[h->place++])
				return JJ_HTTP1_STOP;
			if (h->place == 7)
				h->state = IN_MINOR;
			return JJ_HTTP1_MORE;
		case IN_MINOR:
			if (h->kind == JJ_HTTP1_NONE)
				h->minor = c;
			h->state = IN_REQUEST_END;
			return is_digit(c) ? JJ_HTTP1_MORE : JJ_HTTP1_STOP;
		case IN_REQUEST_END:
			if (c == '\r')
			{
				h->state = IN_REQUEST_CR;
				return JJ_HTTP1_MORE;
			}
			/* FALLTHROUGH */
		case IN_REQUEST_CR:
			return c == '\n' ? request_line(h, JJ_HTTP1_REQUEST) : JJ_HTTP1_STOP;

		case IN_STATUS_VERSION:
			if (c != "1."[h->place++])
				return JJ_HTTP1_STOP;
			if (h->place == 2)
				h->state = IN_STATUS_MINOR;
			return JJ_HTTP1_MORE;
		case IN_STATUS_MINOR:
			if (h->kind == JJ_HTTP1_NONE)
				h->minor = c;
			h->state = IN_STATUS;
			h->status = 0;
			h->place = 0;
			return is_digit(c) ? JJ_HTTP1_MORE : JJ_HTTP1_STOP;
		case IN_STATUS:
			if (h->place++ == 0)
				return c == ' ' ? JJ_HTTP1_MORE : JJ_HTTP1_STOP;
			h->status = (uint16_t) (h->status * 10 + (c - '0'));
			if (h->place == 4)
				h->state = IN_STATUS_END;
			return is_digit(c) ? JJ_HTTP1_MORE : JJ_HTTP1_STOP;
		case IN_STATUS_END:
			if (c == ' ' || c == '\r')
			{
				h->state = c == ' ' ? IN_REASON : IN_STATUS_CR;
				return JJ_HTTP1_MORE;
			}
			/* FALLTHROUGH */
		case IN_STATUS_CR:
			return c == '\n' ? status_line(h) : JJ_HTTP1_STOP;
		default:				/* IN_REASON */
			return c == '\n' ? status_line(h) : JJ_HTTP1_MORE;
	}
}

/* ---- fields (RFC 9112 5) */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void
trim(const uint8_t **b, uint32_t *n)
{
	while (*n > 0 && is_blank(**b))
	{
		++*b;
		--*n;
	}
	while (*n > 0 && is_blank((*b)[*n - 1]))
		--*n;
}

/* Is this, but for case, the word w in lower case? */
static bool
is_word(const uint8_t *b, uint32_t n, const char *w)
{
	if (n != strlen(w))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if ((b[i] >= 'A' && b[i] <= 'Z' ? b[i] + 32 : b[i]) != (uint8_t) w[i])
			return false;
	return true;
}

static uint8_t
field_of(const uint8_t *b, uint32_t n)
{
	static const char *const name[JJ_HTTP1_FIELDS] = {"host", "user-agent", "upgrade", "content-length"};

	for (uint8_t i = 0; i < JJ_HTTP1_FIELDS; i++)
		if (is_word(b, n, name[i]))
			return i;
	return JJ_HTTP1_FIELDS;
}

/* A line behind the start line, without its line end, n > 0. */
static bool
field_line(jj_http1 *h, const uint8_t *b, uint32_t n, const jj_allocator *a)
{
	const uint8_t *colon;
	const uint8_t *name = b;
	uint32_t	name_size;
	uint8_t		f = h->current;

	if (is_blank(b[0]) && h->any_field)
	{
		if (f == JJ_HTTP1_FIELDS)
			return true;
		trim(&b, &n);
		return jj_buffer_add(&h->field[f], (const uint8_t *) " ", 1, a) && jj_buffer_add(&h->field[f], b, n, a);
	}
	colon = memchr(b, ':', n);
	if (colon == NULL)
		return true;
	name_size = (uint32_t) (colon - b);
	n -= name_size + 1;
	b = colon + 1;
	trim(&name, &name_size);
	trim(&b, &n);
	f = field_of(name, name_size);
	if (f < JJ_HTTP1_FIELDS && (h->has >> f & 1))
		f = JJ_HTTP1_FIELDS;	/* only the first counts */
	h->any_field = true;
	h->current = f;
	if (f == JJ_HTTP1_FIELDS)
		return true;
	h->has |= (uint8_t) (1 << f);
	return jj_buffer_add(&h->field[f], b, n, a);
}

/* The empty line: the head's end, unless a final response is still to come. */
static jj_http1_result
end_head(jj_http1 *h, const jj_allocator *a)
{
	jj_buffer_free(&h->line, a);
	if (h->kind == JJ_HTTP1_RESPONSE && h->status != SWITCHING_PROTOCOLS)
	{
		for (int i = 0; i < JJ_HTTP1_FIELDS; i++)
			jj_buffer_free(&h->field[i], a);
		h->has = 0;
		h->any_field = false;
		h->n_empty = 0;
		h->head_bytes = 0;
		h->state = AT_START;
		return JJ_HTTP1_MORE;
	}
	h->ended = true;
	return JJ_HTTP1_END;
}

jj_http1_result
jj_http1_feed(jj_http1 *h, const uint8_t *bytes, uint32_t n, uint32_t *used, const jj_allocator *a)
{
	uint32_t	i = 0;
	jj_http1_result r = JJ_HTTP1_MORE;

	while (i < n && r == JJ_HTTP1_MORE)
	{
		const uint8_t *line = bytes + i;
		const uint8_t *lf;
		uint32_t	size;

		if (h->state != IN_FIELDS)
		{
			if (++h->head_bytes > JJ_HTTP1_HEAD)
				r = JJ_HTTP1_STOP;
			else
				r = start_byte(h, bytes[i++], a);
			continue;
		}
		lf = memchr(line, '\n', n - i);
		size = lf == NULL ? n - i : (uint32_t) (lf - line) + 1;
		if (size > JJ_HTTP1_HEAD - h->head_bytes)
		{
			r = JJ_HTTP1_STOP;
			break;
		}
		i += size;
		h->head_bytes += size;
		if (lf == NULL || h->line.n > 0)
		{
			if (!jj_buffer_add(&h->line, line, size, a))
				r = JJ_HTTP1_MEMORY;
			line = h->line.bytes;
			size = h->line.n;
		}
		if (lf == NULL || r == JJ_HTTP1_MEMORY)
			continue;
		h->line.n = 0;
		size--;
		if (size > 0 && line[size - 1] == '\r')
			size--;
		if (size == 0)
			r = end_head(h, a);
		else if (!field_line(h, line, size, a))
			r = JJ_HTTP1_MEMORY;
	}
	if (r == JJ_HTTP1_STOP)
		jj_buffer_free(&h->line, a);
	*used = i;
	return r;
}

/* ---- asking */

const uint8_t *
jj_http1_host(const jj_http1 *h, uint32_t *n)
{
	const uint8_t *b = h->field[JJ_HTTP1_HOST].bytes;

	*n = h->field[JJ_HTTP1_HOST].n;
	if (*n > 0)
		return b;
	b = h->authority.bytes;
	*n = h->authority.n;
	if (!method_is(h, "CONNECT"))
	{
		/* user information comes before the last @ */
		for (uint32_t i = *n; i > 0; i--)
			if (b[i - 1] == '@')
			{
				b += i;
				*n -= i;
				break;
			}
	}
	return *n > 0 ? b : NULL;
}

bool
jj_http1_upgrades_h2c(const jj_http1 *h)
{
	const jj_buffer *v = &h->field[JJ_HTTP1_UPGRADE];

	if (h->kind != JJ_HTTP1_RESPONSE || !h->final || h->status != SWITCHING_PROTOCOLS)
		return false;
	for (uint32_t i = 0; i + 3 <= v->n; i++)
		if (is_word(v->bytes + i, 3, "h2c"))
			return true;
	return false;
}

uint64_t
jj_http1_content_length(const jj_http1 *h)
{
	const jj_buffer *v = &h->field[JJ_HTTP1_LENGTH];
	uint64_t	length = 0;

	for (uint32_t i = 0; i < v->n; i++)
	{
		if (!is_digit(v->bytes[i]))
			return 0;
		length = length > UINT64_MAX / 16 ? UINT64_MAX : length * 10 + (v->bytes[i] - '0');
	}
	return length;
}
