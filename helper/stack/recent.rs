//! What servers answered less than half a minute ago, kept for the next `status`: a script that calls it again and again
//! opens no session with each server each time.
//!
//! Only the answer of an MCP server in a container is kept, and only for as long as that container and the proxy live the
//! runs in which it was given: what ends a server elsewhere cannot be seen.

use std::path::Path;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::deployment::outside;
use crate::engine::container::Container;
use crate::hash::sha256_hex;
use crate::probe::wire::{ProbeTarget, Seen};

/// Longest age of an answer that is reused, in milliseconds.
const FRESH: i64 = 30_000;

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptAnswer {
    /// When it was given, Unix time in milliseconds.
    at: i64,
    /// Digest of what was asked.
    target: String,
    /// The lives of the proxy and of the server.
    lives: [String; 2],
    seen: Seen,
}

/// The answers about one deployment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Recent(Vec<KeptAnswer>);

/// Id and start of a container.
fn life(container: &Container) -> String {
    format!("{} {}", container.id, container.life)
}

fn digest(target: &ProbeTarget) -> String {
    sha256_hex(&serde_json::to_vec(target).unwrap_or_default())
}

fn now() -> i64 {
    let now = OffsetDateTime::now_utc();
    now.unix_timestamp() * 1000 + i64::from(now.millisecond())
}

impl Recent {
    /// What is kept in a file; nothing where it cannot be read.
    pub(super) fn read(path: Option<&Path>) -> Self {
        let text = path.and_then(outside::read);
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// The answer to the same question, if it is fresh and its server is the one that gave it.
    pub(super) fn answer(&self, target: &ProbeTarget, proxy: &Container, containers: &[Container]) -> Option<Seen> {
        self.answer_at(now(), &digest(target), proxy, containers)
    }

    fn answer_at(&self, now: i64, target: &str, proxy: &Container, containers: &[Container]) -> Option<Seen> {
        let kept = self.0.iter().find(|kept| kept.target == target)?;
        let server = containers.iter().find(|c| c.is_running() && life(c) == kept.lives[1])?;
        let is_fresh = (0..FRESH).contains(&(now - kept.at));
        if !is_fresh || kept.lives[0] != life(proxy) || !is_behind(&kept.seen, proxy, server) {
            return None;
        }
        let mut seen = kept.seen.clone();
        seen.server.as_mut()?.age_ms = u64::try_from(now - kept.at).ok()?;
        Some(seen)
    }

    /// Keeps what has just been answered, in place of what was. That it cannot be kept changes nothing.
    pub(super) fn keep(
        mut self,
        path: Option<&Path>,
        answers: &[(&ProbeTarget, &Seen)],
        proxy: &Container,
        containers: &[Container],
    ) {
        let Some(path) = path.filter(|_| !answers.is_empty()) else { return };
        let at = now();
        self.0.retain(|kept| (0..FRESH).contains(&(at - kept.at)));
        for (target, seen) in answers {
            let target = digest(target);
            self.0.retain(|kept| kept.target != target);
            // A slow DNS is not the server's, and may be over in a moment.
            let is_kept = seen.server.is_some() && !seen.is_found_late();
            let server = containers.iter().find(|c| is_kept && is_behind(seen, proxy, c));
            if let Some(server) = server {
                let lives = [life(proxy), life(server)];
                self.0.push(KeptAnswer { at, target, lives, seen: (*seen).clone() });
            }
        }
        if let Ok(text) = serde_json::to_string(&self) {
            let _ = outside::write(path, &text);
        }
    }
}

/// Whether a container has the address that was asked, on a network that the proxy is on.
fn is_behind(seen: &Seen, proxy: &Container, container: &Container) -> bool {
    let mut addresses = container.addresses_shared_with(proxy).filter_map(|endpoint| endpoint.address);
    container.id != proxy.id && addresses.any(|address| seen.addresses.iter().any(|seen| address == *seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::container::Endpoint;
    use crate::probe::wire::Server;

    fn container(id: &str, started: &str, status: &str, network: &str, address: &str) -> Container {
        let endpoint = Endpoint { network: network.into(), address: address.parse().ok(), ..Endpoint::default() };
        let (id, life, status) = (id.into(), started.into(), status.into());
        Container { id, life, status, endpoints: vec![endpoint], ..Container::default() }
    }

    #[test]
    fn an_answer_is_reused_while_it_is_fresh_and_its_server_lives() {
        let proxy = container("proxy", "1", "running", "lan", "10.0.0.2");
        let server =
            |status: &str, started: &str, network: &str| container("own", started, status, network, "10.0.0.3");
        let seen =
            |server: Option<Server>| Seen { addresses: vec!["10.0.0.3".parse().unwrap()], server, ..Seen::default() };
        let kept = |seen: Seen| {
            let lives = ["proxy 1".to_owned(), "own 1".to_owned()];
            Recent(vec![KeptAnswer { at: 1_000, target: "t".into(), lives, seen }])
        };
        let recent = kept(seen(Some(Server::default())));
        let own = [proxy.clone(), server("running", "1", "lan")];
        let age =
            |now, target: &str| recent.answer_at(now, target, &proxy, &own).map(|seen| seen.server.unwrap().age_ms);
        assert_eq!([age(1_000, "t"), age(13_500, "t"), age(30_999, "t")], [Some(0), Some(12_500), Some(29_999)]);
        // Too old, from the future, and about something else.
        assert_eq!([age(31_000, "t"), age(999, "t"), age(13_500, "u")], [None; 3]);
        // Another life, another state or another network of the server; another life of the proxy.
        for other in [server("running", "2", "lan"), server("paused", "1", "lan"), server("running", "1", "wan")] {
            assert!(recent.answer_at(2_000, "t", &proxy, &[proxy.clone(), other]).is_none());
        }
        let revived = container("proxy", "2", "running", "lan", "10.0.0.2");
        assert!(recent.answer_at(2_000, "t", &revived, &own).is_none());
    }
}
