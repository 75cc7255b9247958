//! A file server on loopback, which can also fail half-way.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a request ends.
#[derive(Clone)]
pub(crate) enum Reply {
    /// 200 with this body.
    Body(Vec<u8>),
    /// 404.
    Missing,
    /// A redirect to another path.
    Moved(String),
    /// Half of the announced body, then the connection is closed.
    Cut(Vec<u8>),
    /// Half of the announced body, then nothing.
    Stalled(Vec<u8>),
}

/// The server; it lives as long as the test.
pub(crate) struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts one that answers each path as told.
    pub(crate) fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let reply = Arc::new(reply);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, reply) = (Arc::clone(&log), Arc::clone(&reply));
                std::thread::spawn(move || serve(stream, &log, &*reply));
            }
        });
        Self { port, asked }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The paths that were asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>, reply: &dyn Fn(&str) -> Reply) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    log.lock().unwrap().push(path.clone());
    let head = |status: &str, more: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let bytes = match reply(&path) {
        Reply::Body(body) => [head("200 OK", "", body.len()), body].concat(),
        Reply::Missing => head("404 Not Found", "", 0),
        Reply::Moved(to) => head("302 Found", &format!("Location: {to}\r\n"), 0),
        Reply::Cut(body) | Reply::Stalled(body) => {
            let half = body.len() / 2;
            [head("200 OK", "", body.len()), body[..half].to_vec()].concat()
        }
    };
    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
    if let Reply::Stalled(_) = reply(&path) {
        std::thread::sleep(Duration::from_secs(60));
    }
}
