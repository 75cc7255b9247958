"""A small MCP server to try your tunnel with. Make it your own.

Add a function, put @mcp.tool() above it, and write a docstring: that is what
Claude reads to decide when to call it. To apply an edit:

    mcp-tunnels-helper restart

If you import another package, add it to requirements.txt and run
`mcp-tunnels-helper up`, so that the image is rebuilt.
"""

from mcp.server import MCPServer

mcp = MCPServer("hello-server", version="1.0")


@mcp.tool()
def hello(name: str = "world") -> str:
    """Greet someone by name.

    Use this when the user asks to say hello to or greet someone, or wants to
    check that the tunnel works. Returns one line of text.

    Args:
        name: Who to greet, for example "Ada". Defaults to "world".
    """
    return f"Hello, {name}! This came through your MCP tunnel."


if __name__ == "__main__":
    # Served at http://hello-mcp:9000/mcp inside the deployment, to clients of both
    # eras of the protocol: with sessions (until 2025-11-25) and without (2026-07-28).
    mcp.run(
        transport="streamable-http",
        # Keep the host here. For 127.0.0.1 (the default) the server accepts only local
        # Host headers and answers the tunnel's with "421 Misdirected Request".
        host="0.0.0.0",
        port=9000,
        # No sessions to lose: clients carry on after a restart, and with any replica.
        stateless_http=True,
    )
