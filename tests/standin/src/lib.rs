//! What the stand-ins share: clocks, base64, PEM, errors in Go's words, a small DNS resolver, signals.
//!
//! `mcp-proxy` and `cloudflared` are proprietary or need an account, so the tests run these programs in their place.
//! They read the same files and the same argument list, as the same user, fail in the same words and print the same
//! lines. The product does not know about them: it is told other image names, nothing else.

pub mod clock;
pub mod dns;
pub mod encoding;
pub mod http;

use std::io::{self, ErrorKind};
use std::thread;

/// What Go's `os.ReadFile` would say of a failed read: the operation, the path, the errno in words.
pub fn go_error(path: &str, error: &io::Error) -> String {
    let operation = if error.raw_os_error() == Some(21) { "read" } else { "open" };
    format!("{operation} {path}: {}", errno_text(error))
}

/// The text of an errno as Go prints it.
pub fn errno_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(21) => "is a directory".into(),
        Some(20) => "not a directory".into(),
        Some(40) => "too many levels of symbolic links".into(),
        Some(98) => "bind: address already in use".into(),
        Some(99) => "bind: cannot assign requested address".into(),
        Some(101) => "connect: network is unreachable".into(),
        Some(111) => "connect: connection refused".into(),
        Some(113) => "connect: no route to host".into(),
        _ => match error.kind() {
            ErrorKind::NotFound => "no such file or directory".into(),
            ErrorKind::PermissionDenied => "permission denied".into(),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => "i/o timeout".into(),
            _ => error.to_string().to_lowercase(),
        },
    }
}

/// Runs `stop` with the signal's name (`terminated`, `interrupt`) on the first SIGTERM or SIGINT.
pub fn on_stop(stop: impl FnOnce(&'static str) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            stop(if signal == SIGTERM { "terminated" } else { "interrupt" });
        }
    });
    Ok(())
}

/// A Go listen address (`:8080`, `0.0.0.0:80`) as something Rust can bind: no host means every address.
pub fn listen(address: &str) -> io::Result<std::net::TcpListener> {
    match address.strip_prefix(':') {
        Some(port) => std::net::TcpListener::bind(format!("[::]:{port}"))
            .or_else(|_| std::net::TcpListener::bind(format!("0.0.0.0:{port}"))),
        None => std::net::TcpListener::bind(address),
    }
}
