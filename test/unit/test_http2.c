/*
 * Columns of the group http2 on segments made by hand: values, and when they
 * are NULL.
 */
#include "payload.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define SETTINGS_ACK "\0\0\0\4\1\0\0\0\0"
#define BYTES(literal) literal, sizeof(literal) - 1
#define PSH_ACK (A | JJ_TCP_PSH)

static uint32_t next[3];

static void
opened(void)
{
	between(40000, 80);
	segment(1, S, 99, NULL, 0);
	segment(2, S | A, 499, NULL, 0);
	next[1] = 100;
	next[2] = 500;
}

static void
send(int from, const void *bytes, size_t n)
{
	segment(from, PSH_ACK, next[from], bytes, (uint32_t) n);
	next[from] += (uint32_t) n;
}

static void
send_text(int from, const char *t)
{
	send(from, t, strlen(t));
}

static bool
no_counts(void)
{
	return NIL(http2_frame_count) && NIL(http2_data_frames) && NIL(http2_headers_frames) && NIL(http2_settings_frames)
		&& NIL(http2_push_promise_frames) && NIL(http2_goaway_frames) && NIL(http2_window_update_frames)
		&& NIL(http2_streams_estimate) && NIL(http2_server_push) && NIL(http2_multiplexed);
}

static bool
no_fields(void)
{
	return NIL(http_method) && NIL(http_host) && NIL(http_status) && NIL(http_user_agent);
}

static void
test_h1(void)
{
	char		request[4000];
	char		agent[1025];

	opened();
	send_text(1, "GET / HTTP/1.1\r\nHost: A\\B\xc3\xa4\x01:8\r\nUser-Agent: x\ty\x7f\r\n\r\n");
	send_text(2, "HTTP/1.1 200 OK\r\n\r\n");
	rows();
	ok(INT(http2_detected, 0) && INT(http3_detected, 0) && INT(http2_preface_seen, 0) && no_counts(), "HTTP/1 is not HTTP/2");
	ok(TEXT(http_version, "http/1.1") && TEXT(http_method, "GET") && INT(http_status, 200), "version, method, status");
	ok(TEXT(http_host, "a\\b\\xc3\\xa4\\x01:8"), "a host in lower case, other bytes in hexadecimal");
	ok(TEXT(http_user_agent, "x\\x09y\\x7f"), "a user agent");

	opened();
	memset(agent, 'u', 1024);
	agent[1024] = '\0';
	snprintf(request, sizeof(request), "abcdefghijklmnopqrstuvwxyz0123456789 / HTTP/1.0\r\nUser-Agent: %s more\r\nHost:\r\n\r\n", agent);
	send_text(1, request);
	rows();
	ok(TEXT(http_method, "abcdefghijklmnopqrstuvwxyz012345") && TEXT(http_user_agent, agent) && TEXT(http_version, "http/1.0"), "what is too long is cut");
	ok(NIL(http_host) && NIL(http_status), "an empty host, no response");

	opened();
	send_text(1, "GET / HTTP/1.1\r\nUser-Agent:\r\n\r\n");
	send_text(2, "HTTP/1.1 100 Continue\r\n\r\n");
	rows();
	ok(TEXT(http_user_agent, "") && NIL(http_status), "an empty user agent; 100 is not final");

	opened();
	send_text(1, "GET /\r\n");
	rows();
	ok(TEXT(http_version, "http/0.9") && TEXT(http_method, "GET") && NIL(http_host), "HTTP/0.9");

	opened();
	send_text(2, "HTTP/1.0 204\r\n");
	rows();
	ok(TEXT(http_version, "http/1.0") && INT(http_status, 204) && NIL(http_method), "a response alone");

	opened();
	send_text(1, "hello");
	rows();
	ok(NIL(http_version) && no_fields() && INT(http2_detected, 0) && INT(http2_preface_seen, 0), "another protocol");

	between(40000, 80);
	datagram(1, BYTES("M-SEARCH * HTTP/1.1\r\n\r\n"));
	rows();
	ok(NIL(http_version) && no_fields() && INT(http2_detected, 0) && INT(http3_detected, 0) && INT(http2_preface_seen, 0), "HTTP over UDP is none");
}

