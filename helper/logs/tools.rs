//! Whether an error is that of one tool, which the client gets as the answer to its call.

/// Words of a call of a tool, whatever its name.
const CALLS: [&str; 12] = [
    "[tool]",
    "[tools]",
    "tools/call",
    "iserror",
    "toolerror",
    "tool call",
    "tool execution",
    "tool invocation",
    "in tool",
    "executing tool",
    "calling tool",
    "running tool",
];

/// What a program does with its tools before it serves them.
const PREPARES: [&str; 9] =
    ["regist", "load", "import", "discover", "initiali", "defin", "duplicate", "install", "add tool"];

/// Words behind `tool` that are no tool's name.
const PARTS: [&str; 20] = [
    "process",
    "backend",
    "pool",
    "store",
    "service",
    "catalog",
    "registry",
    "list",
    "module",
    "server",
    "provider",
    "definition",
    "definitions",
    "schema",
    "config",
    "configuration",
    "manager",
    "loader",
    "directory",
    "file",
];

pub(super) fn is_of_tool(text: &str) -> bool {
    let small = crate::redact::head(text, 400).to_ascii_lowercase();
    let named = |(at, _): (usize, &str)| {
        let (before, rest) = (&small[..at], &small[at + 4..]);
        let alone = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.'));
        let name = rest.strip_prefix([' ', '=', ':']).unwrap_or_default().trim_start_matches([' ', '"', '\'', '`']);
        let name = &name[..name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len())];
        alone && !name.is_empty() && !PARTS.contains(&name) && !prepares(before)
    };
    let called = |call: &&str| small.find(*call).is_some_and(|at| !prepares(&small[..at]));
    small.match_indices("tool").any(named) || CALLS.iter().any(called)
}

fn prepares(before: &str) -> bool {
    PREPARES.iter().any(|word| before.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_and_what_is_done_with_them_before() {
        for line in [
            "[error] client 172.18.0.2 sent invalid argument to tool \"sum\": expected number",
            "[error] tool \"fetch\" returned HTTP 404 for https://example.com/x",
            "ERROR Unhandled exception in tool (returned to client as isError): KeyError('x')",
            "ERROR    Error validating tool 'x' arguments      server.py:624",
            r#"{"level":"error","msg":"tool fetch","err":"dial tcp 93.184.216.34:443: connect: connection refused"}"#,
            "level=error tool=search err=\"timeout\"",
            "ERROR tools/call failed: timeout",
            "[ERROR] [tools] getWeather threw Error: city not found",
        ] {
            assert!(is_of_tool(line), "{line}");
        }
        for line in [
            "ERROR failed to register tool \"sum\": duplicate name",
            "ERROR failed to load tool module acme.tools",
            "ERROR tool registry is empty",
            "ERROR could not import toolkit",
            "Error: Cannot find tools",
        ] {
            assert!(!is_of_tool(line), "{line}");
        }
    }
}
