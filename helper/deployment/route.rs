//! Routes: a name in front of the tunnel's domain, and the upstream that it leads to.

use std::fmt;
use std::net::Ipv4Addr;

use super::domain::check_label;
use crate::redact::{self, REDACTED, names};

/// The label in front of the tunnel's domain: `echo` of `echo.abcd1234.tunnel.anthropic.com`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteName(String);

impl RouteName {
    /// The only way to get a `RouteName`.
    ///
    /// # Errors
    /// Says which rule of a DNS label `text` breaks.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        check_label(text).map_err(|why| {
            format!(
                "the route name `{}` {why}; it is the label in front of the tunnel's domain, such as `echo`",
                names::shown(text)
            )
        })?;
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the path of an MCP endpoint goes: the proxy passes it on as it was called.
const PATH_ELSEWHERE: &str = ", and put the path in `paths` (`--path NAME=/sse`) unless it is `/mcp`";

/// How the proxy speaks to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scheme {
    /// Without TLS, inside the private network.
    Http,
    /// Needs `upstream.tls`.
    Https,
}

/// What an upstream's host is, as far as its text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host<'a> {
    /// A literal IPv4 address.
    Address(Ipv4Addr),
    /// The engine's own name for the machine it runs on.
    Engine,
    /// One label: only Docker's DNS knows it (a service, a container, an alias).
    Label(&'a str),
    /// A name with dots: some DNS server knows it.
    Name(&'a str),
}

/// Docker's name for the host, from inside a container.
pub(crate) const DOCKER_HOST: &str = "host.docker.internal";

/// Where a route leads: scheme, host and port, all three, nothing else (the proxy refuses any path).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Upstream {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Upstream {
    /// What a file, or a request, has in an upstream's place, as it may be shown: scheme, host and port, and the usual
    /// paths, at most 200 characters. Whatever else is there may be a secret.
    pub(crate) fn shown(text: &str) -> String {
        let query = text.find(['?', '#']).unwrap_or(text.len());
        let (front, query) = text.split_at(query);
        let (scheme, rest) = front.split_once("://").map_or(("", front), |(scheme, rest)| (scheme, rest));
        // A password may hold a `/`, too.
        let (login, host) = rest.rsplit_once('@').map_or((None, rest), |(login, host)| (Some(login), host));
        let path = host.find('/').unwrap_or(host.len());
        let (host, path) = host.split_at(path);
        let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
        let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
        if scheme.is_empty() && !port.is_some_and(is_port) {
            return REDACTED.to_owned();
        }
        let scheme = if Self::is_scheme(scheme) { scheme } else { REDACTED };
        let mut out = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
        if login.is_some() {
            out.push_str(REDACTED);
            out.push('@');
        }
        out.push_str(&if name.contains(char::is_whitespace) { REDACTED.into() } else { redact::foreign(name) });
        if let Some(port) = port {
            out.push(':');
            out.push_str(if is_port(port) { port } else { REDACTED });
        }
        match path {
            "" | "/" | "/mcp" | "/mcp/" | "/sse" => out.push_str(path),
            _ => out.push_str(&format!("/{REDACTED}")),
        }
        if !query.is_empty() {
            out.push_str(&query[..1]);
            out.push_str(REDACTED);
        }
        redact::cut(&out, 200)
    }

    /// Whether a text in front of `://` can be no secret.
    fn is_scheme(text: &str) -> bool {
        text.len() <= 12 && text.bytes().all(|b| b.is_ascii_alphabetic())
    }

    /// The only way to get an `Upstream`.
    ///
    /// # Errors
    /// Says what is wrong with `text` and what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            let shown = Self::shown(text);
            Err(format!("the upstream `{shown}` {why}; it must be scheme://host:port, such as `http://hello-mcp:9000`"))
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("has no scheme (`http://` or `https://`)");
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other if Self::is_scheme(other) => {
                return wrong(&format!("has the scheme `{other}`; the proxy speaks http and https"));
            }
            _ => return wrong("has another scheme than `http://` and `https://`"),
        };
        if let Some(at) = rest.find(['/', '?', '#']) {
            let what = if rest[at..] == *"/" { "ends with a slash" } else { "has a path" };
            let base = Self::parse(&text[..text.len() - rest.len() + at]).map(|base| format!("`{base}`"));
            let base = base.unwrap_or_else(|_| "scheme, host and port alone".into());
            let tail = if rest[at..].trim_end_matches('/').is_empty() { "" } else { PATH_ELSEWHERE };
            return wrong(&format!("{what}; use {base} as the upstream{tail}"));
        }
        if rest.contains('@') {
            return wrong("has a user name; pass credentials from Claude as an authorization token");
        }
        if rest.starts_with('[') || rest.matches(':').count() > 1 {
            return wrong("has an IPv6 address; the proxy dials IPv4 only");
        }
        let Some((host, port)) = rest.split_once(':') else { return wrong("has no port") };
        let port = match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => number,
            Ok(_) | Err(_) => return wrong("has no port between 1 and 65535"),
        };
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        if host.is_empty() {
            return wrong("has no host");
        }
        if host.len() > 253 {
            return wrong("has a host name of more than 253 characters");
        }
        // Underscores are fine here: Compose allows them in service names, and Docker's DNS answers for them.
        if let Some(c) = host.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.')) {
            return wrong(&format!("has the character {c:?} in its host"));
        }
        if host.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return wrong("has an empty or overlong label in its host");
        }
        let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if numeric && host.parse::<Ipv4Addr>().is_err() {
            return wrong("has an invalid IPv4 address");
        }
        Ok(Self { scheme, host: host.to_owned(), port })
    }

    pub(crate) fn without_scheme(text: &str) -> Option<Self> {
        (!text.contains("://")).then(|| Self::parse(&format!("http://{text}")).ok()).flatten()
    }

    /// What is left of a URL without its path.
    pub(crate) fn without_path(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (host, _) = rest.split_once('/')?;
        Self::parse(&format!("{scheme}://{host}")).ok()
    }

    /// Whether the host of a text is an address that is not IPv4 in four numbers: IPv6, or one that `inet_aton` takes.
    pub(crate) fn is_other_address(text: &str) -> bool {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let is_numeric = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        host.starts_with('[') || host.matches(':').count() > 1 || is_numeric && name.parse::<Ipv4Addr>().is_err()
    }

    /// How the proxy speaks to it.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn host_text(&self) -> &str {
        &self.host
    }

    pub(crate) fn host(&self) -> Host<'_> {
        if let Ok(address) = self.host.parse() {
            Host::Address(address)
        } else if self.host == DOCKER_HOST {
            Host::Engine
        } else if self.host.contains('.') {
            Host::Name(&self.host)
        } else {
            Host::Label(&self.host)
        }
    }

    /// Whether it can only ever be the proxy's own container: `localhost`, 127/8, 0.0.0.0.
    pub(crate) fn is_own_loopback(&self) -> bool {
        match self.host() {
            Host::Address(address) => address.is_loopback() || address.is_unspecified(),
            Host::Label(label) => label == "localhost",
            Host::Name(name) => name.ends_with(".localhost"),
            Host::Engine => false,
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_scheme_host_and_port() {
        for text in
            ["http://hello-mcp:9000", "https://10.0.0.5:443", "http://my_server:1", "http://host.docker.internal:65535"]
        {
            assert_eq!(Upstream::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Upstream::parse("HTTP://Hello.:80").unwrap().to_string(), "http://hello:80");
    }

    #[test]
    fn an_upstream_is_shown_without_credentials() {
        for (text, shown) in [
            ("http://hello-mcp:9000", "http://hello-mcp:9000"),
            ("http://svc:hunter2@wiki:80", "http://[redacted]@wiki:80"),
            ("http://svc:hun/ter@2@wiki:80/x", "http://[redacted]@wiki:80/[redacted]"),
            ("http://wiki:80/mcp", "http://wiki:80/mcp"),
            ("http://wiki:80/hunter2/mcp", "http://wiki:80/[redacted]"),
            ("http://wiki:hunter2", "http://wiki:[redacted]"),
            ("http://wiki:80 hunter2", "http://wiki:[redacted]"),
            ("wiki:80", "wiki:80"),
            ("hunter2", "[redacted]"),
            ("hunter2!://wiki:80", "[redacted]://wiki:80"),
            ("http://wiki:80/?k=hunter2", "http://wiki:80/?[redacted]"),
            ("svc:hunter2@wiki", "[redacted]"),
            ("http://a\u{202e}b", "http://a\\u{202e}b"),
        ] {
            assert_eq!(Upstream::shown(text), shown);
        }
        assert_eq!(Upstream::shown(&format!("http://{}", "x".repeat(999))).chars().count(), 200);
    }

    #[test]
    fn what_is_wrong_with_an_upstream_is_said() {
        for (text, why) in [
            ("hello-mcp:9000", "no scheme"),
            ("http://hello-mcp", "no port"),
            ("http://hello-mcp:", "no port between"),
            ("http://hello-mcp:0", "no port between"),
            ("http://hello-mcp:70000", "no port between"),
            ("http://hello-mcp:+80", "no port between"),
            ("http://hello-mcp:9000/", "ends with a slash; use `http://hello-mcp:9000` as the upstream;"),
            ("http://hello-mcp:9000/mcp", "has a path; use `http://hello-mcp:9000` as the upstream, and put"),
            ("http://hello-mcp/mcp", "has a path; use scheme, host and port alone"),
            ("http://hello-mcp:9000?x", "has a path"),
            ("http://u:p@hello-mcp:9000", "user name"),
            ("ftp://hello-mcp:9000", "scheme `ftp`"),
            ("f+t://hello-mcp:9000", "another scheme"),
            ("http://[::1]:9000", "IPv6"),
            ("http://fe80::1:9000", "IPv6"),
            ("http://:9000", "no host"),
            ("http://a..b:9000", "empty or overlong"),
            ("http://1.2.3:9000", "invalid IPv4"),
            ("http://a b:9000", "character ' '"),
            ("http://a\n:9000", "character '\\n'"),
            ("http://$X:9000", "character '$'"),
        ] {
            let message = Upstream::parse(text).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
    }

    #[test]
    fn a_route_name_is_one_dns_label() {
        assert!(RouteName::parse("echo-1").is_ok());
        for (text, why) in [
            ("", "empty"),
            ("a.b", "dot"),
            ("A", "capital"),
            ("a_b", "underscore"),
            ("-a", "starts or ends"),
            ("ä", "'ä'"),
        ] {
            let message = RouteName::parse(text).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
        assert!(RouteName::parse(&"a".repeat(64)).is_err());
    }
}
