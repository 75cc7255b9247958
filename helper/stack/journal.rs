//! What a container's log says of its present life: state, not occurrences.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::container::Container;
use super::docker::Docker;
use crate::answer::Error;
use crate::logs::signs::{self, Sign};

/// Reading the log of one container may take this long: tens of megabytes on a slow disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// Edge connections that cloudflared wants unless it says otherwise.
pub(crate) const CONNECTIONS: u32 = 4;

/// Texts after which a connection is no longer there, whatever the rest of the line says.
const LOST: [&str; 7] = [
    "Unregistered tunnel connection",
    "Lost connection with the edge",
    "Serve tunnel error",
    "Failed to serve quic connection",
    "failed to serve tunnel connection",
    "Connection terminated",
    "Retrying connection in up to",
];

/// The registration fails over and over, and over QUIC cloudflared never prints the edge's reason.
const HIDDEN_REJECTION: &str = "control stream encountered a failure while serving";

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Anthropic's proxy, whose format is not documented.
    Proxy,
    /// cloudflared, console or JSON.
    Cloudflared,
}

/// The state that the lines of one life add up to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    /// Which life this is.
    life: String,
    /// Time of the last line read, so that the next look goes on there.
    read_to: Option<String>,
    first: Option<OffsetDateTime>,
    started_marker: bool,
    readable: bool,
    /// Per connection index, whether it is registered now.
    connections: BTreeMap<u32, bool>,
    /// Connections that cloudflared can have at most, where it said so.
    at_most: Option<u32>,
    protocol: Option<String>,
    /// Lines that say `route configured`, as many as there can sensibly be.
    routes: BTreeSet<String>,
    hidden_rejections: u32,
    quic_timeouts: u32,
    tcp_failures: u32,
    ever_registered: bool,
    /// What is broken for good, with the line that says so.
    pub(crate) proof: Option<(&'static str, String)>,
    /// The last lines that complain.
    complaints: Vec<String>,
}

impl Journal {
    /// Reads what was printed since the last look, or from the beginning of the container's present life.
    ///
    /// # Errors
    /// `io` when docker cannot be started.
    pub(crate) fn read(&mut self, docker: &Docker, container: &Container, writer: Writer) -> Result<(), Error> {
        if self.life != container.life() {
            *self = Self { life: container.life().to_owned(), ..Self::default() };
        }
        let since = self.read_to.clone().or_else(|| container.log_since().map(str::to_owned));
        let args: Vec<&str> = since.iter().flat_map(|since| ["--since", since.as_str()]).collect();
        let from = self.read_to.clone();
        self.readable = docker.logs_in_order(&args, &container.id, PATIENCE, |stamp, text| {
            // `--since` includes its own moment: what was read before must not count twice.
            if from.as_deref().is_none_or(|from| stamp > from) {
                self.take(stamp, text, writer);
            }
        })?;
        Ok(())
    }

    fn take(&mut self, stamp: &str, text: &str, writer: Writer) {
        if self.first.is_none() {
            self.first = OffsetDateTime::parse(stamp, &Rfc3339).ok();
        }
        if self.read_to.as_deref().is_none_or(|read| read < stamp) {
            self.read_to = Some(stamp.to_owned());
        }
        match writer {
            Writer::Proxy => self.take_proxy(text),
            Writer::Cloudflared => self.take_cloudflared(text),
        }
    }

    fn note(&mut self, line: &str, signs: &[Sign]) {
        if let Some(rule) = signs::proof(line, signs) {
            self.proof = Some((rule, line.to_owned()));
        }
    }

    fn complain(&mut self, line: &str) {
        if self.complaints.len() >= 2 {
            self.complaints.remove(0);
        }
        self.complaints.push(line.to_owned());
    }

    fn take_proxy(&mut self, line: &str) {
        if line.contains("route configured") && self.routes.len() < MOST_ROUTES {
            self.routes.insert(line.to_owned());
        }
        self.note(line, signs::PROXY);
        if line.contains("ERROR") || line.contains("error") {
            self.complain(line);
        }
    }

