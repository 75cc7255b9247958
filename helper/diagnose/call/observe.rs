//! All input of the wait: cloudflared's numbers and what the containers print. Decides nothing.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::data::{CallData, Possibility, Reached, Waited};
use super::judge::{CallFacts, Course, Line, judge};
use crate::answer::{Error, Skipped};
use crate::caller::Caller;
use crate::engine::client::Docker;
use crate::engine::container::Container;
use crate::engine::version;
use crate::os::process;
use crate::probe::container::{self, Place};
use crate::probe::observe::metrics_addresses;
use crate::probe::wire::{Ask, Metrics};
use crate::rules;
use crate::stack::Stack;

/// Between two looks at the logs.
const PAUSE: Duration = Duration::from_millis(400);
/// A container of the probe waits so long for other numbers, in milliseconds; then the next one does.
const TURN: u64 = 20_000;
/// Time for the program's own start and end, in milliseconds.
const SLACK: u64 = 3_000;
/// A program that gave no numbers is asked again after so long.
const AGAIN: Duration = Duration::from_secs(2);
/// Making the container that gives the first numbers may take this long; no call is waited for until then.
const FIRST: Duration = Duration::from_secs(30);
/// A cloudflared that was just started may take this long until its first connection.
const CONNECTING: Duration = Duration::from_secs(10);
/// Reading what one container printed in the meantime.
const LOG_LIMIT: Duration = Duration::from_secs(10);
/// Lines that are kept.
const MOST_LINES: usize = 20_000;

/// Follows cloudflared's numbers in containers of the probe, one after the other, and sends each change. The first
/// message is the numbers at the beginning, or `None` where cloudflared gives none.
fn follow(docker: &Docker, agent: &Container, news: &Sender<Option<Metrics>>, over: &AtomicBool) {
    let mut known: Option<Metrics> = None;
    let mut is_first = true;
    while !over.load(Ordering::Relaxed) {
        let wait_ms = if known.is_some() { TURN } else { 0 };
        let metrics = metrics_addresses(agent);
        let ask = Ask { deadline_ms: wait_ms + SLACK, metrics, known: known.clone(), wait_ms, ..Ask::default() };
        let told = container::run(docker, Place::Namespace(&agent.id), &ask);
        let read = told.ok().and_then(Result::ok).and_then(|told| told.metrics);
        if read.is_none() {
            thread::sleep(AGAIN);
        }
        if (is_first || read.is_some() && read != known) && news.send(read.clone()).is_err() {
            return;
        }
        is_first = false;
        known = read.or(known);
    }
}

/// Reads on what the containers of the stack print.
struct Reader<'a> {
    stack: &'a Stack<'a>,
    /// Time stamp from which each container's log is read, by its id.
    from: BTreeMap<String, String>,
    /// The beginning of the wait.
    begun: String,
}

impl Reader<'_> {
    /// Takes what was printed since the last time. Returns whether there was anything.
    fn read(&mut self, containers: &[Container], lines: &mut Vec<Line>) -> Result<bool, Error> {
        let before = lines.len();
        for container in containers.iter().filter(|c| self.stack.declared.has(&c.service)) {
            let from = self.from.entry(container.id.clone()).or_insert_with(|| self.begun.clone());
            let since = from.clone();
            self.stack.docker.logs_in_order(&["--since", &since], &container.id, LOG_LIMIT, |stamp, text| {
                // `--since` includes its own moment.
                if stamp <= since.as_str() || lines.len() >= MOST_LINES {
                    return;
                }
                from.clear();
                from.push_str(stamp);
                let at = OffsetDateTime::parse(stamp, &Rfc3339).unwrap_or(OffsetDateTime::UNIX_EPOCH);
                lines.push(Line { service: container.service.clone(), at, text: text.to_owned() });
            })?;
        }
        lines[before..].sort_by_key(|line| line.at);
        Ok(lines.len() > before)
    }
}

/// A line of progress; a closed terminal is not an error.
fn say(caller: &Caller, seconds: u64, text: &str) {
    if caller.progress {
        let _ = writeln!(io::stderr(), "{seconds:>4}s  {text}");
    }
}

/// Takes the numbers that have come in; whether any have. The first are those of the beginning.
fn take_numbers(news: &Receiver<Option<Metrics>>, seen: &mut CallFacts) -> bool {
    let mut any = false;
    for read in news.try_iter() {
        any = true;
        if seen.before.is_none() {
            seen.before.clone_from(&read);
        }
        seen.now = read.or(seen.now.take());
    }
    any
}

/// Whether cloudflared says that it has no connection.
fn is_unconnected(numbers: Option<&Metrics>) -> bool {
    numbers.is_some_and(|numbers| numbers.connections == Some(0))
}

