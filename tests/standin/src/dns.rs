//! IPv4 addresses of a name, from `/etc/hosts` and the name servers of `/etc/resolv.conf`.
//!
//! A static glibc program in an image without glibc cannot rely on `getaddrinfo`, and Go's resolver, which the real
//! programs use, names the server it asked in its errors.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

/// The addresses of `host`, or Go's error: `lookup hello on 127.0.0.11:53: no such host`.
pub fn ipv4(host: &str) -> Result<Vec<Ipv4Addr>, String> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let known: Vec<Ipv4Addr> = hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().split_whitespace())
        .filter_map(|mut words| Some((words.next()?.parse().ok()?, words)))
        .filter(|(_, names)| names.clone().any(|name| name.eq_ignore_ascii_case(host)))
        .map(|(address, _)| address)
        .collect();
    if !known.is_empty() {
        return Ok(known);
    }
    let resolv = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let server = resolv.lines().find_map(|line| line.strip_prefix("nameserver")).map_or("127.0.0.1", str::trim);
    let failed = |reason: &str| Err(format!("lookup {host} on {server}:53: {reason}"));
    match ask(server, host) {
        Err(_) => failed("i/o timeout"),
        Ok((0, addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok((0 | 3, _)) => failed("no such host"),
        Ok(_) => failed("server misbehaving"),
    }
}

/// Go's defaults: two attempts of five seconds, each on a socket of its own, so that the answer to the first is lost.
fn ask(server: &str, host: &str) -> std::io::Result<(u8, Vec<Ipv4Addr>)> {
    ask_once(server, host).or_else(|_| ask_once(server, host))
}

/// One query: the answer's code and its A records.
fn ask_once(server: &str, host: &str) -> std::io::Result<(u8, Vec<Ipv4Addr>)> {
    let socket = UdpSocket::bind(if server.contains(':') { "[::]:0" } else { "0.0.0.0:0" })?;
    socket.connect((server, 53))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    // Identity, "recursion desired", one question.
    let mut query = vec![0x5a, 0x17, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in host.trim_end_matches('.').split('.') {
        query.push(label.len().min(63) as u8);
        query.extend(label.bytes().take(63));
    }
    query.extend([0, 0, 1, 0, 1]);
    let mut answer = [0; 1500];
    socket.send(&query)?;
    let length = socket.recv(&mut answer)?;
    Ok((answer[3] & 15, addresses(&answer[..length], query.len()).unwrap_or_default()))
}

fn addresses(answer: &[u8], mut at: usize) -> Option<Vec<Ipv4Addr>> {
    let count = u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]);
    let mut found = Vec::new();
    for _ in 0..count {
        loop {
            match *answer.get(at)? {
                0 => break at += 1,
                pointer if pointer >= 0xc0 => break at += 2,
                label => at += usize::from(label) + 1,
            }
        }
        let head = answer.get(at..at + 10)?;
        let length = usize::from(u16::from_be_bytes([head[8], head[9]]));
        if head[..4] == [0, 1, 0, 1] {
            let bytes: [u8; 4] = answer.get(at + 10..at + 14)?.try_into().ok()?;
            found.push(Ipv4Addr::from(bytes));
        }
        at += 10 + length;
    }
    Some(found)
}
