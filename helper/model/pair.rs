//! Which certificate and key the proxy reads, as the compose files and the proxy's configuration say.

use super::absence::{Candidate, Question};
use super::current::{Current, GatewayFile};
use super::found::Found;
use super::sources::Unusable;
use super::stack::FileIn;
use crate::answer::Finding;
use crate::config::gateway::Gateway;
use crate::deployment::{Deployment, path};
use crate::os::files;
use crate::rules::{self, Absence, RuleId};

/// Where a file that the proxy reads is on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PairFile {
    /// A path inside the directory; symbolic links are followed.
    Inside(String),
    /// It cannot be seen from here: why.
    Unseen(String),
    /// Nothing shows it to the proxy.
    Nowhere,
}

impl PairFile {
    /// Its path inside the directory.
    pub(crate) fn inside(&self) -> Option<&str> {
        match self {
            Self::Inside(path) => Some(path),
            Self::Unseen(_) | Self::Nowhere => None,
        }
    }
}

/// Where the certificate and the key are that a configuration names; those of the layout where it names none, or where
/// there is no configuration yet.
pub(crate) fn places(
    deployment: &Deployment,
    found: &Found,
    proxy: Option<&str>,
    gateway: Option<&Gateway>,
) -> (PairFile, PairFile) {
    let [cert, key] = gateway.map(Gateway::pair).unwrap_or_default();
    let place = |named: Option<&str>, layout: &str| match (proxy, named) {
        (Some(proxy), Some(named)) if named.starts_with('/') => match found.file_in(proxy, named) {
            FileIn::Image if !found.is_stock(proxy) => {
                PairFile::Unseen(format!("`{named}` may be in the image of `{proxy}`; no mount shows it"))
            }
            file => on_this_host(deployment, file),
        },
        _ => PairFile::Inside(layout.to_owned()),
    };
    (place(cert, path::TLS_CRT), place(key, path::TLS_KEY))
}

/// Why the container of a service has no certificate and no key where its configuration says that they are.
pub(crate) fn absences(
    deployment: &Deployment,
    found: &Found,
    service: &str,
    gateway: Option<&Gateway>,
) -> [Option<Absence>; 2] {
    let [cert, key] = gateway.map(Gateway::pair).unwrap_or_default();
    let why = |named: Option<&str>, layout: &str, kind: &str| {
        let path = named.filter(|path| path.starts_with('/'))?;
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let ending = format!("{kind}-----");
        let is_kind = |line: &str| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&ending);
        let is_it = |file: &Candidate<'_>| {
            let is_same = name(file.path) == name(path) || file.place == Some(layout);
            is_same && file.text.lines().any(is_kind)
        };
        Question { deployment, found, service, path, is_it: &is_it }.answer()
    };
    [why(cert, path::TLS_CRT, "CERTIFICATE"), why(key, path::TLS_KEY, "PRIVATE KEY")]
}

fn on_this_host(deployment: &Deployment, file: FileIn) -> PairFile {
    match file {
        FileIn::Host(place) => match files::inside(&place) {
            Some(place) => PairFile::Inside(linked(deployment, &place).unwrap_or(place)),
            None => PairFile::Unseen(format!("`{place}` is outside of the directory")),
        },
        FileIn::Text(_) | FileIn::Variable(_) => PairFile::Unseen("it is handed over by the compose file".into()),
        FileIn::Volume(name) => {
            PairFile::Unseen(format!("it is in the volume `{name}`, which this host's paths do not show"))
        }
        FileIn::Image => PairFile::Nowhere,
    }
}

/// The links to the pair that lead nowhere in the container of a service.
pub(crate) fn links_to_nowhere(
    deployment: &Deployment,
    found: &Found,
    service: &str,
    gateway: Option<&Gateway>,
) -> Vec<(String, String)> {
    let named = gateway.into_iter().flat_map(Gateway::pair).flatten();
    named.filter_map(|path| link_to_nowhere(deployment, found, service, path)).collect()
}

