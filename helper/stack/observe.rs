//! All input of the live state: docker, logs, connections, files, the clock. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ask::Servers;
use super::declared::{Declared, DeclaredRoute};
use super::snapshot::{Container, Files, Image, LastLine, Printed, SETTLED, Snapshot};
use super::{Stack, reach};
use crate::answer::Error;
use crate::config::yaml;
use crate::deployment::{Deployment, path};
use crate::engine::client::Docker;
use crate::engine::container::{self, Listed};
use crate::engine::errors;
use crate::logs::Logs;
use crate::logs::matcher::Writer;
use crate::logs::stamp::stamped_at;
use crate::model::current::RouteTarget;
use crate::os::{files, process};
use crate::render::labels;

/// Reading the log of one container may take this long: tens of megabytes on a slow disk.
const LOG_LIMIT: Duration = Duration::from_secs(30);
/// A question about an image takes milliseconds.
const IMAGE_LIMIT: Duration = Duration::from_secs(30);
/// Lines of a container that ended again and again: its last lives.
const LAST_LIVES: &str = "2000";
/// Lines of a container that has run for months: what counts is how it is now.
const LATEST: &str = "100000";
/// Lines that say why a container ended.
const LAST_WORDS: &str = "40";

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What tells whether the tunnel is connected: the logs of the proxy and of cloudflared, since their last start.
    Live,
    /// What tells why: all logs, of several lives or since a moment, and the images.
    Full(Option<OffsetDateTime>),
}

/// Whether a look asks the servers behind the routes, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// It does not.
    No,
    /// Where every container has run for a while: then there is nothing to wait for first.
    IfSettled,
    Now,
    /// The same, and a recent answer will do.
    OrReuse,
}

/// Looks at one stack, as often as it is asked to; a log is read once.
pub(crate) struct Observer<'a> {
    stack: &'a Stack<'a>,
    docker: &'a Docker,
    deployment: &'a Deployment,
    declared: &'a Declared,
    depth: Depth,
    logs: Logs,
    read: BTreeMap<String, LogRead>,
    /// Containers, by their life, and ports that a connection was made to: they are not tried again.
    open: BTreeSet<(String, u16)>,
    /// The containers of the last look.
    seen: Vec<Container>,
    has_asked: bool,
}

/// How far the log of one container was read.
#[derive(Debug, Default)]
struct LogRead {
    life: String,
    /// Whether lives before the present one were read, too.
    has_others: bool,
    /// Time stamp of the last line, so that the next look continues there.
    to: Option<String>,
    printed: Printed,
}

impl<'a> Observer<'a> {
    /// # Errors
    /// `internal` when the patterns cannot be prepared.
    pub(crate) fn new(stack: &'a Stack<'a>, depth: Depth) -> Result<Self, Error> {
        let since = match depth {
            Depth::Full(since) => since.map(OffsetDateTime::unix_timestamp),
            Depth::Live => None,
        };
        let logs = Logs::new(since)?;
        let (read, open) = (BTreeMap::new(), BTreeSet::new());
        let Stack { docker, deployment, declared, .. } = stack;
        let (seen, has_asked) = (Vec::new(), false);
        Ok(Self { stack, docker, deployment, declared, depth, logs, read, open, seen, has_asked })
    }

    /// Looks once, and asks the servers meanwhile where it is to.
    ///
    /// # Errors
    /// `io` and `tool` from docker, reading errors of the directory.
    pub(crate) fn observe(&mut self, ask: Ask) -> Result<Snapshot, Error> {
        let (listed, now) = self.list()?;
        let mut snapshot = Snapshot::empty(now, self.logs.clone(), self.files());
        let containers = match listed {
            Ok(containers) => containers,
            Err(finding) => {
                snapshot.containers = Err(Box::new(finding));
                return Ok(snapshot);
            }
        };
        let has_settled = containers.iter().all(|c| c.is_running() && c.age(now) >= SETTLED);
        self.has_asked = match ask {
            Ask::No => false,
            Ask::IfSettled => has_settled,
            Ask::Now | Ask::OrReuse => true,
        };
        let servers = Servers { stack: self.stack, reuse: ask == Ask::OrReuse };
        let has_asked = self.has_asked;
        let (answers, looked) = process::both(
            || has_asked.then(|| servers.ask(&containers)).transpose(),
            || self.look(&containers, &mut snapshot),
        );
        looked?;
        if let Some(answers) = answers? {
            (snapshot.probed, snapshot.metrics) = answers;
        }
        self.seen = containers;
        Ok(snapshot)
    }

