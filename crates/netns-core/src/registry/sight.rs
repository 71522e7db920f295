//! Whether names that are made elsewhere are seen here: the other way round of `reach.rs`.
//!
//! A name that is made outside of this mount namespace may be an empty file in here, which is no namespace. This file finds that
//! out beforehand; it changes nothing.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::reach::{Lie, lie};
use super::{Registry, RegistryError, RegistryOperation};

/// Which names of other mount namespaces are seen here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sight {
    /// Those that are added there come in here, if this mount namespace was made from that one.
    Clear,
    /// Those that are there already, but the first one that is added from now on may not come in, nor those after it: the directory
    /// is no mount yet, and whoever adds the first name makes it one that is not connected to this mount namespace.
    /// [`Registry::prepare`], there and before this mount namespace was made, is what was missing.
    Unprepared,
    /// Only those that were there when this mount namespace was made.
    Blind {
        /// The mount that lets none in.
        mount_point: PathBuf,
    },
}

impl Sight {
    /// What to tell someone who waits for names to come, if there is something to tell. It matters in a mount namespace that is
    /// not the one in which they are made.
    pub fn warning(&self) -> Option<String> {
        (*self != Self::Clear).then(|| self.to_string())
    }
}

/// A sentence without a full stop.
impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clear => f.write_str("names that are added in other mount namespaces are seen here"),
            Self::Unprepared => f.write_str(
                "names that are added outside of this mount namespace may not be seen in it: \
                 the directory was no mount of its own when this mount namespace was made",
            ),
            Self::Blind { mount_point } => write!(
                f,
                "names that are added outside of this mount namespace are not seen in it: no mount comes into `{}`",
                mount_point.display()
            ),
        }
    }
}

impl Registry {
    /// Which names that others add are going to be seen here. It is worth a look in a program that waits for names to come, and
    /// has a mount namespace of its own, such as a service with private mounts.
    ///
    /// # Errors
    ///
    /// `/proc` is not mounted, or the kernel refuses.
    pub fn sight(&self) -> Result<Sight, RegistryError> {
        let failed = |source: io::Error| RegistryError::System {
            operation: RegistryOperation::ReadPropagation,
            path: self.path().to_owned(),
            source,
        };
        let Lie {
            exists,
            on_it,
            covering,
        } = lie(self.path()).map_err(failed)?;
        Ok(match covering {
            Some(mount) if !mount.is_slave && !mount.is_shared => Sight::Blind {
                mount_point: mount.point,
            },
            _ if on_it == 0 || !exists => Sight::Unprepared,
            _ => Sight::Clear,
        })
    }
}
