//! Who sees the names that are made here.
//!
//! A name is a mount, and mounts spread from one mount namespace to another only where mounts are shared.
//! Inside `ip netns exec`, or in a service with a mount namespace of its own, a name can be added without an
//! error, and outside there is an empty file which is no namespace. This file finds that out beforehand; it
//! changes nothing.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::{Registry, RegistryError, RegistryOperation};
use crate::mountinfo;

/// Who sees the names that are added here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// Nothing keeps them from being seen in the other mount namespaces that share this directory. (Whether
    /// there are any cannot be told: in one whose mounts were all made private, as `unshare --mount` does,
    /// there are none.)
    Shared,
    /// Only this mount namespace, and those that descend from it: the directory came from another one, and
    /// mounts that are made here do not go back to it.
    Confined {
        /// The mount that lets none out.
        mount_point: PathBuf,
    },
    /// Several mounts lie on the directory, and names in those below are hidden. That happens when one process
    /// makes it a mount point in an inner mount namespace, and another one outside after that.
    Stacked {
        /// How many.
        mounts: usize,
    },
}

impl Reach {
    /// What to tell someone who adds a name, if there is something to tell.
    pub fn warning(&self) -> Option<String> {
        (*self != Self::Shared).then(|| self.to_string())
    }
}

/// A sentence without a full stop.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared => f.write_str("other mount namespaces that share the directory see its names"),
            Self::Confined { mount_point } => write!(
                f,
                "names added here are not seen outside of this mount namespace: no mount gets out of `{}`",
                mount_point.display()
            ),
            Self::Stacked { mounts } => {
                write!(
                    f,
                    "{mounts} mounts lie on the directory, and hide the names of those below"
                )
            }
        }
    }
}

impl Registry {
    /// Who will see the names that are added here. It is worth a look before [`Registry::add`] in a program
    /// that may run inside `ip netns exec`, in a container or in a service with private mounts.
    ///
    /// # Errors
    ///
    /// `/proc` is not mounted, or the kernel refuses.
    pub fn reach(&self) -> Result<Reach, RegistryError> {
        let failed = |source: io::Error| RegistryError::System {
            operation: RegistryOperation::ReadPropagation,
            path: self.path().to_owned(),
            source,
        };
        // Mount points are written without symlinks. What does not exist yet will lie in its parent.
        let directory = match fs::canonicalize(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = self.path().parent().unwrap_or_else(|| self.path());
                fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned())
            }
            path => path.map_err(failed)?,
        };
        let mounts = mountinfo::read().map_err(failed)?;
        let on_it = mounts.iter().filter(|mount| mount.point == directory).count();
        if on_it > 1 && fs::canonicalize(self.path()).is_ok() {
            return Ok(Reach::Stacked { mounts: on_it });
        }
        // The last of the innermost ones is the one that is seen.
        let covering = mounts
            .into_iter()
            .filter(|mount| directory.starts_with(&mount.point))
            .max_by_key(|mount| mount.point.components().count());
        Ok(match covering {
            Some(mount) if mount.is_slave => Reach::Confined {
                mount_point: mount.point,
            },
            _ => Reach::Shared,
        })
    }
}
