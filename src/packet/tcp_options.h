/*
 * TCP options of one segment.
 *
 * Source: RFC 9293 3.2, RFC 7323 (window scale, timestamps), RFC 2018 (SACK),
 * RFC 8684 (MPTCP).
 */
#ifndef JJ_TCP_OPTIONS_H
#define JJ_TCP_OPTIONS_H

#include "packet/packet.h"

#define JJ_TCPOPT_EOL 0
#define JJ_TCPOPT_NOP 1
#define JJ_TCPOPT_MSS 2
#define JJ_TCPOPT_WS 3
#define JJ_TCPOPT_SACK_PERMITTED 4
#define JJ_TCPOPT_SACK 5
#define JJ_TCPOPT_TIMESTAMPS 8
#define JJ_TCPOPT_MPTCP 30

#define JJ_MAX_TCP_OPTIONS 40	/* bytes, and so options */

/* The first of each kind counts, except of SACK and MPTCP. */
typedef struct jj_tcp_options
{
	bool		cut;			/* the capture ends inside the options */
	bool		bad;			/* an option with an impossible length ends the list */
	bool		has_mss;
	bool		has_ws;
	bool		has_ts;
	bool		sack_permitted;
	uint8_t		ws;
	uint8_t		n_options;		/* without EOL and what follows it */
	uint8_t		n_sack;			/* SACK blocks */
	uint8_t		n_mptcp;
	int8_t		padding;		/* bytes behind EOL, -1 if there is no EOL */
	uint16_t	mss;
	uint32_t	tsval;
	uint32_t	tsecr;
	uint32_t	sack[2][2];		/* the first two blocks: left and right edge */
	uint8_t		kind[JJ_MAX_TCP_OPTIONS];	/* in order */
	uint8_t		mptcp[JJ_MAX_TCP_OPTIONS / 3];	/* first byte of each MPTCP option: subtype and version or flags */
} jj_tcp_options;

/* Four bytes of an option as a number. */
static inline uint32_t
jj_tcp_option_32(const uint8_t *b)
{
	return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

/* Parse the n captured bytes of an option list that is size bytes long. */
extern void jj_tcp_options_parse(jj_tcp_options *o, const uint8_t *b, size_t n, size_t size);

#endif
