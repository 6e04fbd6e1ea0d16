/*
 * HTTP/1 heads and HTTP/2 connections in the clear: conversations given to the
 * parser piece by piece, and what it makes of them.
 */
#include "extractors/http.h"
#include "failing.h"
#include "tap.h"

#include <string.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define MAX_SAID 20000

/* ---- a conversation, kept so that it can be given again in other pieces */

typedef struct said
{
	uint8_t		dir;
	uint32_t	n;
	uint8_t		bytes[MAX_SAID];
} said;

static said talk[64];
static unsigned n_said;
static failing memory;
static jj_allocator allocator = {failing_alloc, failing_release, &memory};
static jj_feature_set wanted;
static jj_http *state;
static jj_http_view view;
static bool enough[2];			/* the parser wants no more of a direction */
static char text[65536];

static void
start(void)
{
	n_said = 0;
}

static void
say_bytes(int dir, const void *bytes, size_t n)
{
	said	   *s = &talk[n_said++];

	s->dir = (uint8_t) dir;
	s->n = (uint32_t) n;
	memcpy(s->bytes, bytes, n);
}

static void
say(int dir, const char *t)
{
	say_bytes(dir, t, strlen(t));
}

/* A frame; length may lie. */
static void
frame_of(int dir, unsigned type, unsigned flags, uint32_t stream, const void *payload, uint32_t n, uint32_t length)
{
	uint8_t		b[MAX_SAID] = {(uint8_t) (length >> 16), (uint8_t) (length >> 8), (uint8_t) length, (uint8_t) type, (uint8_t) flags,
	(uint8_t) (stream >> 24), (uint8_t) (stream >> 16), (uint8_t) (stream >> 8), (uint8_t) stream};

	if (n > 0)
		memcpy(b + JJ_H2_HEADER, payload, n);
	say_bytes(dir, b, JJ_H2_HEADER + n);
}

/* A frame whose payload is a string without zeros. */
static void
frame(int dir, unsigned type, unsigned flags, uint32_t stream, const char *payload)
{
	frame_of(dir, type, flags, stream, payload, (uint32_t) strlen(payload), (uint32_t) strlen(payload));
}

static void
hello(void)
{
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
}

/* ---- the parser over it */

static jj_want
give(int dir, uint64_t offset, const uint8_t *bytes, uint32_t n)
{
	jj_work		w = {.allocator = allocator};
	jj_chunk	c = {.n = n, .dir = (uint8_t) dir, .offset = offset};
	uint8_t    *exact = malloc(n);	/* so that AddressSanitizer sees the end */
	bool		done = false;
	jj_want		want = JJ_WANT_MORE;

	w.options.features = wanted;
	memcpy(exact, bytes, n);
	c.bytes = exact;
	if (state == NULL && !jj_parser_http.stream_opens(&c, &done))
		want = done ? JJ_WANT_NONE : JJ_WANT_MORE;
	else
	{
		if (state == NULL)
			state = jj_alloc_zero(&allocator, jj_parser_http.state_size);
		want = state == NULL ? JJ_WANT_MEMORY : jj_parser_http.stream(state, &c, NULL, &w);
	}
	free(exact);
	return want;
}

static void
forget(void)
{
	if (state != NULL)
		jj_parser_http.release(state, &allocator);
	jj_release(&allocator, state);
	state = NULL;
	enough[0] = enough[1] = false;
}

/* Give all, in pieces of at most so many bytes, or cut at one place of the whole. False without memory. */
static bool
give_all(uint32_t piece, uint32_t cut)
{
	uint64_t	offset[2] = {0, 0};
	uint32_t	at = 0;

	forget();
	for (unsigned i = 0; i < n_said; i++)
		for (uint32_t done = 0; done < talk[i].n;)
		{
			int			d = talk[i].dir;
			uint32_t	n = talk[i].n - done < piece ? talk[i].n - done : piece;
			jj_want		want = JJ_WANT_NONE;

			if (at < cut && at + n > cut)
				n = cut - at;
			if (!enough[d])
				want = give(d, offset[d], talk[i].bytes + done, n);
			if (want == JJ_WANT_MEMORY)
				return false;
			enough[d] |= want != JJ_WANT_MORE;
			enough[1 - d] |= want == JJ_WANT_END;
			offset[d] += n;
			done += n;
			at += n;
		}
	jj_http_read(state, &view);
	return true;
}

static size_t used;

static void
tell(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	used += (size_t) vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
}

static void
tell_value(const char *name, const uint8_t *bytes, uint32_t n)
{
	tell(" %s=%.*s", name, (int) n, n > 0 ? (const char *) bytes : "");
}

