/*
 * Text written piece by piece to where there is room for the longest.
 */
#ifndef JJ_TEXT_OUT_H
#define JJ_TEXT_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct jj_text_out
{
	char	   *to;				/* behind the last byte */
} jj_text_out;

static inline void
jj_out_byte(jj_text_out *t, char c)
{
	*t->to++ = c;
}

static inline void
jj_out_bytes(jj_text_out *t, const void *bytes, size_t size)
{
	if (size > 0)
		memcpy(t->to, bytes, size);
	t->to += size;
}

static inline void
jj_out_text(jj_text_out *t, const char *text)
{
	jj_out_bytes(t, text, strlen(text));
}

/* At most 10 bytes. */
static inline void
jj_out_number(jj_text_out *t, uint32_t v)
{
	char		digits[10];
	unsigned	i = sizeof(digits);

	do
		digits[--i] = (char) ('0' + v % 10);
	while ((v /= 10) > 0);
	jj_out_bytes(t, digits + i, sizeof(digits) - i);
}

/* Two lower-case digits. */
static inline void
jj_out_hex(jj_text_out *t, uint8_t v)
{
	static const char digit[] = "0123456789abcdef";

	jj_out_byte(t, digit[v >> 4]);
	jj_out_byte(t, digit[v & 15]);
}

#endif
