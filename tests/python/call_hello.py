#!/usr/bin/env python3
"""Calls the sample server's `hello` tool as Claude would through the tunnel.

    call_hello.py URL HOST NAME

URL is where the server listens (http://127.0.0.1:9000/mcp), HOST the Host header to
send (echo.abcd1234.tunnel.anthropic.com). Prints {"tools": [...], "text": "..."} on
one line and exits 0; on failure, says why on stderr and exits 1. Needs Python 3.11
or later and requirements.txt.
"""

import argparse
import asyncio
import json
import logging
import sys

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

TIMEOUT = 20.0


async def call(url: str, host: str, name: str) -> dict:
    refused = []

    async def note_refusal(response: httpx.Response) -> None:
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
    try:
        async with (
            asyncio.timeout(TIMEOUT),
            http,
            streamable_http_client(url, http_client=http) as (read, write, *_),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = [tool.name for tool in (await session.list_tools()).tools]
            result = await session.call_tool("hello", {"name": name})
            text = "".join(getattr(block, "text", "") for block in result.content)
            if result.isError:
                raise RuntimeError(f"the tool reported an error: {text}")
    except BaseException as error:
        if refused:
            raise RuntimeError(refused[0]) from error
        raise
    return {"tools": tools, "text": text}


def reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("host")
    parser.add_argument("name")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)  # one message of ours, no tracebacks of the SDK's
    try:
        answer = asyncio.run(call(args.url, args.host, args.name))
    except Exception as error:
        print(f"call_hello: {args.url} (Host: {args.host}): {reason(error)}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
