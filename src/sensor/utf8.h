/*
 * Characters of UTF-8.
 */
#ifndef JJ_UTF8_H
#define JJ_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that n > 0 bytes begin with, 0 if they begin with none (RFC 3629); a zero byte is none. */
static inline unsigned
jj_utf8_size(const uint8_t *b, size_t n)
{
	const unsigned size = b[0] < 0x80 ? b[0] != 0 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;

	if (size < 2)
		return size;
	if (size > n)
		return 0;
	for (unsigned i = 1; i < size; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
		return 0;
	return size;
}

#endif
