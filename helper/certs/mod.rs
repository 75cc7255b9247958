//! Certificates: the four files, what they must be, and how they are issued, judged and changed.
//!
//! From bytes to a verdict: `pem`, `der`, `key`, `x509` parse; `file` holds the four files; `audit` gathers the facts, `judge` has the
//! tests, `rows` the requirements; `judged` is the verdict, `handshake` tries it; `client` is for servers elsewhere.

pub(crate) mod audit;
pub(crate) mod client;
mod der;
pub(crate) mod file;
pub(crate) mod handshake;
pub(crate) mod issue;
pub(crate) mod judge;
pub(crate) mod judged;
mod key;
mod pem;
pub(crate) mod provision;
pub(crate) mod renewal;
pub(crate) mod rotation;
mod rows;
#[cfg(test)]
mod tests;
mod x509;

pub(crate) use audit::Purpose;
pub(crate) use file::Files;
pub(crate) use judged::{CertificateInfo, Judged};
pub(crate) use x509::Details;
