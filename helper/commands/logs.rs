//! `logs`: what the containers printed, redacted, line by line. The one command whose answer is a stream.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

use crate::answer::{Error, Report, count};
use crate::caller::Caller;
use crate::deployment::Deployment;
use crate::diagnose::moment;
use crate::redact;
use crate::stack::Stack;
use crate::steps;

/// The request of `logs`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogsRequest {
    /// Only these services; left out: all of them.
    services: Option<BTreeSet<String>>,
    /// Leave out what was printed before: a moment (`2026-11-22T20:45:00Z`) or an age (`90s`, `15m`, `2h`, `1d`).
    since: Option<String>,
    /// Follow new lines until the containers end or Ctrl-C.
    follow: bool,
}

/// What `logs` answers when the stream has ended; as text it is not shown.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct LogsData {
    /// Lines of each service.
    lines: BTreeMap<String, u64>,
}

/// Reading what is there already; without an end only if it is to be followed.
const LIMIT: Duration = Duration::from_secs(10 * 60);
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The command. Each line goes to standard output as soon as it is known that it holds no part of a key: as text, or
/// with `is_json` as an object.
///
/// # Errors
/// `request` for a service that does not exist or an invalid time, `directory`, `io` and `tool`.
pub(crate) fn run(
    deployment: &Deployment,
    request: &LogsRequest,
    is_json: bool,
    caller: &mut Caller,
) -> Result<Report<LogsData>, Error> {
    let since = request.since.as_deref().map(|text| moment(text, caller.now)).transpose()?;
    let since = since.and_then(|moment| moment.format(&Rfc3339).ok());
    let stack = match Stack::open(deployment, caller)? {
        Ok(stack) => stack,
        Err(refusal) => {
            let why = refusal.findings.first().map_or("see the findings", |finding| finding.title.as_str());
            let report = Report::new(format!("no logs can be read: {why}"), LogsData::default());
            return Ok(Report { findings: refusal.findings, ..report });
        }
    };
    stack.declared.require(request.services.iter().flatten())?;
    let is_asked = |name: &str| request.services.as_ref().is_none_or(|names| names.contains(name));
    let containers = stack.containers()?;
    let asked = containers.iter().filter(|container| is_asked(&container.service));
    let sources: Vec<(String, String)> = asked.map(|c| (c.service.clone(), c.id.clone())).collect();
    if sources.is_empty() {
        let report = Report::new("no container has printed anything: none exists", LogsData::default());
        return Ok(Report { next: vec![steps::start_step(caller)], ..report });
    }
    let mut args = vec!["--timestamps"];
    if let Some(since) = &since {
        args.extend(["--since", since]);
    }
    let mut printer = Printer::new(&sources, is_json);
    args.extend(request.follow.then_some("--follow"));
    let limit = if request.follow { FOREVER } else { LIMIT };
    stack.docker.stream(&args, &sources, limit, |event| printer.take(event))?;
    printer.rest();
    let total: u64 = printer.lines.values().sum();
    let services = count(sources.len() as u64, "container");
    Ok(Report::new(format!("{} of {services}", count(total, "line")), LogsData { lines: printer.lines }))
}

/// Prints the lines of several logs.
struct Printer {
    names: Vec<String>,
    /// Columns of the longest name.
    widest: usize,
    is_json: bool,
    /// What was taken of each log and is not printed yet.
    held: Vec<redact::Lines>,
    lines: BTreeMap<String, u64>,
    /// Whether standard output still takes something.
    is_open: bool,
}

impl Printer {
    fn new(sources: &[(String, String)], is_json: bool) -> Self {
        let names: Vec<String> = sources.iter().map(|(service, _)| redact::foreign(service)).collect();
        Self {
            widest: names.iter().map(String::len).max().unwrap_or_default(),
            held: names.iter().map(|_| redact::Lines::default()).collect(),
            lines: BTreeMap::new(),
            is_open: true,
            is_json,
            names,
        }
    }

    /// Takes a line of a log, or silence. Whether there should be more.
    fn take(&mut self, event: Option<(usize, &str)>) -> bool {
        match event {
            Some((at, line)) => {
                let (stamp, text) = line.split_once(' ').unwrap_or((line, ""));
                // The time is docker's; without one, the whole line is the program's.
                let is_stamp = stamp.contains('T') && stamp.ends_with('Z');
                let (stamp, text) = if is_stamp { (stamp, text) } else { ("", line) };
                self.held[at].push(&format!("{stamp} "), text);
                let lines = self.held[at].settled();
                self.print(at, lines);
            }
            // A key is printed in one go: a single line is not a key.
            None => self.rest(),
        }
        self.is_open
    }

    /// Prints what is held back.
    fn rest(&mut self) {
        for at in 0..self.held.len() {
            let lines = self.held[at].all();
            self.print(at, lines);
        }
    }

    fn print(&mut self, at: usize, lines: Vec<String>) {
        let name = &self.names[at];
        let mut out = io::stdout().lock();
        for line in &lines {
            if !self.is_open {
                return;
            }
            let (stamp, text) = line.split_once(' ').unwrap_or(("", line));
            let shown = if self.is_json {
                serde_json::json!({"service": name, "at": stamp, "text": text}).to_string()
            } else {
                format!("{name:widest$} | {text}", widest = self.widest)
            };
            // A reader that has gone wants no more.
            self.is_open = writeln!(out, "{}", shown.trim_end()).and_then(|()| out.flush()).is_ok();
            *self.lines.entry(name.clone()).or_default() += 1;
        }
    }
}
