//! Faults of a container rather than of the program in it: any program may print them.
//!
//! Wordings of runc and Docker's init (20.10 to 28), Go's and glibc's runtimes, Node, the JVM, CPython and Rust.

use super::pattern::Tell::Start;
use super::pattern::{Pattern, call, fatal};
use crate::rules::RuleId::*;

/// Looked up after the program's own table.
pub(crate) static CONTAINER: &[Pattern] = &[
    fatal(PlatformMismatch, &["exec format error"]),
    fatal(PlatformMismatch, &[": Exec format error"]),
    // Engines before 20.10.10 answer clone3 with EPERM (moby/moby#42680).
    fatal(EngineSeccomp, &["pthread_create failed: Operation not permitted"]),
    fatal(EngineSeccomp, &["pthread_create: Operation not permitted"]),
    fatal(EngineSeccomp, &["failed to create new OS thread", "errno=1)"]),
    fatal(ThreadLimit, &["failed to create new OS thread"]),
    fatal(ThreadLimit, &["pthread_create", "Resource temporarily unavailable"]),
    fatal(EngineSeccomp, &["can't start new thread"]),
    fatal(EngineSeccomp, &["uv_thread_create"]),
    fatal(EngineSeccomp, &["fatal error: newosproc"]),
    // Docker's init, when the program or the interpreter in its first line is missing: `sh\r` is.
    fatal(EntrypointUnusable, &["exec ", ": no such file or directory"]).tells(&[Start]),
    fatal(EntrypointUnusable, &["exec: ", "executable file not found in $PATH"]),
    fatal(EntrypointUnusable, &["exec ", ": permission denied"]).tells(&[Start]),
    fatal(EntrypointUnusable, &["env: ", "\\r'"]),
    fatal(EntrypointUnusable, &["env: ", "\\r\u{2019}"]),
    fatal(EntrypointUnusable, &["bad interpreter"]),
    fatal(EntrypointUnusable, &["$'\\r': command not found"]),
    fatal(EntrypointUnusable, &["illegal option -\r"]),
    // Memory.
    fatal(OutOfMemory, &["JavaScript heap out of memory"]),
    fatal(OutOfMemory, &["java.lang.OutOfMemoryError"]),
    fatal(OutOfMemory, &["memory allocation of ", " bytes failed"]),
    fatal(OutOfMemory, &["fatal error: runtime: out of memory"]),
    fatal(OutOfMemory, &["runtime: cannot allocate memory"]),
    fatal(OutOfMemory, &["Cannot allocate memory"]),
    fatal(OutOfMemory, &["MemoryError"]),
    // Files.
    call(ContainerReadOnly, &["ead-only file system"]),
    call(DiskFull, &["no space left on device"]),
    call(DiskFull, &["No space left on device"]),
    call(DiskFull, &["isk quota exceeded"]),
];

/// Whether a wording is the container's own, whatever program prints it.
pub(crate) fn is_container_pattern(pattern: &Pattern) -> bool {
    CONTAINER.iter().any(|row| std::ptr::eq(row, pattern))
}
