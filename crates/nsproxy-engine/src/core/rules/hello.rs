//! A TLS `ClientHello`, read without ending TLS (RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3, RFC 7301 section 3.1).
//!
//! Any bytes may come, in any pieces: what is there so far is read anew each time, and the answer is "not TLS", "incomplete",
//! or the first handshake message, whole. A message may lie in several records. Nothing is decrypted, and SSL 2 is not TLS.

use std::borrow::Cow;

/// The longest first message that is waited for, with its record headers.
pub const LONGEST_HELLO: usize = 16 * 1024;

/// Record type of handshake messages.
const HANDSHAKE: u8 = 22;
/// The longest record: 2^14 bytes, and what encryption may add to it.
const LONGEST_RECORD: usize = (1 << 14) + 2048;
/// Type of a `ClientHello`.
const CLIENT_HELLO: u8 = 1;
/// Extension with the server's name.
const SERVER_NAME: u16 = 0;
/// Extension with the application protocols.
const ALPN: u16 = 16;

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello<'a> {
    /// No TLS, or a first message longer than [`LONGEST_HELLO`].
    NotTls,
    /// Perhaps TLS: more bytes are needed.
    Incomplete,
    /// The first handshake message.
    Message(Message<'a>),
}

/// A handshake message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    kind: u8,
    body: Cow<'a, [u8]>,
}

impl<'a> Hello<'a> {
    /// Reads what is there so far.
    pub fn read(bytes: &'a [u8]) -> Self {
        let mut records = Records(bytes);
        let (first, mut rest) = match records.next() {
            Ok(first) => (first.fragment, !first.is_whole),
            Err(outcome) => return outcome,
        };
        // Mostly one record holds the whole message.
        if let Some((kind, body, length)) = split(first)
            && body.len() >= length
        {
            return Self::message(kind, Cow::Borrowed(&body[..length]));
        }
        let mut joined = first.to_vec();
        while !rest {
            if split(&joined).is_some_and(|(_, body, length)| body.len() >= length) {
                break;
            }
            match records.next() {
                Ok(record) => {
                    joined.extend_from_slice(record.fragment);
                    rest = !record.is_whole;
                }
                Err(Self::Incomplete) => break,
                Err(outcome) => return outcome,
            }
        }
        match split(&joined) {
            Some((_, _, length)) if length > LONGEST_HELLO => Self::NotTls,
            Some((kind, body, length)) if body.len() >= length => {
                Self::message(kind, Cow::Owned(body[..length].to_vec()))
            }
            _ if bytes.len() >= LONGEST_HELLO => Self::NotTls,
            _ => Self::Incomplete,
        }
    }

    fn message(kind: u8, body: Cow<'a, [u8]>) -> Self {
        Self::Message(Message { kind, body })
    }
}

/// The type of a message, what is there of its body, and how long that is to be.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let [kind, a, b, c, body @ ..] = bytes else {
        return None;
    };
    let length = u32::from_be_bytes([0, *a, *b, *c]);
    Some((*kind, body, usize::try_from(length).unwrap_or(usize::MAX)))
}

/// Records, one after the other.
struct Records<'a>(&'a [u8]);

struct Record<'a> {
    fragment: &'a [u8],
    is_whole: bool,
}

impl<'a> Records<'a> {
    /// The next record, as far as it is there.
    fn next(&mut self) -> Result<Record<'a>, Hello<'static>> {
        let bytes = self.0;
        // Each byte of a record's header is looked at as soon as it is there.
        let is_handshake = bytes.first().is_none_or(|kind| *kind == HANDSHAKE);
        let is_version_3 = bytes.get(1).is_none_or(|major| *major == 3);
        if !is_handshake || !is_version_3 {
            return Err(Hello::NotTls);
        }
        let [_, _, _, high, low, rest @ ..] = bytes else {
            return Err(Hello::Incomplete);
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length == 0 || length > LONGEST_RECORD {
            return Err(Hello::NotTls);
        }
        let is_whole = rest.len() >= length;
        let (fragment, behind) = rest.split_at(length.min(rest.len()));
        self.0 = behind;
        Ok(Record { fragment, is_whole })
    }
}

impl Message<'_> {
    /// Its type: 1 is a `ClientHello`.
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// The version that a `ClientHello` says: major times 65536, plus minor. TLS 1.3 says that it is 1.2 here.
    pub fn version(&self) -> Option<u32> {
        let [major, minor, ..] = self.body[..] else {
            return None;
        };
        (self.kind == CLIENT_HELLO).then(|| u32::from(major) << 16 | u32::from(minor))
    }

    /// The server name that the client asks for.
    pub fn server_name(&self) -> Option<&[u8]> {
        let mut extension = Reader(self.extension(SERVER_NAME)?);
        let mut names = Reader(extension.prefixed_by_two()?);
        let kind = names.byte()?;
        let name = names.prefixed_by_two()?;
        // The only type of name that was ever defined.
        (kind == 0).then_some(name)
    }

    /// The application protocols that the client offers, the preferred one first. They end where the list is malformed; a
    /// name without a byte is (RFC 7301 section 3.1).
    pub fn protocols(&self) -> Protocols<'_> {
        let list = self
            .extension(ALPN)
            .and_then(|extension| Reader(extension).prefixed_by_two());
        Protocols(Reader(list.unwrap_or_default()))
    }

    /// The contents of an extension of a `ClientHello`.
    fn extension(&self, wanted: u16) -> Option<&[u8]> {
        if self.kind != CLIENT_HELLO {
            return None;
        }
        let mut body = Reader(&self.body);
        // Version and random bytes.
        body.take(2 + 32)?;
        let session_id = body.prefixed_by_one()?;
        let cipher_suites = body.prefixed_by_two()?;
        let compression_methods = body.prefixed_by_one()?;
        if session_id.len() > 32 || cipher_suites.len() < 2 || compression_methods.is_empty() {
            return None;
        }
        let mut extensions = Reader(body.prefixed_by_two()?);
        loop {
            let kind = extensions.two()?;
            let contents = extensions.prefixed_by_two()?;
            if kind == wanted {
                return Some(contents);
            }
        }
    }
}

/// Names of application protocols, one after the other.
#[derive(Debug, Clone)]
pub struct Protocols<'a>(Reader<'a>);

impl<'a> Iterator for Protocols<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let name = self.0.prefixed_by_one().filter(|name| !name.is_empty());
        if name.is_none() {
            self.0 = Reader(&[]);
        }
        name
    }
}

/// Bytes, taken from the front. What is not there is `None`.
#[derive(Debug, Clone)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let [byte, rest @ ..] = self.0 else { return None };
        self.0 = rest;
        Some(*byte)
    }

    fn two(&mut self) -> Option<u16> {
        let [high, low, rest @ ..] = self.0 else {
            return None;
        };
        self.0 = rest;
        Some(u16::from_be_bytes([*high, *low]))
    }

    fn prefixed_by_one(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        self.take(length.into())
    }

    fn prefixed_by_two(&mut self) -> Option<&'a [u8]> {
        let length = self.two()?;
        self.take(length.into())
    }
}
