//! `config/mcp-gateway.yaml`: the proxy's configuration, written from typed values and read back.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::settings::{Settings, UpstreamTls, is_plain_name, may_dial, with_range};
use super::yaml::{self, Value};
use crate::answer::request::{Change, UniqueMap};
use crate::answer::{Error, Finding};
use crate::deployment::route::{Host, Scheme};
use crate::deployment::{Domain, RouteName, Upstream, path};
use crate::redact::names;
use crate::rules::{self, RuleId};

/// Where the proxy listens, and where cloudflared's `--url` points to.
pub(crate) const LISTEN_ADDR: &str = ":8080";

/// The proxy's configuration, with the field names of its reference. Unknown keys are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gateway {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listen_addr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log_level: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shutdown_timeout: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tunnel_domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<Tls>,
    /// Kept as text: what a person wrote is judged by `check`, not lost.
    #[serde(default, deserialize_with = "unique")]
    pub(crate) routes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<UpstreamRules>,
    #[serde(flatten)]
    pub(crate) other: BTreeMap<String, Value>,
}

/// A duplicate route is a fault, as it is for the proxy; the first one is not dropped silently.
fn unique<'de, D: serde::Deserializer<'de>>(input: D) -> Result<BTreeMap<String, String>, D::Error> {
    UniqueMap::deserialize(input).map(|map| map.0)
}

/// The server certificate as the proxy sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tls {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cert_file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<String>,
    #[serde(flatten)]
    pub(crate) other: BTreeMap<String, Value>,
}

/// Which upstreams may be dialled, and which CAs are trusted there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct UpstreamRules {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_ips: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) disable_ip_validation: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<UpstreamTls>,
    #[serde(flatten)]
    pub(crate) other: BTreeMap<String, Value>,
}

/// A route as it is written: both of its halves, or why one is invalid.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// The key in `routes`.
    pub(crate) key: String,
    /// The label in front of the tunnel's domain.
    pub(crate) label: Result<RouteName, String>,
    /// Where it leads.
    pub(crate) upstream: Result<Upstream, String>,
}

impl Route {
    pub(crate) fn shown(&self) -> &str {
        names::shown_route(&self.key)
    }
}

impl Gateway {
    /// A configuration without routes.
    pub(crate) fn new(domain: &Domain) -> Self {
        Self {
            listen_addr: Some(LISTEN_ADDR.into()),
            tunnel_domain: Some(domain.as_str().to_owned()),
            tls: Some(Tls {
                cert_file: Some("/data/tls.crt".into()),
                key_file: Some("/data/tls.key".into()),
                ..Tls::default()
            }),
            ..Self::default()
        }
    }

    /// Reads a configuration, generated or written by hand.
    ///
    /// # Errors
    /// What the YAML reader rejects.
    pub(crate) fn parse(text: &str) -> Result<Self, GatewayFault> {
        yaml::from_text(text).map_err(|fault| {
            let rule = match yaml::from_text::<Value>(text) {
                Err(_) => RuleId::ProxyConfigYaml,
                Ok(value) if yaml::at(&value, &["routes"]).is_some_and(Value::is_sequence) => {
                    RuleId::ProxyConfigRoutesList
                }
                Ok(_) => RuleId::ProxyConfigType,
            };
            GatewayFault { rule, text: fault.0 }
        })
    }

    /// The configuration as YAML.
    ///
    /// # Errors
    /// `directory` where an unknown part that is kept cannot be written: a map or a list as a key.
    pub(crate) fn to_yaml(&self) -> Result<String, Error> {
        yaml::to_text(self).map_err(|_| Error::Directory {
            message: format!("`{}` has a key that is a map or a list, which cannot be written back", path::GATEWAY),
            hint: "remove that key from the file, then run the command again; nothing was written".into(),
        })
    }

    /// The routes as an answer may show them: invalid names replaced by a word, upstreams without credentials.
    pub(crate) fn shown_routes(&self) -> BTreeMap<String, String> {
        let mut shown = BTreeMap::new();
        for (name, upstream) in &self.routes {
            let mut key = names::shown_route(name).to_owned();
            let mut number = 2;
            while shown.contains_key(&key) {
                key = format!("{} {number}", names::INVALID_NAME);
                number += 1;
            }
            shown.insert(key, Upstream::shown(upstream));
        }
        shown
    }

    /// The ranges that may be dialled; `None` for the default, RFC 1918. An empty list says nothing: what the proxy makes
    /// of one is not documented.
    pub(crate) fn allowed_ips(&self) -> Option<&[String]> {
        self.upstream.as_ref()?.allowed_ips.as_deref().filter(|ranges| !ranges.is_empty())
    }

    /// The same as ranges, without what is not a range.
    pub(crate) fn allowed_nets(&self) -> Option<Vec<ipnet::Ipv4Net>> {
        let net =
            |text: &String| text.parse().ok().or_else(|| Some(ipnet::Ipv4Net::from(text.parse::<Ipv4Addr>().ok()?)));
        Some(self.allowed_ips()?.iter().filter_map(net).collect())
    }