/* What the view says, in words. */
static const char *
words(void)
{
	used = 0;
	text[0] = '\0';
	tell("%s", view.h2 ? "h2" : view.request || view.response ? "h1" : view.old ? "old" : "none");
	if (view.preface)
		tell(" preface");
	if (view.upgraded)
		tell(" upgraded");
	if (view.h2)
	{
		const jj_h2_side *c = &view.frames->side[view.client];
		const jj_h2_side *s = &view.frames->side[1 - view.client];

		tell(" client=%d frames=%d+%d", view.client, (int) c->frames, view.server_frames ? (int) s->frames : -1);
		tell(" streams=%u%s", view.frames->ids[0].count + view.frames->ids[1].count, view.frames->multiplexed ? " multiplexed" : "");
		if (c->request == JJ_H2_FOUND)
			for (int i = 0; i < JJ_HPACK_NAMES; i++)
				if (c->fields.of[i].has)
					tell_value((const char *[]) {"authority", "method", "status", "host", "agent"}[i], c->fields.of[i].value.bytes, c->fields.of[i].value.n);
		if (s->response == JJ_H2_FOUND)
			tell(" %d", s->status);
	}
	if (view.request != NULL)
	{
		uint32_t	n;
		const uint8_t *host = jj_http1_host(view.request, &n);

		tell_value(" method", view.request->method, view.request->method_bytes < 32 ? view.request->method_bytes : 32);
		tell(" 1.%c", view.request->minor);
		if (host != NULL)
			tell_value("host", host, n);
		if (view.request->has >> JJ_HTTP1_AGENT & 1)
			tell_value("agent", view.request->field[JJ_HTTP1_AGENT].bytes, view.request->field[JJ_HTTP1_AGENT].n);
		if (!view.request->ended)
			tell(" (head not complete)");
	}
	if (view.response != NULL)
		tell(" status=%d 1.%c", view.response->final ? view.response->status : -1, view.response->minor);
	return text;
}

/* The conversation means this, however it is cut. */
static void
means(const char *want, const char *name)
{
	uint32_t	size = 0;
	unsigned	wrong = 0;

	for (unsigned i = 0; i < n_said; i++)
		size += talk[i].n;
	give_all(UINT32_MAX, 0);
	is_text(words(), want, name);
	for (uint32_t cut = 1; cut < size && size < 4000; cut++)
		wrong += !give_all(UINT32_MAX, cut) || strcmp(words(), want) != 0;
	for (uint32_t piece = 1; piece < 20; piece++)
		wrong += !give_all(piece, 0) || strcmp(words(), want) != 0;
	is_int(wrong, 0, "and however it is cut");
}

#define H1(request, response, want, name) \
	do { \
		start(); \
		say(0, request); \
		say(1, response); \
		means(want, name); \
	} while (0)

/* ---- HTTP/1 */

