//! What processes print as they end, in the words of runtimes, loggers, shells and command lines.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::line::field;

/// Beginnings of lines that only a process prints that ends: Go, CPython, .NET and Dart, the JVM, PHP, Node, Swift, libc
/// and C++, shells, tini, npm, nginx.
const MESSAGES: &[&str] = &[
    "panic: ",
    "fatal error: ",
    "Fatal error: ",
    "Fatal Python error: ",
    "Unhandled exception. ",
    "Unhandled exception:",
    "Unhandled Exception:",
    "Exception in thread \"main\" ",
    "Error occurred during initialization of ",
    "PHP Fatal error: ",
    "PHP Parse error: ",
    "node: bad option: ",
    "[UnhandledPromiseRejection",
    "Process terminated. ",
    "You must install or update .NET",
    "A fatal error was encountered. ",
    "The command could not be loaded, possibly because",
    "Invalid maximum heap size",
    "Invalid initial heap size",
    "Error: LinkageError occurred while loading main class",
    "# A fatal error has been detected by the Java Runtime Environment",
    "{\"init terminating in do_boot\"",
    "init terminating in do_boot",
    "{\"could not start kernel pid\"",
    "Runtime terminating during boot",
    "terminate called",
    "libc++abi: ",
    "Fatal glibc error: ",
    "double free or corruption",
    "free(): ",
    "malloc(): ",
    "*** stack smashing detected ***",
    "*** buffer overflow detected ***",
    "qemu: uncaught target signal ",
    "panic(main thread): ",
    "Uncaught Kotlin exception: ",
    "Error: unhandled exception: ",
    "ERROR: LoadError: ",
    "Execution error (",
    "bundler: failed to load command: ",
    "rosetta error: ",
    " ERR_PNPM_",
    "[FATAL tini (",
    "npm ERR!",
    "npm error ",
    "nginx: [emerg]",
    // clap, uv, Deno, Bun: a command line that failed.
    "error: ",
];

/// How a shell says of which signal a program ended, alone or in front of its command.
const SIGNALS: [&str; 6] =
    ["Segmentation fault", "Bus error", "Illegal instruction", "Trace/breakpoint trap", "Aborted", "Killed"];

/// What a process prints as it ends, and which does not say why.
const WITHOUT_REASON: [&str; 15] = [
    "APPLICATION FAILED TO START",
    "Kernel pid terminated",
    "{\"Kernel pid terminated\"",
    "Crash dump is being written to: ",
    "[signal SIG",
    "goroutine 1 [",
    "Execution halted",
    "CallStack (from HasCallStack)",
    "Failed to run as a self-contained app",
    "Error: A fatal exception has occurred. Program will exit",
    "Error: Could not create the Java Virtual Machine",
    "BEGIN failed--compilation aborted",
    "oh no: Bun has crashed",
    "error Command failed with exit code",
    " ELIFECYCLE ",
];

/// Ends of lines in which a shell misses a variable.
const SHELL_VARIABLES: [&str; 3] = [": unbound variable", ": parameter not set", ": parameter null or not set"];

/// Texts by which servers say that they give up: uvicorn, gunicorn.
const GIVEN_UP: [&str; 2] = ["Application startup failed. Exiting.", "Worker failed to boot"];

/// Further beginnings of lines below or above the message: Go's `go run`, and how to call a program.
const MARKS: [&str; 7] =
    ["exit status ", "Usage:", "Usage of ", "usage: ", "For more information, try '", "Exiting", "exiting"];

/// Words of a failure, in small letters, for lines without a level.
const FAILURES: &[&str] = &[
    "fail",
    "cannot ",
    "can't ",
    "can not ",
    "could not ",
    "couldn't ",
    "unable to ",
    "error:",
    " error ",
    "invalid",
    "missing",
    "not found",
    "no such ",
    "not set",
    "is required",
    "are required",
    "required key",
    "required env",
    "must be ",
    "must set",
    "must specify",
    "must provide",
    "must not",
    "please set",
    "please provide",
    "undefined",
    "unknown ",
    "denied",
    "not permitted",
    "refused",
    "already in use",
    "not allowed",
    "unexpected",
    "unrecognized",
    "giving up",
    "exception",
    "unsupported",
    "not supported",
    "not exist",
    "timed out",
    "i/o timeout",
    "exceeded",
    "unreachable",
    "no route to",
    "expired",
    "unauthorized",
    "malformed",
    "mismatch",
    "not configured",
    "not defined",
];

/// Words of what a program cannot do without.
const REQUIREMENTS: &[&str] = &[
    "missing required",
    "is required",
    "are required",
    "required but",
    "must be set",
    "must be provided",
    "must set",
    "must specify",
    "must provide",
    "please set",
    "please provide",
];

