//! How the cure of each rule is tried, or why it is not.

use std::path::Path;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};

use super::advice::shell;
use crate::certs::workshop::by_rcgen;
use crate::support::{folder, of_another_ca};

/// How a row's cure is tried.
pub(super) enum Tried {
    /// A sound deployment is broken like this, the command of `check`'s finding is run, and it is gone.
    Files(fn(&Path)),
    /// In a stack on the engine: `engine::advice`.
    Engine,
    /// The reason why not here, and where.
    Elsewhere(&'static str),
}

/// Certificates of a kind.
fn certificates(dir: &Path, ca: impl FnOnce(&mut CertificateParams), server: impl FnOnce(&mut CertificateParams)) {
    by_rcgen(ca, server).put(&dir.join("data"));
}

fn in_days(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(days)
}

fn replace_line(dir: &Path, key: &str, value: &str) {
    let file = dir.join(".env");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<String> =
        text.lines().map(|l| if l.starts_with(&format!("{key}=")) { value.to_owned() } else { l.to_owned() }).collect();
    std::fs::write(file, lines.join("\n") + "\n").unwrap();
}

/// Every row that one command of the helper ends.
pub(super) fn tried() -> Vec<(&'static str, Tried)> {
    use Tried::{Elsewhere, Engine, Files};
    vec![
        ("stack-stopped", Engine),
        ("service-stopped", Engine),
        ("proxy-netns-orphaned", Engine),
        ("config-not-applied", Engine),
        ("token-not-applied", Engine),
        (
            "netns-owner-not-running",
            Elsewhere("engine::engine_routes_list_leaves_cloudflared_in_created_until_restart"),
        ),
        ("route-not-configured", Engine),
        ("image-absent", Engine),
        ("env-missing", Files(|dir| std::fs::remove_file(dir.join(".env")).unwrap())),
        (
            "git-not-ignored",
            Files(|dir| {
                shell(&format!(
                    "cd '{}' && git init -q . && rm .gitignore",
                    dir.to_str().unwrap().replace('\'', r"'\''")
                ));
            }),
        ),
        ("compose-var-unset", Engine),
        ("token-missing", Files(|dir| replace_line(dir, "TUNNEL_TOKEN", ""))),
        ("token-placeholder", Files(|dir| replace_line(dir, "TUNNEL_TOKEN", "TUNNEL_TOKEN=PASTE_TUNNEL_TOKEN_HERE"))),
        ("token-malformed", Files(|dir| replace_line(dir, "TUNNEL_TOKEN", "TUNNEL_TOKEN=eyJub3QiOiJvbmUifQ=="))),
        ("token-rejected", Elsewhere("engine::engine_edge_that_refuses_the_token: only the edge says it")),
        ("proxy-cert-missing", Files(|dir| std::fs::remove_file(dir.join("data/tls.crt")).unwrap())),
        (
            "proxy-cert-mismatch",
            Files(|dir| {
                let parent = folder();
                let other = of_another_ca(parent.path()).join("data/tls.key");
                std::fs::copy(other, dir.join("data/tls.key")).unwrap();
            }),
        ),
        (
            "proxy-cert-order",
            Files(|dir| {
                let read = |name: &str| std::fs::read_to_string(dir.join("data").join(name)).unwrap();
                std::fs::write(dir.join("data/tls.crt"), read("ca.crt") + &read("tls.crt")).unwrap();
            }),
        ),
        (
            "server-unfit",
            Elsewhere("a_weak_certificate_is_renewed_and_a_weak_key_made_anew: openssl makes what rcgen cannot"),
        ),
        ("tls-bad-cert", Files(|dir| certificates(dir, |_| (), |server| server.subject_alt_names.clear()))),
        ("tls-expired", Files(|dir| certificates(dir, |_| (), |server| server.not_after = in_days(-1)))),
        ("tls-expires-soon", Files(|dir| certificates(dir, |_| (), |server| server.not_after = in_days(20)))),
        (
            "tls-key-id",
            Files(|dir| certificates(dir, |_| (), |server| server.use_authority_key_identifier_extension = false)),
        ),
        (
            "tls-unsupported-cert",
            Files(|dir| {
                certificates(
                    dir,
                    |_| (),
                    |server| server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
                );
            }),
        ),
        ("ca-expired", Files(|dir| certificates(dir, |ca| ca.not_after = in_days(-1), |_| ()))),
        (
            "ca-expires-soon",
            Files(|dir| certificates(dir, |ca| ca.not_after = in_days(20), |server| server.not_after = in_days(20))),
        ),
        (
            "ca-name-constraints",
            Files(|dir| {
                let permitted = vec![rcgen::GeneralSubtree::DnsName("example.org".into())];
                let constraints =
                    rcgen::NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() };
                certificates(dir, |ca| ca.name_constraints = Some(constraints), |_| ());
            }),
        ),
        ("ca-unfit", Files(|dir| certificates(dir, |ca| ca.key_usages = vec![KeyUsagePurpose::CrlSign], |_| ()))),
        ("compose-privileges", Elsewhere("a_person_runs_the_command_that_allows_privileges: it asks on a terminal")),
        ("namespace-not-applied", Engine),
        ("image-not-found", Engine),
        ("edge-quic-unsupported", Engine),
        ("edge-mtu", Engine),
    ]
}
