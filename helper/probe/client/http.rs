//! One HTTP/1.1 exchange over its own connection, every step within a deadline.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddrV4;
use std::time::Instant;

use flate2::read::{GzDecoder, ZlibDecoder};
use rustls::StreamOwned;

use super::stream::Stream;
use super::tls;
use crate::os::network::{Connection, Network, Timed};
use crate::probe::wire::{Got, Http, TlsFault, Trust};

/// Longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 64 << 10;
/// Longest body that is read, in bytes.
const LONGEST_BODY: usize = 2 << 20;
/// Beginning of a body that is kept as evidence, in bytes.
const EXCERPT: usize = 400;

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Security<'a> {
    /// Not at all.
    Plain,
    /// TLS for this host, with this trust; `None` trusts any certificate.
    Tls(&'a str, Option<&'a Trust>),
}

#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    pub(super) host: &'a str,
    /// Further header fields.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Body; its content type is JSON.
    pub(super) body: Option<String>,
}

/// Opens a connection.
///
/// # Errors
/// What came instead.
pub(super) fn connect(network: &dyn Network, to: SocketAddrV4, deadline: Instant) -> Result<Box<dyn Connection>, Got> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Got::Timeout);
    }
    network.connect(to, left).map_err(|e| got(&e))
}

fn got(error: &io::Error) -> Got {
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Got::Tls(tls::fault(inner));
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => Got::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Got::Timeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::PermissionDenied => Got::Unreachable,
        _ => Got::Closed,
    }
}

/// An answer whose body is still coming.
pub(super) struct Reply {
    stream: Stream,
    /// Bytes behind what was decoded.
    raw: Vec<u8>,
    framing: Framing,
    /// Decoded body, as far as it came.
    pub(super) body: Vec<u8>,
    pub(super) status: u16,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// So many bytes more.
    Length(u64),
    /// Chunks; so many bytes more of this one, with the line break behind it.
    Chunked(u64),
    /// Until the connection ends.
    Close,
    /// Complete.
    Done,
}

/// Makes a connection ready for requests: with TLS, the handshake.
///
/// # Errors
/// What came instead of a handshake.
pub(super) fn open(connection: Box<dyn Connection>, security: Security<'_>, deadline: Instant) -> Result<Stream, Got> {
    let timed = Timed { connection, deadline };
    let Security::Tls(host, trust) = security else { return Ok(Stream::Plain(timed)) };
    let client = tls::connection(host, trust).map_err(Got::Tls)?;
    let mut stream = StreamOwned::new(client, timed);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|e| match got(&e) {
            // Plain HTTP servers wait for the end of a request's head.
            Got::Closed | Got::Timeout => Got::Tls(TlsFault::NotTls),
            other => other,
        })?;
    }
    Ok(Stream::Tls(Box::new(stream)))
}

/// Sends a request and reads the head of the answer.
///
/// # Errors
/// What came instead of an HTTP answer.
pub(super) fn send(mut stream: Stream, request: &Request<'_>) -> Result<Reply, Got> {
    // A server may answer and close before it has read everything.
    let written = stream.write_all(&head(request)).and_then(|()| stream.flush());
    let mut reply =
        Reply { stream, raw: Vec::new(), framing: Framing::Close, body: Vec::new(), status: 0, headers: Vec::new() };
    match (reply.read_head(request.method), written) {
        (Err(Got::Closed), Err(error)) => Err(got(&error)),
        (read, _) => read.map(|()| reply),
    }
}

fn head(request: &Request<'_>) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.path, request.host);
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(concat!("User-Agent: mcp-tunnels-helper/", env!("CARGO_PKG_VERSION"), "\r\n"));
    text.push_str("Accept-Encoding: identity\r\nConnection: close\r\n");
    match &request.body {
        Some(body) => {
            text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
        }
        None => text.push_str("\r\n"),
    }
    text.into_bytes()
}

