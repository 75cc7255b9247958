//! Tests that could not run, reported where libtest's capture does not hide it, and counted at the end.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Prints the count when its standard input ends, which is when the tests' process has ended: libtest has no hook for it.
const COUNTER: &str = "n=0; while read -r _; do n=$((n + 1)); done; [ $n -ne 1 ] || s=; \
                       echo \"$n test${s-s} skipped, in whole or in part: see the lines with SKIPPED\" >&2";

/// The tests that said so, and the process that counts them.
static SKIPPED: Mutex<(BTreeSet<String>, Option<ChildStdin>)> = Mutex::new((BTreeSet::new(), None));

/// Says that a test, or a part of it, did not run, and why; fails where real tools are required.
pub(crate) fn skip(what: &str, why: &str) {
    assert!(!super::real_tools_required(), "{what}: {why}, and MCP_TUNNELS_REQUIRE_REAL is set");
    let thread = std::thread::current();
    let test = thread.name().filter(|name| name.contains("::")).unwrap_or(what).to_owned();
    // Not `eprintln!`, which libtest captures.
    let _ = std::io::stderr().write_all(format!("SKIPPED {test}: {why}\n").as_bytes());
    let mut skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    let (tests, counter) = &mut *skipped;
    if !tests.insert(test) {
        return;
    }
    if counter.is_none() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", COUNTER]).stdin(Stdio::piped()).stdout(Stdio::null());
        *counter = command.spawn().ok().and_then(|mut child| child.stdin.take());
    }
    if let Some(counter) = counter {
        let _ = counter.write_all(b"\n");
    }
}