/// Words by which a program goes on after a failure, or reports none.
const GOING_ON: &[&str] = &[
    "retry",
    "trying again",
    "will try",
    "reconnect",
    "attempt ",
    "waiting",
    "continuing",
    "fallback",
    "falling back",
    "skipp",
    "ignor",
    "disabled",
    "using default",
    "defaulting",
    "warn",
    "deprecat",
    "running without",
    "no error",
    "0 error",
    "0 fail",
    "error: 0",
    "error: none",
    "errors: none",
    "errors: 0",
    "errors=0",
    "failed: 0",
    "failed=0",
    "failures: 0",
    "not required",
];

/// Whether the line reports the error of which the process that prints it ends.
pub(super) fn is_message(text: &str) -> bool {
    let fatal = || field(text, "level").is_some_and(|level| ["fatal", "panic"].contains(&level));
    begins(text, MESSAGES)
        || is_of_shell(text) && !text.starts_with("Killed")
        || text.starts_with("thread 'main'") && text.contains("panicked at")
        // Rust's `main` that returns an error.
        || text.starts_with("Error: ") && text.contains(" { ") && text.trim_end().ends_with('}')
        || is_without_reason(text)
        || text.contains(": Fatal error: ")
        || text.starts_with("thread ") && text.contains(" panic: ")
        || SHELL_VARIABLES.iter().any(|end| text.trim_end().ends_with(end))
        || text.starts_with("FTL ")
        || text.starts_with("FATA[")
        || has_given_up(text)
        // uv indents it.
        || is_of_command_line(text.trim_start_matches(' '))
        || text.contains(": line ") && SIGNALS.iter().any(|signal| *signal != "Killed" && text.contains(signal))
        || fatal()
}

/// Whether a process that ends prints the line, which says no more than that.
pub(super) fn is_without_reason(text: &str) -> bool {
    let aborted = text.starts_with("Aborted") && is_of_shell(text);
    aborted || WITHOUT_REASON.iter().any(|front| text.starts_with(front)) && !text.contains("disabled")
}

/// Whether a server says that it gives up, after it said why.
pub(super) fn has_given_up(text: &str) -> bool {
    text.contains("failed") && GIVEN_UP.iter().any(|given_up| text.contains(given_up))
}

/// Whether a shell says that a program ended of a signal.
pub(super) fn is_of_shell(text: &str) -> bool {
    let rest = SIGNALS.iter().find_map(|signal| text.strip_prefix(signal));
    rest.is_some_and(|rest| {
        rest.trim().is_empty() || [" (core dumped)", ": ", "  "].iter().any(|r| rest.starts_with(r))
    })
}

/// Programs that write no level: argparse and C programs behind their name, Elixir, Ruby and uv.
fn is_of_command_line(text: &str) -> bool {
    let capital = |rest: &str| rest.starts_with(|c: char| c.is_ascii_uppercase());
    let is_program = |(name, _): (&str, &str)| {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        let level = ["info", "warn", "warning", "debug", "notice", "trace", "error", "fatal"];
        !name.is_empty() && name.chars().all(part) && !level.contains(&name.to_ascii_lowercase().as_str())
    };
    text.contains(": error: ") && text.split_once(": error: ").is_some_and(is_program)
        || text.strip_prefix("× ").is_some_and(capital)
        || text.strip_prefix("** (").is_some_and(|rest| capital(rest) && rest.contains(") "))
        || text.ends_with("Error)") && text.contains(":in ")
}

/// Whether the line is of what a process prints around the message of its end, and says no more than that it ended.
pub(super) fn is_mark(text: &str) -> bool {
    let help = || text.contains("--help") && ["Try ", "Run ", "See "].iter().any(|verb| text.starts_with(verb));
    // anyhow's, of Rust: the JVM names the cause on the same line.
    let caused = text.trim_end() == "Caused by:";
    begins(text, &MARKS) || is_without_reason(text) || is_end_of_node(text) || caused || help()
}

