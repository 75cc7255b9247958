//! Waiting on sockets, and random bytes for what is sent.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ring::rand::SecureRandom;

use crate::preflight::parallel::remaining;

/// Random bytes; predictable ones where the system has none, which no probe's truth depends on.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0x5a; N];
    let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
    bytes
}

/// A socket that is connected to a server, so that an ICMP error comes back as one.
pub(super) fn udp(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket)
}

/// Waits on a socket again when a signal (a child has ended, for example) cut the wait short: Linux does not do so by
/// itself where there is a limit, see signal(7). `wait` gets the time that is left.
pub(super) fn wait_until<T>(deadline: Instant, mut wait: impl FnMut(Duration) -> io::Result<T>) -> io::Result<T> {
    loop {
        let left = remaining(deadline);
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match wait(left) {
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
