//! A saved log: a file or a pipe.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::data::{DiagnoseData, DiagnoseRequest, Signals, moment};
use crate::answer::{Error, Finding, Next, Report, Severity, Skipped, count};
use crate::caller::Caller;
use crate::logs::Logs;
use crate::logs::encoding::Decoded;
use crate::logs::input::{Extent, scan};
use crate::logs::verdict::LogVerdict;
use crate::pipe::{self, Patient};
use crate::redact::names;
use crate::rules;

/// A pipe that never ends is left after so many seconds.
const PIPE_TIMEOUT_SECONDS: u32 = 60;

/// Diagnoses the log that the request names.
///
/// # Errors
/// `io` for a log that cannot be read, `request` for a `since` or `max_seconds` that makes no sense.
pub(crate) fn run(source: &str, request: &DiagnoseRequest, caller: &mut Caller) -> Result<Report<DiagnoseData>, Error> {
    let bundle = request.bundle.as_ref().map(|_| "`bundle` packs up a deployment");
    let wait = request.wait_for_call_seconds.map(|_| "`wait_for_call_seconds` looks at what runs");
    if let Some(other) = bundle.or(wait) {
        return Err(Error::request(format!("{other}, and `logs` reads a log alone"), "leave out one of the two"));
    }
    let since = request.since.as_deref().map(|text| moment(text, caller.now)).transpose()?;
    let mut logs = Logs::new(since.map(time::OffsetDateTime::unix_timestamp))?;
    let (extent, cut) = if source == "-" {
        read_pipe(std::io::stdin(), Path::new("standard input"), request, &mut logs)?
    } else {
        read_file(&named(source, caller), request, &mut logs)?
    };
    let verdict = logs.verdict();
    let (proxy, cloudflared) = logs.services();
    if let Some(proxy) = proxy {
        caller.services.proxy = proxy.to_owned();
    }
    if let Some(cloudflared) = cloudflared {
        caller.services.cloudflared = cloudflared.to_owned();
    }
    caller.domain = logs.domain.take().or(caller.domain.take());
    Ok(report(verdict, extent, cut, caller))
}

