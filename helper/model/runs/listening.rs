//! What is known of where a server takes calls, and which words say it.

use std::net::IpAddr;

use crate::model::address::{host_and_port, is_loopback};

/// What an address is to callers from another container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bind {
    /// They do not get there.
    Loopback,
    /// They do.
    Beyond,
    /// That cannot be told.
    Unknown,
}

/// Where something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// A file inside the directory and its line; `None` for the compose files.
    pub(crate) file: Option<(String, Option<usize>)>,
    /// Which words say it, without what a person wrote behind them.
    pub(crate) words: String,
    /// Whether a variable that only the image knows could say otherwise.
    pub(crate) is_open: bool,
    /// The words of the command line that let callers from other containers in; `PORT` is the port's place.
    pub(crate) opens: Option<String>,
}

impl Place {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self { file: None, words: words.into(), is_open: false, opens: None }
    }
}

/// Where a server takes calls; what is not said is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listening {
    /// It speaks over standard input.
    pub(crate) stdio: Option<Place>,
    /// It is bound to loopback.
    pub(crate) loopback: Option<Place>,
    pub(crate) port: Option<(u16, Place)>,
    /// Whether a program that is known says so on its command line, or only what a program may make of something else.
    pub(crate) is_fact: bool,
}

/// A name and its value, as they are written.
pub(super) type Said<'a> = Option<(&'static str, &'a str)>;

impl Listening {
    /// Takes a host and a port, or the defaults of a program.
    pub(super) fn take(
        &mut self,
        program: &str,
        opens: Option<&str>,
        (host, port): (Said<'_>, Said<'_>),
        (default, is_env_known): (Option<(&'static str, u16)>, bool),
    ) {
        let opens = opens.map(str::to_owned);
        let of = if program.is_empty() { String::new() } else { format!(" of `{program}`") };
        let place = |name: &str| Place { opens: opens.clone(), ..Place::new(format!("`{name}`{of}")) };
        let usual = |name: &str| Place {
            opens: opens.clone(),
            is_open: !is_env_known,
            ..Place::new(format!("`{program}` without {name}"))
        };
        // One value may have both.
        let of_host = host.filter(|(_, value)| value.parse::<IpAddr>().is_err()).and_then(|(name, value)| {
            let (_, port) = value.rsplit_once(':')?;
            Some((name, port))
        });
        let port = port.or(of_host);
        self.loopback = match (host, default) {
            (Some((name, host)), _) => (bind(host) == Bind::Loopback).then(|| place(name)),
            (None, Some((host, _))) => (bind(host) == Bind::Loopback).then(|| usual("a host")),
            (None, None) => None,
        };
        self.port = match (port, default) {
            (Some((name, port)), _) => port.parse().ok().map(|port| (port, place(name))),
            (None, Some((_, port))) => Some((port, usual("a port"))),
            (None, None) => None,
        };
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stdio.is_none() && self.loopback.is_none() && self.port.is_none()
    }

    /// The same, read in a file that an image may have been built without.
    pub(super) fn in_file(mut self, file: &str) -> Self {
        let places = [self.stdio.as_mut(), self.loopback.as_mut(), self.port.as_mut().map(|(_, place)| place)];
        for place in places.into_iter().flatten() {
            place.file.get_or_insert_with(|| (file.to_owned(), None));
        }
        self.is_fact = false;
        self
    }
}

/// Whether a host, as it is written, is loopback; `None` for what is no host.
pub(super) fn bind(host: &str) -> Bind {
    let bare = host_and_port(host).0;
    match if host.parse::<IpAddr>().is_ok() { host } else { bare.trim() } {
        "" | "*" => Bind::Beyond,
        host if host.contains(['$', '/', '{']) => Bind::Unknown,
        host if host.starts_with("0.0.0.0") || host.trim_matches(['[', ']']) == "::" => Bind::Beyond,
        host if is_loopback(host) => Bind::Loopback,
        _ => Bind::Beyond,
    }
}
