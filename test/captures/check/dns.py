"""Columns of group dns from tshark's fields."""
import ipaddress

from .pdml import integer, named, raw

PORTS = {53: 'dns', 5353: 'mdns', 5355: 'llmnr'}
TYPES = {1: 'A', 2: 'NS', 5: 'CNAME', 6: 'SOA', 12: 'PTR', 15: 'MX', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 35: 'NAPTR', 44: 'SSHFP', 64: 'SVCB', 65: 'HTTPS', 252: 'AXFR',
         255: 'ANY', 257: 'CAA'}
CODES = {0: 'NOERROR', 1: 'FORMERR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 4: 'NOTIMP', 5: 'REFUSED', 9: 'NOTAUTH', 16: 'BADVERS'}
NOTHING = ('dns_query_name dns_query_type dns_query_type_str dns_response_code dns_response_code_str dns_answer_count dns_authority_count dns_additional_count dns_min_ttl '
           'dns_max_ttl dns_is_query dns_is_response dns_truncated dns_recursion_desired dns_recursion_available dns_query_count dns_response_count dns_response_time '
           'dns_query_names dns_answers dns_edns_udp_size').split()


def presentation(name):
    """A name in wire form, not compressed, as text (RFC 1035 5.1)."""
    labels, at = [], 0
    while name[at]:
        label = name[at + 1:at + 1 + name[at]]
        labels.append(''.join('\\' + chr(b) if b in b'.\\' else chr(b) if 0x21 <= b <= 0x7e else '\\%03d' % b for b in label))
        at += 1 + name[at]
    return '.'.join(labels) or '.'


class Resource:
    def __init__(self, element):
        self.type = integer(element, 'dns.resp.type')
        ttl = named(element, 'dns.resp.ttl')
        self.ttl = int.from_bytes(raw(ttl), 'big') if ttl is not None else None
        self.udp_size = integer(element, 'dns.rr.udp_payload_size')
        self.extended = integer(element, 'dns.resp.ext_rcode')
        address = named(element, {1: 'dns.a', 28: 'dns.aaaa'}.get(self.type, '-'))
        self.address = None if address is None else str(ipaddress.ip_address(raw(address)))


class Message:
    def __init__(self, packet, forward, element):
        self.packet, self.forward = packet, forward
        self.id = integer(element, 'dns.id')
        flags = int.from_bytes(raw(named(element, 'dns.flags')), 'big')
        self.response, self.opcode, self.tc, self.rd, self.ra, self.rcode = flags >> 15, flags >> 11 & 15, flags >> 9 & 1, flags >> 8 & 1, flags >> 7 & 1, flags & 15
        self.counts = [integer(element, 'dns.count.' + x) for x in ('queries', 'answers', 'auth_rr', 'add_rr')]
        self.questions = [(raw(n), integer(q, 'dns.qry.type')) for q in element.iter('field') for n in q if n.get('name') == 'dns.qry.name']
        resources = [Resource(r) for r in element.iter('field') if any(c.get('name') == 'dns.resp.type' for c in r)]
        self.answers = resources[:self.counts[1]]
        self.opt = next((r for r in resources if r.type == 41), None)

    def names(self):
        return [presentation(n) for n, _ in self.questions]


def columns(flow):
    found = {name: None for name in NOTHING}
    kind = next((PORTS[p] for p in sorted(flow.ports()) if p in PORTS), None)
    messages = [Message(p, flow.forward(p), x) for p in flow.packets for name in ('dns', 'mdns', 'llmnr') for x in p.protocol(name)]
    messages = [m for m in messages if m.opcode in (0, 1, 2, 4, 5, 6)]
    found['dns_detected'] = bool(kind and messages)
    if not found['dns_detected']:
        return found
    queries, responses = [m for m in messages if not m.response], [m for m in messages if m.response]
    first = (queries or responses)[0]
    if queries:
        match = next((m for m in responses if m.packet.number > first.packet.number and m.forward != first.forward and
                      (m.id == first.id and (not m.questions or m.questions[0][0].lower() == first.questions[0][0].lower() and m.questions[0][1] == first.questions[0][1]))),
                     None)
    else:
        match = first
    asked = queries or responses
    addresses = [r.address for m in responses for r in m.answers if r.address]
    opt = next((m.opt for m in queries if m.opt), None)
    found.update({'dns_is_query': bool(queries), 'dns_is_response': bool(responses), 'dns_query_count': len(queries), 'dns_response_count': len(responses),
                  'dns_query_names': list(dict.fromkeys(n for m in asked for n in m.names())) or None, 'dns_answers': list(dict.fromkeys(addresses))[:100] or None,
                  'dns_edns_udp_size': opt.udp_size if opt else None, 'dns_recursion_desired': None if kind == 'llmnr' else bool(first.rd)})
    if first.questions:
        name, number = first.questions[0]
        found.update({'dns_query_name': presentation(name), 'dns_query_type': number, 'dns_query_type_str': TYPES.get(number, 'TYPE%d' % number)})
    if match:
        code = (match.opt.extended << 4 if match.opt else 0) | match.rcode
        ttls = [r.ttl for r in match.answers]
        found.update({'dns_response_code': code, 'dns_response_code_str': CODES[code], 'dns_answer_count': match.counts[1], 'dns_authority_count': match.counts[2],
                      'dns_additional_count': match.counts[3] - (1 if match.opt else 0), 'dns_min_ttl': min(ttls, default=None), 'dns_max_ttl': max(ttls, default=None),
                      'dns_truncated': bool(match.tc), 'dns_recursion_available': None if kind == 'llmnr' else bool(match.ra)})
        if queries:
            found['dns_response_time'] = (match.packet.time - first.packet.time) / 1e9
    return found
