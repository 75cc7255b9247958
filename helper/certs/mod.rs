//! Certificates: read as they stand in files, made, and judged; bytes in, bytes out, no files and no clock.

pub(crate) mod audit;
mod der;
pub(crate) mod disk;
pub(crate) mod issue;
mod judge;
pub(crate) mod key;
pub(crate) mod pem;
mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod x509;

pub(crate) use audit::{Asked, Facts, Files, Input, Row, Verdict, audit};
pub(crate) use issue::{Ca, IssueError};
pub(crate) use key::Key;
pub(crate) use pem::CertificateFile;
pub(crate) use x509::Details;
