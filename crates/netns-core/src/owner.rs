//! `UserNamespace`: who owns a network namespace.
//!
//! What one may do with a network namespace depends on the capabilities that one has in the user namespace
//! that owns it. This file says which that is; it enters none.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::{OpenError, OpenOperation, Target};
use crate::file_id::FileId;
use crate::{Netns, sys};

/// An open user namespace: the owner of a network namespace ([`Netns::owner`]).
#[derive(Debug)]
pub struct UserNamespace {
    fd: OwnedFd,
}

impl UserNamespace {
    pub(crate) fn of_netns(netns: &Netns) -> Result<Self, OpenError> {
        sys::nsfs::owner(netns.as_fd())
            .map(|fd| Self { fd })
            .map_err(|source| OpenError::System {
                operation: OpenOperation::ReadOwner,
                target: Target::Handle,
                source,
            })
    }

    /// The user who made it, by the number that he has in the caller's user namespace; 65534 stands for those
    /// who have none there. In it he has all capabilities.
    ///
    /// # Errors
    ///
    /// The kernel is older than 4.11.
    pub fn owner_uid(&self) -> Result<u32, OpenError> {
        sys::nsfs::owner_uid(self.as_fd()).map_err(|source| OpenError::System {
            operation: OpenOperation::ReadOwner,
            target: Target::UserNamespace,
            source,
        })
    }

    /// Whether both are handles of the same user namespace.
    ///
    /// # Errors
    ///
    /// The kernel refuses to say.
    pub fn is_same_as(&self, other: &Self) -> Result<bool, OpenError> {
        Ok(self.file_id()? == other.file_id()?)
    }

    fn file_id(&self) -> Result<FileId, OpenError> {
        FileId::of(&self.fd).map_err(|source| OpenError::System {
            operation: OpenOperation::Inspect,
            target: Target::UserNamespace,
            source,
        })
    }
}

impl AsFd for UserNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<UserNamespace> for OwnedFd {
    fn from(namespace: UserNamespace) -> Self {
        namespace.fd
    }
}
