//! Faults of a container rather than of the program in it: any program may print them.
//!
//! Wordings of runc and Docker's init (20.10 to 28), Go's and glibc's runtimes, Node, the JVM, CPython, Rust, .NET, PHP,
//! Ruby and Erlang.

use super::pattern::Tell::{Plain, Start, Weak, Whole};
use super::pattern::{Pattern, call, fatal};
use crate::rules::RuleId::*;

/// Advice for heaps with their own limit.
const NODE_HEAP: &str = "give Node's heap more room, below the container's own limit: `environment: {NODE_OPTIONS: --max-old-space-size=MB}` for the service, then `{helper} up --dir {dir}`; if it only lasts longer, the server leaks memory";
const JAVA_HEAP: &str = "give the heap more of the container's memory: `environment: {JAVA_TOOL_OPTIONS: -XX:MaxRAMPercentage=75}` for the service (the default is a quarter), or a larger `mem_limit`; then `{helper} up --dir {dir}`; if it only lasts longer, the server leaks memory";
const JAVA_OTHER: &str = "raise the limit that the line names: `environment: {JAVA_TOOL_OPTIONS: …}` for the service with `-XX:MaxMetaspaceSize` (Metaspace) or `-XX:MaxDirectMemorySize` (direct buffers), then `{helper} up --dir {dir}`";
const PHP_LIMIT: &str = "raise `memory_limit` in the image's php.ini, then run `{helper} up --dir {dir}`";

/// Looked up after the program's own table.
#[rustfmt::skip]
pub(crate) static CONTAINER: &[Pattern] = &[
    // Docker's init and a shell have no level.
    fatal(PlatformMismatch, &["exec format error", ": Exec format error"]).tells(&[Plain]),
    // Engines before 20.10.10 answer clone3 with EPERM (moby/moby#42680).
    fatal(EngineSeccomp, &["pthread_create failed: Operation not permitted", "pthread_create: Operation not permitted",
        "failed to create new OS thread…errno=1)"]),
    fatal(ThreadLimit, &["failed to create new OS thread"]),
    // Below it.
    fatal(ThreadLimit, &["may need to increase max user processes",
        "pthread_create…Resource temporarily unavailable"]),
    fatal(EngineSeccomp, &["can't start new thread", "uv_thread_create"]),
    fatal(EngineSeccomp, &["fatal error: newosproc"]).tells(&[Weak]),
    // Docker's init, when the program or the interpreter in its first line is missing: `sh\r` is.
    fatal(EntrypointUnusable, &["exec …: no such file or directory"]).tells(&[Start]),
    fatal(EntrypointUnusable, &["exec: …executable file not found in $PATH"]),
    fatal(EntrypointUnusable, &["exec …: permission denied"]).tells(&[Start]),
    fatal(EntrypointUnusable, &["env: …\\r'", "env: …\\r\u{2019}", "bad interpreter", "$'\\r': command not found",
        "illegal option -\r"]),
    // Memory: what the kernel kills, a shell reports; the rest is the program's own limit, or an allocation refused.
    fatal(OutOfMemory, &["Killed"]).tells(&[Whole]),
    fatal(OutOfMemory, &[": line … Killed  "]),
    // Below the error itself.
    call(HeapExhausted, &["Terminating due to java.lang.OutOfMemoryError"]).fix(JAVA_HEAP),
    fatal(HeapExhausted, &["JavaScript heap out of memory"]).fix(NODE_HEAP),
    fatal(ThreadLimit, &["OutOfMemoryError: unable to create native thread"]),
    fatal(HeapExhausted, &["OutOfMemoryError: Metaspace", "OutOfMemoryError: Direct buffer memory",
        "Cannot reserve … bytes of direct buffer memory"]).fix(JAVA_OTHER),
    fatal(HeapExhausted, &["java.lang.OutOfMemoryError"]).fix(JAVA_HEAP),
    fatal(HeapExhausted, &["insufficient memory for the Java Runtime Environment",
        "memory allocation of … bytes failed", "fatal error: runtime: out of memory",
        "fatal error: runtime: cannot allocate memory", "runtime: cannot allocate memory",
        "runtime: out of memory: cannot allocate", "Cannot allocate memory"]),
    fatal(HeapExhausted, &["MemoryError"]).tells(&[Whole]),
    fatal(HeapExhausted, &["MemoryError: ", "(NoMemoryError)", "std::bad_alloc", "System.OutOfMemoryException"]),
    fatal(HeapExhausted, &["Allowed memory size of … bytes exhausted"]).fix(PHP_LIMIT),
    fatal(HeapExhausted, &["eheap_alloc: Cannot allocate"]),
    // Files.
    call(ContainerReadOnly, &["ead-only file system"]),
    call(DiskFull, &["no space left on device", "No space left on device", "isk quota exceeded"]),
];
