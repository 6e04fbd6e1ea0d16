/*
 * The row stream: what is written is read, and nothing else is believed.
 */
#include "sensor/rowstream_internal.h"
#include "failing.h"
#include "rowstream_rows.h"
#include "tap.h"

static jj_allocator a;
static jj_error err;

static bool
same_rows(const jj_row *x, const jj_row *y)
{
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const jj_type type = (jj_type) jj_feature_table[f].type;
		uint32_t	n;
		uint32_t	m;
		const uint8_t *b;
		const uint8_t *c;

		if (jj_row_has(x, f) != jj_row_has(y, f))
			return false;
		if (!jj_row_has(x, f))
			continue;
		if (type <= JJ_TIMESTAMPTZ)
		{
			/* the bits of doubles, too */
			if (x->value[f].i != y->value[f].i)
				return false;
			continue;
		}
		b = jj_row_bytes(x, f, &n);
		c = jj_row_bytes(y, f, &m);
		if (n != m || memcmp(b, c, n) != 0)
			return false;
	}
	return true;
}

/* What a reader makes of bytes that come in pieces: messages, then OK or an error at the end. */
typedef struct outcome
{
	jj_code		code;
	bool		in_next;		/* it failed before the end of the bytes */
	unsigned	messages;
	unsigned	rows;
	size_t		memory;			/* most bytes in use */
	char		types[64];
	char		text[JJ_MESSAGE_SIZE];
	jj_rowstream_stats stats;
	jj_error	error;
	char		texts[512];		/* begins and warnings */
} outcome;

typedef struct measured
{
	size_t		now;
	size_t		most;
} measured;

static void *
measured_alloc(void *ctx, size_t size)
{
	measured   *m = ctx;
	size_t	   *p = malloc(size + 16);

	if (p == NULL)
		return NULL;
	p[0] = size;
	m->now += size;
	m->most = m->now > m->most ? m->now : m->most;
	return (char *) p + 16;
}

static void
measured_release(void *ctx, void *block)
{
	size_t	   *p = (size_t *) (void *) ((char *) block - 16);

	((measured *) ctx)->now -= p[0];
	free(p);
}

static void
note(outcome *o, const jj_rowstream_message *m)
{
	if (o->messages < sizeof(o->types) - 1)
		o->types[o->messages] = (char) m->type;
	o->messages++;
	o->rows += m->type == JJ_ROWSTREAM_ROW;
	if (m->stats != NULL)
		o->stats = *m->stats;
	if (m->error != NULL)
		o->error = *m->error;
	if (m->text != NULL)
		snprintf(o->texts + strlen(o->texts), sizeof(o->texts) - strlen(o->texts), "[%.300s]", m->text);
}

static outcome
read_stream(const uint8_t *bytes, size_t size, size_t piece, const jj_row *expected, bool *same)
{
	measured	memory = {0, 0};
	jj_allocator ma = {measured_alloc, measured_release, &memory};
	jj_rowstream_reader *r;
	jj_rowstream_message m;
	outcome		o;
	size_t		used = 0;
	bool		have;

	memset(&o, 0, sizeof(o));
	o.code = jj_rowstream_open(&r, &ma, &err);
	while (o.code == JJ_OK && used < size)
	{
		size_t		room;
		uint8_t    *to = jj_rowstream_space(r, &room);
		size_t		n = size - used < piece ? size - used : piece;

		n = n < room ? n : room;
		memcpy(to, bytes + used, n);
		jj_rowstream_filled(r, n);
		used += n;
		while ((o.code = jj_rowstream_next(r, &m, &have, &err)) == JJ_OK && have)
		{
			note(&o, &m);
			if (m.row != NULL && expected != NULL)
				*same = *same && same_rows(m.row, &expected[o.rows - 1]);
		}
	}
	o.in_next = o.code != JJ_OK;
	if (o.code == JJ_OK)
		o.code = jj_rowstream_finish(r, &err);
	if (o.code != JJ_OK)
	{
		snprintf(o.text, sizeof(o.text), "%s", err.message);
		if (o.code != jj_rowstream_next(r, &m, &have, &err) || have || o.code != jj_rowstream_finish(r, &err) || strcmp(o.text, err.message) != 0)
			snprintf(o.text, sizeof(o.text), "a failure that does not stay");
	}
	jj_rowstream_close(r);
	o.memory = memory.most;
	return o;
}

#define ROWS 6

static jj_feature_set all;
static jj_row rows[ROWS];
static jj_rowstream_writer w;

