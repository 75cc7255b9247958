//! CAs that do not meet the requirements.

use time::OffsetDateTime;

use super::differential::{ALL, NONE, Table};
use super::workshop::{Set, Workshop, by_rcgen, der, pem, text, without_line};

/// A CA that does not meet the requirements.
pub(crate) fn broken_authorities(t: &mut Table, w: &Workshop) {
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
    let constrained = ["ca-name-constraints tls-handshake", "ca-name-constraints handshake", ""];
    t.bad("names constrained to anything but the domain", excluded, constrained, NONE, "");
    let elsewhere = w.ca_with("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nnameConstraints=permitted;DNS:example.com");
    t.bad("names constrained to another domain", elsewhere, constrained, NONE, "");
    let sibling = w.ca_with("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nnameConstraints=critical,permitted;DNS:x@");
    t.bad("names constrained to a domain that only ends alike", sibling, constrained, NONE, "");
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
        "",
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

fn utf16(bytes: &[u8]) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text(bytes).encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}
