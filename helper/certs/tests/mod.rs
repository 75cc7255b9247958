//! Unit tests of this module: the four files as text, and what the audit says of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod files;
mod issued;
mod openssl;

use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::KeyPair;
use time::{Duration, OffsetDateTime, macros::datetime};

use super::audit::{CertFacts, Checked, Purpose};
use super::der;
use super::file::{CertificateFile, Content, File, Files};
use super::issue::{Ca, IssueError};
use super::key::{Key, KeyFault, KeyKind};
use super::pem::{self, PemFault};
use super::rows::{REQUIREMENTS, audit};
use super::x509::{Extension, Signature};
use crate::deployment::Domain;

const NOW: OffsetDateTime = datetime!(2026-11-23 12:34:56.789 UTC);
const DOMAIN: &str = "abcd1234.tunnel.anthropic.com";

fn domain() -> Domain {
    Domain::parse(DOMAIN).unwrap()
}

/// The four files as text.
#[derive(Clone, Default)]
struct Set {
    ca: String,
    ca_key: String,
    tls: String,
    tls_key: String,
}

impl Set {
    fn issued() -> Self {
        let ca = Ca::create(NOW, 3650).unwrap();
        let server = ca.ca.issue(&domain(), None, NOW, 90).unwrap();
        Self {
            ca: ca.certificate,
            ca_key: ca.key.unwrap().expose().into(),
            tls: server.certificate,
            tls_key: server.key.unwrap().expose().into(),
        }
    }

    fn rows(&self) -> Vec<Checked> {
        self.rows_at(NOW, 0)
    }

    fn rows_at(&self, now: OffsetDateTime, fail_within_days: u32) -> Vec<Checked> {
        let routes = ["hello".to_owned(), "files".to_owned()];
        let purpose = Purpose { domain: &domain(), routes: &routes, now };
        audit(&CertFacts::gather(self.files(), purpose, fail_within_days))
    }

    fn files(&self) -> Files {
        fn file<T: Content>(text: &str) -> File<T> {
            if text.is_empty() { File::Absent } else { File::parse(text.as_bytes()) }
        }
        Files {
            ca_beside: None,
            ca: file(&self.ca),
            ca_key: file(&self.ca_key),
            server: file(&self.tls),
            server_key: file(&self.tls_key),
            replica: None,
        }
    }
}

fn failed(rows: &[Checked]) -> Vec<&'static str> {
    rows.iter().filter(|r| r.verdict.ok() == Some(false)).map(|r| r.of.id).collect()
}

fn skipped(rows: &[Checked]) -> Vec<&'static str> {
    rows.iter().filter(|r| r.verdict.ok().is_none()).map(|r| r.of.id).collect()
}

fn fault(text: impl AsRef<[u8]>) -> PemFault {
    CertificateFile::parse(text.as_ref()).unwrap_err()
}

fn key_fault(text: impl AsRef<[u8]>) -> PemFault {
    Key::parse(text.as_ref()).unwrap_err()
}
