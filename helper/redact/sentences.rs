//! Sentences about a secret: `password: must not be empty`, `Authorization: header missing`.

use super::said::{LONGEST_PART, is_made, is_one_of};
use super::text::head;
use crate::list::list;

/// Words with which a sentence goes on behind the name of a secret and a colon, and which say nothing yet.
const COPULAS: [&str; 15] = list("must is are was were has have had can could should does did this requires");
/// Words that tell what is wrong with a secret.
const WORDS: [&str; 32] = list(
    "not cannot required missing invalid expired disabled enabled empty unset unknown undefined incorrect wrong \
     rejected accepted denied mismatch failed unauthorized forbidden none unsupported executable field changed \
     reset malformed expected unexpected unable revoked",
);
/// Words in front of those, in whole sentences.
const SUBJECTS: [&str; 78] = list(
    "the a an this that its it your no any at least too may might be will only please ensure value header field \
     file files command executable program option argument attribute parameter variable setting string number key \
     keys id session signature bearer token tokens cookie credential credentials password secret user account \
     scheme type format length size minimum maximum limit characters api auth authorization input request client \
     server audience issuer scope claim state can't couldn't isn't doesn't didn't won't",
);
/// What tells the same behind them: `file not found`, `too short`.
const ENDS: [&str; 26] = list(
    "found such provided blank short long large weak small old ignored needed allowed exceeds exceeded set present \
     defined closed unavailable readable parsed loaded supported configured given",
);
/// What a text in quotes says of a secret that was asked for: others may be phrases.
const FAULTS: [&str; 9] = list("required missing invalid expired blank empty malformed incorrect short");
/// What follows a name that is spoken of in the middle of a sentence: `user bob does not exist`.
const VERBS: [&str; 10] = list("is was does did has must cannot could should may");
/// Kinds of authentication, and whether there is any.
const KINDS: [&str; 21] = list(
    "basic bearer digest oauth oauth2 oidc saml ldap mtls jwt token on off optional plain login ntlm gssapi \
     negotiate xoauth2 cram-md5",
);
/// Bytes that are read of what is said.
const LONGEST_SAID: usize = 300;
/// Words that are read of a sentence.
const MOST_WORDS: usize = 24;

/// Whether words say something about a secret: the first of them is one of those, and none has a digit or a sign in it.
pub(super) fn is_sentence(found: &str) -> bool {
    let words = || {
        found.split(' ').take(MOST_WORDS).map(|word| word.trim_end_matches([',', '.', ';', ':', '!', ')', ']', '}']))
    };
    let is_plain = |word: &str| word.len() <= LONGEST_PART && word.bytes().all(|b| b.is_ascii_alphabetic());
    let mut pairs = words().zip(words().skip(1));
    words().all(is_plain)
        && (words().next().is_some_and(is_deciding)
            || pairs.any(|(verb, next)| is_one_of(verb, &VERBS) && is_deciding(next)))
}

/// Whether a word is one with which a sentence about a secret begins.
fn is_deciding(word: &str) -> bool {
    is_one_of(word, &WORDS) || is_one_of(word, &COPULAS)
}

/// Whether a text begins with a sentence about a secret, and no value follows in it: `file not found in $PATH`,
/// `minimum length is 8`.
pub(super) fn is_statement(said: &str) -> bool {
    let words = || {
        head(said, LONGEST_SAID).split_whitespace().map(|word| word.trim_end_matches([',', '.', ';', ':', ')', '!']))
    };
    let is_subject = |word: &str| is_one_of(word, &SUBJECTS) || is_one_of(word, &COPULAS);
    let is_named = |word: &str| word.len() > 1 && word.starts_with(['/', '"', '`']);
    let mut subjects = 0;
    let decides = words().take(8).find(|word| {
        let begins = is_subject(word) || subjects > 0 && is_named(word);
        subjects += usize::from(begins);
        !begins
    });
    let is_number = |word: &str| word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit());
    decides.is_some_and(|word| is_one_of(word, &WORDS) || subjects > 0 && (is_one_of(word, &ENDS) || is_number(word)))
        && !words().take(MOST_WORDS).any(|word| is_made(word, true))
}

/// Whether a text in quotes says what is wrong with a secret: `This field is required.`
pub(super) fn is_fault(found: &str) -> bool {
    let is_word =
        |word: &str| word.len() <= LONGEST_PART && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'\'');
    let mut words = found.split(' ').map(|word| word.trim_end_matches(['.', '!', ',']));
    found.contains(' ')
        && words.clone().take(MOST_WORDS).all(is_word)
        && words.any(|word| is_one_of(word, &FAULTS))
        && is_statement(found)
}

/// Whether a value says how, or whether, a caller is authenticated: `auth=oauth2`, `using password: YES`.
pub(super) fn is_state(name: &str, found: &str, behind: &str, assigned: bool) -> bool {
    let ends = !behind.trim_start_matches(' ').starts_with(char::is_alphanumeric);
    // `auth=0/1` of Postfix counts.
    let is_count = found.len() <= 3 && found.bytes().all(|b| b.is_ascii_digit() || b == b'/');
    name == "auth" && (is_one_of(found, &KINDS) || is_deciding(found) || is_count)
        // Tasks of Rails.
        || name == "credentials" && ["edit", "show"].contains(&found.trim_end_matches('`'))
        || !assigned && ends && is_one_of(found, &["yes", "no"])
}

/// Whether a text consists of many words in small letters: `server message: insufficient_scope: authorization failed`.
pub(super) fn is_spoken(found: &str) -> bool {
    let found = head(found, LONGEST_SAID);
    found.split(' ').count() >= 3 && found.bytes().all(|b| b.is_ascii_lowercase() || b" _:,.'".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::super::gate::evidence;
    use crate::redact::expect::keeps;

    #[test]
    fn a_sentence_about_a_secret_stays() {
        keeps(&[
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
            "exec: \"docker-credential-desktop\": file not found",
            "docker-credential-gcloud: command not found dial tcp 10.0.0.1:9000: refused",
            "Authorization: Bearer header expected",
            "Cookie: header too large",
            "x-api-key: header not found",
            "password: Ensure this value has at least 8 characters",
            "password: can't be blank",
            "ActionController::InvalidAuthenticityToken: Can't verify CSRF token authenticity",
            "Rack::Session::Cookie: no secret option provided",
            "{\"password\":[\"This field may not be blank.\"],\"api_key\":\"Key is required\"}",
            "token = request.headers[\"Authorization\"]",
            "api_key = settings.API_KEY",
            "error: unexpected argument '--token' found",
            "usage: app [-h] --token TOKEN --password <PASSWORD>",
            "disconnect from unknown[10.0.0.1] ehlo=1 auth=0/1 commands=1/2",
        ]);
    }

    #[test]
    fn a_phrase_is_no_sentence_about_itself() {
        for said in [
            "password: the key is under the mat",
            "password: file not found s3cr3t9",
            "token: invalid a1s3cr3t9abc",
            "X-Api-Key: value \"a1s3cr3t9abc\"",
            "secret: not found, fallback a1s3cr3t9abc",
            "password = config.get(\"a1s3cr3t9abc\")",
            "password: too many secrets",
            "password = \"this is my secret\"",
            "password=\"the field of gold\"",
            "secret = config.get(\"s3cr3t9token\")",
            "password: Secret(\"mysecretpassword\")",
            "token = settings.s3cr3t9token",
        ] {
            let shown = evidence(said);
            assert!(shown.contains("[redacted]") && !shown.contains("a1s3cr3t9abc"), "{said}: {shown}");
        }
    }
}
