//! Words about a secret that are not the secret: `password: must not be empty`, `auth=oauth2`, `token: /run/secrets/x`.

use super::letters::{QUOTES, name_length};
use super::text::{behind_last, head};
use super::words::is_secret;
use crate::list::list;

/// Words that follow a flag that is spoken of: `using --password via the command line is insecure`.
pub(super) const PARTICLES: [&str; 17] =
    list("or and via with by in to from when for as on flag option instead if but");
/// Where files with secrets are.
const FOLDERS: [&str; 15] =
    list("/run/ /etc/ /var/ /home/ /usr/ /opt/ /srv/ /secrets/ /app/ /data/ /tmp/ /root/ /mnt/ ~/ ./");
/// What code takes a value from by its name: `config.get("password")`, `settings.API_KEY`.
const SOURCES: [&str; 19] = list(
    "get fetch getenv env environ headers params config settings secrets cookies form args options self this conf \
     cfg opts",
);
/// How code looks a variable up.
const LOOKUPS: [&str; 11] = list(
    "os.environ os.getenv( process.env ENV[ ENV.fetch( getenv( System.getenv( env::var( std::env::var( \
     import.meta.env Deno.env",
);
/// No word of prose is longer, in bytes.
pub(super) const LONGEST_PART: usize = 16;
/// How methods are called that have digits in their names.
const METHODS: [&str; 20] = list(
    "argon2 scram-sha sha1 sha2 sha3 sha5 md5 pbkdf2 caching_sha2 ed25519 x25519 oauth2 aes utf8 utf-8 base64 hs256 \
     rs256 es256 http/",
);

/// A word with digits is no shorter, in bytes.
const SHORTEST: usize = 6;
/// And no longer: that is a text in which a quote was not closed, in bytes.
pub(super) const LONGEST_WORD: usize = 512;

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
pub(super) fn is_part(part: &str) -> bool {
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

/// Whether code looks a value up: `os.environ["NAME"]`. A default may be a secret.
pub(super) fn is_lookup(value: &str) -> bool {
    let read = head(value, 100);
    if is_taken(read) {
        return true;
    }
    let inside = LOOKUPS.iter().find_map(|lookup| read.strip_prefix(lookup));
    inside.is_some_and(|inside| {
        inside.split([')', ']', '\n']).next().is_some_and(|inside| !inside.contains([',', '|', '?']))
    })
}

/// Whether code takes a value from where it is, by the name of a secret: `request.headers["Authorization"]`.
fn is_taken(read: &str) -> bool {
    let path = read.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(read.len());
    let is_name =
        |name: &str| name_length(name) == name.len() && !name.bytes().any(|b| b.is_ascii_digit()) && is_secret(name);
    let (path, behind) = read.split_at(path);
    let (front, last) = path.rsplit_once('.').unwrap_or(("", path));
    let Some(inside) = behind.strip_prefix(['(', '[']) else {
        return SOURCES.contains(&behind_last(front, |c| c == '.'))
            && is_name(last)
            && !behind.starts_with(['=', '-', '/', '+']);
    };
    let is_source =
        SOURCES.contains(&last) || ["get_", "load_", "read_", "fetch_"].iter().any(|verb| last.starts_with(verb));
    let name = inside.split([')', ']']).next().unwrap_or_default();
    is_source && name.starts_with(QUOTES) && is_name(name.trim_matches(QUOTES))
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
