//! `FileId`: which file it is, while one holds it.
//!
//! Cheaper than a [`NetnsId`](crate::NetnsId), and had on every kernel without entering anything, but good for a
//! comparison only as long as one of the two sides is kept open.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::stat::{FileStat, fstat, stat};

use crate::Root;

/// The device and inode of a file. The kernel uses those of a namespace again as soon as it has died, so they
/// mean something only while the namespace is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    pub(crate) inode: u64,
}

impl FileId {
    /// That of an open file.
    pub(crate) fn of(fd: &OwnedFd) -> io::Result<Self> {
        Ok(Self::from(fstat(fd)?))
    }

    /// That of the file to which `path` leads.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::from(stat(path)?))
    }

    /// That of the file to which `path` leads from `root`.
    pub(crate) fn beneath(root: &Root, path: &Path) -> io::Result<Self> {
        Ok(Self::from(root.stat(path)?))
    }
}

impl From<FileStat> for FileId {
    fn from(found: FileStat) -> Self {
        Self {
            device: found.st_dev,
            inode: found.st_ino,
        }
    }
}
