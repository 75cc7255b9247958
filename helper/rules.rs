//! The troubleshooting table: one row a finding, plain data. Everything that names a fault points here.
//!
//! In `cause` and `fix`, `{helper}`, `{dir}`, `{domain}`, `{proxy}` and `{cloudflared}` stand for the launcher, the
//! deployment directory, its domain and the names of its services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Error, Finding, Layer, Report, Severity};
use crate::caller::Caller;
use Layer::{Edge, Files, Host, Routing, Tls, Upstream};
use Severity::{Error as Fatal, Note, Warning};

const QUICKSTART: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/quickstart";
const CONSOLE: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/console";
const REFERENCE: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/reference";
const TROUBLE: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/troubleshooting";
const SECURITY: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/security";
const DOCKER: &str = "https://docs.docker.com/engine/install/";
const POSTINSTALL: &str = "https://docs.docker.com/engine/install/linux-postinstall/";
const COMPOSE: &str = "https://docs.docker.com/compose/install/linux/";
const COMPOSE_FILE: &str = "https://docs.docker.com/reference/compose-file/";

/// One row.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(crate) struct Rule {
    /// Stable kebab-case name.
    pub(crate) id: &'static str,
    /// Where to look.
    pub(crate) layer: Layer,
    /// How much it weighs, unless the case is milder.
    pub(crate) severity: Severity,
    /// What is wrong, in one line.
    pub(crate) title: &'static str,
    /// What a person sees of it.
    pub(crate) symptom: &'static str,
    /// Why it is so.
    pub(crate) cause: &'static str,
    /// What to do.
    pub(crate) fix: &'static str,
    /// Where to read on.
    pub(crate) docs: &'static str,
}

macro_rules! rules {
    ($($id:literal $layer:ident $severity:ident $docs:ident $title:literal $symptom:literal $cause:literal $fix:literal)*) => {
        /// All rows.
        pub(crate) const RULES: &[Rule] = &[$(Rule {
            id: $id, layer: $layer, severity: $severity, title: $title, symptom: $symptom, cause: $cause, fix: $fix, docs: $docs,
        }),*];
    };
}

