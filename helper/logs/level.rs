//! Whether a line says of itself that it reports an error, in the formats of loggers and runtimes.

use super::last_words;
use super::mention;

/// A level is looked for in so many bytes at the beginning of a line.
const FRONT: usize = 120;

/// Fields that hold a level, in JSON and logfmt.
const FIELDS: [&str; 7] = ["level", "severity", "levelname", "lvl", "log.level", "@l", "LogLevel"];

/// Beginnings of a line in small letters: Winston, .NET, zap.
const QUIET_BEGINNINGS: [&str; 6] = ["info: ", "debug: ", "trace: ", "info\t", "debug\t", "trace\t"];

/// Further beginnings of a line by which a runtime, a shell or a package manager says that it failed.
const BEGINNINGS: &[&str] = &[
    "fatal: ",
    "FATAL: ",
    "thread '",
    "Unhandled ",
    "Uncaught ",
    "UnhandledPromiseRejection",
    "Exception in thread",
    "http: panic serving ",
    "exec ",
    "SIGABRT",
    "SIGSEGV",
    "fail: ",
    "crit: ",
    "Failed to ",
    "failed to ",
    "Cannot ",
    "Could not ",
    "Unable to ",
    "app crashed",
    "Child exited: code=1",
    "Child stderr: npm error",
    "Child stderr: Error:",
];

/// Whether the line's level is below a warning's: a failure that it names is quoted. Not so PHP-FPM's NOTICE and
/// PostgreSQL's LOG, at which they report errors.
pub(super) fn is_quiet(text: &str) -> bool {
    let text = untagged(text);
    if QUIET_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) {
        return true;
    }
    let quiet = |word: &str| {
        let names = ["INF", "INFO", "INFORMATION", "DBG", "DEBUG", "VERBOSE", "TRACE"];
        names.contains(&word) || word.parse::<u32>().is_ok_and(|number| (10..40).contains(&number))
    };
    let level = level_field(text).or_else(|| level_word(crate::redact::head(text, FRONT)));
    level.is_some_and(|level| quiet(&level.to_ascii_uppercase()))
}

/// The level in a field of its own.
fn level_field(text: &str) -> Option<&str> {
    FIELDS.iter().find_map(|field| super::line::field(text, field))
}

pub(super) fn severity(word: &str) -> Option<bool> {
    match word {
        "ERR" | "ERROR" | "FTL" | "FATAL" | "CRITICAL" | "CRIT" | "SEVERE" | "ALERT" | "EMERG" | "PANIC" => Some(true),
        "INF" | "INFO" | "WRN" | "WARN" | "WARNING" | "DBG" | "DEBUG" | "TRACE" | "NOTICE" | "DEPRECATED" | "LOG"
        | "HINT" | "DETAIL" | "STATEMENT" => Some(false),
        _ => None,
    }
}

/// Whether a level's value is an error's; loggers of Node write numbers.
fn is_severe(value: &str) -> bool {
    match value.parse::<u32>() {
        Ok(number) => (50..=60).contains(&number),
        Err(_) => severity(&value.to_ascii_uppercase()) == Some(true),
    }
}

/// The word in front of the first colon of an exception (`java.lang.RuntimeException: …`, `TypeError [CODE]: …`).
pub(super) fn is_exception(text: &str) -> bool {
    let front = text.split_once(": ").map(|(front, _)| front).or_else(|| text.trim_end().strip_suffix(':'));
    let Some(front) = front.or_else(|| text.split_once(':').map(|(front, _)| front)) else { return false };
    let name = front.split(" [").next().unwrap_or(front);
    // Ruby's names have two colons in them.
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$' | ':');
    !name.is_empty()
        && name.len() < 100
        && name.chars().all(word)
        && (name.ends_with("Error") || name.ends_with("Exception"))
}

/// The text behind the name of a program that runs others, in brackets: `[supergateway]`, `[nodemon]`, `<github>`.
fn untagged(text: &str) -> &str {
    // The servers of another proxy.
    let named = text.strip_prefix('<').and_then(|rest| rest.split_once("> "));
    if let Some((_, rest)) =
        named.filter(|(tag, _)| tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)))
    {
        return rest;
    }
    let is_tag = |tag: &str| tag.len() > 3 && tag.bytes().all(|b| b.is_ascii_lowercase());
    let tagged = text.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let tagged = tagged.filter(|(tag, _)| is_tag(tag) && severity(&tag.to_ascii_uppercase()).is_none());
    tagged.map_or(text, |(_, rest)| rest)
}

