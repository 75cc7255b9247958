//! Certificates: what is made, what is judged, what is changed.

mod authority_cases;
mod check;
mod differential;
mod good_cases;
mod half_finished;
mod interrupted;
mod issue;
mod renewal;
mod renewed_pair;
mod rollover;
mod rollover_lives;
mod schedule;
mod server_cases;
pub(crate) mod workshop;
