//! Which names are names of secrets: passwords, tokens, keys; and which are certainly not.

use super::letters::is_unseen;

/// Anywhere in a name.
const PARTS: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASSCODE",
    "PASSWORT",
    "KENNWORT",
    "CONTRASENA",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "ACCESSKEY",
    "CREDENTIAL",
    "CONNECTIONSTRING",
    "CONNSTR",
];

/// At the end of a name.
const ENDINGS: &[&str] = &[
    "PASS",
    "PASSE",
    "PW",
    "PWD",
    "PRIVATEKEY",
    "SECRETKEY",
    "ENCRYPTIONKEY",
    "SIGNINGKEY",
    "MASTERKEY",
    "ACCOUNTKEY",
    "JWTKEY",
    "AUTH",
    "AUTHORIZATION",
    "COOKIE",
];

/// Last words of a name of several words: `DEPLOY_KEY`, `GH_PAT`; not `monkey`, `COMPAT` or a bare `key:`.
const LAST_WORDS: &[&str] =
    &["KEY", "KEYS", "PAT", "SEED", "PIN", "DSN", "PSK", "OTP", "SALT", "JWT", "BEARER", "MNEMONIC"];

/// Words before `KEY` that make it a key of another kind.
const NOT_SECRET_BEFORE_KEY: &[&str] = &[
    "PUBLIC",
    "PRIMARY",
    "FOREIGN",
    "SORT",
    "PARTITION",
    "CACHE",
    "IDEMPOTENCY",
    "ROUTING",
    "HOT",
    "MAP",
    "GROUP",
    "UNIQUE",
    "INDEX",
    "ROW",
    "SHARD",
    "TLS",
    "CA",
    "SSL",
];

/// Places, kinds and numbers of secrets.
const NOT_SECRET_ENDINGS: &[&str] = &[
    "FILE",
    "PATH",
    "TYPE",
    "COUNT",
    "NAME",
    "FINGERPRINT",
    "SECRETS",
    "BYPASS",
    "COMPASS",
    "LENGTH",
    "EXPIRY",
    "TTL",
    "ENDPOINT",
];

/// Last words of names whose values are never secret.
const HARMLESS_LAST_WORDS: &[&str] = &[
    "ADDR",
    "ADDRESS",
    "ARCH",
    "BIND",
    "CONCURRENCY",
    "CPU",
    "CPUS",
    "DB",
    "DEBUG",
    "DIR",
    "DIRECTORY",
    "DOMAIN",
    "ENABLED",
    "ENV",
    "ENVIRONMENT",
    "FILE",
    "FINGERPRINT",
    "FORMAT",
    "GID",
    "HOST",
    "HOSTNAME",
    "INTERVAL",
    "LANG",
    "LANGUAGE",
    "LEVEL",
    "LIMIT",
    "LOCALE",
    "LOGLEVEL",
    "MEMORY",
    "MODE",
    "NAME",
    "PATH",
    "PORT",
    "PROTOCOL",
    "REGION",
    "REPLICAS",
    "RETRIES",
    "SHA256",
    "SIZE",
    "THREADS",
    "TIMEOUT",
    "TIMEZONE",
    "TRANSPORT",
    "TZ",
    "UID",
    "USER",
    "VERSION",
    "WORKERS",
];

/// Whole names whose values are never secret.
const HARMLESS: &[&str] = &[
    "LC_ALL",
    "PUID",
    "PGID",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "NO_COLOR",
    "TUNNEL_URL",
    "TUNNEL_METRICS",
    "NO_PROXY",
    "CI",
];

/// The words of a name in capitals: `dbPass`, `db-pass`, `DB_PASS` and `db.pass` are DB and PASS.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = ' ';
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && last.is_ascii_lowercase();
        if (begins || !c.is_alphanumeric()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_uppercase());
        }
        last = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a variable, a key, a header or a flag is called like something that must not be shown. What cannot be seen in
/// the name is nothing, or replaces a letter.
pub(crate) fn is_secret(name: &str) -> bool {
    if name.contains(is_unseen) {
        return is_secret(&name.replace(is_unseen, "")) || is_nearly_secret(name);
    }
    let words = words(name);
    let whole = words.concat();
    let counted = whole.ends_with("TOKENS")
        && !["API", "ACCESS", "AUTH", "REFRESH"].iter().any(|kind| whole.ends_with(&format!("{kind}TOKENS")));
    if counted || NOT_SECRET_ENDINGS.iter().any(|ending| whole.ends_with(ending)) {
        return false;
    }
    let last = match words.as_slice() {
        [.., before, last] => LAST_WORDS.contains(&last.as_str()) && !NOT_SECRET_BEFORE_KEY.contains(&before.as_str()),
        [_] | [] => ["DSN", "PSK", "PAT", "OTP", "MNEMONIC", "BEARER", "JWT"].contains(&whole.as_str()),
    };
    last || PARTS.iter().any(|part| whole.contains(part)) || ENDINGS.iter().any(|ending| whole.ends_with(ending))
}

/// Whether the word of a secret is in a name of which some letters are lost.
fn is_nearly_secret(name: &str) -> bool {
    // Headers of which no word is a secret's come along: `X-Api-Key` is two words here.
    let letters: Vec<char> = name.chars().filter(|c| c.is_alphanumeric() || is_unseen(*c)).collect();
    PARTS.iter().chain(ENDINGS).chain(LAST_WORDS).filter(|word| word.len() >= 3).any(|word| {
        letters.windows(word.len()).any(|part| {
            let lost = part.iter().filter(|c| is_unseen(**c)).count();
            let same = |(c, letter): (&char, u8)| is_unseen(*c) || c.eq_ignore_ascii_case(&char::from(letter));
            (1..=word.len() / 3).contains(&lost) && part.iter().zip(word.bytes()).all(same)
        })
    })
}

/// Whether the value of a variable, a build argument or a label says nothing of a secret, as far as its name tells.
/// What a support bundle shows of a stack is on this list, and nothing else is.
pub(crate) fn is_harmless(name: &str) -> bool {
    !is_secret(name)
        && (HARMLESS.contains(&name)
            || words(name).last().is_some_and(|last| HARMLESS_LAST_WORDS.contains(&last.as_str())))
}
