//! Certificates: what is made, what is judged, what is changed.

mod authority_cases;
mod check;
mod differential;
mod good_cases;
mod interrupted;
mod issue;
mod renewal;
mod rollover;
mod schedule;
mod server_cases;
pub(crate) mod workshop;