/// A link in a mounted folder that leads to nothing in the container of a service: its path inside the directory, and
/// what it says. Docker follows a link on the host only where it is itself what is mounted.
fn link_to_nowhere(deployment: &Deployment, found: &Found, service: &str, named: &str) -> Option<(String, String)> {
    let FileIn::Host(first) = found.file_in(service, named) else { return None };
    let first = files::inside(&first)?;
    if found.mounts(service).iter().any(|mount| mount.bind() == Some(first.as_str())) {
        return None;
    }
    let said = std::fs::read_link(deployment.path(&first)).ok()?.to_string_lossy().into_owned();
    let (mut path, mut target) = (named.to_owned(), said.clone());
    // As many links as Linux follows, and fewer.
    for _ in 0..8 {
        path = in_container(&path, &target);
        let place = match found.file_in(service, &path) {
            FileIn::Image if found.is_stock(service) => return Some((first, said)),
            FileIn::Host(place) => files::inside(&place)?,
            _ => return None,
        };
        match deployment.path(&place).symlink_metadata() {
            Ok(meta) if meta.is_symlink() => {
                target = std::fs::read_link(deployment.path(&place)).ok()?.to_string_lossy().into_owned();
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some((first, said)),
            Ok(_) | Err(_) => return None,
        }
    }
    None
}

/// The path in a container that a link at `path` leads to.
fn in_container(path: &str, target: &str) -> String {
    let from = if target.starts_with('/') { "" } else { path.rsplit_once('/').map_or("", |(folder, _)| folder) };
    let mut parts: Vec<&str> = Vec::new();
    for part in from.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Where a path inside the directory leads through links, if that is inside, too.
fn linked(deployment: &Deployment, inside: &str) -> Option<String> {
    let root = deployment.root().canonicalize().ok()?;
    let real = deployment.path(inside).canonicalize().ok()?;
    Some(real.strip_prefix(root).ok()?.to_string_lossy().into_owned())
}

/// The certificate and key that the proxy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxyPair {
    /// `data/tls.crt` and `data/tls.key`. Also if there is no stack yet: that is what it will read.
    Standard,
    /// Another file on this host; its path inside the directory.
    Other(String),
    /// Not known; the reason.
    Unknown(String),
}

impl ProxyPair {
    /// Finds out from the files of a directory, without Compose.
    pub(crate) fn of(deployment: &Deployment, current: &Current) -> Self {
        let found = &current.found;
        let Some(main) = &found.main else { return Self::Standard };
        for file in found.files() {
            match &file.value {
                Ok(_) => {}
                Err(Unusable::Yaml(fault)) => {
                    return Self::Unknown(format!("`{}` cannot be read: {}", file.name, fault.0));
                }
                Err(Unusable::Unreadable(why)) => return Self::Unknown(why.clone()),
                Err(Unusable::Missing) => return Self::Unknown(format!("`{}` is not there", file.name)),
            }
        }
        let Some(proxy) = found.roles().proxy else {
            return Self::Unknown(format!("`{}` has no service that is the proxy", main.name));
        };
        let gateway = match &current.gateway {
            GatewayFile::Good(gateway) => gateway,
            GatewayFile::Missing(why) | GatewayFile::Unreadable(why) | GatewayFile::Unseen(why) => {
                return Self::Unknown(why.clone());
            }
            GatewayFile::Directory => return Self::Unknown("the proxy's configuration is a directory".into()),
            GatewayFile::Faulty(fault) => {
                return Self::Unknown(format!("the proxy's configuration cannot be read: {}", fault.text));
            }
        };
        for (field, name) in ["tls.cert_file", "tls.key_file"].into_iter().zip(gateway.pair()) {
            if name.is_none_or(|name| !name.starts_with('/')) {
                return Self::Unknown(format!("the proxy's configuration has no absolute `{field}`"));
            }
        }
        let (cert, key) = places(deployment, found, Some(&proxy), Some(gateway));
        for (place, standard) in [(cert, path::TLS_CRT), (key, path::TLS_KEY)] {
            match place {
                PairFile::Inside(place) if is_same(deployment, &place, standard) => {}
                PairFile::Inside(place) => return Self::Other(place),
                PairFile::Unseen(why) => return Self::Unknown(why),
                PairFile::Nowhere => return Self::Unknown("no mount shows the pair to the proxy".into()),
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

/// Whether the pair is the one that `certs` keeps.
pub(crate) fn is_kept(deployment: &Deployment, (cert, key): &(PairFile, PairFile)) -> bool {
    let both = [(cert, path::TLS_CRT), (key, path::TLS_KEY)];
    both.iter().all(|(file, standard)| file.inside().is_none_or(|place| is_same(deployment, place, standard)))
}

/// Whether a path is a file of the layout, by name or through links.
fn is_same(deployment: &Deployment, place: &str, standard: &str) -> bool {
    place == standard || linked(deployment, standard).is_some_and(|real| real == place)
}
