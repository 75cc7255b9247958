//! Whether Claude could call the MCP server behind a route, asked of the server itself from the proxy's network namespace.
//!
//! [`container`] starts this program once more in a one-shot container, [`inside`] is what runs there, [`client`] is
//! the MCP client it uses, [`wire`] is what the two say to each other, [`judge`] turns each answer of a server ([`answers`]
//! has one row for each) into a state and a finding, without any I/O.

mod answers;
pub(crate) mod client;
pub(crate) mod container;
mod hosts;
pub(crate) mod inside;
pub(crate) mod judge;
pub(crate) mod observe;
pub(crate) mod row;
pub(crate) mod sockets;
pub(crate) mod state;
pub(crate) mod target;
#[cfg(test)]
mod tests;
pub(crate) mod wire;
