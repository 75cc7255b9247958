//! Next steps that more than one command gives.

use crate::answer::Next;
use crate::caller::Caller;
use crate::deployment::Deployment;

/// The person sets the token.
pub(crate) fn token_step(caller: &Caller) -> Next {
    Next::person(
        "set the token in a terminal of your own, never in a chat (Console: Connection > Token, eye icon, copy)",
    )
    .running(caller.command(&["token", "set"]))
}

/// The person registers a CA; its fingerprint is in the same answer.
pub(crate) fn register_step(deployment: &Deployment, certificate: &str) -> Next {
    Next::person(format!(
        "register the CA in the Console, on the tunnel's page: Certificates > Add certificate, choose {} or paste it, compare the SHA-256 fingerprint; the tunnel turns Active",
        deployment.path(certificate).display()
    ))
}
