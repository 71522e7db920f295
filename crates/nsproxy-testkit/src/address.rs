//! Where a peer connects or a listener listens: an internet address with a port, or a unix path.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr};

/// The address of a stream socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP, over IPv4 or IPv6.
    Inet(SocketAddr),
    /// A unix stream socket bound to a path.
    Unix(PathBuf),
}

impl Address {
    /// The internet address.
    ///
    /// # Panics
    ///
    /// When this is a unix path.
    #[track_caller]
    pub fn inet(&self) -> SocketAddr {
        match self {
            Self::Inet(address) => *address,
            Self::Unix(path) => panic!("{} is no internet address", path.display()),
        }
    }

    /// The port.
    ///
    /// # Panics
    ///
    /// When this is a unix path.
    #[track_caller]
    pub fn port(&self) -> u16 {
        self.inet().port()
    }

    pub(crate) fn domain(&self) -> Domain {
        match self {
            Self::Inet(address) => Domain::for_address(*address),
            Self::Unix(_) => Domain::UNIX,
        }
    }

    pub(crate) fn to_sock_addr(&self) -> io::Result<SockAddr> {
        match self {
            Self::Inet(address) => Ok((*address).into()),
            Self::Unix(path) => SockAddr::unix(path),
        }
    }

    /// The address a socket reports; an unnamed unix socket has the empty path.
    pub(crate) fn from_sock_addr(address: &SockAddr) -> Self {
        match address.as_socket() {
            Some(inet) => Self::Inet(inet),
            None => Self::Unix(address.as_pathname().unwrap_or_else(|| Path::new("")).to_owned()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What names an [`Address`]: the calls of this crate take any of these.
///
/// Text is either `ADDR:PORT`, with brackets round an IPv6 address, or `unix:PATH`.
pub trait ToAddress {
    /// The address that is named.
    ///
    /// # Panics
    ///
    /// When text names none: an address in a test is a literal.
    fn to_address(&self) -> Address;
}

impl ToAddress for Address {
    fn to_address(&self) -> Address {
        self.clone()
    }
}

impl ToAddress for SocketAddr {
    fn to_address(&self) -> Address {
        Address::Inet(*self)
    }
}

impl ToAddress for str {
    #[track_caller]
    fn to_address(&self) -> Address {
        match self.strip_prefix("unix:") {
            Some(path) => Address::Unix(path.into()),
            None => Address::Inet(
                self.parse()
                    .unwrap_or_else(|_| panic!("{self:?} is no ADDR:PORT")),
            ),
        }
    }
}

impl ToAddress for Path {
    fn to_address(&self) -> Address {
        Address::Unix(self.to_owned())
    }
}

impl ToAddress for PathBuf {
    fn to_address(&self) -> Address {
        Address::Unix(self.clone())
    }
}

impl<T: ToAddress + ?Sized> ToAddress for &T {
    fn to_address(&self) -> Address {
        (**self).to_address()
    }
}
