//! Fixes by hand that say what is to be written in which line of this deployment.

/// What is to be written. `at` names the file, and the line where one is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Written<'a> {
    /// A line of the proxy's configuration.
    Line { write: &'a str, at: &'a str },
    /// A route whose upstream has a path.
    WithoutPath { write: &'a str, at: &'a str },
    /// A route that names a published port.
    OwnPort { write: &'a str, at: &'a str },
    /// The entries of a list of routes, each in backquotes, and the line of `routes:`.
    Routes { lines: &'a str, at: &'a str },
    /// The configuration names no domain, and a route is a label.
    NoDomain { write: &'a str, file: &'a str },
    /// An entry of `allowed_ips` is not a range.
    NoRange { range: &'a str, at: &'a str },
    /// The proxy may not dial an address: all ranges that the list has to have.
    AllowAddress { ranges: &'a str, file: &'a str },
    /// A proxy on loopback, in files that `render` does not change.
    Loopback { listen: &'a str, at: &'a str, dials: &'a str, proxy: &'a str, agent: &'a str, compose: &'a str },
    /// An https route without a CA, in a configuration that `render` does not change.
    UpstreamCa { file: &'a str },
    /// `depends_on` without `restart`, in files that `render` does not change.
    DependsOn { proxy: &'a str, at: &'a str },
    /// A compose file is missing that another one asks for.
    AskedFor { file: &'a str, at: &'a str },
    /// A list of packages lets version 2 of `mcp` in.
    Package { said: &'a str, at: &'a str },
}

impl Written<'_> {
    /// The cause, where it is another than the row's.
    pub(super) fn cause(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoDomain { .. } => {
                "a route's name is the label in front of `tunnel_domain`; without that the proxy finds whole host names only"
            }
            Self::NoRange { .. } => {
                "a range is an address and the number of its fixed bits, 0 to 32, such as `172.16.0.0/12`"
            }
            Self::AskedFor { .. } => {
                "Compose reads nothing of the stack while a file that another one names is missing"
            }
            _ => return None,
        })
    }

    pub(super) fn fix(&self) -> String {
        match self {
            Self::Line { write, at } => format!("write `{write}` in {at}, then run `{{helper}} restart --dir {{dir}}`"),
            Self::WithoutPath { write, at } => format!(
                "write `{write}` in {at}, then run `{{helper}} restart --dir {{dir}}`; the path belongs in the URL that \
                 Claude calls"
            ),
            Self::OwnPort { write, at } => format!(
                "write `{write}` in {at}, then run `{{helper}} up --dir {{dir}}`; the server needs no `ports:` for the tunnel"
            ),
            Self::Routes { lines, at } => format!(
                "below `routes:` in {at}, write {lines}, each as a line of its own without a dash, then run `{{helper}} restart \
                 --dir {{dir}}`"
            ),
            Self::NoDomain { write, file } => {
                format!(
                    "write `{write}` into `{file}` as a line of its own, then run `{{helper}} restart --dir {{dir}}`"
                )
            }
            Self::NoRange { range, at } => format!(
                "correct `{range}` in {at} (`allowed_ips`), or remove it, then run `{{helper}} restart --dir {{dir}}`"
            ),
            Self::AllowAddress { ranges, file } => format!(
                "write `allowed_ips: [{ranges}]` below `upstream:` in `{file}`, then run `{{helper}} restart --dir {{dir}}`; \
                 or run the server as a service of the stack and name that in the route"
            ),
            Self::Loopback { listen, at, dials, proxy, agent, compose } => format!(
                "write `listen_addr: \"{listen}\"` in {at}, then run `{{helper}} restart --dir {{dir}}`; or put cloudflared \
                 into the proxy's namespace: for `{agent}` in `{compose}`, `network_mode: \"service:{proxy}\"` in place of \
                 `networks:` and `--url {dials}`, then `{{helper}} up --dir {{dir}}`"
            ),
            Self::UpstreamCa { file } => format!(
                "write `http://` in place of `https://` into the route in `{file}` if the server speaks plain HTTP; otherwise \
                 put the CA file into `data/` and write `tls: {{ ca_file: /data/upstream-ca.pem }}` below `upstream:` in \
                 `{file}` (for a public certificate `tls: {{ include_system_cas: true }}`), then run `{{helper}} restart \
                 --dir {{dir}}`"
            ),
            Self::DependsOn { proxy, at } => format!(
                "write `depends_on: {{ {proxy}: {{ condition: service_started, restart: true }} }}` in {at}, or remove \
                 `depends_on` there, then run `{{helper}} up --dir {{dir}}`"
            ),
            Self::AskedFor { file, at } => {
                format!(
                    "put `{file}` there, or correct its name in {at}, then run `{{helper}} check --dir {{dir}}` again"
                )
            }
            Self::Package { said, at } => format!(
                "write `mcp<2` in place of `{said}` in {at}, or port the server to version 2 (`MCPServer`); then run \
                 `{{helper}} up --dir {{dir}}`"
            ),
        }
    }
}
