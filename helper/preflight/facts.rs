//! Everything that was gathered.

use std::time::Duration;

use super::deployed::Deployed;
use super::host::HostState;
use super::network::Network;
use super::tools::Tools;
use crate::caller::Caller;

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
    /// Nothing asked yet.
    pub(super) fn new(caller: &Caller, limit: Duration, deployed: Deployed, network: Network) -> Self {
        let (tools, host) = (Tools::default(), HostState::default());
        Self { caller: caller.clone(), limit, deployed, tools, host, network }
    }

    /// Where the shell sends docker.
    pub(super) fn docker_host(&self) -> Option<String> {
        self.caller.var("DOCKER_HOST").map(|host| host.to_string_lossy().into_owned())
    }

    pub(super) fn has_images(&self) -> bool {
        self.tools.images.as_ref().is_some_and(|images| images.len() >= self.deployed.images.len())
    }
}
