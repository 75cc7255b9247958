//! Cases that their row's own fix does not end: the fix, and where it is another one the cause. The places in their texts
//! are those of `table`; what the case itself tells is in its fields.

mod fixed;
mod gap;
mod stack;
mod state;
mod token;
mod written;

use serde_json::Value;

use super::columns::Cure;
pub(crate) use gap::Gap;
pub(crate) use stack::OfService;
pub(crate) use state::State;
pub(crate) use written::Written;

/// How a token is given to cloudflared.
const AS_SECRET: &str = "`secrets: { tunnel_token: { environment: TUNNEL_TOKEN } }` at the top level, `secrets: \
    [tunnel_token]` in the service, and `TUNNEL_TOKEN_FILE=/run/secrets/tunnel_token` in its `environment`";

/// A case that takes other words than its row's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Remedy<'a> {
    /// One of those that tell nothing of their own; without a cause, the row's stays.
    Fixed { cause: Option<&'static str>, fix: Option<&'static str>, cure: Cure },
    /// A mode is wrong, and this user owns the file; `change` is chmod's first argument.
    OtherOwner { change: &'a str, owner: u32 },
    /// Nothing sets the variable of a person's own that the token comes from.
    UnsetVariable { name: &'a str },
    /// A route names its server without a scheme; with one it is this URL.
    NoScheme { url: &'a str },
    /// A certificate or a key is a link that leads nowhere in the proxy's container.
    LinkOut { path: &'a str, target: &'a str },
    /// A server runs in the network namespace of another service, by whose host its route may name it.
    NoNameOfItsOwn { url: &'a str, service: &'a str, is_proxy: bool },
    /// A server whose `network_mode` joins no network; the URL by which a container reaches it, if there is one.
    OnNoNetwork { url: Option<&'a str>, service: &'a str, proxy: &'a str },
    /// The registry does not have an image that a setting names; the request goes back to the built-in one.
    OwnImage { request: &'a Value },
    /// A container does not have a file that its program reads.
    Absent(super::absence::Absent<'a>),
    /// Compose refuses what the files say: the file, and the line.
    Refused { why: &'a super::refused::Refused, file: &'a str, line: Option<usize> },
    /// cloudflared dials a name that no service has; the service that is alike, or the proxy.
    NoSuchHost { host: &'a str, url: &'a str, agent: &'a str, place: &'a str },
    /// cloudflared and the proxy join networks, and none in common.
    Apart { agent: &'a str, proxy: &'a str, network: &'a str },
    /// A file, or the compose file itself, contains a token that is not valid.
    TokenElsewhere { place: &'a str },
    /// A file of variables hands the token over.
    TokenInFileOfVariables { file: &'a str, line: usize },
    /// What the compose file makes of the variable is no token; the variable's own value is one.
    TokenSpoilt { name: &'a str, service: &'a str, file: &'a str },
    /// The proxy reads a certificate and a key that `certs` does not keep.
    OtherPair { cert: &'a str, key: &'a str },
    /// The proxy has its pair, and the CA is not on this host.
    CaElsewhere { place: &'a str },
    /// The proxy's configuration names the CA's certificate for the server's: what it should name, and the file.
    CaNamed { write: &'a str, file: &'a str },
    /// A directory is in place of a certificate or key.
    DirectoryInstead { path: &'a str },
    /// Another finding explains this one.
    CauseFirst { cause: super::RuleId },
    /// A stack of the same name was made in another folder; both are quoted for a shell.
    OtherFolder { folder: &'a str, project: &'a str },
    /// What is written so that others reach a server, where, and what applies it.
    Serve { write: &'a str, at: &'a str, then: &'a str },
    /// A server without HTTP takes a bridge in front of it.
    Bridge { write: &'a str, service: &'a str, at: &'a str },
    /// The proxy may not dial the networks of the files' own services; the ranges, and the file.
    AllowNetworks { ranges: &'a str, file: &'a str },
    /// A network of the files is not private: all ranges that the list has to have, and the file.
    AllowMore { ranges: &'a str, file: &'a str },
    /// A server listens on another port than its route names.
    OwnPort { own: u16, service: &'a str, file: &'a str, port: u16 },
    /// cloudflared dials something else than the proxy: what it should, or the file and the port of the proxy that
    /// would do as well.
    Dial { url: &'a str, agent: &'a str, place: &'a str, or_listen: Option<(&'a str, &'a str)> },
    /// The server answers at another path; the request keeps it.
    OtherPath { request: &'a Value },
    /// The server answers to another scheme, or at another port; the request names it.
    OtherUrl { request: &'a Value },
    /// A service of the files.
    OfService(OfService<'a>),
    /// The state of the files decides what helps.
    State(State<'a>),
}

impl Remedy<'_> {
    /// What its fix is: most are an edit by hand, with the command of the helper that comes behind it.
    pub(super) fn cure(&self) -> Cure {
        match self {
            Self::Fixed { cure, .. } => *cure,
            _ => Cure::ByHandThen,
        }
    }

    /// The cause, where it is another than the row's.
    pub(super) fn cause(&self) -> Option<String> {
        Some(match self {
            Self::Fixed { cause, .. } => return cause.map(str::to_owned),
            Self::UnsetVariable { name } => format!("`{name}` has no value"),
            Self::Refused { why, .. } => why.cause().into(),
            Self::NoSuchHost { host, .. } => format!("no service of the compose files is called `{host}`"),
            Self::Apart { .. } => "Docker resolves a service's name only on networks that both sides join".into(),
            Self::State(state) => return state.cause().map(str::to_owned),
            Self::OfService(case) => return case.cause().map(str::to_owned),
            Self::CaElsewhere { .. } => {
                "the proxy reads no CA, so calls work without it; whether the registered CA signed \
                                         the certificate cannot be verified on this host"
                    .into()
            }
            Self::CaNamed { .. } => "the certificate of a CA signs others, and has no host name".into(),
            _ => return Some(self.of_place()?.0.to_owned()),
        })
    }

    /// Cause and fix of a route or a file that the proxy cannot follow.
    fn of_place(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::NoScheme { url } => (
                "the proxy takes `http://` or `https://`, a host and a port, and fills in none of them",
                format!("write `{url}` into the route, or the same with `https://` if the server speaks TLS"),
            ),
            Self::LinkOut { path, target } => (
                "a container follows a link in its own file system, where only what is mounted is there",
                format!(
                    "put the file itself in place of the link: `cp --remove-destination {target} {path}` in {{dir}}; or \
                     mount what it leads to at the same path in the container; then `{{helper}} up --dir {{dir}}`"
                ),
            ),
            Self::OnNoNetwork { url, service, proxy } => {
                let or = url.map(|url| {
                    format!(
                        "; or write `{url}` into the route, and `extra_hosts: [\"host.docker.internal:host-gateway\"]` into `{proxy}`"
                    )
                });
                (
                    "with this `network_mode` a service joins no network of Compose, so that Docker's DNS has no name for it",
                    format!(
                        "remove `network_mode` from `{service}`{}; then `{{helper}} up --dir {{dir}}`",
                        or.unwrap_or_default()
                    ),
                )
            }
            Self::NoNameOfItsOwn { url, service, is_proxy } => {
                let also = if *is_proxy {
                    " and `127.0.0.1/32` into `upstream.allowed_ips` of the proxy's configuration, in addition to the ranges that \
                     it dials now,"
                } else {
                    ""
                };
                (
                    "a service in another's network namespace joins no network, so that Docker's DNS has no name for it",
                    format!(
                        "write `{url}` into the route{also} or remove `network_mode` from `{service}`; then `{{helper}} \
                         up --dir {{dir}}`"
                    ),
                )
            }
            _ => return None,
        })
    }

    /// The fix, where it is another than the row's.
    pub(super) fn fix(&self) -> Option<String> {
        Some(match self {
            Self::Fixed { fix, .. } => return fix.map(str::to_owned),
            Self::OtherOwner { change, owner } => {
                format!("run `sudo chmod {change} {{file|{{dir}}}}`, or ask its owner, user {owner}, to change it")
            }
            Self::OwnImage { request } => format!(
                "run `{{helper}} render --dir {{dir}} --json '{request}'` to use the built-in image, or name one that \
                 exists in its place; then run `{{helper}} up --dir {{dir}}`"
            ),
            Self::DirectoryInstead { path } => format!(
                "`{{helper}} down --dir {{dir}}`, remove the directory `{path}`, `{{helper}} certs issue --dir \
                 {{dir}}`, then `{{helper}} up --dir {{dir}}`"
            ),
            Self::CauseFirst { cause } => format!("fix `{cause}` first"),
            Self::OtherFolder { folder, project } => format!(
                "stop that stack first: `{{helper}} down --dir {folder}`; if its directory was moved or deleted: \
                 `docker compose -p {project} down --remove-orphans`"
            ),
            Self::OtherPath { request } => format!(
                "`{{helper}} render --dir {{dir}} --json '{request}'`, and call the URL that `{{helper}} connect --dir \
                 {{dir}}` shows"
            ),
            Self::OtherUrl { request } => {
                format!("`{{helper}} render --dir {{dir}} --json '{request}'`, then `{{helper}} up --dir {{dir}}`")
            }
            _ => return self.of_files(),
        })
    }

    /// The fix of a case that files show.
    fn of_files(&self) -> Option<String> {
        Some(match self {
            Self::Absent(absent) => absent.fix(),
            Self::State(state) => state.fix(),
            Self::OtherPair { cert, key } => format!(
                "issue a certificate for `*.{{domain}}` and the key in `{key}` with the registered CA, where that is kept, \
                 and put it in place of `{cert}`; the proxy reloads it by itself. `certs renew` does that once the \
                 registered CA and its key are next to it"
            ),
            Self::CaElsewhere { place } => format!(
                "copy the registered CA certificate, without its key, to `{place}` to have it verified; keep the \
                 certificate and the key of the proxy as they are"
            ),
            Self::CaNamed { write, file } => {
                format!("write {write} into `tls.cert_file` of `{file}`, then `{{helper}} restart --dir {{dir}}`")
            }
            Self::Dial { url, agent, place, or_listen } => {
                let or = or_listen.map(|(file, port)| format!(", or write `listen_addr: \":{port}\"` into `{file}`"));
                format!(
                    "write {url} into {place} of `{agent}`{}; then `{{helper}} up --dir {{dir}}`",
                    or.unwrap_or_default()
                )
            }
            Self::Serve { write, at, then } => {
                format!(
                    "write `{write}` into {at}, in place of what says otherwise; then {then}`{{helper}} up --dir {{dir}}`"
                )
            }
            Self::Bridge { write, service, at } => format!(
                "put a bridge from HTTP to standard input in front of it: write `{write}` for `{service}` in {at}, with the \
                 command line of today in place of `…`; then `{{helper}} up --dir {{dir}}`"
            ),
            Self::AllowNetworks { ranges, file } => format!(
                "add {ranges} to `upstream.allowed_ips` in `{file}`, or remove `allowed_ips`: without it the proxy dials every \
                 private address; then `{{helper}} restart --dir {{dir}}`"
            ),
            Self::AllowMore { ranges, file } => format!(
                "write `allowed_ips: [{ranges}]` below `upstream:` in `{file}`, or give the network a private range; then \
                 `{{helper}} up --dir {{dir}}`"
            ),
            Self::OwnPort { own, service, file, port } => format!(
                "write port {own} in place of {port} into the route in `{file}`, or let `{service}` listen on {port}; then \
                 `{{helper}} up --dir {{dir}}`"
            ),
            _ => {
                return self.of_token().or_else(|| self.of_stack()).or_else(|| self.of_place().map(|both| both.1));
            }
        })
    }
}
