//! The reader of version 1.
//!
//! A valid line is read once, front to back, with no search for its end. Only when that fails is the end looked for:
//! addresses are not judged before the CRLF is there, so the same fault is "incomplete" without it.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{MAX_LEN, MIN_LEN, ip};
use crate::addresses::{Inet, Inet6};
use crate::error::{ParseError, Reason};
use crate::header::Ends;

/// What a line can begin with. `UNKNOWN` is followed by a space or the end of the line.
const TCP4: &[u8] = b"PROXY TCP4 ";
const TCP6: &[u8] = b"PROXY TCP6 ";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN";

/// The shortest lines: `0.0.0.0` twice, or `::` twice, with port 0.
const TCP4_MIN_LEN: usize = 32;
const TCP6_MIN_LEN: usize = 22;

/// A valid line.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) ends: Ends<'static>,
    pub(crate) consumed: usize,
}

/// A line that begins with `P`. A function of its own, so that what [`crate::parse`] brings into its caller stays small.
#[inline(never)]
pub(crate) fn parse(bytes: &[u8], max_len: usize) -> Result<Found, ParseError> {
    let line = Line { bytes, max_len };
    match bytes {
        [
            b'P',
            b'R',
            b'O',
            b'X',
            b'Y',
            b' ',
            b'T',
            b'C',
            b'P',
            b'4',
            b' ',
            rest @ ..,
        ] => match fields(rest, ip::ipv4) {
            Ok((fields, rest)) => line.found(fields.inet(), rest, TCP4_MIN_LEN),
            Err(fault) => Err(line.fault(fault, TCP4_MIN_LEN)),
        },
        [
            b'P',
            b'R',
            b'O',
            b'X',
            b'Y',
            b' ',
            b'T',
            b'C',
            b'P',
            b'6',
            b' ',
            rest @ ..,
        ] => match fields(rest, ip::ipv6) {
            Ok((fields, rest)) => line.found(fields.inet6(), rest, TCP6_MIN_LEN),
            Err(fault) => Err(line.fault(fault, TCP6_MIN_LEN)),
        },
        [
            b'P',
            b'R',
            b'O',
            b'X',
            b'Y',
            b' ',
            b'U',
            b'N',
            b'K',
            b'N',
            b'O',
            b'W',
            b'N',
            rest @ ..,
        ] => line.unknown(rest),
        _ => Err(line.beginning()),
    }
}

/// The four fields of a TCP line.
struct Fields<A> {
    source: A,
    destination: A,
    source_port: u16,
    destination_port: u16,
}

impl Fields<Ipv4Addr> {
    #[inline]
    fn inet(self) -> Ends<'static> {
        let Self {
            source,
            destination,
            source_port,
            destination_port,
        } = self;
        Ends::LineInet(Inet {
            source,
            destination,
            source_port,
            destination_port,
        })
    }
}

impl Fields<Ipv6Addr> {
    #[inline]
    fn inet6(self) -> Ends<'static> {
        let Self {
            source,
            destination,
            source_port,
            destination_port,
        } = self;
        Ends::LineInet6(Inet6 {
            source,
            destination,
            source_port,
            destination_port,
        })
    }
}

/// A field that is not what it has to be, and the bytes from there on.
type Fault<'a> = (Reason, &'a [u8]);

/// Reads the fields and leaves what follows the last one.
#[inline]
fn fields<'a, A>(
    bytes: &'a [u8],
    address: impl Fn(&'a [u8]) -> Option<(A, &'a [u8])>,
) -> Result<(Fields<A>, &'a [u8]), Fault<'a>> {
    let (source, rest) = word(bytes, &address).ok_or((Reason::SourceAddress, bytes))?;
    let (destination, rest) = word(rest, &address).ok_or((Reason::DestinationAddress, rest))?;
    let (source_port, rest) = word(rest, ip::port).ok_or((Reason::SourcePort, rest))?;
    let (destination_port, rest) = ip::port(rest).ok_or((Reason::DestinationPort, rest))?;
    Ok((
        Fields {
            source,
            destination,
            source_port,
            destination_port,
        },
        rest,
    ))
}

/// A field and the one space after it.
#[inline]
fn word<'a, A>(bytes: &'a [u8], read: impl Fn(&'a [u8]) -> Option<(A, &'a [u8])>) -> Option<(A, &'a [u8])> {
    match read(bytes)? {
        (value, [b' ', rest @ ..]) => Some((value, rest)),
        _ => None,
    }
}

