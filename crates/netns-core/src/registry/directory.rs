//! The registry's directory: made, locked, and turned into a shared mount of its own.
//!
//! It has to be shared, so that entries reach other mount namespaces, and it has to be a mount point to be
//! shared. Two processes that do this at once would mount it on itself twice (Debian bug 949235), hence the
//! lock.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;

use super::NO_TEXT;
use super::error::{RegistryError, RegistryOperation};

/// Makes the directory if need be, locks it, and makes sure that it is a shared mount.
///
/// The lock is held until the returned value is dropped.
pub(super) fn prepare(path: &Path) -> Result<Flock<OwnedFd>, RegistryError> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            let operation = RegistryOperation::CreateDirectory;
            return Err(RegistryError::System {
                operation,
                path: path.to_owned(),
                source: error,
            });
        }
        _ => {}
    }
    let lock = lock(path)?;
    make_shared_mount(path)?;
    Ok(lock)
}

/// Takes the lock that iproute2 takes. Waits for it.
pub(super) fn lock(path: &Path) -> Result<Flock<OwnedFd>, RegistryError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut directory = open(path, flags, Mode::empty())
        .map_err(RegistryError::during(RegistryOperation::OpenDirectory, path))?;
    loop {
        match Flock::lock(directory, FlockArg::LockExclusive) {
            Ok(lock) => return Ok(lock),
            // A signal handler ran.
            Err((unlocked, nix::Error::EINTR)) => directory = unlocked,
            Err((_, errno)) => return Err(RegistryError::during(RegistryOperation::Lock, path)(errno)),
        }
    }
}

fn make_shared_mount(path: &Path) -> Result<(), RegistryError> {
    let failed = |operation| RegistryError::during(operation, path);
    match set_propagation(path, MsFlags::MS_SHARED) {
        Ok(()) => return Ok(()),
        // Not a mount point yet.
        Err(nix::Error::EINVAL) => {}
        Err(errno) => return Err(failed(RegistryOperation::ShareDirectory)(errno)),
    }
    // Recursive: what others have mounted in the directory stays visible.
    mount(
        Some(path),
        path,
        NO_TEXT,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NO_TEXT,
    )
    .map_err(failed(RegistryOperation::BindDirectory))?;
    // Private first: the new mount would else stay a peer of the one below it, and get each entry twice.
    set_propagation(path, MsFlags::MS_PRIVATE)
        .and_then(|()| set_propagation(path, MsFlags::MS_SHARED))
        .map_err(|errno| {
            // The error that led here is the one to report.
            let _ = umount2(path, MntFlags::MNT_DETACH);
            failed(RegistryOperation::ShareDirectory)(errno)
        })
}

fn set_propagation(path: &Path, propagation: MsFlags) -> nix::Result<()> {
    mount(NO_TEXT, path, NO_TEXT, propagation | MsFlags::MS_REC, NO_TEXT)
}
