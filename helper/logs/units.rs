//! Programs of a journal whose names say nothing: whose they are.

use std::collections::BTreeMap;

/// Names that are kept.
const MOST: usize = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct Units {
    /// The journal holds lines of programs that have nothing to do with the stack.
    is_whole_host: bool,
    /// Those that may be the stack's or not, and how many lines each printed.
    left_out: BTreeMap<String, u64>,
}

impl Units {
    /// A program that has nothing to do with the stack printed a line.
    pub(super) fn see_host(&mut self) {
        self.is_whole_host = true;
    }

    /// Whether a program's line is the stack's: in a journal of some units each is, in that of a whole host those of a program
    /// that `serves`.
    pub(super) fn is_of_stack(&mut self, name: &str, serves: bool) -> bool {
        if serves || !self.is_whole_host {
            self.left_out.remove(name);
            return true;
        }
        if self.left_out.len() < MOST || self.left_out.contains_key(name) {
            *self.left_out.entry(name.to_owned()).or_default() += 1;
        }
        false
    }

    /// The programs whose lines were left out.
    pub(super) fn left_out(&self) -> Vec<String> {
        self.left_out.keys().cloned().collect()
    }
}
