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

#define LOW_BITS UINT64_C(0x7f7f7f7f7f7f7f7f)
#define HIGH_BITS UINT64_C(0x8080808080808080)
#define ONES UINT64_C(0x0101010101010101)

/* The next n <= 8 bytes, zero behind them; in which order they lie doesn't matter here. */
static inline uint64_t
load(const uint8_t *b, uint32_t n)
{
	uint64_t	x = 0;

	memcpy(&x, b, n);
	return x;
}

/* Bits set in x (Hacker's Delight 5-1). */
static inline unsigned
set_bits(uint64_t x)
{
	x -= x >> 1 & UINT64_C(0x5555555555555555);
	x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
	x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned) (x * ONES >> 56);
}

/* The high bit of each byte that is printable: from 0x20 on, not from 0x7f on, below 0x80. */
static inline uint64_t
printable_bytes(uint64_t x)
{
	uint64_t	low = x & LOW_BITS;

	return (low + 0x60 * ONES) & ~(low + ONES) & ~x & HIGH_BITS;
}

/* Length of the run of printable bytes around the eight from byte i on. */
static uint32_t
run_around(const uint8_t *b, uint32_t n, uint32_t i)
{
	uint32_t	end = i + 8;

	while (i > 0 && is_printable(b[i - 1]))
		i--;
	while (end < n && is_printable(b[end]))
		end++;
	return end - i;
}

bool
jj_fp_fully_encrypted(const uint8_t *b, uint32_t n)
{
	uint64_t	printable = 0,
				ones = 0;
	uint32_t	first = 0;

	if (n >= 3 && (b[0] == 0x16 || b[0] == 0x17) && b[1] == 3 && b[2] <= 9)
		return false;
	while (first < 6 && first < n && is_printable(b[first]))
		first++;
	if (first == 6 || first == n)
		return false;
	if ((n >= 4 && (memcmp(b, "GET ", 4) == 0 || memcmp(b, "PUT ", 4) == 0)) ||
		(n >= 5 && (memcmp(b, "POST ", 5) == 0 || memcmp(b, "HEAD ", 5) == 0)))
		return false;
	for (uint32_t i = 0; i < n; i += 8)
	{
		uint64_t	x = load(b + i, n - i < 8 ? n - i : 8);
		uint64_t	mask = printable_bytes(x);

		ones += set_bits(x);
		printable += set_bits(mask);
		/* more than 20 in a row contain eight that begin at a multiple of eight */
		if (mask == HIGH_BITS && run_around(b, n, i) > 20)
			return false;
	}
	return printable * 2 <= n && ones * 5 > (uint64_t) n * 17 && ones * 5 < (uint64_t) n * 23;	/* 3.4 and 4.6 bits per byte */
}
