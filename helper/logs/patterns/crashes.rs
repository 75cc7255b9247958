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
    fatal(UpstreamPortInUse, &["eaddrinuse", " http failed, port…already in use",
        " https failed, port…already in use"]).tells(&[Quiet]),
    fatal(UpstreamPortInUse, &["Port …seems to be in use by another process",
        "ChannelBindException: Failed to bind on [", "ailed to start server. Is port … in use?"]),
    // The words of musl.
    fatal(UpstreamPortInUse, &["Address in use"]).tells(&[Starting]),
    fatal(UpstreamPortDenied, &["ermission denied - bind(2)"]),
    // A shell, or what starts the program in its place.
    fatal(EntrypointUnusable, &["sh: …: Permission denied", ": line …: Permission denied",
        "sh: …: No such file or directory", ": line …: No such file or directory", ": line …: Is a directory",
        ": cannot execute: required file not found", ": cannot execute: "]).tells(&[Starting, Last]),
    fatal(EntrypointUnusable, &["env: can't execute '", "env: …: No such file or directory",
        "env: …: Permission denied"]).tells(&[Starting]),
    fatal(EntrypointUnusable, &["su-exec: …: Permission denied", "su-exec: …: No such file or directory",
        "exec: \"…: permission denied", "[dumb-init] …: No such file or directory", "[dumb-init] …: Permission denied",
        "[FATAL tini (…exec ", "s6-…: fatal: unable to exec "]).tells(&[Start, Starting]),
    // The image has another runtime than the program needs.
    fatal(UpstreamRuntime, &[": version `GLIBC…' not found"]),
    fatal(UpstreamRuntime, &["Error relocating …: symbol not found"]).tells(&[Start]),
    fatal(UpstreamRuntime, &[": symbol lookup error: "]).tells(&[Starting]),
    fatal(UpstreamRuntime, &["UnsupportedClassVersionError", "Unrecognized VM option '"]),
    fatal(UpstreamRuntime, &["Unrecognized option: -"]).tells(&[Start, Starting]),
    fatal(UpstreamRuntime, &["You must install or update .NET to run this application",
        "It was not possible to find any compatible framework version",
        "The library 'libhost…required to execute the application was not found",
        "Couldn't find a valid ICU package"]),
    fatal(UpstreamRuntime, &[" requires a different Python: "]).tells(&[Starting]),
    fatal(UpstreamRuntime, &["The engine \"node\" is incompatible with this module",
        "Composer detected issues in your platform", "Your Ruby version is …but your Gemfile specified",
        "requires go >= …(running go ", "was compiled against a different Node.js version"]),
    fatal(PlatformMismatch, &["CPU does not support x86-64-v",
        "NumPy was built with baseline optimizations"]).fix(CPU),
    fatal(PlatformMismatch, &["Illegal instruction"]).tells(&[Whole]).fix(CPU),
    fatal(PlatformMismatch, &["Illegal instruction (core dumped)"]).tells(&[Start]).fix(CPU),
    fatal(PlatformMismatch, &[": line … Illegal instruction "]).tells(&[Starting]).fix(CPU),
    fatal(PlatformMismatch, &["panic(main thread): Illegal instruction"]).fix(CPU),
    fatal(PlatformMismatch, &["qemu-…: Could not open '/lib",
        "rosetta error: failed to open elf at "]).tells(&[Start]).fix(EMULATED),
    // A part of the program is not in the image.
    fatal(UpstreamModuleMissing, &["no main manifest attribute, in ",
        "Error loading shared library …: No such file or directory"]).tells(&[Start]),
    fatal(UpstreamModuleMissing, &["The application '…' does not exist.", "cannot load such file -- ",
        "(Bundler::GemNotFound)"]).tells(&[Starting]),
    fatal(UpstreamModuleMissing, &["Could not open input file: "]).tells(&[Start, Starting]),
    fatal(UpstreamModuleMissing, &["Failed opening required '"]).tells(&[Starting]),
    fatal(UpstreamModuleMissing, &["Can't locate … in @INC", "lua…: module '…' not found:"]).tells(&[Start, Starting]),
    fatal(UpstreamModuleMissing, &["there is no package called "]).tells(&[Starting]),
    fatal(UpstreamModuleMissing, &["npm …could not determine executable to run",
        "ERR_PNPM_NO_IMPORTER_MANIFEST_FOUND"]),
    fatal(UpstreamModuleMissing, &["error Command \"…\" not found."]).tells(&[Start, Starting]),
    fatal(UpstreamModuleMissing, &["An executable named `…` is not provided by package"]),
    fatal(UpstreamModuleMissing, &["Poetry could not find a pyproject.toml"]).tells(&[Start]),
    fatal(UpstreamModuleMissing, &["Module not found \"file:"]).tells(&[Starting]),
    // An earlier run left the file that says that it runs: Rails, PostgreSQL, Apache, Twisted, gunicorn, Celery.
    fatal(UpstreamPidFile, &["A server is already running….pid"]).tells(&[Starting, Last]),
    fatal(UpstreamPidFile, &["lock file \"….pid\" already exists"]),
    fatal(UpstreamPidFile, &["httpd (pid …) already running"]).tells(&[Last]),
    fatal(UpstreamPidFile, &["Another twistd server is running", "Already running on PID …pid file",
        "Pidfile (…) already exists"]).tells(&[Starting]),
    // The command line.
    fatal(UpstreamUsage, &[": error: the following arguments are required: ", ": error: unrecognized arguments: ",
        ": error: argument "]).tells(&[Starting]),
    fatal(UpstreamUsage, &["unexpected argument '…' found", "the following required arguments were not provided",
        "unrecognized subcommand '", "invalid value '…' for '", "unknown flag: -", "unknown shorthand flag: ",
        "unknown command \"…\" for \"", "required flag(s) \"… not set", "flag provided but not defined: -",
        "Incorrect Usage: "]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &[": unrecognized option"]).tells(&[Starting]),
    fatal(UpstreamUsage, &["Unrecognized command or argument '", "Unknown option: '-"]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["There are no commands defined in the \"",
        "Command \"…\" is not defined."]).tells(&[Starting]),
    fatal(UpstreamUsage, &["No such option: -", "No such command '", "Missing option '", "Missing argument '",
        "Got unexpected extra argument", "unknown option '-", "missing required argument '",
        "required option '-…not specified", "Missing required argument: "]).tells(&[Start, Starting]),
    fatal(UpstreamUsage, &["node: bad option: "]),
];
