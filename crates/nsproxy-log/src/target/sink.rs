//! Writing a line, on the thread of a target. A descriptor and a unix socket may block here; a datagram to the network does not.

use std::io::{self, ErrorKind, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;

use super::Address;
use crate::sys;

/// Where lines are written.
#[derive(Debug)]
pub(super) enum Sink {
    /// Standard output, wherever that leads at the moment: a daemon lets go of its terminal, and so must its log.
    Stdout,
    /// The same of standard error.
    Stderr,
    Descriptor(OwnedFd),
    Udp(UdpSocket, SocketAddr),
    /// The address is looked up with each line: a daemon that was started again is found by itself.
    Datagrams(UnixDatagram, PathBuf),
    /// The daemon's socket is one of streams. `None` until there is a connection.
    Stream(Option<UnixStream>, PathBuf),
}

impl Sink {
    pub(super) fn open(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Stdout => Self::Stdout,
            Address::Stderr => Self::Stderr,
            Address::Fd(fd) => Self::Descriptor(sys::duplicate(*fd)?),
            Address::Udp(address) => {
                let any: SocketAddr = if address.is_ipv4() {
                    (Ipv4Addr::UNSPECIFIED, 0).into()
                } else {
                    (Ipv6Addr::UNSPECIFIED, 0).into()
                };
                let socket = UdpSocket::bind(any)?;
                socket.set_nonblocking(true)?;
                Self::Udp(socket, *address)
            }
            Address::Unix(path) => Self::Datagrams(UnixDatagram::unbound()?, path.clone()),
        })
    }

    /// Writes one line, which ends in its newline. On an error the target has not got it, or not all of it.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => write_all(io::stdout().as_fd(), line),
            Self::Stderr => write_all(io::stderr().as_fd(), line),
            Self::Descriptor(fd) => write_all(fd.as_fd(), line),
            Self::Udp(socket, address) => socket.send_to(line, *address).map(drop),
            Self::Datagrams(socket, path) => match socket.send_to(line, &*path) {
                Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
                    *self = Self::Stream(None, std::mem::take(path));
                    self.write(line)
                }
                sent => sent.map(drop),
            },
            Self::Stream(stream, path) => match write_stream(stream, path, line) {
                Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
                    *self = Self::Datagrams(UnixDatagram::unbound()?, std::mem::take(path));
                    Err(error)
                }
                written => written,
            },
        }
    }
}

/// Connects where there is no connection, once more where it has broken.
fn write_stream(stream: &mut Option<UnixStream>, path: &Path, line: &[u8]) -> io::Result<()> {
    if let Some(connected) = stream
        && connected.write_all(line).is_ok()
    {
        return Ok(());
    }
    *stream = None;
    let mut connected = UnixStream::connect(path)?;
    connected.write_all(line)?;
    *stream = Some(connected);
    Ok(())
}

/// Waits where others would give up: another program may have made the descriptor non-blocking.
fn write_all(fd: BorrowedFd<'_>, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match write(fd, line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => line = &line[written..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut ready = [PollFd::new(fd, PollFlags::POLLOUT)];
                poll(&mut ready, PollTimeout::NONE)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
