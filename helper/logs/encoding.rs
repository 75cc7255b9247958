//! A log as UTF-8, also where a shell saved it as UTF-16: `>` of Windows PowerShell 5 does.

use std::io::{self, Read};

/// Bytes of UTF-16 that are read at a time.
const BLOCK: usize = 32 << 10;

/// A reader that hands on UTF-8.
#[derive(Debug)]
pub(crate) struct Decoded<R> {
    inner: R,
    /// The first two bytes were read.
    begun: bool,
    /// How two bytes of UTF-16 make a unit, as its byte order mark tells; `None` for bytes that stay as they are.
    unit: Option<fn([u8; 2]) -> u16>,
    /// Read, and not yet decoded: at most a unit and a half of UTF-16.
    rest: Vec<u8>,
    /// Ready to be handed on, from `at`.
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Decoded<R> {
    /// Nothing read yet.
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, begun: false, unit: None, rest: Vec::new(), ready: Vec::new(), at: 0 }
    }

    /// Reads the first two bytes and tells the encoding by them.
    fn begin(&mut self) -> io::Result<()> {
        let missing = 2 - self.ready.len() as u64;
        self.inner.by_ref().take(missing).read_to_end(&mut self.ready)?;
        self.unit = match self.ready.as_slice() {
            [0xff, 0xfe] => Some(u16::from_le_bytes),
            [0xfe, 0xff] => Some(u16::from_be_bytes),
            _ => None,
        };
        if self.unit.is_some() {
            self.ready.clear();
        }
        self.begun = true;
        Ok(())
    }

    /// Decodes one more block; at the end of the input nothing is ready afterwards.
    fn decode(&mut self, unit: fn([u8; 2]) -> u16) -> io::Result<()> {
        (self.ready, self.at) = (Vec::new(), 0);
        while self.ready.is_empty() {
            let held = self.rest.len();
            self.rest.resize(held + BLOCK, 0);
            let read = self.inner.read(&mut self.rest[held..]);
            self.rest.truncate(held + *read.as_ref().unwrap_or(&0));
            let is_end = read? == 0;
            let mut units: Vec<u16> = self.rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
            // The first half of a pair waits for the second.
            if !is_end && units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
                units.pop();
            }
            self.rest.drain(..2 * units.len());
            self.ready = String::from_utf16_lossy(&units).into_bytes();
            if is_end {
                self.rest.clear();
                return Ok(());
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.begun {
            self.begin()?;
        }
        if self.at == self.ready.len() {
            let Some(unit) = self.unit else { return self.inner.read(buffer) };
            self.decode(unit)?;
        }
        let length = buffer.len().min(self.ready.len() - self.at);
        buffer[..length].copy_from_slice(&self.ready[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that hands on so many bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(self.1).min(self.0.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn read(bytes: &[u8], drop: usize) -> Vec<u8> {
        let mut all = Vec::new();
        Decoded::new(Drops(bytes, drop)).read_to_end(&mut all).unwrap();
        all
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn both_byte_orders_in_drops_of_any_size() {
        let text = "cloudflared-1  | ERR x \u{2714}\r\n\u{1f4e6} y\n".repeat(40);
        for drop in [1, 2, 3, 7, 1000] {
            assert_eq!(read(&utf16(&text, u16::to_le_bytes), drop), text.as_bytes(), "{drop}");
            assert_eq!(read(&utf16(&text, u16::to_be_bytes), drop), text.as_bytes(), "{drop}");
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for bytes in [&b""[..], b"a", b"ab", b"\xff", b"\xef\xbb\xbfabc\n", b"\xff\xff\x00", b"plain\n"] {
            assert_eq!(read(bytes, 1), bytes);
        }
        // Half a unit and half a pair at the end.
        assert_eq!(read(b"\xff\xfea\x00b", 3), b"a");
        assert_eq!(read(b"\xff\xfe\x3d\xd8", 4), "\u{fffd}".as_bytes());
    }
}