// id, layer, severity, docs / title / symptom / cause / fix
rules! {
"docker-missing" Host Fatal DOCKER
    "Docker is not installed"
    "`docker: command not found`"
    "no program `docker` was found on PATH"
    "install Docker Engine (Linux) or Docker Desktop (macOS, Windows with WSL), then run the command again"
"docker-daemon-down" Host Fatal DOCKER
    "the Docker daemon does not answer"
    "`Cannot connect to the Docker daemon`"
    "it is not running, or DOCKER_HOST or the Docker context points to another place"
    "start Docker (`sudo systemctl start docker`, or open Docker Desktop); `docker context ls` shows where the client looks"
"docker-permission" Host Fatal POSTINSTALL
    "this user may not talk to the Docker daemon"
    "`permission denied while trying to connect to the Docker daemon socket`"
    "the socket belongs to root and the group `docker`, and this user is not in it"
    "`sudo usermod -aG docker \"$USER\"`, then log out and in again (`newgrp docker` for this shell)"
"docker-failed" Host Fatal DOCKER
    "a docker command failed"
    "docker prints an error that is not one of the known ones"
    "see the evidence: these are docker's own words"
    "run the docker command by hand to see all it says, mend that, then run the command again"
"compose-missing" Host Fatal COMPOSE
    "Docker Compose v2 is not installed"
    "`docker: 'compose' is not a docker command`"
    "the Compose plugin is a package of its own on many Linux distributions"
    "install the package `docker-compose-plugin` (Docker's repository) or `docker-compose-v2` (Ubuntu)"
"compose-v1" Host Fatal COMPOSE
    "only Docker Compose v1 (`docker-compose`) is installed"
    "`docker-compose version 1.29`, and `docker compose` is unknown"
    "v1 has had no updates since 2023, and it cuts cloudflared off whenever the proxy is restarted: it does not follow the proxy into its new network namespace"
    "install Compose v2: the package `docker-compose-plugin` (Docker's repository) or `docker-compose-v2` (Ubuntu); v1 may stay beside it"
"compose-too-old" Host Fatal COMPOSE
    "Docker Compose is too old"
    "`docker compose version` says less than 2.17"
    "before 2.17 a restart of the proxy leaves cloudflared on a dead network namespace"
    "update the Compose plugin to 2.26 or newer"
"compose-old" Host Warning COMPOSE
    "Docker Compose is older than what this stack was tried with"
    "`docker compose version` says 2.17 to 2.25"
    "the token is handed over as a Compose secret from `.env`, which was tried with 2.26 and newer only"
    "update the Compose plugin to 2.26 or newer"
"docker-host-nowhere" Host Fatal DOCKER
    "DOCKER_HOST points to a place where no Docker engine answers"
    "every docker command fails, although Docker runs"
    "the variable in this shell wins over the Docker context and over the usual socket; where it points to, nothing answers"
    "`unset DOCKER_HOST` and take it out of the shell's start-up files; or start the engine that it names"
"docker-client-old" Host Fatal DOCKER
    "the docker client is too old for its engine"
    "`client version … is too old. Minimum supported API version is …`"
    "client and engine come from different sources, and the engine no longer speaks the client's version of the API"
    "update the docker client: the package `docker-ce-cli` (Docker's repository), or Docker Desktop"
"engine-too-old" Host Fatal DOCKER
    "the Docker engine is too old"
    "an engine before 20.10, or `client version … is too new. Maximum supported API version is …`"
    "this stack needs Docker Engine 20.10 or newer: that is what it was run on, and `host.docker.internal` works from there on"
    "update Docker Engine, or Docker Desktop"
"podman-engine" Host Fatal DOCKER
    "this is Podman, not Docker"
    "`Emulate Docker CLI using podman`, or an engine that calls itself Podman"
    "cloudflared lives in the proxy's network namespace, and the token is a Compose secret: neither was tried on Podman"
    "install Docker Engine or Docker Desktop; where both are installed, take the `podman-docker` package or DOCKER_HOST away so that `docker` is Docker's"
"engine-remote" Host Warning DOCKER
    "the Docker engine runs on another machine"
    "mounted files are empty directories in the containers"
    "Compose mounts `data/` and `config/` by their paths, and the engine looks for them on its own disk"
    "run the helper on the engine's machine; or switch to a local engine (`docker context use default`, `unset DOCKER_HOST`)"
"disk-low" Host Warning DOCKER
    "there is little room for images"
    "`no space left on device` while an image is pulled or built"
    "the images of the stack and the sample's build take several hundred MiB on the engine's disk"
    "make room: `docker system df` shows what takes it, `docker image prune` and `docker builder prune` free what nothing uses"
"git-missing" Host Note SECURITY
    "git is not installed"
    "`git: command not found`"
    "whether a deployment directory lies in a work tree that would commit the token can only be asked of git"
    "nothing to do where no git repository is used"
"openssl-missing" Host Note QUICKSTART
    "openssl is not installed"
    "`openssl: command not found`"
    "the quickstart makes its certificates with it; the helper makes them itself"
    "nothing to do: nothing here needs it"
"directory-not-writable" Host Fatal QUICKSTART
    "the deployment directory cannot be written"
    "`permission denied`, `read-only file system`"
    "it belongs to somebody else (files made with sudo belong to root), or its file system is mounted read-only"
    "choose another directory with `--dir`, or take it over: `sudo chown -R \"$USER\" {dir}`"
"directory-without-modes" Host Fatal SECURITY
    "the file system of the deployment directory keeps no modes"
    "`chmod 600` has no effect; on WSL everything below /mnt/c is `rwxrwxrwx`"
    "the CA's key and the token would be readable for everybody on this host: FAT, exFAT, most network shares and Windows drives have no POSIX modes"
    "choose a directory on the system's own disk with `--dir` (in WSL below your Linux home, not below /mnt)"
"directory-synced" Host Warning SECURITY
    "the deployment directory lies in a folder that is copied to a cloud"
    "Dropbox, OneDrive, iCloud, Google Drive, Nextcloud or Syncthing take it along"
    "the CA's key and the token would leave this host, and a file that the service takes back at the wrong moment breaks the stack"
    "choose a directory outside of it with `--dir`, or exclude this one from the service"
"selinux-labels" Host Warning COMPOSE_FILE
    "SELinux will keep the containers from the mounted files"
    "`permission denied` in the proxy's log, although every mode is right"
    "the engine labels its containers, and these mounts do not ask for a label that fits"
    "add `z` to the mount's options (`./data:/data:ro,z`), or `bind: { selinux: z }`"
"user-namespace" Host Note DOCKER
    "the engine's users are not this host's users"
    "a file's owner inside a container differs from the one outside"
    "the engine is rootless or remaps user namespaces, so the container's user 65532 is another one on this host"
    "nothing to do as long as `data/` is 0755 and the server's key 0644, as the helper makes them; do not chown them to 65532"
"shell-variables" Host Warning COMPOSE_FILE
    "variables of this shell change what `docker compose` does"
    "commands typed by hand start other services, another project or another tunnel than the helper does"
    "Compose takes them before the files; the helper runs it without them, a person does not"
    "`unset` them, and take them out of the shell's start-up files"
"proxy-not-used" Host Note TROUBLE
    "an HTTP proxy is set, and cloudflared does not use it"
    "everything else reaches the internet, and the tunnel does not"
    "cloudflared dials the tunnel's edge directly on port 7844; HTTP_PROXY and HTTPS_PROXY have no say in that"
    "if the edge cannot be reached, ask for outbound TCP and UDP 7844 to 198.41.192.0/19; the proxy alone will not do"
"network-overlap" Host Warning COMPOSE_FILE
    "a Docker network has the addresses of a server behind a route"
    "calls of that route time out, and the server can be reached from elsewhere"
    "the engine sends what goes to these addresses into its own network instead of out of this host"
    "remove the Docker network if nothing uses it (`docker network rm NAME`), or give the engine other ranges (`default-address-pools` in daemon.json)"
"clock-wrong" Host Warning TROUBLE
    "clocks do not agree"
    "`certificate has expired or is not yet valid`, and certificates that were made just now are refused"
    "this host's clock is wrong, or (Docker Desktop, WSL) the engine's virtual machine lost time while the computer slept"
    "set the clock (`sudo timedatectl set-ntp true`; in WSL `sudo hwclock -s`); restart Docker Desktop if it is the engine's"
"project-conflict" Host Fatal COMPOSE_FILE
    "another directory runs a stack of the same project name"
    "containers change or vanish when a stack in another folder is started"
    "Compose knows stacks by their project name only: starting this one would replace the containers of the other"
    "stop the stack in the other directory first (`{helper} down --dir` with that directory); if the directory was moved or deleted, `docker compose -p PROJECT down` with the project name in the evidence"
"compose-file-missing" Host Fatal QUICKSTART
    "there is no compose file"
    "`no configuration file provided: not found`"
    "the directory was not set up to the end, or it is another one"
    "`{helper} render --dir {dir} --json '{\"sample\":true}'` writes it, with the sample server as the first route"
"compose-file-shadowed" Host Fatal COMPOSE_FILE
    "another compose file hides docker-compose.yaml"
    "changes to docker-compose.yaml have no effect; Compose warns `Found multiple config files`"
    "Compose takes compose.yaml, compose.yml and docker-compose.yml before docker-compose.yaml"
    "move the other file away; services of your own belong into docker-compose.override.yaml"
"compose-file-elsewhere" Host Fatal COMPOSE_FILE
    "`.env` sends Compose to another file"
    "`docker compose` starts other services than the ones in this directory's file"
    "COMPOSE_FILE in `.env` wins over every file name"
    "take COMPOSE_FILE out of `.env`; services of your own belong into docker-compose.override.yaml"
"compose-yaml-invalid" Host Fatal COMPOSE_FILE
    "a compose file cannot be read"
    "`yaml: line …`, or `additional properties … not allowed`"
    "a tab, a wrong indentation, a key that stands twice or is misspelt"
    "mend the line in the evidence; `docker compose config -q` in the directory checks it"
"compose-service-undefined" Host Fatal COMPOSE_FILE
    "the compose file points to a service that it does not have"
    "`depends on undefined service`"
    "a service was renamed in one place and not in the other (`mcp-gateway` and `mcp-proxy` are two names of one thing)"
    "use the same name in `services`, `network_mode` and `depends_on`"
"compose-netmode-conflict" Host Fatal COMPOSE_FILE
    "cloudflared has network settings of its own"
    "`conflicting options: … and the network mode`"
    "cloudflared lives in the proxy's network namespace, so it cannot have `dns`, `extra_hosts`, `ports` or `networks`"
    "move them to the service `{proxy}`"
"compose-env-invalid" Host Fatal COMPOSE_FILE
    "`.env` cannot be read by Compose"
    "`failed to read .env`, `unterminated quoted value`, `unexpected character in variable name`"
    "a quote that is not closed, or a line that is not NAME=value"
    "mend the line in the evidence; for the token run `{helper} token set --dir {dir}`, which needs no quotes"
"compose-var-unset" Host Fatal COMPOSE_FILE
    "Compose found no TUNNEL_TOKEN"
    "`The \"TUNNEL_TOKEN\" variable is not set. Defaulting to a blank string`"
    "neither the shell nor `.env` beside the compose file has it, or Compose was run from another directory"
    "copy the token from the Console (Connection, eye icon), then run `{helper} token set --dir {dir}` in a terminal of your own; in a stack made by hand, put `TUNNEL_TOKEN=…` into `.env` beside its compose file and run `docker compose up -d` there"
"compose-failed" Host Fatal TROUBLE
    "docker compose failed"
    "docker compose prints an error that is not one of the known ones"
    "see the evidence: these are Compose's own words"
    "mend what it names, then run the command again"
"build-failed" Host Fatal TROUBLE
    "an image could not be built"
    "`failed to solve`, or pip's `No matching distribution found`"
    "while it builds, the sample installs the MCP SDK from a package index; behind a company firewall that needs a mirror or a proxy"
    "put `PIP_INDEX_URL=https://your-mirror/simple` or `HTTPS_PROXY=…` into `.env`, then `{helper} up --dir {dir}`"
"image-not-found" Host Fatal REFERENCE
    "an image does not exist at the registry"
    "`manifest unknown`, `not found`"
    "the digest was cut or mistyped, or the image was removed"
    "take the built-in image again: `{helper} render --dir {dir} --json '{\"images\":null}'`"
"image-ref-invalid" Host Fatal COMPOSE_FILE
    "an image name is malformed"
    "`invalid reference format`"
    "a digest that was cut short, a blank, or an empty variable in `image:`"
    "mend the `image:` line, or take the built-in one: `{helper} render --dir {dir} --json '{\"images\":null}'`"
"registry-denied" Host Fatal TROUBLE
    "a registry refuses the pull"
    "`denied: Permission … denied on resource`, `error getting credentials`"
    "the images are public; stale credentials or a missing credential helper for that registry are in the way"
    "`docker logout us-docker.pkg.dev`, and take the registry out of `credHelpers` in ~/.docker/config.json"
"registry-rate-limit" Host Fatal TROUBLE
    "Docker Hub's pull limit is reached"
    "`toomanyrequests: You have reached your pull rate limit`"
    "Docker Hub limits pulls by address, and a company shares one"
    "`docker login`, wait an hour, or name a mirror in `images`"
"registry-unreachable" Host Fatal TROUBLE
    "the Docker daemon cannot reach a registry"
    "`Get \"https://…/v2/\": dial tcp …`, a TLS handshake that times out, or `certificate signed by unknown authority`"
    "the daemon pulls, not this shell: its DNS, its proxy settings and its trusted CAs count"
    "give the daemon the company's proxy and CA (systemd drop-in `http-proxy.conf`, or Docker Desktop's settings), or name a mirror in `images`"
"disk-full" Host Fatal DOCKER
    "the disk is full"
    "`no space left on device`"
    "images, build caches and logs of containers have filled the disk that Docker keeps them on"
    "`docker system df` shows what takes the room and `docker system prune` frees what nothing uses; then run the command again"
"platform-mismatch" Host Fatal TROUBLE
    "an image is for another CPU"
    "`exec format error`, `no matching manifest for linux/arm64`"
    "the pinned image has no build for this machine's architecture"
    "name an image for this architecture in `images`, or turn emulation on (`docker run --privileged --rm tonistiigi/binfmt --install all`)"
"port-conflict" Host Fatal TROUBLE
    "a published port is taken"
    "`port is already allocated`, `address already in use`"
    "a `ports:` entry; the tunnel needs none"
    "remove `ports:` from the service in the evidence"
"name-conflict" Host Fatal TROUBLE
    "a container name is taken"
    "`Conflict. The container name … is already in use`"
    "a `container_name:` and an older stack that has it"
    "remove `container_name:`, or the old container (`docker rm -f NAME`)"
"mount-type-mismatch" Host Fatal TROUBLE
    "a mounted file is a directory"
    "`Are you trying to mount a directory onto a file`"
    "the file was missing at an earlier start, and Docker made an empty directory of its name"
    "`{helper} down --dir {dir}`, remove the empty directory in the evidence, write the file again (`{helper} render --dir {dir}` with the routes), `{helper} up --dir {dir}`"
"network-missing" Host Fatal COMPOSE_FILE
    "a Docker network that the proxy should join does not exist"
    "`network … declared as external, but could not be found`"
    "it was named in `networks` and has not been made, or was removed"
    "start the stack that owns it, or make it (`docker network create NAME`); `{helper} render --dir {dir} --json '{\"networks\":[]}'` does without"
"stack-stopped" Host Fatal QUICKSTART
    "the stack is not running"
    "no containers, or all of them exited"
    "it was never started, or it was stopped"
    "`{helper} up --dir {dir}`"
"service-stopped" Host Fatal TROUBLE
    "a container of the stack is not running"
    "`Exited` or `Created` in `docker compose ps`, or the service is missing there"
    "it was stopped by hand, or it ended and is not started again"
    "`{helper} up --dir {dir}`"
"service-unhealthy" Host Warning COMPOSE_FILE
    "a container's health check fails"
    "`(unhealthy)` in `docker compose ps`"
    "the program runs, and the command of its `healthcheck:` fails; what that printed last is in the evidence"
    "mend what the check complains of, or the check itself, then `{helper} up --dir {dir}`"
"compose-orphans" Host Note COMPOSE_FILE
    "a container runs whose service the files no longer have"
    "`Found orphan containers`"
    "the service was renamed or removed; Compose leaves its container alone"
    "if nobody needs it: `docker compose up -d --remove-orphans` in {dir}"
"image-absent" Host Note DOCKER
    "an image of the stack is not on this host yet"
    "the first start pulls it"
    "it was never pulled, or was removed"
    "`{helper} up --dir {dir}` pulls it"
"not-live" Host Fatal TROUBLE
    "the tunnel did not become live in time"
    "`up` or `restart` ends before everything is there"
    "what is still missing stands in the evidence; other findings may say why"
    "look again with `{helper} status --dir {dir} --json '{\"wait_seconds\":60}'`; if it stays so, mend what the other findings say"
"crash-loop" Host Fatal TROUBLE
    "a container starts and dies, again and again"
    "`Restarting (N)` in `docker compose ps`"
    "the program in it ends right after its start; the last line that it printed is in the evidence"
    "mend what the line says, then `{helper} restart --dir {dir}`"
"netns-owner-not-running" Host Fatal TROUBLE
    "cloudflared waits for a proxy that was not running"
    "cloudflared is `Created` and logs nothing; `Container … is restarting, wait until the container is running`"
    "cloudflared lives in the proxy's network namespace, so it was never started while the proxy crashed, and nothing starts it later by itself"
    "mend the proxy first if it still crashes, then `{helper} restart --dir {dir}`"
"proxy-netns-orphaned" Host Fatal TROUBLE
    "cloudflared is cut off: it lives in a network namespace that the proxy has left"
    "everything is `Up`, and every call fails; cloudflared says `network is unreachable`"
    "the proxy died or was restarted alone and got a new network namespace; cloudflared kept the old one, which leads nowhere"
    "`{helper} restart --dir {dir}` (a plain `docker compose up -d` does not see it)"
"out-of-memory" Host Fatal TROUBLE
    "a container was killed for its memory"
    "`OOMKilled` in `docker inspect`, exit code 137"
    "it used more than its limit, or the machine had none left"
    "raise the service's `mem_limit` in docker-compose.override.yaml, or give the machine (on macOS and Windows: Docker Desktop's virtual machine) more memory"
"git-tracked" Host Fatal SECURITY
    "git has a file with a secret"
    "`git ls-files` lists it"
    "it was added before it was ignored"
    "`git rm --cached FILE` and commit; if the repository was ever pushed, rotate the token in the Console"
"git-not-ignored" Host Warning SECURITY
    "git would commit a file with a secret"
    "`git status` lists it as untracked"
    "no .gitignore keeps it out"
    "`{helper} init --dir {dir} --json '{\"domain\":\"{domain}\"}'` mends the directory's .gitignore; look for a `!` line there that undoes it"
"token-shadowed" Host Warning CONSOLE
    "TUNNEL_TOKEN is exported in this shell, and differs from `.env`"
    "after a rotation the old token stays in use when Compose is run by hand"
    "for `docker compose` a variable of the shell wins over `.env`; the helper runs it without, a person does not"
    "`unset TUNNEL_TOKEN`, and take it out of the shell's start-up files"
"directory-open" Host Warning SECURITY
    "other users of this machine can enter the deployment directory"
    "`ls -ld` shows more than `drwx------`"
    "`data/tls.key` is readable for the container's user, and the closed directory around it is what keeps others out"
    "`chmod 700 {dir}`"
"env-missing" Files Fatal QUICKSTART
    "there is no `.env`"
    "`The TUNNEL_TOKEN variable is not set`"
    "Compose takes domain and token from it"
    "`{helper} init --dir {dir} --json '{\"domain\":\"{domain}\"}'` writes it, then `{helper} token set --dir {dir}`"
"env-readable" Files Warning SECURITY
    "others can read the token"
    "`.env` has a mode wider than 0600"
    "it was made or copied with the usual mode for files"
    "`chmod 600 {dir}/.env`"
"env-writable" Files Fatal SECURITY
    "others can write `.env`"
    "`.env` is writable for its group or everyone"
    "who can write it can point the tunnel to another one"
    "`chmod 600 {dir}/.env`, and check what it says"
"key-readable" Files Warning SECURITY
    "others can read the CA's private key"
    "`data/ca.key` has a mode wider than 0600"
    "whoever has it can make certificates that Anthropic's side accepts for this tunnel"
    "`chmod 600 {dir}/data/ca.key`; if others may have read it, make a new CA and register it"
"key-writable" Files Fatal SECURITY
    "others can replace a private key"
    "a key in `data/` is writable for its group or everyone"
    "who can write it decides which certificates this host makes and shows"
    "take the write permission away (`chmod go-w FILE`), then check the certificates"
"domain-mismatch" Files Fatal QUICKSTART
    "the files name different tunnels"
    "`no route for host` for every call, or `bad certificate`"
    "`.env`, the proxy's `tunnel_domain` and the certificate must all say the domain that the Console shows"
    "keep one directory a tunnel; put the Console's domain into the file in the evidence"
"domain-unusual" Files Warning QUICKSTART
    "the domain does not look like a tunnel's"
    "the CA cannot be registered, or calls from Claude never arrive"
    "a tunnel's domain looks like `abcd1234.tunnel.anthropic.com`; this one ends in something else and may be mistyped, and everything in the directory is made for it"
    "compare it with the Domain that the Console shows under Connection; if it is wrong and its CA is not registered yet, delete {dir} and run `init` again with the right one; if it is right, go on"
"edit-kept" Files Note REFERENCE
    "a file was edited by hand and is kept"
    "`render` leaves it as it is"
    "its content differs from what the helper wrote; what was asked for it says already"
    "nothing to do; `{helper} render --dir {dir} --json '{\"overwrite\":true}'` would write it anew and keep the old one aside"
"edit-blocks-change" Files Fatal REFERENCE
    "a file was edited by hand, so the change was not made"
    "`render` leaves all files as they are"
    "its content differs from what the helper wrote, and the helper does not overwrite a person's work"
    "make the change in that file by hand (the diff shows it), or run the command again with \"overwrite\": true, which keeps the old file aside"
"foreign-deployment" Files Fatal REFERENCE
    "the compose file here was not written by the helper"
    "`render` writes nothing"
    "this stack was set up by hand; the helper checks, starts and watches it, but does not rewrite it unasked"
    "change routes in the stack's own configuration and run `{helper} restart --dir {dir}`; or `{helper} render --dir {dir} --json '{\"overwrite\":true}'` to go over to the helper's stack, with the same routes and the old files kept aside"
"foreign-replaced" Files Warning REFERENCE
    "a stack made by hand was replaced by the helper's"
    "services of the old file are missing, or the old stack still runs beside the new one"
    "the helper's stack has a project name of its own, and none of the old file's other services"
    "stop the old stack (the command is in `next`), and copy the services in the evidence from the file that was kept aside into docker-compose.override.yaml"
"config-not-applied" Files Warning REFERENCE
    "the proxy runs with an older configuration"
    "a new route answers `No route configured for host`"
    "the proxy reads its configuration only when it starts"
    "`{helper} restart --dir {dir}`"
"token-not-applied" Files Warning CONSOLE
    "cloudflared runs with another token than `.env` has"
    "after a rotation the tunnel stays on the old token, or goes down"
    "the token is copied into the container when it is made; a restart keeps the old one"
    "`{helper} restart --dir {dir}`"
"image-unpinned" Files Warning SECURITY
    "an image is not pinned by its digest"
    "another image may run after the next pull"
    "a tag can be moved to another image at any time"
    "name it with `@sha256:…`; `docker image inspect --format '{{.RepoDigests}}' IMAGE` shows the digest"
"network-mode-missing" Files Fatal REFERENCE
    "cloudflared does not share the proxy's network namespace"
    "`Unable to reach the origin service … 127.0.0.1:8080: connect: connection refused`"
    "cloudflared dials localhost, and only in the proxy's namespace does the proxy listen there"
    "give `{cloudflared}` the line `network_mode: \"service:{proxy}\"`"
"depends-on-plain" Files Warning COMPOSE_FILE
    "a restart of the proxy will cut cloudflared off"
    "calls fail after `docker compose restart {proxy}`"
    "a `depends_on` list replaces the rule by which Compose restarts cloudflared together with the proxy"
    "write `depends_on: { {proxy}: { condition: service_started, restart: true } }`, or leave it out"
"token-in-clear" Files Warning SECURITY
    "the token shows in `docker inspect`"
    "TUNNEL_TOKEN stands in the service's environment"
    "everybody who may talk to Docker, and every tool that dumps container settings, sees it"
    "hand it over as a Compose secret: `{helper} render --dir {dir} --json '{\"overwrite\":true}'` does"
"token-in-file" Files Fatal SECURITY
    "the token stands in the compose file"
    "a value that begins with `eyJ` in the file"
    "the file is made to be shared and committed"
    "put the token into `.env` (`{helper} token set --dir {dir}`), take it out of the file, and rotate it if the file was ever shared"
"ports-published" Files Warning SECURITY
    "a service of the stack publishes a port"
    "`ports:` in the compose file"
    "the tunnel needs no inbound port: the proxy dials out, and upstreams are reached inside Docker's network"
    "remove `ports:`"
"proxy-config-missing" Files Fatal REFERENCE
    "the proxy's configuration is missing"
    "`open /etc/mcp-gateway/config.yaml: no such file or directory`"
    "it was not written yet, or the mount's target is not where the proxy's image looks"
    "`{helper} render --dir {dir} --json '{\"sample\":true}'` writes it; in a compose file of your own mount it at /etc/mcp-gateway/config.yaml"
"proxy-config-is-dir" Files Fatal TROUBLE
    "the proxy's configuration is a directory"
    "`read /etc/mcp-gateway/config.yaml: is a directory`"
    "the file was missing when the stack was started, and Docker made an empty directory of its name"
    "`{helper} down --dir {dir}`, remove the empty directory, write the file again with the routes, which are lost (`{helper} render --dir {dir} --json '{\"routes\":{\"NAME\":\"http://HOST:PORT\"}}'`), `{helper} up --dir {dir}`"
"mount-missing" Files Fatal TROUBLE
    "a file that a service mounts is missing, or an empty directory stands in its place"
    "no message at all; later `is a directory`, `can't find '__main__' module`, or a file that is not there"
    "when the source of a bind mount is missing, Docker makes an empty directory of its name, owned by root"
    "stop the stack, remove the empty directory, put the file there, then `{helper} up --dir {dir}`"
"proxy-config-denied" Files Fatal TROUBLE
    "the proxy may not read its configuration"
    "`open /etc/mcp-gateway/config.yaml: permission denied`"
    "the container runs as user 65532; on SELinux hosts the mount also needs a label (`:z`)"
    "`chmod 644` the file and `chmod 755` its folder"
"proxy-config-yaml" Files Fatal REFERENCE
    "the proxy's configuration is not valid YAML"
    "`yaml: line N: …`"
    "a tab, or a wrong indentation"
    "mend the line in the evidence (blanks, no tabs), then `{helper} restart --dir {dir}`"
"proxy-config-routes-list" Files Fatal REFERENCE
    "`routes` is a list; the proxy wants a map"
    "`cannot unmarshal !!seq into map[string]string`"
    "each route is one line `name: scheme://host:port`, without a dash in front"
    "write `routes:` and below it `  echo: http://hello-mcp:9000`, then `{helper} restart --dir {dir}`"
"proxy-config-type" Files Fatal REFERENCE
    "a field of the proxy's configuration has the wrong type"
    "`cannot unmarshal !!… into …`, `field … not found`"
    "see the evidence"
    "mend the line, then `{helper} restart --dir {dir}`"
"proxy-config-upstream" Files Fatal REFERENCE
    "a route does not lead to scheme://host:port"
    "`invalid upstream (must be scheme://host:port)`"
    "a path (even `/`), or no port"
    "write `http://host:9000`; the path belongs into the URL that Claude calls"
"proxy-config-routes-empty" Files Fatal REFERENCE
    "the proxy's configuration has no route"
    "every call answers `No route configured for host`"
    "`routes` is missing or empty"
    "`{helper} render --dir {dir} --json '{\"routes\":{\"NAME\":\"http://HOST:PORT\"}}'`"
"route-name-invalid" Files Warning REFERENCE
    "a route's name can be no host name"
    "the route never answers"
    "a route's name is the label in front of the domain: small letters, digits and `-`, and the wildcard certificate covers one label only"
    "rename the route"
"proxy-key-denied" Files Fatal TROUBLE
    "the proxy may not read the server key"
    "`open /data/tls.key: permission denied`"
    "the container runs as user 65532, and the key is readable for its owner only"
    "`chmod 644 {dir}/data/tls.key`; the closed directory around it keeps others on this host out"
"proxy-cert-missing" Files Fatal QUICKSTART
    "the server certificate or its key is missing"
    "`open /data/tls.crt: no such file or directory`"
    "certificates were not issued yet, or one of the two files was removed"
    "`{helper} certs issue --dir {dir}` makes what can be made again; a certificate whose key is lost must be moved away first"
"proxy-cert-mismatch" Files Fatal TROUBLE
    "the server certificate and its key do not belong together"
    "`tls: private key does not match public key`"
    "one of the two files was replaced and the other was not"
    "move data/tls.crt away, then `{helper} certs issue --dir {dir}` issues one for the key that is there"
"proxy-cert-swapped" Files Fatal TROUBLE
    "certificate and key are swapped"
    "`failed to find certificate PEM data in certificate input, but did find a private key`"
    "each file holds what the other should"
    "swap data/tls.crt and data/tls.key back"
"proxy-cert-empty" Files Fatal TROUBLE
    "a certificate file does not hold what it should"
    "`tls: failed to find any PEM data`"
    "it is empty, cut short, DER instead of PEM, or a signing request instead of a certificate"
    "move the file in the evidence away, then `{helper} certs issue --dir {dir}`"
"proxy-key-encrypted" Files Fatal TROUBLE
    "the server key has a passphrase"
    "`tls: failed to parse private key`"
    "nobody can type it in when the proxy starts"
    "`openssl pkey -in data/tls.key -out data/tls.key.plain`, then put that file in its place"
"ca-missing" Files Fatal QUICKSTART
    "the CA certificate is missing"
    "there is no `data/ca.crt`"
    "certificates were not issued yet, or the file was removed"
    "put the registered ca.crt back; with `data/ca.key` there, `{helper} certs issue --dir {dir}` makes it again; if both are lost, move data/tls.crt away too, and it makes a new CA, which must be registered"
"ca-unusable" Files Fatal REFERENCE
    "`data/ca.crt` is not a certificate"
    "the Console refuses the file"
    "see the evidence"
    "put the registered certificate back into data/ca.crt"
"ca-unfit" Files Fatal REFERENCE
    "the CA certificate does not meet the tunnel's requirements"
    "the Console refuses it, or every call fails with `tls handshake failed`"
    "see the evidence: the requirement and what was found"
    "`{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` makes a CA that does, to be registered in the Console"
"ca-expired" Files Fatal REFERENCE
    "the CA certificate is not in date"
    "every call fails with `tls handshake failed`"
    "its validity is over or has not begun; a wrong clock looks the same"
    "check this machine's clock; then `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` makes a new CA to be registered beside the old one (a tunnel holds two)"
"ca-ends-first" Tls Warning REFERENCE
    "the server certificate ends early, because the CA does"
    "it is valid for fewer days than were asked for"
    "a certificate is worth nothing after the end of the CA that signed it"
    "`{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` before that day: it makes a new CA to be registered beside the old one (a tunnel holds two)"
"ca-expires-soon" Tls Warning REFERENCE
    "the CA certificate ends soon"
    "every call will fail with `tls handshake failed`"
    "a CA has an end, and the server certificate cannot outlive it"
    "`{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` makes a new one beside it; no call is lost on the way"
"certs-not-verifiable" Tls Warning REFERENCE
    "some certificates meet the requirements, but cannot be verified here"
    "rows of `certs check` are skipped"
    "their kind of key or signature (ECDSA P-521, RSA over 4096 bits and the like) is one that this helper's verifier does not know"
    "try a call from Claude; to be sure, use ECDSA P-256 as `certs issue` does"
"tls-handshake" Tls Fatal REFERENCE
    "a TLS handshake with these certificates fails"
    "every call fails with `tls handshake failed`"
    "a client that trusts only data/ca.crt refuses data/tls.crt; see the evidence for its words"
    "mend what the other findings say; else `{helper} certs renew --dir {dir} --json '{\"force\":true}'`"
"certs-rotation-open" Files Note CONSOLE
    "a change of the CA is under way"
    "files `ca-next` or `ca-old` in `data/`"
    "it has steps that wait for the Console or for traffic"
    "`{helper} certs rotate-ca --dir {dir}` says where it stands and what is next"
"ca-key-missing" Files Note SECURITY
    "the CA's private key is not on this host"
    "there is no `data/ca.key`"
    "it was moved to a safer place, or lost; nothing that runs needs it"
    "nothing to do until the server certificate is to be issued anew: bring data/ca.key back for that"
"ca-key-needed" Files Fatal SECURITY
    "a server certificate cannot be issued without the CA's private key"
    "there is no `data/ca.key`"
    "the registered CA's key is elsewhere, or lost"
    "bring data/ca.key back and run the command again; if it is lost, `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` changes to a new CA without losing a call"
"ca-key-unusable" Files Fatal REFERENCE
    "`data/ca.key` cannot be used"
    "no certificate can be issued"
    "see the evidence"
    "put the CA's unencrypted key back into data/ca.key (`openssl pkey -in KEY -out data/ca.key` takes a passphrase off)"
"ca-key-mismatch" Files Fatal REFERENCE
    "`data/ca.key` is not the key of `data/ca.crt`"
    "certificates issued with it are not trusted"
    "one of the two was replaced"
    "put the one that belongs to the registered CA back"
"server-unfit" Files Fatal REFERENCE
    "the server certificate does not meet the tunnel's requirements"
    "every call fails with `tls handshake failed`"
    "see the evidence: the requirement and what was found"
    "move data/tls.crt and data/tls.key away, then `{helper} certs issue --dir {dir}`"
"token-missing" Edge Fatal CONSOLE
    "there is no token"
    "`\"cloudflared tunnel run\" requires the ID or name of the tunnel`, exit code 255"
    "`TUNNEL_TOKEN` in `.env` is empty or not there"
    "copy the token from the Console (Connection, eye icon), then run `{helper} token set --dir {dir}` in a terminal of your own"
"token-placeholder" Edge Fatal CONSOLE
    "the token was not put in yet"
    "`Provided Tunnel token is not valid.`, exit code 255"
    "`.env` still has the placeholder"
    "copy the token from the Console (Connection, eye icon), then run `{helper} token set --dir {dir}` in a terminal of your own"
"token-malformed" Edge Fatal CONSOLE
    "this is not a tunnel's token"
    "`Provided Tunnel token is not valid.`, exit code 255"
    "see the evidence"
    "copy the token again from the Console: one line, no quotes, it begins with `eyJ`; then run `{helper} token set --dir {dir}` in a terminal of your own"
"token-file-unreadable" Edge Fatal TROUBLE
    "cloudflared cannot read the file that its token is in"
    "`Failed to read token file`"
    "`TUNNEL_TOKEN_FILE` names a file that is not in the container, or that user 65532 may not read"
    "let `{helper} render --dir {dir}` write the compose file: it hands the token over as a secret; in a file of your own, mount it where TUNNEL_TOKEN_FILE says, readable for user 65532"
"token-region-conflict" Edge Fatal TROUBLE
    "a region is set, and the token names another way in"
    "`region provided with a token that has an endpoint`"
    "`--region` or TUNNEL_REGION was given together with a token that brings its own endpoint"
    "take `--region` and TUNNEL_REGION away, then `{helper} restart --dir {dir}`"
"token-rejected" Edge Fatal CONSOLE
    "the tunnel's edge refuses the token"
    "`Unauthorized: Invalid tunnel secret`; over QUIC only `control stream encountered a failure while serving`"
    "the token was rotated, the tunnel was archived, or the token is another tunnel's"
    "copy the current token from the Console, `{helper} token set --dir {dir}`, then `{helper} restart --dir {dir}`"
"edge-registration-timeout" Edge Warning TROUBLE
    "the tunnel's edge does not answer registrations in time"
    "`control stream encountered a failure while serving` about five seconds after each dial"
    "the edge is slow, or a middlebox lets the handshake pass and stalls what follows"
    "wait for a minute; if it stays so, go over TCP: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'`, then `{helper} restart --dir {dir}`"
"edge-not-registered" Edge Fatal TROUBLE
    "cloudflared has no connection to the tunnel's edge"
    "no `Registered tunnel connection` in its log"
    "outbound UDP and TCP 7844 are blocked, DNS does not answer, or the edge refuses the token; the last lines of its log are in the evidence"
    "allow outbound TCP and UDP 7844 to 198.41.192.0/19; behind a firewall that drops UDP, `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'` and `{helper} restart --dir {dir}`"
"edge-partial" Edge Warning TROUBLE
    "cloudflared has fewer connections to the edge than it wants"
    "fewer than four `Registered tunnel connection`"
    "some paths to the edge are blocked, or it is still connecting; calls work over the others"
    "look again in a minute (`{helper} status --dir {dir}`); if it stays so, allow outbound TCP and UDP 7844 to 198.41.192.0/19"
"edge-few-addresses" Edge Note TROUBLE
    "DNS named fewer addresses of the edge than cloudflared wants connections"
    "`You requested 4 HA connections but I can give you at most 2`"
    "the resolver returns a part of the records only; the connections that there are carry every call"
    "nothing to do while calls pass; another resolver (`dns:` of the service `{proxy}`) may return all of them"
"edge-conn-lost" Edge Warning TROUBLE
    "connections to the tunnel's edge were lost"
    "`Lost connection with the edge`, `failed to accept QUIC stream: timeout: no recent network activity`"
    "the network went away for a while, the machine slept, or the edge is maintained; cloudflared dials again by itself"
    "nothing to do if they come back within two minutes; else look at this machine's network, then `{helper} restart --dir {dir}`"
"edge-unreachable" Edge Fatal TROUBLE
    "outbound UDP and TCP 7844 are blocked"
    "cloudflared never gets a connection: its QUIC and TCP attempts on port 7844 all fail"
    "a firewall on this host or on the way lets neither out; the tunnel has no other port, and cloudflared uses no HTTP proxy for it"
    "allow outbound TCP 7844 (and UDP 7844, which is faster) to 198.41.192.0/19 and 2606:4700:a0::/44; `{helper} preflight` shows what is open; with TCP alone `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'` saves the attempt over UDP"
"edge-network-unreachable" Edge Fatal TROUBLE
    "the container has no way to the network"
    "`network is unreachable` from the first attempt on"
    "its Docker network is `internal: true`, or the addresses are of a family (IPv6) that this host has no route for"
    "give the service `{proxy}` a network that is not internal, or set `--edge-ip-version 4` in cloudflared's command"
"edge-no-addresses" Edge Fatal TROUBLE
    "DNS gave no address of the edge that can be used here"
    "`there are no free edge addresses left to resolve to`"
    "the resolver answers with one address family only and this host has the other, or something rewrites the answers"
    "mend the resolver, or name the family in cloudflared's command: `--edge-ip-version 4`"
"edge-egress-denied-locally" Edge Fatal TROUBLE
    "a firewall on this very host refuses the packets"
    "`sendmsg: operation not permitted`"
    "iptables, nftables, ufw or a security profile drops outbound UDP 7844 on this machine, not on the way"
    "allow outbound UDP and TCP 7844 in this machine's firewall; or go over TCP at once: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'` and `{helper} restart --dir {dir}`"
"edge-tls-intercepted" Edge Fatal TROUBLE
    "something on the way answers in the edge's place"
    "`certificate signed by unknown authority` or a broken TLS handshake on port 7844"
    "a firewall or proxy that inspects TLS ends the connection itself"
    "have 198.41.192.0/19 port 7844 (names under argotunnel.com and cftunnel.com) exempted from TLS inspection"
"clock-skew" Edge Fatal TROUBLE
    "this machine's clock and the edge's certificate do not agree"
    "`certificate has expired or is not yet valid: current time …`"
    "the clock is wrong (a virtual machine that slept, no time service); if it is right, an inspecting proxy shows an old certificate"
    "compare `date -u` with the real time and start the time service (restart Docker Desktop on macOS and Windows); if the clock is right, have port 7844 exempted from TLS inspection"
"edge-quic-blocked" Edge Warning TROUBLE
    "outbound UDP 7844 looks blocked"
    "`failed to dial to edge with quic: timeout: no recent network activity`"
    "a firewall drops it; cloudflared falls back to HTTP/2 over TCP by itself, which takes it two minutes or more"
    "allow outbound UDP 7844, or skip the attempt: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'`, then `{helper} restart --dir {dir}`"
"edge-tcp-blocked" Edge Warning TROUBLE
    "outbound TCP 7844 looks blocked"
    "`DialContext error: dial tcp …:7844: i/o timeout`"
    "a firewall drops or refuses it"
    "allow outbound TCP 7844 to 198.41.192.0/19"
"network-down" Edge Fatal TROUBLE
    "this host has no way to the internet"
    "`network is unreachable` for every address"
    "there is no network connection, no default route, or a firewall on this host refuses everything"
    "connect the host, then look again; `ip route` (macOS: `netstat -rn`) shows whether there is a default route"
"captive-portal" Edge Fatal TROUBLE
    "somebody else answers for every server"
    "a sign-in page of the hotel, the guest network or the company"
    "the network answers itself until somebody signs in"
    "open any page in a browser, sign in to the network, then look again"
"tls-inspected" Edge Warning TROUBLE
    "a proxy on the way opens TLS connections"
    "`certificate signed by unknown authority` from docker, pip or cloudflared"
    "the certificates come from a private CA and not from a public one: a company firewall or a virus scanner reads along"
    "pulls and builds need that CA in the Docker daemon's trust store; ask for port 7844 to 198.41.192.0/19 to be left alone, because cloudflared accepts nobody else's certificate there"
"registry-blocked" Edge Warning TROUBLE
    "an image registry cannot be reached from this host"
    "`docker compose up` fails while it pulls"
    "a firewall, DNS or a proxy is in the way; what counts in the end is the Docker daemon's own way out"
    "allow outbound TCP 443 to the registry, give the daemon the company's proxy, or name a mirror in `images`"
"api-unreachable" Edge Note TROUBLE
    "Anthropic's API cannot be reached from this host"
    "curl and SDK calls from this host fail"
    "the tunnel does not need it; the requests that `connect` prints do, wherever they are run"
    "allow outbound TCP 443 to api.anthropic.com, or call from another machine"
"edge-region-unreachable" Edge Warning TROUBLE
    "one of the two regions of the tunnel's edge cannot be reached"
    "two of four connections, again and again"
    "a firewall rule covers a part of the edge's addresses, or the region is down"
    "allow the whole of 198.41.192.0/19; calls work over the other region meanwhile"
"edge-no-ipv6" Edge Note TROUBLE
    "the tunnel's edge cannot be reached over IPv6"
    "IPv6 probes fail"
    "this host or its network has no IPv6; cloudflared uses IPv4 unless it is told otherwise"
    "nothing to do"
"edge-dns-failed" Edge Fatal TROUBLE
    "DNS does not find the tunnel's edge"
    "`Could not lookup srv records on _v2-origintunneld._tcp.argotunnel.com`"
    "Docker hands queries to this host's resolver, which does not answer, or filters the name"
    "mend the resolver, or give the service `{proxy}` the line `dns: [1.1.1.1, 8.8.8.8]` (cloudflared shares its namespace)"
"no-ingress-url" Routing Fatal REFERENCE
    "cloudflared does not know where the proxy is"
    "`No ingress rules were defined`, and every call answers 503"
    "`--url http://localhost:8080` is missing in its command"
    "add `--url http://localhost:8080` behind `run` in the command of `{cloudflared}`, then `{helper} restart --dir {dir}`"
"origin-url-invalid" Routing Fatal REFERENCE
    "cloudflared does not understand where the proxy is"
    "`Error validating origin URL`"
    "`--url` in its command is no URL with a scheme"
    "write `--url http://localhost:8080` in the command of `{cloudflared}`, then `{helper} restart --dir {dir}`"
"metrics-port" Routing Fatal TROUBLE
    "cloudflared cannot open its metrics port"
    "`Error opening metrics server listener`"
    "another process in the same network namespace has the port of `--metrics`"
    "take `--metrics` out of the command of `{cloudflared}`, or name another port"
"proxy-unreachable" Routing Fatal TROUBLE
    "cloudflared does not reach the proxy"
    "`Unable to reach the origin service … 127.0.0.1:8080: connect: connection refused`"
    "the proxy is down, listens on another port, or is not in cloudflared's network namespace"
    "look at the log of `{proxy}` first; then cloudflared needs `network_mode: \"service:{proxy}\"`, and the proxy `listen_addr: \":8080\"`; `{helper} check --dir {dir}` finds which"
"proxy-no-answer" Routing Fatal TROUBLE
    "what listens in the proxy's place does not answer as the proxy does"
    "`Unable to reach the origin service … EOF`, or a timeout"
    "another program listens on port 8080 in that namespace, or the proxy hangs"
    "`{helper} restart --dir {dir}`; if it stays so, see which program listens there"
"proxy-wrong-scheme" Routing Fatal REFERENCE
    "cloudflared speaks TLS to the proxy's plain port"
    "`Unable to reach the origin service … first record does not look like a TLS handshake`"
    "`--url` says https; the listener is plain, and the TLS that counts runs inside it"
    "write `--url http://localhost:8080` in the command of `{cloudflared}`, then `{helper} restart --dir {dir}`"
"proxy-port-taken" Routing Fatal TROUBLE
    "the proxy's port is taken"
    "`listen tcp :8080: bind: address already in use`"
    "two programs in one network namespace: `network_mode: host`, or another service that shares the proxy's namespace listens on 8080, too"
    "give the other program another port, or change `listen_addr` and cloudflared's `--url` together"
"no-route" Routing Fatal REFERENCE
    "the proxy has no route for the host that was called"
    "`no route for host`; the caller sees `No route configured for host`"
    "the name in front of the domain is not in `routes`, `tunnel_domain` is another tunnel's, or the configuration was edited after the proxy had read it"
    "`{helper} check --dir {dir}` compares them; add the route with `{helper} render --dir {dir} --json '{\"routes\":{\"NAME\":\"http://HOST:PORT\"}}'`, then `{helper} restart --dir {dir}`"
"listen-mismatch" Routing Fatal REFERENCE
    "cloudflared and the proxy do not meet"
    "`Unable to reach the origin service`"
    "the proxy's `listen_addr` and cloudflared's `--url` name different ports, or `--url` is https: the proxy's listener is plain"
    "let both say 8080: `listen_addr: \":8080\"` and `--url http://localhost:8080`"
"route-not-configured" Routing Fatal REFERENCE
    "the proxy did not take up a route"
    "no `route configured` line for it since the proxy's start"
    "the configuration was edited after the proxy had read it, or the proxy did not get that far"
    "`{helper} restart --dir {dir}`"
"tls-unknown-ca" Tls Fatal CONSOLE
    "the server certificate comes from a CA that the tunnel does not trust"
    "`remote error: tls: unknown certificate authority`"
    "data/tls.crt was signed by another CA than data/ca.crt, or data/ca.crt is not registered for this tunnel (never, revoked, or for another one)"
    "`{helper} certs check --dir {dir}` tells which: if it finds a fault of the signature, move data/tls.crt away and run `{helper} certs issue --dir {dir}`; if not, compare its CA fingerprint with the Console's and register data/ca.crt there"
"tls-bad-cert" Tls Fatal REFERENCE
    "the server certificate is not made for the tunnel's host names"
    "`remote error: tls: bad certificate`"
    "its subjectAltName does not cover every `<route>.<domain>`; a common name does not count, and a wildcard covers one label"
    "`{helper} certs renew --dir {dir}` issues one that does, for the same key"
"tls-expired" Tls Fatal REFERENCE
    "the server certificate is not in date"
    "`remote error: tls: expired certificate`"
    "its validity is over or has not begun; a wrong clock looks the same"
    "check this machine's clock; then `{helper} certs renew --dir {dir}`: the proxy takes the new one up by itself"
"tls-expires-soon" Tls Warning REFERENCE
    "the server certificate ends soon"
    "calls will fail with `expired certificate`"
    "it is issued for 90 days"
    "`{helper} certs renew --dir {dir}`: same CA, same key, and the proxy takes it up by itself"
"tls-unsupported-cert" Tls Fatal REFERENCE
    "the server certificate is not for servers"
    "`remote error: tls: unsupported certificate`"
    "its extendedKeyUsage lacks serverAuth"
    "`{helper} certs renew --dir {dir}` issues one that has it, for the same key"
"tls-rejected-opaque" Tls Fatal REFERENCE
    "the caller refuses the server certificate, and its reason cannot be read"
    "`local error: tls: bad record MAC`"
    "some clients send their alert in clear: the CA is not registered, the name does not fit, or the certificate is not in date"
    "`{helper} certs check --dir {dir}` tries all three; compare its CA fingerprint with the Console's"
"tls-other-alert" Tls Fatal REFERENCE
    "the caller ends the TLS handshake"
    "`remote error: tls: …`"
    "see the evidence for the alert's name"
    "`{helper} certs check --dir {dir}`, and mend what it finds"
"curl-wrong-version" Tls Note TROUBLE
    "the listener was tried with TLS by hand"
    "`curl: (35) … wrong version number`"
    "the proxy's listener is a plain WebSocket, and TLS runs inside it; tunnel host names answer only Claude"
    "nothing to mend: test from Claude (`{helper} connect --dir {dir}`)"
"proxy-reaches-nothing" Routing Note CONSOLE
    "no call has come here yet"
    "the tunnel is missing from the agent picker, or a call from Claude fails and nothing is in the logs"
    "everything here is live; a tunnel without a registered CA is not Active and cannot be picked, and a call through another tunnel, workspace or organisation never arrives"
    "in the Console, see that this tunnel is Active (Certificates) and that the call uses its domain; then call it once"
"setup-auth" Edge Fatal CONSOLE
    "the organisation has no room for another tunnel"
    "`Organization already has the maximum of 10 non-archived Tunnels`"
    "ten tunnels that are not archived is the limit"
    "archive one that nobody uses in the Console (that cannot be undone), then create the tunnel"
"upstream-undefined" Upstream Fatal REFERENCE
    "a route leads to a name that nobody has"
    "`dial tcp: lookup …: no such host`"
    "no service of the compose files, and no container on the networks that the proxy joins, has that name"
    "define the service in docker-compose.override.yaml, correct the name, or join its network: `{helper} render --dir {dir} --json '{\"networks\":[\"NAME\"]}'`"
"upstream-down" Upstream Fatal TROUBLE
    "the server behind a route is not running"
    "`connect: connection refused` in the proxy's log"
    "its container is stopped, restarting or not healthy; see the evidence"
    "look at its log (`docker compose logs SERVICE` in {dir}), mend it, then `{helper} up --dir {dir}`"
"upstream-ip-rejected" Upstream Fatal REFERENCE
    "the proxy will not dial the address behind a route"
    "`IP validation failed: … is not a private address`"
    "it dials RFC 1918 addresses only, or those in `allowed_ips`; localhost is the proxy's own container"
    "run the server as a service in docker-compose.override.yaml, or name every range in `allowed_ips` (it replaces the default)"
"upstream-refused" Upstream Fatal TROUBLE
    "the server behind a route refuses connections"
    "`dial tcp …: connect: connection refused` in the proxy's log"
    "it is down, listens on another port, or only on 127.0.0.1 of its own container"
    "look at the server's own log first; it has to listen on 0.0.0.0 and on the port of the route"
"upstream-dns" Upstream Fatal TROUBLE
    "the name behind a route is not known in the proxy's container"
    "`dial tcp: lookup …: no such host`"
    "the name is misspelt, its container is not running, or it is on another Docker network"
    "use the name of a running service of the same compose files, or join its network: `{helper} render --dir {dir} --json '{\"networks\":[\"NAME\"]}'`, then `{helper} up --dir {dir}`"
"upstream-timeout" Upstream Fatal TROUBLE
    "the server behind a route does not answer in time"
    "`i/o timeout`, `context deadline exceeded` or `no route to host` towards an upstream"
    "a firewall on its host drops the packets, it is on another network, or it hangs"
    "call it from the proxy's network by hand, and open the port on its host for this machine's Docker networks"
"upstream-failed" Upstream Fatal TROUBLE
    "the server behind a route answers calls with an error, or breaks them off"
    "`upstream request failed` in the proxy's log, or `500 Internal Server Error` in the server's"
    "see the evidence; it is the server's own fault, or something between it and the proxy ends the connection"
    "look at the server's own log at that moment, and mend what it says"
"rootless-host-internal" Upstream Warning TROUBLE
    "a server on the host is not reached through host.docker.internal"
    "`connection refused` or a timeout for `host.docker.internal`"
    "it listens on 127.0.0.1 of the host, which containers do not reach; a rootless engine does not lead to the host's loopback at all"
    "let it listen on the address of Docker's bridge (or 0.0.0.0 behind a firewall), or run it as a service in docker-compose.override.yaml"
"upstream-bind-loopback" Upstream Fatal TROUBLE
    "the MCP server listens for itself only"
    "`Uvicorn running on http://127.0.0.1:…`"
    "127.0.0.1 is its own container's loopback; the proxy comes from outside"
    "let it listen on 0.0.0.0: `FastMCP(…, host=\"0.0.0.0\")`, or `--host 0.0.0.0` of uvicorn"
"upstream-host-rejected" Upstream Fatal TROUBLE
    "the MCP server refuses the tunnel's host name"
    "`421 Misdirected Request`, `Invalid Host header`"
    "its protection against DNS rebinding is on, because it was made for 127.0.0.1, whatever its socket is bound to"
    "name the host where the server is made (`FastMCP(…, host=\"0.0.0.0\")`; with mcp 2, `run(…, host=\"0.0.0.0\")`), or allow the tunnel's names in its transport security settings"
"upstream-origin-rejected" Upstream Fatal TROUBLE
    "the MCP server refuses the caller's origin"
    "`Invalid Origin header`"
    "its protection against DNS rebinding lists other origins"
    "add the origin in the evidence to `allowed_origins` of its transport security settings"
"upstream-path-404" Upstream Fatal TROUBLE
    "the MCP server has nothing at the path that was called"
    "`404 Not Found` for POST, and no call on `/mcp` that passed"
    "the URL in Claude has no path, or another one than the server's"
    "use the path that the server serves: `mcp` for FastMCP's streamable HTTP; `{helper} connect --dir {dir}` shows the whole URL"
"upstream-slash-307" Upstream Warning TROUBLE
    "the MCP server sends callers on to another path"
    "`307 Temporary Redirect` for `/mcp/`"
    "the path in Claude ends with a slash, and not every client follows the redirect"
    "take the slash away from the end of the path"
"upstream-not-http" Upstream Warning TROUBLE
    "something else than HTTP comes to the MCP server's port"
    "`Invalid HTTP request received` on every call"
    "the route says https and the server speaks plain HTTP, or a probe calls"
    "write `http://` in the route"
"upstream-port-in-use" Upstream Fatal TROUBLE
    "the MCP server's port is taken"
    "`error while attempting to bind on address …: address already in use`, exit code 3"
    "another program in the same network namespace listens on it"
    "give one of the two another port, and the route with it"
"upstream-stdio" Upstream Fatal TROUBLE
    "the MCP server ends as soon as it has started"
    "it restarts over and over with exit code 0, and prints nothing"
    "it speaks MCP over standard input, finds none in a container, and is done"
    "start it with the HTTP transport: `mcp.run(transport=\"streamable-http\")`"
"upstream-script-missing" Upstream Fatal TROUBLE
    "the MCP server's program is not in its container"
    "`can't open file …`, `can't find '__main__' module`"
    "the file was missing when the stack was started, and Docker made an empty directory of its name"
    "stop the stack, remove the empty directory, put the file there, then `{helper} up --dir {dir}`"
"upstream-traceback" Upstream Fatal TROUBLE
    "the MCP server ends with an exception"
    "`Traceback (most recent call last)` before each start"
    "see the evidence: it is the last line of the traceback"
    "mend what it names in the server's own code or settings, then `{helper} up --dir {dir}`"
"mcp-sdk-v2" Upstream Fatal QUICKSTART
    "the sample was written for version 1 of the MCP package, and version 2 was installed"
    "`ModuleNotFoundError: No module named 'mcp.server.fastmcp'`"
    "`pip install mcp` without a version takes 2.x since July 2026, where FastMCP has another name"
    "pin it (`pip install 'mcp<2'`), or let `{helper} render --dir {dir} --json '{\"sample\":true}'` write a sample with pinned packages"
"mcp-v2-ctor" Upstream Fatal QUICKSTART
    "host and port are given in the wrong place"
    "`got an unexpected keyword argument 'host'`"
    "since version 2 of the MCP package they belong to `run()`, not to the server's constructor"
    "`mcp.run(transport=\"streamable-http\", host=\"0.0.0.0\", port=9000)`"
"pip-no-index" Upstream Fatal TROUBLE
    "the MCP server's container cannot install its packages"
    "`No matching distribution found for …`"
    "it has no way to the package index: DNS, a proxy, or no way out at all"
    "install at build time, in an image (as the sample of `{helper} render` does), or pass PIP_INDEX_URL or HTTPS_PROXY to it"
"upstream-tls" Upstream Fatal REFERENCE
    "an https route has nothing to trust"
    "`x509: certificate signed by unknown authority` in the proxy's log"
    "neither `upstream.tls.ca_file` nor `include_system_cas` is set"
    "`{helper} render --dir {dir} --json '{\"upstream\":{\"tls\":{\"ca_file\":\"/data/upstream-ca.pem\"}}}'` with the file in `data/`, or `\"include_system_cas\":true` for a public certificate"
"upstream-ca-missing" Upstream Fatal REFERENCE
    "the CA file for https upstreams is not there"
    "`open /data/…: no such file or directory`"
    "`upstream.tls.ca_file` names a file that the proxy's container does not have or may not read"
    "copy it into `data/`, readable for everyone (chmod 644), and name it `/data/NAME`"
"allowed-ips-open" Upstream Warning SECURITY
    "the proxy may dial any address"
    "`0.0.0.0/0` in `allowed_ips`, or `disable_ip_validation: true`"
    "a route, or a DNS answer, could then lead it to any host on the internet or to cloud metadata"
    "name only the ranges that your servers are in"
}

