//! The edge, as the script of the token has it.

use crate::log::{Fields, Log};
use crate::metrics::Connections;
use crate::network::{fault_of_quic, online, random, uuid};
use serde_json::{Value, json};
use std::process::exit;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const HIDDEN: &str = "control stream encountered a failure while serving";
const LOST: &str = "accept stream listener encountered a failure while serving";
const TIMEOUT: &str = "timeout: no recent network activity";
const NO_ADDRESSES: &str = "there are no free edge addresses left to resolve to";

/// Address and location of each connection's edge server.
const SERVERS: [(&str, &str); 4] =
    [("198.41.192.57", "sjc08"), ("198.41.200.23", "lax01"), ("198.41.192.107", "sjc07"), ("198.41.200.113", "lax09")];

#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) log: Log,
    pub(crate) connections: Connections,
    pub(crate) protocol: String,
}

impl Edge {
    /// The script, until it ends or the network does.
    pub(crate) fn play(&self, script: &str) -> ! {
        let word =
            ["revoked", "two", "slow", "drop", "flap", "blocked"].into_iter().find(|word| script.starts_with(word));
        let fault = fault_of_quic(script).filter(|_| self.protocol == "quic");
        let finished = match word {
            _ if fault.is_some() => self.without_quic(fault.unwrap_or_default()),
            Some("revoked") => self.revoked(),
            Some("blocked") => self.blocked(),
            Some("two") => self.register_all(2),
            Some("slow") => {
                self.dial(0);
                self.pause(8_000) && self.registered(0) && self.register_rest(4)
            }
            Some("drop") => self.register_all(4) && self.pause(5_000) && self.lose(2) && self.keep_failing(2),
            Some("flap") => {
                self.register_all(4) && self.pause(5_000) && self.lose(1) && self.pause(3_000) && self.register(1)
            }
            _ => self.register_all(4),
        };
        if finished {
            while self.pause(60_000) {}
        }
        self.orphaned()
    }

    /// Waits, and says whether the network is still there.
    fn pause(&self, millis: u64) -> bool {
        let end = Instant::now() + Duration::from_millis(millis);
        loop {
            if !online() {
                return false;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(Duration::from_millis(500)));
        }
    }

