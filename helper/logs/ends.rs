//! Containers that end, and those that are started over and over, by their own logs and by the table of containers.

use super::Logs;
use super::fault::Fault;
use super::kind::writer_of;
use super::life;
use super::matcher::Writer;
use super::patterns::Effect;
use super::programs::StreamFault;
use super::quote::{SILENT, about_service, quote, quote_kept, same_service};
use super::stream::Stream;
use crate::answer::{Evidence, Finding, Severity, count};
use crate::rules::{self, Remedy, RuleId};

/// One container that ended, how its log tells, and what it ended of.
struct Ended {
    service: String,
    text: String,
    /// What it printed last.
    words: Vec<Evidence>,
    cause: Option<RuleId>,
    /// Only its first lines tell of it.
    silent: bool,
}

impl Ended {
    fn of(stream: &Stream, text: String, cause: Option<RuleId>) -> Self {
        Self { service: stream.name.clone(), text, words: last_words(stream), cause, silent: false }
    }
}

/// What a program printed last before it ended.
pub(super) fn last_words(stream: &Stream) -> Vec<Evidence> {
    stream.life.last_words().iter().map(|kept| quote_kept(&stream.name, kept)).collect()
}

/// What a program ended of, as far as its faults tell.
pub(super) fn fault(stream: &Stream) -> Option<&Fault> {
    let fatal = |f: &&Fault| f.effect == Effect::Fatal;
    let fault = stream.faults.open().find(fatal);
    let stdio = || stream.faults.find(Some(RuleId::UpstreamStdio));
    fault.or_else(stdio).or_else(|| stream.faults.find(Some(RuleId::UnexplainedError)))
}

/// The rule of what a program ended of.
pub(super) fn cause(stream: &Stream) -> Option<RuleId> {
    fault(stream).and_then(|f| f.rule)
}

