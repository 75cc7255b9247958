//! What Compose refuses in the files, and what it cannot start from them, as far as that is seen without Compose.

mod names;
mod places;
mod refusal;
mod schema;
mod variables;

use super::found::{Found, View};
use super::token::TokenOrigin;
use crate::deployment::Deployment;

pub(crate) use refusal::Refusal;

/// All of them. What Compose says itself, where it takes the files, is not judged again; a variable that the token comes
/// from has findings of its own.
pub(crate) fn of(found: &Found, deployment: &Deployment, token: &TokenOrigin) -> Vec<Refusal> {
    let mut all = variables::unset(found, token);
    if found.view == View::Files {
        all.extend(schema::faults(found));
        if knows_names(found) {
            all.extend(names::faults(found));
        }
    }
    all.extend(names::inactive(found));
    all.extend(places::absent(found, deployment));
    all
}

/// Whether every file that could declare a name was read.
fn knows_names(found: &Found) -> bool {
    found.main.is_some() && !found.includes_others() && found.files().all(|file| file.value.is_ok())
}
