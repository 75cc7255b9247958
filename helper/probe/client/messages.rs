//! MCP's messages: what is sent, and how a JSON-RPC response is read out of a body or an event stream.

use serde_json::{Value, json};

use super::http::{Reply, Request};
use super::sse;
use crate::probe::wire::{Era, Got, Http, Server};

/// The newest protocol version with sessions.
const SESSIONS: &str = "2025-11-25";

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathOnHost<'a> {
    pub(super) path: &'a str,
    pub(super) host: &'a str,
}

/// What a JSON-RPC request brought.
pub(super) struct RpcAnswer {
    pub(super) got: Got,
    pub(super) result: Value,
    pub(super) session: Option<String>,
}

impl RpcAnswer {
    pub(super) fn of(got: Got) -> Self {
        Self { got, result: Value::Null, session: None }
    }
}

pub(super) fn client_info() -> Value {
    json!({"name": "mcp-tunnels-helper", "version": env!("CARGO_PKG_VERSION")})
}

pub(super) fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": SESSIONS, "capabilities": {}, "clientInfo": client_info()}})
}

pub(super) fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

pub(super) fn listing(params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": params})
}

pub(super) fn posted<'r>(place: PathOnHost<'r>, headers: &[(&'static str, String)], message: &Value) -> Request<'r> {
    let mut all = vec![("Accept", "application/json, text/event-stream".to_owned())];
    all.extend_from_slice(headers);
    Request { method: "POST", path: place.path, host: place.host, headers: all, body: Some(message.to_string()) }
}

/// What an MCP server reports about itself. Texts are bounded here and redacted where they are shown.
pub(super) fn described(result: &Value, path: &str, protocol: String, era: Era) -> Server {
    let info = match &result["_meta"]["io.modelcontextprotocol/serverInfo"] {
        Value::Null => &result["serverInfo"],
        info => info,
    };
    let text = |key: &str| info[key].as_str().unwrap_or_default().chars().take(200).collect::<String>();
    let protocol = protocol.chars().take(40).collect();
    Server { path: path.to_owned(), name: text("name"), version: text("version"), protocol, era, ..Server::default() }
}

pub(super) fn rpc_error(status: u16, error: &Value) -> Got {
    let message = error["message"].as_str().unwrap_or_default().chars().take(300).collect();
    Got::Rpc { status, code: error["code"].as_i64().unwrap_or_default(), message }
}

/// The JSON-RPC response with this id in a text. An error may come without one, or with one of the server's own.
pub(super) fn response_in(text: &str, id: &Value) -> Option<Value> {
    // Clients skip a byte order mark, and read a number in quotes as a number.
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    let is_same = |other: &Value| {
        other == id || other.as_str().and_then(|text| text.parse::<u64>().ok()).is_some_and(|n| *id == n)
    };
    let one = |value: Value| {
        let ours = is_same(&value["id"]) && value["result"].is_object() || value["error"]["code"].is_i64();
        ours.then_some(value)
    };
    match value {
        Value::Array(all) => all.into_iter().find_map(one),
        value => one(value),
    }
}

/// Waits for the first event that a function picks.
pub(super) fn next_event<T>(stream: &mut Reply, pick: impl Fn(&sse::Event) -> Option<T>) -> Option<T> {
    loop {
        if let Some(found) = sse::events(&stream.plain()).iter().find_map(&pick) {
            return Some(found);
        }
        if !stream.more().unwrap_or(false) {
            return sse::events(&stream.plain()).iter().find_map(&pick);
        }
    }
}

pub(super) fn read_response(reply: &mut Reply, id: &Value) -> RpcAnswer {
    let session = reply.header("mcp-session-id").map(str::to_owned);
    let kind = reply.content_type();
    let response = if kind == "text/event-stream" {
        next_event(reply, |event| response_in(&event.data, id))
    } else {
        reply.whole();
        response_in(&String::from_utf8_lossy(&reply.plain()), id)
    };
    match response {
        Some(response) if response["error"].is_object() => {
            let got = match reply.status {
                // What the body says of it does not matter.
                401 => Got::Http(Box::new(reply.as_http())),
                status => rpc_error(status, &response["error"]),
            };
            RpcAnswer { got, result: Value::Null, session }
        }
        // As the SDKs for Python and TypeScript do.
        Some(_) if kind != "text/event-stream" && !kind.starts_with("application/json") => {
            RpcAnswer { got: Got::WrongType(kind), result: Value::Null, session }
        }
        Some(mut response) => RpcAnswer { got: Got::Ok, result: response["result"].take(), session },
        None => RpcAnswer { got: Got::Http(Box::new(reply.as_http())), result: Value::Null, session },
    }
}

/// Where a reference leads from a path: path and query of a URL, an absolute path or a relative one (RFC 3986, 5.2).
pub(super) fn resolve(from: &str, reference: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default();
    let authority = reference.split_once("://").map(|(_, rest)| rest).or_else(|| reference.strip_prefix("//"));
    let path = match authority {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        None if reference.starts_with('/') => reference.to_owned(),
        None if reference.is_empty() => return None,
        None => {
            let base = from.split('?').next().unwrap_or_default();
            let folder =
                if reference.starts_with('?') { base } else { &base[..base.rfind('/').map_or(0, |at| at + 1)] };
            format!("{folder}{}", reference.trim_start_matches("./"))
        }
    };
    // It goes into a request line.
    (path.len() <= 2000 && path.bytes().all(|b| (0x21..=0x7e).contains(&b))).then_some(path)
}

/// Where an answer sends the caller of a path: the same place with another path.
pub(super) fn redirected(http: &Http, from: &str) -> Option<String> {
    if !matches!(http.status, 301 | 302 | 307 | 308) {
        return None;
    }
    let path = resolve(from, http.location.as_deref()?)?;
    Some(path.split('?').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_against_the_path_that_was_asked() {
        for (from, reference, path) in [
            ("/mcp", "/mcp/", Some("/mcp/")),
            ("/mcp", "mcp/", Some("/mcp/")),
            ("/v1/sse?x=/y", "./messages?id=1", Some("/v1/messages?id=1")),
            ("/v1/sse", "?id=1", Some("/v1/sse?id=1")),
            ("/mcp", "http://h:1/a?b#c", Some("/a?b")),
            ("/mcp", "//h:1/a", Some("/a")),
            ("/mcp", "https://h", Some("/")),
            ("/mcp", "", None),
            ("/mcp", "#top", None),
            ("/mcp", "/a b", None),
            ("/mcp", "/a\r\nHost: x", None),
        ] {
            assert_eq!(resolve(from, reference).as_deref(), path, "{from} {reference}");
        }
    }
}
