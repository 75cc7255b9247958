//! The troubleshooting table: one row a finding, plain data: `[where to look, severity, where to read on, what ends it]`,
//! then its texts.
//!
//! In `cause` and `fix`, `{helper}`, `{dir}`, `{domain}`, `{proxy}` and `{cloudflared}` stand for the launcher, the
//! deployment directory, its domain and the names of its services. In `title` and `fix`, `{subject|words}` becomes the
//! name of what the finding is about, and `{file|words}` for its path, quoted for a shell; `words` are for a finding
//! about nothing in particular.

use super::columns::Layer::{Edge, Files, Host, Routing, Tls, Upstream};
use super::columns::Severity::{Error, Note, Warning};
use super::columns::{Cure, Layer, Severity};
use RuleId::*;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) id: RuleId,
    pub(crate) layer: Layer,
    /// Severity, unless the case is milder.
    pub(crate) severity: Severity,
    /// What is wrong, in one line.
    pub(crate) title: &'static str,
    /// What a person sees of it.
    pub(crate) symptom: &'static str,
    pub(crate) cause: &'static str,
    pub(crate) fix: &'static str,
    pub(crate) docs: &'static str,
    /// Whether an error of this rule keeps the stack from working; a mere risk to a secret does not.
    pub(crate) blocks: bool,
    /// Whether the CA can sign nothing while this is so.
    pub(crate) blocks_signing: bool,
    pub(crate) cure: Cure,
    /// Whether waiting does not change it, once a server answers so.
    pub(crate) is_settled: bool,
    /// Whether docker itself shows it of a container: a log can only be late, or of an earlier life.
    pub(crate) is_seen_live: bool,
    /// Rules that explain this one where both are found, the likeliest first.
    pub(crate) caused_by: &'static [&'static [RuleId]],
}

impl Rule {
    /// The columns that most rows leave as they are.
    const fn of(id: RuleId, layer: Layer, severity: Severity, docs: &'static str, cure: Cure) -> Self {
        Self {
            id,
            layer,
            severity,
            docs,
            cure,
            title: "",
            symptom: "",
            cause: "",
            fix: "",
            blocks: true,
            blocks_signing: false,
            is_settled: false,
            is_seen_live: false,
            caused_by: &[],
        }
    }
}

macro_rules! rules {
    ($($name:ident = $id:literal [$layer:ident, $severity:ident, $docs:ident, $cure:ident $(; $($flag:ident : $set:literal),+)?] { $($key:ident : $value:expr),* $(,)? })*) => {
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
            $($($flag: $set,)+)?
            ..Rule::of($name, $layer, $severity, $docs, Cure::$cure)
        }),*];
    };
}

const HELM: &str = "https://platform.claude.com/docs/en/agents-and-tools/mcp-tunnels/deploy-helm";
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
    ListenAddrInvalid,
];

/// Faults that end an MCP server, or keep it from being reached.
const ENDS_SERVER: &[RuleId] = &[
    McpSdkV2,
    McpV2Ctor,
    McpV1Run,
    UpstreamFileDenied,
    UpstreamPortInUse,
    UpstreamStdio,
    UpstreamScriptMissing,
    PipNoIndex,
    UpstreamTraceback,
    UpstreamBindLoopback,
    UpstreamPortDenied,
    UpstreamModuleMissing,
    UpstreamRuntime,
    UpstreamPidFile,
    UpstreamUsage,
    PackageTls,
];

