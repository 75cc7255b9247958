//! What is to happen to each file, and how an answer shows it: pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use similar::TextDiff;

use super::takeover::Replaced;
use crate::answer::{Finding, Severity, count};
use crate::config::stamp::{Authorship, origin};
use crate::deployment::{Deployment, OPEN_MODE, Upstream};
use crate::os::files::{Action, FileEntry};
use crate::redact::{self, names};
use crate::rules::{self, RuleId};

#[derive(Debug, Default)]
pub(crate) struct Rendered {
    pub(crate) files: Vec<FileEntry>,
    /// Diffs of kept files, and in a dry run of all that would change.
    pub(crate) diffs: Vec<Diff>,
    /// Edits that block the change, images without a digest.
    pub(crate) findings: Vec<Finding>,
    /// The routes that are, or would be, configured.
    pub(crate) routes: BTreeMap<String, String>,
    /// The paths of their MCP endpoints that are, or would be, kept.
    pub(crate) paths: BTreeMap<String, String>,
    /// The Docker networks of others that the proxy joins, or would join.
    pub(crate) networks: Vec<String>,
    /// An edited file blocks the change, so nothing was written.
    pub(crate) blocked: bool,
    /// The stack, written by hand, that this one replaces or would replace.
    pub(crate) replaces: Option<Replaced>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mode {
    /// Write nothing.
    pub(crate) dry_run: bool,
    /// Replace edited files, keeping the old ones aside.
    pub(crate) overwrite: bool,
    /// Whole diffs.
    pub(crate) verbose: bool,
}

/// A unified diff of one file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Diff {
    /// Absolute path.
    pub(crate) path: String,
    /// Unified diff from the present file to the one that would be, or was, written.
    pub(crate) diff: String,
}

/// One file on its way to the disk.
pub(super) struct Planned {
    pub(super) inside: &'static str,
    pub(super) desired: String,
    pub(super) existing: Option<String>,
    /// Whether the request asks for something that the existing file does not say.
    pub(super) wanted: bool,
    /// The person's from the first write on.
    pub(super) theirs: bool,
}

/// What is to happen to a planned file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Create,
    Leave,
    Update,
    KeepAsideAndUpdate,
    Keep,
    Block,
}

impl Planned {
    pub(super) fn fate(&self, mode: Mode) -> Fate {
        let Some(existing) = &self.existing else { return Fate::Create };
        if *existing == self.desired {
            return Fate::Leave;
        }
        match origin(existing) {
            Authorship::Ours => Fate::Update,
            Authorship::Edited | Authorship::Foreign if self.theirs => Fate::Keep,
            Authorship::Edited | Authorship::Foreign if mode.overwrite => Fate::KeepAsideAndUpdate,
            Authorship::Edited | Authorship::Foreign if self.wanted => Fate::Block,
            Authorship::Edited | Authorship::Foreign => Fate::Keep,
        }
    }

    pub(super) fn content_after(&self, mode: Mode) -> &str {
        match self.fate(mode) {
            Fate::Keep | Fate::Block | Fate::Leave => self.existing.as_deref().unwrap_or(&self.desired),
            Fate::Create | Fate::Update | Fate::KeepAsideAndUpdate => &self.desired,
        }
    }
}

/// Longest diff in an answer that did not ask for all of it, in bytes over all files.
const DIFF_BUDGET: usize = 1500;

pub(super) fn describe(deployment: &Deployment, plan: &[Planned], mode: Mode, foreign: bool, rendered: &mut Rendered) {
    let blocked = rendered.blocked;
    let mut budget = DIFF_BUDGET;
    for file in plan {
        let fate = file.fate(mode);
        let action = match fate {
            Fate::Create => Action::Created,
            Fate::Leave => Action::Unchanged,
            Fate::Update | Fate::KeepAsideAndUpdate => Action::Updated,
            Fate::Keep | Fate::Block => Action::Kept,
        };
        let full = deployment.path(file.inside).to_string_lossy().into_owned();
        let shows = match fate {
            Fate::Leave => false,
            Fate::Keep => !file.theirs,
            Fate::Block => true,
            Fate::Create | Fate::Update | Fate::KeepAsideAndUpdate => mode.dry_run || blocked,
        };
        if shows && !(foreign && fate == Fate::Create) {
            let whole = unified(file.inside, file.existing.as_deref().unwrap_or_default(), &file.desired);
            let diff = if mode.verbose { whole } else { cut(&whole, &mut budget) };
            if !diff.is_empty() {
                rendered.diffs.push(Diff { path: full.clone(), diff });
            }
        }
        let edit = match fate {
            Fate::Block => Some((rules::finding(RuleId::EditBlocksChange), "lacks what was asked for")),
            Fate::Keep if !file.theirs => {
                Some((rules::finding(RuleId::EditKept).with_severity(Severity::Note), "stays as it is"))
            }
            Fate::Keep | Fate::Create | Fate::Leave | Fate::Update | Fate::KeepAsideAndUpdate => None,
        };
        // Of a foreign stack it is said once, as a whole.
        if let Some((finding, said)) = edit.filter(|_| !foreign) {
            rendered.findings.push(finding.with(format!("`{}` was edited by hand and {said}", file.inside)));
        }
        if mode.dry_run {
            rendered.files.push(FileEntry::planned(deployment, file.inside, action, OPEN_MODE));
        } else if blocked && file.existing.is_some() {
            rendered.files.push(FileEntry::of(deployment, file.inside, Action::Kept));
        } else if !blocked {
            rendered.files.push(FileEntry::of(deployment, file.inside, action));
        }
    }
}

/// How long the shortest diff is looked for; a longer one says the same.
const DIFF_TIMEOUT: Duration = Duration::from_millis(500);

/// A unified diff, as foreign text: a file may contain anything.
fn unified(name: &str, old: &str, new: &str) -> String {
    let (before, after) = (format!("a/{name}"), format!("b/{name}"));
    let diff = TextDiff::configure().timeout(DIFF_TIMEOUT).diff_lines(old, new);
    let diff = diff.unified_diff().header(&before, &after).to_string();
    let mut lines = redact::Lines::default();
    for (number, line) in diff.lines().enumerate() {
        // Two lines of header, then signs of one byte.
        let (sign, text) = if number < 2 { (line, "") } else { line.split_at_checked(1).unwrap_or((line, "")) };
        lines.push(sign, &names::without_setting(&plain_upstream(text)));
    }
    lines.finish().flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// A line of a settings file whose value is a URL, with what may be shown of it.
fn plain_upstream(line: &str) -> Cow<'_, str> {
    let value = line.split_once(": ").map(|(_, value)| value.trim().trim_matches(['"', '\'']));
    match value.filter(|value| value.contains("//")) {
        Some(value) => Cow::Owned(line.replacen(value, &Upstream::shown(value), 1)),
        None => Cow::Borrowed(line),
    }
}

/// The beginning of a diff, whole lines, within what is left of the budget.
fn cut(diff: &str, budget: &mut usize) -> String {
    let mut out = String::new();
    for line in diff.split_inclusive('\n') {
        if out.len() + line.len() > *budget {
            let left = diff[out.len()..].lines().count();
            out.push_str(&format!("… {}: ask with \"verbose\": true\n", count(left, "more line")));
            *budget = 0;
            return out;
        }
        out.push_str(line);
    }
    *budget -= out.len();
    out
}
