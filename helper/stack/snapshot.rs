//! What was seen of a stack at one moment: plain data, without a secret, that decides nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::answer::{Evidence, Finding, count};
pub(crate) use crate::engine::container::Container;
use crate::logs::Logs;
use crate::probe::observe::Probed;
use crate::probe::wire::Metrics;

/// A container that ended before must run this long before it counts as running.
pub(crate) const SETTLED: Duration = Duration::from_secs(5);

/// Everything that was gathered.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Snapshot {
    /// The engine's clock.
    pub(crate) now: OffsetDateTime,
    /// The containers of the project, or why docker could not list them.
    pub(crate) containers: Result<Vec<Container>, Box<Finding>>,
    /// What their logs add up to, by service.
    #[serde(skip)]
    pub(crate) logs: Logs,
    /// How much of each log was read, by service.
    pub(crate) printed: BTreeMap<String, Printed>,
    /// The last lines of containers that do not run well, by service, the oldest first.
    pub(crate) last_lines: BTreeMap<String, Vec<LastLine>>,
    /// Where a connection to the server of a route was refused, by route.
    pub(crate) refused: BTreeMap<String, IpAddr>,
    /// Containers on the networks that the proxy joins, by network; a text where docker could not tell.
    pub(crate) neighbours: BTreeMap<String, Result<Vec<Container>, String>>,
    /// Images of services that do not run, by service.
    pub(crate) images: BTreeMap<String, Image>,
    /// Operating system and processor of the engine, `linux/amd64`, where images were looked at.
    pub(crate) engine_platform: Option<String>,
    /// What the servers behind the routes answered; `None` where they were not asked.
    #[serde(skip)]
    pub(crate) probed: Option<Probed>,
    /// cloudflared's own numbers, where it gave them.
    #[serde(skip)]
    pub(crate) metrics: Option<Metrics>,
    pub(crate) files: Files,
    /// Logs that could not be read, by service, and why.
    pub(crate) unread: BTreeMap<String, &'static str>,
}

impl Snapshot {
    /// Nothing but the files, and what the logs added up to before.
    pub(crate) fn empty(now: OffsetDateTime, logs: Logs, files: Files) -> Self {
        Self {
            now,
            containers: Ok(Vec::new()),
            logs,
            printed: BTreeMap::new(),
            last_lines: BTreeMap::new(),
            refused: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            images: BTreeMap::new(),
            engine_platform: None,
            probed: None,
            metrics: None,
            files,
            unread: BTreeMap::new(),
        }
    }
}

/// What of the files is compared with what runs.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Files {
    /// Hash of the configuration, as the proxy's label has it.
    pub(crate) config_hash: Option<String>,
    pub(crate) config_written: Option<OffsetDateTime>,
    /// When the server certificate was written.
    pub(crate) certificate_written: Option<OffsetDateTime>,
    /// Fingerprint of the token in `.env`.
    pub(crate) token_fingerprint: Option<String>,
}

/// How much of a log was read.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Printed {
    /// Whether docker could read it.
    pub(crate) readable: bool,
    /// Moment of the first line that was read.
    pub(crate) first: Option<OffsetDateTime>,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

/// A line of a container that does not run well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LastLine {
    /// When the engine received it.
    pub(crate) at: Option<OffsetDateTime>,
    pub(crate) text: String,
}

impl LastLine {
    pub(crate) fn quoted(&self, service: &str) -> Evidence {
        Evidence { at: self.at, ..Evidence::of(service, self.text.as_str()) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Image {
    /// Not on the engine; its reference.
    Absent(String),
    /// Operating system and processor that it is for.
    For(String),
}

impl Container {
    /// How long its present life has lasted.
    pub(crate) fn age(&self, now: OffsetDateTime) -> Duration {
        self.started.and_then(|started| (now - started).try_into().ok()).unwrap_or_default()
    }

    /// Whether it runs, and not only since it was last revived.
    pub(crate) fn is_settled(&self, now: OffsetDateTime) -> bool {
        self.is_running() && (self.restarts == 0 || self.age(now) >= SETTLED)
    }

    /// Whether it is in a crash loop, also in one of the moments in which it runs.
    pub(crate) fn is_looping(&self, now: OffsetDateTime) -> bool {
        self.status == "restarting" || self.is_running() && !self.is_settled(now)
    }

    /// Whether it failed: neither a success nor the signals of an orderly stop.
    pub(crate) fn failed(&self) -> bool {
        self.has_exited() && !matches!(self.exit_code, 0 | 130 | 137 | 143)
    }

    /// How it ended, in words.
    pub(crate) fn ending(&self) -> String {
        let memory = if self.out_of_memory { ", killed because it ran out of memory" } else { "" };
        let error = if self.error.is_empty() { String::new() } else { format!(": {}", self.error) };
        format!("exit code {}{memory}{error}", self.exit_code)
    }

    /// How often it was restarted, in words.
    pub(crate) fn times(&self) -> String {
        match self.restarts {
            1 => "restarted once".to_owned(),
            n => format!("restarted {}", count(n, "time")),
        }
    }

    /// How long the engine waits before it starts it again, at most: 100 ms after its first end, then twice as long each
    /// time, up to a minute. A life of ten seconds or more, which only the engine knows of, puts it back to 100 ms.
    pub(crate) fn back_off(&self) -> Option<Duration> {
        let doubled = 1_u64.checked_shl(self.restarts.checked_sub(1)?.min(10)).unwrap_or(u64::MAX);
        (self.status == "restarting").then(|| Duration::from_millis(doubled * 100).min(Duration::from_secs(60)))
    }

    /// How long until the engine starts it again, at most.
    pub(crate) fn next_start(&self, now: OffsetDateTime) -> Option<Duration> {
        let waited = self.finished.and_then(|finished| (now - finished).try_into().ok()).unwrap_or_default();
        Some(self.back_off()?.saturating_sub(waited))
    }

    pub(crate) fn answers_to(&self, host: &str) -> bool {
        let mut aliases = self.endpoints.iter().flat_map(|endpoint| &endpoint.aliases);
        self.name.eq_ignore_ascii_case(host) || aliases.any(|alias| alias.eq_ignore_ascii_case(host))
    }
}

impl Snapshot {
    /// The containers; none where docker could not list them.
    pub(crate) fn all(&self) -> &[Container] {
        self.containers.as_deref().unwrap_or_default()
    }

    pub(crate) fn container(&self, service: &str) -> Option<&Container> {
        self.all().iter().find(|c| c.service == service)
    }

    /// The last line of a service that says anything.
    pub(crate) fn last_line(&self, service: &str) -> Option<&LastLine> {
        self.last_lines.get(service)?.iter().rev().find(|line| !line.text.trim().is_empty())
    }
}
