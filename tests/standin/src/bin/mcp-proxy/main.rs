//! Plays Anthropic's `mcp-proxy`: reads its configuration and certificate, fails as it fails, routes requests.
//!
//! The real one is a WebSocket listener with TLS inside; this one speaks plain HTTP on the same port, which is enough
//! to show that a request reaches the right upstream with its Host header kept. The texts of its log lines are the
//! documented ones. Their JSON frame, and the wording of settings that are missing or contradict each other, are
//! guesses: no log of the real program is published.

mod config;
mod forward;
mod log;

use config::{Tls, load_config};
use forward::route;
use log::{Level, Log};
use mcp_tunnels_standin::encoding::{self, PublicKey};
use mcp_tunnels_standin::{errno_text, go_error, listen, on_stop};
use serde_json::json;
use std::fs;
use std::process::exit;
use std::sync::Arc;
use std::thread;

fn main() {
    // Until the configuration says otherwise.
    let log = Log(Level::Info);
    let config = load_config().unwrap_or_else(|error| log.fatal("failed to load config", &error));
    let log = Log(config.level);
    if let Err(error) = load_certificate(&config.tls) {
        log.fatal("failed to load TLS certificate", &error);
    }
    for (subdomain, upstream) in &config.routes {
        log.line(Level::Info, "route configured", &[("subdomain", json!(subdomain)), ("upstream", json!(upstream.0))]);
    }
    let address = config.listen_addr.0.clone();
    let listener = listen(&address)
        .unwrap_or_else(|error| log.fatal("server failed", &format!("listen tcp {address}: {}", errno_text(&error))));
    log.line(
        Level::Info,
        "starting mcp-proxy",
        &[("listen_addr", json!(address)), ("tunnel_domain", json!(config.tunnel_domain.0))],
    );
    let stopped = on_stop(move |signal| {
        log.line(Level::Info, "shutting down", &[("signal", json!(signal))]);
        exit(0);
    });
    if let Err(error) = stopped {
        log.fatal("server failed", &error.to_string());
    }
    let config = Arc::new(config);
    for client in listener.incoming().flatten() {
        let config = Arc::clone(&config);
        thread::spawn(move || {
            // A client that went away does not matter.
            let _ = route(&config, log, client);
        });
    }
}

/// `tls.LoadX509KeyPair`.
fn load_certificate(tls: &Tls) -> Result<(), String> {
    let read = |path: &str| fs::read(path).map_err(|error| go_error(path, &error));
    let (certificate, key) = (read(&tls.cert_file.0)?, read(&tls.key_file.0)?);
    let certificates = encoding::pem(&String::from_utf8_lossy(&certificate));
    let skipped: Vec<&str> = certificates.iter().map(|(label, _)| label.as_str()).collect();
    let Some((_, leaf)) = certificates.iter().find(|(label, _)| label == "CERTIFICATE") else {
        return Err(match skipped.as_slice() {
            [] => "tls: failed to find any PEM data in certificate input".into(),
            [only] if only.ends_with("PRIVATE KEY") => {
                "tls: failed to find certificate PEM data in certificate input, \
                 but did find a private key; PEM inputs may have been switched"
                    .into()
            }
            _ => format!(
                "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the \
                 following types: [{}]",
                skipped.join(" ")
            ),
        });
    };
    let keys = encoding::pem(&String::from_utf8_lossy(&key));
    let is_key = |label: &str| label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY");
    let skipped: Vec<&str> = keys.iter().map(|(label, _)| label.as_str()).collect();
    let Some((_, key)) = keys.iter().find(|(label, _)| is_key(label)) else {
        return Err(match skipped.as_slice() {
            [] => "tls: failed to find any PEM data in key input".into(),
            ["CERTIFICATE"] => "tls: found a certificate rather than a key in the PEM for the private key".into(),
            _ => format!(
                "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM \
                 blocks of the following types: [{}]",
                skipped.join(" ")
            ),
        });
    };
    let public = encoding::certificate_key(leaf).ok_or("x509: malformed certificate")?;
    let private = encoding::private_key(key).ok_or("tls: failed to parse private key")?;
    match (public, private) {
        (a, b) if a.algorithm != b.algorithm => Err("tls: private key type does not match public key type".into()),
        (PublicKey { key: Some(a), .. }, PublicKey { key: Some(b), .. }) if a != b => {
            Err("tls: private key does not match public key".into())
        }
        _ => Ok(()),
    }
}
