/*
 * The parser of HTTP over TCP: what either direction begins with, and which of
 * the two can be client and server of an HTTP/2 connection in the clear
 * (RFC 9113 3.3, 3.4; RFC 7540 3.2 for the upgrade).
 *
 * A direction is read on its own. Frames are walked as soon as they may be
 * such, since they count in the order of both directions' packets; when the
 * other direction shows that they can't be, what was counted is forgotten.
 */
#include "extractors/http.h"

#include <string.h>

/* What the next byte of a direction is. */
enum
{
	AT_START,
	IN_PREFACE,					/* of the preface at the start */
	IN_HEAD,
	IN_CONTENT,					/* of a request */
	IN_LATE_PREFACE,			/* behind a request */
	IN_SETTINGS,				/* of the first frame's header */
	IN_FRAMES,
	DONE						/* not needed */
};

static const char preface[JJ_HTTP_PREFACE + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* ---- both directions */

/* May this direction be the answer to an upgrade? */
static bool
may_switch(const jj_http_side *s)
{
	if (s->kind == JJ_HTTP_UNKNOWN || s->kind == JJ_HTTP_SWITCHED)
		return true;
	if (s->kind != JJ_HTTP_1 || s->h1->kind == JJ_HTTP1_REQUEST || s->h1->kind == JJ_HTTP1_OLD)
		return false;
	return s->stage == IN_HEAD || jj_http1_upgrades_h2c(s->h1);
}

/* May this direction be a request to upgrade? */
static bool
may_ask(const jj_http_side *s)
{
	switch (s->kind)
	{
		case JJ_HTTP_UNKNOWN:
		case JJ_HTTP_UPGRADED:
			return true;
		case JJ_HTTP_UPGRADE_PREFACE:
			return s->stage != DONE;
		case JJ_HTTP_1:
			return s->stage != DONE && s->h1->kind != JJ_HTTP1_RESPONSE;
		default:
			return false;
	}
}

static bool
is_prior(const jj_http_side *s)
{
	return s->kind == JJ_HTTP_PREFACE_ONLY || s->kind == JJ_HTTP_PRIOR;
}

/* A preface whose SETTINGS did not follow. */
static bool
is_broken(const jj_http_side *s)
{
	return s->kind == JJ_HTTP_PREFACE_ONLY && s->stage == DONE;
}

/* May the frames of direction d, of which something is known, be those of a connection? */
static bool
may_count(const jj_http *h, int d)
{
	const jj_http_side *other = &h->side[1 - d];
	bool		unknown = other->kind == JJ_HTTP_UNKNOWN || (is_prior(other) && !is_broken(other));

	switch (h->side[d].kind)
	{
		case JJ_HTTP_PRIOR:
			return d == 0 || !is_prior(other);
		case JJ_HTTP_SETTINGS:
			return unknown || other->kind == JJ_HTTP_ACK;
		case JJ_HTTP_ACK:
			return unknown || other->kind == JJ_HTTP_SETTINGS;
		case JJ_HTTP_UPGRADED:
			return may_switch(other);
		case JJ_HTTP_SWITCHED:
			return may_ask(other);
		default:
			return false;
	}
}

/* Something new is known of a direction, and none of its frames was walked yet: who is who, and whose frames don't count? */
static void
settle(jj_http *h, const jj_allocator *a)
{
	int			client = -1;
	bool		upgrade = false;
	bool		count[2];

	for (int d = 0; d < 2; d++)
		if ((h->side[d].stage == IN_CONTENT || h->side[d].stage == IN_LATE_PREFACE) && !may_switch(&h->side[1 - d]))
			h->side[d].stage = DONE;
	if (h->h2 == NULL)
		return;
	for (int d = 0; d < 2; d++)
	{
		jj_http_side *s = &h->side[d];

		count[d] = may_count(h, d);
		if (s->stage == IN_FRAMES && !count[d])
		{
			s->stage = DONE;
			jj_h2_forget(h->h2, true, a);
			jj_h2_look_for(&h->h2->side[d], false, false, a);
		}
	}
	for (int d = 0; d < 2; d++)
	{
		uint8_t		kind = h->side[d].kind;

		if (count[d] && (kind == JJ_HTTP_PRIOR || (kind == JJ_HTTP_ACK && h->side[1 - d].kind != JJ_HTTP_PRIOR)))
			client = d;
		else if (count[d] && (kind == JJ_HTTP_UPGRADED || kind == JJ_HTTP_SWITCHED))
		{
			client = kind == JJ_HTTP_UPGRADED ? d : 1 - d;
			upgrade = true;
		}
	}
	if (client != h->h2->client)
	{
		h->h2->client = client;
		jj_h2_forget(h->h2, false, a);
		if (upgrade)
		{
			/* the request that asked is stream 1, and half closed (RFC 7540 3.2) */
			h->h2->live = 1;
			h->h2->ended[0] = true;
		}
	}
	for (int d = 0; d < 2; d++)
	{
		uint8_t		kind = h->side[d].kind;

		if (count[d])
			jj_h2_look_for(&h->h2->side[d], kind == JJ_HTTP_PRIOR || (kind == JJ_HTTP_ACK && client == d),
						   kind == JJ_HTTP_SETTINGS || (kind == JJ_HTTP_ACK && h->side[1 - d].kind != JJ_HTTP_SETTINGS), a);
	}
}

void
jj_http_read(const jj_http *h, jj_http_view *v)
{
	const jj_http1 *h1[2] = {NULL, NULL};

	memset(v, 0, sizeof(*v));
	v->client = -1;
	if (h == NULL)
		return;
	for (int d = 1; d >= 0; d--)
	{
		h1[d] = h->side[d].h1;
		if (h1[d] != NULL && h1[d]->kind == JJ_HTTP1_REQUEST)
			v->request = h1[d];
	}
	for (int d = 0; d < 2; d++)
		if (h1[d] != NULL && h1[d]->kind == JJ_HTTP1_RESPONSE)
			v->response = h1[d];
	for (int d = 1; d >= 0 && v->request == NULL && v->response == NULL; d--)
		if (h1[d] != NULL && h1[d]->kind == JJ_HTTP1_OLD)
			v->old = h1[d];

	for (int d = 0; d < 2; d++)
	{
		const jj_http_side *c = &h->side[d];
		const jj_http_side *s = &h->side[1 - d];

		if (is_prior(c))
		{
			v->preface = true;
			v->h2 = c->kind == JJ_HTTP_PRIOR;
			v->server_frames = s->kind == JJ_HTTP_SETTINGS || s->kind == JJ_HTTP_ACK;
		}
		else if ((c->kind == JJ_HTTP_UPGRADE_PREFACE || c->kind == JJ_HTTP_UPGRADED) && s->h1 != NULL && jj_http1_upgrades_h2c(s->h1))
		{
			v->preface = v->upgraded = true;
			v->h2 = c->kind == JJ_HTTP_UPGRADED;
			v->server_frames = s->kind == JJ_HTTP_SWITCHED;
		}
		else if (c->kind == JJ_HTTP_ACK && s->kind == JJ_HTTP_SETTINGS)
			v->h2 = v->server_frames = true;
		else
			continue;
		v->client = d;
		v->frames = v->h2 ? h->h2 : NULL;
		break;
	}
}

/* ---- one direction */

static bool
counts_wanted(const jj_feature_set *f)
{
	return jj_set_has(f, JJ_F_http2_frame_count) || jj_set_has(f, JJ_F_http2_data_frames) || jj_set_has(f, JJ_F_http2_headers_frames)
		|| jj_set_has(f, JJ_F_http2_settings_frames) || jj_set_has(f, JJ_F_http2_push_promise_frames)
		|| jj_set_has(f, JJ_F_http2_goaway_frames) || jj_set_has(f, JJ_F_http2_window_update_frames)
		|| jj_set_has(f, JJ_F_http2_streams_estimate) || jj_set_has(f, JJ_F_http2_server_push) || jj_set_has(f, JJ_F_http2_multiplexed);
}

static bool
start_h2(jj_http *h, const jj_work *w)
{
	if (h->h2 != NULL)
		return true;
	h->h2 = jj_alloc_zero(&w->allocator, sizeof(*h->h2));
	if (h->h2 == NULL)
		return false;
	h->h2->client = -1;
	h->h2->counting = counts_wanted(&w->options.features);
	for (int d = 0; d < 2; d++)
	{
		h->h2->side[d].hpack.table_max = JJ_HPACK_TABLE;
		h->h2->side[d].status = -1;
	}
	return true;
}

/* The header of what should be the first frame is complete. */
static bool
first_frame(jj_http *h, int d, const jj_work *w)
{
	jj_http_side *s = &h->side[d];
	bool		valid = jj_h2_settings(s->header);
	uint8_t		kind;

	switch (s->kind)
	{
		case JJ_HTTP_PREFACE_ONLY:
			kind = JJ_HTTP_PRIOR;
			break;
		case JJ_HTTP_UPGRADE_PREFACE:
			kind = JJ_HTTP_UPGRADED;
			break;
		case JJ_HTTP_1:
			kind = JJ_HTTP_SWITCHED;
			break;
		default:
			kind = s->header[4] & 1 ? JJ_HTTP_ACK : JJ_HTTP_SETTINGS;
			if (!valid)
				s->kind = JJ_HTTP_OTHER;
	}
	if (valid && !start_h2(h, w))
		return false;
	if (valid)
		s->kind = kind;
	s->stage = DONE;
	settle(h, &w->allocator);
	if (!valid || !may_count(h, d))
		return true;
	s->stage = IN_FRAMES;
	return jj_h2_walk(h->h2, d, s->header, JJ_H2_HEADER, &w->allocator);
}

/* Bytes of a head; *used of them. */
static bool
feed_head(jj_http *h, int d, const uint8_t *bytes, uint32_t n, uint32_t *used, const jj_allocator *a)
{
	jj_http_side *s = &h->side[d];

	s->stage = IN_HEAD;
	if (s->h1 == NULL)
	{
		s->kind = JJ_HTTP_1;
		s->h1 = jj_alloc_zero(a, sizeof(*s->h1));
		if (s->h1 == NULL)
			return false;
		settle(h, a);
	}
	switch (jj_http1_feed(s->h1, bytes, n, used, a))
	{
		case JJ_HTTP1_MEMORY:
			return false;
		case JJ_HTTP1_MORE:
			return true;
		case JJ_HTTP1_END:
			if (s->h1->kind == JJ_HTTP1_REQUEST)
			{
				s->stage = IN_CONTENT;
				s->skip = jj_http1_content_length(s->h1);
			}
			else
				s->stage = jj_http1_upgrades_h2c(s->h1) ? IN_SETTINGS : DONE;
			break;
		case JJ_HTTP1_STOP:
			s->stage = DONE;
			if (s->h1->kind == JJ_HTTP1_NONE)
			{
				jj_http1_free(s->h1, a);
				jj_release(a, s->h1);
				s->h1 = NULL;
				s->kind = JJ_HTTP_OTHER;
			}
	}
	settle(h, a);
	return true;
}

static bool
feed(jj_http *h, int d, const uint8_t *bytes, uint32_t n, const jj_work *w)
{
	jj_http_side *s = &h->side[d];
	const jj_allocator *a = &w->allocator;

	while (n > 0 && s->stage != DONE)
	{
		uint32_t	take = 0;

		switch (s->stage)
		{
			case AT_START:
				if (bytes[0] == 0)
					s->stage = IN_SETTINGS;
				else if (bytes[0] == preface[0])
					s->stage = IN_PREFACE;
				else if (jj_http1_may_begin(bytes[0]))
					s->stage = IN_HEAD;
				else
				{
					s->kind = JJ_HTTP_OTHER;
					s->stage = DONE;
					settle(h, a);
				}
				break;
			case IN_PREFACE:
			case IN_LATE_PREFACE:
				while (take < n && s->matched < JJ_HTTP_PREFACE && bytes[take] == (uint8_t) preface[s->matched])
				{
					s->matched++;
					take++;
				}
				if (s->matched == JJ_HTTP_PREFACE)
				{
					s->kind = s->stage == IN_PREFACE ? JJ_HTTP_PREFACE_ONLY : JJ_HTTP_UPGRADE_PREFACE;
					s->stage = IN_SETTINGS;
					settle(h, a);
				}
				else if (take < n && s->stage == IN_PREFACE)
				{
					uint32_t	used;

					if (!feed_head(h, d, (const uint8_t *) preface, s->matched, &used, a))
						return false;
				}
				else if (take < n)
				{
					s->stage = DONE;
					settle(h, a);
				}
				break;
			case IN_HEAD:
				if (!feed_head(h, d, bytes, n, &take, a))
					return false;
				break;
			case IN_CONTENT:
				take = s->skip < n ? (uint32_t) s->skip : n;
				s->skip -= take;
				if (s->skip == 0)
				{
					s->stage = IN_LATE_PREFACE;
					s->matched = 0;
				}
				break;
			case IN_SETTINGS:
				take = JJ_H2_HEADER - s->n_header;
				if (take > n)
					take = n;
				memcpy(s->header + s->n_header, bytes, take);
				s->n_header += (uint8_t) take;
				if (s->n_header == JJ_H2_HEADER && !first_frame(h, d, w))
					return false;
				break;
			default:			/* IN_FRAMES */
				take = n;
				if (!jj_h2_walk(h->h2, d, bytes, n, a))
					return false;
				if (!h->h2->counting && !jj_h2_searching(&h->h2->side[d]))
					s->stage = DONE;
		}
		bytes += take;
		n -= take;
	}
	return true;
}

/* Does a stream go that far? Whether a gap comes before the end of a preface is asked of the initiator's. */
static bool
is_enough(int dir, uint64_t end)
{
	return dir != 0 || end >= JJ_HTTP_PREFACE;
}

static bool
http_stream_opens(const jj_chunk *c, bool *done)
{
	bool		settings = c->bytes[0] == 0 && (c->n < JJ_H2_HEADER || jj_h2_settings(c->bytes));

	if (c->offset == 0 && (settings || jj_http1_may_begin(c->bytes[0])))
		return true;
	*done = is_enough(c->dir, c->offset + c->n);
	return false;
}

static jj_want
http_stream(void *state, const jj_chunk *c, jj_app *app, const jj_work *w)
{
	jj_http    *h = state;
	jj_http_side *s = &h->side[c->dir];

	(void) app;
	if (s->stage == AT_START && c->offset > 0)
	{
		/* its beginning was none of HTTP */
		s->kind = JJ_HTTP_OTHER;
		s->stage = DONE;
		settle(h, &w->allocator);
	}
	if (!feed(h, c->dir, c->bytes, c->n, w))
		return JJ_WANT_MEMORY;
	s->enough = is_enough(c->dir, c->offset + c->n);
	if (s->stage != DONE || !s->enough)
		return JJ_WANT_MORE;
	s = &h->side[1 - c->dir];
	return s->stage == DONE && s->enough ? JJ_WANT_END : JJ_WANT_NONE;
}

static void
http_release(void *state, const jj_allocator *a)
{
	jj_http    *h = state;

	for (int d = 0; d < 2; d++)
	{
		if (h->side[d].h1 != NULL)
			jj_http1_free(h->side[d].h1, a);
		jj_release(a, h->side[d].h1);
	}
	if (h->h2 != NULL)
		jj_h2_free(h->h2, a);
	jj_release(a, h->h2);
}

const jj_parser jj_parser_http = {
	.state_size = sizeof(jj_http),
	.stream_opens = http_stream_opens,
	.stream = http_stream,
	.release = http_release,
};
