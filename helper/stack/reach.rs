//! Whether the server of a route accepts connections, where this host is on the way to it.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::engine::container::Endpoint;

/// A container on this very host answers at once.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The address, if a container of this host refuses a connection there. Only where the way to it leads over Docker's
/// own bridge: with Docker Desktop and rootless engines the address may be a stranger's in the local network.
pub(super) fn refused(endpoint: &Endpoint, port: u16) -> Option<IpAddr> {
    let (address, bridge) = (endpoint.address?, endpoint.gateway?);
    let remote = SocketAddr::new(address, port);
    // Connecting a UDP socket sends nothing; it asks the routing table.
    let local = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(remote)?;
        socket.local_addr()
    });
    let is_here = local.is_ok_and(|local| local.ip() == bridge);
    let is_refused =
        || TcpStream::connect_timeout(&remote, AT_ONCE).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused);
    (is_here && is_refused()).then_some(address)
}
