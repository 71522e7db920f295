//! `Watch`: names that come, go, and change what they lead to.
//!
//! # Why one source is not enough
//!
//! inotify tells that a file came or went. It says nothing when a namespace is mounted on the file, which is
//! the moment from which the name can be used, nor when something else is mounted over the whole directory.
//! The kernel makes `/proc/PID/mountinfo` readable when any mount changes, and says nothing of what. So a
//! watch listens to both, and whatever it hears, it looks at the directory again and compares.
//!
//! # Why nothing is missed
//!
//! - Both sources are listened to *before* the directory is looked at, at the start and each time again.
//! - The look is repeated until nothing was heard while it lasted. So what was heard lies before it, and what
//!   is heard later, after it.
//! - What inotify tells is replayed first, so that a name which came and went between two looks is reported.
//!   Then the look has the last word; so an overflow of inotify's queue loses at most such a coming and going.
//! - An epoll set polls what is added to it, and takes the kernel's only word of a mount with that. So a watch is
//!   readable from the beginning, until it has been asked.
//! - A directory that is missing is waited for by its parent, or by the nearest directory above that exists.
//!   The parent is listened to always, for a directory that is replaced.
//!
//! A symlink whose target becomes another namespace is noticed with the next change of any kind.
//!
//! # Why many names are no trouble
//!
//! To look at a thousand names takes some 10 ms, and whoever makes a thousand causes as many looks. So where names are many, only
//! those are looked at at once that inotify has told of, and those that were seen to lead nowhere when they came: one of these is
//! where the kernel has seen a mount, most of the time. A look at all of them follows, when it is its turn ([`Pace`]).

mod pace;
#[cfg(feature = "mio")]
mod source;
mod state;

pub use state::WatchEvent;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::{EntryState, Registry, RegistryError, RegistryOperation, entry};
use crate::mountinfo::MOUNTINFO;
use crate::root::beneath;
use crate::{NetnsId, NetnsName, Root};
use pace::Pace;
use state::{Change, Look, Seen, State};

/// How often a look is repeated, at most, because something was heard while it lasted. What was heard during
/// the last one is reported with the next.
const MOST_LOOKS: usize = 16;

/// Watches a registry. It is a readable descriptor, for `poll(2)` and its like; with the feature `mio` it is
/// an event source.
///
/// ```no_run
/// use netns_core::{Registry, WatchEvent};
///
/// let mut watch = Registry::system().watch()?;
/// for (name, id) in watch.known() {
///     println!("{name} is there already: {id:?}");
/// }
/// loop {
///     for event in watch.wait(None)? {
///         match event {
///             WatchEvent::Ready { name, id } => println!("{name} can be used: namespace {id}"),
///             WatchEvent::Removed { name } => println!("{name} is gone"),
///             other => println!("{other:?}"),
///         }
///     }
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), netns_core::RegistryError>(())
/// ```
///
/// It is about the mount namespace of the thread that made it, and must be used by threads of the same.
/// [`Root::watch`] makes one in a process that has left its root directory.
#[derive(Debug)]
pub struct Watch {
    registry: Registry,
    /// Holds the four below, and is the descriptor that is shown.
    epoll: Epoll,
    inotify: Inotify,
    /// Kept open: it is in `epoll`.
    _mountinfo: File,
    /// Readable until the next call of [`Watch::events`].
    reminder: EventFd,
    /// Readable when it is the turn of a look at all names that is due.
    turn: TimerFd,
    /// What inotify watches: the directory, if it is there, and one above.
    directory: Option<WatchDescriptor>,
    above: Option<Above>,
    state: State,
    pace: Pace,
}

/// What inotify has told.
#[derive(Debug, Default)]
struct Heard {
    /// Of the directory, in its order.
    changes: Vec<(NetnsName, Change)>,
    /// There was more than the queue could hold.
    is_cut_short: bool,
}

/// The nearest directory above that exists.
#[derive(Debug)]
struct Above {
    watch: WatchDescriptor,
    /// The one name in it that matters: the next on the way to the registry's directory.
    next: OsString,
}

