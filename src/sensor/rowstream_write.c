/*
 * Rows and messages to bytes.
 */
#include "sensor/rowstream_internal.h"

#include <inttypes.h>

uint64_t
jj_registry_hash(void)
{
	uint64_t	h = UINT64_C(0xcbf29ce484222325);

	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const char *const texts[] = {jj_feature_table[f].name, jj_type_sql((jj_type) jj_feature_table[f].type)};

		for (int i = 0; i < 2; i++)
			for (const char *p = texts[i];; p++)
			{
				h = (h ^ (unsigned char) *p) * UINT64_C(0x100000001b3);
				if (*p == '\0')
					break;
			}
	}
	return h;
}

void
jj_rowstream_stats_engine(jj_rowstream_stats *s, const jj_counters *c)
{
	s->frames = c->frames;
	s->decoded = c->decoded;
	s->captured_bytes = c->captured_bytes;
	s->wire_bytes = c->wire_bytes;
	s->flows_started = c->flows_started;
	s->flows_ended = c->flows_ended;
	s->flows_evicted = c->flows_evicted;
	s->flows_live = c->flows_live;
	s->memory_flows = c->memory_flows;
	s->memory_peak = c->memory_peak;
	s->truncated = c->truncated;
	s->stream_refused = c->stream_refused;
	s->unsupported_link = c->unsupported_link;
	memcpy(s->skipped, c->skipped, sizeof(s->skipped));
}

void
jj_rowstream_writer_init(jj_rowstream_writer *w, const jj_allocator *a)
{
	memset(w, 0, sizeof(*w));
	w->a = *a;
}

void
jj_rowstream_writer_free(jj_rowstream_writer *w)
{
	jj_release(&w->a, w->bytes);
	w->bytes = NULL;
	w->used = w->size = 0;
}

void
jj_rowstream_sent(jj_rowstream_writer *w, size_t n)
{
	if (n == 0)
		return;
	memmove(w->bytes, w->bytes + n, w->used - n);
	w->used -= n;
}

uint8_t *
jj_rowstream_room(jj_rowstream_writer *w, size_t n)
{
	if (w->size - w->used < n || w->bytes == NULL)
	{
		size_t		size = w->size < 65536 ? 65536 : w->size;
		uint8_t    *grown;

		while (size - w->used < n)
			size *= 2;
		grown = jj_regrow(&w->a, w->bytes, w->used, size);
		if (grown == NULL)
			return NULL;
		w->bytes = grown;
		w->size = size;
	}
	return w->bytes + w->used;
}

static bool
put_bytes(jj_rowstream_writer *w, const void *bytes, size_t n)
{
	uint8_t    *to = jj_rowstream_room(w, n);

	if (to == NULL)
		return false;
	if (n > 0)
		memcpy(to, bytes, n);
	w->used += n;
	return true;
}

static bool
put_fixed(jj_rowstream_writer *w, uint64_t v, unsigned size)
{
	uint8_t    *to = jj_rowstream_room(w, size);

	if (to == NULL)
		return false;
	jj_put_le(to, v, size);
	w->used += size;
	return true;
}

static bool
put_varint(jj_rowstream_writer *w, uint64_t v)
{
	uint8_t    *to = jj_rowstream_room(w, 10);

	if (to == NULL)
		return false;
	for (; v >= 0x80; v >>= 7)
	{
		*to++ = (uint8_t) (v | 0x80);
		w->used++;
	}
	*to = (uint8_t) v;
	w->used++;
	return true;
}

