/*
 * The life cycle of a TCP connection, as far as it ends flows.
 *
 * Source: RFC 9293 3.6 (closing) and 3.10.7.4 (reset).
 */
#include "flow/table.h"

static inline bool
seq_ge(uint32_t a, uint32_t b)
{
	return a - b < UINT32_C(0x80000000);
}

bool
jj_tcp_is_new(const jj_flow *f, const jj_packet *p, int dir)
{
	bool		known = f->tcp_known & JJ_KNOWN_ISN << dir;

	if (f->closed)
		return !known || f->isn[dir] != p->seq;
	return known && f->isn[dir] != p->seq;
}

static inline bool
fin_acknowledged(const jj_flow *f, int dir)
{
	return (f->tcp_known & JJ_KNOWN_FIN << dir) && (f->tcp_known & JJ_KNOWN_ACK << (1 - dir))
		&& seq_ge(f->max_ack[1 - dir], f->fin_end[dir]);
}

static void
close_flow(jj_flow *f, jj_end_reason reason)
{
	f->closed = true;
	f->closed_at = f->clock;
	f->end_reason = (uint8_t) reason;
}

bool
jj_tcp_follow(jj_flow *f, const jj_packet *p, jj_flow_end rule, bool existing)
{
	int			d = p->dir;
	uint16_t	flags = p->tcp_flags;

	if (!(f->tcp_known & JJ_KNOWN_ISN << d))
	{
		f->isn[d] = flags & JJ_TCP_SYN ? p->seq : p->seq - 1;
		f->tcp_known |= (uint8_t) (JJ_KNOWN_ISN << d);
	}
	if (rule == JJ_FLOW_END_FIN_RST)
		return existing && (flags & (JJ_TCP_FIN | JJ_TCP_RST));
	if (rule != JJ_FLOW_END_TCP_CLOSE || f->closed)
		return false;
	if ((flags & JJ_TCP_ACK) && (!(f->tcp_known & JJ_KNOWN_ACK << d) || seq_ge(p->ack, f->max_ack[d])))
	{
		f->max_ack[d] = p->ack;
		f->tcp_known |= (uint8_t) (JJ_KNOWN_ACK << d);
	}
	if (flags & JJ_TCP_RST)
	{
		close_flow(f, JJ_END_TCP_RESET);
		return false;
	}
	if (flags & JJ_TCP_FIN)
	{
		f->fin_end[d] = p->seq + p->payload_len + (flags & JJ_TCP_SYN ? 1 : 0) + 1;
		f->tcp_known |= (uint8_t) (JJ_KNOWN_FIN << d);
	}
	if (fin_acknowledged(f, 0) && fin_acknowledged(f, 1))
		close_flow(f, JJ_END_TCP_CLOSE);
	return false;
}
