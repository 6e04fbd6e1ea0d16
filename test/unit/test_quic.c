/*
 * QUIC: the examples of the RFCs, and flows of datagrams made here.
 */
#include "failing.h"
#include "quic_bytes.h"
#include "row_text.h"

static const cid original = {8, {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08}};
static const cid server_id = {8, {0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5}};
static const cid client_id = {4, {0xc1, 0xc2, 0xc3, 0xc4}};

/* CRYPTO frame of appendix A.2, and the payload of A.3, of both RFCs. */
#define A2_FRAMES \
	"060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578" \
	"616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fba" \
	"baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c0002400100" \
	"3900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
#define A3_FRAMES \
	"02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c94" \
	"0d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304"

static message d;				/* a datagram */
static message frames;

static void
columns(void)
{
	jj_row_clear(&row);
	if (!jj_extract_quic.emit(&quic_flow, quic_state, NULL, &quic_work, &row))
		ok(false, "columns");
}

/* The flow's columns are looked at, and the next flow begins. */
#define FLOW_ENDS \
	do { \
		columns(); \
		quic_restart(); \
	} while (0)

static bool
begins_with(const message *m, const char *hex)
{
	static message want;

	want.n = 0;
	put_hex(&want, hex);
	return m->n >= want.n && memcmp(m->b, want.b, want.n) == 0;
}

static bool
ends_with(const message *m, const char *hex)
{
	static message want;

	want.n = 0;
	put_hex(&want, hex);
	return m->n >= want.n && memcmp(m->b + m->n - want.n, want.b, want.n) == 0;
}

/* ---- the RFCs' examples */

static void
is_keys(uint32_t version, bool server, const char *hex, const char *name)
{
	jj_quic_keys k;
	message		want = {.n = 0};

	put_hex(&want, hex);
	ok(jj_quic_initial_keys(&k, version, original.b, original.n, server, &quic_work)
	   && memcmp(k.key, want.b, 16) == 0 && memcmp(k.iv, want.b + 16, 12) == 0 && memcmp(k.hp, want.b + 28, 16) == 0, "%s", name);
}

/* The client Initial of A.2: 1200 bytes. */
static void
put_a2(message *m, uint32_t version)
{
	initial		p = {.version = version, .key = original, .dcid = original, .number = 2, .number_len = 4};

	frames.n = 0;
	put_hex(&frames, A2_FRAMES);
	memset(frames.b + frames.n, 0, 1162 - frames.n);
	frames.n = 1162;
	put_initial(m, &p, &frames);
}

static void
test_vectors(void)
{
	is_keys(1, false, "1f369613dd76d5467730efcbe3b1a22d fa044b2f42a3fd3b46fb255c 9f50449e04a0e810283a1e9933adedd2", "RFC 9001 A.1: client");
	is_keys(1, true, "cf3a5331653c364c88f0f379b6067e37 0ac1493ca1905853b0bba03e c206b8d9b9f0f37644430b490eeaa314", "RFC 9001 A.1: server");
	is_keys(JJ_QUIC_V2, false, "8b1a0bc121284290a29e0971b5cd045d 91f73e2351d8fa91660e909f 45b95e15235d6f45a6b19cbcb0294ba9", "RFC 9369 A.1: client");
	is_keys(JJ_QUIC_V2, true, "82db637861d55e1d011f19ea71d5d2a7 dd13c276499c0249d3310652 edf6d05c83121201b436e16877593c3a", "RFC 9369 A.1: server");

	/* version 1: A.2, A.4 (a Retry), A.2 again, A.3 */
	d.n = 0;
	put_a2(&d, 1);
	ok(d.n == 1200 && begins_with(&d, "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11")
	   && ends_with(&d, "7e78bfe706ca4cf5e9c5453e9f7cfd2b8b4c8d169a44e55c88d4a9a7f9474241e221af44860018ab0856972e194cd934"), "RFC 9001 A.2: the packet");
	quic_send(0, &d);
	d.n = 0;
	put_hex(&d, "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba");
	quic_send(1, &d);
	d.n = 0;
	put_hex(&d, "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3"
			"dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4"
			"2158407dd074ee");
	quic_send(1, &d);
	ok(quic_now()->sh.body != NULL && quic_now()->sh.cipher == 0x1301 && quic_now()->sh.chosen == 0x0304, "A.3: the ServerHello");
	ok(quic_now()->opened && quic_now()->opener == NULL, "nothing more is decrypted");
	FLOW_ENDS;
	IS(quic_detected, "1");
	IS(quic_version, "1");
	IS(quic_version_str, "QUIC v1");
	IS(quic_dcid, "8394c8f03e515708");
	IS(quic_dcid_len, "8");
	IS(quic_scid, "");
	IS(quic_scid_len, "0");
	IS(quic_pn_length, "4");
	IS(quic_initial_packets, "2");
	IS(quic_0rtt_detected, "0");
	IS(quic_retry_detected, "1");
	IS(quic_spin_bit, "NULL");
	IS(quic_alpn, "alpn");
	IS(quic_sni, "example.com");
	IS(quic_token_length, "0");
	IS(quic_transport_params, "{\"initial_max_data\":4611686018427387903,\"initial_max_stream_data_bidi_local\":65535,"
	   "\"initial_max_stream_data_uni\":65535,\"initial_max_streams_bidi\":16,\"max_idle_timeout\":30000,\"initial_max_streams_uni\":16,"
	   "\"initial_source_connection_id\":\"8394c8f03e515708\",\"initial_max_stream_data_bidi_remote\":65535}");

	/* version 2 */
	d.n = 0;
	put_a2(&d, JJ_QUIC_V2);
	ok(begins_with(&d, "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485")
	   && ends_with(&d, "9a37ddec600545473cfb5a05e08d0b209973b2172b4d21fb69745a262ccde96ba18b2faa745b6fe189cf772a9f84cbfc"), "RFC 9369 A.2: the packet");
	quic_send(0, &d);
	d.n = 0;
	put_hex(&d, "cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6");
	quic_send(1, &d);
	d.n = 0;
	put_hex(&d, "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17"
			"f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca8"
			"4bed8521e2e140");
	quic_send(1, &d);
	ok(quic_now()->sh.body != NULL, "RFC 9369 A.3: the ServerHello");
	FLOW_ENDS;
	IS(quic_version, "1798521807");
	IS(quic_version_str, "QUIC v2");
	IS(quic_initial_packets, "2");
	IS(quic_retry_detected, "1");
	IS(quic_0rtt_detected, "0");
	IS(quic_sni, "example.com");
}

