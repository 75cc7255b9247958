//! Whether the proxy can get to what a route names: a common network, an allowed address, an open port.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::answer::Finding;
use crate::config::gateway::Gateway;
use crate::config::settings::may_dial;
use crate::deployment::Upstream;
use crate::deployment::route::Host;
use crate::engine::container::Container;
use crate::rules::{self, RuleId};

/// A container on this very host answers at once.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Whether the proxy may dial the container behind a route, and whether anybody listens there. Nothing is said where it
/// cannot be told from this host.
pub(super) fn reach(
    gateway: &Gateway,
    name: &str,
    upstream: &Upstream,
    proxy: &Container,
    container: &Container,
) -> Option<Finding> {
    let service = container.service();
    let shared = container.addresses_shared_with(proxy);
    if shared.is_empty() {
        if container.id == proxy.id || container.shares_network_of() == Some(proxy.id.as_str()) {
            return None;
        }
        let text = format!("route `{name}`: service `{service}` and the proxy are on no network together");
        let mut finding = rules::finding(RuleId::UpstreamDns).with(text);
        finding.fix = format!(
            "give `{service}` a network of `{{proxy}}`'s: without `networks:` a service is on `default`, and with it \
             `default` must be named too (`networks: [default, …]`); then `{{helper}} up --dir {{dir}}`"
        );
        return Some(finding);
    }
    let ranges = gateway.allowed_ips();
    for (address, bridge) in shared {
        if let IpAddr::V4(v4) = address
            && !gateway.dials_anything()
            && !may_dial(v4, ranges)
            && !matches!(upstream.host(), Host::Address(_))
        {
            let named = ranges.map(|ranges| format!(", and `allowed_ips` is {}", ranges.join(", ")));
            let named = named.unwrap_or_default();
            let text = format!("route `{name}`: service `{service}` has the address {address}{named}");
            return Some(rules::finding(RuleId::UpstreamIpRejected).with(text));
        }
        if is_refused(SocketAddr::new(address, upstream.port()), bridge) {
            let text =
                format!("route `{name}`: nobody listens on {address} port {} (service `{service}`)", upstream.port());
            return Some(rules::finding(RuleId::UpstreamRefused).with(text));
        }
    }
    None
}

/// Whether a container of this host refuses a connection. Only where the way to it leads over Docker's own bridge: with
/// Docker Desktop and rootless engines the address may be a stranger's in the local network.
fn is_refused(address: SocketAddr, bridge: Option<IpAddr>) -> bool {
    let Some(bridge) = bridge else { return false };
    // Connecting a UDP socket sends nothing; it asks the routing table.
    let local = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(address)?;
        socket.local_addr()
    });
    local.is_ok_and(|local| local.ip() == bridge)
        && TcpStream::connect_timeout(&address, AT_ONCE).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
}
