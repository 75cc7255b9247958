//! Errors of the docker client, the daemon and Compose, in the words of docker 20.10 to 28, Compose 1.29 to 2.40, Docker
//! Desktop, colima and snap's Docker.

use super::compose::COMPOSE;
use super::pattern::Tell::{Build, Failure, Start, Weak, WholeId};
use super::pattern::{Event, Pattern, attempt, call, event, fatal, noise};
use crate::rules::RuleId::*;

/// Advice for a daemon that does not start.
const READ_JOURNAL: &str = "run `sudo journalctl -xeu docker.service -n 50`: its last lines say why the daemon ends (a typo in /etc/docker/daemon.json, iptables, the disk); fix that, then `sudo systemctl start docker`";
/// Advice for other engines.
const START_PODMAN: &str = "start Podman's socket: `systemctl --user enable --now podman.socket` (macOS, Windows: `podman machine start`), and let DOCKER_HOST name it";
const START_CONTAINERD: &str = "start containerd: `containerd-rootless-setuptool.sh install` (rootless) or `sudo systemctl enable --now containerd`; this stack is tried with Docker Engine";
/// Advice for builds.
const NPM: &str = "let the build reach the npm registry: pass `HTTPS_PROXY` as a build argument, or name the company's registry (`npm config set registry https://your-mirror/`, or `.npmrc`) in the Dockerfile; then run `{helper} up --dir {dir}`";
const NPM_NAME: &str = "correct the package's name or version in package.json: the registry in the evidence has no such package; then run `{helper} up --dir {dir}`";
const CONTEXT: &str = "create the folder or Dockerfile that the evidence names, or correct `build:` in the compose file; then run `{helper} up --dir {dir}`";
const DAEMON_JSON: &str = "correct the file that the line names: `sudo dockerd --validate` tries it; then run `sudo systemctl restart docker`";
/// Advice for what the kernel's security modules refuse.
const SELINUX: &str = "label what is mounted for containers: add `z` to the options of the mount that `name=` is of (`./data:/data:ro,z`, or `bind: { selinux: z }`), then run `{helper} up --dir {dir}`";
const USERNS: &str = "let the rootless engine make user namespaces: install the AppArmor profile for rootlesskit that `dockerd-rootless-setuptool.sh install` prints, then run `systemctl --user restart docker`";
/// Only Compose v1 says this.
const OF_COMPOSE_V1: &str = "install the Compose plugin (v2) and use `docker compose` with a blank: these are words of Compose v1 (`docker-compose`), which has reached its end and breaks this stack; if v2 complains as well, fix the option in the evidence";

