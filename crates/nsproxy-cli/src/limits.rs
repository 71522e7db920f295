//! What this process may use. Of open files: two descriptors a session, so as many as it may have.

use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::thread;

use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nsproxy_config::model::Global;

/// Read once, at the start: it is read from files, which a new root directory has not.
static CPUS: LazyLock<Option<NonZeroUsize>> = LazyLock::new(|| thread::available_parallelism().ok());

/// CPUs that this process may use, if that is known.
pub(crate) fn cpus() -> Option<NonZeroUsize> {
    *CPUS
}

/// Workers that a configuration asks for: one for each CPU, unless `nbthread` says otherwise.
pub(crate) fn workers(global: &Global) -> Option<NonZeroUsize> {
    let written = global
        .nbthread
        .and_then(|count| NonZeroUsize::new(count as usize));
    written.or_else(cpus)
}

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
