//! Variables of the shell that change what docker, Compose or this host's programs do.

use crate::caller::Caller;

/// Variables that Compose reads. The helper runs docker without them; a person does not.
pub(super) const COMPOSE: [&str; 5] =
    ["COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES", "COMPOSE_ENV_FILES", "TUNNEL_TOKEN"];
/// Variables that choose the engine.
pub(super) const DOCKER: [&str; 2] = ["DOCKER_HOST", "DOCKER_CONTEXT"];
/// Variables that name an HTTP proxy.
pub(super) const PROXY: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Those of `names` that are set.
pub(super) fn set(caller: &Caller, names: &[&'static str]) -> Vec<&'static str> {
    names.iter().copied().filter(|name| caller.var(name).is_some()).collect()
}

/// The HTTP proxy that the shell names, without credentials.
pub(super) fn http_proxy(caller: &Caller) -> Option<String> {
    let set = PROXY.into_iter().find_map(|name| caller.var(name));
    set.map(|value| without_credentials(&value.to_string_lossy()))
}

/// A URL without `user:password@`.
pub(super) fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // Docker's ssh:// needs its user to make sense, and that is not a secret.
    let host = if scheme == "ssh" && !authority.contains(':') { authority } else { host };
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    // The path of a socket is the address; that of a proxy's URL is not needed.
    if host.is_empty() && !path.is_empty() { format!("{scheme}/{path}") } else { format!("{scheme}{host}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_out_of_a_proxy_s_url() {
        for (url, expected) in [
            ("http://user:secret@proxy.example:3128/", "http://proxy.example:3128"),
            ("http://proxy:3128", "http://proxy:3128"),
            ("user:pass@proxy:3128", "proxy:3128"),
            ("proxy:3128", "proxy:3128"),
            ("http://u:p@ss@proxy:1", "http://proxy:1"),
            ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
            ("ssh://me@server", "ssh://me@server"),
            ("ssh://me:pw@server", "ssh://server"),
        ] {
            assert_eq!(without_credentials(url), expected, "{url}");
        }
    }
}
