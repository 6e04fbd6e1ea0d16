/*
 * Bytes to rows and messages. The other side may be anything: every size is
 * checked before it is believed.
 */
#include "sensor/rowstream_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define ROOM ((size_t) 65536)	/* free bytes that jj_rowstream_space gives, at least */

struct jj_rowstream_reader
{
	jj_allocator a;
	uint8_t    *bytes;
	size_t		start;			/* of what is not used yet */
	size_t		end;
	size_t		size;
	uint64_t	offset;			/* of bytes[start] in the stream */
	bool		opened;			/* behind the header */
	bool		ended;
	jj_feature_set features;
	uint64_t	rows;
	jj_row		row;
	jj_rowstream_stats stats;
	jj_error	error;			/* of an error message */
	jj_error	failure;		/* of the stream; code is JJ_OK while there is none */
	char		text[JJ_ROWSTREAM_TEXT + 1];
};

/* What is left of a payload. */
typedef struct cursor
{
	const uint8_t *p;
	const uint8_t *end;
} cursor;

jj_code
jj_rowstream_open(jj_rowstream_reader **out, const jj_allocator *a, jj_error *err)
{
	jj_rowstream_reader *r = jj_alloc_zero(a, sizeof(*r));

	*out = r;
	if (r == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	r->a = *a;
	jj_row_init(&r->row, &r->features, a);
	return JJ_OK;
}

void
jj_rowstream_close(jj_rowstream_reader *r)
{
	jj_allocator a;

	if (r == NULL)
		return;
	a = r->a;
	jj_row_free(&r->row);
	jj_release(&a, r->bytes);
	jj_release(&a, r);
}

const jj_feature_set *
jj_rowstream_features(const jj_rowstream_reader *r)
{
	return &r->features;
}

uint8_t *
jj_rowstream_space(jj_rowstream_reader *r, size_t *room)
{
	if (r->size - r->end < ROOM && r->start > 0)
	{
		memmove(r->bytes, r->bytes + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	if (r->size - r->end < ROOM)
	{
		const size_t size = r->size == 0 ? 2 * ROOM : 2 * r->size;
		uint8_t    *grown = jj_regrow(&r->a, r->bytes, r->end, size);

		if (grown == NULL)
			return NULL;
		r->bytes = grown;
		r->size = size;
	}
	*room = r->size - r->end;
	return r->bytes + r->end;
}

void
jj_rowstream_filled(jj_rowstream_reader *r, size_t n)
{
	r->end += n;
}

/* Fail for good; err gets a copy. */
#define FAIL(r, err, ...) (jj_fail(&(r)->failure, JJ_ERR_FORMAT, __VA_ARGS__), again(r, err))

static jj_code
again(const jj_rowstream_reader *r, jj_error *err)
{
	if (err != NULL)
		*err = r->failure;
	return r->failure.code;
}

static jj_code
no_memory(jj_rowstream_reader *r, jj_error *err)
{
	jj_fail(&r->failure, JJ_ERR_NOMEM, "out of memory");
	return again(r, err);
}

/* ---- parts of a payload; false if it is too short or a value is impossible */

static bool
take_varint(cursor *c, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 64 && c->p < c->end; shift += 7)
	{
		const uint8_t b = *c->p++;

		if (shift == 63 && b > 1)
			return false;
		*v |= (uint64_t) (b & 0x7f) << shift;
		if ((b & 0x80) == 0)
			return true;
	}
	return false;
}

static bool
take_zigzag(cursor *c, int64_t *v)
{
	uint64_t	u;

	if (!take_varint(c, &u))
		return false;
	*v = (int64_t) (u >> 1 ^ (u & 1 ? UINT64_MAX : 0));
	return true;
}

static bool
take_byte(cursor *c, uint8_t *v)
{
	if (c->p == c->end)
		return false;
	*v = *c->p++;
	return true;
}

static bool
take_bytes(cursor *c, size_t n, const uint8_t **bytes)
{
	if ((size_t) (c->end - c->p) < n)
		return false;
	*bytes = c->p;
	c->p += n;
	return true;
}

static bool
take_sized(cursor *c, const uint8_t **bytes, size_t *size)
{
	uint64_t	n;

	if (!take_varint(c, &n) || n > (uint64_t) (c->end - c->p))
		return false;
	*size = (size_t) n;
	return take_bytes(c, *size, bytes);
}

/* A text of at most max bytes to out, with a terminator; zeros in it become '?'. */
static bool
take_text(cursor *c, char *out, size_t max)
{
	const uint8_t *bytes;
	size_t		size;

	if (!take_sized(c, &bytes, &size) || size > max)
		return false;
	for (size_t i = 0; i < size; i++)
		out[i] = bytes[i] == 0 ? '?' : (char) bytes[i];
	out[size] = '\0';
	return true;
}

/* ---- rows */

typedef enum taken
{
	TAKEN,
	TAKEN_NOT,					/* malformed */
	TAKEN_NOMEM
} taken;

/* Whether the bytes are whole elements. */
static bool
whole_elements(jj_type type, const uint8_t *bytes, size_t size)
{
	const unsigned width = jj_array_width(type);
	size_t		i = 0;

	if (width != 0)
		return size % width == 0;
	while (i < size)
	{
		size_t		n;

		if (type == JJ_INET_ARRAY)
		{
			n = bytes[i++];
			if (n != 4 && n != 16)
				return false;
		}
		else
		{
			if (size - i < 4)
				return false;
			n = jj_get_le32(bytes + i);
			i += 4;
			if (n == JJ_NULL_ELEMENT)
				continue;
		}
		if (n > size - i)
			return false;
		i += n;
	}
	return true;
}

/* Elements from the stream's order of bytes to the machine's. */
static void
copy_elements(jj_type type, uint8_t *to, const uint8_t *bytes, size_t size)
{
	const unsigned width = jj_array_width(type);

	if (size > 0)
		memcpy(to, bytes, size);
	if (width == 8)
		for (size_t i = 0; i < size; i += 8)
		{
			uint64_t	v = jj_get_le64(bytes + i);

			memcpy(to + i, &v, 8);
		}
	else if (width == 4)
		for (size_t i = 0; i < size; i += 4)
		{
			uint32_t	v = jj_get_le32(bytes + i);

			memcpy(to + i, &v, 4);
		}
	else if (width == 2)
		for (size_t i = 0; i < size; i += 2)
		{
			uint16_t	v = (uint16_t) (bytes[i + 1] << 8 | bytes[i]);

			memcpy(to + i, &v, 2);
		}
	else if (type == JJ_TEXT_ARRAY)
		for (size_t i = 0; i < size;)
		{
			uint32_t	v = jj_get_le32(bytes + i);

			memcpy(to + i, &v, 4);
			i += 4 + (v == JJ_NULL_ELEMENT ? 0 : (size_t) v);
		}
}

static taken
take_variable(jj_row *row, unsigned f, jj_type type, cursor *c)
{
	const uint8_t *bytes;
	size_t		size = 6;
	uint8_t		n;
	uint8_t    *to;

	switch (type)
	{
		case JJ_MACADDR:
			if (!take_bytes(c, size, &bytes))
				return TAKEN_NOT;
			break;
		case JJ_INET:
			if (!take_byte(c, &n) || (n != 4 && n != 16) || !take_bytes(c, n, &bytes))
				return TAKEN_NOT;
			size = n;
			break;
		case JJ_TEXT:
		case JJ_BYTEA:
		case JJ_JSONB:
			if (!take_sized(c, &bytes, &size) || (type == JJ_JSONB && !jj_rowstream_json(bytes, size)))
				return TAKEN_NOT;
			break;
		default:
			if (!take_sized(c, &bytes, &size) || !whole_elements(type, bytes, size))
				return TAKEN_NOT;
			break;
	}
	to = jj_row_reserve(row, (jj_feature) f, size);
	if (to == NULL)
		return TAKEN_NOMEM;
	copy_elements(type, to, bytes, size);
	return TAKEN;
}

static taken
take_value(jj_row *row, unsigned f, cursor *c)
{
	const jj_type type = (jj_type) jj_feature_table[f].type;
	const uint8_t *bytes;
	int64_t		v;
	int64_t		min;
	int64_t		max;
	uint64_t	bits;
	uint8_t		flag;
	double		d;

	switch (type)
	{
		case JJ_INT2:
		case JJ_INT4:
		case JJ_INT8:
		case JJ_TIMESTAMPTZ:
			jj_int_range(type, &min, &max);
			if (!take_zigzag(c, &v) || v < min || v > max)
				return TAKEN_NOT;
			jj_row_int(row, (jj_feature) f, v);
			return TAKEN;
		case JJ_BOOL:
			if (!take_byte(c, &flag) || flag > 1)
				return TAKEN_NOT;
			jj_row_int(row, (jj_feature) f, flag);
			return TAKEN;
		case JJ_FLOAT8:
			if (!take_bytes(c, 8, &bytes))
				return TAKEN_NOT;
			bits = jj_get_le64(bytes);
			memcpy(&d, &bits, sizeof(d));
			if (!isfinite(d))
				return TAKEN_NOT;
			jj_row_double(row, (jj_feature) f, d);
			return TAKEN;
		default:
			return take_variable(row, f, type, c);
	}
}

/* A set of columns, which has no bits behind the last one. */
static bool
take_set(cursor *c, jj_feature_set *s)
{
	const uint8_t *bytes;

	if (!take_bytes(c, JJ_ROWSTREAM_BITS, &bytes))
		return false;
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < JJ_ROWSTREAM_BITS; i++)
		s->word[i / 8] |= (uint64_t) bytes[i] << 8 * (i % 8);
	return JJ_FEATURES % 8 == 0 || bytes[JJ_ROWSTREAM_BITS - 1] >> JJ_FEATURES % 8 == 0;
}

static jj_code
take_row(jj_rowstream_reader *r, cursor *c, jj_rowstream_message *m, jj_error *err)
{
	jj_feature_set present;

	if (!take_set(c, &present))
		return FAIL(r, err, "malformed row stream at byte %" PRIu64 ": a row without its columns", r->offset);
	jj_row_clear(&r->row);
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		taken		t;

		if (!jj_set_has(&present, f))
			continue;
		if (!jj_set_has(&r->features, f))
			return FAIL(r, err, "malformed row stream at byte %" PRIu64 ": column \"%s\" was not announced", r->offset, jj_feature_table[f].name);
		t = take_value(&r->row, f, c);
		if (t == TAKEN_NOMEM)
			return no_memory(r, err);
		if (t != TAKEN)
			return FAIL(r, err, "malformed row stream at byte %" PRIu64 ": bad value of column \"%s\"", r->offset, jj_feature_table[f].name);
	}
	r->rows++;
	m->row = &r->row;
	return JJ_OK;
}

