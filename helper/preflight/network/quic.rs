//! Whether UDP passes both ways: a QUIC server must answer a version that it does not know with those that it knows.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::row::NetworkOutcome;
use super::socket::{random, udp, wait_until};
use crate::preflight::parallel::remaining;

/// Reserved for exactly this (RFC 9000, section 15: versions of the form `0x?a?a?a?a`).
const VERSION: [u8; 4] = [0x1a, 0x2a, 0x3a, 0x4a];
/// Shorter datagrams must not be answered (RFC 9000, sections 6.1 and 14.1).
const LENGTH: usize = 1200;
/// After each of these pauses the packet is sent again: it may have been lost.
const PAUSES: [u64; 5] = [200, 300, 500, 1000, 2000];

/// Sends the probe until an answer comes. Returns what came, and the version numbers that the server offers.
///
/// # Errors
/// What the system said when it could not be sent, or ICMP's answer.
pub(super) fn probe(server: SocketAddr, deadline: Instant) -> io::Result<(NetworkOutcome, Vec<u32>)> {
    let socket = udp(server)?;
    let ids = (random::<8>(), random::<8>());
    let packet = packet(ids);
    let mut strange = false;
    let mut pauses = PAUSES.iter().map(|pause| Duration::from_millis(*pause));
    while !remaining(deadline).is_zero() {
        socket.send(&packet)?;
        let again = pauses.next().map_or(deadline, |pause| deadline.min(Instant::now() + pause));
        loop {
            let mut buffer = [0; 2048];
            let received = wait_until(again, |left| {
                socket.set_read_timeout(Some(left))?;
                socket.recv(&mut buffer)
            });
            match received {
                Ok(length) => match versions(&buffer[..length], ids) {
                    Some(versions) => return Ok((NetworkOutcome::Ok, versions)),
                    // Not the end: an answer may still come behind a stray datagram.
                    None => strange = true,
                },
                Err(fault) if matches!(NetworkOutcome::of(&fault), NetworkOutcome::Timeout) => break,
                Err(fault) => return Err(fault),
            }
        }
        if strange {
            return Ok((NetworkOutcome::Unexpected, Vec::new()));
        }
    }
    Ok((NetworkOutcome::Timeout, Vec::new()))
}

/// A long header (RFC 8999, section 5.1) of an unknown version, padded.
fn packet((destination, source): ([u8; 8], [u8; 8])) -> Vec<u8> {
    let mut packet = vec![0xc0];
    packet.extend(VERSION);
    for id in [destination, source] {
        packet.push(8);
        packet.extend(id);
    }
    packet.resize(LENGTH, 0);
    packet
}

/// The versions in a Version Negotiation packet that answers our packet (RFC 8999, section 6: version 0, our connection
/// ids the other way round, then at least one version).
fn versions(bytes: &[u8], (destination, source): ([u8; 8], [u8; 8])) -> Option<Vec<u32>> {
    let rest = bytes.get(1..).filter(|_| bytes[0] & 0x80 != 0)?;
    let rest = rest.strip_prefix(&[0; 4])?;
    let rest = rest.strip_prefix(&[8])?.strip_prefix(&source)?;
    let rest = rest.strip_prefix(&[8])?.strip_prefix(&destination)?;
    let (versions, []) = rest.as_chunks::<4>() else { return None };
    (!versions.is_empty()).then(|| versions.iter().map(|v| u32::from_be_bytes(*v)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: ([u8; 8], [u8; 8]) = (*b"destinat", *b"source__");

    fn answer(first: u8, version: [u8; 4], ids: ([u8; 8], [u8; 8]), versions: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        bytes.extend(version);
        bytes.push(8);
        bytes.extend(ids.0);
        bytes.push(8);
        bytes.extend(ids.1);
        bytes.extend(versions);
        bytes
    }

    #[test]
    fn only_a_version_negotiation_packet_for_our_ids_counts() {
        let swapped = (IDS.1, IDS.0);
        assert_eq!(versions(&answer(0x80, [0; 4], swapped, &[0, 0, 0, 1]), IDS), Some(vec![1]));
        assert_eq!(
            versions(&answer(0xff, [0; 4], swapped, &[0, 0, 0, 1, 0x6b, 0x33, 0x43, 0xcf]), IDS).unwrap().len(),
            2
        );
        for bytes in [
            answer(0x80, [0; 4], swapped, &[]),
            answer(0x80, [0; 4], swapped, &[0, 0, 1]),
            answer(0x80, [0; 4], IDS, &[0, 0, 0, 1]),
            answer(0x00, [0; 4], swapped, &[0, 0, 0, 1]),
            answer(0x80, VERSION, swapped, &[0, 0, 0, 1]),
            packet(IDS),
            Vec::new(),
            vec![0x80],
        ] {
            assert_eq!(versions(&bytes, IDS), None, "{bytes:?}");
        }
        assert_eq!(packet(IDS).len(), 1200);
    }
}