/// The numbers at the beginning; those without a connection only where none comes within the time.
fn first_numbers(numbers: &Receiver<Option<Metrics>>, connecting: Duration) -> Option<Metrics> {
    let mut first = numbers.recv_timeout(FIRST).ok().flatten();
    let until = Instant::now() + connecting;
    while is_unconnected(first.as_ref()) {
        let Ok(next) = numbers.recv_timeout(until.saturating_duration_since(Instant::now())) else { break };
        first = next.or(first);
    }
    first
}

/// Waits until the course of a call is known, or time is up.
pub(in super::super) fn wait(stack: &Stack<'_>, limit: Duration, caller: &Caller) -> Result<Waited, Error> {
    let containers = stack.containers()?;
    let services = &stack.declared.services;
    let runs = |name: &str| containers.iter().find(|c| c.service == name && c.is_running());
    let (Some(proxy), Some(agent)) = (runs(&services.proxy), runs(&services.cloudflared)) else {
        return Ok(not_waited("the proxy or cloudflared does not run, so no call can arrive"));
    };
    let mut seen = CallFacts { services: services.clone(), ..CallFacts::default() };
    seen.proxy_addresses = proxy.endpoints.iter().filter_map(|endpoint| endpoint.address).collect();
    let now = OffsetDateTime::now_utc() + version::clock_offset(&stack.docker);
    let begun = now.format(&Rfc3339).unwrap_or_default();
    let mut reader = Reader { stack, from: BTreeMap::new(), begun };

    let over = Arc::new(AtomicBool::new(false));
    let (news, numbers) = mpsc::channel();
    let (docker, agent, ended) = (stack.docker.clone(), agent.clone(), Arc::clone(&over));
    // Its container ends with its standard input, so with this process at the latest.
    process::spawn(move || follow(&docker, &agent, &news, &ended))
        .map_err(|e| Error::io("start", "a thread".as_ref(), e))?;
    let first = first_numbers(&numbers, CONNECTING);
    if is_unconnected(first.as_ref()) {
        over.store(true, Ordering::Relaxed);
        return Ok(not_waited("cloudflared has no connection to the edge, so no call can arrive"));
    }
    (seen.before, seen.now) = (first.clone(), first);
    let started = Instant::now();
    let course = watch(&mut reader, &mut seen, &numbers, limit, (started, caller));
    over.store(true, Ordering::Relaxed);
    Ok(told(&course?, started.elapsed(), caller))
}

fn watch(
    reader: &mut Reader<'_>,
    seen: &mut CallFacts,
    numbers: &Receiver<Option<Metrics>>,
    limit: Duration,
    (started, caller): (Instant, &Caller),
) -> Result<Course, Error> {
    say(caller, 0, "call the tunnel from Claude now");
    let (mut last, mut said) = (Instant::now(), None);
    loop {
        let containers = reader.stack.containers()?;
        let is_news = take_numbers(numbers, seen) | reader.read(&containers, &mut seen.lines)?;
        if is_news {
            last = Instant::now();
        }
        let course = judge(seen)?;
        let seconds = started.elapsed().as_secs();
        let is_on_its_way = course.data.reached.is_some_and(|reached| reached != Reached::NotToCloudflared);
        if course.data.reached != said && is_on_its_way {
            said = course.data.reached;
            say(caller, seconds, &course.sentence(started.elapsed()));
        }
        if course.is_over(last.elapsed()) || started.elapsed() >= limit {
            return Ok(course);
        }
        thread::sleep(PAUSE.min(limit.saturating_sub(started.elapsed())));
    }
}

fn not_waited(why: &str) -> Waited {
    Waited { skipped: vec![Skipped::new("call", why)], ..Waited::default() }
}

fn told(course: &Course, waited: Duration, caller: &Caller) -> Waited {
    let possible = course.suspects().iter().map(|id| Possibility { id: *id, what: caller.fill(id.what()) }).collect();
    let why = "cloudflared gave no numbers, and no log shows a call";
    let now = OffsetDateTime::now_utc();
    let (mut seen, mut findings) = (course.data.seen.clone(), course.findings());
    rules::date(seen.iter_mut().chain(findings.iter_mut().flat_map(|f| &mut f.evidence)), now);
    let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    Waited {
        data: CallData { waited_ms, seen, possible, ..course.data.clone() },
        sentence: course.sentence(waited),
        findings,
        skipped: course.data.reached.is_none().then(|| Skipped::new("call", why)).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloudflared_that_is_connecting_is_given_a_moment() {
        let with = |connections| Some(Metrics { connections: Some(connections), ..Metrics::default() });
        for (said, expected) in [
            (&[with(4), with(3)][..], with(4)),
            (&[with(0), with(1), with(2)], with(1)),
            (&[with(0), None, with(1)], with(1)),
            (&[with(0)], with(0)),
            (&[None, with(4)], None),
        ] {
            let (news, numbers) = mpsc::channel();
            said.iter().for_each(|one| news.send(one.clone()).unwrap());
            // What sends is still there: no more comes in time.
            assert_eq!(first_numbers(&numbers, Duration::from_millis(20)), expected, "{said:?}");
            drop(news);
        }
    }
}
