//! What connections are opened over: the network of the container, or answers that are there already.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

/// Opens connections.
pub(crate) trait Network: Sync {
    /// Opens one within the time.
    ///
    /// # Errors
    /// Those of `TcpStream::connect_timeout`.
    fn connect(&self, to: SocketAddrV4, within: Duration) -> io::Result<Box<dyn Connection>>;
}

/// Bytes both ways.
pub(crate) trait Connection: Read + Write {
    /// No read and no write that follows takes longer.
    ///
    /// # Errors
    /// What the system says.
    fn limit(&self, each: Duration) -> io::Result<()>;
}

/// That of the system.
pub(crate) struct Tcp;

impl Network for Tcp {
    fn connect(&self, to: SocketAddrV4, within: Duration) -> io::Result<Box<dyn Connection>> {
        let tcp = TcpStream::connect_timeout(&to.into(), within)?;
        let _ = tcp.set_nodelay(true);
        Ok(Box::new(tcp))
    }
}

impl Connection for TcpStream {
    fn limit(&self, each: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(each))?;
        self.set_write_timeout(Some(each))
    }
}

/// A connection on which nothing takes longer than until the deadline.
pub(crate) struct Timed {
    pub(crate) connection: Box<dyn Connection>,
    pub(crate) deadline: Instant,
}

impl Timed {
    /// Does something again where a signal, such as that a child has ended, cut it short: see signal(7).
    fn limited(&mut self, mut act: impl FnMut(&mut dyn Connection) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.connection.limit(left)?;
            match act(&mut *self.connection) {
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.limited(|connection| connection.read(buffer))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.limited(|connection| connection.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.connection.flush()
    }
}
