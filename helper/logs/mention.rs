//! Lines that mention errors and report none: a count of zero, a setting, the part of a program that handles them.

use super::last_words;

/// Words for what goes wrong, in small letters, as names of counters and settings begin with them.
const SUBJECTS: [&str; 13] = [
    "error",
    "errors",
    "err",
    "errs",
    "failure",
    "failures",
    "failed",
    "fatal",
    "exception",
    "exceptions",
    "panic",
    "panics",
    "critical",
];

/// What is behind `Error ` where a part of the program is named, or a number or a setting of it.
const PARTS: [&str; 22] = [
    "boundary",
    "budget",
    "count",
    "counter",
    "counts",
    "handler",
    "handlers",
    "hook",
    "hooks",
    "level",
    "log",
    "logger",
    "logs",
    "middleware",
    "page",
    "pages",
    "rate",
    "ratio",
    "reporter",
    "stats",
    "threshold",
    "thresholds",
];

/// What is measured of errors, and the words behind it.
const MEASURES: [&str; 5] = ["budget", "count", "rate", "ratio", "threshold"];
const REST: [&str; 5] = ["remaining", "left", "used", "total", "budget"];

/// The same for words that are also what a program was doing: `Error handling request`.
const DOING: [&str; 6] = ["handling", "reporting", "tracking", "logging", "monitoring", "recovery"];

/// What such a part is said to be.
const STATES: [&str; 12] = [
    "is",
    "enabled",
    "disabled",
    "initialized",
    "initialised",
    "installed",
    "ready",
    "active",
    "started",
    "configured",
    "on",
    "off",
];

/// Values for an absent error, or for a setting that is on or off.
const NONE: [&str; 19] = [
    "0", "0%", "0.0", "0.0%", "none", "null", "nil", "no", "false", "true", "off", "on", "ok", "n/a", "-", "[]", "{}",
    "enabled", "disabled",
];

/// Whether the line names errors as a counter, a setting or a part of the program does.
pub(super) fn is_mention(text: &str) -> bool {
    let begins = word(text).is_some_and(|(word, _)| SUBJECTS.iter().any(|subject| subject.eq_ignore_ascii_case(word)));
    if !begins {
        return false;
    }
    let small = crate::redact::head(text, 200).to_ascii_lowercase();
    let Some((word, rest)) = word(&small) else { return false };
    match rest.chars().next() {
        Some(':' | '=') => is_none(&rest[1..]),
        // A level in front of a message, unless that is no more than a number: `ERROR budget remaining: 100%`.
        Some(' ') if text.starts_with(&word.to_ascii_uppercase()) => is_measure(rest),
        Some(' ') => {
            let Some((part, rest)) = self::word(rest.trim_start()) else { return false };
            let value = rest.trim_start_matches([' ', ':', '=']);
            // The failure behind a part's name is one: `Error handler: cannot open x`.
            let calm = !last_words::has_failure(value);
            let state = || self::word(value).is_some_and(|(state, _)| STATES.contains(&state));
            PARTS.contains(&part) && calm
                || DOING.contains(&part) && calm && state()
                || rest.starts_with([':', '=']) && is_none(&rest[1..])
        }
        _ => false,
    }
}

/// Whether a text is the name of a measure of errors and its value, and nothing else.
fn is_measure(text: &str) -> bool {
    let Some((name, value)) = text.split_once([':', '=']) else { return false };
    let mut words = name.split_whitespace();
    let measures = words.next().is_some_and(|word| MEASURES.contains(&word));
    let value = value.trim().trim_end_matches('%');
    measures && words.all(|word| REST.contains(&word)) && value.parse::<f64>().is_ok()
}

/// The first word and what is behind it.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Whether a value is one of none, with nothing behind it but the next clause or the next field.
fn is_none(value: &str) -> bool {
    let value = value.trim_start();
    let end = value.find([' ', ',', ';', ')', '|']).unwrap_or(value.len());
    let (value, rest) = value.split_at(end);
    let field = || rest.trim_start().split(' ').next().is_some_and(|word| word.contains('='));
    NONE.contains(&value.trim_matches('"'))
        && (rest.is_empty() || rest.starts_with([',', ';', ')', '|']) || rest.starts_with(" (") || field())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_settings_and_parts() {
        for line in [
            "Error: 0",
            "Errors: none",
            "errors: 0, warnings: 0",
            "Error count=0",
            "error rate: 0.0%",
            "fatal=false",
            "failed=0 passed=10",
            "Error handler ready",
            "Error log level: warn",
            "Error reporting: enabled (sentry)",
            "Exception handler installed",
            "Error pages: /srv/errors",
            "Error budget: 99.9%",
            "panics: 0",
            "Failed jobs: 0",
            "ERROR budget remaining: 100%",
            "ERROR count: 3",
        ] {
            assert!(is_mention(line), "{line}");
        }
        for line in [
            "Error: no such file or directory",
            "Error: 0x80070005 access denied",
            "error: none of the routes could be loaded",
            "Error handler: cannot open /var/log/errors.log",
            "Error connecting to the database",
            "fatal: not a git repository",
            "fatal error: all goroutines are asleep - deadlock!",
            "Error code 13: permission denied",
            "Error handling request /report",
            "Error logging in: 401",
            "ERROR rate limit hit",
            "ERROR rate limit exceeded: 100",
            "ERROR budget exhausted",
            "ERROR count: cannot open /var/lib/count",
            "Failed to load plugin",
            "Error: true is not a function",
            "panic: runtime error: index out of range",
            "",
        ] {
            assert!(!is_mention(line), "{line}");
        }
    }
}