/* ---- hellos of our own */

static message ch;				/* handshake messages */
static message sh;

static void
make_hellos(void)
{
	message		body;
	size_t		at;

	client_hello(&body, 0x0303, "", NULL, "1301 1302 1303");
	at = extensions(&body);
	name_extension(&body, "quic.example");
	alpn_extension(&body, "h3,h3-29");
	extension(&body, 43, "02 0304");
	extension(&body, 0x39, "01 04 80007530 0c 00 1b 01 ff 7129 06 41225c 0a e9 7a 7fff 02 abcd 01 01 05");
	extension(&body, 21, "00000000000000000000000000000000000000000000000000000000000000000000000000000000");
	end_extensions(&body, at);
	ch.n = 0;
	put_handshake(&ch, 1, &body);
	server_hello(&body, 0x0303, 0x1302, false);
	at = extensions(&body);
	extension(&body, 43, "0304");
	extension(&body, 51, "001d 0001 aa");
	end_extensions(&body, at);
	sh.n = 0;
	put_handshake(&sh, 2, &body);
}

/* Pad frames, so that the datagram gets so long with an Initial of these IDs. */
static void
pad(size_t size)
{
	memset(frames.b + frames.n, 0, size - frames.n);
	frames.n = size;
}

static initial
client_packet(unsigned number)
{
	return (initial)
	{
		.version = 1, .key = original, .dcid = original, .scid = client_id, .number = number, .number_len = 1
	};
}

static initial
server_packet(unsigned number)
{
	return (initial)
	{
		.version = 1, .server = true, .key = original, .dcid = client_id, .scid = server_id, .number = number, .number_len = 2
	};
}

/* A datagram with one Initial whose frames are those of the message b from offset on, n bytes. */
static void
send_crypto(int dir, const initial *p, const message *m, size_t offset, size_t n)
{
	frames.n = 0;
	put_crypto(&frames, offset, m->b + offset, n);
	pad(1200);
	d.n = 0;
	put_initial(&d, p, &frames);
	quic_send(dir, &d);
}

