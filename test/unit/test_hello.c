/*
 * ClientHello and ServerHello: which are valid, what is in them, the columns
 * and fingerprints made of them.
 */
#include "extractors/crypto.h"
#include "extractors/tls_hello.h"
#include "failing.h"
#include "hello_bytes.h"
#include "row_text.h"

#include <stdlib.h>

static message m;
static jj_hello h;
static jj_work work;

/* Parse a copy that ends where the message does, so that AddressSanitizer sees the end. */
/* h is not to be read after false. */
static bool
parse(bool client, bool dtls, size_t n)
{
	static uint8_t *copy;

	free(copy);
	copy = malloc(n > 0 ? n : 1);
	memcpy(copy, m.b, n);
	return client ? jj_client_hello_parse(&h, copy, n, dtls) : jj_server_hello_parse(&h, copy, n, dtls);
}

#define CLIENT parse(true, false, m.n)
#define SERVER parse(false, false, m.n)

/* The message is valid, and no other number of its bytes is, but those in which it has no extensions yet. */
static void
only_whole(bool client, bool dtls, size_t bare, const char *name)
{
	bool		good = parse(client, dtls, m.n);

	for (size_t n = 0; n < m.n; n++)
		if (n != bare && parse(client, dtls, n))
			good = false;
	m.b[m.n] = 0;
	ok(good && !parse(client, dtls, m.n + 1), "%s: nothing but the whole message is valid", name);
	parse(client, dtls, m.n);
}

/* ---- columns */

static void
client_columns(char letter)
{
	jj_row_clear(&row);
	jj_client_hello_columns(&row, &h, letter, &work);
}

static void
server_columns(const message *ske)
{
	jj_row_clear(&row);
	jj_server_hello_columns(&row, &h, ske == NULL ? NULL : ske->b, ske == NULL ? 0 : ske->n, &work);
}

/* ---- ClientHello */

