//! `replica.json`: what a bundle for another host holds; and, in a directory, that it is the replica of a deployment
//! elsewhere, which alone has the CA's key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Deployment, path};
use crate::answer::{Finding, Severity};
use crate::os::files;
use crate::redact;
use crate::rules::{self, RuleId};

/// The format that this version writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// What a bundle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    /// A whole deployment, without the CA's key and the token.
    Deployment,
    /// The certificates alone, for a replica that is there already.
    Certificate,
}

/// Where a bundle was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// Name of the host.
    pub(crate) host: String,
    /// Absolute path of the deployment directory there.
    pub(crate) dir: String,
}

impl Origin {
    /// As an answer may show it: the content of a bundle is foreign text.
    pub(crate) fn shown(&self) -> String {
        let part = |text: &str| redact::cut(&redact::foreign(text), 120);
        format!("{} on {}", part(&self.dir), part(&self.host))
    }
}

/// Paths of the certificates and of the key that the proxy reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    /// The server certificate.
    pub(crate) certificate: String,
    /// Its key.
    pub(crate) key: String,
}

/// The file itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// What the bundle is for.
    pub(crate) scope: Scope,
    /// The tunnel's domain.
    pub(crate) domain: String,
    /// When it was made, RFC 3339.
    pub(crate) made: String,
    /// The deployment that has the CA's key.
    pub(crate) origin: Origin,
    /// What the proxy reads.
    pub(crate) pair: Pair,
    /// Every other file of the bundle, with the SHA-256 of its content: it shows what a person edited here.
    pub(crate) files: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    /// What it was made from; `None` where `replica.json` cannot be read.
    pub(crate) manifest: Option<Manifest>,
}

impl Replica {
    /// Whether a directory is one: `replica.json` says so, and there is no CA key that would make it more.
    pub(crate) fn of(deployment: &Deployment) -> Option<Self> {
        files::metadata(deployment, path::REPLICA).ok().flatten()?;
        let has_key = !matches!(files::metadata(deployment, path::CA_KEY), Ok(None));
        (!has_key).then(|| Self { manifest: manifest(deployment) })
    }

    /// Where the CA's key is, in words.
    pub(crate) fn origin(&self) -> String {
        self.manifest.as_ref().map_or_else(|| "the deployment that it was copied from".into(), |m| m.origin.shown())
    }

    /// The note that it cannot sign; an error where something is to be signed.
    pub(crate) fn finding(&self, severity: Severity) -> Finding {
        rules::finding(RuleId::ReplicaCannotSign)
            .with_severity(severity)
            .with(format!("the CA's key is in {}", self.origin()))
    }
}

/// What `replica.json` of a directory says.
fn manifest(deployment: &Deployment) -> Option<Manifest> {
    let bytes = files::read(deployment, path::REPLICA).ok().flatten()?;
    serde_json::from_slice::<Manifest>(&bytes).ok().filter(|manifest| manifest.format == FORMAT)
}