static void
test_reassembly(void)
{
	initial		c0 = client_packet(0);
	initial		c1 = client_packet(1);
	initial		s0 = server_packet(0);

	/* last part first, then one that overlaps it with other bytes, and the rest with other frames around */
	send_crypto(0, &c0, &ch, 60, ch.n - 60);
	ok(quic_now()->ch.body == NULL, "half a ClientHello is none");
	frames.n = 0;
	put_hex(&frames, "01 00 02 05 00 01 00 00 00 03 05 00 00 00 01 02 03");
	put_crypto(&frames, 0, ch.b, 20);
	{
		message		other = ch;

		memset(other.b + 60, 0xee, 20);
		put_crypto(&frames, 40, other.b + 40, 40);
	}
	put_crypto(&frames, 10, ch.b + 10, 35);
	put_hex(&frames, "1c 0a 06 03 616263");
	pad(1200);
	d.n = 0;
	put_initial(&d, &c1, &frames);
	quic_send(0, &d);
	ok(quic_now()->ch.body != NULL, "a ClientHello in parts that overlap, in any order; the first copy of a byte wins");
	send_crypto(1, &s0, &sh, 0, 30);
	s0.number++;
	send_crypto(1, &s0, &sh, 30, sh.n - 30);
	ok(quic_now()->sh.body != NULL && quic_now()->ch_dir == 0 && quic_now()->sh_dir == 1, "a ServerHello in two datagrams");
	is_int(quic_now()->handshake_datagrams, 4, "datagrams of the handshake");
	FLOW_ENDS;
	IS(quic_sni, "quic.example");
	IS(quic_alpn, "h3");
	IS(quic_transport_params, "{\"max_idle_timeout\":30000,\"disable_active_migration\":true,\"user_agent\":\"A\\\"\\\\\\\\x0a\\\\xe9z\","
	   "\"16383\":\"abcd\",\"grease\":1}");
	IS(quic_initial_packets, "4");
	IS(quic_scid, "c1c2c3c4");

	/* beyond what is kept */
	frames.n = 0;
	put_crypto(&frames, JJ_QUIC_CRYPTO - 4, ch.b, 8);
	put_crypto(&frames, JJ_QUIC_CRYPTO, ch.b, 8);
	put_crypto(&frames, UINT64_C(1) << 61, ch.b, 8);
	pad(1200);
	d.n = 0;
	put_initial(&d, &c0, &frames);
	quic_send(0, &d);
	send_crypto(0, &c1, &ch, 0, ch.n);
	ok(quic_now()->ch.body != NULL, "offsets that are too large don't harm");
	quic_restart();

	/* an unknown frame ends an Initial, a message that is none is skipped */
	frames.n = 0;
	put_hex(&frames, "06 00 05 01 000001 00 30");
	put_crypto(&frames, 5, ch.b, ch.n);
	pad(1200);
	d.n = 0;
	put_initial(&d, &c0, &frames);
	quic_send(0, &d);
	ok(quic_now()->decrypted && quic_now()->ch.body == NULL, "what stands behind an unknown frame is not read");
	frames.n = 0;
	put_crypto(&frames, 5, ch.b, ch.n);
	pad(1200);
	d.n = 0;
	put_initial(&d, &c1, &frames);
	quic_send(0, &d);
	ok(quic_now()->ch.body != NULL, "a ClientHello behind one that is not valid");
	quic_restart();
}

/* ---- detection */

static void
test_damage(void)
{
	initial		p = client_packet(0);

	frames.n = 0;
	put_crypto(&frames, 0, ch.b, ch.n);
	pad(1200);
	d.n = 0;
	put_initial(&d, &p, &frames);
	d.b[d.n - 1] ^= 1;
	quic_send(0, &d);
	FLOW_ENDS;
	IS(quic_detected, "1");
	IS(quic_sni, "NULL");
	IS(quic_pn_length, "NULL");
	IS(quic_initial_packets, "1");
	d.b[d.n - 1] ^= 1;
	quic_cut(0, d.b, d.n - 1, d.n);
	ok(!quic_now()->decrypted, "an Initial that is cut off is not decrypted");
	FLOW_ENDS;
	IS(quic_detected, "1");
	IS(quic_alpn, "NULL");
	quic_cut(0, d.b, 0, d.n);
	FLOW_ENDS;
	IS(quic_detected, "NULL");

	/* a client's datagram below 1200 bytes proves nothing unless it decrypts */
	frames.n = 0;
	put_crypto(&frames, 0, ch.b, 20);
	d.n = 0;
	put_initial(&d, &p, &frames);
	quic_send(0, &d);
	FLOW_ENDS;
	IS(quic_detected, "1");
	d.b[d.n - 1] ^= 1;
	quic_send(0, &d);
	FLOW_ENDS;
	IS(quic_detected, "0");
	IS(quic_version, "NULL");
	quic_send(1, &d);
	FLOW_ENDS;
	IS(quic_detected, "1");
}

static void
is_quic(const char *hex, bool want, const char *name)
{
	d.n = 0;
	put_hex(&d, hex);
	quic_send(0, &d);
	FLOW_ENDS;
	if (!ok(strcmp(shown(JJ_F_quic_detected), want ? "1" : "0") == 0, "%s", name))
		printf("# got %s\n", shown(JJ_F_quic_detected));
}