/// The first that fits counts: what is printed in front of another error (`unable to get image …: permission denied`)
/// comes first.
#[rustfmt::skip]
pub(crate) static ENGINE: &[Pattern] = &[
    fatal(DockerPermission, &["permission denied while trying to connect to the Docker daemon",
        "permission denied while trying to connect to the docker API",
        "dial unix …docker.sock: connect: permission denied"]),
    // Compose 1.29 reads the version of an engine that no longer speaks its API as a fault of the client.
    fatal(EngineTooOld, &["client version…is too new"]),
    fatal(DockerClientOld, &["client version…is too old"]),
    fatal(DockerPermission, &["Error while fetching server API version…Permission denied"]),
    // docker/compose#11742, #11270; docker-compose 1.29.2 with engine 25 and later, requests 2.32, docker-py 7.
    fatal(ComposeV1, &["'ContainerConfig'", "Not supported URL scheme http+docker",
        "kwargs_from_env() got an unexpected keyword argument", "DependencyWarning…docker-compose",
        "HTTPConnection.request() got an unexpected keyword argument 'chunked'", "ersion in \"…is unsupported"]),
    fatal(ComposeV1, &["load_entry_point('docker-compose==", "File \"…/compose/cli/",
        "-packages/compose/"]).tells(&[Weak]),
    fatal(WslIntegration, &["could not be found in this WSL", "activate the WSL integration"]),
    fatal(DockerDaemonDown, &["Cannot connect to the Docker daemon…podman", "onnect to Podman"]).fix(START_PODMAN),
    fatal(DockerDaemonDown, &["rootless containerd not running",
        "cannot access containerd socket"]).fix(START_CONTAINERD),
    fatal(DockerDaemonDown, &["Job for docker.service failed"]).fix(READ_JOURNAL),
    fatal(DockerDaemonDown, &["Unit docker.service is masked"]).fix("run `sudo systemctl unmask docker.service docker.socket`, then `sudo systemctl enable --now docker`"),
    fatal(DockerDaemonDown, &["Unit docker.service not found", "Unit docker.service could not be found",
        "Cannot connect to the Docker daemon", "failed to connect to the docker API", "error during connect",
        "unable to resolve docker endpoint", "Error while fetching server API version",
        "Couldn't connect to Docker daemon", "request returned …for API route and version",
        "Docker Desktop is …paused", "Docker Desktop is unable to start"]),
    fatal(ComposeMissing, &["'compose' is not a docker command", "unknown command: docker compose",
        "unknown docker command: \"compose", "unknown shorthand flag: 'd' in -d", "unknown shorthand flag: 'f' in -f",
        "unknown shorthand flag: 'p' in -p", "unknown flag: --project-", "unknown flag: --profile",
        "unknown flag: --env-file", "docker-compose: command not found", "docker-compose: not found",
        "command not found: docker-compose"]),
    fatal(DockerMissing, &["docker: command not found", "docker: not found", "command not found: docker",
        "docker' is not recognized as"]),
    // Builds.
    fatal(BuildxMissing, &["buildx component is missing", "requires buildx ", "'buildx' is not a docker command",
        "unknown command: docker buildx", "cli-plugins/docker-buildx", "BuildKit is enabled but"]),
    fatal(BuildOutOfMemory, &["failed to solve…exit code: 137", "failed to solve…cannot allocate memory",
        "failed to solve…signal: killed", "returned a non-zero code: 137"]),
    fatal(RegistryUnreachable, &["/v2/…x509"]),
    fatal(BuildTls, &["CERTIFICATE_VERIFY_FAILED", "SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "SSL certificate problem", "server certificate verification failed",
        "TLS: server certificate not trusted", "The certificate is NOT trusted", "No system certificates available",
        "UnknownIssuer", "x509: certificate signed by unknown authority"]).tells(&[Build]),
    fatal(BuildDns, &["NewConnectionError…ame resolution", "NewConnectionError…Name or service not known",
        "Temporary failure resolving", "EAI_AGAIN", "getaddrinfo ENOTFOUND", "Could not resolve host",
        "Could not resolve '", "failed to lookup address information", "DNS lookup error",
        "DNS: transient error"]).tells(&[Build]),
    fatal(BuildPackages, &["npm error network", "npm ERR! network"]).tells(&[Build]).fix(NPM),
    fatal(BuildPackages, &["npm error 404", "npm ERR! 404"]).tells(&[Build]).fix(NPM_NAME),
    fatal(BuildPackages, &["error: externally-managed-environment"]).tells(&[Build]).fix("install into a virtual environment in the Dockerfile (`RUN python3 -m venv /venv && /venv/bin/pip install …`), or build from the `python` image; then run `{helper} up --dir {dir}`"),
    fatal(BuildPackages, &["Could not install packages due to an OSError",
        "No matching distribution found for"]).tells(&[Build]),
    // What the build reads.
    fatal(BuildFailed, &["unable to prepare context", "failed to build: resolve…lstat",
        "failed to read dockerfile"]).fix(CONTEXT),
    fatal(BuildFailed, &["failed to calculate checksum of ref…not found"]).fix("put the file in the evidence into the folder of `build:` (and check that `.dockerignore` does not leave it out), then run `{helper} up --dir {dir}`"),
    // Files that Compose reads.
    fatal(EnvFileMissing, &["env file …not found", "ouldn't find env file"]),
    fatal(ComposeEnvInvalid, &["failed to read….env", "unterminated quoted value", "in variable name",
        "key cannot contain a space"]),
    // Compose v1 and a broken line: it continues without the variable.
    attempt(ComposeEnvInvalid, &["Python-dotenv could not parse statement"]),
    fatal(ComposeEnvInvalid, &[".environment must be a mapping", "environment contains an invalid type"]),
    fatal(ComposeVarUnset, &["required variable TUNNEL_TOKEN is missing a value",
        "environment variable \"TUNNEL_TOKEN\" required by ", "Missing mandatory value for…TUNNEL_TOKEN",
        "variable is not set. Defaulting to a blank string…TUNNEL_TOKEN"]),
    fatal(ComposeVariableMissing, &["required variable … is missing a value",
        "environment variable \"…\" required by ", "Missing mandatory value for"]),
    noise(&["variable is not set. Defaulting to a blank string"]),
    fatal(ComposeFileMissing, &["no configuration file provided", "Can't find a suitable configuration file"]),
    fatal(ComposeServiceUndefined, &["undefined service", "uses the network stack of service…which is undefined"]),
    fatal(ComposeNetmodeConflict, &["conflicting options…network mode",
        "conflicting options…the container type network", "mutually exclusive…network_mode",
        "'network_mode' and 'networks' cannot be combined"]),
    fatal(NetworkAlias, &["alias is supported only for containers in user defined networks"]),
    fatal(NetworkMissing, &["declared as external, but could not be found",
        "Error response from daemon: network …not found",
        "failed to set up container networking: network …not found"]),
    fatal(ComposeYamlInvalid, &["yaml.scanner.ScannerError", "yaml.parser.ParserError"]),
    fatal(ComposeYamlInvalid, &["The Compose file …is invalid because",
        "Unsupported config option for"]).fix(OF_COMPOSE_V1),
    fatal(ComposeYamlInvalid, &["dditional propert…not allowed"]),
    // Registries.
    fatal(CredentialHelper, &["docker-credential-desktop", "error getting credentials…docker-credential-osxkeychain",
        "error getting credentials…docker-credential-secretservice",
        "error getting credentials…docker-credential-pass", "error getting credentials…docker-credential-wincred"]),
    fatal(RegistryDenied, &["artifactregistry.repositories.downloadArtifacts", "Unauthenticated request",
        "error getting credentials…docker-credential-"]),
    fatal(CredentialHelper, &["error getting credentials", "error storing credentials"]),
    fatal(RegistryRateLimit, &["toomanyrequests"]),
    fatal(RegistryRateLimit, &["429 Too Many Requests"]).tells(&[Failure]),
    fatal(RegistryRateLimit, &["/v2/…: 429"]),
    fatal(RegistryForbidden, &["403…response body"]),
    fatal(RegistryForbidden, &["403 Forbidden"]).tells(&[Failure]),
    fatal(RegistryForbidden, &["unexpected status code…403", "export control regulations"]),
    fatal(RegistryDenied, &["unauthorized: ", "401 Unauthorized"]).tells(&[Failure]),
    fatal(ImageRefInvalid, &["invalid reference format"]),
    // Podman, which assumes no registry.
    fatal(ImageRefInvalid, &["short-name …did not resolve to an alias"]).fix("write the registry into the `image:` in the evidence: `docker.io/cloudflare/cloudflared:…`, `docker.io/library/python:…`; then run `{helper} up --dir {dir}`"),
    fatal(PlatformMismatch, &["no matching manifest for", "was found but does not match the specified platform",
        "was found but does not provide the specified platform",
        "image operating system …cannot be used on this platform"]),
    // Compose continues: with emulation it may run.
    attempt(PlatformMismatch, &["does not match the detected host platform"]),
    fatal(ImageNotFound, &["manifest unknown", "pull access denied", "failed to resolve reference…: not found",
        "failed to resolve source metadata…: not found"]),
    fatal(RegistryDenied, &["denied: requested access to the resource is denied"]),
    fatal(RegistryUnreachable, &["/v2/…dial tcp", "/v2/…net/http", "/v2/…context deadline exceeded",
        "/v2/…proxyconnect", "/v2/…EOF", "/v2/…i/o timeout", "failed to fetch anonymous token",
        "failed to fetch oauth token", "failed to resolve reference", "failed to resolve source metadata",
        "unexpected HTTP status: 5", "unexpected status… 50", "failed to copy: …dial tcp"]),
    // The host's disk, and what a rootless engine may do with it.
    fatal(DiskFull, &["no space left on device"]),
    fatal(DiskFull, &["isk quota exceeded"]).fix("raise the disk quota of the user or of the project that the engine stores images for (`quota -s`, `repquota`, ZFS and XFS have their own), or remove images with `docker system prune`; then run this command again"),
    fatal(RootlessIds, &["cannot be mapped to a host ID"]),
    fatal(RootlessIds, &["/etc/subuid", "/etc/subgid", "insufficient UIDs or GIDs", "newuidmap", "newgidmap",
        "chown …: invalid argument"]).tells(&[Failure]),
    fatal(ImageLayer, &["failed to register layer", "failed to extract layer", "failed to unpack image",
        "failed to mount overlay", "error creating overlay mount", "filesystem layer verification failed",
        "layer does not exist"]),
    // The host's security profiles and kernel.
    fatal(EngineAppArmor, &["apparmor", "AppArmor"]).tells(&[Failure]),
    // runc 1.3.3 and the AppArmor of an LXC host, since November 2025.
    fatal(EngineAppArmor, &["open sysctl …permission denied"]).tells(&[Failure]),
    fatal(EngineCgroups, &["requested cgroup controller"]).tells(&[Failure]).fix("let systemd delegate the controllers to your user: write `[Service]` and `Delegate=cpu cpuset io memory pids` into /etc/systemd/system/user@.service.d/delegate.conf, run `sudo systemctl daemon-reload`, log in again; or remove the limit from the service"),
    fatal(EngineCgroups, &["cgroup", "error while starting unit \"docker-",
        "unable to start unit \"docker-"]).tells(&[Failure]),
    fatal(EngineSeccomp, &["seccomp"]).tells(&[Failure]),
    // The kernel's log: what it killed for memory, and what a security module refused. Tracing and signals between
    // containers are refused all the time (moby/moby#19284).
    fatal(OutOfMemory, &["invoked oom-killer", "ut of memory: Kill", "oom-kill:constraint=",
        "Task in /… killed as a result of limit of ", "has been killed by the OOM killer", "\"OOMKilled\": true"]),
    noise(&["apparmor=\"DENIED\"…operation=\"ptrace\"", "apparmor=\"DENIED\"…operation=\"signal\""]),
    fatal(EngineAppArmor, &["apparmor=\"DENIED\"…profile=\"lxc-"]),
    call(ContainerDenied, &["apparmor=\"DENIED\"…comm=\"rootlesskit\""]).fix(USERNS),
    call(ContainerDenied, &["apparmor=\"DENIED\"…profile=\"docker-", "apparmor=\"DENIED\"…profile=\"snap.docker.",
        "apparmor=\"DENIED\"…profile=\"cri-containerd", "apparmor=\"DENIED\"…profile=\"containers-default-"]),
    call(ContainerDenied, &["avc:  denied …:container_t:", "avc: denied …:container_t:"]).fix(SELINUX),
    call(EngineSeccomp, &["type=1326 …docker-default", "SECCOMP …docker-default"]),
    // Folders that the engine cannot see.
    fatal(SnapDocker, &["/var/snap/docker", "/snap/docker/",
        "error while creating mount source path…read-only file system"]),
    fatal(MountNotShared, &["is not shared from", "Mounts denied", "ounts denied: ", "/host_mnt/",
        "filesharing has been cancelled", "error while creating mount source path '/Volumes/",
        "error while creating mount source path '/Users/", "error while creating mount source path '/private/",
        "error mounting \"/Volumes/", "error mounting \"/private/"]),
    fatal(MountNotShared, &["error mounting \"/tmp/…(via /proc/self/fd"]).tells(&[Weak]),
    fatal(MountNotShared, &["invalid mount config for type \"bind\": stat /Volumes/",
        "invalid mount config for type \"bind\": stat /Users/"]),
    fatal(MountSource, &["invalid mount config for type \"bind\": stat "]),
    fatal(MountNotShared, &["bind source path does not exist: /Volumes/", "bind source path does not exist: /Users/"]),
    fatal(MountSource, &["error while creating mount source path", "bind source path does not exist"]),
    fatal(MountTypeMismatch, &["mount a directory onto a file", "error mounting…not a directory"]),
    fatal(ComposeFileUnreadable, &["open /…compose.y…: permission denied"]).fix("let your user read that file (`ls -l` shows whose it is); Docker from a snap reads no hidden folder and nothing outside of your home: move the directory, or install Docker from Docker's own repository"),
    // The command of a container.
    fatal(EntrypointUnusable, &["exec: \"tunnel …executable file not found in $PATH"]).fix("write the `command:` of cloudflared as words, without quotes around the whole: `command: tunnel --no-autoupdate run --url http://localhost:8080`; then run `{helper} up --dir {dir}`"),
    fatal(EntrypointUnusable, &["executable file not found in $PATH", "exec: \"…no such file or directory",
        "exec: \"…permission denied"]),
    fatal(PlatformMismatch, &["OCI runtime create failed…exec format error"]),
    fatal(NameConflict, &["is already in use by container"]),
    // Networks of the host. The lost chains come in front of the ports: both fail "programming external connectivity".
    fatal(EngineKernel, &["failed to add the host (veth"]),
    fatal(EngineKernel, &["ridge…operation not supported", "ridge…package not installed"]).tells(&[Failure]),
    fatal(IptablesBroken, &["iptables", "ip6tables", "Unable to enable … rule", "nftables"]).tells(&[Failure]),
    fatal(AddressPools, &["address pools have been fully subnetted", "non-overlapping IPv4 address pool",
        "Pool overlaps with other one", "invalid pool request", "no available IPv4 addresses"]),
    fatal(PortPrivileged, &["cannot expose privileged port"]),
    fatal(PortPrivileged, &["bind: permission denied"]).tells(&[Failure]),
    fatal(PortConflict, &["port is already allocated", "failed to bind host port…address already in use",
        "userland proxy…address already in use", "orts are not available"]),
    fatal(DependencyFailed, &["dependency failed to start"]),
    fatal(DependencyFailed, &["is unhealthy"]).tells(&[Weak]),
    fatal(NetnsOwnerNotRunning, &["is restarting, wait until the container is running", "namespace path: lstat",
        "non running container", "cannot share network namespace",
        "the network stack of another service that is not running", "joining network namespace…No such container"]),
    fatal(SetupAuth, &["maximum of 10 non-archived"]),
    attempt(CurlWrongVersion, &["wrong version number…curl: "]),
    // dockerd's journal: questions of clients about containers that are gone, streams of those that ended.
    noise(&["Handler for …returned error: No such ", "Error grabbing logs: No such container"]),
    // Compose names the namespace's owner by its id, a person a container by its name.
    fatal(NetnsOwnerNotRunning, &["No such container"]).tells(&[WholeId]),
    noise(&["No such container: ", "stream copy error: reading from a closed fifo",
        "Not continuing with pull after error: context canceled"]),
    // Of the names that containers look up.
    call(EngineDnsSilent, &["[resolver] failed to query ", "[resolver] failed to read from DNS server",
        "[resolver] connect failed"]),
    // Its end, in its own words and in systemd's.
    event(Event::EngineStart, &["Daemon has completed initialization", "Started docker.service",
        "Started Docker Application Container Engine"]),
    fatal(DockerDaemonDown, &["unable to configure the Docker daemon with "]).fix(DAEMON_JSON),
    fatal(DockerDaemonDown, &["[rootlesskit:parent] error: failed to start the child"]).fix(USERNS),
    fatal(DockerDaemonDown, &["Failed to connect to containerd"]).fix(READ_JOURNAL),
    fatal(DockerDaemonDown, &["failed to start daemon: ", "Error starting daemon: ",
        "docker.service: …ailed with result", "docker.service: …status=…/FAILURE",
        "docker.service: …Start request repeated too quickly", "Unit docker.service entered failed state",
        "Failed to start docker.service", "Failed to start Docker Application Container Engine",
        "containerd.service: …ailed with result", "Failed to start containerd"]).tells(&[Weak]).fix(READ_JOURNAL),
    fatal(BuildFailed, &["failed to solve", "returned a non-zero code", "failed to build",
        "build failed"]).tells(&[Weak]),
    // Only at the beginning: the proxy and servers use the same words further on.
    fatal(ComposeYamlInvalid, &["failed to parse …compose", "yaml: ", "validating ", "parsing ",
        "service …invalid compose project"]).tells(&[Start]),
];

/// What docker and Compose say, one wording after the other.
pub(crate) fn engine_patterns() -> impl Iterator<Item = Pattern> {
    COMPOSE.iter().chain(ENGINE).flat_map(Pattern::each)
}