static void
test_ja3(void)
{
	size_t		at;

	/* the example of JA3's README */
	client_hello(&m, 0x0301, "", NULL, "002f 0035 0005 000a c009 c00a c013 c014 0032 0038 0013 0004");
	at = extensions(&m);
	name_extension(&m, "example.com");
	extension(&m, 10, "0006 0017 0018 0019");
	extension(&m, 11, "01 00");
	end_extensions(&m, at);
	only_whole(true, false, at - 2, "ClientHello");
	client_columns('t');
	IS(ja3_raw, "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
	IS(ja3_hash, "ada70206e40642a3e4461f35503241d5");
	IS(ja4_raw, "t10d120300_0004,0005,000a,0013,002f,0032,0035,0038,c009,c00a,c013,c014_000a,000b");
	IS(tls_cipher_count, "12");
	IS(tls_extension_count, "3");
	IS(tls_sni, "example.com");
	IS(tls_alpn, "NULL");
	IS(tls_client_alpn, "NULL");
	IS(tls_session_id_len, "0");
	IS(tls_client_groups, "{23,24,25}");
	IS(tls_client_sig_algs, "NULL");
	IS(tls_ech, "0");

	/* the other one: no extensions at all */
	client_hello(&m, 0x0301, "", NULL, "0004 0005 000a 0009 0064 0062 0003 0006 0013 0012 0063");
	only_whole(true, false, SIZE_MAX, "ClientHello without extensions");
	client_columns('t');
	IS(ja3_raw, "769,4-5-10-9-100-98-3-6-19-18-99,,,");
	IS(ja3_hash, "de350869b8c85de67a350c8d186f11e6");
	IS(tls_client_extensions, "{}");
	IS(tls_extension_count, "0");
	ok(strcmp(shown(JJ_F_ja4) + 24, "000000000000") == 0, "JA4 of a hello without extensions ends in zeros");
}

static void
test_ja4(void)
{
	size_t		at;

	/* the example of JA4's description, with GREASE and in another order */
	client_hello(&m, 0x0303, "0123456789abcdef0123456789abcdef", NULL,
				 "4a4a 1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035");
	at = extensions(&m);
	extension(&m, 0x1a1a, "");
	extension(&m, 27, "02 0002");
	name_extension(&m, "WWW.Example.COM.");
	extension(&m, 51, "0006 1a1a 0002 0000");
	alpn_extension(&m, "\x3a\x3a,h2,http/1.1");
	extension(&m, 0x4469, "0003 026832");
	extension(&m, 23, "");
	extension(&m, 45, "01 01");
	extension(&m, 13, "0010 0403 0804 0401 0503 0805 0501 0806 0601");
	extension(&m, 5, "01 0000 0000");
	extension(&m, 35, "");
	extension(&m, 18, "");
	extension(&m, 43, "07 eaea 0304 0303 00");
	extension(&m, 0xff01, "00");
	extension(&m, 11, "01 00");
	extension(&m, 10, "0008 fafa 001d 0017 0018");
	extension(&m, 0xfafa, "00");
	extension(&m, 21, "0000");
	end_extensions(&m, at);
	only_whole(true, false, at - 2, "ClientHello with GREASE");
	client_columns('t');
	IS(ja4_raw, "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9"
	   "_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601");
	IS(ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
	IS(tls_sni, "www.example.com");
	IS(tls_alpn, "h2");
	IS(tls_client_alpn, "{h2,http/1.1}");
	IS(tls_session_id_len, "32");
	IS(tls_session_ticket_ext, "1");
	IS(tls_psk_ext, "0");
	IS(tls_early_data_ext, "0");
	IS(tls_client_ciphers, "{2570,4865,4866,4867,49195,49199,49196,49200,52393,52392,49171,49172,156,157,47,53}");
	IS(tls_client_extensions, "{2570,27,0,51,16,17513,23,45,13,5,35,18,43,65281,11,10,2570,21}");
	IS(tls_client_groups, "{2570,29,23,24}");
	IS(tls_client_sig_algs, "{1027,2052,1025,1283,2053,1281,2054,1537}");
	IS(ja3_raw, "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,"
	   "27-0-51-16-17513-23-45-13-5-35-18-43-65281-11-10-21,29-23-24,0");
	client_columns('q');
	ok(shown(JJ_F_ja4)[0] == 'q', "q over QUIC");
}

static void
test_dtls(void)
{
	size_t		at;

	client_hello(&m, 0xfefd, "", "cookie", "c02b");
	at = extensions(&m);
	extension(&m, 43, "06 0a0a fefc fefd");
	extension(&m, 14, "0002 0007 00");
	end_extensions(&m, at);
	ok(!CLIENT, "a DTLS ClientHello is none of TLS");
	only_whole(true, true, at - 2, "DTLS ClientHello");
	is_int(h.cookie_len, 6, "its cookie");
	client_columns('d');
	IS(ja4_raw, "dd3i010200_c02b_000e,002b");
	client_hello(&m, 0x0100, "", "", "0035");
	ok(parse(true, true, m.n) && h.cookie_len == 0, "version 0x0100 of old OpenSSL");
	client_columns('d');
	IS(ja4_raw, "d00i010000_0035_");
}

/* Padding that makes the message so long. */
static void
fill_up(size_t size)
{
	size_t		at = extensions(&m);

	put_number(&m, 21, 2);
	put_number(&m, (unsigned) (size - m.n - 2), 2);
	memset(m.b + m.n, 0, size - m.n);
	m.n = size;
	end_extensions(&m, at);
}

static void
test_not_valid(void)
{
	client_hello(&m, 0x0403, "", NULL, "c02b");
	ok(!CLIENT, "version major 4");
	client_hello(&m, 0x0303, "", NULL, "");
	ok(!CLIENT, "no cipher suite");
	client_hello(&m, 0x0303, "", NULL, "c02b 00");
	ok(!CLIENT, "half a cipher suite");
	client_hello(&m, 0x0303, "", NULL, "c02b");
	m.b[m.n - 2] = 0;
	m.n--;
	ok(!CLIENT, "no compression method");
	client_hello(&m, 0x0303, "a session id of more than thirty-two bytes", NULL, "c02b");
	ok(CLIENT, "a session id that is too long ");
	client_columns('t');
	IS(tls_session_id_len, "NULL");
	client_hello(&m, 0x0303, "", NULL, "c02b");
	fill_up(JJ_HELLO_BYTES);
	ok(m.n == JJ_HELLO_BYTES && CLIENT, "16384 bytes");
	client_hello(&m, 0x0303, "", NULL, "c02b");
	fill_up(JJ_HELLO_BYTES + 1);
	ok(m.n == JJ_HELLO_BYTES + 1 && !CLIENT, "one more is too long");
}

static void
test_odd_extensions(void)
{
	size_t		at;

	client_hello(&m, 0x0303, "", NULL, "c02b c02b 0a0a");
	at = extensions(&m);
	extension(&m, 0, "0009 01 0002 6162 00 0001 5a");	/* another name type first */
	extension(&m, 0, "0004 00 0001 41");
	extension(&m, 16, "0007 03 6100ff 00 0163");	/* its names end behind it */
	extension(&m, 10, "00ff 001d 00");	/* longer than it is */
	extension(&m, 11, "03 0001");
	extension(&m, 13, "0000");
	extension(&m, 43, "");
	extension(&m, 0xffce, "");
	end_extensions(&m, at);
	ok(CLIENT, "extensions with damage inside are valid");
	client_columns('t');
	IS(tls_sni, "z");
	IS(tls_alpn, "a\\x00\\xff");
	IS(tls_client_alpn, "{a\\x00\\xff,,c}");
	IS(tls_client_groups, "{29}");
	IS(tls_client_sig_algs, "{}");
	IS(ja3_raw, "771,49195-49195,0-0-16-10-11-13-43-65486,29,0-1");
	IS(ja4_raw, "t12d02086f_c02b,c02b_000a,000b,000d,002b,ffce");
	IS(tls_extension_count, "8");
	IS(tls_ech, "1");

	client_hello(&m, 0x0303, "", NULL, "c02b");
	at = extensions(&m);
	extension(&m, 0, "0001 00");
	extension(&m, 16, "");
	end_extensions(&m, at);
	ok(CLIENT, "an empty ALPN");
	client_columns('t');
	IS(tls_sni, "NULL");
	IS(tls_alpn, "NULL");
	IS(tls_client_alpn, "{}");
	IS(ja4, "t12d010200_648b5c445417_000000000000");

	client_hello(&m, 0x0303, "", NULL, "c02b");
	at = extensions(&m);
	extension(&m, 0, "0004 00 0001 2e");
	alpn_extension(&m, "");
	end_extensions(&m, at);
	ok(CLIENT, "the name .");
	client_columns('t');
	IS(tls_sni, "NULL");
	IS(tls_alpn, "");
	IS(tls_client_alpn, "{}");
	IS(ja4_raw, "t12d010200_c02b_");

	client_hello(&m, 0x0303, "", NULL, "0a0a");
	at = extensions(&m);
	extension(&m, 13, "0002 0403");
	extension(&m, 0, "0006 00 0003 61ffc1");
	end_extensions(&m, at);
	ok(CLIENT, "only GREASE");
	client_columns('t');
	IS(tls_cipher_count, "0");
	IS(tls_sni, "a\\xff\\xc1");
	IS(ja4_raw, "t12d000200__000d_0403");
	ok(strncmp(shown(JJ_F_ja4), "t12d000200_000000000000_", 24) == 0, "JA4 of no cipher suites");
}

static void
test_ssl2(void)
{
	/* length, type, version, 9 bytes of specs, no session id, 16 of challenge */
	m.n = 0;
	put_hex(&m, "8022 01 0301 0009 0000 0010 010080 000004 00000a 000102030405060708090a0b0c0d0e0f");
	is_int(jj_ssl2_hello_parse(&h, m.b, m.n), (int64_t) m.n, "SSL 2.0 format");
	client_columns('t');
	IS(ja3_raw, "769,4-10,,,");
	IS(tls_client_ciphers, "{4,10}");
	IS(tls_session_id_len, "0");
	IS(ja4_raw, "t10i020000_0004,000a_");
	for (size_t n = 0; n < m.n; n++)
		if (jj_ssl2_hello_parse(&h, m.b, n) != -1)
			ok(false, "%zu bytes of it are not enough", n);
	m.b[m.n] = 1;
	is_int(jj_ssl2_hello_parse(&h, m.b, m.n + 1), (int64_t) m.n, "what follows doesn't matter");
	m.b[2] = 4;
	is_int(jj_ssl2_hello_parse(&h, m.b, 3), 0, "another message type");
	m.b[2] = 1;
	m.b[3] = 0;
	is_int(jj_ssl2_hello_parse(&h, m.b, m.n), 0, "SSL 2.0 itself");
	m.b[3] = 3;
	m.b[1]++;
	is_int(jj_ssl2_hello_parse(&h, m.b, m.n + 1), 0, "lengths that don't add up");
	m.b[1]--;
	m.b[0] = 0;
	is_int(jj_ssl2_hello_parse(&h, m.b, m.n), 0, "three-byte header");
}

/* ---- ServerHello */

static void
test_server_hello(void)
{
	size_t		at;

	server_hello(&m, 0x0303, 0x1302, false);
	at = extensions(&m);
	extension(&m, 43, "0304");
	extension(&m, 51, "001d 0020 000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f");
	end_extensions(&m, at);
	only_whole(false, false, at - 2, "ServerHello");
	ok(h.tls13 && !h.retry && h.chosen == 0x0304, "TLS 1.3");
	server_columns(NULL);
	IS(tls_version, "772");
	IS(tls_version_str, "TLS 1.3");
	IS(tls_cipher_suite, "4866");
	IS(ja3s_hash, "15af977ce25de452b96affa2addb1036");	/* 771,4866,43-51 */
	IS(tls_key_exchange_group, "29");
	IS(tls_key_exchange_group_name, "x25519");
	IS(tls_key_exchange_length, "256");
	IS(tls_server_alpn, "NULL");

	server_hello(&m, 0x0303, 0x1301, true);
	at = extensions(&m);
	extension(&m, 43, "0304");
	extension(&m, 51, "0017");
	end_extensions(&m, at);
	ok(SERVER && h.retry, "HelloRetryRequest");

	server_hello(&m, 0x0301, 53, false);
	only_whole(false, false, SIZE_MAX, "ServerHello without extensions");
	server_columns(NULL);
	IS(tls_version_str, "TLS 1.0");
	IS(ja3s_hash, "ab1e32eeaf70ee94c0af00f08d126891");	/* 769,53, */
	IS(tls_key_exchange_group, "NULL");
	IS(tls_key_exchange_group_name, "NULL");
	IS(tls_key_exchange_length, "NULL");
	ok(!h.tls13, "not TLS 1.3");

	server_hello(&m, 0x0303, 0xc02f, false);
	at = extensions(&m);
	alpn_extension(&m, "http/1.1");
	end_extensions(&m, at);
	ok(SERVER, "ALPN answered");
	server_columns(NULL);
	IS(tls_server_alpn, "http/1.1");

	/* draft 18: no session id, no compression method, key_share as extension 40 */
	m.n = 0;
	put_hex(&m, "7f12 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 1301");
	at = extensions(&m);
	extension(&m, 40, "001d 0002 0001");
	end_extensions(&m, at);
	only_whole(false, false, at - 2, "ServerHello of draft 18");
	server_columns(NULL);
	IS(tls_version_str, "TLS 1.3 (draft 18)");
	IS(tls_key_exchange_length, "16");
	ok(h.tls13, "encrypted from here");

	server_hello(&m, 0x0303, 0x1301, false);
	m.b[34] = 33;
	for (int i = 0; i < 33; i++)
		put_number(&m, 0, 1);
	ok(!SERVER, "a session id of 33 bytes");
	server_hello(&m, 0xfefd, 0xc02b, false);
	ok(parse(false, true, m.n) && !SERVER, "DTLS");
	server_hello(&m, 0x0303, 0x1301, false);
	at = extensions(&m);
	extension(&m, 51, "001d 0021 00");
	end_extensions(&m, at);
	SERVER;
	server_columns(NULL);
	IS(tls_key_exchange_group, "NULL");
}

static void
test_key_exchange(void)
{
	message		ske;

	server_hello(&m, 0x0303, 0xc02f, false);
	SERVER;
	ske.n = 0;
	put_hex(&ske, "03 0017 05 04 01020304 0401");
	server_columns(&ske);
	IS(tls_key_exchange_group, "23");
	IS(tls_key_exchange_group_name, "secp256r1");
	IS(tls_key_exchange_length, "40");
	ske.n = 8;
	server_columns(&ske);
	IS(tls_key_exchange_length, "NULL");
	ske.b[0] = 1;
	ske.n = 11;
	server_columns(&ske);
	IS(tls_key_exchange_group, "NULL");

	server_hello(&m, 0x0303, 0xc035, false);	/* ECDHE_PSK */
	SERVER;
	ske.n = 0;
	put_hex(&ske, "0002 6869 03 7777 01 04");
	server_columns(&ske);
	IS(tls_key_exchange_group, "30583");
	IS(tls_key_exchange_group_name, "unknown(0x7777)");
	ske.n = 4;
	server_columns(&ske);
	IS(tls_key_exchange_group, "NULL");

	server_hello(&m, 0x0303, 0x009e, false);	/* DHE_RSA */
	SERVER;
	ske.n = 0;
	put_hex(&ske, "0102 0000 ffffffffffffffffadf85458a2bb4a9a");
	while (ske.n < 2 + 258)
		put_number(&ske, 0x55, 1);
	put_hex(&ske, "0001 02 0001 03");
	server_columns(&ske);
	IS(tls_key_exchange_group, "256");
	IS(tls_key_exchange_group_name, "ffdhe2048");
	IS(tls_key_exchange_length, "2048");
	ske.b[4] = 0x0f;
	server_columns(&ske);
	IS(tls_key_exchange_group, "NULL");
	IS(tls_key_exchange_group_name, "dhe");
	IS(tls_key_exchange_length, "2044");
	ske.n = 0;
	put_hex(&ske, "0002 0000");
	server_columns(&ske);
	IS(tls_key_exchange_length, "0");
	ske.n = 1;
	server_columns(&ske);
	IS(tls_key_exchange_group_name, "NULL");
}

static void
test_names(void)
{
	char		name[JJ_TLS_VERSION_TEXT];
	char		group[JJ_TLS_GROUP_TEXT];

	jj_tls_version_name(name, 0xfb1a);
	is_text(name, "TLS 1.3 (draft fb1a)", "0xfb1a");
	jj_tls_version_name(name, 0x7f1c);
	is_text(name, "TLS 1.3 (draft 28)", "0x7f1c");
	jj_tls_version_name(name, 0x7fff);
	is_text(name, "TLS 1.3 (draft 255)", "0x7fff");
	jj_tls_version_name(name, 0x0305);
	is_text(name, "unknown (0x0305)", "0x0305");
	jj_tls_version_name(name, 0xfefc);
	is_text(name, "DTLS 1.3", "0xfefc");
	jj_tls_group_name(group, 0x11ec);
	is_text(group, "x25519mlkem768", "0x11ec");
	jj_tls_group_name(group, 30);
	is_text(group, "x448", "30");
	jj_tls_group_name(group, 23);
	is_text(group, "secp256r1", "23");
	jj_tls_group_name(group, 41);
	is_text(group, "curvesm2", "41");
	jj_tls_group_name(group, 0x6399);
	is_text(group, "x25519kyber768draft00", "the longest name");
	jj_tls_group_name(group, 0);
	is_text(group, "unknown(0x0000)", "0");
}

/* ---- limits */

static void
test_large(void)
{
	size_t		at;
	uint32_t	size;

	client_hello(&m, 0x0303, "", NULL, "");
	m.n -= 4;
	put_number(&m, 2 * 1500, 2);
	for (unsigned i = 0; i < 1500; i++)
		put_number(&m, 0xf000 + i, 2);
	put_hex(&m, "01 00");
	at = extensions(&m);
	for (unsigned i = 0; i < 2000; i++)
		extension(&m, 0x8000 + i, "");
	put_hex(&m, "000a 07d2 07d0");
	for (unsigned i = 0; i < 1000; i++)
		put_number(&m, 0xf000, 2);
	put_hex(&m, "000b 0100 ff");
	for (unsigned i = 0; i < 255; i++)
		put_number(&m, 255, 1);
	end_extensions(&m, at);
	ok(CLIENT, "a large hello");
	client_columns('t');
	IS(tls_cipher_count, "1500");
	IS(tls_extension_count, "2002");
	jj_row_bytes(&row, JJ_F_tls_client_ciphers, &size);
	is_int(size / 4, 1024, "its list is cut");
	jj_row_bytes(&row, JJ_F_ja3_raw, &size);
	ok(size <= jj_fingerprint_room(&h), "JA3 stays within its room");
	ok(strncmp(shown(JJ_F_ja4_raw), "t12i999900_f000,f001,", 21) == 0, "JA4 counts to 99");
}

static void
test_memory(void)
{
	failing		f = {0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_allocator kept = work.allocator;
	jj_hello	copy;

	client_hello(&m, 0x0303, "", NULL, "c02b");
	CLIENT;
	copy = h;
	f.fail_at = 1;
	ok(!jj_hello_keep(&copy, &a) && copy.own == NULL, "no memory for a copy");
	ok(jj_hello_keep(&copy, &a) && copy.body != h.body && memcmp(copy.body, h.body, h.size) == 0, "a copy");
	jj_hello_free(&copy, &a);
	ok(f.live == 0 && copy.body == NULL, "is released");
	work.allocator = a;
	f.fail_at = f.calls + 1;
	jj_row_clear(&row);
	ok(!jj_client_hello_columns(&row, &h, 't', &work), "no memory for the fingerprints of a ClientHello");
	server_hello(&m, 0x0303, 53, false);
	SERVER;
	f.fail_at = f.calls + 1;
	ok(!jj_server_hello_columns(&row, &h, NULL, 0, &work), "nor for those of a ServerHello");
	ok(f.live == 0, "nothing stays");
	work.allocator = kept;
}

/* Only what is wanted is set. */
static void
test_wanted(void)
{
	jj_feature_set some = {{0}};
	int			set = 0;

	jj_set_add(&some, JJ_F_ja4);
	jj_set_add(&some, JJ_F_tls_cipher_count);
	client_hello(&m, 0x0303, "", NULL, "c02b");
	CLIENT;
	row.wanted = some;
	client_columns('t');
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		set += jj_row_has(&row, f);
	is_int(set, 2, "two columns of two wanted");
	row.wanted = all;
	{
		jj_crypto  *crypto = work.crypto;

		work.crypto = NULL;
		client_columns('t');
		work.crypto = crypto;
	}
	IS(ja3_hash, "NULL");
	IS(ja4, "NULL");
	IS(ja3_raw, "771,49195,,,");
}

int
main(void)
{
	work.allocator = jj_malloc_allocator();
	work.crypto = jj_crypto_open(&work.allocator);
	jj_set_all(&all);
	jj_row_init(&row, &all, &work.allocator);
	test_ja3();
	test_ja4();
	test_dtls();
	test_not_valid();
	test_odd_extensions();
	test_ssl2();
	test_server_hello();
	test_key_exchange();
	test_names();
	test_large();
	test_memory();
	test_wanted();
	jj_row_free(&row);
	jj_work_free(&work);
	return done_testing();
}
