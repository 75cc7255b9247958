//! The four files of `data/`: read, issued where one is missing, judged. The only part of `certs` that touches files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Asked, Ca, CertificateFile, Details, Facts, Files, Input, IssueError, Key, Row, Verdict, audit};
use crate::answer::{Error, Finding, Skipped};
use crate::deployment::files::{self, Action, FileEntry};
use crate::deployment::{Deployment, Domain, OPEN_DIR_MODE, OPEN_MODE, SECRET_MODE, path};
use crate::rules;

/// Days below which the end of the server certificate is worth a warning: renewal wants a month's notice.
pub(crate) const WARN_WITHIN_DAYS: i64 = 30;

/// The request of `certs issue`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IssueRequest {
    /// Life of the server certificate, in days (90).
    pub(crate) server_days: Option<u32>,
    /// Life of the CA, in days (3650).
    pub(crate) ca_days: Option<u32>,
}

impl IssueRequest {
    /// The lives asked for, server and CA, in days.
    ///
    /// # Errors
    /// `request` for zero, or more than a certificate's dates can say.
    pub(crate) fn days(self) -> Result<(u32, u32), Error> {
        let check = |name: &str, asked: Option<u32>, default: u32, most: u32| {
            let days = asked.unwrap_or(default);
            if (1..=most).contains(&days) {
                return Ok(days);
            }
            Err(Error::request(
                format!("`{name}` is {days}; it must be between 1 and {most}"),
                format!("leave it out for {default} days"),
            ))
        };
        Ok((check("server_days", self.server_days, 90, 3650)?, check("ca_days", self.ca_days, 3650, 36500)?))
    }
}

/// A certificate in an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct CertificateInfo {
    /// The certificate itself, to be pasted into the Console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pem: Option<String>,
    /// Lower-case hex of the SHA-256 of the DER, as the Console's API shows it.
    pub(crate) fingerprint_sha256: String,
    /// Distinguished name.
    pub(crate) subject: String,
    /// Kind of key.
    pub(crate) key: String,
    /// Beginning of its validity, RFC 3339.
    pub(crate) not_before: String,
    /// End of its validity, RFC 3339.
    pub(crate) not_after: String,
    /// Whole days until its end; negative when it is over.
    pub(crate) days_left: i64,
    /// DNS names it is made for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) dns_names: Vec<String>,
}

impl CertificateInfo {
    fn of(details: &Details, now: OffsetDateTime) -> Self {
        let date = |date: OffsetDateTime| date.format(&Rfc3339).unwrap_or_default();
        Self {
            pem: None,
            fingerprint_sha256: details.fingerprint_sha256(),
            subject: details.subject.clone(),
            key: details.key.to_string(),
            not_before: date(details.not_before),
            not_after: date(details.not_after),
            days_left: details.days_left(now),
            dns_names: details.dns_names().to_vec(),
        }
    }
}

/// What one file of the four is.
#[derive(Debug, Default)]
enum Content {
    #[default]
    Absent,
    Unreadable(String),
    Bytes(Vec<u8>),
}

impl Content {
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    fn input(&self) -> Input<'_> {
        match self {
            Self::Absent => Input::Absent,
            Self::Unreadable(why) => Input::Unreadable(why),
            Self::Bytes(bytes) => Input::Bytes(bytes),
        }
    }
}

/// The four files as they are.
#[derive(Debug, Default)]
pub(crate) struct OnDisk {
    ca_crt: Content,
    ca_key: Content,
    tls_crt: Content,
    tls_key: Content,
}

impl OnDisk {
    /// Reads the files; what cannot be read is a fact too.
    pub(crate) fn read(deployment: &Deployment) -> Self {
        let read = |inside: &str| match files::read(deployment, inside) {
            Ok(None) => Content::Absent,
            Ok(Some(bytes)) => Content::Bytes(bytes),
            Err(error) => Content::Unreadable(error.to_string()),
        };
        Self {
            ca_crt: read(path::CA_CRT),
            ca_key: read(path::CA_KEY),
            tls_crt: read(path::TLS_CRT),
            tls_key: read(path::TLS_KEY),
        }
    }

    /// Whether none of the four is there.
    pub(crate) fn is_empty(&self) -> bool {
        [&self.ca_crt, &self.ca_key, &self.tls_crt, &self.tls_key].iter().all(|c| matches!(c, Content::Absent))
    }