static void
test_h1(void)
{
	char		long_line[MAX_SAID];

	H1("GET / HTTP/1.1\r\nHost: Example.org:81\r\nUser-Agent: x/1 y\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nbody",
	   "h1  method=GET 1.1 host=Example.org:81 agent=x/1 y status=200 1.1", "request and response");
	ok(enough[0] && enough[1], "nothing more is wanted of either direction");
	H1("GET / HTTP/1.1\r\nHost: Example.org:81\r\n\r\n", "", "h1  method=GET 1.1 host=Example.org:81", "a request alone");
	ok(!enough[0], "could become HTTP/2");
	H1("POST / HTTP/1.0\nuser-agent :\t a \t\nHOST:b\n\n12345", "HTTP/1.0 404\n\n",
	   "h1  method=POST 1.0 host=b agent=a status=404 1.0", "lines that end in LF, blanks around names and values, any case");
	ok(enough[0], "what follows the request is no preface");
	H1("GET / HTTP/1.1\r\nX: y\r\n Host: no\r\nHost: one\r\n two\r\n\tthree \r\nHost: second\r\n\r\n", "",
	   "h1  method=GET 1.1 host=one two three", "folded lines, and a field that comes twice");
	H1("GET / HTTP/1.1\r\n Host: blank\r\nno colon\r\n  and: more\r\n\r\n", "", "h1  method=GET 1.1 host=blank and: more",
	   "a first line that begins with a blank is a field, one without colon is none");
	H1("\r\n\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", "", "h1  method=GET 1.1", "four empty lines before");
	H1("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", "", "none", "not five");
	H1("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: cut", "HTTP/1.1 200 OK", "h1  method=GET 1.1 host=a (head not complete)", "heads that end early");
	H1("GET / HTTP/1.7\r\n\r\n", "HTTP/1.0 999 \xff\x01 \r\r\n", "h1  method=GET 1.7 status=999 1.0", "another minor version, any reason");
	H1("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ / HTTP/1.1\r\n\r\n", "", "h1  method=abcdefghijklmnopqrstuvwxyzABCDEF 1.1", "a method of 36 bytes");
	H1("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n\r\n", "", "h1  method=!#$%&'*+-.^_`|~09azAZ 1.1", "all that a method may have");

	/* targets */
	H1("GET http://u:p@Host.example:81/x@y HTTP/1.1\r\nHost:\r\n\r\n", "", "h1  method=GET 1.1 host=Host.example:81", "an absolute target");
	H1("GET a+b-1.x://u@v@h?q HTTP/1.1\r\n\r\n", "", "h1  method=GET 1.1 host=h", "the last @ ends the user");
	H1("GET http://a HTTP/1.1\r\nHost: b\r\n\r\n", "", "h1  method=GET 1.1 host=b", "Host comes before it");
	H1("GET http:///x HTTP/1.1\r\n\r\n", "", "h1  method=GET 1.1", "no authority");
	H1("GET http:/a 1x://b HTTP/1.1\r\n\r\n", "", "none", "two targets");
	H1("GET 1x://b HTTP/1.1\r\n\r\n", "", "h1  method=GET 1.1", "no scheme");
	H1("CONNECT x@h.example:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "h1  method=CONNECT 1.1 host=x@h.example:443 status=200 1.1", "CONNECT");

	/* not HTTP/1 */
	H1("GET  / HTTP/1.1\r\n\r\n", "", "none", "two spaces");
	H1("GET / HTTP/1.1 \r\n\r\n", "", "none", "a space behind the version");
	H1("GET / HTTP/1.1\r\r\n\r\n", "", "none", "two CR");
	H1("GET / HTTP/2.0\r\n\r\n", "", "none", "version 2");
	H1("GET / HTTP/1.\r\n\r\n", "", "none", "no minor version");
	H1("GET / http/1.1\r\n\r\n", "", "none", "HTTP in small letters");
	H1("GE\tT / HTTP/1.1\r\n\r\n", "", "none", "a tab in the method");
	H1("GET /\t HTTP/1.1\r\n\r\n", "", "none", "a tab in the target");
	H1(" GET / HTTP/1.1\r\n\r\n", "", "none", "a space before the method");
	H1("/ HTTP/1.1\r\nHost: abc\r\n\r\n", "", "none", "no method");
	ok(enough[0], "nothing more is wanted of it");
	H1("SSH-2.0-x\r\n", "SSH-2.0-y\r\n", "none", "SSH");
	H1("\x16\x03\x01 hello, TLS with some more", "\x16\x03\x03", "none", "TLS");
	ok(state == NULL && enough[0] && enough[1], "costs no state");
	H1("", "220 mail.example ESMTP\r\n", "none", "SMTP");
	H1("short", "", "none", "five bytes");
	ok(!enough[0], "a gap before the 24th byte of the initiator matters");

	/* HTTP/0.9 */
	H1("GET /x\r\n", "<html>", "old", "HTTP/0.9");
	H1("GET /x\n", "", "old", "with LF");
	H1("GET x\r\n", "", "none", "a path begins with a slash");
	H1("HEAD /x\r\n", "", "none", "only GET");
	H1("\r\nGET /x\r\n", "", "none", "only in the first line");
	H1("GET /x\r\r\n", "", "none", "two CR behind it");
	H1("GET /x\r\n", "HTTP/1.1 400 Bad\r\n\r\n", "h1 status=400 1.1", "with a status line it is HTTP/1.1");
	H1("GET /\r\n", "GET / HTTP/1.1\r\n\r\n", "h1  method=GET 1.1", "with a request too");

	/* responses */
	H1("", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 103 Early\r\nLink: x\r\n\r\n\r\nHTTP/1.1 301 Moved\r\n", "h1 status=301 1.1", "1xx are skipped");
	H1("", "HTTP/1.0 102\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "h1 status=200 1.0", "the version is the first one's");
	H1("", "HTTP/1.1 100 Continue\r\n\r\nGET / HTTP/1.0\r\n\r\n", "h1 status=-1 1.1", "a request behind 100");
	H1("", "HTTP/1.1 100 Continue\r\n\r\nGET /\r\n", "h1 status=-1 1.1", "nor one of HTTP/0.9");
	H1("", "HTTP/1.1 100 Continue\r\nHost: x", "h1 status=-1 1.1", "100 that doesn't end");
	H1("", "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x05hello", "h1 status=101 1.1", "101 is kept");
	H1("", "HTTP/1.1 2000 OK\r\n\r\n", "none", "four digits");
	H1("", "HTTP/1.1 20\r\n\r\n", "none", "two");
	H1("", "HTTP/1.1 200OK\r\n\r\n", "none", "no space behind");
	H1("", "HTTP/1.x 200 OK\r\n\r\n", "none", "no digit");
	H1("", "HTTP/2 200 OK\r\n\r\n", "none", "version 2");
	H1("HTTP/1.0 200\r\n", "HTTP/1.1 304\r\n", "h1 status=304 1.1", "of two responses the responder's");
	H1("GET /a HTTP/1.1\r\n\r\n", "PUT /b HTTP/1.0\r\n\r\n", "h1  method=GET 1.1", "of two requests the initiator's");
	H1("HTTP/1.0 200\r\n", "PUT /b HTTP/1.0\r\n\r\n", "h1  method=PUT 1.0 status=200 1.0", "the responder asks");

	/* long heads */
	memset(long_line, 'q', sizeof(long_line));
	memcpy(long_line, "GET /", 5);
	strcpy(long_line + JJ_HTTP1_HEAD - 11, " HTTP/1.1\r\nHost: x\r\n");
	H1(long_line, "", "h1  method=GET 1.1 (head not complete)", "a request line of 16 KiB");
	strcpy(long_line + JJ_HTTP1_HEAD - 11, "q HTTP/1.1\r\nHost: x\r\n");
	H1(long_line, "", "none", "and one byte more");
	memset(long_line, 'q', sizeof(long_line));
	memcpy(long_line, "GET / HTTP/1.1\r\nX: ", 19);
	strcpy(long_line + JJ_HTTP1_HEAD - 11, "\r\nHost: x\r\nUser-Agent: y\r\n\r\n");
	H1(long_line, "", "h1  method=GET 1.1 host=x (head not complete)", "fields in 16 KiB");
	strcpy(long_line + JJ_HTTP1_HEAD - 11, "q\r\nHost: x\r\nUser-Agent: y\r\n\r\n");
	H1(long_line, "", "h1  method=GET 1.1 (head not complete)", "and a byte further");
	ok(enough[0] && state->side[0].h1->line.bytes == NULL, "nothing of it is kept");
}

/* ---- HTTP/2 */

static void
test_frames(void)
{
	static uint8_t zeros[MAX_SAID];

	start();
	say(0, PREFACE);
	frame_of(0, JJ_H2_SETTINGS, 0, 0, "\0\3\0\0\0\x64", 6, 6);
	frame(0, JJ_H2_HEADERS, 5, 1, "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff\x7a\x03" "foo");
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_SETTINGS, 1, 0, "");
	frame(1, JJ_H2_HEADERS, 4, 1, "\x88");
	frame(1, JJ_H2_DATA, 1, 1, "hello");
	frame(0, JJ_H2_GOAWAY, 0, 0, "12345678");
	means("h2 preface client=0 frames=3+4 streams=1 authority=www.example.com method=GET agent=foo 200", "one exchange");
	ok(view.frames->side[1].count[JJ_H2_SETTINGS] == 2 && view.frames->side[1].count[JJ_H2_DATA] == 1 && view.frames->side[0].count[JJ_H2_GOAWAY] == 1,
	   "frames by type");
	ok(!enough[0] && !enough[1], "more frames are wanted");
	memset(&wanted, 0, sizeof(wanted));
	jj_set_add(&wanted, JJ_F_http_status);
	give_all(UINT32_MAX, 0);
	ok(enough[0] && enough[1] && view.frames->side[1].status == 200, "but not if nothing is counted");
	jj_set_all(&wanted);

	start();
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_WINDOW_UPDATE, 0, 0, "abcd");
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	means("h2 preface client=0 frames=1+2 streams=0", "the server speaks first");
	start();
	say(1, PREFACE);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	means("h2 preface client=1 frames=1+1 streams=0", "the client is the responder");

	start();
	frame(0, JJ_H2_SETTINGS, 1, 0, "");
	frame(0, JJ_H2_HEADERS, 5, 3, "\x83");
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_HEADERS, 5, 3, "\x8d");
	means("h2 client=0 frames=2+2 streams=1 method=POST 404", "without preface: the acknowledgement is the client's");
	start();
	frame(0, JJ_H2_SETTINGS, 1, 0, "");
	frame(0, JJ_H2_HEADERS, 5, 3, "\x8d");
	say(1, PREFACE);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_HEADERS, 5, 3, "\x83");
	means("h2 preface client=1 frames=2+2 streams=1 method=POST 404", "unless the other side sends a preface");

	/* no connection */
	start();
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_DATA, 0, 0, "some frames more");
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_DATA, 0, 0, "");
	means("none", "two servers");
	ok(enough[0] && enough[1], "are not read on");
	start();
	frame(0, JJ_H2_SETTINGS, 1, 0, "");
	frame(1, JJ_H2_SETTINGS, 1, 0, "");
	means("none", "two acknowledgements");
	start();
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	say(0, "GET / HTTP/1.1\r\n\r\n");
	means("h1  method=GET 1.1", "a server and HTTP/1");
	start();
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 1, 0, "123456");
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	means("none preface", "an acknowledgement isn't empty");
	start();
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "1234567");
	means("none preface", "settings of seven bytes");
	start();
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 1, "");
	means("none preface", "settings of a stream");
	start();
	say(0, PREFACE);
	frame_of(0, JJ_H2_SETTINGS, 0, 0, zeros, 0, 16386);
	means("none preface", "settings too long");
	start();
	say(0, PREFACE);
	frame_of(0, JJ_H2_SETTINGS, 0, 0x80000000, zeros, 16380, 16380);
	means("h2 preface client=0 frames=1+-1 streams=0", "long ones, with the reserved bit");
	start();
	say(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX");
	means("none", "the preface with another last byte");
	start();
	say(0, "PRI * HTTP/2.0\r\n\r\nSM");
	means("none", "a cut one");
	start();
	say(0, "PUT / HTTP/1.1\r\n\r\n");
	means("h1  method=PUT 1.1", "a method that begins like it");
	start();
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_DATA, 0, 7, "x");
	say(1, PREFACE);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_DATA, 0, 1, "x");
	frame(1, JJ_H2_DATA, 0, 3, "x");
	means("h2 preface client=0 frames=2+-1 streams=1", "of two prefaces the initiator's counts");
	start();
	say(1, PREFACE);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_DATA, 0, 1, "x");
	frame(1, JJ_H2_DATA, 0, 3, "x");
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_DATA, 0, 7, "x");
	means("h2 preface client=0 frames=2+-1 streams=1", "also if it comes later");

	/* lengths, types */
	start();
	hello();
	frame(0, 0xfa, 0xff, 0xffffffff, "unknown");
	frame(1, JJ_H2_TYPES, 0xff, 5, "");
	frame_of(0, JJ_H2_DATA, 0, 1, "ab", 2, 3);
	means("h2 preface client=0 frames=2+2 streams=0", "unknown types count, a frame that isn't complete does not");
	start();
	hello();
	frame_of(1, JJ_H2_DATA, 0, 1, "ab", 2, 0xffffff);
	frame(1, JJ_H2_DATA, 0, 3, "inside the payload of the frame before");
	means("h2 preface client=0 frames=1+1 streams=0", "a length that lies");
	start();
	hello();
	for (int i = 0; i < 20; i++)
		frame(i % 2, JJ_H2_DATA, 0, (uint32_t) (i % 7), "");
	means("h2 preface client=0 frames=11+11 streams=6", "empty frames, and stream 0");
}

