//! Which certificate and key the proxy reads, as the compose files and the proxy's configuration say.

use super::current::{GatewayFile, gateway_path, read_gateway};
use super::found::Found;
use crate::answer::Finding;
use crate::config::gateway::Tls;
use crate::deployment::{Deployment, path};
use crate::rules::{self, RuleId};

/// The certificate and key that the proxy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxyPair {
    /// `data/tls.crt` and `data/tls.key`. Also if there is no stack yet: that is what it will read.
    Standard,
    /// Another file on this host; its path, inside the directory or absolute.
    Other(String),
    /// It cannot be told; the reason.
    Unknown(String),
}

impl ProxyPair {
    /// Finds out from the files of a directory.
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let found = Found::read(deployment);
        let Some(main) = &found.main else { return Self::Standard };
        for file in [Some(main), found.over.as_ref()].into_iter().flatten() {
            if let Err(fault) = &file.value {
                return Self::Unknown(format!("`{}` cannot be read: {}", file.name, fault.0));
            }
        }
        let services = found.services();
        if !found.service_names().contains(&services.proxy) {
            return Self::Unknown(format!("`{}` has no service that is the proxy", main.name));
        }
        let inside = gateway_path(deployment, &found, &services);
        let tls = match read_gateway(deployment, &found, inside.as_deref()) {
            GatewayFile::Good(gateway) => gateway.tls.unwrap_or_default(),
            GatewayFile::Missing(why) | GatewayFile::Unreadable(why) => return Self::Unknown(why),
            GatewayFile::Elsewhere(place) => {
                return Self::Unknown(format!("the proxy's configuration `{place}` is outside of the directory"));
            }
            GatewayFile::Directory => return Self::Unknown("the proxy's configuration is a directory".into()),
            GatewayFile::Faulty(fault) => {
                return Self::Unknown(format!("the proxy's configuration cannot be read: {}", fault.0));
            }
        };
        Self::named(deployment, &found, &services.proxy, &tls)
    }

    /// What the names in the proxy's configuration are on this host.
    fn named(deployment: &Deployment, found: &Found, proxy: &str, tls: &Tls) -> Self {
        let names = [("tls.cert_file", &tls.cert_file, path::TLS_CRT), ("tls.key_file", &tls.key_file, path::TLS_KEY)];
        for (field, name, standard) in names {
            let Some(name) = name else {
                return Self::Unknown(format!("the proxy's configuration has no `{field}`"));
            };
            match host_file(found, proxy, name) {
                Err(why) => return Self::Unknown(why),
                Ok(host) if !is_same(deployment, &host, standard) => return Self::Other(host),
                Ok(_) => {}
            }
        }
        Self::Standard
    }

    /// The finding about a pair that is not the standard one.
    pub(crate) fn finding(&self) -> Option<Finding> {
        let text = match self {
            Self::Standard => return None,
            Self::Other(host) => format!("the proxy reads `{host}`"),
            Self::Unknown(why) => why.clone(),
        };
        Some(rules::finding(RuleId::ProxyPairUnknown).with(text))
    }
}

/// The file on this host that a container path is.
fn host_file(found: &Found, proxy: &str, container: &str) -> Result<String, String> {
    let Some(source) = found.source_of(proxy, container) else {
        return Err(format!("no bind mount shows `{container}` to the proxy; it is in a volume or in the image"));
    };
    if source.contains('$') || source.starts_with('~') {
        return Err(format!("`{container}` is mounted from `{source}`, which depends on the shell"));
    }
    Ok(source)
}

/// Whether a path of a mount is a file of the directory, by name or through links.
fn is_same(deployment: &Deployment, host: &str, standard: &str) -> bool {
    let (host, standard) = (deployment.root().join(host), deployment.path(standard));
    host == standard || matches!((host.canonicalize(), standard.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