/// The bytes being parsed, for offsets and the search for the end.
struct Line<'a> {
    bytes: &'a [u8],
    max_len: usize,
}

impl Line<'_> {
    /// All fields are read; `rest` has to be the CRLF.
    #[inline]
    fn found(&self, ends: Ends<'static>, rest: &[u8], min_len: usize) -> Result<Found, ParseError> {
        let [b'\r', b'\n', payload @ ..] = rest else {
            return Err(self.fault((Reason::DestinationPort, rest), min_len));
        };
        let consumed = self.offset_of(payload);
        if consumed > self.limit() {
            return Err(self.too_long());
        }
        Ok(Found { ends, consumed })
    }

    /// Whatever stands between `UNKNOWN` and the CRLF is ignored.
    fn unknown(&self, rest: &[u8]) -> Result<Found, ParseError> {
        match rest {
            [] | [b'\r'] => Err(self.incomplete(MIN_LEN)),
            [b'\r', b'\n', ..] => self.found(Ends::Unspec, rest, MIN_LEN),
            [b'\r', ..] => Err(ParseError::invalid(Reason::BareCr, self.offset_of(rest))),
            [b'\n', ..] => Err(ParseError::invalid(Reason::BareLf, self.offset_of(rest))),
            [b' ', ..] => {
                let window = rest
                    .get(..self.limit().saturating_sub(UNKNOWN.len()))
                    .unwrap_or(rest);
                match window.windows(2).position(|pair| pair == b"\r\n") {
                    Some(at) => self.found(Ends::Unspec, rest.get(at..).unwrap_or_default(), MIN_LEN),
                    None => Err(self.incomplete(MIN_LEN)),
                }
            }
            _ => Err(ParseError::invalid(Reason::Protocol, self.offset_of(rest))),
        }
    }

    /// A fault counts only once the line is whole; a lone CR or LF, or a line with no room left for its end,
    /// is one before that.
    #[cold]
    fn fault(&self, (reason, at): Fault<'_>, min_len: usize) -> ParseError {
        let window = self.bytes.get(..self.limit()).unwrap_or(self.bytes);
        let Some(end) = window.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            return self.incomplete(min_len);
        };
        match window.get(end..) {
            Some([b'\n', ..]) => ParseError::invalid(Reason::BareLf, end),
            Some([b'\r', b'\n', ..]) => ParseError::invalid(reason, self.offset_of(at)),
            Some([b'\r', _, ..]) => ParseError::invalid(Reason::BareCr, end),
            _ => self.incomplete(min_len),
        }
    }

    /// No CRLF yet. Two bytes are missing, or one after a CR.
    fn incomplete(&self, min_len: usize) -> ParseError {
        let missing = if self.bytes.ends_with(b"\r") { 1 } else { 2 };
        let at_least = self.bytes.len().saturating_add(missing).max(min_len);
        if at_least > self.limit() {
            self.too_long()
        } else {
            ParseError::Incomplete { at_least }
        }
    }

    fn too_long(&self) -> ParseError {
        let reason = if self.max_len < MAX_LEN {
            Reason::TooLong
        } else {
            Reason::LineTooLong
        };
        ParseError::invalid(reason, self.limit().min(self.bytes.len()))
    }

    #[inline]
    fn limit(&self) -> usize {
        self.max_len.min(MAX_LEN)
    }

    #[inline]
    fn offset_of(&self, rest: &[u8]) -> usize {
        self.bytes.len().saturating_sub(rest.len())
    }

    /// Bytes that do not get as far as a protocol name: the beginning of one, or of none.
    #[cold]
    fn beginning(&self) -> ParseError {
        let bytes = self.bytes;
        let common = |line: &[u8]| {
            bytes
                .iter()
                .zip(line)
                .take_while(|(byte, other)| byte == other)
                .count()
        };
        let (tcp4, tcp6, unknown) = (common(TCP4), common(TCP6), common(UNKNOWN));
        let good = tcp4.max(tcp6).max(unknown);
        if good < bytes.len() {
            let reason = if good < b"PROXY ".len() {
                Reason::NotProxy
            } else {
                Reason::Protocol
            };
            return ParseError::invalid(reason, good);
        }
        let min_len = if unknown == good {
            MIN_LEN
        } else if tcp6 == good {
            TCP6_MIN_LEN
        } else {
            TCP4_MIN_LEN
        };
        // A protocol name that is cut lacks more than the two bytes of the line's end.
        self.incomplete(min_len)
    }
}
