//! Which addresses are those of a host, asked of the kernel that routes for one namespace (rtnetlink(7)).
//!
//! The socket is made in the namespace when a listener is, by whoever may enter it; asking needs no privilege, and no visit. The
//! kernel answers while the question is being sent, so nothing is waited for.

use std::io::{self, Read as _};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use netns_core::NetnsSpec;
use socket2::Socket;

use crate::opener::{SocketKind, SocketRequest};

/// A question, and an answer to it: both begin with these (linux/netlink.h, linux/rtnetlink.h).
const MESSAGE: usize = 16;
const ROUTE: usize = 12;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_REQUEST: u16 = 1;
/// The attribute with the address.
const RTA_DST: u16 = 1;
/// The type of a route to this host itself.
const RTN_LOCAL: u8 = 2;

/// The way to ask.
#[derive(Debug)]
pub(crate) struct Routes(Mutex<Socket>);

/// What to ask an opener for.
pub(crate) fn request(netns: Option<&NetnsSpec>) -> SocketRequest {
    SocketRequest {
        netns: netns.cloned().map(Arc::new),
        kind: SocketKind::Routes,
    }
}

impl Routes {
    pub(crate) fn new(socket: Socket) -> Self {
        Self(Mutex::new(socket))
    }

    /// Whether the host has this address. `None`: the kernel does not say.
    pub(crate) fn is_local(&self, ip: IpAddr) -> Option<bool> {
        // Answers come in the order of questions, one at a time.
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&socket, ip.to_canonical()).ok()
    }
}

fn ask(mut socket: &Socket, ip: IpAddr) -> io::Result<bool> {
    // What somebody may have left behind who was interrupted is no answer to this.
    let mut answer = [0; 1024];
    while socket.read(&mut answer).is_ok() {}
    socket.send(&question(ip))?;
    let length = socket.read(&mut answer)?;
    // Anything else is an error: there is no way to it.
    let is_route = answer[4..6] == RTM_NEWROUTE.to_ne_bytes();
    Ok(is_route && length > MESSAGE + ROUTE && answer[MESSAGE + 7] == RTN_LOCAL)
}

/// `RTM_GETROUTE` for this address.
fn question(ip: IpAddr) -> Vec<u8> {
    let (family, address) = match ip {
        IpAddr::V4(ip) => (libc::AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (libc::AF_INET6, ip.octets().to_vec()),
    };
    let [attribute, bits] =
        [4 + address.len(), 8 * address.len()].map(|number| u8::try_from(number).unwrap_or(0));
    let length = u32::try_from(MESSAGE + ROUTE).unwrap_or(0) + u32::from(attribute);
    let mut question = Vec::with_capacity(MESSAGE + ROUTE + 20);
    question.extend(length.to_ne_bytes());
    question.extend(RTM_GETROUTE.to_ne_bytes());
    question.extend(NLM_F_REQUEST.to_ne_bytes());
    question.extend([0; 8]);
    question.extend([u8::try_from(family).unwrap_or(0), bits]);
    question.extend([0; ROUTE - 2]);
    question.extend(u16::from(attribute).to_ne_bytes());
    question.extend(RTA_DST.to_ne_bytes());
    question.extend(address);
    question
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Protocol, Type};

    use super::*;

    #[test]
    fn the_kernel_says_which_addresses_are_its_own() {
        let socket = Socket::new_raw(
            Domain::from(libc::AF_NETLINK),
            Type::RAW.nonblocking().cloexec(),
            Some(Protocol::from(libc::NETLINK_ROUTE)),
        )
        .expect("a socket");
        let routes = Routes::new(socket);
        let is_local = |ip: &str| routes.is_local(ip.parse().expect("an address"));
        assert_eq!(is_local("127.0.0.1"), Some(true));
        assert_eq!(is_local("127.4.5.6"), Some(true));
        assert_eq!(is_local("::ffff:127.0.0.1"), Some(true));
        assert_eq!(is_local("192.0.2.1"), Some(false));
        assert_eq!(is_local("2001:db8::1"), Some(false));
    }
}