/// Faults that end any container.
const ENDS_CONTAINER: &[RuleId] = &[
    EntrypointUnusable,
    EngineSeccomp,
    ThreadLimit,
    OutOfMemory,
    HeapExhausted,
    PlatformMismatch,
    ContainerReadOnly,
    UpstreamCallTls,
    UnexplainedError,
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
    CloudflaredUsage,
    CloudflaredOriginCert,
    CloudflaredCredentials,
    LegacyTunnel,
    QuickTunnel,
    EdgeRegistrationRefused,
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
    DockerMissing = "docker-missing" [Host, Error, DOCKER, ByHand] {
        title: "Docker is not installed",
        symptom: "`docker: command not found`",
        cause: "there is no program `docker` on PATH",
        fix: "install Docker Engine (Linux) or Docker Desktop (macOS, Windows with WSL), then run this command again",
    }
    DockerDaemonDown = "docker-daemon-down" [Host, Error, DOCKER, ByHand] {
        title: "the Docker daemon is not reachable",
        symptom: "`Cannot connect to the Docker daemon`",
        cause: "the daemon is not running, or DOCKER_HOST or the Docker context names another place",
        fix: "start Docker (`sudo systemctl start docker`, or open Docker Desktop); `docker context ls` shows which engine the client uses",
    }
    DockerPermission = "docker-permission" [Host, Error, POSTINSTALL, ByHand] {
        title: "this user is not allowed to use the Docker daemon",
        symptom: "`permission denied while trying to connect to the Docker daemon socket`",
        cause: "the daemon's socket belongs to root and the group `docker`, and this user is not in that group",
        fix: "run `sudo usermod -aG {group} \"$USER\"`, then log out and in again (`newgrp {group}` for this shell only)",
    }
    DockerFailed = "docker-failed" [Host, Error, DOCKER, ByHand] {
        title: "docker reports an error that the helper does not know",
        symptom: "docker, Compose or the daemon's log has an error that is not one of the known ones",
        cause: "docker printed an error that this helper does not know; it is quoted in the evidence",
        fix: "run the docker command by hand to see its whole output, fix what it reports, then run this command again",
    }
    ComposeMissing = "compose-missing" [Host, Error, COMPOSE, ByHand] {
        title: "Docker Compose v2 is not installed",
        symptom: "`docker: 'compose' is not a docker command`, `unknown shorthand flag: 'd' in -d`, `docker: unknown command: docker compose`",
        cause: "many Linux distributions ship the Compose plugin as a separate package",
        fix: "install the package `docker-compose-plugin` (Docker's repository) or `docker-compose-v2` (Ubuntu)",
    }
    ComposeV1 = "compose-v1" [Host, Error, COMPOSE, ByHand] {
        title: "Docker Compose v1 (`docker-compose`) is used, which no longer works",
        symptom: "`docker-compose version 1.29`, `KeyError: 'ContainerConfig'`, `Not supported URL scheme http+docker`, `Version … is unsupported`",
        cause: "v1 has had no updates since 2023: it breaks with newer engines and Python packages, and it cuts cloudflared off whenever the proxy is restarted",
        fix: "use Compose v2: install the package `docker-compose-plugin` (Docker's repository) or `docker-compose-v2` (Ubuntu), and type `docker compose` with a space; v1 may stay installed",
    }
    ComposeTooOld = "compose-too-old" [Host, Error, COMPOSE, ByHand] {
        title: "Docker Compose is too old",
        symptom: "`docker compose version` says less than 2.17",
        cause: "before 2.17, a restart of the proxy leaves cloudflared in a dead network namespace",
        fix: "update the Compose plugin to 2.26 or newer",
    }
    ComposeOld = "compose-old" [Host, Warning, COMPOSE, ByHand; blocks: false] {
        title: "this version of Docker Compose is untested",
        symptom: "`docker compose version` says 2.17 to 2.25",
        cause: "the token is passed as a Compose secret that is read from `.env`; that was tested with 2.26 and newer",
        fix: "update the Compose plugin to 2.26 or newer",
    }
    DockerHostNowhere = "docker-host-nowhere" [Host, Error, DOCKER, ByHand] {
        title: "no Docker engine answers at DOCKER_HOST",
        symptom: "every docker command fails, although Docker runs",
        cause: "DOCKER_HOST in this shell overrides the Docker context and the default socket",
        fix: "run `unset DOCKER_HOST` and remove it from the shell's start-up files; or start the engine that it names",
    }
    DockerClientOld = "docker-client-old" [Host, Error, DOCKER, ByHand] {
        title: "the docker client is too old for its engine",
        symptom: "`client version … is too old. Minimum supported API version is …`",
        cause: "client and engine were installed from different sources, and the engine no longer supports the client's API version",
        fix: "update the docker client: the package `docker-ce-cli` (Docker's repository), or Docker Desktop",
    }
    EngineTooOld = "engine-too-old" [Host, Error, DOCKER, ByHand] {
        title: "the Docker engine is too old",
        symptom: "an engine before 20.10, or `client version … is too new. Maximum supported API version is …`",
        cause: "this stack needs Docker Engine 20.10 or newer; `host.docker.internal` works on Linux from that version on",
        fix: "update Docker Engine or Docker Desktop",
    }
    PodmanEngine = "podman-engine" [Host, Error, DOCKER, ByHand] {
        title: "`docker` is Podman",
        symptom: "`Emulate Docker CLI using podman`, or an engine that calls itself Podman",
        cause: "the shared network namespace and the Compose secret that this stack depends on were not tested with Podman",
        fix: "install Docker Engine or Docker Desktop; where both are installed, remove the package `podman-docker` or unset DOCKER_HOST so that `docker` is Docker's",
    }
    EngineRemote = "engine-remote" [Host, Warning, DOCKER, ByHand] {
        title: "the Docker engine runs on another machine",
        symptom: "mounted files are empty directories in the containers",
        cause: "Compose mounts `data/` and `config/` by path, and the engine resolves the path on its own disk",
        fix: "run the helper on the engine's machine, or switch to a local engine (`docker context use default`, `unset DOCKER_HOST`)",
    }
    DiskLow = "disk-low" [Host, Warning, DOCKER, ByHand] {
        title: "little disk space is left for images",
        symptom: "`no space left on device` while an image is pulled or built",
        cause: "the stack's images and the sample's build need several hundred MiB on the engine's disk",
        fix: "free disk space: `docker system df` shows what uses it; `docker image prune` and `docker builder prune` remove what is unused",
    }
    GitMissing = "git-missing" [Host, Note, SECURITY, ByHand] {
        title: "git is not installed",
        symptom: "`git: command not found`",
        cause: "only git can tell whether a repository around the deployment directory would commit the token",
        fix: "nothing to do if the directory is not in a git repository",
    }
    OpensslMissing = "openssl-missing" [Host, Note, QUICKSTART, ByHand] {
        title: "openssl is not installed",
        symptom: "`openssl: command not found`",
        cause: "the quickstart makes certificates with openssl; the helper makes them itself",
        fix: "nothing to do",
    }
    DirectoryNotWritable = "directory-not-writable" [Host, Error, QUICKSTART, ByHand] {
        title: "the deployment directory is not writable",
        symptom: "`permission denied`, `read-only file system`",
        cause: "it belongs to another user (files made with sudo belong to root), or its file system is mounted read-only",
        fix: "choose another directory with `--dir`",
    }
    DirectoryWithoutModes = "directory-without-modes" [Host, Error, SECURITY, ByHand] {
        title: "the file system of the deployment directory does not keep file modes",
        symptom: "`chmod 600` has no effect; on WSL everything below /mnt/c is `rwxrwxrwx`",
        cause: "FAT, exFAT, most network shares and Windows drives have no POSIX modes, so every user of this host could read the CA's key and the token",
        fix: "choose a directory on the system's own disk with `--dir` (in WSL: below your Linux home, not below /mnt)",
    }
    DirectorySynced = "directory-synced" [Host, Warning, SECURITY, ByHand] {
        title: "the deployment directory is synchronised to a cloud",
        symptom: "Dropbox, OneDrive, iCloud, Google Drive, Nextcloud or Syncthing copies it",
        cause: "the sync service would copy the CA's key and the token off this host, and could restore an old file under the running stack",
        fix: "choose a directory outside the synchronised folder with `--dir`, or exclude this one from synchronisation",
    }
    SelinuxLabels = "selinux-labels" [Host, Warning, COMPOSE_FILE, ByHand] {
        title: "SELinux will block the containers' access to mounted files",
        symptom: "`permission denied` in the proxy's log, although every mode is right",
        cause: "the engine labels its containers, and these mounts do not request a matching label",
        fix: "add `z` to the mount's options (`./data:/data:ro,z`, or `bind: { selinux: z }`)",
    }
    UserNamespace = "user-namespace" [Host, Note, DOCKER, ByHand] {
        title: "the engine maps user ids",
        symptom: "a file's owner inside a container differs from the one outside",
        cause: "the engine is rootless or remaps user namespaces, so user 65532 of the containers is another user on this host",
        fix: "nothing to do while `data/` is 0755 and the server's key 0644, as the helper makes them; do not chown them to 65532",
    }
    ShellVariables = "shell-variables" [Host, Warning, COMPOSE_FILE, ByHand] {
        title: "variables of this shell change what `docker compose` does",
        symptom: "commands typed by hand start other services, another project or another tunnel than the helper does",
        cause: "Compose reads them before the files; the helper runs Compose without them, a command typed by hand does not",
        fix: "`unset` them, and remove them from the shell's start-up files",
    }
    ProxyNotUsed = "proxy-not-used" [Host, Note, TROUBLE, ByHand] {
        title: "cloudflared ignores the HTTP proxy of this host",
        symptom: "everything else reaches the internet, and the tunnel does not",
        cause: "cloudflared dials the tunnel edge directly on port 7844; HTTP_PROXY and HTTPS_PROXY do not apply to it",
        fix: "if the edge is unreachable, ask for outbound TCP and UDP 7844 to 198.41.192.0/19; an HTTP proxy cannot carry it",
    }
    NetworkOverlap = "network-overlap" [Host, Warning, COMPOSE_FILE, ByHand] {
        title: "a Docker network overlaps the address of a server behind a route",
        symptom: "calls of that route time out, and the server can be reached from elsewhere",
        cause: "the engine routes packets for these addresses into its own network instead of out of this host",
        fix: "remove the Docker network if it is unused (`docker network rm NAME`), or give the engine other ranges (`default-address-pools` in daemon.json)",
    }
    ClockWrong = "clock-wrong" [Host, Warning, TROUBLE, ByHand] {
        title: "the clock is wrong",
        symptom: "`certificate has expired or is not yet valid`, and certificates that were made just now are refused",
        cause: "this host's clock is off, or (Docker Desktop, WSL) the engine's virtual machine lost time while the computer slept",
        fix: "set the clock (`sudo timedatectl set-ntp true`; in WSL `sudo hwclock -s`), or restart Docker Desktop if only the engine's clock is off",
    }
    ProjectConflict = "project-conflict" [Host, Error, COMPOSE_FILE, ByHand] {
        title: "another directory runs a stack with the same project name",
        symptom: "containers change or vanish when a stack in another folder is started",
        cause: "Compose identifies a stack by its project name only: starting this one would replace the other one's containers",
        fix: "stop the other directory's stack first: `{helper} down --dir NAME`; if that directory was moved or deleted, `docker compose -p PROJECT down --remove-orphans`",
    }
    ComposeFileMissing = "compose-file-missing" [Host, Error, QUICKSTART, Look] {
        title: "there is no compose file",
        symptom: "`no configuration file provided: not found`",
        cause: "set-up was not finished, or `--dir` names the wrong directory",
        fix: "run `{helper} init --dir {dir}` to see which step is next",
    }
    ComposeProfileInactive = "compose-profile-inactive" [Files, Error, COMPOSE_FILE, ByHandThen] {
        title: "{subject|a service} belongs to a profile that a plain `up` does not start",
        symptom: "`no such service`, or cloudflared starts without the proxy",
        cause: "the tunnel or a route needs the service, and Compose starts it only while its profile is active",
        fix: "remove `profiles:` from the service, or name the profile in `.env` (`COMPOSE_PROFILES=NAME`), then run `{helper} up --dir {dir}`",
    }
    ReplicasZero = "replicas-zero" [Files, Error, COMPOSE_FILE, ByHandThen] {
        title: "the compose files set {subject|a service} to zero containers",
        symptom: "the service is in the compose file, and `docker compose ps -a` does not list it",
        cause: "`scale: 0` or `deploy.replicas: 0` in the service",
        fix: "remove `scale:` or `deploy.replicas:` from the service, or set it to 1, then run `{helper} up --dir {dir}`",
    }
    NetworkInternal = "network-internal" [Files, Error, COMPOSE_FILE, ByHandThen] {
        title: "cloudflared is only on internal networks, which do not reach Cloudflare's edge",
        symptom: "`network is unreachable` or a timeout at each attempt to connect to the edge",
        cause: "a network with `internal: true` has no way out of the host, and cloudflared must dial out",
        fix: "add a network without `internal: true` to the service in the evidence (`networks: [default, …]`, next to those that it has), then run `{helper} up --dir {dir}`",
    }
    ComposeFileShadowed = "compose-file-shadowed" [Host, Error, COMPOSE_FILE, ByHand] {
        title: "another compose file hides docker-compose.yaml",
        symptom: "changes to docker-compose.yaml have no effect; Compose warns `Found multiple config files`",
        cause: "Compose prefers compose.yaml, compose.yml and docker-compose.yml to docker-compose.yaml",
        fix: "move the other file away; put your own services into docker-compose.override.yaml",
    }
    ComposeFileElsewhere = "compose-file-elsewhere" [Host, Error, COMPOSE_FILE, ByHand] {
        title: "`.env` makes Compose read another compose file",
        symptom: "`docker compose` starts other services than the ones in this directory's file",
        cause: "COMPOSE_FILE in `.env` overrides every file name",
        fix: "remove COMPOSE_FILE from `.env`; put your own services into docker-compose.override.yaml",
    }
    ComposeYamlInvalid = "compose-yaml-invalid" [Host, Error, COMPOSE_FILE, ByHand] {
        title: "{subject|a compose file} is invalid",
        symptom: "`yaml: line …`, or `additional properties … not allowed`",
        cause: "usually a tab, a wrong indentation, a duplicate key or a misspelt key",
        fix: "fix the line in the evidence; `docker compose config -q` in {dir} checks the file",
    }
    ComposeFileUnreadable = "compose-file-unreadable" [Host, Error, COMPOSE_FILE, ByHand] {
        title: "{subject|a compose file} cannot be read",
        symptom: "it is a symbolic link, a directory or not UTF-8, belongs to another user, or is not there",
        cause: "only plain files in the deployment directory are read, so that no link leads to files elsewhere",
        fix: "put a plain UTF-8 file in its place that you can read: for a link, a copy of its target",
    }
    ComposeConfigInvalid = "compose-config-invalid" [Files, Error, COMPOSE_FILE, ByHand] {
        title: "Compose refuses {subject|the compose files}",
        symptom: "`docker compose up` fails before it starts anything",
        cause: "a key, a name or a file that the compose files use does not exist, or a variable without a default has no value",
        fix: "correct what the evidence names; `docker compose config -q` in {dir} checks the files",
    }
    ComposePrivileges = "compose-privileges" [Files, Error, COMPOSE_FILE, Allow] {
        title: "{subject|the stack} asks for privileges on this host",
        symptom: "`up` and `restart` start nothing until a person allows the privileges",
        cause: "with what the evidence names, a container can read or change this machine, or gets a secret of this shell",
        fix: "remove what the evidence names; if you want it, run `{helper} allow --dir {dir}` in your own terminal (without one: `{helper} allow --dir {dir} --json '{\"digest\":\"{digest}\"}'`)",
    }
    ComposeFilesOutside = "compose-files-outside" [Files, Warning, COMPOSE_FILE, ByHand; blocks: false] {
        title: "the compose files use files outside the deployment directory",
        symptom: "services that are defined elsewhere",
        cause: "`include` or `extends` names a path outside {dir}; those files are not read here, so what they define is not checked",
        fix: "move the files in the evidence into {dir}, or check them yourself",
    }
    ComposeNameInvalid = "compose-name-invalid" [Host, Error, COMPOSE_FILE, ByHand] {
        title: "a service has an invalid name",
        symptom: "`additional properties … not allowed`, or `services must be a mapping`",
        cause: "a service's name consists of letters, digits, `.`, `_` and `-`, at most 63 of them; any other text there is neither shown nor used",
        fix: "rename the service in the file that the evidence names",
    }
    ComposeServiceUndefined = "compose-service-undefined" [Host, Error, COMPOSE_FILE, ByHand] {
        title: "the compose file refers to a service that it does not define",
        symptom: "`depends on undefined service`",
        cause: "a service was renamed in one place only (`mcp-gateway` and `mcp-proxy` are two common names of the proxy)",
        fix: "use the same name in `services`, `network_mode` and `depends_on`",
    }
    ComposeNetmodeConflict = "compose-netmode-conflict" [Host, Error, COMPOSE_FILE, ByHand] {
        title: "cloudflared has network settings that conflict with its network mode",
        symptom: "`conflicting options: … and the network mode`",
        cause: "cloudflared uses the proxy's network namespace, so it cannot have its own `dns`, `extra_hosts`, `ports` or `networks`",
        fix: "move these settings from `{cloudflared}` to `{proxy}`",
    }
    ComposeEnvInvalid = "compose-env-invalid" [Host, Error, COMPOSE_FILE, ByHandThen] {
        title: "Compose cannot read `.env`",
        symptom: "`failed to read .env`, `unterminated quoted value`, `unexpected character in variable name`",
        cause: "Compose rejects the whole file because of one line: a quote that is not closed, text behind a closing quote, a line that is not NAME=value, or UTF-16 instead of UTF-8",
        fix: "fix the line in the evidence in an editor, and save the file as UTF-8; if the value of TUNNEL_TOKEN is at fault, run `{helper} token set --dir {dir}` in your own terminal",
    }
    DataShared = "data-shared" [Files, Warning, SECURITY, ByHand] {
        title: "`data` contains files that do not belong to the tunnel",
        symptom: "`data` contains more than keys and certificates",
        cause: "the whole folder is mounted into the proxy's container, which can read everything in it",
        fix: "move those files out of `data`, or move the deployment into its own directory",
    }
    EnvUnreadable = "env-unreadable" [Files, Error, COMPOSE_FILE, ByHand] {
        title: "`.env` cannot be read",
        symptom: "`permission denied`, or `.env` is a directory or a symbolic link",
        cause: "the token and the domain are in it, and neither Compose nor the helper gets them from something that is not a plain, readable file in this directory",
        fix: "put a regular file in its place that you can read and write",
    }
    DomainMalformed = "domain-malformed" [Files, Error, QUICKSTART, ByHand] {
        title: "the tunnel's domain is mistyped",
        symptom: "no host name of the tunnel is found",
        cause: "what is written there cannot be a host name",
        fix: "correct it in the file that the evidence names: the Console shows the domain under Connection, for example `abcd1234.tunnel.anthropic.com`",
    }
    EnvEncoding = "env-encoding" [Files, Warning, COMPOSE_FILE, ByHand] {
        title: "`.env` is not UTF-8",
        symptom: "letters such as `é` show up as `�`",
        cause: "the file was saved as Latin-1 or Windows-1252; Compose passes such bytes on as they are",
        fix: "save `.env` as UTF-8 in an editor",
    }
    ComposeVarUnset = "compose-var-unset" [Host, Error, COMPOSE_FILE, Token] {
        title: "Compose finds no TUNNEL_TOKEN",
        symptom: "`The \"TUNNEL_TOKEN\" variable is not set. Defaulting to a blank string`",
        cause: "neither the shell nor `.env` in the folder of the compose file sets it, or Compose was run from another directory",
        fix: "copy the token from the Console (Connection, eye icon), then run `{helper} token set --dir {dir}` in your own terminal",
        caused_by: &[&[TokenMissing]],
    }
    ComposeFailed = "compose-failed" [Host, Error, TROUBLE, ByHand] {
        title: "docker compose failed",
        symptom: "docker compose prints an error that is not one of the known ones",
        cause: "Compose printed an error that this helper does not know; it is quoted in the evidence",
        fix: "fix what the evidence names, then run this command again",
    }
    BuildFailed = "build-failed" [Host, Error, TROUBLE, ByHandThen] {
        title: "the image of {subject|a service} could not be built",
        symptom: "`failed to solve`, or pip's `No matching distribution found`",
        cause: "a step of the build failed; the lines above the one in the evidence say why",
        fix: "run `docker compose build --progress plain` in {dir} to see the whole step, fix what it names, then `{helper} up --dir {dir}`",
    }
    ImageNotFound = "image-not-found" [Host, Error, REFERENCE, Render] {
        title: "an image does not exist in its registry",
        symptom: "`manifest unknown`, `not found`",
        cause: "the digest was truncated or mistyped, or the image was removed",
        fix: "run `{helper} render --dir {dir} --json '{\"images\":null}'` to use the built-in images, then `{helper} up --dir {dir}`; for an image in your own compose file, correct it there",
    }
    ImageRefInvalid = "image-ref-invalid" [Host, Error, COMPOSE_FILE, ByHandThen] {
        title: "the image reference of {subject|a service} is malformed",
        symptom: "`invalid reference format`",
        cause: "the digest was truncated, the line contains a blank, or a variable in `image:` is empty",
        fix: "fix the `image:` line, or run `{helper} render --dir {dir} --json '{\"images\":null}'` to use the built-in image",
    }
    RegistryDenied = "registry-denied" [Host, Error, TROUBLE, ByHand] {
        title: "a registry denies the pull",
        symptom: "`denied: Permission … denied on resource`, `error getting credentials`",
        cause: "the images are public; stale credentials or a missing credential helper for that registry cause the refusal",
        fix: "run `docker logout us-docker.pkg.dev`, and remove the registry from `credHelpers` in ~/.docker/config.json",
    }
    RegistryRateLimit = "registry-rate-limit" [Host, Error, TROUBLE, ByHand] {
        title: "the registry's pull limit is reached",
        symptom: "`toomanyrequests: You have reached your pull rate limit`",
        cause: "Docker Hub limits pulls by IP address, and a company often shares one",
        fix: "run `docker login`, wait an hour, or name a mirror in `images`",
    }
    RegistryUnreachable = "registry-unreachable" [Host, Error, TROUBLE, ByHand] {
        title: "the Docker daemon cannot reach a registry",
        symptom: "`Get \"https://…/v2/\": dial tcp …`, `lookup … server misbehaving`, a TLS handshake that times out, `certificate signed by unknown authority`",
        cause: "the daemon pulls images, not this shell: its DNS, its proxy settings and its trusted CAs decide",
        fix: "by the words of the evidence: `lookup` or `no such host` is DNS (set `\"dns\"` in the engine's daemon.json to a resolver that answers, and restart Docker); `x509` is a company CA that the daemon does not trust; `timeout` or `refused` is a firewall (give the daemon the company's proxy, systemd drop-in `http-proxy.conf`, or name a mirror in `images`)",
    }
    DiskFull = "disk-full" [Host, Error, DOCKER, ByHand] {
        title: "the engine's disk is full",
        symptom: "`no space left on device`, `disk quota exceeded`",
        cause: "images, build caches and container logs have filled the disk that Docker stores them on",
        fix: "free disk space: `docker system df` shows what uses it, `docker system prune` removes what is unused; then run this command again",
    }
    PlatformMismatch = "platform-mismatch" [Host, Error, TROUBLE, ByHand; is_seen_live: true] {
        title: "the image of {subject|a service} is built for another CPU architecture",
        symptom: "`exec format error`, `no matching manifest for linux/arm64`",
        cause: "the pinned image has no build for this machine's architecture",
        fix: "name an image for this architecture in `images`, or in your own compose file where that names it, or install emulation (`docker run --privileged --rm tonistiigi/binfmt --install all`)",
    }
    PortConflict = "port-conflict" [Host, Error, TROUBLE, ByHand] {
        title: "a published port is already in use",
        symptom: "`port is already allocated`, `address already in use`",
        cause: "the compose file publishes it with `ports:`, which the tunnel does not need",
        fix: "remove `ports:` from the service in the evidence",
    }
    NameConflict = "name-conflict" [Host, Error, TROUBLE, ByHand] {
        title: "a container name is already in use",
        symptom: "`Conflict. The container name … is already in use`",
        cause: "the compose file sets `container_name:`, and a container of another stack has that name",
        fix: "remove `container_name:` from the compose file, or remove the old container if you no longer need it (`docker rm -f NAME`)",
    }
    MountTypeMismatch = "mount-type-mismatch" [Host, Error, TROUBLE, ByHandThen] {
        title: "a directory is mounted where a file is expected",
        symptom: "`Are you trying to mount a directory onto a file`",
        cause: "the file was missing at an earlier start, and Docker created a directory with that name",
        fix: "if the path in the evidence is an empty directory on this host: `{helper} down --dir {dir}`, remove it, write the file again (`{helper} render --dir {dir}` with the routes), `{helper} up --dir {dir}`; if it is a file here, the engine's virtual machine does not see it: move the deployment below your home, or share the folder with the VM",
    }
    NetworkMissing = "network-missing" [Host, Error, COMPOSE_FILE, ByHandThen] {
        title: "a Docker network that the proxy joins does not exist",
        symptom: "`network … declared as external, but could not be found`",
        cause: "`networks` names it, and it was never created or was removed",
        fix: "start the stack that owns it, or create it (`docker network create NAME`); `{helper} render --dir {dir} --json '{\"networks\":[]}'` stops using it",
    }
    StackStopped = "stack-stopped" [Host, Error, QUICKSTART, Up] {
        title: "the stack is not running",
        symptom: "no containers, or all of them exited",
        cause: "it was not started yet, or it was stopped",
        fix: "run `{helper} up --dir {dir}`",
    }
    ServiceStopped = "service-stopped" [Host, Error, TROUBLE, Up; is_seen_live: true] {
        title: "{subject|a container of the stack} is not running",
        symptom: "`Exited` or `Created` in `docker compose ps`, or the service is missing there",
        cause: "it was stopped by hand, or it exited and its restart policy does not start it again",
        fix: "run `{helper} up --dir {dir}`",
        caused_by: &[ENDS_PROXY, ENDS_SERVER, ENDS_AGENT, ENDS_CONTAINER],
    }
    ServiceUnhealthy = "service-unhealthy" [Host, Warning, COMPOSE_FILE, ByHandThen] {
        title: "the health check of {subject|a container} fails",
        symptom: "`(unhealthy)` in `docker compose ps`",
        cause: "the program runs, and the command of its `healthcheck:` fails; its last output is in the evidence",
        fix: "fix what the check reports, or the check itself, then run `{helper} up --dir {dir}`",
    }
    ComposeOrphans = "compose-orphans" [Host, Note, COMPOSE_FILE, ByHand] {
        title: "a container runs for a service that the files no longer define",
        symptom: "`Found orphan containers`",
        cause: "the service was renamed or removed; Compose leaves its container running",
        fix: "if the container is not needed, run `docker compose up -d --remove-orphans` in {dir}",
    }
    ImageAbsent = "image-absent" [Host, Note, DOCKER, Up] {
        title: "an image of the stack is not on this host yet",
        symptom: "`docker image ls` does not list it",
        cause: "it was not pulled yet",
        fix: "run `{helper} up --dir {dir}`, which pulls it",
    }
    NotLive = "not-live" [Host, Error, TROUBLE, Look] {
        title: "the tunnel did not become ready in time",
        symptom: "`up` or `restart` ends before everything is ready",
        cause: "the evidence lists what is still missing; other findings may explain it",
        fix: "run `{helper} diagnose --dir {dir}`, and fix its findings in order",
    }
    CrashLoop = "crash-loop" [Host, Error, TROUBLE, ByHandThen; is_seen_live: true] {
        title: "{subject|a container} is in a restart loop",
        symptom: "`Restarting (N)` in `docker compose ps`",
        cause: "the program in it ends right after its start; what it printed last is in the evidence",
        fix: "fix what those lines report, then run `{helper} up --dir {dir}`",
        caused_by: &[ENDS_PROXY, ENDS_SERVER, ENDS_AGENT, &[UpstreamCaMissing], ENDS_CONTAINER],
    }
    NetnsOwnerNotRunning = "netns-owner-not-running" [Host, Error, TROUBLE, Up; is_seen_live: true] {
        title: "cloudflared could not start because the proxy was not running",
        symptom: "cloudflared is `Created` and logs nothing; `Container … is restarting, wait until the container is running`",
        cause: "cloudflared uses the proxy's network namespace, so it does not start while the proxy is down, and Docker does not try again",
        fix: "fix the proxy first if it still exits, then run `{helper} up --dir {dir}`; the setting `\"namespace\":\"separate\"` (`render`, then `up`) ends this kind of fault",
        caused_by: &[ENDS_PROXY, &[UpstreamCaMissing, PlatformMismatch, OutOfMemory, ImageNotFound, RegistryUnreachable, PortConflict, NameConflict]],
    }
    ProxyNetnsOrphaned = "proxy-netns-orphaned" [Host, Error, TROUBLE, Restart; is_seen_live: true] {
        title: "cloudflared lost its network: the proxy restarted without it",
        symptom: "everything is `Up`, and every call fails; cloudflared says `network is unreachable`",
        cause: "the proxy died or was restarted alone and got a new network namespace; cloudflared kept the old one, which has no network",
        fix: "run `{helper} restart --dir {dir}` (a plain `docker compose up -d` does not notice it); `{helper} render --dir {dir} --json '{\"namespace\":\"separate\"}'` and `{helper} up --dir {dir}` put cloudflared on another network, where this cannot happen again",
        caused_by: &[ENDS_PROXY, &[OutOfMemory]],
    }
    NamespaceNotApplied = "namespace-not-applied" [Host, Warning, COMPOSE_FILE, Up] {
        title: "cloudflared runs in another network than the compose file says",
        symptom: "`docker inspect` shows another network mode or other networks than the file",
        cause: "the file was changed after the containers were created: `namespace`, `networks` or `network_mode`",
        fix: "run `{helper} up --dir {dir}`, which re-creates them",
    }
    OutOfMemory = "out-of-memory" [Host, Error, TROUBLE, ByHand] {
        title: "{subject|a container} was killed because it ran out of memory",
        symptom: "`OOMKilled` in `docker inspect`, exit code 137, `oom-killer` in the kernel's log, `Killed`",
        cause: "the kernel killed it: it used more than its limit, or the machine had none left",
        fix: "raise the service's `mem_limit` in docker-compose.override.yaml, or give the machine (macOS, Windows: Docker Desktop's virtual machine) more memory",
    }
    HeapExhausted = "heap-exhausted" [Host, Error, TROUBLE, ByHandThen] {
        title: "{subject|a program} could not allocate memory",
        symptom: "`JavaScript heap out of memory`, `java.lang.OutOfMemoryError`, `MemoryError`, `runtime: out of memory`, `Cannot allocate memory`",
        cause: "the kernel did not kill it: its runtime's own limit was reached, or the system refused an allocation (a `ulimit`, no swap, a single request that is too large)",
        fix: "raise the limit that the line names (the runtime's heap, `ulimits:`, `mem_limit`) or reduce what the server loads at once, then run `{helper} up --dir {dir}`",
    }
    ContainerDenied = "container-denied" [Host, Warning, DOCKER, ByHand] {
        title: "AppArmor or SELinux blocks what a container does",
        symptom: "`apparmor=\"DENIED\" … profile=\"docker-default\"` or `avc:  denied … container_t` in the kernel's log",
        cause: "AppArmor or SELinux does not allow the access that the line names; a program that needs it fails, other programs continue",
        fix: "if the program in `comm=` fails at what `name=` says: move that file or folder to one that is mounted for it, or run the service with a profile that allows it (`security_opt: [apparmor=PROFILE]`); otherwise there is nothing to do",
    }
    UnexplainedError = "unexplained-error" [Host, Warning, TROUBLE, ByHandThen] {
        title: "{subject|a program} reports an error that the helper does not know",
        symptom: "an `ERR`, `error` or `Error:` line in a log",
        cause: "the line in the evidence is the program's own; no row of this table explains it",
        fix: "read the line and the ones around it; search for its words together with the program's name; fix what it names, then `{helper} restart --dir {dir}`",
    }
    WslIntegration = "wsl-integration" [Host, Error, DOCKER, ByHand] {
        title: "Docker Desktop is not connected to this WSL distribution",
        symptom: "`The command 'docker' could not be found in this WSL 2 distro`",
        cause: "Docker Desktop puts its command into a distribution only where the WSL integration is on",
        fix: "turn on Docker Desktop > Settings > Resources > WSL integration for this distribution, then open a new terminal",
    }
    BuildxMissing = "buildx-missing" [Host, Error, DOCKER, ByHand] {
        title: "Docker's builder (buildx) is missing or too old",
        symptom: "`the buildx component is missing or broken`, `compose build requires buildx 0.17 or later`",
        cause: "Compose builds the sample's image with the buildx plugin, which many Linux distributions ship as a separate package",
        fix: "install or update buildx: `docker-buildx-plugin` (Docker's repository) or `docker-buildx` (Debian, Ubuntu, Arch); `docker buildx version` shows it",
    }
    BuildOutOfMemory = "build-out-of-memory" [Host, Error, TROUBLE, ByHandThen] {
        title: "a build was killed because it ran out of memory",
        symptom: "`failed to solve: … exit code: 137`, `signal: killed`",
        cause: "the machine, or Docker's virtual machine, has too little memory for this build step",
        fix: "give the machine (macOS, Windows: Docker Desktop > Settings > Resources) more memory or swap, or stop other containers, then `{helper} up --dir {dir}`",
    }
    BuildTls = "build-tls-inspected" [Host, Error, TROUBLE, ByHandThen] {
        title: "a build does not trust the package index's certificate",
        symptom: "`CERTIFICATE_VERIFY_FAILED`, `SELF_SIGNED_CERT_IN_CHAIN`, `SSL certificate problem` in a build step",
        cause: "a company firewall decrypts TLS and presents its own certificate; the image that is built does not know that CA",
        fix: "copy the company's CA into the image before the step that fails (`COPY company-ca.crt /usr/local/share/ca-certificates/` and `RUN update-ca-certificates`; pip also takes `PIP_CERT`, Node `NODE_EXTRA_CA_CERTS`), then `{helper} up --dir {dir}`",
    }
    EngineDnsSilent = "engine-dns-silent" [Host, Warning, DOCKER, ByHand] {
        title: "a DNS server that the engine uses for its containers does not answer",
        symptom: "`[resolver] failed to query external DNS server` in the log of dockerd",
        cause: "the engine's own DNS forwards every name that is not a container's, and the server in the evidence did not answer or was unreachable",
        fix: "set a resolver that answers in the engine's daemon.json (`\"dns\": [\"1.1.1.1\"]`, or the company's) and restart Docker; a single such line while calls work is harmless",
    }
    BuildDns = "build-dns" [Host, Error, DOCKER, ByHand] {
        title: "names do not resolve inside a build",
        symptom: "`Temporary failure in name resolution`, `Could not resolve host`, `EAI_AGAIN` in a build step",
        cause: "a build uses the engine's resolver, which does not answer or is not reachable from a container",
        fix: "set a resolver that answers in the engine's daemon.json (`\"dns\": [\"1.1.1.1\"]`, or the company's) and restart Docker; `docker run --rm alpine nslookup pypi.org` tests it",
    }
    BuildPackages = "build-packages" [Host, Error, TROUBLE, ByHandThen] {
        title: "a build cannot install its packages",
        symptom: "`No matching distribution found for …` in a build step",
        cause: "the index has no such package or version for this Python and CPU, or the build does not reach the index",
        fix: "check name and version in requirements.txt; behind a company mirror put `PIP_INDEX_URL=https://your-mirror/simple` into `.env`, then `{helper} up --dir {dir}`",
    }
    EnvFileMissing = "env-file-missing" [Host, Error, COMPOSE_FILE, ByHandThen] {
        title: "a file that `env_file` or Compose names does not exist",
        symptom: "`env file … not found`, `Couldn't find env file`",
        cause: "Compose reads it before it starts anything; it was never made, has another name, or Compose was run from another directory",
        fix: "create the file that the evidence names (`.env` of the helper's stack: `{helper} init --dir {dir} --json '{\"domain\":\"{domain}\"}'`, then `{helper} token set --dir {dir}`), or remove it from `env_file:`",
    }
    ComposeVariableMissing = "compose-variable-missing" [Host, Error, COMPOSE_FILE, ByHandThen] {
        title: "a variable that the compose file requires is not set",
        symptom: "`required variable … is missing a value`, `environment variable … required by … is not set`",
        cause: "the file names it as `${NAME:?…}` or as the source of a secret, and neither `.env` nor the shell sets it",
        fix: "put `NAME=value` for the variable in the evidence into `.env` in the folder of the compose file, then `{helper} up --dir {dir}`",
    }
    NetworkAlias = "network-alias" [Host, Error, COMPOSE_FILE, ByHand] {
        title: "a service sets a network alias on a network that does not support aliases",
        symptom: "`network-scoped alias is supported only for containers in user defined networks`",
        cause: "the service joins Docker's default bridge (`network_mode: bridge`), and only networks that Compose makes support an alias",
        fix: "remove `network_mode: bridge` (or `aliases:`) from the service, so that it joins the project's own network, then run `up` again",
    }
    CredentialHelper = "credential-helper" [Host, Error, DOCKER, ByHand] {
        title: "docker's credential helper does not work",
        symptom: "`error getting credentials - err: exec: \"docker-credential-desktop\"…`, `docker-credential-desktop.exe`",
        cause: "`credsStore` in ~/.docker/config.json names a credential helper that is not installed here, or that WSL cannot run",
        fix: "remove the line `\"credsStore\"` from ~/.docker/config.json (the images are public, no login is needed), then run the command again",
    }
    RegistryForbidden = "registry-forbidden" [Host, Error, TROUBLE, ByHand] {
        title: "a registry answers 403 Forbidden",
        symptom: "`403 Forbidden`, `error parsing HTTP 403 response body`",
        cause: "the registry or a proxy in front of it refuses this address or region; the images themselves are public",
        fix: "pull through another network or a mirror that is allowed here (name it in `images`), or ask for access to the registry in the evidence; `docker logout` rules out an old login",
    }
    RootlessIds = "rootless-ids" [Host, Error, DOCKER, ByHand] {
        title: "the rootless engine has too few user ids for an image",
        symptom: "`failed to Lchown … (try increasing the number of subordinate IDs in /etc/subuid and /etc/subgid)`",
        cause: "a rootless engine maps users of an image to ids from /etc/subuid and /etc/subgid, and the image has one beyond that range",
        fix: "give your user 65536 ids in /etc/subuid and /etc/subgid (`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$USER\"`), then restart the rootless engine",
    }
    ImageLayer = "image-layer" [Host, Error, DOCKER, ByHand] {
        title: "an image could not be unpacked",
        symptom: "`failed to register layer`, `failed to extract layer`, `failed to mount overlay`",
        cause: "the engine's storage refuses it: a file system without overlay support (in LXC, on ZFS or NFS), missing rights of a rootless engine, or a download that was cut",
        fix: "read the last words of the evidence; `docker system df` and `docker info --format '{{.Driver}}'` show disk and storage driver; in LXC allow nesting and fuse-overlayfs; then pull again",
    }
    EngineAppArmor = "engine-apparmor" [Host, Error, DOCKER, ByHand] {
        title: "AppArmor keeps the engine from starting containers",
        symptom: "`unable to apply apparmor profile`, `AppArmor enabled on system but the docker-default profile could not be loaded`",
        cause: "the engine cannot load or set its profile: an engine older than the kernel's AppArmor, missing AppArmor tools, or an engine inside an LXC container",
        fix: "update Docker Engine and install the package `apparmor` (and restart Docker); inside LXC set `lxc.apparmor.profile = unconfined` or turn on nesting for that container",
    }
    EngineCgroups = "engine-cgroups" [Host, Error, DOCKER, ByHand] {
        title: "the engine cannot set up control groups (cgroups)",
        symptom: "`cgroup mountpoint does not exist`, `error while starting unit \"docker-….scope\"`",
        cause: "the host uses another version of cgroups than the engine expects, or does not mount them (old engine on a new systemd, WSL, LXC)",
        fix: "update Docker Engine to 20.10 or newer; where cgroups are not mounted, mount them (`sudo mkdir -p /sys/fs/cgroup/systemd && sudo mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd`) or reboot",
    }
    EngineKernel = "engine-kernel-modules" [Host, Error, DOCKER, ByHand] {
        title: "the running kernel lacks a module that container networks need",
        symptom: "`failed to add the host (veth…) <=> sandbox (veth…) pair interfaces: operation not supported`",
        cause: "the kernel was updated and the modules of the running one are gone, or it was built without veth or bridge",
        fix: "reboot into the updated kernel; if that changes nothing, install the kernel's extra modules (Raspberry Pi: `sudo apt install linux-modules-extra-raspi`)",
    }
    EngineSeccomp = "engine-seccomp" [Host, Error, DOCKER, ByHandThen] {
        title: "the engine's seccomp profile blocks a system call that the image needs",
        symptom: "`pthread_create failed: Operation not permitted`, `failed to create new OS thread (… errno=1)`, `can't start new thread`",
        cause: "Docker before 20.10.10 answers the newer system call clone3 with an error, so programs cannot start a thread",
        fix: "update Docker Engine to 20.10.10 or newer (`docker version` shows it) and libseccomp with it, then `{helper} restart --dir {dir}`",
    }
    ThreadLimit = "thread-limit" [Host, Error, TROUBLE, ByHandThen] {
        title: "a program has reached its limit of threads",
        symptom: "`failed to create new OS thread (… errno=11)`, `Resource temporarily unavailable`",
        cause: "the container's `pids_limit`, the user's limit or the machine's is reached",
        fix: "raise `pids_limit` of the service (or the limit in the engine's settings), or find what starts so many threads; then `{helper} restart --dir {dir}`",
    }
    SnapDocker = "docker-snap" [Host, Error, DOCKER, ByHand] {
        title: "Docker comes from snap and cannot use this directory",
        symptom: "paths below /var/snap/docker, `error while creating mount source path …: read-only file system`",
        cause: "snap's Docker sees only files below your home directory, and none in hidden folders",
        fix: "move the deployment to a folder below your home without a dot in its name (`--dir ~/mcp-tunnel`), or install Docker Engine from Docker's repository in place of the snap",
    }
    MountNotShared = "mount-not-shared" [Host, Error, DOCKER, ByHand] {
        title: "the engine's virtual machine does not see a mounted folder",
        symptom: "`Mounts denied`, `is not shared from the host`, `error mounting \"/Volumes/…\"`",
        cause: "on macOS and Windows the engine runs in a VM (Docker Desktop, colima, Rancher Desktop, OrbStack), and only shared folders exist there; macOS also asks before it shares Documents, Desktop or another disk",
        fix: "move the deployment below your home (`~/mcp-tunnel`), or share the folder with the VM: Docker Desktop > Settings > Resources > File sharing, `colima start --mount /path:w`, or macOS System Settings > Privacy & Security > Files and Folders",
    }
    MountSource = "mount-source" [Host, Error, COMPOSE_FILE, ByHandThen] {
        title: "the engine cannot use a folder that a service mounts",
        symptom: "`error while creating mount source path`, `bind source path does not exist`",
        cause: "the engine does not find the path in `volumes:`, and may not create it",
        fix: "check the path in the evidence: it must exist on the engine's machine and be readable for the engine; then `{helper} up --dir {dir}`",
    }
    EntrypointUnusable = "entrypoint-unusable" [Host, Error, TROUBLE, ByHandThen] {
        title: "a container's command cannot be run",
        symptom: "`exec …: no such file or directory`, `executable file not found in $PATH`, `permission denied`",
        cause: "the file is not in the image, is not executable, or has Windows line endings (CRLF), so that its first line names an interpreter `sh\\r` that does not exist",
        fix: "check that the file is there, is executable (`chmod +x`) and has LF line endings (`sed -i 's/\\r$//' FILE`), rebuild the image, then `{helper} up --dir {dir}`",
    }
    PodNotRunning = "pod-not-running" [Host, Error, HELM, ByHand] {
        title: "the cluster cannot start {subject|a pod} or keep it running",
        symptom: "`CreateContainerConfigError`, `FailedMount`, `FailedScheduling`, `Evicted`, a `Warning` in `kubectl get events`",
        cause: "something that the pod needs is not there: a Secret, a ConfigMap, a volume, free capacity on a node",
        fix: "run `kubectl describe pod POD` for the pod in the evidence: its last events name what is missing; create or correct that",
    }
    IptablesBroken = "iptables-broken" [Host, Error, DOCKER, ByHandThen] {
        title: "Docker's firewall rules are gone or cannot be set",
        symptom: "`iptables: No chain/target/match by that name`, `can't initialize iptables table`",
        cause: "something flushed Docker's iptables chains (a firewall reload), or the kernel lacks a table that the engine needs (`raw` since engine 28)",
        fix: "run `sudo systemctl restart docker`, which restores the chains; where a table is missing, load its module (`sudo modprobe iptable_raw iptable_nat`) or update the kernel; then `{helper} up --dir {dir}`",
    }
    AddressPools = "address-pools" [Host, Error, DOCKER, ByHand] {
        title: "Docker has no free address range for the stack's network",
        symptom: "`all predefined address pools have been fully subnetted`, `Pool overlaps with other one on this address space`",
        cause: "every range that the engine may use is taken by other Docker networks, or overlaps with a network of the host (a VPN)",
        fix: "remove unused networks (`docker network prune`), or give the engine more ranges (`default-address-pools` in daemon.json) and restart Docker",
    }
    PortPrivileged = "port-privileged" [Host, Error, DOCKER, ByHand] {
        title: "the engine may not publish a low port",
        symptom: "`cannot expose privileged port`, `bind: permission denied`",
        cause: "a rootless engine may not open ports below 1024",
        fix: "remove `ports:` (the tunnel needs none), or publish a port of 1024 or higher",
    }
    DependencyFailed = "dependency-failed" [Host, Error, COMPOSE_FILE, ByHandThen] {
        title: "a service was not started because one that it depends on is unhealthy or exited",
        symptom: "`dependency failed to start: container … is unhealthy`",
        cause: "`depends_on` waits for the health check (or the exit) of the container in the evidence, and that failed",
        fix: "read the log of the container in the evidence (`docker compose logs SERVICE`) and its check (`docker inspect --format '{{json .State.Health}}' CONTAINER`); fix what it says, then `{helper} up --dir {dir}`",
    }
    ContainerReadOnly = "container-read-only" [Host, Error, COMPOSE_FILE, ByHandThen] {
        title: "a program writes to a read-only file system",
        symptom: "`Read-only file system`, `EROFS`",
        cause: "its service has `read_only: true`, or the folder is mounted with `:ro`",
        fix: "give the program a place to write: `tmpfs: [/tmp]` or a volume for the path in the evidence, then `{helper} up --dir {dir}`",
    }
    GitTracked = "git-tracked" [Files, Error, SECURITY, ByHand; blocks: false] {
        title: "git tracks a file that holds a secret",
        symptom: "`git ls-files` lists it",
        cause: "the file was added before it was ignored",
        fix: "run `git -C {dir} rm --cached -f {file|FILE}` and commit; if the repository was ever pushed, rotate the token in the Console",
    }
    GitNotIgnored = "git-not-ignored" [Files, Warning, SECURITY, Init; blocks: false] {
        title: "git would commit a file that holds a secret",
        symptom: "`git status` lists it as untracked",
        cause: "no .gitignore excludes it",
        fix: "run `{helper} init --dir {dir} --json '{\"domain\":\"{domain}\"}'` to complete the directory's .gitignore; a line there that begins with `!` can undo it",
    }
    VariableOfShell = "variable-of-shell" [Files, Warning, COMPOSE_FILE, ByHand; blocks: false] {
        title: "a variable of the compose files is set only in this shell",
        symptom: "the stack starts from this terminal, and not from cron or after a reboot",
        cause: "the compose files name it, `.env` does not set it, and a shell that cron starts does not have it",
        fix: "add it to `.env` in {dir}, in an editor if it is a secret",
    }
    TokenShadowed = "token-shadowed" [Files, Warning, CONSOLE, ByHand; blocks: false] {
        title: "TUNNEL_TOKEN of this shell differs from `.env`",
        symptom: "after a rotation the old token stays in use when Compose is run by hand",
        cause: "`docker compose` typed by hand prefers the shell's variable to `.env`, so the old token stays in use after a rotation; the helper runs Compose without it",
        fix: "run `unset TUNNEL_TOKEN`, and remove it from the shell's start-up files",
    }
    DirectoryOpen = "directory-open" [Files, Warning, SECURITY, ByHand; blocks: false] {
        title: "other users of this host can enter the deployment directory",
        symptom: "`ls -ld` shows more than `drwx------`",
        cause: "the container's user has to read `data/tls.key`, so only the closed directory around it keeps other users out",
        fix: "run `chmod 700 {dir}`",
    }
    EnvMissing = "env-missing" [Files, Error, QUICKSTART, Init] {
        title: "there is no `.env`",
        symptom: "`The TUNNEL_TOKEN variable is not set`",
        cause: "Compose reads the domain and the token from it",
        fix: "run `{helper} init --dir {dir} --json '{\"domain\":\"{domain}\"}'`, then `{helper} token set --dir {dir}` in your own terminal",
    }
    EnvReadable = "env-readable" [Files, Warning, SECURITY, ByHand; blocks: false] {
        title: "other users can read `.env`, which holds the token",
        symptom: "`.env` has a mode wider than 0600",
        cause: "it was created or copied with the default file mode",
        fix: "run `chmod 600 {dir}/.env`",
    }
    EnvWritable = "env-writable" [Files, Error, SECURITY, ByHand; blocks: false] {
        title: "other users can write `.env`",
        symptom: "`.env` is writable for its group or everyone",
        cause: "anyone who can write it can connect this stack to another tunnel",
        fix: "run `chmod 600 {dir}/.env`, and check its contents",
    }
    KeyReadable = "key-readable" [Files, Warning, SECURITY, ByHandThen; blocks: false] {
        title: "other users can read the CA's private key",
        symptom: "`data/ca.key` has a mode wider than 0600",
        cause: "anyone who has it can issue certificates that Anthropic accepts for this tunnel",
        fix: "run `chmod 600 {file|{dir}/data/ca.key}`; if someone may have read it, change to a new CA with `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'`",
    }
    KeyWritable = "key-writable" [Files, Error, SECURITY, ByHand; blocks: false] {
        title: "other users can replace a private key",
        symptom: "a key in `data/` is writable for its group or everyone",
        cause: "anyone who can write it decides which certificates this host issues and presents",
        fix: "run `chmod 600 {file|{dir}/data/ca.key}`",
    }
    DomainMismatch = "domain-mismatch" [Files, Error, QUICKSTART, ByHand] {
        title: "the files do not agree on the tunnel's domain",
        symptom: "`no route for host` for every call, or `bad certificate`",
        cause: "`.env`, the proxy's `tunnel_domain` and the certificate must all name the domain that the Console shows",
        fix: "put the Console's domain into the file in the evidence; use one directory for each tunnel",
    }
    DomainUnusual = "domain-unusual" [Files, Warning, QUICKSTART, ByHand] {
        title: "the domain does not look like a tunnel domain",
        symptom: "the CA cannot be registered, or calls from Claude never arrive",
        cause: "a tunnel domain looks like `abcd1234.tunnel.anthropic.com`; everything in the directory is made for this one",
        fix: "compare it with the Domain that the Console shows under Connection; if it is right, go on; if it is wrong, set up the right one in a new directory (`--dir`)",
    }
    EditKept = "edit-kept" [Files, Note, REFERENCE, ByHand] {
        title: "an edited file was kept",
        symptom: "`render` leaves it as it is",
        cause: "it differs from what the helper wrote, and already contains what was asked for",
        fix: "nothing to do: the edit stays",
    }
    SampleOfMcp1 = "sample-of-mcp-1" [Files, Note, QUICKSTART, ByHandThen] {
        title: "the sample stays on version 1 of the MCP package, because {subject|an edited file} needs it",
        symptom: "`render` leaves the sample's files as they are",
        cause: "a person edited it when the sample ran on version 1; version 2 would not start it",
        fix: "nothing to do: it keeps working. To move to version 2, write `from mcp.server import MCPServer` and `MCPServer(…)` in hello-mcp/server.py, pass host, port and stateless_http to `mcp.run(…)`, move Dockerfile and requirements.txt away, then run `{helper} render --dir {dir}` and `{helper} up --dir {dir}`",
    }
    EditNotReplaced = "edit-not-replaced" [Files, Warning, REFERENCE, ByHand; blocks: false] {
        title: "{subject|a file} was changed or made here, so its new version was not written",
        symptom: "the file is unchanged and differs from the export or the bundle",
        cause: "an export or a bundle replaces only what an earlier one wrote; your edits, your own files and what `render` changed in a replica are kept",
        fix: "move the file aside, run the command again, and put your change into the new version",
    }
    ExportHoldsToken = "export-holds-token" [Files, Warning, SECURITY, ByHand; blocks: false] {
        title: "an export contains the tunnel's token in plain text",
        symptom: "`secrets.yaml` is next to `values.yaml`",
        cause: "anyone who reads that file can connect to the tunnel in your name; base64 does not protect it",
        fix: "keep the file off shared disks, git and chats; apply it, then delete it; without `include_token` the token goes from `.env` to the cluster and into no file",
    }
    ExportSettingLeftOut = "export-setting-left-out" [Files, Note, HELM, ByHand; blocks: false] {
        title: "the export omits settings that the chart does not document",
        symptom: "`data.left_out` of the answer names it",
        cause: "the chart ignores or refuses a value that it does not know, and the helper does not guess",
        fix: "read `left_out`, and configure what you need in the chart's own way",
    }
    ReplicaLeftOut = "replica-left-out" [Files, Note, SECURITY, ByHand; blocks: false] {
        title: "the bundle omits files that the replica may need",
        symptom: "`data.left_out` of the answer names them",
        cause: "private keys, hidden files, links and files that are too large are not packed",
        fix: "copy the files that the replica's services need by hand, but never the CA's key",
    }
    ReplicaHasToken = "replica-has-token" [Files, Error, SECURITY, ByHand; blocks: false] {
        title: "{subject|a file} contains the token, so no bundle was created",
        symptom: "the tunnel's token is in a compose file, in the proxy's configuration or in a comment",
        cause: "without this file the replica would not start, and with it the bundle would contain the token",
        fix: "move the token into `.env` as the value of TUNNEL_TOKEN, remove it from that file, and run the command again",
    }
    ReplicaFileGone = "replica-file-gone" [Files, Warning, SECURITY, ByHandThen; blocks: false] {
        title: "{subject|a file} is from an earlier bundle, and the new one does not contain it",
        symptom: "the file is still there, and Compose and the containers use it as before",
        cause: "it was deleted or renamed in the deployment that the replica was made from; nothing here is deleted",
        fix: "delete the file if no service of this host needs it, then run `{helper} restart --dir {dir}`",
    }
    ReplicaUpdateOlder = "replica-update-older" [Files, Warning, SECURITY, ByHand; blocks: false] {
        title: "the certificate in the bundle expires before the one in use",
        symptom: "`init --from` leaves `data/tls.crt` as it is",
        cause: "the bundle is older, or this replica was already updated",
        fix: "create a new update on the host with the CA's key: `mcp-tunnels-helper export --to replica --only certificate --out FILE`",
    }
    EditBlocksChange = "edit-blocks-change" [Files, Error, REFERENCE, ByHand] {
        title: "the change was not made, because a file was edited by hand",
        symptom: "`render` leaves all files as they are",
        cause: "the helper does not overwrite a person's edits",
        fix: "edit that file yourself (the diff shows the change), or repeat the command with \"overwrite\": true, which keeps a copy of the old file",
    }
    ForeignDeployment = "foreign-deployment" [Files, Error, REFERENCE, ByHandThen] {
        title: "this stack was written by hand, so `render` does not change it",
        symptom: "`render` writes nothing",
        cause: "the helper checks, starts and diagnoses a handmade stack, but does not rewrite it unless you ask",
        fix: "edit routes in the stack's own configuration and run `{helper} restart --dir {dir}`",
    }
    ForeignReplaced = "foreign-replaced" [Files, Warning, REFERENCE, ByHand] {
        title: "the helper's stack replaces one that was written by hand",
        symptom: "services of the old file are missing, or the old stack still runs next to the new one",
        cause: "the new stack has another project name and none of the old file's other services",
        fix: "stop the old stack (the command is in `next`), and copy the services that are still needed from the old file, which is kept as `NAME.bak-TIME`, into docker-compose.override.yaml",
    }
    ConfigNotApplied = "config-not-applied" [Files, Warning, REFERENCE, Restart] {
        title: "the proxy runs with an older configuration",
        symptom: "a new route answers `No route configured for host`",
        cause: "the proxy reads its configuration only when it starts",
        fix: "run `{helper} restart --dir {dir}`",
    }
    TokenNotApplied = "token-not-applied" [Files, Warning, CONSOLE, Restart] {
        title: "cloudflared runs with another token than `.env` holds",
        symptom: "after a rotation the tunnel stays on the old token, or goes down",
        cause: "Compose copies the token into the container when it creates it; a plain restart keeps the old one",
        fix: "run `{helper} restart --dir {dir}`",
    }
    ImageUnpinned = "image-unpinned" [Files, Warning, SECURITY, ByHand; blocks: false] {
        title: "an image is not pinned by digest",
        symptom: "another image may run after the next pull",
        cause: "a tag can be moved to another image at any time",
        fix: "append `@sha256:…` to the reference; `docker image inspect --format '{{.RepoDigests}}' IMAGE` shows the digest",
    }
    NetworkModeMissing = "network-mode-missing" [Files, Error, REFERENCE, ByHand] {
        title: "cloudflared cannot reach the proxy: they share no network",
        symptom: "`Unable to reach the origin service … 127.0.0.1:8080: connect: connection refused`",
        cause: "cloudflared dials localhost, and the proxy listens there only inside its own network namespace",
        fix: "add `network_mode: \"service:{proxy}\"` to the service `{cloudflared}`, or put both on one network and write `--url http://{proxy}:8080`",
    }
    DependsOnPlain = "depends-on-plain" [Files, Warning, COMPOSE_FILE, ByHand; blocks: false] {
        title: "a restart of the proxy will disconnect cloudflared",
        symptom: "calls fail after `docker compose restart {proxy}`",
        cause: "a `depends_on` list replaces the rule by which Compose restarts cloudflared together with the proxy",
        fix: "write `depends_on: { {proxy}: { condition: service_started, restart: true } }`, or remove `depends_on`; the setting `\"namespace\":\"separate\"` (`render`, then `up`) makes cloudflared independent of the proxy's restarts",
    }
    TokenInClear = "token-in-clear" [Files, Warning, SECURITY, ByHand; blocks: false] {
        title: "`docker inspect` shows the token",
        symptom: "TUNNEL_TOKEN is in the service's environment",
        cause: "the token is in the service's environment, which everyone with access to Docker and every tool that dumps container settings can read",
        fix: "pass the token as a Compose secret: `secrets: { tunnel_token: { environment: TUNNEL_TOKEN } }` at the top level, the secret in the service, and TUNNEL_TOKEN_FILE=/run/secrets/tunnel_token in place of the variable",
    }
    TokenInFile = "token-in-file" [Files, Error, SECURITY, ByHandThen; blocks: false] {
        title: "the token is written in the compose file",
        symptom: "a value that begins with `eyJ` in the file",
        cause: "compose files are shared and committed",
        fix: "move the token into `.env` (`{helper} token set --dir {dir}`), remove it from the file, and rotate it if the file was ever shared",
    }
    PortsPublished = "ports-published" [Files, Warning, SECURITY, ByHand; blocks: false] {
        title: "a service of the stack publishes a port",
        symptom: "`ports:` in the compose file",
        cause: "the tunnel needs no inbound port: cloudflared dials out, and upstreams are reached inside Docker's network",
        fix: "remove `ports:` from the service in the evidence",
    }
    ProxyConfigMissing = "proxy-config-missing" [Files, Error, REFERENCE, Look] {
        title: "the proxy's configuration file is missing",
        symptom: "`open /etc/mcp-gateway/config.yaml: no such file or directory`",
        cause: "it was not written yet, or it is mounted at a path where the proxy's image does not look",
        fix: "run `{helper} init --dir {dir}` to see which step is next; in your own compose file, mount it at /etc/mcp-gateway/config.yaml",
    }
    ProxyConfigTls = "proxy-config-tls" [Files, Error, REFERENCE, ByHandThen] {
        title: "the proxy's configuration does not name its certificate and key",
        symptom: "the proxy exits: `tls.cert_file is required`",
        cause: "`tls.cert_file` and `tls.key_file` are required, and are absolute paths in the proxy's container",
        fix: "set `tls.cert_file: /data/tls.crt` and `tls.key_file: /data/tls.key`, then run `{helper} restart --dir {dir}`",
    }
    ListenLoopback = "listen-loopback" [Files, Error, REFERENCE, ByHandThen] {
        title: "the proxy listens on loopback, where cloudflared cannot reach it",
        symptom: "`Unable to reach the origin service … connect: connection refused`",
        cause: "cloudflared is outside of the proxy's network namespace, and a `listen_addr` on 127.0.0.1 is open inside it only",
        fix: "set `listen_addr: \":8080\"`, then run `{helper} restart --dir {dir}`; or put cloudflared into the proxy's namespace: `{helper} render --dir {dir} --json '{\"namespace\":\"shared\"}'` and `{helper} up --dir {dir}`",
    }
    ProxyNameShared = "proxy-name-shared" [Files, Warning, COMPOSE_FILE, ByHand; blocks: false] {
        title: "cloudflared may reach another stack's proxy: the name that it dials is not unique on its networks",
        symptom: "some calls fail with `no route for host`",
        cause: "Docker gives every service its name on each network that it joins, and two stacks on one network may both have a `{proxy}`",
        fix: "remove `{cloudflared}` from that network, or give the proxy a unique name there (`aliases:`) and write that name in `--url`",
    }
    NamespaceShared = "namespace-shared" [Files, Note, SECURITY, ByHandThen; blocks: false] {
        title: "cloudflared reaches every server that the proxy reaches",
        symptom: "servers without a published port are open to cloudflared, past the proxy's routes and address checks",
        cause: "it shares the proxy's network namespace, which is on the servers' networks",
        fix: "nothing to do unless you want them apart: `{helper} render --dir {dir} --json '{\"namespace\":\"separate\"}'` and `{helper} up --dir {dir}` put cloudflared on a network with the proxy alone",
    }
    ListenAddrInvalid = "listen-addr-invalid" [Files, Error, REFERENCE, ByHandThen] {
        title: "`listen_addr` names no port",
        symptom: "the proxy exits: `missing port in address`",
        cause: "`listen_addr` is `:PORT` or `HOST:PORT`",
        fix: "set `listen_addr: \":8080\"`, then run `{helper} restart --dir {dir}`",
    }
    ProxyConfigConflict = "proxy-config-conflict" [Files, Error, REFERENCE, ByHandThen] {
        title: "two settings of the proxy's configuration exclude each other",
        symptom: "the proxy exits after its start",
        cause: "`upstream.allowed_ips` lists what may be dialled, and `disable_ip_validation: true` allows everything",
        fix: "remove `disable_ip_validation`, or `allowed_ips`, then run `{helper} restart --dir {dir}`",
    }
    ProxyConfigKey = "proxy-config-key" [Files, Warning, REFERENCE, ByHandThen; blocks: false] {
        title: "the proxy's configuration has a key where the proxy does not read it",
        symptom: "a setting has no effect: `allowed_ips` on the top level leaves the private ranges allowed, and nothing else",
        cause: "the proxy reads each setting under its documented name in its documented section",
        fix: "move or rename the key as the evidence says, then run `{helper} restart --dir {dir}`",
    }
    ProxyConfigVariable = "proxy-config-variable" [Files, Error, REFERENCE, ByHandThen] {
        title: "the proxy's configuration contains a variable",
        symptom: "`no route for host`, or a file named `${…}` that does not exist",
        cause: "the proxy reads `${…}` as it is; only Compose replaces variables, and only in compose files",
        fix: "write the value in place of the variable, then run `{helper} restart --dir {dir}`",
    }
    ProxyConfigIsDir = "proxy-config-is-dir" [Files, Error, TROUBLE, ByHandThen] {
        title: "the proxy's configuration file is a directory",
        symptom: "`read /etc/mcp-gateway/config.yaml: is a directory`",
        cause: "the file was missing when the stack started, and Docker created a directory with that name",
        fix: "run `{helper} down --dir {dir}`, remove the empty directory, write the routes again (`{helper} render --dir {dir} --json '{\"routes\":{\"NAME\":\"http://HOST:PORT\"}}'`), then run `{helper} up --dir {dir}`",
    }
    MountMissing = "mount-missing" [Files, Error, TROUBLE, ByHandThen] {
        title: "the source of a mount is missing, or is an empty directory",
        symptom: "no message at all; later `is a directory`, `can't find '__main__' module`, or a file that is not there",
        cause: "when the source of a bind mount is missing, Docker creates an empty directory with that name, owned by root",
        fix: "stop the stack, remove the directory if Docker created one, put the file there, then run `{helper} up --dir {dir}`",
    }
    ProxyConfigDenied = "proxy-config-denied" [Files, Error, TROUBLE, ByHand] {
        title: "the proxy cannot read its configuration: permission denied",
        symptom: "`open /etc/mcp-gateway/config.yaml: permission denied`",
        cause: "the container runs as user 65532; on SELinux hosts the mount also needs a label (`:z`)",
        fix: "run `chmod a+rX {file|FILE}`",
    }
    ProxyConfigYaml = "proxy-config-yaml" [Files, Error, REFERENCE, ByHandThen] {
        title: "the proxy's configuration is not valid YAML",
        symptom: "`yaml: line N: …`",
        cause: "usually a tab or a wrong indentation",
        fix: "fix the line in the evidence, then run `{helper} restart --dir {dir}`",
    }
    ProxyConfigRoutesList = "proxy-config-routes-list" [Files, Error, REFERENCE, ByHandThen] {
        title: "`routes` is a list, and the proxy expects a map",
        symptom: "`cannot unmarshal !!seq into map[string]string`",
        cause: "each route is one line `name: scheme://host:port`, without a dash",
        fix: "write `routes:` and below it `  echo: http://hello-mcp:9000`, then run `{helper} restart --dir {dir}`",
    }
    ProxyConfigType = "proxy-config-type" [Files, Error, REFERENCE, ByHandThen] {
        title: "a field of the proxy's configuration has the wrong type or name",
        symptom: "`cannot unmarshal !!… into …`, `field … not found`",
        cause: "",
        fix: "fix the field in the evidence, then run `{helper} restart --dir {dir}`",
    }
    ProxyConfigUpstream = "proxy-config-upstream" [Files, Error, REFERENCE, ByHand] {
        title: "the upstream of a route is not `scheme://host:port`",
        symptom: "`invalid upstream (must be scheme://host:port)`",
        cause: "the proxy accepts no path (not even `/`) and requires a port",
        fix: "write `http://host:9000`; the path belongs in the URL that Claude calls",
    }
    ProxyConfigRoutesEmpty = "proxy-config-routes-empty" [Files, Error, REFERENCE, ByHand] {
        title: "the proxy's configuration has no routes",
        symptom: "every call answers `No route configured for host`",
        cause: "`routes` is missing or empty",
        fix: "run `{helper} render --dir {dir} --json '{\"routes\":{\"NAME\":\"http://HOST:PORT\"}}'`",
    }
    RouteNameInvalid = "route-name-invalid" [Files, Warning, REFERENCE, ByHand] {
        title: "a route's name is not a valid host name label",
        symptom: "the route never answers",
        cause: "a route's name becomes the label in front of the domain: lower-case letters, digits and `-`; the wildcard certificate covers only one label",
        fix: "rename the route",
    }
    ProxyKeyDenied = "proxy-key-denied" [Files, Error, TROUBLE, ByHand] {
        title: "the proxy cannot read the server key: permission denied",
        symptom: "`open /data/tls.key: permission denied`",
        cause: "the container runs as user 65532, and only the owner can read the key",
        fix: "run `chmod a+rX {file|{dir}/data/tls.key}`; the closed directory around it keeps other users of this host out",
    }
    ProxyCertMissing = "proxy-cert-missing" [Files, Error, QUICKSTART, Issue] {
        title: "the server certificate or its key is missing",
        symptom: "`open /data/tls.crt: no such file or directory`",
        cause: "certificates were not issued yet, or one of the two files was removed",
        fix: "run `{helper} certs issue --dir {dir}`; if the certificate is there and its key is lost, move the certificate away first",
    }
    ProxyCertMismatch = "proxy-cert-mismatch" [Files, Error, TROUBLE, Renew] {
        title: "the server certificate does not match its key",
        symptom: "`tls: private key does not match public key`",
        cause: "one of the two files was replaced and the other was not",
        fix: "run `{helper} certs renew --dir {dir}`, which issues one for the key that exists",
    }
    ProxyCertSwapped = "proxy-cert-swapped" [Files, Error, TROUBLE, ByHand] {
        title: "certificate and key files are swapped",
        symptom: "`failed to find certificate PEM data in certificate input, but did find a private key`",
        cause: "data/tls.crt contains a key, and data/tls.key a certificate",
        fix: "let `tls.cert_file` name the certificate and `tls.key_file` the key in the proxy's configuration; if the names are right, swap the two files",
    }
    ProxyCertEmpty = "proxy-cert-empty" [Files, Error, TROUBLE, ByHandThen] {
        title: "a certificate file has no usable content",
        symptom: "`tls: failed to find any PEM data`",
        cause: "it is empty, truncated, DER instead of PEM, a signing request, or a symbolic link that was copied as text",
        fix: "replace the file in the evidence with the PEM file that it was made from; without such a file, move it away, then run `{helper} certs issue --dir {dir}`",
    }
    ProxyCertOrder = "proxy-cert-order" [Files, Error, TROUBLE, Renew] {
        title: "the certificates in data/tls.crt are in the wrong order",
        symptom: "`tls: private key does not match public key`",
        cause: "a TLS server takes the first certificate of the file for its own, and another one comes first",
        fix: "run `{helper} certs renew --dir {dir}`, or move the server's certificate to the top of data/tls.crt",
    }
    ProxyPairUnknown = "proxy-pair-unknown" [Files, Error, REFERENCE, ByHand; blocks: false] {
        title: "data/tls.crt may not be the certificate that the proxy reads",
        symptom: "the certificate is renewed, and calls still fail with `expired certificate`",
        cause: "the proxy's configuration and mounts name another file, or do not tell which; that file is not checked and not renewed",
        fix: "renew the proxy's own file with the registered CA; or move it, its key and that CA to `data/tls.crt`, `data/tls.key`, `data/ca.crt` and `data/ca.key`, mount `./data` at `/data` and set `tls.cert_file: /data/tls.crt` and `tls.key_file: /data/tls.key`",
    }
    ProxyKeyEncrypted = "proxy-key-encrypted" [Files, Error, TROUBLE, ByHand] {
        title: "the server key is encrypted with a passphrase",
        symptom: "`tls: failed to parse private key`",
        cause: "the proxy cannot ask for a passphrase when it starts",
        fix: "run `openssl pkey -in data/tls.key -out data/tls.key.plain && chmod 644 data/tls.key.plain && mv data/tls.key.plain data/tls.key` in {dir}",
    }
    CaMissing = "ca-missing" [Files, Error, QUICKSTART, ByHandThen] {
        title: "the CA certificate data/ca.crt is missing",
        symptom: "there is no `data/ca.crt`",
        cause: "certificates were not issued yet, or the file was removed",
        fix: "restore the registered ca.crt; if data/ca.key is there, `{helper} certs issue --dir {dir}` makes it again; if both are lost, move data/tls.crt away too, run it, and register the new CA",
    }
    CaUnusable = "ca-unusable" [Files, Error, REFERENCE, ByHand; blocks_signing: true] {
        title: "data/ca.crt is not a usable certificate",
        symptom: "the Console refuses the file",
        cause: "it is empty, truncated, or of another kind",
        fix: "restore the registered certificate as data/ca.crt",
    }
    CaUnfit = "ca-unfit" [Files, Error, REFERENCE, RotateCa; blocks_signing: true] {
        title: "the CA certificate does not meet the tunnel's requirements",
        symptom: "the Console refuses it, or every call fails with `tls handshake failed`",
        cause: "the Console and the tunnel accept only certificates that meet every documented requirement",
        fix: "run `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'`, which makes a CA that meets them, and register it in the Console",
    }
    CaNameConstraints = "ca-name-constraints" [Files, Error, REFERENCE, RotateCa; blocks_signing: true] {
        title: "the CA's name constraints rule out the tunnel's host names",
        symptom: "every call fails with `tls handshake failed`",
        cause: "clients reject every certificate that this CA issues for these names",
        fix: "run `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'`, which makes a CA without constraints, and register it in the Console",
    }
    CaExtraText = "ca-extra-text" [Files, Error, SECURITY, ByHand; blocks: false] {
        title: "data/ca.crt contains more than the CA certificate",
        symptom: "text before or after the certificate block",
        cause: "the file is registered in the Console and mounted into the proxy; a token or password in it is exposed",
        fix: "keep only the lines from BEGIN CERTIFICATE to END CERTIFICATE in data/ca.crt; replace the token or password if there was one",
    }
    CaExpired = "ca-expired" [Files, Error, REFERENCE, RotateCa; blocks_signing: true] {
        title: "the CA certificate is expired or not yet valid",
        symptom: "every call fails with `tls handshake failed`",
        cause: "its validity has ended or has not begun; a wrong clock looks the same",
        fix: "check this machine's clock; then run `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` and register the new CA in addition to the old one (a tunnel holds two)",
    }
    CaEndsFirst = "ca-ends-first" [Tls, Warning, REFERENCE, ByHandThen] {
        title: "the server certificate expires early, because its CA does",
        symptom: "it is valid for fewer days than were asked for",
        cause: "a certificate is invalid once the CA that signed it has expired",
        fix: "run `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` before that day: it makes a new CA, to be registered in addition to the old one (a tunnel holds two)",
    }
    CaExpiresSoon = "ca-expires-soon" [Tls, Warning, REFERENCE, RotateCa] {
        title: "the CA certificate expires soon",
        symptom: "every call will fail with `tls handshake failed`",
        cause: "every certificate that it signed stops working with it",
        fix: "run `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'`, which makes a new CA and keeps this one; no call is lost in the change",
    }
    CertsNotVerifiable = "certs-not-verifiable" [Tls, Warning, REFERENCE, ByHand] {
        title: "the helper cannot verify these certificates",
        symptom: "requirements are skipped",
        cause: "this helper's verifier does not support their kind of key or signature (ECDSA P-521, RSA over 4096 bits and the like)",
        fix: "call a route from Claude to be sure, or use ECDSA P-256, as `certs issue` does",
    }
    TlsHandshake = "tls-handshake" [Tls, Error, REFERENCE, ByHandThen] {
        title: "a TLS handshake with these certificates fails",
        symptom: "every call fails with `tls handshake failed`",
        cause: "a client that trusts only data/ca.crt rejects data/tls.crt",
        fix: "fix the other findings first; without any, run `{helper} certs renew --dir {dir} --json '{\"force\":true}'`",
        caused_by: &[&[ProxyCertOrder, TlsExpired, ServerUnfit, TlsUnknownCa, CaExpired, CaNameConstraints, CaUnfit, TlsBadCert]],
    }
    CertsRotationOpen = "certs-rotation-open" [Files, Note, CONSOLE, Look] {
        title: "a CA change is in progress",
        symptom: "files `ca-next` or `ca-old` in `data/`",
        cause: "its next step waits for the Console or for traffic",
        fix: "run `{helper} certs rotate-ca --dir {dir}`, which shows the state and the next step",
    }
    CaKeyMissing = "ca-key-missing" [Files, Note, SECURITY, ByHand] {
        title: "the CA's private key is not on this host",
        symptom: "there is no `data/ca.key`",
        cause: "it was moved to a safer place, or lost; the running stack does not need it",
        fix: "restore data/ca.key before you renew the server certificate",
    }
    CaKeyNeeded = "ca-key-needed" [Files, Error, SECURITY, ByHandThen] {
        title: "issuing a server certificate needs the CA's private key, which is not here",
        symptom: "there is no `data/ca.key`",
        cause: "the registered CA's key is elsewhere, or lost",
        fix: "restore data/ca.key and run this command again; if it is lost, `{helper} certs rotate-ca --dir {dir} --json '{\"step\":\"begin\"}'` changes to a new CA without losing a call",
    }
    ReplicaCannotSign = "replica-cannot-sign" [Files, Note, SECURITY, ByHand] {
        title: "this directory is a replica: another host renews its certificate",
        symptom: "`replica.json` is there, `data/ca.key` is not",
        cause: "the CA's key stays in the deployment that the replica was made from, so that a stolen replica cannot sign",
        fix: "on the first host run `mcp-tunnels-helper certs renew` and `mcp-tunnels-helper export --to replica --only certificate --out FILE`, copy FILE here, and apply it with `{helper} init --dir {dir} --from FILE`",
    }
    CaKeyUnusable = "ca-key-unusable" [Files, Error, REFERENCE, ByHand; blocks_signing: true] {
        title: "`data/ca.key` cannot sign",
        symptom: "no certificate can be issued or renewed; the running stack is not affected",
        cause: "it is encrypted with a passphrase, damaged, or a kind of key that the helper cannot use",
        fix: "put the CA's unencrypted key into data/ca.key before the next renewal (`openssl pkey -in KEY -out data/ca.key` removes a passphrase)",
    }
    CaKeyMismatch = "ca-key-mismatch" [Files, Error, REFERENCE, ByHand; blocks_signing: true] {
        title: "data/ca.key does not match data/ca.crt",
        symptom: "certificates issued with it are not trusted",
        cause: "one of the two files was replaced",
        fix: "restore the file that belongs to the registered CA",
    }
    ServerUnfit = "server-unfit" [Files, Error, REFERENCE, Renew] {
        title: "the server certificate does not meet the tunnel's requirements",
        symptom: "every call fails with `tls handshake failed`",
        cause: "its key is too weak or of another kind, or its signature's hash is weaker than SHA-256",
        fix: "run `{helper} certs renew --dir {dir}`; where the key is the fault, move data/tls.crt and data/tls.key away and run `{helper} certs issue --dir {dir}`",
    }
    TokenMissing = "token-missing" [Edge, Error, CONSOLE, Token] {
        title: "the tunnel token is missing",
        symptom: "`\"cloudflared tunnel run\" requires the ID or name of the tunnel`, exit code 255",
        cause: "TUNNEL_TOKEN in `.env` is empty or absent",
        fix: "copy the token from the Console (Connection, eye icon), then run `{helper} token set --dir {dir}` in your own terminal",
        caused_by: &[&[EnvMissing, ComposeConfigInvalid]],
    }
    TokenPlaceholder = "token-placeholder" [Edge, Error, CONSOLE, Token] {
        title: "the tunnel token is not set yet",
        symptom: "`Provided Tunnel token is not valid.`, exit code 255",
        cause: "`.env` still contains the placeholder",
        fix: "copy the token from the Console (Connection, eye icon), then run `{helper} token set --dir {dir}` in your own terminal",
    }
    TokenMalformed = "token-malformed" [Edge, Error, CONSOLE, Token] {
        title: "TUNNEL_TOKEN is not a tunnel token",
        symptom: "`Provided Tunnel token is not valid.`, exit code 255",
        cause: "",
        fix: "copy the token from the Console again: one line, no quotes, it begins with `eyJ`; then run `{helper} token set --dir {dir}` in your own terminal",
    }
    TokenFileUnreadable = "token-file-unreadable" [Edge, Error, TROUBLE, ByHandThen] {
        title: "cloudflared cannot read its token file",
        symptom: "`Failed to read token file`",
        cause: "TUNNEL_TOKEN_FILE names a file that is not in the container, or that user 65532 cannot read",
        fix: "mount the token where TUNNEL_TOKEN_FILE says, readable for user 65532; a Compose secret with `environment: TUNNEL_TOKEN` does both; if the compose file has it already, Compose made the container while no token was set: `{helper} down --dir {dir}`, then `{helper} up --dir {dir}`",
    }
    TokenShellOnly = "token-shell-only" [Edge, Warning, QUICKSTART, ByHandThen; blocks: false] {
        title: "Compose gets the tunnel's token only from the shell",
        symptom: "after a reboot, or from cron: `The TUNNEL_TOKEN variable is not set`",
        cause: "the set-up program wrote the token to data/tunnel-token, and the compose file takes it from a variable of the shell",
        fix: "run `{helper} token set --dir {dir}` in your own terminal: it keeps the token in `.env`",
    }
    TokenRegionConflict = "token-region-conflict" [Edge, Error, TROUBLE, ByHandThen] {
        title: "a region is set, and the token names its own endpoint",
        symptom: "`region provided with a token that has an endpoint`",
        cause: "`--region` or TUNNEL_REGION cannot be combined with a token that contains an endpoint",
        fix: "remove `--region` and TUNNEL_REGION, then run `{helper} restart --dir {dir}`",
    }
    TokenRejected = "token-rejected" [Edge, Error, CONSOLE, Token] {
        title: "the tunnel edge rejects the token",
        symptom: "`Unauthorized: Invalid tunnel secret`; over QUIC only `control stream encountered a failure while serving`",
        cause: "the token was rotated, the tunnel was archived, or the token belongs to another tunnel",
        fix: "copy the current token from the Console, run `{helper} token set --dir {dir}` in your own terminal, then `{helper} restart --dir {dir}`",
        caused_by: &[&[TokenNotApplied]],
    }
    EdgeRegistrationTimeout = "edge-registration-timeout" [Edge, Warning, TROUBLE, ByHandThen] {
        title: "registrations at the tunnel edge time out",
        symptom: "`control stream encountered a failure while serving` about five seconds after each dial",
        cause: "the edge is slow, or a middlebox passes the handshake and stalls the rest",
        fix: "wait a minute; if it continues, use TCP: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'`, then `{helper} restart --dir {dir}`",
    }
    EdgeNotRegistered = "edge-not-registered" [Edge, Error, TROUBLE, ByHandThen; is_seen_live: true] {
        title: "cloudflared has no connection to the tunnel edge",
        symptom: "no `Registered tunnel connection` in its log",
        cause: "its log does not say why; its last error line is in the evidence",
        fix: "allow outbound TCP and UDP 7844 to 198.41.192.0/19; behind a firewall that drops UDP, run `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'` and `{helper} restart --dir {dir}`",
        caused_by: &[&[ProxyNetnsOrphaned, NetnsOwnerNotRunning], ENDS_AGENT],
    }
    EdgePartial = "edge-partial" [Edge, Warning, TROUBLE, Look; is_seen_live: true] {
        title: "cloudflared has fewer edge connections than it wants",
        symptom: "fewer than four `Registered tunnel connection`",
        cause: "some paths to the edge are blocked, or it is still connecting; calls work over the other connections",
        fix: "wait a minute, then run `{helper} status --dir {dir}`; if nothing changes, allow outbound TCP and UDP 7844 to 198.41.192.0/19",
        caused_by: &[&[EdgeConnLost]],
    }
    EdgeFewAddresses = "edge-few-addresses" [Edge, Note, TROUBLE, ByHand] {
        title: "DNS returns fewer edge addresses than cloudflared wants connections",
        symptom: "`You requested 4 HA connections but I can give you at most 2`",
        cause: "the resolver returns only a part of the records; the existing connections carry every call",
        fix: "nothing to do while calls work; another resolver (`dns:` of the service `{proxy}`) may return all of them",
    }
    EdgeConnLost = "edge-conn-lost" [Edge, Warning, TROUBLE, ByHandThen] {
        title: "connections to the tunnel edge were lost",
        symptom: "`Lost connection with the edge`, `failed to accept QUIC stream: timeout: no recent network activity`",
        cause: "the network was interrupted, the machine slept, or the edge is under maintenance; cloudflared reconnects by itself",
        fix: "nothing to do if they come back within two minutes; otherwise check this machine's network, then run `{helper} restart --dir {dir}`",
        caused_by: &[&[ProxyNetnsOrphaned]],
    }
    EdgeUnreachable = "edge-unreachable" [Edge, Error, TROUBLE, ByHandThen] {
        title: "outbound UDP and TCP 7844 are blocked",
        symptom: "cloudflared never gets a connection: its QUIC and TCP attempts on port 7844 all fail",
        cause: "a firewall on this host or on the way blocks both; the tunnel uses no other port, and cloudflared uses no HTTP proxy for it",
        fix: "allow outbound TCP 7844 (and UDP 7844, which is faster) to 198.41.192.0/19 and 2606:4700:a0::/44; `{helper} preflight` shows what is open; with TCP alone, `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'` skips the attempt over UDP",
    }
    EdgeNetworkUnreachable = "edge-network-unreachable" [Edge, Error, TROUBLE, ByHand] {
        title: "the container has no route to the network",
        symptom: "`network is unreachable` from the first attempt on",
        cause: "the host had no network yet when it started (after a boot), its Docker network is `internal: true`, or the addresses are of a family (IPv6) that this host has no route for",
        fix: "check that the host itself reaches the internet (`ip route` shows a default route); after a boot without network the restart policy `unless-stopped` brings cloudflared back; otherwise give the service `{proxy}` a network that is not internal, or set `--edge-ip-version 4` in cloudflared's command",
    }
    EdgeNoAddresses = "edge-no-addresses" [Edge, Error, TROUBLE, ByHand] {
        title: "DNS returns no usable address of the tunnel edge",
        symptom: "`there are no free edge addresses left to resolve to`",
        cause: "the resolver returns one address family only and this host has the other, or something rewrites the answers",
        fix: "fix the resolver, or add `--edge-ip-version 4` to cloudflared's command",
    }
    EdgeEgressDeniedLocally = "edge-egress-denied-locally" [Edge, Error, TROUBLE, ByHandThen] {
        title: "a firewall on this host rejects the packets to the edge",
        symptom: "`sendmsg: operation not permitted`",
        cause: "iptables, nftables, ufw or a security profile of this machine blocks outbound UDP 7844",
        fix: "allow outbound UDP and TCP 7844 in this machine's firewall; or use TCP: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'`, then `{helper} restart --dir {dir}`",
    }
    EdgeTlsIntercepted = "edge-tls-intercepted" [Edge, Error, TROUBLE, ByHand] {
        title: "TLS to the tunnel edge is intercepted",
        symptom: "`certificate signed by unknown authority` or a broken TLS handshake on port 7844",
        cause: "a firewall or proxy that inspects TLS terminates the connection itself",
        fix: "exempt 198.41.192.0/19 port 7844 (names under argotunnel.com and cftunnel.com) from TLS inspection",
    }
    ClockSkew = "clock-skew" [Edge, Error, TROUBLE, ByHand] {
        title: "this machine's clock and the edge's certificate disagree",
        symptom: "`certificate has expired or is not yet valid: current time …`",
        cause: "the clock is wrong (a virtual machine that slept, no time service); if it is right, an inspecting proxy presents an old certificate",
        fix: "compare `date -u` with the real time and start the time service (macOS, Windows: restart Docker Desktop); if the clock is right, exempt port 7844 from TLS inspection",
    }
    EdgeQuicBlocked = "edge-quic-blocked" [Edge, Warning, TROUBLE, ByHandThen] {
        title: "outbound UDP 7844 looks blocked",
        symptom: "`failed to dial to edge with quic: timeout: no recent network activity`",
        cause: "a firewall drops it; cloudflared falls back to HTTP/2 over TCP by itself, which takes two minutes or more",
        fix: "allow outbound UDP 7844, or skip the attempt: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'`, then `{helper} restart --dir {dir}`",
        caused_by: &[&[EdgeUnreachable, ProxyNetnsOrphaned]],
    }
    EdgeTcpBlocked = "edge-tcp-blocked" [Edge, Warning, TROUBLE, ByHand] {
        title: "outbound TCP 7844 looks blocked",
        symptom: "`DialContext error: dial tcp …:7844: i/o timeout`",
        cause: "a firewall drops or rejects it",
        fix: "allow outbound TCP 7844 to 198.41.192.0/19",
        caused_by: &[&[EdgeUnreachable, ProxyNetnsOrphaned]],
    }
    NetworkDown = "network-down" [Edge, Error, TROUBLE, ByHand] {
        title: "this host has no internet connection",
        symptom: "`network is unreachable` for every address",
        cause: "there is no network link, no default route, or a firewall on this host rejects everything",
        fix: "connect the host, then run this command again; `ip route` (macOS: `netstat -rn`) shows whether there is a default route",
    }
    CaptivePortal = "captive-portal" [Edge, Error, TROUBLE, ByHand] {
        title: "a captive portal intercepts connections",
        symptom: "a sign-in page of the hotel, the guest network or the company",
        cause: "the network answers every connection itself until a person signs in",
        fix: "open any page in a browser, sign in to the network, then run this command again",
    }
    TlsInspected = "tls-inspected" [Edge, Warning, TROUBLE, ByHand] {
        title: "a proxy on the way inspects TLS connections",
        symptom: "`certificate signed by unknown authority` from docker, pip or cloudflared",
        cause: "the certificates come from a private CA: a company firewall or a virus scanner decrypts the traffic",
        fix: "add that CA to the Docker daemon's trust store for pulls and builds; ask for port 7844 to 198.41.192.0/19 to be exempted, because cloudflared accepts no other certificate there",
    }
    RegistryBlocked = "registry-blocked" [Edge, Warning, TROUBLE, ByHand] {
        title: "an image registry is unreachable from this host",
        symptom: "`docker compose up` fails while it pulls",
        cause: "a firewall, DNS or a proxy blocks it; the Docker daemon's own network settings decide in the end",
        fix: "allow outbound TCP 443 to the registry, give the daemon the company's proxy, or name a mirror in `images`",
    }
    ApiUnreachable = "api-unreachable" [Edge, Note, TROUBLE, ByHand] {
        title: "Anthropic's API is unreachable from this host",
        symptom: "curl and SDK calls from this host fail",
        cause: "the tunnel does not need it; the requests that `connect` prints do, on any machine",
        fix: "allow outbound TCP 443 to api.anthropic.com, or call from another machine",
    }
    EdgeRegionUnreachable = "edge-region-unreachable" [Edge, Warning, TROUBLE, ByHand] {
        title: "one of the two regions of the tunnel edge is unreachable",
        symptom: "two of four connections, again and again",
        cause: "a firewall rule covers a part of the edge's addresses, or the region is down",
        fix: "allow the whole of 198.41.192.0/19; calls work over the other region meanwhile",
    }
    EdgeNoIpv6 = "edge-no-ipv6" [Edge, Note, TROUBLE, ByHand] {
        title: "the tunnel edge is unreachable over IPv6",
        symptom: "IPv6 probes fail",
        cause: "this host has IPv6, and the edge does not answer over it; cloudflared uses IPv4 by default",
        fix: "nothing to do while cloudflared uses IPv4; otherwise allow outbound port 7844 to 2606:4700:a0::/44",
    }
    EdgeDnsFailed = "edge-dns-failed" [Edge, Error, TROUBLE, ByHand] {
        title: "DNS does not resolve the tunnel edge",
        symptom: "`Could not lookup srv records on _v2-origintunneld._tcp.argotunnel.com`",
        cause: "Docker forwards queries to this host's resolver, which fails or filters the name",
        fix: "fix the resolver, or add `dns: [1.1.1.1, 8.8.8.8]` to the service `{proxy}` (cloudflared shares its namespace)",
        caused_by: &[ENDS_PROXY, &[ProxyNetnsOrphaned, NetnsOwnerNotRunning]],
    }
    CloudflaredUsage = "cloudflared-usage" [Edge, Error, REFERENCE, ByHandThen] {
        title: "cloudflared does not understand its command",
        symptom: "`Incorrect Usage: flag provided but not defined`, `No help topic for …`",
        cause: "the image is too old for a flag (`--token` came in 2022.3, `--token-file` in 2025.4), or the command is misspelt or lacks `run`",
        fix: "pull the image again or name a newer one (`{helper} render --dir {dir} --json '{\"images\":null}'` takes the pinned one); the command is `tunnel --no-autoupdate run --url http://localhost:8080`",
    }
    CloudflaredOriginCert = "cloudflared-origin-cert" [Edge, Error, REFERENCE, ByHandThen] {
        title: "cloudflared looks for an origin certificate, which this kind of tunnel does not use",
        symptom: "`You need to specify the origin certificate path`, `Error locating origin cert`",
        cause: "it was started with a tunnel's name or id, or without a token; an Anthropic tunnel is run by its token alone",
        fix: "remove name, id and `credentials-file` from the command of `{cloudflared}` and give it the token: `{helper} token set --dir {dir}`, then `{helper} up --dir {dir}`",
    }
    CloudflaredCredentials = "cloudflared-credentials" [Edge, Error, REFERENCE, ByHandThen] {
        title: "cloudflared looks for a credentials file, which this kind of tunnel does not use",
        symptom: "`couldn't read tunnel credentials from …`, `tunnel credentials file … doesn't exist`",
        cause: "it was started with a tunnel's name or id; an Anthropic tunnel is run by its token alone, without a credentials file",
        fix: "remove name, id and `credentials-file` from the command of `{cloudflared}` and give it the token: `{helper} token set --dir {dir}`, then `{helper} up --dir {dir}`",
    }
    LegacyTunnel = "legacy-tunnel" [Edge, Error, CONSOLE, ByHandThen] {
        title: "cloudflared runs an old kind of tunnel that the edge refuses",
        symptom: "`you are using Cloudflare Tunnel in a (legacy) way that is no longer supported`",
        cause: "it was started without a token, as was usual before 2021",
        fix: "create the tunnel in the Console and run it by its token: `{helper} token set --dir {dir}`, then `{helper} up --dir {dir}`",
    }
    QuickTunnel = "quick-tunnel" [Edge, Error, CONSOLE, ByHandThen] {
        title: "cloudflared opened a temporary tunnel instead of yours",
        symptom: "`Requesting new quick Tunnel on trycloudflare.com`",
        cause: "its command has `--url` but neither `run` nor a token, so it opened a temporary tunnel that Claude does not know",
        fix: "give it the token: `{helper} token set --dir {dir}`; its command is `tunnel --no-autoupdate run --url http://localhost:8080`; then `{helper} up --dir {dir}`",
    }
    EdgeQuicUnsupported = "edge-quic-unsupported" [Edge, Error, TROUBLE, Render] {
        title: "this host's kernel lacks a system call that QUIC needs",
        symptom: "`recvmmsg: function not implemented`",
        cause: "the kernel is old or reduced (a NAS, a small VM, gVisor)",
        fix: "use HTTP/2 instead: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'` (in your own compose file: TUNNEL_TRANSPORT_PROTOCOL=http2), then `{helper} restart --dir {dir}`",
    }
    EdgeMtu = "edge-mtu" [Edge, Warning, TROUBLE, Render] {
        title: "QUIC packets are too large for the network",
        symptom: "`message too long`, `A message sent on a datagram socket was larger than …`",
        cause: "a VPN or the Docker network has an MTU below 1280, and QUIC packets are not fragmented",
        fix: "use HTTP/2 instead: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'`, then `{helper} restart --dir {dir}`; or raise the MTU of the VPN or of the Docker network to 1280 or more, then run `{helper} down --dir {dir}` and `{helper} up --dir {dir}`: a network that exists keeps its MTU",
    }
    EdgePostQuantum = "edge-post-quantum" [Edge, Warning, TROUBLE, ByHandThen] {
        title: "connections with post-quantum keys fail",
        symptom: "`You are hitting an error while using the experimental post-quantum tunnels feature`",
        cause: "a device on the way drops the larger handshake of post-quantum key exchange, or the release of cloudflared is old",
        fix: "update cloudflared and remove `--post-quantum` from its command; if some connections still fail, use HTTP/2: `{helper} render --dir {dir} --json '{\"protocol\":\"http2\"}'`, then `{helper} restart --dir {dir}`",
    }
    EdgeRegistrationRefused = "edge-registration-refused" [Edge, Error, CONSOLE, ByHandThen] {
        title: "the tunnel's edge refuses the registration",
        symptom: "`Register tunnel error from server side`",
        cause: "the edge gives the reason in the evidence: too many connections of this tunnel, a limited account, or an internal error",
        fix: "stop other hosts that run the same tunnel if it has too many connections; otherwise wait five minutes, then `{helper} restart --dir {dir}`; if that does not help, create a new tunnel in the Console",
    }
    NoIngressUrl = "no-ingress-url" [Routing, Error, REFERENCE, ByHandThen] {
        title: "cloudflared does not know the address of the proxy",
        symptom: "`No ingress rules were defined`, and every call answers 503",
        cause: "its command lacks `--url http://localhost:8080`",
        fix: "add `--url http://localhost:8080` behind `run` in the command of `{cloudflared}`, then run `{helper} restart --dir {dir}`",
    }
    ForeignTunnel = "foreign-tunnel" [Edge, Error, REFERENCE, ByHandThen] {
        title: "cloudflared runs a tunnel that is not one of Anthropic's",
        symptom: "`Updated to new configuration` with host names of another domain; no call from Claude ever arrives",
        cause: "its token is that of a tunnel of Cloudflare's dashboard, which sends its own rules; Anthropic's tunnels get none and have host names under tunnel.anthropic.com",
        fix: "run `{helper} token set --dir {dir}` in your own terminal, with the token that the Console shows for the tunnel (Connection, eye icon); run the other tunnel with a separate cloudflared",
    }
    OriginUrlInvalid = "origin-url-invalid" [Routing, Error, REFERENCE, ByHandThen] {
        title: "cloudflared's `--url` is invalid",
        symptom: "`Error validating origin URL`",
        cause: "it is not a URL with a scheme",
        fix: "write `--url http://localhost:8080` in the command of `{cloudflared}`, then run `{helper} restart --dir {dir}`",
    }
    MetricsPort = "metrics-port" [Routing, Error, TROUBLE, ByHand] {
        title: "cloudflared cannot open its metrics port",
        symptom: "`Error opening metrics server listener`",
        cause: "another process in the same network namespace uses the port of `--metrics`",
        fix: "remove `--metrics` from the command of `{cloudflared}`, or choose another port",
    }
    ProxyUnreachable = "proxy-unreachable" [Routing, Error, TROUBLE, Look] {
        title: "cloudflared cannot reach the proxy",
        symptom: "`Unable to reach the origin service … 127.0.0.1:8080: connect: connection refused`",
        cause: "the proxy is down, listens on another port, or is in another network namespace",
        fix: "read the log of `{proxy}` first; then check that `{cloudflared}` has `network_mode: \"service:{proxy}\"` or is on a network with it, and that `--url` names the proxy and its port (`{helper} check --dir {dir}` compares them)",
        caused_by: &[ENDS_PROXY, &[ProxyNetnsOrphaned, NetworkModeMissing, ListenMismatch, OutOfMemory, ServiceStopped]],
    }
    ProxyNoAnswer = "proxy-no-answer" [Routing, Error, TROUBLE, ByHandThen] {
        title: "the proxy's port is answered by something other than the proxy",
        symptom: "`Unable to reach the origin service … EOF`, or a timeout",
        cause: "another program listens on that port in the proxy's network namespace, or the proxy hangs",
        fix: "run `{helper} restart --dir {dir}`; if it continues, find the program that listens there",
        caused_by: &[ENDS_PROXY, &[ProxyNetnsOrphaned, NetworkModeMissing, ListenMismatch]],
    }
    ProxyWrongScheme = "proxy-wrong-scheme" [Routing, Error, REFERENCE, ByHandThen] {
        title: "cloudflared uses https for the proxy's plain port",
        symptom: "`Unable to reach the origin service … first record does not look like a TLS handshake`",
        cause: "`--url` says https; the listener is plain, and the inner TLS runs inside of it",
        fix: "write `--url http://localhost:8080` in the command of `{cloudflared}`, then run `{helper} restart --dir {dir}`",
        caused_by: &[&[ListenMismatch]],
    }
    ProxyPortTaken = "proxy-port-taken" [Routing, Error, TROUBLE, ByHand] {
        title: "the proxy's port is already in use",
        symptom: "`listen tcp :8080: bind: address already in use`",
        cause: "two programs listen in one network namespace: `network_mode: host`, or another service that shares the proxy's namespace listens on the same port",
        fix: "give the other program another port, or change `listen_addr` and cloudflared's `--url` together",
    }
    ProxyMissing = "proxy-missing" [Routing, Error, REFERENCE, ByHand] {
        title: "this stack has no Anthropic proxy",
        symptom: "every call fails: cloudflared connects, and what it dials (nginx, Caddy, another `mcp-proxy`, a server) cannot terminate the tunnel's TLS",
        cause: "calls from Claude carry TLS inside the tunnel, and only Anthropic's proxy terminates it; no service here runs its image or mounts its configuration",
        fix: "run Anthropic's proxy between cloudflared and the server: `{helper} init --dir NEW` writes a stack with it into a new directory; keep the other program as a server behind a route",
        caused_by: &[&[ComposeFileShadowed]],
    }
    NoRoute = "no-route" [Routing, Error, REFERENCE, ByHandThen] {
        title: "the proxy has no route for the host name that was called",
        symptom: "`no route for host`; the caller sees `No route configured for host`",
        cause: "the name in front of the domain is not in `routes`, `tunnel_domain` belongs to another tunnel, or the configuration was edited after the proxy started",
        fix: "run `{helper} check --dir {dir}`, which compares them; add the route with `{helper} render --dir {dir} --json '{\"routes\":{\"NAME\":\"http://HOST:PORT\"}}'`, then run `{helper} restart --dir {dir}`",
        caused_by: &[&[ConfigNotApplied, DomainMismatch, ProxyConfigRoutesEmpty, RouteNotConfigured]],
    }
    ListenMismatch = "listen-mismatch" [Routing, Error, REFERENCE, ByHand] {
        title: "cloudflared dials another address than the proxy listens on",
        symptom: "`Unable to reach the origin service`",
        cause: "the proxy's `listen_addr` and cloudflared's `--url` name different ports or addresses, or `--url` says https: the proxy's listener is plain",
        fix: "use 8080 in both: `listen_addr: \":8080\"` and `--url http://localhost:8080`",
    }
    RouteNotConfigured = "route-not-configured" [Routing, Error, REFERENCE, Restart] {
        title: "the running proxy does not serve a route of its configuration file",
        symptom: "no `route configured` line for it since the proxy's start",
        cause: "the file was edited after the proxy started, or the proxy stopped before it read this route",
        fix: "run `{helper} restart --dir {dir}`",
        caused_by: &[&[ConfigNotApplied]],
    }
    TlsUnknownCa = "tls-unknown-ca" [Tls, Error, CONSOLE, ByHandThen] {
        title: "the tunnel does not trust the CA of the server certificate",
        symptom: "`remote error: tls: unknown certificate authority`",
        cause: "data/tls.crt was signed by another CA than data/ca.crt, or data/ca.crt is not registered for this tunnel (never, revoked, or registered for another one)",
        fix: "compare the fingerprint of data/ca.crt with the one in the Console and register the file there if they differ; if data/tls.crt was signed by another CA, then run `{helper} certs renew --dir {dir} --json '{\"force\":true}'`",
    }
    TlsKeyId = "tls-key-id" [Tls, Error, REFERENCE, Renew] {
        title: "the server certificate lacks its CA's key identifier",
        symptom: "calls fail with `tls handshake failed`, although the CA signed the certificate",
        cause: "the tunnel requires an authorityKeyIdentifier that equals the CA's subjectKeyIdentifier",
        fix: "run `{helper} certs renew --dir {dir}`, which issues one that has it, for the same key",
    }
    TlsBadCert = "tls-bad-cert" [Tls, Error, REFERENCE, Renew] {
        title: "the server certificate does not cover the tunnel's host names",
        symptom: "`remote error: tls: bad certificate`",
        cause: "its subjectAltName lacks `<route>.<domain>`; a common name does not count, and a wildcard covers one label",
        fix: "run `{helper} certs renew --dir {dir}`, which issues one that does, for the same key",
        caused_by: &[&[ServerUnfit, DomainMismatch]],
    }
    TlsExpired = "tls-expired" [Tls, Error, REFERENCE, Renew] {
        title: "the server certificate is expired or not yet valid",
        symptom: "`remote error: tls: expired certificate`",
        cause: "its validity has ended or has not begun; a wrong clock looks the same",
        fix: "check this machine's clock; then run `{helper} certs renew --dir {dir}`: the proxy reloads the certificate by itself",
    }
    TlsExpiresSoon = "tls-expires-soon" [Tls, Warning, REFERENCE, Renew] {
        title: "the server certificate expires soon",
        symptom: "calls will fail with `expired certificate`",
        cause: "it was issued for 90 days unless another period was asked for",
        fix: "run `{helper} certs renew --dir {dir}`: same CA, same key, and the proxy reloads the certificate by itself",
    }
    TlsUnsupportedCert = "tls-unsupported-cert" [Tls, Error, REFERENCE, Renew] {
        title: "the server certificate is not valid for servers",
        symptom: "`remote error: tls: unsupported certificate`",
        cause: "its extendedKeyUsage lacks serverAuth",
        fix: "run `{helper} certs renew --dir {dir}`, which issues one that has it, for the same key",
    }
    TlsRejectedOpaque = "tls-rejected-opaque" [Tls, Error, REFERENCE, Look] {
        title: "the caller rejects the server certificate without a readable reason",
        symptom: "`local error: tls: bad record MAC`",
        cause: "some clients send their alert unencrypted: the CA is not registered, the name does not match, or the certificate is expired",
        fix: "run `{helper} certs check --dir {dir}`, which tests all three, and compare the CA's fingerprint with the one in the Console",
        caused_by: &[&[TlsExpired, ServerUnfit, TlsUnknownCa, CaExpired, CaUnfit]],
    }
    TlsOtherAlert = "tls-other-alert" [Tls, Error, REFERENCE, Look] {
        title: "the caller ends the TLS handshake with an alert",
        symptom: "`remote error: tls: …`",
        cause: "the alert's name is in the evidence",
        fix: "run `{helper} certs check --dir {dir}`, and fix what it finds",
        caused_by: &[&[TlsExpired, ServerUnfit, TlsUnknownCa, CaExpired, CaUnfit]],
    }
    CurlWrongVersion = "curl-wrong-version" [Tls, Note, TROUBLE, Look] {
        title: "the proxy's port was called with TLS by hand",
        symptom: "`curl: (35) … wrong version number`",
        cause: "the proxy's listener is a plain WebSocket, and TLS runs inside of it; tunnel host names answer only Claude",
        fix: "nothing to fix: test from Claude (`{helper} connect --dir {dir}`)",
    }
    ProxyReachesNothing = "proxy-reaches-nothing" [Routing, Note, CONSOLE, ByHand] {
        title: "no call from Claude has arrived yet",
        symptom: "the tunnel is missing from the agent picker, or a call from Claude fails and nothing is in the logs",
        cause: "a tunnel without a registered CA is not Active and cannot be picked, and a call through another tunnel, workspace or organisation never arrives here",
        fix: "check in the Console that this tunnel is Active (Certificates) and that the call uses its domain; then call it once",
    }
    CallNotReceived = "call-not-received" [Routing, Warning, CONSOLE, Look] {
        title: "no call from Claude arrived at cloudflared",
        symptom: "`diagnose` with `wait_for_call_seconds` ends without a call",
        cause: "no call was made meanwhile, or it went elsewhere: a tunnel that is not Active, another workspace or another subdomain",
        fix: "check what is listed as `possible`, in that order; then run `{helper} diagnose --dir {dir} --wait-for-call-seconds 300` and call again",
    }
    CallNotAnswered = "call-not-answered" [Routing, Error, TROUBLE, Look] {
        title: "a call from Claude was not answered",
        symptom: "the call reaches this host and Claude reports an error or a timeout",
        cause: "no line of the proxy or of a server proves why: the TLS handshake inside the tunnel, the route's name, or the server's address may be wrong, or the server logs no calls",
        fix: "run `{helper} certs check --dir {dir}` and `{helper} probe --dir {dir}`, fix what they find, then call again",
    }
    SetupAuth = "setup-auth" [Edge, Error, CONSOLE, ByHand] {
        title: "the organisation has reached its limit of tunnels",
        symptom: "`Organization already has the maximum of 10 non-archived Tunnels`",
        cause: "an organisation can have ten tunnels that are not archived",
        fix: "archive an unused tunnel in the Console (this cannot be undone), then create the new one",
    }
    UpstreamUndefined = "upstream-undefined" [Upstream, Error, REFERENCE, ByHand] {
        title: "the host of {subject|a route} does not exist",
        symptom: "`dial tcp: lookup …: no such host`",
        cause: "no service of the compose files, and no container on the networks that the proxy joins, has that name",
        fix: "define the service in docker-compose.override.yaml, correct the name, or join its network: `{helper} render --dir {dir} --json '{\"networks\":[\"NAME\"]}'`",
    }
    RouteLoop = "route-loop" [Upstream, Error, REFERENCE, ByHandThen] {
        title: "{subject|a route} leads back to the proxy",
        symptom: "every call of the route fails, and the server gets none of them",
        cause: "the host of the route is the proxy's own service, and the port is the one that the proxy listens on",
        fix: "write the server's service into the route, `http://SERVICE:PORT` with the port that it listens on in its container, then run `{helper} restart --dir {dir}`",
    }
    UpstreamNetwork = "upstream-network" [Upstream, Error, COMPOSE_FILE, ByHandThen] {
        title: "the server of {subject|a route} is on no network of the proxy",
        symptom: "`dial tcp: lookup …: no such host`, although the service runs",
        cause: "Docker resolves a service's name only on networks that both sides join",
        fix: "let both join one network: add the server's network under `networks:` of `{proxy}`, or the other way round (a service without `networks:` is on `default`; with it, `default` must be named too), then run `{helper} up --dir {dir}`",
    }
    UpstreamHostPort = "upstream-host-port" [Upstream, Error, REFERENCE, ByHandThen] {
        title: "{subject|a route} names the port that the host publishes, not the container's",
        symptom: "`connect: connection refused` in the proxy's log, although the server answers at that port of this host",
        cause: "`ports: \"HOST:CONTAINER\"` publishes a port to callers outside Docker; the proxy calls from another container, where only the container's port exists",
        fix: "write the container's port, which the evidence names, into the route, then run `{helper} up --dir {dir}`; the server needs no `ports:` for the tunnel",
    }
    UpstreamHostUnmapped = "upstream-host-unmapped" [Upstream, Error, REFERENCE, ByHandThen] {
        title: "{subject|a route} uses host.docker.internal, which the proxy does not know",
        symptom: "`dial tcp: lookup host.docker.internal: no such host`",
        cause: "only Docker Desktop resolves that name by itself; an engine on Linux needs an entry in the proxy's service",
        fix: "add `extra_hosts: [\"host.docker.internal:host-gateway\"]` to the service `{proxy}`, then run `{helper} up --dir {dir}`",
    }
    UpstreamDown = "upstream-down" [Upstream, Error, TROUBLE, ByHandThen; is_seen_live: true] {
        title: "{subject|the server behind a route} is not running",
        symptom: "`connect: connection refused` in the proxy's log",
        cause: "its container is stopped, restarting or unhealthy",
        fix: "read its log ({logs}), fix it, then run `{helper} up --dir {dir}`",
        caused_by: &[ENDS_SERVER, &[OutOfMemory, PlatformMismatch]],
    }
    UpstreamIpRejected = "upstream-ip-rejected" [Upstream, Error, REFERENCE, ByHand; is_settled: true] {
        title: "the proxy refuses the address behind {subject|a route}",
        symptom: "`IP validation failed: … is not a private address`",
        cause: "it dials RFC 1918 addresses only, or those in `upstream.allowed_ips`; localhost is the proxy's own container",
        fix: "run the server as a service in docker-compose.override.yaml, or list every range in `upstream.allowed_ips` of the proxy's configuration (it replaces the default)",
    }
    UpstreamRefused = "upstream-refused" [Upstream, Error, TROUBLE, ByHand] {
        title: "the server behind {subject|a route} refuses connections",
        symptom: "`dial tcp …: connect: connection refused` in the proxy's log",
        cause: "it is down, listens on another port, or is bound to 127.0.0.1 of its own container",
        fix: "read the server's own log; make it listen on 0.0.0.0 (`localhost` and 127.0.0.1 are its own container's) and on the route's port",
        caused_by: &[ENDS_SERVER, &[UpstreamDown, OutOfMemory, ServiceStopped, UpstreamWrongPort]],
    }
    UpstreamDns = "upstream-dns" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "the proxy cannot resolve the host name of {subject|a route}",
        symptom: "`dial tcp: lookup …: no such host`",
        cause: "the name is misspelt, its container is not running, or it is on another Docker network",
        fix: "use the name of a running service of the same compose files, or join its network: `{helper} render --dir {dir} --json '{\"networks\":[\"NAME\"]}'`, then run `{helper} up --dir {dir}`",
        caused_by: &[&[UpstreamUndefined], ENDS_SERVER, &[UpstreamDown]],
    }
    UpstreamTimeout = "upstream-timeout" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "the server behind {subject|a route} does not answer in time",
        symptom: "`i/o timeout`, `context deadline exceeded` or `no route to host` towards an upstream",
        cause: "behind `dial tcp`: a firewall on its host drops the packets, or it is on another network; otherwise the connection exists, and the server hangs",
        fix: "open the port on its host for this machine's Docker networks, then run `{helper} diagnose --dir {dir}` again",
        caused_by: &[&[UpstreamDown], ENDS_SERVER],
    }
    UpstreamFailed = "upstream-failed" [Upstream, Error, TROUBLE, ByHand] {
        title: "the server behind {subject|a route} answers calls with an error",
        symptom: "`upstream request failed` in the proxy's log, or `500 Internal Server Error` in the server's",
        cause: "the fault is in the server, or something between it and the proxy ends the connection",
        fix: "read the server's own log of that moment, and fix what it reports",
    }
    RootlessHostInternal = "rootless-host-internal" [Upstream, Warning, TROUBLE, ByHand] {
        title: "a server on the host is unreachable through host.docker.internal",
        symptom: "`connection refused` or a timeout for `host.docker.internal`",
        cause: "it is bound to 127.0.0.1 of the host, which containers cannot reach; a rootless engine does not lead to the host's loopback at all",
        fix: "bind it to the address of Docker's bridge (or to 0.0.0.0 behind a firewall), or run it as a service in docker-compose.override.yaml",
    }
    UpstreamBindLoopback = "upstream-bind-loopback" [Upstream, Error, TROUBLE, ByHand; is_settled: true] {
        title: "{subject|the MCP server} is bound to loopback",
        symptom: "`Uvicorn running on http://127.0.0.1:…`",
        cause: "127.0.0.1 is the loopback of its own container or host; the proxy connects from outside",
        fix: "make it listen on 0.0.0.0: `FastMCP(…, host=\"0.0.0.0\")`, or `--host 0.0.0.0` of uvicorn",
    }
    UpstreamHostRejected = "upstream-host-rejected" [Upstream, Error, TROUBLE, ByHand; is_settled: true] {
        title: "{subject|the MCP server} rejects the tunnel's host name",
        symptom: "`421 Misdirected Request`, `Invalid Host header`, `Invalid Host: …`, `Blocked request. This host … is not allowed`, `DisallowedHost`",
        cause: "its DNS-rebinding protection, or an allow list of hosts, does not include the tunnel's names; for Python's SDK the address that the server was created for counts, whatever address its socket is bound to",
        fix: "allow `*.{domain}` where the server is created: Python `FastMCP(…, host=\"0.0.0.0\")` or `TransportSecuritySettings(allowed_hosts=[…])` (mcp 2: `run(…, host=\"0.0.0.0\")`), TypeScript `allowedHosts`, Go `DisableLocalhostProtection`, Rust `allowed_hosts`, Vite `server.allowedHosts`, Django `ALLOWED_HOSTS`",
    }
    UpstreamOriginRejected = "upstream-origin-rejected" [Upstream, Error, TROUBLE, ByHand; is_settled: true] {
        title: "{subject|the MCP server} rejects the caller's origin",
        symptom: "`Invalid Origin header`",
        cause: "its DNS-rebinding protection lists other origins",
        fix: "add the origin in the evidence to `allowed_origins` of its transport security settings",
    }
    UpstreamPath404 = "upstream-path-404" [Upstream, Error, TROUBLE, Look] {
        title: "{subject|the MCP server} serves nothing at the path that was called",
        symptom: "`404 Not Found` for POST, and no call on `/mcp` that passed",
        cause: "the URL in Claude has no path, or another one than the server's",
        fix: "use the path that the server serves: `mcp` for FastMCP's streamable HTTP; `{helper} connect --dir {dir}` shows the whole URL",
    }
    UpstreamSlash307 = "upstream-slash-307" [Upstream, Warning, TROUBLE, ByHand] {
        title: "{subject|the MCP server} redirects to another path",
        symptom: "`307 Temporary Redirect` for `/mcp` or `/mcp/`",
        cause: "the path in Claude differs from the server's by a slash at the end, and not every client follows the redirect",
        fix: "use the path of the redirect's `Location` in Claude: with or without the slash at the end",
    }
    UpstreamNotHttp = "upstream-not-http" [Upstream, Warning, TROUBLE, ByHand] {
        title: "the route's scheme is not the one that {subject|the MCP server} speaks",
        symptom: "`server gave HTTP response to HTTPS client`, or `Invalid HTTP request received` on every call",
        cause: "the route says https and the server speaks plain HTTP, or the other way round; a port scan causes such a line, too",
        fix: "write `http://` in the route",
    }
    UpstreamPortInUse = "upstream-port-in-use" [Upstream, Error, TROUBLE, ByHand] {
        title: "the port of {subject|the MCP server} is already in use",
        symptom: "`address already in use`, `EADDRINUSE`, `Port … is already in use`",
        cause: "another program in the same network namespace listens on it",
        fix: "give one of the two another port, and change the route with it",
    }
    UpstreamStdio = "upstream-stdio" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "{subject|the MCP server} speaks over standard input, not HTTP",
        symptom: "`running on stdio`; or it restarts over and over with exit code 0 and prints nothing",
        cause: "it waits for MCP on its standard input, which a container does not have; nothing listens on a port",
        fix: "start it with its HTTP transport (Python `mcp.run(transport=\"streamable-http\")`, many servers `--transport http`), or put a bridge from HTTP to stdio in front of it; then `{helper} up --dir {dir}`",
    }
    UpstreamScriptMissing = "upstream-script-missing" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "the program of {subject|the MCP server} is not in its container",
        symptom: "`can't open file …`, `can't find '__main__' module`",
        cause: "the file was missing when the stack started, and Docker created a directory with that name",
        fix: "stop the stack, remove the empty directory, put the file there, then run `{helper} up --dir {dir}`",
    }
    UpstreamUnverified = "upstream-unverified" [Upstream, Warning, TROUBLE, Look; blocks: false] {
        title: "{subject|the MCP server} may not listen at the address of its route",
        symptom: "`connect: connection refused` in the proxy's log, although the server runs",
        cause: "its settings name loopback or another port; the files alone could not verify what its program makes of them",
        fix: "make sure that the server listens on 0.0.0.0, at the port of its route, over HTTP, and change what the evidence names if it does not; once the stack runs, `{helper} probe --dir {dir}` asks the server itself",
    }
    UpstreamTraceback = "upstream-traceback" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "{subject|the MCP server} fails with an exception",
        symptom: "`Traceback (most recent call last)`, before each start or at a call",
        cause: "the line in the evidence is the last one of the traceback",
        fix: "fix what it names in the server's code or settings, then run `{helper} up --dir {dir}`",
    }
    UpstreamWorkersDie = "upstream-workers-die" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "the workers of {subject|the MCP server} keep dying",
        symptom: "`Child process [8] died`, `WORKER TIMEOUT`, `Worker (pid:8) was sent SIGKILL!`, `exited with 'signal 9 (SIGKILL)'`, `not expected`",
        cause: "the program that starts them keeps running, so the container stays `Up`; the calls that a worker was handling are lost",
        fix: "read what the worker printed last; if it printed nothing, it ran out of memory (raise `mem_limit`, or start fewer workers; `docker stats` shows the use); then run `{helper} up --dir {dir}`",
        caused_by: &[&[OutOfMemory, HeapExhausted, UpstreamModuleMissing, UpstreamTraceback]],
    }
    McpSdkV2 = "mcp-sdk-v2" [Upstream, Error, QUICKSTART, ByHand] {
        title: "the server is written for version 1 of the MCP package, and nothing pins that version",
        symptom: "`ModuleNotFoundError: No module named 'mcp.server.fastmcp'`",
        cause: "version 2 of `mcp` (July 2026) has no `mcp.server.fastmcp`: FastMCP is called MCPServer there",
        fix: "pin the version (`pip install 'mcp<2'`), or port the server to version 2 (`MCPServer`)",
    }
    McpV2Ctor = "mcp-v2-ctor" [Upstream, Error, QUICKSTART, ByHand] {
        title: "host and port are passed to the constructor of MCPServer",
        symptom: "`got an unexpected keyword argument 'host'`",
        cause: "since version 2 of the MCP package they belong to `run()`",
        fix: "write `mcp.run(transport=\"streamable-http\", host=\"0.0.0.0\", port=9000)`",
    }
    McpV1Run = "mcp-v1-run" [Upstream, Error, QUICKSTART, ByHand] {
        title: "host and port are passed to `run()` of {subject|the MCP server}, which does not take them",
        symptom: "`FastMCP.run() got an unexpected keyword argument 'host'`",
        cause: "in version 1 of the MCP package they belong to the constructor",
        fix: "write `FastMCP(\"hello-server\", host=\"0.0.0.0\", port=9000)` and `mcp.run(transport=\"streamable-http\")`",
    }
    PipNoIndex = "pip-no-index" [Upstream, Error, TROUBLE, ByHand] {
        title: "the container of {subject|the MCP server} cannot install its packages",
        symptom: "`No matching distribution found for …`",
        cause: "it cannot reach the package index: DNS, a proxy, or no network at all",
        fix: "install the packages when the image is built, or pass PIP_INDEX_URL or HTTPS_PROXY to the container",
    }
    UpstreamTls = "upstream-tls" [Upstream, Error, REFERENCE, ByHandThen; is_settled: true] {
        title: "an https route has no trusted CA",
        symptom: "`x509: certificate signed by unknown authority` in the proxy's log",
        cause: "neither `upstream.tls.ca_file` nor `include_system_cas` is set",
        fix: "write `http://` in place of `https://` into the route if the server speaks plain HTTP; otherwise put the CA file into `data/` and run `{helper} render --dir {dir} --json '{\"upstream\":{\"tls\":{\"ca_file\":\"/data/upstream-ca.pem\"}}}'`, or use `\"include_system_cas\":true` for a public certificate",
    }
    UpstreamCaMissing = "upstream-ca-missing" [Upstream, Error, REFERENCE, ByHand] {
        title: "the CA file for https upstreams is missing",
        symptom: "`open /data/…: no such file or directory`",
        cause: "`upstream.tls.ca_file` names a file that the proxy's container does not have or cannot read",
        fix: "copy it into `data/`, readable for everyone (chmod 644), and name it `/data/NAME`",
    }
    UpstreamPortDenied = "upstream-port-denied" [Upstream, Error, TROUBLE, ByHand] {
        title: "{subject|the MCP server} may not open its port",
        symptom: "`listen EACCES: permission denied`, `bind: permission denied`",
        cause: "it runs as a user other than root and its port is below 1024",
        fix: "let it listen on a port of 1024 or higher, and name that port in the route",
    }
    UpstreamFileDenied = "upstream-file-denied" [Upstream, Error, COMPOSE_FILE, ByHandThen] {
        title: "{subject|the MCP server} may not read or write a file that it needs",
        symptom: "`[Errno 13] Permission denied`, `EACCES: permission denied`, `Failed to initialize cache`",
        cause: "the service runs as a user (`user:` or the image's) that the file's mode or owner shuts out",
        fix: "let that user in: `chmod a+r` on a file that is only read (and `a+x` on its folders), `chown` to that user for what it writes, or another `user:` for the service; then run `{helper} up --dir {dir}`",
    }
    UpstreamModuleMissing = "upstream-module-missing" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "a module or program of {subject|the MCP server} is not in its image",
        symptom: "`Cannot find module …`, `ModuleNotFoundError`, `Missing script`, `sh: …: not found`",
        cause: "the image was built without it: a dependency that is not listed, a build step that did not run, or a mount that hides the files",
        fix: "add what the evidence names to the image (package.json, requirements.txt, the build step), build it again, then `{helper} up --dir {dir}`",
    }
    UpstreamRuntime = "upstream-runtime" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "{subject|the MCP server} needs another version of the runtime than its image has",
        symptom: "`GLIBC_2.34' not found`, `UnsupportedClassVersionError`, `You must install or update .NET`, `Unrecognized VM option`, `symbol not found`",
        cause: "the program was built for another base image: a newer C library, JDK or .NET, or glibc instead of musl (Alpine)",
        fix: "build the program in the image that runs it, or name a base image (`FROM`) with the version in the evidence; remove an option that the runtime no longer knows from `command:` or `environment:`; then run `{helper} up --dir {dir}`",
    }
    UpstreamPidFile = "upstream-pid-file" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "{subject|the MCP server} finds the PID file of an earlier run and does not start",
        symptom: "`A server is already running (pid: 1, file: …/server.pid)`, `lock file \"postmaster.pid\" already exists`",
        cause: "the container was killed, and the file in it, or in a folder that it mounts, still says that the server runs",
        fix: "remove that file before each start (`command: sh -c 'rm -f FILE && exec …'`), or keep its folder in memory (`tmpfs:` for the service); for now `{helper} down --dir {dir}` and `{helper} up --dir {dir}` make a new container",
    }
    UpstreamUsage = "upstream-usage" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "{subject|the MCP server} does not understand its command line",
        symptom: "`Usage: …`, `No such option`, `unexpected argument`, `the following arguments are required`, `unknown flag`",
        cause: "an argument in `command:` or `entrypoint:` is misspelt, missing or of another version of the program, which printed how to call it and ended",
        fix: "correct the `command:` of the service by what the evidence names (its documentation, or its own `--help`, lists what this version knows), then run `{helper} up --dir {dir}`",
    }
    PackageTls = "package-tls-inspected" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "the MCP server's container does not trust the package index's certificate",
        symptom: "`CERTIFICATE_VERIFY_FAILED`, `SELF_SIGNED_CERT_IN_CHAIN` from pip, uv or npm",
        cause: "a company firewall decrypts TLS and presents its own certificate; the container does not know that CA",
        fix: "install at build time, in an image that contains the company's CA (`PIP_CERT`, `NODE_EXTRA_CA_CERTS` or `update-ca-certificates`), then `{helper} up --dir {dir}`",
    }
    UpstreamCallTls = "upstream-call-tls" [Upstream, Warning, TROUBLE, ByHandThen] {
        title: "{subject|the MCP server} does not trust the certificate of a host that it calls",
        symptom: "`CERTIFICATE_VERIFY_FAILED`, `self-signed certificate`, `PKIX path building failed` from a tool or as the server starts, while calls through the tunnel are answered",
        cause: "the server's own call to another host (an API, a database) failed: a company's CA signed the certificate there, or a firewall that decrypts TLS did, and the container does not know that CA; the tunnel is not involved",
        fix: "let the container trust the CA: mount its file and name it in the service's `environment:` (Python `SSL_CERT_FILE` and `REQUESTS_CA_BUNDLE`, Node `NODE_EXTRA_CA_CERTS`, others `update-ca-certificates` in the image, Java a truststore), then run `{helper} up --dir {dir}`",
    }
    ToolFailed = "tool-failed" [Upstream, Note, TROUBLE, ByHand] {
        title: "a tool of {subject|the MCP server} reported an error",
        symptom: "`Error executing tool …`, `Error calling tool …` in a server's log",
        cause: "the call came through the tunnel and was answered; what failed is the tool's own work",
        fix: "read the line in the evidence: it names what went wrong in the tool (its credentials, its arguments, a host that it calls)",
    }
    UpstreamLifespan = "upstream-lifespan" [Upstream, Error, TROUBLE, ByHandThen] {
        title: "the session manager of {subject|the MCP server} was never started, so every call fails",
        symptom: "`RuntimeError: Task group is not initialized. Make sure to use run().`, 500 for every call",
        cause: "the MCP application is mounted in another ASGI application, which does not run its lifespan",
        fix: "pass the lifespan of the MCP application to the outer one: `Starlette(…, lifespan=mcp_app.lifespan)` with fastmcp, or run `mcp.session_manager.run()` in the outer lifespan; then `{helper} restart --dir {dir}`",
    }
    UpstreamNeedsCredential = "upstream-needs-credential" [Upstream, Warning, TROUBLE, ByHand] {
        title: "{subject|the MCP server} requires a credential (401)",
        symptom: "`401 Unauthorized` for calls",
        cause: "the tunnel reaches the server; the call from Claude has no `Authorization` header, or a wrong one: the tunnel does not add any",
        fix: "pass `authorization_token` with the MCP server in the request to Claude, or connect it by OAuth; or turn authentication off in the server, which then anyone in the workspace may call",
    }
    UpstreamForbidden = "upstream-forbidden" [Upstream, Warning, TROUBLE, ByHand] {
        title: "{subject|the MCP server} refuses calls (403)",
        symptom: "`403 Forbidden` for calls",
        cause: "an access rule of the server: a host or origin that it does not allow, an address, or a credential without the permission",
        fix: "look for the reason in the server's log at that moment; allow the tunnel's host name (`*.{domain}`) and the proxy's address in the server's settings",
    }
    UpstreamMethod = "upstream-method-405" [Upstream, Error, TROUBLE, ByHand] {
        title: "{subject|the MCP server} does not accept calls at this path (405)",
        symptom: "`405 Method Not Allowed` for POST",
        cause: "the path is the older SSE endpoint or an ordinary page; calls of streamable HTTP are POST",
        fix: "use the server's streamable HTTP path (usually `mcp`) in Claude, or switch the server from the SSE transport to streamable HTTP",
    }
    UpstreamNotAcceptable = "upstream-not-acceptable" [Upstream, Warning, TROUBLE, ByHand] {
        title: "{subject|the MCP server} refuses requests because of their Accept header (406); no call has succeeded",
        symptom: "`406 Not Acceptable`",
        cause: "it answers only callers that accept both application/json and text/event-stream, as Claude does; a browser, a monitor or curl without that header gets 406",
        fix: "call it from Claude once; by hand add `-H 'Accept: application/json, text/event-stream'`; a health check belongs on another path",
    }
    UpstreamBadRequest = "upstream-bad-request" [Upstream, Warning, TROUBLE, ByHand] {
        title: "{subject|the MCP server} rejects calls as malformed (400 or similar)",
        symptom: "`400 Bad Request`, `413`, `415` or `429` for calls, and none that passed",
        cause: "an allow list of hosts (Django `ALLOWED_HOSTS`, Starlette `TrustedHostMiddleware`), a session id that is missing, or a body that it cannot read",
        fix: "allow the tunnel's host name (`*.{domain}`) in the server's settings; otherwise read the server's log at that moment",
    }
    UpstreamSessionsSplit = "upstream-sessions-split" [Upstream, Warning, TROUBLE, ByHandThen; blocks: false] {
        title: "{subject|the MCP server} keeps its sessions in several processes or containers",
        symptom: "`Session not found`, or 404 for a session that began a moment ago, in some of the calls",
        cause: "each worker and each replica keeps its own sessions in its memory, and the next call of a session may reach another one, which does not know it; a server that keeps no sessions is not affected",
        fix: "run one worker and one replica, or make the server stateless (`stateless_http=True` in Python), then run `{helper} up --dir {dir}`",
    }
    UpstreamSessionLost = "upstream-session-lost" [Upstream, Warning, TROUBLE, ByHand; is_settled: true] {
        title: "{subject|the MCP server} loses sessions",
        symptom: "`Session not found`, or 404 and 400 between calls that pass on the same path",
        cause: "several workers or replicas each keep their own sessions, and a call reaches one that does not know its session; or sessions end while the client still uses them",
        fix: "run one worker (`--workers 1`, one replica), always send a session to the same one, or make the server stateless (`stateless_http=True` in Python)",
    }
    UpstreamFirewalled = "upstream-firewalled" [Upstream, Error, TROUBLE, ByHand; is_settled: true] {
        title: "a firewall keeps the proxy from the server behind a route",
        symptom: "the server answers on its own host, and the proxy's connections time out",
        cause: "the server's port is open on its host, and packets from Docker's networks are dropped or rejected",
        fix: "allow the port from Docker's networks on that host (for example `sudo ufw allow from 172.16.0.0/12 to any port PORT proto tcp`), or run the server as a service in docker-compose.override.yaml",
    }
    UpstreamWrongPort = "upstream-wrong-port" [Upstream, Error, TROUBLE, ByHand; is_settled: true] {
        title: "the server behind a route listens on another port",
        symptom: "`connect: connection refused`, while the server's log says that it is listening",
        cause: "the port in the route is not the one that the server listens on inside its container; published ports do not count there",
        fix: "write the server's own port in the route",
    }
    UpstreamWrongScheme = "upstream-wrong-scheme" [Upstream, Error, REFERENCE, ByHand; is_settled: true] {
        title: "a route has the wrong scheme for its server",
        symptom: "`http: server gave HTTP response to HTTPS client`, `wrong version number`, or `400 The plain HTTP request was sent to HTTPS port`",
        cause: "`http` in a route is plain HTTP and `https` is TLS; the proxy does not try the other one",
        fix: "write the scheme that the server speaks in the route",
    }
    UpstreamTlsFailed = "upstream-tls-failed" [Upstream, Error, REFERENCE, ByHand; is_settled: true] {
        title: "the proxy cannot verify the certificate of an https upstream",
        symptom: "`x509: …` in the proxy's log for every call of one route",
        cause: "the certificate is not signed by a CA of `upstream.tls`, does not name the host in the route, or is expired or not yet valid",
        fix: "put the CA that signed it into `data/` and name it in `upstream.tls.ca_file`, or give the server a certificate for the host name in the route",
    }
    UpstreamWebPage = "upstream-web-page" [Upstream, Error, TROUBLE, ByHand] {
        title: "a route leads to a web page",
        symptom: "`200 OK` with `text/html`",
        cause: "the upstream is a web server or the front end of an application, not its MCP endpoint",
        fix: "point the route to the port of the MCP server, or keep the path of its endpoint with `{helper} render --dir {dir} --json '{\"paths\":{\"ROUTE\":\"/PATH\"}}'`",
    }
    UpstreamNotMcp = "upstream-not-mcp" [Upstream, Error, TROUBLE, ByHand] {
        title: "the server behind a route is not an MCP server",
        symptom: "an answer that is neither JSON-RPC nor a known refusal",
        cause: "another program listens on this port",
        fix: "point the route to the MCP server's host and port; `{helper} probe --dir {dir} --json '{\"url\":\"http://HOST:PORT\"}'` tries one before it is a route",
    }
    UpstreamPathOther = "upstream-path-other" [Upstream, Error, TROUBLE, ByHand; is_settled: true] {
        title: "the MCP server answers at another path",
        symptom: "`404 Not Found` or a page at the path that Claude calls",
        cause: "every server chooses the path of its MCP endpoint; `/mcp` is only the most common one",
        fix: "keep the path with `{helper} render --dir {dir} --json '{\"paths\":{\"ROUTE\":\"/PATH\"}}'`",
    }
    ExportRouteNotPortable = "export-route-not-portable" [Upstream, Warning, HELM, ByHand; blocks: false] {
        title: "the route {subject|NAME} does not work in a cluster",
        symptom: "`values.yaml` has no such route",
        cause: "its upstream is a name or an address that only this host knows, or the proxy could not verify it there",
        fix: "run the server in the cluster or give it an address there, then add the route to `values.yaml` as the evidence says",
    }
    ExportRouteNeedsService = "export-route-needs-service" [Upstream, Warning, HELM, ByHand; blocks: false] {
        title: "the route {subject|NAME} needs a Service in the cluster",
        symptom: "calls of this route fail until the namespace has a Service with that name",
        cause: "a name without dots is a Compose service here, and there it must be a Service in the release's namespace",
        fix: "create a Service with that name and port in the release's namespace, or write `http://NAME.NAMESPACE:PORT` in `values.yaml`",
    }
    ReplicaUpstreamApart = "replica-upstream-apart" [Upstream, Note, SECURITY, ByHand; blocks: false] {
        title: "each host runs its own server behind the route {subject|NAME}",
        symptom: "a client loses its MCP session, or sees other data, from one call to the next",
        cause: "calls may arrive at any replica, and no document says that a session stays with one",
        fix: "make the server stateless, or point the routes of all hosts to the address of one server",
    }
    AllowedIpsOpen = "allowed-ips-open" [Upstream, Warning, SECURITY, ByHand; blocks: false] {
        title: "the proxy may dial any address",
        symptom: "`0.0.0.0/0` in `allowed_ips`, or `disable_ip_validation: true`",
        cause: "a route, or a DNS answer, could lead it to any host on the internet or to cloud metadata",
        fix: "list only the ranges that your servers are in",
    }
}
