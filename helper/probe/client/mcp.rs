//! MCP over HTTP, all three eras: `server/discover` (2026-07-28), `initialize` with sessions (2025-03-26 to 2025-11-25)
//! and HTTP with server-sent events (2024-11-05).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{self, Reply, Request, Security};
use super::messages::{
    PathOnHost, RpcAnswer, client_info, described, initialize, initialized, listing, next_event, posted, read_response,
    resolve, response_in, rpc_error,
};
use crate::os::network::{Connection, Network};
use crate::probe::wire::{Era, Got, ProbeTarget, Server, SessionEnd, Step, TlsFault, Try};

/// The era without sessions.
const MODERN: &str = "2026-07-28";
/// JSON-RPC errors of a server of the modern era: header mismatch, unsupported protocol version.
const MODERN_ERRORS: [i64; 2] = [-32020, -32022];
/// Requests in one session over their own connections. By chance all of them reach the same of two workers once in
/// five hundred times.
const ASKED: u32 = 8;
/// Pages of `tools/list` that are read.
const PAGES: usize = 100;
/// JSON-RPC error of a server that does not know a method.
const METHOD_NOT_FOUND: i64 = -32601;
/// An event stream that is silent for this long is not the old transport's.
const SILENCE: Duration = Duration::from_secs(2);
/// Time for what tells nothing of whether a server can be called: the end of a session, a handshake of the other scheme.
const ASIDE: Duration = Duration::from_secs(1);

/// What one path is, asked under one host name.
#[derive(Clone, Debug)]
pub(super) enum Met {
    Server(Box<Server>),
    /// Something that wants a credential.
    Challenge,
    /// Something else.
    Other(Got),
}

/// One route's client: it notes everything that it tries.
pub(super) struct Client<'a> {
    network: &'a dyn Network,
    target: &'a ProbeTarget,
    addresses: Vec<Ipv4Addr>,
    deadline: Instant,
    turn: usize,
    pub(super) tries: Vec<Try>,
}

impl<'a> Client<'a> {
    pub(super) fn new(
        network: &'a dyn Network,
        target: &'a ProbeTarget,
        addresses: Vec<Ipv4Addr>,
        deadline: Instant,
    ) -> Self {
        Self { network, target, addresses, deadline, turn: 0, tries: Vec::new() }
    }

    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    fn note(&mut self, step: Step, place: PathOnHost<'_>, got: &Got, begun: Instant) {
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (path, host) = (place.path.to_owned(), place.host.to_owned());
        self.tries.push(Try { step, path, host, got: got.clone(), ms });
    }

