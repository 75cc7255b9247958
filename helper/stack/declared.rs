//! What the deployment's files say should run.

use std::ops::Deref;

use crate::answer::Error;
use crate::deployment::Upstream;
use crate::model::current::{Current, RouteTarget, target};

/// The files, read once.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) project: String,
    /// What the directory says.
    pub(crate) current: Current,
}

impl Deref for Declared {
    type Target = Current;

    fn deref(&self) -> &Current {
        &self.current
    }
}

/// A route, and where it leads.
#[derive(Debug)]
pub(crate) struct DeclaredRoute<'a> {
    /// Its key in `routes`.
    pub(crate) name: &'a str,
    /// Its value, as written.
    pub(crate) text: &'a str,
    /// The value, unless the proxy would refuse it.
    pub(crate) upstream: Option<Upstream>,
    /// Where it leads, as far as the files tell.
    pub(crate) target: Option<RouteTarget>,
}

impl Declared {
    pub(crate) fn routes(&self) -> Vec<DeclaredRoute<'_>> {
        let routes = self.gateway.good().into_iter().flat_map(|gateway| &gateway.routes);
        routes
            .map(|(name, text)| {
                let upstream = Upstream::parse(text).ok();
                let target = upstream.as_ref().map(|upstream| target(upstream, &self.found, &self.services.proxy));
                DeclaredRoute { name, text, upstream, target }
            })
            .collect()
    }

    /// Whether a service is in the files, or may be in one that they include.
    pub(crate) fn has(&self, service: &str) -> bool {
        self.found.includes_others() || self.found.service_names().contains(service)
    }

    /// Requires that every service of a request [is there](Self::has).
    ///
    /// # Errors
    /// `request` for one that is not.
    pub(crate) fn require<'a>(&self, mut services: impl Iterator<Item = &'a String>) -> Result<(), Error> {
        let Some(unknown) = services.find(|name| !self.has(name)) else { return Ok(()) };
        Err(Error::request(
            format!("`services` names `{unknown}`, which is not a service of this deployment"),
            format!("its services are {}", Vec::from_iter(self.found.service_names()).join(", ")),
        ))
    }
}

/// Id under which a route is skipped.
pub(super) fn route_id(name: &str) -> String {
    format!("upstream:{name}")
}
