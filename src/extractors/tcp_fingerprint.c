/*
 * Group tcp_fingerprint: the SYN and the SYN-ACK in p0f's notation, a hint at
 * the system that sent them, and the uptime that its timestamps suggest.
 *
 * Source: p0f 3, README, section 5 (TCP signatures); quirks by the same names.
 */
#include "extractors/tcp_analysis.h"

#include <math.h>
#include <string.h>

#define TEXT_SIZE 512

typedef struct text
{
	char		byte[TEXT_SIZE];
	size_t		used;
} text;

/* Append what fits; a signature of any SYN does. */
static void
append(text *t, const char *s)
{
	size_t		n = strlen(s);

	if (n > sizeof(t->byte) - 1 - t->used)
		n = sizeof(t->byte) - 1 - t->used;
	memcpy(t->byte + t->used, s, n);
	t->used += n;
	t->byte[t->used] = '\0';
}

static void
append_number(text *t, int n)
{
	char		digits[12];
	char	   *d = digits + sizeof(digits) - 1;
	unsigned	left = n < 0 ? -(unsigned) n : (unsigned) n;

	*d = '\0';
	do
		*--d = (char) ('0' + left % 10);
	while ((left /= 10) > 0);
	if (n < 0)
		*--d = '-';
	append(t, d);
}

static int
initial_ttl(uint8_t ttl)
{
	return ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
}

/* "mss,sok,ts,nop,ws" */
static void
append_layout(text *t, const jj_tcp_options *o)
{
	const char *comma = "";

	for (unsigned i = 0; i < o->n_options; i++)
	{
		static const char *const name[] = {"eol", "nop", "mss", "ws", "sok", "sack", NULL, NULL, "ts"};
		uint8_t		kind = o->kind[i];

		append(t, comma);
		if (kind < sizeof(name) / sizeof(name[0]) && name[kind] != NULL)
			append(t, name[kind]);
		else
		{
			append(t, "?");
			append_number(t, kind);
		}
		comma = ",";
	}
	if (o->padding >= 0)
	{
		append(t, comma);
		append(t, "eol+");
		append_number(t, o->padding);
	}
}

static bool
padding_is_dirty(const jj_tcp_syn *y, const jj_tcp_options *o)
{
	for (int i = 1; i <= o->padding; i++)
		if (y->raw[y->n_raw - i] != 0)
			return true;
	return false;
}

static void
append_quirks(text *t, const jj_tcp_syn *y, const jj_tcp_options *o)
{
	bool		v4 = y->ip_version == 4;
	bool		df = v4 && (y->ip_flags & 2);
	bool		ack = y->flags & JJ_TCP_ACK;
	bool		urg = y->flags & JJ_TCP_URG;
	const struct
	{
		bool		there;
		const char *name;
	}			quirk[] = {
		{df, "df"},
		{df && y->ip_id != 0, "id+"},
		{v4 && !df && y->ip_id == 0, "id-"},
		{(y->tos & 3) || (y->flags & (JJ_TCP_ECE | JJ_TCP_CWR)), "ecn"},
		{v4 && (y->ip_flags & 4), "0+"},
		{!v4 && y->flow_label != 0, "flow"},
		{y->seq == 0, "seq-"},
		{!ack && y->ack != 0, "ack+"},
		{ack && y->ack == 0, "ack-"},
		{!urg && y->urgent != 0, "uptr+"},
		{urg, "urgf+"},
		{y->flags & JJ_TCP_PSH, "pushf+"},
		{o->has_ts && o->tsval == 0, "ts1-"},
		{!ack && o->has_ts && o->tsecr != 0, "ts2+"},
		{padding_is_dirty(y, o), "opt+"},
		{o->has_ws && o->ws > 14, "exws"},
		{o->bad, "bad"},
	};
	const char *comma = "";

	for (size_t i = 0; i < sizeof(quirk) / sizeof(quirk[0]); i++)
		if (quirk[i].there)
		{
			append(t, comma);
			append(t, quirk[i].name);
			comma = ",";
		}
}

/* version:initial TTL:IP option bytes:MSS:window,scale:option layout:quirks:payload class */
static void
append_signature(text *t, const jj_tcp_syn *y, const jj_tcp_options *o, const char *layout)
{
	bool		v4 = y->ip_version == 4;
	int			mss = o->has_mss ? o->mss : 0;
	int			mtu = mss + (v4 ? 40 : 60);

	append_number(t, y->ip_version);
	append(t, ":");
	append_number(t, initial_ttl(y->ttl));
	append(t, ":");
	append_number(t, y->ip_header_len - (v4 ? 20 : 40));
	append(t, ":");
	append_number(t, mss);
	append(t, ":");
	if (y->window != 0 && mss >= 100 && y->window % mss == 0)
	{
		append(t, "mss*");
		append_number(t, y->window / mss);
	}
	else if (y->window != 0 && mss >= 100 && y->window % mtu == 0)
	{
		append(t, "mtu*");
		append_number(t, y->window / mtu);
	}
	else
		append_number(t, y->window);
	append(t, ",");
	append_number(t, o->has_ws ? o->ws : 0);
	append(t, ":");
	append(t, layout);
	append(t, ":");
	append_quirks(t, y, o);
	append(t, y->payload ? ":+" : ":0");
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
os_hint(const jj_tcp_syn *y, const char *layout)
{
	bool		ack = y->flags & JJ_TCP_ACK;

	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
	{
		const stack *s = &stacks[i];

		if ((ack ? s->syn_ack : s->syn) && s->ttl == initial_ttl(y->ttl) && strcmp(s->layout, layout) == 0
			&& (s->window != 0 ? y->window == s->window : y->window > 1024))
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
			text		layout;
			text		signature;

			layout.used = signature.used = 0;
			layout.byte[0] = '\0';
			append_layout(&layout, &o);
			append_signature(&signature, y, &o, layout.byte);
			jj_row_put(row, c->signature, signature.byte, signature.used);
			jj_row_text(row, c->hint, os_hint(y, layout.byte));
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
