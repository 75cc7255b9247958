//! `apply.sh` and `renew.sh`: POSIX sh. A secret goes from a file of the deployment to kubectl through a pipe, and is
//! never an argument, a variable or a file.

use std::path::Path;

use super::fill::fill;
use super::secrets::TokenSource;
use super::values::{CERT_SECRET, TOKEN_SECRET};
use crate::caller::quote;
use crate::config::stamp::stamp_below;
use crate::deployment::Domain;
use crate::deployment::replica::Pair;

/// Facts that the scripts are made of.
pub(super) struct Scripts<'a> {
    pub(super) domain: &'a Domain,
    /// The deployment directory.
    pub(super) dir: &'a Path,
    pub(super) pair: Pair,
    pub(super) token: TokenSource,
    /// Services that routes need in the namespace.
    pub(super) services: Vec<&'a str>,
    pub(super) has_sample: bool,
    /// Whether both Secrets are in `secrets.yaml`.
    pub(super) has_secrets: bool,
}

/// Makes a Secret of what it is given.
const SECRET: &str = r#"# Both ends of a pipe: what is created here is applied there, and shows nowhere.
secret() {
    kubectl create secret generic "$@" --namespace "$namespace" --dry-run=client -o yaml | kubectl apply -f -
}
"#;

impl Scripts<'_> {
    /// `apply.sh`.
    pub(super) fn apply(&self) -> String {
        let (usage, deployment, token, secrets) = match self.has_secrets {
            true => ("usage: ./apply.sh", "", String::new(), "kubectl apply -f \"$here/secrets.yaml\"".to_owned()),
            false => (
                "usage: ./apply.sh [DEPLOYMENT]    the deployment directory, otherwise the one that this was exported from",
                "deployment=${1:-@DIR@}",
                format!("{}{}\n{SECRET}", self.require_pair(), self.token()),
                self.make_secrets(),
            ),
        };
        let sample = if self.has_sample { "kubectl apply -f \"$here/sample.yaml\"" } else { "" };
        self.fill(
            include_str!("apply.sh"),
            &[
                ("@USAGE@", usage),
                ("@DEPLOYMENT@", deployment),
                ("@TOKEN_SAYS@", self.token_says()),
                ("@TOKEN@", &token),
                ("@SECRETS@", &secrets),
                ("@SAMPLE@", sample),
                ("@SERVICES@", &self.ask_services()),
            ],
        )
    }

    /// `renew.sh`.
    pub(super) fn renew(&self) -> String {
        self.fill(include_str!("renew.sh"), &[("@PAIR@", &self.require_pair())])
    }

    fn fill(&self, template: &str, more: &[(&str, &str)]) -> String {
        // Parts first: they have their own places.
        let text = more.iter().fold(template.to_owned(), |text, (place, value)| fill_line(&text, place, value));
        let word = |text: &str| quote(text.as_ref());
        let text = fill(
            &text,
            &[
                ("@DOMAIN@", self.domain.as_str()),
                ("@DIR@", &quote(self.dir.as_os_str())),
                ("@CRT@", &word(&self.pair.certificate)),
                ("@KEY@", &word(&self.pair.key)),
            ],
        );
        stamp_below("#!/bin/sh\n", "", &text)
    }

    fn token_says(&self) -> &'static str {
        match (self.has_secrets, &self.token) {
            (true, _) => "The token is in secrets.yaml: delete that file when this has worked.",
            (false, TokenSource::Variable(_)) => {
                "The token goes from the deployment's .env to kubectl through a pipe: into no argument, variable or file."
            }
            (false, TokenSource::File(_)) => {
                "The token goes from its file in the deployment to kubectl through a pipe: into no argument or variable."
            }
            (false, TokenSource::Input) => "The token is read from standard input: `pass show tunnel | ./apply.sh`.",
        }
    }

    /// Defines `token`, which prints the token without a newline, and stops where it is missing.
    fn token(&self) -> String {
        let print = match &self.token {
            TokenSource::Variable(name) => format!(
                r#"sed -n "s/^[[:space:]]*\(export[[:space:]]\{{1,\}}\)\{{0,1\}}{name}[[:space:]]*[=:][[:space:]]*[\"']\{{0,1\}}\([A-Za-z0-9+\/=]*\).*/\2/p" "$deployment/.env" |
        tail -n 1 | tr -d '\n'"#
            ),
            TokenSource::File(inside) => format!("tr -d '\\r\\n' <\"$deployment\"/{}", quote(inside.as_ref())),
            TokenSource::Input => {
                return "token() { tr -d '\\r\\n'; }\n[ ! -t 0 ] || fail \"pipe the token into this script\"\n".into();
            }
        };
        format!(
            "# The token, without a newline.\ntoken() {{\n    {print}\n}}\n\
             [ \"$(token | wc -c)\" -ge 40 ] || fail \"$deployment has no token; set it with: mcp-tunnels-helper token set --dir '$deployment'\"\n"
        )
    }

    fn require_pair(&self) -> String {
        "for file in @CRT@ @KEY@; do\n    [ -r \"$deployment/$file\" ] || fail \"cannot read $deployment/$file\"\ndone\n"
            .into()
    }

    fn make_secrets(&self) -> String {
        format!(
            "token | secret {TOKEN_SECRET} --from-file=tunnel-token=/dev/stdin\n\
             secret {CERT_SECRET} --from-file=tls.crt=\"$deployment\"/@CRT@ --from-file=tls.key=\"$deployment\"/@KEY@"
        )
    }

    /// Warns of Services that are not there yet: a route without its server answers no call.
    fn ask_services(&self) -> String {
        if self.services.is_empty() {
            return String::new();
        }
        format!(
            "for service in {}; do\n    kubectl get service \"$service\" --namespace \"$namespace\" >/dev/null 2>&1 ||\n        \
             printf 'warning: there is no Service %s in %s yet; its route fails until there is\\n' \"$service\" \"$namespace\" >&2\ndone",
            self.services.join(" ")
        )
    }
}

/// Fills a place; a line that becomes empty is dropped.
fn fill_line(text: &str, place: &str, value: &str) -> String {
    if value.is_empty() {
        text.replace(&format!("{place}\n"), "")
    } else {
        text.replace(place, value.trim_end_matches('\n'))
    }
}
