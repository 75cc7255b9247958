//! The generated pages of `docs/` are what the helper says of itself.

mod commands;
mod first_run;
mod reference;
mod troubleshooting;

use std::path::Path;

/// Compares a generated page with the file in `docs/`, or writes it where `UPDATE` is set.
fn page_is(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    let now = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(now.lines()).find(|(new, old)| new != old);
    assert!(now == page, "docs/{name} differs; UPDATE=1 rewrites it. First at: {differs:#?}");
}
