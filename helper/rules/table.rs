//! The troubleshooting table: one row a finding, plain data.
//!
//! In `cause` and `fix`, `{helper}`, `{dir}`, `{domain}`, `{proxy}` and `{cloudflared}` stand for the launcher, the
//! deployment directory, its domain and the names of its services.

use super::columns::Layer::{Edge, Files, Host, Routing, Tls, Upstream};
use super::columns::Severity::{Error, Note, Warning};
use super::columns::{Cure, Layer, Severity};
use RuleId::*;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// Stable name.
    pub(crate) id: RuleId,
    /// Where to look.
    pub(crate) layer: Layer,
    /// Severity, unless the case is milder.
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
    /// Whether an error of this rule keeps the stack from working; a mere risk to a secret does not.
    pub(crate) blocks: bool,
    /// What ends it.
    pub(crate) cure: Cure,
    /// Rules that explain this one where both are found, the likeliest first.
    pub(crate) caused_by: &'static [&'static [RuleId]],
}

impl Rule {
    /// The columns that most rows leave as they are.
    const fn of(id: RuleId) -> Self {
        Self {
            id,
            layer: Host,
            severity: Error,
            title: "",
            symptom: "",
            cause: "",
            fix: "",
            docs: "",
            blocks: true,
            cure: Cure::ByHand,
            caused_by: &[],
        }
    }
}

macro_rules! rules {
    ($($name:ident = $id:literal { $($key:ident : $value:expr),* $(,)? })*) => {
        /// Id of a rule: a row of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum RuleId {
            $(#[doc = $id] $name),*
        }

        impl RuleId {
            /// The stable kebab-case name.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }
        }

        /// All rows, in the order of [`RuleId`].
        pub(crate) static RULES: &[Rule] = &[$(Rule {
            $($key: $value,)*
            ..Rule::of($name)
        }),*];
    };
}

const QUICKSTART: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/quickstart";
const CONSOLE: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/console";
const REFERENCE: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/reference";
const TROUBLE: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/troubleshooting";
const SECURITY: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/security";
const DOCKER: &str = "https://docs.docker.com/engine/install/";
const POSTINSTALL: &str = "https://docs.docker.com/engine/install/linux-postinstall/";
const COMPOSE: &str = "https://docs.docker.com/compose/install/linux/";
const COMPOSE_FILE: &str = "https://docs.docker.com/reference/compose-file/";

/// Faults that end the proxy as it starts.
const ENDS_PROXY: &[RuleId] = &[
    ProxyConfigRoutesList,
    ProxyConfigType,
    ProxyConfigYaml,
    ProxyConfigUpstream,
    ProxyConfigIsDir,
    ProxyConfigDenied,
    ProxyConfigMissing,
    ProxyKeyDenied,
    ProxyCertMissing,
    ProxyCertMismatch,
    ProxyCertSwapped,
    ProxyCertEmpty,
    ProxyKeyEncrypted,
    ProxyPortTaken,
];

/// Faults that end an MCP server, or keep it from being reached.
const ENDS_SERVER: &[RuleId] = &[
    McpSdkV2,
    McpV2Ctor,
    UpstreamPortInUse,
    UpstreamStdio,
    UpstreamScriptMissing,
    PipNoIndex,
    UpstreamTraceback,
    UpstreamBindLoopback,
];

/// Faults that end cloudflared, or keep it from the edge.
const ENDS_AGENT: &[RuleId] = &[
    TokenMissing,
    TokenPlaceholder,
    TokenMalformed,
    TokenFileUnreadable,
    TokenRegionConflict,
    TokenRejected,
    OriginUrlInvalid,
    MetricsPort,
    EdgeDnsFailed,
    EdgeNoAddresses,
    EdgeUnreachable,
    EdgeNetworkUnreachable,
    EdgeEgressDeniedLocally,
    EdgeTlsIntercepted,
    EdgeRegistrationTimeout,
    EdgeQuicBlocked,
    EdgeTcpBlocked,
    ClockSkew,
    EdgeConnLost,
];

