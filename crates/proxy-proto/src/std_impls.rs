//! What needs the standard library: conversions to `std::io::Error` and to UNIX socket addresses.

use std::io;

use crate::error::{Invalid, ParseError};
use crate::write_error::WriteError;

/// [`ParseError::Incomplete`] is [`io::ErrorKind::UnexpectedEof`]: convert it when the connection has ended. Anything else
/// is [`io::ErrorKind::InvalidData`].
impl From<ParseError> for io::Error {
    fn from(error: ParseError) -> Self {
        let kind = match error {
            ParseError::Incomplete { .. } => io::ErrorKind::UnexpectedEof,
            ParseError::Invalid(_) => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

impl From<Invalid> for io::Error {
    fn from(error: Invalid) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::SocketAddr;

    use crate::addresses::Unix;

    impl Unix<'_> {
        /// The source as an address of the standard library.
        ///
        /// # Errors
        ///
        /// [`io::ErrorKind::InvalidInput`] when it is an abstract name and the system is not Linux, or a path that
        /// fills all 108 bytes and leaves the system no room for its NUL.
        pub fn source_addr(&self) -> io::Result<SocketAddr> {
            socket_addr(self.source_name())
        }

        /// The destination as an address of the standard library.
        ///
        /// # Errors
        ///
        /// As [`Self::source_addr`].
        pub fn destination_addr(&self) -> io::Result<SocketAddr> {
            socket_addr(self.destination_name())
        }
    }

    fn socket_addr(name: &[u8]) -> io::Result<SocketAddr> {
        match name {
            [0, name @ ..] => from_abstract_name(name),
            path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)),
        }
    }

    #[cfg(target_os = "linux")]
    fn from_abstract_name(name: &[u8]) -> io::Result<SocketAddr> {
        <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
    }

    #[cfg(not(target_os = "linux"))]
    fn from_abstract_name(_: &[u8]) -> io::Result<SocketAddr> {
        Err(io::Error::from(io::ErrorKind::InvalidInput))
    }
}