    /// Judges them for a domain and its routes.
    pub(crate) fn judge(&self, domain: &Domain, routes: &[String], now: OffsetDateTime) -> Judged {
        let files = Files {
            ca_crt: self.ca_crt.input(),
            ca_key: self.ca_key.input(),
            tls_crt: self.tls_crt.input(),
            tls_key: self.tls_key.input(),
        };
        let facts = Facts::gather(files, Asked { domain, routes, now, fail_within_days: 0 });
        let rows = audit(&facts);
        let mut judged = Judged {
            ca: facts.ca_details().map(|d| CertificateInfo::of(d, now)),
            server: facts.server_details().map(|d| CertificateInfo::of(d, now)),
            findings: findings(&rows),
            skipped: Vec::new(),
            met: rows.iter().filter(|row| row.verdict.ok() == Some(true)).count(),
        };
        let both = judged.ca.is_some() && judged.server.is_some();
        if both {
            if matches!(self.ca_key, Content::Absent) {
                judged.findings.push(rules::finding("ca-key-missing"));
            }
            // Without routes there is nothing that the names could fail to cover.
            let asked = rows.iter().filter(|row| !routes.is_empty() || row.id != "server-san-routes");
            judged.skipped = asked.filter_map(skipped).collect();
        }
        let ending = judged.server.as_ref().filter(|s| (0..WARN_WITHIN_DAYS).contains(&s.days_left));
        if let Some(server) = ending {
            judged.findings.push(
                rules::finding("tls-expires-soon")
                    .with(format!("data/tls.crt ends on {}, {} days left", server.not_after, server.days_left)),
            );
        }
        judged
    }
}

/// The verdict over the four files.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The CA certificate, if it can be read.
    pub(crate) ca: Option<CertificateInfo>,
    /// The server certificate, if it can be read.
    pub(crate) server: Option<CertificateInfo>,
    /// Requirements that are not met, and what else is worth knowing.
    pub(crate) findings: Vec<Finding>,
    /// Requirements that could not be judged.
    pub(crate) skipped: Vec<Skipped>,
    /// How many requirements are met.
    pub(crate) met: usize,
}

impl Judged {
    /// Whether both certificates are there and nothing is wrong with them.
    pub(crate) fn is_good(&self) -> bool {
        self.ca.is_some()
            && self.server.is_some()
            && !self.findings.iter().any(|f| f.severity == crate::answer::Severity::Error)
    }
}

fn skipped(row: &Row) -> Option<Skipped> {
    match &row.verdict {
        // That the key is elsewhere is said once, as a note.
        Verdict::Skip(_) if row.rule.starts_with("ca-key") => None,
        Verdict::Skip(reason) => Some(Skipped::new(row.id, reason.clone())),
        Verdict::Pass(_) | Verdict::Fail(_) => None,
    }
}

/// One finding a rule, with what was found for each requirement that is not met.
fn findings(rows: &[Row]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for row in rows {
        let Verdict::Fail(what) = &row.verdict else { continue };
        let text = format!("{} ({}): {what}", row.of.as_str(), row.requirement);
        match found.iter_mut().find(|f| f.id == row.rule) {
            Some(finding) => *finding = finding.clone().with(text),
            None => found.push(rules::finding(row.rule).with(text)),
        }
    }
    found
}

/// What issuing did.
#[derive(Debug)]
pub(crate) struct Issued {
    /// The four files.
    pub(crate) files: Vec<FileEntry>,
    /// The verdict over what is there now.
    pub(crate) judged: Judged,
}

impl From<IssueError> for Error {
    fn from(error: IssueError) -> Self {
        Self::Certificate { act: "issue certificates", why: error.to_string() }
    }
}