impl Registry {
    /// Watches this registry, which need not exist yet. What is there already is [known](Watch::known) at
    /// once; from then on nothing is missed.
    ///
    /// # Errors
    ///
    /// `/proc` is not mounted, a limit is reached, or the directory cannot be read.
    pub fn watch(&self) -> Result<Watch, RegistryError> {
        let path = std::path::absolute(&self.path).map_err(|source| cannot_watch(self, source))?;
        Self::at(path).watch_with(Path::new(MOUNTINFO))
    }

    /// Watches this registry, whose path and that of the mounts may be relative to the calling thread's directory.
    fn watch_with(&self, mountinfo: &Path) -> Result<Watch, RegistryError> {
        let failed = |errno: nix::Error| cannot_watch(self, errno.into());
        let mountinfo = File::open(mountinfo).map_err(|source| cannot_watch(self, source))?;
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(failed)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        epoll
            .add(&inotify, EpollEvent::new(EpollFlags::EPOLLIN, 0))
            .map_err(failed)?;
        // It is always readable in the ordinary sense; a change is urgent, and an error (proc_pid_mountinfo(5)).
        epoll
            .add(&mountinfo, EpollEvent::new(EpollFlags::EPOLLPRI, 1))
            .map_err(failed)?;
        let reminder = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(failed)?;
        epoll
            .add(&reminder, EpollEvent::new(EpollFlags::EPOLLIN, 2))
            .map_err(failed)?;
        let turn = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK,
        );
        let turn = turn.map_err(failed)?;
        epoll
            .add(&turn, EpollEvent::new(EpollFlags::EPOLLIN, 3))
            .map_err(failed)?;
        let mut watch = Watch {
            registry: self.clone(),
            epoll,
            inotify,
            _mountinfo: mountinfo,
            reminder,
            turn,
            directory: None,
            above: None,
            state: State::default(),
            pace: Pace::default(),
        };
        watch.events()?;
        watch.remind().map_err(failed)?;
        Ok(watch)
    }
}

impl Root {
    /// Watches a registry of this root, in a process that has left it. **The calling thread gets a working directory of
    /// its own, and that is this root**; the watch has to be used on this very thread.
    ///
    /// Absolute symlinks in the registry begin at the root that the process has now, so that such a name is reported as
    /// one without a namespace. [`Root::open`] follows them as they were meant.
    ///
    /// # Errors
    ///
    /// As [`Registry::watch`].
    pub fn watch(&self, registry: &Registry) -> Result<Watch, RegistryError> {
        let failed = |errno: nix::Error| cannot_watch(registry, errno.into());
        // A path that does not begin with a slash begins here, wherever the root directory is.
        unshare(CloneFlags::CLONE_FS).map_err(failed)?;
        self.make_working_directory().map_err(failed)?;
        Registry::at(beneath(registry.path())).watch_with(beneath(Path::new(MOUNTINFO)))
    }
}

impl Watch {
    /// The names that are there, and what they lead to: nothing, if no namespace stands under the name (yet).
    /// It is the state after the last call of [`Watch::events`] or [`Watch::wait`], and at first, the one at
    /// the beginning.
    pub fn known(&self) -> impl Iterator<Item = (&NetnsName, Option<NetnsId>)> {
        self.state.known()
    }

    /// The namespace that one of the [known](Watch::known) names leads to.
    pub fn find(&self, name: &NetnsName) -> Option<NetnsId> {
        self.state.find(name)
    }

