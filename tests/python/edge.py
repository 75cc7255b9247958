"""Servers for the probes of `preflight`: DNS (dnslib), QUIC (aioquic), TCP and TLS (ssl). None of it is our code.

usage: edge.py CONFIG     CONFIG is JSON, see `main`. Prints `ready` once everything listens; ends with its parent.
"""

import asyncio
import ctypes
import json
import signal
import ssl
import sys
import time
from email.utils import formatdate

import aioquic.asyncio
from aioquic.quic.configuration import QuicConfiguration
from dnslib import AAAA, QTYPE, RCODE, RR, SRV, A, DNSRecord
from dnslib.server import BaseResolver, DNSServer


class Zone(BaseResolver):
    """Answers from a table `{"NAME TYPE": [value, …]}`; `modes` maps names (or `*`) to misbehaviour."""

    def __init__(self, records, modes):
        self.records, self.modes = records, modes

    def resolve(self, request, handler):
        name, kind = str(request.q.qname).rstrip(".").lower(), QTYPE[request.q.qtype]
        mode = self.modes.get(name, self.modes.get("*", "answer"))
        reply = request.reply()
        if mode == "silent":
            time.sleep(3600)
        if mode in ("NXDOMAIN", "SERVFAIL", "REFUSED"):
            reply.header.rcode = getattr(RCODE, mode)
            return reply
        if mode == "truncate" and handler.protocol == "udp":
            reply.header.tc = 1
            return reply
        if mode == "truncate-silent":
            if handler.protocol == "tcp":
                time.sleep(3600)
            reply.header.tc = 1
            return reply
        for value in self.records.get(f"{name} {kind}", []):
            data = {"A": lambda: A(value), "AAAA": lambda: AAAA(value), "SRV": lambda: SRV(1, 1, 7844, value)}[kind]()
            reply.add_answer(RR(request.q.qname, request.q.qtype, rdata=data, ttl=60))
        if not any(key.startswith(name + " ") for key in self.records):
            reply.header.rcode = RCODE.NXDOMAIN
        return reply


class Quiet:
    """dnslib would print every query."""

    def __getattr__(self, name):
        return lambda *_: None


class Noise(asyncio.DatagramProtocol):
    """What is no QUIC server: `echo`, `garbage`, `stray` (garbage, then what a server says)."""

    def __init__(self, mode):
        self.mode = mode

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        if self.mode == "echo":
            self.transport.sendto(data, peer)
        elif self.mode == "garbage":
            self.transport.sendto(b"\x80\x00\x00\x00\x00hello", peer)


async def silent_or_tls(address, port, context, behaviour):
    async def serve(reader, writer):
        if behaviour == "plain":
            await reader.read(100)
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n")
        elif behaviour == "cut":
            await reader.read(100)
        elif context is None or behaviour in ("silent", "hold"):
            await asyncio.sleep(3600)
        else:
            await reader.readuntil(b"\r\n\r\n")
            date = formatdate(time.time() + float(behaviour or 0), usegmt=True)
            writer.write(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    wraps = context if behaviour not in ("plain", "cut", "silent") else None
    await asyncio.start_server(serve, address, port, ssl=wraps)


async def main(config):
    # {"dns": {"listen": [address, port], "records": {}, "modes": {}}}
    dns = config.get("dns")
    if dns:
        for tcp in (False, True):
            zone = Zone(dns["records"], dns.get("modes", {}))
            server = DNSServer(zone, address=dns["listen"][0], port=dns["listen"][1], tcp=tcp, logger=Quiet())
            if tcp:
                # Its five are fewer than the lookups that come at once.
                server.server.socket.listen(64)
            server.start_thread()
    loop = asyncio.get_running_loop()
    # {"udp": [[address, port, mode]]}
    for address, port, mode in config.get("udp", []):
        if mode == "quic":
            quic = QuicConfiguration(is_client=False)
            quic.load_cert_chain(config["cert"], config["key"])
            await aioquic.asyncio.serve(address, port, configuration=quic)
        else:
            await loop.create_datagram_endpoint(lambda mode=mode: Noise(mode), local_addr=(address, port))
    # {"tcp": [[address, port]]}
    for address, port in config.get("tcp", []):
        await silent_or_tls(address, port, None, None)
    # {"tls": [[address, port, cert, key, behaviour]]}: seconds that the clock is off, `silent`, `plain`, `cut` or `hold`
    for address, port, cert, key, behaviour in config.get("tls", []):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        if config.get("tls12"):
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        await silent_or_tls(address, port, context, behaviour)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    asyncio.run(main(json.loads(sys.argv[1])))
