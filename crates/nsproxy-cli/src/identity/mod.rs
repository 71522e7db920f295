//! Who the process is once everything listens: `user`, `group`, `setcap`, `chroot`.
//!
//! Users, groups and capabilities belong to a thread (credentials(7)), and a thread has those of the one that made it. So the
//! listeners are opened and everything is given up while there is one thread; what the engine and the log start later is born
//! without. Nothing here is undone.

mod capability;
mod needs;

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use nix::sys::prctl;
use nix::unistd::{
    Gid, Group, Uid, User, chroot, getegid, geteuid, getgroups, setgroups, setresgid, setresuid,
};
use nsproxy_config::model::{Account, Global};
use nsproxy_engine::Plan;

use self::capability::{bit, shown};
use self::needs::Needs;
use crate::log;
use crate::sys::capset;

/// What the configuration asks for, with the numbers of users and groups.
#[derive(Debug)]
pub(crate) struct Identity {
    user: Option<Uid>,
    group: Option<Gid>,
    needs: Needs,
    /// `setcap` was written.
    keeps_more: bool,
    root: Option<PathBuf>,
}

impl Identity {
    /// Looks names up, and works out what the plan needs.
    ///
    /// # Errors
    ///
    /// There is no such user or group.
    pub(crate) fn of(global: &Global, plan: &Plan) -> anyhow::Result<Self> {
        let (user, primary) = global.user.as_ref().map(user_id).transpose()?.unzip();
        let group = global.group.as_ref().map(group_id).transpose()?;
        let group = group.or_else(|| primary.flatten());
        Ok(Self {
            user,
            group,
            needs: Needs::of(plan, &global.setcap),
            keeps_more: !global.setcap.is_empty(),
            root: global.chroot.clone(),
        })
    }

    /// Whether the root directory is to be left.
    pub(crate) fn leaves_root(&self) -> bool {
        self.root.is_some()
    }

    /// Becomes that, and says so on standard error. The process has one thread.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or something that the plan needs cannot be kept. The process must end then.
    pub(crate) fn assume(self) -> anyhow::Result<()> {
        if self.user.is_none() && self.group.is_none() && self.root.is_none() && !self.keeps_more {
            return Ok(());
        }
        let threads = fs::read_dir("/proc/self/task")
            .context("cannot count the threads")?
            .count();
        ensure!(
            threads == 1,
            "there are threads already, which would keep what is to be given up"
        );
        let stays_root = self.user.unwrap_or_else(geteuid).is_root();
        let kept = bits(&self.needs);
        // What is not there cannot be kept; better told now than by each connection.
        if !stays_root {
            check_permitted(&self.needs)?;
        }
        if let Some(root) = &self.root {
            let failed = || format!("cannot make {} the root directory", root.display());
            chroot(root).with_context(failed)?;
            env::set_current_dir("/").with_context(failed)?;
        }
        prctl::set_keepcaps(true).context("cannot keep capabilities")?;
        self.change_account()?;
        if !stays_root {
            capset::leave_only(kept).context("cannot give up capabilities")?;
        }
        prctl::set_keepcaps(false).context("cannot give up capabilities for good")?;
        // No program that is started can bring anything back.
        prctl::set_no_new_privs().context("cannot give up privileges for good")?;
        log::complain(&self.told(stays_root));
        Ok(())
    }

    /// Whether a process that has become what its configuration asks for still has what another plan of it needs.
    ///
    /// # Errors
    ///
    /// It has given up something that is needed.
    pub(crate) fn check_kept(global: &Global, plan: &Plan) -> anyhow::Result<()> {
        let has_become = global.user.is_some()
            || global.group.is_some()
            || global.chroot.is_some()
            || !global.setcap.is_empty();
        if !has_become || geteuid().is_root() {
            return Ok(());
        }
        check_permitted(&Needs::of(plan, &global.setcap))
    }

    fn change_account(&self) -> anyhow::Result<()> {
        let is_new = self.user.is_some_and(|user| user != geteuid())
            || self.group.is_some_and(|group| group != getegid());
        if !is_new {
            return Ok(());
        }
        // Those of root would open what the user may not.
        if getgroups().map_or(true, |groups| !groups.is_empty()) {
            setgroups(&[]).context("cannot leave the supplementary groups")?;
        }
        if let Some(group) = self.group {
            setresgid(group, group, group).with_context(|| format!("cannot change to group {group}"))?;
        }
        if let Some(user) = self.user {
            setresuid(user, user, user).with_context(|| format!("cannot change to user {user}"))?;
        }
        Ok(())
    }

    /// What has been done, as one line.
    fn told(&self, stays_root: bool) -> String {
        let root = self.root.as_ref().map(|root| format!(" in {}", root.display()));
        let who = format!(
            "nsproxy: goes on as user {}, group {}{}",
            geteuid(),
            getegid(),
            root.unwrap_or_default()
        );
        if stays_root {
            return format!("{who}, with the capabilities that it has");
        }
        let kept: Vec<_> = self
            .needs
            .iter()
            .map(|(capability, reason)| format!("{} {reason}", shown(capability)))
            .collect();
        match kept.as_slice() {
            [] => format!("{who}, without capabilities"),
            kept => format!("{who}, with {}", kept.join("; ")),
        }
    }
}

fn bits(needs: &Needs) -> capset::Bits {
    needs
        .iter()
        .fold(0, |bits, (capability, _)| bits | bit(capability))
}

fn check_permitted(needs: &Needs) -> anyhow::Result<()> {
    let permitted = capset::get().context("cannot read capabilities")?.permitted;
    for (capability, reason) in needs.iter() {
        if bit(capability) & !permitted != 0 {
            bail!(
                "{} is needed {reason}, and this process does not have it",
                shown(capability)
            );
        }
    }
    Ok(())
}

/// A user by name or number, and the primary group of one that was looked up by name.
///
/// # Errors
///
/// There is no such user.
pub(crate) fn user_id(account: &Account) -> anyhow::Result<(Uid, Option<Gid>)> {
    match account {
        Account::Id(number) => Ok((Uid::from_raw(*number), None)),
        Account::Name(name) => {
            let found = User::from_name(name).with_context(|| format!("cannot look up user `{name}`"))?;
            let user = found.with_context(|| format!("there is no user `{name}`"))?;
            Ok((user.uid, Some(user.gid)))
        }
    }
}

/// A group by name or number.
///
/// # Errors
///
/// There is no such group.
pub(crate) fn group_id(account: &Account) -> anyhow::Result<Gid> {
    match account {
        Account::Id(number) => Ok(Gid::from_raw(*number)),
        Account::Name(name) => {
            let found = Group::from_name(name).with_context(|| format!("cannot look up group `{name}`"))?;
            Ok(found.with_context(|| format!("there is no group `{name}`"))?.gid)
        }
    }
}
