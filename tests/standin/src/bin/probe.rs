//! Looks around inside containers that have no shell, for tests.
//!
//! - `probe cat PATH`: the file, or why it cannot be read.
//! - `probe write PATH`: makes an empty file, or says why it cannot.
//! - `probe http HOST:PORT METHOD PATH HOSTHEADER [BODY]`: status line, header fields and body of the answer.
//! - `probe mcp HOST:PORT PATH HOSTHEADER TOOL ARGUMENTS`: initializes an MCP session over streamable HTTP, calls the
//!   tool and prints its result as one line of JSON.
//! - `probe serve ADDRESS TEXT [STATUS]`: an upstream that answers every request with the text and the Host it was asked
//!   for, and MCP's own as a server of that name with one tool; with a status, every POST with that and the text. Prints
//!   a line for each request as it comes, and one with the status as it is answered; a status `000` leaves POST without
//!   an answer.
//!
//! Exit code 0 when it worked (`http`: status 2xx), 1 when not, 2 when the command line is wrong.

use mcp_tunnels_standin::{dns, errno_text, http, listen, on_stop};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["cat", path] => cat(path),
        ["write", path] => std::fs::write(path, "").map_err(|error| errno_text(&error)),
        ["http", address, method, path, host] => request(address, method, path, host, None),
        ["http", address, method, path, host, body] => request(address, method, path, host, Some(body)),
        ["mcp", address, path, host, tool, arguments] => mcp(address, path, host, tool, arguments),
        ["serve", address, text] => serve(address, text, None),
        ["serve", address, text, status] => serve(address, text, Some(status)),
        _ => {
            eprintln!("usage: probe cat|write|http|mcp|serve …");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn cat(path: &str) -> Result<(), String> {
    let content = std::fs::read(path).map_err(|error| format!("cannot read {path}: {}", errno_text(&error)))?;
    std::io::stdout().write_all(&content).map_err(|error| error.to_string())
}

fn resolve(address: &str) -> Result<SocketAddr, String> {
    let (host, port) = address.rsplit_once(':').ok_or("no port in the address")?;
    let port = port.parse().map_err(|_| "no port in the address")?;
    let address = *dns::ipv4(host)?.first().ok_or("no address")?;
    Ok(SocketAddr::new(address.into(), port))
}

/// What an MCP client sends with every message.
const MCP: [(&str, &str); 2] =
    [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];

fn request(address: &str, method: &str, path: &str, host: &str, body: Option<&str>) -> Result<(), String> {
    let fields: &[_] = if body.is_some() { &MCP } else { &[] };
    let answer = http::call(resolve(address)?, method, path, host, fields, body);
    let (head, body) = answer.map_err(|error| format!("{address}: {}", errno_text(&error)))?;
    println!("{}", head.line);
    for (name, value) in &head.fields {
        println!("{name}: {value}");
    }
    println!();
    print!("{}", String::from_utf8_lossy(&body));
    if head.status() / 100 == 2 { Ok(()) } else { Err(String::new()) }
}

fn mcp(address: &str, path: &str, host: &str, tool: &str, arguments: &str) -> Result<(), String> {
    let address = resolve(address)?;
    let arguments: Value = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
    let mut session = None;
    let mut send = |message: Value| -> Result<Value, String> {
        let mut fields = MCP.to_vec();
        let known = session.clone();
        fields.extend(known.as_deref().map(|id| ("Mcp-Session-Id", id)));
        let (head, body) = http::call(address, "POST", path, host, &fields, Some(&message.to_string()))
            .map_err(|error| errno_text(&error))?;
        let body = String::from_utf8_lossy(&body);
        if head.status() / 100 != 2 {
            return Err(format!("{}\n{body}", head.line));
        }
        session = session.take().or_else(|| head.field("mcp-session-id").map(str::to_owned));
        let json = body.lines().filter_map(|line| line.strip_prefix("data:")).next_back().unwrap_or(&body);
        Ok(serde_json::from_str(json).unwrap_or(Value::Null))
    };
    let client = json!({"name": "probe", "version": "1"});
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    send(json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}))?;
    send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
    let call = json!({"name": tool, "arguments": arguments});
    let answer = send(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}))?;
    let result = &answer["result"];
    if result.is_null() || result["isError"] == json!(true) {
        return Err(answer.to_string());
    }
    println!("{result}");
    Ok(())
}

/// What an MCP server of 2026-07-28 with one tool answers; `None` for what is not a request of MCP's.
fn mcp_answer(head: &mut http::Head, client: &mut impl Read, name: &str) -> Option<Value> {
    let length: u64 = head.field("content-length")?.parse().ok()?;
    let mut body = std::mem::take(&mut head.rest);
    let missing = length.saturating_sub(body.len() as u64);
    client.take(missing).read_to_end(&mut body).ok()?;
    let message: Value = serde_json::from_slice(&body).ok()?;
    let result = match message["method"].as_str()? {
        "server/discover" => json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": name, "version": "1"}}}),
        "tools/list" => json!({"tools": [{"name": "look", "inputSchema": {"type": "object"}}]}),
        _ => return None,
    };
    Some(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
}

fn serve(address: &str, text: &str, status: Option<&str>) -> Result<(), String> {
    on_stop(|_| std::process::exit(0)).map_err(|error| error.to_string())?;
    let listener = listen(address).map_err(|error| format!("listen tcp {address}: {}", errno_text(&error)))?;
    println!("listening on {address}");
    let mut silent = Vec::new();
    for mut client in listener.incoming().flatten() {
        let Ok(mut head) = http::Head::read(&mut client) else { continue };
        println!("{}", head.line);
        let request = head.line.trim_end_matches(" HTTP/1.1").to_owned();
        let status = status.filter(|_| request.starts_with("POST "));
        let said = mcp_answer(&mut head, &mut client, text).filter(|_| status.is_none());
        if status == Some("000") {
            silent.push(client);
            continue;
        }
        let (status, kind, body) = match said {
            Some(answer) => ("200 OK", "application/json", answer.to_string()),
            None => {
                let host = head.field("host").unwrap_or_default();
                (status.unwrap_or("200 OK"), "text/plain", format!("{text}\nHost: {host}\n"))
            }
        };
        // A client that went away does not matter.
        let _ = http::answer(&mut client, status, kind, &body);
        println!("{request} {}", status.split(' ').next().unwrap_or_default());
    }
    Ok(())
}