    /// What has happened since the last call. It does not wait, and there may be nothing.
    ///
    /// When the descriptor has been reported readable, this must be called before it is waited for again: the
    /// kernel says only once that a mount has changed. To add the descriptor to an epoll set counts as waiting; so a
    /// new watch is readable until the first call, and who adds one later than that calls this once afterwards.
    /// (Registration with mio sees to it.)
    ///
    /// Where there are so many names that to look at all of them takes longer than a millisecond, a mount or an unmount on a name
    /// that has been there for long may be told some time later: ten times as long as such a look takes. The descriptor becomes
    /// readable then.
    ///
    /// # Errors
    ///
    /// The directory cannot be read, or a limit is reached. It may be tried again, and nothing is missed.
    pub fn events(&mut self) -> Result<Vec<WatchEvent>, RegistryError> {
        // Takes the note that a mount has changed, if there is one, and the reminder, before the look.
        self.poll(EpollTimeout::ZERO)?;
        self.forget_reminder()?;
        let mut is_whole = self.pace.allows_all(Instant::now());
        let mut heard = Heard::default();
        let mut look = Look::default();
        for _ in 0..MOST_LOOKS {
            let is_other = self
                .listen()
                .map_err(|source| cannot_watch(&self.registry, source))?;
            self.hear(&mut heard)?;
            is_whole |= is_other || heard.is_cut_short;
            look = if is_whole {
                self.look_at_all()?
            } else {
                self.look_at_some(&heard)
            };
            if !self.hear(&mut heard)? {
                break;
            }
        }
        // What was called for is unknown: the kernel's word of a mount may have been taken by whoever polls this descriptor.
        self.wake_at((!is_whole).then(|| self.pace.rest(Instant::now())))?;
        for (name, change) in &heard.changes {
            if *change == Change::Came {
                self.pace.expect(name.clone());
            }
        }
        let events = self.state.advance(heard.changes, look);
        self.pace.retain(|name| self.state.is_unused(name));
        Ok(events)
    }

    /// Makes the descriptor readable after this time, or not by the clock.
    fn wake_at(&self, rest: Option<Duration>) -> Result<(), RegistryError> {
        let set = match rest {
            // A timer of no time is none.
            Some(rest) => self.turn.set(
                Expiration::OneShot(rest.max(Duration::from_micros(1)).into()),
                TimerSetTimeFlags::empty(),
            ),
            None => self.turn.unset(),
        };
        set.map_err(|errno| cannot_watch(&self.registry, errno.into()))
    }

