/*
 * What the parts of the reader share.
 */
#ifndef JJ_READER_INTERNAL_H
#define JJ_READER_INTERNAL_H

#include "capture/input.h"

#include <string.h>

struct jj_reader
{
	jj_input	in;
	jj_reader_info info;
	jj_iface   *ifaces;
	uint32_t	iface_room;
	uint32_t	section_first;	/* interfaces of the current section begin here */
	bool		swap;			/* the source's byte order is not this machine's */
	bool		ended;
	uint32_t	fraction_ns;	/* pcap: nanoseconds of a unit of the fraction field */
	uint32_t	record_header;	/* pcap: bytes */
	uint32_t	link;			/* pcap */
	int64_t		last_ts;
	uint64_t	skip;			/* pcapng: bytes of a long block that are still to be passed over */
	jj_error	failure;		/* code is JJ_OK as long as all is well */
	char		warning[JJ_MAX_WARNINGS][JJ_MESSAGE_SIZE];
	uint32_t	warnings;
};

static inline uint32_t
get32(const jj_reader *r, const uint8_t *b)
{
	uint32_t	v;

	memcpy(&v, b, 4);
	if (r->swap)
		v = v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
	return v;
}

static inline uint16_t
get16(const jj_reader *r, const uint8_t *b)
{
	uint16_t	v;

	memcpy(&v, b, 2);
	return r->swap ? (uint16_t) (v >> 8 | v << 8) : v;
}

/* Make n bytes available in the window, which may move. False at the end of the source and on failure. */
static inline bool
jj_reader_fill(jj_reader *r, size_t n)
{
	return r->in.end - r->in.pos >= n
		|| (jj_input_need(&r->in, n, &r->failure) == JJ_OK && r->in.end - r->in.pos >= n);
}

static inline size_t
jj_input_left(const jj_input *in)
{
	return in->end - in->pos;
}

/* Offset of the next byte in the decompressed source. */
static inline uint64_t
jj_input_offset(const jj_input *in)
{
	return in->base + in->pos;
}

/* Remember a printf-style warning. */
extern void jj_reader_warn(jj_reader *r, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 2, 3)))
#endif
;

/* The source ends here, inside something: *what, or with damaged compression. */
extern void jj_reader_cut(jj_reader *r, const char *what);

/* A new interface, zeroed but for its section; NULL without memory. */
extern jj_iface *jj_reader_new_iface(jj_reader *r);

/* pcapng.c */
extern jj_code jj_pcapng_open(jj_reader *r, jj_error *err);
extern jj_code jj_pcapng_next(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err);

#endif