impl Reply {
    /// Reads from the connection into `raw`; `false` at its end.
    fn pull(&mut self) -> Result<bool, Got> {
        let mut chunk = [0; 16 << 10];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(false),
            Ok(n) => {
                self.raw.extend_from_slice(&chunk[..n]);
                Ok(true)
            }
            // Many servers end TLS without a word.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(got(&error)),
        }
    }

    fn read_head(&mut self, method: &str) -> Result<(), Got> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 128];
            let mut response = httparse::Response::new(&mut fields);
            let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
            let size = match response.parse(&self.raw) {
                Ok(httparse::Status::Complete(size)) => size,
                Ok(httparse::Status::Partial) if self.raw.len() < LONGEST_HEAD => {
                    if self.pull()? {
                        continue;
                    }
                    return Err(not_http(&self.raw));
                }
                Ok(httparse::Status::Partial) | Err(_) => return Err(not_http(&self.raw)),
            };
            self.status = response.code.unwrap_or_default();
            self.headers =
                response.headers.iter().map(|field| (field.name.to_ascii_lowercase(), lossy(field.value))).collect();
            self.raw.drain(..size);
            // Interim answers come before the one that counts.
            if !(100..200).contains(&self.status) || self.status == 101 {
                break;
            }
        }
        self.framing = if method == "HEAD" || matches!(self.status, 204 | 304) {
            Framing::Done
        } else if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            Framing::Chunked(0)
        } else if let Some(length) = self.header("content-length").and_then(|value| value.parse().ok()) {
            Framing::Length(length)
        } else {
            Framing::Close
        };
        Ok(())
    }

    /// A header field, by its lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Content type without parameters, in lower case.
    pub(super) fn content_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The body as far as it came, without a compression that was not asked for.
    pub(super) fn plain(&self) -> Cow<'_, [u8]> {
        let mut plain = Vec::new();
        let coding = self.header("content-encoding").unwrap_or_default().to_ascii_lowercase();
        // What is not complete yet is an error behind what is.
        let _ = match coding.as_str() {
            "gzip" | "x-gzip" => GzDecoder::new(&*self.body).take(LONGEST_BODY as u64).read_to_end(&mut plain),
            "deflate" => ZlibDecoder::new(&*self.body).take(LONGEST_BODY as u64).read_to_end(&mut plain),
            _ => return Cow::Borrowed(&self.body),
        };
        Cow::Owned(plain)
    }

    /// Decodes more of the body; `false` when it is complete, broken off, or longer than needed.
    ///
    /// # Errors
    /// `Timeout` when no more came in time.
    pub(super) fn more(&mut self) -> Result<bool, Got> {
        let before = self.body.len();
        self.decode();
        if self.framing == Framing::Done || self.body.len() > LONGEST_BODY {
            return Ok(false);
        }
        // What came with the head, or with what was read last, counts before anything that is still to come.
        if self.body.len() > before {
            return Ok(true);
        }
        let more = self.pull()?;
        self.decode();
        Ok(more)
    }

    /// Waits for the rest of the body until another moment.
    pub(super) fn wait_until(&mut self, deadline: Instant) {
        self.stream.wait_until(deadline);
    }

    /// The body to its end, as far as it comes in time.
    pub(super) fn whole(&mut self) {
        while self.more().unwrap_or(false) {}
    }

    fn decode(&mut self) {
        loop {
            match self.framing {
                Framing::Done => return,
                Framing::Close => {
                    self.body.append(&mut self.raw);
                    return;
                }
                Framing::Length(left) => {
                    let left = self.take(left);
                    self.framing = if left == 0 { Framing::Done } else { Framing::Length(left) };
                    return;
                }
                Framing::Chunked(0) => {
                    // The line break behind the chunk before.
                    while self.raw.first().is_some_and(|b| matches!(b, b'\r' | b'\n')) {
                        self.raw.remove(0);
                    }
                    match httparse::parse_chunk_size(&self.raw) {
                        Ok(httparse::Status::Complete((_, 0))) | Err(_) => self.framing = Framing::Done,
                        Ok(httparse::Status::Complete((size, length))) => {
                            self.raw.drain(..size);
                            self.framing = Framing::Chunked(length);
                        }
                        Ok(httparse::Status::Partial) => return,
                    }
                }
                Framing::Chunked(left) => {
                    let left = self.take(left);
                    self.framing = Framing::Chunked(left);
                    if left > 0 {
                        return;
                    }
                }
            }
        }
    }

    /// Moves at most so many bytes into the body; returns how many are still to come.
    fn take(&mut self, left: u64) -> u64 {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.raw.len());
        self.body.extend(self.raw.drain(..here));
        left - here as u64
    }

    /// What it is where it is not an answer of MCP's.
    pub(super) fn as_http(&mut self) -> Http {
        let is_stream = self.content_type() == "text/event-stream";
        while !is_stream && self.body.len() < EXCERPT * 4 && self.more().unwrap_or(false) {}
        Http {
            status: self.status,
            content_type: self.content_type(),
            location: self.header("location").map(|value| cut(value, 200)),
            challenge: self
                .header("www-authenticate")
                .map(|value| cut(value.split_whitespace().next().unwrap_or_default().trim_end_matches(','), 40)),
            software: self.header("server").map(|value| cut(value, 64)),
            body: excerpt(&self.plain()),
        }
    }
}

/// What bytes are that are no head of an HTTP/1 answer.
fn not_http(raw: &[u8]) -> Got {
    match raw {
        [] => Got::Closed,
        // An alert (RFC 8446, 5.1).
        [21, 3, ..] => Got::WrongScheme,
        // A short SETTINGS frame (RFC 9113, 3.4 and 4.1).
        [0, 0, _, 4, ..] => Got::Http2,
        _ => Got::NotHttp(excerpt(raw)),
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Beginning of a body, without markup around it: a page says what it is in its title.
fn excerpt(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(EXCERPT * 4)];
    let text = String::from_utf8_lossy(head);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&text, EXCERPT)
}

#[cfg(test)]
mod tests;
