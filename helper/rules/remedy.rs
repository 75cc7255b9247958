//! Cases that their row's own fix does not end: the fix, and where it is another one the cause. The places in their texts
//! are those of `table`; what the case itself tells is in its fields.

mod gap;
mod stack;
mod state;
mod token;
mod words;
mod written;

use serde_json::Value;

use super::columns::Cure;
pub(crate) use gap::Gap;
pub(crate) use stack::OfService;
pub(crate) use state::State;
use words::{CHECK_DNS, KILLED, LAST_LINES, MORE_MEMORY, NAME_OR_DNS, NAME_THE_SERVER};
pub(crate) use written::Written;

/// A case that takes other words than its row's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Remedy<'a> {
    /// A compose file is missing, and the proxy's configuration has the routes that it needs.
    HasRoutes,
    /// A mode is wrong on a file system that is mounted read-only.
    ReadOnly,
    /// A mode is wrong, and this user owns the file; `change` is chmod's first argument.
    OtherOwner { change: &'a str, owner: u32 },
    /// A directory is open that the helper did not make, or that holds other files, too.
    SharedDirectory,
    /// Others can write the server's key, which the proxy must go on reading.
    KeyOfProxy,
    /// Nothing sets the variable of a person's own that the token comes from.
    UnsetVariable { name: &'a str },
    /// A server on this host is bound to its loopback.
    LoopbackOfHost,
    /// A route leads to the loopback of the proxy's own container.
    LoopbackOfProxy,
    /// A route names its server without a scheme; with one it is this URL.
    NoScheme { url: &'a str },
    /// A route has an address that is not IPv4 in four numbers.
    OtherAddress,
    /// A certificate or a key is a link that leads nowhere in the proxy's container.
    LinkOut { path: &'a str, target: &'a str },
    /// A server runs in the network namespace of another service, by whose host its route may name it.
    NoNameOfItsOwn { url: &'a str, service: &'a str, is_proxy: bool },
    /// A server whose `network_mode` joins no network; the URL by which a container reaches it, if there is one.
    OnNoNetwork { url: Option<&'a str>, service: &'a str, proxy: &'a str },
    /// A name was not looked up in time.
    LateLookup,
    /// No DNS server answered whether a name is known.
    SilentDns,
    /// A name has IPv6 addresses only.
    OnlyIpv6,
    /// A server accepts a connection and does not answer.
    Mute,
    /// A server speaks HTTP/2 and nothing else.
    OnlyHttp2,
    /// A server answers with a content type that MCP clients refuse.
    ContentType,
    /// A server redirects to where no MCP server answers.
    RedirectsAway,
    /// The time of a server's certificate is over, or has not come.
    OutOfDate,
    /// A server's certificate is for other names than the route's.
    OtherName,
    /// A server's certificate is for another use.
    OtherUse,
    /// A server ends the TLS handshake, or does not take part in it.
    Handshake,
    /// A web server has another site, or none, for the tunnel's host name.
    OtherSite,
    /// A server redirects plain HTTP to https.
    ForcedTls,
    /// A container exited by itself.
    Ended,
    /// A container was killed, and its log does not tell by whom.
    Killed,
    /// An image that a person's own file names does not start on this processor.
    OtherPlatform,
    /// The registry does not have an image that a setting names; the request goes back to the built-in one.
    OwnImage { request: &'a Value },
    /// The registry does not have an image that a person's own file names.
    OtherImage,
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
    /// The file with the token is closed to cloudflared's user.
    ClosedToken,
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
    /// The certificates of a bundle are for another key.
    OtherKey,
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
            Self::HasRoutes => Cure::Look,
            _ => Cure::ByHandThen,
        }
    }

    /// The cause, where it is another than the row's.
    pub(super) fn cause(&self) -> Option<String> {
        Some(match self {
            Self::UnsetVariable { name } => format!("`{name}` has no value"),
            Self::Refused { why, .. } => why.cause().into(),
            Self::NoSuchHost { host, .. } => format!("no service of the compose files is called `{host}`"),
            Self::Apart { .. } => "Docker resolves a service's name only on networks that both sides join".into(),
            Self::State(state) => return state.cause().map(str::to_owned),
            Self::OfService(case) => return case.cause().map(str::to_owned),
            Self::LoopbackOfHost => "127.0.0.1 is this host's loopback; the proxy comes from a container".into(),
            Self::LateLookup => "the DNS of the container engine does not answer in time: it is busy, or waits for \
                                 the DNS servers of its host"
                .into(),
            Self::SilentDns => "no container on the proxy's networks has this name, and the DNS servers that the \
                                engine asks for all others do not answer"
                .into(),
            Self::CaElsewhere { .. } => {
                "the proxy reads no CA, so calls work without it; whether the registered CA signed \
                                         the certificate cannot be verified on this host"
                    .into()
            }
            Self::CaNamed { .. } => "the certificate of a CA signs others, and has no host name".into(),
            Self::Ended => {
                "its program exited by itself; the code and the last lines that it printed are in the evidence".into()
            }
            Self::Killed => KILLED.into(),
            _ => return self.of_place().map(|both| both.0).or_else(|| Some(self.of_server()?.0)).map(str::to_owned),
        })
    }

    /// Cause and fix of a route or a file that the proxy cannot follow.
    fn of_place(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::NoScheme { url } => (
                "the proxy takes `http://` or `https://`, a host and a port, and fills in none of them",
                format!("write `{url}` into the route, or the same with `https://` if the server speaks TLS"),
            ),
            Self::OtherAddress => {
                ("the proxy dials IPv4 only, and takes an address as four numbers", NAME_THE_SERVER.into())
            }
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

    /// Cause and fix of what a server answers.
    fn of_server(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::OnlyIpv6 => (
                "the proxy dials IPv4 addresses only",
                "give the server an IPv4 address to which the name resolves, or run it as a service in \
                 docker-compose.override.yaml",
            ),
            Self::Mute => (
                "it hangs, it is overloaded, or it takes longer than that for an answer",
                "read the server's own log; `{helper} probe --dir {dir} --json '{\"timeout_ms\":30000}'` gives it longer",
            ),
            Self::OnlyHttp2 => (
                "it is a gRPC server, or accepts HTTP/2 without TLS only; `http` in a route is HTTP/1.1",
                "let the server accept HTTP/1.1 on this port, or point the route to the port of the MCP server",
            ),
            Self::ContentType => (
                "MCP clients accept `application/json` and `text/event-stream` only",
                "send `Content-Type: application/json` with the server's answers, or use an MCP SDK's own transport",
            ),
            Self::RedirectsAway => (
                "it redirects callers to a sign-in page, to another site or in a circle, and no MCP server answers this \
                 host name there",
                "exempt the MCP path from the redirect, in the server or in the proxy in front of it, or point the route \
                 to the MCP server itself",
            ),
            Self::OutOfDate => (
                "every client that checks the certificate refuses it, regardless of what it trusts",
                "renew the server's certificate; if its dates are right, set the clock of the engine's host",
            ),
            Self::OtherName => (
                "the host in the route must be one of the certificate's subject alternative names; the common name does \
                 not count",
                "write a host of the certificate into the route, if the proxy can resolve it, or give the server a \
                 certificate for the host in the route",
            ),
            Self::OtherUse => (
                "a certificate for clients, or for signing, does not prove a server",
                "give the server a certificate with the extended key usage `serverAuth`",
            ),
            Self::Handshake => (
                "it speaks no TLS on this port or only versions before 1.2, wants a client certificate, or knows no site \
                 of the host name in the route",
                "read the server's own log at that moment; let it accept TLS 1.2 or newer without a client certificate, \
                 for the host name in the route",
            ),
            Self::OtherSite => (
                "a web server in front of it has another site, or none, for the tunnel's host name",
                "add `*.{domain}` to the names of the site (nginx `server_name`, Apache `ServerAlias`, the hosts of an \
                 ingress rule), or point the route to the MCP server itself",
            ),
            Self::ForcedTls => (
                "the server, or what is in front of it, sends callers of plain HTTP to https",
                "turn the redirect off for this path (the tunnel is encrypted already), or point the route to the port \
                 on which the server speaks TLS, as `https://HOST:PORT`",
            ),
            _ => return None,
        })
    }

    /// The fix, where it is another than the row's.
    pub(super) fn fix(&self) -> Option<String> {
        Some(match self {
            Self::HasRoutes => {
                "run `{helper} render --dir {dir}`, which writes it for the routes of the proxy's configuration".into()
            }
            Self::ReadOnly => "its file system is mounted read-only: mount it writable, or copy the deployment to a \
                               directory of your own on one that is"
                .into(),
            Self::OtherOwner { change, owner } => {
                format!("run `sudo chmod {change} {{file|{{dir}}}}`, or ask its owner, user {owner}, to change it")
            }
            Self::SharedDirectory => "move the deployment into a directory of its own that only you can enter; close \
                                      this one only if nothing else needs it"
                .into(),
            Self::LoopbackOfProxy => NAME_THE_SERVER.into(),
            Self::LateLookup => CHECK_DNS.into(),
            Self::SilentDns => NAME_OR_DNS.into(),
            Self::KeyOfProxy => "run `chmod go-w {dir}/data/tls.key`".into(),
            Self::Ended => LAST_LINES.into(),
            Self::Killed => MORE_MEMORY.into(),
            Self::OtherPlatform => {
                "build or name an image for this machine's architecture in your compose file (`docker version` prints \
                 it as OS/Arch; an image that was built elsewhere is for that machine, and `platform:` and \
                 `FROM --platform=` name another one), or install emulation (`docker run --privileged --rm \
                 tonistiigi/binfmt --install all`); a script needs `#!/bin/sh` as its first line; then run \
                 `{helper} up --dir {dir}`"
                    .into()
            }
            Self::OwnImage { request } => format!(
                "run `{{helper}} render --dir {{dir}} --json '{request}'` to use the built-in image, or name one that \
                 exists in its place; then run `{{helper}} up --dir {{dir}}`"
            ),
            Self::OtherImage => "correct the name or the digest in `image:` of {subject|the service} in the compose \
                                 file, then run `{helper} up --dir {dir}`"
                .into(),
            Self::DirectoryInstead { path } => format!(
                "`{{helper}} down --dir {{dir}}`, remove the directory `{path}`, `{{helper}} certs issue --dir \
                 {{dir}}`, then `{{helper}} up --dir {{dir}}`"
            ),
            Self::CauseFirst { cause } => format!("fix `{cause}` first"),
            Self::OtherKey => "the key has changed there: make a whole bundle with `mcp-tunnels-helper export --to \
                               replica --out FILE.tar.gz` and apply that"
                .into(),
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
                return self
                    .of_token()
                    .or_else(|| self.of_stack())
                    .or_else(|| self.of_place().map(|both| both.1))
                    .or_else(|| Some(self.of_server()?.1.into()));
            }
        })
    }
}