    /// All that docker says of the containers.
    fn look(&mut self, containers: &[Container], snapshot: &mut Snapshot) -> Result<(), Error> {
        self.read_logs(containers, snapshot)?;
        self.read_last_lines(containers, snapshot)?;
        snapshot.containers = Ok(containers.to_vec());
        self.try_routes(snapshot)?;
        if let Depth::Full(_) = self.depth {
            self.look_at_images(snapshot)?;
        }
        snapshot.logs = self.logs.clone();
        Ok(())
    }

    /// Whether the last look asked the servers.
    pub(crate) fn has_asked(&self) -> bool {
        self.has_asked
    }

    /// Asks the servers after a look that did not.
    pub(crate) fn probe(&self, snapshot: &mut Snapshot) -> Result<(), Error> {
        (snapshot.probed, snapshot.metrics) = Servers { stack: self.stack, reuse: false }.ask(&self.seen)?;
        Ok(())
    }

    /// The containers, and the engine's time. What was seen when the stack was opened is the first look.
    fn list(&mut self) -> Result<(Listed, OffsetDateTime), Error> {
        let listed = match self.stack.first_look() {
            Some(containers) => Ok(containers),
            None => container::of_project(&self.stack.docker, &self.stack.declared.project)?,
        };
        Ok((listed, OffsetDateTime::now_utc() + self.stack.clock_offset))
    }

    /// The files that are compared with what runs.
    fn files(&self) -> Files {
        // What cannot be read is a finding of the checks, and hides nothing of what runs.
        let token_fingerprint = labels::token_fingerprint(self.deployment).ok().flatten();
        let config_hash = labels::label_values(self.deployment).ok().and_then(|(hash, _)| hash);
        let written = |inside: &str| {
            let meta = files::metadata(self.deployment, inside).ok().flatten()?;
            meta.modified()
        };
        Files {
            config_hash,
            config_written: written(&self.declared.gateway_path),
            certificate_written: written(path::TLS_CRT),
            token_fingerprint,
        }
    }

    fn writer(&self, service: &str) -> Writer {
        match service {
            name if name == self.declared.services.proxy => Writer::Proxy,
            name if name == self.declared.services.cloudflared => Writer::Agent,
            _ => Writer::Server,
        }
    }

    /// Reads what was printed since the last look. When docker hangs on one log, the others are not tried: it would
    /// hang on each.
    fn read_logs(&mut self, containers: &[Container], snapshot: &mut Snapshot) -> Result<(), Error> {
        let mut hangs = false;
        for container in containers {
            let service = container.service.as_str();
            let writer = self.writer(service);
            if self.depth == Depth::Live && writer == Writer::Server {
                continue;
            }
            self.logs.know(service, writer);
            if hangs {
                snapshot.unread.insert(service.to_owned(), "docker did not finish the log before it");
                continue;
            }
            let began = Instant::now();
            let printed = self.read_log(container, container.is_settled(snapshot.now))?;
            if !printed.readable {
                hangs = began.elapsed() >= LOG_LIMIT;
                let why = if hangs { "docker did not finish within 30 seconds" } else { "docker cannot read its log" };
                snapshot.unread.insert(service.to_owned(), why);
            }
            snapshot.printed.insert(service.to_owned(), printed);
        }
        Ok(())
    }

    fn read_log(&mut self, seen: &Container, is_settled: bool) -> Result<Printed, Error> {
        let service = seen.service.clone();
        let mut read = self.read.remove(&seen.id).unwrap_or_default();
        // What an earlier life died of is over once the present one is settled.
        if read.life != seen.life || read.has_others && is_settled {
            read = LogRead { life: seen.life.clone(), ..LogRead::default() };
            self.logs.forget(&service);
        }
        let asked = match self.depth {
            Depth::Full(since) => since.map(|since| since.unix_timestamp().to_string()),
            Depth::Live => None,
        };
        let from = read.to.clone();
        let args: Vec<&str> = match (&from, &asked, &seen.log_since) {
            (Some(to), ..) => vec!["--since", to],
            (None, Some(since), _) => vec!["--since", since],
            (None, None, Some(life)) if is_settled && self.depth != Depth::Live => {
                vec!["--since", life, "--tail", LATEST]
            }
            (None, None, Some(life)) if self.depth == Depth::Live => vec!["--since", life],
            (None, None, None) if self.depth == Depth::Live => vec![],
            (None, None, _) if is_settled => vec!["--tail", LATEST],
            (None, None, _) => {
                read.has_others = true;
                vec!["--tail", LAST_LIVES]
            }
        };
        let (logs, printed, to) = (&mut self.logs, &mut read.printed, &mut read.to);
        let readable = self.docker.logs_in_order(&args, &seen.id, LOG_LIMIT, |stamp, text| {
            // `--since` includes its own moment: what was read before must not count twice.
            if from.as_deref().is_some_and(|from| stamp <= from) {
                return;
            }
            if printed.first.is_none() {
                printed.first = OffsetDateTime::parse(stamp, &Rfc3339).ok();
            }
            if to.as_deref().is_none_or(|to| to < stamp) {
                *to = Some(stamp.to_owned());
            }
            printed.lines += 1;
            printed.bytes += text.len() as u64 + 1;
            logs.entry(&service, stamped_at(stamp), text);
        })?;
        read.printed.readable = readable;
        let printed = read.printed.clone();
        self.read.insert(seen.id.clone(), read);
        Ok(printed)
    }

