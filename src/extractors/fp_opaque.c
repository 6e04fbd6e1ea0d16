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

/* Bits set in each byte of x (Hacker's Delight 5-1). */
static inline uint64_t
set_bits(uint64_t x)
{
	x -= x >> 1 & UINT64_C(0x5555555555555555);
	x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
	return (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
}

/* Sum of the bytes of x. */
static inline uint32_t
sum_of_bytes(uint64_t x)
{
	x = (x & UINT64_C(0x00ff00ff00ff00ff)) + (x >> 8 & UINT64_C(0x00ff00ff00ff00ff));
	return (uint32_t) (x * UINT64_C(0x0001000100010001) >> 48);
}

#define STRETCH (31 * 8)		/* so many bytes at a time: of 31 with a place in their eights, at most 248 bits are set */

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
	uint32_t	i = 0;

	if (n >= 3 && (b[0] == 0x16 || b[0] == 0x17) && b[1] == 3 && b[2] <= 9)
		return false;
	while (first < 6 && first < n && is_printable(b[first]))
		first++;
	if (first == 6 || first == n)
		return false;
	if ((n >= 4 && (memcmp(b, "GET ", 4) == 0 || memcmp(b, "PUT ", 4) == 0)) ||
		(n >= 5 && (memcmp(b, "POST ", 5) == 0 || memcmp(b, "HEAD ", 5) == 0)))
		return false;
	while (i < n)
	{
		uint32_t	stop = n - i < STRETCH ? n : i + STRETCH;
		uint64_t	bits = 0;
		uint64_t	characters = 0;

		for (; i < stop; i += 8)
		{
			uint64_t	x = JJ_LIKELY(n - i >= 8) ? load(b + i, 8) : load(b + i, n - i);
			uint64_t	mask = printable_bytes(x);

			bits += set_bits(x);
			characters += mask >> 7;
			/* more than 20 in a row contain eight that begin at a multiple of eight */
			if (JJ_UNLIKELY(mask == HIGH_BITS) && run_around(b, n, i) > 20)
				return false;
		}
		ones += sum_of_bytes(bits);
		printable += sum_of_bytes(characters);
	}
	return printable * 2 <= n && ones * 5 > (uint64_t) n * 17 && ones * 5 < (uint64_t) n * 23;	/* 3.4 and 4.6 bits per byte */
}
