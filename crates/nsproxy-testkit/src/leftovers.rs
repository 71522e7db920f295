//! What a world leaves behind: processes, threads and descriptors that still hold one of its
//! namespaces after the test's body.
//!
//! A network namespace lives as long as a process or thread is in it, a descriptor or mount refers to
//! it, or a socket belongs to it (`network_namespaces(7)`). The mounts die with the world's mount
//! namespace. The rest is looked for here, in `/proc`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};

use crate::deadline::pause;
use crate::{Deadline, Netns, sys};

/// How long what is on its way out may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What identifies the namespaces of one world, while it still holds them.
#[derive(Debug)]
pub(crate) struct Identity {
    /// As `/proc/PID/ns/*` links to them: `net:[4026531833]`, `mnt:[4026531832]`.
    links: BTreeSet<String>,
    cookies: BTreeSet<u64>,
}

impl Identity {
    /// The identity of the calling thread's mount namespace and of `all` network namespaces.
    pub(crate) fn of(all: &[Netns]) -> Self {
        let mut links: BTreeSet<String> = read_link(Path::new("/proc/thread-self/ns/mnt"))
            .into_iter()
            .collect();
        let mut cookies = BTreeSet::new();
        for (link, cookie) in all.iter().map(|netns| netns.run(current_netns)) {
            links.extend(link);
            cookies.extend(cookie);
        }
        Self { links, cookies }
    }

    /// Waits until nothing but the calling thread holds these namespaces, kills the processes that still
    /// do after a while, and returns a line about each thing that was left.
    ///
    /// Called on the world's own thread after everything of the world's has been dropped.
    pub(crate) fn await_release(&self) -> Vec<String> {
        let deadline = Deadline::after(PATIENCE);
        loop {
            let last_look = deadline.passed();
            let processes = self.processes();
            let mut left: Vec<String> = processes.iter().map(|(_, line)| line.clone()).collect();
            left.extend(self.threads());
            left.extend(self.descriptors());
            if left.is_empty() {
                return left;
            }
            if last_look {
                for (pid, _) in processes {
                    // It may have ended by itself in the meantime.
                    let _ = kill(pid, Signal::SIGKILL);
                }
                return left;
            }
            pause();
        }
    }

    fn processes(&self) -> Vec<(Pid, String)> {
        let own = std::process::id().cast_signed();
        entries("/proc")
            .filter_map(|name| name.parse::<i32>().ok())
            .filter(|&pid| pid != own && self.holds(&format!("/proc/{pid}/ns")))
            .map(|pid| {
                let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                (
                    Pid::from_raw(pid),
                    format!("process {pid} ({})", command.trim_end()),
                )
            })
            .collect()
    }

    fn threads(&self) -> impl Iterator<Item = String> {
        let own = nix::unistd::gettid().to_string();
        entries("/proc/self/task")
            .filter(move |tid| *tid != own && self.holds(&format!("/proc/self/task/{tid}/ns")))
            .map(|tid| {
                let name = fs::read_to_string(format!("/proc/self/task/{tid}/comm")).unwrap_or_default();
                format!("thread {tid} ({})", name.trim_end())
            })
    }

    fn descriptors(&self) -> impl Iterator<Item = String> {
        entries("/proc/self/fd").filter_map(|fd| {
            let link = read_link(Path::new(&format!("/proc/self/fd/{fd}")))?;
            let pins = self.links.contains(&link)
                || (link.starts_with("socket:")
                    && sys::netns_cookie(fd.parse().ok()?)
                        .is_some_and(|cookie| self.cookies.contains(&cookie)));
            pins.then(|| format!("descriptor {fd} ({link})"))
        })
    }

    fn holds(&self, directory: &str) -> bool {
        ["net", "mnt"].iter().any(|kind| {
            read_link(&Path::new(directory).join(kind)).is_some_and(|link| self.links.contains(&link))
        })
    }
}

/// The link and the cookie of the calling thread's network namespace.
fn current_netns() -> (Option<String>, Option<u64>) {
    use std::os::fd::AsRawFd;
    let link = read_link(Path::new("/proc/thread-self/ns/net"));
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None).ok();
    (
        link,
        socket.and_then(|socket| sys::netns_cookie(socket.as_raw_fd())),
    )
}

fn read_link(path: &Path) -> Option<String> {
    Some(fs::read_link(path).ok()?.to_string_lossy().into_owned())
}

/// The names in a directory; none when it has gone.
fn entries(directory: &str) -> impl Iterator<Item = String> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
}
