//! The four certificate files, and the makers of them: openssl by profile, rcgen, mkcert.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::{DOMAIN, chmod, folder, helper, laid_out, openssl, skip, which};

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
    pub(crate) fn of(dir: &Path) -> Self {
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

    pub(crate) fn ca(&self, change: impl FnOnce(&str) -> String) -> Self {
        Self { ca: self.ca.as_deref().map(|bytes| change(text(bytes)).into_bytes()), ..self.clone() }
    }

    pub(crate) fn tls(&self, change: impl FnOnce(&str) -> String) -> Self {
        Self { tls: self.tls.as_deref().map(|bytes| change(text(bytes)).into_bytes()), ..self.clone() }
    }

    pub(crate) fn key(&self, change: impl FnOnce(&str) -> String) -> Self {
        Self { key: self.key.as_deref().map(|bytes| change(text(bytes)).into_bytes()), ..self.clone() }
    }

    pub(crate) fn all(&self, change: impl Fn(&str) -> String) -> Self {
        self.ca(&change).tls(&change).key(&change)
    }
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64.encode(der);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(text).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The DER in a file's first block.
pub(crate) fn der(pem: &[u8]) -> Vec<u8> {
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

/// A folder in which openssl works.
pub(crate) struct Workshop {
    folder: tempfile::TempDir,
    serial: Cell<u32>,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        Self { folder: folder(), serial: Cell::new(0x1000) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn run(&self, line: &str) -> String {
        openssl(self.path(), &line.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    /// The file of a key, which is made once for each role in a run of the tests, and that of its public half.
    pub(crate) fn key(&self, role: &str, kind: &str) -> (String, String) {
        static MADE: Mutex<BTreeMap<String, [Vec<u8>; 2]>> = Mutex::new(BTreeMap::new());
        let role = if kind == "RSA 8192" { "any" } else { role };
        let name = format!("{role}-{}", kind.replace(' ', "-"));
        let public = format!("{name}.pub");
        let made = MADE.lock().unwrap().get(&name).cloned();
        if let Some([private, shown]) = made {
            self.write(&name, private);
            self.write(&public, shown);
        } else {
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
            MADE.lock().unwrap().insert(name.clone(), [self.read(&name), self.read(&public)]);
        }
        (name, public)
    }

    /// A CA that signs itself.
    pub(crate) fn authority(&self, role: &str, p: &Profile, out: &str) -> String {
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
    pub(crate) fn issue(&self, public: &str, p: &Profile, ca: (&str, &str), out: &str) {
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
pub(crate) fn by_rcgen(
    change_ca: impl FnOnce(&mut CertificateParams),
    change_server: impl FnOnce(&mut CertificateParams),
) -> Set {
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

/// A deployment with two routes, its `data`, and a workshop for what goes there.
pub(crate) struct Bench {
    pub(crate) dir: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) workshop: Workshop,
    pub(crate) _parent: tempfile::TempDir,
}

impl Bench {
    /// `None`, said aloud, where there is no openssl.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let parent = folder();
        let dir = (!no_openssl(test)).then(|| with_routes(parent.path()))?;
        Some(Self { data: dir.join("data"), dir, workshop: Workshop::new(), _parent: parent })
    }
}

/// Two routes, so that a certificate can cover one and not the other.
const ROUTES: [&str; 2] = ["hello", "files"];

pub(crate) fn hosts() -> [String; 2] {
    ROUTES.map(|route| format!("{route}.{DOMAIN}"))
}

/// A deployment with two routes.
pub(crate) fn with_routes(parent: &Path) -> PathBuf {
    laid_out("two routes", parent, |parent| {
        let request = json!({"domain": DOMAIN, "routes": {"hello": "http://hello:9000", "files": "http://files:9000"}});
        helper(["init"]).dir(parent.join("mcp-tunnel")).json(request).run().expect(0);
    })
}

/// A deployment whose certificates have these lives.
pub(crate) fn living(parent: &Path, days: Value) -> PathBuf {
    let dir = with_routes(parent);
    for name in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
        std::fs::remove_file(dir.join("data").join(name)).unwrap();
    }
    helper(["certs", "issue"]).dir(&dir).json(days).run().expect(0);
    dir
}

pub(crate) fn without_line(text: &str, line: usize) -> String {
    let kept = text.lines().enumerate().filter(|(at, _)| *at != line);
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

impl Workshop {
    /// A signing request.
    pub(crate) fn request(&self, role: &str) -> Vec<u8> {
        let (key, _) = self.key(role, "P-256");
        self.run(&format!("req -new -key {key} -subj /CN=request -out csr"));
        self.read("csr")
    }

    /// A CA certificate without extensions, as `openssl x509 -req` made them for long.
    pub(crate) fn old_version(&self) -> Set {
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
    pub(crate) fn intermediate(&self) -> (Set, Set) {
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
    pub(crate) fn registered_intermediate(&self) -> Set {
        let (_, set) = self.intermediate();
        let (key, _) = self.key("between", "P-256");
        Set { ca: Some(self.read("between.crt")), ca_key: Some(self.read(&key)), ..set }
    }

    /// What mkcert makes, if it is there.
    pub(crate) fn mkcert(&self) -> Option<Set> {
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
