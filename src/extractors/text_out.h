/*
 * Text of a length that is not known before: written twice by the same code,
 * first to be measured, then to where it belongs.
 */
#ifndef JJ_TEXT_OUT_H
#define JJ_TEXT_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct jj_text_out
{
	char	   *to;				/* NULL: only measure */
	size_t		n;				/* bytes so far */
} jj_text_out;

static inline void
jj_out_byte(jj_text_out *t, char c)
{
	if (t->to != NULL)
		t->to[t->n] = c;
	t->n++;
}

static inline void
jj_out_bytes(jj_text_out *t, const void *bytes, size_t size)
{
	if (t->to != NULL && size > 0)
		memcpy(t->to + t->n, bytes, size);
	t->n += size;
}

static inline void
jj_out_text(jj_text_out *t, const char *text)
{
	jj_out_bytes(t, text, strlen(text));
}

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