/* ---- other messages */

static bool
take_begin(jj_rowstream_reader *r, cursor *c, jj_rowstream_message *m)
{
	const uint8_t *bytes;
	uint8_t		flag;

	if (!take_bytes(c, 4, &bytes) || !take_byte(c, &flag) || flag > 1 || !take_text(c, r->text, JJ_ROWSTREAM_TEXT))
		return false;
	m->link = jj_get_le32(bytes);
	m->nanoseconds = flag != 0;
	m->text = r->text;
	return true;
}

static bool
take_statistics(jj_rowstream_reader *r, cursor *c, jj_rowstream_message *m)
{
	uint64_t	counters[JJ_ROWSTREAM_COUNTERS] = {0};
	uint64_t	n;

	if (!take_varint(c, &n) || n > (uint64_t) (c->end - c->p))
		return false;
	for (uint64_t i = 0; i < n; i++)
	{
		uint64_t	v;

		if (!take_varint(c, &v))
			return false;
		if (i < JJ_ROWSTREAM_COUNTERS)
			counters[i] = v;
	}
	memcpy(&r->stats, counters, sizeof(counters));
	m->stats = &r->stats;
	return true;
}

static bool
take_warning(jj_rowstream_reader *r, cursor *c, jj_rowstream_message *m)
{
	const size_t size = (size_t) (c->end - c->p);

	if (size > JJ_ROWSTREAM_TEXT)
		return false;
	for (size_t i = 0; i < size; i++)
		r->text[i] = c->p[i] == 0 ? '?' : (char) c->p[i];
	r->text[size] = '\0';
	c->p = c->end;
	m->text = r->text;
	return true;
}

