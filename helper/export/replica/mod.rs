//! A bundle for another Docker host: the deployment without the CA's key and the token, packed here, unpacked there.

pub(crate) mod pack;
pub(crate) mod project;
pub(crate) mod unpack;
mod walk;
pub(crate) mod write;

/// The one folder of a bundle.
const FOLDER: &str = "mcp-tunnel-replica";
