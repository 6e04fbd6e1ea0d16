/*
 * Frames to packets: link layers, VLAN, MPLS, PPPoE, IPv4 and IPv6 with their
 * extension headers, tunnels, and the transport header.
 */
#ifndef JJ_DECODE_H
#define JJ_DECODE_H

#include "packet/packet.h"

/*
 * Decode one frame. With inner, tunnels are taken off (at most
 * JJ_MAX_TUNNELS) and the packet is the innermost IP packet whose header could
 * be read; otherwise it is the outermost. Unless JJ_SKIP_NONE is returned, only
 * labels, VLANs, hardware addresses and eth_type are set, as far as they were
 * read. Reads no byte beyond frame->caplen. Lengths come from headers;
 * an IP length of 0 (segmentation offload) takes the rest of the frame.
 */
extern jj_skip jj_decode(const jj_frame *frame, bool inner, jj_packet *p);

/* Whether frames of this LINKTYPE_ number can be decoded. */
extern bool jj_link_supported(uint32_t link);

/* The i-th supported link type: its LINKTYPE_ number in *link, its tcpdump.org name returned; NULL behind the last. */
extern const char *jj_link_supported_name(uint32_t i, uint32_t *link);

#endif
