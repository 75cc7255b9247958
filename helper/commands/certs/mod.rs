//! `certs issue`, `certs check`, `certs renew`, `certs rotate-ca`. None of them needs Docker.

pub(crate) mod check;
pub(crate) mod issue;
pub(crate) mod renew;
pub(crate) mod rotate_ca;
mod schedule;

use crate::answer::Error;
use crate::caller::Caller;
use crate::certs::Purpose;
use crate::deployment::{Deployment, Domain};
use crate::model::current::Current;

struct Served<'a> {
    domain: Domain,
    routes: Vec<String>,
    caller: &'a Caller,
}

impl<'a> Served<'a> {
    /// Domain and routes, as the directory says.
    ///
    /// # Errors
    /// `directory` if it does not say which tunnel it is for.
    fn of(current: &Current, deployment: &Deployment, caller: &'a Caller) -> Result<Self, Error> {
        let domain = current.require_domain(deployment)?;
        let routes = current.labels(&domain);
        Ok(Self { domain, routes, caller })
    }

    fn purpose(&self) -> Purpose<'_> {
        Purpose { domain: &self.domain, routes: &self.routes, now: self.caller.now }
    }
}
