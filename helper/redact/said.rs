//! Words about a secret that are not the secret: `password: must not be empty`, `auth=oauth2`, `token: /run/secrets/x`.

use super::letters::name_length;
use super::text::head;
use super::words::is_secret;

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
    "requires",
    "changed",
    "reset",
];
/// Words that follow a flag that is spoken of: `using --password via the command line is insecure`.
pub(super) const PARTICLES: &[&str] = &[
    "or", "and", "via", "with", "by", "in", "to", "from", "when", "for", "as", "on", "flag", "option", "instead", "if",
    "but",
];
/// What follows a name that is spoken of in the middle of a sentence: `user bob does not exist`.
const VERBS: &[&str] = &["is", "was", "does", "did", "has", "must", "cannot", "could", "should", "may"];
/// Kinds of authentication, and whether there is any.
const KINDS: &[&str] = &[
    "basic",
    "bearer",
    "digest",
    "oauth",
    "oauth2",
    "oidc",
    "saml",
    "ldap",
    "mtls",
    "jwt",
    "token",
    "on",
    "off",
    "optional",
    "plain",
    "login",
    "ntlm",
    "gssapi",
    "negotiate",
    "xoauth2",
    "cram-md5",
];
/// Where files with secrets are.
const FOLDERS: &[&str] = &[
    "/run/",
    "/etc/",
    "/var/",
    "/home/",
    "/usr/",
    "/opt/",
    "/srv/",
    "/secrets/",
    "/app/",
    "/data/",
    "/tmp/",
    "/root/",
    "/mnt/",
    "~/",
    "./",
];
/// How code looks a variable up.
const LOOKUPS: &[&str] = &[
    "os.environ",
    "os.getenv(",
    "process.env",
    "ENV[",
    "ENV.fetch(",
    "getenv(",
    "System.getenv(",
    "env::var(",
    "std::env::var(",
    "import.meta.env",
    "Deno.env",
];
/// Bytes that are read of what is said.
const LONGEST_SAID: usize = 300;
/// Words that are read of a sentence.
const MOST_WORDS: usize = 24;
/// No word of prose is longer, in bytes.
const LONGEST_PART: usize = 16;
/// How methods are called that have digits in their names.
const METHODS: &[&str] = &[
    "argon2",
    "scram-sha",
    "sha1",
    "sha2",
    "sha3",
    "sha5",
    "md5",
    "pbkdf2",
    "caching_sha2",
    "ed25519",
    "x25519",
    "oauth2",
    "aes",
    "utf8",
    "utf-8",
    "base64",
    "hs256",
    "rs256",
    "es256",
    "http/",
];

/// A word with digits is no shorter, in bytes.
const SHORTEST: usize = 6;
/// And no longer: that is a text in which a quote was not closed, in bytes.
pub(super) const LONGEST_WORD: usize = 512;

/// Whether words say something about a secret: the first of them is one of those, and none has a digit or a sign in it.
pub(super) fn is_sentence(found: &str) -> bool {
    let words = || {
        found.split(' ').take(MOST_WORDS).map(|word| word.trim_end_matches([',', '.', ';', ':', '!', ')', ']', '}']))
    };
    let is_plain = |word: &str| word.len() <= LONGEST_PART && word.bytes().all(|b| b.is_ascii_alphabetic());
    let mut pairs = words().zip(words().skip(1));
    words().all(is_plain)
        && (words().next().is_some_and(|first| is_one_of(first, WORDS))
            || pairs.any(|(verb, next)| is_one_of(verb, VERBS) && is_one_of(next, WORDS)))
}

/// Whether a word is the name of a method: `argon2id`, `scram-sha-256`, `HTTP/1.1`.
pub(super) fn is_method(word: &str) -> bool {
    let word = word.trim_start_matches(['*', '&']);
    METHODS.iter().any(|method| word.get(..method.len()).is_some_and(|start| start.eq_ignore_ascii_case(method)))
}

/// Whether a word is one that its parts make readable: `mcp-tunnel-2`, `v2-linux-node20`.
pub(super) fn is_readable(word: &str) -> bool {
    word.contains(['-', '_']) && word.split(['-', '_', '.']).all(is_part)
}

/// Letters, and a number behind them.
fn is_part(part: &str) -> bool {
    let digits = part.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit()) && part.len() - digits.len() <= LONGEST_PART
}

/// Whether a word was drawn by chance: a run of at least so many letters with digits among them, and neither an id nor
/// a path.
pub(crate) fn is_drawn(word: &str, least: usize) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/' | '=' | '%');
    let is_uuid = |run: &str| run.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let counts = |run: &str| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        // A word with a number behind it is not a value.
        let is_mixed = digits >= 2
            || run.len() >= 16 && run.trim_end_matches(|c: char| c.is_ascii_digit()).len() + digits > run.len();
        run.len() >= least && digits > 0 && is_mixed && run.bytes().filter(u8::is_ascii_alphabetic).count() >= 2
    };
    !word.starts_with('/')
        && !word.contains("://")
        && word
            .split(|c| !is_letter(c))
            .any(|run| counts(run) && !is_uuid(run) && !is_readable(run) && !is_folders(run))
}