/// Cured by a restart of the stack, cloudflared included.
pub(crate) const CURED_BY_RESTART: [&str; 4] =
    ["proxy-netns-orphaned", "netns-owner-not-running", "config-not-applied", "token-not-applied"];

/// What ends the proxy as it starts.
const ENDS_PROXY: [&str; 14] = [
    "proxy-config-routes-list",
    "proxy-config-type",
    "proxy-config-yaml",
    "proxy-config-upstream",
    "proxy-config-is-dir",
    "proxy-config-denied",
    "proxy-config-missing",
    "proxy-key-denied",
    "proxy-cert-missing",
    "proxy-cert-mismatch",
    "proxy-cert-swapped",
    "proxy-cert-empty",
    "proxy-key-encrypted",
    "proxy-port-taken",
];

/// What ends an MCP server, or keeps it from being reached.
const ENDS_SERVER: [&str; 8] = [
    "mcp-sdk-v2",
    "mcp-v2-ctor",
    "upstream-port-in-use",
    "upstream-stdio",
    "upstream-script-missing",
    "pip-no-index",
    "upstream-traceback",
    "upstream-bind-loopback",
];

/// What ends cloudflared, or keeps it from the edge.
const ENDS_AGENT: [&str; 19] = [
    "token-missing",
    "token-placeholder",
    "token-malformed",
    "token-file-unreadable",
    "token-region-conflict",
    "token-rejected",
    "origin-url-invalid",
    "metrics-port",
    "edge-dns-failed",
    "edge-no-addresses",
    "edge-unreachable",
    "edge-network-unreachable",
    "edge-egress-denied-locally",
    "edge-tls-intercepted",
    "edge-registration-timeout",
    "edge-quic-blocked",
    "edge-tcp-blocked",
    "clock-skew",
    "edge-conn-lost",
];

