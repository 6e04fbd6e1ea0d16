/*
 * Names of headers, tunnels and reasons, as users see them.
 */
#include "packet/packet.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const jj_skip_name[JJ_SKIP_REASONS] = {
	"none", "non_ip", "truncated", "malformed", "unsupported_link_type", "filtered", "not_sampled"
};

const char *const jj_label_name[JJ_LABELS] = {
	"ETH", "SLL", "SLL2", "NULL", "LOOP", "PPP", "CHDLC", "WLAN", "RADIOTAP", "PPI",
	"LLC", "VLAN", "MPLS", "PPPOE", "IP", "IP6", "HBH", "ROUTE", "FRAG", "DST", "AH",
	"MOBILITY", "HIP", "SHIM6", "GRE", "ERSPAN", "VXLAN", "GENEVE", "GTPU", "TEREDO",
	"TCP", "UDP", "ICMP", "ICMP6", "IGMP", "SCTP", "DCCP", "UDPLITE", "ESP", "OSPF",
	"NONE", "PROTO"
};

const char *const jj_tunnel_name[JJ_TUNNEL_TYPES] = {
	"4in4", "6in4", "4in6", "6in6", "gre", "erspan", "vxlan", "geneve", "gtp-u", "teredo"
};

size_t
jj_labels_text(char out[JJ_LABELS_TEXT], const uint8_t *labels, unsigned n, uint8_t upper_proto)
{
	size_t		used = 0;

	for (unsigned i = 0; i < n && i < JJ_MAX_LABELS; i++)
	{
		const char *name = jj_label_name[labels[i]];
		size_t		size = strlen(name);

		if (i > 0)
			out[used++] = '-';
		memcpy(out + used, name, size);
		used += size;
		if (labels[i] == JJ_L_PROTO)
			used += (size_t) snprintf(out + used, JJ_LABELS_TEXT - used, "%u", upper_proto);
	}
	return used;
}

size_t
jj_tunnels_text(char out[JJ_TUNNELS_TEXT], const jj_tunnel *tunnels, unsigned n)
{
	size_t		used = 0;

	for (unsigned i = 0; i < n && i < JJ_MAX_TUNNELS; i++)
	{
		const jj_tunnel *t = &tunnels[i];

		used += (size_t) snprintf(out + used, JJ_TUNNELS_TEXT - used, "%s%s", i == 0 ? "" : "/", jj_tunnel_name[t->type]);
		if (t->has_id)
			used += (size_t) snprintf(out + used, JJ_TUNNELS_TEXT - used, ":%" PRIu32, t->id);
	}
	return used;
}
