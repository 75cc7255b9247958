//! The traceback of a Python program, line by line.

/// Lines of a traceback.
const MOST: u32 = 200;

/// One that is being printed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traceback {
    /// Lines that may still come; 0 where none is being printed.
    left: u32,
    /// Its first frame was seen.
    pub(super) framed: bool,
    /// The first frame is a module's: no code of the program was there to catch the exception, so
    /// that the program ends of it.
    pub(super) uncaught: bool,
    /// The program said before what failed.
    pub(super) reported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A frame, or a word between two tracebacks.
    Inside,
    /// Its last line, with the exception's name.
    Exception(&'a str),
    /// No line of it.
    None,
}

/// Whether a line is a frame: `  File "/app/server.py", line 8, in main`.
pub(super) fn is_frame(text: &str) -> bool {
    text.starts_with("  File \"") && text.contains("\", line ")
}

/// Whether a line behind the frames names an exception of the program's own: `wiki.errors.MissingToken: no token`.
fn is_exception(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or_default();
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let last = name.rsplit('.').next().unwrap_or_default();
    name.chars().all(part)
        && last.starts_with(|c: char| c.is_ascii_uppercase())
        && last.contains(|c: char| c.is_ascii_lowercase())
}

impl Traceback {
    /// It begins. `reported`: the program said before what failed.
    pub(super) fn begin(reported: bool) -> Self {
        Self { left: MOST, reported, ..Self::default() }
    }

    /// Another one follows, of which the last was the cause.
    pub(super) fn reopen(&mut self) {
        (self.left, self.framed, self.uncaught) = (MOST, false, false);
    }

    pub(super) fn is_open(self) -> bool {
        self.left > 0
    }

    /// Takes the next line.
    pub(super) fn take<'a>(&mut self, text: &'a str) -> Part<'a> {
        self.left -= 1;
        if !self.framed && text.trim_start_matches([' ', '|', '+']).starts_with("File \"") {
            self.framed = true;
            let modules = [", in <module>", ", in _run_module_as_main"];
            // Without a function it is the source that Python does not understand.
            self.uncaught = modules.iter().any(|module| text.trim_end().ends_with(module)) || !text.contains(", in ");
        }
        let name = text.split([':', ' ']).next().unwrap_or_default();
        let is_error = !text.starts_with([' ', '|', '+'])
            && name.rsplit('.').next().is_some_and(|name| name.ends_with("Error") || name.ends_with("Exception"));
        if is_error || self.framed && is_exception(text) {
            self.left = 0;
            return Part::Exception(name);
        }
        let words = ["Traceback", "During handling", "The above exception"];
        let inside = text.starts_with([' ', '|', '+']) || text.is_empty();
        if inside || words.iter().any(|word| text.starts_with(word)) { Part::Inside } else { Part::None }
    }
}
