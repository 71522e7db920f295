//! The address values that both versions carry, and the conversions from and to `core::net`.
//!
//! They hold exactly what the wire holds: no IPv6 scope or flow label, so nothing can be lost on the way
//! out without being noticed.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::write_error::WriteError;

/// How the proxied connection is carried (specification, section 2.2, low nibble of byte 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `SOCK_STREAM`: TCP, or a stream socket of the UNIX family.
    Stream,
    /// `SOCK_DGRAM`: UDP, or a datagram socket of the UNIX family. Version 2 only.
    Dgram,
}

/// The two ends of the proxied connection, as the sender of the header saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses<'a> {
    /// Unknown or not supported: the real ends of the connection are to be used.
    Unspec,
    /// A pair of IPv4 addresses.
    Inet(Transport, Inet),
    /// A pair of IPv6 addresses.
    Inet6(Transport, Inet6),
    /// A pair of UNIX socket addresses. Version 2 only.
    Unix(Transport, Unix<'a>),
}

/// A pair of IPv4 addresses with ports.
///
/// Aligned so that in an [`Addresses`] no number lies across two of the words by which it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(align(4))]
pub struct Inet {
    /// Address of the client.
    pub source: Ipv4Addr,
    /// Address that the client connected to.
    pub destination: Ipv4Addr,
    /// Port of the client.
    pub source_port: u16,
    /// Port that the client connected to.
    pub destination_port: u16,
}

/// A pair of IPv6 addresses with ports.
///
/// Aligned so that in an [`Addresses`] no number lies across two of the words by which it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(align(4))]
pub struct Inet6 {
    /// Address of the client.
    pub source: Ipv6Addr,
    /// Address that the client connected to.
    pub destination: Ipv6Addr,
    /// Port of the client.
    pub source_port: u16,
    /// Port that the client connected to.
    pub destination_port: u16,
}

/// A pair of UNIX socket addresses, each the 108 bytes of a `sun_path`, borrowed from the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unix<'a> {
    /// Address of the client.
    pub source: &'a [u8; 108],
    /// Address that the client connected to.
    pub destination: &'a [u8; 108],
}

impl Addresses<'static> {
    /// The pair of one family.
    ///
    /// The scope and flow label of an IPv6 address are left out: the protocol has no place for them.
    ///
    /// # Errors
    ///
    /// [`WriteError::MixedFamilies`] when one is IPv4 and the other IPv6; see [`Self::promoted`].
    pub const fn from_socket_addrs(
        transport: Transport,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Result<Self, WriteError> {
        match (source, destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
                Ok(Self::Inet(transport, Inet::new(source, destination)))
            }
            (SocketAddr::V6(source), SocketAddr::V6(destination)) => {
                Ok(Self::Inet6(transport, Inet6::new(source, destination)))
            }
            _ => Err(WriteError::MixedFamilies),
        }
    }

    /// Like [`Self::from_socket_addrs`], but a mixed pair becomes IPv6: the IPv4 address is written as
    /// `::ffff:a.b.c.d`, as HAProxy does. Two IPv4 addresses stay what they are.
    #[must_use]
    pub const fn promoted(transport: Transport, source: SocketAddr, destination: SocketAddr) -> Self {
        match (source, destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
                Self::Inet(transport, Inet::new(source, destination))
            }
            _ => Self::Inet6(
                transport,
                Inet6 {
                    source: mapped(source.ip()),
                    destination: mapped(destination.ip()),
                    source_port: source.port(),
                    destination_port: destination.port(),
                },
            ),
        }
    }
}

impl Addresses<'_> {
    /// The transport; `None` when unspecified.
    #[inline]
    pub const fn transport(&self) -> Option<Transport> {
        match *self {
            Self::Unspec => None,
            Self::Inet(transport, _) | Self::Inet6(transport, _) | Self::Unix(transport, _) => {
                Some(transport)
            }
        }
    }

    /// Source and destination; `None` when unspecified or UNIX.
    #[inline]
    pub const fn socket_addrs(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Inet(_, inet) => Some((SocketAddr::V4(inet.source()), SocketAddr::V4(inet.destination()))),
            Self::Inet6(_, inet) => Some((SocketAddr::V6(inet.source()), SocketAddr::V6(inet.destination()))),
            Self::Unspec | Self::Unix(..) => None,
        }
    }
}

