//! Everything that reads what others wrote, each with what holds of it for any bytes. The property tests and the fuzzer of
//! `tests/fuzz/` share them.

use std::io::{self, Cursor, Read, Write};
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::macros::datetime;

use crate::answer::{Severity, request};
use crate::certs::file::{CertificateFile, File, KeyFile};
use crate::certs::{Files, Judged, Purpose};
use crate::config::gateway::Gateway;
use crate::config::yaml;
use crate::deployment::env_file::EnvFile;
use crate::deployment::{Deployment, Domain, RouteName, Token, TokenState, Upstream};
use crate::logs::Logs;
use crate::logs::encoding::Decoded;
use crate::logs::input::scan;
use crate::model::found::Found;
use crate::os::network::{Connection, Network};
use crate::privileges::Privileges;
use crate::probe::inside;
use crate::probe::wire::Ask;
use crate::redact;

/// What is fed with bytes.
pub(crate) struct Property {
    /// Its name, and that of the folder in `tests/fuzz/seeds/` with its inputs.
    pub(crate) name: &'static str,
    /// Panics where the bytes break a promise.
    pub(crate) holds: fn(&[u8]),
}

pub(crate) const TARGETS: &[Property] = &[
    Property { name: "request", holds: request },
    Property { name: "domain", holds: domain },
    Property { name: "route", holds: route },
    Property { name: "upstream", holds: upstream },
    Property { name: "token", holds: token },
    Property { name: "env", holds: env },
    Property { name: "pem", holds: pem },
    Property { name: "gateway", holds: gateway },
    Property { name: "compose", holds: compose },
    Property { name: "log", holds: log },
    Property { name: "redact", holds: redacted },
    Property { name: "mcp", holds: mcp },
];

/// A secret that does not look like one: only what precedes it gives it away.
pub(crate) const CANARY: &str = "kq7xw2zv9m";

/// The input as text. A fuzzer learns the canary from what it is compared with.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(CANARY, "canary")
}

fn usual_domain() -> Domain {
    Domain::parse("abcd1234.tunnel.anthropic.com").expect("a domain")
}

crate::config::settings::request_with_settings! {
    /// The settings that `init` and `render` share.
    AnyRequest {}
}

fn request(bytes: &[u8]) {
    let text = text(bytes);
    // A file, or standard input.
    if text == "-" || text.starts_with('@') {
        return;
    }
    match request::read::<AnyRequest>(Some(&text), &[]) {
        Ok(taken) => {
            let object = serde_json::from_str::<Map<String, Value>>(text.trim_start_matches('\u{feff}'));
            assert!(object.is_ok(), "what is no JSON object is taken");
            let mut gateway = Gateway::new(&usual_domain());
            let settings = taken.settings();
            if gateway.apply(&settings, "echo", "http://hello-mcp:9000").is_ok()
                && gateway.require_sound(&settings).is_ok()
            {
                let written = gateway.to_yaml().expect("our own types can be written");
                assert_eq!(Gateway::parse(&written).as_ref(), Ok(&gateway), "{written}");
                assert!(
                    gateway.parsed_routes(None).iter().all(|route| route.label.is_ok() && route.upstream.is_ok()),
                    "{written}"
                );
            }
        }
        Err(error) => assert_eq!(error.code(), "request"),
    }
}

/// Whether a text is a label of a host name (RFC 1123).
pub(crate) fn is_label(text: &str) -> bool {
    let (first, last) = (text.bytes().next(), text.bytes().last());
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| is_plain(b) || b == b'-')
        && first.is_some_and(is_plain)
        && last.is_some_and(is_plain)
}

fn domain(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(domain) = Domain::parse(&text) {
        assert!(domain.as_str().len() <= 189 && domain.as_str().split('.').all(is_label), "{text:?}");
        assert_eq!(Domain::parse(domain.as_str()), Ok(domain));
    }
}

fn route(bytes: &[u8]) {
    let text = text(bytes);
    assert_eq!(RouteName::parse(&text).is_ok(), is_label(&text), "{text:?}");
}

