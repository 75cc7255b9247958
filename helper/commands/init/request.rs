//! The request of `init`.

use crate::deployment::Domain;

crate::config::settings::request_with_settings! {
    /// The request of `init`.
    InitRequest {
        /// The tunnel's domain as the Console shows it; needed the first time.
        domain: Option<Domain>,
        /// A bundle of `export {"to":"replica"}` from another host; no other setting may be given with it.
        from: Option<String>,
        /// Whole diffs, and what each step is.
        verbose: bool,
        /// Also in a directory that holds another project, a plugin or a checkout.
        into_other_project: bool,
    }
}
