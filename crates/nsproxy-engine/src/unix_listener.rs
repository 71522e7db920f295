//! Listening at a path: a stale socket file is replaced, one that a live program listens on is never stolen, and our own
//! file goes when the listener does.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::socket::{getsockopt, sockopt};
use socket2::{SockAddr, Socket};

use crate::opener::Operation;
use crate::plan::Endpoint;

/// Binds `socket` to `path`, in the place of a file that is left over from a program that has ended. Nobody can connect before
/// it listens.
///
/// # Errors
///
/// The kernel refuses; `AddrInUse` is a program that listens there, or a file that is no socket.
pub fn bind_path(socket: &Socket, path: &Path) -> io::Result<()> {
    let address = SockAddr::unix(path)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(path) => {
            std::fs::remove_file(path).and_then(|()| socket.bind(&address))
        }
        other => other,
    }
}

/// Binds `socket` to `path` and listens.
pub(crate) fn listen(socket: &Socket, path: &Path, backlog: i32) -> Result<(), (Operation, io::Error)> {
    let place = || Endpoint::Unix(path.to_owned());
    bind_path(socket, path).map_err(|error| (Operation::Bind(place()), error))?;
    socket
        .listen(backlog)
        .map_err(|error| (Operation::Listen(place()), error))
}

/// Whether a socket file is left over: nobody listens there any more. Anything but a socket is not ours to remove.
fn is_stale(path: &Path) -> bool {
    // Connecting to any other kind of file is refused, too (`ECONNREFUSED`).
    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// The file of a unix listener, removed when the listener is dropped, unless another has taken its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode: a path that names another file by then is left alone.
    identity: (u64, u64),
    /// Whether it is for somebody else to remove.
    is_left: AtomicBool,
}

impl SocketFile {
    /// The file of this listening socket. It is left where it is while another process is the one that listens there: the one that
    /// this process has the socket from.
    ///
    /// # Errors
    ///
    /// There is none, or the socket does not listen.
    pub fn of(socket: &Socket, path: &Path) -> io::Result<Self> {
        let identity = identity(path)?;
        // For a listening socket, these are of the process that called `listen` (unix(7)).
        let listening = getsockopt(socket, sockopt::PeerCredentials)?.pid();
        Ok(Self {
            path: path.to_owned(),
            identity,
            is_left: AtomicBool::new(u32::try_from(listening) != Ok(std::process::id())),
        })
    }

    /// Whether the file is left where it is when this is dropped.
    pub(crate) fn set_left(&self, is_left: bool) {
        self.is_left.store(is_left, Ordering::Relaxed);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.is_left.load(Ordering::Relaxed) && identity(&self.path).is_ok_and(|now| now == self.identity)
        {
            // Whether it goes or not, nothing listens there any more; the next start replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = std::fs::symlink_metadata(path)?;
    if !file.file_type().is_socket() {
        return Err(io::Error::other("not a socket"));
    }
    Ok((file.dev(), file.ino()))
}