static void
test_blocks(void)
{
	static uint8_t big[MAX_SAID];

	start();
	hello();
	frame_of(0, JJ_H2_HEADERS, 0x2c, 1, "\x03\x00\x00\x00\x00\x10\x82\0\0\0", 10, 10);
	means("h2 preface client=0 frames=2+1 streams=1 method=GET", "padding and priority");
	start();
	hello();
	frame(0, JJ_H2_HEADERS, 0x0c, 1, "\x05\x82\x84\x86\x41");
	frame(0, JJ_H2_HEADERS, 4, 3, "\x82");
	means("h2 preface client=0 frames=3+1 streams=2 multiplexed", "more padding than there is room for: no field is read");
	start();
	hello();
	frame(0, JJ_H2_HEADERS, 0x0c, 1, "");
	means("h2 preface client=0 frames=2+1 streams=1", "a padded frame without payload");
	start();
	hello();
	frame(0, JJ_H2_HEADERS, 0x0c, 1, "\x01\x01");
	means("h2 preface client=0 frames=2+1 streams=1", "nothing but padding: an empty block");
	start();
	hello();
	frame(0, JJ_H2_HEADERS, 0x24, 1, "abc");
	frame(0, JJ_H2_HEADERS, 4, 1, "\x82");
	means("h2 preface client=0 frames=3+1 streams=1", "no room for the priority: an empty block, the first one counts");

	/* CONTINUATION */
	start();
	hello();
	frame(0, JJ_H2_CONTINUATION, 4, 1, "\x83");
	frame(0, JJ_H2_HEADERS, 0, 1, "\x82\x41");
	frame(0, JJ_H2_CONTINUATION, 0, 1, "");
	frame(0, JJ_H2_CONTINUATION, 0, 1, "\x03");
	frame(1, JJ_H2_HEADERS, 4, 1, "\x88");
	frame(0, JJ_H2_CONTINUATION, 4, 1, "abc");
	means("h2 preface client=0 frames=6+2 streams=1 authority=abc method=GET 200", "a block in four frames; a continuation of nothing");
	start();
	hello();
	frame(0, JJ_H2_HEADERS, 0, 1, "\x82");
	frame(0, JJ_H2_DATA, 0, 1, "");
	frame(0, JJ_H2_CONTINUATION, 4, 1, "");
	means("h2 preface client=0 frames=4+1 streams=1", "another frame inside a block");
	start();
	hello();
	frame(0, JJ_H2_HEADERS, 0, 1, "\x82");
	means("h2 preface client=0 frames=2+1 streams=1", "a block that doesn't end");
	memset(big, 0x20, sizeof(big));	/* updates of the dynamic table's size: to nothing, again and again */
	start();
	hello();
	frame_of(0, JJ_H2_HEADERS, 0, 1, big, 17000, 17000);
	for (int i = 0; i < 50; i++)
		frame_of(0, JJ_H2_CONTINUATION, 0, 1, big, 1000, 1000);
	frame(0, JJ_H2_CONTINUATION, 4, 1, "\x82");
	give_all(UINT32_MAX, 0);
	is_text(words(), "h2 preface client=0 frames=53+1 streams=1 method=GET", "a block of 67 KB in 52 frames");
	start();
	hello();
	frame_of(0, JJ_H2_HEADERS, 0, 1, "\0\1x\x7f\x81\xea\x30", 7, 7);	/* x: 800128 bytes */
	memset(big, 'v', sizeof(big));
	for (int i = 0; i < 50; i++)
		frame_of(0, JJ_H2_CONTINUATION, 0, 1, big, 16000, 16000);
	memset(big + 128, 0x82, 1);
	frame_of(0, JJ_H2_CONTINUATION, 4, 1, big, 129, 129);
	memory.calls = 0;
	give_all(UINT32_MAX, 0);
	is_text(words(), "h2 preface client=0 frames=53+1 streams=1 method=GET", "a field of 800 KB");
	ok(memory.calls < 6, "needs no memory");

	/* what is not the first exchange keeps the table right */
	start();
	hello();
	frame_of(1, JJ_H2_PUSH_PROMISE, 4, 1, "\0\0\0\2\x82\x48\3" "204", 10, 10);
	frame(1, JJ_H2_HEADERS, 4, 1, "\x48\x03" "103");
	frame(1, JJ_H2_HEADERS, 4, 1, "\xbf");
	frame(1, JJ_H2_HEADERS, 4, 1, "\x88");
	means("h2 preface client=0 frames=1+5 streams=2 204", "an entry of a promise, over a 1xx response");
	start();
	hello();
	frame(1, JJ_H2_HEADERS, 4, 1, "\x48\x03" "101");
	means("h2 preface client=0 frames=1+2 streams=1 101", "101 is kept");
	start();
	hello();
	frame(1, JJ_H2_HEADERS, 4, 1, "\x48\x03" "099\x48\x02" "20");
	means("h2 preface client=0 frames=1+2 streams=1 -1", "a status of two digits");
	start();
	hello();
	frame(1, JJ_H2_HEADERS, 4, 1, "\x48\x04" "1000");
	frame(1, JJ_H2_HEADERS, 4, 1, "\xff\xff");
	frame(1, JJ_H2_HEADERS, 4, 1, "\x88");
	means("h2 preface client=0 frames=1+4 streams=1", "after an error nothing is decoded");
}

