/*
 * The rules of group fingerprint, one by one, on messages made for them and on
 * near misses.
 */
#include "extractors/fp.h"
#include "tap.h"

#include <stdlib.h>

static jj_allocator memory;

#define BYTES(literal) (const uint8_t *) (literal), (uint32_t) (sizeof(literal) - 1)

/* What a stream is found to be when it comes in pieces of that many bytes (0: in one). */
static uint32_t
found(const uint8_t *b, uint32_t n, uint32_t piece)
{
	jj_fp_head	h;
	bool		more = true;
	uint32_t	result;

	memset(&h, 0, sizeof(h));
	for (uint32_t o = 0; o < n && more;)
	{
		uint32_t	size = piece == 0 || piece > n - o ? n - o : piece;
		uint8_t    *exact = malloc(size);	/* a step too far is seen */

		if (exact == NULL)
			exit(2);
		memcpy(exact, b + o, size);
		if (!jj_fp_head_add(&h, exact, size, &more, &memory))
			exit(2);
		free(exact);
		o += size;
	}
	result = jj_fp_head_found(&h);
	jj_fp_head_free(&h, &memory);
	return result;
}

/* One stream, whole and byte by byte. Any words are an IMAP command; that is only looked at where it is wanted. */
static void
head(const uint8_t *b, uint32_t n, uint32_t want, const char *name)
{
	uint32_t	ignored = want & JJ_HEAD(IMAP) ? 0 : JJ_HEAD(IMAP);
	uint32_t	whole = found(b, n, 0) & ~ignored;
	uint32_t	bytewise = found(b, n, 1) & ~ignored;

	if (!ok(whole == want && bytewise == want, "%s", name))
		printf("# got %08x and, byte by byte, %08x, expected %08x\n", whole, bytewise, want);
}

#define HEAD(literal, want, name) head(BYTES(literal), want, name)

