/*
 * TCP options.
 */
#include "packet/tcp_options.h"

#include <string.h>

static void
take_option(jj_tcp_options *o, uint8_t kind, const uint8_t *d, size_t n)
{
	switch (kind)
	{
		case JJ_TCPOPT_MSS:
			if (n == 2 && !o->has_mss)
			{
				o->has_mss = true;
				o->mss = (uint16_t) (d[0] << 8 | d[1]);
			}
			break;
		case JJ_TCPOPT_WS:
			if (n == 1 && !o->has_ws)
			{
				o->has_ws = true;
				o->ws = d[0];
			}
			break;
		case JJ_TCPOPT_SACK_PERMITTED:
			if (n == 0)
				o->sack_permitted = true;
			break;
		case JJ_TCPOPT_SACK:
			for (; n >= 8; d += 8, n -= 8)
			{
				if (o->n_sack < 2)
				{
					o->sack[o->n_sack][0] = jj_tcp_option_32(d);
					o->sack[o->n_sack][1] = jj_tcp_option_32(d + 4);
				}
				o->n_sack++;
			}
			break;
		case JJ_TCPOPT_TIMESTAMPS:
			if (n == 8 && !o->has_ts)
			{
				o->has_ts = true;
				o->tsval = jj_tcp_option_32(d);
				o->tsecr = jj_tcp_option_32(d + 4);
			}
			break;
		case JJ_TCPOPT_MPTCP:
			if (n >= 1)
				o->mptcp[o->n_mptcp++] = d[0];
			break;
		default:
			break;
	}
}

void
jj_tcp_options_parse(jj_tcp_options *o, const uint8_t *b, size_t n, size_t size)
{
	size_t		i = 0;

	memset(o, 0, sizeof(*o));
	o->padding = -1;
	o->cut = n < size;
	if (n > JJ_MAX_TCP_OPTIONS)
		n = JJ_MAX_TCP_OPTIONS;
	while (i < n)
	{
		uint8_t		kind = b[i];
		size_t		length = 1;

		if (kind == JJ_TCPOPT_EOL)
		{
			o->padding = (int8_t) (n - i - 1);
			return;
		}
		if (kind != JJ_TCPOPT_NOP)
		{
			if (i + 1 >= n || b[i + 1] < 2 || i + b[i + 1] > n)
			{
				o->bad = true;
				return;
			}
			length = b[i + 1];
			take_option(o, kind, b + i + 2, length - 2);
		}
		o->kind[o->n_options++] = kind;
		i += length;
	}
}
