//! Programs of a journal whose names say nothing: whose they are.

use std::collections::BTreeSet;

/// Names that are kept.
const MOST: usize = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct Units {
    /// The journal holds lines of programs that have nothing to do with the stack.
    pub(super) is_whole_host: bool,
    /// Those that may be the stack's or not, and whose lines were left out.
    pub(super) left_out: BTreeSet<String>,
}

impl Units {
    /// Whether a program's line is the stack's: in a journal of some units each is, in that of a whole host those of a program
    /// that `serves`.
    pub(super) fn is_of_stack(&mut self, name: &str, serves: bool) -> bool {
        if serves || !self.is_whole_host {
            self.left_out.remove(name);
            return true;
        }
        if self.left_out.len() < MOST {
            self.left_out.insert(name.to_owned());
        }
        false
    }
}
