//! From a namespace, or a process in it, to its names, and back.
//!
//! A namespace is held while its names are looked for, so that the numbers of its file are its own for so
//! long. Unlike `ip netns identify`, all names are found.

use std::fs;
use std::io;

use super::{Registry, RegistryError, RegistryOperation};
use crate::file_id::FileId;
use crate::{Netns, NetnsName};

impl Registry {
    /// The names of the namespace in which the main thread of process `pid` is, in the order of the names. A
    /// namespace without a name has none.
    ///
    /// # Errors
    ///
    /// There is no such process, or the kernel refuses. Of a process whose number may be used again,
    /// [`Netns::open_pidfd`] opens the namespace for [`Registry::names_of`].
    pub fn identify(&self, pid: u32) -> Result<Vec<NetnsName>, RegistryError> {
        self.names_of(&Netns::open_pid(pid)?)
    }

    /// The names of the namespace in which the calling thread is now.
    ///
    /// # Errors
    ///
    /// `/proc` is not mounted, or the kernel refuses.
    pub fn identify_current_thread(&self) -> Result<Vec<NetnsName>, RegistryError> {
        self.names_of(&Netns::current()?)
    }

    /// The names of `netns`, in their order.
    ///
    /// # Errors
    ///
    /// The directory cannot be read.
    pub fn names_of(&self, netns: &Netns) -> Result<Vec<NetnsName>, RegistryError> {
        let this = netns.file_id()?;
        let failed = |source: io::Error| RegistryError::System {
            operation: RegistryOperation::List,
            path: self.path().to_owned(),
            source,
        };
        let directory = match fs::read_dir(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            directory => directory.map_err(failed)?,
        };
        let mut names = Vec::new();
        for file in directory {
            let file = file.map_err(failed)?;
            // An entry that went away meanwhile leads nowhere.
            if FileId::at(&file.path()).is_ok_and(|found| found == this) {
                names.extend(NetnsName::new(file.file_name()));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The processes whose main thread is in the namespace called `name`, in ascending order.
    /// [`Netns::pids`] says which are left out; [`Netns::threads`] finds single threads, too.
    ///
    /// # Errors
    ///
    /// There is no such namespace, or the kernel refuses.
    pub fn pids(&self, name: &NetnsName) -> Result<Vec<u32>, RegistryError> {
        Ok(self.open(name)?.pids()?)
    }
}
