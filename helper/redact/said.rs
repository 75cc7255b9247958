//! What is said about a secret, and is none: `password: must not be empty`, `auth=oauth2`, `token: /run/secrets/x`.

/// Words with which a sentence goes on behind the name of a secret and a colon.
const WORDS: &[&str] = &[
    "must",
    "is",
    "are",
    "was",
    "were",
    "has",
    "have",
    "had",
    "not",
    "cannot",
    "can",
    "could",
    "should",
    "does",
    "did",
    "required",
    "missing",
    "invalid",
    "expired",
    "disabled",
    "enabled",
    "empty",
    "unset",
    "unknown",
    "undefined",
    "incorrect",
    "wrong",
    "rejected",
    "accepted",
    "denied",
    "mismatch",
    "failed",
    "unauthorized",
    "forbidden",
    "none",
    "unsupported",
    "executable",
    "field",
    "this",
];
/// Kinds of authentication, and whether there is any.
const KINDS: &[&str] = &[
    "basic", "bearer", "digest", "oauth", "oauth2", "oidc", "saml", "ldap", "mtls", "jwt", "token", "on", "off",
    "optional",
];
/// Where files with secrets are.
const FOLDERS: &[&str] =
    &["/run/", "/etc/", "/var/", "/home/", "/usr/", "/opt/", "/srv/", "/secrets/", "/app/", "/data/", "~/", "./"];
/// No word of prose is longer, in bytes.
const LONGEST_WORD: usize = 16;

/// Whether words say something about a secret: the first of them is one of those, and none has a digit or a sign in it.
pub(super) fn is_sentence(found: &str) -> bool {
    let words = || found.split(' ').map(|word| word.trim_end_matches([',', '.', ';', ':', '!', ')', ']', '}']));
    let is_plain = |word: &str| word.len() <= LONGEST_WORD && word.bytes().all(|b| b.is_ascii_alphabetic());
    words().next().is_some_and(|first| is_one_of(first, WORDS)) && words().all(is_plain)
}

/// Whether a word is one of those, in letters of any case.
pub(super) fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| one.eq_ignore_ascii_case(word))
}

/// Whether a value says how, or whether, somebody is authenticated: `auth=oauth2`, `using password: YES`.
pub(super) fn is_state(name: &str, found: &str, behind: &str, assigned: bool) -> bool {
    let ends = !behind.trim_start_matches(' ').starts_with(char::is_alphanumeric);
    name == "auth" && (is_one_of(found, KINDS) || is_one_of(found, WORDS))
        || !assigned && ends && is_one_of(found, &["yes", "no"])
}

/// Whether a value is the path of a file. Base64 may begin with a slash, too.
pub(super) fn is_path(found: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_' | b'~');
    found.len() < 100 && FOLDERS.iter().any(|folder| found.starts_with(folder)) && found.bytes().all(is_letter)
}

/// Whether a parser did not expect what stands behind this text and the word `token`.
pub(super) fn is_parser(front: &str) -> bool {
    let front = front.trim_end().as_bytes();
    ["unexpected", "illegal"].iter().any(|word| {
        front.len().checked_sub(word.len()).is_some_and(|at| front[at..].eq_ignore_ascii_case(word.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::gate::evidence;

    #[test]
    fn a_sentence_about_a_secret_stays() {
        for said in [
            "Error: password: must not be empty",
            "password: must not be empty",
            "Access denied for user 'root'@'localhost' (using password: YES)",
            "Access denied (using password: NO)",
            "WWW-Authenticate: Bearer realm=\"mcp\", error=\"invalid_token\"",
            "www-authenticate: Bearer resource_metadata=\"https://wiki.example.com/.well-known/x\"",
            "SyntaxError: Unexpected token: '<' at position 0",
            "parse error: unexpected token: EOF",
            "API_KEY: required",
            "csrf_token: missing",
            "--token is required",
            "usage: server [--api-key KEY] [--password PASSWORD] [--port PORT]",
            "cookie: not set",
            "auth: disabled",
            "Authorization: none configured",
            "auth=oauth2 user=bob",
            "token_type=bearer expires_in=3600",
            "token_endpoint=https://auth.example.com/oauth/token",
            "token: /run/secrets/tunnel_token",
            "SHA256:uNiVztksCsDhcc0u9e8BrJXVGDnhsXRvuzw0ZcJ3c1k",
            "sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg==",
            "git@github.com:anthropics/mcp.git",
        ] {
            assert_eq!(evidence(said), said);
        }
    }
}