static bool
take_error(jj_rowstream_reader *r, cursor *c, jj_rowstream_message *m)
{
	uint8_t		code;
	int64_t		number;

	if (!take_byte(c, &code) || code == JJ_OK || code > JJ_ERR_DOWN || !take_zigzag(c, &number) || number < 0 || number > INT32_MAX
		|| !take_text(c, r->error.message, sizeof(r->error.message) - 1) || !take_text(c, r->error.hint, sizeof(r->error.hint) - 1))
		return false;
	r->error.code = (jj_code) code;
	r->error.sys_errno = (int) number;
	m->error = &r->error;
	return true;
}

static bool
take_end(jj_rowstream_reader *r, cursor *c, jj_rowstream_message *m)
{
	if (!take_varint(c, &m->rows) || m->rows != r->rows)
		return false;
	r->ended = true;
	return true;
}

/* ---- the stream */

/* "JJ?..." of what is no row stream, with '?' for what is not printable ASCII. */
static jj_code
foreign(jj_rowstream_reader *r, jj_error *err)
{
	char		text[33];
	size_t		n = 0;

	for (; n < r->end - r->start && n < sizeof(text) - 1; n++)
		text[n] = r->bytes[r->start + n] >= 0x20 && r->bytes[r->start + n] < 0x7f ? (char) r->bytes[r->start + n] : '?';
	text[n] = '\0';
	return FAIL(r, err, "not a row stream of jj-sensor: it begins with \"%s\"", text);
}

