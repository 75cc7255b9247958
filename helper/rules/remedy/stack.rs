//! Fixes of what the compose files say.

use super::Remedy;

impl Remedy<'_> {
    /// The fix, where a case is of the services and networks that the files define.
    pub(super) fn of_stack(&self) -> Option<String> {
        Some(match self {
            Self::Refused { why, file, line } => why.fix(file, *line),
            Self::NoSuchHost { url, agent, place, .. } => {
                format!("write {url} into {place} of `{agent}`; then `{{helper}} up --dir {{dir}}`")
            }
            Self::Apart { agent, proxy, network } => format!(
                "add `{network}` under `networks:` of `{agent}`, as `{proxy}` joins it; then `{{helper}} up --dir {{dir}}`"
            ),
            _ => return None,
        })
    }
}