static void
test_not_quic(void)
{
	is_quic("e0 00000001 00 00 10 0102030405060708090a0b0c0d0e0f10", true, "Handshake of version 1");
	is_quic("a0 00000001 00 00 10 0102030405060708090a0b0c0d0e0f10", false, "without the fixed bit");
	is_quic("e0 00000001 15 000102030405060708090a0b0c0d0e0f1011121314 00 01 00", false, "a connection ID of 21 bytes");
	is_quic("e0 00000001 00 00 11 0102030405060708090a0b0c0d0e0f10", false, "a length that is too large");
	is_quic("e0 00000001 00 00 00 01", false, "a length of nothing");
	is_quic("e0 00000002 00 00 01 01", false, "an unknown version");
	is_quic("e0 ff000015 00 00 01 01", false, "a draft before 22");
	is_quic("e0 ff00001d 00 00 01 01", true, "draft 29");
	is_quic("e0 faceb002 00 00 01 01", true, "mvfst");
	is_quic("40 0102030405060708090a0b0c0d0e0f10", false, "a short header alone");
	is_quic("80 00000000 00 00 00000001", false, "Version Negotiation alone");
	is_quic("c0 1a2a3a4a 00 00 00", false, "a reserved version alone");
	is_quic("09 0102030405060708 51303433 01 a0", true, "public header of Q043");
	is_quic("09 0102030405060708 51303434 01 a0", false, "there is no Q044 with it");
	is_quic("01 51303330 01", true, "without connection ID");
	is_quic("03 51303330 01", false, "a reset of it");
	is_quic("0f 0102030405060708 51303433 01 a0", false, "with a flag that asks for a reset");
	is_quic("c0 51303436 50 0102030405060708 00000001 a0", true, "Q046");
	is_quic("80 51303436 50 0102030405060708 00000001 a0", false, "Q046 without the fixed bit");
	is_quic("80", false, "one byte");
	is_quic("c000000001", false, "five bytes");
}

static void
test_negotiation(void)
{
	/* a version that forces it, the answer, and a version that both have */
	d.n = 0;
	put_long(&d, 0xc0, 0x1a2a3a4a, original, client_id);
	d.n = 1200;
	quic_send(0, &d);
	d.n = 0;
	put_long(&d, 0x80, 0, client_id, original);
	put_hex(&d, "00000001 6b3343cf");
	quic_send(1, &d);
	columns();
	IS(quic_detected, "1");
	IS(quic_version, "438975050");
	IS(quic_version_str, "reserved 0x1a2a3a4a");
	IS(quic_initial_packets, "0");
	{
		initial		p = client_packet(0);

		send_crypto(0, &p, &ch, 0, ch.n);
	}
	FLOW_ENDS;
	IS(quic_version, "1");
	IS(quic_sni, "quic.example");
	IS(quic_dcid, "8394c8f03e515708");

	/* an answer with other IDs is none */
	d.n = 0;
	put_long(&d, 0xc0, 0x1a2a3a4a, original, client_id);
	quic_send(0, &d);
	d.n = 0;
	put_long(&d, 0x80, 0, client_id, server_id);
	put_hex(&d, "00000001");
	quic_send(1, &d);
	d.n = 0;
	put_long(&d, 0x80, 0, original, client_id);
	put_hex(&d, "00000001");
	quic_send(1, &d);
	FLOW_ENDS;
	IS(quic_detected, "0");

	/* compatible negotiation (RFC 9368 2.3): the server goes on in version 2 with keys of the client's first ID */
	{
		initial		p = client_packet(0);
		initial		s = server_packet(0);

		send_crypto(0, &p, &ch, 0, ch.n);
		s.version = JJ_QUIC_V2;
		send_crypto(1, &s, &sh, 0, sh.n);
	}
	ok(quic_now()->sh.body != NULL && quic_now()->ch_version == 1, "the ServerHello of version 2");
	FLOW_ENDS;
	IS(quic_version_str, "QUIC v2");
	IS(quic_initial_packets, "2");
}