/* The header; *have is false if it is not there to its end. */
static jj_code
take_header(jj_rowstream_reader *r, bool *have, jj_error *err)
{
	const uint8_t *p = r->bytes + r->start;
	const size_t there = r->end - r->start;
	char		name[JJ_ROWSTREAM_NAME + 1];
	cursor		c;

	*have = false;
	if (there > 0 && memcmp(p, JJ_ROWSTREAM_MAGIC, there < JJ_ROWSTREAM_MAGIC_SIZE ? there : JJ_ROWSTREAM_MAGIC_SIZE) != 0)
		return foreign(r, err);
	if (there < 12)
		return JJ_OK;
	if (jj_get_le32(p + 8) != JJ_ROWSTREAM_VERSION)
		return FAIL(r, err, "row stream of format version %" PRIu32 ", not %d", jj_get_le32(p + 8), JJ_ROWSTREAM_VERSION);
	if (there < JJ_ROWSTREAM_FIXED)
		return JJ_OK;
	for (int i = 0; i < JJ_ROWSTREAM_NAME; i++)
		name[i] = p[24 + i] >= 0x20 && p[24 + i] < 0x7f ? (char) p[24 + i] : '\0';
	name[JJ_ROWSTREAM_NAME] = '\0';
	if (jj_get_le64(p + 16) != jj_registry_hash() || jj_get_le32(p + 40) != JJ_FEATURES)
		return FAIL(r, err, "row stream of jj-sensor version \"%s\" has other columns than version %s", name, JJ_VERSION);
	if (jj_get_le32(p + 12) != JJ_ROWSTREAM_HEADER)
		return FAIL(r, err, "malformed row stream: header of %" PRIu32 " bytes, not %d", jj_get_le32(p + 12), JJ_ROWSTREAM_HEADER);
	if (there < JJ_ROWSTREAM_HEADER)
		return JJ_OK;
	c.p = p + JJ_ROWSTREAM_FIXED;
	c.end = p + JJ_ROWSTREAM_HEADER;
	if (!take_set(&c, &r->features))
		return FAIL(r, err, "malformed row stream: columns that do not exist");
	r->row.wanted = r->features;
	r->start += JJ_ROWSTREAM_HEADER;
	r->offset += JJ_ROWSTREAM_HEADER;
	r->opened = *have = true;
	return JJ_OK;
}

