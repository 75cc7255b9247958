//! Cases that tell nothing of their own: cause and fix are always the same.

use super::Remedy;
use crate::rules::Cure;

const NAME_THE_SERVER: &str = "write the server's service into the route, `http://SERVICE:PORT` with the port that it \
    listens on in its container (a service that shares the proxy's network namespace first loses its `network_mode`); \
    for a process on this host `http://host.docker.internal:PORT`; then run `{helper} up --dir {dir}`";

impl Remedy<'static> {
    /// With a cause and a fix of its own.
    const fn of(cause: &'static str, fix: &'static str) -> Self {
        Self::Fixed { cause: Some(cause), fix: Some(fix), cure: Cure::ByHandThen }
    }

    /// With the row's cause.
    const fn only(fix: &'static str) -> Self {
        Self::Fixed { cause: None, fix: Some(fix), cure: Cure::ByHandThen }
    }

    /// A compose file is missing, and the proxy's configuration has the routes that it needs.
    pub(crate) const HAS_ROUTES: Self = Self::Fixed {
        cause: None,
        cure: Cure::Look,
        fix: Some("run `{helper} render --dir {dir}`, which writes it for the routes of the proxy's configuration"),
    };

    /// A mode is wrong on a file system that is mounted read-only.
    pub(crate) const READ_ONLY: Self = Self::only(
        "its file system is mounted read-only: mount it writable, or copy the deployment to a \
         directory of your own on one that is",
    );

    /// A directory is open that the helper did not make, or that holds other files, too.
    pub(crate) const SHARED_DIRECTORY: Self = Self::only(
        "move the deployment into a directory of its own that only you can enter; close \
         this one only if nothing else needs it",
    );

    /// Others can write the server's key, which the proxy must go on reading.
    pub(crate) const KEY_OF_PROXY: Self = Self::only("run `chmod go-w {dir}/data/tls.key`");

    /// A server on this host is bound to its loopback.
    pub(crate) const LOOPBACK_OF_HOST: Self = Self::Fixed {
        cause: Some("127.0.0.1 is this host's loopback; the proxy comes from a container"),
        fix: None,
        cure: Cure::ByHandThen,
    };

    /// A route leads to the loopback of the proxy's own container.
    pub(crate) const LOOPBACK_OF_PROXY: Self = Self::only(NAME_THE_SERVER);

    /// A route has an address that is not IPv4 in four numbers.
    pub(crate) const OTHER_ADDRESS: Self =
        Self::of("the proxy dials IPv4 only, and takes an address as four numbers", NAME_THE_SERVER);

    /// A name was not looked up in time.
    pub(crate) const LATE_LOOKUP: Self = Self::of(
        "the DNS of the container engine does not answer in time: it is busy, or waits for \
         the DNS servers of its host",
        "check the DNS servers in `/etc/resolv.conf` of the engine's host, then run `{helper} \
         probe --dir {dir}` again",
    );

    /// No DNS server answered whether a name is known.
    pub(crate) const SILENT_DNS: Self = Self::of(
        "no container on the proxy's networks has this name, and the DNS servers that the \
         engine asks for all others do not answer",
        "if it is the name of a container, correct it or join its network (`{helper} render \
         --dir {dir} --json '{\"networks\":[\"NAME\"]}'`, then `{helper} up --dir {dir}`); \
         otherwise check the DNS servers in `/etc/resolv.conf` of the engine's host",
    );

    /// A name has IPv6 addresses only.
    pub(crate) const ONLY_IPV6: Self = Self::of(
        "the proxy dials IPv4 addresses only",
        "give the server an IPv4 address to which the name resolves, or run it as a service in \
         docker-compose.override.yaml",
    );

    /// A server accepts a connection and does not answer.
    pub(crate) const MUTE: Self = Self::of(
        "it hangs, it is overloaded, or it takes longer than that for an answer",
        "read the server's own log; `{helper} probe --dir {dir} --json '{\"timeout_ms\":30000}'` gives it longer",
    );

    /// A server speaks HTTP/2 and nothing else.
    pub(crate) const ONLY_HTTP2: Self = Self::of(
        "it is a gRPC server, or accepts HTTP/2 without TLS only; `http` in a route is HTTP/1.1",
        "let the server accept HTTP/1.1 on this port, or point the route to the port of the MCP server",
    );

    /// A server answers with a content type that MCP clients refuse.
    pub(crate) const CONTENT_TYPE: Self = Self::of(
        "MCP clients accept `application/json` and `text/event-stream` only",
        "send `Content-Type: application/json` with the server's answers, or use an MCP SDK's own transport",
    );

    /// A server redirects to where no MCP server answers.
    pub(crate) const REDIRECTS_AWAY: Self = Self::of(
        "it redirects callers to a sign-in page, to another site or in a circle, and no MCP server answers this \
         host name there",
        "exempt the MCP path from the redirect, in the server or in the proxy in front of it, or point the route \
         to the MCP server itself",
    );

    /// The time of a server's certificate is over, or has not come.
    pub(crate) const OUT_OF_DATE: Self = Self::of(
        "every client that checks the certificate refuses it, regardless of what it trusts",
        "renew the server's certificate; if its dates are right, set the clock of the engine's host",
    );

    /// A server's certificate is for other names than the route's.
    pub(crate) const OTHER_NAME: Self = Self::of(
        "the host in the route must be one of the certificate's subject alternative names; the common name does \
         not count",
        "write a host of the certificate into the route, if the proxy can resolve it, or give the server a \
         certificate for the host in the route",
    );

    /// A server's certificate is for another use.
    pub(crate) const OTHER_USE: Self = Self::of(
        "a certificate for clients, or for signing, does not prove a server",
        "give the server a certificate with the extended key usage `serverAuth`",
    );

    /// A server ends the TLS handshake, or does not take part in it.
    pub(crate) const HANDSHAKE: Self = Self::of(
        "it speaks no TLS on this port or only versions before 1.2, wants a client certificate, or knows no site \
         of the host name in the route",
        "read the server's own log at that moment; let it accept TLS 1.2 or newer without a client certificate, \
         for the host name in the route",
    );

    /// A web server has another site, or none, for the tunnel's host name.
    pub(crate) const OTHER_SITE: Self = Self::of(
        "a web server in front of it has another site, or none, for the tunnel's host name",
        "add `*.{domain}` to the names of the site (nginx `server_name`, Apache `ServerAlias`, the hosts of an \
         ingress rule), or point the route to the MCP server itself",
    );

    /// A server redirects plain HTTP to https.
    pub(crate) const FORCED_TLS: Self = Self::of(
        "the server, or what is in front of it, sends callers of plain HTTP to https",
        "turn the redirect off for this path (the tunnel is encrypted already), or point the route to the port \
         on which the server speaks TLS, as `https://HOST:PORT`",
    );

    /// A container exited by itself.
    pub(crate) const ENDED: Self = Self::of(
        "its program exited by itself; the code and the last lines that it printed are in the evidence",
        "fix what its last lines report, then run `{helper} up --dir {dir}`; without such lines run \
         `docker compose logs SERVICE` in {dir}",
    );

    /// A container was killed, and its log does not tell by whom.
    pub(crate) const KILLED: Self = Self::of(
        "it was killed (SIGKILL): by the kernel, because the memory ran out, or by `docker kill` or a stop \
         that took too long",
        "if `docker inspect` of the container says `\"OOMKilled\": true`, raise the service's \
         `mem_limit`, or give the machine (macOS, Windows: Docker Desktop's virtual machine) more memory; then run \
         `{helper} up --dir {dir}`",
    );

    /// An image that a person's own file names does not start on this processor.
    pub(crate) const OTHER_PLATFORM: Self = Self::only(
        "build or name an image for this machine's architecture in your compose file (`docker version` prints \
         it as OS/Arch; an image that was built elsewhere is for that machine, and `platform:` and \
         `FROM --platform=` name another one), or install emulation (`docker run --privileged --rm \
         tonistiigi/binfmt --install all`); a script needs `#!/bin/sh` as its first line; then run \
         `{helper} up --dir {dir}`",
    );

    /// The registry does not have an image that a person's own file names.
    pub(crate) const OTHER_IMAGE: Self = Self::only(
        "correct the name or the digest in `image:` of {subject|the service} in the compose \
         file, then run `{helper} up --dir {dir}`",
    );

    /// The file with the token is closed to cloudflared's user.
    pub(crate) const CLOSED_TOKEN: Self = Self::only(
        "run `chmod a+rX {file|FILE}`, and keep the deployment's own folder closed to others; or put \
         the token into `.env` and make the secret of it there (`secrets: { NAME: { environment: TUNNEL_TOKEN } }`); then \
         `{helper} up --dir {dir}`",
    );

    /// The certificates of a bundle are for another key.
    pub(crate) const OTHER_KEY: Self = Self::only(
        "the key has changed there: make a whole bundle with `mcp-tunnels-helper export --to \
         replica --out FILE.tar.gz` and apply that",
    );
}
