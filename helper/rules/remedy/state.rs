//! Cases in which the state of the files decides what helps: what a command would refuse, or change for nothing, is not
//! their fix.

use super::super::table::RuleId;
use super::AS_SECRET;
use super::written::Written;

/// What the files say of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State<'a> {
    /// A certificate is to be signed, and the CA's key is not on this host; `then` is the command that would sign.
    NoCaKey { then: &'a str },
    /// A certificate is to be signed, and this directory is a replica.
    OfReplica,
    /// The server's certificate is there, and its key is not.
    NoServerKey,
    /// Something is wrong with a CA that has signed nothing.
    NothingSigned,
    /// A change of the CA is open: what the person does first, and the step of `rotate-ca` behind it.
    RotationOpen { first: &'a str, step: &'a str },
    /// cloudflared is given no token, `.env` has one or not.
    TokenNotGiven { service: &'a str, file: &'a str, has_token: bool },
    /// The compose file has a value in the token's place.
    TokenWritten { service: &'a str, file: &'a str, line: Option<usize>, has_token: bool },
    /// The compose file sets the variable, and cloudflared is given a file with the token as well.
    TokenTwice { service: &'a str, file: &'a str, line: Option<usize>, setting: &'a str },
    /// cloudflared's command does not run the tunnel of its token. `gives` says whether it has that variable.
    NotRun { service: &'a str, file: &'a str, url: &'a str, gives: bool, has_token: bool },
    /// A line of the files is to be another one.
    Written(Written<'a>),
}

/// The person sets the token, where `.env` has none.
fn set_token(has_token: bool) -> &'static str {
    if has_token { "" } else { "; then run `{helper} token set --dir {dir}` in your own terminal" }
}

/// The line, behind the name of its file.
fn at(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

impl State<'_> {
    /// The cause, where it is another than the row's.
    pub(super) fn cause(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoServerKey => "a certificate is of no use without its key",
            Self::TokenNotGiven { has_token: true, .. } => {
                "`.env` has the token, and no setting of the service names it"
            }
            Self::TokenWritten { .. } => "the compose file has a value of its own in the token's place",
            Self::TokenTwice { .. } => "cloudflared takes the variable before the file with the token",
            Self::Written(written) => return written.cause(),
            _ => return None,
        })
    }

    pub(super) fn fix(&self) -> String {
        match self {
            Self::NoCaKey { then } => format!(
                "put the registered CA's key back as data/ca.key, then run `{{helper}} {then} --dir {{dir}}`; if it is kept \
                 on another host, issue the certificate there for the key in data/tls.key, and put it here; if it is lost, \
                 `{{helper}} certs rotate-ca --dir {{dir}} --json '{{\"step\":\"begin\"}}'` changes to a new CA"
            ),
            Self::Written(written) => written.fix(),
            Self::OfReplica => RuleId::ReplicaCannotSign.rule().fix.into(),
            Self::NoServerKey => {
                "restore data/tls.key; if it is lost, move data/tls.crt away, then run `{helper} certs \
                                  issue --dir {dir}`, which needs data/ca.key"
                    .into()
            }
            Self::NothingSigned => "no certificate of this CA is in use: move data/ca.crt and data/ca.key away, run \
                                    `{helper} certs issue --dir {dir}`, and register the new CA in the Console"
                .into(),
            Self::RotationOpen { first, step } => format!(
                "{first}, then run `{{helper}} certs rotate-ca --dir {{dir}} --json '{{\"step\":\"{step}\"}}'`: the change \
                 to a new CA has begun"
            ),
            Self::TokenNotGiven { service, file, has_token } => format!(
                "pass the token to `{service}` in `{file}` as a Compose secret: {AS_SECRET}{}; then run `{{helper}} up --dir \
                 {{dir}}`",
                set_token(*has_token)
            ),
            Self::TokenWritten { service, file, line, has_token } => format!(
                "write TUNNEL_TOKEN without a value in its place in `environment:` of `{service}` in `{file}`{} (`- \
                 TUNNEL_TOKEN`; in a mapping `TUNNEL_TOKEN: ${{TUNNEL_TOKEN}}`), so that it comes from `.env`{}; rotate the \
                 token if the file with it was ever shared; then run `{{helper}} up --dir {{dir}}`",
                at(*line),
                set_token(*has_token)
            ),
            Self::TokenTwice { service, file, line, setting } => format!(
                "remove TUNNEL_TOKEN from `environment:` of `{service}` in `{file}`{}: `{setting}` names the token already; \
                 then run `{{helper}} up --dir {{dir}}`",
                at(*line)
            ),
            Self::NotRun { service, file, url, gives, has_token } => {
                let gives = if *gives {
                    String::new()
                } else {
                    format!(", and pass it the token as a Compose secret: {AS_SECRET}")
                };
                format!(
                    "write `command: tunnel --no-autoupdate run --url {url}` into `{service}` in `{file}`{gives}{}; then run \
                     `{{helper}} up --dir {{dir}}`",
                    set_token(*has_token)
                )
            }
        }
    }
}
