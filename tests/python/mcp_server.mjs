// Real MCP servers of the TypeScript SDK with Express: mcp_server.mjs ADDRESS KIND:PORT…, packages from NODE_PATH.
//
// `local`: createMcpExpressApp for 127.0.0.1, the default; `open`: for 0.0.0.0, stateless; `sse`: the old transport.
// Prints a line when all listen, and ends with its standard input.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.NODE_PATH, "x.js"));
const { McpServer } = require("@modelcontextprotocol/sdk/server/mcp.js");
const { StreamableHTTPServerTransport } = require("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { SSEServerTransport } = require("@modelcontextprotocol/sdk/server/sse.js");
const { createMcpExpressApp } = require("@modelcontextprotocol/sdk/server/express.js");

function server() {
  const made = new McpServer({ name: "hello-ts", version: "1.0" });
  made.registerTool("hello", { description: "Greets." }, async () => ({ content: [{ type: "text", text: "Hello" }] }));
  return made;
}

function make(kind) {
  const app = createMcpExpressApp(kind === "local" ? {} : { host: "0.0.0.0" });
  const streams = {};
  if (kind === "sse") {
    app.get("/sse", async (request, response) => {
      const transport = new SSEServerTransport("/messages", response);
      streams[transport.sessionId] = transport;
      await server().connect(transport);
    });
    app.post("/messages", (request, response) =>
      streams[request.query.sessionId].handlePostMessage(request, response, request.body),
    );
  } else {
    app.post("/mcp", async (request, response) => {
      const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
      await server().connect(transport);
      await transport.handleRequest(request, response, request.body);
    });
  }
  return app;
}

const [address, ...wanted] = process.argv.slice(2);
const listening = wanted.map((entry) => {
  const [kind, port] = entry.split(":");
  return new Promise((done) => make(kind).listen(Number(port), address, done));
});
await Promise.all(listening);
console.log("listening");
process.stdin.resume().on("end", () => process.exit(0));
