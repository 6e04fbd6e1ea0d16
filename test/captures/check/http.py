"""Columns of group http2 from tshark's fields."""
from .pdml import all_named, integer, named, raw, show, text

COUNTS = {0: 'data', 1: 'headers', 4: 'settings', 5: 'push_promise', 7: 'goaway', 8: 'window_update'}
NOTHING = ('http2_frame_count http2_data_frames http2_headers_frames http2_settings_frames http2_push_promise_frames http2_goaway_frames http2_window_update_frames '
           'http2_streams_estimate http2_server_push http2_multiplexed http_version http_method http_host http_status http_user_agent').split()


class Stream:
    """Ends seen of a request stream: bit 1 the client's, bit 2 the server's."""

    def __init__(self):
        self.ended = 0


def frames(flow):
    return [(p, flow.forward(p), x) for p in flow.packets for proto in p.protocol('http2') for x in all_named(proto, 'http2.stream')
            if named(x, 'http2.type') is not None]


def header(element, wanted):
    for h in all_named(element, 'http2.header'):
        name = named(h, 'http2.header.name')
        if name is not None and name.get('show') == wanted:
            return show(h, 'http2.header.value')
    return None


def http2(flow, found, upgraded):
    listed = frames(flow)
    kinds = [integer(x, 'http2.type') for _, _, x in listed]
    found['http2_frame_count'] = len(kinds)
    for kind, name in COUNTS.items():
        found['http2_%s_frames' % name] = kinds.count(kind)
    ids, most, streams = set(), 0, {}
    if upgraded:
        streams[1] = Stream()
        streams[1].ended = 1
    for (_, forward, x), kind in zip(listed, kinds):
        number = integer(x, 'http2.streamid')
        if kind in (0, 1):
            ids.add(number)
        elif kind == 5:
            ids.add(integer(x, 'http2.push_promise.promised_stream_id'))
        if kind == 1 and forward and number % 2:
            streams.setdefault(number, Stream())
        open_now = sum(s.ended != 3 for s in streams.values())
        most = max(most, open_now)
        flags = integer(x, 'http2.flags') or 0
        if number in streams and (kind in (0, 1) and flags & 1 or kind == 3):
            streams[number].ended |= 3 if kind == 3 else 1 if forward else 2
    found['http2_streams_estimate'] = len(ids)
    found['http2_server_push'] = any(k == 5 and not f for (_, f, _), k in zip(listed, kinds))
    found['http2_multiplexed'] = most > 1
    return listed


def columns(flow, tls):
    found = {name: None for name in NOTHING}
    found.update({'http2_detected': False, 'http3_detected': False, 'http2_preface_seen': False})
    offered, chosen = tls.get('tls_client_alpn') or [], tls.get('tls_server_alpn')
    if tls.get('tls_transport') == 'quic':
        found['http3_detected'] = any(a == 'h3' or a.startswith('h3-') for a in offered)
        found['http2_preface_seen'] = None
        found['http_version'] = 'h3' if found['http3_detected'] else None
        return found
    if flow.kind != 'tcp':
        return found
    if tls['tls_detected']:
        found['http2_preface_seen'] = None
        found['http2_detected'] = True if chosen == 'h2' else False if chosen or 'h2' not in offered else None if tls['tls_version'] in (None, 0x304) else False
        found['http_version'] = chosen if chosen in ('h2', 'http/1.1') else None
        if tls['tls_transport'] != 'starttls':
            return found
    requests = [(p, x) for p in flow.packets if flow.forward(p) for x in p.protocol('http') if named(x, 'http.request.method') is not None]
    answers = [(p, x) for p in flow.packets if not flow.forward(p) for x in p.protocol('http') if named(x, 'http.response.code') is not None]
    magic = [p for p in flow.packets for proto in p.protocol('http2') if named(proto, 'http2.magic') is not None]
    if magic:
        found['http2_detected'] = found['http2_preface_seen'] = True
        upgraded = bool(requests)
        listed = http2(flow, found, upgraded)
        found['http_version'] = 'h2'
        if not upgraded:
            first = next((x for _, forward, x in listed if forward and integer(x, 'http2.type') in (1, 9) and header(x, ':method')), None)
            status = next((header(x, ':status') for _, forward, x in listed if not forward and integer(x, 'http2.type') == 1 and (header(x, ':status') or '1')[0] != '1'), None)
            if first is not None:
                found['http_method'], found['http_host'], found['http_user_agent'] = header(first, ':method'), header(first, ':authority'), header(first, 'user-agent')
                found['http_host'] = found['http_host'] and found['http_host'].lower()
            found['http_status'] = int(status) if status else None
            return found
    if requests:
        x = requests[0][1]
        host, agent = named(x, 'http.host'), named(x, 'http.user_agent')
        found['http_method'] = show(x, 'http.request.method')
        found['http_host'] = text(raw(host)[6:].rstrip(b'\r\n').lower()) if host is not None else None
        found['http_user_agent'] = text(raw(agent)[12:].rstrip(b'\r\n')) if agent is not None else None
        if found['http_version'] is None:
            found['http_version'] = show(x, 'http.request.version').lower()
        final = next((c for c in (integer(a, 'http.response.code') for _, a in answers) if c >= 200 or c == 101), None)
        found['http_status'] = final
    return found
