use std::time::Duration;

use super::*;

/// Says what it is told to, a half of what is left at a time.
struct Said(&'static [u8]);

impl Network for Said {
    fn connect(&self, _: SocketAddrV4, _: Duration) -> io::Result<Box<dyn Connection>> {
        Ok(Box::new(Self(self.0)))
    }
}

impl Connection for Said {
    fn limit(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Said {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.0.len().div_ceil(2).min(buffer.len());
        self.0.read(&mut buffer[..next])
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn answered(bytes: &'static [u8]) -> Result<Reply, Got> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let connection = connect(&Said(bytes), "127.0.0.1:80".parse().unwrap(), deadline)?;
    let request = Request { method: "GET", path: "/", host: "h", headers: Vec::new(), body: None };
    let mut reply = send(open(connection, Security::Plain, deadline)?, &request)?;
    reply.whole();
    Ok(reply)
}

#[test]
fn every_framing_gives_the_same_body() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellorest"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        let reply = answered(bytes).unwrap_or_else(|got| panic!("{got:?}"));
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"hello"[..]));
    }
}

#[test]
fn what_is_no_http_is_told_from_silence() {
    assert_eq!(answered(b"\x15\x03\x01\x00\x02\x02\x46").err(), Some(Got::WrongScheme), "an alert of TLS");
    let settings = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64";
    assert_eq!(answered(settings).err(), Some(Got::Http2));
    assert!(matches!(answered(b"SSH-2.0-OpenSSH_9\r\n").err(), Some(Got::NotHttp(_))));
    assert_eq!(answered(b"").err(), Some(Got::Closed));
}

#[test]
fn a_compression_that_was_not_asked_for_is_undone() {
    for (coding, packed) in [
        (
            "gzip",
            &b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00"[..],
        ),
        ("Deflate", b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15"),
        ("identity", b"hello"),
    ] {
        let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n").into_bytes();
        bytes.extend_from_slice(packed);
        let reply = answered(bytes.leak()).unwrap_or_else(|got| panic!("{got:?}"));
        assert_eq!(&*reply.plain(), b"hello", "{coding}");
    }
}

#[test]
fn broken_framings_end() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello",
    ] {
        assert!(answered(bytes).is_ok());
    }
}
