//! The world that a benchmark has for itself: mounts, a `/run` and a network namespace, which all go with the process.

use anyhow::Context as _;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Moves this process there. To be called before any thread is started: those stay where they are.
///
/// # Errors
///
/// It takes `CAP_SYS_ADMIN` in the user namespace of this process (unshare(2)), and the kernel may refuse.
pub(crate) fn enter() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
        .context("cannot make namespaces (run this as root, or under `unshare --user --map-root-user`)")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("private mounts")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), flags, Some("mode=0755")).context("a /run of its own")?;
    Ok(())
}