/// Makes what is missing: a CA if there is none, a server certificate if there is none. Replaces nothing.
///
/// Half-finished states, one by one: `ca.key` alone gives `ca.crt` again, with the same subject and key identifier;
/// `tls.key` alone gets a certificate; `ca.crt` alone is kept, and without the key nothing new is issued; `tls.crt`
/// without its key, a certificate without its CA, and pairs that do not match are findings, and nothing is written.
///
/// # Errors
/// `io` and `unexpected-file` for files that cannot be read or written.
pub(crate) fn issue(
    deployment: &Deployment,
    domain: &Domain,
    routes: &[String],
    days: (u32, u32),
    now: OffsetDateTime,
) -> Result<Issued, Error> {
    let (server_days, ca_days) = days;
    for inside in [path::CA_CRT, path::CA_KEY, path::TLS_CRT, path::TLS_KEY] {
        // A link or a directory in their place is an error before anything is decided.
        files::read(deployment, inside)?;
    }
    let before = OnDisk::read(deployment);
    let mut after = OnDisk {
        ca_crt: copy(&before.ca_crt),
        ca_key: copy(&before.ca_key),
        tls_crt: copy(&before.tls_crt),
        tls_key: copy(&before.tls_key),
    };
    let refused = |finding: Finding| {
        let mut judged = before.judge(domain, routes, now);
        if !judged.findings.iter().any(|f| f.id == finding.id) {
            judged.findings.push(finding);
        }
        Ok(Issued { files: entries(deployment, &before, &before), judged })
    };

    // What is there must be readable before anything is made to go with it.
    let present = before.judge(domain, routes, now);
    let hopeless = ["ca-unusable", "ca-key-unusable", "ca-key-mismatch", "ca-unfit", "ca-expired", "proxy-cert-empty"];
    let nothing_missing = before.ca_crt.bytes().is_some() && before.tls_crt.bytes().is_some();
    if nothing_missing || present.findings.iter().any(|f| hopeless.contains(&f.id)) {
        return Ok(Issued { files: entries(deployment, &before, &before), judged: present });
    }
    if before.tls_crt.bytes().is_some() && before.tls_key.bytes().is_none() {
        return refused(rules::finding("proxy-cert-missing").with("data/tls.crt is there, data/tls.key is not"));
    }
    let witness = before.tls_crt.bytes().and_then(|bytes| CertificateFile::parse(bytes).ok());
    let ca_key = before.ca_key.bytes().and_then(|bytes| Key::parse(bytes).ok());

    let ca = match (before.ca_crt.bytes(), &ca_key) {
        (None, Some(key)) => {
            let new = Ca::recreate(key, witness.as_ref(), now, ca_days)?;
            after.ca_crt = Content::Bytes(new.certificate.into_bytes());
            Some(new.ca)
        }
        (None, None) if witness.is_some() => {
            return refused(
                rules::finding("ca-missing").with("data/tls.crt is there, and neither data/ca.crt nor data/ca.key"),
            );
        }
        (None, None) => {
            let new = Ca::create(now, ca_days)?;
            after.ca_crt = Content::Bytes(new.certificate.into_bytes());
            after.ca_key = Content::Bytes(new.key.map(|key| key.expose().as_bytes().to_vec()).unwrap_or_default());
            Some(new.ca)
        }
        (Some(bytes), Some(key)) => {
            let certificate = CertificateFile::parse(bytes).map_err(|fault| Error::Certificate {
                act: "issue certificates",
                why: format!("data/ca.crt: {fault}"),
            })?;
            Some(Ca::load(&certificate, key)?)
        }
        (Some(_), None) => None,
    };
    let mut shortened = false;
    if before.tls_crt.bytes().is_none() {
        let Some(ca) = ca else {
            return refused(rules::finding("ca-key-needed").with("data/ca.crt is there, data/ca.key is not"));
        };
        let key = match before.tls_key.bytes().map(Key::parse) {
            None => None,
            Some(Ok(key)) => Some(key),
            // Named by the audit.
            Some(Err(_)) => return Ok(Issued { files: entries(deployment, &before, &before), judged: present }),
        };
        let server = ca.issue(domain, key.as_ref(), now, server_days)?;
        shortened = server.shortened;
        after.tls_crt = Content::Bytes(server.certificate.into_bytes());
        if let Some(key) = server.key {
            after.tls_key = Content::Bytes(key.expose().as_bytes().to_vec());
        }
    }
    let mut judged = after.judge(domain, routes, now);
    if let (true, Some(ca)) = (shortened, &judged.ca) {
        judged.findings.push(rules::finding("ca-ends-first").with(format!("data/ca.crt ends on {}", ca.not_after)));
    }
    if !judged.findings.iter().any(|f| f.severity == crate::answer::Severity::Error) {
        write(deployment, &before, &after)?;
        return Ok(Issued { files: entries(deployment, &before, &after), judged });
    }
    Ok(Issued { files: entries(deployment, &before, &before), judged })
}

