//! The tunnel's token: parsed as cloudflared parses it, and never shown.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Domain;
use crate::redact;

/// The value in `.env` until the token is set.
pub(crate) const PLACEHOLDER: &str = "PASTE_TUNNEL_TOKEN_HERE";

/// A token that cloudflared would accept as one. Whether the edge does, only the edge can say.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    text: String,
    tunnel_id: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a pasted text is instead of a token. No variant holds any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// Nothing but blanks.
    #[error("the input is empty")]
    Empty,
    /// The placeholder itself.
    #[error("this is the placeholder, not the token")]
    Placeholder,
    /// The words of a guide for the place of a token.
    #[error("this is the text that a guide has in place of the token")]
    StandIn,
    /// Several lines, each of which may be a part of it.
    #[error("the token contains a line break; it was copied from wrapped text")]
    LineBreak,
    /// Quotes around it, which cloudflared takes for a part of it.
    #[error("the token is in quotes")]
    Quotes,
    /// A line of a settings file.
    #[error("this is a whole line, `NAME=value`; the token is only the part after the `=`")]
    Assignment,
    /// Pasted twice.
    #[error("the token was pasted twice")]
    Doubled,
    /// Invisible characters: a zero-width space, a byte order mark.
    #[error(
        "the value contains an invisible character (a zero-width space or a byte order mark), pasted together with the token"
    )]
    Invisible,
    /// A blank in the middle.
    #[error("the text contains a space; more than the token was copied")]
    Blank,
    /// A variable that was not replaced by its value.
    #[error("this is the name of a variable, not its value")]
    Variable,
    /// The domain.
    #[error("this is the tunnel's domain, not its token")]
    Domain,
    /// The tunnel's id.
    #[error("this is the tunnel's ID, not its token")]
    Uuid,
    /// Begins like a token and stops early.
    #[error("the token is truncated: its end is missing")]
    Truncated,
    /// Ends like a token; the beginning is missing.
    #[error("this does not start like a token (`eyJ`): the beginning is missing, or it is something else")]
    NotAToken,
    /// The URL-safe alphabet.
    #[error(
        "this is another kind of token (a JWT, an API key): it contains `-` or `_`, which a tunnel token never does"
    )]
    OtherToken,
    /// Base64 of JSON without what a tunnel token holds.
    #[error("this is not a tunnel token: the account, the tunnel's ID or the secret is missing")]
    Incomplete,
}

impl Malformed {
    /// What to do about it, in words.
    pub(crate) fn fix() -> &'static str {
        "copy the token again from the Console (the tunnel's Connection section: eye icon, then copy): one line, no quotes, it begins with `eyJ`"
    }
}

/// The token's JSON, with the names that cloudflared gives its fields.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    a: String,
    #[serde(default)]
    t: String,
    #[serde(default)]
    s: String,
}

impl Token {
    /// The only way to get a `Token`. Blanks around it are dropped, as cloudflared drops them.
    ///
    /// # Errors
    /// Says what it is instead.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'));
        let parsed = Self::read(text);
        match parsed {
            // Known to be no secret, and wanted in answers.
            Err(Malformed::Empty | Malformed::Placeholder | Malformed::Domain | Malformed::Uuid) => {}
            // Whatever else it is, it was meant to be a token.
            _ => text.split_whitespace().for_each(|part| redact::guard(part.trim_matches(['"', '\'']))),
        }
        parsed
    }

    /// Whether a text contains a tunnel token. Other tokens and passwords do not count.
    pub(crate) fn is_within(text: &str) -> bool {
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        text.match_indices("eyJ").any(|(at, _)| {
            let run = &text[at..];
            let run = &run[..run.find(|c| !is_base64(c)).unwrap_or(run.len())];
            Self::read(run).is_ok()
        })
    }

    fn read(text: &str) -> Result<Self, Malformed> {
        match mistaken(text) {
            Some(fault) => Err(fault),
            None => Self::decode(text),
        }
    }

    fn decode(text: &str) -> Result<Self, Malformed> {
        let json = match STANDARD.decode(text) {
            Ok(json) => json,
            Err(_) if text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')) => {
                return Err(Malformed::Truncated);
            }
            Err(_) => return Err(Malformed::NotAToken),
        };
        let fields: Fields = match serde_json::from_slice(&json) {
            Ok(fields) => fields,
            Err(e) if e.is_eof() => return Err(Malformed::Truncated),
            Err(_) => return Err(Malformed::Incomplete),
        };
        let secret = STANDARD.decode(&fields.s).or_else(|_| STANDARD_NO_PAD.decode(&fields.s));
        if fields.a.is_empty() || !is_uuid(&fields.t) || !secret.is_ok_and(|s| !s.is_empty()) {
            return Err(Malformed::Incomplete);
        }
        redact::guard(&fields.s);
        Ok(Self { text: text.to_owned(), tunnel_id: fields.t.to_ascii_lowercase() })
    }

    /// The token itself. Only for `.env`.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    /// The tunnel that it belongs to; not a secret.
    pub(crate) fn tunnel_id(&self) -> &str {
        &self.tunnel_id
    }

    /// First twelve hex digits of its SHA-256: enough to tell two tokens apart, useless to find one.
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint(&self.text)
    }
}

