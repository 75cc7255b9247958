//! `certs renew`: a new server certificate from the same CA for the same key, safe on any schedule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::disk::{CertificateInfo, Content, Judged, OnDisk, in_days};
use super::handshake::rehearse;
use super::issuing::IssueRequest;
use super::{Ca, CertificateFile, Key, Verdict};
use crate::answer::{Error, Finding, Next, Report, Severity};
use crate::caller::{Caller, quote};
use crate::deployment::{Deployment, Domain, OPEN_MODE, path};
use crate::model::current;
use crate::os::files::{self, Action, FileEntry};
use crate::rules;
use crate::rules::RuleId;
use crate::steps;

/// The request of `certs renew`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RenewRequest {
    /// Do nothing while more days than these are left (30).
    renew_before_days: Option<u32>,
    /// Renew whatever is left.
    force: bool,
    /// Life of the new certificate, in days (90).
    server_days: Option<u32>,
}

/// What `certs renew` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RenewData {
    /// Whether there is a new certificate.
    renewed: bool,
    /// Why, or why not.
    reason: String,
    /// The server certificate that is there now.
    server: Option<CertificateInfo>,
    /// The file.
    files: Vec<FileEntry>,
}

/// Days below which a certificate is renewed unless something else is asked for.
const RENEW_BEFORE_DAYS: u32 = 30;

/// Why a renewal is due; `None` while it is not.
fn due(judged: &Judged, request: RenewRequest) -> Option<String> {
    let Some(server) = &judged.server else { return Some("there is no readable server certificate".into()) };
    // What a new certificate mends.
    let mends = [
        RuleId::TlsBadCert,
        RuleId::TlsExpired,
        RuleId::TlsUnsupportedCert,
        RuleId::ServerUnfit,
        RuleId::ProxyCertMismatch,
    ];
    if let Some(broken) = judged.findings.iter().find(|f| mends.contains(&f.id)) {
        return Some(broken.title.clone());
    }
    if request.force {
        return Some("it was asked for".into());
    }
    let before = i64::from(request.renew_before_days.unwrap_or(RENEW_BEFORE_DAYS));
    (server.days_left <= before).then(|| format!("{} left, and {before} is the limit", in_days(server.days_left)))
}

/// What stands in the way of signing, as a finding.
fn obstacle(disk: &OnDisk) -> Option<Finding> {
    match &disk.ca_crt {
        Content::Absent => return Some(rules::finding(RuleId::CaMissing).with("there is no data/ca.crt")),
        Content::Unreadable(why) => return Some(rules::finding(RuleId::CaUnusable).with(why)),
        Content::Bytes(bytes) => {
            if let Err(fault) = CertificateFile::parse(bytes) {
                return Some(rules::finding(RuleId::CaUnusable).with(format!("data/ca.crt: {fault}")));
            }
        }
    }
    match &disk.ca_key {
        Content::Absent => return Some(rules::finding(RuleId::CaKeyNeeded).with("there is no data/ca.key")),
        Content::Unreadable(why) => return Some(rules::finding(RuleId::CaKeyUnusable).with(why)),
        Content::Bytes(bytes) => match Key::parse(bytes) {
            Err(fault) => return Some(rules::finding(RuleId::CaKeyUnusable).with(format!("data/ca.key: {fault}"))),
            Ok(key) => {
                if let Err(fault) = key.signing() {
                    let text = format!("data/ca.key ({}): {fault}", key.kind());
                    return Some(rules::finding(RuleId::CaKeyUnusable).with(text));
                }
            }
        },
    }
    match &disk.tls_key {
        Content::Absent => Some(rules::finding(RuleId::ProxyCertMissing).with("there is no data/tls.key")),
        Content::Unreadable(why) => Some(rules::finding(RuleId::ProxyCertEmpty).with(why)),
        Content::Bytes(bytes) => match Key::parse(bytes) {
            Err(super::PemFault::CertificateInsteadOfKey) => {
                Some(rules::finding(RuleId::ProxyCertSwapped).with("data/tls.key"))
            }
            Err(super::PemFault::EncryptedKey) => Some(rules::finding(RuleId::ProxyKeyEncrypted).with("data/tls.key")),
            Err(fault) => Some(rules::finding(RuleId::ProxyCertEmpty).with(format!("data/tls.key: {fault}"))),
            Ok(key) => key.signing().err().map(|fault| {
                rules::finding(RuleId::ServerUnfit).with(format!("data/tls.key ({}): {fault}", key.kind()))
            }),
        },
    }
}

