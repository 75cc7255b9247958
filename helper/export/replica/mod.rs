//! A bundle for another Docker host: the deployment without the CA's key and the token, packed here, unpacked there.

pub(crate) mod pack;
pub(crate) mod project;
pub(crate) mod unpack;
mod walk;
pub(crate) mod write;

/// The one folder of a bundle.
const FOLDER: &str = "mcp-tunnel-replica";

/// Whether only the owner can read it, and whether it is executable: no other mode bit is packed, or taken
/// from an untrusted bundle.
fn plain_mode(mode: u32) -> u32 {
    match (mode & 0o044 != 0, mode & 0o100 != 0) {
        (true, true) => 0o755,
        (true, false) => 0o644,
        (false, true) => 0o700,
        (false, false) => 0o600,
    }
}