/// First twelve hex digits of the SHA-256 of a token's text.
pub(crate) fn fingerprint(text: &str) -> String {
    crate::hash::sha256_hex(text.as_bytes())[..12].to_owned()
}

/// What a text is that cannot be a token, by its letters alone.
fn mistaken(text: &str) -> Option<Malformed> {
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let is_assignment = |(name, value): (&str, &str)| {
        value.starts_with("eyJ") && !name.starts_with("eyJ") && !name.is_empty() && is_name(name)
    };
    let begins = text.starts_with("eyJ");
    let half = text.len() / 2;
    Some(match text {
        "" => Malformed::Empty,
        _ if text.trim_matches(['"', '\'']) == PLACEHOLDER => Malformed::Placeholder,
        _ if is_stand_in(text) => Malformed::StandIn,
        _ if text.contains(is_invisible) => Malformed::Invisible,
        _ if text.contains(['\n', '\r']) => Malformed::LineBreak,
        _ if text.contains(['"', '\'', '`', '“', '”', '‘', '’']) => Malformed::Quotes,
        _ if text.contains(char::is_whitespace) => Malformed::Blank,
        _ if text.split_once(['=', ':']).is_some_and(is_assignment) => Malformed::Assignment,
        _ if begins && text.is_ascii() && text[..half] == text[half..] => Malformed::Doubled,
        _ if is_uuid(text) => Malformed::Uuid,
        _ if !begins && text.contains('.') && Domain::parse(text).is_ok() => Malformed::Domain,
        _ if text.contains("://") && !text.contains("eyJ") => Malformed::Domain,
        _ if text.starts_with('$') && is_name(text.trim_matches(['$', '{', '}'])) => Malformed::Variable,
        _ if (begins || text.len() >= 16 && text.contains(|c: char| c.is_ascii_digit()))
            && text.contains(['-', '_', '.']) =>
        {
            Malformed::OtherToken
        }
        _ if !begins => Malformed::NotAToken,
        _ => return None,
    })
}

/// Whether a text is the words of a guide for the place of a token, `<your-token>`.
fn is_stand_in(text: &str) -> bool {
    let words = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    words.is_some_and(|words| words.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-' | b'_')))
}

/// Whether a character is invisible.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// The state of the token in `.env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenState {
    /// A well-formed token.
    Set(Token),
    Placeholder,
    /// Nothing, or an empty value.
    Missing,
    /// Something else.
    Malformed(Malformed),
}

impl From<Malformed> for TokenState {
    fn from(fault: Malformed) -> Self {
        match fault {
            Malformed::Empty => Self::Missing,
            Malformed::Placeholder => Self::Placeholder,
            other => Self::Malformed(other),
        }
    }
}

impl TokenState {
    /// Judges the value of `TUNNEL_TOKEN` as cloudflared gets it. What [`Token::parse`] drops from a paste is in its way.
    pub(crate) fn of(value: Option<&str>) -> Self {
        match value.map(Token::parse) {
            Some(Ok(_)) if value.is_some_and(|text| text.contains(is_invisible)) => {
                Self::Malformed(Malformed::Invisible)
            }
            None => Self::Missing,
            Some(Ok(token)) => Self::Set(token),
            Some(Err(fault)) => Self::from(fault),
        }
    }

