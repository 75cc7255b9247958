//! How docker, the daemon and Compose begin the lines in which they report a failure.

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
    "conflicting ",
    "can't use ",
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
