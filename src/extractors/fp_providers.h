/*
 * Domains of VPN and privacy-proxy providers, sorted. A name below one of them
 * counts as well.
 *
 * Source: the public host lists of nDPI (https://github.com/ntop/nDPI,
 * src/lib/ndpi_content_match.c.inc, commit 3b1286a), as of November 2026.
 */
static const char *const providers[] = {
	"cactusdb.net", "cactussstp.com", "cactusvpn.com", "cloudflareclient.com", "hotspotshield.com",
	"mask-api.icloud.com", "mask-h2.icloud.com", "mask.icloud.com", "mullvad.net", "napps-1.com", "napps-2.com",
	"nordaccount.com", "nordcdn.com", "nordsec.com", "nordvpn.com", "northghost.com", "polargrizzly.com",
	"privateinternetaccess.com", "proton.me", "protonvpn.com", "psiphon3.net", "sec-tunnel.com",
	"softether-network.net", "softether.org", "surfshark.com", "tailscale.com", "tunnelbear.com",
	"whiskergalaxy.com", "windscribe.com"
};
