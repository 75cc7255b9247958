//! Reads a bundle, and checks it before anything is written. It is untrusted.

use std::path::Path;

use super::FOLDER;
use super::walk::is_known_hidden;
use crate::answer::{Error, Finding};
use crate::certs::file::File;
use crate::certs::{Files, Judged, Purpose};
use crate::config::gateway::Gateway;
use crate::deployment::replica::{FORMAT, Manifest, Replica, Scope};
use crate::deployment::{Deployment, Domain, RouteName, Token, path};
use crate::hash::sha256_hex;
use crate::os::archive::{self, Entry};
use crate::redact;
use crate::rules::{Remedy, RuleId};

/// A bundle whose files are what it says they are.
pub(crate) struct Bundle {
    /// What it says about itself.
    pub(crate) manifest: Manifest,
    pub(crate) domain: Domain,
    /// Its files, without `replica.json`.
    pub(crate) entries: Vec<Entry>,
}

/// Why a bundle is not taken.
fn refused(place: &Path, why: &str) -> Error {
    Error::request(
        format!("`{}` was not taken: {why}; nothing was written", place.display()),
        "make the bundle with `mcp-tunnels-helper export --to replica --out FILE.tar.gz` on the first host, and copy it in binary form",
    )
}

impl Bundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// `io` and `unexpected-file` when the file cannot be read, `request` for what no bundle of ours is.
    pub(crate) fn open(place: &Path) -> Result<Self, Error> {
        let mut entries = archive::open(place, FOLDER)?;
        let refuse = |why: &str| refused(place, why);
        let at = entries.iter().position(|entry| entry.name == path::REPLICA);
        let manifest = entries.remove(at.ok_or_else(|| refuse("it has no `replica.json`"))?);
        let manifest: Manifest = serde_json::from_slice(&manifest.bytes)
            .map_err(|_| refuse("its `replica.json` is not one that this version writes"))?;
        if manifest.format != FORMAT {
            return Err(refuse("it was made by another version; use the same version on both hosts"));
        }
        let domain = Domain::parse(&manifest.domain).map_err(|_| refuse("its domain is not a domain name"))?;
        let is_whole = entries.len() == manifest.files.len()
            && entries.iter().all(|entry| manifest.files.get(&entry.name) == Some(&sha256_hex(&entry.bytes)));
        if !is_whole {
            return Err(refuse("its files are not those that its `replica.json` lists"));
        }
        if let Some(why) = entries.iter().find_map(|entry| unfit(entry, &manifest)) {
            return Err(refuse(why));
        }
        let has = |name: &str| entries.iter().any(|entry| entry.name == name);
        let needed: &[&str] = match manifest.scope {
            Scope::Certificate => &[path::CA_CRT, &manifest.pair.certificate],
            Scope::Deployment => &[path::CA_CRT, &manifest.pair.certificate, &manifest.pair.key],
        };
        if !needed.iter().all(|name| has(name)) || manifest.scope == Scope::Certificate && entries.len() > 2 {
            return Err(refuse("it has not the files that a bundle of its kind has"));
        }
        Ok(Self { manifest, domain, entries })
    }

    /// The content of one of its files.
    pub(crate) fn entry(&self, name: &str) -> Option<&[u8]> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| entry.bytes.as_slice())
    }

    /// Judges the certificates as they would be in a directory.
    pub(crate) fn judge(&self, deployment: &Deployment, now: time::OffsetDateTime) -> Judged {
        let pair = &self.manifest.pair;
        let gateway = self.entry(path::GATEWAY).and_then(|bytes| Gateway::parse(std::str::from_utf8(bytes).ok()?).ok());
        let routes = gateway.iter().flat_map(|gateway| gateway.routes.keys());
        let routes: Vec<String> = routes.filter(|name| RouteName::parse(name).is_ok()).cloned().collect();
        let files = Files {
            ca: self.entry(path::CA_CRT).map_or(File::Absent, File::parse),
            ca_beside: None,
            ca_key: File::Absent,
            server: self.entry(&pair.certificate).map_or(File::Absent, File::parse),
            server_key: match self.entry(&pair.key) {
                Some(bytes) => File::parse(bytes),
                None => File::read(deployment, &pair.key),
            },
            replica: Some(Replica { manifest: Some(self.manifest.clone()) }),
        };
        Judged::new(files, Purpose { domain: &self.domain, routes: &routes, now })
    }

    /// What is wrong with the certificates, if something is that keeps calls from working.
    pub(crate) fn faults(&self, judged: &Judged) -> Option<Vec<Finding>> {
        judged.has_errors().then(|| {
            let mut findings = judged.findings.clone();
            if self.manifest.scope == Scope::Certificate {
                for finding in findings.iter_mut().filter(|f| f.id == RuleId::ProxyCertMismatch) {
                    *finding = finding.clone().with_remedy(Remedy::OTHER_KEY);
                }
            }
            findings
        })
    }
}

/// Why a file cannot be one of a bundle, if it cannot.
fn unfit(entry: &Entry, manifest: &Manifest) -> Option<&'static str> {
    let text = String::from_utf8_lossy(&entry.bytes);
    let is_key = entry.name == manifest.pair.key;
    if is_key {
        // From here on no answer shows a line of it.
        text.lines().filter(|line| !line.starts_with("-----")).for_each(redact::guard);
    }
    if entry.name.split('/').any(|part| part.starts_with('.') && !is_known_hidden(part)) {
        return Some("it has a hidden file that no bundle has");
    }
    if entry.name == path::CA_KEY || !is_key && text.contains("PRIVATE KEY-----") {
        return Some("it holds a private key in addition to the server's");
    }
    Token::is_within(&text).then_some("it holds a tunnel's token")
}
