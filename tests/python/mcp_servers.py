"""Real MCP servers for the tests of the probe: mcp_servers.py ADDRESS KIND:PORT[:CERT:KEY]…, all in one process.

KIND says what is made, ADDRESS where the sockets are bound, whatever a server itself was made for. Works with mcp 1
(FastMCP) and with mcp 2 (MCPServer and fastmcp), each under its own interpreter. Prints a line when all listen.
"""

import asyncio
import os
import subprocess
import sys
import threading

import uvicorn


def server(**options):
    """A server with one tool, under either SDK. `options` are those of FastMCP's constructor."""
    try:
        from mcp.server.fastmcp import FastMCP
    except ImportError:
        from mcp.server.mcpserver import MCPServer

        made = MCPServer("hello", version="2.0")
        apps = (lambda: made.streamable_http_app(**options), lambda: made.sse_app(**options))
    else:
        made = FastMCP("hello", **options)
        apps = (made.streamable_http_app, made.sse_app)

    @made.tool()
    def hello(name: str) -> str:
        """Greets."""
        return f"Hello, {name}"

    return apps


def worker():
    """What each of several workers makes for itself."""
    return server(host="0.0.0.0")[0]()


def run_workers():
    """`workers` as a process of its own."""
    uvicorn.run("mcp_servers:worker", factory=True, host=sys.argv[2], port=int(sys.argv[3]), workers=2)


def fastmcp():
    from fastmcp import FastMCP

    made = FastMCP("fast", version="4.0")

    @made.tool
    def hello(name: str) -> str:
        """Greets."""
        return f"Hello, {name}"

    return made.http_app()


def trusted_host():
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    return TrustedHostMiddleware(worker(), allowed_hosts=["localhost", "127.0.0.1"])


def django():
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application

    # The host is checked before any of these is asked.
    sys.modules["no_urls"] = type(sys)("no_urls")
    sys.modules["no_urls"].urlpatterns = []
    common = ["django.middleware.common.CommonMiddleware"]
    settings.configure(ALLOWED_HOSTS=["localhost"], ROOT_URLCONF="no_urls", SECRET_KEY="x", MIDDLEWARE=common)
    django.setup()
    return get_asgi_application()


def answering(status, text, kind="text/plain", only=None, **headers):
    """Answers everything, or one method, with one status."""
    inner = worker() if only else None

    async def app(scope, receive, send):
        if scope["type"] != "http" or only and scope["method"] != only:
            return await inner(scope, receive, send) if inner else None
        fields = [(b"content-type", kind.encode())]
        fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": text.encode()})

    return app


def vhost():
    """A web server that knows its own name only."""
    inner = worker()
    other = answering(404, "no such site")

    async def app(scope, receive, send):
        own = scope["type"] != "http" or dict(scope["headers"])[b"host"].startswith(b"localhost")
        await (inner if own else other)(scope, receive, send)

    return app


def hangs():
    inner = worker()

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.sleep(3600)
        await inner(scope, receive, send)

    return app


KINDS = {
    "stateless": lambda: server(host="0.0.0.0", stateless_http=True)[0](),
    "sessions": worker,
    "json": lambda: server(host="0.0.0.0", json_response=True)[0](),
    "local": lambda: server()[0](),  # made for 127.0.0.1, the default
    "sse": lambda: server(host="0.0.0.0")[1](),
    "slash": lambda: server(host="0.0.0.0", streamable_http_path="/mcp/")[0](),
    "root": lambda: server(host="0.0.0.0", streamable_http_path="/")[0](),
    "fastmcp": fastmcp,
    "trusted-host": trusted_host,
    "django": django,
    "token": lambda: answering(401, "{}", only="POST", www_authenticate="Bearer realm=x"),
    "no-delete": lambda: answering(405, "", only="DELETE"),
    "forbidden": lambda: answering(403, "no"),
    "gone": lambda: answering(404, "no"),
    "method": lambda: answering(405, "no"),
    "accept": lambda: answering(406, "no"),
    "bad": lambda: answering(400, "no"),
    "broken": lambda: answering(500, "no"),
    "page": lambda: answering(200, "<title>Welcome</title>", kind="text/html; charset=utf-8"),
    "to-https": lambda: answering(301, "", location="https://elsewhere.example/mcp"),
    "vhost": vhost,
    "hangs": hangs,
    "rust": lambda: answering(403, "Forbidden: Host header is not allowed"),
    "go": lambda: answering(403, "Forbidden: invalid Host header"),
    "vite": lambda: answering(403, 'Blocked request. This host ("x") is not allowed.'),
    "spring": lambda: answering(400, "The request was rejected because the domain x is untrusted."),
}


async def main(address, wanted):
    servers, workers = [], []
    for entry in wanted:
        kind, port, *tls = entry.split(":")
        if kind == "workers":
            command = [sys.executable, __file__, "--workers", address, port]
            workers.append(subprocess.Popen(command, cwd=os.path.dirname(os.path.abspath(__file__))))
            continue
        tls = dict(zip(("ssl_certfile", "ssl_keyfile"), tls))
        config = uvicorn.Config(KINDS[kind](), host=address, port=int(port), log_level="error", **tls)
        servers.append(uvicorn.Server(config))

    def until_the_test_ends():
        sys.stdin.read()
        for process in workers:
            process.terminate()
            process.wait()
        os._exit(0)

    threading.Thread(target=until_the_test_ends, daemon=True).start()
    running = [asyncio.create_task(server.serve()) for server in servers]
    while not all(server.started for server in servers):
        await asyncio.sleep(0.05)
    print("listening", flush=True)
    await asyncio.gather(*running)


if __name__ == "__main__":
    if sys.argv[1] == "--workers":
        run_workers()
    else:
        asyncio.run(main(sys.argv[1], sys.argv[2:]))
