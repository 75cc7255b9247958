//! Addresses as cloudflared's `--url` and Go's listeners read them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Scheme of a URL in small letters; cloudflared takes one without for http (validation.go).
pub(crate) fn scheme(url: &str) -> String {
    url.split_once("://").map_or("http".into(), |(scheme, _)| scheme.to_ascii_lowercase())
}

/// Host and port of a URL, or of Go's `host:port`; the port of its scheme where it names none. The host is in small
/// letters, without the brackets of an IPv6 address and the dot at the end of a whole name.
pub(crate) fn host_and_port(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let usual = if scheme(url) == "https" { "443" } else { "80" };
    let port = port.filter(|port| !port.is_empty()).unwrap_or(usual);
    (host.trim_end_matches('.').to_ascii_lowercase(), port.to_owned())
}

/// Whether a host, in any of its spellings, is the machine or the container that dials it.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let is_own = |address: IpAddr| address.to_canonical().is_loopback() || address.is_unspecified();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_own)
}

/// Whether a program that listens at `listen`, Go's `host:port`, is met at the host `dialled` from its own network
/// namespace. The container's own name resolves to its address there, which is not loopback.
pub(crate) fn meets(listen: &str, dialled: &str) -> bool {
    let listen = listen.rsplit_once(':').map_or(listen, |(host, _)| host).trim_matches(['[', ']']);
    let bound = match listen {
        "" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        // Go takes the first address of the name.
        _ if listen.eq_ignore_ascii_case("localhost") => LOOPBACK[0],
        _ => match listen.parse() {
            Ok(address) => address,
            Err(_) => return true,
        },
    };
    // Linux connects to loopback where the address is 0.0.0.0 or missing.
    let given = dialled.parse().map(|address: IpAddr| match address.to_canonical() {
        address if address.is_unspecified() => LOOPBACK[usize::from(address.is_ipv6())],
        address => address,
    });
    match (bound.to_canonical(), given) {
        (IpAddr::V6(bound), _) if bound.is_unspecified() => true,
        (IpAddr::V4(bound), Ok(given)) if bound.is_unspecified() => given.is_ipv4(),
        (bound, Ok(given)) => bound == given,
        (bound, Err(_)) if is_loopback(dialled) => bound.is_unspecified() || LOOPBACK.contains(&bound),
        (bound, Err(_)) => !bound.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_all_its_spellings() {
        for (url, host, port) in [
            ("http://mcp-proxy:8080", "mcp-proxy", "8080"),
            ("http://[::1]:8080/", "::1", "8080"),
            ("http://[::1]", "::1", "80"),
            ("localhost:8080", "localhost", "8080"),
            ("HTTP://LocalHost.:8080/mcp?x=1", "localhost", "8080"),
            ("https://proxy", "proxy", "443"),
            ("http://user@proxy:81", "proxy", "81"),
            ("http://proxy:", "proxy", "80"),
            (":8080", "", "8080"),
        ] {
            assert_eq!(host_and_port(url), (host.to_owned(), port.to_owned()), "{url}");
        }
        for (host, expected) in [
            ("localhost", true),
            ("127.0.0.53", true),
            ("::1", true),
            ("[::1]", true),
            ("0.0.0.0", true),
            ("::ffff:127.0.0.1", true),
            ("mcp-proxy", false),
            ("172.18.0.2", false),
            ("localhost-proxy", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }

    #[test]
    fn a_listener_is_met_at_its_own_addresses_only() {
        for (listen, dialled, expected) in [
            (":8080", "localhost", true),
            (":8080", "::1", true),
            ("[::]:8080", "127.0.0.1", true),
            ("0.0.0.0:8080", "127.0.0.1", true),
            ("0.0.0.0:8080", "::1", false),
            ("0.0.0.0:8080", "localhost", true),
            ("0.0.0.0:8080", "0.0.0.0", true),
            ("0.0.0.0:8080", "::", false),
            ("127.0.0.1:8080", "localhost", true),
            ("127.0.0.1:8080", "127.0.0.1", true),
            ("127.0.0.1:8080", "0.0.0.0", true),
            ("127.0.0.1:8080", "::1", false),
            ("127.0.0.1:8080", "127.0.0.2", false),
            ("127.0.0.1:8080", "mcp-proxy", false),
            ("localhost:8080", "::1", false),
            ("[::1]:8080", "127.0.0.1", false),
            ("[::1]:8080", "localhost", true),
            ("0.0.0.0:8080", "mcp-proxy", true),
            ("172.18.0.2:8080", "localhost", false),
            ("172.18.0.2:8080", "mcp-proxy", true),
            ("lan:8080", "localhost", true),
        ] {
            assert_eq!(meets(listen, dialled), expected, "{listen} {dialled}");
        }
    }
}
