//! `certs check` on certificates of every maker, good and broken, beside independent judges: openssl, Python's cryptography and
//! webpki.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::{Answer, DOMAIN, chmod, folder, helper, is_root, openssl, sha256, skip, which};

// ---------------------------------------------------------------- four files, and how they are made

/// The content of `data/`; `None` is a file that is not there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    pub(crate) ca: Option<Vec<u8>>,
    pub(crate) ca_key: Option<Vec<u8>>,
    pub(crate) tls: Option<Vec<u8>>,
    pub(crate) key: Option<Vec<u8>>,
}

impl Set {
    /// What is in a folder.
    fn of(dir: &Path) -> Self {
        let read = |name: &str| std::fs::read(dir.join(name)).ok();
        Self { ca: read("ca.crt"), ca_key: read("ca.key"), tls: read("tls.crt"), key: read("tls.key") }
    }

    /// Replaces what is in a folder, with the modes that the helper itself gives.
    pub(crate) fn put(&self, dir: &Path) {
        let files = [
            ("ca.crt", &self.ca, 0o644),
            ("ca.key", &self.ca_key, 0o600),
            ("tls.crt", &self.tls, 0o644),
            ("tls.key", &self.key, 0o644),
        ];
        for (name, content, mode) in files {
            let file = dir.join(name);
            let _ = std::fs::remove_file(&file);
            if let Some(content) = content {
                std::fs::write(&file, content).unwrap();
                chmod(&file, mode);
            }
        }
    }

    /// Replaces the CA's two files only.
    pub(crate) fn put_ca(&self, dir: &Path) {
        let there = Self::of(dir);
        Self { tls: there.tls, key: there.key, ..self.clone() }.put(dir);
    }

    fn ca(&self, change: impl FnOnce(&str) -> String) -> Self {
        Self { ca: self.ca.as_deref().map(|bytes| change(text(bytes)).into_bytes()), ..self.clone() }
    }

    fn tls(&self, change: impl FnOnce(&str) -> String) -> Self {
        Self { tls: self.tls.as_deref().map(|bytes| change(text(bytes)).into_bytes()), ..self.clone() }
    }

    fn key(&self, change: impl FnOnce(&str) -> String) -> Self {
        Self { key: self.key.as_deref().map(|bytes| change(text(bytes)).into_bytes()), ..self.clone() }
    }