/* A stream with everything in it, and so many rows, from the first one. */
static void
write_stream(unsigned first, unsigned n)
{
	jj_rowstream_stats s;
	uint64_t	counters[JJ_ROWSTREAM_COUNTERS];
	jj_error	what = {JJ_ERR_DEVICE, 19, "network interface \"x\" has gone", "A hint."};
	bool		good;

	for (size_t i = 0; i < JJ_ROWSTREAM_COUNTERS; i++)
		counters[i] = i == 0 ? UINT64_MAX : i * i * i;
	memcpy(&s, counters, sizeof(s));
	jj_rowstream_writer_init(&w, &a);
	good = jj_rowstream_header(&w, &all, &err) == JJ_OK && jj_rowstream_begin(&w, 1, true, "eth0", &err) == JJ_OK;
	for (unsigned i = first; i < first + n; i++)
		good = good && jj_rowstream_row(&w, &rows[i], &err) == JJ_OK;
	good = good && jj_rowstream_statistics(&w, &s, &err) == JJ_OK && jj_rowstream_heartbeat(&w, -5, &err) == JJ_OK
		&& jj_rowstream_warning(&w, "caf\xc3\xa9", &err) == JJ_OK && jj_rowstream_failure(&w, &what, &err) == JJ_OK
		&& jj_rowstream_end(&w, &err) == JJ_OK;
	ok(good && w.rows == n, "a stream is written");
}

static void
test_round_trip(void)
{
	static const size_t pieces[] = {1, 7, 1000, 1 << 20};
	bool		good = true;
	bool		same = true;
	outcome		o;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
	{
		o = read_stream(w.bytes, w.used, pieces[i], rows, &same);
		good = good && o.code == JJ_OK && o.messages == ROWS + 6 && o.rows == ROWS;
	}
	ok(good && same, "and read again, in pieces of any size, with the same values of all types");
	is_text(o.types, "BRRRRRRSHWEZ", "in order");
	is_text(o.texts, "[eth0][caf\xc3\xa9]", "texts");
	ok(o.stats.time == UINT64_MAX && o.stats.rows == 1 && o.stats.skipped[JJ_SKIP_REASONS - 1] > 1000, "counters");
	ok(o.error.code == JJ_ERR_DEVICE && o.error.sys_errno == 19 && strcmp(o.error.hint, "A hint.") == 0
	   && strcmp(o.error.message, "network interface \"x\" has gone") == 0, "an error");
}

static void
test_cut_and_damaged(void)
{
	unsigned	whole = 0;
	unsigned	early = 0;
	unsigned	format = 0;
	unsigned	damaged = 0;
	unsigned	n = 0;
	uint8_t    *copy = malloc(w.used + 1);
	outcome		o;

	for (size_t size = 0; size < w.used; size++)
	{
		o = read_stream(w.bytes, size, 4096, NULL, NULL);
		whole += o.code != JJ_ERR_FORMAT || strstr(o.text, "without an end message") == NULL;
		early += o.in_next;
	}
	ok(whole == 0 && early == 0, "a stream that is cut anywhere is known to be cut (%zu places)", w.used);

	for (size_t i = 0; i < w.used; i++)
		for (int bit = 0; bit < 8; bit++, n++)
		{
			memcpy(copy, w.bytes, w.used);
			copy[i] ^= (uint8_t) (1 << bit);
			o = read_stream(copy, w.used, 1 << 20, NULL, NULL);
			format += o.code == JJ_ERR_FORMAT && o.text[0] != '\0' && strcmp(o.text, "a failure that does not stay") != 0;
			damaged += o.code == JJ_OK;
		}
	ok(format + damaged == n && format > n / 10, "each bit flipped: %u errors, %u streams of other values", format, damaged);

	/* bytes behind the end, at once and later */
	memcpy(copy, w.bytes, w.used);
	copy[w.used] = 'R';
	o = read_stream(copy, w.used + 1, 1 << 20, NULL, NULL);
	ok(o.code == JJ_ERR_FORMAT && strstr(o.text, "more bytes behind its end") != NULL, "bytes behind the end");
	o = read_stream(copy, w.used + 1, w.used, NULL, NULL);
	ok(o.code == JJ_ERR_FORMAT && strstr(o.text, "more bytes behind its end") != NULL, "and later");
	free(copy);
}

static void
refused(const void *bytes, size_t size, const char *text, const char *name)
{
	outcome		o = read_stream(bytes, size, 1 << 20, NULL, NULL);

	ok(o.code == JJ_ERR_FORMAT && strstr(o.text, text) != NULL, "%s", name);
	if (strstr(o.text, text) == NULL)
		printf("# %d %s\n", o.code, o.text);
}

