/*
 * Public DNS resolvers that answer over HTTPS, TLS or QUIC: names, sorted, of
 * which a name below one counts as well, and addresses, sorted.
 *
 * Source of the names: the DoH and DoT host list of nDPI
 * (https://github.com/ntop/nDPI, src/lib/ndpi_content_match.c.inc, commit
 * 3b1286a), as of November 2026. Source of the addresses: what Cloudflare,
 * Google, Quad9, AdGuard and OpenDNS publish for their resolvers, as of
 * November 2026.
 */
static const char *const resolvers[] = {
	"adblock.mydns.network", "appliedprivacy.net", "captnemo.in", "cloudflare-dns.com", "commons.host",
	"dns-family.adguard.com", "dns-nyc.aaflalo.me", "dns.aa.net.uk", "dns.aaflalo.me", "dns.adguard.com",
	"dns.cloudflare.com", "dns.containerpi.com", "dns.digitale-gesellschaft.ch", "dns.dns-over-https.com",
	"dns.dnscrypt.ca", "dns.dnshome.de", "dns.dnsoverhttps.net", "dns.google", "dns.google.com", "dns.nextdns.io",
	"dns.quad9.net", "dns.rubyfish.cn", "dns1.digitale-gesellschaft.ch", "dns1.dnscrypt.ca", "dns10.quad9.net",
	"dns11.quad9.net", "dns2.dnscrypt.ca", "dns9.quad9.net", "dnses.alekberg.net", "dnsnl.alekberg.net",
	"dnsse.alekberg.net", "doh-2.seby.io", "doh-ch.blahdns.com", "doh-de.blahdns.com", "doh-jp.blahdns.com",
	"doh.42l.fr", "doh.appliedprivacy.net", "doh.armadillodns.net", "doh.bortzmeyer.fr", "doh.captnemo.in",
	"doh.cleanbrowsing.org", "doh.crypto.sx", "doh.dns.sb", "doh.dns.snopyta.org", "doh.dnslify.com",
	"doh.dnswarden.com", "doh.ffmuc.net", "doh.libredns.gr", "doh.netweaver.uk", "doh.opendns.com",
	"doh.powerdns.org", "doh.seby.io", "doh.securedns.eu", "doh.tiar.app", "doh.tiarap.org", "ibksturm.synology.me",
	"ibuki.cgnat.net", "jarjar.meganerd.nl", "jcdns.fun", "jp.tiar.app", "jp.tiarap.org",
	"mozilla.cloudflare-dns.com", "ns0.fdn.fr", "ns1.fdn.fr", "odvr.nic.cz", "rdns.faelix.net",
	"resolver-eu.lelux.fi", "rumpelsepp.org"
};

static const uint8_t resolver_v4[][4] = {
	{1, 0, 0, 1},
	{1, 0, 0, 2},
	{1, 0, 0, 3},
	{1, 1, 1, 1},
	{1, 1, 1, 2},
	{1, 1, 1, 3},
	{8, 8, 4, 4},
	{8, 8, 8, 8},
	{9, 9, 9, 9},
	{9, 9, 9, 10},
	{9, 9, 9, 11},
	{94, 140, 14, 14},
	{94, 140, 15, 15},
	{149, 112, 112, 112},
	{208, 67, 220, 220},
	{208, 67, 222, 222},
};

static const uint8_t resolver_v6[][16] = {
	{0x20, 0x01, 0x48, 0x60, 0x48, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x44}, /* 2001:4860:4860::8844 */
	{0x20, 0x01, 0x48, 0x60, 0x48, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x88}, /* 2001:4860:4860::8888 */
	{0x26, 0x06, 0x47, 0x00, 0x47, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x01}, /* 2606:4700:4700::1001 */
	{0x26, 0x06, 0x47, 0x00, 0x47, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x11, 0x11}, /* 2606:4700:4700::1111 */
	{0x26, 0x20, 0x00, 0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09}, /* 2620:fe::9 */
	{0x26, 0x20, 0x00, 0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfe}, /* 2620:fe::fe */
};