fn upstream(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(upstream) = Upstream::parse(&text) {
        assert!(upstream.port() > 0 && !upstream.host_text().is_empty(), "{text:?}");
        assert_eq!(Upstream::parse(&upstream.to_string()), Ok(upstream));
    }
    // What is shown of it keeps no login.
    let secret = format!("http://me:{CANARY}@{text}");
    assert!(!Upstream::shown(&secret).contains(CANARY), "{}", Upstream::shown(&secret));
    assert!(Upstream::parse(&secret).err().is_none_or(|fault| !fault.contains(CANARY)), "{text:?}");
}

fn token(bytes: &[u8]) {
    let text = text(bytes);
    match Token::parse(&text) {
        Ok(token) => {
            assert!(matches!(TokenState::of(Some(&text)), TokenState::Set(_)));
            assert!(Token::is_within(&format!("\"{}\"", token.expose())));
            let again = Token::parse(token.expose());
            assert!(
                again.is_ok_and(|again| again.expose() == token.expose() && again.fingerprint() == token.fingerprint())
            );
        }
        Err(fault) => {
            assert!(!matches!(TokenState::of(Some(&text)), TokenState::Set(_)));
            let said = fault.to_string();
            assert!(!text.split_whitespace().any(|word| word.len() >= 24 && said.contains(word)), "{said}");
        }
    }
}

fn env(bytes: &[u8]) {
    const KEY: &str = "TUNNEL_TOKEN";
    let (was, mut file) = (EnvFile::new(bytes), EnvFile::new(bytes));
    let (before, faults) = (was.values(), was.faults());
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!(faults.iter().all(|fault| fault.line().is_none_or(|line| (1..=lines).contains(&line))), "{faults:?}");
    let _ = (file.not_utf8(), file.keys());
    match file.set(KEY, "abc") {
        Ok(changed) => {
            assert_eq!(file.get(KEY).as_deref(), Some("abc"));
            assert_eq!(changed, file.as_bytes() != bytes);
            assert_eq!(file.faults(), []);
            // What another value takes from it changes with it.
            if faults.is_empty() && !bytes.contains(&b'$') {
                let mut after = file.values();
                after.remove(KEY);
                assert!(before.iter().filter(|(name, _)| *name != KEY).eq(after.iter()), "{before:?} became {after:?}");
            }
        }
        Err(_) => {
            assert!(!faults.is_empty(), "a sound file takes every plain value");
            assert_eq!(file.as_bytes(), bytes);
        }
    }
}

fn pem(bytes: &[u8]) {
    let domain = usual_domain();
    let purpose = Purpose { domain: &domain, routes: &["echo".to_owned()], now: datetime!(2026-06-01 00:00 UTC) };
    // The same bytes in every place, then two parts of them.
    let half = bytes.len() / 2;
    for (first, second) in [(bytes, bytes), (&bytes[..half], &bytes[half..])] {
        let files = Files {
            ca: File::<CertificateFile>::parse(first),
            ca_beside: None,
            ca_key: File::<KeyFile>::parse(first),
            server: File::<CertificateFile>::parse(second),
            server_key: File::<KeyFile>::parse(second),
            replica: None,
        };
        let judged = Judged::new(files, purpose);
        assert!(!judged.is_good(), "a certificate cannot be its own CA and server");
        for finding in judged.findings {
            for quoted in finding.evidence {
                assert!(
                    quoted.text.chars().count() <= 300 && !quoted.text.contains("PRIVATE KEY-----"),
                    "{}",
                    quoted.text
                );
            }
        }
    }
}

