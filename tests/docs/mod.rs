//! The generated pages of `docs/` are what the helper says of itself; README is short, and its links lead somewhere.

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

/// Compares the part of a file between two markers, or writes it where `UPDATE` is set.
fn part_is(file: &str, begin: &str, end: &str, part: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{file} has no `{begin}`"));
    let (now, after) = rest.split_once(end).unwrap_or_else(|| panic!("{file} has no `{end}`"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, [before, begin, part, end, after].concat()).unwrap();
        return;
    }
    assert_eq!(now, part, "{file} differs; UPDATE=1 rewrites it");
}

#[test]
fn readme_is_read_in_minutes_and_every_page_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    assert!((8_000..=12_000).contains(&readme.len()), "{} bytes", readme.len());
    for (folder, page) in [("", "README.md"), ("docs", "recovery.md"), ("docs", "scale.md"), ("docs", "security.md")] {
        let text = std::fs::read_to_string(root.join(folder).join(page)).unwrap();
        for target in text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
            let is_elsewhere = target.is_empty() || target.contains("://");
            assert!(is_elsewhere || root.join(folder).join(target).exists(), "{page}: {target}");
        }
    }
}
