/*
 * Group tcp_fingerprint: the SYN and the SYN-ACK in p0f's notation, a hint at
 * the system that sent them, and the uptime that its timestamps suggest.
 *
 * Source: p0f 3, README, section 5 (TCP signatures); quirks by the same names.
 */
#include "extractors/tcp_analysis.h"

#include <math.h>
#include <string.h>

/*
 * Room for the longest signature: 40 options of "sack," or "?254,", all
 * quirks, and a dozen numbers.
 */
#define TEXT_SIZE 512

/* Each of these writes at t and returns the place behind it. */
static inline char *
put(char *t, const char *s, size_t n)
{
	memcpy(t, s, n);
	return t + n;
}

#define PUT(t, literal) put(t, literal, sizeof(literal) - 1)

static char *
put_number(char *t, int n)
{
	char		digits[12];
	char	   *d = digits + sizeof(digits);
	unsigned	left = n < 0 ? -(unsigned) n : (unsigned) n;

	do
		*--d = (char) ('0' + left % 10);
	while ((left /= 10) > 0);
	if (n < 0)
		*--d = '-';
	while (d < digits + sizeof(digits))
		*t++ = *d++;
	return t;
}

static int
initial_ttl(uint8_t ttl)
{
	return ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
}

/* "mss,sok,ts,nop,ws" */
static char *
put_layout(char *t, const jj_tcp_options *o)
{
	static const char name[][5] = {"eol", "nop", "mss", "ws", "sok", "sack", "", "", "ts"};
	static const uint8_t size[] = {3, 3, 3, 2, 3, 4, 0, 0, 2};

	for (unsigned i = 0; i < o->n_options; i++)
	{
		uint8_t		kind = o->kind[i];

		if (i > 0)
			*t++ = ',';
		if (kind < sizeof(size) && size[kind] > 0)
		{
			memcpy(t, name[kind], 4);
			t += size[kind];
		}
		else
		{
			*t++ = '?';
			t = put_number(t, kind);
		}
	}
	if (o->padding >= 0)
	{
		if (o->n_options > 0)
			*t++ = ',';
		t = PUT(t, "eol+");
		t = put_number(t, o->padding);
	}
	return t;
}

static bool
padding_is_dirty(const jj_tcp_syn *y, const jj_tcp_options *o)
{
	for (int i = 1; i <= o->padding; i++)
		if (y->raw[y->n_raw - i] != 0)
			return true;
	return false;
}

#define QUIRK(there, name) \
	do { \
		if (there) \
			t = PUT(t, name ","); \
	} while (0)

static char *
put_quirks(char *t, const jj_tcp_syn *y, const jj_tcp_options *o)
{
	char	   *start = t;
	bool		v4 = y->ip_version == 4;
	bool		df = v4 && (y->ip_flags & 2);
	bool		ack = y->flags & JJ_TCP_ACK;
	bool		urg = y->flags & JJ_TCP_URG;

	QUIRK(df, "df");
	QUIRK(df && y->ip_id, "id+");
	QUIRK(v4 && !df && !y->ip_id, "id-");
	QUIRK((y->tos & 3) || (y->flags & (JJ_TCP_ECE | JJ_TCP_CWR)), "ecn");
	QUIRK(v4 && (y->ip_flags & 4), "0+");
	QUIRK(!v4 && y->flow_label, "flow");
	QUIRK(!y->seq, "seq-");
	QUIRK(!ack && y->ack, "ack+");
	QUIRK(ack && !y->ack, "ack-");
	QUIRK(!urg && y->urgent, "uptr+");
	QUIRK(urg, "urgf+");
	QUIRK(y->flags & JJ_TCP_PSH, "pushf+");
	QUIRK(o->has_ts && o->tsval == 0, "ts1-");
	QUIRK(!ack && o->has_ts && o->tsecr != 0, "ts2+");
	QUIRK(padding_is_dirty(y, o), "opt+");
	QUIRK(o->has_ws && o->ws > 14, "exws");
	QUIRK(o->bad, "bad");
	return t > start ? t - 1 : t;	/* without the last comma */
}

