//! Listening TCP sockets of this network namespace, as `/proc/net/tcp` and `tcp6` show them (proc_pid_net(5)).

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::wire::Listener;

/// State `TCP_LISTEN`.
const LISTEN: &str = "0A";

/// All of them; `None` where the system has no such files.
pub(crate) fn listening() -> Option<Vec<Listener>> {
    let v4 = fs::read_to_string("/proc/net/tcp").ok()?;
    // Absent where IPv6 is switched off.
    let v6 = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    Some(parse(&v4, &v6))
}

fn parse(v4: &str, v6: &str) -> Vec<Listener> {
    let mut found: Vec<Listener> = v4.lines().chain(v6.lines()).filter_map(socket).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn socket(line: &str) -> Option<Listener> {
    let mut fields = line.split_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    (fields.nth(1)? == LISTEN).then_some(())?;
    Some(Listener { address: address_of(address)?, port: u16::from_str_radix(port, 16).ok()? })
}

/// Words of 32 bits in the machine's byte order.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(at * 8)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn the_kernels_tables_are_read() {
        let v4 = "  sl  local_address rem_address   st tx_queue\n   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000\n   \
                  1: 00000000:1F41 00000000:0000 0A 0\n   2: 0100007F:1F42 0100007F:9999 01 0\n";
        let v6 = "  sl  local_address\n   0: 00000000000000000000000001000000:1F43 00000000000000000000000000000000:0000 0A 0\n   \
                  1: 0000000000000000FFFF00000100007F:1F44 00000000000000000000000000000000:0000 0A 0\n";
        let found = parse(v4, v6);
        let loopback: Vec<(u16, bool)> = found.iter().map(|l| (l.port, l.is_loopback())).collect();
        assert_eq!(loopback, [(8001, false), (8000, true), (8003, true), (8004, true)]);
        assert_eq!(parse("", "garbage 1 2 3\n: : : 0A\n"), []);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_port_is_among_them() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listening().unwrap().iter().any(|l| l.port == port && l.is_loopback()));
    }
}
