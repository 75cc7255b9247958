//! Packs a bundle.

use std::collections::BTreeMap;
use std::path::Path;

use time::format_description::well_known::Rfc3339;

use super::FOLDER;
use super::walk::{Walk, walk};
use crate::answer::{Error, Finding, Subject};
use crate::caller::Caller;
use crate::config::stamp::{Authorship, origin};
use crate::config::{gateway::Gateway, sample};
use crate::deployment::replica::{FORMAT, Manifest, Origin, Pair, Replica, Scope};
use crate::deployment::route::Host;
use crate::deployment::{OPEN_MODE, SECRET_MODE, path};
use crate::export::parts::{LeftOut, domain, left_behind, pair};
use crate::hash::sha256_hex;
use crate::lint::facts::Facts;
use crate::model::current::{RouteTarget, target};
use crate::os::archive::{self, Entry, LARGEST, MOST_FILES};
use crate::os::files;
use crate::rules::{self, RuleId};

pub(crate) struct Packed {
    /// Paths inside the bundle.
    pub(crate) entries: Vec<String>,
    /// What stays behind.
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) findings: Vec<Finding>,
}

/// Packs the deployment, or its certificates, into a new file.
///
/// # Errors
/// The inner one: files with the token without which nothing would start. The outer one: `directory` for a deployment
/// that cannot be seen whole, reading and writing errors.
pub(crate) fn pack(
    facts: &Facts,
    gateway: &Gateway,
    scope: Scope,
    place: &Path,
    caller: &Caller,
) -> Result<Result<Packed, Vec<Finding>>, Error> {
    let pair = pair(facts)?;
    let (mut entries, left_out, findings) = match scope {
        Scope::Certificate => (certificates(facts, &pair)?, Vec::new(), Vec::new()),
        Scope::Deployment => {
            let mut needed: Vec<String> = facts.found.files().map(|file| file.name.clone()).collect();
            needed.extend([facts.gateway_path.clone(), path::ENV.into(), pair.certificate.clone(), pair.key.clone()]);
            let walk = walk(&facts.deployment, &pair.key, &needed);
            if walk.is_too_much {
                return Err(too_much(facts));
            }
            if !walk.with_token.is_empty() {
                let about = |name: &String| rules::finding(RuleId::ReplicaHasToken).about(Subject::file(name));
                return Ok(Err(walk.with_token.iter().map(about).collect()));
            }
            require(&walk, &needed, facts)?;
            let mut findings = apart(facts, gateway);
            findings.extend(left_behind(RuleId::ReplicaLeftOut, &walk.left_out));
            let mut left_out = vec![
                LeftOut::new("the CA's key", "it signs every renewal and stays where it is"),
                LeftOut::new("the token", "put it in on the other host with `token set`"),
            ];
            left_out.extend(walk.left_out);
            (walk.entries, left_out, findings)
        }
    };
    let manifest = manifest(facts, scope, pair, &entries, caller)?;
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::Internal(e.to_string()))?;
    entries.insert(0, Entry { name: path::REPLICA.into(), mode: OPEN_MODE, bytes: manifest });
    let packed = archive::pack(FOLDER, &entries, caller.now).map_err(|e| Error::io("pack", place, e))?;
    // Certificates alone are public; a deployment has the server's key in it.
    let mode = if scope == Scope::Certificate { OPEN_MODE } else { SECRET_MODE };
    archive::save(place, &packed, mode)?;
    Ok(Ok(Packed { entries: entries.into_iter().map(|entry| entry.name).collect(), left_out, findings }))
}

fn manifest(facts: &Facts, scope: Scope, pair: Pair, entries: &[Entry], caller: &Caller) -> Result<Manifest, Error> {
    let own = || Origin {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        dir: facts.deployment.root().to_string_lossy().into_owned(),
    };
    // A replica of a replica is renewed where the first one is.
    let first = Replica::of(&facts.deployment).and_then(|replica| Some(replica.manifest?.origin));
    Ok(Manifest {
        format: FORMAT,
        scope,
        domain: domain(facts)?.to_string(),
        made: caller.now.replace_nanosecond(0).unwrap_or(caller.now).format(&Rfc3339).unwrap_or_default(),
        origin: first.unwrap_or_else(own),
        pair,
        files: entries.iter().map(|entry| (entry.name.clone(), sha256_hex(&entry.bytes))).collect::<BTreeMap<_, _>>(),
    })
}

fn certificates(facts: &Facts, pair: &Pair) -> Result<Vec<Entry>, Error> {
    let entry = |name: &str| {
        let bytes = files::read(&facts.deployment, name)?.ok_or_else(|| missing(facts, name))?;
        if String::from_utf8_lossy(&bytes).contains("PRIVATE KEY") {
            return Err(Error::directory(
                format!("`{name}` holds a private key as well as the certificate; nothing was written"),
                "keep keys in separate files; `certs check` names the fault",
            ));
        }
        Ok(Entry { name: name.to_owned(), mode: OPEN_MODE, bytes })
    };
    Ok(vec![entry(path::CA_CRT)?, entry(&pair.certificate)?])
}

fn missing(facts: &Facts, name: &str) -> Error {
    Error::directory(
        format!("`{}` cannot go into a bundle", facts.deployment.path(name).display()),
        "it must be a regular file of at most 4 MiB inside the deployment directory; a certificate may have no key in it",
    )
}

/// Nothing that the stack needs may be missing in silence.
fn require(walk: &Walk, needed: &[String], facts: &Facts) -> Result<(), Error> {
    let has = |name: &str| walk.entries.iter().any(|entry| entry.name == name);
    match needed.iter().map(String::as_str).chain([path::CA_CRT]).find(|name| !has(name)) {
        // A stack made by hand may do without.
        Some(path::ENV) if facts.env().is_none() => Ok(()),
        Some(name) => Err(missing(facts, name)),
        None => Ok(()),
    }
}

fn too_much(facts: &Facts) -> Error {
    Error::directory(
        format!(
            "`{}` has more than {MOST_FILES} files or {} MiB, which no bundle holds",
            facts.deployment.root().display(),
            LARGEST >> 20
        ),
        "keep the sources and data of your own servers outside the deployment directory, and give the stack their images",
    )
}

/// Routes whose server is another one on every host.
fn apart(facts: &Facts, gateway: &Gateway) -> Vec<Finding> {
    let sample_is_ours = || {
        let text = files::read_text(&facts.deployment, sample::SERVER).ok().flatten();
        text.is_some_and(|text| origin(&text) == Authorship::Ours)
    };
    let mut findings = Vec::new();
    for route in gateway.parsed_routes(facts.domain.as_ref()) {
        let Ok(upstream) = &route.upstream else { continue };
        let what = match (upstream.host(), target(upstream, &facts.found, &facts.services.proxy)) {
            // It keeps no sessions.
            (_, RouteTarget::Service(_)) if upstream.to_string() == sample::URL && sample_is_ours() => continue,
            (_, RouteTarget::Service(service)) => format!("every host runs the service `{service}`"),
            (_, RouteTarget::Joined(container)) => {
                format!("every host needs the container `{container}` and its network")
            }
            (Host::Engine, _) => format!("every host needs the process that listens on port {}", upstream.port()),
            (_, RouteTarget::Outside(_) | RouteTarget::NoService | RouteTarget::Unknown(_)) => continue,
        };
        findings.push(rules::finding(RuleId::ReplicaUpstreamApart).about(Subject::route(route.shown())).with(what));
    }
    findings
}
