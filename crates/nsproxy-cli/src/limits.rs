//! The limit of open files: two descriptors a session, so as many as this process may have.

use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Sets the limit of open files: to what `ulimit-n` says, or to the hard limit, which needs no privilege.
///
/// # Errors
///
/// What `ulimit-n` says is refused. Without it, the engine works with what there is.
pub(crate) fn set_open_files(wanted: Option<u32>) -> anyhow::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit of open files")?;
    match wanted.map(u64::from) {
        Some(wanted) => setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted))
            .with_context(|| format!("cannot set the limit of open files to {wanted} (ulimit-n)"))?,
        None if soft < hard => {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        }
        None => {}
    }
    Ok(())
}
