//! The environment of `ip netns exec`: for a program that knows nothing of network namespaces.
//!
//! Being inside a network namespace is not enough for such a program. `/sys` shows the interfaces of the
//! namespace in which it was mounted, and `/etc/resolv.conf` names the resolvers of the host. So the calling
//! thread gets a mount namespace of its own, in which
//!
//! 1. mounts come in from outside and none go out (slave propagation),
//! 2. `/sys` is a new one, which shows the network namespace,
//! 3. `/sys/fs/cgroup` and `/sys/fs/bpf` are what they were (`ip netns exec` loses them),
//! 4. each file or directory `/etc/netns/NAME/X` lies on `/etc/X`. Where that is a symlink (as `resolv.conf`
//!    often is) it lies on the file to which it leads, until the owner of that file replaces it.
//!
//! All this is for the moment before `execve(2)`, on the main thread of a process that has no other: a mount
//! namespace belongs to a thread, as a network namespace does, and there is no way back. So an error in the
//! middle leaves a thread that is good for nothing but to say so and end.

mod error;

pub use error::{ExecError, ExecOperation, ExecWarning};

use std::ffi::{CStr, OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::stat;
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::{Netns, NetnsName, sys};

/// Where the files are that belong to one namespace, as `ip netns` has it.
const ETC_NETNS: &str = "/etc/netns";
const ETC: &str = "/etc";
const SYS: &str = "/sys";
/// What below `/sys` has nothing to do with networks, is mounted by whoever started the machine, and is missed
/// when it is gone.
const KEPT: [&CStr; 2] = [c"/sys/fs/cgroup", c"/sys/fs/bpf"];
/// The source of a mount without a name, as `mount(8)` shows it.
const UNNAMED: &str = "netns";

const NO_TEXT: Option<&str> = None;

/// Makes the calling thread ready to execute a program inside `netns`, which is called `name`. It is
/// [`ExecEnvironment::enter`] with nothing changed.
///
/// ```no_run
/// use std::os::unix::process::CommandExt as _;
/// use netns_core::{NetnsName, Registry, enter_for_exec};
///
/// let name: NetnsName = "blue".parse()?;
/// let blue = Registry::system().open(&name)?;
/// for warning in enter_for_exec(&blue, &name)? {
///     eprintln!("{warning}");
/// }
/// // Does not return unless there is no such program.
/// return Err(std::process::Command::new("ip").arg("link").exec().into());
/// # #[allow(unreachable_code)]
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`ExecEnvironment::enter`].
pub fn enter_for_exec(netns: &Netns, name: &NetnsName) -> Result<Vec<ExecWarning>, ExecError> {
    ExecEnvironment::named(name).enter(netns)
}

/// What a program finds around itself inside a network namespace.
#[derive(Debug, Clone)]
pub struct ExecEnvironment {
    name: Option<NetnsName>,
    etc_netns: PathBuf,
    keeps_sys_mounts: bool,
}

impl ExecEnvironment {
    /// That of a namespace with a name: the files in `/etc/netns/NAME` count.
    pub fn named(name: &NetnsName) -> Self {
        Self {
            name: Some(name.clone()),
            ..Self::unnamed()
        }
    }

    /// That of a namespace without a name, of which no files are known.
    pub fn unnamed() -> Self {
        Self {
            name: None,
            etc_netns: ETC_NETNS.into(),
            keeps_sys_mounts: true,
        }
    }

    /// The directory in which there is one for each name. Without this it is `/etc/netns`.
    #[must_use]
    pub fn etc_netns(self, directory: impl Into<PathBuf>) -> Self {
        Self {
            etc_netns: directory.into(),
            ..self
        }
    }

    /// Whether `/sys/fs/cgroup` and `/sys/fs/bpf` are kept. Without this they are.
    #[must_use]
    pub fn keep_sys_mounts(self, keep: bool) -> Self {
        Self {
            keeps_sys_mounts: keep,
            ..self
        }
    }

