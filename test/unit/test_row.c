/*
 * Rows, the registry, errors and allocation helpers.
 */
#include "features/row.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>

/* An allocator that gives out at most so many bytes in all. */
static void *
capped_alloc(void *ctx, size_t size)
{
	size_t	   *left = ctx;

	if (size > *left)
		return NULL;
	*left -= size;
	return malloc(size);
}

static void
capped_release(void *ctx, void *block)
{
	(void) ctx;
	free(block);
}

static void
test_registry(void)
{
	bool		unique = true;
	bool		complete = true;
	jj_feature_set all;

	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const jj_feature_info *i = &jj_feature_table[f];

		for (unsigned g = 0; g < f; g++)
			unique = unique && strcmp(i->name, jj_feature_table[g].name) != 0;
		complete = complete && i->name[0] != '\0' && i->definition[0] != '\0' && i->unit[0] != '\0' && i->null_when[0] != '\0'
			&& i->deviation[0] != '\0' && i->group < JJ_GROUPS && i->tier <= JJ_TIER_ADDED;
	}
	is_int(JJ_FEATURES, 475, "475 features");
	is_int(JJ_GROUPS, 23, "23 groups");
	ok(unique, "names are unique");
	ok(complete, "every feature has its texts");
	is_text(jj_feature_table[JJ_F_src_ip].name, "src_ip", "the enum indexes the table");
	is_text(jj_group_name[jj_feature_table[JJ_F_ja3_hash].group], "tls", "group of ja3_hash");
	is_text(jj_type_sql(JJ_FLOAT8_ARRAY), "double precision[]", "SQL type");
	jj_set_all(&all);
	ok(jj_set_has(&all, 0) && jj_set_has(&all, JJ_FEATURES - 1), "the full set");
}

static unsigned
count(const jj_feature_set *s)
{
	unsigned	n = 0;

	for (unsigned f = 0; f < JJ_FEATURES; f++)
		n += jj_set_has(s, f);
	return n;
}

static void
test_names(void)
{
	jj_feature_set s = {{0}};

	ok(jj_set_add_name(&s, "duration") && count(&s) == 1 && jj_set_has(&s, JJ_F_duration), "a column");
	ok(jj_set_add_name(&s, "mac") && count(&s) == 11, "a group of 10");
	ok(!jj_set_add_name(&s, "nothing") && !jj_set_add_name(&s, "") && count(&s) == 11, "an unknown name adds nothing");
	memset(&s, 0, sizeof(s));
	ok(jj_set_add_name(&s, "jj-core") && jj_set_has(&s, JJ_F_src_ip) && !jj_set_has(&s, JJ_F_start_ns), "a profile, in lower case");
	ok(jj_set_add_name(&s, "JJ-EXTENDED") && jj_set_add_name(&s, "JJ-EXPERIMENTAL") && count(&s) == 401, "the three profiles are 401 columns");
	ok(jj_set_add_name(&s, "all") && count(&s) == JJ_FEATURES, "all");
}

