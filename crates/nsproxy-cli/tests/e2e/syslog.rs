//! A syslog daemon's socket.

use std::io::Read as _;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use nsproxy_testkit::{DEFAULT_DEADLINE, Netns};
use socket2::Socket;

/// More than the longest line.
const ROOM: usize = 70_000;

/// Datagrams, each of them a line.
pub(crate) struct Syslog(Socket);

impl Syslog {
    /// At this path.
    #[track_caller]
    pub(crate) fn at(path: &Path) -> Self {
        Self::from(UnixDatagram::bind(path).expect("a path of its own"))
    }

    /// At this port of the namespace's loopback address.
    #[track_caller]
    pub(crate) fn udp(netns: &Netns, port: u16) -> Self {
        let bind = || UdpSocket::bind(("127.0.0.1", port)).expect("nobody else is in this namespace");
        Self::from(netns.run(bind))
    }

    fn from(socket: impl Into<Socket>) -> Self {
        let socket = Self(socket.into());
        socket.wait_for(DEFAULT_DEADLINE);
        socket
    }

    /// How long each line is waited for from now on.
    pub(crate) fn wait_for(&self, time: Duration) {
        self.0.set_read_timeout(Some(time)).expect("a timeout");
    }

    /// The next line.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.try_line().expect("a line in time")
    }

    /// The next line, if one comes in time.
    pub(crate) fn try_line(&self) -> std::io::Result<String> {
        let mut buffer = vec![0; ROOM];
        let length = (&self.0).read(&mut buffer)?;
        buffer.truncate(length);
        Ok(String::from_utf8_lossy(&buffer).into_owned())
    }

    /// Whether nothing has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.set_nonblocking(true).expect("a flag");
        let line = self.try_line();
        self.0.set_nonblocking(false).expect("a flag");
        line.is_err()
    }
}
