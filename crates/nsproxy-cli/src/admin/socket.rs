//! The places where administrators are listened to. A file has its owner and its mode before anybody can connect to it.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use anyhow::Context as _;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{Mode, umask};
use nix::unistd::fchownat;
use nsproxy_config::model::{AdminLevel, AdminSocket, BindAddress};
use nsproxy_engine::{Endpoint, SocketFile, bind_path};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::identity::{group_id, user_id};
use crate::plan::endpoints;

/// Connections that may wait at each.
const BACKLOG: i32 = 64;

/// One place, open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(super) socket: Socket,
    pub(super) level: AdminLevel,
    /// As `show cli sockets` names it.
    pub(super) name: String,
    /// Removed with this.
    pub(super) file: Option<SocketFile>,
}

/// What becomes of a file at which another process listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It stays where it is, and that is an error.
    Refused,
    /// It makes way: that process is the one before this.
    Replaced,
}

/// Opens all of them. No other thread makes files meanwhile.
///
/// # Errors
///
/// One cannot be opened; those before it are closed, and their files removed.
pub(crate) fn open(sockets: &[AdminSocket], taken: Taken) -> anyhow::Result<Vec<Opened>> {
    let mut opened = Vec::new();
    for plan in sockets {
        for place in endpoints(&plan.address) {
            let failed = || format!("cannot listen for administrators at {place}");
            opened.push(open_at(plan, &place, taken).with_context(failed)?);
        }
    }
    Ok(opened)
}

fn open_at(plan: &AdminSocket, place: &Endpoint, taken: Taken) -> anyhow::Result<Opened> {
    let (socket, path) = match place {
        Endpoint::Ip(address) => {
            let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
            // Connections of the process before may still be waiting for their last packet, or itself for its end.
            socket.set_reuse_address(true)?;
            socket.set_reuse_port(taken == Taken::Replaced)?;
            socket.bind(&SockAddr::from(*address))?;
            (socket, None)
        }
        Endpoint::Unix(path) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            if let BindAddress::Abstract(_) = plan.address {
                socket.bind(&SockAddr::unix(path)?)?;
                (socket, None)
            } else {
                bind_file(&socket, path, plan, taken)?;
                (socket, Some(path))
            }
        }
        Endpoint::Inherited(_) => anyhow::bail!("administrators cannot be listened to there"),
    };
    // Only from here on can anybody connect.
    socket.listen(BACKLOG)?;
    let file = path.map(|path| SocketFile::of(&socket, path)).transpose()?;
    Ok(Opened {
        socket,
        level: plan.level,
        name: named(place),
        file,
    })
}

/// Makes the file, with its mode from its first moment on, and gives it to its owner.
fn bind_file(socket: &Socket, path: &Path, plan: &AdminSocket, taken: Taken) -> anyhow::Result<()> {
    let owner = plan.user.as_ref().map(user_id).transpose()?;
    let owner = owner.map(|(user, _)| user);
    let group = plan.group.as_ref().map(group_id).transpose()?;
    let is_socket = || fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if taken == Taken::Replaced && is_socket() {
        fs::remove_file(path)?;
    }
    let mask = plan
        .mode
        .map(|mode| umask(Mode::from_bits_truncate(!mode & 0o777)));
    let bound = bind_path(socket, path);
    if let Some(mask) = mask {
        umask(mask);
    }
    bound?;
    if owner.is_some() || group.is_some() {
        // Whatever has taken its place in the meantime is not followed.
        let given = fchownat(AT_FDCWD, path, owner, group, AtFlags::AT_SYMLINK_NOFOLLOW);
        if let Err(error) = given {
            // Nobody is to find it there.
            let _ = fs::remove_file(path);
            return Err(io::Error::from(error)).context("cannot change the owner");
        }
    }
    Ok(())
}

/// As a configuration would have it.
fn named(place: &Endpoint) -> String {
    match place {
        Endpoint::Ip(address) if address.is_ipv4() => format!("ipv4@{address}"),
        Endpoint::Ip(address) => format!("ipv6@{address}"),
        place => format!("unix@{place}"),
    }
}
