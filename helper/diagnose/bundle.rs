//! The support bundle: what a supporter needs to see, without secrets.
//!
//! Versions, states, digests, redacted files and redacted logs. Of keys and of the token only that they are there, with
//! mode and size; of the person's server only its digests.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::data::{Bundle, DiagnoseData};
use super::shown;
use crate::answer::{Error, Report};
use crate::caller::Caller;
use crate::certs::judged::shown_pem;
use crate::config::sample;
use crate::deployment::env_file::{self, EnvFile};
use crate::deployment::{Deployment, SECRET_MODE, path};
use crate::hash::sha256_hex;
use crate::lint::facts::Facts;
use crate::os::archive::{self, Entry};
use crate::os::files;
use crate::redact;
use crate::stack::Stack;

/// Reading the log of one container may take this long.
const LOGS_TIMEOUT: Duration = Duration::from_secs(30);
/// Lines of each container's log, the last ones.
const LINES: &str = "5000";
/// Bytes of each container's log.
const MOST: usize = 4 << 20;

/// Collects, redacts, packs and writes.
///
/// # Errors
/// `io` when the target cannot be written.
pub(crate) fn write(
    target: &Path,
    deployment: &Deployment,
    facts: &Facts,
    stack: Option<&Stack<'_>>,
    report: &Report<DiagnoseData>,
    caller: &Caller,
) -> Result<Bundle, Error> {
    let settings = settings_files(facts);
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    entries.push(("diagnosis.json".into(), pretty(diagnosis(report, caller))));
    entries.push(("versions.json".into(), pretty(versions(stack))));
    entries.push(("directory.json".into(), pretty(directory(deployment, &settings))));
    for inside in &settings {
        if let Ok(Some(text)) = files::read_text(deployment, inside) {
            entries.push((format!("files/{inside}"), shown::settings(&text).into_bytes()));
        }
    }
    for inside in [path::CA_CRT, path::TLS_CRT] {
        // Public, but only what is a certificate in it.
        if let Some(pem) = shown_pem(deployment, inside) {
            entries.push((format!("files/{inside}"), pem.into_bytes()));
        }
    }
    if let Some(env) = facts.env() {
        entries.push(("files/env-names.txt".into(), names(env)));
    }
    for (service, log) in logs(stack)? {
        entries.push((format!("logs/{service}.log"), log));
    }
    let entries: Vec<Entry> =
        entries.into_iter().map(|(name, bytes)| Entry { name, mode: SECRET_MODE, bytes }).collect();
    let packed = archive::pack("mcp-tunnel-support", &entries, caller.now).map_err(|e| Error::io("pack", target, e))?;
    archive::save(target, &packed, SECRET_MODE)?;
    Ok(Bundle {
        path: target.display().to_string(),
        bytes: packed.len() as u64,
        entries: entries.into_iter().map(|entry| entry.name).collect(),
    })
}

/// The compose files and the proxy's configuration, under their names here.
fn settings_files(facts: &Facts) -> Vec<String> {
    let mut all: Vec<String> = facts.found.files().map(|file| file.name.clone()).collect();
    if files::inside(&facts.gateway_path).is_some() && facts.gateway_path != path::ENV {
        all.push(facts.gateway_path.clone());
    }
    all
}

fn pretty(mut value: Value) -> Vec<u8> {
    redact::gate(&mut value);
    serde_json::to_vec_pretty(&value).unwrap_or_default()
}

fn joined(lines: redact::Lines) -> Vec<u8> {
    lines.finish().flat_map(|line| line.into_bytes().into_iter().chain([b'\n'])).collect()
}

fn diagnosis(report: &Report<DiagnoseData>, caller: &Caller) -> Value {
    let mut findings = report.findings.clone();
    for finding in &mut findings {
        finding.cause = caller.fill(&finding.cause);
        finding.fix = caller.fill(&finding.fix);
    }
    json!({ "summary": report.summary, "data": report.data, "findings": findings, "skipped": report.skipped })
}