/// Whether Node says its version, as it does behind the exception that ended it.
pub(super) fn is_end_of_node(text: &str) -> bool {
    let version = text.trim_end().strip_prefix("Node.js v");
    version.is_some_and(|version| version.split('.').count() == 3 && version.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether the line is of what Node prints between an exception and its version.
pub(super) fn is_of_stack(text: &str) -> bool {
    text.trim().is_empty() || text.starts_with([' ', '\t', '}']) || text.starts_with("Emitted 'error' event")
}

/// Whether the line only points at code: carets under it, a frame of a stack.
pub(super) fn is_pointer(text: &str) -> bool {
    let text = text.trim_start();
    let stack = ["at ", "note: run with `RUST_BACKTRACE", "goroutine ", "main.main("];
    !text.contains(|c: char| c.is_alphanumeric())
        || stack.iter().any(|front| text.starts_with(front))
        || text.contains(" +0x")
}

/// Whether the line is one of carets, as Node and Python print it under the source of what nothing caught.
pub(super) fn is_carets(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.bytes().all(|b| b == b'^')
}

/// Whether the line says that the program cannot do without something.
pub(super) fn is_requirement(text: &str) -> bool {
    let small = crate::redact::head(text, 400).to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| small.contains(word));
    has(REQUIREMENTS) && !has(GOING_ON)
}

/// Whether a line without a level reports a failure: as Go's `log.Fatal` does, or `console.error` in front of an exit.
pub(super) fn is_failure(text: &str) -> bool {
    // A program or a script that is named by its path speaks, or something else is listed.
    let of_path = text.starts_with('/') && text.split(' ').next().is_some_and(|word| word.ends_with(':'));
    if !of_path && text.starts_with([' ', '\t', '{', '[', '|', '-', '=', '*', '#', '/', '<', '>']) {
        return false;
    }
    // A page to read.
    if text.starts_with("http") && !text.contains(' ') {
        return false;
    }
    let small = crate::redact::head(text, 400).to_ascii_lowercase();
    let level = ["info", "debug", "note", "notice", "trace"];
    let leveled = level.iter().any(|level| small.strip_prefix(level).is_some_and(|rest| rest.starts_with([':', ' '])));
    let fails = has_failure(&small) || is_of_perl(text);
    !leveled && fails && !GOING_ON.iter().any(|word| small.contains(word))
}

/// Whether Perl says what a program ended of: `WORDS at /app/server.pl line 12.`
fn is_of_perl(text: &str) -> bool {
    let place = text.strip_suffix('.').and_then(|text| text.rsplit_once(" line "));
    place.is_some_and(|(front, line)| {
        !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()) && front.contains(" at /")
    })
}

/// Whether a program goes on by this line, after a shell in front of it missed something.
pub(super) fn goes_on(text: &str) -> bool {
    let small = crate::redact::head(text, 400).to_ascii_lowercase();
    let ends = ["stop", "exit", "shut", "terminat", "abort", "crash", "npm "].iter().any(|word| small.contains(word));
    !is_of_stack(text) && !is_mark(text) && !is_message(text) && !ends && !has_failure(&small)
}

/// Whether a text begins with one of several.
pub(super) fn begins(text: &str, beginnings: &[&str]) -> bool {
    // Most differ in the first letter.
    let first = text.bytes().next();
    beginnings.iter().any(|beginning| beginning.bytes().next() == first && text.starts_with(beginning))
}

/// Whether words, in small letters, name a failure.
pub(super) fn has_failure(small: &str) -> bool {
    static ALL: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(FAILURES).ok());
    ALL.as_ref().is_some_and(|all| all.is_match(small))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_processes() {
        for line in [
            "panic: runtime error: invalid memory address or nil pointer dereference",
            "thread 'main' (1) panicked at src/main.rs:31:55:",
            "Unhandled exception. System.IO.FileNotFoundException: Could not load file or assembly 'x'",
            "[FATAL tini (7)] exec /app/run.sh failed: Permission denied",
            "error: the following required arguments were not provided:",
            "server.py: error: the following arguments are required: --api-key",
            "  × Failed to download and build `cryptography==43.0.0`",
            "ERROR:    Application startup failed. Exiting.",
            "level=fatal msg=\"no database\"",
            "{\"level\":\"fatal\",\"msg\":\"no database\"}",
            "FTL no database",
            "/entrypoint.sh: line 3:     7 Segmentation fault      (core dumped) python server.py",
            "npm error Missing script: \"start\"",
        ] {
            assert!(is_message(line), "{line}");
        }
        for line in [
            "thread 'tokio-runtime-worker' (12) panicked at /app/src/tools.rs:88:14:",
            "http: panic serving 172.20.0.3:41234: boom",
            "Exception in thread \"http-nio-9000-exec-3\" java.lang.IllegalStateException: boom",
            "ERROR:    Exception in ASGI application",
            "level=error msg=\"no database\"",
            "info: error: none",
            "SyntaxError: Unexpected token h in JSON at position 0",
        ] {
            assert!(!is_message(line), "{line}");
        }
    }

    #[test]
    fn failures_without_a_level() {
        for line in [
            "listen tcp :8080: bind: address already in use",
            "required key DATABASE_URL missing value",
            "main.go:31: could not open database: unable to open database file: no such file or directory",
            "open config.yaml: no such file or directory",
            "GITHUB_TOKEN is not set",
            "dial tcp 10.0.0.7:5432: connect: connection refused",
        ] {
            assert!(is_failure(line), "{line}");
        }
        for line in [
            "starting mcp server",
            "listening on :9000",
            "could not connect to redis, retrying in 5s",
            "warning: config.yaml not found, using defaults",
            "API_KEY not set, running without authentication",
            "12 tools registered, 0 errors",
            "  failed",
            "Loaded 3 tools",
        ] {
            assert!(!is_failure(line), "{line}");
        }
    }
}
