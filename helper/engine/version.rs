//! Whether there is a Docker engine and a Compose that can run this stack.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::client::{Docker, Output, Passed};
use super::errors;
use crate::answer::{Error, Finding, Severity};
use crate::os::process;
use crate::rules::{self, Gap, RuleId};

/// A client that hangs this long for a version will not answer at all.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// The engine's time is read at the same moment as the list of containers.
const CLOCK: Duration = Duration::from_secs(5);

/// Below it, a restart of the proxy leaves cloudflared behind.
const FLOOR: (u32, u32) = (2, 17);
/// The same for an answer.
pub(crate) const COMPOSE_FLOOR_TEXT: &str = "2.17";
/// The oldest engine that this stack was run on; `host-gateway` needs it, too.
const ENGINE_FLOOR: (u32, u32) = (20, 10);
/// The same for an answer.
pub(crate) const ENGINE_FLOOR_TEXT: &str = "20.10";
/// From it on, the secret taken from `.env` was tried.
const TRIED: (u32, u32) = (2, 26);

/// Finds docker, asks the daemon and Compose for their versions.
///
/// `docker_host` is where the shell sends the client. Returns the client where one can work with it, and what is wrong or worth a warning.
pub(crate) fn find(
    folder: &Path,
    passed: Passed,
    docker_host: Option<&OsStr>,
    progress: bool,
) -> Result<(Option<Docker>, Vec<Finding>), Error> {
    let Some(docker) = Docker::find(folder, passed, progress) else {
        return Ok((None, vec![rules::finding(RuleId::DockerMissing)]));
    };
    let findings = check(&docker, docker_host)?;
    Ok((is_usable(&findings).then_some(docker), findings))
}

/// Whether one can work with a client of which this was found.
pub(crate) fn is_usable(findings: &[Finding]) -> bool {
    !findings.iter().any(|f| f.severity == Severity::Error)
}

/// What is wrong with the engine and Compose of a client, or worth a warning. `docker_host` as for [`find`].
pub(crate) fn check(docker: &Docker, docker_host: Option<&OsStr>) -> Result<Vec<Finding>, Error> {
    // Both at once: each takes tens of milliseconds.
    let (server, compose) = process::both(
        || docker.ask(&["version", "--format", "{{.Server.Version}}"], VERSION_TIMEOUT),
        || docker.ask(&["compose", "version", "--short"], VERSION_TIMEOUT),
    );
    let (server, compose) = (server?, compose?);
    let docker_host = docker_host.map(OsStr::to_string_lossy);
    let mut findings = Vec::new();
    if server.timed_out {
        findings.push(silence("docker did not answer within 20 seconds", docker_host.as_deref(), None));
    } else if !server.success {
        let said = server.text();
        findings.push(failure(&said, docker_host.as_deref(), endpoint_in(&said)));
    } else {
        findings.extend(judge_server(&String::from_utf8_lossy(&server.stdout)));
    }
    findings.extend(judge_compose(&compose));
    Ok(findings)
}

/// The engine's clock minus this host's, as far as it is longer than the question took: on a Mac, or over ssh, the two
/// are different clocks.
pub(crate) fn clock_offset(docker: &Docker) -> time::Duration {
    let before = OffsetDateTime::now_utc();
    let said = docker.ask(&["info", "--format", "{{.SystemTime}}"], CLOCK);
    let after = OffsetDateTime::now_utc();
    let text = said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default();
    OffsetDateTime::parse(&text, &Rfc3339).map_or(time::Duration::ZERO, |engine| between(before, engine, after))
}

/// How far a moment is outside of a span.
pub(crate) fn between(before: OffsetDateTime, moment: OffsetDateTime, after: OffsetDateTime) -> time::Duration {
    if moment < before {
        moment - before
    } else if moment > after {
        moment - after
    } else {
        time::Duration::ZERO
    }
}

/// An engine that does not answer; `endpoint` is where the client looks without DOCKER_HOST.
pub(crate) fn silence(words: &str, docker_host: Option<&str>, endpoint: Option<&str>) -> Finding {
    let id = if docker_host.is_some() { RuleId::DockerHostNowhere } else { RuleId::DockerDaemonDown };
    let finding = rules::finding(id).with(words);
    finding.with_all(docker_host.or(endpoint).map(|at| format!("it asks {at}")))
}

