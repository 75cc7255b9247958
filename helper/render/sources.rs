//! What is in the directory before a rendering.

use super::takeover::{self, Foreign};
use crate::answer::Error;
use crate::config::compose::Choices;
use crate::config::gateway::{Gateway, GatewayFault};
use crate::config::sample;
use crate::deployment::env_file::EnvFile;
use crate::deployment::{Deployment, path, scaffold};
use crate::model::found::{self, Found};
use crate::model::sources::MAIN_NAMES;
use crate::os::files;

/// Everything that a rendering reads.
pub(super) struct Sources {
    pub(super) found: Found,
    pub(super) env: Option<EnvFile>,
    /// The stack, if it was written by hand.
    pub(super) foreign: Option<Foreign>,
    /// Our own configuration of the proxy.
    pub(super) gateway_text: Option<String>,
    dockerfile: Option<String>,
}

/// Why a configuration of the proxy cannot be carried over.
pub(super) enum Unusable {
    /// Ours: it cannot be read.
    Fault(GatewayFault),
    /// A foreign stack's: what a take-over would lose.
    Lost(String),
}

impl Sources {
    /// # Errors
    /// Reading errors, and `directory` for a link where a file of ours may have to be moved aside.
    pub(super) fn read(deployment: &Deployment, found: Found) -> Result<Self, Error> {
        // What is only read may be a link; what may be moved aside may not.
        for name in MAIN_NAMES {
            files::metadata(deployment, name)?;
            files::read(deployment, name)?;
        }
        let env = scaffold::read_env(deployment)?;
        let is_foreign = found.main.is_some() && !found.is_ours();
        let no_env = EnvFile::new("");
        let foreign = is_foreign.then(|| takeover::read_foreign(deployment, &found, env.as_ref().unwrap_or(&no_env)));
        let gateway_text = files::read_text(deployment, path::GATEWAY)?;
        let dockerfile = files::read_text(deployment, sample::DOCKERFILE)?;
        Ok(Self { found, env, foreign, gateway_text, dockerfile })
    }

    /// Whether the stack was written by hand.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    /// The proxy's configuration: the one that a foreign stack mounts, otherwise ours.
    pub(super) fn gateway(&self) -> Option<Result<Gateway, Unusable>> {
        match self.foreign.as_ref().and_then(|foreign| foreign.gateway.clone()) {
            Some(gateway) => Some(gateway.map_err(Unusable::Lost)),
            None => Some(Gateway::parse(self.gateway_text.as_deref()?).map_err(Unusable::Fault)),
        }
    }

    /// The choices that the compose file holds.
    pub(super) fn choices(&self, gateway: &Gateway) -> Choices {
        let main = self.found.main.as_ref();
        let mut choices = match (&self.foreign, main.map(|file| &file.value)) {
            (Some(foreign), _) => foreign.choices.clone(),
            (None, Some(Ok(value))) => {
                let stack = found::together([value].into_iter(), &EnvFile::new(""));
                takeover::read_choices(&stack, &self.found.services())
            }
            (None, Some(Err(_)) | None) => Choices::default(),
        };
        // The compose file got lost, and the route to the sample says that it was part of it.
        let has_sample_route = gateway.routes.values().any(|url| url == sample::URL);
        if main.is_none() && self.gateway_text.is_some() && has_sample_route {
            choices.sample = self.dockerfile.is_some();
        }
        if let Some(base) = self.dockerfile.as_deref().and_then(sample::base_image) {
            choices.python_image = base.as_str().to_owned();
        }
        choices
    }
}
