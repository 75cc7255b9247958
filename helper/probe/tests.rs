//! What is made of servers that answer in the test's own process: the client asks them, the judge judges what it saw.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::client::try_route;
use super::judge::{RouteVerdict, judge};
use super::state::{Behind, Callability};
use super::wire::{Allowed, Got, ProbeTarget, Seen, Server, Step, TlsFault, Trust, Try};
use crate::os::network::Tcp;
use crate::rules::{self, RuleId, Severity};

/// Answers every request with these bytes, over TLS where a configuration is given; returns its port.
fn serve(answer: String, tls: Option<Arc<ServerConfig>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for tcp in listener.incoming().take(64).flatten() {
            match &tls {
                None => exchange(tcp, &answer),
                Some(tls) => exchange(StreamOwned::new(ServerConnection::new(tls.clone()).unwrap(), tcp), &answer),
            }
        }
    });
    port
}

fn exchange(mut stream: impl Read + Write, answer: &str) {
    if stream.read(&mut [0; 4096]).is_ok() {
        let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
    }
}

fn http(content_type: &str, body: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type:";
    format!("{head} {content_type}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An MCP server that has no sessions.
fn mcp() -> String {
    http("application/json", r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"tools":[]}}"#)
}

fn asked(port: u16, trust: Option<Trust>) -> RouteVerdict {
    let target = wiki(port, trust);
    judge(&target, &try_route(&Tcp, &target), &Behind::default(), false)
}

fn wiki(port: u16, trust: Option<Trust>) -> ProbeTarget {
    ProbeTarget {
        route: Some("wiki".into()),
        https: trust.is_some(),
        host: "localhost".into(),
        port,
        tunnel_host: "wiki.abcd1234.tunnel.anthropic.com".into(),
        path: "/mcp".into(),
        other_paths: Vec::new(),
        allowed: Allowed::Anything,
        trust: trust.unwrap_or_default(),
        limit_ms: 3000,
    }
}

fn rule(verdict: &RouteVerdict) -> Option<RuleId> {
    verdict.finding.as_ref().map(|finding| finding.id)
}

#[test]
fn a_program_that_is_not_an_mcp_server_is_told_from_one() {
    for answer in
        ["SSH-2.0-OpenSSH_9.6\r\n".to_owned(), http("text/plain", "pong"), http("application/json", "{\"up\":1}")]
    {
        let verdict = asked(serve(answer.clone(), None), None);
        assert_eq!(rule(&verdict), Some(RuleId::UpstreamNotMcp), "{answer}: {verdict:?}");
    }
    let verdict = asked(serve(mcp(), None), None);
    assert_eq!(rule(&verdict), None, "{verdict:?}");
}

/// Answers each request with what a function makes of its head and body; an empty answer closes the connection.
fn serve_with(answer: fn(&str) -> String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().take(64).flatten() {
            let (mut asked, mut chunk) = (String::new(), [0; 4096]);
            // A body is JSON, and ends the request.
            while !(asked.ends_with("\r\n\r\n") && !asked.starts_with("POST") || asked.ends_with('}')) {
                match tcp.read(&mut chunk) {
                    Ok(length @ 1..) => asked += &String::from_utf8_lossy(&chunk[..length]),
                    _ => break,
                }
            }
            let _ = tcp.write_all(answer(&asked).as_bytes());
        }
    });
    port
}

fn status(line: &str, headers: &str) -> String {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n")
}

/// A server with sessions, at `/mcp`: the response to one request.
fn response(asked: &str) -> String {
    if asked.contains("\"initialize\"") {
        r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","serverInfo":{"name":"hello"}}}"#.into()
    } else if asked.contains("tools/list") {
        r#"{"jsonrpc":"2.0","id":"2","result":{"tools":[{}]}}"#.into()
    } else {
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#.into()
    }
}