static void
test_start(void)
{
	/* whether the beginning of the initiator's stream was captured */
	between(40000, 80);
	segment(1, PSH_ACK, 100, BYTES("GET / HTTP/1.1\r\n\r\n"));
	rows();
	ok(NIL(http2_preface_seen) && TEXT(http_method, "GET"), "no SYN");
	between(40000, 80);
	segment(2, S | A, 499, NULL, 0);
	rows();
	ok(INT(http2_preface_seen, 0), "a SYN-ACK alone");
	opened();
	segment(1, PSH_ACK, 100, BYTES("GET / HTTP/1.1\r\n"));
	segment(1, PSH_ACK, 120, BYTES("behind a gap"));
	rows();
	ok(NIL(http2_preface_seen) && TEXT(http_method, "GET"), "a gap before the end of a preface");
	opened();
	segment(1, PSH_ACK, 100, BYTES("HEAD / HTTP/1.1\r\nA: bcd\r\n"));
	segment(1, PSH_ACK, 130, BYTES("behind a gap"));
	rows();
	ok(INT(http2_preface_seen, 0), "and behind it");
	opened();
	segment(1, PSH_ACK, 100, BYTES("\x16\x03"));
	segment(1, PSH_ACK, 110, BYTES("behind a gap"));
	rows();
	ok(NIL(http2_preface_seen), "also when the first byte can't be HTTP");

	/* the SYN-ACK comes behind the data of its direction */
	between(40000, 80);
	segment(1, PSH_ACK, 0, BYTES("\1\2\3\4 is no protocol that is known"));
	segment(2, PSH_ACK, 500, BYTES("\1\2\3\4 nor is this"));
	segment(2, S | A, 499, NULL, 0);
	memset(&o.features, 0, sizeof(o.features));
	jj_set_add(&o.features, JJ_F_http2_preface_seen);
	rows();
	jj_set_all(&o.features);
	ok(INT(http2_preface_seen, 0), "a late SYN-ACK");

	/* nothing of the payload was captured */
	opened();
	segment(1, PSH_ACK, 100, BYTES("x"));
	frames[n_frames - 1].caplen -= 1;
	rows();
	ok(NIL(http2_detected) && NIL(http2_preface_seen) && INT(http3_detected, 0), "TCP payload that was not captured");
	between(40000, 443);
	datagram_cut(1, "x", 1, 0, 0);
	rows();
	ok(NIL(http3_detected) && NIL(http2_preface_seen) && INT(http2_detected, 0), "UDP payload that was not captured");
	opened();
	rows();
	ok(INT(http2_detected, 0) && INT(http3_detected, 0) && INT(http2_preface_seen, 0), "no payload at all");
}

