//! What the namespace of the container says: a way out, its MTU, an address; and random numbers.

use std::fs::{self, File};
use std::io::Read;
use std::net::UdpSocket;
use std::sync::LazyLock;
use std::time::Instant;

/// Whether the namespace still has a way out.
pub(crate) fn online() -> bool {
    way_out().is_some()
}

/// The interface of the default route.
fn way_out() -> Option<String> {
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let mut routes = routes.lines().skip(1).map(str::split_whitespace);
    routes.find_map(|mut words| words.next().filter(|_| words.next() == Some("00000000")).map(str::to_owned))
}

/// Why no packet of QUIC leaves, as its system call says it.
pub(crate) fn fault_of_quic(script: &str) -> Option<&'static str> {
    let mtu = way_out().and_then(|name| fs::read_to_string(format!("/sys/class/net/{name}/mtu")).ok());
    match mtu.and_then(|text| text.trim().parse::<u32>().ok()) {
        _ if script.starts_with("noquic") => Some("sendmmsg: function not implemented"),
        Some(..1280) => Some("sendmsg: message too long"),
        _ => None,
    }
}

/// The address that a packet to the edge would carry: no packet is sent.
pub(crate) fn local_address() -> String {
    let address = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(("198.41.192.57", 7844))?;
        socket.local_addr()
    });
    address.map_or("0.0.0.0".into(), |address| address.ip().to_string())
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    if read.is_err() {
        let nanos = START.elapsed().as_nanos() as u64 ^ u64::from(std::process::id());
        bytes.iter_mut().zip(nanos.to_le_bytes().into_iter().cycle()).for_each(|(byte, noise)| *byte = noise);
    }
    bytes
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) fn uuid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