    /// The last words of what does not run well.
    fn read_last_lines(&self, containers: &[Container], snapshot: &mut Snapshot) -> Result<(), Error> {
        let is_well = |c: &Container| {
            c.status == "created" || c.is_settled(snapshot.now) && matches!(c.health.as_deref(), None | Some("healthy"))
        };
        for container in containers.iter().filter(|c| !is_well(c)) {
            // Docker notes the start a little after the program has begun to print.
            let start = container.started.map(|started| started - Duration::from_millis(300));
            let mut lines = Vec::new();
            self.docker.logs_in_order(&["--tail", LAST_WORDS], &container.id, LOG_LIMIT, |stamp, text| {
                let at = OffsetDateTime::parse(stamp, &Rfc3339).ok();
                if at.zip(start).is_none_or(|(at, start)| at >= start) {
                    lines.push(LastLine { at, text: text.to_owned() });
                }
            })?;
            snapshot.last_lines.insert(container.service.clone(), lines);
        }
        Ok(())
    }

    /// Tries the ports of servers that run on this host, and lists the networks that the proxy joins.
    fn try_routes(&mut self, snapshot: &mut Snapshot) -> Result<(), Error> {
        let declared = self.declared;
        for route in declared.routes() {
            match &route.target {
                Some(RouteTarget::Service(service)) => self.try_port(&route, service, snapshot),
                Some(RouteTarget::Joined(_)) => self.list_neighbours(snapshot)?,
                Some(RouteTarget::Outside(_) | RouteTarget::Unknown(_) | RouteTarget::NoService) | None => {}
            }
        }
        Ok(())
    }

    fn try_port(&mut self, route: &DeclaredRoute<'_>, service: &str, snapshot: &mut Snapshot) {
        let (Some(upstream), Some(proxy)) = (&route.upstream, snapshot.container(&self.declared.services.proxy)) else {
            return;
        };
        let Some(server) = snapshot.container(service).filter(|c| c.is_settled(snapshot.now)) else { return };
        let port = (format!("{} {}", server.id, server.life), upstream.port());
        if self.open.contains(&port) {
            return;
        }
        let refused = server.addresses_shared_with(proxy).find_map(|at| reach::refused(at, upstream.port()));
        match refused {
            Some(address) => {
                snapshot.refused.insert(route.name.to_owned(), address);
            }
            None => {
                self.open.insert(port);
            }
        }
    }

    fn list_neighbours(&self, snapshot: &mut Snapshot) -> Result<(), Error> {
        for network in self.declared.found.external_networks(&self.declared.services.proxy) {
            if snapshot.neighbours.contains_key(&network) {
                continue;
            }
            let listed = container::of_network(self.docker, &network)?;
            snapshot.neighbours.insert(network, listed.map_err(|finding| finding.title));
        }
        Ok(())
    }

    /// The images of services that do not run: a missing one, or one for another processor, may be why.
    fn look_at_images(&self, snapshot: &mut Snapshot) -> Result<(), Error> {
        let found = &self.declared.found;
        let runs = |name: &str| snapshot.container(name).is_some_and(|c| c.is_settled(snapshot.now));
        let mut images = BTreeMap::new();
        for service in found.service_names().into_iter().filter(|name| !runs(name)) {
            let Some(image) = found.service(&service, "image").and_then(yaml::scalar) else { continue };
            if image.contains('$') {
                continue;
            }
            let format = "{{.Os}}/{{.Architecture}}";
            let seen = self.docker.ask(&["image", "inspect", "--format", format, &image], IMAGE_LIMIT)?;
            if seen.success {
                images.insert(service, Image::For(String::from_utf8_lossy(&seen.stdout).trim().to_owned()));
            } else if errors::is_no_such_image(&seen.text()) && found.service(&service, "build").is_none() {
                images.insert(service, Image::Absent(image));
            }
        }
        if images.values().any(|image| matches!(image, Image::For(_))) {
            let platform = ["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"];
            let said = self.docker.ask(&platform, IMAGE_LIMIT)?;
            let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
            snapshot.engine_platform = (!said.is_empty()).then_some(said);
        }
        snapshot.images = images;
        Ok(())
    }
}
