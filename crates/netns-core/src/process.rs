//! Between processes and network namespaces, in both directions.
//!
//! A process number may be used again at any time. So nothing here asks twice about one and puts the answers
//! together: each is asked about once, and what is said of it was true of whoever had it at that moment. Who
//! must be sure of a process brings a descriptor of it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::error::{OpenError, OpenOperation, Target};
use crate::file_id::FileId;
use crate::{Netns, sys};

/// A thread of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Thread {
    /// The number of its process.
    pub pid: u32,
    /// Its own number. That of the main thread is the process's.
    pub tid: u32,
}

/// A process, held by a descriptor (`pidfd_open(2)`): it stays that process, whoever gets its number later. The
/// descriptor becomes readable when the process ends, and it keeps neither the process nor its namespaces.
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// The process that has this number now.
    ///
    /// # Errors
    ///
    /// There is none (`ESRCH`), or no descriptor is left.
    pub fn open(pid: u32) -> io::Result<Self> {
        sys::pidfd::of_process(pid).map(Self)
    }
}

/// Readable when the process has ended. [`Netns::open_pidfd`] takes it.
impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Netns {
    /// The processes whose main thread is in this namespace, in ascending order.
    ///
    /// Those which the caller may not look at are left out: other users' without `CAP_SYS_PTRACE`, those of
    /// other pid namespaces, and those that have ended and wait for their parent.
    ///
    /// # Errors
    ///
    /// `/proc` cannot be read.
    pub fn pids(&self) -> Result<Vec<u32>, OpenError> {
        let this = self.file_id()?;
        let mut pids = numbers_in(Path::new("/proc")).map_err(cannot_find)?;
        pids.retain(|pid| is_at(this, format!("/proc/{pid}/ns/net")));
        pids.sort_unstable();
        Ok(pids)
    }

    /// The threads that are in this namespace, in ascending order, also those which entered it alone.
    ///
    /// # Errors
    ///
    /// As [`Netns::pids`], which also says what is left out.
    pub fn threads(&self) -> Result<Vec<Thread>, OpenError> {
        let this = self.file_id()?;
        let mut threads = Vec::new();
        for pid in numbers_in(Path::new("/proc")).map_err(cannot_find)? {
            // A process that has ended meanwhile has no threads.
            let tids = numbers_in(&PathBuf::from(format!("/proc/{pid}/task"))).unwrap_or_default();
            let inside = |tid: &u32| is_at(this, format!("/proc/{pid}/task/{tid}/ns/net"));
            threads.extend(tids.into_iter().filter(inside).map(|tid| Thread { pid, tid }));
        }
        threads.sort_unstable();
        Ok(threads)
    }
}

pub(crate) fn open_pidfd(pidfd: BorrowedFd<'_>) -> Result<Netns, OpenError> {
    match sys::pidfd::open_netns(pidfd) {
        Ok(fd) => Ok(Netns::trusted(fd)),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(has_ended()),
        Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => open_pidfd_by_number(pidfd),
        Err(error) => Err(cannot_open(error)),
    }
}

/// What [`open_pidfd`] does on a kernel before 6.11.
fn open_pidfd_by_number(pidfd: BorrowedFd<'_>) -> Result<Netns, OpenError> {
    let pid = pid_of(pidfd)?;
    let netns = Netns::open_file(&PathBuf::from(format!("/proc/{pid}/ns/net")), || Target::Pidfd)?;
    // If the process is still there, the number was its own when the file was opened.
    if pid_of(pidfd)? == pid {
        Ok(netns)
    } else {
        Err(has_ended())
    }
}

/// The number of the process behind `pidfd`, as long as it is there.
fn pid_of(pidfd: BorrowedFd<'_>) -> Result<u32, OpenError> {
    let info =
        fs::read_to_string(format!("/proc/thread-self/fdinfo/{}", pidfd.as_raw_fd())).map_err(cannot_open)?;
    let pid = info
        .lines()
        .find_map(|line| line.strip_prefix("Pid:"))
        .ok_or_else(|| cannot_open(io::Error::from_raw_os_error(libc::ENOTTY)))?;
    // -1: it has ended. 0: it is in a pid namespace that is not seen here.
    match pid.trim().parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(has_ended()),
    }
}

/// The numbers among the names in a directory.
fn numbers_in(directory: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    Ok(numbers)
}

/// Whether the path leads to this file. The caller holds the file, so that its number cannot be another's.
fn is_at(this: FileId, path: String) -> bool {
    FileId::at(&PathBuf::from(path)).is_ok_and(|found| found == this)
}

fn cannot_find(source: io::Error) -> OpenError {
    OpenError::System {
        operation: OpenOperation::FindProcesses,
        target: Target::Handle,
        source,
    }
}

fn cannot_open(source: io::Error) -> OpenError {
    OpenError::System {
        operation: OpenOperation::Open,
        target: Target::Pidfd,
        source,
    }
}

fn has_ended() -> OpenError {
    OpenError::NotFound {
        target: Target::Pidfd,
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn both_ways_from_a_process_descriptor_to_its_namespace_agree() {
        let pidfd = sys::pidfd::of_process(std::process::id()).unwrap();
        let expected = Netns::open_pid(std::process::id()).unwrap().id().unwrap();
        assert_eq!(open_pidfd(pidfd.as_fd()).unwrap().id().unwrap(), expected);
        let by_number = open_pidfd_by_number(pidfd.as_fd()).unwrap();
        assert_eq!(by_number.id().unwrap(), expected);
    }

    #[test]
    fn a_process_that_has_ended_has_no_namespace_even_if_its_number_is_used_again() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pidfd = sys::pidfd::of_process(child.id()).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        for opened in [open_pidfd(pidfd.as_fd()), open_pidfd_by_number(pidfd.as_fd())] {
            assert!(matches!(opened, Err(OpenError::NotFound { .. })), "{opened:?}");
        }
    }

    #[test]
    fn what_is_no_descriptor_of_a_process_is_refused() {
        let file = fs::File::open("/proc/self/status").unwrap();
        let error = open_pidfd(file.as_fd()).unwrap_err();
        assert!(error.to_string().contains("not one of a process"), "{error}");
    }
}
