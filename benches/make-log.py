#!/usr/bin/env python3
"""Writes a realistic log of the stack, as `docker compose logs --timestamps` prints it, to standard output.

usage: benches/make-log.py BYTES [SEED]

Mostly calls that pass, in the proportions of a busy tunnel, with what goes along with them: discovery probes, port
scans, connections to the edge that are lost and come back, now and then a server that is down for a moment. The same
bytes for the same seed.
"""
import random
import sys

size = int(sys.argv[1])
rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
out = sys.stdout.buffer
DOMAIN = "abcd1234.tunnel.anthropic.com"
HEX = "0123456789abcdef"


def stamp(seconds):
    nanos = int(seconds % 1 * 10**9)
    day, rest = divmod(int(seconds), 86400)
    return f"2026-11-{1 + day % 28:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}.{nanos:09}Z"


def proxy(now, level, rest):
    at = stamp(now)
    return f'mcp-gateway-1  | {at} time={at[:23]}Z level={level} {rest}\n'


def server(now, rest):
    return f"hello-mcp-1    | {stamp(now)} {rest}\n"


def agent(now, level, rest):
    at = stamp(now)
    return f"cloudflared-1  | {at} {at[:19]}Z {level} {rest}\n"


def call(now):
    route = rng.choice(("echo", "files", "tickets", "search"))
    port = rng.randrange(32768, 61000)
    session = "".join(rng.choices(HEX, k=32))
    ms = rng.randrange(2, 900)
    host = f"host={route}.{DOMAIN}"
    lines = [proxy(now, "INFO", f'msg="request started" method=POST {host} path=/mcp upstream=http://{route}:9000')]
    if rng.random() < 0.1:
        lines.append(server(now, f"Created new transport with session ID: {session}"))
    lines.append(server(now, f'INFO:     172.18.0.3:{port} - "POST /mcp HTTP/1.1" {rng.choice(("200 OK", "202 Accepted"))}'))
    if rng.random() < 0.6:
        kind = rng.choice(("ListToolsRequest", "CallToolRequest", "PingRequest"))
        lines.append(server(now, f"Processing request of type {kind}"))
    if rng.random() < 0.05:
        lines.append(server(now, f"Terminating session: {session}"))
    lines.append(proxy(now, "INFO", f'msg="request completed" {host} status=200 duration_ms={ms}'))
    return lines


def rare(now):
    kind = rng.random()
    if kind < 0.4:
        path = rng.choice(("oauth-protected-resource", "oauth-authorization-server/mcp"))
        return [server(now, f'INFO:     172.18.0.3:41730 - "GET /.well-known/{path} HTTP/1.1" 404 Not Found')]
    if kind < 0.6:
        return [proxy(now, "ERROR", f'msg="tls handshake failed" error=EOF remote_addr=127.0.0.1:{rng.randrange(65536)}')]
    if kind < 0.7:
        host = f"host=echo.{DOMAIN}"
        error = 'error="dial tcp4 172.18.0.4:9000: connect: connection refused"'
        return [proxy(now, "ERROR", f'msg="upstream request failed" {host} upstream=http://echo:9000 {error}')]
    index = rng.randrange(4)
    where = f"connIndex={index} event=0 ip=198.41.192.{rng.randrange(256)}"
    lost = 'error="accept stream listener encountered a failure while serving"'
    return [
        agent(now, "WRN", f"Serve tunnel error {lost} {where}"),
        agent(now, "INF", f"Retrying connection in up to 1s {where}"),
        agent(now, "INF", f"Tunnel connection curve preferences: [X25519MLKEM768 CurveP256] {where}"),
        agent(now + 1, "INF", f"Registered tunnel connection connection=11d944ef-d80b-4187-8ac6-46999cb8f42b {where} location=sjc08 protocol=quic"),
    ]


now = 0.0
lines = [agent(now, "INF", "Starting tunnel tunnelID=a8dfb6b4-68cf-4a03-88e7-08ee60111e8c"),
         agent(now, "INF", "Settings: map[no-autoupdate:true url:http://localhost:8080]")]
for index in range(4):
    lines.append(agent(now, "INF", f"Registered tunnel connection connIndex={index} connection=x event=0 ip=198.41.192.7 location=sjc08 protocol=quic"))
for name in ("echo", "files", "tickets", "search"):
    lines.append(proxy(now, "INFO", f'msg="route configured" subdomain={name} upstream=http://{name}:9000'))
written = 0
while written < size:
    for _ in range(200):
        now += rng.random() / 5
        lines += rare(now) if rng.random() < 0.004 else call(now)
    block = "".join(lines).encode()
    block = block[: block.rfind(b"\n", 0, size - written) + 1] if len(block) > size - written else block
    if not block:
        break
    out.write(block)
    written += len(block)
    lines = []
