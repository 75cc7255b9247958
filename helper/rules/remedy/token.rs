//! Fixes of a token that does not reach cloudflared.

use super::{AS_SECRET, Remedy};

impl Remedy<'_> {
    /// The fix, where a case is of such a token.
    pub(super) fn of_token(&self) -> Option<String> {
        Some(match self {
            Self::TokenElsewhere { place } => format!(
                "copy the token from the Console (Connection, eye icon) and put it into {place}, where cloudflared gets it \
                 from: one line, no quotes; then `{{helper}} up --dir {{dir}}`"
            ),
            Self::TokenInFileOfVariables { file, line } => format!(
                "move line {line} of `{file}` to `.env`, and pass the token as a Compose secret: {AS_SECRET}; then \
                 `{{helper}} up --dir {{dir}}`"
            ),
            Self::TokenSpoilt { name, service, file } => format!(
                "write the entry in `environment:` of `{service}` in `{file}` as `- TUNNEL_TOKEN=${{{name}}}`, with no \
                 quotes behind the `=` and nothing around it; then `{{helper}} up --dir {{dir}}`"
            ),
            Self::UnsetVariable { name } => format!(
                "write `{name}=` and the token (Console: Connection, eye icon) into `.env` with an editor; or name the \
                 variable TUNNEL_TOKEN in the compose file, then run `{{helper}} token set --dir {{dir}}` in a terminal \
                 of your own"
            ),
            _ => return None,
        })
    }
}
