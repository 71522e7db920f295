//! `NetnsId`: which network namespace it is, beyond names and descriptors.
//!
//! The kernel gives each network namespace a 64-bit number, its cookie, and never uses one again before the
//! next boot. The inode of a namespace file is no substitute: the kernel hands it out again right after a
//! namespace dies, so it identifies only while a descriptor is held. A cookie holds nothing.

use std::fmt;
use std::io;
use std::os::fd::AsFd;

use crate::error::{OpenError, OpenOperation, Target};
use crate::{Netns, scoped, sys};

/// The identity of a network namespace: the kernel's cookie for it. Two ids are equal exactly if the
/// namespaces are the same, within one boot of the machine.
///
/// It holds no descriptor, so it does not keep the namespace alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetnsId(u64);

impl NetnsId {
    /// The id of the network namespace in which `socket` was made (`SO_NETNS_COOKIE`, Linux 5.14).
    ///
    /// Needs no privilege. A socket stays in its namespace, whatever its process does later.
    ///
    /// # Errors
    ///
    /// `socket` is not a socket, or the kernel is too old.
    pub fn of_socket(socket: &impl AsFd) -> Result<Self, OpenError> {
        sys::socket::netns_cookie(socket.as_fd())
            .map(Self)
            .map_err(|source| OpenError::System {
                operation: OpenOperation::ReadId,
                target: Target::Socket,
                source,
            })
    }

    /// An id from its number, for one that was stored or is made up for a test.
    pub const fn from_u64(cookie: u64) -> Self {
        Self(cookie)
    }

    /// The number that the kernel gave.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Asks the namespace file on Linux 6.18 and later, and a socket inside the namespace before that.
    pub(crate) fn of_netns(netns: &Netns) -> io::Result<Self> {
        match sys::nsfs::namespace_id(netns.as_fd()) {
            Ok(id) => Ok(Self(id)),
            Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => Self::through_a_socket(netns),
            Err(error) => Err(error),
        }
    }

    /// What [`NetnsId::of_netns`] does on a kernel without `NS_GET_ID`: it has to enter the namespace.
    fn through_a_socket(netns: &Netns) -> io::Result<Self> {
        scoped::run(netns, || {
            let socket = std::os::unix::net::UnixDatagram::unbound()?;
            sys::socket::netns_cookie(socket.as_fd()).map(Self)
        })
        .map_err(io::Error::from)?
    }
}

/// The number, in decimal.
impl fmt::Display for NetnsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_the_id_agree() {
        let here = Netns::current().unwrap();
        let by_socket = match NetnsId::through_a_socket(&here) {
            Err(error) if std::env::var("CI").as_deref() != Ok("true") => {
                let line = format!("SKIPPED both_ways_to_the_id_agree: {error}\n");
                return io::Write::write_all(&mut io::stderr(), line.as_bytes()).unwrap();
            }
            id => id.unwrap(),
        };
        assert_eq!(NetnsId::of_netns(&here).unwrap(), by_socket);
        let socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
        assert_eq!(NetnsId::of_socket(&socket).unwrap(), by_socket);
    }
}
