//! The pair that the proxy reads, wherever in the directory that is, and the CA that goes with it.

use crate::answer::{Finding, Severity};
use crate::certs::judged::Horizon;
use crate::certs::{Files, Judged, Purpose};
use crate::deployment::{Deployment, path};
use crate::lint;
use crate::lint::facts::certificate_files;
use crate::lint::pair::View;
use crate::model::current::Current;
use crate::model::pair;
use crate::os::files;
use crate::rules::{self, RuleId};

/// A pair that is not the one of the layout.
#[derive(Debug)]
pub(crate) struct Other {
    /// Path of the certificate inside the directory.
    pub(crate) cert: String,
    /// The verdict over it, with what ends each fault for this pair.
    pub(crate) judged: Judged,
    /// Whether the certificate is that of a CA.
    pub(crate) names_ca: bool,
}

impl Other {
    /// The pair that the proxy reads in place of that of the layout, if it exists inside the directory.
    pub(crate) fn of(
        deployment: &Deployment,
        current: &Current,
        purpose: Purpose<'_>,
        horizon: Horizon,
    ) -> Option<Self> {
        let proxy = current.found.roles().proxy?;
        let pair = pair::places(deployment, &current.found, Some(&proxy), current.gateway.good());
        let exists = |place: &str| matches!(files::metadata(deployment, place), Ok(Some(_)));
        let cert = pair.0.inside().filter(|cert| exists(cert))?;
        // A key that is missing next to the layout's own certificate says nothing of another pair.
        let is_other = cert != path::TLS_CRT || pair.1.inside().is_some_and(exists);
        if pair::is_kept(deployment, &pair) || !is_other {
            return None;
        }
        let mut judged = Judged::within(certificate_files(deployment, &pair)?, purpose, horizon);
        let view = View { current, pair: &pair, keeps_pair: false, has_layout: exists(path::TLS_CRT) };
        judged.findings = lint::pair::findings(&view, &judged);
        Some(Self { cert: cert.to_owned(), names_ca: judged.server_is_ca(), judged })
    }

    /// Path of the CA that the pair is judged by, if there is one.
    pub(crate) fn ca(&self) -> Option<&str> {
        let files = &self.judged.facts.files;
        files.ca.good().map(|_| files.ca_beside.as_deref().unwrap_or(path::CA_CRT))
    }

    /// That it is not the pair of the layout.
    pub(crate) fn note(&self) -> Finding {
        let said = format!("the proxy reads `{}`", self.cert);
        rules::finding(RuleId::ProxyPairUnknown).with_severity(Severity::Note).with(said)
    }
}

/// The verdict over the pair that the proxy reads: the one of the layout, or another.
pub(crate) fn judged(deployment: &Deployment, current: &Current, purpose: Purpose<'_>) -> Judged {
    let ours = || lint::pair::layout(Judged::new(Files::read(deployment), purpose), current);
    Other::of(deployment, current, purpose, Horizon::default()).map_or_else(ours, |other| other.judged)
}

/// Path of the CA of the pair that the proxy reads.
pub(crate) fn ca_place(deployment: &Deployment, current: &Current, purpose: Purpose<'_>) -> Option<String> {
    Other::of(deployment, current, purpose, Horizon::default())?.ca().map(str::to_owned)
}
