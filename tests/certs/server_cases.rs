//! Server certificates that do not meet the requirements.

use time::OffsetDateTime;

use super::differential::{ALL, NONE, Table};
use super::workshop::{Set, Workshop, by_rcgen, der, pem, without_line};

/// A server certificate that does not meet the requirements.
pub(crate) fn broken_servers(t: &mut Table, w: &Workshop) {
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
        ["tls-key-id", "server-authority-key-id", "pair-key-ids"],
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
        ["tls-key-id", "server-authority-key-id", "pair-key-ids"],
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
    t.bad("AKI that points elsewhere", elsewhere, ["tls-key-id", "pair-key-ids", ""], "python webpki", unknown);
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
        ["tls-key-id", "server-authority-key-id", "pair-key-ids"],
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
            "tls-key-id tls-bad-cert tls-handshake",
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
    let order = ["proxy-cert-order tls-handshake", "server-first handshake", ""];
    let reversed = |set: &Set| Some([set.ca.clone().unwrap(), set.tls.clone().unwrap()].concat());
    t.bad(
        "the CA before the server's certificate in tls.crt",
        Set { tls: reversed(&ec), ..ec.clone() },
        order,
        NONE,
        "",
    );
    let rsa_ca = w.make(|p| p.ca_key = "RSA 2048");
    t.bad("an RSA CA before the server's certificate", Set { tls: reversed(&rsa_ca), ..rsa_ca }, order, NONE, "");
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
