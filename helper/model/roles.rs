//! The roles of a stack's services, by evidence: image, configuration, which dials which. A service's name proves nothing.

use super::stack::{ComposeStack, FileIn, Reach};
use crate::config::compose::{CLOUDFLARED_SERVICE, CONFIG_TARGET};
use crate::config::images;

/// The services that make the tunnel; `None` where no service is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) proxy: Option<String>,
    pub(crate) agent: Option<String>,
}

/// Where Anthropic publishes the proxy.
const REGISTRY: &str = "anthropic-public-registry/";

impl ComposeStack {
    pub(crate) fn roles(&self) -> Roles {
        let names: Vec<String> = self.service_names().into_iter().collect();
        let agents: Vec<&String> = names.iter().filter(|name| self.is_agent(name)).collect();
        // A person's own service may be of that image: the one that runs with another has the tunnel.
        let rank = |name: &&String| {
            let own = name.as_str() == CLOUDFLARED_SERVICE;
            (self.is_started(name), self.lives_in(name).is_some(), self.has_token(name), own)
        };
        let agent = agents.iter().rev().max_by_key(|name| rank(name)).map(|name| (*name).clone());
        let candidates = names.iter().filter(|name| !agents.contains(name)).rev();
        let proxies = candidates.filter_map(|name| Some((self.proxy_evidence(name)?, name)));
        let reached = |name: &str| agent.as_ref().is_some_and(|agent| self.reaches(agent, name) != Reach::Not);
        let proxy = proxies.max_by_key(|(evidence, name)| (reached(name), *evidence, self.is_started(name)));
        Roles { proxy: proxy.map(|(_, name)| name.clone()), agent }
    }

    /// Image without registry, tag and digest.
    fn image_name(&self, name: &str) -> Option<String> {
        let image = self.text(name, "image")?;
        let bare = image.split('@').next().unwrap_or_default();
        let last = bare.rsplit('/').next().unwrap_or_default();
        Some(last.split(':').next().unwrap_or_default().to_owned())
    }

    /// Whether a container has nothing but its stock image and what the files hand to it: an image of a person's own may
    /// hold any file, as may what another service's volumes show.
    pub(crate) fn is_stock(&self, name: &str) -> bool {
        let adds = |key: &str| self.service(name, key).is_some();
        let image = self.text(name, "image").unwrap_or_default();
        let is_known = image.contains(REGISTRY) || images::is_proxy(&image);
        (is_known || self.image_name(name).as_deref() == Some("cloudflared"))
            && !["build", "volumes_from", "extends"].into_iter().any(adds)
    }

    fn has_token(&self, name: &str) -> bool {
        let environment = self.environment(name);
        ["TUNNEL_TOKEN", "TUNNEL_TOKEN_FILE"].iter().any(|variable| environment.contains_key(*variable))
            || ["token", "token-file"].iter().any(|flag| self.flag(name, flag).is_some())
    }

    fn is_agent(&self, name: &str) -> bool {
        let command = self.command(name);
        let has = |word: &str| command.iter().any(|w| w == word);
        let runs_tunnel = has("tunnel") && (has("run") || self.flag(name, "url").is_some());
        match self.image_name(name) {
            Some(image) => image == "cloudflared" || runs_tunnel && self.has_token(name),
            None => runs_tunnel || self.has_token(name) && name.contains(CLOUDFLARED_SERVICE),
        }
    }

    /// How much speaks for a service being the proxy; `None` where nothing does.
    fn proxy_evidence(&self, name: &str) -> Option<u8> {
        let image = self.text(name, "image").unwrap_or_default();
        // The same image provisions a tunnel when it is asked to.
        if self.command(name).first().is_some_and(|word| word.ends_with("/setup")) {
            return None;
        }
        if image.contains(REGISTRY) || images::is_proxy(&image) {
            return Some(3);
        }
        if self.file_in(name, CONFIG_TARGET) != FileIn::Image {
            return Some(2);
        }
        let of_its_kind =
            self.image_name(name).is_none_or(|image| matches!(image.as_str(), "mcp-proxy" | "mcp-gateway"));
        let config = self.flag(name, "config")?;
        let is_yaml = config.ends_with(".yaml") || config.ends_with(".yml");
        (of_its_kind && is_yaml && (config.contains("mcp-proxy") || config.contains("mcp-gateway"))).then_some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    fn roles(services: &str) -> (Option<String>, Option<String>) {
        let tree = yaml::from_text(&format!("services:\n{services}")).unwrap();
        let Roles { proxy, agent } = ComposeStack::new(tree, vec!["/d".into()]).roles();
        (proxy, agent)
    }

    const AGENT: &str = "  tunnel: { image: 'cloudflare/cloudflared:2026.3.0', network_mode: 'service:p' }\n";

    #[test]
    fn names_prove_nothing() {
        let both = |proxy: &str| roles(&format!("{AGENT}{proxy}"));
        let some = |name: &str| (Some(name.to_owned()), Some("tunnel".to_owned()));
        let none = (None, Some("tunnel".to_owned()));
        for (proxy, expected) in [
            ("  p: { image: 'us-docker.pkg.dev/anthropic-public-registry/images/mcp-proxy@sha256:1' }", some("p")),
            ("  x: { image: y, volumes: ['./c.yaml:/etc/mcp-gateway/config.yaml'] }", some("x")),
            ("  x: { image: y, volumes: ['./c:/etc/mcp-gateway'] }", some("x")),
            ("  x: { image: y, configs: [{ source: c, target: /etc/mcp-gateway/config.yaml }] }", some("x")),
            ("  x: { image: 'corp/mcp-proxy:1', command: [-config, /etc/mcp-proxy/c.yaml] }", some("x")),
            ("  mcp-proxy: { image: 'nginx:alpine', container_name: mcp-proxy }", none.clone()),
            ("  mcp-proxy: { image: 'ghcr.io/x/mcp-proxy', command: --config /config/config.json }", none.clone()),
            (
                "  s: { image: 'us-docker.pkg.dev/anthropic-public-registry/images/mcp-proxy@sha256:1', entrypoint: [/setup] }",
                none,
            ),
        ] {
            assert_eq!(both(proxy), expected, "{proxy}");
        }
    }

    #[test]
    fn the_agent_is_the_one_that_lives_with_the_proxy() {
        let two = "  cloudflared: { image: cloudflare/cloudflared, command: access tcp }\n";
        assert_eq!(roles(&format!("{AGENT}{two}")).1.as_deref(), Some("tunnel"));
        assert_eq!(roles("  a: { build: ., command: tunnel --no-autoupdate run }").1.as_deref(), Some("a"));
        assert_eq!(roles("  a: { image: postgres }"), (None, None));
    }
}
