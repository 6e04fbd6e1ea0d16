/*
 * What writer and reader share. Private to src/sensor.
 */
#ifndef JJ_ROWSTREAM_INTERNAL_H
#define JJ_ROWSTREAM_INTERNAL_H

#include "sensor/rowstream.h"

#define JJ_ROWSTREAM_MAGIC "JJROWS\r\n"
#define JJ_ROWSTREAM_MAGIC_SIZE 8
#define JJ_ROWSTREAM_BITS ((JJ_FEATURES + 7) / 8)	/* bytes of a set of columns */
#define JJ_ROWSTREAM_FIXED 44	/* header in front of the set */
#define JJ_ROWSTREAM_HEADER (JJ_ROWSTREAM_FIXED + JJ_ROWSTREAM_BITS)
#define JJ_ROWSTREAM_HEAD 5		/* type and size of a message */
#define JJ_ROWSTREAM_NAME 16	/* library version */

static inline uint32_t
jj_get_le32(const uint8_t *p)
{
	return (uint32_t) p[3] << 24 | (uint32_t) p[2] << 16 | (uint32_t) p[1] << 8 | p[0];
}

static inline uint64_t
jj_get_le64(const uint8_t *p)
{
	return (uint64_t) jj_get_le32(p + 4) << 32 | jj_get_le32(p);
}

static inline void
jj_put_le(uint8_t *p, uint64_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = (uint8_t) (v >> 8 * i);
}

/* Smallest and largest value of an integer type. */
static inline void
jj_int_range(jj_type type, int64_t *min, int64_t *max)
{
	*min = type == JJ_INT2 ? INT16_MIN : type == JJ_INT4 ? INT32_MIN : INT64_MIN;
	*max = type == JJ_INT2 ? INT16_MAX : type == JJ_INT4 ? INT32_MAX : INT64_MAX;
}

/* Bytes of an element of an array of numbers, 0 if the type is none. */
static inline unsigned
jj_array_width(jj_type type)
{
	return type == JJ_FLOAT8_ARRAY ? 8 : type == JJ_INT4_ARRAY ? 4 : type == JJ_INT2_ARRAY ? 2 : 0;
}

/* Whether it is JSON text that becomes jsonb without an error, nested at most 64 deep (rowstream_json.c). */
extern bool jj_rowstream_json(const uint8_t *bytes, size_t size);

#endif