fn copy(content: &Content) -> Content {
    match content {
        Content::Absent => Content::Absent,
        Content::Unreadable(why) => Content::Unreadable(why.clone()),
        Content::Bytes(bytes) => Content::Bytes(bytes.clone()),
    }
}

/// Keys before certificates: what is left behind by a full disk can always be completed.
fn pairs<'a>(before: &'a OnDisk, after: &'a OnDisk) -> [(&'static str, u32, &'a Content, &'a Content); 4] {
    [
        (path::CA_KEY, SECRET_MODE, &before.ca_key, &after.ca_key),
        (path::TLS_KEY, OPEN_MODE, &before.tls_key, &after.tls_key),
        (path::CA_CRT, OPEN_MODE, &before.ca_crt, &after.ca_crt),
        (path::TLS_CRT, OPEN_MODE, &before.tls_crt, &after.tls_crt),
    ]
}

fn write(deployment: &Deployment, before: &OnDisk, after: &OnDisk) -> Result<(), Error> {
    files::make_dir(deployment, path::DATA, OPEN_DIR_MODE)?;
    for (inside, mode, old, new) in pairs(before, after) {
        if let (Content::Absent, Some(bytes)) = (old, new.bytes()) {
            files::create(deployment, inside, bytes, mode)?;
        }
    }
    files::sync_dir(deployment, path::DATA);
    Ok(())
}

fn entries(deployment: &Deployment, before: &OnDisk, after: &OnDisk) -> Vec<FileEntry> {
    pairs(before, after)
        .into_iter()
        .filter(|(_, _, _, new)| !matches!(new, Content::Absent))
        .map(|(inside, _, old, _)| {
            let action = if matches!(old, Content::Absent) { Action::Created } else { Action::Unchanged };
            FileEntry::of(deployment, inside, action)
        })
        .collect()
}

/// What `certs issue` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IssueData {
    /// The four files.
    files: Vec<FileEntry>,
    /// The CA certificate.
    ca: Option<CertificateInfo>,
    /// The server certificate.
    server: Option<CertificateInfo>,
}

/// The command `certs issue`.
///
/// # Errors
/// `directory` when there is no deployment directory that knows its domain; reading and writing errors.
pub(crate) fn run(
    deployment: &Deployment,
    request: IssueRequest,
    caller: &crate::caller::Caller,
) -> Result<crate::answer::Report<IssueData>, Error> {
    let days = request.days()?;
    deployment.require()?;
    let _lock = deployment.lock()?;
    let domain = crate::config::known_domain(deployment)?.ok_or_else(|| Error::Directory {
        message: format!("`{}` does not say which tunnel it is for", deployment.root().display()),
        hint: "run `init` with the domain first".into(),
    })?;
    let routes = crate::check::route_labels(deployment, &domain);
    let issued = issue(deployment, &domain, &routes, days, caller.now)?;
    let created = issued.files.iter().filter(|file| file.action == Action::Created).count();
    let summary = match (&issued.judged.ca, &issued.judged.server) {
        (Some(_), Some(server)) if issued.judged.is_good() => format!(
            "CA and server certificate meet all {} requirements; {} days left, until {}{}",
            issued.judged.met,
            server.days_left,
            &server.not_after[..10.min(server.not_after.len())],
            if created == 0 { "; nothing was missing" } else { "" },
        ),
        _ => "certificates were not issued: see the findings; nothing was written".to_owned(),
    };
    let mut ca = issued.judged.ca;
    if let Some(ca) = &mut ca {
        ca.pem = files::read_text(deployment, path::CA_CRT).ok().flatten();
    }
    let good = issued.judged.server.is_some() && created > 0;
    let mut report =
        crate::answer::Report::new(summary, IssueData { files: issued.files, ca, server: issued.judged.server });
    report.findings = issued.judged.findings;
    report.skipped = issued.judged.skipped;
    if good {
        report.next.push(crate::init::register_step(deployment, report.data.ca.as_ref()));
    }
    Ok(report)
}
