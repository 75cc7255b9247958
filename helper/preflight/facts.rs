//! Everything that was gathered, and one fact as the thread that found it sends it.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::deployed::Deployed;
use super::host::{self, HostState};
use super::network::{self, Network};
use super::tools::{self, Tools};
use crate::caller::Caller;

/// Everything that was gathered.
#[derive(Debug)]
pub(super) struct HostFacts {
    pub(super) caller: Caller,
    /// Time that `preflight` may take.
    pub(super) limit: Duration,
    pub(super) deployed: Deployed,
    pub(super) tools: Tools,
    pub(super) host: HostState,
    pub(super) network: Network,
}

impl HostFacts {
    /// Where the shell sends docker.
    pub(super) fn docker_host(&self) -> Option<String> {
        self.caller.var("DOCKER_HOST").map(|host| host.to_string_lossy().into_owned())
    }

    pub(super) fn has_images(&self) -> bool {
        self.tools.images.as_ref().is_some_and(|images| images.len() >= self.deployed.images.len())
    }

    pub(super) fn note(&mut self, fact: Fact) {
        match fact {
            Fact::Tools(answer) => self.tools.note(answer),
            Fact::Host(answer) => self.host.note(answer),
            Fact::Network(answer) => self.network.note(answer),
            Fact::Upstream(words, address) => self.deployed.upstreams.push((words, Ipv4Net::from(address))),
        }
    }
}

/// What one thread found.
pub(super) enum Fact {
    Tools(tools::ToolAnswer),
    Host(host::HostAnswer),
    Network(network::NetworkAnswer),
    /// A route leads to this address: in words, and the address.
    Upstream(String, Ipv4Addr),
}

impl From<tools::ToolAnswer> for Fact {
    fn from(answer: tools::ToolAnswer) -> Self {
        Self::Tools(answer)
    }
}

impl From<host::HostAnswer> for Fact {
    fn from(answer: host::HostAnswer) -> Self {
        Self::Host(answer)
    }
}

impl From<network::NetworkAnswer> for Fact {
    fn from(answer: network::NetworkAnswer) -> Self {
        Self::Network(answer)
    }
}
