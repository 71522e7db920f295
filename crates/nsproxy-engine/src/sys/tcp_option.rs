//! Options of TCP sockets that no crate wraps.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// Sets an option of a TCP socket that is a number: one of tcp(7).
pub(crate) fn set_tcp_option(socket: &impl AsFd, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // The size of a number is no more than the kernel's type holds.
    #[expect(clippy::cast_possible_truncation, reason = "four bytes")]
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open for the duration of the call, and the kernel reads `size` bytes of `value`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            name,
            (&raw const value).cast(),
            size,
        )
    };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// How a listening socket says of itself that it is one, as `tcpi_state` (`include/net/tcp_states.h`).
const LISTENS: u8 = 10;

/// The beginning of the kernel's `struct tcp_info`, up to what a listener tells in it.
#[repr(C)]
#[derive(Default)]
struct TcpInfo {
    state: u8,
    flags: [u8; 7],
    times: [u32; 4],
    /// Of a listener: connections that can be accepted.
    unacked: u32,
}

/// How many connections can be accepted from a TCP listener. `None`: it is none, or no longer.
pub(crate) fn acceptable(listener: &impl AsFd) -> Option<usize> {
    let mut info = TcpInfo::default();
    #[expect(clippy::cast_possible_truncation, reason = "a few dozen bytes")]
    let mut size = size_of::<TcpInfo>() as libc::socklen_t;
    // SAFETY: the descriptor is open for the duration of the call. The kernel writes at most `size` bytes to `info`, in which
    // any bytes are a value.
    let result = unsafe {
        libc::getsockopt(
            listener.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut size,
        )
    };
    (result == 0 && info.state == LISTENS).then_some(info.unacked as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, eventually};

    #[test]
    fn a_listener_tells_how_many_wait_until_it_is_shut() {
        let listener = Listener::bind("127.0.0.1:0");
        assert_eq!(acceptable(&listener), Some(0));
        let peers = [(); 2].map(|()| Peer::connect(listener.address()));
        eventually(DEFAULT_DEADLINE, "two connections", || {
            (acceptable(&listener) == Some(2)).then_some(())
        });
        let accepted = listener.accept();
        assert_eq!(acceptable(&listener), Some(1));
        drop((peers, accepted));
        listener.socket().shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(acceptable(&listener), None);
    }

    #[test]
    fn what_is_no_tcp_listener_does_not_tell() {
        let listener = Listener::bind("127.0.0.1:0");
        let peer = Peer::connect(listener.address());
        assert_eq!(acceptable(&*peer.socket()), None);
        let directory = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(directory.path().join("socket")).unwrap();
        assert_eq!(acceptable(&unix), None);
    }
}