    fn all(&self, change: impl Fn(&str) -> String) -> Self {
        self.ca(&change).tls(&change).key(&change)
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64.encode(der);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(text).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The DER in a file's first block.
fn der(pem: &[u8]) -> Vec<u8> {
    let body: String = text(pem)
        .lines()
        .skip_while(|l| !l.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|l| !l.starts_with('-'))
        .collect();
    BASE64.decode(body).unwrap()
}

/// What openssl is to make: keys by kind, extensions as its configuration files have them, `@` for the domain.
#[derive(Clone, Copy)]
pub(crate) struct Profile {
    pub(crate) ca_key: &'static str,
    pub(crate) ca_subject: &'static str,
    pub(crate) ca_extensions: &'static str,
    pub(crate) ca_options: &'static str,
    pub(crate) key: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) extensions: &'static str,
    pub(crate) options: &'static str,
}

pub(crate) const BASIC: &str = "basicConstraints=critical,CA:TRUE";
pub(crate) const USAGE: &str = "keyUsage=critical,keyCertSign,cRLSign";
pub(crate) const SKI: &str = "subjectKeyIdentifier=hash";
const NO_SKI: &str = "subjectKeyIdentifier=none";
const NO_AKI: &str = "authorityKeyIdentifier=none";

/// The documented quickstart's extensions, with small keys.
const QUICKSTART: Profile = Profile {
    ca_key: "P-256",
    ca_subject: "/CN=mcp-tunnel-ca",
    ca_extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash",
    ca_options: "-sha256",
    key: "P-256",
    subject: "/CN=server",
    extensions: "subjectAltName=DNS:@,DNS:*.@\nauthorityKeyIdentifier=keyid\nextendedKeyUsage=serverAuth",
    options: "-sha256",
};

/// A folder in which openssl works, with the keys made so far.
pub(crate) struct Workshop {
    folder: tempfile::TempDir,
    keys: RefCell<BTreeSet<String>>,
    serial: Cell<u32>,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        Self { folder: folder(), keys: RefCell::default(), serial: Cell::new(0x1000) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, line: &str) -> String {
        openssl(self.path(), &line.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    /// The file of a key, which is made once for each role, and that of its public half.
    pub(crate) fn key(&self, role: &str, kind: &str) -> (String, String) {
        let role = if kind == "RSA 8192" { "any" } else { role };
        let name = format!("{role}-{}", kind.replace(' ', "-"));
        let public = format!("{name}.pub");
        if self.keys.borrow_mut().insert(name.clone()) {
            let how = match kind.split_once(' ') {
                // Five small primes instead of two large ones: seconds instead of a minute, and as large a modulus.
                Some(("RSA", "8192")) => {
                    "-algorithm RSA -pkeyopt rsa_keygen_bits:8192 -pkeyopt rsa_keygen_primes:5".to_owned()
                }
                Some((algorithm, bits)) => format!("-algorithm {algorithm} -pkeyopt rsa_keygen_bits:{bits}"),
                None if kind == "Ed25519" => "-algorithm ED25519".to_owned(),
                None => format!("-algorithm EC -pkeyopt ec_paramgen_curve:{kind}"),
            };
            self.run(&format!("genpkey -quiet {how} -out {name}"));
            self.run(&format!("pkey -in {name} -pubout -out {public}"));
        }
        (name, public)
    }

    /// A CA that signs itself.
    fn authority(&self, role: &str, p: &Profile, out: &str) -> String {
        let (key, _) = self.key(role, p.ca_key);
        let defaults = |word: &str, default: &str| {
            if p.ca_extensions.contains(word) { String::new() } else { format!("{default}\n") }
        };
        let extensions = format!(
            "{}\n{}{}",
            p.ca_extensions.replace('@', DOMAIN),
            // What openssl adds of its own accord where nothing is said.
            defaults("subjectKeyIdentifier", NO_SKI),
            defaults("authorityKeyIdentifier", NO_AKI),
        );
        self.write("ca.cnf", format!("[req]\ndistinguished_name=dn\nprompt=no\n[dn]\n[v3]\n{extensions}"));
        let mut args = vec!["req", "-x509", "-new", "-key", &key, "-subj", p.ca_subject, "-config", "ca.cnf"];
        args.extend(["-extensions", "v3", "-days", "3650", "-out", out, "-utf8"]);
        args.extend(p.ca_options.split_whitespace());
        openssl(self.path(), &args);
        key
    }

    /// A certificate that another signs.
    fn issue(&self, public: &str, p: &Profile, ca: (&str, &str), out: &str) {
        self.serial.set(self.serial.get() + 1);
        let serial = self.serial.get().to_string();
        self.write("tls.ext", p.extensions.replace('@', DOMAIN));
        let mut args = vec!["x509", "-new", "-force_pubkey", public, "-subj", p.subject, "-CA", ca.0, "-CAkey", ca.1];
        args.extend(["-set_serial", &serial, "-extfile", "tls.ext", "-days", "90", "-out", out]);
        args.extend(p.options.split_whitespace());
        openssl(self.path(), &args);
    }

    /// All four files, to a profile that differs from the quickstart's in what `change` says.
    pub(crate) fn make(&self, change: impl FnOnce(&mut Profile)) -> Set {
        let mut p = QUICKSTART;
        change(&mut p);
        let ca_key = self.authority("ca", &p, "ca.crt");
        let (key, public) = self.key("tls", p.key);
        self.issue(&public, &p, ("ca.crt", &ca_key), "tls.crt");
        Set {
            ca: Some(self.read("ca.crt")),
            ca_key: Some(self.read(&ca_key)),
            tls: Some(self.read("tls.crt")),
            key: Some(self.read(&key)),
        }
    }

    /// The same with another CA's extensions.
    pub(crate) fn ca_with(&self, extensions: &'static str) -> Set {
        self.make(|p| p.ca_extensions = extensions)
    }

    /// The same with other extensions of the server certificate.
    pub(crate) fn server_with(&self, extensions: &'static str) -> Set {
        self.make(|p| p.extensions = extensions)
    }

    /// A key in another form.
    pub(crate) fn converted(&self, key: &[u8], command: &str) -> Vec<u8> {
        self.write("in.key", key);
        self.run(&format!("{command} -in in.key -out out.key"));
        self.read("out.key")
    }
}

/// Both certificates by rcgen, for what openssl cannot be told: dates, and extensions as bytes.
fn by_rcgen(change_ca: impl FnOnce(&mut CertificateParams), change_server: impl FnOnce(&mut CertificateParams)) -> Set {
    let now = OffsetDateTime::now_utc();
    let day = time::Duration::days(1);
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(rcgen::DnType::CommonName, "by rcgen");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (ca.not_before, ca.not_after) = (now - day * 10, now + day * 1000);
    change_ca(&mut ca);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let mut server = CertificateParams::new(vec![DOMAIN.to_owned(), format!("*.{DOMAIN}")]).unwrap();
    server.distinguished_name = rcgen::DistinguishedName::new();
    server.distinguished_name.push(rcgen::DnType::CommonName, "server");
    server.use_authority_key_identifier_extension = true;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (server.not_before, server.not_after) = (now - day * 10, now + day * 80);
    change_server(&mut server);
    let certificate = server.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
    Set {
        ca: Some(ca_certificate.pem().into_bytes()),
        ca_key: Some(ca_key.serialize_pem().into_bytes()),
        tls: Some(certificate.pem().into_bytes()),
        key: Some(key.serialize_pem().into_bytes()),
    }
}

pub(crate) fn no_openssl(test: &str) -> bool {
    let missing = which("openssl").is_none();
    if missing {
        skip(test, "no openssl");
    }
    missing
}

// ---------------------------------------------------------------- the judges

/// Two routes, so that a certificate can cover one and not the other.
const ROUTES: [&str; 2] = ["hello", "files"];

fn hosts() -> [String; 2] {
    ROUTES.map(|route| format!("{route}.{DOMAIN}"))
}

/// A deployment with two routes.
pub(crate) fn with_routes(parent: &Path) -> PathBuf {
    let dir = parent.join("mcp-tunnel");
    let request = json!({"domain": DOMAIN, "routes": {"hello": "http://hello:9000", "files": "http://files:9000"}});
    helper(["init"]).dir(&dir).json(request).run().expect(0);
    dir
}

/// `openssl verify`, with all that a server would send beside its own certificate.
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
struct Case {
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

const ALL: &str = "openssl python webpki";
const NONE: &str = "";

#[derive(Default)]
struct Table(Vec<Case>);

impl Table {
    /// Every requirement is met, and every judge agrees.
    fn good(&mut self, name: &'static str, set: Set) {
        self.accepted(name, set, ALL, "");
    }

    /// Every requirement is met, and some judges want more, or less.
    fn accepted(&mut self, name: &'static str, set: Set, accepted: &'static str, why: &'static str) {
        self.0.push(Case { name, set, findings: "", failed: "", skipped: "", accepted, why });
    }

    /// Requirements that are not met: findings, rows that fail, rows that are skipped; then the judges.
    fn bad(
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

/// What others make, and it is as it should be.
fn good_ones(t: &mut Table, w: &Workshop) {
    t.good("openssl, EC P-256, PKCS#8", w.make(|_| {}));
    t.good(
        "openssl, EC P-384",
        w.make(|p| (p.ca_key, p.key, p.ca_options, p.options) = ("P-384", "P-384", "-sha384", "-sha384")),
    );
    t.good("openssl, RSA 2048", w.make(|p| (p.ca_key, p.key) = ("RSA 2048", "RSA 2048")));
    t.good(
        "openssl, RSA 3072 and SHA-384",
        w.make(|p| (p.ca_key, p.ca_options, p.options) = ("RSA 3072", "-sha384", "-sha384")),
    );
    t.good("openssl, RSA 4096", w.make(|p| (p.ca_key, p.key) = ("RSA 4096", "RSA 4096")));
    t.good("openssl, SHA-512", w.make(|p| (p.ca_key, p.ca_options, p.options) = ("RSA 2048", "-sha512", "-sha512")));
    t.good("EC CA, RSA 4096 server, as Anthropic's setup component has them", w.make(|p| p.key = "RSA 4096"));
    t.good("RSA CA, EC server", w.make(|p| p.ca_key = "RSA 2048"));
    let rsa = w.make(|p| (p.ca_key, p.key) = ("RSA 2048", "RSA 2048"));
    let traditional = |key: &Option<Vec<u8>>| Some(w.converted(key.as_deref().unwrap(), "pkey -traditional"));
    t.good("PKCS#1 keys", Set { ca_key: traditional(&rsa.ca_key), key: traditional(&rsa.key), ..rsa.clone() });
    let ec = w.make(|_| {});
    let sec1 = traditional(&ec.key);
    t.good("SEC1 keys", Set { ca_key: traditional(&ec.ca_key), key: sec1.clone(), ..ec.clone() });
    let parameters = pem("EC PARAMETERS", &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
    let with_parameters = [parameters.into_bytes(), sec1.unwrap()].concat();
    t.good("a SEC1 key after its EC PARAMETERS", Set { key: Some(with_parameters), ..ec.clone() });
    let pss = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    t.good("signed with RSA-PSS", w.make(|p| (p.ca_key, p.ca_options, p.options) = ("RSA 2048", pss, pss)));
    // crypto/x509 as of Go 1.25: no common name, key identifiers of SHA-256, cut to 20 bytes.
    let go = w.make(|p| {
        (p.ca_subject, p.subject) = ("/O=Acme Co", "/O=Acme Co");
        p.ca_extensions = "keyUsage=critical,digitalSignature,keyCertSign\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=6c:0d:5a:1e:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff";
        p.extensions = "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=keyid\nsubjectAltName=DNS:@,DNS:*.@";
    });
    t.good("as Go's crypto/x509 makes them", go);
    t.good(
        "AKI with issuer and serial number too",
        w.server_with(
            "subjectAltName=DNS:*.@\nauthorityKeyIdentifier=keyid:always,issuer:always\nextendedKeyUsage=serverAuth",
        ),
    );
    t.good(
        "serverAuth and clientAuth",
        w.server_with("subjectAltName=DNS:*.@\nauthorityKeyIdentifier=keyid\nextendedKeyUsage=clientAuth,serverAuth"),
    );
    t.good("no extendedKeyUsage", w.server_with("subjectAltName=DNS:*.@\nauthorityKeyIdentifier=keyid"));
    t.good(
        "each route by name instead of a wildcard",
        w.server_with("subjectAltName=DNS:hello.@,DNS:files.@\nauthorityKeyIdentifier=keyid"),
    );
    t.good(
        "names in upper case",
        w.server_with("subjectAltName=DNS:*.ABCD1234.Tunnel.Anthropic.COM\nauthorityKeyIdentifier=keyid"),
    );
    t.good(
        "other names beside ours",
        w.server_with(
            "subjectAltName=DNS:other.example,IP:192.0.2.1,email:a@example.com,DNS:*.@\nauthorityKeyIdentifier=keyid",
        ),
    );
    t.good(
        "no common name at all",
        w.make(|p| (p.subject, p.extensions) = ("/", "subjectAltName=critical,DNS:*.@\nauthorityKeyIdentifier=keyid")),
    );
    t.good(
        "a CA with a path length",
        w.ca_with(
            "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash",
        ),
    );
    t.good("a CA that names itself in its AKI", w.ca_with("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always"));
    t.good(
        "keyUsage that is not critical",
        w.ca_with("basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\nsubjectKeyIdentifier=hash"),
    );
    t.good(
        "a long name in many parts",
        w.make(|p| p.ca_subject = "/C=DE/ST=Würzburg/O=Beispiel & Söhne GmbH/OU=one/OU=two/CN=Tunnel CA 2026"),
    );
    t.good("a CA until the year 2099", w.make(|p| p.ca_options = "-sha256 -days 26663"));
    t.good("a server certificate that outlives its CA", w.make(|p| p.ca_options = "-sha256 -days 40"));
    t.good("names constrained to the domain", w.ca_with("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nnameConstraints=critical,permitted;DNS:@"));
    t.good("by rcgen", by_rcgen(|_| {}, |_| {}));
    t.good("without ca.key", Set { ca_key: None, ..ec.clone() });

    t.good("CRLF line ends", ec.all(|text| text.replace('\n', "\r\n")));
    t.good(
        "text before the block, as `openssl x509 -text` writes it",
        Set { ca: Some(w.run("x509 -in ca.crt -text").into_bytes()), ..w.make(|_| {}) },
    );
    t.good("words and blank lines around the blocks", ec.all(|text| format!("our tunnel\n\n{text}\n\n  the end")));
    t.good("no newline at the end", ec.all(|text| text.trim_end().to_owned()));
    t.good("a byte-order mark before words", ec.tls(|text| format!("\u{feff}our tunnel\n{text}")));
    t.good(
        "the CA appended to tls.crt",
        Set { tls: Some([ec.tls.clone().unwrap(), ec.ca.clone().unwrap()].concat()), ..ec.clone() },
    );
    let mark = "the reader of rustls wants the block at the very start of a line; the proxy does not read ca.crt";
    t.accepted("a byte-order mark before ca.crt", ec.ca(|text| format!("\u{feff}{text}")), "openssl python", mark);
    let size = ec.ca.as_ref().unwrap().len();
    t.good("ca.crt of exactly 8 kB", ec.ca(|text| format!("{}\n{text}", "#".repeat(8192 - size - 1))));
}

/// Kinds that meet the requirements and that our own libraries cannot judge.
fn beyond_us(t: &mut Table, w: &Workshop) {
    t.bad(
        "P-521 CA",
        w.make(|p| (p.ca_key, p.ca_options, p.options) = ("P-521", "-sha512", "-sha512")),
        ["certs-not-verifiable", "", "ca-self-signature ca-key-usable pair-signed-by-ca handshake"],
        "openssl python",
        "ring knows no P-521; we say so and fail nothing",
    );
    t.bad("P-521 server", w.make(|p| p.key = "P-521"), ["certs-not-verifiable", "", "handshake"], ALL, "");
    t.bad("RSA 8192 CA", w.make(|p| p.ca_key = "RSA 8192"), ["certs-not-verifiable", "", "ca-key-usable"], ALL, "");
    t.bad("RSA 8192 server", w.make(|p| p.key = "RSA 8192"), ["certs-not-verifiable", "", "handshake"], ALL, "");
    let salt = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max";
    t.bad(
        "RSA-PSS with the longest salt",
        w.make(|p| (p.ca_key, p.ca_options, p.options) = ("RSA 2048", salt, salt)),
        ["certs-not-verifiable", "", "ca-self-signature pair-signed-by-ca handshake"],
        "openssl",
        "ring and Python's verifier know salts as long as the hash only",
    );
    let ec = w.make(|_| {});
    let half = w.converted(ec.key.as_deref().unwrap(), "ec -no_public");
    t.bad(
        "a SEC1 key without its public half",
        Set { key: Some(half), ..ec },
        ["certs-not-verifiable", "", "pair-server-key handshake"],
        ALL,
        "",
    );
}

/// A CA that does not meet the requirements.
fn broken_authorities(t: &mut Table, w: &Workshop) {
    let server_only = "looks at the server certificate and takes the CA as it is";
    t.bad(
        "CA signed with MD5",
        w.make(|p| (p.ca_key, p.ca_options) = ("RSA 2048", "-md5")),
        ["ca-unfit", "ca-signature-hash", "ca-self-signature"],
        ALL,
        "a trust anchor's own signature is not looked at",
    );
    t.bad(
        "CA signed with SHA-1",
        w.make(|p| (p.ca_key, p.ca_options) = ("RSA 2048", "-sha1")),
        ["ca-unfit", "ca-signature-hash", ""],
        ALL,
        "a trust anchor's own signature is not looked at",
    );
    t.bad(
        "RSA 1024 CA",
        w.make(|p| p.ca_key = "RSA 1024"),
        ["ca-unfit tls-handshake", "ca-key-strength handshake", "ca-self-signature ca-key-usable pair-signed-by-ca"],
        "openssl",
        "openssl verify sets no floor unless -auth_level is given",
    );
    t.bad(
        "P-224 CA",
        w.make(|p| p.ca_key = "P-224"),
        ["ca-unfit", "ca-key-strength", "ca-self-signature ca-key-usable pair-signed-by-ca handshake"],
        "openssl",
        "openssl verify sets no floor unless -auth_level is given",
    );
    t.bad(
        "Ed25519 CA",
        w.make(|p| (p.ca_key, p.ca_options, p.options) = ("Ed25519", "", "")),
        ["ca-unfit", "ca-key-strength", "ca-key-usable"],
        "openssl webpki",
        "a good algorithm that the requirements do not name",
    );
    t.bad(
        "CA on secp256k1",
        w.make(|p| p.ca_key = "secp256k1"),
        ["ca-unfit", "ca-key-strength", "ca-self-signature ca-key-usable pair-signed-by-ca handshake"],
        "openssl",
        "256 bits, but not of the P- family, which the requirements name",
    );
    t.bad(
        "CA:FALSE",
        w.ca_with(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash",
        ),
        ["ca-unfit", "ca-basic-constraints", ""],
        "webpki",
        server_only,
    );
    t.bad(
        "no basicConstraints",
        w.ca_with("keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash"),
        ["ca-unfit", "ca-basic-constraints", "ca-basic-constraints-critical"],
        "webpki",
        server_only,
    );
    t.bad(
        "basicConstraints not critical",
        w.ca_with("basicConstraints=CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash"),
        ["ca-unfit", "ca-basic-constraints-critical", ""],
        "webpki",
        server_only,
    );
    t.bad(
        "no subjectKeyIdentifier",
        w.make(|p| {
            (p.ca_extensions, p.extensions) = (
                "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=none",
                "subjectAltName=DNS:*.@\n2.5.29.35=DER:30:04:80:02:01:02",
            )
        }),
        ["ca-unfit", "ca-subject-key-id", "pair-key-ids"],
        "python webpki",
        server_only,
    );
    t.bad(
        "no keyUsage",
        w.ca_with("basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash"),
        ["ca-unfit", "ca-key-usage", ""],
        "webpki",
        server_only,
    );
    t.bad(
        "keyUsage without keyCertSign",
        w.ca_with(
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign,digitalSignature\nsubjectKeyIdentifier=hash",
        ),
        ["ca-unfit", "ca-key-usage", ""],
        "webpki",
        server_only,
    );
    t.bad(
        "an old version 1 certificate as CA",
        w.old_version(),
        ["ca-unfit", "ca-basic-constraints ca-subject-key-id ca-key-usage", "*"],
        "webpki",
        server_only,
    );
    let day = time::Duration::days(1);
    let now = OffsetDateTime::now_utc();
    t.bad(
        "CA expired a minute ago",
        by_rcgen(|ca| ca.not_after = now - time::Duration::MINUTE, |_| {}),
        ["ca-expired", "ca-in-date", ""],
        "webpki",
        server_only,
    );
    t.bad(
        "CA not yet valid",
        by_rcgen(|ca| ca.not_before = now + day, |_| {}),
        ["ca-expired", "ca-in-date", ""],
        "webpki",
        server_only,
    );
    t.bad(
        "both expired",
        by_rcgen(|ca| ca.not_after = now - day, |s| s.not_after = now - day),
        ["ca-expired tls-expired tls-handshake", "ca-in-date server-in-date handshake", ""],
        NONE,
        "",
    );
    let excluded = w.ca_with("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nnameConstraints=critical,excluded;DNS:@");
    t.bad("names constrained to anything but the domain", excluded, ["tls-handshake", "handshake", ""], NONE, "");
    let ec = w.make(|_| {});
    let flipped = {
        let mut der = der(ec.ca.as_deref().unwrap());
        let at = der.len() - 5;
        der[at] ^= 1;
        Set { ca: Some(pem("CERTIFICATE", &der).into_bytes()), ..ec.clone() }
    };
    t.bad(
        "a CA certificate with a damaged signature",
        flipped,
        ["ca-unfit", "ca-self-signature", ""],
        ALL,
        "a trust anchor's own signature is not looked at",
    );

    let other = by_rcgen(|_| {}, |_| {});
    let both = |a: &Option<Vec<u8>>, b: &Option<Vec<u8>>| Some([a.clone().unwrap(), b.clone().unwrap()].concat());
    t.bad(
        "two certificates in ca.crt",
        Set { ca: both(&ec.ca, &other.ca), ..ec.clone() },
        ["ca-unfit", "ca-single", ""],
        ALL,
        "any number of trust anchors is theirs to take; the Console takes one",
    );
    t.bad(
        "the CA's key in ca.crt",
        Set { ca: both(&ec.ca, &ec.ca_key), ..ec.clone() },
        ["ca-unfit", "ca-no-key-material", ""],
        ALL,
        "they pass over other blocks; the Console takes none",
    );
    t.bad(
        "ca.crt of 8 kB and a byte",
        ec.ca(|text| format!("{}\n{text}", "#".repeat(8192 - text.len()))),
        ["ca-unfit", "ca-size", ""],
        ALL,
        "the limit is the Console's",
    );
    t.bad(
        "ca.key of another CA",
        Set { ca_key: other.ca_key.clone(), ..ec.clone() },
        ["ca-key-mismatch", "pair-ca-key", ""],
        ALL,
        "they look at no keys",
    );
    let encrypted = w.converted(ec.ca_key.as_deref().unwrap(), "pkey -aes128 -passout pass:x");
    t.bad(
        "ca.key with a passphrase",
        Set { ca_key: Some(encrypted), ..ec.clone() },
        ["ca-key-unusable", "ca-key-usable", "pair-ca-key"],
        ALL,
        "they look at no keys",
    );
    t.bad(
        "an empty ca.key",
        Set { ca_key: Some(Vec::new()), ..ec.clone() },
        ["ca-key-unusable", "ca-key-usable", "pair-ca-key"],
        ALL,
        "they look at no keys",
    );

    let unusable = ["ca-unusable", "ca-readable", "*"];
    t.bad("an empty ca.crt", Set { ca: Some(Vec::new()), ..ec.clone() }, unusable, NONE, "");
    t.bad("ca.crt in DER", Set { ca: Some(der(ec.ca.as_deref().unwrap())), ..ec.clone() }, unusable, NONE, "");
    t.bad(
        "ca.crt and ca.key swapped",
        Set { ca: ec.ca_key.clone(), ca_key: ec.ca.clone(), ..ec.clone() },
        ["ca-unusable ca-key-unusable", "ca-readable ca-key-usable", "*"],
        NONE,
        "",
    );
    t.bad("a CSR as ca.crt", Set { ca: Some(w.request("ca")), ..ec.clone() }, unusable, NONE, "");
    t.bad("ca.crt cut off", ec.ca(|text| text[..300].to_owned()), unusable, NONE, "");
    t.bad("ca.crt without one of its lines", ec.ca(|text| without_line(text, 4)), unusable, NONE, "");
    t.bad(
        "ca.crt indented, as from YAML",
        ec.ca(|text| text.replace("-----BEGIN", "  -----BEGIN")),
        unusable,
        "python",
        "its reader takes an indented block",
    );
    t.bad("ca.crt in UTF-16", Set { ca: Some(utf16(ec.ca.as_deref().unwrap())), ..ec.clone() }, unusable, NONE, "");
    t.bad("a public key as ca.crt", Set { ca: Some(w.read("ca-P-256.pub")), ..ec.clone() }, unusable, NONE, "");
    t.bad("no ca.crt", Set { ca: None, ..ec.clone() }, ["ca-missing", "ca-present", "*"], NONE, "");
}

/// A server certificate that does not meet the requirements.
fn broken_servers(t: &mut Table, w: &Workshop) {
    let hash_floor = "openssl verify sets no floor unless -auth_level is given";
    t.bad(
        "signed with MD5",
        w.make(|p| (p.ca_key, p.options) = ("RSA 2048", "-md5")),
        ["server-unfit", "server-signature-hash", "pair-signed-by-ca handshake"],
        "openssl",
        hash_floor,
    );
    t.bad(
        "signed with SHA-1",
        w.make(|p| (p.ca_key, p.options) = ("RSA 2048", "-sha1")),
        ["server-unfit", "server-signature-hash", "handshake"],
        "openssl",
        hash_floor,
    );
    t.bad(
        "signed with ECDSA and SHA-1",
        w.make(|p| p.options = "-sha1"),
        ["server-unfit", "server-signature-hash", "pair-signed-by-ca handshake"],
        "openssl",
        hash_floor,
    );
    t.bad(
        "RSA 1024 server",
        w.make(|p| p.key = "RSA 1024"),
        ["server-unfit", "server-key-strength", "handshake"],
        ALL,
        "they leave the server's own key to the handshake",
    );
    t.bad(
        "P-224 server",
        w.make(|p| p.key = "P-224"),
        ["server-unfit", "server-key-strength", "handshake"],
        ALL,
        "they leave the server's own key to the handshake",
    );
    t.bad(
        "Ed25519 server",
        w.make(|p| p.key = "Ed25519"),
        ["server-unfit", "server-key-strength", "handshake"],
        ALL,
        "a good algorithm that the requirements do not name",
    );

    let unknown = "they need no key identifier to find the CA, by name and signature";
    t.bad(
        "no AKI",
        w.server_with("subjectAltName=DNS:*.@\nauthorityKeyIdentifier=none\nextendedKeyUsage=serverAuth"),
        ["tls-unknown-ca", "server-authority-key-id", "pair-key-ids"],
        "webpki",
        unknown,
    );
    t.bad(
        "AKI with issuer and serial number only",
        w.make(|p| {
            (p.ca_extensions, p.extensions) = (
                "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash",
                "subjectAltName=DNS:*.@\nauthorityKeyIdentifier=issuer:always",
            )
        }),
        ["tls-unknown-ca", "server-authority-key-id", "pair-key-ids"],
        "python webpki",
        unknown,
    );
    let elsewhere = by_rcgen(
        |_| {},
        |server| {
            server.use_authority_key_identifier_extension = false;
            server
                .custom_extensions
                .push(rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 35], vec![0x30, 4, 0x80, 2, 1, 2]));
        },
    );
    t.bad("AKI that points elsewhere", elsewhere, ["tls-unknown-ca", "pair-key-ids", ""], "python webpki", unknown);
    let twice = by_rcgen(
        |_| {},
        |server| {
            let again = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 35], vec![0x30, 4, 0x80, 2, 1, 2]);
            server.custom_extensions.push(again);
        },
    );
    t.bad(
        "two AKIs",
        twice,
        ["tls-unknown-ca", "server-authority-key-id", "pair-key-ids"],
        "webpki",
        "webpki passes over the extensions that it does not use",
    );

    let names = |extensions| w.server_with(extensions);
    let no_name = ["tls-bad-cert tls-handshake", "server-san-wildcard server-san-routes handshake", ""];
    t.bad(
        "no subjectAltName, common name only",
        w.make(|p| {
            (p.subject, p.extensions) =
                ("/CN=*.abcd1234.tunnel.anthropic.com", "authorityKeyIdentifier=keyid\nextendedKeyUsage=serverAuth")
        }),
        no_name,
        "openssl",
        "openssl falls back to the common name",
    );
    t.bad(
        "a SAN for another tunnel",
        names("subjectAltName=DNS:*.other.tunnel.anthropic.com\nauthorityKeyIdentifier=keyid"),
        no_name,
        NONE,
        "",
    );
    t.bad(
        "a wildcard one level too deep",
        names("subjectAltName=DNS:*.x.@\nauthorityKeyIdentifier=keyid"),
        no_name,
        NONE,
        "",
    );
    t.bad(
        "a wildcard one level too shallow",
        names("subjectAltName=DNS:*.tunnel.anthropic.com\nauthorityKeyIdentifier=keyid"),
        no_name,
        NONE,
        "",
    );
    t.bad("the bare domain only", names("subjectAltName=DNS:@\nauthorityKeyIdentifier=keyid"), no_name, NONE, "");
    t.bad("one route of two", names("subjectAltName=DNS:hello.@\nauthorityKeyIdentifier=keyid"), no_name, NONE, "");
    t.bad(
        "a wildcard inside of a label",
        names("subjectAltName=DNS:h*.@,DNS:f*.@\nauthorityKeyIdentifier=keyid"),
        no_name,
        "openssl",
        "openssl takes a `*` anywhere in the first label",
    );
    t.bad("an IP address only", names("subjectAltName=IP:192.0.2.1\nauthorityKeyIdentifier=keyid"), no_name, NONE, "");
    let usage = ["tls-unsupported-cert tls-handshake", "server-extended-key-usage handshake", ""];
    t.bad(
        "clientAuth only",
        names("subjectAltName=DNS:*.@\nauthorityKeyIdentifier=keyid\nextendedKeyUsage=clientAuth"),
        usage,
        NONE,
        "",
    );
    t.bad(
        "anyExtendedKeyUsage only",
        names("subjectAltName=DNS:*.@\nauthorityKeyIdentifier=keyid\nextendedKeyUsage=anyExtendedKeyUsage"),
        usage,
        NONE,
        "",
    );

    let day = time::Duration::days(1);
    let now = OffsetDateTime::now_utc();
    let date = ["tls-expired tls-handshake", "server-in-date handshake", ""];
    t.bad("expired a minute ago", by_rcgen(|_| {}, |s| s.not_after = now - time::Duration::MINUTE), date, NONE, "");
    t.bad("not valid before tomorrow", by_rcgen(|_| {}, |s| s.not_before = now + day), date, NONE, "");

    let ec = w.make(|_| {});
    let other = by_rcgen(|_| {}, |_| {});
    let stranger = ["tls-unknown-ca tls-handshake", "pair-signed-by-ca pair-key-ids handshake", ""];
    t.bad(
        "signed by another CA",
        Set { tls: other.tls.clone(), key: other.key.clone(), ..ec.clone() },
        stranger,
        NONE,
        "",
    );
    let anew = by_rcgen(|_| {}, |_| {});
    t.bad(
        "the CA made anew under the same name",
        Set { ca: other.ca.clone(), ca_key: other.ca_key.clone(), ..anew },
        stranger,
        NONE,
        "",
    );
    t.bad(
        "the CA itself as server certificate",
        Set { tls: ec.ca.clone(), key: ec.ca_key.clone(), ..ec.clone() },
        [
            "tls-unknown-ca tls-bad-cert tls-handshake",
            "server-authority-key-id server-san-wildcard server-san-routes handshake",
            "*",
        ],
        NONE,
        "",
    );
    let (with_chain, without_chain) = w.intermediate();
    t.bad(
        "an intermediate in between, sent along",
        with_chain,
        ["tls-unknown-ca", "pair-signed-by-ca pair-key-ids", ""],
        ALL,
        "a chain is as good to them; the tunnel wants the registered CA's own signature",
    );
    t.bad("an intermediate in between, not sent", without_chain, stranger, NONE, "");
    let flipped = {
        let mut der = der(ec.tls.as_deref().unwrap());
        let at = der.len() - 5;
        der[at] ^= 1;
        Set { tls: Some(pem("CERTIFICATE", &der).into_bytes()), ..ec.clone() }
    };
    t.bad(
        "a damaged signature",
        flipped,
        ["tls-unknown-ca tls-handshake", "pair-signed-by-ca handshake", ""],
        NONE,
        "",
    );
    let mismatch = ["proxy-cert-mismatch tls-handshake", "pair-server-key handshake", ""];
    t.bad(
        "the key of another certificate",
        Set { key: other.key.clone(), ..ec.clone() },
        mismatch,
        ALL,
        "they look at no keys",
    );
    t.bad(
        "the key of another certificate, of another kind",
        Set { key: Some(w.read(&w.key("tls", "RSA 2048").0)), ..ec.clone() },
        mismatch,
        ALL,
        "they look at no keys",
    );

    let keys = "they look at no keys";
    let encrypted = |command| Set { key: Some(w.converted(ec.key.as_deref().unwrap(), command)), ..ec.clone() };
    let locked = ["proxy-key-encrypted", "server-key-not-encrypted", "*"];
    t.bad("a PKCS#8 key with a passphrase", encrypted("pkey -aes128 -passout pass:x"), locked, ALL, keys);
    t.bad("a SEC1 key with a passphrase", encrypted("ec -aes128 -passout pass:x"), locked, ALL, keys);
    let rsa = w.make(|p| p.key = "RSA 2048");
    let locked_rsa = w.converted(rsa.key.as_deref().unwrap(), "rsa -traditional -aes128 -passout pass:x");
    t.bad("a PKCS#1 key with a passphrase", Set { key: Some(locked_rsa), ..rsa }, locked, ALL, keys);
    let no_key = ["proxy-cert-empty", "server-key-readable", "*"];
    t.bad("an empty tls.key", Set { key: Some(Vec::new()), ..ec.clone() }, no_key, ALL, keys);
    t.bad("tls.key in DER", Set { key: Some(der(ec.key.as_deref().unwrap())), ..ec.clone() }, no_key, ALL, keys);
    t.bad("tls.key cut off", ec.key(|text| text[..120].to_owned()), no_key, ALL, keys);
    t.bad(
        "tls.key in the form of OpenSSH",
        ec.key(|text| text.replace(" PRIVATE", " OPENSSH PRIVATE")),
        no_key,
        ALL,
        keys,
    );
    t.bad("a public key as tls.key", Set { key: Some(w.read("tls-P-256.pub")), ..ec.clone() }, no_key, ALL, keys);
    t.bad("tls.key after a byte-order mark", ec.key(|text| format!("\u{feff}{text}")), no_key, ALL, keys);
    t.bad("no tls.key", Set { key: None, ..ec.clone() }, ["proxy-cert-missing", "server-key-present", "*"], ALL, keys);

    let unreadable = ["proxy-cert-empty", "server-readable", "*"];
    t.bad("an empty tls.crt", Set { tls: Some(Vec::new()), ..ec.clone() }, unreadable, NONE, "");
    t.bad(
        "tls.crt in DER",
        Set { tls: Some(der(ec.tls.as_deref().unwrap())), ..ec.clone() },
        unreadable,
        "openssl",
        "its command reads DER too; Go does not",
    );
    t.bad("a CSR as tls.crt", Set { tls: Some(w.request("tls")), ..ec.clone() }, unreadable, NONE, "");
    t.bad("tls.crt cut off", ec.tls(|text| text[..300].to_owned()), unreadable, NONE, "");
    t.bad(
        "tls.crt without its last line",
        ec.tls(|text| text.replace("-----END CERTIFICATE-----\n", "")),
        unreadable,
        NONE,
        "",
    );
    t.bad("tls.crt without one of its lines", ec.tls(|text| without_line(text, 4)), unreadable, NONE, "");
    t.bad(
        "tls.crt with a character that is not base64",
        ec.tls(|text| text.replacen("MII", "M!I", 1)),
        unreadable,
        NONE,
        "",
    );
    let trailing = [der(ec.tls.as_deref().unwrap()), vec![5, 0]].concat();
    t.bad(
        "garbage after the certificate, inside the block",
        Set { tls: Some(pem("CERTIFICATE", &trailing).into_bytes()), ..ec.clone() },
        unreadable,
        "openssl",
        "openssl reads no further than the certificate; Go refuses the rest",
    );
    t.bad(
        "tls.crt after a byte-order mark",
        ec.tls(|text| format!("\u{feff}{text}")),
        unreadable,
        "openssl python",
        "their readers pass over the mark; Go does not find the block",
    );
    t.bad(
        "tls.crt with CR only",
        ec.tls(|text| text.replace('\n', "\r")),
        unreadable,
        "python webpki",
        "their readers end a line at CR; Go does not",
    );
    t.bad("no tls.crt", Set { tls: None, ..ec.clone() }, ["proxy-cert-missing", "server-present", "*"], NONE, "");
    let swapped = ["proxy-cert-swapped", "server-not-swapped", "*"];
    t.bad(
        "tls.crt and tls.key swapped",
        Set { tls: ec.key.clone(), key: ec.tls.clone(), ..ec.clone() },
        swapped,
        NONE,
        "",
    );
    t.bad("the certificate in both server files", Set { key: ec.tls.clone(), ..ec.clone() }, swapped, ALL, keys);
    t.bad("the key in both server files", Set { tls: ec.key.clone(), ..ec.clone() }, swapped, NONE, "");
    t.bad(
        "nothing at all",
        Set::default(),
        ["ca-missing proxy-cert-missing", "ca-present server-present server-key-present", "*"],
        NONE,
        "",
    );
}

fn without_line(text: &str, line: usize) -> String {
    let kept = text.lines().enumerate().filter(|(at, _)| *at != line);
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

fn utf16(bytes: &[u8]) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text(bytes).encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

impl Workshop {
    /// A signing request.
    fn request(&self, role: &str) -> Vec<u8> {
        let (key, _) = self.key(role, "P-256");
        self.run(&format!("req -new -key {key} -subj /CN=request -out csr"));
        self.read("csr")
    }

    /// A CA certificate without extensions, as `openssl x509 -req` made them for long.
    fn old_version(&self) -> Set {
        let (ca_key, _) = self.key("ca", "P-256");
        let (key, public) = self.key("tls", "P-256");
        self.run(&format!("req -new -key {ca_key} -subj /CN=old -out csr"));
        self.run(&format!("x509 -req -in csr -signkey {ca_key} -days 90 -out ca.crt"));
        let p = Profile { extensions: "subjectAltName=DNS:*.@\n2.5.29.35=DER:30:04:80:02:01:02", ..QUICKSTART };
        self.issue(&public, &p, ("ca.crt", &ca_key), "tls.crt");
        let (ca_key, key) = (self.read(&ca_key), self.read(&key));
        Set { ca: Some(self.read("ca.crt")), ca_key: Some(ca_key), tls: Some(self.read("tls.crt")), key: Some(key) }
    }

    /// Root, intermediate and server; with the intermediate in `tls.crt` and without it.
    fn intermediate(&self) -> (Set, Set) {
        let root_key = self.authority("ca", &QUICKSTART, "ca.crt");
        let (between_key, between_public) = self.key("between", "P-256");
        let p = Profile {
            subject: "/CN=between",
            extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid",
            ..QUICKSTART
        };
        self.issue(&between_public, &p, ("ca.crt", &root_key), "between.crt");
        let (key, public) = self.key("tls", "P-256");
        self.issue(&public, &QUICKSTART, ("between.crt", &between_key), "tls.crt");
        let (server, between) = (self.read("tls.crt"), self.read("between.crt"));
        let set = Set {
            ca: Some(self.read("ca.crt")),
            ca_key: Some(self.read(&root_key)),
            tls: Some(server.clone()),
            key: Some(self.read(&key)),
        };
        (Set { tls: Some([server, between].concat()), ..set.clone() }, set)
    }

    /// An intermediate that is registered itself.
    fn registered_intermediate(&self) -> Set {
        let (_, set) = self.intermediate();
        let (key, _) = self.key("between", "P-256");
        Set { ca: Some(self.read("between.crt")), ca_key: Some(self.read(&key)), ..set }
    }

    /// What mkcert makes, if it is there.
    fn mkcert(&self) -> Option<Set> {
        let mkcert = which("mkcert")?;
        let root = self.path().join("mkcert");
        std::fs::create_dir(&root).unwrap();
        let out = Command::new(mkcert)
            .args(["-cert-file", "mk.crt", "-key-file", "mk.key", DOMAIN, &format!("*.{DOMAIN}")])
            .env("CAROOT", &root)
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let of_root = |name: &str| Some(std::fs::read(root.join(name)).unwrap());
        Some(Set {
            ca: of_root("rootCA.pem"),
            ca_key: of_root("rootCA-key.pem"),
            tls: Some(self.read("mk.crt")),
            key: Some(self.read("mk.key")),
        })
    }
}

#[test]
fn every_kind_of_certificate_is_judged_as_documented_beside_three_other_judges() {
    const TEST: &str = "every_kind_of_certificate_is_judged_as_documented_beside_three_other_judges";
    if no_openssl(TEST) {
        return;
    }
    let parent = folder();
    let dir = with_routes(parent.path());
    let data = dir.join("data");
    let workshop = Workshop::new();
    let python = python();

    let mut table = Table::default();
    table.good("our own", Set::of(&data));
    good_ones(&mut table, &workshop);
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
    beyond_us(&mut table, &workshop);
    broken_authorities(&mut table, &workshop);
    broken_servers(&mut table, &workshop);
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
    let openssl_is_known = openssl(parent.path(), &["version"]).starts_with("OpenSSL 3.");
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
    if no_openssl("a_real_client_takes_a_real_server_with_these_files_for_every_route") {
        return;
    }
    let parent = folder();
    let dir = with_routes(parent.path());
    let data = dir.join("data");
    let w = Workshop::new();
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

// ---------------------------------------------------------------- the answer

/// A deployment whose certificates have these lives.
pub(crate) fn living(parent: &Path, days: Value) -> PathBuf {
    let dir = with_routes(parent);
    for name in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
        std::fs::remove_file(dir.join("data").join(name)).unwrap();
    }
    helper(["certs", "issue"]).dir(&dir).json(days).run().expect(0);
    dir
}

/// Request, exit code, findings with their severities.
type Horizon = (Value, i32, &'static [(&'static str, &'static str)]);

#[test]
fn exit_codes_follow_the_horizons_to_the_day() {
    let parent = folder();
    // The first day has begun a moment ago: 19 whole days are left, and 59 of the CA.
    let dir = living(parent.path(), json!({"server_days": 20, "ca_days": 60}));
    let cases: [Horizon; 14] = [
        (json!({}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"warn_within_days": 19}), 0, &[]),
        (json!({"warn_within_days": 20}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"warn_within_days": 59}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"warn_within_days": 60}), 0, &[("tls-expires-soon", "warning"), ("ca-expires-soon", "warning")]),
        (json!({"warn_within_days": 0}), 0, &[]),
        (json!({"fail_within_days": 19}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"fail_within_days": 20}), 1, &[("tls-expires-soon", "error")]),
        (json!({"fail_within_days": 14}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"fail_within_days": 19, "warn_within_days": 0}), 0, &[]),
        (json!({"fail_within_days": 20, "warn_within_days": 0}), 1, &[("tls-expires-soon", "error")]),
        (
            json!({"fail_within_days": 20, "warn_within_days": 60}),
            1,
            &[("tls-expires-soon", "error"), ("ca-expires-soon", "warning")],
        ),
        (json!({"fail_within_days": 60}), 1, &[("tls-expires-soon", "error"), ("ca-expires-soon", "error")]),
        (
            json!({"fail_within_days": u32::MAX, "warn_within_days": u32::MAX}),
            1,
            &[("tls-expires-soon", "error"), ("ca-expires-soon", "error")],
        ),
    ];
    for (request, code, expected) in cases {
        let answer = helper(["certs", "check"]).dir(&dir).json(request.clone()).changes_nothing().run();
        assert_eq!(answer.code, code, "{request}: {:#}", answer.json);
        let mut found: Vec<(&str, &str)> =
            answer.findings().into_iter().map(|id| (id, answer.finding(id)["severity"].as_str().unwrap())).collect();
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{request}");
        let until = answer.data()["server"]["not_after"].as_str().unwrap()[..10].to_owned();
        let summary = answer.json["summary"].as_str().unwrap();
        assert!(summary.ends_with(&format!("; 19 days left, until {until}")), "{summary}");
        let renewal = answer.json["next"].to_string().contains("certs renew");
        assert_eq!(
            renewal,
            found.iter().any(|(id, _)| *id == "tls-expires-soon"),
            "{request}: {:#}",
            answer.json["next"]
        );
    }
    for wrong in [json!({"fail_within_days": -1}), json!({"warn_within_days": 1.5}), json!({"fail_in_days": 3})] {
        let refused = helper(["certs", "check"]).dir(&dir).json(wrong).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request");
    }
}