/* version:initial TTL:IP option bytes:MSS:window,scale:option layout:quirks:payload class */
static char *
put_signature(char *t, const jj_tcp_syn *y, const jj_tcp_options *o, const char *layout, size_t layout_size)
{
	bool		v4 = y->ip_version == 4;
	int			mss = o->has_mss ? o->mss : 0;
	int			mtu = mss + (v4 ? 40 : 60);

	t = put_number(t, y->ip_version);
	*t++ = ':';
	t = put_number(t, initial_ttl(y->ttl));
	*t++ = ':';
	t = put_number(t, y->ip_header_len - (v4 ? 20 : 40));
	*t++ = ':';
	t = put_number(t, mss);
	*t++ = ':';
	if (y->window != 0 && mss >= 100 && y->window % mss == 0)
	{
		t = PUT(t, "mss*");
		t = put_number(t, y->window / mss);
	}
	else if (y->window != 0 && mss >= 100 && y->window % mtu == 0)
	{
		t = PUT(t, "mtu*");
		t = put_number(t, y->window / mtu);
	}
	else
		t = put_number(t, y->window);
	*t++ = ',';
	t = put_number(t, o->has_ws ? o->ws : 0);
	*t++ = ':';
	t = put(t, layout, layout_size);
	*t++ = ':';
	t = put_quirks(t, y, o);
	return put(t, y->payload ? ":+" : ":0", 2);
}

/* A stack whose SYNs, or SYN-ACKs, look so; window 0 stands for any above 1024. The first match wins. */
typedef struct stack
{
	bool		syn;
	bool		syn_ack;
	int			ttl;
	uint16_t	window;
	const char *layout;
	const char *name;
} stack;

static const stack stacks[] = {
	{true, true, 64, 65535, "mss,nop,ws,nop,nop,ts,sok,eol+1", "macos"},
	{true, false, 64, 65535, "mss,nop,ws,sok,eol+1", "macos"},
	{true, false, 64, 65535, "mss,nop,ws,nop,nop,ts,sok,nop,nop", "macos"},
	{false, true, 64, 65535, "mss,sok,eol+1", "macos"},
	{true, true, 64, 65535, "mss,nop,ws,sok,ts", "freebsd"},
	{false, true, 64, 65535, "mss,nop,ws,sok,eol+1", "freebsd"},
	{true, true, 64, 16384, "mss,nop,nop,sok,nop,ws,nop,nop,ts", "openbsd"},
	{true, true, 64, 0, "mss,sok,ts,nop,ws", "linux"},
	{true, true, 64, 0, "mss,nop,nop,sok,nop,ws", "linux"},
	{true, true, 64, 0, "mss,nop,nop,ts,nop,ws", "linux"},
	{true, true, 64, 0, "mss,sok,ts,nop,ws,nop,nop,?34", "linux"},
	{false, true, 64, 0, "mss,nop,nop,sok", "linux"},
	{false, true, 64, 0, "mss,nop,ws", "linux"},
	{false, true, 64, 0, "mss,nop,nop,ts", "linux"},
	{true, true, 128, 0, "mss,nop,ws,nop,nop,sok", "windows"},
	{true, true, 128, 0, "mss,nop,nop,sok", "windows"},
	{true, true, 128, 0, "mss,nop,ws,sok,ts", "windows"},
	{true, true, 128, 0, "mss,nop,ws,nop,nop,ts,nop,nop,sok", "windows"},
	{false, true, 128, 0, "mss,nop,ws", "windows"},
	{false, true, 128, 0, "mss,nop,ws,nop,nop,ts", "windows"},
	{true, true, 255, 4128, "mss", "cisco-ios"},
};