static void
test_values(void)
{
	static const uint8_t v4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
	jj_allocator a = jj_malloc_allocator();
	jj_feature_set wanted = {{0}};
	jj_row	   *row = malloc(sizeof(*row));
	const uint8_t *b;
	uint32_t	size;
	double	   *numbers;

	jj_set_add_name(&wanted, "flow_meta");
	jj_set_add_name(&wanted, "iat_sequence");
	jj_row_init(row, &wanted, &a);
	jj_row_int(row, JJ_F_total_packets, 7);
	jj_row_int(row, JJ_F_tcp_syn_count, 7);
	ok(jj_row_has(row, JJ_F_total_packets) && row->value[JJ_F_total_packets].i == 7, "an integer");
	ok(!jj_row_has(row, JJ_F_tcp_syn_count), "what is not wanted stays NULL");
	jj_row_double(row, JJ_F_duration, 0.5);
	jj_row_double(row, JJ_F_packets_ratio, INFINITY);
	jj_row_double(row, JJ_F_bytes_ratio, NAN);
	ok(jj_row_has(row, JJ_F_duration) && row->value[JJ_F_duration].d == 0.5, "a double");
	ok(!jj_row_has(row, JJ_F_packets_ratio) && !jj_row_has(row, JJ_F_bytes_ratio), "infinity and NaN stay NULL");
	jj_row_inet(row, JJ_F_src_ip, v4, 4);
	jj_row_inet(row, JJ_F_dst_ip, v4, 6);
	b = jj_row_bytes(row, JJ_F_src_ip, &size);
	ok(size == 4 && b[0] == 192 && b[3] == 1, "an IPv4 address");
	b = jj_row_bytes(row, JJ_F_dst_ip, &size);
	ok(size == 16 && memcmp(b, v4, 16) == 0, "an IPv6 address");
	jj_row_text(row, JJ_F_end_reason, "idle");
	jj_row_text(row, JJ_F_capture, "");
	b = jj_row_bytes(row, JJ_F_end_reason, &size);
	ok(size == 4 && memcmp(b, "idle", 4) == 0, "a text");
	jj_row_bytes(row, JJ_F_capture, &size);
	ok(jj_row_has(row, JJ_F_capture) && size == 0, "an empty text is not NULL");
	numbers = jj_row_reserve(row, JJ_F_iat_sequence, 5000 * sizeof(double));
	ok(numbers != NULL && (uintptr_t) numbers % 8 == 0, "room for an array, aligned");
	b = jj_row_bytes(row, JJ_F_src_ip, &size);
	ok(size == 4 && b[0] == 192, "earlier values survive the arena's growth");
	ok(jj_row_reserve(row, JJ_F_splt_times, 8) == NULL && !row->failed, "no room for what is not wanted, which is no failure");
	memset((uint8_t *) b - JJ_ROW_HEADROOM, 0xff, JJ_ROW_HEADROOM);
	memset((uint8_t *) jj_row_bytes(row, JJ_F_dst_ip, &size) - JJ_ROW_HEADROOM, 0xff, JJ_ROW_HEADROOM);
	memset((uint8_t *) jj_row_bytes(row, JJ_F_capture, &size) - JJ_ROW_HEADROOM, 0xff, JJ_ROW_HEADROOM);
	ok(b[0] == 192 && b[3] == 1 && memcmp(jj_row_bytes(row, JJ_F_dst_ip, &size), v4, 16) == 0 && memcmp(jj_row_bytes(row, JJ_F_end_reason, &size), "idle", 4) == 0,
	   "what is written in front of values is in none of them");
	jj_row_clear(row);
	ok(!jj_row_has(row, JJ_F_total_packets) && !jj_row_has(row, JJ_F_src_ip), "cleared");
	jj_row_free(row);
	free(row);
}

static void
test_memory(void)
{
	size_t		left = 4000;
	jj_allocator a = {capped_alloc, capped_release, &left};
	jj_feature_set wanted;
	jj_row	   *row = malloc(sizeof(*row));
	char	   *block;

	jj_set_all(&wanted);
	jj_row_init(row, &wanted, &a);
	jj_row_text(row, JJ_F_capture, "small");
	ok(!row->failed, "a small value fits");
	jj_row_reserve(row, JJ_F_iat_sequence, 100000);
	ok(row->failed && !jj_row_has(row, JJ_F_iat_sequence), "without memory the row has failed");
	jj_row_clear(row);
	ok(!row->failed, "and is usable again");
	jj_row_free(row);
	free(row);

	left = 1000;
	block = jj_alloc_zero(&a, 100);
	ok(block != NULL && block[0] == 0 && block[99] == 0, "zeroed memory");
	memcpy(block, "hello", 6);
	block = jj_regrow(&a, block, 100, 200);
	ok(block != NULL && strcmp(block, "hello") == 0, "a larger block keeps the bytes");
	ok(jj_regrow(&a, block, 200, 5000) == NULL && strcmp(block, "hello") == 0, "a block that can't grow is as before");
	ok(jj_alloc_zero(&a, 5000) == NULL, "no memory, no block");
	jj_release(&a, block);
	jj_release(&a, NULL);
}

static void
test_errors(void)
{
	jj_error	e = {0};

	ok(jj_fail(&e, JJ_ERR_FORMAT, "%d bytes", 3) == JJ_ERR_FORMAT && e.code == JJ_ERR_FORMAT, "the code comes back");
	is_text(e.message, "3 bytes", "message");
	jj_hint(&e, "Try %s.", "again");
	is_text(e.hint, "Try again.", "hint");
	jj_fail(&e, JJ_ERR_IO, "other");
	is_text(e.hint, "", "a new error has no hint");
	ok(jj_fail(NULL, JJ_ERR_IO, "nobody listens") == JJ_ERR_IO, "an error nobody wants to see");
}

int
main(void)
{
	test_registry();
	test_names();
	test_values();
	test_memory();
	test_errors();
	return done_testing();
}
