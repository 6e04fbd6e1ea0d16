/*
 * Streams and datagrams to the parsers that want them.
 */
#include "extractors/app.h"

#include <stddef.h>
#include <string.h>

/* One line for each parser. */
static const jj_parser *const parsers[JJ_PARSERS] = {
	[JJ_P_QUIC] = &jj_parser_quic,
	[JJ_P_TLS] = &jj_parser_tls,
	[JJ_P_SSH] = &jj_parser_ssh,
	[JJ_P_DNS] = &jj_parser_dns,
	[JJ_P_HTTP] = &jj_parser_http,
};

#define BIT(id) (1u << (id))

struct jj_app
{
	uint8_t		want_stream[2]; /* bits of the parsers */
	uint8_t		want_datagram;
	uint8_t		want_packet;
	bool		has_syn_ack[2];	/* sent by this side */
	uint32_t	syn_ack[2];		/* what the first one acknowledges */
	jj_hold    *hold;
	void	   *state[JJ_PARSERS];
	jj_stream	stream[2];
};

/* In the flow record. */
typedef struct app_state
{
	jj_app	   *app;
	bool		begun;
	bool		idle[2];		/* no packet of this direction is needed any more */
	bool		captured;		/* payload was */
	bool		packets;		/* a parser wants every packet */
	bool		useful;			/* a parser wants anything */
} app_state;

/* Parsers that the wanted groups need. */
static unsigned
parsers_of(uint32_t groups)
{
	unsigned	need = 0;

	if (groups & BIT(JJ_G_fingerprint))
		need = BIT(JJ_PARSERS) - 1;
	if (groups & BIT(JJ_G_http2))
		need |= BIT(JJ_P_HTTP) | BIT(JJ_P_TLS) | BIT(JJ_P_QUIC);
	if (groups & BIT(JJ_G_tls))
		need |= BIT(JJ_P_TLS) | BIT(JJ_P_QUIC);
	if (groups & BIT(JJ_G_quic))
		need |= BIT(JJ_P_QUIC);
	if (groups & BIT(JJ_G_ssh))
		need |= BIT(JJ_P_SSH);
	if (groups & BIT(JJ_G_dns))
		need |= BIT(JJ_P_DNS);
	return need;
}

/* What the parsers want of a flow with the packet's protocol. */
static void
set_wants(jj_app *app, const jj_packet *p, uint32_t groups)
{
	unsigned	need = parsers_of(groups);

	for (unsigned id = 0; id < JJ_PARSERS; id++)
	{
		const jj_parser *x = parsers[id];

		if (!(need & BIT(id)) || x == NULL)
			continue;
		if (x->packet != NULL && x->stream_opens == NULL && x->datagram_opens == NULL)
			app->want_packet |= (uint8_t) BIT(id);
		if (x->stream != NULL && p->proto == JJ_PROTO_TCP)
		{
			app->want_stream[0] |= (uint8_t) BIT(id);
			app->want_stream[1] |= (uint8_t) BIT(id);
		}
		if (x->datagram != NULL && p->proto == JJ_PROTO_UDP)
			app->want_datagram |= (uint8_t) BIT(id);
	}
}

/* The first packet of a flow. */
static void
begin(app_state *s, const jj_packet *p, const jj_work *w)
{
	jj_app		wants = {.hold = NULL};

	set_wants(&wants, p, w->groups);
	s->begun = true;
	s->packets = wants.want_packet != 0;
	s->useful = (wants.want_packet | wants.want_stream[0] | wants.want_datagram) != 0;
}

static jj_app *
new_app(const jj_packet *p, const jj_work *w)
{
	jj_app	   *app = jj_alloc_zero(&w->allocator, sizeof(*app));

	if (app == NULL)
		return NULL;
	app->hold = w->hold;
	set_wants(app, p, w->groups);
	return app;
}

/* A parser's state, allocated if need be: from then on it is shown every packet. NULL without memory. */
static void *
state_of(jj_app *app, unsigned id, const jj_work *w)
{
	if (app->state[id] == NULL)
	{
		app->state[id] = jj_alloc_zero(&w->allocator, parsers[id]->state_size);
		if (parsers[id]->packet != NULL)
			app->want_packet |= (uint8_t) BIT(id);
	}
	return app->state[id];
}

/* Note a parser's answer: in *hooks its bit for what it was called for. False without memory. */
static inline bool
note(jj_app *app, unsigned id, uint8_t *hooks, jj_want want)
{
	if (JJ_LIKELY(want == JJ_WANT_MORE))
		return true;
	*hooks &= (uint8_t) ~BIT(id);
	if (want == JJ_WANT_END)
	{
		app->want_stream[0] &= (uint8_t) ~BIT(id);
		app->want_stream[1] &= (uint8_t) ~BIT(id);
		app->want_datagram &= (uint8_t) ~BIT(id);
		app->want_packet &= (uint8_t) ~BIT(id);
	}
	return want != JJ_WANT_MEMORY;
}

typedef struct delivery
{
	jj_app	   *app;
	const jj_work *w;
} delivery;

/* A piece of a stream to the parsers that want it. */
static jj_want
deliver(void *context, const jj_chunk *c)
{
	const delivery *to = context;
	jj_app	   *app = to->app;
	uint8_t    *want = &app->want_stream[c->dir];

	for (unsigned id = 0; id < JJ_PARSERS; id++)
	{
		const jj_parser *x = parsers[id];
		bool		done = false;

		if (!(*want & BIT(id)))
			continue;
		if (app->state[id] == NULL && x->stream_opens != NULL && !x->stream_opens(c, &done))
		{
			if (done)
				*want &= (uint8_t) ~BIT(id);
			continue;
		}
		if (state_of(app, id, to->w) == NULL || !note(app, id, want, x->stream(app->state[id], c, app, to->w)))
			return JJ_WANT_MEMORY;
	}
	return *want != 0 ? JJ_WANT_MORE : JJ_WANT_NONE;
}

