/*
 * Capture files to frames: classic pcap and pcapng, plain or compressed with
 * gzip, zstd or lz4, from a file descriptor or from memory.
 *
 * Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng (block types 1, 2,
 * 3, 6 and 0x0A0D0D0A; options if_tsresol 9, if_tsoffset 14).
 */
#ifndef JJ_READER_H
#define JJ_READER_H

#include "features/base.h"

/* A longer record length can only come from a damaged file (libpcap's MAXIMUM_SNAPLEN). */
#define JJ_MAX_RECORD 262144

/* One captured record. data belongs to the reader and stays valid until the next call of jj_reader_next. */
typedef struct jj_frame
{
	int64_t		ts;				/* ns since 1970-01-01 00:00 UTC; a record without a time has that of the record before */
	uint64_t	index;			/* number among the packet records of the source, from 1 */
	const uint8_t *data;
	uint32_t	caplen;			/* captured bytes at data */
	uint32_t	wirelen;		/* length on the wire, at least caplen except in simple packet blocks cut by the snap length */
	uint32_t	link;			/* LINKTYPE_ number */
	uint32_t	iface;			/* index in jj_reader_info.ifaces */
} jj_frame;

typedef enum jj_format
{
	JJ_FORMAT_PCAP,
	JJ_FORMAT_PCAP_MODIFIED,	/* Kuznetzov's patched libpcap, magic 0xa1b2cd34 */
	JJ_FORMAT_PCAPNG
} jj_format;

typedef enum jj_compression
{
	JJ_PLAIN,
	JJ_GZIP,
	JJ_ZSTD,
	JJ_LZ4
} jj_compression;

typedef struct jj_iface
{
	uint32_t	link;			/* LINKTYPE_ number */
	uint32_t	snaplen;		/* 0 = no limit */
	uint64_t	ticks_per_second;	/* 10^6 by default; 0 if the unit is finer than 2^-63 s or 10^-19 s */
	int64_t		offset_seconds; /* if_tsoffset */
	uint8_t		resolution;		/* if_tsresol: 10^-n s, with the top bit 2^-n s; 0 in pcap */
	uint32_t	section;		/* number of the pcapng section, from 1; 1 for pcap */
	uint64_t	packets;		/* records read so far */
	char		name[64];		/* if_name (option 2), cut to fit; empty if absent; '?' for what is not printable ASCII */
} jj_iface;

/* What is known of the source so far; grows as frames are read. */
typedef struct jj_reader_info
{
	jj_format	format;
	jj_compression compression;
	bool		big_endian;		/* of the current section */
	uint32_t	iface_count;
	const jj_iface *ifaces;		/* owned by the reader, may move at the next call */
	uint32_t	sections;		/* 1 for pcap */
	uint64_t	packets;		/* packet records seen, unusable ones included */
	uint64_t	unusable;		/* records that name an interface that is not described */
	uint64_t	bytes_in;		/* bytes of the source used, before decompression; what was read ahead does not count */
	uint64_t	bytes_total;	/* size of the source, 0 if unknown */
	bool		truncated;		/* the source ended inside a record, or was damaged */
} jj_reader_info;

typedef struct jj_reader jj_reader;

/*
 * Start reading a descriptor (a regular file at offset 0; it stays the
 * caller's and is not closed) or a buffer (must outlive the reader). Reads the
 * first header. Fails with JJ_ERR_FORMAT and a message that says what was
 * found (NetMon, snoop, text, ...), JJ_ERR_IO or JJ_ERR_NOMEM.
 * *out is NULL on failure, else to be given to jj_reader_close.
 */
extern jj_code jj_reader_open_fd(jj_reader **out, int fd, const jj_allocator *a, jj_error *err);
extern jj_code jj_reader_open_memory(jj_reader **out, const uint8_t *bytes, size_t size, const jj_allocator *a, jj_error *err);

/*
 * Up to max (>= 1) next frames; *count = 0 at the end of the source. A source
 * that is cut or damaged is no failure: all complete records come, then the
 * end, and jj_reader_warning says what and at which byte. A pcapng packet block
 * of more than 16 MB, and interface 65537, count as damage. JJ_ERR_IO and
 * JJ_ERR_NOMEM end the reading, after the frames before them.
 */
extern jj_code jj_reader_next(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err);

extern const jj_reader_info *jj_reader_info_get(const jj_reader *r);

/* The i-th thing that was wrong with the source, or NULL. At most JJ_MAX_WARNINGS are kept; the first ones. */
#define JJ_MAX_WARNINGS 8
extern const char *jj_reader_warning(const jj_reader *r, uint32_t i);

/* Release all memory; NULL is ignored. */
extern void jj_reader_close(jj_reader *r);

#endif