impl Inet {
    /// The address block of version 2 (specification, section 2.2).
    #[inline]
    pub(crate) const fn from_block(block: &[u8; 12]) -> Self {
        let [s0, s1, s2, s3, d0, d1, d2, d3, sp0, sp1, dp0, dp1] = *block;
        Self {
            source: Ipv4Addr::new(s0, s1, s2, s3),
            destination: Ipv4Addr::new(d0, d1, d2, d3),
            source_port: u16::from_be_bytes([sp0, sp1]),
            destination_port: u16::from_be_bytes([dp0, dp1]),
        }
    }

    /// A pair from socket addresses.
    #[inline]
    pub const fn new(source: SocketAddrV4, destination: SocketAddrV4) -> Self {
        Self {
            source: *source.ip(),
            destination: *destination.ip(),
            source_port: source.port(),
            destination_port: destination.port(),
        }
    }

    /// Source address and port.
    #[inline]
    pub const fn source(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.source, self.source_port)
    }

    /// Destination address and port.
    #[inline]
    pub const fn destination(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.destination, self.destination_port)
    }
}

impl Inet6 {
    /// The address block of version 2 (specification, section 2.2).
    #[inline]
    pub(crate) const fn from_block(block: &[u8; 36]) -> Self {
        // Two addresses and four bytes are all that 36 bytes can be.
        let ([source, destination], [sp0, sp1, dp0, dp1]) = block.as_chunks::<16>() else {
            return Self::UNSPECIFIED;
        };
        Self {
            source: Ipv6Addr::from_bits(u128::from_be_bytes(*source)),
            destination: Ipv6Addr::from_bits(u128::from_be_bytes(*destination)),
            source_port: u16::from_be_bytes([*sp0, *sp1]),
            destination_port: u16::from_be_bytes([*dp0, *dp1]),
        }
    }

    const UNSPECIFIED: Self = Self {
        source: Ipv6Addr::UNSPECIFIED,
        destination: Ipv6Addr::UNSPECIFIED,
        source_port: 0,
        destination_port: 0,
    };

    /// A pair from socket addresses, without their scope and flow label.
    #[inline]
    pub const fn new(source: SocketAddrV6, destination: SocketAddrV6) -> Self {
        Self {
            source: *source.ip(),
            destination: *destination.ip(),
            source_port: source.port(),
            destination_port: destination.port(),
        }
    }

    /// Source address and port.
    #[inline]
    pub const fn source(&self) -> SocketAddrV6 {
        SocketAddrV6::new(self.source, self.source_port, 0, 0)
    }

    /// Destination address and port.
    #[inline]
    pub const fn destination(&self) -> SocketAddrV6 {
        SocketAddrV6::new(self.destination, self.destination_port, 0, 0)
    }
}

impl<'a> Unix<'a> {
    /// The address block of version 2 (specification, section 2.2).
    #[inline]
    pub(crate) const fn from_block(block: &'a [u8; 216]) -> Self {
        // Two names are all that 216 bytes can be.
        let ([source, destination], []) = block.as_chunks::<108>() else {
            return Self {
                source: &[0; 108],
                destination: &[0; 108],
            };
        };
        Self { source, destination }
    }

    /// The source without the NUL bytes that fill the field. Empty for an unnamed socket.
    pub fn source_name(&self) -> &'a [u8] {
        trimmed(self.source)
    }

    /// The destination without the NUL bytes that fill the field. Empty for an unnamed socket.
    pub fn destination_name(&self) -> &'a [u8] {
        trimmed(self.destination)
    }

    /// The 108-byte field for a socket name: a path, or an abstract name with its leading NUL.
    ///
    /// `None` when the name is longer than 108 bytes.
    pub fn field(name: &[u8]) -> Option<[u8; 108]> {
        let mut field = [0; 108];
        field.get_mut(..name.len())?.copy_from_slice(name);
        Some(field)
    }
}

/// A path ends at its first NUL; an abstract name begins with one, and the wire does not say where it ends, so
/// there the filling is what is cut.
fn trimmed(field: &[u8; 108]) -> &[u8] {
    let end = match field {
        [0, ..] => field
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last.saturating_add(1)),
        _ => field.iter().position(|&byte| byte == 0).unwrap_or(field.len()),
    };
    field.get(..end).unwrap_or(field)
}

const fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}