fn gateway(bytes: &[u8]) {
    let text = text(bytes);
    if let Err(fault) = yaml::from_text::<yaml::Value>(&format!("{text}\nkey: {CANARY}\n  - {CANARY}\n")) {
        assert!(!fault.0.contains(CANARY), "{}", fault.0);
    }
    match Gateway::parse(&text) {
        Ok(gateway) => {
            let _ = (gateway.parsed_routes(None), gateway.texts(), gateway.open_finding(), gateway.allowed_nets());
            let _ = (gateway.listens_on_loopback(), gateway.has_upstream_trust_anchor());
            assert_eq!(gateway.shown_routes().len(), gateway.routes.len());
            // A key that is a map or a list cannot be written.
            if let Ok(written) = gateway.to_yaml() {
                assert_eq!(Gateway::parse(&written).as_ref(), Ok(&gateway), "{written}");
            }
        }
        Err(fault) => assert!(!fault.text.is_empty()),
    }
}

fn compose(bytes: &[u8]) {
    let found = Found::of_text(&text(bytes));
    let roles = found.roles();
    for name in found.service_names() {
        assert!(redact::names::is_valid(&name), "{name:?} goes into commands");
        let _ = (found.mounts(&name), found.environment(&name), found.command(&name), found.url(&name));
        let _ = (found.networks(&name), found.external_networks(&name), found.is_started(&name), found.ports(&name));
        let _ = (found.file_in(&name, "/data/tls.crt"), found.lives_in(&name), found.dials(&name));
    }
    if let (Some(agent), Some(proxy)) = (&roles.agent, &roles.proxy) {
        assert_ne!(agent, proxy, "one service in two roles");
        let _ = (found.reaches(agent, proxy), found.subnets_between(agent, proxy));
    }
    let _ = (found.faults(), found.paths(), found.invalid_names(), found.services());
    let privileges = Privileges::of(&found, &Deployment::at(std::path::Path::new("/nowhere")), &|_| true);
    assert_eq!(privileges.findings(false).len(), privileges.facts.len());
}