fn versions(stack: Option<&Stack<'_>>) -> Value {
    let ask = |args: &[&str]| {
        let output = stack.and_then(|stack| stack.docker.ask(args, LOGS_TIMEOUT).ok())?;
        output.success.then(|| redact::foreign(String::from_utf8_lossy(&output.stdout).trim()))
    };
    json!({
        "helper": env!("CARGO_PKG_VERSION"),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "docker_client": ask(&["version", "--format", "{{.Client.Version}} {{.Client.Os}}/{{.Client.Arch}}"]),
        "docker_engine": ask(&["version", "--format", "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}"]),
        "docker_security": ask(&["info", "--format", "{{json .SecurityOptions}}"]),
        "compose": ask(&["compose", "version", "--short"]),
    })
}

/// Every file with its mode and size; a digest where it tells nothing of a secret.
fn directory(deployment: &Deployment, settings: &[String]) -> Value {
    let mut rows = Vec::new();
    for folder in ["", path::CONFIG, path::DATA, path::SAMPLE] {
        for name in files::names(deployment, folder, 200).unwrap_or_default() {
            let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let Ok(Some(meta)) = files::metadata(deployment, &name) else {
                rows.push(json!({ "path": redact::foreign(&name), "kind": "other" }));
                continue;
            };
            let digest =
                (meta.is_file() && meta.len() < 1 << 20).then(|| digest(deployment, &name, settings)).flatten();
            rows.push(json!({
                "path": redact::foreign(&name),
                "kind": if meta.is_dir() { "directory" } else if meta.is_file() { "file" } else { "other" },
                "mode": format!("{:04o}", meta.mode() & 0o7777),
                "uid": meta.uid(),
                "gid": meta.gid(),
                "bytes": meta.len(),
                "sha256": digest,
            }));
        }
    }
    let mode = files::directory_itself(deployment).map(|meta| format!("{:04o}", meta.mode() & 0o7777));
    json!({ "mode": mode, "entries": rows })
}

/// The digest of a file that we know to be public: that of a secret, or of a file with one in it, can be searched for.
fn digest(deployment: &Deployment, name: &str, settings: &[String]) -> Option<String> {
    let public = [path::CA_CRT, path::TLS_CRT, path::GITIGNORE].contains(&name) || sample::BUILD_INPUTS.contains(&name);
    if !public && !settings.iter().any(|file| file == name) {
        return None;
    }
    let text = files::read_text(deployment, name).ok().flatten()?;
    let clean = public || is_open(&text);
    clean.then(|| sha256_hex(text.as_bytes()))
}

/// Whether a settings file holds nothing that looks like a secret, comments included.
fn is_open(text: &str) -> bool {
    let mut lines = redact::Lines::default();
    text.lines().for_each(|line| lines.push("", &redact::names::without_setting(line)));
    lines.finish().eq(text.lines())
}

/// Names of the variables in `.env`, and whether they have a value.
fn names(env: &EnvFile) -> Vec<u8> {
    let mut out = String::new();
    for name in env.keys() {
        let value = env.get(&name).unwrap_or_default();
        let shown = match name.as_str() {
            env_file::DOMAIN => redact::foreign(value.trim()),
            _ if value.trim().is_empty() => "(empty)".to_owned(),
            _ => "(set)".to_owned(),
        };
        out.push_str(&format!("{}={shown}\n", redact::foreign(&name)));
    }
    out.into_bytes()
}

fn logs(stack: Option<&Stack<'_>>) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let Some(stack) = stack else { return Ok(Vec::new()) };
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for container in stack.containers()? {
        let mut log = redact::Lines::default();
        let mut size = 0;
        let began = Instant::now();
        stack.docker.logs_in_order(&["--tail", LINES], &container.id, LOGS_TIMEOUT, |stamp, text| {
            if size < MOST {
                size += stamp.len() + text.len() + 2;
                log.push(&format!("{stamp} "), text);
            }
        })?;
        found.push((redact::foreign(&container.name).replace('/', "_"), joined(log)));
        // A docker that hangs on one would hang on each.
        if began.elapsed() >= LOGS_TIMEOUT {
            break;
        }
    }
    found.sort();
    Ok(found)
}