static const char *
os_hint(const jj_tcp_syn *y, const char *layout, size_t size)
{
	bool		ack = y->flags & JJ_TCP_ACK;
	int			ttl = initial_ttl(y->ttl);

	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
	{
		const stack *s = &stacks[i];

		if ((ack ? s->syn_ack : s->syn) && s->ttl == ttl && (s->window != 0 ? y->window == s->window : y->window > 1024)
			&& strncmp(s->layout, layout, size) == 0 && s->layout[size] == '\0')
			return s->name;
	}
	return "unknown";
}

/* Hours on the timestamp clock at the first timestamp, if its rate is one in use. */
static void
emit_uptime(const jj_tcp_side *s, const jj_tcp_rest *rest, jj_feature f, jj_row *row)
{
	static const int clock_hz[] = {1, 2, 10, 100, 200, 250, 500, 1000};
	int64_t		span = s->ts_new_t - rest->ts_first_t;
	double		rate;

	if (s->ts_count < 2 || span < JJ_SECOND)
		return;
	rate = (double) s->ts_diff * 1e9 / (double) span;
	for (size_t i = 0; i < sizeof(clock_hz) / sizeof(clock_hz[0]); i++)
		if (fabs(rate - clock_hz[i]) <= clock_hz[i] / 10.0)
		{
			jj_row_double(row, f, (double) rest->ts_first / clock_hz[i] / 3600);
			return;
		}
}

/* The columns of one direction. */
typedef struct side_columns
{
	jj_feature	signature;
	jj_feature	hint;
	jj_feature	uptime;
	jj_feature	window;
	jj_feature	ttl;
	jj_feature	mss;
	jj_feature	ws;
} side_columns;

static const side_columns columns[2] = {
	{JJ_F_tcp_fp_fwd, JJ_F_tcp_os_hint_fwd, JJ_F_tcp_uptime_fwd, JJ_F_tcp_fp_fwd_window, JJ_F_tcp_fp_fwd_ttl,
	JJ_F_tcp_fp_fwd_mss, JJ_F_tcp_fp_fwd_ws},
	{JJ_F_tcp_fp_bwd, JJ_F_tcp_os_hint_bwd, JJ_F_tcp_uptime_bwd, JJ_F_tcp_fp_bwd_window, JJ_F_tcp_fp_bwd_ttl,
	JJ_F_tcp_fp_bwd_mss, JJ_F_tcp_fp_bwd_ws},
};

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const jj_tcp_analysis *t = jj_tcp_analysis_of(state);

	(void) f;
	(void) fold;
	(void) w;
	if (t == NULL)
		return true;
	for (int d = 0; d < 2; d++)
	{
		const jj_tcp_side *s = &t->side[d];
		const side_columns *c = &columns[d];
		const jj_tcp_syn *y = t->rest[d].syn;
		jj_tcp_options o;

		emit_uptime(s, &t->rest[d], c->uptime, row);
		if (y == NULL)
			continue;
		jj_tcp_options_parse(&o, y->raw, y->n_raw, y->size);
		if (!o.cut)
		{
			char		layout[TEXT_SIZE];
			char		signature[TEXT_SIZE];
			size_t		size = (size_t) (put_layout(layout, &o) - layout);

			jj_row_put(row, c->signature, signature, (size_t) (put_signature(signature, y, &o, layout, size) - signature));
			jj_row_text(row, c->hint, os_hint(y, layout, size));
		}
		jj_row_int(row, c->window, y->window);
		jj_row_int(row, c->ttl, y->ttl);
		if (o.has_mss)
			jj_row_int(row, c->mss, o.mss);
		if (o.has_ws)
			jj_row_int(row, c->ws, o.ws);
	}
	return true;
}

const jj_extractor jj_extract_tcp_fingerprint = {
	.group = JJ_G_tcp_fingerprint,
	.base = &jj_analyse_tcp,
	.emit = emit,
};