static void
test_foreign(void)
{
	static const uint8_t wrong[][12] = {
		{'Q', 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {'R', 1, 0, 0, 1}, {'R', 0xff, 0xff, 0xff, 0xff}, {'R', 3, 0, 0, 0, 1, 1, 1},
		{'H', 0, 0, 0, 0}, {'H', 2, 0, 0, 0, 1, 1}, {'Z', 1, 0, 0, 0, 9}, {'E', 4, 0, 0, 0, 0, 0, 0, 0}, {'E', 4, 0, 0, 0, 200, 0, 0, 0},
		{'B', 3, 0, 0, 0, 1, 0, 0}, {'S', 1, 0, 0, 0, 5}
	};
	const size_t header = 44 + (JJ_FEATURES + 7) / 8;
	uint8_t		bytes[1024];
	jj_rowstream_writer x;
	unsigned	n = 0;
	jj_row		row;
	jj_feature_set few = {{0}};

	refused("hello\n", 6, "not a row stream of jj-sensor: it begins with \"hello?\"", "a foreign stream");
	refused("J\1", 2, "not a row stream", "a foreign stream that begins alike");
	refused("", 0, "ends at byte 0", "an empty stream");

	memcpy(bytes, w.bytes, header);
	bytes[8] = 2;
	refused(bytes, header, "format version 2, not 1", "another format");
	memcpy(bytes, w.bytes, header);
	bytes[16] ^= 1;
	refused(bytes, header, "jj-sensor version \"" JJ_VERSION "\" has other columns", "other columns");
	memcpy(bytes, w.bytes, header);
	bytes[12] ^= 1;
	refused(bytes, header, "header of", "another size of the header");
	memcpy(bytes, w.bytes, header);
	if (JJ_FEATURES % 8 != 0)
		bytes[header - 1] |= 0x80;
	refused(bytes, header, JJ_FEATURES % 8 != 0 ? "columns that do not exist" : "without", "columns that do not exist");

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		outcome		o;

		memcpy(bytes, w.bytes, header);
		memcpy(bytes + header, wrong[i], sizeof(wrong[i]));
		o = read_stream(bytes, header + 5 + (wrong[i][1] < 7 ? wrong[i][1] : 7u), 1 << 20, NULL, NULL);
		n += o.code == JJ_ERR_FORMAT && o.in_next;
		if (o.code != JJ_ERR_FORMAT || !o.in_next)
			printf("# message %zu: %d %s\n", i, o.code, o.text);
	}
	is_int(n, sizeof(wrong) / sizeof(wrong[0]), "messages that can't be");

	/* a column that the header has not announced */
	jj_rowstream_writer_init(&x, &a);
	jj_set_add(&few, JJ_F_src_ip);
	jj_rowstream_header(&x, &few, &err);
	jj_rowstream_row(&x, &rows[1], &err);
	refused(x.bytes, x.used, "was not announced", "a column that was not announced");
	jj_rowstream_writer_free(&x);

	/* values that the writer refuses */
	jj_row_init(&row, &all, &a);
	jj_rowstream_writer_init(&x, &a);
	jj_row_int(&row, JJ_F_src_port, INT64_C(1) << 40);
	is_int(jj_rowstream_row(&x, &row, &err), JJ_ERR_ARGUMENT, "a value out of its type's range");
	is_text(err.message, "value 1099511627776 of column \"src_port\" is out of range for type integer", "its message");
	jj_row_clear(&row);
	(void) memset(jj_row_reserve(&row, JJ_F_capture, JJ_ROWSTREAM_MAX), 'x', JJ_ROWSTREAM_MAX);
	is_int(jj_rowstream_row(&x, &row, &err), JJ_ERR_ARGUMENT, "a row that is too large");
	ok(x.used == 0 && x.rows == 0, "leave nothing");
	jj_rowstream_writer_free(&x);
	jj_row_free(&row);
}

static void
test_json(void)
{
	static const char *const right[] = {
		"{}", "[]", "null", " true ", "-0.5e-10", "\"\"", "{\"a\":1}", "{ \"a\" : [ 1 , {\"b\":[]} , \"x\" ] , \"c\" : null }", "[[[]],[]]",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "\"caf\xc3\xa9\"", "0"
	};
	static const char *const wrong[] = {
		"", " ", "{", "}", "[", "[1", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "[1}", "{\"a\":1]", "1 2", "01", "-", "1.",
		".5", "1e", "1e1000", "+1", "nul", "nullx", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u0000\"", "\"\\u12", "\"\\u20ac\"", "\"\xff\"", "\"a\nb\"", "NaN",
		"[1]]", "'a'", "\xc3\xa9"
	};
	char		deep[200];
	bool		good = true;

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		if (!jj_rowstream_json((const uint8_t *) right[i], strlen(right[i])))
		{
			printf("# refused: %s\n", right[i]);
			good = false;
		}
	ok(good, "JSON is taken");
	good = true;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (jj_rowstream_json((const uint8_t *) wrong[i], strlen(wrong[i])))
		{
			printf("# taken: %s\n", wrong[i]);
			good = false;
		}
	ok(good, "what is none is refused");
	memset(deep, '[', 64);
	memset(deep + 64, ']', 64);
	ok(jj_rowstream_json((const uint8_t *) deep, 128), "arrays in 64 arrays");
	memset(deep, '[', 65);
	memset(deep + 65, ']', 65);
	ok(!jj_rowstream_json((const uint8_t *) deep, 130), "but not in more");
}