/// Which findings explain another, the likeliest first: effect, causes.
#[rustfmt::skip]
const EXPLAINED: &[(&str, &[&[&str]])] = &[
    ("crash-loop", &[&ENDS_PROXY, &ENDS_SERVER, &ENDS_AGENT, &["out-of-memory", "platform-mismatch", "upstream-ca-missing"]]),
    ("service-stopped", &[&ENDS_PROXY, &ENDS_SERVER, &ENDS_AGENT, &["out-of-memory", "platform-mismatch"]]),
    ("netns-owner-not-running", &[&ENDS_PROXY, &["upstream-ca-missing", "platform-mismatch", "out-of-memory", "image-not-found", "registry-unreachable", "port-conflict", "name-conflict"]]),
    ("proxy-netns-orphaned", &[&ENDS_PROXY, &["out-of-memory"]]),
    ("token-missing", &[&["env-missing"]]),
    ("proxy-unreachable", &[&ENDS_PROXY, &["proxy-netns-orphaned", "network-mode-missing", "listen-mismatch", "out-of-memory", "service-stopped"]]),
    ("proxy-no-answer", &[&ENDS_PROXY, &["proxy-netns-orphaned", "network-mode-missing", "listen-mismatch"]]),
    ("proxy-wrong-scheme", &[&["listen-mismatch"]]),
    ("upstream-refused", &[&ENDS_SERVER, &["upstream-down", "out-of-memory"]]),
    ("upstream-dns", &[&["upstream-undefined"], &ENDS_SERVER, &["upstream-down"]]),
    ("upstream-timeout", &[&["upstream-down"], &ENDS_SERVER]),
    ("upstream-down", &[&ENDS_SERVER, &["out-of-memory", "platform-mismatch"]]),
    ("no-route", &[&["config-not-applied", "domain-mismatch", "proxy-config-routes-empty", "route-not-configured"]]),
    ("route-not-configured", &[&["config-not-applied"]]),
    ("tls-bad-cert", &[&["server-unfit", "domain-mismatch"]]),
    ("tls-rejected-opaque", &[&["tls-expired", "server-unfit", "tls-unknown-ca", "ca-expired", "ca-unfit"]]),
    ("tls-other-alert", &[&["tls-expired", "server-unfit", "tls-unknown-ca", "ca-expired", "ca-unfit"]]),
    ("tls-handshake", &[&["tls-expired", "server-unfit", "tls-unknown-ca", "ca-expired", "ca-unfit", "tls-bad-cert"]]),
    ("token-rejected", &[&["token-not-applied"]]),
    ("edge-quic-blocked", &[&["edge-unreachable", "proxy-netns-orphaned"]]),
    ("edge-tcp-blocked", &[&["edge-unreachable", "proxy-netns-orphaned"]]),
    ("edge-conn-lost", &[&["proxy-netns-orphaned"]]),
    ("edge-partial", &[&["edge-conn-lost"]]),
    ("edge-not-registered", &[&["proxy-netns-orphaned", "netns-owner-not-running"], &ENDS_AGENT]),
    ("compose-var-unset", &[&["token-missing"]]),
];