/// Whether the line reports an error. `text` is behind its prefix and time stamps.
pub(crate) fn is_error(text: &str) -> bool {
    let whole = text;
    let text = untagged(text);
    // What another program started ended of a signal, and that one says so.
    let of_a_child = text.len() < whole.len() && last_words::is_of_shell(text);
    if of_a_child || mention::is_mention(text) {
        return false;
    }
    if last_words::is_message(text) || last_words::is_of_shell(text) || is_box(text) {
        return true;
    }
    if text.starts_with([' ', '\t']) {
        // A piece of a stack, a table or a box.
        return false;
    }
    // The words of an empty message are on the next lines.
    if matches!(text.trim_end(), "ERR" | "FTL") {
        return false;
    }
    if let Some(value) = level_field(text) {
        return is_severe(value);
    }
    if is_exception(text) || last_words::begins(text, BEGINNINGS) {
        // `exec ` and `thread '` also begin sentences.
        return match text.split(' ').next() {
            Some("exec") => text.contains(": no such") || text.contains(": permission denied") || text.contains("rror"),
            Some("thread") => text.contains("panicked at"),
            _ => true,
        };
    }
    // klog: a letter, then month and day.
    let bytes = text.as_bytes();
    if bytes.len() > 6 && bytes[0] == b'E' && bytes[1..5].iter().all(u8::is_ascii_digit) && bytes[5] == b' ' {
        return true;
    }
    leveled(crate::redact::head(text, FRONT)) == Some(true) && !is_of_statement(text)
}

/// Whether the line is the first of two in which an error is reported, and says where: `fail: CATEGORY[ID]` of .NET's
/// console, `thread 'main' panicked at FILE:LINE:COLUMN:` of Rust since 1.73.
pub(super) fn is_head(text: &str) -> bool {
    let text = text.trim_end();
    let rest = text.strip_prefix("fail: ").or_else(|| text.strip_prefix("crit: "));
    rest.is_some_and(|rest| rest.ends_with(']') && !rest.contains(' ')) || is_open_head(text)
}

/// Whether it is the upper side of a box around an error: rich-click, Typer.
fn is_box(text: &str) -> bool {
    text.starts_with("╭─ Error ─")
}

/// Whether the message is on the next line, wherever that begins: Rust's panics, an exception of Dart's.
pub(super) fn is_open_head(text: &str) -> bool {
    let jvm = text.starts_with("Error occurred during initialization of ") && !text.contains(": ");
    let colon = text == "Unhandled exception:" || text.ends_with(" failed with:");
    is_panic(text) && text.ends_with(':') || jvm || colon || is_box(text)
}

/// Whether a thread of Rust's panicked.
pub(super) fn is_panic(text: &str) -> bool {
    text.starts_with("thread '") && text.contains(" panicked at ")
}

