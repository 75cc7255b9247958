//! `allow`: a person says that this stack may have the privileges that its files ask for.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Error, Report, count};
use crate::caller::Caller;
use crate::deployment::Deployment;
use crate::lint::facts::Facts;
use crate::privileges::{Privileges, consent};
use crate::redact;
use crate::steps;

/// The request of `allow`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AllowRequest {
    /// Digest that the finding `compose-privileges` names, where there is no terminal to ask on.
    digest: Option<String>,
}

/// What `allow` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AllowData {
    /// The privileges that the stack has, as they are now.
    privileges: Vec<Allowed>,
    /// SHA-256 of them, in hex; `null` without any.
    digest: Option<String>,
    /// File that holds the consent, outside of the directory; `null` where none was needed.
    record: Option<String>,
}

/// One privilege.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Allowed {
    /// The service that has it; `null` for what a whole file asks for.
    service: Option<String>,
    /// Path of keys below the service, or below the file.
    key: String,
    /// Its value.
    value: String,
    /// The compose file that asks for it, where one is known.
    file: Option<String>,
    /// Line of that file, from 1.
    line: Option<usize>,
}

/// Longest answer that is read from the terminal, in bytes.
const LONGEST: u64 = 256;

/// The command.
///
/// # Errors
/// `request` where a program calls it, where no person can be asked, where the answer is no, or where the digest is that of
/// other privileges; `directory` and `io` as ever.
pub(crate) fn run(
    deployment: &Deployment,
    request: &AllowRequest,
    caller: &mut Caller,
) -> Result<Report<AllowData>, Error> {
    if caller.is_claude_code() {
        return Err(Error::request(
            "`allow` does not run inside Claude Code: a person decides what this stack may do to the host",
            "run the same command in your own terminal",
        ));
    }
    deployment.require_begun()?;
    let facts = Facts::gather(deployment, caller)?;
    let privileges = &facts.privileges;
    if privileges.facts.is_empty() {
        let data = AllowData { privileges: Vec::new(), digest: None, record: None };
        return Ok(Report::new("this stack asks for no privileges; there is nothing to allow", data));
    }
    let shown = shown(privileges);
    match &request.digest {
        Some(digest) if digest.eq_ignore_ascii_case(&privileges.digest) => {}
        Some(_) => {
            return Err(Error::request(
                "`digest` does not match the privileges that the stack asks for now",
                "run `check`, read its findings `compose-privileges`, and pass the digest that they name",
            ));
        }
        None => ask(&shown, deployment)?,
    }
    let record = consent::give(deployment, &privileges.digest, caller)?;
    let summary = format!(
        "{} allowed, for the stack as it is now; after a change of these, or of what runs with them, `allow` is needed again",
        count(shown.len(), "privilege"),
    );
    let data = AllowData {
        privileges: shown,
        digest: Some(privileges.digest.clone()),
        record: Some(record.to_string_lossy().into_owned()),
    };
    Ok(Report { next: vec![steps::start_step(caller)], ..Report::new(summary, data) })
}

fn shown(privileges: &Privileges) -> Vec<Allowed> {
    let allowed = |(fact, place): &(crate::privileges::Privilege, Option<(String, usize)>)| Allowed {
        service: fact.service.as_deref().map(|name| redact::names::shown(name).to_owned()),
        key: redact::evidence(&fact.key),
        value: redact::evidence(&fact.value),
        file: place.as_ref().map(|(file, _)| file.clone()),
        line: place.as_ref().map(|(_, line)| *line),
    };
    privileges.facts.iter().map(allowed).collect()
}

/// Shows the list on the terminal and waits for a `yes`.
fn ask(shown: &[Allowed], deployment: &Deployment) -> Result<(), Error> {
    let (stdin, mut screen) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !screen.is_terminal() {
        return Err(Error::request(
            "`allow` asks a person, and there is no terminal to ask on",
            "run it in a terminal, or pass the `digest` that the finding `compose-privileges` names",
        ));
    }
    let mut text = format!("The stack in {} asks for:\n", redact::evidence(&deployment.root().to_string_lossy()));
    for one in shown {
        let who = one.service.as_deref().map_or_else(|| "the files".to_owned(), |name| format!("service {name}"));
        let place = match (&one.file, one.line) {
            (Some(file), Some(line)) => format!(" ({}, line {line})", redact::evidence(file)),
            _ => String::new(),
        };
        text.push_str(&format!("  {who}: {}: {}{place}\n", one.key, one.value));
    }
    text.push_str("With these its containers can read or change this machine. Type yes to allow them: ");
    let terminal = Path::new("the terminal");
    screen.write_all(text.as_bytes()).map_err(|e| Error::io("write to", terminal, e))?;
    let mut line = Vec::new();
    stdin.lock().take(LONGEST).read_until(b'\n', &mut line).map_err(|e| Error::io("read", terminal, e))?;
    if line.trim_ascii() == b"yes" {
        return Ok(());
    }
    Err(Error::request(
        "the privileges were not allowed",
        "remove what you do not want from the compose files, then run `check`",
    ))
}