    /// The routes, parsed once; `domain` is taken off keys that are whole host names.
    pub(crate) fn parsed_routes(&self, domain: Option<&Domain>) -> Vec<Route> {
        let suffix = domain.map(|domain| format!(".{domain}")).unwrap_or_default();
        let route = |(key, upstream): (&String, &String)| Route {
            label: RouteName::parse(key.strip_suffix(&suffix).unwrap_or(key)),
            upstream: Upstream::parse(upstream),
            key: key.clone(),
        };
        self.routes.iter().map(route).collect()
    }

    /// The certificate and the key that it names.
    pub(crate) fn pair(&self) -> [Option<&str>; 2] {
        let tls = self.tls.as_ref();
        [tls.and_then(|tls| tls.cert_file.as_deref()), tls.and_then(|tls| tls.key_file.as_deref())]
    }

    /// The CA for `https://` upstreams that it names.
    pub(crate) fn upstream_ca(&self) -> Option<&str> {
        self.upstream.as_ref()?.tls.as_ref()?.ca_file.as_deref()
    }

    /// Every text of the configuration, with the name of its setting.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        if let Ok(value) = yaml::value_of(self) {
            yaml::each_text(&value, &mut |path, text| texts.push((yaml::named(path), text.to_owned())));
        }
        texts
    }

    /// Whether it listens on loopback, which only its own network namespace reaches.
    pub(crate) fn listens_on_loopback(&self) -> bool {
        let listen = self.listen_addr.as_deref().unwrap_or_default();
        let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host).trim_matches(['[', ']']);
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether address checks are turned off.
    pub(crate) fn dials_anything(&self) -> bool {
        self.upstream.as_ref().is_some_and(|u| u.disable_ip_validation == Some(true))
    }

    /// The warning about a proxy that may dial half of the internet or more.
    pub(crate) fn open_finding(&self) -> Option<Finding> {
        let finding = rules::finding(RuleId::AllowedIpsOpen);
        if self.dials_anything() {
            return Some(finding.with("disable_ip_validation is true"));
        }
        let said = format!("allowed_ips: {}", self.allowed_ips()?.join(", "));
        let nets = ipnet::Ipv4Net::aggregate(&self.allowed_nets()?);
        // Where clouds answer every machine with its own credentials.
        let metadata = Ipv4Addr::new(169, 254, 169, 254);
        if nets.iter().any(|net| net.contains(&metadata)) {
            return Some(finding.with(format!("{said} (contains {metadata}, the cloud's metadata server)")));
        }
        let addresses: u64 = nets.iter().map(|net| 1_u64 << (32 - net.prefix_len())).sum();
        (addresses >= 1 << 31).then(|| finding.with(said))
    }

    /// Whether the proxy has a CA to check the certificates of `https://` upstreams against.
    pub(crate) fn has_upstream_trust_anchor(&self) -> bool {
        let tls = self.upstream.as_ref().and_then(|upstream| upstream.tls.as_ref());
        tls.is_some_and(|tls| tls.include_system_cas == Some(true))
            || self.upstream_ca().is_some_and(|ca| !ca.is_empty())
    }

    /// Applies the settings of a request. What it does not mention stays.
    ///
    /// # Errors
    /// `request` for what the proxy would refuse.
    pub(crate) fn apply(&mut self, settings: &Settings, sample_route: &str, sample_url: &str) -> Result<(), Error> {
        self.apply_routes(settings)?;
        self.apply_sample(&settings.sample, sample_route, sample_url)?;
        self.apply_upstream(settings)?;
        if settings.log_level.is_mentioned() {
            self.log_level =
                settings.log_level.over(None).and_then(|level| yaml::scalar(&yaml::value_of(&level).ok()?));
        }
        if settings.shutdown_timeout.is_mentioned() {
            self.shutdown_timeout = settings.shutdown_timeout.over(None).map(|t| t.as_str().to_owned());
        }
        Ok(())
    }

    fn apply_routes(&mut self, settings: &Settings) -> Result<(), Error> {
        for (name, upstream) in &settings.routes.0 {
            let parsed = |hint: &str| RouteName::parse(name).map_err(|why| Error::request(why, hint));
            if let Some(upstream) = upstream {
                let name = parsed("route names are the part of the host name in front of the domain")?;
                self.routes.insert(name.as_str().to_owned(), upstream.to_string());
            } else if self.routes.remove(name).is_none() {
                // A key that was written by hand, and that is not a valid label, can still be removed.
                parsed("give the name of an existing route")?;
            }
        }
        Ok(())
    }

    fn apply_sample(&mut self, sample: &Change<bool>, route: &str, url: &str) -> Result<(), Error> {
        match sample {
            Change::Set(true) => {
                if let Some(other) = self.routes.get(route).filter(|other| *other != url) {
                    return Err(Error::request(
                        format!("the sample server's route `{route}` already leads to {other}"),
                        "give that route another name first, or leave `sample` out",
                    ));
                }
                self.routes.insert(route.to_owned(), url.to_owned());
            }
            Change::Set(false) | Change::Reset => self.routes.retain(|_, upstream| upstream != url),
            Change::Keep => {}
        }
        Ok(())
    }

    /// What the proxy may dial, and which certificates it trusts there.
    fn apply_upstream(&mut self, settings: &Settings) -> Result<(), Error> {
        let mut rules = self.upstream.take().unwrap_or_default();
        if settings.allowed_ips.is_mentioned() {
            let texts =
                settings.allowed_ips.over(None).map(|ips| ips.iter().map(|ip| ip.as_str().to_owned()).collect());
            rules.allowed_ips = texts.filter(|ips: &Vec<String>| !ips.is_empty());
            if rules.allowed_ips.is_some() {
                // The proxy refuses both together.
                rules.disable_ip_validation = None;
            }
        }
        match &settings.upstream {
            Change::Keep => {}
            Change::Reset => rules.tls = None,
            Change::Set(request) => {
                rules.tls = request.tls.over(rules.tls).filter(|tls| *tls != UpstreamTls::default());
                if let Some(file) = rules.tls.as_ref().and_then(|tls| tls.ca_file.as_ref())
                    && !data_file(file).is_some_and(is_plain_name)
                {
                    return Err(Error::request(
                        format!("`upstream.tls.ca_file` is `{file}`, which the proxy's container does not have"),
                        "copy the PEM file into the deployment's `data` folder and give it as `/data/NAME`",
                    ));
                }
            }
        }
        self.upstream = Some(rules).filter(|rules| *rules != UpstreamRules::default());
        Ok(())
    }

    /// Checks the whole after a change: what the request asked for must be something the proxy starts with.
    ///
    /// # Errors
    /// `request`, naming the route and what would be right.
    pub(crate) fn require_sound(&self, asked: &Settings) -> Result<(), Error> {
        if self.routes.is_empty() {
            let message = "there would be no route, and the proxy does not start without one";
            return Err(Error::request(message, asked.first_route()));
        }
        for (name, text) in &self.routes {
            // A route that the request does not mention is `check`'s business.
            let mentioned =
                asked.routes.0.contains_key(name) || asked.allowed_ips.is_mentioned() || asked.upstream.is_mentioned();
            let Ok(upstream) = Upstream::parse(text) else { continue };
            if upstream.scheme() == Scheme::Https && !self.has_upstream_trust_anchor() && mentioned {
                return Err(Error::request(
                    format!("route `{name}` leads to {upstream}, and nothing says which certificate to trust there"),
                    "add {\"upstream\":{\"tls\":{\"ca_file\":\"/data/upstream-ca.pem\"}}} for a private CA (the file goes into `data`), or {\"upstream\":{\"tls\":{\"include_system_cas\":true}}} for a public one",
                ));
            }
            if let Some(why) = self.refusal(&upstream)
                && mentioned
            {
                let hint = refusal_hint(&upstream, self.allowed_ips());
                return Err(Error::request(format!("route `{name}` leads to {upstream}, {why}"), hint));
            }
        }
        Ok(())
    }

    /// Why the proxy would refuse to dial an upstream, as far as its text tells.
    pub(crate) fn refusal(&self, upstream: &Upstream) -> Option<String> {
        if self.dials_anything() {
            return None;
        }
        let is_refused = |address| !may_dial(address, self.allowed_ips());
        match (upstream.host(), self.allowed_ips()) {
            (Host::Address(address), None) => {
                is_refused(address).then(|| "and the proxy dials private addresses (RFC 1918) only".into())
            }
            (Host::Address(address), Some(ranges)) => {
                is_refused(address).then(|| format!("which is outside the allowed ranges {}", ranges.join(", ")))
            }
            _ => (upstream.is_own_loopback() && is_refused([127, 0, 0, 1].into()))
                .then(|| "which inside the proxy's container is that container itself".to_owned()),
        }
    }
}

