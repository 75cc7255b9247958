//! Whose line it is where several programs print the same words, and whether the words count at the line's level.

use super::Stream;
use crate::logs::kind::WriterKind;
use crate::logs::level;
use crate::logs::line::{Line, field};
use crate::logs::matcher::{Reading, Writer};
use crate::logs::patterns::{Effect, Event, Pattern, Tell, UNEXPLAINED};
use crate::logs::recovery;
use crate::rules::RuleId;

impl Stream {
    /// Whose line it is, what it means, and whether only this program prints it.
    pub(super) fn pattern(
        &mut self,
        line: &Line<'_>,
        reading: &Reading<'_>,
    ) -> Option<(Writer, &'static Pattern, bool)> {
        let of = |writer| {
            let counts = |row: &Pattern| self.counts(writer, row, line);
            reading.find(writer, counts).map(|pattern| (writer, pattern))
        };
        if let WriterKind::Of(writer) = self.kind {
            let own = of(writer).map(|(writer, pattern)| (writer, pattern, true));
            // Under the proxy's name another program may print, and say which one it is.
            let server = of(Writer::Server).filter(|_| writer == Writer::Proxy && !self.known);
            let foreign = server.map(|(_, pattern)| (Writer::Server, pattern, true));
            let says = foreign.filter(|(_, pattern, _)| pattern.effect == Effect::Event(Event::OtherProxy));
            return says
                .or(own)
                .or(foreign)
                .or_else(|| of(Writer::Container).map(|(_, pattern)| (writer, pattern, true)));
        }
        // zerolog's keys; the proxy's JSON has `msg`. A request's own error comes without a message.
        let keys = ["\"message\":", "\"originService\":"];
        let json = line.text.starts_with('{') && keys.iter().any(|key| line.text.contains(key));
        let agent = of(Writer::Agent).filter(|(_, pattern)| line.console || json || pattern.has(Tell::Own));
        // Other programs of Go read their command line with the same library.
        let other = self.kind == WriterKind::Unknown && !self.name.contains("tunnel");
        let agent = agent.filter(|(_, pattern)| !other || pattern.rule != Some(RuleId::CloudflaredUsage));
        // The proxy writes a level into each line; without one these are words of Go's, which any program prints.
        let proxy = of(Writer::Proxy).filter(|(_, pattern)| {
            let own = pattern.effect != Effect::Call || pattern.has(Tell::Own) || self.has_proxy;
            own || level::of(line.text).is_some()
        });
        // A name that says nothing, or a server's lines: what it dials is the server's own.
        let server = self.kind == WriterKind::Unknown || self.has_server;
        let proxy = proxy.filter(|(_, pattern)| {
            !server || !(is_of_go(pattern) || pattern.has(Tell::Shared)) || self.is_proxys(line.text)
        });
        let candidates = [agent, proxy, of(Writer::Server)];
        let tell_tale = candidates.into_iter().flatten().find(|(writer, pattern)| is_tell_tale(*writer, pattern));
        // OpenSSL's words are also Go's, in which cloudflared says why it does not connect.
        let tell_tale = tell_tale.filter(|(_, pattern)| pattern.effect != Effect::Outgoing || agent.is_none());
        // What ends either of them is the proxy's where nothing tells whose line it is.
        let both =
            candidates[1].filter(|(_, pattern)| self.kind == WriterKind::Bare && pattern.effect == Effect::Fatal);
        let tell_tale = tell_tale.filter(|(writer, _)| *writer != Writer::Server || both.is_none());
        let found = tell_tale.or(agent).or_else(|| candidates.into_iter().flatten().next());
        let Some((writer, pattern)) = found else {
            let writer = if self.kind == WriterKind::Bare { Writer::Proxy } else { Writer::Server };
            return of(Writer::Container).map(|(_, pattern)| (writer, pattern, false));
        };
        let shared = pattern.has(Tell::Shared);
        let sure = tell_tale.is_some() || agent.is_some() || shared;
        let traceback = pattern.effect == Effect::Event(Event::Traceback);
        if self.kind == WriterKind::Unknown && sure && !shared && !traceback && !pattern.is_anyones {
            self.kind = WriterKind::Of(writer);
        }
        Some((writer, pattern, sure))
    }

    /// Whether a row counts at the level of a line: below a warning, a failure is quoted, unless the program whose
    /// row it is prints its own failures so.
    fn counts(&self, writer: Writer, row: &Pattern, line: &Line<'_>) -> bool {
        if row.rule == UNEXPLAINED.rule {
            return level::of(line.text) == Some(true);
        }
        if row.has(Tell::Plain) && level::of(line.text).is_some() {
            return false;
        }
        if row.has(Tell::Starting) && self.life.served {
            return false;
        }
        // A program that says what it does instead does not end of it.
        if writer != Writer::Agent && row.effect == Effect::Fatal && recovery::is_dealt_with(line.text) {
            return false;
        }
        let listens = matches!(row.rule, Some(RuleId::UpstreamBindLoopback | RuleId::UpstreamStdio));
        if !row.is_fault() || listens || row.has(Tell::Quiet) || !level::is_quiet(line.text) {
            return true;
        }
        match writer {
            Writer::Agent => true,
            Writer::Proxy => self.kind == WriterKind::Of(Writer::Proxy) || self.is_proxys(line.text),
            Writer::Engine | Writer::Server | Writer::Container => false,
        }
    }

    /// Whether a line is evidently the proxy's: it is called so, its own lines came before, or this one names what it forwards.
    fn is_proxys(&self, text: &str) -> bool {
        let tunnel = || field(text, "host").is_some_and(|host| host.contains(".tunnel."));
        let named = ["proxy", "gateway"].iter().any(|word| self.name.contains(word));
        named
            || self.has_proxy
            || tunnel()
            || field(text, "upstream").is_some()
            || text.contains("upstream request failed")
    }
}

/// Whether the row is of what Go says of an address that it dials, or of YAML: the proxy's words and any other program's.
fn is_of_go(pattern: &Pattern) -> bool {
    let rules = [
        RuleId::UpstreamRefused,
        RuleId::UpstreamTimeout,
        RuleId::UpstreamDns,
        RuleId::UpstreamTls,
        RuleId::ProxyConfigYaml,
    ];
    pattern.rule.is_some_and(|rule| rules.contains(&rule))
}

/// Whether only one program says this.
fn is_tell_tale(writer: Writer, pattern: &Pattern) -> bool {
    match writer {
        Writer::Engine | Writer::Container => false,
        Writer::Agent => pattern.has(Tell::Own) && pattern.effect == Effect::Fatal,
        Writer::Proxy => pattern.has(Tell::Own),
        Writer::Server => !pattern.has(Tell::Shared),
    }
}