static void
test_h2(void)
{
	opened();
	send(1, BYTES(PREFACE SETTINGS "\0\0\x18\1\5\0\0\0\1\x82\x41\3A:1\x0f\x2b\3u\x80u\0\2xy\7zzzzzzz"));
	send(2, BYTES(SETTINGS SETTINGS_ACK "\0\0\1\1\4\0\0\0\1\x88" "\0\0\2\0\1\0\0\0\1ok" "\0\0\4\x8\0\0\0\0\0abcd"));
	send(2, BYTES("\0\0\5\5\4\0\0\0\1\0\0\0\2\x82" "\0\0\1\1\5\0\0\0\2\x8d" "\0\0\10\7\0\0\0\0\0abcdefgh"));
	rows();
	ok(INT(http2_detected, 1) && INT(http2_preface_seen, 1) && TEXT(http_version, "h2") && INT(http3_detected, 0), "HTTP/2");
	ok(INT(http2_frame_count, 10) && INT(http2_data_frames, 1) && INT(http2_headers_frames, 3) && INT(http2_settings_frames, 3)
	   && INT(http2_push_promise_frames, 1) && INT(http2_goaway_frames, 1) && INT(http2_window_update_frames, 1), "frames");
	ok(INT(http2_streams_estimate, 2) && INT(http2_server_push, 1) && INT(http2_multiplexed, 0), "streams");
	ok(TEXT(http_method, "GET") && TEXT(http_host, "a:1") && TEXT(http_user_agent, "u\\x80u") && INT(http_status, 200), "fields");

	/* columns that need less */
	memset(&o.features, 0, sizeof(o.features));
	jj_set_add(&o.features, JJ_F_http_status);
	jj_set_add(&o.features, JJ_F_http2_detected);
	rows();
	ok(INT(http_status, 200) && INT(http2_detected, 1) && no_counts(), "status alone");
	memset(&o.features, 0, sizeof(o.features));
	jj_set_add(&o.features, JJ_F_http2_window_update_frames);
	rows();
	ok(INT(http2_window_update_frames, 1) && NIL(http_status), "a count alone");
	jj_set_all(&o.features);

	opened();
	send(1, BYTES(PREFACE SETTINGS));
	next[1] += 5;
	send(1, BYTES(SETTINGS));
	send(2, BYTES(SETTINGS));
	rows();
	ok(INT(http2_detected, 1) && no_counts(), "a gap in the client's stream");
	opened();
	send(1, BYTES(PREFACE SETTINGS));
	send(2, BYTES(SETTINGS));
	next[2] += 5;
	send(2, BYTES(SETTINGS));
	rows();
	ok(INT(http2_detected, 1) && no_counts(), "a gap in the server's");
	opened();
	send(1, BYTES(PREFACE SETTINGS));
	send(2, BYTES("other bytes"));
	next[2] += 5;
	send(2, BYTES("x"));
	rows();
	ok(INT(http2_detected, 1) && INT(http2_frame_count, 1) && INT(http2_server_push, 0), "a server that isn't one is left out");
	opened();
	send(1, BYTES(PREFACE "other bytes"));
	rows();
	ok(INT(http2_detected, 0) && INT(http2_preface_seen, 1) && NIL(http_version) && no_counts(), "a preface alone");

	/* no authority: host; a status that is none */
	opened();
	send(1, BYTES(PREFACE SETTINGS "\0\0\x9\1\5\0\0\0\1\x83\x41\0\x0f\x17\3H:2"));
	send(2, BYTES(SETTINGS "\0\0\4\1\5\0\0\0\1\x48\2xx"));
	rows();
	ok(TEXT(http_method, "POST") && TEXT(http_host, "h:2") && NIL(http_user_agent) && NIL(http_status), "host instead of an empty authority");
	opened();
	send(1, BYTES(PREFACE SETTINGS "\0\0\5\1\5\0\0\0\1\x41\3abc"));
	rows();
	ok(no_fields(), "fields without method");

	/* upgrade */
	opened();
	send_text(1, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n");
	send_text(2, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n");
	send(2, BYTES(SETTINGS "\0\0\1\1\5\0\0\0\1\x8d"));
	send(1, BYTES(PREFACE SETTINGS "\0\0\1\1\5\0\0\0\3\x83"));
	rows();
	ok(INT(http2_detected, 1) && INT(http2_preface_seen, 1) && TEXT(http_version, "h2") && INT(http2_frame_count, 4) && INT(http2_multiplexed, 0),
	   "an upgrade");
	ok(TEXT(http_method, "GET") && TEXT(http_host, "h") && INT(http_status, 101), "fields of the HTTP/1.1 exchange");
}

int
main(void)
{
	o = defaults();
	test_h1();
	test_start();
	test_h2();
	return done_testing();
}
