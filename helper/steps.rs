//! Steps that more than one command gives.

use crate::answer::Next;
use crate::deployment::Deployment;

/// The step in which the person registers the CA, whose fingerprint stands beside it in the answer.
pub(crate) fn register_step(deployment: &Deployment, certificate: &str) -> Next {
    Next::person(format!(
        "in the Console, on the tunnel's page: Certificates > Add certificate, choose {} or paste it; compare the SHA-256 fingerprint; the tunnel turns Active",
        deployment.path(certificate).display()
    ))
}