/// Tells apart why the engine cannot be used; `endpoint` is where the client looks without DOCKER_HOST.
pub(crate) fn failure(said: &str, docker_host: Option<&str>, endpoint: Option<&str>) -> Finding {
    let finding = errors::finding(said, RuleId::DockerFailed);
    if let (RuleId::DockerDaemonDown, Some(host)) = (finding.id, docker_host) {
        let nowhere = rules::finding(RuleId::DockerHostNowhere);
        return nowhere.with_all(finding.evidence).with(format!("DOCKER_HOST={host}"));
    }
    let socket = docker_host.or(endpoint).and_then(|at| at.strip_prefix("unix://")).map(Path::new);
    match (finding.id, socket) {
        (RuleId::DockerDaemonDown, Some(socket)) if !socket.exists() => {
            finding.with(format!("there is no socket {}", socket.display()))
        }
        (RuleId::DockerPermission, Some(socket)) => {
            let Ok(meta) = std::fs::metadata(socket) else { return finding };
            let group = group(meta.gid()).unwrap_or_else(|| meta.gid().to_string());
            let mode = meta.mode() & 0o7777;
            let text = format!("{} belongs to the group {group}, mode {mode:04o}", socket.display());
            finding.fill(Gap::Group, &group).with(text)
        }
        _ => finding,
    }
}

/// The socket that docker names when it complains.
fn endpoint_in(said: &str) -> Option<&str> {
    let word = said.split_whitespace().find(|word| word.starts_with("unix://"))?;
    Some(word.trim_end_matches([':', ';', ',', '.']))
}

/// Name of a group, from the account database's file.
fn group(id: u32) -> Option<String> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    })
}

/// Judges the engine's version; an unreadable one passes.
pub(crate) fn judge_server(said: &str) -> Option<Finding> {
    let found = version(said)?;
    (found < ENGINE_FLOOR).then(|| rules::finding(RuleId::EngineTooOld).with(format!("Docker Engine {}", said.trim())))
}

/// Judges the output of `docker compose version --short`.
pub(crate) fn judge_compose(answer: &Output) -> Option<Finding> {
    let said = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    // Old plugins print a sentence even with `--short`.
    let version = said.split_whitespace().find_map(version).filter(|_| answer.success);
    match version {
        Some(found) if found < FLOOR => Some(rules::finding(RuleId::ComposeTooOld).with(format!("Compose {said}"))),
        Some(found) if found < TRIED => Some(rules::finding(RuleId::ComposeOld).with(format!("Compose {said}"))),
        Some(_) => None,
        None if answer.timed_out => {
            Some(rules::finding(RuleId::DockerFailed).with("`docker compose version` did not answer within 20 seconds"))
        }
        None if process::find("docker-compose").is_some() => {
            Some(rules::finding(RuleId::ComposeV1).with("`docker-compose` is on PATH, the plugin is not installed"))
        }
        None => {
            let text = answer.text();
            let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
            Some(rules::finding(RuleId::ComposeMissing).with(line))
        }
    }
}

/// Major and minor of `2.26.1-4`, `v2.40.3`, `2.29.2-desktop.2`.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().trim_start_matches('v').split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_clock_is_off_by_what_the_question_does_not_explain() {
        let [before, after] = [datetime!(2026-11-22 20:45:00 UTC), datetime!(2026-11-22 20:45:01 UTC)];
        for (engine, seconds) in [
            (datetime!(2026-11-22 20:45:00.5 UTC), 0),
            (datetime!(2026-11-22 20:44:00 UTC), -60),
            (datetime!(2026-11-22 21:45:01 UTC), 3600),
        ] {
            assert_eq!(between(before, engine, after).whole_seconds(), seconds, "{engine}");
        }
    }

    #[test]
    fn versions_are_read_in_all_their_spellings() {
        for (text, expected) in [
            ("2.26.1-4", Some((2, 26))),
            ("v2.40.3\n", Some((2, 40))),
            ("2.29.2-desktop.2", Some((2, 29))),
            ("5.0.0", Some((5, 0))),
            ("docker-compose", None),
            ("", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }
}
