//! What of the configuration and the compose files the chart's pages name no value for. Pure.

use crate::config::compose::Choices;
use crate::config::gateway::Gateway;
use crate::config::sample;
use crate::config::settings::Profile;
use crate::deployment::env_file::EnvFile;
use crate::export::parts::LeftOut;
use crate::lint::facts::Facts;
use crate::model::found;
use crate::redact::names;
use crate::render::takeover::read_choices;

pub(super) fn left_out(facts: &Facts, gateway: &Gateway) -> Vec<LeftOut> {
    let mut all = of_gateway(gateway);
    all.extend(of_compose(facts));
    all
}

fn of_gateway(gateway: &Gateway) -> Vec<LeftOut> {
    let mut all = Vec::new();
    let rules = gateway.upstream.as_ref();
    if gateway.dials_anything() {
        let why = "the chart's pages do not name it; list the ranges of your servers in `upstream.allowed_ips`";
        all.push(LeftOut::new("upstream.disable_ip_validation", why));
    }
    if rules.and_then(|rules| rules.tls.as_ref()).is_some_and(|tls| tls.ca_file.is_some()) {
        all.push(LeftOut::new("upstream.tls.ca_file", "how the chart mounts a CA file is documented nowhere"));
    }
    let unknown =
        rules.into_iter().flat_map(|rules| rules.other.keys().map(|key| format!("upstream.{}", names::shown(key))));
    let unknown = gateway.other.keys().map(|key| names::shown(key).to_owned()).chain(unknown);
    all.extend(unknown.map(|key| LeftOut::new(key, "the proxy's reference does not name this setting")));
    all
}

fn of_compose(facts: &Facts) -> Vec<LeftOut> {
    let no_env = EnvFile::new("");
    let stack = found::together(facts.found.readable(), facts.env().unwrap_or(&no_env));
    let choices = read_choices(&stack, &facts.services);
    let usual = Choices::default();
    let mut all = Vec::new();
    if let Some(protocol) = choices.protocol {
        let why = "the chart's key for it is documented nowhere; pods need outbound UDP and TCP 7844";
        all.push(LeftOut::new(format!("protocol {protocol}"), why));
    }
    if choices.profile == Profile::Hardened {
        all.push(LeftOut::new(
            "profile hardened",
            "the chart sets the pod's security itself; its keys are documented nowhere",
        ));
    }
    let images = [
        ("images.proxy", &choices.proxy_image, &usual.proxy_image),
        ("images.cloudflared", &choices.cloudflared_image, &usual.cloudflared_image),
    ];
    for (name, _, _) in images.into_iter().filter(|(_, now, usual)| now != usual) {
        all.push(LeftOut::new(name, "the chart brings its own images; the keys for others are documented nowhere"));
    }
    for network in &choices.networks {
        let why = "Docker networks do not exist in a cluster; its pods reach every Service that no policy closes";
        all.push(LeftOut::new(format!("network {}", names::shown(network)), why));
    }
    let own = [facts.services.proxy.as_str(), facts.services.cloudflared.as_str(), sample::SERVICE];
    for service in facts.found.service_names().into_iter().filter(|name| !own.contains(&name.as_str())) {
        let why = "your own service: run it in the cluster as a Deployment with a Service";
        all.push(LeftOut::new(format!("service {}", names::shown(&service)), why));
    }
    all
}