    fn take_cloudflared(&mut self, line: &str) {
        if line.contains("Starting tunnel") {
            let kept = (self.life.clone(), self.read_to.clone(), self.first);
            *self = Self { life: kept.0, read_to: kept.1, first: kept.2, started_marker: true, ..Self::default() };
            return;
        }
        if let Some(rest) = line.split("HA connections but I can give you at most ").nth(1) {
            self.at_most = rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok());
        }
        let index = connection_index(line);
        if line.contains("Registered tunnel connection") && !line.contains("Unregistered") {
            if let Some(index) = index {
                self.connections.insert(index, true);
                self.ever_registered = true;
                self.proof = None;
                self.hidden_rejections = 0;
                self.protocol = field(line, "protocol").map(str::to_owned).or(self.protocol.take());
            }
            return;
        }
        if LOST.iter().any(|text| line.contains(text))
            && let Some(index) = index
        {
            self.connections.insert(index, false);
        }
        if line.contains("Initiating graceful shutdown") {
            self.connections.clear();
        }
        if line.contains("Serve tunnel error") && line.contains(HIDDEN_REJECTION) {
            self.hidden_rejections += 1;
        }
        if line.contains("failed to dial to edge with quic: timeout") {
            self.quic_timeouts += 1;
        }
        if line.contains("DialContext error: dial tcp") {
            self.tcp_failures += 1;
        }
        self.note(line, signs::CLOUDFLARED);
        let console = line.contains(" ERR ") || line.contains(" WRN ") || line.contains(" FTL ");
        if console || line.contains("\"level\":\"error\"") || line.contains("\"level\":\"warn\"") {
            self.complain(line);
        }
    }

    /// How many distinct connections are registered now.
    pub(crate) fn registered(&self) -> u32 {
        u32::try_from(self.connections.values().filter(|up| **up).count()).unwrap_or(u32::MAX)
    }

    /// How many connections there should be.
    pub(crate) fn wanted(&self, container: &Container) -> u32 {
        let asked = container.flag("--ha-connections").or_else(|| container.variable("TUNNEL_HA_CONNECTIONS"));
        let asked = asked.and_then(|n| n.parse().ok()).unwrap_or(CONNECTIONS);
        self.at_most.map_or(asked, |most| most.min(asked)).max(1)
    }

    /// How the connections are made, `quic` or `http2`.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Whether a line that is missing was really not printed: the log can be read, reaches back to the start of this
    /// life, and nothing was rotated away.
    pub(crate) fn is_whole(&self, container: &Container, now: OffsetDateTime) -> bool {
        if !self.readable {
            return false;
        }
        if self.started_marker {
            return true;
        }
        // A log that holds next to nothing may have lost the very first lines within the first second.
        if container.log_capacity().is_some_and(|bytes| bytes < 256 << 10) {
            return false;
        }
        match (self.first, container.started()) {
            (Some(first), Some(started)) => first <= started + Duration::from_secs(2),
            // Nothing printed yet proves something only while it is still early.
            (None, Some(_)) => container.age(now) < Duration::from_secs(60),
            (_, None) => false,
        }
    }

    /// Whether the proxy said that it took up a route. All of them are, once there are as many lines as routes: the
    /// format of the line is not documented, so the name may not be found in it.
    pub(crate) fn has_route(&self, name: &str, of: usize) -> bool {
        self.routes.len() >= of || self.routes.iter().any(|line| has_value(line, name))
    }

    /// What is broken for good or looks so, for a tunnel that has no connection at all.
    pub(crate) fn edge_suspicions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if !self.ever_registered && self.hidden_rejections >= 3 {
            let text = format!("{} registrations failed with `{HIDDEN_REJECTION}`", self.hidden_rejections);
            found.push(("token-rejected", text));
        }
        if self.quic_timeouts > 0 {
            found.push(("edge-quic-blocked", format!("{} QUIC attempts timed out", self.quic_timeouts)));
        }
        if self.tcp_failures > 0 {
            found.push(("edge-tcp-blocked", format!("{} TCP attempts failed", self.tcp_failures)));
        }
        found
    }

    /// The last lines that complain, the oldest first.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }
}

/// Routes beyond which lines are no longer remembered.
const MOST_ROUTES: usize = 1_000;

/// Whether a word stands in a line, and not as the name of a field (`name=`, `"name":`).
fn has_value(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(is_label)
            && !after.starts_with(is_label)
            && !after.starts_with('=')
            && !after.trim_start_matches('"').starts_with(':')
    })
}

fn is_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// `connIndex=2` of the console format, `"connIndex":2` of the JSON one.
fn connection_index(line: &str) -> Option<u32> {
    let rest = line.split("connIndex=").nth(1).or_else(|| line.split("\"connIndex\":").nth(1))?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

/// `name=value` of the console format, `"name":"value"` of the JSON one.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let console = format!(" {name}=");
    let json = format!("\"{name}\":\"");
    let rest = line.split_once(&console).or_else(|| line.split_once(&json))?.1;
    rest.split([' ', '"', ',', '}']).next().filter(|value| !value.is_empty())
}