static void
test_retry(void)
{
	initial		p = client_packet(0);
	initial		s = server_packet(0);
	cid			other = CID(1, 2, 3, 4, 5, 6, 7, 8);

	/* the ClientHello is in two parts, the second one after a Retry, with the server's ID as key */
	p.token = 70;
	send_crypto(0, &p, &ch, 0, ch.n);
	d.n = 0;
	put_retry(&d, 1, client_id, server_id, original);
	d.b[d.n - 1] ^= 1;
	quic_send(1, &d);
	columns();
	IS(quic_retry_detected, "0");
	d.b[d.n - 1] ^= 1;
	quic_send(1, &d);
	columns();
	IS(quic_retry_detected, "1");
	p.number++;
	p.key = p.dcid = server_id;
	p.token = 5;
	send_crypto(0, &p, &ch, 0, ch.n);
	s.key = server_id;
	send_crypto(1, &s, &sh, 0, sh.n);
	ok(quic_now()->sh.body != NULL, "after a Retry the keys are made of the server's ID");
	FLOW_ENDS;
	IS(quic_retry_detected, "1");
	IS(quic_token_length, "70");
	IS(quic_dcid, "8394c8f03e515708");
	IS(quic_initial_packets, "3");

	/* a Retry for an ID that the client never had, and one by the client */
	p = client_packet(0);
	send_crypto(0, &p, &ch, 0, ch.n);
	d.n = 0;
	put_retry(&d, 1, client_id, server_id, other);
	quic_send(1, &d);
	d.n = 0;
	put_retry(&d, 1, client_id, server_id, original);
	quic_send(0, &d);
	FLOW_ENDS;
	IS(quic_retry_detected, "0");
	/* before draft 25 there is no tag */
	send_crypto(0, &p, &ch, 0, ch.n);
	d.n = 0;
	put_long(&d, 0xf0, 0xff000018, client_id, server_id);
	put_hex(&d, "08 8394c8f03e515708");
	quic_send(1, &d);
	FLOW_ENDS;
	IS(quic_retry_detected, "1");
	IS(quic_version_str, "QUIC draft-24");
}

static void
test_coalescing(void)
{
	initial		p = client_packet(0);
	initial		s = server_packet(0);

	/* Initial and 0-RTT; Initial, Handshake and a short header; Initial and padding */
	frames.n = 0;
	put_crypto(&frames, 0, ch.b, ch.n);
	pad(1000);
	d.n = 0;
	put_initial(&d, &p, &frames);
	put_long(&d, 0xd0, 1, original, client_id);
	put_hex(&d, "40c8");
	d.n += 200;
	quic_send(0, &d);
	frames.n = 0;
	put_crypto(&frames, 0, sh.b, sh.n);
	d.n = 0;
	put_initial(&d, &s, &frames);
	put_long(&d, 0xe0, 1, client_id, server_id);
	put_hex(&d, "14 0000000000000000000000000000000000000000");
	put_hex(&d, "40 c1c2c3c4 000000000000000000000000000000000000");
	quic_send(1, &d);
	columns();
	IS(quic_0rtt_detected, "1");
	IS(quic_initial_packets, "2");
	IS(quic_spin_bit, "NULL");
	is_int(quic_now()->side[1].one_rtt, 1, "a short header behind others");
	d.n = 0;
	put_hex(&d, "61 c1c2c3c4 000000000000000000000000000000000000");
	quic_send(1, &d);
	columns();
	IS(quic_spin_bit, "1");
	quic_restart();

	frames.n = 0;
	put_crypto(&frames, 0, sh.b, sh.n);
	d.n = 0;
	put_initial(&d, &p, &frames);
	d.n += 100;
	memset(d.b + d.n - 100, 0, 100);
	quic_send(0, &d);
	put_initial(&d, &p, &frames);
	quic_send(0, &d);
	FLOW_ENDS;
	IS(quic_initial_packets, "2");
}

static void
short_header(int dir, unsigned first, cid dcid)
{
	d.n = 0;
	put_number(&d, first, 1);
	put_bytes(&d, dcid.b, dcid.n);
	put_hex(&d, "000102030405060708090a0b0c0d0e0f1011121314151617");
	quic_send(dir, &d);
}

static void
test_spin(void)
{
	initial		p = client_packet(0);
	initial		s = server_packet(0);

	short_header(0, 0x40, server_id);
	send_crypto(0, &p, &ch, 0, ch.n);
	short_header(0, 0x60, server_id);
	send_crypto(1, &s, &sh, 0, sh.n);
	short_header(0, 0x40, server_id);
	columns();
	IS(quic_spin_bit, "NULL");
	short_header(0, 0x40, client_id);
	short_header(1, 0x60, client_id);
	columns();
	IS(quic_spin_bit, "NULL");
	short_header(0, 0x5f, server_id);
	columns();
	IS(quic_spin_bit, "0");
	short_header(0, 0x20, server_id);	/* a greased fixed bit */
	FLOW_ENDS;
	IS(quic_spin_bit, "1");

	/* the client's ID is empty: any short header after the first Handshake packet */
	p.scid = s.dcid = no_cid;
	send_crypto(0, &p, &ch, 0, ch.n);
	send_crypto(1, &s, &sh, 0, sh.n);
	short_header(1, 0x40, no_cid);
	short_header(1, 0x60, no_cid);
	columns();
	IS(quic_spin_bit, "NULL");
	d.n = 0;
	put_long(&d, 0xe0, 1, server_id, no_cid);
	put_hex(&d, "01 00");
	quic_send(0, &d);
	short_header(1, 0x40, no_cid);
	short_header(1, 0x00, no_cid);
	columns();
	IS(quic_spin_bit, "NULL");
	short_header(1, 0x60, no_cid);
	FLOW_ENDS;
	IS(quic_spin_bit, "1");
}

