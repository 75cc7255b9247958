//! Errors of the docker client, the daemon and Compose, in the words of docker 20.10 to 28, Compose 1.29 to 2.40, Docker
//! Desktop, colima and snap's Docker.

use super::Tell::{Build, Failure, Start, Weak};
use super::{Pattern, attempt, fatal, noise};
use crate::rules::RuleId::*;

/// The first that fits counts: what is printed in front of another error (`unable to get image …: permission denied`)
/// comes first.
#[rustfmt::skip]
pub(crate) static ENGINE: &[Pattern] = &[
    fatal(DockerPermission, &["permission denied while trying to connect to the Docker daemon"]),
    fatal(DockerPermission, &["permission denied while trying to connect to the docker API"]),
    fatal(DockerPermission, &["dial unix ", "docker.sock: connect: permission denied"]),
    // Compose 1.29 reads the version of an engine that no longer speaks its API as a fault of the client.
    fatal(EngineTooOld, &["client version", "is too new"]),
    fatal(DockerClientOld, &["client version", "is too old"]),
    fatal(DockerPermission, &["Error while fetching server API version", "Permission denied"]),
    // docker/compose#11742, #11270; docker-compose 1.29.2 with engine 25 and later, requests 2.32, docker-py 7.
    fatal(ComposeV1, &["'ContainerConfig'"]),
    fatal(ComposeV1, &["Not supported URL scheme http+docker"]),
    fatal(ComposeV1, &["kwargs_from_env() got an unexpected keyword argument"]),
    fatal(ComposeV1, &["DependencyWarning", "docker-compose"]),
    fatal(ComposeV1, &["HTTPConnection.request() got an unexpected keyword argument 'chunked'"]),
    fatal(ComposeV1, &["ersion in \"", "is unsupported"]),
    fatal(ComposeV1, &["load_entry_point('docker-compose=="]).tells(&[Weak]),
    fatal(ComposeV1, &["File \"", "/compose/cli/"]).tells(&[Weak]),
    fatal(ComposeV1, &["-packages/compose/"]).tells(&[Weak]),
    fatal(WslIntegration, &["could not be found in this WSL"]),
    fatal(WslIntegration, &["activate the WSL integration"]),
    fatal(DockerDaemonDown, &["Cannot connect to the Docker daemon"]),
    fatal(DockerDaemonDown, &["failed to connect to the docker API"]),
    fatal(DockerDaemonDown, &["error during connect"]),
    fatal(DockerDaemonDown, &["unable to resolve docker endpoint"]),
    fatal(DockerDaemonDown, &["Error while fetching server API version"]),
    fatal(DockerDaemonDown, &["Couldn't connect to Docker daemon"]),
    fatal(DockerDaemonDown, &["request returned ", "for API route and version"]),
    fatal(DockerDaemonDown, &["Docker Desktop is ", "paused"]),
    fatal(DockerDaemonDown, &["Docker Desktop is unable to start"]),
    fatal(ComposeMissing, &["'compose' is not a docker command"]),
    fatal(ComposeMissing, &["unknown command: docker compose"]),
    fatal(ComposeMissing, &["unknown docker command: \"compose"]),
    fatal(ComposeMissing, &["unknown shorthand flag: 'd' in -d"]),
    fatal(ComposeMissing, &["unknown shorthand flag: 'f' in -f"]),
    fatal(ComposeMissing, &["unknown shorthand flag: 'p' in -p"]),
    fatal(ComposeMissing, &["unknown flag: --project-"]),
    fatal(ComposeMissing, &["unknown flag: --profile"]),
    fatal(ComposeMissing, &["unknown flag: --env-file"]),
    fatal(ComposeMissing, &["docker-compose: command not found"]),
    fatal(ComposeMissing, &["docker-compose: not found"]),
    fatal(ComposeMissing, &["command not found: docker-compose"]),
    fatal(DockerMissing, &["docker: command not found"]),
    fatal(DockerMissing, &["docker: not found"]),
    fatal(DockerMissing, &["command not found: docker"]),
    fatal(DockerMissing, &["docker' is not recognized as"]),
    // Builds.
    fatal(BuildxMissing, &["buildx component is missing"]),
    fatal(BuildxMissing, &["requires buildx "]),
    fatal(BuildxMissing, &["'buildx' is not a docker command"]),
    fatal(BuildxMissing, &["unknown command: docker buildx"]),
    fatal(BuildxMissing, &["cli-plugins/docker-buildx"]),
    fatal(BuildxMissing, &["BuildKit is enabled but"]),
    fatal(BuildOutOfMemory, &["failed to solve", "exit code: 137"]),
    fatal(BuildOutOfMemory, &["failed to solve", "cannot allocate memory"]),
    fatal(BuildOutOfMemory, &["failed to solve", "signal: killed"]),
    fatal(BuildOutOfMemory, &["returned a non-zero code: 137"]),
    fatal(BuildTls, &["CERTIFICATE_VERIFY_FAILED"]).tells(&[Build]),
    fatal(BuildTls, &["SELF_SIGNED_CERT_IN_CHAIN"]).tells(&[Build]),
    fatal(BuildTls, &["UNABLE_TO_GET_ISSUER_CERT_LOCALLY"]).tells(&[Build]),
    fatal(BuildTls, &["UNABLE_TO_VERIFY_LEAF_SIGNATURE"]).tells(&[Build]),
    fatal(BuildTls, &["SSL certificate problem"]).tells(&[Build]),
    fatal(BuildTls, &["server certificate verification failed"]).tells(&[Build]),
    fatal(BuildTls, &["TLS: server certificate not trusted"]).tells(&[Build]),
    fatal(BuildDns, &["NewConnectionError", "ame resolution"]).tells(&[Build]),
    fatal(BuildDns, &["NewConnectionError", "Name or service not known"]).tells(&[Build]),
    fatal(BuildDns, &["Temporary failure resolving"]).tells(&[Build]),
    fatal(BuildDns, &["EAI_AGAIN"]).tells(&[Build]),
    fatal(BuildDns, &["getaddrinfo ENOTFOUND"]).tells(&[Build]),
    fatal(BuildDns, &["Could not resolve host"]).tells(&[Build]),
    fatal(BuildDns, &["Could not resolve '"]).tells(&[Build]),
    fatal(BuildDns, &["failed to lookup address information"]).tells(&[Build]),
    fatal(BuildDns, &["DNS lookup error"]).tells(&[Build]),
    fatal(BuildDns, &["DNS: transient error"]).tells(&[Build]),
    fatal(BuildPackages, &["No matching distribution found for"]).tells(&[Build]),
    // Files that Compose reads.
    fatal(EnvFileMissing, &["env file ", "not found"]),
    fatal(EnvFileMissing, &["ouldn't find env file"]),
    fatal(ComposeEnvInvalid, &["failed to read", ".env"]),
    fatal(ComposeEnvInvalid, &["unterminated quoted value"]),
    fatal(ComposeEnvInvalid, &["in variable name"]),
    fatal(ComposeEnvInvalid, &["key cannot contain a space"]),
    // Compose v1 and a broken line: it goes on without the variable.
    attempt(ComposeEnvInvalid, &["Python-dotenv could not parse statement"]),
    fatal(ComposeEnvInvalid, &[".environment must be a mapping"]),
    fatal(ComposeEnvInvalid, &["environment contains an invalid type"]),
    fatal(ComposeVarUnset, &["required variable TUNNEL_TOKEN is missing a value"]),
    fatal(ComposeVarUnset, &["environment variable \"TUNNEL_TOKEN\" required by "]),
    fatal(ComposeVarUnset, &["Missing mandatory value for", "TUNNEL_TOKEN"]),
    fatal(ComposeVarUnset, &["variable is not set. Defaulting to a blank string", "TUNNEL_TOKEN"]),
    fatal(ComposeVariableMissing, &["required variable ", " is missing a value"]),
    fatal(ComposeVariableMissing, &["environment variable \"", "\" required by "]),
    fatal(ComposeVariableMissing, &["Missing mandatory value for"]),
    noise(&["variable is not set. Defaulting to a blank string"]),
    fatal(ComposeFileMissing, &["no configuration file provided"]),
    fatal(ComposeFileMissing, &["Can't find a suitable configuration file"]),
    fatal(ComposeServiceUndefined, &["undefined service"]),
    fatal(ComposeServiceUndefined, &["uses the network stack of service", "which is undefined"]),
    fatal(ComposeNetmodeConflict, &["conflicting options", "network mode"]),
    fatal(ComposeNetmodeConflict, &["conflicting options", "the container type network"]),
    fatal(ComposeNetmodeConflict, &["mutually exclusive", "network_mode"]),
    fatal(ComposeNetmodeConflict, &["'network_mode' and 'networks' cannot be combined"]),
    fatal(NetworkAlias, &["alias is supported only for containers in user defined networks"]),
    fatal(NetworkMissing, &["declared as external, but could not be found"]),
    fatal(NetworkMissing, &["Error response from daemon: network ", "not found"]),
    fatal(NetworkMissing, &["failed to set up container networking: network ", "not found"]),
    fatal(ComposeYamlInvalid, &["yaml.scanner.ScannerError"]),
    fatal(ComposeYamlInvalid, &["yaml.parser.ParserError"]),
    fatal(ComposeYamlInvalid, &["The Compose file ", "is invalid because"]),
    fatal(ComposeYamlInvalid, &["Unsupported config option for"]),
    fatal(ComposeYamlInvalid, &["dditional propert", "not allowed"]),
    // Registries.
    fatal(CredentialHelper, &["docker-credential-desktop"]),
    fatal(CredentialHelper, &["error getting credentials", "docker-credential-osxkeychain"]),
    fatal(CredentialHelper, &["error getting credentials", "docker-credential-secretservice"]),
    fatal(CredentialHelper, &["error getting credentials", "docker-credential-pass"]),
    fatal(CredentialHelper, &["error getting credentials", "docker-credential-wincred"]),
    fatal(RegistryDenied, &["artifactregistry.repositories.downloadArtifacts"]),
    fatal(RegistryDenied, &["Unauthenticated request"]),
    fatal(RegistryDenied, &["error getting credentials", "docker-credential-"]),
    fatal(CredentialHelper, &["error getting credentials"]),
    fatal(CredentialHelper, &["error storing credentials"]),
    fatal(RegistryRateLimit, &["toomanyrequests"]),
    fatal(RegistryRateLimit, &["429 Too Many Requests"]).tells(&[Failure]),
    fatal(RegistryRateLimit, &["/v2/", ": 429"]),
    fatal(RegistryForbidden, &["403", "response body"]),
    fatal(RegistryForbidden, &["403 Forbidden"]).tells(&[Failure]),
    fatal(RegistryForbidden, &["unexpected status code", "403"]),
    fatal(RegistryForbidden, &["export control regulations"]),
    fatal(RegistryDenied, &["unauthorized: "]).tells(&[Failure]),
    fatal(RegistryDenied, &["401 Unauthorized"]).tells(&[Failure]),
    fatal(ImageRefInvalid, &["invalid reference format"]),
    fatal(PlatformMismatch, &["no matching manifest for"]),
    fatal(PlatformMismatch, &["was found but does not match the specified platform"]),
    fatal(PlatformMismatch, &["was found but does not provide the specified platform"]),
    fatal(PlatformMismatch, &["image operating system ", "cannot be used on this platform"]),
    // Compose goes on: with emulation it may run.
    attempt(PlatformMismatch, &["does not match the detected host platform"]),
    fatal(ImageNotFound, &["manifest unknown"]),
    fatal(ImageNotFound, &["pull access denied"]),
    fatal(ImageNotFound, &["failed to resolve reference", ": not found"]),
    fatal(ImageNotFound, &["failed to resolve source metadata", ": not found"]),
    fatal(RegistryDenied, &["denied: requested access to the resource is denied"]),
    fatal(RegistryUnreachable, &["/v2/", "dial tcp"]),
    fatal(RegistryUnreachable, &["/v2/", "net/http"]),
    fatal(RegistryUnreachable, &["/v2/", "context deadline exceeded"]),
    fatal(RegistryUnreachable, &["/v2/", "x509"]),
    fatal(RegistryUnreachable, &["/v2/", "proxyconnect"]),
    fatal(RegistryUnreachable, &["/v2/", "EOF"]),
    fatal(RegistryUnreachable, &["/v2/", "i/o timeout"]),
    fatal(RegistryUnreachable, &["failed to fetch anonymous token"]),
    fatal(RegistryUnreachable, &["failed to fetch oauth token"]),
    fatal(RegistryUnreachable, &["failed to resolve reference"]),
    fatal(RegistryUnreachable, &["failed to resolve source metadata"]),
    fatal(RegistryUnreachable, &["unexpected HTTP status: 5"]),
    fatal(RegistryUnreachable, &["unexpected status", " 50"]),
    fatal(RegistryUnreachable, &["failed to copy: ", "dial tcp"]),
    // The host's disk, and what a rootless engine may do with it.
    fatal(DiskFull, &["no space left on device"]),
    fatal(DiskFull, &["isk quota exceeded"]),
    fatal(RootlessIds, &["/etc/subuid"]).tells(&[Failure]),
    fatal(RootlessIds, &["/etc/subgid"]).tells(&[Failure]),
    fatal(RootlessIds, &["insufficient UIDs or GIDs"]).tells(&[Failure]),
    fatal(RootlessIds, &["newuidmap"]).tells(&[Failure]),
    fatal(RootlessIds, &["newgidmap"]).tells(&[Failure]),
    fatal(RootlessIds, &["chown ", ": invalid argument"]).tells(&[Failure]),
    fatal(ImageLayer, &["failed to register layer"]),
    fatal(ImageLayer, &["failed to extract layer"]),
    fatal(ImageLayer, &["failed to unpack image"]),
    fatal(ImageLayer, &["failed to mount overlay"]),
    fatal(ImageLayer, &["error creating overlay mount"]),
    fatal(ImageLayer, &["filesystem layer verification failed"]),
    fatal(ImageLayer, &["layer does not exist"]),
    // The host's security profiles and kernel.
    fatal(EngineAppArmor, &["apparmor"]).tells(&[Failure]),
    fatal(EngineAppArmor, &["AppArmor"]).tells(&[Failure]),
    fatal(EngineCgroups, &["cgroup"]).tells(&[Failure]),
    fatal(EngineCgroups, &["error while starting unit \"docker-"]).tells(&[Failure]),
    fatal(EngineCgroups, &["unable to start unit \"docker-"]).tells(&[Failure]),
    fatal(EngineSeccomp, &["seccomp"]).tells(&[Failure]),
    // Folders that the engine cannot see.
    fatal(SnapDocker, &["/var/snap/docker"]),
    fatal(SnapDocker, &["/snap/docker/"]),
    fatal(SnapDocker, &["error while creating mount source path", "read-only file system"]),
    fatal(MountNotShared, &["is not shared from"]),
    fatal(MountNotShared, &["Mounts denied"]),
    fatal(MountNotShared, &["ounts denied: "]),
    fatal(MountNotShared, &["/host_mnt/"]),
    fatal(MountNotShared, &["filesharing has been cancelled"]),
    fatal(MountNotShared, &["error while creating mount source path '/Volumes/"]),
    fatal(MountNotShared, &["error while creating mount source path '/Users/"]),
    fatal(MountNotShared, &["error while creating mount source path '/private/"]),
    fatal(MountNotShared, &["error mounting \"/Volumes/"]),
    fatal(MountNotShared, &["error mounting \"/private/"]),
    fatal(MountNotShared, &["error mounting \"/tmp/", "(via /proc/self/fd"]).tells(&[Weak]),
    fatal(MountNotShared, &["bind source path does not exist: /Volumes/"]),
    fatal(MountNotShared, &["bind source path does not exist: /Users/"]),
    fatal(MountSource, &["error while creating mount source path"]),
    fatal(MountSource, &["bind source path does not exist"]),
    fatal(MountTypeMismatch, &["mount a directory onto a file"]),
    fatal(MountTypeMismatch, &["error mounting", "not a directory"]),
    // The command of a container.
    fatal(EntrypointUnusable, &["executable file not found in $PATH"]),
    fatal(EntrypointUnusable, &["exec: \"", "no such file or directory"]),
    fatal(EntrypointUnusable, &["exec: \"", "permission denied"]),
    fatal(PlatformMismatch, &["OCI runtime create failed", "exec format error"]),
    fatal(NameConflict, &["is already in use by container"]),
    // Networks of the host. The lost chains come in front of the ports: both fail "programming external connectivity".
    fatal(IptablesBroken, &["iptables"]).tells(&[Failure]),
    fatal(IptablesBroken, &["ip6tables"]).tells(&[Failure]),
    fatal(IptablesBroken, &["Unable to enable ", " rule"]).tells(&[Failure]),
    fatal(IptablesBroken, &["nftables"]).tells(&[Failure]),
    fatal(AddressPools, &["address pools have been fully subnetted"]),
    fatal(AddressPools, &["non-overlapping IPv4 address pool"]),
    fatal(AddressPools, &["Pool overlaps with other one"]),
    fatal(AddressPools, &["invalid pool request"]),
    fatal(AddressPools, &["no available IPv4 addresses"]),
    fatal(PortPrivileged, &["cannot expose privileged port"]),
    fatal(PortPrivileged, &["bind: permission denied"]).tells(&[Failure]),
    fatal(PortConflict, &["port is already allocated"]),
    fatal(PortConflict, &["failed to bind host port", "address already in use"]),
    fatal(PortConflict, &["userland proxy", "address already in use"]),
    fatal(PortConflict, &["orts are not available"]),
    fatal(DependencyFailed, &["dependency failed to start"]),
    fatal(DependencyFailed, &["is unhealthy"]).tells(&[Weak]),
    fatal(NetnsOwnerNotRunning, &["is restarting, wait until the container is running"]),
    fatal(NetnsOwnerNotRunning, &["namespace path: lstat"]),
    fatal(NetnsOwnerNotRunning, &["non running container"]),
    fatal(NetnsOwnerNotRunning, &["cannot share network namespace"]),
    fatal(NetnsOwnerNotRunning, &["the network stack of another service that is not running"]),
    fatal(NetnsOwnerNotRunning, &["No such container"]),
    fatal(SetupAuth, &["maximum of 10 non-archived"]),
    attempt(CurlWrongVersion, &["wrong version number", "curl: "]),
    fatal(BuildFailed, &["failed to solve"]).tells(&[Weak]),
    fatal(BuildFailed, &["returned a non-zero code"]).tells(&[Weak]),
    fatal(BuildFailed, &["failed to build"]).tells(&[Weak]),
    fatal(BuildFailed, &["build failed"]).tells(&[Weak]),
    // Only at the beginning: the proxy and servers use the same words further on.
    fatal(ComposeYamlInvalid, &["failed to parse ", "compose"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["yaml: "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["validating "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["parsing "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["service ", "invalid compose project"]).tells(&[Start]),
];

/// How a line of the docker client, the daemon or Compose begins that reports a failure, behind its level.
const BEGINNINGS: &[&str] = &[
    "Error response from daemon",
    "docker: ",
    "failed to ",
    "unable to ",
    "Unable to ",
    "cannot ",
    "Cannot ",
    "could not ",
    "unknown ",
    "unsupported ",
    "invalid ",
    "no such ",
    "error ",
    "dependency ",
    "OCI runtime ",
    "permission denied",
    "Service '",
    "service \"",
    "open /",
    "stat /",
    "mkdir /",
    "fork/exec ",
];

/// How a level is written in front of an error, by the clients of docker, Compose, BuildKit and nerdctl.
const LEVELS: &[&str] = &["ERROR: ", "Error: ", "error: ", "ERROR ", "FATA[", "ERRO[", "fatal: ", "FATAL: "];

/// The words behind what a client puts in front of them: a time, a level, `Error:`.
pub(crate) fn behind_level(line: &str) -> &str {
    let mut rest = line.trim_start();
    if let Some(at) = rest.find("msg=\"").filter(|at| *at < 80) {
        rest = &rest[at + 5..];
    }
    for level in ["ERROR: ", "Error: ", "error: ", "ERROR ", "failed to load: "] {
        rest = rest.strip_prefix(level).unwrap_or(rest);
    }
    rest
}

/// Whether a line that no row knows reports a failure of docker, the daemon or Compose.
pub(crate) fn is_engine_error(line: &str) -> bool {
    let line = line.trim_start();
    let leveled = LEVELS.iter().any(|level| line.starts_with(level))
        || line.contains("level=error") && line.contains("msg=")
        || line.contains("level=fatal");
    leveled || BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
}

/// Whether the engine's runtime or Compose 1 reports a failure further on in the line.
pub(super) fn is_runtime_error(line: &str) -> bool {
    ["OCI runtime", "Error response from daemon", "Cannot start service", "rror creating", "failed to create"]
        .iter()
        .any(|words| line.contains(words))
}

/// Whether only docker and Compose start a line like this.
pub(crate) fn is_engines_own(line: &str) -> bool {
    let rest = behind_level(line);
    ["Error response from daemon", "docker: Error", "failed to solve", "for ", "failed to create network "]
        .iter()
        .any(|own| rest.starts_with(own))
        && (rest.starts_with("for ") == line.trim_start().starts_with("ERROR: for "))
}

/// What docker or Compose means by a line.
pub(crate) fn engine_pattern(line: &str) -> Option<&'static Pattern> {
    ENGINE.iter().find(|pattern| pattern.fits(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_the_engine_are_told_from_its_progress() {
        for line in [
            "Error response from daemon: something new",
            "ERROR: for mcp-proxy  Cannot start service mcp-proxy: something new",
            "docker: something new.",
            "failed to frobnicate: something new",
            "FATA[0000] something new",
            "time=\"2026-11-22T21:25:03Z\" level=error msg=\"something new\"",
            "service \"hello-mcp\" has neither an image nor a build context specified",
            "unknown flag: --frobnicate",
        ] {
            assert!(is_engine_error(line), "{line}");
        }
        for line in [
            " Container mcp-tunnel-cloudflared-1  Error",
            " Network mcp-tunnel_default  Created",
            "Attaching to cloudflared-1, mcp-proxy-1",
            "WARN[0000] The \"HTTPS_PROXY\" variable is not set.",
            "time=\"2026-11-22T21:25:03Z\" level=warning msg=\"the attribute `version` is obsolete\"",
            "cloudflared Pulled",
            "#5 [internal] load build context",
        ] {
            assert!(!is_engine_error(line), "{line}");
        }
        assert!(is_engines_own("Error response from daemon: x") && is_engines_own("ERROR: for a  b"));
        assert!(!is_engines_own("ERROR:    Exception in ASGI application") && !is_engines_own("for a while"));
    }
}
