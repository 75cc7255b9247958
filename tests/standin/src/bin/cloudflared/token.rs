//! The token: the tunnel, and in the secret what the edge does.

use crate::command_line::CommandLine;
use mcp_tunnels_standin::{encoding, go_error};
use serde::Deserialize;
use std::fs;
use std::process::exit;

/// What a token holds. It is printed nowhere.
#[derive(Deserialize)]
pub(crate) struct Token {
    #[serde(default, rename = "a")]
    _account: String,
    #[serde(default, rename = "t")]
    pub(crate) tunnel: String,
    #[serde(default, rename = "s")]
    secret: String,
    #[serde(default, rename = "e")]
    pub(crate) endpoint: String,
}

impl Token {
    /// `ParseToken`: standard base64 of JSON, in it a UUID and a secret in base64.
    fn parse(text: &str) -> Option<(Self, String)> {
        let token: Self = serde_json::from_slice(&encoding::base64(text)?).ok()?;
        let secret = encoding::base64(&token.secret)?;
        let groups: Vec<usize> = token.tunnel.split('-').map(str::len).collect();
        let digits = token.tunnel.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        let uuid = token.tunnel.is_empty() || (digits && (groups == [8, 4, 4, 4, 12] || groups == [32]));
        uuid.then(|| (token, String::from_utf8_lossy(&secret).into_owned()))
    }

    pub(crate) fn read(line: &CommandLine) -> (Self, String) {
        let given = line.get("token").map(str::to_owned);
        let text = given.or_else(|| {
            let path = line.get("token-file")?;
            match fs::read_to_string(path) {
                Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
                Err(error) => usage_error(&format!("Failed to read token file: {}", go_error(path, &error))),
            }
        });
        let Some(text) = text else {
            usage_error(
                "\"cloudflared tunnel run\" requires the ID or name of the tunnel to run as the last command line \
                 argument or in the configuration file.",
            )
        };
        Self::parse(&text).unwrap_or_else(|| usage_error("Provided Tunnel token is not valid."))
    }
}

fn usage_error(text: &str) -> ! {
    eprintln!("{text}\nSee 'cloudflared tunnel run --help'.");
    exit(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        // {"a":"x","t":"a8dfb6b4-68cf-4a03-88e7-08ee60111e8c","s":"dHdv"}
        let good = "eyJhIjoieCIsInQiOiJhOGRmYjZiNC02OGNmLTRhMDMtODhlNy0wOGVlNjAxMTFlOGMiLCJzIjoiZEhkdiJ9";
        assert_eq!(Token::parse(good).map(|(_, script)| script).as_deref(), Some("two"));
        for bad in [&good[..40], &good[1..], "PASTE_TUNNEL_TOKEN_HERE", "abcd1234.tunnel.anthropic.com", "eyJhIjoxfQ=="]
        {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }
}
