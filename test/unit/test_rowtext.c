/*
 * Rows as CSV and JSON: every type, and what needs care in it.
 */
#include "sensor/rowtext.h"
#include "failing.h"
#include "rowstream_rows.h"
#include "tap.h"

#include <stdlib.h>

static jj_allocator a;
static jj_error err;
static jj_feature_set all;
static jj_row row;

/* The first column of a type. */
static jj_feature
column(jj_type type)
{
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		if (jj_feature_table[f].type == type)
			return (jj_feature) f;
	printf("# no column of type %s\n", jj_type_sql(type));
	return (jj_feature) 0;
}

/* The one value of the row, as CSV or JSON has it. */
static const char *
shown(jj_feature f, bool json)
{
	static char text[4096];
	jj_feature_set one = {{0}};
	jj_rowstream_writer w;
	size_t		head = 0;
	size_t		tail = 2;

	jj_set_add(&one, f);
	jj_rowstream_writer_init(&w, &a);
	if (json)
	{
		if (jj_rowtext_json(&w, &row, &err) != JJ_OK)
			return err.message;
		head = strlen(jj_feature_table[f].name) + 4;	/* {"name": */
	}
	else if (jj_rowtext_csv(&w, &one, &row, &err) != JJ_OK)
		return err.message;
	if (w.used >= head + tail)
		snprintf(text, sizeof(text), "%.*s", (int) (w.used - head - tail), (const char *) w.bytes + head);
	jj_rowstream_writer_free(&w);
	return text;
}

static void
both(jj_feature f, const char *csv, const char *json, const char *name)
{
	char		line[200];

	snprintf(line, sizeof(line), "%s: CSV", name);
	is_text(shown(f, false), csv, line);
	snprintf(line, sizeof(line), "%s: JSON", name);
	is_text(shown(f, true), json, line);
	jj_row_clear(&row);
}

