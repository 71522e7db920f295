//! Who sees the names that are made here.
//!
//! A name is a mount, and mounts spread from one mount namespace to another only where mounts are shared.
//! Inside `ip netns exec`, or in a service with a mount namespace of its own, a name can be added without an
//! error, and outside there is an empty file which is no namespace. This file finds that out beforehand; it
//! changes nothing.

use std::ffi::CString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Registry, RegistryError, RegistryOperation};
use crate::mountinfo::{self, Mount};
use crate::sys::statmount;

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
    /// That of names under this mount.
    fn by(is_slave: bool, mount_point: PathBuf) -> Self {
        if is_slave {
            Self::Confined { mount_point }
        } else {
            Self::Shared
        }
    }

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
    /// The kernel refuses, or is older than 6.8 and `/proc` is not mounted.
    pub fn reach(&self) -> Result<Reach, RegistryError> {
        let failed = |source: io::Error| RegistryError::System {
            operation: RegistryOperation::ReadPropagation,
            path: self.path().to_owned(),
            source,
        };
        // Linux before 6.8 cannot be asked for one mount. The list has the same, but grows with every name.
        ask_for_mount(self.path())
            .or_else(|_| search_mounts(self.path()))
            .map_err(failed)
    }
}

/// Asks for the mounts that matter, however many there are.
fn ask_for_mount(directory: &Path) -> io::Result<Reach> {
    let mount_of = |path: &Path| statmount::mount_of(&CString::new(path.as_os_str().as_bytes())?);
    let (mount, exists) = match mount_of(directory) {
        // What does not exist yet will lie in its parent.
        Err(error) if error.kind() == io::ErrorKind::NotFound => (mount_of(parent_of(directory))?, false),
        mount => (mount?, true),
    };
    let covering = statmount::facts_of(mount.id)?;
    if exists && mount.is_root {
        let mut mounts = 1;
        let mut below = covering.parent;
        // A mount that lies on another's root is at the same place. The lowest of all lies on itself, or on none.
        while let Ok(facts) = statmount::facts_of(below)
            && facts.point == covering.point
            && facts.parent != below
        {
            mounts += 1;
            below = facts.parent;
        }
        if mounts > 1 {
            return Ok(Reach::Stacked { mounts });
        }
    }
    Ok(Reach::by(covering.is_slave, covering.point))
}

/// Searches the list of all mounts.
fn search_mounts(directory: &Path) -> io::Result<Reach> {
    let Lie {
        exists,
        on_it,
        covering,
    } = lie(directory)?;
    if on_it > 1 && exists {
        return Ok(Reach::Stacked { mounts: on_it });
    }
    Ok(covering.map_or(Reach::Shared, |mount| Reach::by(mount.is_slave, mount.point)))
}

/// Where a directory lies among the mounts.
pub(super) struct Lie {
    pub(super) exists: bool,
    /// Mounts on the directory itself; of one that does not exist, on the one above.
    pub(super) on_it: usize,
    /// The one that it is in.
    pub(super) covering: Option<Mount>,
}

/// Finds it in the list of all mounts.
pub(super) fn lie(directory: &Path) -> io::Result<Lie> {
    // Mount points are written without symlinks.
    let (directory, exists) = match fs::canonicalize(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = parent_of(directory);
            (
                fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned()),
                false,
            )
        }
        path => (path?, true),
    };
    let mounts = mountinfo::read()?;
    let on_it = mounts.iter().filter(|mount| mount.point == directory).count();
    // The last of the innermost ones is the one that is seen.
    let covering = mounts
        .into_iter()
        .filter(|mount| directory.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count());
    Ok(Lie {
        exists,
        on_it,
        covering,
    })
}

fn parent_of(directory: &Path) -> &Path {
    directory.parent().unwrap_or(directory)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    /// Where the kernel cannot be asked for one mount, there is nothing to compare.
    fn compare(directory: &Path) {
        match ask_for_mount(directory) {
            Err(error)
                if error.raw_os_error() == Some(libc::ENOSYS)
                    || error.kind() == io::ErrorKind::Unsupported => {}
            asked => assert_eq!(
                asked.unwrap(),
                search_mounts(directory).unwrap(),
                "{}",
                directory.display()
            ),
        }
    }

    #[test]
    fn to_ask_and_to_search_say_the_same() {
        let within = tempfile::tempdir().unwrap();
        let places = ["/", "/proc", "/dev", "/sys", "/tmp", "/run/netns"].map(PathBuf::from);
        let none = None::<&str>;
        // A mount namespace is each thread's own, and ends with it.
        thread::scope(|scope| {
            scope.spawn(|| {
                for place in &places {
                    compare(place);
                }
                if unshare(CloneFlags::CLONE_NEWNS).is_err() {
                    // Without privileges, the mounts that are there are compared.
                    return;
                }
                mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none).unwrap();
                for place in &places {
                    compare(place);
                }
                mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none).unwrap();
                let registry = within.path().join("a registry");
                compare(&registry);
                fs::create_dir(&registry).unwrap();
                for stacked in 0..4 {
                    compare(&registry);
                    compare(&registry.join("missing"));
                    assert_eq!(
                        stacked > 1,
                        matches!(search_mounts(&registry), Ok(Reach::Stacked { .. }))
                    );
                    mount(Some(&registry), &registry, none, MsFlags::MS_BIND, none).unwrap();
                }
            });
        });
    }
}