fn at(path: &str, asked: &str) -> String {
    if asked.contains(&format!(" {path} HTTP")) {
        http("application/json", &response(asked))
    } else {
        status("404 Not Found", "")
    }
}

/// The same, and one request answered otherwise.
fn but(word: &str, other: String) -> impl Fn(&str) -> String {
    let word = word.to_owned();
    move |asked| if asked.contains(&word) { other.clone() } else { at("/mcp", asked) }
}

/// What a server answers that no maker of servers is known for: state, rule, and number of tools.
#[test]
fn unusual_servers_are_told_apart() {
    use Callability::{Callable, Refused};
    type Case = (&'static str, fn(&str) -> String, Callability, Option<RuleId>, Option<u64>);
    let cases: [Case; 16] = [
        ("plain", |asked| at("/mcp", asked), Callable, None, Some(1)),
        (
            "a byte order mark",
            |asked| http("application/json", &format!("\u{feff}{}", response(asked))),
            Callable,
            None,
            Some(1),
        ),
        (
            "several events, comments, CR",
            |asked| {
                let note = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}";
                let text = format!(": hi\r\r{note}\r\rid: 7\rretry: 9\rdata: {}\r\r", response(asked));
                http("text/event-stream; charset=utf-8", &text)
            },
            Callable,
            None,
            Some(1),
        ),
        (
            "no tools",
            |asked| {
                but(
                    "tools/list",
                    http("application/json", r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no"}}"#),
                )(asked)
            },
            Callable,
            None,
            Some(0),
        ),
        (
            "another content type",
            |asked| http("text/plain", &response(asked)),
            Refused,
            Some(RuleId::UpstreamNotMcp),
            None,
        ),
        (
            "HTTP/2",
            |_| "\0\0\u{6}\u{4}\0\0\0\0\0\0\u{3}\0\0\0\u{64}".into(),
            Refused,
            Some(RuleId::UpstreamNotMcp),
            None,
        ),
        (
            "a failing list",
            |asked| but("tools/list", status("500 Oops", ""))(asked),
            Refused,
            Some(RuleId::UpstreamFailed),
            None,
        ),
        (
            "a list that is an error",
            |asked| {
                but(
                    "tools/list",
                    http(
                        "application/json",
                        r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32603,"message":"no database"}}"#,
                    ),
                )(asked)
            },
            Refused,
            Some(RuleId::UpstreamFailed),
            None,
        ),
        ("a closed list", |asked| but("tools/list", String::new())(asked), Refused, Some(RuleId::UpstreamFailed), None),
        (
            "a forbidden list",
            |asked| but("tools/list", status("403 Forbidden", ""))(asked),
            Refused,
            Some(RuleId::UpstreamForbidden),
            None,
        ),
        (
            "pages without an end",
            |asked| {
                but(
                    "tools/list",
                    http("application/json", r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[{}],"nextCursor":"x"}}"#),
                )(asked)
            },
            Refused,
            Some(RuleId::UpstreamFailed),
            None,
        ),
        (
            "redirects, one after the other",
            |asked| match asked.split(' ').nth(1) {
                Some("/mcp") => status("307 Temporary Redirect", "Location: v1/\r\n"),
                Some("/v1/") => status("308 Permanent Redirect", "Location: http://h/v2?x=1\r\n"),
                _ => at("/v2", asked),
            },
            Callable,
            Some(RuleId::UpstreamPathOther),
            Some(1),
        ),
        (
            "a sign-in",
            |_| status("302 Found", "Location: https://login.example/?next=/mcp\r\n"),
            Refused,
            Some(RuleId::UpstreamSlash307),
            None,
        ),
        (
            "TLS wanted",
            |_| status("301 Moved", "Location: https://wiki.abcd1234.tunnel.anthropic.com/mcp\r\n"),
            Refused,
            Some(RuleId::UpstreamWrongScheme),
            None,
        ),
        (
            "another site for other hosts",
            |asked| match asked.contains("Host: localhost") {
                true => at("/mcp", asked),
                false => http("text/html", "<title>It works</title>"),
            },
            Refused,
            Some(RuleId::UpstreamHostRejected),
            None,
        ),
        (
            "no site for other hosts",
            |asked| if asked.contains("Host: localhost") { at("/mcp", asked) } else { String::new() },
            Refused,
            Some(RuleId::UpstreamHostRejected),
            None,
        ),
    ];
    for (name, answer, state, expected, tools) in cases {
        let target = wiki(serve_with(answer), None);
        let seen = try_route(&Tcp, &target);
        let verdict = judge(&target, &seen, &Behind::default(), false);
        assert_eq!((verdict.state, rule(&verdict)), (state, expected), "{name}: {verdict:#?} {seen:#?}");
        assert_eq!(seen.server.and_then(|server| server.tools), tools, "{name}");
    }
}