const LOOPBACK_HINT: &str = "for a server on this host use `host.docker.internal` and let the server listen on all interfaces; better, run it as a service in docker-compose.override.yaml and use the service's name";

/// Why the proxy cannot read its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewayFault {
    /// Invalid YAML, a list of routes, or a value of the wrong type.
    rule: RuleId,
    /// The reader's words, with line and column where it knows them.
    pub(crate) text: String,
}

/// The finding about it; `inside` is the path of the file.
pub(crate) fn gateway_fault(fault: &GatewayFault, inside: &str) -> Finding {
    rules::finding(fault.rule).with(format!("`{inside}`: {}", fault.text))
}

/// What to ask for instead, or in addition: a list of ranges that keeps the current ones.
fn refusal_hint(upstream: &Upstream, allowed: Option<&[String]>) -> String {
    match upstream.host() {
        Host::Address(address) if !address.is_loopback() && !address.is_unspecified() => {
            let change = serde_json::json!({"allowed_ips": with_range(allowed, address.to_string())});
            format!("add {change} to the request: the list replaces what the proxy may dial now")
        }
        _ => LOOPBACK_HINT.into(),
    }
}

/// The file inside `data/` that a path in the proxy's container refers to.
pub(crate) fn data_file(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/data/")?;
    (!name.is_empty() && !name.split('/').any(|part| matches!(part, "" | "." | ".."))).then_some(name)
}