#[test]
fn days_are_counted_in_words_that_are_true() {
    let parent = folder();
    let dir = with_routes(parent.path());
    let data = dir.join("data");
    let now = OffsetDateTime::now_utc();
    let (minute, day) = (time::Duration::MINUTE, time::Duration::DAY);
    let mut wrong = Vec::new();
    for (end, expected) in [
        (now + day * 80 + minute, "; 80 days left, until "),
        (now + day + minute, "; 1 day left, until "),
        (now + minute, "; 0 days left, until "),
        (now - minute, "; ended 0 days ago, on "),
        (now - day - minute, "; ended 1 day ago, on "),
        (now - day * 3 - minute, "; ended 3 days ago, on "),
    ] {
        by_rcgen(|_| {}, |server| server.not_after = end).put(&data);
        let answer = helper(["certs", "check"]).dir(&dir).run().expect(i32::from(end < now));
        let summary = answer.json["summary"].as_str().unwrap();
        if !summary.ends_with(&format!("{expected}{}", end.date())) {
            wrong.push(format!("{expected:?}: {summary:?}"));
        }
        let left = answer.data()["server"]["days_left"].as_i64().unwrap();
        assert_eq!(left < 0, end < now, "negative when it is over");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn verbose_shows_every_row_once_and_otherwise_only_what_is_not_met() {
    let parent = folder();
    let dir = with_routes(parent.path());
    let check = |request: Value| helper(["certs", "check"]).dir(&dir).json(request).changes_nothing().run().expect(0);
    let rows = |answer: &Answer| answer.data()["requirements"].as_array().unwrap().clone();
    let all = check(json!({"verbose": true}));
    let ids: Vec<String> = rows(&all).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    for host in hosts() {
        assert!(ids.contains(&format!("handshake:{host}")), "{ids:?}");
    }
    for row in rows(&all) {
        assert_eq!(row["ok"], true, "{row}");
        assert!(["ca", "server", "pair"].contains(&row["of"].as_str().unwrap()), "{row}");
        assert!(row["requirement"].as_str().is_some_and(|t| !t.is_empty()), "{row}");
        assert!(row["found"].as_str().is_some_and(|t| !t.is_empty()), "{row}");
    }
    assert_eq!(all.data()["of"], ids.len());
    assert_eq!(all.data()["met"], ids.len());
    let summary = all.json["summary"].as_str().unwrap();
    let whole = format!("CA and server certificate meet all {} requirements; 89 days left, until ", ids.len());
    assert!(summary.starts_with(&whole), "{summary}");
    assert_eq!(all.findings(), Vec::<&str>::new());

    let short = check(json!({}));
    assert_eq!(rows(&short), Vec::<Value>::new());
    assert_eq!((&short.data()["of"], &short.data()["met"]), (&all.data()["of"], &all.data()["met"]));
    assert!(short.length < 4096, "{}", short.length);
    assert_eq!(short.data()["ca"]["pem"], std::fs::read_to_string(dir.join("data/ca.crt")).unwrap());
    let der = der(&std::fs::read(dir.join("data/ca.crt")).unwrap());
    assert_eq!(short.data()["ca"]["fingerprint_sha256"], sha256(&der));

    by_rcgen(|_| {}, |server| server.use_authority_key_identifier_extension = false).put(&dir.join("data"));
    let broken = helper(["certs", "check"]).dir(&dir).changes_nothing().run().expect(1);
    let shown: Vec<Value> = rows(&broken).iter().map(|row| json!([row["id"], row["ok"]])).collect();
    assert_eq!(shown, [json!(["server-authority-key-id", false]), json!(["pair-key-ids", null])]);
}

#[test]
fn without_routes_any_name_of_the_domain_is_tried() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run().expect(0);
    let answer = helper(["certs", "check"]).dir(&dir).json(json!({"verbose": true})).run().expect(0);
    let rows = answer.data()["requirements"].as_array().unwrap();
    let row = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no {id}"));
    assert_eq!(row(&format!("handshake:any-route.{DOMAIN}"))["ok"], true);
    assert_eq!(row("server-san-routes")["ok"], Value::Null);
    assert_eq!(answer.json["skipped"], json!([]), "nothing is amiss");
}

#[test]
fn the_cas_key_may_be_elsewhere() {
    let parent = folder();
    let dir = with_routes(parent.path());
    std::fs::remove_file(dir.join("data/ca.key")).unwrap();
    let answer = helper(["certs", "check"]).dir(&dir).changes_nothing().run().expect(0);
    assert_eq!(answer.findings(), ["ca-key-missing"]);
    assert_eq!(answer.finding("ca-key-missing")["severity"], "note");
    assert_eq!(answer.json["skipped"], json!([]), "it is said once");
    assert!(answer.data()["requirements"].as_array().unwrap().iter().all(|row| row["ok"] != false));
    let check = helper(["check"]).dir(&dir).changes_nothing().run();
    assert_eq!(check.finding("ca-key-missing")["severity"], "note");
    let about: Vec<&str> =
        check.findings().into_iter().filter(|id| id.starts_with("ca-") || id.starts_with("certs-")).collect();
    assert_eq!(about, ["ca-key-missing"]);
}

#[test]
fn who_can_read_or_write_the_keys_is_part_of_it() {
    let parent = folder();
    let dir = with_routes(parent.path());
    let data = dir.join("data");
    let cases: [(&str, u32, u32, i32, &[&str]); 9] = [
        ("ca.key", 0o644, 0o600, 0, &["key-readable"]),
        ("ca.key", 0o640, 0o600, 0, &["key-readable"]),
        ("ca.key", 0o400, 0o600, 0, &[]),
        ("ca.key", 0o666, 0o600, 1, &["key-writable"]),
        ("tls.key", 0o600, 0o644, 1, &["proxy-key-denied"]),
        ("tls.key", 0o666, 0o644, 1, &["key-writable"]),
        ("tls.key", 0o444, 0o644, 0, &[]),
        ("tls.crt", 0o600, 0o644, 1, &["proxy-key-denied"]),
        ("", 0o700, 0o755, 1, &["proxy-key-denied"]),
    ];
    for (name, mode, usual, code, expected) in cases {
        let file = data.join(name);
        chmod(&file, mode);
        let answer = helper(["certs", "check"]).dir(&dir).changes_nothing().run();
        assert_eq!((answer.code, answer.findings().as_slice()), (code, expected), "{name} {mode:o}: {:#}", answer.json);
        chmod(&file, usual);
    }
    if is_root() {
        // Owned by the user that the image runs as, it is readable with 0600.
        std::os::unix::fs::chown(data.join("tls.key"), Some(65532), Some(65532)).unwrap();
        chmod(&data.join("tls.key"), 0o600);
        let answer = helper(["certs", "check"]).dir(&dir).changes_nothing().run().expect(0);
        assert_eq!(answer.findings(), Vec::<&str>::new());
    }
}
