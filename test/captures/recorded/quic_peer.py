"""A QUIC peer made with aioquic. argv: server PORT [name=value ...], or client ADDRESS PORT [name=value ...]"""
import asyncio
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion

VERSIONS = {'1': QuicProtocolVersion.VERSION_1, '2': QuicProtocolVersion.VERSION_2, 'reserved': 0x1A2A3A4A}


class Echo(QuicConnectionProtocol):
    def quic_event_received(self, event):
        super().quic_event_received(event)
        if hasattr(event, 'end_stream') and event.end_stream and event.stream_id % 4 == 0:
            self._quic.send_stream_data(event.stream_id, event.data, end_stream=True)
            self.transmit()


def configuration(client, options):
    c = QuicConfiguration(is_client=client, alpn_protocols=options.get('alpn', 'h3').split(','))
    if not client:
        c.load_cert_chain('ec.pem', 'ec.key')
        return c
    c.load_verify_locations('ca.pem')
    c.server_name = 'quic.example.com'
    if 'large' in options:
        # a list of names nobody has, to make the ClientHello long
        c.alpn_protocols += ['example-%03d' % n for n in range(int(options['large']) // 12)]
    first = VERSIONS[options.get('version', '1')]
    c.original_version = first
    c.supported_versions = [VERSIONS[options['upgrade']], first] if 'upgrade' in options else [first] if first != VERSIONS['reserved'] else [first, VERSIONS['1']]
    return c


async def server(port, options):
    await serve('::', port, configuration=configuration(False, options), create_protocol=Echo, retry='retry' in options)
    await asyncio.Event().wait()


async def client(address, port, options):
    async with connect(address, port, configuration=configuration(True, options)) as c:
        reader, writer = await c.create_stream()
        writer.write(b'hello')
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)


kind, *rest = sys.argv[1:]
options = dict(x.split('=') for x in rest if '=' in x)
asyncio.run(server(int(rest[0]), options) if kind == 'server' else client(rest[0], int(rest[1]), options))
