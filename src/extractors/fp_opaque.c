/*
 * Whether a first payload looks like nothing at all.
 */
#include "extractors/fp.h"

#include <string.h>

static inline bool
is_printable(uint8_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

static unsigned
set_bits(const uint8_t *b, uint32_t n)
{
	static const uint8_t in_nibble[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
	unsigned	ones = 0;

	for (uint32_t i = 0; i < n; i++)
		ones += in_nibble[b[i] >> 4] + in_nibble[b[i] & 15];
	return ones;
}

bool
jj_fp_fully_encrypted(const uint8_t *b, uint32_t n)
{
	uint32_t	printable = 0,
				run = 0,
				first = 0;
	uint64_t	ones;

	/* the tests that end soonest come first */
	if (n >= 3 && (b[0] == 0x16 || b[0] == 0x17) && b[1] == 3 && b[2] <= 9)
		return false;
	while (first < 6 && first < n && is_printable(b[first]))
		first++;
	if (first == 6 || first == n)
		return false;
	if ((n >= 4 && (memcmp(b, "GET ", 4) == 0 || memcmp(b, "PUT ", 4) == 0)) ||
		(n >= 5 && (memcmp(b, "POST ", 5) == 0 || memcmp(b, "HEAD ", 5) == 0)))
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		if (!is_printable(b[i]))
		{
			run = 0;
			continue;
		}
		printable++;
		if (++run > 20)
			return false;
	}
	if (printable * 2 > n)
		return false;
	ones = set_bits(b, n);
	return ones * 5 > (uint64_t) n * 17 && ones * 5 < (uint64_t) n * 23;	/* 3.4 and 4.6 bits per byte */
}