/// Marks the findings that others explain, by the table of what follows from what. A mark that stands is kept.
pub(crate) fn explain(findings: &mut [Finding]) {
    let present: Vec<(&'static str, Severity)> = findings.iter().map(|f| (f.id, f.severity)).collect();
    for finding in findings.iter_mut().filter(|f| f.consequence_of.is_none() && f.severity < Note) {
        let Some((_, causes)) = EXPLAINED.iter().find(|(effect, _)| *effect == finding.id) else { continue };
        let weighty = |id: &&&str| present.iter().find(|(other, severity)| *other == **id && *severity < Note);
        finding.consequence_of = causes
            .iter()
            .copied()
            .flatten()
            .find_map(|id| weighty(&id))
            .map(|(id, _)| *id)
            .filter(|id| *id != finding.id);
    }
}

/// The row of an id. Ids are literals in our own code, and a test finds every one of them here.
pub(crate) fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// A finding with the row's texts, to be completed with evidence.
pub(crate) fn finding(id: &'static str) -> Finding {
    const UNKNOWN: Rule = Rule {
        id: "",
        layer: Host,
        severity: Fatal,
        title: "an unknown fault",
        symptom: "",
        cause: "this helper has no row for it, which is a bug",
        fix: "please report it",
        docs: TROUBLE,
    };
    let rule = rule(id).unwrap_or(&UNKNOWN);
    Finding {
        id,
        layer: rule.layer,
        severity: rule.severity,
        title: rule.title.into(),
        cause: rule.cause.into(),
        fix: rule.fix.into(),
        evidence: Vec::new(),
        docs: rule.docs,
        consequence_of: None,
    }
}

/// The request of `rules`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RulesRequest {
    /// Only this row.
    id: Option<String>,
}

