//! `certs issue`, `certs check`, `certs renew`, `certs rotate-ca`. None of them needs Docker.

pub(crate) mod check;
pub(crate) mod issue;
pub(crate) mod renew;
pub(crate) mod rotate_ca;
mod schedule;

use crate::answer::{Error, Next};
use crate::caller::Caller;
use crate::certs::Purpose;
use crate::deployment::{Deployment, Domain};
use crate::model::current;

/// What the certificates of a deployment have to serve.
struct Target<'a> {
    domain: Domain,
    routes: Vec<String>,
    caller: &'a Caller,
}

impl<'a> Target<'a> {
    /// Reads domain and routes.
    ///
    /// # Errors
    /// `directory` if the directory does not say which tunnel it is for; reading errors.
    fn of(deployment: &Deployment, caller: &'a Caller) -> Result<Self, Error> {
        let domain = current::require_domain(deployment)?;
        let routes = current::route_labels(deployment, &domain);
        Ok(Self { domain, routes, caller })
    }

    fn purpose(&self) -> Purpose<'_> {
        Purpose { domain: &self.domain, routes: &self.routes, now: self.caller.now }
    }
}

/// The step to a CA that lives longer.
fn new_ca(caller: &Caller) -> Next {
    Next::helper(
        "rotate the CA: create a new one beside the current one; no call is lost",
        caller.command(&["certs", "rotate-ca", "--json", "{\"step\":\"begin\"}"]),
    )
}
