//! The lines of a file or a pipe.

use super::input::Sink;
use super::stream::Stream;
use super::{Logs, line};

impl Sink for Logs {
    fn take(&mut self, number: u64, line: &[u8]) {
        self.line(number, line);
    }

    fn pass(&mut self, number: u64, raw: &[u8]) {
        let (name, rest) = line::prefix_bytes(self.margin.off(raw));
        // Calls of one container come in a row.
        let known = self.streams.get(self.passing).is_some_and(|s| s.name.as_bytes() == name);
        if !known {
            let name = String::from_utf8_lossy(name);
            self.passing = self.stream((!name.is_empty()).then_some(&*name));
        }
        let life = &mut self.streams[self.passing].life;
        life.listens();
        life.pass(number, None, rest);
    }

    fn wants_all(&self) -> bool {
        self.routine || self.head.is_some() || self.streams.iter().any(Stream::wants_next)
    }
}
