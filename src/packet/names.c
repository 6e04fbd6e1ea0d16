/*
 * Names of headers, tunnels and reasons, as users see them.
 */
#include "packet/packet.h"

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