    fn security(&self) -> Security<'a> {
        if self.target.https { Security::Tls(&self.target.host, Some(&self.target.trust)) } else { Security::Plain }
    }

    /// A connection to the next of the addresses that takes one, as a proxy with several of them has it.
    fn connect(&mut self, deadline: Instant) -> Result<Box<dyn Connection>, Got> {
        let mut last = Got::Unreachable;
        let all = self.addresses.len();
        for at in 0..all {
            let address = SocketAddrV4::new(self.addresses[(self.turn + at) % all], self.target.port);
            let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(all - at).unwrap_or(1);
            match http::connect(self.network, address, Instant::now() + share) {
                Ok(connection) => {
                    self.turn = (self.turn + at + 1) % all;
                    return Ok(connection);
                }
                // A refusal says more than silence.
                Err(got) if got == Got::Refused || last != Got::Refused => last = got,
                Err(_) => {}
            }
        }
        Err(last)
    }

    fn send(
        &mut self,
        step: Step,
        place: PathOnHost<'_>,
        request: &Request<'_>,
        deadline: Instant,
    ) -> Result<Reply, Got> {
        let begun = Instant::now();
        let connection = self.connect(deadline).inspect_err(|got| {
            let nowhere = PathOnHost { path: "", host: "" };
            self.note(Step::Connect, nowhere, got, begun);
        })?;
        let stream = http::open(connection, self.security(), deadline);
        let sent = stream.and_then(|stream| http::send(stream, request));
        sent.inspect_err(|got| self.note(step, place, got, begun))
    }

    /// Posts one JSON-RPC message and reads the response to it. `headers` come on top of those of every request.
    fn post(
        &mut self,
        step: Step,
        place: PathOnHost<'_>,
        headers: &[(&'static str, String)],
        message: &Value,
        deadline: Instant,
    ) -> RpcAnswer {
        let begun = Instant::now();
        let request = posted(place, headers, message);
        let mut reply = match self.send(step, place, &request, deadline) {
            Ok(reply) => reply,
            Err(got) => return RpcAnswer::of(got),
        };
        let outcome = read_response(&mut reply, &message["id"]);
        self.note(step, place, &outcome.got, begun);
        outcome
    }

    /// Whether an MCP server answers at a place. A `brief` look asks for its name only.
    pub(super) fn meet(&mut self, place: PathOnHost<'_>, brief: bool) -> Met {
        let met = self.meet_modern(place, brief);
        let first = match met {
            Met::Other(got) if goes_on(&got) && !self.is_late() => got,
            met => return met,
        };
        let met = self.meet_sessions(place, brief);
        let Met::Other(got) = met else { return met };
        // A slow first answer does not tell the era: the server was cold, or busy with another call.
        if first == Got::Timeout && got != Got::Timeout && !self.is_late() {
            match self.meet_modern(place, brief) {
                Met::Other(_) => {}
                met => return met,
            }
        }
        if matches!(got.status(), Some(400 | 404 | 405 | 406)) && !self.is_late() {
            match self.meet_stream(place) {
                Met::Other(_) => {}
                met => return met,
            }
        }
        Met::Other(if got == Got::Timeout { first } else { got })
    }

    fn meet_modern(&mut self, place: PathOnHost<'_>, brief: bool) -> Met {
        // A server of the other era may leave an unknown method without any answer.
        let half = self.deadline.saturating_duration_since(Instant::now()) / 2;
        let discover = self.modern(Step::Discover, place, "server/discover", json!({}), Instant::now() + half);
        match (&discover.got, discover.result["supportedVersions"].as_array()) {
            (Got::Ok, Some(versions)) => {
                let protocol = versions.iter().filter_map(Value::as_str).max().unwrap_or(MODERN).to_owned();
                let mut server = described(&discover.result, place.path, protocol, Era::Discover);
                if !brief {
                    server.tools = self.count_tools(|client, params| {
                        client.modern(Step::Tools, place, "tools/list", params, client.deadline)
                    });
                }
                self.met(server)
            }
            (Got::Rpc { code, .. }, _) if MODERN_ERRORS.contains(code) => {
                let server = Server { path: place.path.to_owned(), protocol: MODERN.to_owned(), ..Server::default() };
                Met::Server(Box::new(server))
            }
            (got, _) => other(got.clone()),
        }
    }

    fn modern(
        &mut self,
        step: Step,
        place: PathOnHost<'_>,
        method: &str,
        mut params: Value,
        deadline: Instant,
    ) -> RpcAnswer {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": client_info(),
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let headers = [("MCP-Protocol-Version", MODERN.to_owned()), ("Mcp-Method", method.to_owned())];
        self.post(step, place, &headers, &message, deadline)
    }

    fn meet_sessions(&mut self, place: PathOnHost<'_>, brief: bool) -> Met {
        let opened = self.post(Step::Initialize, place, &[], &initialize(), self.deadline);
        let Some(protocol) = opened.result["protocolVersion"].as_str() else { return other(opened.got) };
        let mut server = described(&opened.result, place.path, protocol.to_owned(), Era::Initialize);
        let mut headers = vec![("MCP-Protocol-Version", protocol.to_owned())];
        // What is not a header value cannot be sent back either.
        let session = opened.session.filter(|id| !id.is_empty() && id.bytes().all(|b| (0x21..=0x7e).contains(&b)));
        headers.extend(session.clone().map(|id| ("Mcp-Session-Id", id)));
        if !brief {
            self.post(Step::Tools, place, &headers, &initialized(), self.deadline);
            self.tries.pop();
            server.tools = self.count_tools(|client, params| {
                client.post(Step::Tools, place, &headers, &listing(params), client.deadline)
            });
        }
        if session.is_some() {
            if !brief {
                self.ask_again(place, &headers, &mut server);
            }
            server.session = Some(self.end_session(place, &headers, &mut server));
        }
        self.met(server)
    }

    /// A server that answered, unless it wants a credential for its tools.
    fn met(&self, server: Server) -> Met {
        let wants = |entry: &Try| entry.step == Step::Tools && entry.got.status() == Some(401);
        if self.tries.iter().any(wants) { Met::Challenge } else { Met::Server(Box::new(server)) }
    }

    /// Asks again and again in one session, each time over a new connection: each of them may reach another worker.
    /// Connections that are open at once would not do: one worker tends to accept all of those.
    fn ask_again(&mut self, place: PathOnHost<'_>, headers: &[(&'static str, String)], server: &mut Server) {
        let is_lost = |got: &Got| matches!(got.status(), Some(400 | 404)) && !is_unknown_method(got);
        let first = self.tries.iter().rev().find(|entry| entry.step == Step::Tools && entry.host == place.host);
        server.asked = 1;
        server.lost = u32::from(first.is_some_and(|entry| is_lost(&entry.got)));
        let message = listing(json!({}));
        while server.asked <= ASKED && !self.is_late() {
            let got = self.post(Step::Tools, place, headers, &message, self.deadline).got;
            server.asked += 1;
            // Only the first that is lost is shown.
            if !is_lost(&got) || server.lost > 0 {
                self.tries.pop();
            }
            server.lost += u32::from(is_lost(&got));
        }
    }

    fn end_session(
        &mut self,
        place: PathOnHost<'_>,
        headers: &[(&'static str, String)],
        server: &mut Server,
    ) -> SessionEnd {
        // With several workers only one of them knows the session; a server without DELETE may answer 404, too.
        let deadline = self.deadline.min(Instant::now() + ASIDE);
        for missed in 0..ASKED {
            let begun = Instant::now();
            let headers = headers.to_vec();
            let request = Request { method: "DELETE", path: place.path, host: place.host, headers, body: None };
            let Ok(mut reply) = self.send(Step::End, place, &request, deadline) else { break };
            let got = if (200..300).contains(&reply.status) { Got::Ok } else { Got::Http(Box::new(reply.as_http())) };
            self.note(Step::End, place, &got, begun);
            match (got, reply.status) {
                (Got::Ok, _) => {
                    server.asked += missed;
                    server.lost += missed;
                    return SessionEnd::Ended;
                }
                (_, 405 | 501) => return SessionEnd::NotEndable,
                (_, 404) => {}
                _ => break,
            }
        }
        SessionEnd::Failed
    }

    fn meet_stream(&mut self, place: PathOnHost<'_>) -> Met {
        let begun = Instant::now();
        let headers = vec![("Accept", "text/event-stream".to_owned())];
        let request = Request { method: "GET", path: place.path, host: place.host, headers, body: None };
        let deadline = self.deadline.min(Instant::now() + SILENCE);
        let mut stream = match self.send(Step::Stream, place, &request, deadline) {
            Ok(stream) => stream,
            Err(got) => return Met::Other(got),
        };
        let endpoint = (stream.content_type() == "text/event-stream")
            .then(|| next_event(&mut stream, |event| (event.name == "endpoint").then(|| event.data.clone())))
            .flatten();
        let Some(endpoint) = endpoint else {
            let got = Got::Http(Box::new(stream.as_http()));
            self.note(Step::Stream, place, &got, begun);
            return other(got);
        };
        self.note(Step::Stream, place, &Got::Ok, begun);
        stream.wait_until(self.deadline);
        let Some(path) = resolve(place.path, &endpoint) else { return Met::Other(Got::NotHttp(endpoint)) };
        let endpoint = PathOnHost { path: &path, host: place.host };
        let result = self.over_stream(&mut stream, endpoint, &initialize());
        let Ok(result) = result else { return result.map_or_else(other, |_| Met::Challenge) };
        let protocol = result["protocolVersion"].as_str().unwrap_or_default().to_owned();
        let mut server = described(&result, place.path, protocol, Era::Sse);
        self.post(Step::Tools, endpoint, &[], &initialized(), self.deadline);
        self.tries.pop();
        server.tools = match self.over_stream(&mut stream, endpoint, &listing(json!({}))) {
            Ok(result) => result["tools"].as_array().map(|tools| tools.len() as u64),
            Err(got) => is_unknown_method(&got).then_some(0),
        };
        server.session = Some(SessionEnd::Ended);
        Met::Server(Box::new(server))
    }

    /// Posts to the endpoint of the old transport; the response comes over the stream.
    fn over_stream(&mut self, stream: &mut Reply, endpoint: PathOnHost<'_>, message: &Value) -> Result<Value, Got> {
        let step = if message["method"] == "initialize" { Step::Initialize } else { Step::Tools };
        let posted = self.post(step, endpoint, &[], message, self.deadline);
        let accepted = posted.got == Got::Ok || matches!(&posted.got, Got::Http(http) if http.status == 202);
        if !accepted {
            return Err(posted.got);
        }
        let begun = Instant::now();
        let response = next_event(stream, |event| response_in(&event.data, &message["id"]));
        let result = match response {
            Some(response) if response["error"].is_null() => Ok(response["result"].clone()),
            Some(response) => Err(rpc_error(200, &response["error"])),
            None => Err(Got::Timeout),
        };
        // The 202 of the POST is only half of the answer.
        if let Some(last) = self.tries.last_mut() {
            last.got = result.as_ref().err().cloned().unwrap_or(Got::Ok);
            last.ms += u64::try_from(begun.elapsed().as_millis()).unwrap_or_default();
        }
        result
    }

    /// Number of tools on all pages; none of a server that does not know the method.
    fn count_tools(&mut self, mut ask: impl FnMut(&mut Self, Value) -> RpcAnswer) -> Option<u64> {
        let mut count = 0;
        let mut cursor = Value::Null;
        for _ in 0..PAGES {
            let params = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
            let page = ask(self, params);
            if is_unknown_method(&page.got) {
                return Some(count);
            }
            count += page.result["tools"].as_array()?.len() as u64;
            match &page.result["nextCursor"] {
                next if !next.is_string() => return Some(count),
                next if *next == cursor => return None,
                next => cursor = next.clone(),
            }
        }
        None
    }

    /// Whether the server speaks the other scheme than the route says: TLS behind `http`, plain HTTP behind `https`.
    pub(super) fn speaks_other_scheme(&mut self, place: PathOnHost<'_>) -> bool {
        let begun = Instant::now();
        let deadline = self.deadline.min(begun + ASIDE);
        let Ok(connection) = self.connect(deadline) else { return false };
        let speaks = if self.target.https {
            let stream = http::open(connection, Security::Plain, deadline);
            stream.and_then(|stream| http::send(stream, &posted(place, &[], &initialize()))).is_ok()
        } else {
            match http::open(connection, Security::Tls(&self.target.host, None), deadline) {
                // A refused handshake is one as well.
                Err(Got::Tls(fault)) => fault != TlsFault::NotTls,
                opened => opened.is_ok(),
            }
        };
        if speaks {
            self.note(Step::Connect, place, &Got::WrongScheme, begun);
        }
        speaks
    }
}

/// Whether a server that answered so to `server/discover` may still know `initialize`.
fn goes_on(got: &Got) -> bool {
    match got {
        Got::Timeout | Got::Rpc { .. } | Got::Closed | Got::WrongType(_) | Got::Ok => true,
        Got::Http(http) => {
            !matches!(http.status, 300..=399 | 421) && http.content_type != "text/html" || http.status >= 400
        }
        _ => false,
    }
}

fn is_unknown_method(got: &Got) -> bool {
    matches!(got, Got::Rpc { code: METHOD_NOT_FOUND, .. })
}

fn other(got: Got) -> Met {
    if got.status() == Some(401) { Met::Challenge } else { Met::Other(got) }
}