static void
test_memory(void)
{
	const size_t header = 44 + (JJ_FEATURES + 7) / 8;
	uint8_t    *bytes = calloc(1, 1 << 20);
	failing		f = {0};
	jj_allocator fa = {failing_alloc, failing_release, &f};
	jj_code		code = JJ_ERR_NOMEM;
	int			failures = 0;
	outcome		o;
	jj_row		row;
	jj_rowstream_writer x;
	bool		same = true;

	/* a claim is not believed before the bytes are there */
	memcpy(bytes, w.bytes, header);
	memcpy(bytes + header, "R\0\0\0\1", 5);
	o = read_stream(bytes, header + 1000, 100, NULL, NULL);
	ok(o.code == JJ_ERR_FORMAT && o.memory < 400000, "a message that claims 16 MB takes %zu bytes", o.memory);
	free(bytes);

	/* one that is as large as it says */
	jj_row_init(&row, &all, &a);
	(void) memset(jj_row_reserve(&row, JJ_F_capture, 3000000), 'x', 3000000);
	jj_rowstream_writer_init(&x, &a);
	jj_rowstream_header(&x, &all, &err);
	for (int i = 0; i < 3; i++)
		jj_rowstream_row(&x, &row, &err);
	jj_rowstream_end(&x, &err);
	o = read_stream(x.bytes, x.used, 50000, NULL, NULL);
	ok(o.code == JJ_OK && o.rows == 3 && o.memory < 20000000, "rows of 3 MB take %zu bytes", o.memory);
	jj_rowstream_sent(&x, header + 100);
	jj_rowstream_sent(&x, x.used - 6);
	ok(x.used == 6 && x.bytes[0] == 'Z', "what was sent is forgotten");
	jj_rowstream_writer_free(&x);
	jj_row_free(&row);

	for (f.fail_at = 1; f.fail_at < 100 && code == JJ_ERR_NOMEM; f.fail_at++)
	{
		jj_rowstream_reader *r;
		jj_rowstream_message m;
		size_t		used = 0;
		bool		have;

		f.calls = 0;
		code = jj_rowstream_open(&r, &fa, &err);
		while (code == JJ_OK && used < w.used)
		{
			size_t		room;
			uint8_t    *to = jj_rowstream_space(r, &room);

			if (to == NULL)
			{
				code = JJ_ERR_NOMEM;
				break;
			}
			room = w.used - used < room ? w.used - used : room;
			memcpy(to, w.bytes + used, room);
			jj_rowstream_filled(r, room);
			used += room;
			while ((code = jj_rowstream_next(r, &m, &have, &err)) == JJ_OK && have)
				;
		}
		jj_rowstream_close(r);
		failures += code == JJ_ERR_NOMEM;
		same = same && f.live == 0;
	}
	ok(code == JJ_OK && failures >= 3 && same, "a reader without memory fails %d times and leaves nothing", failures);

	f.calls = 0;
	f.fail_at = 1;
	jj_rowstream_writer_init(&x, &fa);
	ok(jj_rowstream_header(&x, &all, &err) == JJ_ERR_NOMEM && x.used == 0, "a writer without memory, too");
	f.fail_at = 0;
	ok(jj_rowstream_header(&x, &all, &err) == JJ_OK && x.used == header, "and goes on with it");
	jj_rowstream_writer_free(&x);
	ok(f.live == 0, "which it gives back");
}

int
main(void)
{
	a = jj_malloc_allocator();
	jj_set_all(&all);
	for (unsigned i = 0; i < ROWS; i++)
	{
		jj_row_init(&rows[i], &all, &a);
		if (i > 0)
			fill_row(&rows[i], i);
	}
	write_stream(0, ROWS);
	test_round_trip();
	jj_rowstream_writer_free(&w);
	write_stream(1, 1);
	test_cut_and_damaged();
	test_foreign();
	test_json();
	test_memory();
	jj_rowstream_writer_free(&w);
	for (unsigned i = 0; i < ROWS; i++)
		jj_row_free(&rows[i]);
	return done_testing();
}