    /// Waits until something has happened, or until the time is over: then there is nothing.
    ///
    /// # Errors
    ///
    /// As [`Watch::events`].
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Vec<WatchEvent>, RegistryError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let events = self.events()?;
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if !events.is_empty() || left == Some(Duration::ZERO) {
                return Ok(events);
            }
            self.poll(left.map_or(EpollTimeout::NONE, in_milliseconds))?;
        }
    }

    /// Makes the descriptor readable until [`Watch::events`] is called.
    fn remind(&self) -> nix::Result<()> {
        self.reminder.write(1).map(drop)
    }

    fn forget_reminder(&self) -> Result<(), RegistryError> {
        match self.reminder.read() {
            Ok(_) | Err(nix::Error::EAGAIN) => Ok(()),
            Err(errno) => Err(cannot_watch(&self.registry, errno.into())),
        }
    }

    /// Waits for either source. A signal handler that runs ends it early.
    fn poll(&self, timeout: EpollTimeout) -> Result<(), RegistryError> {
        match self.epoll.wait(&mut [EpollEvent::empty(); 4], timeout) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(errno) => Err(cannot_watch(&self.registry, errno.into())),
        }
    }

    /// Makes sure that inotify watches the directory that has the path now, and one above it. Says whether the directory is
    /// another one than before.
    fn listen(&mut self) -> io::Result<bool> {
        let path = self.registry.path().to_owned();
        // From above: if the directory is replaced between the two, it is heard.
        let above = self.listen_above(&path)?;
        let directory = self.listen_at(&path, in_directory())?;
        let now = [above.as_ref().map(|above| above.watch), directory];
        for old in [self.above.as_ref().map(|above| above.watch), self.directory] {
            if let Some(old) = old
                && !now.contains(&Some(old))
            {
                // The kernel may have ended it already, with the directory.
                let _ = self.inotify.rm_watch(old);
            }
        }
        let is_other = directory != self.directory;
        (self.above, self.directory) = (above, directory);
        Ok(is_other)
    }

    /// Watches the nearest directory above `path` that exists.
    fn listen_above(&self, path: &Path) -> io::Result<Option<Above>> {
        for _ in 0..MOST_LOOKS {
            let mut below = path;
            for above in path.ancestors().skip(1) {
                if let Some(watch) = self.listen_at(above, in_directory_above())? {
                    // What was made before the watch, but after it had been looked for, is not heard.
                    if below == path || fs::symlink_metadata(below).is_err() {
                        let next = below.file_name().unwrap_or_default().to_owned();
                        return Ok(Some(Above { watch, next }));
                    }
                    break;
                }
                below = above;
            }
        }
        Ok(None)
    }

    /// Watches a directory, if it is there.
    fn listen_at(&self, path: &Path, what: AddWatchFlags) -> io::Result<Option<WatchDescriptor>> {
        // Above the first name of a relative path.
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        match self.inotify.add_watch(path, what | AddWatchFlags::IN_ONLYDIR) {
            Ok(watch) => Ok(Some(watch)),
            Err(nix::Error::ENOENT | nix::Error::ENOTDIR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes all that inotify has told. The answer is whether there was something that matters.
    fn hear(&self, heard: &mut Heard) -> Result<bool, RegistryError> {
        let mut is_something = false;
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(nix::Error::EAGAIN) => return Ok(is_something),
                Err(nix::Error::EINTR) => continue,
                Err(errno) => return Err(cannot_watch(&self.registry, errno.into())),
            };
            for event in events {
                is_something |= self.matters(&event);
                heard.is_cut_short |= event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                if Some(event.wd) == self.directory {
                    heard.changes.extend(change(event));
                }
            }
        }
    }

    /// Much comes and goes in the directory above, and only one name there is ours. The rest is told of a
    /// directory itself, or of the queue.
    fn matters(&self, event: &InotifyEvent) -> bool {
        match (&event.name, &self.above) {
            (Some(name), Some(above)) if event.wd == above.watch => *name == above.next,
            _ => true,
        }
    }

    fn look_at_all(&mut self) -> Result<Look, RegistryError> {
        let began = Instant::now();
        let mut names = BTreeMap::new();
        self.registry.for_each(|entry, _| {
            names.insert(entry.name, Some(seen(&entry.state)));
        })?;
        let now = Instant::now();
        self.pace.has_looked(now, now - began);
        Ok(Look {
            names,
            is_whole: true,
        })
    }

    /// Looks at those that something was heard of, and at those that are about to become usable.
    fn look_at_some(&self, heard: &Heard) -> Look {
        let mut look = Look::default();
        let changed = heard.changes.iter().map(|(name, _)| name);
        for name in changed.chain(self.pace.expected()) {
            if !look.names.contains_key(name) {
                let found = entry::look_at(&self.registry, name);
                look.names
                    .insert(name.clone(), found.map(|(state, _)| seen(&state)));
            }
        }
        look
    }
}

fn seen(state: &EntryState) -> Seen {
    match state {
        EntryState::Live { id } | EntryState::Symlink { id: Some(id), .. } => Seen::Netns(*id),
        EntryState::Unreadable { .. } => Seen::Unknown,
        _ => Seen::Nothing,
    }
}

/// Readable when [`Watch::events`] should be called.
impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// What happened to which name.
fn change(event: InotifyEvent) -> Option<(NetnsName, Change)> {
    let change = if event.mask.intersects(came()) {
        Change::Came
    } else if event.mask.intersects(went()) {
        Change::Went
    } else {
        return None;
    };
    Some((NetnsName::new(event.name?).ok()?, change))
}

fn came() -> AddWatchFlags {
    AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO
}

fn went() -> AddWatchFlags {
    AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM
}

/// What is asked for in the directory. Its own end is heard from above.
fn in_directory() -> AddWatchFlags {
    came() | went() | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF
}

/// What is asked for above it: whether the way to the directory changes.
fn in_directory_above() -> AddWatchFlags {
    came() | went() | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF
}

/// Rounded up, so that the time is over when it is waited for no longer.
fn in_milliseconds(left: Duration) -> EpollTimeout {
    let millis = left.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128);
    EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::MAX)
}

fn cannot_watch(registry: &Registry, source: io::Error) -> RegistryError {
    RegistryError::System {
        operation: RegistryOperation::Watch,
        path: registry.path().to_owned(),
        source,
    }
}