/// A new `tls.crt` for the key that is there, and whether the CA's end cut it short. Nothing is written.
///
/// # Errors
/// `certificate` when the CA cannot sign.
pub(crate) fn sign(disk: &OnDisk, domain: &Domain, days: u32, now: OffsetDateTime) -> Result<(Vec<u8>, bool), Error> {
    let unreadable = |name: &str| Error::Certificate {
        act: "issue a server certificate",
        why: format!("data/{name} cannot be read"),
    };
    let ca = disk.ca_crt.bytes().and_then(|b| CertificateFile::parse(b).ok()).ok_or_else(|| unreadable("ca.crt"))?;
    let ca_key = disk.ca_key.bytes().and_then(|b| Key::parse(b).ok()).ok_or_else(|| unreadable("ca.key"))?;
    let key = disk.tls_key.bytes().and_then(|b| Key::parse(b).ok()).ok_or_else(|| unreadable("tls.key"))?;
    let made = Ca::load(&ca, &ca_key)?.issue(domain, Some(&key), now, days)?;
    Ok((made.certificate.into_bytes(), made.shortened))
}

/// The command.
///
/// # Errors
/// `directory` when there is no deployment directory that knows its domain; reading and writing errors.
pub(crate) fn run(deployment: &Deployment, request: RenewRequest, caller: &Caller) -> Result<Report<RenewData>, Error> {
    let (days, _) = IssueRequest { server_days: request.server_days, ca_days: None }.days()?;
    let limit = request.renew_before_days.unwrap_or(RENEW_BEFORE_DAYS);
    if limit >= days {
        return Err(Error::request(
            format!(
                "`renew_before_days` is {limit} and the new certificate lives {days} days: every run would renew it"
            ),
            format!("leave it out for {RENEW_BEFORE_DAYS}, or ask for a longer life with `server_days`"),
        ));
    }
    deployment.require()?;
    let _lock = deployment.lock()?;
    let domain = current::require_domain(deployment)?;
    let routes = current::route_labels(deployment, &domain);
    // A link or a directory in its place must not be renamed over.
    files::read(deployment, path::TLS_CRT)?;
    let disk = OnDisk::read(deployment);
    let before = disk.judge(&domain, &routes, caller.now);
    let entry = |action| match files::metadata(deployment, path::TLS_CRT) {
        Ok(Some(_)) => vec![FileEntry::of(deployment, path::TLS_CRT, action)],
        Ok(None) | Err(_) => Vec::new(),
    };
    let unchanged = |summary: String, reason: String, findings: Vec<Finding>| {
        let data = RenewData { renewed: false, reason, server: before.server.clone(), files: entry(Action::Unchanged) };
        let mut report = Report::new(summary, data);
        report.findings = findings;
        report
    };
    // The certificate that is shown works or not by what is registered; one of another CA must not replace it unasked.
    if let Some(finding) = before.findings.iter().find(|f| f.id == RuleId::TlsUnknownCa)
        && !request.force
    {
        let text = "not renewed: data/tls.crt was signed by another CA than data/ca.crt, and only the Console shows which of them is registered";
        return Ok(unchanged(text.into(), finding.title.clone(), vec![finding.clone()]));
    }
    let Some(reason) = due(&before, request) else {
        let server = before.server.as_ref();
        let left = server.map_or(0, |s| s.days_left);
        let until = server.map_or("", |s| &s.not_after[..10.min(s.not_after.len())]);
        let mut report = unchanged(
            format!("nothing to renew: {} left, until {until}", in_days(left)),
            format!("{} left", in_days(left)),
            before.findings.clone(),
        );
        report.next.extend(schedule(deployment, &domain, caller));
        return Ok(report);
    };
    // A CA that ends first gives no longer life, however often it is asked.
    if let (Some(ca), Some(server)) = (&before.ca, &before.server)
        && server.not_after >= ca.not_after
        && before.is_good()
        && !request.force
    {
        let finding = rules::finding(RuleId::CaEndsFirst).with(format!("both end on {}", ca.not_after));
        // Nothing else will tell: a renewal on a schedule is heard of only when it fails.
        let urgent = ca.days_left <= i64::from(limit);
        let mut findings = before.findings.clone();
        findings.push(if urgent { finding.with_severity(Severity::Error) } else { finding });
        let mut report = unchanged(
            format!(
                "nothing to gain: the server certificate already lives as long as its CA, until {}",
                &ca.not_after[..10.min(ca.not_after.len())]
            ),
            "the CA ends on the same day".into(),
            findings,
        );
        report.next.push(new_ca(caller));
        return Ok(report);
    }
    if let Some(finding) = obstacle(&disk) {
        let title = finding.title.clone();
        return Ok(unchanged(format!("not renewed: {title}"), reason, vec![finding]));
    }
    if let Some(finding) =
        before.findings.iter().find(|f| matches!(f.id, RuleId::CaExpired | RuleId::CaUnfit | RuleId::CaKeyMismatch))
    {
        return Ok(unchanged(format!("not renewed: {}", finding.title), reason, vec![finding.clone()]));
    }
    let (certificate, shortened) = sign(&disk, &domain, days, caller.now)?;
    let after = OnDisk { tls_crt: Content::Bytes(certificate), ..disk };
    let mut judged = after.judge(&domain, &routes, caller.now);
    // What the rows do not know, such as a CA that is constrained to other names, the handshake does.
    let failed = rehearse(&judged.facts).into_iter().find_map(|(host, verdict)| match verdict {
        Verdict::Fail(why) => Some(format!("{host}: {why}")),
        Verdict::Pass(_) | Verdict::Skip(_) => None,
    });
    if let Some(text) = failed.filter(|_| !judged.has_errors()) {
        judged.findings.insert(0, rules::finding(RuleId::TlsHandshake).with(text));
    }
    if judged.has_errors() {
        let why = judged.findings.first().map_or("see the findings", |f| f.title.as_str());
        return Ok(unchanged(format!("not renewed: {why}"), reason, judged.findings));
    }
    files::replace(deployment, path::TLS_CRT, after.tls_crt.bytes().unwrap_or_default(), None, OPEN_MODE)?;
    files::sync_dir(deployment, path::DATA);
    if let (true, Some(ca)) = (shortened, &judged.ca) {
        judged.findings.push(rules::finding(RuleId::CaEndsFirst).with(format!("data/ca.crt ends on {}", ca.not_after)));
    }
    let life = judged.server.as_ref().map_or_else(String::new, |s| {
        format!("{} left, until {}", in_days(s.days_left), &s.not_after[..10.min(s.not_after.len())])
    });
    let data = RenewData { renewed: true, reason, server: judged.server, files: entry(Action::Updated) };
    let mut report =
        Report::new(format!("the server certificate is renewed: {life}; the proxy takes it up by itself"), data);
    report.findings = judged.findings;
    report.skipped = judged.skipped;
    if shortened {
        report.next.push(new_ca(caller));
    }
    if before.findings.iter().any(|f| f.id == RuleId::TlsUnknownCa) {
        report.next.push(steps::register_step(deployment, path::CA_CRT));
    }
    report.next.extend(schedule(deployment, &domain, caller));
    Ok(report)
}

