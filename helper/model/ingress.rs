//! Where cloudflared's own configuration file sends calls: it replaces `--url`.

use std::collections::BTreeMap;

use super::stack::{ComposeStack, FileIn};
use crate::config::yaml::{self, Value, at};
use crate::deployment::Deployment;
use crate::os::files;

/// Where cloudflared looks for its file when no flag names one.
const DEFAULTS: [&str; 3] =
    ["/etc/cloudflared/config.yml", "/etc/cloudflared/config.yaml", "/home/nonroot/.cloudflared/config.yml"];

/// The address of every service that has such a file in the directory.
pub(super) fn read(stack: &ComposeStack, deployment: &Deployment) -> BTreeMap<String, String> {
    let runs_tunnel = |name: &String| stack.command(name).iter().any(|word| word == "tunnel");
    let names = stack.service_names().into_iter().filter(runs_tunnel).filter(|name| stack.url(name).is_none());
    names
        .filter_map(|name| {
            let flag = stack.flag(&name, "config").into_iter();
            let text = flag.chain(DEFAULTS.map(str::to_owned)).find_map(|path| match stack.file_in(&name, &path) {
                FileIn::Host(place) => files::read_text(deployment, &files::inside(&place)?).ok().flatten(),
                FileIn::Text(text) => Some(text),
                FileIn::Variable(_) | FileIn::Volume(_) | FileIn::Image => None,
            })?;
            Some((name, address(&yaml::from_text(&text).ok()?)?))
        })
        .collect()
}

/// `url:`, or the first server among the rules of `ingress:`.
fn address(config: &Value) -> Option<String> {
    let rules = at(config, &["ingress"]).and_then(Value::as_sequence).into_iter().flatten();
    let services = rules.filter_map(|rule| yaml::text(rule, &["service"]));
    let url = yaml::text(config, &["url"]);
    url.into_iter().chain(services).find(|address| address.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_both_forms() {
        let of = |text: &str| address(&yaml::from_text(text).unwrap());
        let found = Some("http://p:8080".to_owned());
        assert_eq!(of("url: http://p:8080"), found);
        assert_eq!(of("ingress: [{ hostname: x, service: http_status:404 }, { service: 'http://p:8080' }]"), found);
        assert_eq!(of("ingress: [{ service: http_status:404 }]"), None);
        assert_eq!(of("tunnel: x"), None);
    }
}
