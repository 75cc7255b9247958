//! What ends a server as it starts, in the words of shells, runtimes and command lines: dash, bash and busybox, the
//! dynamic linkers of glibc and musl, the JVM, .NET, Erlang, Ruby, PHP, Perl, R, Lua, npm, pnpm, yarn and uv; argparse,
//! click, clap, cobra, Go's flag, commander and yargs.

use super::pattern::Tell::{Last, Quiet, Start, Starting, Whole};
use super::pattern::{Pattern, fatal};
use crate::rules::RuleId::*;

/// Advice for a processor without the instructions that a program is built for.
const CPU: &str = "name an image, or a version of the library in the evidence, that is built for older processors (x86-64-v1), or give the virtual machine the host's own processor type (Proxmox, QEMU: `host`); then `{helper} up --dir {dir}`";
/// Advice for an emulated program whose image has no libraries of its architecture.
const EMULATED: &str = "build or name the image for this machine's architecture (`docker build --platform`, or remove `platform:`): the program in it is for another one than the rest of the image; then `{helper} up --dir {dir}`";

/// The first that fits counts; looked up behind the servers' own rows.
#[rustfmt::skip]
pub(crate) static CRASHES: &[Pattern] = &[
    // The port, in the words of Erlang, Quarkus, Netty and nginx.
    fatal(UpstreamPortInUse, &["eaddrinuse"]).tells(&[Quiet]),
    fatal(UpstreamPortInUse, &[" http failed, port", "already in use"]).tells(&[Quiet]),
    fatal(UpstreamPortInUse, &[" https failed, port", "already in use"]).tells(&[Quiet]),
    fatal(UpstreamPortInUse, &["Port ", "seems to be in use by another process"]),
    fatal(UpstreamPortInUse, &["ChannelBindException: Failed to bind on ["]),
    fatal(UpstreamPortInUse, &["ailed to start server. Is port ", " in use?"]),
    fatal(UpstreamPortDenied, &["ermission denied - bind(2)"]),
    // A shell, or what starts the program in its place.
    fatal(EntrypointUnusable, &["sh: ", ": Permission denied"]).tells(&[Starting, Last]),
    fatal(EntrypointUnusable, &[": line ", ": Permission denied"]).tells(&[Starting, Last]),
    fatal(EntrypointUnusable, &["sh: ", ": No such file or directory"]).tells(&[Starting, Last]),
    fatal(EntrypointUnusable, &[": line ", ": No such file or directory"]).tells(&[Starting, Last]),
    fatal(EntrypointUnusable, &[": cannot execute: required file not found"]).tells(&[Starting, Last]),
    fatal(EntrypointUnusable, &[": cannot execute: "]).tells(&[Starting, Last]),
    fatal(EntrypointUnusable, &["env: can't execute '"]).tells(&[Starting]),
    fatal(EntrypointUnusable, &["env: ", ": No such file or directory"]).tells(&[Starting]),
    fatal(EntrypointUnusable, &["env: ", ": Permission denied"]).tells(&[Starting]),
    fatal(EntrypointUnusable, &["su-exec: ", ": Permission denied"]).tells(&[Start, Starting]),
    fatal(EntrypointUnusable, &["su-exec: ", ": No such file or directory"]).tells(&[Start, Starting]),
    fatal(EntrypointUnusable, &["exec: \"", ": permission denied"]).tells(&[Start, Starting]),
    fatal(EntrypointUnusable, &["[dumb-init] ", ": No such file or directory"]).tells(&[Start, Starting]),
    fatal(EntrypointUnusable, &["[dumb-init] ", ": Permission denied"]).tells(&[Start, Starting]),
    fatal(EntrypointUnusable, &["[FATAL tini (", "exec "]).tells(&[Start, Starting]),
    fatal(EntrypointUnusable, &["s6-", ": fatal: unable to exec "]).tells(&[Start, Starting]),
    // The image has another runtime than the program needs.
    fatal(UpstreamRuntime, &[": version `GLIBC", "' not found"]),
    fatal(UpstreamRuntime, &["Error relocating ", ": symbol not found"]).tells(&[Start]),
    fatal(UpstreamRuntime, &[": symbol lookup error: "]).tells(&[Starting]),
    fatal(UpstreamRuntime, &["UnsupportedClassVersionError"]),
    fatal(UpstreamRuntime, &["Unrecognized VM option '"]),
    fatal(UpstreamRuntime, &["Unrecognized option: -"]).tells(&[Start, Starting]),
    fatal(UpstreamRuntime, &["You must install or update .NET to run this application"]),
    fatal(UpstreamRuntime, &["It was not possible to find any compatible framework version"]),
    fatal(UpstreamRuntime, &["The library 'libhost", "required to execute the application was not found"]),
    fatal(UpstreamRuntime, &["Couldn't find a valid ICU package"]),
    fatal(UpstreamRuntime, &[" requires a different Python: "]).tells(&[Starting]),
    fatal(UpstreamRuntime, &["The engine \"node\" is incompatible with this module"]),
    fatal(UpstreamRuntime, &["requires go >= ", "(running go "]),
    fatal(UpstreamRuntime, &["was compiled against a different Node.js version"]),
    fatal(PlatformMismatch, &["CPU does not support x86-64-v"]).fix(CPU),
    fatal(PlatformMismatch, &["NumPy was built with baseline optimizations"]).fix(CPU),
    fatal(PlatformMismatch, &["Illegal instruction"]).tells(&[Whole]).fix(CPU),
    fatal(PlatformMismatch, &["Illegal instruction (core dumped)"]).tells(&[Start]).fix(CPU),
    fatal(PlatformMismatch, &[": line ", " Illegal instruction "]).tells(&[Starting]).fix(CPU),
    fatal(PlatformMismatch, &["panic(main thread): Illegal instruction"]).fix(CPU),
    fatal(PlatformMismatch, &["qemu-", ": Could not open '/lib"]).tells(&[Start]).fix(EMULATED),
    fatal(PlatformMismatch, &["rosetta error: failed to open elf at "]).tells(&[Start]).fix(EMULATED),
    // A part of the program is not in the image.
    fatal(UpstreamModuleMissing, &["no main manifest attribute, in "]).tells(&[Start]),
    fatal(UpstreamModuleMissing, &["Error loading shared library ", ": No such file or directory"]).tells(&[Start]),
    fatal(UpstreamModuleMissing, &["The application '", "' does not exist."]).tells(&[Starting]),
    fatal(UpstreamModuleMissing, &["cannot load such file -- "]).tells(&[Starting]),
    fatal(UpstreamModuleMissing, &["(Bundler::GemNotFound)"]).tells(&[Starting]),
    fatal(UpstreamModuleMissing, &["Could not open input file: "]).tells(&[Start, Starting]),
    fatal(UpstreamModuleMissing, &["Failed opening required '"]).tells(&[Starting]),
    fatal(UpstreamModuleMissing, &["Can't locate ", " in @INC"]).tells(&[Start, Starting]),
    fatal(UpstreamModuleMissing, &["lua", ": module '", "' not found:"]).tells(&[Start, Starting]),
    fatal(UpstreamModuleMissing, &["there is no package called "]).tells(&[Starting]),
    fatal(UpstreamModuleMissing, &["npm ", "could not determine executable to run"]),
    fatal(UpstreamModuleMissing, &["ERR_PNPM_NO_IMPORTER_MANIFEST_FOUND"]),
    fatal(UpstreamModuleMissing, &["error Command \"", "\" not found."]).tells(&[Start, Starting]),
    fatal(UpstreamModuleMissing, &["An executable named `", "` is not provided by package"]),
    fatal(UpstreamModuleMissing, &["Poetry could not find a pyproject.toml"]).tells(&[Start]),
    fatal(UpstreamModuleMissing, &["Module not found \"file:"]).tells(&[Starting]),
    // An earlier run left the file that says that it runs: Rails, PostgreSQL, Apache, Twisted, gunicorn, Celery.
    fatal(UpstreamPidFile, &["A server is already running", ".pid"]).tells(&[Starting, Last]),
    fatal(UpstreamPidFile, &["lock file \"", ".pid\" already exists"]),
    fatal(UpstreamPidFile, &["httpd (pid ", ") already running"]).tells(&[Last]),
    fatal(UpstreamPidFile, &["Another twistd server is running"]).tells(&[Starting]),
    fatal(UpstreamPidFile, &["Already running on PID ", "pid file"]).tells(&[Starting]),
    fatal(UpstreamPidFile, &["Pidfile (", ") already exists"]).tells(&[Starting]),
    // The command line.
    fatal(UpstreamUsage, &[": error: the following arguments are required: "]).tells(&[Starting]),
    fatal(UpstreamUsage, &[": error: unrecognized arguments: "]).tells(&[Starting]),
    fatal(UpstreamUsage, &[": error: argument "]).tells(&[Starting]),
    fatal(UpstreamUsage, &["unexpected argument '", "' found"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["the following required arguments were not provided"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["unrecognized subcommand '"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["invalid value '", "' for '"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["unknown flag: -"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["unknown shorthand flag: "]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["unknown command \"", "\" for \""]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["required flag(s) \"", " not set"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["flag provided but not defined: -"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["No such option: -"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["No such command '"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["Missing option '"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["Missing argument '"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["Got unexpected extra argument"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["unknown option '-"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["missing required argument '"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["required option '-", "not specified"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["Missing required argument: "]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["node: bad option: "]),
];
