/*
 * Group ssh on connections made here: identification lines, packets, what the
 * sides agree on, and the packets behind NEWKEYS.
 */
#include "extractors/ssh_side.h"
#include "failing.h"
#include "payload.h"

/* ---- what the sides send */

typedef struct side
{
	uint8_t		b[100000];
	uint32_t	n;
	uint32_t	newkeys;		/* bytes up to and with NEWKEYS */
} side;

static side client;
static side server;

static void
put(side *s, const void *bytes, size_t n)
{
	memcpy(s->b + s->n, bytes, n);
	s->n += (uint32_t) n;
}

static void
line(side *s, const char *text)
{
	put(s, text, strlen(text));
}

/* A binary packet with padding to a multiple of 8 bytes, at least 4. */
static void
put_packet(side *s, unsigned number, const void *body, uint32_t n)
{
	uint8_t		head[6];
	uint32_t	pad = 8 - (n + 6) % 8 + (8 - (n + 6) % 8 < 4 ? 8 : 0);

	put32(head, 1 + 1 + n + pad);
	head[4] = (uint8_t) pad;
	head[5] = (uint8_t) number;
	put(s, head, 6);
	put(s, body, n);
	memset(s->b + s->n, 0xee, pad);
	s->n += pad;
}

static void
put_kexinit(side *s, const char *const list[10])
{
	static uint8_t body[80000];
	uint32_t	n = 16;

	memset(body, 0xcc, 16);
	for (int i = 0; i < 10; i++)
	{
		uint32_t	size = (uint32_t) strlen(list[i]);

		put32(body + n, size);
		memcpy(body + n + 4, list[i], size);
		n += 4 + size;
	}
	memset(body + n, 0, 5);		/* first_kex_packet_follows, reserved */
	put_packet(s, JJ_SSH_KEXINIT, body, n + 5);
}

static void
put_newkeys(side *s)
{
	put_packet(s, JJ_SSH_NEWKEYS, "", 0);
	s->newkeys = s->n;
}

/* A reply: string K_S, then something. */
static void
put_reply(side *s, unsigned number, const void *key, uint32_t n)
{
	uint8_t		body[4096];

	put32(body, n);
	memcpy(body + 4, key, n);
	memset(body + 4 + n, 7, 40);
	put_packet(s, number, body, 4 + n + 40);
}

static const char *const of_client[10] = {
	"curve25519-sha256,ext-info-c", "ssh-ed25519", "aes128-ctr,aes256-ctr", "aes256-ctr", "hmac-sha2-256", "hmac-sha2-512", "none",
	"zlib,none", "", ""
};
static const char *const of_server[10] = {
	"kex-strict-s-v00@openssh.com,ext-info-c,curve25519-sha256", "rsa-sha2-512,ssh-ed25519", "aes256-ctr,aes128-ctr", "aes256-ctr,x",
	"hmac-sha2-512,hmac-sha2-256", "hmac-sha2-512", "none", "none,zlib", "en", ""
};

#define CLIENT_HASSH "dbf9d92c1b608e8e98aafda4ea75bf92"

static void
ed25519(uint8_t key[51])
{
	memcpy(key, "\0\0\0\x0bssh-ed25519\0\0\0\x20", 19);
	for (int i = 0; i < 32; i++)
		key[19 + i] = (uint8_t) i;
}

