//! Which software rejects a host name, by its words. That a host name is rejected at all needs no words: the same request
//! under the server's own name is the proof.

/// A framework that checks the Host header.
#[derive(Debug)]
pub(super) struct Maker {
    pub(super) name: &'static str,
    statuses: &'static [u16],
    /// Words of its answer, in lower case; each of them is enough.
    words: &'static [&'static str],
    /// Why it rejects the name.
    pub(super) cause: &'static str,
    /// What to do; `{host}` is replaced by the tunnel's host name.
    pub(super) fix: &'static str,
}

macro_rules! makers {
    ($($name:literal, $statuses:expr, $words:expr, $cause:literal, $fix:literal;)*) => {
        &[$(Maker { name: $name, statuses: $statuses, words: $words, cause: $cause, fix: $fix }),*]
    };
}

/// Name, statuses and words, then cause and fix. Seen from the real programs, or in their sources.
static MAKERS: &[Maker] = makers! {
    "the MCP SDK for Python", &[421], &["invalid host header"],
        "the server was created for 127.0.0.1, so its protection against DNS rebinding accepts local host names only, whatever address its socket is bound to",
        "create the server with `host=\"0.0.0.0\"` (mcp 1.x: `FastMCP(…, host=\"0.0.0.0\")`; mcp 2: `run(…, host=\"0.0.0.0\")`), or allow the name: `TransportSecuritySettings(allowed_hosts=[\"{host}\", \"127.0.0.1:*\", \"localhost:*\"])`";
    "the MCP SDK for Go", &[403], &["invalid host header"],
        "the Go SDK accepts only local host names on a connection to localhost",
        "let the server listen on 0.0.0.0, or set `DisableLocalhostProtection: true` in its `StreamableHTTPOptions`";
    "the MCP SDK for Rust", &[403], &["host header is not allowed"],
        "rmcp's streamable HTTP service accepts only local host names by default",
        "add the name to `allowed_hosts` of `StreamableHttpServerConfig`: `{host}`";
    "Vite", &[403], &["blocked request. this host", "this host is not allowed"],
        "Vite serves only the host names in `server.allowedHosts`",
        "add the name in vite.config: `server: { allowedHosts: [\"{host}\"] }` (`preview.allowedHosts` for a preview)";
    "the MCP SDK for TypeScript", &[403], &["invalid host: ", "invalid host header: ", "missing host header"],
        "the TypeScript SDK's protection against DNS rebinding allows only local hosts by default",
        "allow the name: `createMcpExpressApp({ host: \"0.0.0.0\", allowedHosts: [\"{host}\"] })`, or `allowedHosts` of the transport";
    "Rails", &[403], &["blocked host"],
        "Rails serves only the host names in `config.hosts`",
        "add `config.hosts << \"{host}\"` to the environment's configuration";
    "Starlette", &[400], &["invalid host header"],
        "Starlette's TrustedHostMiddleware serves only the host names in `allowed_hosts`",
        "add the name: `TrustedHostMiddleware(allowed_hosts=[…, \"{host}\"])`";
    "Django", &[400], &["disallowedhost", "invalid http_host header", "<h1>bad request (400)</h1>"],
        "Django serves only the host names in `ALLOWED_HOSTS`",
        "add the name in settings.py: `ALLOWED_HOSTS = [..., \"{host}\"]`";
    "Spring Security", &[400, 403], &["is untrusted", "rejected because the domain", "invalid host header value"],
        "Spring Security's firewall or a host check of the application allows other host names only",
        "allow the name: `StrictHttpFirewall.setAllowedHostnames(name -> name.equals(\"{host}\"))`";
    "ASP.NET", &[400], &["invalid hostname"],
        "ASP.NET's host filtering serves only the host names in `AllowedHosts`",
        "add the name to `AllowedHosts` in appsettings.json: `{host}`";
};

/// The framework that answered so.
pub(super) fn maker(status: u16, text: &str) -> Option<&'static Maker> {
    let text = text.to_lowercase();
    MAKERS.iter().find(|m| m.statuses.contains(&status) && m.words.iter().any(|words| text.contains(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frameworks_are_told_apart_by_their_words() {
        for (status, text, name) in [
            (421, "Invalid Host header", "the MCP SDK for Python"),
            (403, "Forbidden: invalid Host header", "the MCP SDK for Go"),
            (
                403,
                r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Invalid Host: echo.x"},"id":null}"#,
                "the MCP SDK for TypeScript",
            ),
            (403, "Forbidden: Host header is not allowed", "the MCP SDK for Rust"),
            (400, "Invalid host header", "Starlette"),
            (
                400,
                "<!doctype html> <html lang=\"en\"> <head> <title>Bad Request (400)</title> <h1>Bad Request (400)</h1>",
                "Django",
            ),
            (400, "<title>DisallowedHost at /mcp</title>", "Django"),
            (403, "Blocked request. This host (\"echo.x\") is not allowed. To allow this host, add", "Vite"),
            (400, "The request was rejected because the domain echo.x is untrusted.", "Spring Security"),
        ] {
            assert_eq!(maker(status, text).map(|m| m.name), Some(name), "{status} {text}");
        }
        for (status, text) in [(403, "Forbidden"), (400, "Missing session ID"), (404, "Invalid Host header")] {
            assert!(maker(status, text).is_none(), "{status} {text}");
        }
    }
}