static void
test_numbers(void)
{
	static const struct
	{
		double		v;
		const char *text;
	}			doubles[] = {
		{0, "0"}, {-0.0, "-0"}, {1, "1"}, {2147483647, "2147483647"}, {2147483648.0, "2147483648"}, {-1, "-1"}, {0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"}, {1.0 / 3, "0.3333333333333333"}, {1e22, "1e+22"}, {5e-324, "4.94065645841247e-324"},
		{1.7976931348623157e308, "1.7976931348623157e+308"}, {123456789.125, "123456789.125"}
	};
	const jj_feature f = column(JJ_FLOAT8);
	const jj_feature i = column(JJ_INT8);
	bool		good = true;

	for (size_t k = 0; k < sizeof(doubles) / sizeof(doubles[0]); k++)
	{
		const char *text;

		jj_row_double(&row, f, doubles[k].v);
		text = shown(f, false);
		if (strcmp(text, doubles[k].text) != 0 || strtod(text, NULL) != doubles[k].v)
		{
			printf("# %s, not %s\n", text, doubles[k].text);
			good = false;
		}
		jj_row_clear(&row);
	}
	ok(good, "doubles have as many digits as they need");
	jj_row_int(&row, i, INT64_C(9007199254740993));
	both(i, "9007199254740993", "9007199254740993", "an integer that no double is");
	jj_row_int(&row, i, INT64_MIN);
	both(i, "-9223372036854775808", "-9223372036854775808", "the smallest integer");
	jj_row_int(&row, column(JJ_BOOL), 1);
	both(column(JJ_BOOL), "true", "true", "true");
}

static void
test_times(void)
{
	const jj_feature f = column(JJ_TIMESTAMPTZ);

	jj_row_int(&row, f, 0);
	both(f, "1970-01-01 00:00:00+00", "\"1970-01-01T00:00:00+00:00\"", "1970");
	jj_row_int(&row, f, -1);
	both(f, "1969-12-31 23:59:59.999999+00", "\"1969-12-31T23:59:59.999999+00:00\"", "the microsecond before");
	jj_row_int(&row, f, INT64_C(951868799000010));
	both(f, "2000-02-29 23:59:59.000010+00", "\"2000-02-29T23:59:59.000010+00:00\"", "a leap day");
	jj_row_int(&row, f, INT64_C(253402300799000000));
	both(f, "9999-12-31 23:59:59+00", "\"9999-12-31T23:59:59+00:00\"", "the last day of certificates");
	jj_row_int(&row, f, INT64_C(-62167219200000000));
	both(f, "0001-01-01 00:00:00+00 BC", "\"0000-01-01T00:00:00+00:00\"", "the first one");
}

static void
test_texts(void)
{
	const jj_feature f = column(JJ_TEXT);
	const jj_feature b = column(JJ_BYTEA);
	const jj_feature j = column(JJ_JSONB);

	jj_row_text(&row, f, "plain text.1");
	both(f, "plain text.1", "\"plain text.1\"", "a plain text");
	jj_row_text(&row, f, "");
	both(f, "\"\"", "\"\"", "an empty text is not NULL");
	jj_row_text(&row, f, "a,b");
	both(f, "\"a,b\"", "\"a,b\"", "a comma");
	jj_row_text(&row, f, "say \"hi\" \\o/");
	both(f, "\"say \"\"hi\"\" \\o/\"", "\"say \\\"hi\\\" \\\\o/\"", "quotes and backslashes");
	jj_row_text(&row, f, "a\r\n\tb\x1f\x7f");
	both(f, "\"a\r\n\tb\x1f\x7f\"", "\"a\\u000d\\u000a\\u0009b\\u001f\x7f\"", "control characters");
	jj_row_text(&row, f, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	both(f, "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"", "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"", "UTF-8");
	jj_row_put(&row, f, "a\0b", 3);
	both(f, "\"a\\x00b\"", "\"a\\\\x00b\"", "a zero");
	jj_row_text(&row, f, "\xff\xc3(\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82");
	both(f, "\"\\xFF\\xC3(\\xC0\\xAF\\xED\\xA0\\x80\\xF4\\x90\\x80\\x80\\xE2\\x82\"",
		 "\"\\\\xFF\\\\xC3(\\\\xC0\\\\xAF\\\\xED\\\\xA0\\\\x80\\\\xF4\\\\x90\\\\x80\\\\x80\\\\xE2\\\\x82\"", "what is no UTF-8");
	jj_row_text(&row, f, " x ");
	both(f, "\" x \"", "\" x \"", "spaces at the ends");
	jj_row_text(&row, f, "\\.");
	both(f, "\"\\.\"", "\"\\\\.\"", "what ends COPY, in a line of its own");
	jj_row_put(&row, b, "\0\xff\x10", 3);
	both(b, "\\x00ff10", "\"\\\\x00ff10\"", "bytea");
	jj_row_text(&row, j, "{\"a\": \"x\",\n\"b\": 1}");
	both(j, "\"{\"\"a\"\": \"\"x\"\",\n\"\"b\"\": 1}\"", "{\"a\": \"x\", \"b\": 1}", "jsonb");
}

static void
test_addresses_and_arrays(void)
{
	static const uint8_t mac[6] = {2, 0, 0, 0xab, 0xcd, 0xef};
	static const uint8_t address[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1};
	static const uint8_t addresses[22] = {4, 192, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
	static const double doubles[2] = {0.5, -1};
	static const int32_t ints[2] = {1, -2};
	static const int16_t smalls[1] = {7};
	const uint32_t sizes[4] = {6, JJ_NULL_ELEMENT, 0, 1};
	uint8_t		texts[64];
	size_t		used = 0;

	jj_row_put(&row, column(JJ_MACADDR), mac, 6);
	both(column(JJ_MACADDR), "02:00:00:ab:cd:ef", "\"02:00:00:ab:cd:ef\"", "macaddr");
	jj_row_inet(&row, column(JJ_INET), address, 4);
	both(column(JJ_INET), "192.0.2.1", "\"192.0.2.1\"", "IPv4");
	jj_row_inet(&row, column(JJ_INET), address, 6);
	both(column(JJ_INET), "2001:db8::c000:201", "\"2001:db8::c000:201\"", "IPv6");
	jj_row_put(&row, column(JJ_FLOAT8_ARRAY), doubles, sizeof(doubles));
	both(column(JJ_FLOAT8_ARRAY), "\"{0.5,-1}\"", "[0.5,-1]", "doubles");
	jj_row_put(&row, column(JJ_INT4_ARRAY), ints, sizeof(ints));
	both(column(JJ_INT4_ARRAY), "\"{1,-2}\"", "[1,-2]", "integers");
	jj_row_put(&row, column(JJ_INT2_ARRAY), smalls, sizeof(smalls));
	both(column(JJ_INT2_ARRAY), "\"{7}\"", "[7]", "small integers");
	jj_row_put(&row, column(JJ_INT4_ARRAY), ints, 0);
	both(column(JJ_INT4_ARRAY), "\"{}\"", "[]", "none");
	jj_row_put(&row, column(JJ_INET_ARRAY), addresses, sizeof(addresses));
	both(column(JJ_INET_ARRAY), "\"{192.0.2.1,2001:db8::9}\"", "[\"192.0.2.1\",\"2001:db8::9\"]", "addresses");
	for (int i = 0; i < 4; i++)
	{
		memcpy(texts + used, &sizes[i], 4);
		used += 4;
		if (sizes[i] == 6)
			memcpy(texts + used, "a\"b\\,\xc3", 6);
		else if (sizes[i] == 1)
			texts[used] = 'x';
		used += sizes[i] == JJ_NULL_ELEMENT ? 0 : sizes[i];
	}
	jj_row_put(&row, column(JJ_TEXT_ARRAY), texts, used);
	both(column(JJ_TEXT_ARRAY), "\"{\"\"a\\\"\"b\\\\,\\\\xC3\"\",NULL,\"\"\"\",\"\"x\"\"}\"", "[\"a\\\"b\\\\,\\\\xC3\",null,\"\",\"x\"]", "texts");
}

static void
test_lines(void)
{
	jj_feature_set few = {{0}};
	jj_rowstream_writer w;
	failing		f = {0};
	jj_allocator fa = {failing_alloc, failing_release, &f};
	size_t		lines = 0;

	jj_set_add(&few, JJ_F_src_ip);
	jj_set_add(&few, JJ_F_src_port);
	jj_set_add(&few, JJ_F_protocol);
	jj_rowstream_writer_init(&w, &a);
	jj_row_int(&row, JJ_F_src_port, 80);
	ok(jj_rowtext_csv_header(&w, &few, &err) == JJ_OK && jj_rowtext_csv(&w, &few, &row, &err) == JJ_OK && w.rows == 1, "lines");
	ok(w.used == 32 && memcmp(w.bytes, "src_ip,src_port,protocol\r\n,80,\r\n", 32) == 0, "with a header, and nothing for NULL");
	w.used = 0;
	jj_row_clear(&row);
	ok(jj_rowtext_json(&w, &row, &err) == JJ_OK && w.used == 3 && memcmp(w.bytes, "{}\n", 3) == 0, "an object of nothing");
	w.used = 0;
	for (unsigned k = 0; k < 4; k++)
	{
		fill_row(&row, k);
		(void) jj_rowtext_json(&w, &row, &err);
	}
	for (size_t i = 0; i < w.used; i++)
		lines += w.bytes[i] == '\n';
	is_int((int64_t) lines, 4, "each row is one line of JSON");
	jj_rowstream_writer_free(&w);

	jj_rowstream_writer_init(&w, &fa);
	f.fail_at = 1;
	ok(jj_rowtext_csv(&w, &all, &row, &err) == JJ_ERR_NOMEM && w.used == 0 && w.rows == 0, "without memory there is no line");
	f.fail_at = 0;
	ok(jj_rowtext_csv(&w, &all, &row, &err) == JJ_OK && w.rows == 1, "and one with it");
	jj_rowstream_writer_free(&w);
	is_int(f.live, 0, "which is given back");
}

int
main(void)
{
	a = jj_malloc_allocator();
	jj_set_all(&all);
	jj_row_init(&row, &all, &a);
	test_numbers();
	test_times();
	test_texts();
	test_addresses_and_arrays();
	test_lines();
	jj_row_free(&row);
	return done_testing();
}
