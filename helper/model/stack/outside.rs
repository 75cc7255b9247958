//! Host names that a container knows in addition to the names and aliases of the project's services.

use super::ComposeStack;
use crate::config::yaml::{self, Value, at};

impl ComposeStack {
    /// The address that `extra_hosts` has for a host name in the network namespace of a service.
    pub(crate) fn extra_host(&self, name: &str, host: &str) -> Option<String> {
        let is_it = |own: &str| own.trim().eq_ignore_ascii_case(host);
        match self.service(&self.namespace_of(name), "extra_hosts")? {
            Value::Mapping(map) => map.iter().find_map(|(key, value)| {
                let first = || yaml::texts(value).into_iter().next();
                yaml::scalar(key).filter(|own| is_it(own)).and_then(|_| yaml::scalar(value).or_else(first))
            }),
            list => yaml::texts(list).iter().find_map(|entry| {
                let (own, address) = entry.split_once(['=', ':'])?;
                is_it(own).then(|| address.trim().to_owned())
            }),
        }
    }

    /// Whether `external_links` of a service has a host name.
    pub(crate) fn links_outside(&self, name: &str, host: &str) -> bool {
        let links = self.list(name, "external_links");
        links.iter().filter_map(|link| link.rsplit(':').next()).any(|alias| alias.eq_ignore_ascii_case(host))
    }

    /// Whether a name of one label may be one in a domain of `dns_search`.
    pub(crate) fn searches_domains(&self, name: &str) -> bool {
        let Some(said) = self.service(&self.namespace_of(name), "dns_search") else { return false };
        let domains = yaml::scalar(said).map_or_else(|| yaml::texts(said), |domain| vec![domain]);
        domains.iter().any(|domain| !matches!(domain.as_str(), "" | "."))
    }

    /// The service whose container has a name that Compose gives: `PROJECT-SERVICE-N`.
    pub(in crate::model) fn service_of_container(&self, project: &str, host: &str) -> Option<String> {
        let rest = host.strip_prefix(project)?.strip_prefix(['-', '_'])?;
        let (service, number) = rest.rsplit_once(['-', '_'])?;
        let own = self.service_names().into_iter().find(|name| name.eq_ignore_ascii_case(service))?;
        let scale = self.service(&own, "scale").or_else(|| at(self.service(&own, "deploy")?, &["replicas"]));
        let most = scale.and_then(yaml::scalar).map_or(1, |count| count.parse().unwrap_or(u32::MAX));
        let is_there = number.parse::<u32>().is_ok_and(|number| (1..=most).contains(&number));
        (is_there && self.service(&own, "container_name").is_none()).then_some(own)
    }

    /// The service whose network namespace, and with it whose names, a service has.
    fn namespace_of(&self, name: &str) -> String {
        self.lives_in(name).unwrap_or_else(|| name.to_owned())
    }
}