fn log(bytes: &[u8]) {
    if memchr::memmem::find(bytes, CANARY.as_bytes()).is_some() {
        return;
    }
    let line = format!("wiki-1  | ERROR: request failed Authorization: Bearer {CANARY}");
    let all = [bytes, b"\n", line.as_bytes(), b"\nwiki-1 exited with code 1\n"].concat();
    let mut logs = Logs::new(None).expect("the tables are sound");
    let extent = scan(Decoded::new(all.as_slice()), &mut logs).expect("bytes can be read");
    assert!(extent.lines <= all.len() as u64 + 1);
    let verdict = logs.verdict();
    for finding in &verdict.findings {
        for quoted in &finding.evidence {
            let said = &quoted.text;
            assert!(!said.contains(CANARY), "{said}");
            assert!(!said.contains(|c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{200b}')), "{said:?}");
            assert!(said.chars().count() <= 300, "{said}");
        }
    }
    let is_error = verdict.findings.iter().any(|finding| finding.severity == Severity::Error);
    assert!(!(verdict.healthy && is_error), "healthy beside an error");
}

/// How secrets are written; `{S}` is one.
pub(crate) const FORMS: &[&str] = &[
    "Authorization: Bearer {S}",
    "Authorization: Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"/\", response=\"{S}\"",
    "{\"password\":\"{S}\",\"n\":1}",
    "curl -H 'X-Api-Key: {S}' http://host",
    "DB_PASSWORD={S} ok",
    "--token {S} run",
    "http://user:{S}@host:80/x",
    "Cookie: sid={S}; Path=/",
    "level=ERROR msg=\"x\" token={S}",
    "token: '{S}'",
    "headers: map[X-Api-Key:[{S}]]",
    "(b'x-api-key', b'{S}')",
    "authorization=Bearer\t {S}",
    "Bearer \"{S}\"",
    "[\"X-Api-Key\", \"{S}\"]",
    "{\"name\":\"x-api-key\",\"value\":\"{S}\"}",
    "{Name:DB_PASSWORD Value:{S}}",
    "[\"serve\", \"--api-key\", \"{S}\"]",
    "serve --password 'a {S}' --port 80",
    "password => {S}",
    "\"password\" : \"{S}\"",
    "params['token'] = '{S}'",
    "{\\\"x-api-key\\\": \\\"{S}\\\"}",
    "{\"cookie\":[\"a=b\",\"c={S}\"]}",
    "cookie=a=1; sid={S} status=200",
    "Set-Cookie: sid={S}; Path=/",
    "Proxy-Authorization: Basic {S}",
    "x: AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=h, Signature={S}",
    "sk_live_{S}",
    "https://hooks.slack.com/services/{S}",
    "GET /x?token={S}&n=1",
    "Server=db;Password={S};Database=x",
    "postgres://u:pa/{S}@h/x",
    "<password>{S}</password>",
];

/// What parts a secret's form from what stands around it: no letter of a name, which would make it another name.
const GLUE: &[&str] =
    &["\n", " ", "\t", ",", ";", "\"", "'", "{", "}", "(", "[", "]", "&", "|", "`", "=", ":", "<", "/", "#"];

/// The first bytes choose the form of the secret, and what parts it from the rest: all of it in front, all behind, or half.
fn redacted(bytes: &[u8]) {
    let [form, front, behind, around @ ..] = bytes else { return };
    let of = |choices: &[&'static str], choice: u8| choices[usize::from(choice) % choices.len()];
    let around = text(around);
    let half = redact::head(&around, around.len() * usize::from(behind >> 6) / 3);
    let secret = of(FORMS, *form).replace("{S}", CANARY);
    let said = [half, of(GLUE, *front), &secret, of(GLUE, *behind & 0x3f), &around[half.len()..]].concat();
    let shown = if form & 0x80 == 0 { redact::foreign(&said) } else { redact::excerpt(&said, "n") };
    assert!(!shown.contains(CANARY), "{said:?} is shown as {shown}");
    let mut value = json!({ "x": [&around], "y": 1 });
    redact::gate(&mut value);
    assert!(!value.to_string().contains("PRIVATE KEY-----"), "{value}");
}

/// Servers in memory: the answers are parted by a NUL, each connection gets the next one, and the last one is repeated.
struct Answers<'a> {
    bytes: &'a [u8],
    /// Connections so far to each of the two ports: they are asked at once.
    turns: [AtomicUsize; 2],
}

/// An answer that comes a half of what is left at a time.
struct Answer(Cursor<Vec<u8>>);

impl Network for Answers<'_> {
    fn connect(&self, to: SocketAddrV4, _: Duration) -> io::Result<Box<dyn Connection>> {
        let turn = self.turns[usize::from(to.port() % 2)].fetch_add(1, Ordering::Relaxed);
        let all = || self.bytes.split(|byte| *byte == 0);
        let answer = all().nth(turn).or_else(|| all().next_back()).unwrap_or_default();
        Ok(Box::new(Answer(Cursor::new(answer.to_vec()))))
    }
}

impl Connection for Answer {
    fn limit(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.0.get_ref().len() - usize::try_from(self.0.position()).unwrap_or_default();
        let next = left.div_ceil(2).min(buffer.len());
        self.0.read(&mut buffer[..next])
    }
}

impl Write for Answer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn mcp(bytes: &[u8]) {
    let ask: Ask = serde_json::from_value(json!({
        "deadline_ms": 4000,
        "routes": [{
            "route": "x", "https": false, "host": "127.0.0.1", "port": 8000, "tunnel_host": "x.example.com",
            "path": "/mcp", "other_paths": ["/"], "allowed": "anything", "trust": {}, "limit_ms": 3000,
        }],
        "metrics": ["127.0.0.1:8001"],
    }))
    .expect("a request of ours");
    let told = inside::answer(&Answers { bytes, turns: [AtomicUsize::new(0), AtomicUsize::new(0)] }, &ask);
    assert_eq!(told.routes.len(), 1);
    let seen = &told.routes[0];
    assert!(seen.server.is_some() || seen.tries.iter().any(|tried| tried.ms <= 4000), "{seen:?}");
    // It goes to the helper as one line.
    let line = serde_json::to_string(&told).expect("our own types can be written");
    assert!(!line.contains('\n') && line.len() < 64 << 10, "{} bytes", line.len());
    serde_json::from_str::<crate::probe::wire::Told>(&line).expect("the helper reads it");
}
