//! How containers ended by themselves, read before `up` or `restart` restarts them: with a new container its exit code
//! and its log are gone.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Stack;
use super::snapshot::Container;
use crate::answer::{Error, Evidence};
use crate::rules;

/// Reading the end of a log.
const LIMIT: Duration = Duration::from_secs(10);
/// Lines that are read of the end of a life.
const LAST: &str = "40";
/// What a program printed so long before its end may say why.
const BEFORE_END: Duration = Duration::from_secs(60);
/// Lines that are kept.
const KEPT: usize = 3;

/// How a container ended before this command started it again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Ended {
    /// Name of its service.
    pub(crate) service: String,
    /// How often its restart policy restarted it.
    pub(crate) restarts: u32,
    /// Exit code; `null` after a restart by the policy, which discards it.
    pub(crate) exit_code: Option<i64>,
    /// Whether the kernel killed it because memory ran out.
    pub(crate) out_of_memory: bool,
    /// What it printed last in the life that ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub(crate) last_lines: Vec<Evidence>,
    /// Id and start of the container, to tell whether it was started again.
    #[serde(skip)]
    life: (String, Option<OffsetDateTime>),
}

impl Ended {
    /// Whether the container is another one, or was started again.
    pub(super) fn is_past(&self, containers: &[Container]) -> bool {
        let now = containers.iter().find(|c| c.service == self.service);
        now.is_none_or(|now| now.id != self.life.0 || now.started != self.life.1)
    }
}

/// Whether a container ended without a request to stop.
fn has_ended(c: &Container) -> bool {
    c.restarts > 0 || c.status == "restarting" || c.failed() || c.has_exited() && c.out_of_memory
}

impl Stack<'_> {
    pub(super) fn ended(&self, containers: &[Container]) -> Result<Vec<Ended>, Error> {
        let mut all = Vec::new();
        for c in containers.iter().filter(|c| has_ended(c) && self.declared.has(&c.service)) {
            all.push(Ended {
                service: c.service.clone(),
                restarts: c.restarts,
                exit_code: (!c.is_running()).then_some(c.exit_code),
                out_of_memory: c.out_of_memory,
                last_lines: self.last_lines_of(c)?,
                life: (c.id.clone(), c.started),
            });
        }
        Ok(all)
    }

    /// The end of the log of the life that ended.
    fn last_lines_of(&self, c: &Container) -> Result<Vec<Evidence>, Error> {
        let text = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        let (from, to) = match (c.finished, c.started) {
            (Some(finished), Some(started)) => (text(finished - BEFORE_END), text(started)),
            _ => (String::new(), String::new()),
        };
        // The engine takes `--tail` before `--until`.
        let args = if c.is_running() { ["--since", &from, "--until", &to] } else { ["--tail", LAST, "--since", "0"] };
        let mut lines = Vec::new();
        self.docker.logs_in_order(&args, &c.id, LIMIT, |stamp, text| {
            if !text.trim().is_empty() {
                let at = OffsetDateTime::parse(stamp, &Rfc3339).ok();
                lines.push(Evidence { at, ..Evidence::of(&c.service, text) });
                if lines.len() > KEPT {
                    lines.remove(0);
                }
            }
        })?;
        rules::date(&mut lines, OffsetDateTime::now_utc());
        Ok(lines)
    }
}
