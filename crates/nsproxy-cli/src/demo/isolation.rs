//! A place of its own for the demo: a mount namespace with an empty /run, and a network namespace with nothing in it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Moves the process there, and says where that is. It must have one thread.
///
/// # Errors
///
/// The system allows neither namespaces nor user namespaces to this user.
pub(super) fn isolate() -> anyhow::Result<&'static str> {
    let (uid, gid) = (geteuid(), getegid());
    let wanted = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    let place = match unshare(wanted) {
        Ok(()) => "a private mount and network namespace",
        Err(Errno::EPERM) => {
            // An ordinary user may do all of this in a user namespace of its own, where the system allows one.
            unshare(CloneFlags::CLONE_NEWUSER | wanted).map_err(forbidden)?;
            // setgroups has to be given up before a group may be mapped (user_namespaces(7)).
            write("/proc/self/setgroups", "deny")?;
            write("/proc/self/uid_map", &format!("0 {uid} 1"))?;
            write("/proc/self/gid_map", &format!("0 {gid} 1"))?;
            "a user, mount and network namespace of its own, without any privilege"
        }
        Err(errno) => return Err(errno).context("cannot make a mount and a network namespace"),
    };
    let none = None::<&str>;
    // From here on no mount is seen outside.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
        .context("cannot make the mounts private")?;
    mount(
        Some("nsproxy-demo"),
        "/run",
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755"),
    )
    .context("cannot mount an empty /run")?;
    Ok(place)
}

fn write(path: &str, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {path}"))
}

/// Which setting of the system stands in the way, as far as it can be told.
fn forbidden(errno: Errno) -> anyhow::Error {
    let read = |path: &str| {
        fs::read_to_string(path)
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    };
    let mut hint = "run it as root".to_owned();
    if read("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
        hint.push_str(", or set kernel.unprivileged_userns_clone=1");
    }
    if read("/proc/sys/user/max_user_namespaces") == "0" {
        hint.push_str(", or raise user.max_user_namespaces");
    }
    if read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
        hint.push_str(", or set kernel.apparmor_restrict_unprivileged_userns=0");
    }
    if Path::new("/.dockerenv").exists() {
        hint.push_str("; in a container, give it --privileged");
    }
    anyhow::anyhow!(
        "this system does not let an ordinary user make a user namespace ({}): {hint}",
        std::io::Error::from(errno)
    )
}