/// Adds what is found of ends.
pub(super) fn judge(logs: &Logs, calls: &[StreamFault<'_>], findings: &mut Vec<Finding>) {
    let looping = loops(logs, calls, findings);
    for stream in &logs.streams {
        if looping.iter().any(|ended| same(&ended.service, &stream.name)) {
            continue;
        }
        findings.extend(ended_once(logs, stream, findings));
    }
    if looping.is_empty() {
        return;
    }
    let mut finding = rules::finding(RuleId::CrashLoop);
    if let [one] = looping.as_slice() {
        finding = finding.with(Evidence::of(&one.service, &one.text));
        finding = about_service(finding.with_all(one.words.clone()), &one.service);
    } else {
        for ended in &looping {
            let last = ended.words.last().map(|words| format!("; last line: {}", words.text)).unwrap_or_default();
            finding = finding.with(Evidence::of(&ended.service, format!("{}{last}", ended.text)));
        }
    }
    // Where several are started over and over: the one that is to be fixed first.
    let layer = |id: RuleId| findings.iter().find(|f| f.id == id).map(|f| f.layer);
    let causes = looping.iter().filter_map(|ended| ended.cause).filter_map(|id| Some((layer(id)?, id)));
    finding.consequence_of = causes.min_by_key(|(layer, _)| *layer).map(|(_, id)| id);
    if looping.iter().all(|ended| ended.silent) && logs.last_call().is_none() {
        finding.severity = Severity::Warning;
    }
    findings.push(finding);
}

fn same(a: &str, b: &str) -> bool {
    a == b || same_service(a, b)
}

/// The first line of a server comes back.
fn repeats(stream: &Stream) -> Option<Ended> {
    let first = stream.repeats.first().filter(|_| stream.repeats.times >= SILENT && !stream.life.runs)?;
    let times = count(stream.repeats.times, "time");
    let text = format!("printed the same first line {times}, and never that it listens");
    let words = vec![quote_kept(&stream.name, first)];
    Some(Ended { words, silent: true, ..Ended::of(stream, text, cause(stream)) })
}

/// The last words of a server come back. Twice may be one life, pasted twice.
fn ends_alike(stream: &Stream) -> Option<Ended> {
    let words = stream.life.last_words();
    let from = words.first().filter(|_| stream.life.is_over() && writer_of(&stream.name).is_none())?.number;
    let last = |f: &&Fault| f.writer == Writer::Server && f.same && f.latest >= from;
    let told = stream.faults.open().filter(last).map(|f| f.count).max();
    let times = told.unwrap_or_default().max(stream.life.failed_alike());
    let text = format!("ended with the same words {}, and never said that it listens", count(times, "time"));
    (times >= SILENT).then(|| Ended::of(stream, text, cause(stream)))
}

/// The containers that are started over and over.
fn loops(logs: &Logs, calls: &[StreamFault<'_>], findings: &[Finding]) -> Vec<Ended> {
    let mut looping: Vec<Ended> = Vec::new();
    let fatal_agents =
        logs.agents().flat_map(|s| s.faults.open().filter(|f| f.writer == Writer::Agent).map(move |f| (s, f)));
    let fatal = calls.iter().map(|found| (found.stream, found.fault)).chain(fatal_agents);
    let again = |stream: &Stream, f: &Fault| f.ends >= 2 || f.writer == Writer::Agent && stream.agent.revived > 0;
    for (stream, fault) in fatal.filter(|(stream, f)| f.effect == Effect::Fatal && again(stream, f)) {
        if !looping.iter().any(|ended| ended.service == stream.name) {
            let words = vec![quote(&stream.name, fault)];
            let text = "ended with the same line, and was started again".to_owned();
            looping.push(Ended { words, ..Ended::of(stream, text, fault.rule) });
        }
    }
    for stream in logs.streams.iter().filter(|s| s.silent_starts >= SILENT) {
        let text = format!("started {}", count(stream.silent_starts, "time"));
        looping.push(Ended::of(stream, text, Some(RuleId::UpstreamStdio)));
    }
    for stream in &logs.streams {
        let life = &stream.life;
        let killed = life.code == Some(137) && life.kills >= 2;
        let server = writer_of(&stream.name).is_none();
        let idle = life.code == Some(0) && life.successes >= 2 && server;
        if let Some(code) = life.code.filter(|_| life.failures >= 2 || killed || idle) {
            let text = format!("exited with code {code}{}, {}", life::meaning(code), count(life.ends(), "time"));
            looping.retain(|ended| ended.service != stream.name);
            looping.push(Ended::of(stream, text, cause(stream)));
        }
    }
    for row in logs.rows.iter().filter(|row| row.is_restarting()) {
        let stream = logs.streams.iter().find(|s| same_service(&s.name, &row.service) && !s.name.is_empty());
        let stdio = || findings.iter().find(|f| f.id == RuleId::UpstreamStdio).map(|f| f.id);
        let cause = stream.and_then(cause).or_else(stdio);
        let known = looping.iter().position(|ended| stream.is_some_and(|s| s.name == ended.service));
        let before = known.map(|at| looping.remove(at));
        let meaning = row.exit_code().map(life::meaning).unwrap_or_default();
        let ended = match (stream, before) {
            (_, Some(before)) => Ended { text: row.status.clone(), ..before },
            (Some(stream), None) => Ended::of(stream, format!("{}{meaning}", row.status), cause),
            (None, None) => Ended {
                service: row.service.clone(),
                text: format!("{}{meaning}; it printed nothing here", row.status),
                words: Vec::new(),
                cause,
                silent: false,
            },
        };
        looping.push(ended);
    }
    // Where a call was answered, one of them listens.
    for again in [repeats, ends_alike].into_iter().filter(|_| logs.last_call() != Some(true)) {
        let known = |stream: &Stream| looping.iter().any(|ended| same(&ended.service, &stream.name));
        let servers = logs.streams[1..].iter().filter(|stream| !stream.life.served && !known(stream));
        let found: Vec<Ended> = servers.filter_map(again).collect();
        looping.extend(found);
    }
    looping
}

/// A container that exited by itself: starting it alone changes nothing.
pub(super) fn stopped(service: &str, code: i32) -> Finding {
    let finding = about_service(rules::finding(RuleId::ServiceStopped), service);
    match code {
        137 => finding.with_remedy(Remedy::KILLED),
        // It was stopped, or was done.
        _ if code == 0 || life::is_stop(code) => finding,
        _ => finding.with_remedy(Remedy::ENDED),
    }
}

/// Servers that said that they stop in good order, and did not start again: worth knowing where one was seen to work;
/// what began in the log and stopped without ever listening read its standard input.
pub(super) fn judge_stops(logs: &Logs, findings: &mut Vec<Finding>) {
    // The whole stack was stopped.
    if logs.agents().any(|stream| stream.agent.stopped.is_some()) {
        return;
    }
    for stream in logs.streams.iter().filter(|stream| writer_of(&stream.name).is_none() && !stream.life.is_over()) {
        let Some(kept) = stream.life.stopped() else { continue };
        let finding = if stream.life.served {
            rules::finding(RuleId::ServiceStopped).with_severity(Severity::Note)
        } else if stream.life.never_listened() && !findings.iter().any(|f| f.id == RuleId::UpstreamStdio) {
            rules::finding(RuleId::UpstreamStdio)
        } else {
            continue;
        };
        findings.push(about_service(finding.with(quote_kept(&stream.name, kept)), &stream.name));
    }
}

/// Whether it ended with a code that says only that it was stopped, or was done, though nothing asked it to, and nothing
/// says that it was started again.
fn left(logs: &Logs, stream: &Stream) -> Option<i32> {
    let code = |s: &Stream| s.life.left(writer_of(&s.name).is_some());
    let named = || logs.streams.iter().filter(|s| !s.name.is_empty());
    let is_up = logs.rows.iter().any(|row| row.is_up() && same_service(&stream.name, &row.service));
    // Compose 1 prints under another name than the one that it reports the end of.
    let silent = stream.life.last_words().is_empty();
    let twice = silent && named().any(|s| s.name != stream.name && same_service(&s.name, &stream.name));
    // All of it was stopped.
    let all =
        logs.agents().any(|s| s.agent.stopped.is_some()) || named().count() > 1 && named().all(|s| code(s).is_some());
    code(stream).filter(|_| !is_up && !twice && !all)
}

/// A container that ended once, and nothing asked it to.
fn ended_once(logs: &Logs, stream: &Stream, findings: &[Finding]) -> Option<Finding> {
    let failed = stream.life.code.filter(|code| *code != 0 && !life::is_stop(*code));
    let code = failed.or_else(|| left(logs, stream))?;
    let known = |id: &RuleId| findings.iter().find(|f| f.id == *id);
    let cause = cause(stream).filter(|id| known(id).is_some());
    // A fault that is told says more than such a code.
    if failed.is_none() && cause.as_ref().and_then(known).is_some_and(|f| f.severity == Severity::Error) {
        return None;
    }
    let again = stream.life.is_printing();
    let text = format!("exited with code {code}{}", life::meaning(code));
    let finding = stopped(&stream.name, code).with(Evidence::of(&stream.name, text));
    let mut finding = finding.with_all(last_words(stream));
    finding.consequence_of = cause;
    Some(if again { finding.with_severity(Severity::Warning).with("it was started again") } else { finding })
}
