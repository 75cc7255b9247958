//! Certificates that meet every requirement, of every maker; and those that our own libraries cannot judge.

use super::differential::{ALL, Table};
use super::workshop::{Set, Workshop, by_rcgen, pem};

/// What others make, and it is as it should be.
pub(crate) fn good_ones(t: &mut Table, w: &Workshop) {
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
pub(crate) fn beyond_us(t: &mut Table, w: &Workshop) {
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
