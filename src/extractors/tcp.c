/*
 * Group tcp: flags, handshake and close. Source: RFC 9293, RFC 3168 (ECE, CWR), RFC 9768 (AE).
 */
#include "extractors/extractor.h"

/* One cache line. */
typedef struct tcp_state
{
	uint32_t	packets;		/* with a readable TCP header */
	uint32_t	syn;
	uint32_t	synack;
	uint32_t	fin;
	uint32_t	rst;
	uint32_t	ack;
	uint32_t	psh;
	uint32_t	urg;
	uint32_t	ece;
	uint32_t	cwr;
	uint32_t	data;
	uint32_t	ack_only;
	uint32_t	syn_seq;		/* of the initiator's latest SYN */
	uint32_t	synack_seq;		/* of the responder's latest SYN-ACK that answers it */
	uint16_t	syn_payload;
	uint16_t	flags[2];
	uint8_t		bits;			/* STATE_ */
	uint8_t		dirs;			/* directions with a TCP header */
} tcp_state;

#define STATE_SYN 1				/* the initiator's SYN was seen */
#define STATE_SYNACK 2			/* and was answered */
#define STATE_HANDSHAKE 4		/* and that was acknowledged */
#define STATE_SYNACK_ANY 8		/* the responder sent a SYN-ACK */
#define STATE_FIN_FWD 16
#define STATE_FIN_BWD 32
#define STATE_ANOMALY 64

