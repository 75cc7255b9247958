//! The lines of a file or a pipe.

use super::input::Sink;
use super::stream::Stream;
use super::{Logs, line};

impl Logs {
    /// The moment of the last line with a time stamp, those of calls that passed included: their stamps are read here only.
    pub(super) fn last_moment(&self) -> Option<i64> {
        self.streams.iter().map(|stream| stream.life.last_moment()).fold(self.last, Ord::max)
    }
}

impl Sink for Logs {
    fn take(&mut self, number: u64, line: &[u8]) {
        self.line(number, line);
    }

    fn pass(&mut self, number: u64, raw: &[u8]) {
        let line = self.margin.off(raw);
        let known = self.streams.iter().position(|s| s.front.ends_with(b" ") && line.starts_with(&s.front));
        let at = known.unwrap_or_else(|| {
            let (name, front) = line::front_of(line);
            let at = self.stream(name);
            self.streams[at].front = front.to_vec();
            at
        });
        let stream = &mut self.streams[at];
        stream.life.listens();
        stream.life.pass(number, None, &line[stream.front.len()..]);
    }

    fn wants_all(&self) -> bool {
        self.routine || self.head.is_some() || self.streams.iter().any(Stream::wants_next)
    }
}