/* ---- who is the client */

static void
test_direction(void)
{
	initial		p = client_packet(0);
	initial		s = server_packet(0);

	/* the flow's responder is the client: its Initial was not the first packet */
	d.n = 0;
	put_long(&d, 0xe0, 1, server_id, client_id);
	put_hex(&d, "01 00");
	quic_send(0, &d);
	send_crypto(1, &p, &ch, 0, ch.n);
	send_crypto(0, &s, &sh, 0, sh.n);
	ok(jj_quic_client(quic_now()) == 1, "the sender of the ClientHello is the client");
	FLOW_ENDS;
	IS(quic_dcid, "8394c8f03e515708");
	IS(quic_pn_length, "1");
	IS(quic_sni, "quic.example");

	/* no connection IDs at all, and the server's side sent a client's Initial before */
	p.key = p.dcid = p.scid = s.key = s.dcid = s.scid = no_cid;
	frames.n = 0;
	put_crypto(&frames, 0, ch.b, 5);
	pad(1200);
	d.n = 0;
	put_initial(&d, &p, &frames);
	quic_send(1, &d);
	send_crypto(0, &p, &ch, 0, ch.n);
	send_crypto(1, &s, &sh, 0, sh.n);
	ok(quic_now()->sh.body != NULL && jj_quic_client(quic_now()) == 0, "a server whose packets have the ID of a client's");
	quic_restart();
	s = server_packet(0);

	/* only the server's side was captured */
	send_crypto(0, &s, &sh, 0, sh.n);
	FLOW_ENDS;
	IS(quic_detected, "1");
	IS(quic_pn_length, "NULL");
	is_int(quic_now() == NULL, 1, "state is released");
}

/* ---- Google QUIC */

static void
put_chlo(message *m, const char *sni, const char *second)
{
	put_hex(m, "43484c4f 0200 0000");
	put_bytes(m, "PAD", 4);
	put_number(m, (unsigned) strlen(second), 1);
	put_number(m, 0, 3);
	put_bytes(m, "SNI", 4);
	put_number(m, (unsigned) (strlen(sni) + strlen(second)), 1);
	put_number(m, 0, 3);
	put_bytes(m, second, strlen(second));
	put_bytes(m, sni, strlen(sni));
}

static void
test_google(void)
{
	initial		p = client_packet(0);

	d.n = 0;
	put_hex(&d, "09 0102030405060708 51303433 01 000000000000000000000000 a001040001");
	put_chlo(&d, "Google.Example.", "Q043");
	quic_send(0, &d);
	d.n = 0;
	put_hex(&d, "08 0102030405060708 01 00");
	quic_send(1, &d);
	FLOW_ENDS;
	IS(quic_version_str, "gQUIC Q043");
	IS(quic_dcid, "0102030405060708");
	IS(quic_dcid_len, "8");
	IS(quic_scid, "NULL");
	IS(quic_scid_len, "NULL");
	IS(quic_token_length, "NULL");
	IS(quic_initial_packets, "0");
	IS(quic_0rtt_detected, "0");
	IS(quic_spin_bit, "NULL");
	IS(quic_sni, "google.example");
	IS(quic_alpn, "NULL");

	d.n = 0;
	put_hex(&d, "c3 51303436 50 0102030405060708 00000001 a0");
	put_chlo(&d, "q046.example", "Q046");
	quic_send(0, &d);
	d.n = 0;
	put_hex(&d, "d3 51303436 50 0102030405060708 00000002 a0");
	quic_send(0, &d);
	FLOW_ENDS;
	IS(quic_version_str, "gQUIC Q046");
	IS(quic_initial_packets, "1");
	IS(quic_0rtt_detected, "0");
	IS(quic_sni, "q046.example");

	/* Q050: encrypted, frames of their own, the CHLO in two packets */
	{
		message		chlo = {.n = 0};

		put_chlo(&chlo, "q050.example", "Q050");
		p.version = JJ_QUIC_Q050;
		frames.n = 0;
		put_hex(&frames, "07 41 000100 0000 00 51 000100 00 0000 02 0102030405060708 08");
		put_varint(&frames, 0);
		put_varint(&frames, 30);
		put_bytes(&frames, chlo.b, 30);
		pad(1200);
		d.n = 0;
		put_initial(&d, &p, &frames);
		quic_send(0, &d);
		ok(quic_now()->decrypted && !quic_now()->side[0].has_chlo, "half a CHLO of Q050, behind an ACK");
		p.number++;
		frames.n = 0;
		put_hex(&frames, "07 08");
		put_varint(&frames, 30);
		put_varint(&frames, chlo.n - 30);
		put_bytes(&frames, chlo.b + 30, chlo.n - 30);
		pad(1200);
		d.n = 0;
		put_initial(&d, &p, &frames);
		quic_send(0, &d);
	}
	FLOW_ENDS;
	IS(quic_version_str, "gQUIC Q050");
	IS(quic_initial_packets, "2");
	IS(quic_sni, "q050.example");

	/* T051: TLS inside */
	p = client_packet(0);
	p.version = JJ_QUIC_T051;
	frames.n = 0;
	put_crypto(&frames, 0, ch.b, ch.n);
	frames.b[0] = 8;
	pad(1200);
	d.n = 0;
	put_initial(&d, &p, &frames);
	quic_send(0, &d);
	FLOW_ENDS;
	IS(quic_sni, "quic.example");
	IS(quic_version_str, "gQUIC T051");
}

