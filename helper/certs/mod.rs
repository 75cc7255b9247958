//! Certificates: read as they stand in files, made, and judged; bytes in, bytes out, no files and no clock.

pub(crate) mod audit;
pub(crate) mod checking;
mod der;
pub(crate) mod disk;
mod handshake;
pub(crate) mod issue;
pub(crate) mod issuing;
mod judge;
pub(crate) mod key;
pub(crate) mod pem;
pub(crate) mod renewal;
pub(crate) mod rollover;
mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod x509;

pub(crate) use audit::{Asked, Facts, Files, Input, Row, Verdict, audit};
pub(crate) use issue::{Ca, IssueError};
pub(crate) use key::Key;
pub(crate) use pem::{CertificateFile, PemFault};
pub(crate) use x509::Details;
