//! Whether an error is that of one tool, which the client gets as the answer to its call.

/// Words of a call of a tool, whatever its name.
const CALLS: [&str; 17] = [
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
    "call_tool",
    "calltool",
    "tool_call",
    "toolcallback",
    "toolexecution",
];

/// Loggers of the part of a program that has its tools.
const LOGGERS: [&str; 6] = [".tools:", ".tools -", ".tools.", "::tools:", ".tools]", ".tools\""];

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
        let rest = ["name", "_name", ".name"].iter().find_map(|key| rest.strip_prefix(key)).unwrap_or(rest);
        let value = rest.strip_prefix("\":").or_else(|| rest.strip_prefix([' ', '=', ':'])).unwrap_or_default();
        let name = value.trim_start_matches([' ', '"', '\'', '`']);
        let name = &name[..name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len())];
        alone && !name.is_empty() && !PARTS.contains(&name) && !prepares(before)
    };
    let called = |call: &&str| small.find(*call).is_some_and(|at| !prepares(&small[..at]));
    let logger = || LOGGERS.iter().any(|logger| small.contains(logger)) && !prepares(&small);
    small.match_indices("tool").any(named) || CALLS.iter().any(called) || logger()
}

/// Whether a line tells the result of a call of a tool, and that it is an error.
pub(super) fn is_failed_result(text: &str) -> bool {
    text.contains("isError=true") || text.contains("\"isError\":true") || text.contains("is_error=true")
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
            "ERROR:crm.tools:lookup failed: HTTPSConnectionPool(host='api.partner.com', port=443): Max retries exceeded",
            "| ERROR    | wiki.tools:get_page:44 - page 99 not found (404)",
            r#"{"level":50,"tool":"search","err":{"message":"boom"},"msg":"failed"}"#,
            r#"{"level":"error","logger":"app","tool_name":"search","error":"boom"}"#,
            "ERROR wiki::tools: search failed error=timeout",
            "ERROR call_tool{name=search}: wiki: timeout",
        ] {
            assert!(is_of_tool(line), "{line}");
        }
        for line in [
            "ERROR failed to register tool \"sum\": duplicate name",
            "ERROR failed to load tool module acme.tools",
            "ERROR tool registry is empty",
            "ERROR could not import toolkit",
            "Error: Cannot find tools",
            "ERROR:crm.tools:could not register lookup: duplicate name",
            r#"{"level":"error","toolchain":"x"}"#,
        ] {
            assert!(!is_of_tool(line), "{line}");
        }
    }
}
