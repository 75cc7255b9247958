//! What one program's lines say of another's faults: the proxy's answers and the servers' own, a change outside of the log.

use super::Logs;
use super::fault::Fault;
use super::forwarded::{Host, is_pass, is_vague};
use super::kind::writer_of;
use super::line::field;
use super::matcher::Writer;
use super::patterns::Effect;
use super::quote::same_service;
use super::stream::Stream;

impl Logs {
    /// Compares what the proxy says of calls with what the servers behind it say: their lines of a call tell more than
    /// its status, and a server whose calls are answered outlived the errors before.
    pub(super) fn compare_calls(&mut self) {
        let is_server = |s: &Stream| !s.has_proxy && !s.name.is_empty() && writer_of(&s.name).is_none();
        let servers: Vec<usize> = (0..self.streams.len()).filter(|at| is_server(&self.streams[*at])).collect();
        for proxy in 0..self.streams.len() {
            let mut hosts = std::mem::take(&mut self.streams[proxy].forwarded.hosts);
            // Lines of calls that passed are kept, and not read one by one.
            for (at, text) in self.streams[proxy].life.recent().filter(|(_, text)| is_pass(text)) {
                let host = field(&text, "host").and_then(|name| hosts.get_mut(name));
                if let Some((at, (_, last))) = at.zip(host.and_then(|host| host.answered.as_mut())) {
                    *last = at.max(*last);
                }
            }
            for (name, host) in &hosts {
                let behind = self.behind_host(proxy, name, host, &servers);
                let told = behind.iter().any(|at| self.streams[*at].calls.tells());
                let faults = &mut self.streams[proxy].faults;
                faults.forget(|f| told && f.subject == *name && is_vague(f));
                let fails =
                    faults.open().any(|f| f.writer == Writer::Proxy && f.effect == Effect::Call && f.subject == *name);
                let Some(answered) = host.answered.filter(|_| !fails) else { continue };
                for at in behind.into_iter().filter(|at| *at != proxy) {
                    let stream = &mut self.streams[at];
                    stream.faults.answered_between(answered, stream.dated.zip(stream.last));
                }
            }
            self.streams[proxy].forwarded.hosts = hosts;
        }
    }

    /// The streams of the servers that a host's calls go to. Where no line tells, or none has that name (an alias, a
    /// container's own name), it is the only server, for a name the only one that tells of calls.
    fn behind_host(&self, proxy: usize, name: &str, host: &Host, servers: &[usize]) -> Vec<usize> {
        if self.streams[proxy].name.is_empty() {
            return vec![proxy];
        }
        let route = name.split('.').next().unwrap_or(name);
        let upstream = match &host.upstream {
            upstream if !upstream.is_empty() => upstream,
            _ => self.streams[proxy].routes.get(route).unwrap_or(&host.upstream),
        };
        let those = |is_it: &dyn Fn(&Stream) -> bool| -> Vec<usize> {
            servers.iter().copied().filter(|at| is_it(&self.streams[*at])).collect()
        };
        let named = those(&|server| !upstream.is_empty() && same_service(&server.name, upstream));
        if !named.is_empty() {
            return named;
        }
        let only = those(&|server| upstream.is_empty() || server.calls.tells());
        if only.len() == 1 { only } else { Vec::new() }
    }

    /// Forgets faults from before a moment, in seconds since 1970, at which something outside of the log changed what
    /// they were about. A fault without a moment stays.
    pub(crate) fn forget_before(&mut self, moment: i64, is_about: impl Fn(&Fault) -> bool) {
        for stream in &mut self.streams {
            stream.faults.forget(|f| f.at.is_some_and(|at| at < moment) && is_about(f));
        }
    }
}
