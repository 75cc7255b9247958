//! DNS lookups with a deadline: UDP, and TCP when an answer was cut short.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

use super::row::{NetworkOutcome, explained};
use super::socket::{random, udp, wait_until};
use crate::preflight::parallel::remaining;

/// After this time without an answer the next server is asked.
const SERVER_TIMEOUT: Duration = Duration::from_millis(800);

/// What a lookup found.
#[derive(Clone, Debug)]
pub(in crate::preflight) struct Resolved {
    pub(super) outcome: NetworkOutcome,
    /// Addresses, for A and AAAA.
    pub(super) addresses: Vec<IpAddr>,
    /// Names, for SRV.
    pub(super) targets: Vec<String>,
    /// What the server said, or why there is no answer.
    pub(super) detail: Option<String>,
}

impl Resolved {
    fn nothing(outcome: NetworkOutcome, detail: impl Into<Option<String>>) -> Self {
        Self { outcome, addresses: Vec::new(), targets: Vec::new(), detail: detail.into() }
    }
}

/// Looks a name up with each of the servers in turn, until one knows.
pub(super) fn look_up(name: &str, kind: TYPE, servers: &[SocketAddr], deadline: Instant) -> Resolved {
    let Ok(query) = query(name, kind) else {
        return Resolved::nothing(NetworkOutcome::NoAddress, Some(format!("`{name}` is not a DNS name")));
    };
    if servers.is_empty() {
        return Resolved::nothing(NetworkOutcome::NoAddress, None);
    }
    let mut last = Resolved::nothing(NetworkOutcome::Timeout, None);
    // The second round is for packets that were lost.
    for round in 0..2 {
        for (at, server) in servers.iter().enumerate() {
            let is_last = round == 1 && at + 1 == servers.len();
            let until = if is_last { deadline } else { deadline.min(Instant::now() + SERVER_TIMEOUT) };
            if remaining(until).is_zero() {
                return last;
            }
            match ask(&query, *server, until, deadline) {
                Ok(found) if matches!(found.outcome, NetworkOutcome::Ok | NetworkOutcome::NoAddress) => return found,
                Ok(found) => last = found,
                Err(fault) => {
                    let (outcome, detail) = explained(&fault);
                    let found = Resolved::nothing(outcome, detail);
                    // An earlier answer says more than silence.
                    if found.outcome != NetworkOutcome::Timeout || last.outcome == NetworkOutcome::Timeout {
                        last = found;
                    }
                }
            }
        }
        if !matches!(last.outcome, NetworkOutcome::Timeout) {
            break;
        }
    }
    last
}

fn query(name: &str, kind: TYPE) -> Result<Vec<u8>, simple_dns::SimpleDnsError> {
    let mut packet = Packet::new_query(u16::from_be_bytes(random()));
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(Name::new(name)?.into_owned(), kind.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec()
}

/// Waits for a datagram until `until`; once there is one, the rest of it may take until `deadline`.
fn ask(query: &[u8], server: SocketAddr, until: Instant, deadline: Instant) -> io::Result<Resolved> {
    let socket = udp(server)?;
    socket.send(query)?;
    let mut buffer = [0; 4096];
    loop {
        let length = wait_until(until, |left| {
            socket.set_read_timeout(Some(left))?;
            socket.recv(&mut buffer)
        })?;
        match read(query, &buffer[..length]) {
            // Another query's, or forged.
            Datagram::Foreign => {}
            Datagram::Cut => return over_tcp(query, server, deadline),
            Datagram::Whole(found) => return Ok(found),
        }
    }
}

fn over_tcp(query: &[u8], server: SocketAddr, until: Instant) -> io::Result<Resolved> {
    let mut stream = TcpStream::connect_timeout(&server, remaining(until).max(Duration::from_millis(1)))?;
    let mut message = u16::try_from(query.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    message.extend_from_slice(query);
    stream.set_write_timeout(Some(remaining(until).max(Duration::from_millis(1))))?;
    stream.write_all(&message)?;
    let mut length = [0; 2];
    read_until(&mut stream, &mut length, until)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    read_until(&mut stream, &mut answer, until)?;
    Ok(match read(query, &answer) {
        Datagram::Whole(found) => found,
        Datagram::Cut | Datagram::Foreign => {
            Resolved::nothing(NetworkOutcome::Unexpected, Some(format!("{server}: an invalid answer over TCP")))
        }
    })
}

/// Fills the buffer; a server that sends one byte a second does not stretch the deadline.
fn read_until(stream: &mut TcpStream, buffer: &mut [u8], until: Instant) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = wait_until(until, |left| {
            stream.set_read_timeout(Some(left))?;
            stream.read(&mut buffer[filled..])
        });
        match read? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => filled += n,
        }
    }
    Ok(())
}

enum Datagram {
    /// The answer.
    Whole(Resolved),
    /// Its beginning.
    Cut,
    /// None.
    Foreign,
}

fn read(query: &[u8], bytes: &[u8]) -> Datagram {
    let Ok(packet) = Packet::parse(bytes) else {
        let ours = bytes.get(..2) == query.get(..2);
        return if ours {
            Datagram::Whole(Resolved::nothing(
                NetworkOutcome::Unexpected,
                Some("an answer that makes no sense".to_owned()),
            ))
        } else {
            Datagram::Foreign
        };
    };
    let Ok(asked) = Packet::parse(query) else { return Datagram::Foreign };
    let same = |question: &Question<'_>| {
        asked.questions.first().is_some_and(|q| {
            q.qtype == question.qtype && q.qname.to_string().eq_ignore_ascii_case(&question.qname.to_string())
        })
    };
    let ours = packet.id() == asked.id() && packet.has_flags(PacketFlag::RESPONSE);
    if !ours || packet.questions.first().is_some_and(|question| !same(question)) {
        return Datagram::Foreign;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Datagram::Cut;
    }
    let (mut addresses, mut targets) = (Vec::new(), Vec::new());
    // Whatever name they belong to: a CNAME in front of them changes it.
    for record in &packet.answers {
        match &record.rdata {
            RData::A(a) => addresses.push(Ipv4Addr::from(a.address).into()),
            RData::AAAA(a) => addresses.push(Ipv6Addr::from(a.address).into()),
            RData::SRV(srv) => targets.push(srv.target.to_string().trim_end_matches('.').to_ascii_lowercase()),
            _ => {}
        }
    }
    targets.sort();
    targets.dedup();
    let known = !addresses.is_empty() || !targets.is_empty();
    let (outcome, detail) = match packet.rcode() {
        RCODE::NoError if known => (NetworkOutcome::Ok, None),
        RCODE::NoError => (NetworkOutcome::NoAddress, None),
        RCODE::NameError => (NetworkOutcome::NoAddress, Some("NXDOMAIN".to_owned())),
        RCODE::ServerFailure => (NetworkOutcome::Unexpected, Some("SERVFAIL".to_owned())),
        RCODE::Refused => (NetworkOutcome::Unexpected, Some("REFUSED".to_owned())),
        other => (NetworkOutcome::Unexpected, Some(format!("{other:?}"))),
    };
    Datagram::Whole(Resolved { outcome, addresses, targets, detail })
}