static void
text_heads(void)
{
	HEAD("220 mail.example.org ESMTP\r\n", JJ_HEAD(220) | JJ_HEAD(220_SMTP), "SMTP greeting");
	HEAD("220-ftp.example.org\r\n220 ready\r\n", JJ_HEAD(220), "FTP greeting of two lines; SMTP only counts in the first");
	HEAD("220 x\r\nESMTP\r\n", JJ_HEAD(220), "SMTP in the second line");
	HEAD("220", 0, "220 without a separator");
	HEAD("2200 x\r\n", 0, "2200");
	HEAD("* OK IMAP4rev1\r\n", JJ_HEAD(STAR_OK) | JJ_HEAD(IMAP), "IMAP greeting; it has the form of a command as well");
	HEAD("* OK", JJ_HEAD(STAR_OK), "IMAP greeting that ends");
	HEAD("* OKAY x\r\n", JJ_HEAD(IMAP), "a longer word");
	HEAD("+OK POP3\r\n", JJ_HEAD(PLUS_OK) | JJ_HEAD(IMAP), "POP3 greeting");
	HEAD("-ERR x\r\n", 0, "POP3 error");
	HEAD("EHLO host\r\n", JJ_HEAD(EHLO), "EHLO");
	HEAD("helo\n", JJ_HEAD(EHLO), "helo without an argument");
	HEAD("EHLO host", 0, "EHLO whose line does not end");
	HEAD("EHLOX y\r\n", 0, "EHLOX");
	HEAD("USER bob\r\n", JJ_HEAD(FTP) | JJ_HEAD(POP3) | JJ_HEAD(IMAP), "USER");
	HEAD("AUTH TLS\r\n", JJ_HEAD(FTP) | JJ_HEAD(POP3) | JJ_HEAD(IMAP), "AUTH");
	HEAD("CAPA\r\n", JJ_HEAD(POP3), "CAPA");
	HEAD("stls\r\n", JJ_HEAD(POP3), "stls");
	HEAD("APOP a 0123\r\n", JJ_HEAD(POP3) | JJ_HEAD(IMAP), "APOP");
	HEAD("a1 login x y\r\n", JJ_HEAD(IMAP), "IMAP command");
	ok((found(BYTES("a1  login\r\n"), 0) | found(BYTES(" a1 login\r\n"), 0) | found(BYTES("a1 1\r\n"), 0)
		| found(BYTES("a\x01 login\r\n"), 0) | found(BYTES("a1 login"), 0)) == 0, "what is no IMAP command");
	HEAD("INVITE sip:bob@example.org SIP/2.0\r\nVia: x\r\n", JJ_HEAD(SIP), "SIP request");
	HEAD("SIP/2.0 200 OK\r\n", JJ_HEAD(SIP), "SIP response");
	HEAD("SIP/2.0\r\n", 0, "no status");
	HEAD("INVITE sip:bob@example.org SIP/2.00\r\n", 0, "SIP/2.00");
	HEAD("invite sip:bob SIP/2.0\r\n", 0, "a method in lower case");
	HEAD("INVITE sip:bob SIP/2.0", 0, "a line that does not end");
	HEAD("DESCRIBE rtsp://example.org/a RTSP/1.0\r\n", JJ_HEAD(RTSP), "RTSP request");
	HEAD("GET_PARAMETER * RTSP/1.0\r\n", JJ_HEAD(RTSP), "RTSP method with an underscore");
	HEAD("SET_X y SIP/2.0\r\n", 0, "SIP has no underscores");
	HEAD("RTSP/1.0 200 OK\r\n", JJ_HEAD(RTSP), "RTSP response");
	HEAD("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, "HTTP is none of these");
	HEAD("*1\r\n$4\r\nPING\r\n", JJ_HEAD(REDIS), "Redis");
	HEAD("*x\r\n$4\r\n", 0, "no number");
	HEAD("0 node_1 17.7\n", JJ_HEAD(TINC), "tinc 1.1");
	HEAD("0 node 17\n", JJ_HEAD(TINC), "tinc 1.0");
	HEAD("0 node 18\n", 0, "another version");
	HEAD("0 no-de 17\n", 0, "a name tinc doesn't allow");
	HEAD("0 node 17.\n", 0, "no minor version");
	HEAD("<?xml version='1.0'?><stream:stream to='example.org'>", JJ_HEAD(XMPP), "XMPP");
	HEAD("<stream<stream:stream>", JJ_HEAD(XMPP), "XMPP behind a false start");
	HEAD("<stream:features>", 0, "another tag");
	HEAD("GET /?q=<stream:stream HTTP/1.1", 0, "what is no XML");
}

static void
binary_heads(void)
{
	static const uint8_t smb_later[] = {0x81, 0, 0, 2, 'x', 'y', 0x82, 0, 0, 0, 0, 0, 0, 0x40, 0xfe, 'S', 'M', 'B'};

	HEAD("\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x01", JJ_HEAD(PPTP), "PPTP");
	HEAD("\x00\x9c\x00\x02\x1a\x2b\x3c\x4d\x00\x01", 0, "PPTP management message");
	HEAD("\x00\x9c\x00\x01\x1a\x2b\x3c", 0, "PPTP cut");
	HEAD("\x13" "BitTorrent protocol" "\0\0\0\0", JJ_HEAD(BITTORRENT), "BitTorrent");
	HEAD("\x13" "BitTorrent protocox", 0, "not BitTorrent");
	HEAD("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x00\x00\x00\x00", JJ_HEAD(RDP), "RDP connection request");
	HEAD("\x03\x00\x00\x0b\x06\xd0", JJ_HEAD(RDP), "RDP connection confirm");
	HEAD("\x03\x00\x00\x0b\x06\xf0", 0, "X.224 data");
	HEAD("\x03\x00\x00\x0a\x05\xe0", 0, "too short for X.224");
	HEAD("\x00\x00\x00\x85\xffSMBr", JJ_HEAD(SMB), "SMB 1");
	HEAD("\x00\x00\x00\x40\xfeSMB@", JJ_HEAD(SMB), "SMB 2");
	HEAD("\x00\x00\x00\x1f\xfeSMB@", 0, "too short for a header");
	HEAD("\x00\x00\x00\x40\xfdSMB@", 0, "SMB 3 transform header does not begin a session");
	head(smb_later, sizeof(smb_later), JJ_HEAD(SMB), "SMB behind session requests");
	HEAD("\x00\x00\x00\x29\x00\x03\x00\x00user\0bob\0", JJ_HEAD(POSTGRESQL), "PostgreSQL startup");
	HEAD("\x00\x00\x00\x08\x04\xd2\x16\x2f", JJ_HEAD(SSLREQUEST), "PostgreSQL SSLRequest");
	HEAD("\x00\x00\x27\x11\x00\x03\x00\x00", 0, "longer than PostgreSQL takes");
	HEAD("\x4a\x00\x00\x00\x0a" "5.7.30\0\x01\x02", JJ_HEAD(MYSQL), "MySQL");
	HEAD("\x4a\x00\x00\x00\x0a\0\x01\x02", 0, "no version");
	HEAD("\x05\x00\x00\x00\x0a" "5.7.30\0\x01\x02", 0, "longer than its packet");
	HEAD("\x4a\x00\x00\x01\x0a" "5.7.30\0\x01\x02", 0, "not the first packet");
	HEAD("\x10\x10\x00\x04MQTT\x04\x02", JJ_HEAD(MQTT), "MQTT 3.1.1");
	HEAD("\x10\x90\x01\x00\x06MQIsdp\x03", JJ_HEAD(MQTT), "MQTT 3.1, longer");
	HEAD("\x20\x10\x00\x04MQTT\x04\x02", 0, "not CONNECT");
	HEAD("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", JJ_HEAD(LDAP), "LDAP bind");
	HEAD("\x30\x84\x00\x00\x00\x05\x02\x01\x02\x42\x00", JJ_HEAD(LDAP), "LDAP unbind, long form");
	HEAD("\x30\x0c\x02\x01\x01\x62\x07\x02\x01\x03\x04\x00\x80\x00", 0, "no such operation");
	HEAD("\x30\x0c\x04\x01\x01\x60\x07", 0, "no message number");
	HEAD("\x00\x00\x00\x10\x6a\x0e\x30\x0c" "0123456789ab", JJ_HEAD(KERBEROS), "Kerberos");
	HEAD("\x00\x00\x00\x11\x6a\x0e\x30\x0c" "0123456789abc", 0, "Kerberos of another length");
	HEAD("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x1d\x01", JJ_HEAD(BGP), "BGP");
	HEAD("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x1d\x06", 0, "BGP has no type 6");
	HEAD("\xc0\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x10", JJ_HEAD(TACACS), "TACACS+");
	HEAD("\xc0\x04\x01\x00\x00\x00\x00\x01\x00\x00\x00\x10", 0, "TACACS+ has no type 4");
	HEAD("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 0, "TLS is none of these");
}

/* Rules look at the first 2048 bytes, and XMPP's at 512. */
static void
long_heads(void)
{
	static uint8_t line[JJ_HEAD_BYTES + 100];

	memset(line, 'a', sizeof(line));
	memcpy(line, "EHLO ", 5);
	line[JJ_HEAD_BYTES - 1] = '\n';
	ok((found(line, sizeof(line), 0) & found(line, sizeof(line), 100)) == (JJ_HEAD(EHLO) | JJ_HEAD(IMAP)), "a line of 2048 bytes");
	line[JJ_HEAD_BYTES - 1] = 'a';
	line[JJ_HEAD_BYTES] = '\n';
	ok(found(line, sizeof(line), 0) == 0 && found(line, sizeof(line), 100) == 0, "a line of 2049 bytes");
	memset(line, 'a', sizeof(line));
	line[0] = '<';
	memcpy(line + 498, "<stream:stream", 14);
	ok(found(line, sizeof(line), 0) == JJ_HEAD(XMPP) && found(line, sizeof(line), 7) == JJ_HEAD(XMPP), "a stream tag at byte 498");
	memset(line, 'a', sizeof(line));
	line[0] = '<';
	memcpy(line + 499, "<stream:stream", 14);
	ok(found(line, sizeof(line), 0) == 0 && found(line, sizeof(line), 7) == 0, "a stream tag at byte 499");
}

static void
wanting(void)
{
	jj_fp_head	h;
	bool		more;
	static const uint8_t zeros[40];

	memset(&h, 0, sizeof(h));
	ok(jj_fp_head_add(&h, zeros, 40, &more, &memory) && !more && h.held.bytes == NULL, "40 bytes of nothing settle a stream, and are not kept");
	memset(&h, 0, sizeof(h));
	ok(jj_fp_head_add(&h, BYTES("INVITE sip:bob"), &more, &memory) && more && h.held.bytes != NULL, "half a line is kept");
	ok(jj_fp_head_add(&h, BYTES("@example.org HTTP/1.1\r\n"), &more, &memory) && h.held.bytes == NULL, "and released when it is decided");
	jj_fp_head_free(&h, &memory);
}

static void
stream_apps(void)
{
	static const struct
	{
		uint32_t	initiator;
		uint32_t	responder;
		int32_t		port;
		jj_fp_app	want;
		const char *name;
	}			cases[] = {
		{JJ_HEAD(EHLO), JJ_HEAD(220), 25, JJ_APP_SMTP, "EHLO after 220: SMTP"},
		{JJ_HEAD(220), JJ_HEAD(EHLO), 25, JJ_APP_SMTP, "the same the other way round"},
		{JJ_HEAD(EHLO), JJ_HEAD(STAR_OK), 25, JJ_APP_NONE, "EHLO after * OK is nothing"},
		{JJ_HEAD(FTP) | JJ_HEAD(POP3), JJ_HEAD(220), 21, JJ_APP_FTP, "USER after 220: FTP"},
		{JJ_HEAD(FTP) | JJ_HEAD(POP3), JJ_HEAD(PLUS_OK), 110, JJ_APP_POP3, "USER after +OK: POP3"},
		{JJ_HEAD(IMAP), JJ_HEAD(STAR_OK), 143, JJ_APP_IMAP, "IMAP"},
		{JJ_HEAD(IMAP), 0, 143, JJ_APP_NONE, "a client's line alone is nothing"},
		{0, JJ_HEAD(220), 21, JJ_APP_NONE, "a server's greeting alone is nothing"},
		{JJ_HEAD(MYSQL), 0, 3306, JJ_APP_NONE, "MySQL's server speaks first"},
		{0, JJ_HEAD(MYSQL), 3306, JJ_APP_MYSQL, "MySQL"},
		{0, JJ_HEAD(POSTGRESQL), 1, JJ_APP_NONE, "PostgreSQL's client speaks first"},
		{JJ_HEAD(SSLREQUEST), 0, 1, JJ_APP_POSTGRESQL, "SSLRequest"},
		{JJ_HEAD(KERBEROS), 0, 88, JJ_APP_KERBEROS, "Kerberos on port 88"},
		{JJ_HEAD(KERBEROS), 0, 89, JJ_APP_NONE, "Kerberos on another port"},
		{0, JJ_HEAD(TACACS), 49, JJ_APP_TACACS, "TACACS+ on port 49"},
		{JJ_HEAD(TACACS), 0, 50, JJ_APP_NONE, "TACACS+ on another port"},
		{JJ_HEAD(RTSP), JJ_HEAD(SIP), 1, JJ_APP_RTSP, "the initiator's start line goes first"},
		{JJ_HEAD(LDAP), JJ_HEAD(SMB), 1, JJ_APP_SMB, "the order of rules"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		uint32_t	heads[2] = {cases[i].initiator, cases[i].responder};

		is_int(jj_fp_stream_app(heads, 40000, cases[i].port), cases[i].want, cases[i].name);
	}
}

static void
before_tls(void)
{
	static const struct
	{
		uint32_t	initiator;
		uint32_t	responder;
		bool		http;
		jj_fp_app	want;
	}			cases[] = {
		{JJ_HEAD(EHLO), JJ_HEAD(220), false, JJ_APP_SMTP}, {0, JJ_HEAD(220) | JJ_HEAD(220_SMTP), false, JJ_APP_SMTP},
		{0, JJ_HEAD(220), false, JJ_APP_FTP}, {0, JJ_HEAD(PLUS_OK), false, JJ_APP_POP3}, {0, JJ_HEAD(STAR_OK), false, JJ_APP_IMAP},
		{0, 0, true, JJ_APP_HTTP}, {JJ_HEAD(SSLREQUEST), 0, false, JJ_APP_POSTGRESQL}, {JJ_HEAD(XMPP), JJ_HEAD(XMPP), false, JJ_APP_XMPP},
		{JJ_HEAD(LDAP), 0, false, JJ_APP_LDAP}, {JJ_HEAD(RDP), JJ_HEAD(RDP), false, JJ_APP_RDP}, {JJ_HEAD(MYSQL), 0, false, JJ_APP_NONE}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		uint32_t	heads[2] = {cases[i].initiator, cases[i].responder};

		is_int(jj_fp_before_tls(heads, cases[i].http), cases[i].want, "what comes before TLS");
	}
}

static void
first_datagrams(void)
{
#define FIRST(literal, port, want, name) is_int(jj_fp_first_datagram(BYTES(literal), sizeof(literal) - 1, 40000, port), want, name)
	static const uint8_t zeros[300];
	uint8_t		b[300] = {0x23, 2};

	is_int(jj_fp_first_datagram(b, 48, 48, 123, 123), JJ_APP_NTP, "NTP");
	is_int(jj_fp_first_datagram(b, 48, 48, 124, 1230), JJ_APP_NONE, "NTP on another port");
	is_int(jj_fp_first_datagram(b, 47, 47, 123, 123), JJ_APP_NONE, "47 bytes");
	is_int(jj_fp_first_datagram(b, 2, 48, 5, 123), JJ_APP_NTP, "NTP, two bytes captured");
	b[1] = 17;
	is_int(jj_fp_first_datagram(b, 48, 48, 123, 123), JJ_APP_NONE, "stratum 17");
	memset(b, 0, sizeof(b));
	b[0] = 1;
	memcpy(b + 236, "\x63\x82\x53\x63", 4);
	is_int(jj_fp_first_datagram(b, 300, 300, 68, 67), JJ_APP_DHCP, "DHCP");
	b[236]++;
	is_int(jj_fp_first_datagram(b, 300, 300, 68, 67), JJ_APP_NONE, "BOOTP without the cookie");
	is_int(jj_fp_first_datagram(zeros, 0, 300, 68, 67), JJ_APP_NONE, "nothing captured");
	FIRST("\x01\x00\x00\x01\x00\x01\x00\x02xy", 547, JJ_APP_DHCPV6, "DHCPv6");
	FIRST("\x01\x00\x00\x01\x00\x01\x00\x03xy", 547, JJ_APP_NONE, "an option that goes further");
	FIRST("\x01\x00\x00\x01\x00\x01\x00\x01xy", 547, JJ_APP_NONE, "a byte left over");
	FIRST("INVITE sip:bob@example.org SIP/2.0\r\n", 1, JJ_APP_SIP, "SIP");
	FIRST("ANNOUNCE rtsp://a/b RTSP/1.0\r\n", 1, JJ_APP_RTSP, "RTSP");
	FIRST("M-SEARCH * HTTP/1.1\r\n", 1900, JJ_APP_SSDP, "SSDP search");
	FIRST("NOTIFY * HTTP/1.1\r\n", 1900, JJ_APP_SSDP, "SSDP notification");
	FIRST("M-SEARCH * HTTP/1.1\r\n", 1901, JJ_APP_NONE, "SSDP on another port");
	FIRST("M-SEARCH * HTTP/1.10\r\n", 1900, JJ_APP_NONE, "HTTP/1.10");
	FIRST("d1:ad2:id20:abcdefghij", 1, JJ_APP_BITTORRENT, "DHT query");
	FIRST("d1:rd2:id20:abcdefghij", 1, JJ_APP_BITTORRENT, "DHT response");
	FIRST("d1:ad2:id21:abcdefghij", 1, JJ_APP_NONE, "not a DHT query");
	FIRST("\0\1\1\x10\0\1\0\0\0\0\0\0 FHEPFCELEHFCEPFFFACACACACACACABN\0\0\x20\0\1", 137, JJ_APP_NBNS, "NetBIOS name service");
	FIRST("\0\1\1\x10\0\1\0\0\0\0\0\0 FHEPFCELEHFCEPFFFACACACACACACABZ\0\0\x20\0\1", 137, JJ_APP_NONE, "a letter behind P");
	FIRST("\x30\x0b\x02\x01\x01\x04\x06public", 161, JJ_APP_SNMP, "SNMP 2c");
	FIRST("\x30\x0b\x02\x01\x02\x04\x06public", 161, JJ_APP_NONE, "version 2");
	FIRST("\x30\x0c\x02\x01\x01\x04\x06public", 162, JJ_APP_NONE, "another length");
	FIRST("\x30\x0c\x02\x01\x01\x63\x07\x02\x01\x03\x04\x00\x80\x00", 389, JJ_APP_LDAP, "CLDAP");
	FIRST("\x6a\x0e\x30\x0c" "0123456789ab", 88, JJ_APP_KERBEROS, "Kerberos");
	FIRST("\x6a\x0e\x31\x0c" "0123456789ab", 88, JJ_APP_NONE, "no sequence in it");
	FIRST("\0\1boot.img\0octet\0", 69, JJ_APP_TFTP, "TFTP");
	FIRST("\0\2boot.img\0NETASCII\0blksize\0", 69, JJ_APP_TFTP, "TFTP write in netascii");
	FIRST("\0\3boot.img\0octet\0", 69, JJ_APP_NONE, "TFTP data");
	FIRST("\0\1boot.img\0octets\0", 69, JJ_APP_NONE, "no such mode");
	FIRST("<34>Oct 11 22:14:15 host su: x", 514, JJ_APP_SYSLOG, "syslog");
	FIRST("<192>x", 514, JJ_APP_NONE, "priority 192");
	FIRST("<0034>x", 514, JJ_APP_NONE, "four digits");
	FIRST("\x01\x2a\x00\x14" "0123456789abcdef", 1812, JJ_APP_RADIUS, "RADIUS");
	FIRST("\x06\x2a\x00\x14" "0123456789abcdef", 1812, JJ_APP_NONE, "no such code");
	is_int(jj_fp_datagram_app(JJ_APP_SYSLOG, JJ_APP_NTP), JJ_APP_NTP, "an earlier rule for the responder wins");
	is_int(jj_fp_datagram_app(JJ_APP_DHCP, JJ_APP_NTP), JJ_APP_DHCP, "rules of one place are put to the initiator's first");
}

static void
any_datagram(void)
{
	jj_fp_rtp	r;
	uint8_t		b[12] = {0x80, 8, 0xff, 0xfe, 0, 0, 0, 0, 1, 2, 3, 4};

	ok(jj_fp_is_stun(BYTES("\0\1\0\0\x21\x12\xa4\x42" "0123456789ab"), 20), "STUN");
	ok(!jj_fp_is_stun(BYTES("\0\1\0\4\x21\x12\xa4\x42" "0123456789ab"), 20), "STUN of another length");
	ok(!jj_fp_is_stun(BYTES("\x40\1\0\0\x21\x12\xa4\x42" "0123456789ab"), 20), "ChannelData");
	memset(&r, 0, sizeof(r));
	ok(!jj_fp_rtp_add(&r, b, 12), "one RTP packet is not enough");
	b[3]++;
	b[1] |= 0x80;
	ok(!jj_fp_rtp_add(&r, b, 12), "nor two; the marker doesn't matter");
	b[2] = b[3] = 0;
	ok(jj_fp_rtp_add(&r, b, 12), "three are, over the end of the numbers");
	memset(&r, 0, sizeof(r));
	jj_fp_rtp_add(&r, b, 12);
	b[3]++;
	jj_fp_rtp_add(&r, b, 12);
	jj_fp_rtp_add(&r, b, 11);
	b[3]++;
	ok(!jj_fp_rtp_add(&r, b, 12), "what is no RTP interrupts");
	b[3]++;
	jj_fp_rtp_add(&r, b, 12);
	b[3] += 2;
	ok(!jj_fp_rtp_add(&r, b, 12), "so does a gap");
}

static void
wireguard(void)
{
	jj_fp_wireguard s;
	uint32_t	ev = 0;
	uint8_t		init[148] = {1, 0, 0, 0, 7, 7, 7, 7};
	uint8_t		answer[92] = {2, 0, 0, 0, 9, 9, 9, 9, 7, 7, 7, 7};
	uint8_t		data[80] = {4, 0, 0, 0, 9, 9, 9, 9};

	memset(&s, 0, sizeof(s));
	ok(jj_fp_wireguard_add(&s, 0, init, 148, 148, &ev) && ev == JJ_EV(WG_INIT), "WireGuard initiation");
	ok(jj_fp_wireguard_add(&s, 1, answer, 92, 92, &ev) && ev & JJ_EV(WG_HANDSHAKE), "its answer");
	jj_fp_wireguard_add(&s, 0, data, 80, 80, &ev);
	jj_fp_wireguard_add(&s, 1, data, 80, 80, &ev);
	ok(!(ev & JJ_EV(WG_DATA)), "two data messages are not enough");
	ok(!jj_fp_wireguard_add(&s, 0, data, 80, 80, &ev) && ev & JJ_EV(WG_DATA), "three are, and nothing more is to be learnt");

	memset(&s, 0, sizeof(s));
	ev = 0;
	jj_fp_wireguard_add(&s, 0, init, 148, 148, &ev);
	answer[8]++;
	jj_fp_wireguard_add(&s, 1, answer, 92, 92, &ev);
	ok(ev == JJ_EV(WG_INIT), "an answer to something else");
	answer[8]--;
	jj_fp_wireguard_add(&s, 0, answer, 92, 92, &ev);
	ok(ev == JJ_EV(WG_INIT), "an answer from the same side");
	{
		uint8_t		cookie[64] = {3, 0, 0, 0, 7, 7, 7, 7};

		jj_fp_wireguard_add(&s, 1, cookie, 64, 64, &ev);
		ok(ev & JJ_EV(WG_HANDSHAKE), "a cookie reply");
	}
	ok(!jj_fp_wireguard_add(&s, 0, init, 147, 147, &ev), "an initiation of 147 bytes");
	ok(!jj_fp_wireguard_add(&s, 0, data, 79, 79, &ev), "data not padded");
	ok(jj_fp_wireguard_add(&s, 0, data, 20, 80, &ev), "data of which 20 bytes were captured");
	data[13] = 1;
	ok(!jj_fp_wireguard_add(&s, 0, data, 80, 80, &ev), "a counter of 2^40");
	data[13] = 0;
	data[2] = 1;
	ok(!jj_fp_wireguard_may(data, 80, 80), "reserved bytes that are not zero");

	memset(&s, 0, sizeof(s));
	ev = 0;
	data[2] = 0;
	for (unsigned i = 0; i < 5; i++)
	{
		data[4] = (uint8_t) i;
		jj_fp_wireguard_add(&s, 0, data, 80, 80, &ev);
	}
	ok(ev == 0, "more than two receivers in a direction");
}

static const uint8_t client[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t server[8] = {9, 10, 11, 12, 13, 14, 15, 16};

/* An OpenVPN control packet of a side, acknowledging the other's session with ack, behind hmac bytes; its length. */
static uint32_t
openvpn_packet(uint8_t b[120], unsigned opcode, int side, unsigned hmac, bool ack)
{
	uint32_t	n = 9;

	memset(b, 0, 120);
	b[0] = (uint8_t) (opcode << 3);
	memcpy(b + 1, side == 0 ? client : server, 8);
	n += hmac + (hmac != 0 ? 8 : 0);
	b[n++] = ack;
	if (ack)
	{
		memcpy(b + n + 4, side == 0 ? server : client, 8);
		n += 12;
	}
	return n + 4;
}

static void
openvpn(void)
{
	static const unsigned hmac[] = {0, 16, 20, 32, 64};
	jj_fp_openvpn s;
	uint8_t		b[122];
	uint32_t	n,
				ev;

	for (size_t i = 0; i < 5; i++)
	{
		memset(&s, 0, sizeof(s));
		ev = 0;
		n = openvpn_packet(b, 7, 0, hmac[i], false);
		jj_fp_openvpn_add(&s, false, 0, b, n, n, &ev);
		n = openvpn_packet(b, 8, 1, hmac[i], true);
		jj_fp_openvpn_add(&s, false, 1, b, n, n, &ev);
		ok(ev == JJ_EV(OPENVPN_RESET), "OpenVPN server reset with an HMAC of %u bytes", hmac[i]);
	}
	memset(&s, 0, sizeof(s));
	ev = 0;
	n = openvpn_packet(b, 7, 0, 0, false);
	jj_fp_openvpn_add(&s, false, 0, b, n, n, &ev);
	n = openvpn_packet(b, 8, 1, 0, true);
	b[n - 8]++;
	jj_fp_openvpn_add(&s, false, 1, b, n, n, &ev);
	ok(ev == 0, "a reset for another session");
	n = openvpn_packet(b, 5, 1, 0, false);
	jj_fp_openvpn_add(&s, false, 1, b, n, n, &ev);
	n = openvpn_packet(b, 4, 0, 0, false);
	jj_fp_openvpn_add(&s, false, 0, b, n, n, &ev);
	ok(ev == JJ_EV(OPENVPN_SESSION), "two control packets in each direction");
	b[1]++;
	ok(!jj_fp_openvpn_add(&s, false, 0, b, n, n, &ev), "another session ends the look");

	memset(&s, 0, sizeof(s));
	ev = 0;
	n = openvpn_packet(b, 10, 0, 0, false);
	for (int i = 0; i < 3; i++)
		jj_fp_openvpn_add(&s, false, 0, b, n, n, &ev);
	ok(ev == 0, "three packets without an answer");
	jj_fp_openvpn_add(&s, false, 0, b, n, n, &ev);
	ok(ev == JJ_EV(OPENVPN_ONEWAY), "four of them");
	n = openvpn_packet(b, 8, 1, 0, false);
	jj_fp_openvpn_add(&s, false, 1, b, n, n, &ev);
	ok(ev == 0, "not oneway any more");

	memset(&s, 0, sizeof(s));
	ev = 0;
	n = openvpn_packet(b, 7, 0, 0, false);
	memset(b + 1, 1, 8);
	for (int i = 0; i < 4; i++)
		jj_fp_openvpn_add(&s, false, 0, b, n, n, &ev);
	ok(ev == 0, "a session id of one byte value");

	n = openvpn_packet(b, 6, 0, 0, false);
	ok(!jj_fp_openvpn_may(false, b, n, n), "a data packet");
	n = openvpn_packet(b, 4, 0, 0, false);
	ok(!jj_fp_openvpn_may(false, b, n, n), "a control packet that can't be the first");
	n = openvpn_packet(b, 7, 0, 0, false);
	b[0] |= 1;
	ok(!jj_fp_openvpn_may(false, b, n, n), "another key");
	n = openvpn_packet(b, 7, 0, 0, false);
	ok(!jj_fp_openvpn_may(false, b, 13, 13), "13 bytes");
	n = openvpn_packet(b + 2, 7, 0, 0, false);
	b[0] = 0;
	b[1] = (uint8_t) n;
	ok(jj_fp_openvpn_may(true, b, n + 2, n + 2), "over TCP");
	b[1]++;
	ok(!jj_fp_openvpn_may(true, b, n + 2, n + 2), "over TCP with another length");

	memset(&s, 0, sizeof(s));
	ev = 0;
	n = openvpn_packet(b, 7, 0, 0, false);
	for (int i = 0; i < 11; i++)
		jj_fp_openvpn_add(&s, false, 0, b, n, n, &ev);
	ok(!jj_fp_openvpn_add(&s, false, 0, b, n, n, &ev), "the look ends with twelve payloads");
}

static void
ipsec(void)
{
	uint8_t		ike[32] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, 0, 28};
	uint8_t		marked[32] = {0};
	uint8_t		esp[8] = {0, 0, 1, 0, 0, 0, 0, 1};
	jj_fp_natt	s;
	uint32_t	ev = 0;

	ok(jj_fp_is_ike(ike, 28, 28, false), "IKEv2");
	ok(!jj_fp_is_ike(ike, 28, 29, false), "IKEv2 of another length");
	memcpy(marked + 4, ike, 28);
	ok(jj_fp_is_ike(marked, 32, 32, true), "IKEv2 on port 4500");
	ok(!jj_fp_is_ike(ike, 28, 28, true), "without the marker");
	ike[18] = 38;
	ok(!jj_fp_is_ike(ike, 28, 28, false), "exchange 38 of version 2");
	ike[17] = 0x10;
	ike[18] = 2;
	ok(jj_fp_is_ike(ike, 28, 28, false), "IKEv1");
	memset(ike, 0, 8);
	ok(!jj_fp_is_ike(ike, 28, 28, false), "no initiator SPI");

	memset(&s, 0, sizeof(s));
	ok(jj_fp_natt_add(&s, 0, esp, 8, &ev) && ev == 0, "one ESP packet");
	esp[7] = 65;
	esp[2] = 0;
	jj_fp_natt_add(&s, 0, esp, 8, &ev);
	esp[2] = 1;
	jj_fp_natt_add(&s, 1, esp, 8, &ev);
	ok(ev == 0, "reserved SPIs and the other direction don't count");
	ok(!jj_fp_natt_add(&s, 0, esp, 8, &ev) && ev == JJ_EV(NATT), "a number 64 higher");
	memset(&s, 0, sizeof(s));
	ev = 0;
	esp[7] = 1;
	jj_fp_natt_add(&s, 0, esp, 8, &ev);
	jj_fp_natt_add(&s, 0, esp, 8, &ev);
	esp[7] = 66;
	jj_fp_natt_add(&s, 0, esp, 8, &ev);
	ok(ev == 0, "the same number, and one 65 higher");
	/* many SPIs at a time */
	memset(&s, 0, sizeof(s));
	for (unsigned round = 0; round < 2 && ev == 0; round++)
		for (unsigned spi = 1; spi <= JJ_FP_SPIS; spi++)
		{
			esp[2] = (uint8_t) spi;
			esp[7] = (uint8_t) (1 + round);
			jj_fp_natt_add(&s, 0, esp, 8, &ev);
		}
	ok(ev == JJ_EV(NATT), "eight SPIs in turn");
}

static void
others(void)
{
	uint8_t		l2tp[20] = {0xc8, 2, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 8, 0, 0, 0, 0, 0, 1};

	ok(jj_fp_is_l2tp(l2tp, 20, 20), "L2TP");
	ok(!jj_fp_is_l2tp(l2tp, 20, 21), "L2TP of another length");
	l2tp[17] = 1;
	ok(!jj_fp_is_l2tp(l2tp, 20, 20), "another AVP first");
	l2tp[17] = 0;
	l2tp[0] = 0x48;
	ok(!jj_fp_is_l2tp(l2tp, 20, 20), "L2TP data message");
	ok(jj_fp_is_gre_pptp(BYTES("\x30\x81\x88\x0b\x00\x00")), "GRE of PPTP");
	ok(!jj_fp_is_gre_pptp(BYTES("\x30\x80\x88\x0b\x00\x00")), "GRE version 0");
	ok(!jj_fp_is_gre_pptp(BYTES("\x30\x81\x08\x00\x00\x00")), "GRE that carries IP");
	ok(jj_fp_is_tailscale(BYTES("TS\xf0\x9f\x92\xacx")), "Tailscale");
	ok(!jj_fp_is_tailscale(BYTES("TS\xf0\x9f\x92")), "Tailscale cut");
}

static void
opaque(void)
{
	uint8_t		b[100];

	/* 4 bits per byte, nothing printable */
	memset(b, 0x8e, sizeof(b));
	ok(jj_fp_fully_encrypted(b, 100), "4 bits per byte, not printable");
	memset(b, 0x86, sizeof(b));
	ok(!jj_fp_fully_encrypted(b, 100), "3 bits per byte");
	memset(b, 0x8e, sizeof(b));
	memset(b, 0x86, 60);
	ok(!jj_fp_fully_encrypted(b, 100), "3.4 bits per byte");
	b[59] = 0x8e;
	ok(jj_fp_fully_encrypted(b, 100), "a little more");
	memset(b, 0x8e, sizeof(b));
	memset(b, 0xcf, 30);
	memset(b + 30, 0x9f, 30);
	ok(!jj_fp_fully_encrypted(b, 60), "6 bits per byte");
	memset(b, 0x8e, sizeof(b));
	memset(b, 'K', 6);
	ok(!jj_fp_fully_encrypted(b, 100), "six printable bytes in front");
	b[5] = 0x8e;
	ok(jj_fp_fully_encrypted(b, 100), "five");
	memset(b + 10, 'K', 21);
	ok(!jj_fp_fully_encrypted(b, 100), "21 printable bytes in a row");
	b[20] = 0x8e;
	ok(jj_fp_fully_encrypted(b, 100), "10 and 10");
	for (int i = 6; i < 100; i++)
		b[i] = i % 5 == 0 ? 0x8e : 'K';
	ok(!jj_fp_fully_encrypted(b, 100), "more than half printable");
	memset(b, 0x8e, sizeof(b));
	memcpy(b, "\x17\x03\x09", 3);
	ok(!jj_fp_fully_encrypted(b, 100), "a TLS record");
	b[2] = 0x0a;
	ok(jj_fp_fully_encrypted(b, 100), "no version of TLS");
	memset(b, 0x8e, sizeof(b));
	memcpy(b, "PUT ", 4);
	ok(!jj_fp_fully_encrypted(b, 100), "PUT");
}

static void
names(void)
{
	static const uint8_t cloudflare[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 1, 1, 1};
	static const uint8_t nobody[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 1, 1, 4};
	static const uint8_t quad9[16] = {0x26, 0x20, 0, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};

#define NAME(f, name) f(name, sizeof(name) - 1)
	ok(NAME(jj_fp_is_provider, "nordvpn.com") && NAME(jj_fp_is_provider, "api.NordVPN.com"), "a provider, and a name below it");
	ok(NAME(jj_fp_is_provider, "whiskergalaxy.com") && NAME(jj_fp_is_provider, "cactusdb.net"), "the last and the first of the list");
	ok(!NAME(jj_fp_is_provider, "xnordvpn.com") && !NAME(jj_fp_is_provider, "nordvpn.com.evil.org") && !NAME(jj_fp_is_provider, "com")
	   && !NAME(jj_fp_is_provider, "") && !NAME(jj_fp_is_provider, "torproject.org"), "not providers");
	ok(NAME(jj_fp_is_resolver, "dns.google") && NAME(jj_fp_is_resolver, "a.b.cloudflare-dns.com"), "resolvers");
	ok(!NAME(jj_fp_is_resolver, "google") && !NAME(jj_fp_is_resolver, "dns.googl") && !NAME(jj_fp_is_resolver, "adns.google"), "not resolvers");
	ok(jj_fp_is_resolver_address(cloudflare) && jj_fp_is_resolver_address(quad9) && !jj_fp_is_resolver_address(nobody), "addresses");
	ok(NAME(jj_fp_is_tor_name, "www.abcdefgh.net") && NAME(jj_fp_is_tor_name, "www.abcdefghijklmnopq234.com"), "Tor certificate names");
	ok(!NAME(jj_fp_is_tor_name, "www.abcdefg.net") && !NAME(jj_fp_is_tor_name, "www.abcdefghijklmnopqr234.com")
	   && !NAME(jj_fp_is_tor_name, "www.abcdefg1.net") && !NAME(jj_fp_is_tor_name, "www.abcdefgh.org")
	   && !NAME(jj_fp_is_tor_name, "web.abcdefgh.net") && !NAME(jj_fp_is_tor_name, "www.net"), "none");
	ok(NAME(jj_fp_is_tor_sni, "www.xkcd2bcdfg.com"), "Tor server name");
	ok(!NAME(jj_fp_is_tor_sni, "www.xkcdbcdfg2.com") && !NAME(jj_fp_is_tor_sni, "www.2xkcdbcdfg.com"), "digits at an end");
	ok(!NAME(jj_fp_is_tor_sni, "www.university2go.com"), "too many vowels");
}

/* Records of cells under a suite: a length that fits, and one that does not. */
static void
cells(uint16_t suite, uint16_t version, uint32_t fits, uint32_t not, const char *name)
{
	jj_fp_shape shape;

	ok(jj_fp_suite_shape(suite, version, &shape) && jj_fp_fits_cells(&shape, fits) && !jj_fp_fits_cells(&shape, not), "%s", name);
}

static void
tor_cells(void)
{
	jj_fp_shape shape;

	cells(0x1301, 0x0304, 514 + 17, 514 + 18, "TLS 1.3");
	cells(0x1302, 0x0304, 7 * 514 + 17, 8 * 514 + 17, "TLS 1.3, seven cells and eight");
	cells(0xc02f, 0x0303, 512 + 24, 512 + 16, "GCM");
	cells(0xc0a0, 0x0303, 514 + 16, 514 + 24, "CCM_8");
	cells(0xcca8, 0x0303, 3 * 514 + 16, 3 * 514 + 17, "ChaCha20");
	cells(0xc013, 0x0303, 560, 576, "AES-CBC with SHA-1, TLS 1.2");
	cells(0xc013, 0x0301, 544, 560, "AES-CBC with SHA-1, TLS 1.0 has no IV");
	cells(0x000a, 0x0301, 536, 552, "3DES with SHA-1");
	cells(0xc027, 0x0303, 576, 592, "AES-CBC with SHA-256");
	cells(0xc028, 0x0303, 592, 608, "AES-CBC with SHA-384");
	cells(0xc03d, 0x0303, 592, 608, "ARIA with SHA-384");
	ok(!jj_fp_suite_shape(0x0005, 0x0303, &shape) && !jj_fp_suite_shape(0xffff, 0x0303, &shape), "suites that are not listed");
}

int
main(void)
{
	memory = jj_malloc_allocator();
	text_heads();
	binary_heads();
	long_heads();
	wanting();
	stream_apps();
	before_tls();
	first_datagrams();
	any_datagram();
	wireguard();
	openvpn();
	ipsec();
	others();
	opaque();
	names();
	tor_cells();
	return done_testing();
}
