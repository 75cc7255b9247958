#!/usr/bin/env python3
"""Calls the sample server's `hello` tool as Claude would through the tunnel.

    call_hello.py URL HOST NAME [--between COMMAND]

URL is where the server listens (http://127.0.0.1:9000/mcp), HOST the Host header to
send (echo.abcd1234.tunnel.anthropic.com). COMMAND is a shell's, run after the client
has introduced itself and before it calls. Prints {"tools": [...], "text": "...",
"protocol": "..."} on one line and exits 0; on failure, says why on stderr and exits 1.

Needs Python 3.11 or later, and the MCP SDK: version 1 is a client of the older era of
the protocol, which opens a session, version 2 one of the newer.
"""

import argparse
import asyncio
import json
import logging
import subprocess
import sys

from mcp.client.streamable_http import streamable_http_client

try:
    import httpx2 as httpx
    from mcp import Client
except ImportError:
    import httpx
    from mcp import ClientSession

TIMEOUT = 60.0


async def by_session(transport, name: str, between) -> dict:
    async with transport as (read, write, *_), ClientSession(read, write) as session:
        protocol = (await session.initialize()).protocolVersion
        between()
        tools = (await session.list_tools()).tools
        result = await session.call_tool("hello", {"name": name})
    return answer(protocol, tools, result, result.isError)


async def by_request(transport, name: str, between) -> dict:
    async with Client(transport) as client:
        protocol = client.session.protocol_version
        between()
        tools = (await client.list_tools()).tools
        result = await client.call_tool("hello", {"name": name})
    return answer(protocol, tools, result, result.is_error)


def answer(protocol: str, tools: list, result, is_error: bool) -> dict:
    text = "".join(getattr(block, "text", "") for block in result.content)
    if is_error:
        raise RuntimeError(f"the tool reported an error: {text}")
    return {"protocol": protocol, "tools": [tool.name for tool in tools], "text": text}


async def call(url: str, host: str, name: str, between) -> dict:
    refused = []

    async def note_refusal(response) -> None:
        # The SDK reports only that the session ended: keep what the server said.
        # Only POST counts: a server may refuse the optional GET and DELETE.
        if response.is_error and response.request.method == "POST":
            body = (await response.aread()).decode(errors="replace").strip()
            refused.append(f"HTTP {response.status_code} {response.reason_phrase}: {body}")

    http = httpx.AsyncClient(
        headers={"Host": host},
        timeout=TIMEOUT,
        trust_env=False,  # no HTTP_PROXY between the test and the server
        event_hooks={"response": [note_refusal]},
    )
    way = by_request if "Client" in globals() else by_session
    try:
        async with asyncio.timeout(TIMEOUT), http:
            return await way(streamable_http_client(url, http_client=http), name, between)
    except BaseException as error:
        if refused:
            raise RuntimeError(refused[0]) from error
        raise


def reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("host")
    parser.add_argument("name")
    parser.add_argument("--between", default="true")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)  # one message of ours, no tracebacks of the SDK's
    between = lambda: subprocess.run(["sh", "-c", args.between], check=True, stdout=sys.stderr)
    try:
        answer = asyncio.run(call(args.url, args.host, args.name, between))
    except Exception as error:
        print(f"call_hello: {args.url} (Host: {args.host}): {reason(error)}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
