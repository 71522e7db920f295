//! What a process holds: descriptors, threads, mounts. Counted before and after, it shows what was left behind.

use std::fs;
use std::thread;

use super::{eventually, mount_points};

/// What is held.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    /// Number and target of each.
    descriptors: Vec<String>,
    threads: usize,
    /// The mount points of the calling thread's mount namespace.
    mounts: Vec<String>,
}

impl Holdings {
    fn now() -> Self {
        let mut descriptors: Vec<_> = fs::read_dir("/proc/self/fd")
            .unwrap()
            .map(|entry| entry.unwrap().path())
            // The one with which the directory is read is gone by the time of the next look.
            .filter_map(|path| {
                let target = fs::read_link(&path).ok()?;
                Some(format!("{} {}", path.display(), target.display()))
            })
            .filter(|descriptor| !descriptor.ends_with("/fd"))
            .collect();
        descriptors.sort_unstable();
        let mut mounts = mount_points();
        mounts.sort_unstable();
        Self {
            descriptors,
            threads: threads(),
            mounts,
        }
    }
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// What is held when it is dropped must be what was held when it was made. What a test makes before it, or drops
/// after it, is not its business.
///
/// It counts for the whole process, so the test has to be the only one in it: see [`super::as_child`].
#[must_use = "it looks when it is dropped"]
pub(crate) struct LeakCheck {
    before: Holdings,
}

impl LeakCheck {
    pub(crate) fn start() -> Self {
        Self {
            before: Holdings::now(),
        }
    }
}

impl Drop for LeakCheck {
    fn drop(&mut self) {
        // A test that has failed already has left what it was about to undo.
        if thread::panicking() {
            return;
        }
        // A thread that was joined may still be listed for a moment.
        eventually("the threads have ended", || threads() == self.before.threads);
        assert_eq!(
            Holdings::now(),
            self.before,
            "something was left behind (left: now)"
        );
    }
}