/* The payload of a message of that type. */
static jj_code
take_message(jj_rowstream_reader *r, uint8_t type, cursor *c, jj_rowstream_message *m, jj_error *err)
{
	bool		good = false;
	jj_code		code;

	m->type = (jj_rowstream_type) type;
	switch (m->type)
	{
		case JJ_ROWSTREAM_BEGIN:
			good = take_begin(r, c, m);
			break;
		case JJ_ROWSTREAM_ROW:
			code = take_row(r, c, m, err);
			if (code != JJ_OK)
				return code;
			good = true;
			break;
		case JJ_ROWSTREAM_STATISTICS:
			good = take_statistics(r, c, m);
			break;
		case JJ_ROWSTREAM_HEARTBEAT:
			good = take_zigzag(c, &m->time);
			break;
		case JJ_ROWSTREAM_WARNING:
			good = take_warning(r, c, m);
			break;
		case JJ_ROWSTREAM_ERROR:
			good = take_error(r, c, m);
			break;
		case JJ_ROWSTREAM_END:
			good = take_end(r, c, m);
			break;
	}
	if (!good || c->p != c->end)
		return FAIL(r, err, "malformed row stream at byte %" PRIu64 ": bad message of type %u", r->offset, type);
	return JJ_OK;
}

jj_code
jj_rowstream_next(jj_rowstream_reader *r, jj_rowstream_message *m, bool *have, jj_error *err)
{
	cursor		c;
	uint8_t		type;
	uint32_t	size;
	jj_code		code;

	*have = false;
	memset(m, 0, sizeof(*m));
	if (r->failure.code != JJ_OK)
		return again(r, err);
	if (r->end == r->start)
		return JJ_OK;
	if (!r->opened)
	{
		code = take_header(r, have, err);
		if (code != JJ_OK || !*have)
			return code;
		*have = false;
	}
	if (r->ended && r->end > r->start)
		return FAIL(r, err, "malformed row stream at byte %" PRIu64 ": more bytes behind its end", r->offset);
	if (r->end - r->start < JJ_ROWSTREAM_HEAD)
		return JJ_OK;
	type = r->bytes[r->start];
	size = jj_get_le32(r->bytes + r->start + 1);
	if (type == 0 || strchr("BRSHWEZ", type) == NULL)
		return FAIL(r, err, "malformed row stream at byte %" PRIu64 ": unknown message type %u", r->offset, type);
	if (size > JJ_ROWSTREAM_MAX)
		return FAIL(r, err, "malformed row stream at byte %" PRIu64 ": message of %" PRIu32 " bytes", r->offset, size);
	if (r->end - r->start - JJ_ROWSTREAM_HEAD < size)
		return JJ_OK;
	c.p = r->bytes + r->start + JJ_ROWSTREAM_HEAD;
	c.end = c.p + size;
	code = take_message(r, type, &c, m, err);
	if (code != JJ_OK)
		return code;
	r->start += JJ_ROWSTREAM_HEAD + size;
	r->offset += JJ_ROWSTREAM_HEAD + size;
	*have = true;
	return JJ_OK;
}

jj_code
jj_rowstream_finish(jj_rowstream_reader *r, jj_error *err)
{
	if (r->failure.code != JJ_OK)
		return again(r, err);
	if (r->ended)
		return JJ_OK;
	return FAIL(r, err, "row stream ends at byte %" PRIu64 " without an end message", r->offset + (r->end - r->start));
}
