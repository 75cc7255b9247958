//! What both kinds of export have in common: the parts of a deployment that they need, and what they say of them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Error, Finding};
use crate::deployment::Domain;
use crate::deployment::replica::Pair;
use crate::lint::facts::Facts;
use crate::model::pair::PairFile;
use crate::redact;
use crate::rules::{self, RuleId};

/// How far a route can go to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExportState {
    /// It is written as it is, and leads to the same server.
    Carried,
    /// It is written as it is, and leads to a Service that has to be made in the release's namespace.
    NeedsService,
    /// It is not written.
    NotPortable,
}

/// One route of the deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct RouteExport {
    /// Its name.
    pub(crate) name: String,
    /// Where it leads on this host.
    pub(crate) upstream: String,
    /// How far it can go.
    pub(crate) state: ExportState,
    /// Why it cannot be exported unchanged, and what to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instead: Option<String>,
    /// The Service that it needs.
    #[serde(skip)]
    pub(crate) service: Option<String>,
    /// Its key in `routes`, as it is written.
    #[serde(skip)]
    pub(crate) key: String,
}

/// Something that an export does not carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct LeftOut {
    /// A setting, a service or a file.
    pub(crate) what: String,
    /// Why, and what to do about it.
    pub(crate) why: String,
}

impl LeftOut {
    /// A part of the deployment, by its name.
    pub(crate) fn new(what: impl AsRef<str>, why: impl Into<String>) -> Self {
        Self { what: redact::cut(&redact::foreign(what.as_ref()), 200), why: why.into() }
    }

    pub(crate) fn line(&self) -> String {
        format!("{}: {}", self.what, self.why)
    }
}

/// The finding that lists what stays behind.
pub(crate) fn left_behind(rule: RuleId, left_out: &[LeftOut]) -> Option<Finding> {
    let finding = rules::finding(rule);
    (!left_out.is_empty()).then(|| left_out.iter().fold(finding, |finding, left| finding.with(left.line())))
}

/// The tunnel's domain.
///
/// # Errors
/// `directory` where nothing says it.
pub(crate) fn domain(facts: &Facts) -> Result<&Domain, Error> {
    facts.domain.as_ref().ok_or_else(|| {
        Error::directory("the deployment does not say which tunnel it is for", "run `init` with the domain first")
    })
}

/// Paths of the certificate and key that the proxy reads.
///
/// # Errors
/// `directory` where they cannot be seen from this host.
pub(crate) fn pair(facts: &Facts) -> Result<Pair, Error> {
    let place = |place: &PairFile| match place {
        PairFile::Inside(inside) => Ok(inside.clone()),
        PairFile::Unseen(why) => Err(unseen(why)),
        PairFile::Nowhere => Err(unseen("no mount shows it to the proxy")),
    };
    Ok(Pair { certificate: place(&facts.pair.0)?, key: place(&facts.pair.1)? })
}

/// The error about a certificate or key that is not at hand.
pub(crate) fn unseen(why: &str) -> Error {
    Error::directory(
        format!("the certificate and key that the proxy reads cannot be exported: {why}"),
        "put both into the deployment's `data` folder, and run the command again",
    )
}
