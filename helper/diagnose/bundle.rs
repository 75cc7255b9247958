//! The support bundle: what somebody who helps needs to see, and nothing that they must not.
//!
//! Versions, states, digests, redacted files and redacted logs. Of keys and of the token only that they are there, with
//! mode and size; of the person's own server only its digests.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::DiagnoseData;
use crate::answer::{Error, Report, redact};
use crate::caller::Caller;
use crate::deployment::{Deployment, SECRET_MODE, env_file, files, path};
use crate::hash::sha256_hex;
use crate::stack::commands::Stack;

/// Reading the log of one container may take this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of each container's log, the last ones.
const LINES: &str = "5000";
/// Bytes of each container's log.
const MOST: usize = 4 << 20;

/// What was written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Bundle {
    /// Where it is, mode 0600.
    path: String,
    /// How large it is.
    bytes: u64,
    /// What is in it.
    entries: Vec<String>,
}

fn place(target: &str, caller: &Caller) -> PathBuf {
    match (target.strip_prefix("~/"), caller.var("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        (Some(_) | None, _) => PathBuf::from(target),
    }
}

/// A bundle never replaces a file.
///
/// # Errors
/// `request` for a target that exists, or that is no `.tar.gz`.
pub(crate) fn refuse_existing(target: &str, caller: &Caller) -> Result<(), Error> {
    if !(target.ends_with(".tar.gz") || target.ends_with(".tgz")) {
        return Err(Error::request(
            "`bundle` is no name of a .tar.gz",
            "name a file that does not exist yet, such as `mcp-tunnel-support.tar.gz`",
        ));
    }
    if fs::symlink_metadata(place(target, caller)).is_ok() {
        return Err(Error::request("`bundle` names a file that exists", "name one that does not exist yet"));
    }
    Ok(())
}

/// Collects, redacts, packs and writes.
///
/// # Errors
/// `io` when the target cannot be written.
pub(crate) fn write(
    target: &str,
    deployment: &Deployment,
    stack: Option<&Stack<'_>>,
    report: &Report<DiagnoseData>,
    caller: &Caller,
) -> Result<Bundle, Error> {
    let target = place(target, caller);
    guard_values(deployment);
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    entries.push(("diagnosis.json".into(), pretty(diagnosis(report, caller))));
    entries.push(("versions.json".into(), pretty(versions(stack))));
    entries.push(("directory.json".into(), pretty(directory(deployment))));
    for inside in [path::COMPOSE, "docker-compose.override.yaml", path::GATEWAY] {
        if let Ok(Some(text)) = files::read_text(deployment, inside) {
            entries.push((format!("files/{inside}"), lines(&redact::settings(&text))));
        }
    }
    for inside in [path::CA_CRT, path::TLS_CRT] {
        // Public, but only if it is what its name says.
        if let Ok(Some(text)) = files::read_text(deployment, inside)
            && text.trim_start().starts_with("-----BEGIN CERTIFICATE-----")
        {
            entries.push((format!("files/{inside}"), redact::redact(&text).into_owned().into_bytes()));
        }
    }
    if let Ok(Some(text)) = files::read_text(deployment, path::ENV) {
        entries.push(("files/env-names.txt".into(), names(&text)));
    }
    for (service, log) in logs(stack)? {
        entries.push((format!("logs/{service}.log"), log));
    }
    let packed = pack(&entries, caller).map_err(|e| Error::io("pack", &target, e))?;
    save(&target, &packed).map_err(|e| Error::io("write", &target, e))?;
    Ok(Bundle {
        path: target.display().to_string(),
        bytes: packed.len() as u64,
        entries: entries.into_iter().map(|(name, _)| name).collect(),
    })
}

/// What else a person keeps in `.env` may turn up in a log, whatever its shape.
fn guard_values(deployment: &Deployment) {
    let Ok(Some(text)) = files::read_text(deployment, path::ENV) else { return };
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if ![env_file::DOMAIN, env_file::CONFIG_HASH, env_file::TOKEN_FINGERPRINT].contains(&name.trim()) {
            redact::guard(value.trim().trim_matches(['"', '\'']));
        }
    }
}

fn pretty(mut value: Value) -> Vec<u8> {
    redact::gate(&mut value);
    serde_json::to_vec_pretty(&value).unwrap_or_default()
}

fn lines(text: &str) -> Vec<u8> {
    text.lines().map(redact::foreign).flat_map(|line| line.into_bytes().into_iter().chain([b'\n'])).collect()
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
        let output = stack.and_then(|stack| stack.docker.ask(args, PATIENCE).ok())?;
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
fn directory(deployment: &Deployment) -> Value {
    let root = deployment.root();
    let mut rows = Vec::new();
    for folder in ["", path::CONFIG, path::DATA, path::SAMPLE] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries.flatten().take(200) {
            let Ok(meta) = entry.metadata() else { continue };
            let inside = Path::new(folder).join(entry.file_name());
            let name = inside.to_string_lossy().into_owned();
            // The hash of a secret can be searched for.
            let secret = name.ends_with(".key") || name.contains(".env");
            let digest = (meta.is_file() && !secret && meta.len() < 1 << 20)
                .then(|| fs::read(root.join(&inside)).ok().map(|bytes| sha256_hex(&bytes)))
                .flatten();
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
    let mode = fs::metadata(root).map(|meta| format!("{:04o}", meta.mode() & 0o7777)).ok();
    json!({ "mode": mode, "entries": rows })
}

/// Names of the variables in `.env`, and whether they have a value.
fn names(text: &str) -> Vec<u8> {
    let mut out = String::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.trim_start().starts_with('#')) else {
            continue;
        };
        let shown = match name.trim() {
            env_file::DOMAIN => redact::foreign(value.trim()),
            _ if value.trim().is_empty() => "(empty)".to_owned(),
            _ => "(set)".to_owned(),
        };
        out.push_str(&format!("{}={shown}\n", redact::foreign(name.trim())));
    }
    out.into_bytes()
}

fn logs(stack: Option<&Stack<'_>>) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let Some(stack) = stack else { return Ok(Vec::new()) };
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for container in stack.containers()? {
        let mut log: Vec<u8> = Vec::new();
        stack.docker.logs_in_order(&["--tail", LINES], &container.id, PATIENCE, |stamp, text| {
            if log.len() < MOST {
                log.extend_from_slice(format!("{stamp} {}\n", redact::foreign(text)).as_bytes());
            }
        })?;
        found.push((redact::foreign(container.name()).replace('/', "_"), log));
    }
    found.sort();
    Ok(found)
}

fn pack(entries: &[(String, Vec<u8>)], caller: &Caller) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let now = u64::try_from(caller.now.unix_timestamp()).unwrap_or_default();
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(SECRET_MODE);
        header.set_mtime(now);
        archive.append_data(&mut header, Path::new("mcp-tunnel-support").join(name), bytes.as_slice())?;
    }
    archive.into_inner()?.finish()
}

fn save(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".mcp-tunnel-support")
        .permissions(fs::Permissions::from_mode(SECRET_MODE))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(target).map_err(|e| e.error)?;
    Ok(())
}