static void
test_chlo(void)
{
	const uint8_t *sni;
	uint32_t	n;
	bool		more;

	d.n = 0;
	put_hex(&d, "4343484c");
	put_chlo(&d, "x", "y");
	is_int(jj_quic_chlo(d.b, (uint32_t) d.n, &sni, &n, &more), 2, "a CHLO behind other bytes");
	ok(n == 1 && *sni == 'x', "its server name");
	ok(jj_quic_chlo(d.b, (uint32_t) d.n - 1, &sni, &n, &more) == 1 && sni == NULL && more, "its last value is cut off");
	is_int(jj_quic_chlo(d.b, 4 + 8 + 15, &sni, &n, &more), 0, "its tags are cut off");
	is_int(jj_quic_chlo(d.b, 7, &sni, &n, &more), 0, "its name is cut off");
	d.b[9] = 2;
	is_int(jj_quic_chlo(d.b, (uint32_t) d.n, &sni, &n, &more), 0, "more tags than there can be");
	is_int(jj_quic_chlo(d.b, 3, &sni, &n, &more), 0, "three bytes");
}

/* ---- drafts */

static void
test_drafts(void)
{
	static const uint32_t versions[] = {0xff000016, 0xff000017, 0xff00001b, 0xff00001c, 0xff00001d, 0xff000020, 0xff000021, 0xff000022,
		0xfaceb001, 0xfaceb002};

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
	{
		initial		p = client_packet(0);
		initial		s = server_packet(0);

		p.version = s.version = versions[i];
		send_crypto(0, &p, &ch, 0, ch.n);
		send_crypto(1, &s, &sh, 0, sh.n);
		ok(quic_now()->ch.body != NULL && quic_now()->sh.body != NULL, "version %08x", versions[i]);
		FLOW_ENDS;
	}
	/* draft 22: transport parameters in the older form */
	{
		initial		p = client_packet(0);
		message		body;
		message		old = {.n = 0};
		size_t		at;

		client_hello(&body, 0x0303, "", NULL, "1301");
		at = extensions(&body);
		extension(&body, 0xffa5, "0012 0001 0004 80007530 000c 0000 0020 0002 4001 ffff");
		end_extensions(&body, at);
		put_handshake(&old, 1, &body);
		p.version = 0xff000016;
		send_crypto(0, &p, &old, 0, old.n);
	}
	FLOW_ENDS;
	IS(quic_version_str, "QUIC draft-22");
	IS(quic_transport_params, "{\"max_idle_timeout\":30000,\"disable_active_migration\":true,\"max_datagram_frame_size\":1}");
	IS(quic_sni, "NULL");
}

/* ---- bounds */

static void
test_floods(void)
{
	initial		p = client_packet(0);
	unsigned	i;

	/* connections one after the other: keys, IDs and streams are bounded */
	for (i = 0; i < 500; i++)
	{
		p.key = p.dcid = CID(0xd0, 1, 2, 3, 4, 5, (uint8_t) (i >> 8), (uint8_t) i);
		p.scid = CID((uint8_t) (i >> 8), (uint8_t) i);
		send_crypto(0, &p, &ch, 1, 8);
		if (i == 50)
			is_int((int64_t) quic_hold.bytes, 8 * (2048 + 256), "so many CRYPTO streams");
	}
	ok(quic_now()->side[0].n_ids == 32, "so many connection IDs are remembered");
	columns();
	IS(quic_initial_packets, "500");
	IS(quic_dcid, "d001020304050000");
	quic_restart();

	/* Initials that don't decrypt */
	p = client_packet(0);
	for (i = 0; i < 200; i++)
	{
		frames.n = 0;
		pad(1200);
		d.n = 0;
		put_initial(&d, &p, &frames);
		d.b[d.n - 1] ^= 0x55;
		quic_send(0, &d);
	}
	ok(quic_now()->opened && quic_now()->opener == NULL, "after many that don't no more are tried");
	columns();
	IS(quic_initial_packets, "200");
	quic_restart();

	/* no memory is granted for CRYPTO bytes */
	ok(quic_hold.bytes == 0, "none is held any more");
	quic_hold.limit = 2303;
	send_crypto(0, &p, &ch, 0, ch.n);
	ok(quic_now()->decrypted && quic_now()->ch.body == NULL && quic_hold.bytes == 0 && quic_hold.refused == ch.n, "bytes beyond the limit");
	p.number++;
	quic_hold.limit = 2304;
	send_crypto(0, &p, &ch, 0, 20);
	ok(quic_hold.bytes == 2304 && quic_hold.refused == ch.n, "bytes at the limit");
	quic_hold.limit = 1 << 20;
	quic_restart();
	ok(quic_hold.bytes == 0, "are released");

	/* Retry packets that don't verify */
	send_crypto(0, &p, &ch, 0, ch.n);
	for (i = 0; i < 100; i++)
	{
		d.n = 0;
		put_retry(&d, 1, client_id, server_id, no_cid);
		quic_send(1, &d);
	}
	ok(quic_now()->side[1].retries == 16, "so many Retry packets are verified");
	quic_restart();
}