/// The step to a CA that lives longer.
pub(crate) fn new_ca(caller: &Caller) -> Next {
    Next::helper(
        "make a new CA beside this one, to be registered; no call is lost on the way",
        caller.command(&["certs", "rotate-ca", "--json", "{\"step\":\"begin\"}"]),
    )
}

/// How to have it done every day: a systemd timer, or a line for cron.
fn schedule(deployment: &Deployment, domain: &Domain, caller: &Caller) -> Vec<Next> {
    let command = caller.scheduled_command(&["certs", "renew"]);
    // What the command needs to be one line of a unit or of a crontab.
    if deployment.root().to_string_lossy().contains('\n') {
        return Vec::new();
    }
    let name = format!("mcp-tunnel-renew-{}", domain.first_label());
    // In a unit `%` and `$` have a meaning of their own, also inside of quotes.
    let exec = format!("/bin/sh -c {}", systemd_word(&command));
    let units = format!(
        "mkdir -p ~/.config/systemd/user && cd ~/.config/systemd/user && printf '%s\\n' '[Unit]' {d} '[Service]' 'Type=oneshot' {e} > {name}.service && printf '%s\\n' '[Unit]' {d} '[Timer]' 'OnCalendar=daily' 'RandomizedDelaySec=1h' 'Persistent=true' '[Install]' 'WantedBy=timers.target' > {name}.timer && systemctl --user daemon-reload && systemctl --user enable --now {name}.timer",
        d = quote(format!("Description=Renew the certificate of {domain}").as_ref()),
        e = quote(format!("ExecStart={exec}").as_ref()),
    );
    // cron ends a command at `%`; it mails what is printed, so only a failure prints.
    let line = format!("17 4 * * * out=$({command}) || echo \"$out\"").replace('%', "\\%");
    let cron = format!("(crontab -l 2>/dev/null; printf '%s\\n' {}) | crontab -", quote(line.as_ref()));
    vec![
        // The first word of a pasted line must be a program, not an assignment or a builtin of one shell.
        Next::person("to renew by itself, with systemd: a user timer, once a day (for a machine nobody logs in to: `loginctl enable-linger`)").running(units),
        Next::person("or with cron, once a day").running(cron),
    ]
}

fn systemd_word(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}