/* Whole streams of both sides, with so many bytes behind NEWKEYS. */
static void
make_talk(uint32_t behind)
{
	uint8_t		key[51];

	ed25519(key);
	client.n = server.n = 0;
	line(&client, "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
	put_kexinit(&client, of_client);
	put_packet(&client, JJ_SSH_KEXDH_INIT, "0123456789", 10);
	put_newkeys(&client);
	line(&server, "SSH-1.99-dropbear\x80\n");
	put_kexinit(&server, of_server);
	put_reply(&server, JJ_SSH_KEXDH_REPLY, key, sizeof(key));
	put_newkeys(&server);
	memset(client.b + client.n, 0xa5, behind);
	memset(server.b + server.n, 0x5a, behind);
	client.n += behind;
	server.n += behind;
}

/* ---- how they send it: sequence number 101 is the first byte of host 1, 501 of host 2 */

static uint32_t
isn(int from)
{
	return from == 1 ? 100 : 500;
}

static void
open_tcp(void)
{
	segment(1, S, 100, NULL, 0);
	segment(2, S | A, 500, NULL, 0);
}

/* Bytes from a to b of a side's stream as one segment. */
static void
send_part(int from, const side *s, uint32_t a, uint32_t b)
{
	segment(from, A | JJ_TCP_PSH, isn(from) + 1 + a, s->b + a, b - a);
}

/* All of it up to an offset, in segments of the given size. */
static void
send_all(int from, const side *s, uint32_t to, uint32_t size)
{
	for (uint32_t a = 0; a < to; a += size)
		send_part(from, s, a, to - a < size ? to : a + size);
}

static void
fresh(void)
{
	between(40000, 22);
}

/* A connection of both sides as they are. */
static void
exchange(void)
{
	fresh();
	open_tcp();
	send_all(1, &client, client.n, 1000);
	send_all(2, &server, server.n, 1000);
	rows();
}

/* ---- tests */

static void
test_whole(void)
{
	uint32_t	size;
	const uint8_t *b;
	bool		good = true;

	make_talk(100);
	exchange();
	is_int(n_rows, 1, "one flow");
	ok(INT(ssh_detected, 1) && TEXT(ssh_version, "2.0"), "detected; 1.99 and 2.0 speak 2.0");
	ok(TEXT(ssh_client_version, "2.0") && TEXT(ssh_server_version, "1.99"), "protoversions as sent");
	ok(TEXT(ssh_client_software, "OpenSSH_9.2p1 Debian-2+deb12u3") && TEXT(ssh_server_software, "dropbear\\x80"),
	   "software with comments, bytes that can't be printed");
	ok(TEXT(ssh_hassh, CLIENT_HASSH) && TEXT(ssh_hassh_server, "664dca9d73482b68366ef6d700251d48"), "HASSH");
	TEXTS(ssh_client_kexinit, "curve25519-sha256,ext-info-c|ssh-ed25519|aes128-ctr,aes256-ctr|aes256-ctr|hmac-sha2-256|hmac-sha2-512|none|zlib,none|||",
		  "lists of the client");
	ok(strstr(texts_of(JJ_F_ssh_server_kexinit), "|none|none,zlib|en||") != NULL, "lists of the server");
	TEXTS(ssh_negotiated, "curve25519-sha256|ssh-ed25519|aes128-ctr|aes256-ctr|hmac-sha2-256|hmac-sha2-512|none|zlib|", "what they agree on");
	ok(INT(ssh_kex_packets, 6), "KEXINIT, INIT or REPLY and NEWKEYS of each");
	ok(INT(ssh_encrypted_packets, 2), "a segment with NEWKEYS in the middle is one of encrypted bytes");
	b = arena + value[JJ_F_ssh_host_key_sha256].bytes.offset;
	size = value[JJ_F_ssh_host_key_sha256].bytes.size;
	ok(!NIL(ssh_host_key_sha256) && size == 32 && memcmp(b, "\x66\x40\x2c\x94\x68\xc5\x89\x41\xdd\x19\xff\xd6\x50\xbf\x2b\x42\xf9\x22\x6f\x83\xd3\xbd\x06\xad\x51\x5d\x0e\x51\x04\xa7\x70\x20", 32) == 0, "host key");

	for (size = 1; size < 900; size += size < 40 ? 1 : 43)
	{
		fresh();
		open_tcp();
		send_all(1, &client, client.newkeys, size);
		send_all(2, &server, server.newkeys, size);
		send_part(1, &client, client.newkeys, client.n);
		rows();
		good = good && TEXT(ssh_hassh, CLIENT_HASSH) && INT(ssh_kex_packets, 6) && INT(ssh_encrypted_packets, 1)
			&& TEXT(ssh_client_version, "2.0") && TEXT(ssh_server_software, "dropbear\\x80") && !NIL(ssh_host_key_sha256)
			&& strcmp(texts_of(JJ_F_ssh_negotiated), "curve25519-sha256|ssh-ed25519|aes128-ctr|aes256-ctr|hmac-sha2-256|hmac-sha2-512|none|zlib|") == 0;
	}
	ok(good, "the same in segments of any size");

	good = true;
	for (uint32_t cut = 5; cut < client.newkeys; cut += 7)
	{
		fresh();
		open_tcp();
		send_part(1, &client, 0, 4);
		send_part(1, &client, cut, client.newkeys + 20);
		send_part(1, &client, 0, cut);
		send_part(1, &client, client.newkeys, client.n);
		rows();
		good = good && TEXT(ssh_hassh, CLIENT_HASSH) && INT(ssh_kex_packets, 3) && INT(ssh_encrypted_packets, 2);
	}
	ok(good, "and when the second half comes first");
}

static void
test_lines(void)
{
	static char many[9000];

	make_talk(0);
	server.n = 0;
	line(&server, "Welcome.\tNobody may enter.\r\n\nSSH is spoken here\nSSSH-\r\nSSH-2.0-x y-z\r\n");
	put_kexinit(&server, of_server);
	exchange();
	ok(TEXT(ssh_server_software, "x y-z") && !NIL(ssh_hassh_server), "lines in front of a server's");

	client.n = 0;
	line(&client, "hello\nSSH-2.0-client\r\n");
	put_kexinit(&client, of_client);
	exchange();
	ok(NIL(ssh_client_software) && NIL(ssh_hassh) && NIL(ssh_negotiated) && !NIL(ssh_hassh_server) && TEXT(ssh_server_version, "2.0"),
	   "a client may not send any");
	fresh();
	send_all(1, &client, client.n, 1000);
	rows();
	ok(TEXT(ssh_client_software, "client"), "without a SYN the initiator may be the server");
	segment(2, S | A, 500, NULL, 0);
	rows();
	ok(INT(ssh_detected, 0) && NIL(ssh_client_software), "unless a SYN follows");

	server.n = client.n = 0;
	line(&server, "SSH-2.0-OpenSSH_9");
	exchange();
	ok(INT(ssh_detected, 0) && NIL(ssh_version), "a line without its end");
	line(&server, "\n");
	exchange();
	ok(INT(ssh_detected, 1) && TEXT(ssh_server_software, "OpenSSH_9"), "LF alone is one");

	server.n = 0;
	line(&server, "x\rSSH-2.0-y\r\n");
	exchange();
	ok(INT(ssh_detected, 0), "CR without LF");
	server.n = 0;
	line(&server, "x\x01\r\nSSH-2.0-y\r\n");
	exchange();
	ok(INT(ssh_detected, 0), "a control character before");
	server.n = 0;
	line(&server, "x\x7f\r\nSSH-2.0-y\r\n");
	exchange();
	ok(INT(ssh_detected, 0), "DEL before");
	server.n = 0;
	line(&server, "gr\xc3\xbc\xc3\x9f\r\nSSH-2.0-y\x01\r\r\n");
	exchange();
	ok(TEXT(ssh_server_software, "y\\x01\\x0d"), "bytes beyond ASCII before, control characters in it");
	server.n = 0;
	line(&server, "SSH-2.0\r\nSSH-2.0-y\r\n");
	exchange();
	ok(INT(ssh_detected, 0), "a first such line without software");
	server.n = 0;
	line(&server, "SSH-2 .0-y\r\n");
	exchange();
	ok(INT(ssh_detected, 0), "white space in the version");
	server.n = 0;
	line(&server, "SSH--y\r\n");
	exchange();
	ok(INT(ssh_detected, 0), "no version");
	server.n = 0;
	line(&server, "SSH-2.0-\r\n");
	exchange();
	ok(TEXT(ssh_server_software, ""), "no software");
	server.n = 0;
	memset(many, 'v', 300);
	memcpy(many, "SSH-", 4);
	memcpy(many + 300, "-", 2);
	line(&server, many);
	memset(many, 's', 300);
	line(&server, many);
	line(&server, "\n");
	exchange();
	ok(!NIL(ssh_server_software) && value[JJ_F_ssh_server_software].bytes.size == 246 && value[JJ_F_ssh_server_version].bytes.size == 246
	   && NIL(ssh_version), "246 bytes are shown");

	/* a line that ends with byte 8192, and one byte later */
	for (unsigned over = 0; over < 2; over++)
	{
		server.n = 0;
		memset(many, 'b', sizeof(many));
		put(&server, many, 8192 - 11 + over);
		server.b[server.n - 1] = '\n';
		line(&server, "SSH-2.0-y\r\n");
		exchange();
		ok(INT(ssh_detected, 1 - over), "a line that ends behind %u bytes", server.n);
	}
	server.n = 0;
	line(&server, "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n");
	exchange();
	ok(INT(ssh_detected, 0), "another protocol of text");
	server.n = 0;
	put(&server, "\x16\x03\1\0\5", 5);
	exchange();
	ok(INT(ssh_detected, 0) && NIL(ssh_kex_packets) && NIL(ssh_encrypted_packets), "another protocol");
}

static void
versions(const char *c, const char *s, const char *want, int64_t kex)
{
	client.n = server.n = 0;
	if (c != NULL)
	{
		line(&client, c);
		put_kexinit(&client, of_client);
	}
	if (s != NULL)
	{
		line(&server, s);
		put_kexinit(&server, of_server);
	}
	exchange();
	ok((want == NULL ? NIL(ssh_version) : TEXT(ssh_version, want)) && INT(ssh_kex_packets, kex), "%.*s and %.*s",
	   c != NULL ? (int) strcspn(c, "\n") : 7, c != NULL ? c : "nothing", s != NULL ? (int) strcspn(s, "\n") : 7, s != NULL ? s : "nothing");
}

static void
test_versions(void)
{
	versions("SSH-2.0-a\n", "SSH-2.0-b\n", "2.0", 2);
	versions("SSH-1.99-a\n", NULL, "2.0", 1);
	versions("SSH-1.5-a\n", "SSH-1.99-b\n", "1.5", 0);
	versions("SSH-2.0-a\n", "SSH-1.5-b\n", "1.5", 0);
	ok(NIL(ssh_hassh) && NIL(ssh_client_kexinit) && TEXT(ssh_client_version, "2.0"), "with SSH 1 no packets are read");
	versions("SSH-2.0-a\n", "SSH-2.1-b\n", "2.0", 2);
	versions("SSH-2.1-a\n", "SSH-2.1-b\n", "2.1", 2);
	versions("SSH-x-a\n", "SSH-2.0-b\n", "2.0", 0);
	versions("SSH-x-a\n", NULL, NULL, 0);
	versions("SSH-2.0.1-a\n", NULL, NULL, 0);
	versions("SSH-2.-a\n", NULL, NULL, 0);
	versions("SSH-99999999999.0-a\n", NULL, NULL, 0);
	versions("SSH-02.00-a\n", NULL, "2.0", 1);
}

static void
test_roles(void)
{
	/* the capture begins with the server's first segment */
	make_talk(0);
	fresh();
	send_part(1, &server, 0, server.n);
	send_part(2, &client, 0, client.n);
	rows();
	ok(TEXT(ssh_client_version, "2.0") && TEXT(ssh_server_version, "1.99") && TEXT(ssh_hassh, CLIENT_HASSH) && !NIL(ssh_host_key_sha256),
	   "without a SYN, the client is who sends KEXDH_INIT");
	fresh();
	open_tcp();
	send_part(1, &server, 0, server.n);
	send_part(2, &client, 0, client.n);
	rows();
	ok(TEXT(ssh_client_version, "1.99") && NIL(ssh_host_key_sha256), "with a SYN, who sent it");
	put_packet(&server, JJ_SSH_GEX_REQUEST, "", 0);
	server.n = 0;
	line(&server, "SSH-2.0-x\n");
	put_packet(&server, JJ_SSH_GEX_REQUEST, "0123456789ab", 12);
	fresh();
	send_part(1, &server, 0, server.n);
	send_part(2, &client, 0, client.n);
	rows();
	ok(TEXT(ssh_client_software, "x"), "when both do, the initiator");
}

static void
test_packets(void)
{
	uint8_t		key[51];

	make_talk(0);
	client.n = 0;
	line(&client, "SSH-2.0-a\n");
	put_packet(&client, JJ_SSH_KEXINIT, "cookie is here..\0\0\0\1a", 21);
	put_packet(&client, 2, "ignore", 6);
	put_kexinit(&client, of_client);
	put_kexinit(&client, of_server);
	put_packet(&client, 49, "", 0);
	put_packet(&client, 50, "", 0);
	put_packet(&client, 19, "", 0);
	exchange();
	ok(TEXT(ssh_hassh, CLIENT_HASSH), "the first KEXINIT with ten lists");
	ok(INT(ssh_kex_packets, 7) && INT(ssh_encrypted_packets, 0), "message numbers 20 to 49; no byte behind a NEWKEYS");

	client.n = 0;
	line(&client, "SSH-2.0-a\n");
	put(&client, "\0\0\0\5\4\x14", 6);
	put_kexinit(&client, of_client);
	exchange();
	ok(NIL(ssh_hassh) && INT(ssh_kex_packets, 3), "padding that leaves no payload ends the packets");
	client.n = 0;
	line(&client, "SSH-2.0-a\n");
	put(&client, "\0\1\0\1\4\x14", 6);
	put(&client, server.b, 1000);
	exchange();
	ok(NIL(ssh_hassh) && INT(ssh_kex_packets, 3), "so does a length that no packet has");
	client.n = 0;
	line(&client, "SSH-2.0-a\n");
	put(&client, "\0\1\0\0\4\x14", 6);
	memset(client.b + client.n, 1, 65536);
	client.n += 65536 - 2;
	put_kexinit(&client, of_client);
	exchange();
	ok(TEXT(ssh_hassh, CLIENT_HASSH) && INT(ssh_kex_packets, 5), "one of 65536 bytes is passed over");
	client.n = 0;
	line(&client, "SSH-2.0-a\n");
	put(&client, "\0\0\0\2\0\x15", 6);
	put(&client, "x", 1);
	exchange();
	ok(INT(ssh_encrypted_packets, 1), "the shortest NEWKEYS");

	ed25519(key);
	for (int i = 0; i < 6; i++)
	{
		static const char *const about[] = {"a group's prime in 31, the key in 33", "a key in a message of another kind", "an unknown type",
		"a type longer than the key", "a key longer than the message", "ecdsa-sha2-* and any curve"};
		static const bool has[] = {true, false, false, false, false, true};

		server.n = 0;
		line(&server, "SSH-2.0-b\n");
		switch (i)
		{
			case 0:
				put_packet(&server, JJ_SSH_KEXDH_REPLY, "\0\0\0\4\xff\xff\xff\xff\0\0\0\1\2", 13);
				put_reply(&server, JJ_SSH_GEX_REPLY, key, sizeof(key));
				break;
			case 1:
				put_reply(&server, 32, key, sizeof(key));
				break;
			case 2:
				put_reply(&server, JJ_SSH_KEXDH_REPLY, "\0\0\0\3abc\0\0\0\1x", 12);
				break;
			case 3:
				put_reply(&server, JJ_SSH_KEXDH_REPLY, "\0\0\0\x0cssh-ed25519", 15);
				break;
			case 4:
				put_packet(&server, JJ_SSH_KEXDH_REPLY, "\0\1\0\0\0\0\0\x0bssh-ed25519", 19);
				break;
			default:
				put_reply(&server, JJ_SSH_KEXDH_REPLY, "\0\0\0\x18" "ecdsa-sha2-1.3.132.0.10x\0", 29);
		}
		exchange();
		ok(NIL(ssh_host_key_sha256) != has[i], "%s", about[i]);
	}
}

static void
test_encrypted(void)
{
	uint32_t	k;

	make_talk(3000);
	k = client.newkeys;
	fresh();
	open_tcp();
	send_part(1, &client, 0, k);
	rows();
	ok(INT(ssh_encrypted_packets, 0), "NEWKEYS and nothing behind it");
	send_part(1, &client, k - 10, k + 100);
	send_part(1, &client, k, k + 100);
	send_part(1, &client, k + 50, k + 150);
	send_part(1, &client, k + 400, k + 500);
	send_part(1, &client, k + 600, k + 700);
	send_part(1, &client, k + 400, k + 700);
	send_part(1, &client, k + 450, k + 650);
	send_part(1, &client, 0, k + 150);
	rows();
	ok(INT(ssh_encrypted_packets, 5), "only segments with new bytes: retransmissions, overlaps, gaps");
	segment(1, A, isn(1) + 1 + k + 700, "\0", 1);
	segment(1, A | R, isn(1) + 1 + k + 700, "gone", 4);
	rows();
	ok(INT(ssh_encrypted_packets, 5), "neither padding nor what comes with RST");

	fresh();
	open_tcp();
	send_part(1, &client, 0, 50);
	send_part(1, &client, k + 100, k + 200);
	send_part(1, &client, k + 20000, k + 20100);
	send_part(1, &client, k + 100, k + 200);
	send_part(1, &client, 0, 40);
	rows();
	ok(NIL(ssh_encrypted_packets) && NIL(ssh_kex_packets), "a gap before NEWKEYS that is not filled");
	send_part(1, &client, 50, k + 100);
	rows();
	ok(INT(ssh_encrypted_packets, 3) && INT(ssh_kex_packets, 3), "what came before NEWKEYS in time is counted when it is known");

	fresh();
	open_tcp();
	send_part(1, &client, 0, 50);
	for (uint32_t i = 0; i < 80; i++)
		segment(1, A, isn(1) + 1 + k + 2 * i, "en", 2);
	send_part(1, &client, 50, k);
	rows();
	ok(INT(ssh_encrypted_packets, 64), "of more than 64 segments before NEWKEYS the later ones are not");

	/* the same bytes, with the sequence number beginning anew in between */
	fresh();
	segment(1, S, UINT32_MAX - k - 50, NULL, 0);
	for (uint32_t a = 0; a < k + 300; a += 60)
		segment(1, A, UINT32_MAX - k - 49 + a, client.b + a, 60);
	rows();
	ok(INT(ssh_encrypted_packets, (k + 300 + 59) / 60 - k / 60), "sequence numbers that wrap");

	make_talk(0);
	fresh();
	open_tcp();
	send_part(1, &client, 0, client.n);
	send_part(2, &server, 0, 50);
	send_part(2, &server, 60, server.n);
	rows();
	ok(NIL(ssh_kex_packets) && INT(ssh_encrypted_packets, 0) && TEXT(ssh_hassh, CLIENT_HASSH) && NIL(ssh_host_key_sha256), "a gap in one direction");
	fresh();
	open_tcp();
	send_part(2, &server, 0, 50);
	packet(2, 6, (const uint8_t *) "\0\x16\x9c\x40\0\0\2\x27\0\0\0\0\x50\x10\0\0\0\0\0\0", 20, server.b + 50, 100, 50, 0);
	rows();
	ok(NIL(ssh_kex_packets) && TEXT(ssh_server_version, "1.99"), "bytes that were not captured are a gap");
	fresh();
	packet(1, 6, (const uint8_t *) "\x9c\x40\0\x16\0\0\0\x65\0\0\0\0\x50\x10\0\0\0\0\0\0", 20, NULL, 100, 0, 0);
	rows();
	ok(NIL(ssh_detected), "no payload captured");
	between(40000, 22);
	datagram(1, client.b, 100);
	rows();
	ok(INT(ssh_detected, 0), "UDP");
}

/* One list of each side at its place, the others agree. */
static void
agree(unsigned place, const char *c, const char *s, const char *want, const char *about)
{
	const char *mine[10] = {"k", "h", "e", "e", "m", "m", "z", "z", "", ""};
	const char *theirs[10] = {"k", "h", "e", "e", "m", "m", "z", "z", "", ""};

	mine[place] = c;
	theirs[place] = s;
	client.n = server.n = 0;
	line(&client, "SSH-2.0-a\n");
	line(&server, "SSH-2.0-b\n");
	put_kexinit(&client, mine);
	put_kexinit(&server, theirs);
	exchange();
	TEXTS(ssh_negotiated, want, about);
}

static void
test_agreement(void)
{
	static char long_c[30000];
	static char long_s[30000];

	agree(0, "a,b,c", "c,b", "b|h|e|e|m|m|z|z|", "the first of the client's that the server has");
	agree(0, "ext-info-c,kex-strict-c-v00@openssh.com,c", "ext-info-c,kex-strict-c-v00@openssh.com,c", "c|h|e|e|m|m|z|z|", "indicators are no methods");
	agree(1, "x", "y", "NULL|NULL|e|e|m|m|z|z|", "no host key, no method");
	agree(2, "a,,b", ",bb,a b", "k|h|NULL|e|m|m|z|z|", "names are compared whole, empty ones not at all");
	agree(2, "chacha20-poly1305@openssh.com", "chacha20-poly1305@openssh.com", "k|h|chacha20-poly1305@openssh.com|e|implicit|m|z|z|",
		  "AEAD to the server");
	agree(3, "aes256-gcm@openssh.com", "x,aes256-gcm@openssh.com", "k|h|e|aes256-gcm@openssh.com|m|implicit|z|z|", "AEAD to the client");
	agree(4, "", "m", "k|h|e|e|NULL|m|z|z|", "an empty list");
	agree(7, "z\x01", "z\x01", "k|h|e|e|m|m|z|z\\x01|", "bytes that can't be printed");
	for (unsigned i = 0; i + 3 < sizeof(long_c); i += 3)
	{
		memcpy(long_c + i, "ab,", 3);
		memcpy(long_s + i, "ba,", 3);
	}
	agree(5, long_c, long_s, "NULL|h|e|e|m|NULL|NULL|NULL|", "endless lists end the comparing");

	{
		const char *mine[10] = {"k,gss-group14-sha1-x", "", "e", "e", "m", "m", "z", "z", "", ""};

		client.n = server.n = 0;
		line(&client, "SSH-2.0-a\n");
		line(&server, "SSH-2.0-b\n");
		put_kexinit(&client, mine);
		put_kexinit(&server, mine);
		exchange();
		TEXTS(ssh_negotiated, "gss-group14-sha1-x|NULL|e|e|m|m|z|z|", "GSS-API needs no host key");
	}
	server.n = 0;
	exchange();
	ok(NIL(ssh_negotiated) && NIL(ssh_server_version) && !NIL(ssh_client_kexinit), "one side alone");
}

static void
only(jj_feature f)
{
	memset(&o.features, 0, sizeof(o.features));
	jj_set_add(&o.features, f);
	rows();
}

static void
forget(const jj_row *row)
{
	(void) row;
}

static void
test_wanted(void)
{
	failing		f = {0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_error	err;
	uint64_t	calls;
	bool		good;

	make_talk(100);
	exchange();
	for (jj_feature x = JJ_F_ssh_kex_packets; x <= JJ_F_ssh_host_key_sha256; x++)
	{
		only(x);
		ok(n_rows == 1 && !is_null(x), "%s alone", jj_feature_table[x].name);
	}

	fresh();
	open_tcp();
	send_part(1, &client, 0, 10);
	send_part(1, &client, 50, client.newkeys + 10);
	send_part(1, &client, client.newkeys + 20, client.newkeys + 30);
	send_part(1, &client, 10, 50);
	send_all(2, &server, server.n, 100);
	memset(&o.features, 0, sizeof(o.features));
	(void) jj_set_add_name(&o.features, "ssh");
	good = run_with(&o, NULL, &a, 1, forget, &err) == JJ_OK;
	calls = f.calls;
	ok(good && f.live == 0 && calls > 20, "memory is given back");
	for (uint64_t i = 1; i <= calls; i++)
	{
		f = (failing) {.fail_at = i};
		good = good && run_with(&o, NULL, &a, 1, forget, &err) == JJ_ERR_NOMEM && f.live == 0;
	}
	ok(good, "and when any one of %d allocations fails, too", (int) calls);
	o = defaults();
}

/* Text in front of the line, in pieces of any size. */
static void
test_find_line(void)
{
	static const char text[] = "SSH\r\nS\n\tabcdefghijklmnopqrstuvwxyz\r\nSSH-";
	bool		good = true;

	for (uint32_t size = 1; size < sizeof(text); size++)
	{
		jj_ssh_lines_at at = {0};
		jj_ssh_found found = JJ_SSH_MORE;
		uint32_t	used = 0;

		for (uint32_t i = 0; i < sizeof(text) - 1 && found == JJ_SSH_MORE; i += size)
		{
			found = jj_ssh_find_line(&at, (const uint8_t *) text + i, sizeof(text) - 1 - i < size ? (uint32_t) sizeof(text) - 1 - i : size, &used);
			used += i;
		}
		good = good && found == JJ_SSH_LINE && used == sizeof(text) - 1 && at.banner;
	}
	ok(good, "a line is found in pieces of any size");
	good = true;
	for (unsigned c = 0; c < 256; c++)
		for (unsigned place = 0; place < 20; place++)
		{
			jj_ssh_lines_at at = {0};
			uint32_t	used;
			uint8_t		b[20];
			bool		allowed = c == '\t' || c == '\n' || (c >= 0x20 && c != 0x7f) || (c == '\r' && place == 19);

			memset(b, 'x', sizeof(b));
			b[place] = (uint8_t) c;
			good = good && (jj_ssh_find_line(&at, b, sizeof(b), &used) == JJ_SSH_MORE) == allowed;
		}
	ok(good, "every byte at every place");
}

int
main(void)
{
	o = defaults();
	test_whole();
	test_lines();
	test_versions();
	test_roles();
	test_packets();
	test_encrypted();
	test_agreement();
	test_wanted();
	test_find_line();
	return done_testing();
}