static void
test_parameters(void)
{
	initial		p = client_packet(0);
	message		body;
	message		many = {.n = 0};
	size_t		at;
	uint32_t	size;

	client_hello(&body, 0x0303, "", NULL, "1301");
	at = extensions(&body);
	put_hex(&body, "0039 0000");
	{
		size_t		start = body.n;

		for (unsigned i = 0; i < 2000; i++)
		{
			put_number(&body, 0x5000 + i, 2);
			put_number(&body, 1, 1);
			put_number(&body, i, 1);
		}
		close_length(&body, start, 2);
	}
	end_extensions(&body, at);
	put_handshake(&many, 1, &body);
	for (size_t offset = 0; offset < many.n; offset += 1100)
		send_crypto(0, &p, &many, offset, many.n - offset < 1100 ? many.n - offset : 1100);
	FLOW_ENDS;
	jj_row_bytes(&row, JJ_F_quic_transport_params, &size);
	ok(size > 5000 && size < 30000, "very many transport parameters are cut");
}

/* One run of a whole flow; false when memory was short. */
static bool
whole_flow(void)
{
	initial		p = client_packet(0);
	initial		s = server_packet(0);
	bool		good;

	frames.n = 0;
	put_crypto(&frames, 0, ch.b, ch.n);
	pad(1200);
	d.n = 0;
	put_initial(&d, &p, &frames);
	good = quic_send(0, &d);
	if (good)
	{
		d.n = 0;
		put_retry(&d, 1, client_id, server_id, original);
		good = quic_send(1, &d);
	}
	if (good)
	{
		p.dcid = server_id;
		d.n = 0;
		put_initial(&d, &p, &frames);
		p.dcid = CID(9, 9, 9);
		put_initial(&d, &p, &frames);
		good = quic_send(0, &d);
	}
	if (good)
	{
		frames.n = 0;
		put_crypto(&frames, 0, sh.b, sh.n);
		d.n = 0;
		put_initial(&d, &s, &frames);
		good = quic_send(1, &d);
	}
	if (good)
	{
		d.n = 0;
		put_hex(&d, "09 0102030405060708 51303433 01");
		put_chlo(&d, "name", "y");
		good = quic_send(0, &d);
	}
	jj_row_clear(&row);
	return good && jj_extract_quic.emit(&quic_flow, quic_state, NULL, &quic_work, &row);
}

static void
test_memory(void)
{
	failing		f = {.calls = 0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_allocator kept = quic_work.allocator;
	uint64_t	at;

	quic_work.allocator = a;
	for (at = 1; at < 100; at++)
	{
		bool		good;

		f.calls = 0;
		f.fail_at = at;
		good = whole_flow();
		quic_restart();
		if (f.live != 0)
			ok(false, "%d blocks are left when allocation %d fails", (int) f.live, (int) at);
		if (good)
			break;
	}
	ok(at > 8 && at < 100, "without memory at any point of a flow: nothing is left (%d points)", (int) at - 1);
	quic_work.allocator = kept;
}

int
main(void)
{
	jj_allocator a = jj_malloc_allocator();

	jj_set_all(&all);
	jj_row_init(&row, &all, &a);
	quic_open(&a);
	make_hellos();
	test_vectors();
	test_reassembly();
	test_damage();
	test_not_quic();
	test_negotiation();
	test_retry();
	test_coalescing();
	test_spin();
	test_direction();
	test_google();
	test_chlo();
	test_drafts();
	test_floods();
	test_parameters();
	test_memory();
	quic_shut();
	jj_row_free(&row);
	return done_testing();
}
