/*
 * HPACK, the header compression of HTTP/2 (RFC 7541): header blocks of one
 * direction, of which the fields that become columns are kept.
 */
#ifndef JJ_HPACK_H
#define JJ_HPACK_H

#include "extractors/stream.h"

#define JJ_HPACK_TABLE 4096		/* size of the dynamic table at the start (RFC 9113 6.5.2) */
#define JJ_HPACK_MAX_TABLE 65536	/* a larger one is an error here; entries count 32 at least, so 2048 of them */

/* The fields that are kept. */
typedef enum jj_hpack_name
{
	JJ_HPACK_AUTHORITY,
	JJ_HPACK_METHOD,
	JJ_HPACK_STATUS,
	JJ_HPACK_HOST,
	JJ_HPACK_USER_AGENT,
	JJ_HPACK_NAMES,
	JJ_HPACK_OTHER = JJ_HPACK_NAMES
} jj_hpack_name;

/* At most so many bytes of a value are kept; of an authority or host all, or none if it is longer. */
#define JJ_HPACK_METHOD_BYTES 32
#define JJ_HPACK_STATUS_BYTES 4
#define JJ_HPACK_AGENT_BYTES 1024
#define JJ_HPACK_HOST_BYTES 16384

/* Of each name the first field, of :status the last. */
typedef struct jj_hpack_fields
{
	struct
	{
		bool		has;
		jj_buffer	value;
	}			of[JJ_HPACK_NAMES];
} jj_hpack_fields;

/* An entry of the dynamic table; of names and values only what a later reference can ask for. */
typedef struct jj_hpack_entry
{
	uint32_t	name_size;
	uint32_t	value_size;
	uint8_t		name;			/* jj_hpack_name */
	uint32_t	n_kept;
	uint8_t    *kept;			/* the value of a field that is kept */
} jj_hpack_entry;

/* The decoder of one direction; zeroed memory with table_max = JJ_HPACK_TABLE is its start. */
typedef struct jj_hpack
{
	jj_hpack_entry *entry;		/* a ring */
	uint32_t	room;
	uint32_t	newest;			/* place of the entry with index 62 */
	uint32_t	n;
	uint32_t	table_size;		/* as RFC 7541 4.1 counts */
	uint32_t	table_max;

	/* private: where in a field representation the next byte lies */
	uint8_t		step;
	uint8_t		goal;			/* what the number, or string, is for */
	uint8_t		shift;			/* of the number's next byte */
	bool		add;			/* the field becomes an entry */
	bool		huffman;
	uint8_t		name;			/* jj_hpack_name */
	uint8_t		text[10];		/* a name so far */
	uint64_t	number;
	uint64_t	left;			/* bytes of the string to come */
	uint64_t	size;			/* decoded bytes of it so far */
	uint64_t	name_size;
	uint64_t	bits;			/* Huffman code not decoded yet, left-aligned */
	unsigned	n_bits;
	jj_buffer	value;
} jj_hpack;

typedef enum jj_hpack_result
{
	JJ_HPACK_OK,
	JJ_HPACK_BAD,				/* a decoding error; nothing after it can be decoded */
	JJ_HPACK_MEMORY
} jj_hpack_result;

/*
 * Take the next n bytes of a header block (RFC 7541 3, 6), of which only what
 * is kept needs memory. Fields that are complete go to *out, which the caller
 * zeroed. Release both with the functions below, whatever the result.
 */
extern jj_hpack_result jj_hpack_decode(jj_hpack *h, const uint8_t *bytes, uint32_t n, jj_hpack_fields *out, const jj_allocator *a);

/* Whether a header block may end here: between two fields. */
extern bool jj_hpack_complete(const jj_hpack *h);

extern void jj_hpack_free(jj_hpack *h, const jj_allocator *a);
extern void jj_hpack_fields_free(jj_hpack_fields *f, const jj_allocator *a);

#endif