/* False without memory. */
static bool
take_segment(jj_app *app, const jj_packet *p, const jj_work *w)
{
	delivery	to = {app, w};

	if ((p->tcp_flags & (JJ_TCP_SYN | JJ_TCP_ACK)) == (JJ_TCP_SYN | JJ_TCP_ACK) && !app->has_syn_ack[p->dir])
	{
		app->has_syn_ack[p->dir] = true;
		app->syn_ack[p->dir] = p->ack;
	}
	return app->want_stream[p->dir] == 0
		|| jj_stream_add(&app->stream[p->dir], p, w->options.stream_bytes, w->hold, &w->allocator, deliver, &to) != JJ_WANT_MEMORY;
}

/* False without memory. */
static bool
take_datagram(jj_app *app, const jj_packet *p, const jj_work *w)
{
	for (unsigned id = 0; id < JJ_PARSERS; id++)
	{
		const jj_parser *x = parsers[id];
		bool		done = false;

		if (!(app->want_datagram & BIT(id)))
			continue;
		if (app->state[id] == NULL && x->datagram_opens != NULL && !x->datagram_opens(p, &done))
		{
			if (done)
				app->want_datagram &= (uint8_t) ~BIT(id);
			continue;
		}
		if (state_of(app, id, w) == NULL || !note(app, id, &app->want_datagram, x->datagram(app->state[id], p, app, w)))
			return false;
	}
	return true;
}

/* False without memory. */
static bool
take_packet(jj_app *app, const jj_packet *p, const jj_work *w)
{
	for (unsigned id = 0; id < JJ_PARSERS; id++)
		if ((app->want_packet & BIT(id))
			&& (state_of(app, id, w) == NULL
				|| !note(app, id, &app->want_packet, parsers[id]->packet(app->state[id], p, app, w))))
			return false;
	return true;
}

/* Which packets are needed from now on. */
static void
settle(app_state *s, const jj_work *w)
{
	jj_app	   *app = s->app;

	s->packets = app->want_packet != 0;
	for (int d = 0; d < 2; d++)
	{
		s->idle[d] = s->captured && (app->want_packet | app->want_stream[d] | app->want_datagram) == 0;
		if (app->want_stream[d] == 0 && app->stream[d].first != NULL)
			jj_stream_drop(&app->stream[d], app->hold, &w->allocator);
	}
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	app_state  *s = state;
	bool		segment;
	bool		datagram;

	if (JJ_LIKELY(s->idle[p->dir]))
		return true;
	s->captured |= p->payload_caplen > 0;
	if (JJ_UNLIKELY(!s->begun))
		begin(s, p, w);
	if (!s->useful)
	{
		s->idle[0] = s->idle[1] = s->captured;
		return true;
	}
	segment = p->has_tcp && (p->payload_len > 0 || (p->tcp_flags & JJ_TCP_SYN));
	datagram = p->proto == JJ_PROTO_UDP && p->payload_caplen > 0 && p->frag_offset == 0;
	if (!segment && !datagram && !s->packets)
		return true;
	if (s->app == NULL && (s->app = new_app(p, w)) == NULL)
		return false;
	if (s->packets && !take_packet(s->app, p, w))
		return false;
	if (segment && !take_segment(s->app, p, w))
		return false;
	if (datagram && !take_datagram(s->app, p, w))
		return false;
	settle(s, w);
	return true;
}

static void
fetch(const void *state, int dir)
{
	const app_state *s = state;

	if (s->app != NULL && !s->idle[dir])
		for (size_t o = 0; o < sizeof(jj_app); o += 64)
			JJ_PREFETCH((const char *) s->app + o);
}

static void
free_state(void *state, const jj_allocator *a)
{
	jj_app	   *app = ((app_state *) state)->app;

	if (app == NULL)
		return;
	for (unsigned id = 0; id < JJ_PARSERS; id++)
	{
		if (app->state[id] == NULL)
			continue;
		if (parsers[id]->release != NULL)
			parsers[id]->release(app->state[id], a);
		jj_release(a, app->state[id]);
	}
	for (int d = 0; d < 2; d++)
		jj_stream_drop(&app->stream[d], app->hold, a);
	jj_release(a, app);
}

const jj_app *
jj_app_of(const void *state)
{
	return ((const app_state *) state)->app;
}

bool
jj_app_blind(const jj_flow *f, const void *state)
{
	return f->payload[0] + f->payload[1] > 0 && !((const app_state *) state)->captured;
}

void *
jj_app_parser(const jj_app *app, jj_parser_id id)
{
	return app == NULL ? NULL : app->state[id];
}

const jj_stream *
jj_app_stream(const jj_app *app, int dir)
{
	return &app->stream[dir];
}

bool
jj_app_start_known(const jj_app *app, int dir)
{
	const jj_stream *s;

	if (app == NULL)
		return false;
	s = &app->stream[dir];
	if (s->start_seen)
		return true;
	return app->has_syn_ack[1 - dir] && (!s->started || app->syn_ack[1 - dir] == s->start);
}

const jj_extractor jj_app_base = {
	.group = JJ_GROUPS,
	.state_size = sizeof(app_state),
	.fetch = fetch,
	.update = update,
	.free_state = free_state,
};