/// Whether a text is a path: readable words between slashes.
pub(super) fn is_folders(text: &str) -> bool {
    text.contains('/') && text.split('/').all(|word| is_part(word) || is_readable(word))
}

/// Whether a word is one of those, in letters of any case.
pub(super) fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| one.eq_ignore_ascii_case(word))
}

/// Whether a value says how, or whether, a caller is authenticated: `auth=oauth2`, `using password: YES`.
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

/// Whether a value is the kind of a key, `private key: RSA 2048 bits`, or the status of an answer, `token: 401 Unauthorized`.
pub(super) fn is_kind(found: &str, behind: &str) -> bool {
    let is_status = found.len() == 3 && found.bytes().all(|b| b.is_ascii_digit());
    is_one_of(found, &["RSA", "EC", "ECDSA", "DSA", "ED25519", "AES"])
        || is_status && behind.strip_prefix(' ').is_some_and(|next| next.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Whether a word is what an error is of: `failed to parse private key: x509: invalid key`.
pub(super) fn is_source(found: &str, behind: &str) -> bool {
    behind.starts_with(' ')
        && found.strip_suffix(':').is_some_and(|word| word.contains(char::is_alphabetic) && is_part(word))
}

/// Whether a text consists of many words in small letters: `server message: insufficient_scope: authorization failed`.
pub(super) fn is_spoken(found: &str) -> bool {
    let found = head(found, LONGEST_SAID);
    found.split(' ').count() >= 3 && found.bytes().all(|b| b.is_ascii_lowercase() || b" _:,.'".contains(&b))
}

/// Whether code looks a value up: `os.environ["NAME"]`. A default may be a secret.
pub(super) fn is_lookup(value: &str) -> bool {
    let read = head(value, 100);
    let inside = LOOKUPS.iter().find_map(|lookup| read.strip_prefix(lookup));
    inside.is_some_and(|inside| {
        inside.split([')', ']', '\n']).next().is_some_and(|inside| !inside.contains([',', '|', '?']))
    })
}

/// Whether a value is what a person, or a program, is to replace: `<your-token>`, `%s`.
pub(super) fn is_placeholder(found: &str) -> bool {
    if ["%s", "%r", "%d", "%v", "%q", "...", "…", "${{"].contains(&found) {
        return true;
    }
    let inside = found.strip_prefix('<').map(|inside| inside.trim_end_matches('>'));
    inside.is_some_and(|inside| {
        inside.contains(['-', '_', ' ']) && !inside.contains(|c: char| c.is_ascii_digit() || c == '=')
    })
}

/// Whether a parser did not expect what follows this text and the word `token`.
pub(super) fn is_parser(front: &str) -> bool {
    let front = front.trim_end().as_bytes();
    ["unexpected", "illegal", "unclosed", "unterminated"].iter().any(|word| {
        front.len().checked_sub(word.len()).is_some_and(|at| front[at..].eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// Whether a word is not of a language: letters and digits, and no time, version, path, address or setting. Those of
/// passwords may be readable, `app-2`.
pub(super) fn is_made(word: &str, is_password: bool) -> bool {
    if !(SHORTEST..=LONGEST_WORD).contains(&word.len()) {
        return false;
    }
    let has = |f: fn(&u8) -> bool| word.bytes().any(|b| f(&b));
    let is_version =
        word.trim_start_matches('v').bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':'));
    let is_time = word.len() > 15 && word.as_bytes()[4] == b'-' && word.as_bytes()[10] == b'T';
    let host = word.rsplit_once(':').map_or(word, |(host, _)| host);
    let top = host.rsplit_once('.').map_or("", |(_, top)| top);
    let is_host = (2..=8).contains(&top.len()) && top.bytes().all(|b| b.is_ascii_alphabetic());
    has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !word.trim_end_matches('=').contains(['=', '(', '<', '[', '"', '|'])
        && !word.contains("://")
        && (word.len() >= 60 || !word.starts_with("0x"))
        && !word.starts_with(['/', '.', '~', '$', '-', '%'])
        && !(is_version || is_time || is_host)
        && !is_secret_name(word)
        && !is_method(word)
        && (is_password || !(is_readable(word) || is_folders(word)))
}

/// Whether it is the name of a secret, and not one.
pub(super) fn is_secret_name(word: &str) -> bool {
    word.contains(['_', '-']) && name_length(word) == word.len() && is_secret(word)
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
