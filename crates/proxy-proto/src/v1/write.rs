//! The writer of version 1.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Range;

use super::MAX_LEN;
use crate::addresses::{Addresses, Transport};
use crate::write_error::WriteError;

/// Writes a line and returns its length in bytes, at most [`MAX_LEN`].
///
/// [`Addresses::Unspec`] gives `PROXY UNKNOWN`. IPv6 addresses are written as RFC 5952 has it.
///
/// ```
/// use proxy_proto::{Addresses, v1};
///
/// let mut line = [0; v1::MAX_LEN];
/// let len = v1::encode(&Addresses::Unspec, &mut line)?;
/// assert_eq!(&line[..len], b"PROXY UNKNOWN\r\n");
/// # Ok::<(), proxy_proto::WriteError>(())
/// ```
///
/// # Errors
///
/// [`WriteError::NotInV1`] for a datagram transport or UNIX addresses, [`WriteError::BufferTooSmall`]. The
/// contents of `out` are then unspecified.
pub fn encode(addresses: &Addresses<'_>, out: &mut [u8]) -> Result<usize, WriteError> {
    let mut line = Line::new();
    line.write(addresses)?;
    let too_small = WriteError::BufferTooSmall {
        needed: line.len,
        available: out.len(),
    };
    out.get_mut(..line.len)
        .ok_or(too_small)?
        .copy_from_slice(line.written());
    Ok(line.len)
}

/// The length in bytes of the line that [`encode`] writes.
///
/// # Errors
///
/// [`WriteError::NotInV1`] as [`encode`].
pub fn encoded_len(addresses: &Addresses<'_>) -> Result<usize, WriteError> {
    let mut line = Line::new();
    line.write(addresses)?;
    Ok(line.len)
}

/// Like [`encode`], into a new vector.
///
/// # Errors
///
/// [`WriteError::NotInV1`] as [`encode`].
#[cfg(feature = "alloc")]
pub fn to_vec(addresses: &Addresses<'_>) -> Result<alloc::vec::Vec<u8>, WriteError> {
    let mut line = Line::new();
    line.write(addresses)?;
    Ok(line.written().to_vec())
}

/// The line while it is put together. A number is put as eight bytes of which only the first few count, so there is
/// room for eight more than the longest line.
struct Line {
    buf: [u8; MAX_LEN + 8],
    len: usize,
}

impl Line {
    #[inline]
    const fn new() -> Self {
        Self {
            buf: [0; MAX_LEN + 8],
            len: 0,
        }
    }

    fn written(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    fn write(&mut self, addresses: &Addresses<'_>) -> Result<(), WriteError> {
        match addresses {
            Addresses::Unspec => self.put(b"PROXY UNKNOWN"),
            Addresses::Inet(Transport::Stream, inet) => {
                self.put(b"PROXY TCP4 ");
                self.ipv4(inet.source);
                self.put(b" ");
                self.ipv4(inet.destination);
                self.ports(inet.source_port, inet.destination_port);
            }
            Addresses::Inet6(Transport::Stream, inet) => {
                self.put(b"PROXY TCP6 ");
                self.ipv6(inet.source);
                self.put(b" ");
                self.ipv6(inet.destination);
                self.ports(inet.source_port, inet.destination_port);
            }
            Addresses::Inet(Transport::Dgram, _)
            | Addresses::Inet6(Transport::Dgram, _)
            | Addresses::Unix(..) => {
                return Err(WriteError::NotInV1);
            }
        }
        self.put(b"\r\n");
        Ok(())
    }

    fn ports(&mut self, source: u16, destination: u16) {
        self.put(b" ");
        self.decimal(source);
        self.put(b" ");
        self.decimal(destination);
    }

    #[inline]
    fn ipv4(&mut self, ip: Ipv4Addr) {
        let [a, b, c, d] = ip.octets();
        self.decimal(u16::from(a));
        for octet in [b, c, d] {
            self.put(b".");
            self.decimal(u16::from(octet));
        }
    }

    /// RFC 5952: lower case, no leading zeros, `::` for the first of the longest runs of two zero groups or more, the
    /// dotted form for mapped addresses.
    fn ipv6(&mut self, ip: Ipv6Addr) {
        if let Some(ip) = ip.to_ipv4_mapped() {
            self.put(b"::ffff:");
            return self.ipv4(ip);
        }
        let segments = ip.segments();
        let gap = longest_zero_run(&segments);
        let mut after_group = false;
        for (at, &segment) in segments.iter().enumerate() {
            if at == gap.start && !gap.is_empty() {
                self.put(b"::");
                after_group = false;
            } else if !gap.contains(&at) {
                if after_group {
                    self.put(b":");
                }
                self.hex(segment);
                after_group = true;
            }
        }
    }

    /// The lowest digit comes first and is pushed up by the others, so that the highest ends in the lowest byte.
    #[inline]
    fn decimal(&mut self, mut value: u16) {
        let (mut text, mut digits) = (0_u64, 0_usize);
        loop {
            text = text << 8 | u64::from(digit(value % 10));
            digits = digits.wrapping_add(1);
            value /= 10;
            if value == 0 {
                break;
            }
        }
        self.put_number(text, digits);
    }

    #[inline]
    fn hex(&mut self, mut value: u16) {
        let (mut text, mut digits) = (0_u64, 0_usize);
        loop {
            text = text << 8 | u64::from(digit(value & 0xf));
            digits = digits.wrapping_add(1);
            value >>= 4;
            if value == 0 {
                break;
            }
        }
        self.put_number(text, digits);
    }

    #[inline]
    fn put_number(&mut self, text: u64, digits: usize) {
        self.put(&text.to_le_bytes());
        self.len = self.len.wrapping_sub(8).wrapping_add(digits);
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: &[u8; N]) {
        // There is room always: no line is longer than the buffer.
        if let Some(room) = self.buf.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut) {
            *room = *bytes;
        }
        self.len = self.len.wrapping_add(N);
    }
}

/// The first of the longest runs of zeros, empty if none is longer than one.
fn longest_zero_run(segments: &[u16; 8]) -> Range<usize> {
    let (mut best, mut best_len, mut len) = (0..0, 1, 0_usize);
    for (at, &segment) in segments.iter().enumerate() {
        len = if segment == 0 { len.wrapping_add(1) } else { 0 };
        if len > best_len {
            let end = at.wrapping_add(1);
            best_len = len;
            best = end.wrapping_sub(len)..end;
        }
    }
    best
}

#[inline]
fn digit(value: u16) -> u8 {
    let [_, value] = value.to_be_bytes();
    value.wrapping_add(if value < 10 { b'0' } else { b'a' - 10 })
}
