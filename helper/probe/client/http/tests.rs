use super::*;
use std::net::TcpListener;

/// What a client makes of these bytes, sent in two halves.
fn answered(bytes: &'static [u8]) -> Result<Reply, Got> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let _ = stream.write_all(first);
        std::thread::sleep(Duration::from_millis(5));
        let _ = stream.write_all(second);
    });
    let deadline = Instant::now() + Duration::from_secs(5);
    let tcp = connect(Ipv4Addr::LOCALHOST, port, deadline)?;
    let request = Request { method: "GET", path: "/", host: "h", headers: Vec::new(), body: None };
    let mut reply = send(tcp, Security::Plain, &request, deadline)?;
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
    assert!(matches!(answered(b"\x15\x03\x01\x00\x02\x02\x46").err(), Some(Got::NotHttp(_))));
    assert!(matches!(answered(b"SSH-2.0-OpenSSH_9\r\n").err(), Some(Got::NotHttp(_))));
    assert_eq!(answered(b"").err(), Some(Got::Closed));
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
