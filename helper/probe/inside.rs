//! What runs in the one-shot container: reads one request, tries everything at once, prints one answer.

use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::client::{read_metrics, try_route};
use super::sockets;
use super::wire::{Ask, Metrics, Told};
use crate::os::network::{Network, Tcp};
use crate::os::process;

/// First argument with which this program is that one. It is not a command: people have `probe`.
pub(crate) const WORD: &str = "probe-inside";

/// Exit code where no answer can be given: no request, no time.
const FAILED: u8 = 2;
/// Longest request, in bytes.
const LONGEST: u64 = 8 << 20;
/// Time that cloudflared may take to give its numbers.
const METRICS: Duration = Duration::from_secs(2);
/// Between two looks at cloudflared's numbers.
const PAUSE: Duration = Duration::from_millis(100);
/// No request may run the program longer than this, in milliseconds.
const LONGEST_RUN: u64 = 10 * 60 * 1000;

/// Reads the request line from standard input and prints the answer. Ends at once when standard input ends, and at the
/// deadline in any case: the process that started it may have been killed.
pub(crate) fn run() -> ExitCode {
    let mut line = String::new();
    let read = io::stdin().lock().take(LONGEST).read_line(&mut line);
    let Some(ask) = read.ok().and_then(|_| serde_json::from_str::<Ask>(&line).ok()) else {
        return ExitCode::from(FAILED);
    };
    let begun = Instant::now();
    let deadline = Duration::from_millis(ask.deadline_ms.min(LONGEST_RUN));
    let (done, told) = mpsc::channel::<Option<Box<Told>>>();
    let closed = done.clone();
    let watched = process::spawn(move || {
        // Nothing more is expected: what ends this is the end of standard input.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = closed.send(None);
    });
    if watched.and_then(|()| process::spawn(move || done.send(Some(Box::new(answer(&Tcp, &ask)))))).is_err() {
        return ExitCode::from(FAILED);
    }
    match told.recv_timeout(deadline.saturating_sub(begun.elapsed())) {
        Ok(Some(told)) => {
            let text = serde_json::to_string(&told).unwrap_or_default();
            let mut out = io::stdout().lock();
            if writeln!(out, "{text}").and_then(|()| out.flush()).is_ok() { ExitCode::SUCCESS } else { FAILED.into() }
        }
        Ok(None) | Err(_) => FAILED.into(),
    }
}

/// All that was asked, at once.
pub(crate) fn answer(network: &dyn Network, ask: &Ask) -> Told {
    std::thread::scope(|scope| {
        let thread = || std::thread::Builder::new();
        let metrics = thread().spawn_scoped(scope, || metrics(network, ask));
        let routes =
            ask.routes.iter().map(|target| (target, thread().spawn_scoped(scope, || try_route(network, target))));
        let routes: Vec<_> = routes.collect();
        // What got no thread is asked when the others have their answers.
        let routes = routes
            .into_iter()
            .filter_map(|(target, thread)| {
                thread.map_or_else(|_| Some(try_route(network, target)), |thread| thread.join().ok())
            })
            .collect();
        let listening = ask.sockets.then(sockets::listening).flatten();
        let metrics = match metrics {
            Ok(thread) => thread.join().unwrap_or_default(),
            Err(_) => self::metrics(network, ask),
        };
        Told { routes, listening, metrics }
    })
}

/// cloudflared's numbers; where some are known, the first others within the time, otherwise the last.
fn metrics(network: &dyn Network, ask: &Ask) -> Option<Metrics> {
    let until = Instant::now() + Duration::from_millis(ask.wait_ms.min(LONGEST_RUN));
    loop {
        let read = read_metrics(network, &ask.metrics, METRICS);
        let is_news = ask.known.is_none() || read.is_some() && read != ask.known;
        if is_news || Instant::now() >= until {
            return read;
        }
        std::thread::sleep(PAUSE);
    }
}