    /// Moves the calling thread into `netns`, and into a new mount namespace that is made as the module says.
    ///
    /// What cannot be kept, and files that cannot be bound (there is no `/etc/X` for them), are warnings.
    ///
    /// # Errors
    ///
    /// `CAP_SYS_ADMIN` is missing, here or in the user namespace that owns `netns`; or the kernel refuses the
    /// new `/sys`. If [`ExecError::has_moved`], the thread is no longer where it was, and must end.
    pub fn enter(&self, netns: &Netns) -> Result<Vec<ExecWarning>, ExecError> {
        let failed = ExecError::during;
        setns(netns.as_fd(), CloneFlags::CLONE_NEWNET).map_err(failed(ExecOperation::EnterNetns))?;
        unshare(CloneFlags::CLONE_NEWNS).map_err(failed(ExecOperation::UnshareMounts))?;
        let inwards_only = MsFlags::MS_SLAVE | MsFlags::MS_REC;
        mount(NO_TEXT, "/", NO_TEXT, inwards_only, NO_TEXT).map_err(failed(ExecOperation::SetPropagation))?;

        let mut warnings = Vec::new();
        let kept = if self.keeps_sys_mounts {
            copy_kept(&mut warnings)
        } else {
            Vec::new()
        };
        self.mount_sys()?;
        for (place, tree) in kept {
            if let Err(source) = sys::mount::place_tree(tree.as_fd(), place) {
                warnings.push(ExecWarning::keep(as_path(place), source));
            }
        }
        self.bind_etc(&mut warnings);
        Ok(warnings)
    }

    fn mount_sys(&self) -> Result<(), ExecError> {
        // A read-only one that cannot be unmounted (in a container, for example) can only be covered by one
        // that is read-only, too.
        let flags = match umount2(SYS, MntFlags::MNT_DETACH) {
            Ok(()) => MsFlags::empty(),
            Err(_) => match statvfs(SYS) {
                Ok(status) if status.flags().contains(FsFlags::ST_RDONLY) => MsFlags::MS_RDONLY,
                _ => MsFlags::empty(),
            },
        };
        let source: &OsStr = match &self.name {
            Some(name) => name.as_ref(),
            None => UNNAMED.as_ref(),
        };
        mount(Some(source), SYS, Some("sysfs"), flags, NO_TEXT)
            .map_err(ExecError::during(ExecOperation::MountSys))
    }

    /// Lays the files of this namespace on those in `/etc`, in the order of their names.
    fn bind_etc(&self, warnings: &mut Vec<ExecWarning>) {
        let Some(name) = &self.name else { return };
        let directory = self.etc_netns.join(name);
        let mut files: Vec<OsString> = match fs::read_dir(&directory) {
            Ok(entries) => entries
                .filter_map(|entry| Some(entry.ok()?.file_name()))
                .collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(source) => return warnings.push(ExecWarning::read(&directory, source)),
        };
        files.sort_unstable();
        for file in files {
            let (from, to) = (directory.join(&file), Path::new(ETC).join(&file));
            if let Err(errno) = mount(Some(&from), &to, NO_TEXT, MsFlags::MS_BIND, NO_TEXT) {
                warnings.push(ExecWarning::bind(from, to, errno.into()));
            }
        }
    }
}

/// Copies what is to be kept, before `/sys` goes with all that lies on it.
fn copy_kept(warnings: &mut Vec<ExecWarning>) -> Vec<(&'static CStr, OwnedFd)> {
    let mut kept = Vec::new();
    for place in KEPT.into_iter().filter(|place| is_another_file_system(place)) {
        match sys::mount::copy_tree(place) {
            Ok(tree) => kept.push((place, tree)),
            Err(source) => warnings.push(ExecWarning::keep(as_path(place), source)),
        }
    }
    kept
}

/// Whether something else than `/sys` itself is mounted there. All mounts together would say it too, but they may be
/// thousands.
fn is_another_file_system(place: &CStr) -> bool {
    let device = |path: &Path| stat(path).map(|stat| stat.st_dev);
    match (device(as_path(place)), device(Path::new(SYS))) {
        (Ok(place), Ok(sys)) => place != sys,
        // What is not there need not be kept.
        _ => false,
    }
}

fn as_path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}
