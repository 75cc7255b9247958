//! The program that prints, as far as a name tells.

use super::matcher::Writer;

/// What is known about the program that prints here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WriterKind {
    /// One program of ours.
    Of(Writer),
    /// A container whose name says nothing.
    Unknown,
    /// Lines without a prefix: any of them, and docker itself.
    #[default]
    Bare,
}

/// The program that prints under a name, as far as the name tells.
pub(super) fn kind_of(name: &str) -> WriterKind {
    // The container, behind its pod.
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    if name.contains("cloudflared") {
        WriterKind::Of(Writer::Agent)
    } else if name.contains("mcp-proxy") || name.contains("mcp-gateway") || name.contains("mcp_proxy") {
        WriterKind::Of(Writer::Proxy)
    } else if name.contains("hello-mcp") {
        WriterKind::Of(Writer::Server)
    } else {
        WriterKind::Unknown
    }
}

/// Whose a service is by its name, where that is not a server.
pub(super) fn writer_of(service: &str) -> Option<Writer> {
    match kind_of(service) {
        WriterKind::Of(writer @ (Writer::Agent | Writer::Proxy)) => Some(writer),
        _ => None,
    }
}

/// The container that Compose starts or stops, and whether it starts it: ` Container tunnel-wiki-1  Started`.
pub(super) fn step(text: &str) -> Option<(&str, bool)> {
    let mut words = text.split_whitespace().skip_while(|word| !word.is_ascii()).peekable();
    words.next_if_eq(&"Container")?;
    let container = words.next()?;
    match words.next()? {
        "Started" | "Restarted" | "Running" | "Healthy" => Some((container, true)),
        "Stopping" | "Stopped" | "Killing" | "Killed" | "Restarting" | "Recreate" | "Removing" | "Removed" => {
            Some((container, false))
        }
        _ => None,
    }
}

/// A container's name without the number that Compose gives it.
pub(crate) fn service(container: &str) -> &str {
    let name = container.trim_end_matches(|c: char| c.is_ascii_digit());
    match name.strip_suffix(['-', '_']) {
        Some(service) if name.len() < container.len() && !service.is_empty() => service,
        _ => container,
    }
}

/// Whether a line is of the output of BuildKit, or of the builder before it.
pub(super) fn is_build(text: &str) -> bool {
    let text = text.trim_start();
    let step = text.strip_prefix('#').and_then(|rest| rest.split(' ').next());
    let numbered = step.is_some_and(|step| !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()));
    numbered || text.starts_with("> [") || text.starts_with("=> ") || text.starts_with("Step ") && text.contains(" : ")
}
