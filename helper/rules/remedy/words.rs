//! Causes and fixes that are long, or that several cases share.

pub(super) const CHECK_DNS: &str = "check the DNS servers in `/etc/resolv.conf` of the engine's host, then run `{helper} \
    probe --dir {dir}` again";

pub(super) const NAME_THE_SERVER: &str = "write the server's service into the route, `http://SERVICE:PORT` with the port that it \
    listens on in its container (a service that shares the proxy's network namespace first loses its `network_mode`); \
    for a process on this host `http://host.docker.internal:PORT`; then run `{helper} up --dir {dir}`";

pub(super) const LAST_LINES: &str = "fix what its last lines report, then run `{helper} up --dir {dir}`; without such lines run \
    `docker compose logs SERVICE` in {dir}";

pub(super) const MORE_MEMORY: &str = "if `docker inspect` of the container says `\"OOMKilled\": true`, raise the service's \
    `mem_limit`, or give the machine (macOS, Windows: Docker Desktop's virtual machine) more memory; then run \
    `{helper} up --dir {dir}`";

pub(super) const NAME_OR_DNS: &str = "if it is the name of a container, correct it or join its network (`{helper} render \
    --dir {dir} --json '{\"networks\":[\"NAME\"]}'`, then `{helper} up --dir {dir}`); \
    otherwise check the DNS servers in `/etc/resolv.conf` of the engine's host";

pub(super) const AS_SECRET: &str = "`secrets: { tunnel_token: { environment: TUNNEL_TOKEN } }` at the top level, `secrets: \
    [tunnel_token]` in the service, and `TUNNEL_TOKEN_FILE=/run/secrets/tunnel_token` in its `environment`";

pub(super) const CLOSED_TOKEN: &str = "run `chmod a+rX {file|FILE}`, and keep the deployment's own folder closed to others; or put \
    the token into `.env` and make the secret of it there (`secrets: { NAME: { environment: TUNNEL_TOKEN } }`); then \
    `{helper} up --dir {dir}`";

pub(super) const KILLED: &str = "it was killed (SIGKILL): by the kernel, because the memory ran out, or by `docker kill` or a stop \
    that took too long";
