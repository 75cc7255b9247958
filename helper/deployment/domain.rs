//! The tunnel's domain, `abcd1234.tunnel.anthropic.com`, and the labels that host names are made of.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A host name label that a route may be called: RFC 1123, lower case, 1 to 63 characters.
///
/// # Errors
/// Says in words which rule `text` breaks.
pub(crate) fn check_label(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty".into());
    }
    if text.len() > 63 {
        return Err(format!("is {} characters long, a DNS label has at most 63", text.len()));
    }
    if let Some(c) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Err(match c {
            'A'..='Z' => "has capital letters; host names are matched in lower case".into(),
            '.' => "has a dot: a wildcard certificate covers one label, not two".into(),
            '_' => "has an underscore, which host names may not have; use `-`".into(),
            _ => format!("has the character {c:?}; only a-z, 0-9 and `-` are allowed"),
        });
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err("starts or ends with `-`".into());
    }
    Ok(())
}

/// The tunnel's domain as the Console shows it under *Connection*: a host name of at least two labels, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Domain(String);

impl Domain {
    /// The longest route label and its dot must still fit into the 253 characters of a host name.
    const LONGEST: usize = 253 - 64;

    /// The only way to get a `Domain`. Capital letters are folded and one trailing dot is dropped, because DNS does the same.
    ///
    /// # Errors
    /// Says what `text` is instead of a domain, and what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let right =
            "the Console shows the tunnel's Domain under Connection; it looks like `abcd1234.tunnel.anthropic.com`";
        let name = text.trim().to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        if name.starts_with("eyj") && name.len() > 60 {
            return Err(format!(
                "this is the tunnel's token, not its domain; {right}. Set the token with `token set`; this one was exposed, so rotate it in the Console first"
            ));
        }
        if let Some(fault) = Self::fault(name) {
            return Err(format!("the domain {fault}; {right}"));
        }
        // Quoted as it was given: a token among it is then recognised and redacted.
        for (label, given) in name.split('.').zip(text.trim().split('.')) {
            check_label(label).map_err(|why| format!("the domain's label `{given}` {why}; {right}"))?;
        }
        Ok(Self(name.to_owned()))
    }

    /// What is wrong with a name as a whole.
    fn fault(name: &str) -> Option<String> {
        let (length, most) = (name.len(), Self::LONGEST);
        let what = match name {
            "" => "is empty",
            _ if name.contains('/') => "is a URL or has a path",
            _ if name.contains(':') => "has a port",
            _ if name.contains('*') => "has a wildcard; the certificate adds one",
            _ if length > most => {
                return Some(format!("is {length} characters long, at most {most} leave room for a route's name"));
            }
            _ if !name.contains('.') => "has no dot",
            _ if name.bytes().all(|b| b.is_ascii_digit() || b == b'.') => "is an IP address",
            _ => return None,
        };
        Some(what.to_owned())
    }

    /// The domain, lower case, without a trailing dot.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it ends like the domains that the Console shows.
    pub(crate) fn is_usual(&self) -> bool {
        self.0.ends_with(".tunnel.anthropic.com")
    }

    /// `abcd1234` of `abcd1234.tunnel.anthropic.com`.
    pub(crate) fn first_label(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
