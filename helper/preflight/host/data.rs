//! The machine in an answer.

use schemars::JsonSchema;
use serde::Serialize;

use crate::preflight::facts::HostFacts;
use crate::preflight::shell;

/// The machine in an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(in crate::preflight) struct HostData {
    /// `linux`, `macos`.
    os: &'static str,
    /// CPU of this helper.
    arch: &'static str,
    /// `wsl`, `container`, `selinux`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kind: Vec<&'static str>,
    /// Free space for images, in MiB; `null` where the engine's disk is not this host's.
    disk_free_mib: Option<u64>,
    /// The engine's clock minus this host's, in seconds.
    engine_clock_offset_s: Option<i64>,
    /// A server's clock minus this host's, in seconds.
    server_clock_offset_s: Option<i64>,
    /// Which variables of the shell change what docker or Compose does. Never their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variables: Vec<&'static str>,
    /// The HTTP proxy that the shell names, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_proxy: Option<String>,
    /// The deployment directory, if it is known which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<DirectoryData>,
}

/// The deployment directory in an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct DirectoryData {
    /// Where it is, or will be.
    path: String,
    /// Whether a deployment is in it.
    deployment: bool,
    /// Whether it can be written, or made.
    writable: Option<bool>,
    /// Whether its file system keeps POSIX modes.
    modes: Option<bool>,
}

impl HostData {
    /// The machine as it is answered.
    pub(in crate::preflight) fn of(facts: &HostFacts) -> Self {
        let host = &facts.host;
        let mut variables = shell::set(&facts.caller, &shell::DOCKER);
        variables.extend(shell::set(&facts.caller, &shell::COMPOSE));
        let kinds = [("wsl", host.is_wsl), ("container", host.in_container), ("selinux", host.selinux == Some(true))];
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            kind: kinds.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect(),
            disk_free_mib: facts.tools.disk.as_ref().map(|(_, bytes)| bytes >> 20),
            engine_clock_offset_s: facts.tools.clock_offset,
            server_clock_offset_s: facts.network.clock_offset().map(|(_, offset)| offset),
            variables,
            http_proxy: shell::http_proxy(&facts.caller),
            directory: facts.deployed.root.as_ref().map(|root| DirectoryData {
                path: root.to_string_lossy().into_owned(),
                deployment: facts.deployed.is_deployment,
                writable: host.place.as_ref().map(|place| place.refusal.is_none()),
                modes: host.place.as_ref().and_then(|place| place.keeps_modes),
            }),
        }
    }
}
