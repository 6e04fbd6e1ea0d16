/*
 * A segment on its way through the analysis of TCP connections: tcp_analysis.c
 * follows sequence numbers, round-trip times and windows, tcp_handshake.c
 * options and the handshake.
 */
#ifndef JJ_TCP_SEGMENT_H
#define JJ_TCP_SEGMENT_H

#include "extractors/tcp_analysis.h"

#define SYN JJ_TCP_SYN
#define FIN JJ_TCP_FIN
#define RST JJ_TCP_RST
#define ACK JJ_TCP_ACK

/* A segment, and where it belongs. */
typedef struct jj_tcp_segment
{
	const jj_packet *p;
	uint16_t	flags;
	bool		consumes;		/* occupies sequence space */
	bool		has_ts;
	uint32_t	end;			/* sequence number behind it, if it isn't an RST */
	uint32_t	tsval;
	uint32_t	tsecr;
	unsigned	marks;			/* MARK_ */
	jj_tcp_side *s;				/* sender */
	jj_tcp_side *r;				/* receiver */
	jj_tcp_rest *rest;			/* of the sender */
} jj_tcp_segment;

#define JJ_TCP_BIT_TIMESTAMPS 8	/* in jj_tcp_analysis.option_bits */

/* Take all options of a segment: sets the timestamps in g. */
extern void jj_tcp_take_options(jj_tcp_analysis *t, jj_tcp_segment *g);

/* A SYN, or a segment before the handshake is complete and its time known. False without memory. */
extern bool jj_tcp_follow_handshake(jj_tcp_analysis *t, const jj_tcp_segment *g, const jj_work *w);

#endif