/// What `rules` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RulesData {
    /// The rows, in the order of the layers.
    rules: Vec<FilledRule>,
}

/// One row with its placeholders filled.
#[derive(Debug, Serialize, JsonSchema)]
struct FilledRule {
    /// Stable kebab-case name.
    id: &'static str,
    /// Where to look.
    layer: Layer,
    /// How much it weighs, unless the case is milder.
    severity: Severity,
    /// What is wrong, in one line.
    title: &'static str,
    /// What a person sees of it.
    symptom: &'static str,
    /// Why it is so.
    cause: String,
    /// What to do.
    fix: String,
    /// Where to read on.
    docs: &'static str,
}

/// Prints the table.
///
/// # Errors
/// `request` for an id that no row has.
pub(crate) fn run(request: &RulesRequest, caller: &Caller) -> Result<Report<RulesData>, Error> {
    let asked = request.id.as_deref();
    let mut rows: Vec<&Rule> = RULES.iter().filter(|r| asked.is_none_or(|id| id == r.id)).collect();
    rows.sort_by_key(|r| r.layer);
    if rows.is_empty() {
        return Err(Error::request(
            format!("there is no rule `{}`", request.id.as_deref().unwrap_or_default()),
            "`mcp-tunnels-helper rules` prints them all",
        ));
    }
    let summary = match rows.as_slice() {
        [one] => one.title.to_owned(),
        many => format!("{} findings that a command can make", many.len()),
    };
    let rules = rows
        .into_iter()
        .map(|r| FilledRule {
            id: r.id,
            layer: r.layer,
            severity: r.severity,
            title: r.title,
            symptom: r.symptom,
            cause: caller.fill(r.cause),
            fix: caller.fill(r.fix),
            docs: r.docs,
        })
        .collect();
    Ok(Report::new(summary, RulesData { rules }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    #[test]
    fn ids_are_unique_and_kebab_case_and_texts_are_no_sentences() {
        let ids: BTreeSet<_> = RULES.iter().map(|r| r.id).collect();
        assert_eq!(ids.len(), RULES.len());
        for rule in RULES {
            assert!(rule.id.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-')), "{}", rule.id);
            for text in [rule.title, rule.symptom, rule.cause, rule.fix] {
                assert!(!text.is_empty() && !text.ends_with('.') || text.ends_with("valid."), "{}: {text}", rule.id);
            }
        }
    }

    /// Every id in the sources is a row, and every row is raised somewhere: none is a promise only.
    #[test]
    fn rows_and_sources_agree() {
        fn sources(dir: &Path, into: &mut Vec<String>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    sources(&path, into);
                } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("rules.rs") {
                    into.push(fs::read_to_string(&path).unwrap());
                }
            }
        }
        let mut texts = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("helper"), &mut texts);
        let all = texts.join("\n");
        for rule in RULES {
            assert!(all.contains(&format!("\"{}\"", rule.id)), "no command raises `{}`", rule.id);
        }
        for (_, rest) in all.match_indices("rules::finding(\"").map(|(i, m)| all.split_at(i + m.len())) {
            let id = rest.split('"').next().unwrap();
            assert!(rule(id).is_some(), "`{id}` has no row");
        }
    }
}
