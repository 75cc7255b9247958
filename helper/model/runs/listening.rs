//! What is known of where a server takes calls, and which words say it.

use std::net::IpAddr;

use crate::model::address::{host_and_port, is_loopback};
use crate::rules::At;

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

/// How far something can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// A setting that its program may use for something else.
    Guess,
    /// A program that is known does so, unless something says otherwise that the files do not show.
    Likely,
    /// The command line of a program that is known says so.
    Sure,
}

/// Where something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// `None` for the command in the compose files.
    pub(crate) file: Option<At>,
    /// Which words say it, without what a person wrote behind them.
    pub(crate) words: String,
    pub(crate) certainty: Certainty,
    /// The words that let callers from other containers in; `PORT` is the port's place.
    pub(crate) cure: Cure,
}

/// What is written so that a server takes calls from other containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cure {
    /// That is not known.
    #[default]
    Unknown,
    /// Words of its command line.
    Words(String),
    /// A variable.
    Variable(String),
    /// A part of its code.
    Code(String),
    /// A bridge in front of the program, which has no HTTP: as keys of its service, with `…` for its own command line.
    Bridge(String),
}

impl Place {
    pub(super) fn new(words: impl Into<String>, certainty: Certainty) -> Self {
        Self { file: None, words: words.into(), certainty, cure: Cure::Unknown }
    }

    pub(super) fn cured(self, cure: Cure) -> Self {
        Self { cure, ..self }
    }

    pub(super) fn in_line(self, file: &str, line: Option<usize>) -> Self {
        Self { file: Some((file.to_owned(), line)), ..self }
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
}

/// A name and its value, as they are written.
pub(super) type Said<'a> = Option<(&'static str, &'a str)>;

impl Listening {
    pub(super) fn places(&mut self) -> impl Iterator<Item = &mut Place> {
        [self.stdio.as_mut(), self.loopback.as_mut(), self.port.as_mut().map(|(_, place)| place)].into_iter().flatten()
    }

    /// The same, read in a file.
    pub(super) fn in_line(mut self, file: &str, line: Option<usize>) -> Self {
        for place in self.places() {
            place.file.get_or_insert_with(|| (file.to_owned(), line));
        }
        self
    }

    /// The same, not more certain than this.
    pub(super) fn at_most(mut self, most: Certainty) -> Self {
        for place in self.places() {
            place.certainty = place.certainty.min(most);
        }
        self
    }
}

/// Host and port as options or variables name them; one value may have both.
pub(super) fn named<'a>(host: Said<'a>, port: Said<'a>) -> (Said<'a>, Option<(&'static str, u16)>) {
    let of_host = host.filter(|(_, value)| value.parse::<IpAddr>().is_err()).and_then(|(name, value)| {
        let (_, port) = value.rsplit_once(':')?;
        Some((name, port))
    });
    let port = port.or(of_host).and_then(|(name, port)| Some((name, port.parse().ok()?)));
    (host, port)
}

/// What a host is to others, as it is written.
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
