//! Lines of the MCP servers behind the routes: uvicorn, gunicorn and the MCP SDK of Python, Node, Go, Rust, Java, Django
//! and Vite. Answers to calls are not rows: `access` reads them.

use super::pattern::Tell::{HungUp, Last, Quiet, Shared, Start};
use super::pattern::{Event, Pattern, call, event, fatal, noise, outgoing};
use crate::rules::RuleId::*;

/// Advice for an installation that fails because no name resolves: an index of another name would not resolve either.
const NAMES_FIRST: &str = "let names resolve in the container: `docker compose exec SERVICE getent hosts pypi.org` tries it; set `dns:` for the service, or `\"dns\"` in the engine's daemon.json, to a resolver that answers, then `{helper} restart --dir {dir}`; installing at build time, in an image, makes restarts independent of it";

/// Advice for a user without a home directory, for whom `/` is used.
const NO_HOME: &str = "give the service's user a place to write: `environment: {HOME: /tmp, npm_config_cache: /tmp/npm, UV_CACHE_DIR: /tmp/uv}`, or install the package in an image as root (`build:`); then run `{helper} up --dir {dir}`";
/// Advice for a file that a server writes, or a folder in which it makes or removes one.
const WRITABLE: &str = "let the service's user (`user:`, or the image's) write the file and its folder: `chown -R UID:GID FOLDER` on the host for a mounted folder, `docker compose run --rm --user 0 --entrypoint chown SERVICE -R UID:GID FOLDER` for a volume; no `:ro` in its mount; then run `{helper} up --dir {dir}`";
/// Advice for the host name of the tunnel, in frameworks that tell by their words which one it is.
const RAILS_HOSTS: &str = "allow the tunnel's names in Rails: `config.hosts << \".{domain}\"` in `config/environments/production.rb` (or that of the environment that runs), then start the server again";
const DJANGO_HOSTS: &str = "allow the tunnel's names in Django: add `\".{domain}\"` to `ALLOWED_HOSTS` in its settings, then start the server again";
const VITE_HOSTS: &str = "allow the tunnel's names in Vite: add `\".{domain}\"` to `server.allowedHosts` (`preview.allowedHosts` for `vite preview`) in `vite.config.js`, then start the server again";
const ASPNET_HOSTS: &str = "allow the tunnel's names in ASP.NET: add `*.{domain}` to `AllowedHosts` in `appsettings.json`, then start the server again";
/// Advice for a package that its index does not have.
const PACKAGE_NAME: &str = "correct the package's name or version in the `command:` of the service: the index in the evidence has no such package; a private one needs its registry and a login; then run `{helper} up --dir {dir}`";
/// Advice for certificates that no CA of the container's makes valid.
const EXPIRED: &str =
    "renew the certificate of the host that the server calls; if it is valid there, correct this machine's clock";
const OTHER_NAME: &str = "call the host by a name that its certificate contains: correct the address in the server's settings, or the certificate on that host; then run `{helper} up --dir {dir}`";
/// Advice for a route that says `http://` to a server that speaks TLS.
const SAY_HTTPS: &str = "write `https://` in the route and name the server's CA in `upstream.tls.ca_file`, or turn TLS off in the server; then run `{helper} restart --dir {dir}`";
/// Advice for a name of uvicorn's or gunicorn's command line.
const IMPORT_STRING: &str = "correct the `MODULE:NAME` that the `command:` of the service names: NAME is the variable of that module that has the application (with FastMCP `app = mcp.streamable_http_app()`); then run `{helper} up --dir {dir}`";

