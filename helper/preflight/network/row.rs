//! One probe in an answer.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer;

/// How a probe goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::preflight) enum Transport {
    /// A DNS lookup.
    Dns,
    /// A QUIC packet that must be answered.
    Udp,
    /// A connection.
    Tcp,
    /// A connection and a TLS handshake.
    Tls,
}

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::preflight) enum NetworkOutcome {
    /// Answered as it should.
    Ok,
    /// Not answered in time.
    Timeout,
    /// Refused by the other side, or by a firewall on the way or on this host.
    Refused,
    /// There is no way to it.
    Unreachable,
    /// The name has no such address, or could not be looked up; nothing could be sent.
    NoAddress,
    /// Answered, and not as it should.
    Unexpected,
}

impl NetworkOutcome {
    /// What an error of the system means.
    pub(super) fn of(fault: &io::Error) -> Self {
        match fault.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Timeout,
            // EPERM from a packet filter on this host.
            ErrorKind::ConnectionRefused | ErrorKind::PermissionDenied => Self::Refused,
            ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NetworkDown => Self::Unreachable,
            // No IPv6 in the kernel.
            ErrorKind::Unsupported => Self::Unreachable,
            _ if fault.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => Self::Unreachable,
            _ => Self::Unexpected,
        }
    }
}

/// What an error of the system means, and what the outcome alone does not say of it.
pub(super) fn explained(fault: &io::Error) -> (NetworkOutcome, Option<String>) {
    let outcome = NetworkOutcome::of(fault);
    let detail = match fault.kind() {
        ErrorKind::PermissionDenied => Some("a firewall on this host does not let it out".to_owned()),
        _ => (outcome == NetworkOutcome::Unexpected).then(|| answer::reason(fault)),
    };
    (outcome, detail)
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(in crate::preflight) struct Row {
    /// Host name.
    pub(super) target: String,
    /// How many other targets are folded into this row: fine like it, for the same purpose. None with `verbose`.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) more: usize,
    /// Port (of the DNS server, for a lookup).
    pub(super) port: u16,
    /// How it went out.
    pub(super) transport: Transport,
    /// `ipv4` or `ipv6`, where both were tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) family: Option<Family>,
    /// The result.
    pub(super) outcome: NetworkOutcome,
    /// Milliseconds until then; `null` where nothing was sent, or nothing came.
    pub(super) ms: Option<u64>,
    /// What a lookup found, the first two; the address that did not answer. All of them with `verbose`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) addresses: Vec<String>,
    /// Who issued the certificate that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    /// What else was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::preflight) enum Family {
    /// A record.
    Ipv4,
    /// AAAA record.
    Ipv6,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Row {
    /// A probe that has not answered yet.
    pub(super) fn planned(target: &str, port: u16, transport: Transport, family: Option<Family>) -> Self {
        Self {
            target: target.to_owned(),
            more: 0,
            port,
            transport,
            family,
            outcome: NetworkOutcome::Timeout,
            ms: None,
            addresses: Vec::new(),
            issuer: None,
            detail: None,
        }
    }

    /// Whether it was answered as it should be.
    pub(super) fn is_ok(&self) -> bool {
        self.outcome == NetworkOutcome::Ok
    }

    /// Whether this host or the name has no IPv6: nothing was sent, and cloudflared does not need it.
    pub(super) fn has_no_ipv6(&self) -> bool {
        self.family == Some(Family::Ipv6)
            && matches!(self.outcome, NetworkOutcome::NoAddress | NetworkOutcome::Unreachable)
    }

    /// Whether another row of the same purpose adds nothing: both are fine.
    fn is_like(&self, other: &Self) -> bool {
        (self.transport, self.port) == (other.transport, other.port) && self.is_ok() && other.is_ok()
    }

    /// Folds rows that are alike into the first of them.
    pub(super) fn fold(rows: Vec<Self>) -> Vec<Self> {
        let mut folded: Vec<(Self, BTreeSet<String>)> = Vec::new();
        for row in rows {
            let Some((first, targets)) = folded.iter_mut().find(|(first, _)| first.is_like(&row)) else {
                let targets = BTreeSet::from([row.target.clone()]);
                folded.push((row, targets));
                continue;
            };
            first.family = first.family.filter(|family| Some(*family) == row.family);
            first.ms = first.ms.max(row.ms);
            first.addresses.clear();
            first.issuer = None;
            targets.insert(row.target);
            first.more = targets.len() - 1;
        }
        folded.into_iter().map(|(row, _)| row).collect()
    }

    /// The probe in a few words, for evidence.
    pub(super) fn in_words(&self) -> String {
        let outcome = match self.outcome {
            NetworkOutcome::Ok => "ok",
            NetworkOutcome::Timeout => "no answer",
            NetworkOutcome::Refused => "refused",
            NetworkOutcome::Unreachable => "no way to it",
            NetworkOutcome::NoAddress => "no address",
            NetworkOutcome::Unexpected => "an unexpected answer",
        };
        let transport = match self.transport {
            Transport::Dns => "DNS",
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        };
        let address = self.addresses.first().filter(|_| self.transport != Transport::Dns);
        let address = address.map_or_else(String::new, |address| format!(" ({address})"));
        let detail = self.detail.as_ref().map_or_else(String::new, |detail| format!(", {detail}"));
        match self.transport {
            Transport::Dns => format!("{transport} {}: {outcome}{detail}", self.target),
            Transport::Udp | Transport::Tcp | Transport::Tls => {
                format!("{transport} {} {}{address}: {outcome}{detail}", self.target, self.port)
            }
        }
    }
}
