//! What a container's log says of its present life: state, not occurrences.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::answer::{Error, Finding};
use crate::engine::client::Docker;
use crate::engine::container::Container;
use crate::logs::cloudflared::Case;
use crate::logs::fault::Fault;
use crate::logs::line::{Line, stamped_at};
use crate::logs::matcher::{Matcher, Writer};
use crate::logs::stream::Stream;
use crate::rules::RuleId;

/// Reading the log of one container may take this long: tens of megabytes on a slow disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// The state that the lines of one life add up to.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    /// Which life this is.
    life: String,
    /// Time of the last line read, so that the next look goes on there.
    read_to: Option<String>,
    first: Option<OffsetDateTime>,
    readable: bool,
    lines: u64,
    stream: Stream,
}

impl Journal {
    /// Nothing read yet of what one of our programs prints.
    pub(crate) fn new(writer: Writer) -> Self {
        Self::of_life(writer, "")
    }

    fn of_life(writer: Writer, life: &str) -> Self {
        let stream = Stream::of(writer);
        Self { life: life.to_owned(), read_to: None, first: None, readable: false, lines: 0, stream }
    }

    /// Reads what was printed since the last look, or from the beginning of the container's present life.
    ///
    /// # Errors
    /// `io` when docker cannot be started.
    pub(crate) fn read(
        &mut self,
        docker: &Docker,
        container: &Container,
        writer: Writer,
        matcher: &'static Matcher,
    ) -> Result<(), Error> {
        if self.life != container.life() {
            *self = Self::of_life(writer, container.life());
        }
        let since = self.read_to.clone().or_else(|| container.log_since().map(str::to_owned));
        let args: Vec<&str> = since.iter().flat_map(|since| ["--since", since.as_str()]).collect();
        let from = self.read_to.clone();
        self.readable = docker.logs_in_order(&args, &container.id, PATIENCE, |stamp, text| {
            // `--since` includes its own moment: what was read before must not count twice.
            if from.as_deref().is_none_or(|from| stamp > from) {
                self.take(stamp, text, matcher);
            }
        })?;
        Ok(())
    }

    fn take(&mut self, stamp: &str, text: &str, matcher: &'static Matcher) {
        if self.first.is_none() {
            self.first = OffsetDateTime::parse(stamp, &Rfc3339).ok();
        }
        if self.read_to.as_deref().is_none_or(|read| read < stamp) {
            self.read_to = Some(stamp.to_owned());
        }
        self.lines += 1;
        let line = Line::of(None, stamped_at(stamp), text);
        self.stream.take(self.lines, &line, &matcher.read(line.text));
    }

    /// How many distinct connections are registered now.
    pub(crate) fn registered(&self) -> u32 {
        self.stream.agent.up()
    }

    /// How many connections there should be.
    pub(crate) fn wanted(&self, container: &Container) -> u32 {
        let asked = container.flag("--ha-connections").or_else(|| container.variable("TUNNEL_HA_CONNECTIONS"));
        self.stream.agent.wanted_of(asked.and_then(|n| n.parse().ok()))
    }

    /// How the connections are made, `quic` or `http2`.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.stream.agent.protocol()
    }

    /// Whether a line that is missing was really not printed: the log can be read, reaches back to the start of this
    /// life, and nothing was rotated away.
    pub(crate) fn is_whole(&self, container: &Container, now: OffsetDateTime) -> bool {
        if !self.readable {
            return false;
        }
        if self.stream.agent.has_started() {
            return true;
        }
        // A log that holds next to nothing may have lost the very first lines within the first second.
        if container.log_capacity().is_some_and(|bytes| bytes < 256 << 10) {
            return false;
        }
        match (self.first, container.started()) {
            (Some(first), Some(started)) => first <= started + Duration::from_secs(2),
            // Nothing printed yet proves something only while it is still early.
            (None, Some(_)) => container.age(now) < Duration::from_secs(60),
            (_, None) => false,
        }
    }

    /// Whether the proxy said that it took up a route. All of them are, once there are as many lines as routes: the
    /// format of the line is not documented, so the name may not be found in it.
    pub(crate) fn has_route(&self, name: &str, of: usize) -> bool {
        let routes = &self.stream.routes;
        routes.len() >= of || routes.iter().any(|said| said == name || has_value(said, name))
    }

    /// What is broken for good, with the line that says so.
    pub(crate) fn proof(&self) -> Option<(RuleId, &str)> {
        self.stream.proof().and_then(|fault| Some((fault.rule?, fault.text.as_str())))
    }

    /// Why cloudflared has no connection, or fewer than it wants, as far as its log tells.
    pub(crate) fn judge(&self) -> Vec<Finding> {
        let quote = |fault: &Fault| fault.text.as_str().into();
        let case = Case { faults: &self.stream.faults, last: self.stream.last, with_proxy: true, quote: &quote };
        self.stream.agent.judge(&case)
    }

    /// The last line that complains.
    pub(crate) fn complaint(&self) -> Option<&str> {
        self.stream.agent.complaint()
    }
}

/// Whether a word stands in a line, and not as the name of a field (`name=`, `"name":`).
fn has_value(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(is_label)
            && !after.starts_with(is_label)
            && !after.starts_with('=')
            && !after.trim_start_matches('"').starts_with(':')
    })
}

fn is_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// The last lines of a container's present, or last, life, the oldest first.
///
/// # Errors
/// `io` when docker cannot be started.
pub(crate) fn last_lines(docker: &Docker, container: &Container) -> Result<Vec<String>, Error> {
    // Docker notes the start a little after the program has begun to print.
    let start = container.started().map(|started| started - Duration::from_millis(300));
    let mut lines = Vec::new();
    docker.logs_in_order(&["--tail", "40"], &container.id, PATIENCE, |stamp, text| {
        let of_this_life = match (OffsetDateTime::parse(stamp, &Rfc3339), start) {
            (Ok(at), Some(start)) => at >= start,
            _ => true,
        };
        if of_this_life {
            lines.push(text.to_owned());
        }
    })?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_found_by_name_or_by_number() {
        let matcher = Matcher::shared().unwrap();
        let said = [
            r#"{"msg":"route configured","subdomain":"echo","upstream":"http://hello-mcp:9000"}"#,
            r#"route configured "echo" -> http://hello-mcp:9000"#,
        ];
        for text in said {
            let mut journal = Journal::new(Writer::Proxy);
            journal.take("2026-11-22T20:45:19.1Z", text, matcher);
            assert!(journal.has_route("echo", 2), "{text}");
            assert!(!journal.has_route("ech", 2), "{text}");
            assert!(!journal.has_route("other", 2), "{text}");
            assert!(!journal.has_route("upstream", 2), "{text}");
            assert!(journal.has_route("other", 1), "{text}");
        }
    }
}
