//! cloudflared's connections to the tunnel's edge, as its log tells: `state` follows them, `judge` says what is wrong.

mod judge;
mod state;

pub(crate) use judge::{LogFacts, is_foreign_call};
pub(crate) use state::{Agent, CONNECTIONS};
