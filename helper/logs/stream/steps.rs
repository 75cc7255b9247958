//! The steps of the proxy and of a server, and the answers to calls.

use super::{Stream, host, symptom};
use crate::logs::access::Access;
use crate::logs::calls::{self, Meaning};
use crate::logs::fault::Fault;
use crate::logs::forwarded::is_refusal;
use crate::logs::kind::WriterKind;
use crate::logs::level;
use crate::logs::line::{Line, field, upstream};
use crate::logs::matcher::Writer;
use crate::logs::patterns::{Effect, Event};
use crate::logs::repeats::Repeats;
use crate::rules::RuleId;

/// Routes beyond which names are no longer remembered.
const MOST_ROUTES: usize = 1_000;

/// Whether npm says that the program ended which it runs.
fn is_of_npm(fault: &Fault) -> bool {
    fault.rule == Some(RuleId::UnexplainedError) && fault.text.starts_with("npm ")
}

impl Stream {
    /// A step of the proxy or of a server.
    pub(super) fn step(&mut self, event: Event, number: u64, line: &Line<'_>) {
        let text = line.text;
        match event {
            Event::Route | Event::ProxyStart => {
                self.began(Writer::Proxy, line.at);
                // A new life: what calls met in the last one may have been fixed.
                let earlier = |f: &Fault| f.at.zip(line.at).is_none_or(|(failed, now)| failed <= now);
                self.faults.heal(|f| f.writer == Writer::Proxy && f.effect == Effect::Call && earlier(f));
                let name = field(text, "subdomain").or_else(|| field(text, "route")).or_else(|| field(text, "name"));
                if event == Event::ProxyStart {
                    self.forwarded.begin_anew();
                }
                if event == Event::Route && self.routes.len() < MOST_ROUTES {
                    self.routes.insert(name.unwrap_or(text).to_owned(), upstream(text).to_owned());
                }
            }
            Event::CallStarted => self.call_began(line),
            Event::CallDone => self.passed_on(number, line),
            Event::ServerStart | Event::AppStart => {
                (self.has_server, self.begins_anew) = (true, true);
                self.life.start();
                if event == Event::AppStart {
                    self.life.undecided = true;
                }
                self.faults.heal(|f| f.rule == Some(RuleId::UnexplainedError));
            }
            Event::Worker => {
                self.life.resumes();
                self.replaced = true;
            }
            Event::SessionGone => self.calls.session_gone(number, line),
            Event::Listening => self.listens(number, line),
            Event::Stopped => {
                if text.starts_with("npm ") {
                    self.life.resumes();
                    self.faults.forget(is_of_npm);
                }
                self.life.stops(number, line);
            }
            Event::Pip => {
                self.silent_starts = if self.pip_was_last { self.silent_starts + 1 } else { 1 };
                self.pip_was_last = true;
            }
            Event::OtherProxy => {
                self.other_proxy.get_or_insert_with(|| (number, text.to_owned()));
                if level::is_error(text) {
                    self.unexplained(number, line);
                }
            }
            // cloudflared's, or of no meaning here.
            _ => {}
        }
    }

    /// A call came to the proxy: it runs, its TLS works, and it has that route.
    fn call_began(&mut self, line: &Line<'_>) {
        self.life.listens();
        self.calls.see(None, line);
        let host = host(line.text);
        self.forwarded.began(host, line.text);
        self.faults.heal(|f| {
            let tls = f.rule.is_some_and(|rule| rule.rule().layer == crate::answer::Layer::Tls);
            let no_route = f.rule == Some(RuleId::NoRoute) && f.subject == host;
            f.writer == Writer::Proxy && (f.effect == Effect::Fatal || tls || no_route)
        });
    }

    fn listens(&mut self, number: u64, line: &Line<'_>) {
        self.listening = true;
        self.repeats = Repeats::default();
        self.calls.began();
        // A certificate that the program does not trust is trusted no sooner because it listens.
        let anew = std::mem::take(&mut self.begins_anew) || self.life.is_over();
        self.ports.listens(anew, number, line.text);
        // What ended a server that was at work ends it again.
        let crashed = self.life.is_over() && self.life.served;
        self.began(Writer::Server, line.at);
        self.life.listens();
        let is_over = |f: &Fault| anew || f.rule != Some(RuleId::UpstreamCallTls);
        self.faults.restart(crashed, |f| f.writer == Writer::Server && is_over(f));
    }

    /// The program says that it began well.
    fn began(&mut self, writer: Writer, at: Option<i64>) {
        self.outlived = None;
        self.life.start();
        self.faults.started(writer, at);
    }

    /// The proxy passed an answer on.
    fn passed_on(&mut self, number: u64, line: &Line<'_>) {
        let text = line.text;
        let host = host(text).to_owned();
        let status = field(text, "status").and_then(|status| status.parse::<u16>().ok()).unwrap_or(200);
        self.calls.passed_on(status, line);
        let meaning = self.forwarded.ended(&host, status, number, line);
        let refused = match meaning {
            Meaning::Failed(pattern) => Some(pattern),
            // 405 is the usual answer to a client that asks for a stream.
            Meaning::Passed | Meaning::Nothing => calls::refused_by(status).filter(|_| status != 405),
        };
        let passed = matches!(meaning, Meaning::Passed);
        if status < 500 {
            self.faults.heal(|f| {
                let about = f.subject.is_empty() || host.is_empty() || f.subject == host;
                let decides = passed || refused.is_some() || !is_refusal(f);
                f.writer == Writer::Proxy && f.effect == Effect::Call && about && decides
            });
        }
        if passed {
            self.faults.pass_besides(RuleId::NoRoute);
        }
        if let Some(pattern) = refused {
            self.faults.record(&symptom(pattern, Writer::Proxy, &host, number, line, true));
        }
    }

    /// A server answered a call.
    pub(super) fn answered(&mut self, access: &Access<'_>, number: u64, line: &Line<'_>) {
        self.has_server |= self.kind != WriterKind::Bare || access.method == "POST";
        self.life.listens();
        self.repeats = Repeats::default();
        match self.calls.take(access, number, line) {
            Meaning::Nothing => {}
            Meaning::Passed => {
                self.life.serves();
                let replaced = std::mem::take(&mut self.replaced);
                // What the server calls itself is another matter; what a worker met ended with it.
                // A disk is no emptier for it.
                self.faults.outlive(RuleId::DiskFull);
                self.faults.answer();
                self.faults.heal(|f| {
                    let unexplained = f.rule == Some(RuleId::UnexplainedError) && !replaced;
                    let own = unexplained || f.effect == Effect::Outgoing || f.survived;
                    f.writer == Writer::Server && !own
                });
            }
            Meaning::Failed(pattern) => {
                self.faults.record(&symptom(pattern, Writer::Server, access.route(), number, line, true));
            }
        }
    }
}