#[test]
fn a_server_that_is_not_a_route_yet_is_called_name_in_the_request_that_makes_it_one() {
    let port = serve(http("application/json", "{}"), None);
    let target = ProbeTarget { route: None, ..wiki(port, Some(Trust { ca_pem: None, public: true })) };
    let own_path = ProbeTarget { route: None, path: "/other".into(), ..wiki(port, None) };
    let server = Server { path: "/mcp".into(), ..Server::default() };
    for (target, seen, request) in [
        (&target, try_route(&Tcp, &target), format!(r#"{{"routes":{{"NAME":"http://localhost:{port}"}}}}"#)),
        (
            &own_path,
            Seen { server: Some(server), ..Seen::default() },
            format!(r#"{{"routes":{{"NAME":"http://localhost:{port}"}},"paths":{{"NAME":"/mcp"}}}}"#),
        ),
    ] {
        let finding = judge(target, &seen, &Behind::default(), false).finding.unwrap();
        assert!(finding.fix.contains(&format!("--json '{request}'")), "{}", finding.fix);
        assert_eq!(finding.subject, None);
        assert!(finding.title.starts_with(&format!("`{}` ", target.url())), "{}", finding.title);
    }
}

/// A DNS that is slow or silent is not one that does not know the name, and its time is not the server's.
#[test]
fn a_late_lookup_is_no_unknown_name_and_no_silent_server() {
    let target = wiki(80, None);
    let entry = |step: Step, got: Got, ms: u64| {
        let path = if step == Step::Discover { "/mcp".to_owned() } else { String::new() };
        let host = if step == Step::Discover { target.tunnel_host.clone() } else { String::new() };
        Try { step, path, host, got, ms }
    };
    let verdict = |lookup: (Got, u64), after: Option<(Got, u64)>| {
        let mut tries = vec![entry(Step::Lookup, lookup.0, lookup.1)];
        tries.extend(after.clone().map(|(got, ms)| entry(Step::Discover, got, ms)));
        let server =
            after.filter(|(got, _)| *got == Got::Ok).map(|_| Server { path: "/mcp".into(), ..Server::default() });
        let verdict = judge(&target, &Seen { tries, server, ..Seen::default() }, &Behind::default(), false);
        let finding = verdict.finding.clone();
        (verdict.state, rule(&verdict), finding.map(|finding| (finding.severity, finding.cause)))
    };
    let row = rules::finding(RuleId::UpstreamDns).cause;
    let says = |cause: &str| Some((Severity::Error, cause.to_owned()));
    let unknown = verdict((Got::NameUnknown, 4), None);
    assert_eq!(unknown, (Callability::Unreachable, Some(RuleId::UpstreamDns), says(&row)));
    let late = verdict((Got::Timeout, 3000), None);
    let (_, _, Some((Severity::Error, cause))) = &late else { panic!("{late:?}") };
    assert!(late.1 == Some(RuleId::UpstreamDns) && *cause != row, "{late:?}");
    // The resolver waited itself; or the server had what the lookup left of the time.
    assert_eq!(verdict((Got::NoAnswer, 2500), None), late);
    assert_eq!(verdict((Got::Ok, 2600), Some((Got::Timeout, 400))), late);
    let silent = verdict((Got::NoAnswer, 3), None);
    assert!(silent.1 == late.1 && silent != late && silent != unknown, "{silent:?}");
    // The server's own silence, and a late lookup of a server that answers.
    assert_eq!(verdict((Got::Ok, 30), Some((Got::Timeout, 2900))).1, Some(RuleId::UpstreamTimeout));
    let slow = verdict((Got::Ok, 2000), Some((Got::Ok, 10)));
    assert_eq!((slow.0, slow.1), (Callability::Callable, Some(RuleId::UpstreamDns)));
    assert_eq!(slow.2, Some((Severity::Warning, cause.clone())));
    assert_eq!(verdict((Got::Ok, 400), Some((Got::Ok, 10))), (Callability::Callable, None, None));
}

/// A server with its own certificate for these names, and that certificate.
fn tls(names: &[&str]) -> (Arc<ServerConfig>, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
    (Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()), made.cert.pem())
}

#[test]
fn a_certificate_of_an_upstream_is_checked_as_the_proxy_does() {
    let (own, pem) = tls(&["localhost"]);
    let (other_name, other_pem) = tls(&["wiki.internal"]);
    let trusting = |pem: &str| Some(Trust { ca_pem: Some(pem.to_owned()), public: false });
    for (server, trust, expected) in [
        (&own, trusting(&pem), None),
        (&own, trusting(&other_pem), Some(RuleId::UpstreamTlsFailed)),
        (&own, Some(Trust { ca_pem: None, public: true }), Some(RuleId::UpstreamTlsFailed)),
        (&other_name, trusting(&other_pem), Some(RuleId::UpstreamTlsFailed)),
        (&own, Some(Trust::default()), Some(RuleId::UpstreamTls)),
    ] {
        let verdict = asked(serve(mcp(), Some(Arc::clone(server))), trust.clone());
        assert_eq!(rule(&verdict), expected, "{trust:?}: {verdict:?}");
    }
}

/// Certificates that say less than they should, and handshakes that are not finished.
#[test]
fn what_is_wrong_with_a_certificate_is_told_in_words_and_a_failed_handshake_is_not_a_certificate() {
    let (other_name, pem) = tls(&["wiki.internal", "*.corp.example"]);
    let trust = Some(Trust { ca_pem: Some(pem), public: false });
    let reason = |verdict: RouteVerdict| verdict.reason.unwrap();
    let names = asked(serve(mcp(), Some(other_name)), trust.clone());
    assert_eq!(reason(names), "has a certificate for wiki.internal, *.corp.example, not for localhost");

    let fix = |fault: TlsFault| {
        let target = wiki(443, trust.clone());
        let got = Got::Tls(fault);
        let entry = Try { step: Step::Discover, path: "/mcp".into(), host: target.tunnel_host.clone(), got, ms: 1 };
        let seen = Seen { tries: vec![entry], ..Seen::default() };
        judge(&target, &seen, &Behind::default(), false).finding.unwrap().fix
    };
    let faults = [TlsFault::UnknownIssuer, TlsFault::Expired, TlsFault::OtherName(Vec::new()), TlsFault::NotForServers];
    let fixes: BTreeSet<String> = faults.map(fix).into_iter().collect();
    assert_eq!(fixes.len(), 4, "each is fixed in another way: {fixes:#?}");

    // Closed in the middle of the handshake; an alert in place of one.
    let certificate = rules::finding(RuleId::UpstreamTlsFailed).fix;
    for answer in ["", "\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{28}"] {
        let verdict = asked(serve(answer.to_owned(), None), trust.clone());
        let finding = verdict.finding.unwrap();
        assert_eq!((finding.id, finding.fix == certificate), (RuleId::UpstreamTlsFailed, false), "{answer:?}");
    }
}
