//! A place that ends with this process: a process namespace, so that no nsproxy outlives the run, however that ends. The mount
//! and network namespaces are made by the world of `nsproxy-testkit` inside.

use std::env;
use std::fmt;
use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getpid;

/// The process inside has failed, and has said why.
#[derive(Debug)]
pub(crate) struct Failed;

impl std::error::Error for Failed {}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process inside has failed")
    }
}

/// Runs this program again, with the same arguments, as the first process of a new namespace of processes: when it ends, the
/// kernel ends every other one in there.
///
/// # Errors
///
/// That takes `CAP_SYS_ADMIN`; or the run has failed, which is [`Failed`].
pub(crate) fn again() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS)
        .context("cannot make namespaces (run this as root, or under `unshare --user --map-root-user`)")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("cannot make mounts private")?;
    let program = env::current_exe().context("cannot find this program")?;
    let status = Command::new(program)
        .args(env::args_os().skip(1))
        .arg("--inside")
        .status()
        .context("cannot start this program again")?;
    if status.success() {
        Ok(())
    } else {
        Err(Failed.into())
    }
}

/// Makes this process, the first one in there, end with the one outside, and `/proc` be of the processes in here.
///
/// # Errors
///
/// It is no such process, or `/proc` cannot be mounted.
pub(crate) fn inside() -> anyhow::Result<()> {
    ensure!(getpid().as_raw() == 1, "`--inside` is for this program's own use");
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot tie this process to the one outside")?;
    let none = None::<&str>;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none).context("cannot mount /proc")
}