/// The last lines of a container's present, or last, life, the oldest first.
///
/// # Errors
/// `io` when docker cannot be started.
pub(crate) fn last_lines(docker: &Docker, container: &Container) -> Result<Vec<String>, Error> {
    // Docker notes the start a little after the program has begun to print.
    let start = container.started().map(|started| started - Duration::from_millis(300));
    let mut lines = Vec::new();
    docker.logs_in_order(&["--tail", "40"], &container.id, PATIENCE, |stamp, text| {
        let of_this_life = match (OffsetDateTime::parse(stamp, &Rfc3339), start) {
            (Ok(at), Some(start)) => at >= start,
            _ => true,
        };
        if of_this_life {
            lines.push(text.to_owned());
        }
    })?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(lines: &[&str]) -> Journal {
        let mut journal = Journal::default();
        for line in lines {
            journal.take_cloudflared(line);
        }
        journal
    }

    const UP: &str = "2026-11-22T20:45:19Z INF Registered tunnel connection connIndex=0 connection=11d944ef-d80b-4187-8ac6-46999cb8f42b event=0 ip=198.41.192.7 location=sjc08 protocol=quic";
    const LOST: &str = "2026-11-22T20:46:19Z WRN Serve tunnel error error=\"accept stream listener encountered a failure while serving\" connIndex=0 event=0 ip=198.41.192.7";

    #[test]
    fn a_connection_is_there_until_it_is_lost_and_again_when_it_is_back() {
        assert_eq!(journal(&[UP, UP]).registered(), 1);
        assert_eq!(journal(&[UP, LOST]).registered(), 0);
        assert_eq!(journal(&[UP, LOST, UP]).registered(), 1);
        assert_eq!(journal(&[UP]).protocol(), Some("quic"));
        let json = r#"{"connIndex":3,"connection":"x","event":0,"ip":"198.41.192.7","level":"info","location":"sjc08","message":"Registered tunnel connection","protocol":"http2","time":"t"}"#;
        assert_eq!(
            (journal(&[json]).registered(), journal(&[json]).protocol().map(str::to_owned)),
            (1, Some("http2".into()))
        );
    }

    #[test]
    fn a_start_begins_a_new_life() {
        assert_eq!(journal(&[UP, "2026-11-22T20:45:19Z INF Starting tunnel tunnelID=x"]).registered(), 0);
    }

    #[test]
    fn a_failed_request_is_no_lost_connection() {
        let request = "2026-11-22T20:46:19Z ERR failed to serve incoming request error=\"Failed to proxy HTTP: x\" connIndex=0 event=1";
        assert_eq!(journal(&[UP, request]).registered(), 1);
    }

    #[test]
    fn fewer_addresses_mean_fewer_connections() {
        let line = "2026-11-22T20:45:19Z INF You requested 4 HA connections but I can give you at most 2.";
        assert_eq!(journal(&[line]).at_most, Some(2));
    }

    #[test]
    fn a_registration_heals_what_looked_broken() {
        let rejected = "2026-11-22T20:45:19Z ERR Register tunnel error from server side error=\"Unauthorized: Invalid tunnel secret\" connIndex=0";
        assert_eq!(journal(&[rejected]).proof.map(|p| p.0), Some("token-rejected"));
        assert_eq!(journal(&[rejected, UP]).proof, None);
    }

    #[test]
    fn the_hidden_rejection_is_suspected_only_without_a_registration() {
        let hidden = "2026-11-22T20:45:19Z ERR Serve tunnel error error=\"control stream encountered a failure while serving\" connIndex=0 event=0";
        assert_eq!(journal(&[hidden; 3]).edge_suspicions()[0].0, "token-rejected");
        assert!(journal(&[hidden; 2]).edge_suspicions().is_empty());
        assert!(journal(&[hidden, UP, hidden, hidden]).edge_suspicions().is_empty());
    }

    #[test]
    fn routes_are_found_by_name_or_by_number() {
        let mut journal = Journal::default();
        journal.take_proxy(r#"{"msg":"route configured","subdomain":"echo","upstream":"http://hello-mcp:9000"}"#);
        assert!(journal.has_route("echo", 2));
        assert!(!journal.has_route("ech", 2));
        assert!(!journal.has_route("other", 2));
        assert!(!journal.has_route("upstream", 2));
        assert!(journal.has_route("other", 1));
    }
}
