/*
 * One side of an SSH connection, byte by byte: the identification line behind
 * other lines of text (RFC 4253 4.2), then binary packets (RFC 4253 6) up to
 * NEWKEYS.
 */
#ifndef JJ_SSH_SIDE_H
#define JJ_SSH_SIDE_H

#include "extractors/stream.h"

#define JJ_SSH_HEAD 8192		/* the identification line ends in so many bytes */
#define JJ_SSH_SHOWN 246		/* bytes of a version or software that are kept: a line of 255 has no more */
#define JJ_SSH_PACKET 65536		/* a longer packet_length is none; RFC 4253 6.1 asks for 35000 */
#define JJ_SSH_LISTS 10			/* name-lists of KEXINIT */

/* Message numbers (RFC 4250 4.1.2, RFC 4419 5, RFC 5656 7.1). */
enum
{
	JJ_SSH_KEXINIT = 20,
	JJ_SSH_NEWKEYS = 21,
	JJ_SSH_KEXDH_INIT = 30,
	JJ_SSH_KEXDH_REPLY = 31,
	JJ_SSH_GEX_REPLY = 33,
	JJ_SSH_GEX_REQUEST = 34
};

/* Position in lines of text. Zeroed at the start of a stream. */
typedef struct jj_ssh_lines_at
{
	uint8_t		matched;		/* bytes of "SSH-" at the start of the line */
	bool		text;			/* the line begins with something else */
	bool		cr;				/* the last byte was a CR */
	bool		banner;			/* a line went before */
} jj_ssh_lines_at;

typedef enum jj_ssh_found
{
	JJ_SSH_MORE,
	JJ_SSH_NOT,					/* a byte that no such text has */
	JJ_SSH_LINE					/* a line begins with "SSH-" */
} jj_ssh_found;

/*
 * Look through n bytes for a line that begins with "SSH-", of which there may
 * be a part in front; *used is the number of bytes up to and with these four.
 */
extern jj_ssh_found jj_ssh_find_line(jj_ssh_lines_at *at, const uint8_t *bytes, uint32_t n, uint32_t *used);

/* Whether the first bytes of a stream may begin such text. */
extern bool jj_ssh_may_begin(const uint8_t *bytes, uint32_t n);

typedef struct jj_ssh_name
{
	const uint8_t *bytes;
	uint32_t	n;
} jj_ssh_name;

typedef enum jj_ssh_step
{
	JJ_SSH_IN_LINE,				/* in the identification line, behind "SSH-" */
	JJ_SSH_IN_PACKETS,
	JJ_SSH_KEYED,				/* behind NEWKEYS */
	JJ_SSH_STOPPED				/* what follows is not read */
} jj_ssh_step;

/* Zeroed at the start of the identification line. */
typedef struct jj_ssh_side
{
	uint8_t		step;			/* jj_ssh_step */
	bool		identified;
	bool		has_version;	/* protoversion is two numbers */
	bool		client;			/* sent a message that only clients send */
	uint8_t		version_size;	/* of the text, in identification */
	uint8_t		software_size;	/* behind it */
	uint8_t		head_size;		/* bytes in head */
	uint8_t		head[6];		/* of a packet: packet_length, padding_length, message number */
	uint32_t	version[2];		/* major, minor */
	uint32_t	left;			/* bytes of the packet that are to come */
	uint32_t	payload_left;	/* of these, bytes to be collected */
	uint32_t	kex_packets;	/* with message number 20 to 49, complete; up to UINT32_MAX */
	uint64_t	newkeys;		/* stream offset behind it, with JJ_SSH_KEYED */
	jj_buffer	kept;			/* the line, or the payload being collected */
	uint8_t    *identification;
	uint8_t    *kexinit;		/* payload of the first with ten lists */
	uint32_t	kexinit_size;
	uint32_t	host_key_size;
	uint8_t    *host_key;		/* K_S of the first reply that has one */
} jj_ssh_side;

/* What of the packets is to be kept. */
#define JJ_SSH_KEEP_KEXINIT 1
#define JJ_SSH_KEEP_HOST_KEY 2

/*
 * The next n bytes of the side's stream, of which bytes[0] is at offset. The
 * side reads on until its step is JJ_SSH_KEYED or JJ_SSH_STOPPED. False without memory.
 */
extern bool jj_ssh_read(jj_ssh_side *s, const uint8_t *bytes, uint32_t n, uint64_t offset, unsigned keep, const jj_allocator *a);

extern void jj_ssh_side_free(jj_ssh_side *s, const jj_allocator *a);

/* Whether the version's packets are those of SSH 2: 2.0 and later, and 1.99 (RFC 4253 5.1). */
extern bool jj_ssh_is_2(const jj_ssh_side *s);

/* The ten name-lists of a KEXINIT payload (RFC 4253 7.1); false if they aren't all there. */
extern bool jj_ssh_name_lists(const uint8_t *payload, uint32_t n, jj_ssh_name list[JJ_SSH_LISTS]);

/* Whether the bytes are a public key: they begin with the length and name of a known type. */
extern bool jj_ssh_is_key(const uint8_t *bytes, uint32_t n);

#define JJ_SSH_ALGORITHMS 8		/* kex, host key, then encryption, mac, compression, each to the server and to the client */

/*
 * What two KEXINITs agree on (RFC 4253 7.1); bytes NULL where there is no
 * common name. A mac is "implicit" with an AEAD cipher. Lists so long that more
 * than 2^18 names would have to be compared are left out, as if nothing were common.
 */
extern void jj_ssh_negotiate(const jj_ssh_name client[JJ_SSH_LISTS], const jj_ssh_name server[JJ_SSH_LISTS], jj_ssh_name agreed[JJ_SSH_ALGORITHMS]);

#endif