static bool
put_zigzag(jj_rowstream_writer *w, int64_t v)
{
	return put_varint(w, (uint64_t) v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

static bool
put_sized(jj_rowstream_writer *w, const void *bytes, size_t n)
{
	return put_varint(w, n) && put_bytes(w, bytes, n);
}

/* A text, or what of it may be sent. */
static size_t
text_size(const char *text)
{
	size_t		n = strlen(text);

	if (n > JJ_ROWSTREAM_TEXT)
		for (n = JJ_ROWSTREAM_TEXT; n > 0 && ((unsigned char) text[n] & 0xc0) == 0x80; n--)
			;
	return n;
}

static bool
put_set(jj_rowstream_writer *w, const jj_feature_set *s)
{
	uint8_t    *to = jj_rowstream_room(w, JJ_ROWSTREAM_BITS);

	if (to == NULL)
		return false;
	for (unsigned i = 0; i < JJ_ROWSTREAM_BITS; i++)
		to[i] = (uint8_t) (s->word[i / 8] >> 8 * (i % 8));
	w->used += JJ_ROWSTREAM_BITS;
	return true;
}

static jj_code
no_memory(jj_rowstream_writer *w, size_t before, jj_error *err)
{
	w->used = before;
	return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
}

/* Put a message's size in its head, which is at start, unless a part of it failed. */
static jj_code
finish(jj_rowstream_writer *w, size_t start, bool good, jj_error *err)
{
	if (!good)
		return no_memory(w, start, err);
	jj_put_le(w->bytes + start + 1, w->used - start - JJ_ROWSTREAM_HEAD, 4);
	return JJ_OK;
}

static bool
start(jj_rowstream_writer *w, jj_rowstream_type type)
{
	return put_fixed(w, (uint64_t) type, 1) && put_fixed(w, 0, 4);
}

jj_code
jj_rowstream_header(jj_rowstream_writer *w, const jj_feature_set *features, jj_error *err)
{
	const size_t before = w->used;
	char		name[JJ_ROWSTREAM_NAME] = JJ_VERSION;

	return put_bytes(w, JJ_ROWSTREAM_MAGIC, JJ_ROWSTREAM_MAGIC_SIZE) && put_fixed(w, JJ_ROWSTREAM_VERSION, 4)
		&& put_fixed(w, JJ_ROWSTREAM_HEADER, 4) && put_fixed(w, jj_registry_hash(), 8) && put_bytes(w, name, sizeof(name))
		&& put_fixed(w, JJ_FEATURES, 4) && put_set(w, features) ? JJ_OK : no_memory(w, before, err);
}

jj_code
jj_rowstream_begin(jj_rowstream_writer *w, uint32_t link, bool nanoseconds, const char *source, jj_error *err)
{
	const size_t before = w->used;

	return finish(w, before, start(w, JJ_ROWSTREAM_BEGIN) && put_fixed(w, link, 4) && put_fixed(w, nanoseconds, 1)
				  && put_sized(w, source, text_size(source)), err);
}

/* An array's bytes as they lie in the row. */
static bool
put_array(jj_rowstream_writer *w, jj_type type, const uint8_t *bytes, uint32_t size)
{
	const unsigned width = jj_array_width(type);
	uint8_t    *to;

	if (!put_varint(w, size) || (to = jj_rowstream_room(w, size)) == NULL)
		return false;
	if (width != 0)
		for (uint32_t i = 0; i < size; i += width)
		{
			uint64_t	v8;
			uint32_t	v4;
			uint16_t	v2;

			if (width == 8)
				memcpy(&v8, bytes + i, 8);
			else if (width == 4)
			{
				memcpy(&v4, bytes + i, 4);
				v8 = v4;
			}
			else
			{
				memcpy(&v2, bytes + i, 2);
				v8 = v2;
			}
			jj_put_le(to + i, v8, width);
		}
	else if (type == JJ_TEXT_ARRAY)
		for (uint32_t i = 0; i < size;)
		{
			uint32_t	n;

			memcpy(&n, bytes + i, 4);
			jj_put_le(to + i, n, 4);
			i += 4;
			if (n == JJ_NULL_ELEMENT)
				continue;
			memcpy(to + i, bytes + i, n);
			i += n;
		}
	else if (size > 0)
		memcpy(to, bytes, size);
	w->used += size;
	return true;
}

static bool
put_value(jj_rowstream_writer *w, const jj_row *row, unsigned f)
{
	const jj_type type = (jj_type) jj_feature_table[f].type;
	const jj_value *v = &row->value[f];
	const uint8_t *bytes;
	uint32_t	size;
	uint64_t	bits;

	switch (type)
	{
		case JJ_INT2:
		case JJ_INT4:
		case JJ_INT8:
		case JJ_TIMESTAMPTZ:
			return put_zigzag(w, v->i);
		case JJ_BOOL:
			return put_fixed(w, v->i != 0, 1);
		case JJ_FLOAT8:
			memcpy(&bits, &v->d, sizeof(bits));
			return put_fixed(w, bits, 8);
		default:
			break;
	}
	bytes = jj_row_bytes(row, f, &size);
	switch (type)
	{
		case JJ_MACADDR:
			return put_bytes(w, bytes, 6);
		case JJ_INET:
			return put_fixed(w, size, 1) && put_bytes(w, bytes, size);
		case JJ_TEXT:
		case JJ_BYTEA:
		case JJ_JSONB:
			return put_sized(w, bytes, size);
		default:
			return put_array(w, type, bytes, size);
	}
}

/* The first column whose value is out of its type's range; JJ_FEATURES if none is. */
static unsigned
out_of_range(const jj_row *row)
{
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const jj_type type = (jj_type) jj_feature_table[f].type;
		int64_t		min;
		int64_t		max;

		if ((type != JJ_INT2 && type != JJ_INT4) || !jj_row_has(row, f))
			continue;
		jj_int_range(type, &min, &max);
		if (row->value[f].i < min || row->value[f].i > max)
			return f;
	}
	return JJ_FEATURES;
}

jj_code
jj_rowstream_row(jj_rowstream_writer *w, const jj_row *row, jj_error *err)
{
	const size_t before = w->used;
	const unsigned bad = out_of_range(row);
	bool		good;

	if (bad < JJ_FEATURES)
		return jj_fail(err, JJ_ERR_ARGUMENT, "value %" PRId64 " of column \"%s\" is out of range for type %s", row->value[bad].i,
					   jj_feature_table[bad].name, jj_type_sql((jj_type) jj_feature_table[bad].type));
	good = start(w, JJ_ROWSTREAM_ROW) && put_set(w, &row->present);
	for (unsigned i = 0; i < sizeof(row->present.word) / sizeof(row->present.word[0]); i++)
	{
		unsigned	f = 64 * i;

		for (uint64_t rest = row->present.word[i]; good && rest != 0; rest >>= 1, f++)
			if (rest & 1)
				good = put_value(w, row, f);
	}
	if (good && w->used - before - JJ_ROWSTREAM_HEAD > JJ_ROWSTREAM_MAX)
	{
		const size_t size = w->used - before - JJ_ROWSTREAM_HEAD;

		w->used = before;
		return jj_fail(err, JJ_ERR_ARGUMENT, "a row of %zu bytes is larger than %u", size, JJ_ROWSTREAM_MAX);
	}
	w->rows += good;
	return finish(w, before, good, err);
}

jj_code
jj_rowstream_statistics(jj_rowstream_writer *w, const jj_rowstream_stats *s, jj_error *err)
{
	const size_t before = w->used;
	uint64_t	counters[JJ_ROWSTREAM_COUNTERS];
	bool		good = start(w, JJ_ROWSTREAM_STATISTICS) && put_varint(w, JJ_ROWSTREAM_COUNTERS);

	memcpy(counters, s, sizeof(counters));
	for (size_t i = 0; good && i < JJ_ROWSTREAM_COUNTERS; i++)
		good = put_varint(w, counters[i]);
	return finish(w, before, good, err);
}

jj_code
jj_rowstream_heartbeat(jj_rowstream_writer *w, int64_t now, jj_error *err)
{
	const size_t before = w->used;

	return finish(w, before, start(w, JJ_ROWSTREAM_HEARTBEAT) && put_zigzag(w, now), err);
}

jj_code
jj_rowstream_warning(jj_rowstream_writer *w, const char *text, jj_error *err)
{
	const size_t before = w->used;

	return finish(w, before, start(w, JJ_ROWSTREAM_WARNING) && put_bytes(w, text, text_size(text)), err);
}

jj_code
jj_rowstream_failure(jj_rowstream_writer *w, const jj_error *what, jj_error *err)
{
	const size_t before = w->used;

	return finish(w, before, start(w, JJ_ROWSTREAM_ERROR) && put_fixed(w, (uint64_t) what->code, 1) && put_zigzag(w, what->sys_errno)
				  && put_sized(w, what->message, strlen(what->message)) && put_sized(w, what->hint, strlen(what->hint)), err);
}

jj_code
jj_rowstream_end(jj_rowstream_writer *w, jj_error *err)
{
	const size_t before = w->used;

	return finish(w, before, start(w, JJ_ROWSTREAM_END) && put_varint(w, w->rows), err);
}
