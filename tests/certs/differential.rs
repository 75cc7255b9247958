//! `certs check` on certificates of every maker, good and broken, compared with independent judges: openssl, Python's cryptography and
//! webpki; and the same files on the wire.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};

use super::workshop::{Bench, Set, by_rcgen, hosts};
use super::{authority_cases, good_cases, server_cases};
use crate::support::{Answer, DOMAIN, helper, openssl, skip, which};

// ---------------------------------------------------------------- the judges

/// `openssl verify`, with all that a server would send in addition to its own certificate.
fn openssl_says(dir: &Path) -> Result<(), String> {
    for host in hosts() {
        let out = Command::new("openssl")
            .args(["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", &host])
            .args(["-CAfile", "ca.crt", "-untrusted", "tls.crt", "tls.crt"])
            .current_dir(dir)
            .output()
            .unwrap();
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).replace('\n', " "));
        }
    }
    Ok(())
}

/// webpki through rustls, with every certificate of `ca.crt` as a trust anchor.
fn webpki_says(set: &Set) -> Result<(), String> {
    fn all(pem: Option<&[u8]>) -> Result<Vec<CertificateDer<'static>>, String> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.unwrap_or_default()).collect();
        found.map_err(|e| e.to_string())
    }
    let mut roots = RootCertStore::empty();
    for ca in all(set.ca.as_deref())? {
        roots.add(ca).map_err(|e| e.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|e| e.to_string())?;
    let chain = all(set.tls.as_deref())?;
    let (first, others) = chain.split_first().ok_or("no certificate")?;
    let now = UnixTime::since_unix_epoch(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap());
    for host in hosts() {
        let name = ServerName::try_from(host).unwrap();
        verifier.verify_server_cert(first, others, &name, &[], now).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// A Python that has the verifier, if there is one.
fn python() -> Option<PathBuf> {
    let candidates = [std::env::var_os("MCP_TUNNELS_TEST_PYTHON").map(PathBuf::from), which("python3")];
    candidates.into_iter().flatten().find(|python| {
        let check = "import cryptography, sys; sys.exit(int(cryptography.__version__.split('.')[0]) < 45)";
        let status = Command::new(python).args(["-c", check]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    })
}

fn ask_python(python: &Path, request: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/judge.py");
    let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    serde_json::from_slice(&out.stdout).unwrap()
}

/// What `certs check` says, as the table has it.
#[derive(Debug, PartialEq, Eq)]
struct Ours {
    /// Findings above a note.
    findings: BTreeSet<String>,
    /// Requirements that are not met; `handshake` for one or more of the routes.
    failed: BTreeSet<String>,
    /// Requirements that were not tested.
    skipped: BTreeSet<String>,
}

impl Ours {
    fn of(answer: &Answer) -> Self {
        let findings = answer.json["findings"].as_array().unwrap().iter().filter(|f| f["severity"] != "note");
        let rows = |verdict: Value| -> BTreeSet<String> {
            let rows = answer.data()["requirements"].as_array().unwrap().iter().filter(|row| row["ok"] == verdict);
            rows.map(|row| row["id"].as_str().unwrap().split(':').next().unwrap().to_owned()).collect()
        };
        Self {
            findings: findings.map(|f| f["id"].as_str().unwrap().to_owned()).collect(),
            failed: rows(json!(false)),
            skipped: rows(Value::Null),
        }
    }
}

// ---------------------------------------------------------------- the table

/// One set of certificates with every verdict.
pub(crate) struct Case {
    name: &'static str,
    set: Set,
    /// Ids of the findings above a note.
    findings: &'static str,
    /// Ids of the requirements that are not met.
    failed: &'static str,
    /// Ids of those that were not tested; `*` where a file is missing or unreadable, so that most are not.
    skipped: &'static str,
    /// The judges that accept the certificates.
    accepted: &'static str,
    /// Why a judge comes to another verdict than we; empty where none does.
    why: &'static str,
}

pub(crate) const ALL: &str = "openssl python webpki";
pub(crate) const NONE: &str = "";

#[derive(Default)]
pub(crate) struct Table(Vec<Case>);

impl Table {
    /// Every requirement is met, and every judge agrees.
    pub(crate) fn good(&mut self, name: &'static str, set: Set) {
        self.accepted(name, set, ALL, "");
    }

    /// Every requirement is met, and some judges want more, or less.
    pub(crate) fn accepted(&mut self, name: &'static str, set: Set, accepted: &'static str, why: &'static str) {
        self.0.push(Case { name, set, findings: "", failed: "", skipped: "", accepted, why });
    }

    /// Requirements that are not met: findings, rows that fail, rows that are skipped; then the judges.
    pub(crate) fn bad(
        &mut self,
        name: &'static str,
        set: Set,
        says: [&'static str; 3],
        accepted: &'static str,
        why: &'static str,
    ) {
        let [findings, failed, skipped] = says;
        self.0.push(Case { name, set, findings, failed, skipped, accepted, why });
    }
}

#[test]
fn every_kind_of_certificate_is_judged_as_documented_beside_three_other_judges() {
    const TEST: &str = "every_kind_of_certificate_is_judged_as_documented_beside_three_other_judges";
    let Some(Bench { dir, data, workshop, _parent }) = Bench::new(TEST) else { return };
    let python = python();

    let mut table = Table::default();
    table.good("our own", Set::of(&data));
    good_cases::good_ones(&mut table, &workshop);
    match workshop.mkcert() {
        Some(set) => table.good("mkcert", set),
        None => eprintln!("SKIPPED the profile of mkcert: no mkcert"),
    }
    match &python {
        Some(python) => {
            let made = ask_python(python, &json!({"make": DOMAIN}));
            let file = |name: &str| Some(BASE64.decode(made[name].as_str().unwrap()).unwrap());
            let set = Set { ca: file("ca.crt"), ca_key: file("ca.key"), tls: file("tls.crt"), key: file("tls.key") };
            table.good("Python's cryptography", set);
        }
        None => skip("Python's verifier", "no Python with cryptography 45 or later"),
    }
    table.accepted(
        "a registered intermediate",
        workshop.registered_intermediate(),
        "python webpki",
        "openssl wants the root too, unless -partial_chain is given",
    );
    good_cases::beyond_us(&mut table, &workshop);
    authority_cases::broken_authorities(&mut table, &workshop);
    server_cases::broken_servers(&mut table, &workshop);
    let cases = table.0;
    assert!(cases.len() >= 60, "{}", cases.len());
    let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases of one name");

    let pythons: Option<Vec<Option<String>>> = python.map(|python| {
        let encoded = |file: &Option<Vec<u8>>| BASE64.encode(file.as_deref().unwrap_or_default());
        let asked: Vec<Value> = cases
            .iter()
            .map(|c| json!({"ca": encoded(&c.set.ca), "tls": encoded(&c.set.tls), "hosts": hosts()}))
            .collect();
        serde_json::from_value(ask_python(&python, &json!({"cases": asked}))).unwrap()
    });
    // Their verdicts are theirs to change; these are those of OpenSSL 3.
    let openssl_is_known = openssl(&dir, &["version"]).starts_with("OpenSSL 3.");
    if !openssl_is_known {
        eprintln!("SKIPPED the verdicts of openssl: it is not OpenSSL 3");
    }
    let words = |text: &str| -> BTreeSet<String> { text.split_whitespace().map(str::to_owned).collect() };
    let mut wrong = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        case.set.put(&data);
        let mut call = helper(["certs", "check"]).dir(&dir).changes_nothing();
        for file in [&case.set.ca, &case.set.tls].into_iter().flatten() {
            for key in String::from_utf8_lossy(file).split("PRIVATE KEY-----").skip(1).step_by(2) {
                for line in key.lines().filter(|line| line.len() > 20) {
                    call = call.secret(line);
                }
            }
        }
        let answer = call.run();
        for finding in answer.json["findings"].as_array().unwrap() {
            let fix = finding["fix"].as_str().unwrap();
            assert!(!fix.contains("certs check"), "{}: it advises the command that gave the advice: {fix}", case.name);
        }
        let ours = Ours::of(&answer);
        let any = case.skipped == "*";
        let mut expected = Ours {
            findings: words(case.findings),
            failed: words(case.failed),
            skipped: if any { ours.skipped.clone() } else { words(case.skipped) },
        };
        // Without the key there is nothing to test about it; that is said in a note.
        if case.set.ca_key.is_none() && !any {
            expected.skipped.extend(words("ca-key-usable pair-ca-key"));
        }
        if ours != expected {
            wrong.push(format!("{}: {ours:?}\n    expected {expected:?}\n    {}", case.name, answer.json));
        }
        let judges = [
            ("openssl", openssl_is_known.then(|| openssl_says(&data))),
            ("python", pythons.as_ref().map(|all| all[at].clone().map_or(Ok(()), Err))),
            ("webpki", Some(webpki_says(&case.set))),
        ];
        let listed = words(case.accepted);
        for (judge, verdict) in judges {
            if let Some(verdict) = verdict
                && verdict.is_ok() != listed.contains(judge)
            {
                wrong.push(format!("{}: {judge} says {verdict:?}", case.name));
            }
        }
        let accepted = answer.code == 0;
        let all_agree = if accepted { listed == words(ALL) } else { listed.is_empty() };
        if all_agree != case.why.is_empty() {
            wrong.push(format!(
                "{}: we {}, they: {:?}; why: {:?}",
                case.name,
                if accepted { "accept" } else { "refuse" },
                listed,
                case.why
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

// ---------------------------------------------------------------- on the wire

/// `openssl s_server` with the files of a folder, ended when it is dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "tls.crt", "-key", "tls.key", "-tls1_3"])
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Port 0 makes it say which one it got.
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let line = lines.map_while(Result::ok).find(|line| line.starts_with("ACCEPT")).expect("s_server listens");
        let port = line.rsplit(':').next().unwrap().trim().parse().unwrap();
        Self { child, port }
    }

    /// Whether a client that trusts only `ca.crt` takes the server for `host`.
    fn takes(&self, dir: &Path, host: &str) -> Result<(), String> {
        let out = Command::new("openssl")
            .args(["s_client", "-connect", &format!("127.0.0.1:{}", self.port), "-servername", host, "-tls1_3"])
            .args(["-verify_hostname", host, "-verify_return_error", "-CAfile", "ca.crt", "-no-CApath", "-no-CAstore"])
            .current_dir(dir)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        if out.status.success() && said.contains("Verify return code: 0 (ok)") { Ok(()) } else { Err(said) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_client_takes_a_real_server_with_these_files_for_every_route() {
    let Some(Bench { dir, data, workshop: w, _parent }) =
        Bench::new("a_real_client_takes_a_real_server_with_these_files_for_every_route")
    else {
        return;
    };
    let cases = [
        ("our own", Set::of(&data), true),
        ("the quickstart's", w.make(|p| (p.ca_key, p.key) = ("RSA 2048", "RSA 2048")), true),
        ("EC P-384", w.make(|p| (p.ca_key, p.key) = ("P-384", "P-384")), true),
        ("EC CA, RSA server", w.make(|p| p.key = "RSA 3072"), true),
        ("by rcgen", by_rcgen(|_| {}, |_| {}), true),
        ("too deep", w.server_with("subjectAltName=DNS:*.x.@\nauthorityKeyIdentifier=keyid"), false),
    ];
    for (name, set, good) in cases {
        set.put(&data);
        let answer = helper(["certs", "check"]).dir(&dir).json(json!({"verbose": true})).run().expect(i32::from(!good));
        let rows = answer.data()["requirements"].as_array().unwrap();
        let server = Server::start(&data);
        for host in hosts() {
            let ours = rows.iter().find(|row| row["id"] == format!("handshake:{host}")).unwrap();
            assert_eq!(ours["ok"], good, "{name}");
            let theirs = server.takes(&data, &host);
            assert_eq!(theirs.is_ok(), good, "{name}, {host}: {theirs:?}");
        }
        // What no certificate of ours covers.
        for host in [format!("deeper.hello.{DOMAIN}"), "hello.other.tunnel.anthropic.com".to_owned()] {
            assert!(server.takes(&data, &host).is_err(), "{name}, {host}");
        }
    }
}
