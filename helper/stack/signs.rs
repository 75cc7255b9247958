//! What docker, Compose, the proxy and cloudflared print when something is broken for good: text → rule.

use crate::answer::Finding;
use crate::rules;

/// Texts of which all must stand in one line (or one message), and the rule that they prove.
pub(crate) type Sign = (&'static str, &'static [&'static str]);

/// Errors of the docker client, the daemon and Compose. The first that fits counts: what stands in front of another
/// (`unable to get image …: permission denied`) comes first.
pub(crate) const ENGINE: &[Sign] = &[
    ("docker-permission", &["permission denied while trying to connect to the Docker daemon"]),
    ("docker-permission", &["permission denied while trying to connect to the docker API"]),
    ("engine-too-old", &["client version", "is too new"]),
    ("docker-client-old", &["client version", "is too old"]),
    ("docker-daemon-down", &["Cannot connect to the Docker daemon"]),
    ("docker-daemon-down", &["failed to connect to the docker API"]),
    ("docker-daemon-down", &["error during connect"]),
    ("docker-daemon-down", &["unable to resolve docker endpoint"]),
    ("compose-env-invalid", &["failed to read", ".env"]),
    ("compose-env-invalid", &["unterminated quoted value"]),
    ("compose-env-invalid", &["in variable name"]),
    ("compose-file-missing", &["no configuration file provided"]),
    ("compose-service-undefined", &["undefined service"]),
    ("compose-netmode-conflict", &["conflicting options"]),
    ("compose-netmode-conflict", &["mutually exclusive", "network_mode"]),
    ("network-missing", &["declared as external, but could not be found"]),
    ("network-missing", &["network", "not found"]),
    ("compose-yaml-invalid", &["yaml: "]),
    ("compose-yaml-invalid", &["dditional propert"]),
    ("compose-yaml-invalid", &["invalid compose project"]),
    ("compose-yaml-invalid", &["validating "]),
    ("registry-rate-limit", &["toomanyrequests"]),
    ("registry-denied", &["artifactregistry.repositories.downloadArtifacts"]),
    ("registry-denied", &["Unauthenticated request"]),
    ("registry-denied", &["error getting credentials"]),
    ("image-not-found", &["manifest unknown"]),
    ("image-not-found", &["pull access denied"]),
    ("image-not-found", &["failed to resolve reference", "not found"]),
    ("image-ref-invalid", &["invalid reference format"]),
    ("registry-unreachable", &["/v2/", "dial tcp"]),
    ("registry-unreachable", &["/v2/", "net/http"]),
    ("registry-unreachable", &["/v2/", "context deadline exceeded"]),
    ("registry-unreachable", &["/v2/", "x509"]),
    ("registry-unreachable", &["/v2/", "proxyconnect"]),
    ("registry-unreachable", &["/v2/", "EOF"]),
    ("platform-mismatch", &["no matching manifest for"]),
    ("platform-mismatch", &["does not match the detected host platform"]),
    ("mount-type-mismatch", &["mount a directory onto a file"]),
    ("name-conflict", &["is already in use by container"]),
    ("port-conflict", &["port is already allocated"]),
    ("port-conflict", &["address already in use"]),
    ("port-conflict", &["ports are not available"]),
    ("netns-owner-not-running", &["is restarting, wait until the container is running"]),
    ("netns-owner-not-running", &["namespace path: lstat"]),
    ("netns-owner-not-running", &["non running container"]),
    ("netns-owner-not-running", &["cannot share network namespace"]),
    ("netns-owner-not-running", &["No such container"]),
    ("build-failed", &["failed to solve"]),
    ("build-failed", &["No matching distribution found"]),
    ("build-failed", &["returned a non-zero code"]),
];

/// Lines of the proxy that come before its end. Its format is not documented, so its texts are looked for anywhere.
pub(crate) const PROXY: &[Sign] = &[
    ("proxy-config-routes-list", &["cannot unmarshal !!seq into map[string]string"]),
    ("proxy-config-type", &["cannot unmarshal !!"]),
    ("proxy-config-type", &["not found in type"]),
    ("proxy-config-yaml", &["yaml: line "]),
    ("proxy-config-upstream", &["invalid upstream (must be scheme://host:port)"]),
    ("proxy-config-is-dir", &["config.yaml: is a directory"]),
    ("proxy-config-denied", &["config.yaml: permission denied"]),
    ("proxy-config-missing", &["config.yaml: no such file or directory"]),
    ("proxy-key-denied", &["open /data/tls.", "permission denied"]),
    ("proxy-cert-missing", &["open /data/tls.", "no such file or directory"]),
    ("proxy-cert-mismatch", &["tls: private key", "does not match public key"]),
    ("proxy-cert-swapped", &["PEM inputs may have been switched"]),
    ("proxy-cert-empty", &["tls: failed to find"]),
    ("proxy-cert-empty", &["x509: malformed certificate"]),
    ("proxy-key-encrypted", &["tls: failed to parse private key"]),
    ("upstream-ca-missing", &["open /data/", "no such file or directory"]),
    ("platform-mismatch", &["exec format error"]),
];

/// Lines of cloudflared after which it ends, or goes on in vain.
pub(crate) const CLOUDFLARED: &[Sign] = &[
    ("token-missing", &["requires the ID or name of the tunnel to run"]),
    ("token-missing", &["requires exactly 1 argument, the ID of the tunnel"]),
    ("token-malformed", &["Provided Tunnel token is not valid"]),
    ("token-missing", &["Failed to read token file"]),
    ("token-rejected", &["Unauthorized: Invalid tunnel secret"]),
    ("token-rejected", &["Unauthorized: Failed to get tunnel"]),
    ("token-rejected", &["Unauthorized: Tunnel not found"]),
    ("token-rejected", &["Unauthorized: Account"]),
    ("edge-dns-failed", &["Could not lookup srv records"]),
    ("listen-mismatch", &["Error validating origin URL"]),
    ("platform-mismatch", &["exec format error"]),
];

/// Whether a line (or message) has all the texts of a sign.
fn fits(text: &str, sign: &Sign) -> bool {
    sign.1.iter().all(|part| text.contains(part))
}

/// The rule that a line proves.
pub(crate) fn read(line: &str, signs: &[Sign]) -> Option<&'static str> {
    signs.iter().find(|sign| fits(line, sign)).map(|sign| sign.0)
}

/// The finding that goes with what docker or Compose said when it failed; `otherwise` where that is not known.
pub(crate) fn engine_finding(said: &str, otherwise: &'static str) -> Finding {
    let lines: Vec<&str> =
        said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains("level=warning")).collect();
    for sign in ENGINE {
        if let Some(line) = lines.iter().rev().find(|line| fits(line, sign)) {
            return rules::finding(sign.0).with(line);
        }
    }
    let mut finding = rules::finding(otherwise);
    let last = lines.len().saturating_sub(2);
    for line in &lines[last..] {
        finding = finding.with(line);
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_names_a_rule() {
        for (id, parts) in ENGINE.iter().chain(PROXY).chain(CLOUDFLARED) {
            assert!(rules::rule(id).is_some(), "{id}");
            assert!(parts.iter().all(|part| !part.is_empty()), "{id}");
        }
    }

    #[test]
    fn a_permission_fault_is_not_taken_for_an_image_fault() {
        let said = "unable to get image 'x': permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
        assert_eq!(engine_finding(said, "compose-failed").id, "docker-permission");
    }

    #[test]
    fn a_token_in_an_error_is_not_quoted() {
        let said = "failed to read /x/.env: line 3: unterminated quoted value \"eyJhIjoiYWNjb3VudCIsInQiOiJ0dW5uZWwiLCJzIjoiYyJ9";
        let finding = engine_finding(said, "compose-failed");
        assert_eq!(finding.id, "compose-env-invalid");
        assert!(!finding.evidence[0].contains("eyJ"), "{:?}", finding.evidence);
    }

    #[test]
    fn unknown_words_are_quoted() {
        let finding = engine_finding("a\n\nb\nError: something new\n", "compose-failed");
        assert_eq!(
            (finding.id, finding.evidence),
            ("compose-failed", vec!["b".to_owned(), "Error: something new".to_owned()])
        );
    }
}