    fn fields(&self, index: usize) -> [(&'static str, Value); 3] {
        [("connIndex", json!(index)), ("event", json!(0)), ("ip", json!(SERVERS[index].0))]
    }

    fn dial(&self, index: usize) {
        if self.protocol == "quic" {
            let preferences = "Tunnel connection curve preferences: [X25519MLKEM768 CurveP256]";
            self.log.info(preferences, &self.fields(index));
        }
    }

    fn register(&self, index: usize) -> bool {
        self.dial(index);
        self.registered(index)
    }

    fn registered(&self, index: usize) -> bool {
        let (ip, location) = SERVERS[index];
        let fields = [
            ("connIndex", json!(index)),
            ("connection", json!(uuid())),
            ("event", json!(0)),
            ("ip", json!(ip)),
            ("location", json!(location)),
            ("protocol", json!(self.protocol)),
        ];
        self.connections[index].store(true, Ordering::Relaxed);
        self.log.info("Registered tunnel connection", &fields);
        true
    }

    fn register_all(&self, count: usize) -> bool {
        self.pause(200) && self.register(0) && self.register_rest(count)
    }

    fn register_rest(&self, count: usize) -> bool {
        (1..count).all(|index| self.pause(if index == 1 { 50 } else { 1_000 }) && self.register(index))
    }

    /// The same message is a warning while another connection is up, and an error when none is.
    fn degraded(&self, message: &str, error: Option<&str>, fields: Fields<'_>) {
        let up = self.connections.iter().any(|up| up.load(Ordering::Relaxed));
        self.log.line(if up { 2 } else { 3 }, message, error, fields);
    }

    fn retry(&self, seconds: u64, index: usize) {
        let wait = if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) };
        self.log.info(&format!("Retrying connection in up to {wait}"), &self.fields(index));
    }

    fn lose(&self, index: usize) -> bool {
        let fields = self.fields(index);
        self.connections[index].store(false, Ordering::Relaxed);
        self.log.error(
            "failed to accept incoming stream requests",
            &format!("failed to accept QUIC stream: {TIMEOUT}"),
            &fields,
        );
        self.log.error("failed to run the datagram handler", TIMEOUT, &fields);
        self.degraded("failed to serve tunnel connection", Some(LOST), &fields);
        self.degraded("Serve tunnel error", Some(LOST), &fields);
        self.retry(1, index);
        true
    }

    /// A dial that runs into its timeout, again and again, ever further apart.
    fn keep_failing(&self, index: usize) -> bool {
        let mut wait = 2;
        loop {
            self.dial(index);
            if !self.pause(5_000) {
                return false;
            }
            let fields = self.fields(index);
            let dial = format!("failed to dial to edge with quic: {TIMEOUT}");
            self.log.error("Failed to dial a quic connection", &dial, &fields);
            self.retry(wait, index);
            if !self.pause(wait * 500) {
                return false;
            }
            wait = (wait * 2).min(64);
        }
    }

    /// No packet leaves: after five attempts the real one tries HTTP/2.
    fn without_quic(&self, fault: &str) -> bool {
        let fields = self.fields(0);
        for wait in [1, 2, 4, 8, 16] {
            self.dial(0);
            let error = format!("INTERNAL_ERROR (local): write udp [::]:54321->{}:7844: {fault}", SERVERS[0].0);
            let error = format!("failed to dial to edge with quic: {error}");
            self.log.error("Failed to dial a quic connection", &error, &fields);
            self.retry(wait, 0);
            if !self.pause(wait * 500) {
                return false;
            }
        }
        self.log.info("Switching to fallback protocol http2", &fields);
        Self { protocol: "http2".into(), ..self.clone() }.register_all(4)
    }

    fn blocked(&self) -> bool {
        if self.protocol == "quic" {
            return self.keep_failing(0);
        }
        let mut wait = 1;
        while self.pause(15_000) {
            let error = format!("DialContext error: dial tcp {}:7844: i/o timeout", SERVERS[0].0);
            self.log.error("Unable to establish connection with Cloudflare edge", &error, &self.fields(0));
            self.log.error("Serve tunnel error", &error, &self.fields(0));
            self.retry(wait, 0);
            wait = (wait * 2).min(64);
        }
        false
    }

    /// Over QUIC the real one never prints why; after five attempts it tries HTTP/2, and then it does.
    fn revoked(&self) -> bool {
        let refused = "Unauthorized: Invalid tunnel secret";
        let mut wait = 2;
        let mut attempts = 0;
        let mut protocol = self.protocol.as_str();
        loop {
            let fields = self.fields(0);
            if protocol == "quic" {
                self.dial(0);
                self.log.error("failed to run the datagram handler", "context canceled", &fields);
                self.log.error("failed to serve tunnel connection", HIDDEN, &fields);
                self.log.error("Serve tunnel error", HIDDEN, &fields);
            } else {
                self.log.error("Register tunnel error from server side", refused, &fields);
                self.log.error("failed to serve incoming request", refused, &fields);
                self.log.error("Serve tunnel error", refused, &fields);
            }
            self.retry(wait, 0);
            if !self.pause(wait * 500) {
                return false;
            }
            wait = (wait * 2).min(64);
            attempts += 1;
            if protocol == "quic" && attempts == 5 {
                self.log.info("Switching to fallback protocol http2", &fields);
                (protocol, wait) = ("http2", 1);
            }
        }
    }

    /// The namespace is dead. It stays dead, and the real one retries for ever.
    fn orphaned(&self) -> ! {
        let up: Vec<usize> = (0..4).filter(|index| self.connections[*index].load(Ordering::Relaxed)).collect();
        let ports: [u16; 4] = std::array::from_fn(|_| u16::from_le_bytes(random::<2>()) | 0x8000);
        let unreachable = |index: usize| {
            format!("write udp [::]:{}->{}:7844: sendmsg: network is unreachable", ports[index], SERVERS[index].0)
        };
        for index in up {
            let fields = self.fields(index);
            self.connections[index].store(false, Ordering::Relaxed);
            let error = format!("failed to accept QUIC stream: {}", unreachable(index));
            self.log.error("failed to accept incoming stream requests", &error, &fields);
            self.log.error("failed to run the datagram handler", "context canceled", &fields);
            self.degraded("failed to serve tunnel connection", Some(LOST), &fields);
            self.degraded("Serve tunnel error", Some(LOST), &fields);
            self.retry(1, index);
        }
        let mut wait = 1;
        loop {
            thread::sleep(Duration::from_secs(wait));
            for index in 0..2 {
                let fields = self.fields(index);
                self.dial(index);
                let error = format!("failed to dial to edge with quic: {}", unreachable(index));
                self.log.error("Failed to dial a quic connection", &error, &fields);
                self.degraded("Connection terminated", Some(NO_ADDRESSES), &[("connIndex", json!(index))]);
            }
            wait = (wait * 2).min(64);
            self.retry(wait, 0);
        }
    }

    pub(crate) fn stop(&self, signal: &str) -> ! {
        self.log.info(&format!("Initiating graceful shutdown due to signal {signal} ..."), &[]);
        let up: Vec<usize> = (0..4).filter(|index| self.connections[*index].load(Ordering::Relaxed)).collect();
        for index in &up {
            self.log.info("Unregistered tunnel connection", &self.fields(*index));
        }
        for index in up {
            let fields = self.fields(index);
            self.connections[index].store(false, Ordering::Relaxed);
            self.log.error("failed to run the datagram handler", "context canceled", &fields);
            self.degraded("failed to serve tunnel connection", Some(LOST), &fields);
            self.degraded("Serve tunnel error", Some(LOST), &fields);
            self.retry(1, index);
            self.degraded("Connection terminated", None, &[("connIndex", json!(index))]);
        }
        self.log.line(3, "no more connections active and exiting", None, &[]);
        self.log.info("Tunnel server stopped", &[]);
        self.log.error("icmp router terminated", "context canceled", &[]);
        self.log.info("Metrics server stopped", &[]);
        exit(0)
    }
}
