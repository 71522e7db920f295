//! Writing a line, on the thread of a target. A descriptor and a unix socket may block here; a datagram to the network does not.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Address;
use crate::sys;

/// Where lines are written.
#[derive(Debug)]
pub(super) enum Sink {
    File(File),
    Udp(UdpSocket, SocketAddr),
    /// The address is looked up with each line: a daemon that was started again is found by itself.
    Datagrams(UnixDatagram, PathBuf),
    /// The daemon's socket is one of streams. `None` until there is a connection.
    Stream(Option<UnixStream>, PathBuf),
}

impl Sink {
    pub(super) fn open(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Stdout => Self::File(io::stdout().as_fd().try_clone_to_owned()?.into()),
            Address::Stderr => Self::File(io::stderr().as_fd().try_clone_to_owned()?.into()),
            Address::Fd(fd) => Self::File(sys::duplicate(*fd)?.into()),
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
            Self::File(file) => write_all(file, line),
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

/// Waits where `File::write_all` would give up: another program may have made the descriptor non-blocking.
fn write_all(mut file: &File, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match file.write(line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => line = &line[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut ready = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
                poll(&mut ready, PollTimeout::NONE)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
