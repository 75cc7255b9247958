"""Draws docs/first-run.svg: a real first run of the helper, recorded at a pseudo-terminal.

    cargo build --release && pip install rich==14.1.0 && python3 docs/first-run.py target/release/mcp-tunnels-helper

Runs in a separate home directory, whose path is shown as `~`.
"""

import os
import pathlib
import pty
import re
import sys
import tempfile

from rich.console import Console
from rich.text import Text

COMMANDS = [
    ["init", "--domain", "abcd1234.tunnel.anthropic.com", "--sample"],
    ["token", "check"],
    ["certs", "check"],
]


def run(helper: str, arguments: list[str], home: str) -> str:
    """What the helper prints at a terminal."""
    chunks = []

    def read(descriptor: int) -> bytes:
        chunk = os.read(descriptor, 4096)
        chunks.append(chunk)
        return chunk

    command = ["env", "-i", f"HOME={home}", f"PATH={os.environ['PATH']}", "TERM=xterm-256color", "COLUMNS=96", helper]
    pty.spawn(command + arguments, read)
    return b"".join(chunks).decode()


def portable(text: str, helper: str, home: str) -> str:
    """The text without paths of this machine."""
    return text.replace("\r\n", "\n").replace(helper, "mcp-tunnels-helper").replace(home, "~")


def main() -> None:
    helper = str(pathlib.Path(sys.argv[1]).resolve())
    console = Console(record=True, width=96, file=open(os.devnull, "w"), color_system="truecolor", force_terminal=True)
    with tempfile.TemporaryDirectory() as home:
        for arguments in COMMANDS:
            console.print(Text("$ mcp-tunnels-helper " + " ".join(arguments), style="bold"))
            console.print(Text.from_ansi(portable(run(helper, arguments, home), helper, home)))
    svg = console.export_svg(title="mcp-tunnels-helper", unique_id="first-run")
    # No font is fetched from anywhere when the picture is looked at.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    pathlib.Path(__file__).with_name("first-run.svg").write_text(svg)


main()