rules! {
    DockerMissing = "docker-missing" {
        layer: Host,
        severity: Error,
        docs: DOCKER,
        title: "Docker is not installed",
        symptom: "`docker: command not found`",
        cause: "no program `docker` was found on PATH",
        fix: "install Docker Engine (Linux) or Docker Desktop (macOS, Windows with WSL), then run the command again",
    }
    DockerDaemonDown = "docker-daemon-down" {
        layer: Host,
        severity: Error,
        docs: DOCKER,
        title: "the Docker daemon does not answer",
        symptom: "`Cannot connect to the Docker daemon`",
        cause: "it is not running, or DOCKER_HOST or the Docker context points to another place",
        fix: "start Docker (`sudo systemctl start docker`, or open Docker Desktop); `docker context ls` shows where the client looks",
    }
    DockerPermission = "docker-permission" {
        layer: Host,
        severity: Error,
        docs: POSTINSTALL,
        title: "this user may not talk to the Docker daemon",
        symptom: "`permission denied while trying to connect to the Docker daemon socket`",
        cause: "the socket belongs to root and the group `docker`, and this user is not in it",
        fix: "`sudo usermod -aG docker \"$USER\"`, then log out and in again (`newgrp docker` for this shell)",
    }
    DockerFailed = "docker-failed" {
        layer: Host,
        severity: Error,
        docs: DOCKER,
        title: "a docker command failed",
        symptom: "docker prints an error that is not one of the known ones",
        cause: "see the evidence: these are docker's own words",
        fix: "run the docker command by hand to see all it says, mend that, then run the command again",
    }
    ComposeMissing = "compose-missing" {
        layer: Host,
        severity: Error,
        docs: COMPOSE,
        title: "Docker Compose v2 is not installed",
        symptom: "`docker: 'compose' is not a docker command`",
        cause: "the Compose plugin is a package of its own on many Linux distributions",
        fix: "install the package `docker-compose-plugin` (Docker's repository) or `docker-compose-v2` (Ubuntu)",
    }
    ComposeV1 = "compose-v1" {
        layer: Host,
        severity: Error,
        docs: COMPOSE,
        title: "only Docker Compose v1 (`docker-compose`) is installed",
        symptom: "`docker-compose version 1.29`, and `docker compose` is unknown",
        cause: "v1 has had no updates since 2023, and it cuts cloudflared off whenever the proxy is restarted: it does not follow the proxy into its new network namespace",
        fix: "install Compose v2: the package `docker-compose-plugin` (Docker's repository) or `docker-compose-v2` (Ubuntu); v1 may stay beside it",
    }
    ComposeTooOld = "compose-too-old" {
        layer: Host,
        severity: Error,
        docs: COMPOSE,
        title: "Docker Compose is too old",
        symptom: "`docker compose version` says less than 2.17",
        cause: "before 2.17 a restart of the proxy leaves cloudflared on a dead network namespace",
        fix: "update the Compose plugin to 2.26 or newer",
    }
    ComposeOld = "compose-old" {
        layer: Host,
        severity: Warning,
        docs: COMPOSE,
        title: "Docker Compose is older than what this stack was tried with",
        symptom: "`docker compose version` says 2.17 to 2.25",
        cause: "the token is handed over as a Compose secret from `.env`, which was tried with 2.26 and newer only",
        fix: "update the Compose plugin to 2.26 or newer",
        blocks: false,
    }
    DockerHostNowhere = "docker-host-nowhere" {
        layer: Host,
        severity: Error,
        docs: DOCKER,
        title: "DOCKER_HOST points to a place where no Docker engine answers",
        symptom: "every docker command fails, although Docker runs",
        cause: "the variable in this shell wins over the Docker context and over the usual socket; where it points to, nothing answers",
        fix: "`unset DOCKER_HOST` and take it out of the shell's start-up files; or start the engine that it names",
    }
    DockerClientOld = "docker-client-old" {
        layer: Host,
        severity: Error,
        docs: DOCKER,
        title: "the docker client is too old for its engine",
        symptom: "`client version … is too old. Minimum supported API version is …`",
        cause: "client and engine come from different sources, and the engine no longer speaks the client's version of the API",
        fix: "update the docker client: the package `docker-ce-cli` (Docker's repository), or Docker Desktop",
    }
    EngineTooOld = "engine-too-old" {
        layer: Host,
        severity: Error,
        docs: DOCKER,
        title: "the Docker engine is too old",
        symptom: "an engine before 20.10, or `client version … is too new. Maximum supported API version is …`",
        cause: "this stack needs Docker Engine 20.10 or newer: that is what it was run on, and `host.docker.internal` works from there on",
        fix: "update Docker Engine, or Docker Desktop",
    }
    PodmanEngine = "podman-engine" {
        layer: Host,
        severity: Error,
        docs: DOCKER,
        title: "this is Podman, not Docker",
        symptom: "`Emulate Docker CLI using podman`, or an engine that calls itself Podman",
        cause: "cloudflared lives in the proxy's network namespace, and the token is a Compose secret: neither was tried on Podman",
        fix: "install Docker Engine or Docker Desktop; where both are installed, take the `podman-docker` package or DOCKER_HOST away so that `docker` is Docker's",
    }
    EngineRemote = "engine-remote" {
        layer: Host,
        severity: Warning,
        docs: DOCKER,
        title: "the Docker engine runs on another machine",
        symptom: "mounted files are empty directories in the containers",
        cause: "Compose mounts `data/` and `config/` by their paths, and the engine looks for them on its own disk",
        fix: "run the helper on the engine's machine; or switch to a local engine (`docker context use default`, `unset DOCKER_HOST`)",
    }
    DiskLow = "disk-low" {
        layer: Host,
        severity: Warning,
        docs: DOCKER,
        title: "there is little room for images",
        symptom: "`no space left on device` while an image is pulled or built",
        cause: "the images of the stack and the sample's build take several hundred MiB on the engine's disk",
        fix: "make room: `docker system df` shows what takes it, `docker image prune` and `docker builder prune` free what nothing uses",
    }
    GitMissing = "git-missing" {
        layer: Host,
        severity: Note,
        docs: SECURITY,
        title: "git is not installed",
        symptom: "`git: command not found`",
        cause: "whether a deployment directory lies in a work tree that would commit the token can only be asked of git",
        fix: "nothing to do where no git repository is used",
    }
    OpensslMissing = "openssl-missing" {
        layer: Host,
        severity: Note,
        docs: QUICKSTART,
        title: "openssl is not installed",
        symptom: "`openssl: command not found`",
        cause: "the quickstart makes its certificates with it; the helper makes them itself",
        fix: "nothing to do: nothing here needs it",
    }
    DirectoryNotWritable = "directory-not-writable" {
        layer: Host,
        severity: Error,
        docs: QUICKSTART,
        title: "the deployment directory cannot be written",
        symptom: "`permission denied`, `read-only file system`",
        cause: "it belongs to somebody else (files made with sudo belong to root), or its file system is mounted read-only",
        fix: "choose another directory with `--dir`, or take it over: `sudo chown -R \"$USER\" {dir}`",
    }
    DirectoryWithoutModes = "directory-without-modes" {
        layer: Host,
        severity: Error,
        docs: SECURITY,
        title: "the file system of the deployment directory keeps no modes",
        symptom: "`chmod 600` has no effect; on WSL everything below /mnt/c is `rwxrwxrwx`",
        cause: "the CA's key and the token would be readable for everybody on this host: FAT, exFAT, most network shares and Windows drives have no POSIX modes",
        fix: "choose a directory on the system's own disk with `--dir` (in WSL below your Linux home, not below /mnt)",
    }
    DirectorySynced = "directory-synced" {
        layer: Host,
        severity: Warning,
        docs: SECURITY,
        title: "the deployment directory lies in a folder that is copied to a cloud",
        symptom: "Dropbox, OneDrive, iCloud, Google Drive, Nextcloud or Syncthing take it along",
        cause: "the CA's key and the token would leave this host, and a file that the service takes back at the wrong moment breaks the stack",
        fix: "choose a directory outside of it with `--dir`, or exclude this one from the service",
    }
    SelinuxLabels = "selinux-labels" {
        layer: Host,
        severity: Warning,
        docs: COMPOSE_FILE,
        title: "SELinux will keep the containers from the mounted files",
        symptom: "`permission denied` in the proxy's log, although every mode is right",
        cause: "the engine labels its containers, and these mounts do not ask for a label that fits",
        fix: "add `z` to the mount's options (`./data:/data:ro,z`), or `bind: { selinux: z }`",
    }
    UserNamespace = "user-namespace" {
        layer: Host,
        severity: Note,
        docs: DOCKER,
        title: "the engine's users are not this host's users",
        symptom: "a file's owner inside a container differs from the one outside",
        cause: "the engine is rootless or remaps user namespaces, so the container's user 65532 is another one on this host",
        fix: "nothing to do as long as `data/` is 0755 and the server's key 0644, as the helper makes them; do not chown them to 65532",
    }
    ShellVariables = "shell-variables" {
        layer: Host,
        severity: Warning,
        docs: COMPOSE_FILE,
        title: "variables of this shell change what `docker compose` does",
        symptom: "commands typed by hand start other services, another project or another tunnel than the helper does",
        cause: "Compose takes them before the files; the helper runs it without them, a person does not",
        fix: "`unset` them, and take them out of the shell's start-up files",
    }
    ProxyNotUsed = "proxy-not-used" {
        layer: Host,
        severity: Note,
        docs: TROUBLE,
        title: "an HTTP proxy is set, and cloudflared does not use it",
        symptom: "everything else reaches the internet, and the tunnel does not",
        cause: "cloudflared dials the tunnel's edge directly on port 7844; HTTP_PROXY and HTTPS_PROXY have no say in that",
        fix: "if the edge cannot be reached, ask for outbound TCP and UDP 7844 to 198.41.192.0/19; the proxy alone will not do",
    }
    NetworkOverlap = "network-overlap" {
        layer: Host,
        severity: Warning,
        docs: COMPOSE_FILE,
        title: "a Docker network has the addresses of a server behind a route",
        symptom: "calls of that route time out, and the server can be reached from elsewhere",
        cause: "the engine sends what goes to these addresses into its own network instead of out of this host",
        fix: "remove the Docker network if nothing uses it (`docker network rm NAME`), or give the engine other ranges (`default-address-pools` in daemon.json)",
    }
    ClockWrong = "clock-wrong" {
        layer: Host,
        severity: Warning,
        docs: TROUBLE,
        title: "clocks do not agree",
        symptom: "`certificate has expired or is not yet valid`, and certificates that were made just now are refused",
        cause: "this host's clock is wrong, or (Docker Desktop, WSL) the engine's virtual machine lost time while the computer slept",
        fix: "set the clock (`sudo timedatectl set-ntp true`; in WSL `sudo hwclock -s`); restart Docker Desktop if it is the engine's",
    }
    ProjectConflict = "project-conflict" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "another directory runs a stack of the same project name",
        symptom: "containers change or vanish when a stack in another folder is started",
        cause: "Compose knows stacks by their project name only: starting this one would replace the containers of the other",
        fix: "stop the stack in the other directory first (`{helper} down --dir` with that directory); if the directory was moved or deleted, `docker compose -p PROJECT down` with the project name in the evidence",
    }
    ComposeFileMissing = "compose-file-missing" {
        layer: Host,
        severity: Error,
        docs: QUICKSTART,
        title: "there is no compose file",
        symptom: "`no configuration file provided: not found`",
        cause: "the directory was not set up to the end, or it is another one",
        fix: "`{helper} render --dir {dir} --json '{\"sample\":true}'` writes it, with the sample server as the first route",
    }
    ComposeFileShadowed = "compose-file-shadowed" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "another compose file hides docker-compose.yaml",
        symptom: "changes to docker-compose.yaml have no effect; Compose warns `Found multiple config files`",
        cause: "Compose takes compose.yaml, compose.yml and docker-compose.yml before docker-compose.yaml",
        fix: "move the other file away; services of your own belong into docker-compose.override.yaml",
    }
    ComposeFileElsewhere = "compose-file-elsewhere" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "`.env` sends Compose to another file",
        symptom: "`docker compose` starts other services than the ones in this directory's file",
        cause: "COMPOSE_FILE in `.env` wins over every file name",
        fix: "take COMPOSE_FILE out of `.env`; services of your own belong into docker-compose.override.yaml",
    }
    ComposeYamlInvalid = "compose-yaml-invalid" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "a compose file cannot be read",
        symptom: "`yaml: line …`, or `additional properties … not allowed`",
        cause: "a tab, a wrong indentation, a key that stands twice or is misspelt",
        fix: "mend the line in the evidence; `docker compose config -q` in the directory checks it",
    }
    ComposeNameInvalid = "compose-name-invalid" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "a service has a name that Compose refuses",
        symptom: "`additional properties … not allowed`, or `services must be a mapping`",
        cause: "a service's name has letters, digits, `.`, `_` and `-` only, at most 63 of them; any other text there is not shown and not used",
        fix: "rename the service in the file that the evidence names",
    }
    ComposeServiceUndefined = "compose-service-undefined" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "the compose file points to a service that it does not have",
        symptom: "`depends on undefined service`",
        cause: "a service was renamed in one place and not in the other (`mcp-gateway` and `mcp-proxy` are two names of one thing)",
        fix: "use the same name in `services`, `network_mode` and `depends_on`",
    }
    ComposeNetmodeConflict = "compose-netmode-conflict" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "cloudflared has network settings of its own",
        symptom: "`conflicting options: … and the network mode`",
        cause: "cloudflared lives in the proxy's network namespace, so it cannot have `dns`, `extra_hosts`, `ports` or `networks`",
        fix: "move them to the service `{proxy}`",
    }
    ComposeEnvInvalid = "compose-env-invalid" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "`.env` cannot be read by Compose",
        symptom: "`failed to read .env`, `unterminated quoted value`, `unexpected character in variable name`",
        cause: "Compose refuses the whole file for one line: a quote that is not closed, text behind a closing quote, a line that is not NAME=value, or UTF-16 instead of UTF-8",
        fix: "correct the line in the evidence in an editor, and save the file as UTF-8; where the value of TUNNEL_TOKEN is at fault, `{helper} token set --dir {dir}` writes it anew",
    }
    EnvEncoding = "env-encoding" {
        layer: Files,
        severity: Warning,
        docs: COMPOSE_FILE,
        title: "`.env` is not UTF-8",
        symptom: "letters such as `é` show up as `�`",
        cause: "the file was saved as Latin-1 or Windows-1252; Compose passes such bytes on as they are",
        fix: "save `.env` as UTF-8 in an editor",
    }
    ComposeVarUnset = "compose-var-unset" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "Compose found no TUNNEL_TOKEN",
        symptom: "`The \"TUNNEL_TOKEN\" variable is not set. Defaulting to a blank string`",
        cause: "neither the shell nor `.env` beside the compose file has it, or Compose was run from another directory",
        fix: "copy the token from the Console (Connection, eye icon), then run `{helper} token set --dir {dir}` in a terminal of your own; in a stack made by hand, put `TUNNEL_TOKEN=…` into `.env` beside its compose file and run `docker compose up -d` there",
        caused_by: &[&[TokenMissing]],
    }
    ComposeFailed = "compose-failed" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "docker compose failed",
        symptom: "docker compose prints an error that is not one of the known ones",
        cause: "see the evidence: these are Compose's own words",
        fix: "mend what it names, then run the command again",
    }
    BuildFailed = "build-failed" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "an image could not be built",
        symptom: "`failed to solve`, or pip's `No matching distribution found`",
        cause: "while it builds, the sample installs the MCP SDK from a package index; behind a company firewall that needs a mirror or a proxy",
        fix: "put `PIP_INDEX_URL=https://your-mirror/simple` or `HTTPS_PROXY=…` into `.env`, then `{helper} up --dir {dir}`",
    }
    ImageNotFound = "image-not-found" {
        layer: Host,
        severity: Error,
        docs: REFERENCE,
        title: "an image does not exist at the registry",
        symptom: "`manifest unknown`, `not found`",
        cause: "the digest was cut or mistyped, or the image was removed",
        fix: "take the built-in image again: `{helper} render --dir {dir} --json '{\"images\":null}'`",
    }
    ImageRefInvalid = "image-ref-invalid" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "an image name is malformed",
        symptom: "`invalid reference format`",
        cause: "a digest that was cut short, a blank, or an empty variable in `image:`",
        fix: "mend the `image:` line, or take the built-in one: `{helper} render --dir {dir} --json '{\"images\":null}'`",
    }
    RegistryDenied = "registry-denied" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "a registry refuses the pull",
        symptom: "`denied: Permission … denied on resource`, `error getting credentials`",
        cause: "the images are public; stale credentials or a missing credential helper for that registry are in the way",
        fix: "`docker logout us-docker.pkg.dev`, and take the registry out of `credHelpers` in ~/.docker/config.json",
    }
    RegistryRateLimit = "registry-rate-limit" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "Docker Hub's pull limit is reached",
        symptom: "`toomanyrequests: You have reached your pull rate limit`",
        cause: "Docker Hub limits pulls by address, and a company shares one",
        fix: "`docker login`, wait an hour, or name a mirror in `images`",
    }
    RegistryUnreachable = "registry-unreachable" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "the Docker daemon cannot reach a registry",
        symptom: "`Get \"https://…/v2/\": dial tcp …`, a TLS handshake that times out, or `certificate signed by unknown authority`",
        cause: "the daemon pulls, not this shell: its DNS, its proxy settings and its trusted CAs count",
        fix: "give the daemon the company's proxy and CA (systemd drop-in `http-proxy.conf`, or Docker Desktop's settings), or name a mirror in `images`",
    }
    DiskFull = "disk-full" {
        layer: Host,
        severity: Error,
        docs: DOCKER,
        title: "the disk is full",
        symptom: "`no space left on device`",
        cause: "images, build caches and logs of containers have filled the disk that Docker keeps them on",
        fix: "`docker system df` shows what takes the room and `docker system prune` frees what nothing uses; then run the command again",
    }
    PlatformMismatch = "platform-mismatch" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "an image is for another CPU",
        symptom: "`exec format error`, `no matching manifest for linux/arm64`",
        cause: "the pinned image has no build for this machine's architecture",
        fix: "name an image for this architecture in `images`, or turn emulation on (`docker run --privileged --rm tonistiigi/binfmt --install all`)",
    }
    PortConflict = "port-conflict" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "a published port is taken",
        symptom: "`port is already allocated`, `address already in use`",
        cause: "a `ports:` entry; the tunnel needs none",
        fix: "remove `ports:` from the service in the evidence",
    }
    NameConflict = "name-conflict" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "a container name is taken",
        symptom: "`Conflict. The container name … is already in use`",
        cause: "a `container_name:` and an older stack that has it",
        fix: "remove `container_name:`, or the old container (`docker rm -f NAME`)",
    }
    MountTypeMismatch = "mount-type-mismatch" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "a mounted file is a directory",
        symptom: "`Are you trying to mount a directory onto a file`",
        cause: "the file was missing at an earlier start, and Docker made an empty directory of its name",
        fix: "`{helper} down --dir {dir}`, remove the empty directory in the evidence, write the file again (`{helper} render --dir {dir}` with the routes), `{helper} up --dir {dir}`",
    }
    NetworkMissing = "network-missing" {
        layer: Host,
        severity: Error,
        docs: COMPOSE_FILE,
        title: "a Docker network that the proxy should join does not exist",
        symptom: "`network … declared as external, but could not be found`",
        cause: "it was named in `networks` and has not been made, or was removed",
        fix: "start the stack that owns it, or make it (`docker network create NAME`); `{helper} render --dir {dir} --json '{\"networks\":[]}'` does without",
    }
    StackStopped = "stack-stopped" {
        layer: Host,
        severity: Error,
        docs: QUICKSTART,
        title: "the stack is not running",
        symptom: "no containers, or all of them exited",
        cause: "it was never started, or it was stopped",
        fix: "`{helper} up --dir {dir}`",
    }
    ServiceStopped = "service-stopped" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "a container of the stack is not running",
        symptom: "`Exited` or `Created` in `docker compose ps`, or the service is missing there",
        cause: "it was stopped by hand, or it ended and is not started again",
        fix: "`{helper} up --dir {dir}`",
        caused_by: &[ENDS_PROXY, ENDS_SERVER, ENDS_AGENT, &[OutOfMemory, PlatformMismatch]],
    }
    ServiceUnhealthy = "service-unhealthy" {
        layer: Host,
        severity: Warning,
        docs: COMPOSE_FILE,
        title: "a container's health check fails",
        symptom: "`(unhealthy)` in `docker compose ps`",
        cause: "the program runs, and the command of its `healthcheck:` fails; what that printed last is in the evidence",
        fix: "mend what the check complains of, or the check itself, then `{helper} up --dir {dir}`",
    }
    ComposeOrphans = "compose-orphans" {
        layer: Host,
        severity: Note,
        docs: COMPOSE_FILE,
        title: "a container runs whose service the files no longer have",
        symptom: "`Found orphan containers`",
        cause: "the service was renamed or removed; Compose leaves its container alone",
        fix: "if nobody needs it: `docker compose up -d --remove-orphans` in {dir}",
    }
    ImageAbsent = "image-absent" {
        layer: Host,
        severity: Note,
        docs: DOCKER,
        title: "an image of the stack is not on this host yet",
        symptom: "the first start pulls it",
        cause: "it was never pulled, or was removed",
        fix: "`{helper} up --dir {dir}` pulls it",
    }
    NotLive = "not-live" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "the tunnel did not become live in time",
        symptom: "`up` or `restart` ends before everything is there",
        cause: "what is still missing stands in the evidence; other findings may say why",
        fix: "look again with `{helper} status --dir {dir} --json '{\"wait_seconds\":60}'`; if it stays so, mend what the other findings say",
    }
    CrashLoop = "crash-loop" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "a container starts and dies, again and again",
        symptom: "`Restarting (N)` in `docker compose ps`",
        cause: "the program in it ends right after its start; the last line that it printed is in the evidence",
        fix: "mend what the line says, then `{helper} restart --dir {dir}`",
        caused_by: &[ENDS_PROXY, ENDS_SERVER, ENDS_AGENT, &[OutOfMemory, PlatformMismatch, UpstreamCaMissing]],
    }
    NetnsOwnerNotRunning = "netns-owner-not-running" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "cloudflared waits for a proxy that was not running",
        symptom: "cloudflared is `Created` and logs nothing; `Container … is restarting, wait until the container is running`",
        cause: "cloudflared lives in the proxy's network namespace, so it was never started while the proxy crashed, and nothing starts it later by itself",
        fix: "mend the proxy first if it still crashes, then `{helper} restart --dir {dir}`",
        cure: Cure::Restart,
        caused_by: &[ENDS_PROXY, &[UpstreamCaMissing, PlatformMismatch, OutOfMemory, ImageNotFound, RegistryUnreachable, PortConflict, NameConflict]],
    }
    ProxyNetnsOrphaned = "proxy-netns-orphaned" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "cloudflared is cut off: it lives in a network namespace that the proxy has left",
        symptom: "everything is `Up`, and every call fails; cloudflared says `network is unreachable`",
        cause: "the proxy died or was restarted alone and got a new network namespace; cloudflared kept the old one, which leads nowhere",
        fix: "`{helper} restart --dir {dir}` (a plain `docker compose up -d` does not see it)",
        cure: Cure::Restart,
        caused_by: &[ENDS_PROXY, &[OutOfMemory]],
    }
    OutOfMemory = "out-of-memory" {
        layer: Host,
        severity: Error,
        docs: TROUBLE,
        title: "a container was killed for its memory",
        symptom: "`OOMKilled` in `docker inspect`, exit code 137",
        cause: "it used more than its limit, or the machine had none left",
        fix: "raise the service's `mem_limit` in docker-compose.override.yaml, or give the machine (on macOS and Windows: Docker Desktop's virtual machine) more memory",
    }
    GitTracked = "git-tracked" {
        layer: Host,
        severity: Error,
        docs: SECURITY,
        title: "git has a file with a secret",
        symptom: "`git ls-files` lists it",
        cause: "it was added before it was ignored",
        fix: "`git rm --cached FILE` and commit; if the repository was ever pushed, rotate the token in the Console",
        blocks: false,
    }
    GitNotIgnored = "git-not-ignored" {
        layer: Host,
        severity: Warning,
        docs: SECURITY,
        title: "git would commit a file with a secret",
        symptom: "`git status` lists it as untracked",
        cause: "no .gitignore keeps it out",
        fix: "`{helper} init --dir {dir} --json '{\"domain\":\"{domain}\"}'` mends the directory's .gitignore; look for a `!` line there that undoes it",
        blocks: false,
    }
    TokenShadowed = "token-shadowed" {
        layer: Host,
        severity: Warning,
        docs: CONSOLE,
        title: "TUNNEL_TOKEN is exported in this shell, and differs from `.env`",
        symptom: "after a rotation the old token stays in use when Compose is run by hand",
        cause: "for `docker compose` a variable of the shell wins over `.env`; the helper runs it without, a person does not",
        fix: "`unset TUNNEL_TOKEN`, and take it out of the shell's start-up files",
        blocks: false,
    }
    DirectoryOpen = "directory-open" {
        layer: Host,
        severity: Warning,
        docs: SECURITY,
        title: "other users of this machine can enter the deployment directory",
        symptom: "`ls -ld` shows more than `drwx------`",
        cause: "`data/tls.key` is readable for the container's user, and the closed directory around it is what keeps others out",
        fix: "`chmod 700 {dir}`",
        blocks: false,
    }
    EnvMissing = "env-missing" {
        layer: Files,
        severity: Error,
        docs: QUICKSTART,
        title: "there is no `.env`",
        symptom: "`The TUNNEL_TOKEN variable is not set`",
        cause: "Compose takes domain and token from it",
        fix: "`{helper} init --dir {dir} --json '{\"domain\":\"{domain}\"}'` writes it, then `{helper} token set --dir {dir}`",
    }
    EnvReadable = "env-readable" {
        layer: Files,
        severity: Warning,
        docs: SECURITY,
        title: "others can read the token",
        symptom: "`.env` has a mode wider than 0600",
        cause: "it was made or copied with the usual mode for files",
        fix: "`chmod 600 {dir}/.env`",
        blocks: false,
    }
    EnvWritable = "env-writable" {
        layer: Files,
        severity: Error,
        docs: SECURITY,
        title: "others can write `.env`",
        symptom: "`.env` is writable for its group or everyone",
        cause: "who can write it can point the tunnel to another one",
        fix: "`chmod 600 {dir}/.env`, and check what it says",
        blocks: false,
    }
    KeyReadable = "key-readable" {
        layer: Files,
        severity: Warning,
        docs: SECURITY,
        title: "others can read the CA's private key",
        symptom: "`data/ca.key` has a mode wider than 0600",
        cause: "whoever has it can make certificates that Anthropic's side accepts for this tunnel",
        fix: "`chmod 600 {dir}/data/ca.key`; if others may have read it, make a new CA and register it",
        blocks: false,
    }
    KeyWritable = "key-writable" {
        layer: Files,
        severity: Error,
        docs: SECURITY,
        title: "others can replace a private key",
        symptom: "a key in `data/` is writable for its group or everyone",
        cause: "who can write it decides which certificates this host makes and shows",
        fix: "take the write permission away (`chmod go-w FILE`), then check the certificates",
        blocks: false,
    }
    DomainMismatch = "domain-mismatch" {
        layer: Files,
        severity: Error,
        docs: QUICKSTART,
        title: "the files name different tunnels",
        symptom: "`no route for host` for every call, or `bad certificate`",
        cause: "`.env`, the proxy's `tunnel_domain` and the certificate must all say the domain that the Console shows",
        fix: "keep one directory a tunnel; put the Console's domain into the file in the evidence",
    }
    DomainUnusual = "domain-unusual" {
        layer: Files,
        severity: Warning,
        docs: QUICKSTART,
        title: "the domain does not look like a tunnel's",
        symptom: "the CA cannot be registered, or calls from Claude never arrive",
        cause: "a tunnel's domain looks like `abcd1234.tunnel.anthropic.com`; this one ends in something else and may be mistyped, and everything in the directory is made for it",
        fix: "compare it with the Domain that the Console shows under Connection; if it is wrong and its CA is not registered yet, delete {dir} and run `init` again with the right one; if it is right, go on",
    }
    EditKept = "edit-kept" {
        layer: Files,
        severity: Note,
        docs: REFERENCE,
        title: "a file was edited by hand and is kept",
        symptom: "`render` leaves it as it is",
        cause: "its content differs from what the helper wrote; what was asked for it says already",
        fix: "nothing to do; `{helper} render --dir {dir} --json '{\"overwrite\":true}'` would write it anew and keep the old one aside",
    }
    EditBlocksChange = "edit-blocks-change" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "a file was edited by hand, so the change was not made",
        symptom: "`render` leaves all files as they are",
        cause: "its content differs from what the helper wrote, and the helper does not overwrite a person's work",
        fix: "make the change in that file by hand (the diff shows it), or run the command again with \"overwrite\": true, which keeps the old file aside",
    }
    ForeignDeployment = "foreign-deployment" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "the compose file here was not written by the helper",
        symptom: "`render` writes nothing",
        cause: "this stack was set up by hand; the helper checks, starts and watches it, but does not rewrite it unasked",
        fix: "change routes in the stack's own configuration and run `{helper} restart --dir {dir}`; or `{helper} render --dir {dir} --json '{\"overwrite\":true}'` to go over to the helper's stack, with the same routes and the old files kept aside",
    }
    ForeignReplaced = "foreign-replaced" {
        layer: Files,
        severity: Warning,
        docs: REFERENCE,
        title: "a stack made by hand was replaced by the helper's",
        symptom: "services of the old file are missing, or the old stack still runs beside the new one",
        cause: "the helper's stack has a project name of its own, and none of the old file's other services",
        fix: "stop the old stack (the command is in `next`), and copy the services in the evidence from the file that was kept aside into docker-compose.override.yaml",
    }
    ConfigNotApplied = "config-not-applied" {
        layer: Files,
        severity: Warning,
        docs: REFERENCE,
        title: "the proxy runs with an older configuration",
        symptom: "a new route answers `No route configured for host`",
        cause: "the proxy reads its configuration only when it starts",
        fix: "`{helper} restart --dir {dir}`",
        cure: Cure::Restart,
    }
    TokenNotApplied = "token-not-applied" {
        layer: Files,
        severity: Warning,
        docs: CONSOLE,
        title: "cloudflared runs with another token than `.env` has",
        symptom: "after a rotation the tunnel stays on the old token, or goes down",
        cause: "the token is copied into the container when it is made; a restart keeps the old one",
        fix: "`{helper} restart --dir {dir}`",
        cure: Cure::Restart,
    }
    ImageUnpinned = "image-unpinned" {
        layer: Files,
        severity: Warning,
        docs: SECURITY,
        title: "an image is not pinned by its digest",
        symptom: "another image may run after the next pull",
        cause: "a tag can be moved to another image at any time",
        fix: "name it with `@sha256:…`; `docker image inspect --format '{{.RepoDigests}}' IMAGE` shows the digest",
        blocks: false,
    }
    NetworkModeMissing = "network-mode-missing" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "cloudflared does not share the proxy's network namespace",
        symptom: "`Unable to reach the origin service … 127.0.0.1:8080: connect: connection refused`",
        cause: "cloudflared dials localhost, and only in the proxy's namespace does the proxy listen there",
        fix: "give `{cloudflared}` the line `network_mode: \"service:{proxy}\"`",
    }
    DependsOnPlain = "depends-on-plain" {
        layer: Files,
        severity: Warning,
        docs: COMPOSE_FILE,
        title: "a restart of the proxy will cut cloudflared off",
        symptom: "calls fail after `docker compose restart {proxy}`",
        cause: "a `depends_on` list replaces the rule by which Compose restarts cloudflared together with the proxy",
        fix: "write `depends_on: { {proxy}: { condition: service_started, restart: true } }`, or leave it out",
        blocks: false,
    }
    TokenInClear = "token-in-clear" {
        layer: Files,
        severity: Warning,
        docs: SECURITY,
        title: "the token shows in `docker inspect`",
        symptom: "TUNNEL_TOKEN stands in the service's environment",
        cause: "everybody who may talk to Docker, and every tool that dumps container settings, sees it",
        fix: "hand it over as a Compose secret: `{helper} render --dir {dir} --json '{\"overwrite\":true}'` does",
        blocks: false,
    }
    TokenInFile = "token-in-file" {
        layer: Files,
        severity: Error,
        docs: SECURITY,
        title: "the token stands in the compose file",
        symptom: "a value that begins with `eyJ` in the file",
        cause: "the file is made to be shared and committed",
        fix: "put the token into `.env` (`{helper} token set --dir {dir}`), take it out of the file, and rotate it if the file was ever shared",
        blocks: false,
    }
    PortsPublished = "ports-published" {
        layer: Files,
        severity: Warning,
        docs: SECURITY,
        title: "a service of the stack publishes a port",
        symptom: "`ports:` in the compose file",
        cause: "the tunnel needs no inbound port: the proxy dials out, and upstreams are reached inside Docker's network",
        fix: "remove `ports:`",
        blocks: false,
    }
    ProxyConfigMissing = "proxy-config-missing" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "the proxy's configuration is missing",
        symptom: "`open /etc/mcp-gateway/config.yaml: no such file or directory`",
        cause: "it was not written yet, or the mount's target is not where the proxy's image looks",
        fix: "`{helper} render --dir {dir} --json '{\"sample\":true}'` writes it; in a compose file of your own mount it at /etc/mcp-gateway/config.yaml",
    }
    ProxyConfigIsDir = "proxy-config-is-dir" {
        layer: Files,
        severity: Error,
        docs: TROUBLE,
        title: "the proxy's configuration is a directory",
        symptom: "`read /etc/mcp-gateway/config.yaml: is a directory`",
        cause: "the file was missing when the stack was started, and Docker made an empty directory of its name",
        fix: "`{helper} down --dir {dir}`, remove the empty directory, write the file again with the routes, which are lost (`{helper} render --dir {dir} --json '{\"routes\":{\"NAME\":\"http://HOST:PORT\"}}'`), `{helper} up --dir {dir}`",
    }
    MountMissing = "mount-missing" {
        layer: Files,
        severity: Error,
        docs: TROUBLE,
        title: "a file that a service mounts is missing, or an empty directory stands in its place",
        symptom: "no message at all; later `is a directory`, `can't find '__main__' module`, or a file that is not there",
        cause: "when the source of a bind mount is missing, Docker makes an empty directory of its name, owned by root",
        fix: "stop the stack, remove the empty directory, put the file there, then `{helper} up --dir {dir}`",
    }
    ProxyConfigDenied = "proxy-config-denied" {
        layer: Files,
        severity: Error,
        docs: TROUBLE,
        title: "the proxy may not read its configuration",
        symptom: "`open /etc/mcp-gateway/config.yaml: permission denied`",
        cause: "the container runs as user 65532; on SELinux hosts the mount also needs a label (`:z`)",
        fix: "`chmod 644` the file and `chmod 755` its folder",
    }
    ProxyConfigYaml = "proxy-config-yaml" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "the proxy's configuration is not valid YAML",
        symptom: "`yaml: line N: …`",
        cause: "a tab, or a wrong indentation",
        fix: "mend the line in the evidence (blanks, no tabs), then `{helper} restart --dir {dir}`",
    }
    ProxyConfigRoutesList = "proxy-config-routes-list" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "`routes` is a list; the proxy wants a map",
        symptom: "`cannot unmarshal !!seq into map[string]string`",
        cause: "each route is one line `name: scheme://host:port`, without a dash in front",
        fix: "write `routes:` and below it `  echo: http://hello-mcp:9000`, then `{helper} restart --dir {dir}`",
    }
    ProxyConfigType = "proxy-config-type" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "a field of the proxy's configuration has the wrong type",
        symptom: "`cannot unmarshal !!… into …`, `field … not found`",
        cause: "see the evidence",
        fix: "mend the line, then `{helper} restart --dir {dir}`",
    }
    ProxyConfigUpstream = "proxy-config-upstream" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "a route does not lead to scheme://host:port",
        symptom: "`invalid upstream (must be scheme://host:port)`",
        cause: "a path (even `/`), or no port",
        fix: "write `http://host:9000`; the path belongs into the URL that Claude calls",
    }
    ProxyConfigRoutesEmpty = "proxy-config-routes-empty" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "the proxy's configuration has no route",
        symptom: "every call answers `No route configured for host`",
        cause: "`routes` is missing or empty",
        fix: "`{helper} render --dir {dir} --json '{\"routes\":{\"NAME\":\"http://HOST:PORT\"}}'`",
    }
    RouteNameInvalid = "route-name-invalid" {
        layer: Files,
        severity: Warning,
        docs: REFERENCE,
        title: "a route's name can be no host name",
        symptom: "the route never answers",
        cause: "a route's name is the label in front of the domain: small letters, digits and `-`, and the wildcard certificate covers one label only",
        fix: "rename the route",
    }
    ProxyKeyDenied = "proxy-key-denied" {
        layer: Files,
        severity: Error,
        docs: TROUBLE,
        title: "the proxy may not read the server key",
        symptom: "`open /data/tls.key: permission denied`",
        cause: "the container runs as user 65532, and the key is readable for its owner only",
        fix: "`chmod 644 {dir}/data/tls.key`; the closed directory around it keeps others on this host out",
    }
    ProxyCertMissing = "proxy-cert-missing" {
        layer: Files,
        severity: Error,
        docs: QUICKSTART,
        title: "the server certificate or its key is missing",
        symptom: "`open /data/tls.crt: no such file or directory`",
        cause: "certificates were not issued yet, or one of the two files was removed",
        fix: "`{helper} certs issue --dir {dir}` makes what can be made again; a certificate whose key is lost must be moved away first",
    }
    ProxyCertMismatch = "proxy-cert-mismatch" {
        layer: Files,
        severity: Error,
        docs: TROUBLE,
        title: "the server certificate and its key do not belong together",
        symptom: "`tls: private key does not match public key`",
        cause: "one of the two files was replaced and the other was not",
        fix: "move data/tls.crt away, then `{helper} certs issue --dir {dir}` issues one for the key that is there",
    }
    ProxyCertSwapped = "proxy-cert-swapped" {
        layer: Files,
        severity: Error,
        docs: TROUBLE,
        title: "certificate and key are swapped",
        symptom: "`failed to find certificate PEM data in certificate input, but did find a private key`",
        cause: "each file holds what the other should",
        fix: "swap data/tls.crt and data/tls.key back",
    }
    ProxyCertEmpty = "proxy-cert-empty" {
        layer: Files,
        severity: Error,
        docs: TROUBLE,
        title: "a certificate file does not hold what it should",
        symptom: "`tls: failed to find any PEM data`",
        cause: "it is empty, cut short, DER instead of PEM, or a signing request instead of a certificate",
        fix: "move the file in the evidence away, then `{helper} certs issue --dir {dir}`",
    }
    ProxyKeyEncrypted = "proxy-key-encrypted" {
        layer: Files,
        severity: Error,
        docs: TROUBLE,
        title: "the server key has a passphrase",
        symptom: "`tls: failed to parse private key`",
        cause: "nobody can type it in when the proxy starts",
        fix: "`openssl pkey -in data/tls.key -out data/tls.key.plain`, then put that file in its place",
    }
    CaMissing = "ca-missing" {
        layer: Files,
        severity: Error,
        docs: QUICKSTART,
        title: "the CA certificate is missing",
        symptom: "there is no `data/ca.crt`",
        cause: "certificates were not issued yet, or the file was removed",
        fix: "put the registered ca.crt back; with `data/ca.key` there, `{helper} certs issue --dir {dir}` makes it again; if both are lost, move data/tls.crt away too, and it makes a new CA, which must be registered",
    }
    CaUnusable = "ca-unusable" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "`data/ca.crt` is not a certificate",
        symptom: "the Console refuses the file",
        cause: "see the evidence",
        fix: "put the registered certificate back into data/ca.crt",
    }
    CaUnfit = "ca-unfit" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "the CA certificate does not meet the tunnel's requirements",
        symptom: "the Console refuses it, or every call fails with `tls handshake failed`",
        cause: "see the evidence: the requirement and what was found",
        fix: "`{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` makes a CA that does, to be registered in the Console",
    }
    CaExpired = "ca-expired" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "the CA certificate is not in date",
        symptom: "every call fails with `tls handshake failed`",
        cause: "its validity is over or has not begun; a wrong clock looks the same",
        fix: "check this machine's clock; then `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` makes a new CA to be registered beside the old one (a tunnel holds two)",
    }
    CaEndsFirst = "ca-ends-first" {
        layer: Tls,
        severity: Warning,
        docs: REFERENCE,
        title: "the server certificate ends early, because the CA does",
        symptom: "it is valid for fewer days than were asked for",
        cause: "a certificate is worth nothing after the end of the CA that signed it",
        fix: "`{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` before that day: it makes a new CA to be registered beside the old one (a tunnel holds two)",
    }
    CaExpiresSoon = "ca-expires-soon" {
        layer: Tls,
        severity: Warning,
        docs: REFERENCE,
        title: "the CA certificate ends soon",
        symptom: "every call will fail with `tls handshake failed`",
        cause: "a CA has an end, and the server certificate cannot outlive it",
        fix: "`{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` makes a new one beside it; no call is lost on the way",
    }
    CertsNotVerifiable = "certs-not-verifiable" {
        layer: Tls,
        severity: Warning,
        docs: REFERENCE,
        title: "some certificates meet the requirements, but cannot be verified here",
        symptom: "rows of `certs check` are skipped",
        cause: "their kind of key or signature (ECDSA P-521, RSA over 4096 bits and the like) is one that this helper's verifier does not know",
        fix: "try a call from Claude; to be sure, use ECDSA P-256 as `certs issue` does",
    }
    TlsHandshake = "tls-handshake" {
        layer: Tls,
        severity: Error,
        docs: REFERENCE,
        title: "a TLS handshake with these certificates fails",
        symptom: "every call fails with `tls handshake failed`",
        cause: "a client that trusts only data/ca.crt refuses data/tls.crt; see the evidence for its words",
        fix: "mend what the other findings say; else `{helper} certs renew --dir {dir} --json '{\"force\":true}'`",
        caused_by: &[&[TlsExpired, ServerUnfit, TlsUnknownCa, CaExpired, CaUnfit, TlsBadCert]],
    }
    CertsRotationOpen = "certs-rotation-open" {
        layer: Files,
        severity: Note,
        docs: CONSOLE,
        title: "a change of the CA is under way",
        symptom: "files `ca-next` or `ca-old` in `data/`",
        cause: "it has steps that wait for the Console or for traffic",
        fix: "`{helper} certs rotate-ca --dir {dir}` says where it stands and what is next",
    }
    CaKeyMissing = "ca-key-missing" {
        layer: Files,
        severity: Note,
        docs: SECURITY,
        title: "the CA's private key is not on this host",
        symptom: "there is no `data/ca.key`",
        cause: "it was moved to a safer place, or lost; nothing that runs needs it",
        fix: "nothing to do until the server certificate is to be issued anew: bring data/ca.key back for that",
    }
    CaKeyNeeded = "ca-key-needed" {
        layer: Files,
        severity: Error,
        docs: SECURITY,
        title: "a server certificate cannot be issued without the CA's private key",
        symptom: "there is no `data/ca.key`",
        cause: "the registered CA's key is elsewhere, or lost",
        fix: "bring data/ca.key back and run the command again; if it is lost, `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` changes to a new CA without losing a call",
    }
    CaKeyUnusable = "ca-key-unusable" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "`data/ca.key` cannot be used",
        symptom: "no certificate can be issued",
        cause: "see the evidence",
        fix: "put the CA's unencrypted key back into data/ca.key (`openssl pkey -in KEY -out data/ca.key` takes a passphrase off)",
    }
    CaKeyMismatch = "ca-key-mismatch" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "`data/ca.key` is not the key of `data/ca.crt`",
        symptom: "certificates issued with it are not trusted",
        cause: "one of the two was replaced",
        fix: "put the one that belongs to the registered CA back",
    }
    ServerUnfit = "server-unfit" {
        layer: Files,
        severity: Error,
        docs: REFERENCE,
        title: "the server certificate does not meet the tunnel's requirements",
        symptom: "every call fails with `tls handshake failed`",
        cause: "see the evidence: the requirement and what was found",
        fix: "move data/tls.crt and data/tls.key away, then `{helper} certs issue --dir {dir}`",
    }
    TokenMissing = "token-missing" {
        layer: Edge,
        severity: Error,
        docs: CONSOLE,
        title: "there is no token",
        symptom: "`\"cloudflared tunnel run\" requires the ID or name of the tunnel`, exit code 255",
        cause: "`TUNNEL_TOKEN` in `.env` is empty or not there",
        fix: "copy the token from the Console (Connection, eye icon), then run `{helper} token set --dir {dir}` in a terminal of your own",
        caused_by: &[&[EnvMissing]],
    }
    TokenPlaceholder = "token-placeholder" {
        layer: Edge,
        severity: Error,
        docs: CONSOLE,
        title: "the token was not put in yet",
        symptom: "`Provided Tunnel token is not valid.`, exit code 255",
        cause: "`.env` still has the placeholder",
        fix: "copy the token from the Console (Connection, eye icon), then run `{helper} token set --dir {dir}` in a terminal of your own",
    }
    TokenMalformed = "token-malformed" {
        layer: Edge,
        severity: Error,
        docs: CONSOLE,
        title: "this is not a tunnel's token",
        symptom: "`Provided Tunnel token is not valid.`, exit code 255",
        cause: "see the evidence",
        fix: "copy the token again from the Console: one line, no quotes, it begins with `eyJ`; then run `{helper} token set --dir {dir}` in a terminal of your own",
    }
    TokenFileUnreadable = "token-file-unreadable" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "cloudflared cannot read the file that its token is in",
        symptom: "`Failed to read token file`",
        cause: "`TUNNEL_TOKEN_FILE` names a file that is not in the container, or that user 65532 may not read",
        fix: "let `{helper} render --dir {dir}` write the compose file: it hands the token over as a secret; in a file of your own, mount it where TUNNEL_TOKEN_FILE says, readable for user 65532",
    }
    TokenRegionConflict = "token-region-conflict" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "a region is set, and the token names another way in",
        symptom: "`region provided with a token that has an endpoint`",
        cause: "`--region` or TUNNEL_REGION was given together with a token that brings its own endpoint",
        fix: "take `--region` and TUNNEL_REGION away, then `{helper} restart --dir {dir}`",
    }
    TokenRejected = "token-rejected" {
        layer: Edge,
        severity: Error,
        docs: CONSOLE,
        title: "the tunnel's edge refuses the token",
        symptom: "`Unauthorized: Invalid tunnel secret`; over QUIC only `control stream encountered a failure while serving`",
        cause: "the token was rotated, the tunnel was archived, or the token is another tunnel's",
        fix: "copy the current token from the Console, `{helper} token set --dir {dir}`, then `{helper} restart --dir {dir}`",
        caused_by: &[&[TokenNotApplied]],
    }
    EdgeRegistrationTimeout = "edge-registration-timeout" {
        layer: Edge,
        severity: Warning,
        docs: TROUBLE,
        title: "the tunnel's edge does not answer registrations in time",
        symptom: "`control stream encountered a failure while serving` about five seconds after each dial",
        cause: "the edge is slow, or a middlebox lets the handshake pass and stalls what follows",
        fix: "wait for a minute; if it stays so, go over TCP: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'`, then `{helper} restart --dir {dir}`",
    }
    EdgeNotRegistered = "edge-not-registered" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "cloudflared has no connection to the tunnel's edge",
        symptom: "no `Registered tunnel connection` in its log",
        cause: "outbound UDP and TCP 7844 are blocked, DNS does not answer, or the edge refuses the token; the last lines of its log are in the evidence",
        fix: "allow outbound TCP and UDP 7844 to 198.41.192.0/19; behind a firewall that drops UDP, `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'` and `{helper} restart --dir {dir}`",
        caused_by: &[&[ProxyNetnsOrphaned, NetnsOwnerNotRunning], ENDS_AGENT],
    }
    EdgePartial = "edge-partial" {
        layer: Edge,
        severity: Warning,
        docs: TROUBLE,
        title: "cloudflared has fewer connections to the edge than it wants",
        symptom: "fewer than four `Registered tunnel connection`",
        cause: "some paths to the edge are blocked, or it is still connecting; calls work over the others",
        fix: "look again in a minute (`{helper} status --dir {dir}`); if it stays so, allow outbound TCP and UDP 7844 to 198.41.192.0/19",
        caused_by: &[&[EdgeConnLost]],
    }
    EdgeFewAddresses = "edge-few-addresses" {
        layer: Edge,
        severity: Note,
        docs: TROUBLE,
        title: "DNS named fewer addresses of the edge than cloudflared wants connections",
        symptom: "`You requested 4 HA connections but I can give you at most 2`",
        cause: "the resolver returns a part of the records only; the connections that there are carry every call",
        fix: "nothing to do while calls pass; another resolver (`dns:` of the service `{proxy}`) may return all of them",
    }
    EdgeConnLost = "edge-conn-lost" {
        layer: Edge,
        severity: Warning,
        docs: TROUBLE,
        title: "connections to the tunnel's edge were lost",
        symptom: "`Lost connection with the edge`, `failed to accept QUIC stream: timeout: no recent network activity`",
        cause: "the network went away for a while, the machine slept, or the edge is maintained; cloudflared dials again by itself",
        fix: "nothing to do if they come back within two minutes; else look at this machine's network, then `{helper} restart --dir {dir}`",
        caused_by: &[&[ProxyNetnsOrphaned]],
    }
    EdgeUnreachable = "edge-unreachable" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "outbound UDP and TCP 7844 are blocked",
        symptom: "cloudflared never gets a connection: its QUIC and TCP attempts on port 7844 all fail",
        cause: "a firewall on this host or on the way lets neither out; the tunnel has no other port, and cloudflared uses no HTTP proxy for it",
        fix: "allow outbound TCP 7844 (and UDP 7844, which is faster) to 198.41.192.0/19 and 2606:4700:a0::/44; `{helper} preflight` shows what is open; with TCP alone `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'` saves the attempt over UDP",
    }
    EdgeNetworkUnreachable = "edge-network-unreachable" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "the container has no way to the network",
        symptom: "`network is unreachable` from the first attempt on",
        cause: "its Docker network is `internal: true`, or the addresses are of a family (IPv6) that this host has no route for",
        fix: "give the service `{proxy}` a network that is not internal, or set `--edge-ip-version 4` in cloudflared's command",
    }
    EdgeNoAddresses = "edge-no-addresses" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "DNS gave no address of the edge that can be used here",
        symptom: "`there are no free edge addresses left to resolve to`",
        cause: "the resolver answers with one address family only and this host has the other, or something rewrites the answers",
        fix: "mend the resolver, or name the family in cloudflared's command: `--edge-ip-version 4`",
    }
    EdgeEgressDeniedLocally = "edge-egress-denied-locally" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "a firewall on this very host refuses the packets",
        symptom: "`sendmsg: operation not permitted`",
        cause: "iptables, nftables, ufw or a security profile drops outbound UDP 7844 on this machine, not on the way",
        fix: "allow outbound UDP and TCP 7844 in this machine's firewall; or go over TCP at once: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'` and `{helper} restart --dir {dir}`",
    }
    EdgeTlsIntercepted = "edge-tls-intercepted" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "something on the way answers in the edge's place",
        symptom: "`certificate signed by unknown authority` or a broken TLS handshake on port 7844",
        cause: "a firewall or proxy that inspects TLS ends the connection itself",
        fix: "have 198.41.192.0/19 port 7844 (names under argotunnel.com and cftunnel.com) exempted from TLS inspection",
    }
    ClockSkew = "clock-skew" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "this machine's clock and the edge's certificate do not agree",
        symptom: "`certificate has expired or is not yet valid: current time …`",
        cause: "the clock is wrong (a virtual machine that slept, no time service); if it is right, an inspecting proxy shows an old certificate",
        fix: "compare `date -u` with the real time and start the time service (restart Docker Desktop on macOS and Windows); if the clock is right, have port 7844 exempted from TLS inspection",
    }
    EdgeQuicBlocked = "edge-quic-blocked" {
        layer: Edge,
        severity: Warning,
        docs: TROUBLE,
        title: "outbound UDP 7844 looks blocked",
        symptom: "`failed to dial to edge with quic: timeout: no recent network activity`",
        cause: "a firewall drops it; cloudflared falls back to HTTP/2 over TCP by itself, which takes it two minutes or more",
        fix: "allow outbound UDP 7844, or skip the attempt: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'`, then `{helper} restart --dir {dir}`",
        caused_by: &[&[EdgeUnreachable, ProxyNetnsOrphaned]],
    }
    EdgeTcpBlocked = "edge-tcp-blocked" {
        layer: Edge,
        severity: Warning,
        docs: TROUBLE,
        title: "outbound TCP 7844 looks blocked",
        symptom: "`DialContext error: dial tcp …:7844: i/o timeout`",
        cause: "a firewall drops or refuses it",
        fix: "allow outbound TCP 7844 to 198.41.192.0/19",
        caused_by: &[&[EdgeUnreachable, ProxyNetnsOrphaned]],
    }
    NetworkDown = "network-down" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "this host has no way to the internet",
        symptom: "`network is unreachable` for every address",
        cause: "there is no network connection, no default route, or a firewall on this host refuses everything",
        fix: "connect the host, then look again; `ip route` (macOS: `netstat -rn`) shows whether there is a default route",
    }
    CaptivePortal = "captive-portal" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "somebody else answers for every server",
        symptom: "a sign-in page of the hotel, the guest network or the company",
        cause: "the network answers itself until somebody signs in",
        fix: "open any page in a browser, sign in to the network, then look again",
    }
    TlsInspected = "tls-inspected" {
        layer: Edge,
        severity: Warning,
        docs: TROUBLE,
        title: "a proxy on the way opens TLS connections",
        symptom: "`certificate signed by unknown authority` from docker, pip or cloudflared",
        cause: "the certificates come from a private CA and not from a public one: a company firewall or a virus scanner reads along",
        fix: "pulls and builds need that CA in the Docker daemon's trust store; ask for port 7844 to 198.41.192.0/19 to be left alone, because cloudflared accepts nobody else's certificate there",
    }
    RegistryBlocked = "registry-blocked" {
        layer: Edge,
        severity: Warning,
        docs: TROUBLE,
        title: "an image registry cannot be reached from this host",
        symptom: "`docker compose up` fails while it pulls",
        cause: "a firewall, DNS or a proxy is in the way; what counts in the end is the Docker daemon's own way out",
        fix: "allow outbound TCP 443 to the registry, give the daemon the company's proxy, or name a mirror in `images`",
    }
    ApiUnreachable = "api-unreachable" {
        layer: Edge,
        severity: Note,
        docs: TROUBLE,
        title: "Anthropic's API cannot be reached from this host",
        symptom: "curl and SDK calls from this host fail",
        cause: "the tunnel does not need it; the requests that `connect` prints do, wherever they are run",
        fix: "allow outbound TCP 443 to api.anthropic.com, or call from another machine",
    }
    EdgeRegionUnreachable = "edge-region-unreachable" {
        layer: Edge,
        severity: Warning,
        docs: TROUBLE,
        title: "one of the two regions of the tunnel's edge cannot be reached",
        symptom: "two of four connections, again and again",
        cause: "a firewall rule covers a part of the edge's addresses, or the region is down",
        fix: "allow the whole of 198.41.192.0/19; calls work over the other region meanwhile",
    }
    EdgeNoIpv6 = "edge-no-ipv6" {
        layer: Edge,
        severity: Note,
        docs: TROUBLE,
        title: "the tunnel's edge cannot be reached over IPv6",
        symptom: "IPv6 probes fail",
        cause: "this host or its network has no IPv6; cloudflared uses IPv4 unless it is told otherwise",
        fix: "nothing to do",
    }
    EdgeDnsFailed = "edge-dns-failed" {
        layer: Edge,
        severity: Error,
        docs: TROUBLE,
        title: "DNS does not find the tunnel's edge",
        symptom: "`Could not lookup srv records on _v2-origintunneld._tcp.argotunnel.com`",
        cause: "Docker hands queries to this host's resolver, which does not answer, or filters the name",
        fix: "mend the resolver, or give the service `{proxy}` the line `dns: [1.1.1.1, 8.8.8.8]` (cloudflared shares its namespace)",
    }
    NoIngressUrl = "no-ingress-url" {
        layer: Routing,
        severity: Error,
        docs: REFERENCE,
        title: "cloudflared does not know where the proxy is",
        symptom: "`No ingress rules were defined`, and every call answers 503",
        cause: "`--url http://localhost:8080` is missing in its command",
        fix: "add `--url http://localhost:8080` behind `run` in the command of `{cloudflared}`, then `{helper} restart --dir {dir}`",
    }
    OriginUrlInvalid = "origin-url-invalid" {
        layer: Routing,
        severity: Error,
        docs: REFERENCE,
        title: "cloudflared does not understand where the proxy is",
        symptom: "`Error validating origin URL`",
        cause: "`--url` in its command is no URL with a scheme",
        fix: "write `--url http://localhost:8080` in the command of `{cloudflared}`, then `{helper} restart --dir {dir}`",
    }
    MetricsPort = "metrics-port" {
        layer: Routing,
        severity: Error,
        docs: TROUBLE,
        title: "cloudflared cannot open its metrics port",
        symptom: "`Error opening metrics server listener`",
        cause: "another process in the same network namespace has the port of `--metrics`",
        fix: "take `--metrics` out of the command of `{cloudflared}`, or name another port",
    }
    ProxyUnreachable = "proxy-unreachable" {
        layer: Routing,
        severity: Error,
        docs: TROUBLE,
        title: "cloudflared does not reach the proxy",
        symptom: "`Unable to reach the origin service … 127.0.0.1:8080: connect: connection refused`",
        cause: "the proxy is down, listens on another port, or is not in cloudflared's network namespace",
        fix: "look at the log of `{proxy}` first; then cloudflared needs `network_mode: \"service:{proxy}\"`, and the proxy `listen_addr: \":8080\"`; `{helper} check --dir {dir}` finds which",
        caused_by: &[ENDS_PROXY, &[ProxyNetnsOrphaned, NetworkModeMissing, ListenMismatch, OutOfMemory, ServiceStopped]],
    }
    ProxyNoAnswer = "proxy-no-answer" {
        layer: Routing,
        severity: Error,
        docs: TROUBLE,
        title: "what listens in the proxy's place does not answer as the proxy does",
        symptom: "`Unable to reach the origin service … EOF`, or a timeout",
        cause: "another program listens on port 8080 in that namespace, or the proxy hangs",
        fix: "`{helper} restart --dir {dir}`; if it stays so, see which program listens there",
        caused_by: &[ENDS_PROXY, &[ProxyNetnsOrphaned, NetworkModeMissing, ListenMismatch]],
    }
    ProxyWrongScheme = "proxy-wrong-scheme" {
        layer: Routing,
        severity: Error,
        docs: REFERENCE,
        title: "cloudflared speaks TLS to the proxy's plain port",
        symptom: "`Unable to reach the origin service … first record does not look like a TLS handshake`",
        cause: "`--url` says https; the listener is plain, and the TLS that counts runs inside it",
        fix: "write `--url http://localhost:8080` in the command of `{cloudflared}`, then `{helper} restart --dir {dir}`",
        caused_by: &[&[ListenMismatch]],
    }
    ProxyPortTaken = "proxy-port-taken" {
        layer: Routing,
        severity: Error,
        docs: TROUBLE,
        title: "the proxy's port is taken",
        symptom: "`listen tcp :8080: bind: address already in use`",
        cause: "two programs in one network namespace: `network_mode: host`, or another service that shares the proxy's namespace listens on 8080, too",
        fix: "give the other program another port, or change `listen_addr` and cloudflared's `--url` together",
    }
    NoRoute = "no-route" {
        layer: Routing,
        severity: Error,
        docs: REFERENCE,
        title: "the proxy has no route for the host that was called",
        symptom: "`no route for host`; the caller sees `No route configured for host`",
        cause: "the name in front of the domain is not in `routes`, `tunnel_domain` is another tunnel's, or the configuration was edited after the proxy had read it",
        fix: "`{helper} check --dir {dir}` compares them; add the route with `{helper} render --dir {dir} --json '{\"routes\":{\"NAME\":\"http://HOST:PORT\"}}'`, then `{helper} restart --dir {dir}`",
        caused_by: &[&[ConfigNotApplied, DomainMismatch, ProxyConfigRoutesEmpty, RouteNotConfigured]],
    }
    ListenMismatch = "listen-mismatch" {
        layer: Routing,
        severity: Error,
        docs: REFERENCE,
        title: "cloudflared and the proxy do not meet",
        symptom: "`Unable to reach the origin service`",
        cause: "the proxy's `listen_addr` and cloudflared's `--url` name different ports, or `--url` is https: the proxy's listener is plain",
        fix: "let both say 8080: `listen_addr: \":8080\"` and `--url http://localhost:8080`",
    }
    RouteNotConfigured = "route-not-configured" {
        layer: Routing,
        severity: Error,
        docs: REFERENCE,
        title: "the proxy did not take up a route",
        symptom: "no `route configured` line for it since the proxy's start",
        cause: "the configuration was edited after the proxy had read it, or the proxy did not get that far",
        fix: "`{helper} restart --dir {dir}`",
        caused_by: &[&[ConfigNotApplied]],
    }
    TlsUnknownCa = "tls-unknown-ca" {
        layer: Tls,
        severity: Error,
        docs: CONSOLE,
        title: "the server certificate comes from a CA that the tunnel does not trust",
        symptom: "`remote error: tls: unknown certificate authority`",
        cause: "data/tls.crt was signed by another CA than data/ca.crt, or data/ca.crt is not registered for this tunnel (never, revoked, or for another one)",
        fix: "`{helper} certs check --dir {dir}` tells which: if it finds a fault of the signature, move data/tls.crt away and run `{helper} certs issue --dir {dir}`; if not, compare its CA fingerprint with the Console's and register data/ca.crt there",
    }
    TlsBadCert = "tls-bad-cert" {
        layer: Tls,
        severity: Error,
        docs: REFERENCE,
        title: "the server certificate is not made for the tunnel's host names",
        symptom: "`remote error: tls: bad certificate`",
        cause: "its subjectAltName does not cover every `<route>.<domain>`; a common name does not count, and a wildcard covers one label",
        fix: "`{helper} certs renew --dir {dir}` issues one that does, for the same key",
        caused_by: &[&[ServerUnfit, DomainMismatch]],
    }
    TlsExpired = "tls-expired" {
        layer: Tls,
        severity: Error,
        docs: REFERENCE,
        title: "the server certificate is not in date",
        symptom: "`remote error: tls: expired certificate`",
        cause: "its validity is over or has not begun; a wrong clock looks the same",
        fix: "check this machine's clock; then `{helper} certs renew --dir {dir}`: the proxy takes the new one up by itself",
    }
    TlsExpiresSoon = "tls-expires-soon" {
        layer: Tls,
        severity: Warning,
        docs: REFERENCE,
        title: "the server certificate ends soon",
        symptom: "calls will fail with `expired certificate`",
        cause: "it is issued for 90 days",
        fix: "`{helper} certs renew --dir {dir}`: same CA, same key, and the proxy takes it up by itself",
    }
    TlsUnsupportedCert = "tls-unsupported-cert" {
        layer: Tls,
        severity: Error,
        docs: REFERENCE,
        title: "the server certificate is not for servers",
        symptom: "`remote error: tls: unsupported certificate`",
        cause: "its extendedKeyUsage lacks serverAuth",
        fix: "`{helper} certs renew --dir {dir}` issues one that has it, for the same key",
    }
    TlsRejectedOpaque = "tls-rejected-opaque" {
        layer: Tls,
        severity: Error,
        docs: REFERENCE,
        title: "the caller refuses the server certificate, and its reason cannot be read",
        symptom: "`local error: tls: bad record MAC`",
        cause: "some clients send their alert in clear: the CA is not registered, the name does not fit, or the certificate is not in date",
        fix: "`{helper} certs check --dir {dir}` tries all three; compare its CA fingerprint with the Console's",
        caused_by: &[&[TlsExpired, ServerUnfit, TlsUnknownCa, CaExpired, CaUnfit]],
    }
    TlsOtherAlert = "tls-other-alert" {
        layer: Tls,
        severity: Error,
        docs: REFERENCE,
        title: "the caller ends the TLS handshake",
        symptom: "`remote error: tls: …`",
        cause: "see the evidence for the alert's name",
        fix: "`{helper} certs check --dir {dir}`, and mend what it finds",
        caused_by: &[&[TlsExpired, ServerUnfit, TlsUnknownCa, CaExpired, CaUnfit]],
    }
    CurlWrongVersion = "curl-wrong-version" {
        layer: Tls,
        severity: Note,
        docs: TROUBLE,
        title: "the listener was tried with TLS by hand",
        symptom: "`curl: (35) … wrong version number`",
        cause: "the proxy's listener is a plain WebSocket, and TLS runs inside it; tunnel host names answer only Claude",
        fix: "nothing to mend: test from Claude (`{helper} connect --dir {dir}`)",
    }
    ProxyReachesNothing = "proxy-reaches-nothing" {
        layer: Routing,
        severity: Note,
        docs: CONSOLE,
        title: "no call has come here yet",
        symptom: "the tunnel is missing from the agent picker, or a call from Claude fails and nothing is in the logs",
        cause: "everything here is live; a tunnel without a registered CA is not Active and cannot be picked, and a call through another tunnel, workspace or organisation never arrives",
        fix: "in the Console, see that this tunnel is Active (Certificates) and that the call uses its domain; then call it once",
    }
    SetupAuth = "setup-auth" {
        layer: Edge,
        severity: Error,
        docs: CONSOLE,
        title: "the organisation has no room for another tunnel",
        symptom: "`Organization already has the maximum of 10 non-archived Tunnels`",
        cause: "ten tunnels that are not archived is the limit",
        fix: "archive one that nobody uses in the Console (that cannot be undone), then create the tunnel",
    }
    UpstreamUndefined = "upstream-undefined" {
        layer: Upstream,
        severity: Error,
        docs: REFERENCE,
        title: "a route leads to a name that nobody has",
        symptom: "`dial tcp: lookup …: no such host`",
        cause: "no service of the compose files, and no container on the networks that the proxy joins, has that name",
        fix: "define the service in docker-compose.override.yaml, correct the name, or join its network: `{helper} render --dir {dir} --json '{\"networks\":[\"NAME\"]}'`",
    }
    UpstreamDown = "upstream-down" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the server behind a route is not running",
        symptom: "`connect: connection refused` in the proxy's log",
        cause: "its container is stopped, restarting or not healthy; see the evidence",
        fix: "look at its log (`docker compose logs SERVICE` in {dir}), mend it, then `{helper} up --dir {dir}`",
        caused_by: &[ENDS_SERVER, &[OutOfMemory, PlatformMismatch]],
    }
    UpstreamIpRejected = "upstream-ip-rejected" {
        layer: Upstream,
        severity: Error,
        docs: REFERENCE,
        title: "the proxy will not dial the address behind a route",
        symptom: "`IP validation failed: … is not a private address`",
        cause: "it dials RFC 1918 addresses only, or those in `allowed_ips`; localhost is the proxy's own container",
        fix: "run the server as a service in docker-compose.override.yaml, or name every range in `allowed_ips` (it replaces the default)",
    }
    UpstreamRefused = "upstream-refused" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the server behind a route refuses connections",
        symptom: "`dial tcp …: connect: connection refused` in the proxy's log",
        cause: "it is down, listens on another port, or only on 127.0.0.1 of its own container",
        fix: "look at the server's own log first; it has to listen on 0.0.0.0 and on the port of the route",
        caused_by: &[ENDS_SERVER, &[UpstreamDown, OutOfMemory]],
    }
    UpstreamDns = "upstream-dns" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the name behind a route is not known in the proxy's container",
        symptom: "`dial tcp: lookup …: no such host`",
        cause: "the name is misspelt, its container is not running, or it is on another Docker network",
        fix: "use the name of a running service of the same compose files, or join its network: `{helper} render --dir {dir} --json '{\"networks\":[\"NAME\"]}'`, then `{helper} up --dir {dir}`",
        caused_by: &[&[UpstreamUndefined], ENDS_SERVER, &[UpstreamDown]],
    }
    UpstreamTimeout = "upstream-timeout" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the server behind a route does not answer in time",
        symptom: "`i/o timeout`, `context deadline exceeded` or `no route to host` towards an upstream",
        cause: "a firewall on its host drops the packets, it is on another network, or it hangs",
        fix: "call it from the proxy's network by hand, and open the port on its host for this machine's Docker networks",
        caused_by: &[&[UpstreamDown], ENDS_SERVER],
    }
    UpstreamFailed = "upstream-failed" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the server behind a route answers calls with an error, or breaks them off",
        symptom: "`upstream request failed` in the proxy's log, or `500 Internal Server Error` in the server's",
        cause: "see the evidence; it is the server's own fault, or something between it and the proxy ends the connection",
        fix: "look at the server's own log at that moment, and mend what it says",
    }
    RootlessHostInternal = "rootless-host-internal" {
        layer: Upstream,
        severity: Warning,
        docs: TROUBLE,
        title: "a server on the host is not reached through host.docker.internal",
        symptom: "`connection refused` or a timeout for `host.docker.internal`",
        cause: "it listens on 127.0.0.1 of the host, which containers do not reach; a rootless engine does not lead to the host's loopback at all",
        fix: "let it listen on the address of Docker's bridge (or 0.0.0.0 behind a firewall), or run it as a service in docker-compose.override.yaml",
    }
    UpstreamBindLoopback = "upstream-bind-loopback" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the MCP server listens for itself only",
        symptom: "`Uvicorn running on http://127.0.0.1:…`",
        cause: "127.0.0.1 is its own container's loopback; the proxy comes from outside",
        fix: "let it listen on 0.0.0.0: `FastMCP(…, host=\"0.0.0.0\")`, or `--host 0.0.0.0` of uvicorn",
    }
    UpstreamHostRejected = "upstream-host-rejected" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the MCP server refuses the tunnel's host name",
        symptom: "`421 Misdirected Request`, `Invalid Host header`",
        cause: "its protection against DNS rebinding is on, because it was made for 127.0.0.1, whatever its socket is bound to",
        fix: "name the host where the server is made (`FastMCP(…, host=\"0.0.0.0\")`; with mcp 2, `run(…, host=\"0.0.0.0\")`), or allow the tunnel's names in its transport security settings",
    }
    UpstreamOriginRejected = "upstream-origin-rejected" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the MCP server refuses the caller's origin",
        symptom: "`Invalid Origin header`",
        cause: "its protection against DNS rebinding lists other origins",
        fix: "add the origin in the evidence to `allowed_origins` of its transport security settings",
    }
    UpstreamPath404 = "upstream-path-404" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the MCP server has nothing at the path that was called",
        symptom: "`404 Not Found` for POST, and no call on `/mcp` that passed",
        cause: "the URL in Claude has no path, or another one than the server's",
        fix: "use the path that the server serves: `mcp` for FastMCP's streamable HTTP; `{helper} connect --dir {dir}` shows the whole URL",
    }
    UpstreamSlash307 = "upstream-slash-307" {
        layer: Upstream,
        severity: Warning,
        docs: TROUBLE,
        title: "the MCP server sends callers on to another path",
        symptom: "`307 Temporary Redirect` for `/mcp/`",
        cause: "the path in Claude ends with a slash, and not every client follows the redirect",
        fix: "take the slash away from the end of the path",
    }
    UpstreamNotHttp = "upstream-not-http" {
        layer: Upstream,
        severity: Warning,
        docs: TROUBLE,
        title: "something else than HTTP comes to the MCP server's port",
        symptom: "`Invalid HTTP request received` on every call",
        cause: "the route says https and the server speaks plain HTTP, or a probe calls",
        fix: "write `http://` in the route",
    }
    UpstreamPortInUse = "upstream-port-in-use" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the MCP server's port is taken",
        symptom: "`error while attempting to bind on address …: address already in use`, exit code 3",
        cause: "another program in the same network namespace listens on it",
        fix: "give one of the two another port, and the route with it",
    }
    UpstreamStdio = "upstream-stdio" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the MCP server ends as soon as it has started",
        symptom: "it restarts over and over with exit code 0, and prints nothing",
        cause: "it speaks MCP over standard input, finds none in a container, and is done",
        fix: "start it with the HTTP transport: `mcp.run(transport=\"streamable-http\")`",
    }
    UpstreamScriptMissing = "upstream-script-missing" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the MCP server's program is not in its container",
        symptom: "`can't open file …`, `can't find '__main__' module`",
        cause: "the file was missing when the stack was started, and Docker made an empty directory of its name",
        fix: "stop the stack, remove the empty directory, put the file there, then `{helper} up --dir {dir}`",
    }
    UpstreamTraceback = "upstream-traceback" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the MCP server ends with an exception",
        symptom: "`Traceback (most recent call last)` before each start",
        cause: "see the evidence: it is the last line of the traceback",
        fix: "mend what it names in the server's own code or settings, then `{helper} up --dir {dir}`",
    }
    McpSdkV2 = "mcp-sdk-v2" {
        layer: Upstream,
        severity: Error,
        docs: QUICKSTART,
        title: "the sample was written for version 1 of the MCP package, and version 2 was installed",
        symptom: "`ModuleNotFoundError: No module named 'mcp.server.fastmcp'`",
        cause: "`pip install mcp` without a version takes 2.x since July 2026, where FastMCP has another name",
        fix: "pin it (`pip install 'mcp<2'`), or let `{helper} render --dir {dir} --json '{\"sample\":true}'` write a sample with pinned packages",
    }
    McpV2Ctor = "mcp-v2-ctor" {
        layer: Upstream,
        severity: Error,
        docs: QUICKSTART,
        title: "host and port are given in the wrong place",
        symptom: "`got an unexpected keyword argument 'host'`",
        cause: "since version 2 of the MCP package they belong to `run()`, not to the server's constructor",
        fix: "`mcp.run(transport=\"streamable-http\", host=\"0.0.0.0\", port=9000)`",
    }
    PipNoIndex = "pip-no-index" {
        layer: Upstream,
        severity: Error,
        docs: TROUBLE,
        title: "the MCP server's container cannot install its packages",
        symptom: "`No matching distribution found for …`",
        cause: "it has no way to the package index: DNS, a proxy, or no way out at all",
        fix: "install at build time, in an image (as the sample of `{helper} render` does), or pass PIP_INDEX_URL or HTTPS_PROXY to it",
    }
    UpstreamTls = "upstream-tls" {
        layer: Upstream,
        severity: Error,
        docs: REFERENCE,
        title: "an https route has nothing to trust",
        symptom: "`x509: certificate signed by unknown authority` in the proxy's log",
        cause: "neither `upstream.tls.ca_file` nor `include_system_cas` is set",
        fix: "`{helper} render --dir {dir} --json '{\"upstream\":{\"tls\":{\"ca_file\":\"/data/upstream-ca.pem\"}}}'` with the file in `data/`, or `\"include_system_cas\":true` for a public certificate",
    }
    UpstreamCaMissing = "upstream-ca-missing" {
        layer: Upstream,
        severity: Error,
        docs: REFERENCE,
        title: "the CA file for https upstreams is not there",
        symptom: "`open /data/…: no such file or directory`",
        cause: "`upstream.tls.ca_file` names a file that the proxy's container does not have or may not read",
        fix: "copy it into `data/`, readable for everyone (chmod 644), and name it `/data/NAME`",
    }
    AllowedIpsOpen = "allowed-ips-open" {
        layer: Upstream,
        severity: Warning,
        docs: SECURITY,
        title: "the proxy may dial any address",
        symptom: "`0.0.0.0/0` in `allowed_ips`, or `disable_ip_validation: true`",
        cause: "a route, or a DNS answer, could then lead it to any host on the internet or to cloud metadata",
        fix: "name only the ranges that your servers are in",
        blocks: false,
    }
}