static void
test_streams(void)
{
	jj_h2_ids	ids[2];
	bool		is_new;
	unsigned	wrong = 0;

	start();
	hello();
	frame(0, JJ_H2_HEADERS, 5, 1, "\x82");
	frame(1, JJ_H2_HEADERS, 4, 1, "\x88");
	frame(1, JJ_H2_DATA, 1, 1, "");
	frame(0, JJ_H2_HEADERS, 5, 3, "\x82");
	frame(1, JJ_H2_HEADERS, 5, 3, "\x88");
	frame(0, JJ_H2_HEADERS, 5, 1, "\x82");
	frame(0, JJ_H2_HEADERS, 5, 5, "\x82");
	means("h2 preface client=0 frames=5+4 streams=3 method=GET 200", "one after the other; trailers of one that is closed");
	frame(0, JJ_H2_HEADERS, 5, 7, "\x82");
	means("h2 preface client=0 frames=6+4 streams=4 multiplexed method=GET 200", "two at once");

	start();
	hello();
	frame(0, JJ_H2_HEADERS, 4, 1, "\x82");
	frame(1, JJ_H2_RST_STREAM, 0, 1, "abcd");
	frame(0, JJ_H2_HEADERS, 4, 3, "\x82");
	frame(0, JJ_H2_RST_STREAM, 0, 3, "abcd");
	frame(0, JJ_H2_HEADERS, 4, 5, "\x82");
	frame(0, JJ_H2_HEADERS, 4, 5, "\x82");
	frame(0, JJ_H2_HEADERS, 4, 0, "\x82");
	frame(1, JJ_H2_HEADERS, 5, 2, "\x88");
	frame(1, JJ_H2_HEADERS, 4, 7, "\x88");
	means("h2 preface client=0 frames=7+4 streams=5 method=GET 200", "reset by either side; streams of the server and stream 0 don't count");

	/* promised streams */
	start();
	hello();
	frame_of(1, JJ_H2_PUSH_PROMISE, 4, 1, "\x80\0\0\2\x82", 5, 5);
	frame_of(1, JJ_H2_PUSH_PROMISE, 0x0c, 1, "\1\0\0\0\4\x82\0", 7, 7);
	frame_of(1, JJ_H2_PUSH_PROMISE, 4, 1, "\0\0\0", 3, 3);
	frame_of(1, JJ_H2_PUSH_PROMISE, 4, 1, "\0\0\0\0", 4, 4);
	frame(1, JJ_H2_DATA, 0, 2, "x");
	means("h2 preface client=0 frames=1+6 streams=2", "promised identifiers");

	/* sets of identifiers */
	memset(ids, 0, sizeof(ids));
	for (uint32_t id = 1; id < 200000; id++)
	{
		jj_h2_ids_add(ids, id, &is_new, &allocator);
		wrong += !is_new;
		jj_h2_ids_add(ids, id, &is_new, &allocator);
		wrong += is_new;
	}
	ok(wrong == 0 && ids[0].n == 1 && ids[1].n == 1 && ids[0].count + ids[1].count == 199999, "all identifiers are two runs");
	jj_h2_ids_free(ids, &allocator);
	for (uint32_t i = 0; i < JJ_H2_RUNS * 10; i++)
	{
		jj_h2_ids_add(ids, 1 + 10 * i, &is_new, &allocator);
		wrong += !is_new;
		wrong += i > 2 && jj_h2_ids_has(ids, 10 * i - 1);
		wrong += !jj_h2_ids_has(ids, 1 + 10 * (i / 2));
	}
	ok(wrong == 0 && ids[1].count == JJ_H2_RUNS * 10 && ids[1].n == JJ_H2_RUNS, "with gaps, more than there are runs");
	jj_h2_ids_free(ids, &allocator);
	for (uint32_t i = 0; i < 500; i++)
	{
		jj_h2_ids_add(ids, 1 + 2 * (i * 7 % 500), &is_new, &allocator);
		wrong += !is_new;
	}
	ok(wrong == 0 && ids[1].n == 1 && ids[1].run[0][0] == 0 && ids[1].run[0][1] == 499, "in any order");
	jj_h2_ids_free(ids, &allocator);
	jj_h2_ids_add(ids, 0x7fffffff, &is_new, &allocator);
	jj_h2_ids_add(ids, 0x7ffffffd, &is_new, &allocator);
	ok(ids[1].n == 1 && ids[1].count == 2 && !jj_h2_ids_has(ids, 1), "the largest ones");
	jj_h2_ids_free(ids, &allocator);
}

