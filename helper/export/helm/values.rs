//! `values.yaml`: exactly the values that Anthropic's pages name for manual credentials.

use serde_json::{Map, Value, json};

use crate::config::gateway::Gateway;
use crate::config::stamp::stamp;
use crate::deployment::Domain;
use crate::export::parts::{ExportState, RouteExport};
use crate::list::list;

/// Where Anthropic publishes the chart.
pub(crate) const CHART: &str = "oci://us-docker.pkg.dev/anthropic-public-registry/charts/mcp-tunnel";
/// Its version since 2026-07-26.
pub(crate) const VERSION: &str = "2.0.2";
/// Name of the release and of its namespace in the pages.
pub(crate) const NAMESPACE: &str = "mcp-tunnel";
/// Secret with the token: generic, key `tunnel-token`.
pub(crate) const TOKEN_SECRET: &str = "mcp-tunnel-token";
/// Secret with the server certificate and its key: generic, keys `tls.crt` and `tls.key`.
pub(crate) const CERT_SECRET: &str = "mcp-tunnel-cert";

/// Names of the chart's values and of the proxy's settings.
const NAMES: [&str; 15] = list(
    "setup enabled external tunnelTokenSecretName serverCertSecretName gateway config tunnel_domain routes upstream \
     allowed_ips tls include_system_cas log_level shutdown_timeout",
);

/// The file. `listen_addr` and `tls` are the chart's own.
pub(super) fn text(gateway: &Gateway, domain: &Domain, routes: &[RouteExport]) -> String {
    let carried = routes.iter().filter(|route| route.state != ExportState::NotPortable);
    let upstream_of = |route: &RouteExport| gateway.routes.get(&route.key).cloned().unwrap_or_default();
    let routes: Map<String, Value> = carried.map(|route| (route.key.clone(), json!(upstream_of(route)))).collect();
    let tls = gateway.upstream.as_ref().and_then(|rules| rules.tls.as_ref());
    let include = tls.and_then(|tls| tls.include_system_cas);
    let upstream = given([
        ("allowed_ips", gateway.allowed_ips().map(|ranges| json!(ranges))),
        ("tls", include.map(|include| json!({ "include_system_cas": include }))),
    ]);
    let config = given([
        ("tunnel_domain", Some(json!(domain.as_str()))),
        ("routes", Some(Value::Object(routes))),
        ("upstream", (!upstream.is_empty()).then_some(Value::Object(upstream))),
        ("log_level", gateway.log_level.as_ref().map(|level| json!(level))),
        ("shutdown_timeout", gateway.shutdown_timeout.as_ref().map(|timeout| json!(timeout))),
    ]);
    let values = json!({
        "setup": { "enabled": false },
        "external": { "tunnelTokenSecretName": TOKEN_SECRET, "serverCertSecretName": CERT_SECRET },
        "gateway": { "config": config },
    });
    let mut body = String::new();
    write(&values, 0, &mut body);
    stamp(&format!("Values of {CHART}, version {VERSION}: always install the whole file."), &body)
}

/// The settings that have a value.
fn given<const N: usize>(settings: [(&str, Option<Value>); N]) -> Map<String, Value> {
    settings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Maps, lists, booleans and strings as YAML, every string and every key that is not a name of the chart's in quotes: Helm
/// reads YAML 1.1, where `no`, `on` and `1e3` are not strings (seen with Helm 4.1.4).
fn write(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let entry = |out: &mut String, head: &str, value: &Value| match value {
        Value::Object(_) | Value::Array(_) => {
            out.push_str(&format!("{indent}{head}\n"));
            write(value, depth + 1, out);
        }
        plain => out.push_str(&format!("{indent}{head} {plain}\n")),
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let is_name = NAMES.contains(&key.as_str());
                let key = if is_name { key.clone() } else { Value::from(key.as_str()).to_string() };
                entry(out, &format!("{key}:"), value);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| entry(out, "-", item)),
        plain => out.push_str(&format!("{indent}{plain}\n")),
    }
}
