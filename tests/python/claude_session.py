"""Lets the real Claude Code run a plugin's command, with a scripted stub in place of the API, and says what it was let do.

    unshare -n python3 claude_session.py CLAUDE PLUGIN '/command arguments' CALLS.json HOME

CALLS.json is a list of tool calls, {"name": …, "input": …}, tried in order in one turn. One JSON object is printed:
"prompt", the text that the command became, and "calls", one {"call", "allowed", "output"} each. What would ask a
person counts as not allowed. To be run where nothing but loopback can be reached.
"""

import http.server
import json
import os
import subprocess
import sys
import threading


class Api(http.server.BaseHTTPRequestHandler):
    """Answers each turn with the next call of the script."""

    protocol_version = "HTTP/1.1"
    calls: list = []
    prompts: list = []

    def log_message(self, *_):
        pass

    def answer(self, body, kind="application/json", status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.answer(b"")

    def do_GET(self):
        self.answer(b"{}", status=404)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if "count_tokens" in self.path:
            return self.answer(b'{"input_tokens": 1}')
        if not self.path.startswith("/v1/messages"):
            return self.answer(b"{}")
        blocks = [
            block
            for message in request.get("messages", [])
            if isinstance(message.get("content"), list)
            for block in message["content"]
        ]
        done = sum(block.get("type") == "tool_result" for block in blocks)
        if request.get("tools"):
            self.prompts.append("\n".join(block.get("text", "") for block in blocks))
        if request.get("tools") and done < len(self.calls):
            call = self.calls[done]
            block = {"type": "tool_use", "id": f"toolu_{done:03}", "name": call["name"], "input": call["input"]}
            stop = "tool_use"
        else:
            block, stop = {"type": "text", "text": "done"}, "end_turn"
        message = {
            "id": f"msg_{done:03}", "type": "message", "role": "assistant", "model": request.get("model", "x"),
            "content": [block], "stop_reason": stop, "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        if not request.get("stream"):
            return self.answer(json.dumps(message).encode())
        if stop == "tool_use":
            empty, delta = dict(block, input={}), {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        else:
            empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
        events = [
            ("message_start", {"message": dict(message, content=[], stop_reason=None)}),
            ("content_block_start", {"index": 0, "content_block": empty}),
            ("content_block_delta", {"index": 0, "delta": delta}),
            ("content_block_stop", {"index": 0}),
            ("message_delta", {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 1}}),
            ("message_stop", {}),
        ]
        text = "".join(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in events)
        self.answer(text.encode(), "text/event-stream")


def main():
    claude, plugin, command, script, home = sys.argv[1:]
    # A new namespace has its loopback down.
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open(script, encoding="utf-8") as file:
        Api.calls = json.load(file)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keep = {name: os.environ[name] for name in ("PATH", "SHELL", "MCP_TUNNELS_HELPER", "DOCKER_HOST") if name in os.environ}
    environment = dict(
        keep, HOME=home, ANTHROPIC_BASE_URL=f"http://127.0.0.1:{server.server_address[1]}", ANTHROPIC_API_KEY="none",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1", DISABLE_AUTOUPDATER="1",
    )
    options = ["--plugin-dir", plugin] if plugin else []
    run = subprocess.run(
        [claude, "-p", command, *options, "--output-format", "stream-json", "--verbose"],
        cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False,
    )
    seen = {}
    for line in run.stdout.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("type") != "user" or not isinstance(event["message"].get("content"), list):
            continue
        decisions = {one["id"]: one.get("permission_decision", {}).get("decision") for one in event.get("tool_result_meta", [])}
        for block in event["message"]["content"]:
            if block.get("type") == "tool_result":
                output = block.get("content")
                seen[block["tool_use_id"]] = {
                    "allowed": decisions.get(block["tool_use_id"]) == "accept",
                    "output": output if isinstance(output, str) else json.dumps(output),
                }
    if len(seen) != len(Api.calls):
        sys.exit(f"{len(seen)} of {len(Api.calls)} calls were made\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
    calls = [dict(call=call["input"], **seen[f"toolu_{at:03}"]) for at, call in enumerate(Api.calls)]
    print(json.dumps({"prompt": Api.prompts[0] if Api.prompts else "", "calls": calls}))


main()