static void
follow_handshake(tcp_state *s, const jj_packet *p)
{
	uint16_t	syn_ack = p->tcp_flags & (JJ_TCP_SYN | JJ_TCP_ACK);

	if (p->dir == 0)
	{
		if (syn_ack == JJ_TCP_SYN)
		{
			s->bits |= STATE_SYN;
			s->syn_seq = p->seq;
			s->syn_payload = p->payload_len > UINT16_MAX ? UINT16_MAX : (uint16_t) p->payload_len;
		}
		else if ((s->bits & STATE_SYNACK) && syn_ack == JJ_TCP_ACK && !(p->tcp_flags & JJ_TCP_RST)
				 && p->ack - s->synack_seq - 1 < UINT32_C(0x80000000))
			s->bits |= STATE_HANDSHAKE;
	}
	else if (syn_ack == (JJ_TCP_SYN | JJ_TCP_ACK))
	{
		s->bits |= STATE_SYNACK_ANY;
		if ((s->bits & STATE_SYN) && p->ack - s->syn_seq - 1 <= s->syn_payload)
		{
			s->bits |= STATE_SYNACK;
			s->synack_seq = p->seq;
		}
	}
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	tcp_state  *s = state;
	uint16_t	flags = p->tcp_flags;

	(void) w;
	if (!p->has_tcp)
		return true;
	s->packets++;
	s->flags[p->dir] |= flags;
	s->dirs |= (uint8_t) (1 << p->dir);
	s->ack += flags >> 4 & 1;
	s->psh += flags >> 3 & 1;
	s->data += p->payload_len > 0;
	s->ack_only += (flags & (JJ_TCP_ACK | JJ_TCP_SYN | JJ_TCP_FIN | JJ_TCP_RST)) == JJ_TCP_ACK && p->payload_len == 0;
	if ((flags & (JJ_TCP_SYN | JJ_TCP_FIN | JJ_TCP_RST | JJ_TCP_URG | JJ_TCP_ECE | JJ_TCP_CWR)) != 0
		|| !(flags & JJ_TCP_ACK))
	{
		if (flags & JJ_TCP_SYN)
		{
			if (flags & JJ_TCP_ACK)
				s->synack++;
			else
				s->syn++;
		}
		s->fin += flags & 1;
		s->rst += flags >> 2 & 1;
		s->urg += flags >> 5 & 1;
		s->ece += flags >> 6 & 1;
		s->cwr += flags >> 7 & 1;
		if (flags & JJ_TCP_FIN)
			s->bits |= p->dir ? STATE_FIN_BWD : STATE_FIN_FWD;
		if (!(flags & (JJ_TCP_SYN | JJ_TCP_ACK | JJ_TCP_RST))
			|| ((flags & JJ_TCP_SYN) && (flags & (JJ_TCP_FIN | JJ_TCP_RST))))
			s->bits |= STATE_ANOMALY;
	}
	if (!(s->bits & STATE_HANDSHAKE))
		follow_handshake(s, p);
	return true;
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const tcp_state *s = state;
	bool		is_tcp = f->key.proto == JJ_PROTO_TCP;
	bool		initiator_syn = s->bits & STATE_SYN;
	bool		synack = s->bits & STATE_SYNACK_ANY;
	bool		handshake = s->bits & STATE_HANDSHAKE;
	bool		fin_fwd = s->bits & STATE_FIN_FWD;
	bool		fin_bwd = s->bits & STATE_FIN_BWD;
	bool		anomaly = s->bits & STATE_ANOMALY;
	double		n = s->packets;

	(void) fold;
	(void) w;
	jj_row_int(row, JJ_F_tcp_is_tcp, is_tcp);
	if (!is_tcp || s->packets == 0)
		return true;
	jj_row_int(row, JJ_F_tcp_syn_count, s->syn);
	jj_row_int(row, JJ_F_tcp_synack_count, s->synack);
	jj_row_int(row, JJ_F_tcp_fin_count, s->fin);
	jj_row_int(row, JJ_F_tcp_rst_count, s->rst);
	jj_row_int(row, JJ_F_tcp_ack_count, s->ack);
	jj_row_int(row, JJ_F_tcp_psh_count, s->psh);
	jj_row_int(row, JJ_F_tcp_urg_count, s->urg);
	jj_row_int(row, JJ_F_tcp_ece_count, s->ece);
	jj_row_int(row, JJ_F_tcp_cwr_count, s->cwr);
	jj_row_int(row, JJ_F_tcp_complete_handshake, handshake);
	jj_row_int(row, JJ_F_tcp_graceful_close, fin_fwd && fin_bwd);
	jj_row_int(row, JJ_F_tcp_reset_close, s->rst > 0);
	jj_row_double(row, JJ_F_tcp_syn_ratio, ((double) s->syn + s->synack) / n);
	jj_row_double(row, JJ_F_tcp_fin_ratio, s->fin / n);
	jj_row_double(row, JJ_F_tcp_rst_ratio, s->rst / n);
	jj_row_double(row, JJ_F_tcp_psh_ratio, s->psh / n);
	jj_row_int(row, JJ_F_tcp_data_packets, s->data);
	jj_row_int(row, JJ_F_tcp_ack_only_packets, s->ack_only);
	jj_row_int(row, JJ_F_tcp_flags_anomaly, anomaly);
	jj_row_int(row, JJ_F_tcp_initiator_syn, initiator_syn);
	jj_row_int(row, JJ_F_tcp_responder_synack, synack);
	jj_row_int(row, JJ_F_tcp_fstat, initiator_syn | synack << 1 | handshake << 2 | fin_fwd << 3 | fin_bwd << 4
			   | (s->rst > 0) << 5 | (s->data > 0) << 6 | anomaly << 7);
	jj_row_int(row, JJ_F_tcp_flags_agg, s->flags[0] | s->flags[1]);
	if (s->dirs & 1)
		jj_row_int(row, JJ_F_tcp_flags_fwd, s->flags[0]);
	if (s->dirs & 2)
		jj_row_int(row, JJ_F_tcp_flags_bwd, s->flags[1]);
	return true;
}

const jj_extractor jj_extract_tcp = {
	.group = JJ_G_tcp,
	.state_size = sizeof(tcp_state),
	.kinds = JJ_FOR_TCP,
	.update = update,
	.emit = emit,
};