/// The file of the request; within JSON no shell has put the home directory in place of `~`.
fn named(source: &str, caller: &Caller) -> PathBuf {
    match (source.strip_prefix("~/"), caller.var("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => PathBuf::from(source),
    }
}

fn read_file(path: &Path, request: &DiagnoseRequest, logs: &mut Logs) -> Result<(Extent, Option<Skipped>), Error> {
    let meta = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?;
    if meta.is_dir() {
        return Err(Error::request(
            format!("`logs` is `{}`, which is a directory", path.display()),
            "name a file with a log in it, `-` for standard input, or leave `logs` out to look at the deployment of `--dir`",
        ));
    }
    let failed = |e: std::io::Error| Error::io("read", path, e);
    if !meta.is_file() {
        // A named pipe, or a shell's `<(…)`.
        return read_pipe(pipe::open(path).map_err(failed)?, path, request, logs);
    }
    let file = File::open(path).map_err(failed)?;
    Ok((scan(Decoded::new(file), logs).map_err(failed)?, None))
}

fn read_pipe(
    pipe: impl AsFd,
    path: &Path,
    request: &DiagnoseRequest,
    logs: &mut Logs,
) -> Result<(Extent, Option<Skipped>), Error> {
    let seconds = request.max_seconds.unwrap_or(PIPE_TIMEOUT_SECONDS);
    if !(1..=3600).contains(&seconds) {
        return Err(Error::request(
            format!("`max_seconds` is {seconds}; it must be 1 to 3600"),
            format!("leave it out for {PIPE_TIMEOUT_SECONDS}"),
        ));
    }
    let mut input = Patient::new(pipe, Duration::from_secs(seconds.into()));
    let extent = scan(Decoded::new(&mut input), logs).map_err(|e| Error::io("read", path, e))?;
    let cut = input.is_late().then(|| {
        Skipped::new("input", format!("the log did not end within {seconds} s; what came later was not read"))
    });
    Ok((extent, cut))
}

fn report(verdict: LogVerdict, extent: Extent, cut: Option<Skipped>, caller: &Caller) -> Report<DiagnoseData> {
    let data = DiagnoseData {
        healthy: verdict.healthy,
        signals: Signals::of(&verdict),
        lines: extent.lines,
        bytes: extent.bytes,
        ..DiagnoseData::default()
    };
    let mut report = Report::new(summary(&verdict, extent), data);
    if verdict.undated > 0 {
        let text = format!("{} without a time stamp read although `since` is set", count(verdict.undated, "line"));
        report.skipped.push(Skipped::new("since", text));
    }
    if let Some(first) = verdict.left_out.first() {
        let (name, more) = (names::shown(first), verdict.left_out.len() - 1);
        let more = if more == 0 { String::new() } else { format!(" and {}", count(more as u64, "other program")) };
        let text = format!("lines of `{name}`{more} in the host's journal: nothing shows that they are the stack's");
        report.skipped.push(Skipped::new("journal", text));
    }
    report.skipped.extend(cut);
    report.next.extend(next(&verdict, extent, caller));
    report.findings = verdict.findings;
    for evidence in report.findings.iter_mut().flat_map(|finding| &mut finding.evidence) {
        evidence.before_end = verdict.last.zip(evidence.at).map(|(end, at)| end - at.unix_timestamp());
    }
    report
}

fn summary(verdict: &LogVerdict, extent: Extent) -> String {
    let lines = count(extent.lines, "line");
    match rules::root(&verdict.findings) {
        _ if extent.bytes == 0 => "the log is empty".to_owned(),
        Some(f) if f.severity == Severity::Error => {
            let own = |f: &&Finding| f.severity == Severity::Error && f.consequence_of.is_none();
            let more = verdict.findings.iter().filter(own).count().saturating_sub(1);
            let also = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            format!("{}{also}", f.title)
        }
        Some(f) if f.severity == Severity::Warning && verdict.works => format!("{}; but {}", works(verdict), f.title),
        Some(f) if f.severity == Severity::Warning => format!("{}; no answered call is in the log", f.title),
        _ if verdict.healthy && verdict.edge == Some("stopped") => {
            format!("healthy until cloudflared was stopped: {}; no fault in {lines}", works(verdict))
        }
        _ if verdict.healthy => format!("healthy: {}; no fault in {lines}", works(verdict)),
        _ if verdict.works => format!("{}; what failed in {lines} succeeded later", works(verdict)),
        _ if !verdict.recognized => format!("no program of this stack wrote any of {lines}"),
        _ => format!(
            "no fault in {lines}, and neither an edge connection nor an answered call: whether the tunnel works is not known"
        ),
    }
}

/// What the log shows to work, in the words of `status`.
fn works(verdict: &LogVerdict) -> String {
    let connected = match verdict.registered {
        Some(n @ 1..) => format!("connected ({n} of {})", count(verdict.wanted, "edge connection")),
        _ => String::new(),
    };
    match (connected.as_str(), verdict.last_call) {
        ("", _) => "callable: the last call was answered".to_owned(),
        (connected, Some(true)) => format!("{connected} and callable: the last call was answered"),
        (connected, _) => {
            format!("{connected}; no call is in the log, so whether Claude can call a server is not known")
        }
    }
}

fn next(verdict: &LogVerdict, extent: Extent, caller: &Caller) -> Option<Next> {
    match rules::root(&verdict.findings) {
        Some(f) if f.severity < Severity::Note => Some(Next::person(caller.fill(&f.fix))),
        _ if verdict.healthy => None,
        _ if extent.bytes == 0 => Some(Next::person(
            "save the logs with `docker compose logs --no-color --timestamps > FILE` in the deployment directory, and read that file",
        )),
        _ => Some(Next::person(
            "save the logs of all services (`docker compose logs`), with `docker compose ps -a` in front, after a call from Claude that failed",
        )),
    }
}
