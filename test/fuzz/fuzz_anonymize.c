/*
 * Fuzz target: addresses in texts and bytes from the network.
 *
 * Input: a byte (0 = text, 1 = TCP options, 2 = preferred_address of QUIC, taken modulo 3), and that.
 */
#include "features/anonymize.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(x) do { if (!(x)) abort(); } while (0)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jj_cryptopan *c;

static void
check_text(const char *text, size_t size)
{
	jj_scanned	a = {.allocator = jj_malloc_allocator()};
	jj_scanned	b = {.allocator = jj_malloc_allocator()};
	bool		found = jj_anonymize_text(c, text, size, &a);

	CHECK(!a.failed && a.used <= 40 * size);
	CHECK(found || (a.used == size && (size == 0 || memcmp(a.text, text, size) == 0)));
	CHECK(jj_anonymize_text(c, text, size, &b) == found && b.used == a.used && (a.used == 0 || memcmp(a.text, b.text, a.used) == 0));
	free(a.text);
	free(b.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[JJ_CRYPTOPAN_KEY] = "a key that is always the same 1";
	const jj_allocator a = jj_malloc_allocator();
	uint8_t    *copy;

	if (c == NULL)
		CHECK(jj_cryptopan_open(&c, key, &a, NULL) == JJ_OK);
	if (size == 0)
		return 0;
	copy = malloc(size);
	CHECK(copy != NULL);
	memcpy(copy, data, size);
	if (data[0] % 3 == 0)
		check_text((const char *) copy + 1, size - 1);
	else if (data[0] % 3 == 1)
		jj_anonymize_tcp_options(c, copy + 1, size - 1);
	else
		CHECK(jj_anonymize_preferred(c, copy + 1, size - 1) == (size - 1 >= 24));
	free(copy);
	return 0;
}
