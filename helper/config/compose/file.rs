//! The compose file as it is serialised: its fields are in this order.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Serialize)]
pub(super) struct File {
    pub(super) name: String,
    #[serde(rename = "x-mcp-tunnels", skip_serializing_if = "Option::is_none")]
    pub(super) extension: Option<Extension>,
    pub(super) services: Services,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) networks: BTreeMap<String, Network>,
    pub(super) secrets: BTreeMap<&'static str, Secret>,
}

/// What Compose passes over.
#[derive(Serialize)]
pub(super) struct Extension {
    pub(super) paths: BTreeMap<String, String>,
}

#[derive(Serialize)]
pub(super) struct Services {
    #[serde(rename = "mcp-gateway")]
    pub(super) proxy: Service,
    pub(super) cloudflared: Service,
    #[serde(rename = "hello-mcp", skip_serializing_if = "Option::is_none")]
    pub(super) sample: Option<Service>,
}

#[derive(Serialize)]
pub(super) struct Secret {
    pub(super) environment: &'static str,
}

#[derive(Serialize)]
pub(super) struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external: Option<bool>,
}

/// A service; its fields are in this order.
#[derive(Default, Serialize)]
pub(super) struct Service {
    pub(super) image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) build: Option<Build>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pull_policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) init: Option<bool>,
    pub(super) user: &'static str,
    pub(super) restart: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network_mode: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) networks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) depends_on: Option<BTreeMap<&'static str, Dependency>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extra_hosts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) command: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) environment: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<Mount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) healthcheck: Option<HealthCheck>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<&'static str, String>,
    pub(super) security_opt: Vec<&'static str>,
    pub(super) cap_drop: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read_only: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tmpfs: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pids_limit: Option<u32>,
    pub(super) mem_limit: &'static str,
    pub(super) cpu_quota: u32,
    pub(super) logging: Logging,
}

#[derive(Serialize)]
pub(super) struct Build {
    pub(super) context: &'static str,
    pub(super) args: Vec<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Dependency {
    pub(super) condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restart: Option<bool>,
}

#[derive(Serialize)]
pub(super) struct Mount {
    pub(super) r#type: &'static str,
    pub(super) source: String,
    pub(super) target: &'static str,
    pub(super) read_only: bool,
    pub(super) bind: Bind,
}

#[derive(Serialize)]
pub(super) struct Bind {
    pub(super) create_host_path: bool,
    pub(super) selinux: &'static str,
}

#[derive(Serialize)]
pub(super) struct HealthCheck {
    pub(super) test: Vec<&'static str>,
    pub(super) interval: &'static str,
    pub(super) timeout: &'static str,
    pub(super) retries: u32,
    pub(super) start_period: &'static str,
}

#[derive(Default, Serialize)]
pub(super) struct Logging {
    pub(super) driver: &'static str,
    pub(super) options: BTreeMap<&'static str, &'static str>,
}
