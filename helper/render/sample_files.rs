//! What is to happen to the files of the sample server: they go together, and a person's `server.py` decides for which
//! version of the MCP SDK.

use super::plan::{Fate, Mode, Planned};
use crate::answer::{Error, Finding};
use crate::config::images::ImageRef;
use crate::config::sample::{self, DOCKERFILE, SERVER};
use crate::config::stamp::{Authorship, origin, restamp};
use crate::deployment::Deployment;
use crate::os::files;
use crate::rules::{self, RuleId, Subject};

/// The sample's files, and what there is to say about them. `rebase`: the base image is to change.
pub(super) fn plan(
    deployment: &Deployment,
    python: &ImageRef,
    rebase: bool,
    mode: Mode,
) -> Result<(Vec<Planned>, Option<Finding>), Error> {
    let mut plan = Vec::new();
    for (inside, desired) in sample::files(python) {
        let existing = files::read_text(deployment, inside)?;
        let wanted = rebase && inside == DOCKERFILE;
        plan.push(Planned { inside, desired, existing, wanted, theirs: inside == SERVER });
    }
    let kept = |file: &&Planned| matches!(file.fate(mode), Fate::Keep | Fate::Block);
    let sdk = |file: &Planned| file.existing.as_deref().and_then(|text| sample::sdk_of(file.inside, text));
    let Some(older) = plan.iter().filter(kept).find(|file| sdk(file) == Some(1)).map(|file| file.inside) else {
        return Ok((plan, None));
    };
    // Also with `overwrite`: what a person's server needs is theirs, too.
    for file in &mut plan {
        let Some(existing) = &file.existing else { continue };
        match origin(existing) {
            Authorship::Ours if file.wanted => file.desired = restamp(&sample::with_base(existing, python)),
            Authorship::Ours => file.desired.clone_from(existing),
            Authorship::Edited | Authorship::Foreign if file.wanted => {
                file.desired = sample::with_base(existing, python)
            }
            Authorship::Edited | Authorship::Foreign => file.theirs = true,
        }
    }
    Ok((plan, Some(rules::finding(RuleId::SampleOfMcp1).about(Subject::file(older)))))
}
