//! Fixes of what the compose files say.

use super::super::unusable::Unusable;
use super::Remedy;

/// A case of one service of the files.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OfService<'a> {
    /// Its script is not in its container, or cannot be run; `at` is where its command is written.
    Unusable { why: &'a Unusable, service: &'a str, at: &'a str },
    /// Its profile is not active: the value of `COMPOSE_PROFILES` that makes it so.
    Inactive { profiles: &'a str, service: &'a str, file: &'a str },
    /// It keeps sessions in several places: what asks for one, where, and what applies it.
    Sessions { write: &'a str, at: &'a str, then: &'a str },
    /// Docker makes its folder at the start, for the user root.
    DataFolder { source: &'a str, service: &'a str },
    /// Its program does not take what its command says: the right words, and where.
    Command { write: &'a str, at: &'a str },
    /// It keeps its own files in a folder that the proxy can read.
    OwnData { service: &'a str },
}

impl OfService<'_> {
    pub(super) fn cause(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unusable { why, .. } => why.cause(),
            Self::DataFolder { .. } => {
                "Docker creates a folder of data that is missing, owned by root; a program that runs as another user cannot \
                 write to it"
            }
            Self::Command { .. } => "cloudflared does not know a word of its command, prints its usage and ends",
            Self::OwnData { .. } => {
                "the whole folder is mounted into the proxy's container, read-only, which can read what another service \
                 keeps there"
            }
            Self::Inactive { .. } | Self::Sessions { .. } => return None,
        })
    }

    fn fix(&self) -> String {
        match self {
            Self::Unusable { why, service, at } => why.fix(service, at),
            Self::Inactive { profiles, service, file } => format!(
                "write `COMPOSE_PROFILES={profiles}` into `.env`, or remove `profiles:` from `{service}` in `{file}`; then run \
                 `{{helper}} up --dir {{dir}}`"
            ),
            Self::Sessions { write, at, then } => format!(
                "write `{write}` into {at}; or make the server stateless (Python: `stateless_http=True`), if its tools need \
                 nothing from one call to the next: then any number will do; then {then}`{{helper}} up --dir {{dir}}`"
            ),
            Self::DataFolder { source, service } => format!(
                "if `{service}` should find something there, put it into `{source}`; if it keeps its own data there, nothing \
                 needs to be done, or create the folder for the user that it runs as"
            ),
            Self::Command { write, at } => format!("write `{write}` into {at}; then run `{{helper}} up --dir {{dir}}`"),
            Self::OwnData { service } => {
                format!("mount another folder than `data` into `{service}` if the proxy should not be able to read it")
            }
        }
    }
}

impl Remedy<'_> {
    /// The fix, where a case is of the services and networks that the files define.
    pub(super) fn of_stack(&self) -> Option<String> {
        Some(match self {
            Self::Refused { why, file, line } => why.fix(file, *line),
            Self::OfService(case) => case.fix(),
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