/// Whether PostgreSQL says that a client's statement failed, `[PID] ERROR:  …`: the client knows, and says what of it.
fn is_of_statement(text: &str) -> bool {
    let pid = |(front, rest): (&str, &str)| {
        let (_, pid) = front.rsplit_once('[')?;
        Some(!rest.starts_with(' ') && !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split_once("] ERROR:  ").and_then(pid) == Some(true)
}

/// Whether the line has a level, and not that of a program's own error: the program that printed it goes on.
pub(super) fn is_calm(text: &str) -> bool {
    of(text) == Some(false) || is_of_statement(text)
}

/// Whether the line's level is an error's; `None` without one.
pub(super) fn of(text: &str) -> Option<bool> {
    let text = untagged(text);
    level_field(text).map(is_severe).or_else(|| leveled(crate::redact::head(text, FRONT)))
}

/// Whether a line's front names an error's level.
fn leveled(front: &str) -> Option<bool> {
    level_word(front).and_then(|word| severity(&word.to_ascii_uppercase()))
}

/// The first word that is a level decides: upper case, or lower case in brackets as nginx and Erlang write it.
fn level_word(front: &str) -> Option<&str> {
    if front.starts_with("Error") && front[5..].starts_with([':', ' ']) && !mention::is_mention(front) {
        return Some("ERROR");
    }
    let bytes = front.as_bytes();
    let mut end = 0;
    while let Some(skipped) = bytes[end..].iter().position(u8::is_ascii_alphabetic) {
        let at = end + skipped;
        end = at + bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        let word = &front[at..end];
        let (before, after) = (bytes[..at].last(), bytes.get(end));
        let bracketed = before == Some(&b'[') && after == Some(&b']');
        let found = if bracketed { severity(&word.to_ascii_uppercase()) } else { severity(word) };
        // Part of a name (`ERROR_LOG`, `/ERROR/`) is not a level.
        let joined = |next: Option<&u8>| next.is_some_and(|b| b"/_=.\"".contains(b));
        if found.is_some() && !joined(before) && !joined(after) {
            return Some(word);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_many_loggers() {
        for line in [
            "ERR Something new error=\"x\" connIndex=0",
            "FTL Something new",
            r#"{"time":"2026-11-26T04:01:21.62Z","level":"ERROR","msg":"failed to load config","error":"x"}"#,
            r#"{"level":50,"time":1795380319000,"pid":1,"msg":"boom"}"#,
            r#"{"severity":"CRITICAL","message":"boom"}"#,
            "level=error msg=\"boom\"",
            "time=2026-11-26T04:01:21.62Z level=ERROR msg=boom",
            "ERROR:    Application startup failed. Exiting.",
            ",123 - my.server - ERROR - boom",
            "[09/15/25 11:19:59] ERROR    Original RuntimeError from mcp library: http.py:288",
            "| ERROR    | __main__:main:12 - boom",
            "ERROR 1 --- [mcp] [ctor-http-nio-3] i.m.spec.McpServerSession : boom",
            "[error] 29#29: *1 connect() failed (111: Connection refused) while connecting to upstream",
            "E1126 04:01:21.620000       1 main.go:12] boom",
            "TypeError: x is not a function",
            "TypeError [ERR_INVALID_ARG_TYPE]: boom",
            "java.lang.RuntimeException: boom",
            "Error: boom",
            "panic: boom",
            "thread 'main' panicked at src/main.rs:3:5:",
            "Segmentation fault (core dumped)",
            "npm ERR! code ENOENT",
            "failed to start: boom",
            "[nodemon] app crashed - waiting for file changes before starting...",
            "[supergateway] Child exited: code=1, signal=null",
            "[error] boom",
            "server.py: error: the following arguments are required: --api-key",
            "PHP Fatal error:  Uncaught Error: Class \"Mcp\\Server\" not found in /app/server.php:5",
            "  × Failed to download and build `cryptography==43.0.0`",
            "** (Mix) Could not start application my_mcp",
            "/app/server.rb:3:in 'Kernel#require': cannot load such file -- mcp (LoadError)",
            "node: bad option: --experimental-foo",
        ] {
            assert!(is_error(line), "{line}");
        }
    }

    #[test]
    fn levels_below_a_warning() {
        for line in [
            "INFO  search query=\"x\"",
            "DEBUG llm completion: x",
            "[info] x",
            "info: x",
            "time=\"2026-11-26T20:00:00Z\" level=info msg=\"x\"",
            r#"{"level":30,"msg":"x"}"#,
            r#"{"LogLevel":"Information","Message":"x"}"#,
            "INFO 1 --- [main] c.acme.Tool : x",
        ] {
            assert!(is_quiet(line), "{line}");
        }
        for line in [
            "WARN x",
            "ERROR INFO",
            "LOG:  could not bind IPv4 address",
            "NOTICE: PHP message: PHP Fatal error: x",
            r#"{"level":40,"msg":"x"}"#,
            r#"{"level":"error","msg":"INFO"}"#,
            "Error: listen EADDRINUSE",
            "information about x",
        ] {
            assert!(!is_quiet(line), "{line}");
        }
    }

    #[test]
    fn what_is_no_error() {
        for line in [
            "INF Registered tunnel connection connIndex=0",
            "WRN Something error=\"x\"",
            "INFO:     172.18.0.3:1 - \"GET /ERROR HTTP/1.1\" 200 OK",
            "INFO: no ERROR today",
            "WARNING:  Invalid HTTP request received.",
            r#"{"level":"info","msg":"ERROR handling is on"}"#,
            r#"{"level":30,"msg":"ok"}"#,
            "level=info msg=\"error budget is fine\"",
            "    at Server.setupListenHandle (node:net:1937:16)",
            "errors=0 requests=12",
            "Processing request of type CallToolRequest",
            "ERROR_LOG=/dev/stderr",
            "0 Errors",
            "thread 'main' started",
            "[supergateway] Child exited: code=0, signal=null",
            "[nodemon] starting `node server.js`",
            "[info] failed to none",
            "exec python server.py",
            "info: error: none",
            "tests passed: error: 0 of 12",
            "× 3 workers",
            "** (press CTRL+C to quit)",
            "errors are raised as (LoadError)",
            "Node.js v22.11.0",
            "",
        ] {
            assert!(!is_error(line), "{line}");
        }
    }
}