/* ---- upgrade */

#define ASK "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n"
#define YES "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"

static void
test_upgrade(void)
{
	start();
	say(0, ASK);
	say(1, YES);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_HEADERS, 5, 1, "\x88");
	frame(0, JJ_H2_HEADERS, 5, 3, "\x82");
	means("h2 preface upgraded client=0 frames=2+2 streams=2  method=GET 1.1 host=h status=101 1.1", "upgraded: stream 1 is closed before 3 opens");
	start();
	say(0, ASK);
	say(1, YES);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_HEADERS, 5, 3, "\x82");
	frame(1, JJ_H2_HEADERS, 5, 1, "\x88");
	means("h2 preface upgraded client=0 frames=2+2 streams=2 multiplexed  method=GET 1.1 host=h status=101 1.1", "both open at once");
	start();
	say(0, ASK PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_HEADERS, 5, 3, "\x82");
	say(1, "HTTP/1.1 100 Continue\r\n\r\n" YES);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	means("h2 preface upgraded client=0 frames=2+1 streams=1 multiplexed  method=GET 1.1 host=h status=101 1.1", "the answer comes late");
	start();
	say(1, YES);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_DATA, 1, 1, "");
	say(0, "POST / HTTP/1.1\r\nContent-Length: 7\r\nUpgrade: h2c\r\n\r\ncontent" PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_HEADERS, 5, 3, "\x82");
	means("h2 preface upgraded client=0 frames=2+2 streams=2  method=POST 1.1 status=101 1.1", "a request with content, which comes late");
	start();
	say(0, ASK);
	say(1, YES "other");
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	means("h2 preface upgraded client=0 frames=1+-1 streams=0  method=GET 1.1 host=h status=101 1.1", "the server doesn't begin with settings");
	start();
	say(0, ASK);
	say(1, YES);
	say(0, PREFACE "other bytes");
	means("h1 preface upgraded  method=GET 1.1 host=h status=101 1.1", "nor does the client");
	start();
	say(0, ASK);
	say(1, "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\n\r\n");
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	means("h1  method=GET 1.1 host=h status=200 1.1", "the server refuses");
	start();
	say(0, ASK PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	say(1, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	means("h1  method=GET 1.1 host=h status=101 1.1", "or changes to another protocol");
	ok(state->h2->ids[0].run == NULL && enough[1], "which isn't read on");
	start();
	say(0, ASK "GET / HTTP/1.1\r\n\r\n");
	say(1, YES);
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	means("h1  method=GET 1.1 host=h status=101 1.1", "the preface isn't next to the request");
	start();
	say(1, YES);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_DATA, 1, 1, "");
	say(0, PREFACE);
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_DATA, 1, 5, "");
	means("h2 preface client=0 frames=2+-1 streams=1 status=101 1.1", "a preface and an answer to an upgrade: the client alone is read");
	start();
	say(0, "POST / HTTP/1.1\r\nContent-Length: 9999999999999999999999999\r\n\r\n");
	say(0, "content");
	say(1, "HTTP/1.1 200 OK\r\n\r\n");
	say(0, "content");
	means("h1  method=POST 1.1 status=200 1.1", "content that never ends");
	ok(enough[0] && enough[1], "isn't wanted after the response");
}