/// The first that fits counts.
#[rustfmt::skip]
pub(crate) static SERVER: &[Pattern] = &[
    event(Event::ServerStart, &["Started server process", "Started parent process", "Starting gunicorn"]),
    // Spring Boot, whose application may also read its standard input.
    event(Event::AppStart, &["Starting … using Java "]),
    event(Event::Worker, &["Booting worker with pid"]),
    fatal(McpSdkV2, &["No module named 'mcp.server.fastmcp'"]),
    fatal(McpV1Run, &["FastMCP.run() got an unexpected keyword argument 'host'",
        "FastMCP.run() got an unexpected keyword argument 'port'"]),
    fatal(McpV2Ctor, &["__init__() got an unexpected keyword argument 'host'",
        "__init__() got an unexpected keyword argument 'port'", "no longer accepts `host`",
        "no longer accepts `port`"]),
    // The port, in the words of uvicorn, Node, Go, Rust, gunicorn, Django, Spring and Vite.
    fatal(UpstreamPortInUse, &["error while attempting to bind on address…in use", "EADDRINUSE",
        "address already in use", "Address already in use", "AddrInUse", "Connection in use: (",
        "hat port is already in use", "Port … already in use", "Port … is in use"]),
    fatal(UpstreamPortDenied, &["error while attempting to bind on address…ermission denied", "listen EACCES",
        "listen tcp…bind: permission denied"]),
    // What the user of the container may not read or write.
    fatal(UpstreamFileDenied, &["can't open file…[Errno 13]"]),
    fatal(UpstreamFileDenied, &["npm … EACCES", "npm … path /.npm", "Failed to initialize cache at"]).fix(NO_HOME),
    fatal(UpstreamFileDenied, &["EACCES: permission denied, mkdir ", "EACCES: permission denied, rmdir ",
        "EACCES: permission denied, unlink ", "EACCES: permission denied, rename ",
        "EACCES: permission denied, copyfile ", "EACCES: permission denied, mkdtemp ",
        "EACCES: permission denied, symlink ", "EACCES: permission denied, open ….db",
        "EACCES: permission denied, open ….sqlite", "EACCES: permission denied, open ….log'",
        "EACCES: permission denied, open ….lock'", "EACCES: permission denied, open ….pid'"]).fix(WRITABLE),
    fatal(UpstreamFileDenied, &["EACCES: permission denied, "]),
    // The program, or a part of it, is not in the image.
    fatal(UpstreamScriptMissing, &["can't open file…No such file or directory", "can't find '__main__' module"]),
    fatal(UpstreamModuleMissing, &["Cannot find module ", "ERR_MODULE_NOT_FOUND", "Cannot find package ",
        "ModuleNotFoundError: No module named", "python…: No module named "]),
    fatal(UpstreamModuleMissing, &["Error loading ASGI app. Attribute ", "Error loading ASGI app. Import string ",
        "Failed to find attribute '"]).fix(IMPORT_STRING),
    fatal(UpstreamModuleMissing, &["Error loading ASGI app", "Unable to access jarfile",
        "Could not find or load main class", "ClassNotFoundException"]),
    fatal(UpstreamModuleMissing, &["npm … 404 Not Found", "was not found in the package registry",
        "No solution found when resolving"]).fix(PACKAGE_NAME),
    fatal(UpstreamModuleMissing, &["Missing script: ", "error: Failed to spawn: "]),
    fatal(UpstreamModuleMissing, &["sh: …: not found", "sh: …: command not found"]).tells(&[Last]),
    fatal(UpstreamModuleMissing, &["error while loading shared libraries"]),
    // pip, uv, npm, yarn and Go while the container starts; apt prints its own in a build.
    fatal(PackageTls, &["There was a problem confirming the ssl certificate",
        "WARNING: Retrying (Retry(total=…CERTIFICATE_VERIFY_FAILED", "pypi.org…CERTIFICATE_VERIFY_FAILED",
        "files.pythonhosted.org…CERTIFICATE_VERIFY_FAILED", "npm …_CERT_", "npm …UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "npm …self-signed certificate", "npm …self signed certificate", "npm …unable to get local issuer certificate",
        "npm …unable to verify the first certificate", "registry.npmjs.org…SELF_SIGNED_CERT",
        "registry.npmjs.org…self-signed certificate", "registry.yarnpkg.com…certificate",
        "error: invalid peer certificate", "Caused by: invalid peer certificate",
        "\u{2500}\u{25b6} invalid peer certificate", "proxy.golang.org…x509: "]),
    // The server's own calls to other hosts: OpenSSL in Python, Node and Ruby, Go, Rust, the JVM, .NET, curl.
    outgoing(UpstreamCallTls, &["certificate has expired", "CERT_HAS_EXPIRED", "invalid peer certificate: Expired",
        "invalid peer certificate: certificate expired"]).fix(EXPIRED),
    outgoing(UpstreamCallTls, &["certificate verify failed: Hostname mismatch",
        "certificate verify failed: IP address mismatch", "ERR_TLS_CERT_ALTNAME_INVALID",
        "does not match certificate's altnames", "invalid peer certificate: NotValidForName"]).fix(OTHER_NAME),
    outgoing(UpstreamCallTls, &["CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "SELF_SIGNED_CERT",
        "UNABLE_TO_GET_ISSUER_CERT", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "self-signed certificate",
        "self signed certificate", "unable to get local issuer certificate", "unable to verify the first certificate",
        "invalid peer certificate", "PKIX path building failed", "unable to find valid certification path",
        "The remote certificate is invalid", "SSL certificate problem: ", "Get \"https://…x509: ",
        "Post \"https://…x509: "]),
    // Go's words for an address that it dials are also the proxy's.
    outgoing(UpstreamCallTls, &["x509: certificate is valid for "]).tells(&[Shared]).fix(OTHER_NAME),
    outgoing(UpstreamCallTls, &["x509: certificate", "x509: cannot validate certificate"]).tells(&[Shared]),
    outgoing(UnexplainedError, &[": lookup …no such host", ": lookup …server misbehaving",
        "connect: connection refused", "i/o timeout", "context deadline exceeded", "timeout awaiting response headers",
        "connect: no route to host", "connect: network is unreachable"]).tells(&[Shared]),
    // A tool's own failure, which is the answer to a call: the SDKs of Python (1.x, 2.x), FastMCP 2 and 3, and what
    // servers print in the same place.
    outgoing(ToolFailed, &["Error executing tool ", "Error calling tool", "Error invoking tool", "Error running tool",
        "Error in tool ", "Tool '…raised an unexpected exception", "ool execution failed", "ool call failed",
        "ailed to execute tool", "ailed to call tool"]),
    // The SDK of .NET, whose category is on the line before.
    outgoing(ToolFailed, &["\" threw an unhandled exception"]),
    fatal(PipNoIndex, &["No matching distribution found for"]),
    call(PipNoIndex, &["WARNING: Retrying (Retry(total=…Name or service not known",
        "WARNING: Retrying (Retry(total=…ame resolution"]).fix(NAMES_FIRST),
    call(PipNoIndex, &["WARNING: Retrying (Retry(total="]),
    fatal(PipNoIndex, &["npm …EAI_AGAIN"]).fix(NAMES_FIRST),
    // uv.
    fatal(PipNoIndex, &["Caused by: dns error: ", "Caused by: failed to lookup address information"]).fix(NAMES_FIRST),
    // Addresses that only the container itself reaches. Express and its like print `localhost` whatever they listen on,
    // so only programs count that print the address of their socket.
    call(UpstreamBindLoopback, &["Uvicorn running on http://127.", "Uvicorn running on http://localhost",
        "Uvicorn running on http://[::1]", "Listening at: http://127.", "Starting development server at http://127.",
        "Now listening on: http://localhost", "Now listening on: http://127.", "use --host to expose"]),
    // Werkzeug, Hypercorn, Daphne, Waitress, Fastify, Wrangler, PHP and Laravel. Those that listen everywhere print the
    // other addresses on the next lines.
    call(UpstreamBindLoopback, &["Running on http://127.", "Running on http://localhost:", "Running on http://[::1]",
        "Listening on TCP address 127.", "Serving on http://127.", "erver listening at http://127.",
        "erver listening at http://[::1]", "istening on 127.0.0.1:", "istening on http://127.",
        "istening on http://[::1]", "erver …ound to 127.", "istening…ound to 127."]),
    call(UpstreamBindLoopback, &["Bound to 127."]).tells(&[Start]),
    call(UpstreamBindLoopback, &["ound to http://127."]),
    // Jetty, which prints the host that its connector was given.
    call(UpstreamBindLoopback, &["Started …Connector@…}{127.", "Started …Connector@…}{localhost:",
        "Ready on http://localhost:", "Ready on http://127.", "Development Server (http://localhost:",
        "Development Server (http://127.", "Server running on [http://127."]),
    // Phoenix, Quarkus, Actix, Rocket, Gin.
    call(UpstreamBindLoopback, &["Running …Endpoint with … at 127.0.0.1:", "Listening on: http://localhost:",
        "listening on: 127.", "Rocket has launched from http://127.", "Listening and serving HTTP on 127.",
        "Listening and serving HTTP on localhost:"]),
    event(Event::Listening, &["Started …ServerConnector@", "Listening and serving HTTP", "erver running on port ",
        "erver is running on port ", "Running on http://", "Running on https://", "Listening on TCP address ",
        "Serving on http://", "erver listening at http", "Ready on http://"]),
    // Spring's advice below a port that is taken.
    noise(&["stop the process that's listening on port"]),
    event(Event::Listening, &["Uvicorn running on", "Listening at: http", "Starting development server at http",
        "Now listening on: http", "started on port ", "istening on http", "running on http", "now accessible via",
        "istening on port ", "listening on 0.0.0.0:", "listening on :"]),
    // MCP over standard input in a container without a client.
    call(UpstreamStdio, &["running on stdio"]),
    // FastMCP's banner is wrapped at 80 columns.
    call(UpstreamStdio, &["transport 'stdio'", "connected via STDIO", "started on stdio", "listening on stdio",
        "connected via stdio", "running in stdio mode", "using stdio transport", "stdio transport started"]),
    // The host name of the tunnel, refused: Python, TypeScript, Go, Rust, Vite, Django, Rails, ASP.NET.
    call(UpstreamHostRejected, &["nvalid Host header", "nvalid host header", "Invalid Host: ", "Invalid Host \"",
        "ost header is not allowed", "ost not allowed"]),
    call(UpstreamHostRejected, &["Blocked request. This host"]).fix(VITE_HOSTS),
    call(UpstreamHostRejected, &["Blocked host: ", "Blocked hosts: "]).fix(RAILS_HOSTS),
    call(UpstreamHostRejected, &["HTTP_HOST header", "DisallowedHost"]).fix(DJANGO_HOSTS),
    call(UpstreamHostRejected, &["Untrusted Host \""]).tells(&[Quiet]),
    call(UpstreamHostRejected, &["does not match an allowed host"]).tells(&[Quiet]).fix(ASPNET_HOSTS),
    noise(&["To allow this host, add "]),
    call(UpstreamOriginRejected, &["nvalid Origin header", "Invalid Origin: ", "rigin not allowed"]),
    // The SDK's manager of sessions was never started: the application that it is mounted in has another lifespan.
    call(UpstreamLifespan, &["ask group is not", "StreamableHTTPSessionManager task group was not initialized"]),
    // TLS on a port of plain HTTP: uvicorn, Django, Werkzeug, Tomcat, gunicorn, aiohttp.
    call(UpstreamNotHttp, &["Invalid HTTP request received", "over HTTPS, but it only supports HTTP",
        "Bad request version ("]),
    call(UpstreamNotHttp, &["Invalid character found in method name [0x16"]).tells(&[Quiet]),
    call(UpstreamNotHttp, &["Invalid HTTP request line: '\\x16", "Invalid method encountered"]),
    // Plain HTTP on a port of TLS: Go, nginx, Tomcat, OpenSSL in Python and Node. Go says of lines that are no HTTP, as
    // a proxy before it may send them, that they are no TLS.
    call(UpstreamWrongScheme, &["client sent an HTTP request to an HTTPS server"]).tells(&[Quiet]).fix(SAY_HTTPS),
    call(UpstreamWrongScheme, &["TLS handshake error from …first record does not look like a TLS handshake"]).tells(&[Quiet, Shared]).fix(SAY_HTTPS),
    call(UpstreamWrongScheme, &["plain HTTP request was sent to HTTPS port",
        "combination of host and port requires TLS", "[SSL: HTTP_REQUEST]", "ERR_SSL_HTTP_REQUEST",
        "SSL routines:…:http request"]).tells(&[Quiet]).fix(SAY_HTTPS),
    // Advice of supervisord's, at the level of its errors.
    noise(&["CRIT Supervisor …running as root",
        "CRIT Server '…running without any HTTP authentication checking"]).tells(&[Shared]),
    event(Event::SessionGone, &["unknown or expired session ID", "ession not found", "Session […not found",
        "No valid session ID", "nvalid or missing session", "issing session ID", "nvalid session ID",
        "Session ID is required", "Session terminated", "Server not initialized"]),
    // An orderly end: Spring, uvicorn, gunicorn; what threads and workers say of it.
    event(Event::Stopped, &["ShutdownHook]", "Handling signal: term", "Handling signal: int", "Handling signal: quit",
        "Finished server process [", "Shutting down: Master", "npm error signal SIGTERM", "npm error signal SIGINT",
        "npm ERR! signal SIGTERM", "npm ERR! signal SIGINT"]),
    noise(&["Worker (pid:…was sent SIGTERM!", "Worker (pid:…was sent SIGINT!", "Worker (pid:…was sent SIGQUIT!",
        "java.lang.InterruptedException"]),
    // What nginx does not give a client: the answer has its own line.
    noise(&["failed (2: No such file or directory), client: ", "client intended to send too large body",
        " is forbidden, client: ", "access forbidden by rule, client: ", "SSL_do_handshake() failed…, client: "]),
    // A client that hung up, and an end that was asked for.
    noise(&["CancelledError", "KeyboardInterrupt"]),
    noise(&["ClientDisconnect", "anyio.ClosedResourceError", "BrokenResourceError"]).tells(&[HungUp]),
    noise(&["ECONNRESET", "write EPIPE"]),
    noise(&["BrokenPipeError: ", "ConnectionResetError: ", "ClientConnectionResetError: ",
        "ConnectionAbortedError: "]).tells(&[Start, HungUp]),
    noise(&["exception=ConnectionResetError(", "exception=BrokenPipeError(",
        "Can't send data when our state is ERROR"]).tells(&[HungUp]),
    noise(&["respon…broken pipe", "respon…connection reset by peer", "event…broken pipe",
        "error serving connection…IncompleteMessage", "Errno::EPIPE"]),
    noise(&["The client reset the request stream", "Connections.ConnectionResetException",
        "ConnectionAbortedException", "Unexpected end of request content"]).tells(&[HungUp]),
    noise(&["request aborted"]),
    noise(&["AsyncRequestNotUsableException", "ChannelWriteException: ", "EofException: Closed"]).tells(&[HungUp]),
    noise(&["prematurely closed connection"]),
    noise(&["java.net.SocketException: Broken pipe", "java.net.SocketException: Connection reset",
        "java.io.IOException: Broken pipe", "java.io.IOException: Connection reset"]).tells(&[Start]),
    noise(&["ClientAbortException", "abortIncoming (node:_http_server"]).tells(&[HungUp]),
    noise(&["(Bandit.TransportError)…closed", "streamable_http_server::session…session closed by client",
        "Exception in ASGI application", "Invalid Content-Type header"]),
    // Parts of MCP that a server does not have, which clients ask for.
    noise(&["Method not found: prompts/", "Method not found: resources/", "Method not found: completion/",
        "Method not found: logging/"]),
    // pip has installed all the same.
    noise(&["pip's dependency resolver does not currently"]),
    event(Event::Pip, &["Running pip as the 'root' user"]),
    noise(&["[notice] A new release of pip", "[notice] To update, run"]),
    event(Event::Traceback, &["Traceback (most recent call last)"]),
    // A database of the same stack, while it starts and stops.
    noise(&["the database system is starting up", "the database system is shutting down",
        "the database system is not yet accepting connections",
        "terminating connection due to administrator command"]),
    // A health check by `pg_isready` or `psql` without a user.
    noise(&["role \"root\" does not exist"]),
    // Programs in place of Anthropic's proxy.
    event(Event::OtherProxy, &["/docker-entrypoint.sh: …nginx"]),
    // The scripts of nginx's image look for its own configuration, and go on without.
    noise(&["10-listen-on-ipv6-by-default.sh: "]),
    event(Event::OtherProxy, &["nginx/1.", "nginx: [emerg]", "start worker process", "haproxy version is ",
        "initializing epoch …hot restart version=", "AH00094: Command line: 'httpd", "mcp_proxy.",
        "> Failed to add client", "> Successfully initialized MCP client", "starting server on port ",
        "\"logger\":\"http.log\"", "using config from file…Caddyfile", "Traefik version ",
        "Serving MCP Servers via SSE"]),
];
