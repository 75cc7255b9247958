//! cloudflared's connections to the tunnel's edge, as its log tells: `state` follows them, `judge` says what is wrong.

mod judge;
mod state;

pub(crate) use judge::LogFacts;
pub(crate) use state::{Agent, CONNECTIONS};