/* Every allocation of a long conversation may fail. */
static void
test_memory(void)
{
	unsigned	failures = 0;

	start();
	say(0, "GET http://a@b/ HTTP/1.1\r\nHost: h\r\n folded\r\nUser-Agent: x\r\n\r\n" PREFACE);
	say(1, YES);
	frame(1, JJ_H2_SETTINGS, 0, 0, "");
	frame(1, JJ_H2_HEADERS, 5, 1, "\x88");
	frame(0, JJ_H2_SETTINGS, 0, 0, "");
	frame(0, JJ_H2_HEADERS, 5, 3, "\x82");
	for (int round = 0; round < 2; round++)
	{
		if (round == 1)
		{
			start();
			hello();
			frame(0, JJ_H2_HEADERS, 5, 1, "\x82\x41\x03" "abc\x7a\x03" "xyz");
			frame(1, JJ_H2_HEADERS, 5, 1, "\x48\x03" "200");
			for (uint32_t i = 1; i < 40; i++)
				frame(0, JJ_H2_HEADERS, 5, 1 + 4 * i, "\x82");
		}
		memory.calls = 0;
		for (memory.fail_at = 1; !give_all(7, 0); memory.fail_at++)
		{
			failures++;
			memory.calls = 0;
		}
		memory.fail_at = 0;
		forget();
	}
	ok(failures > 20, "%u allocations that failed", failures);
	is_int(memory.live, 0, "everything was released");
}

int
main(void)
{
	jj_set_all(&wanted);
	test_h1();
	test_frames();
	test_blocks();
	test_streams();
	test_upgrade();
	test_memory();
	return done_testing();
}
