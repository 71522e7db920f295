//! A parsed header: a small `Copy` value that borrows the TLVs and UNIX addresses from the input.

use core::fmt;
use core::net::SocketAddr;

use crate::addresses::{Addresses, Inet, Inet6, Transport, Unix};
use crate::ssl::Ssl;
use crate::text::{Text, TextError};
use crate::tlv::{Chain, TlvType, Tlvs};

/// What [`parse`](crate::parse) found at the beginning of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// The header.
    pub header: Header<'a>,
    /// Its length in bytes. The payload begins there.
    pub consumed: usize,
}

/// A valid PROXY protocol header.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    pub(crate) version: Version,
    pub(crate) checksum: Checksum,
    pub(crate) ends: Ends<'a>,
    pub(crate) tlvs: Chain<'a>,
}

/// Command and addresses as the parser leaves them. Those of version 2 stay where they stand until somebody asks: who only
/// wants the namespace, or passes the header on, never pays for them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends<'a> {
    Local,
    Unspec,
    /// Version 1: read on the way to the end of the line.
    LineInet(Inet),
    LineInet6(Inet6),
    BlockInet(Transport, &'a [u8; 12]),
    BlockInet6(Transport, &'a [u8; 36]),
    BlockUnix(Transport, &'a [u8; 216]),
}

/// Version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// Text, one line (specification, section 2.1).
    V1,
    /// Binary (section 2.2).
    V2,
}

/// On whose behalf the connection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command<'a> {
    /// The sender's own connection, such as a health check. The real ends of the connection are to be used;
    /// whatever addresses the header holds mean nothing and cannot be reached from here. Version 2 only.
    Local,
    /// A connection that the sender relays, between these addresses.
    Proxy(Addresses<'a>),
}

/// Whether a header carries a CRC32C. One with a wrong checksum is never returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// It carries none.
    Absent,
    /// It carries one, and it is right.
    Verified,
}

impl<'a> Header<'a> {
    #[inline]
    pub(crate) const fn of_line(ends: Ends<'static>) -> Self {
        Self {
            version: Version::V1,
            checksum: Checksum::Absent,
            ends,
            tlvs: Chain::EMPTY,
        }
    }

    /// Version of the protocol in which the header was written.
    #[inline]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The command, with the addresses where they mean something. Version 1 knows only PROXY.
    #[inline]
    pub const fn command(&self) -> Command<'a> {
        match self.ends {
            Ends::Local => Command::Local,
            _ => Command::Proxy(self.addresses()),
        }
    }

    /// Whether the connection is the sender's own.
    #[inline]
    pub const fn is_local(&self) -> bool {
        matches!(self.ends, Ends::Local)
    }

    /// The addresses; [`Addresses::Unspec`] under LOCAL.
    #[inline]
    pub const fn addresses(&self) -> Addresses<'a> {
        match self.ends {
            Ends::Local | Ends::Unspec => Addresses::Unspec,
            Ends::LineInet(inet) => Addresses::Inet(Transport::Stream, inet),
            Ends::LineInet6(inet) => Addresses::Inet6(Transport::Stream, inet),
            Ends::BlockInet(transport, block) => Addresses::Inet(transport, Inet::from_block(block)),
            Ends::BlockInet6(transport, block) => Addresses::Inet6(transport, Inet6::from_block(block)),
            Ends::BlockUnix(transport, block) => Addresses::Unix(transport, Unix::from_block(block)),
        }
    }

    /// The transport of the relayed connection; `None` when unspecified, and under LOCAL.
    #[inline]
    pub const fn transport(&self) -> Option<Transport> {
        match self.ends {
            Ends::Local | Ends::Unspec => None,
            Ends::LineInet(_) | Ends::LineInet6(_) => Some(Transport::Stream),
            Ends::BlockInet(transport, _)
            | Ends::BlockInet6(transport, _)
            | Ends::BlockUnix(transport, _) => Some(transport),
        }
    }

    /// Source and destination of the relayed connection.
    ///
    /// `None` when the real ends of the connection are to be used (LOCAL, UNKNOWN, unspecified), and for UNIX addresses.
    #[inline]
    pub const fn socket_addrs(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.addresses().socket_addrs()
    }

    /// All TLVs in order, padding included. None in version 1.
    ///
    /// Under LOCAL and PROXY with an unspecified family they are there only if the block is nothing but TLVs: it
    /// may as well be addresses, which are to be skipped unread.
    #[inline]
    pub const fn tlvs(&self) -> Tlvs<'a> {
        self.tlvs.iter()
    }

    /// Whether the header carries a checksum, which then was verified.
    #[inline]
    pub const fn crc32c(&self) -> Checksum {
        self.checksum
    }

    /// Name of the network namespace: the first NETNS TLV, raw. See [`Self::netns_str`].
    #[inline]
    pub fn netns(&self) -> Option<&'a [u8]> {
        self.tlvs.find_value(TlvType::NETNS)
    }

    /// Name of the network namespace as text.
    ///
    /// # Errors
    ///
    /// [`TextError`] when it is not US-ASCII (2.2.7).
    pub fn netns_str(&self) -> Result<Option<&'a str>, TextError> {
        self.netns().map(|value| Text::ascii(value).to_str()).transpose()
    }

    /// Host name that the client asked for: the first AUTHORITY TLV, raw. See [`Self::authority_str`].
    #[inline]
    pub fn authority(&self) -> Option<&'a [u8]> {
        self.tlvs.find_value(TlvType::AUTHORITY)
    }

    /// Host name that the client asked for as text. It is not checked to be a host name.
    ///
    /// # Errors
    ///
    /// [`TextError`] when it is not UTF-8 (2.2.2).
    pub fn authority_str(&self) -> Result<Option<&'a str>, TextError> {
        self.authority()
            .map(|value| Text::utf8(value).to_str())
            .transpose()
    }

    /// Application protocol: the first ALPN TLV.
    #[inline]
    pub fn alpn(&self) -> Option<&'a [u8]> {
        self.tlvs.find_value(TlvType::ALPN)
    }

    /// Id of the connection, at most 128 bytes: the first `UNIQUE_ID` TLV.
    #[inline]
    pub fn unique_id(&self) -> Option<&'a [u8]> {
        self.tlvs.find_value(TlvType::UNIQUE_ID)
    }

    /// The client's TLS session: the first SSL TLV.
    #[inline]
    pub fn ssl(&self) -> Option<Ssl<'a>> {
        Ssl::new(self.tlvs.find_value(TlvType::SSL)?)
    }
}

/// Equal headers say the same, wherever their bytes are.
impl PartialEq for Header<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
            && self.checksum == other.checksum
            && self.command() == other.command()
            && self.tlvs == other.tlvs
    }
}

impl Eq for Header<'_> {}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("version", &self.version)
            .field("command", &self.command())
            .field("crc32c", &self.checksum)
            .field("tlvs", &self.tlvs)
            .finish()
    }
}