    pub(crate) fn name(&self) -> TokenStateName {
        match self {
            Self::Set(_) => TokenStateName::Set,
            Self::Placeholder => TokenStateName::Placeholder,
            Self::Missing => TokenStateName::Missing,
            Self::Malformed(_) => TokenStateName::Malformed,
        }
    }
}

/// The state of the token, without the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenStateName {
    /// A well-formed token.
    Set,
    /// The placeholder.
    Placeholder,
    /// Nothing, or an empty value.
    Missing,
    /// Something else.
    Malformed,
    /// `.env` cannot be read.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(json: &str) -> String {
        STANDARD.encode(json)
    }

    fn good() -> String {
        token(r#"{"a":"1f2e3d","t":"a8dfb6b4-68cf-4a03-88e7-08ee60111e8c","s":"c2VjcmV0LXNlY3JldC1zZWNyZXQ="}"#)
    }

    #[test]
    fn a_token_is_what_cloudflared_takes_for_one() {
        let parsed = Token::parse(&format!("  {}\n", good())).unwrap();
        assert_eq!(parsed.tunnel_id(), "a8dfb6b4-68cf-4a03-88e7-08ee60111e8c");
        assert_eq!(parsed.fingerprint().len(), 12);
        assert_eq!(format!("{parsed:?}"), "Token(…)");
    }

    #[test]
    fn what_it_is_instead_is_told() {
        let good = good();
        for (text, what) in [
            ("  \n", Malformed::Empty),
            (PLACEHOLDER, Malformed::Placeholder),
            ("\"PASTE_TUNNEL_TOKEN_HERE\"", Malformed::Placeholder),
            (&format!("\"{good}\""), Malformed::Quotes),
            (&format!("{}\n{}", &good[..40], &good[40..]), Malformed::LineBreak),
            (&format!("token: {good}"), Malformed::Blank),
            (&format!("TUNNEL_TOKEN={good}"), Malformed::Assignment),
            (&format!("{good}{good}"), Malformed::Doubled),
            ("abcd1234.tunnel.anthropic.com", Malformed::Domain),
            ("https://abcd1234.tunnel.anthropic.com", Malformed::Domain),
            ("a8dfb6b4-68cf-4a03-88e7-08ee60111e8c", Malformed::Uuid),
            (&good[..good.len() - 4], Malformed::Truncated),
            (&good[..good.len() - 7], Malformed::Truncated),
            (&good[10..], Malformed::NotAToken),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln", Malformed::OtherToken),
            ("sk-ant-api03-x_y", Malformed::OtherToken),
            ("not-a-token", Malformed::NotAToken),
            ("<your-tunnel-token>", Malformed::StandIn),
            ("$$TUNNEL_TOKEN", Malformed::Variable),
            ("${TUNNEL_TOKEN}", Malformed::Variable),
            (&good.replacen("eyJ", "eyJ\u{200b}", 1), Malformed::Invisible),
            (&token(r#"{"a":"x","t":"not-a-uuid","s":"c2VjcmV0"}"#), Malformed::Incomplete),
            (&token(r#"{"a":"x","t":"a8dfb6b4-68cf-4a03-88e7-08ee60111e8c"}"#), Malformed::Incomplete),
            (&token(r#"{"a":1}"#), Malformed::Incomplete),
        ] {
            assert_eq!(Token::parse(text), Err(what), "{text}");
        }
    }

    #[test]
    fn only_a_tunnels_token_is_found_within_a_text() {
        assert!(Token::is_within(&format!("# {}\nservices: {{}}", good())));
        assert!(Token::is_within(&format!("TUNNEL_TOKEN={}", good())));
        assert!(!Token::is_within(
            "jwt: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln\npassword: hunter2-hunter2"
        ));
        assert!(!Token::is_within(&token(r#"{"a":"x"}"#)));
    }

    #[test]
    fn every_cut_of_a_token_is_refused() {
        let good = good();
        for end in 4..good.len() - 1 {
            let cut = Token::parse(&good[..end]);
            assert!(matches!(cut, Err(Malformed::Truncated)), "{end}: {cut:?}");
        }
    }
}
