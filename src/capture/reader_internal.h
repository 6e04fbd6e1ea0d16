/*
 * What the parts of the reader share. Private to src/capture.
 */
#ifndef JJ_READER_INTERNAL_H
#define JJ_READER_INTERNAL_H

#include "capture/clock.h"
#include "capture/input.h"
#include "capture/reader.h"

/* A packet block or interface description beyond this is damage (libpcap's limit, too). */
#define JJ_MAX_BLOCK (16 * 1024 * 1024)

/* Interfaces described in all sections of one file; bounds what a hostile file can make us remember. */
#define JJ_MAX_IFACES 65536

#define JJ_SECTION_TYPE 0x0a0d0d0a
#define JJ_PCAP_HEADER 24
#define JJ_SECTION_MINIMUM 12	/* block type, length and byte order magic */

struct jj_reader
{
	jj_allocator a;
	jj_input	in;
	jj_reader_info info;
	jj_error	failure;		/* told when the frames before it are taken */
	bool		finished;
	bool		told_unusable;
	bool		told_short;

	/* classic pcap */
	uint32_t	tick;			/* ns */

	/* pcapng */
	jj_iface   *ifaces;
	jj_clock   *clocks;			/* of the interface of the same number */
	uint32_t	iface_capacity;
	uint32_t	section_first;	/* number of the section's first interface */
	int64_t		last_ts;

	uint32_t	warning_count;
	char		warnings[JJ_MAX_WARNINGS][JJ_MESSAGE_SIZE];
};

static inline uint16_t
jj_get16(const uint8_t *p, bool big)
{
	return (uint16_t) (big ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}

static inline uint32_t
jj_get32(const uint8_t *p, bool big)
{
	return big ? (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3]
		: (uint32_t) p[3] << 24 | (uint32_t) p[2] << 16 | (uint32_t) p[1] << 8 | p[0];
}

/* Keep a warning, printf-style. */
extern void jj_reader_warn(jj_reader *r, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 2, 3)))
#endif
;

/* End the reading at damage, with a warning. */
extern void jj_reader_stop(jj_reader *r, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 2, 3)))
#endif
;

/* End the reading inside a record, where the source ends; if compressed data ended in damage, the warning is that. */
extern void jj_reader_cut(jj_reader *r, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 2, 3)))
#endif
;

/* End the reading between records, where the source ends. */
extern void jj_reader_finish(jj_reader *r);

/* "byte 123", or "byte 123 of the decompressed data", for the next byte that is not used. */
typedef struct jj_place
{
	char		text[64];
} jj_place;

extern jj_place jj_reader_place(const jj_reader *r);

/* Room for one more interface, zeroed and counted; its number in *number. */
extern jj_code jj_reader_add_iface(jj_reader *r, uint32_t *number, jj_error *err);

/* Up to max next frames. Those that came before a failure are counted, too. */
extern jj_code jj_pcap_open(jj_reader *r, const uint8_t *header, jj_error *err);
extern jj_code jj_pcap_next(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err);
extern jj_code jj_pcapng_next(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err);

/* Fail with JJ_ERR_FORMAT and say what the bytes at the start of the source are, when they are no capture. */
extern jj_code jj_not_a_capture(const jj_input *in, jj_error *err);

#endif
