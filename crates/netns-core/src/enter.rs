//! Entering a network namespace with the calling thread, and coming home.
//!
//! A thread that stays in a foreign namespace after the code that meant to be there is the worst bug of this
//! field: everything goes on, in the wrong network. So the way back is proven before the first step
//! ([`EnterError::NoWayBack`]), it is taken on return, on drop and on panic, and if the kernel refuses it
//! after all, the process aborts.
//!
//! [`EnterGuard`] is for code that goes in once; [`Home`] for a thread that does it again and again. For
//! neither is there an asynchronous form: see the crate documentation.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, setns};

use crate::error::EnterError;
use crate::netns::{open_thread_netns, open_thread_netns_from};
use crate::{Netns, Root};

/// Makes a type neither `Send` nor `Sync`: it is about the thread that made it.
type OfOneThread = PhantomData<*mut ()>;

impl Netns {
    /// Moves the calling thread into this namespace, until the guard goes.
    ///
    /// Guards may be nested; they must then be dropped in reverse order, as scopes do by themselves.
    ///
    /// # Errors
    ///
    /// The thread has not moved: it may not enter, or could not come back.
    pub fn enter(&self) -> Result<EnterGuard, EnterError> {
        let home = open_home()?;
        move_to(self.as_fd()).map_err(|source| EnterError::Enter { source })?;
        Ok(EnterGuard {
            home,
            is_inside: true,
            _thread: PhantomData,
        })
    }
}

/// The calling thread is in a foreign network namespace as long as this exists.
///
/// Dropping it takes the thread home, also while a panic unwinds. **If that fails, the process aborts.**
/// [`EnterGuard::leave`] gives the error instead.
///
/// ```compile_fail
/// fn needs_send<T: Send>(_: T) {}
/// needs_send(netns_core::Netns::current().unwrap().enter().unwrap());
/// ```
#[derive(Debug)]
#[must_use = "the thread goes home as soon as the guard is dropped"]
pub struct EnterGuard {
    home: OwnedFd,
    is_inside: bool,
    _thread: OfOneThread,
}

impl EnterGuard {
    /// Takes the thread home. A second call does nothing.
    ///
    /// # Errors
    ///
    /// [`EnterError::Leave`]: the thread is still inside. It may be tried again; dropping the guard tries a
    /// last time and then aborts the process. Who would rather end just the thread forgets the guard with
    /// [`std::mem::forget`].
    pub fn leave(&mut self) -> Result<(), EnterError> {
        if self.is_inside {
            move_to(self.home.as_fd()).map_err(|source| EnterError::Leave { source })?;
            self.is_inside = false;
        }
        Ok(())
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        if self.is_inside {
            return_or_abort(self.home.as_fd());
        }
    }
}

/// A thread's home network namespace, opened once, for a thread that visits others often.
///
/// It belongs to the thread that made it:
///
/// ```compile_fail
/// fn needs_send<T: Send>(_: T) {}
/// needs_send(netns_core::Home::of_this_thread().unwrap());
/// ```
#[derive(Debug)]
pub struct Home {
    fd: OwnedFd,
    is_away: Cell<bool>,
    _thread: OfOneThread,
}

impl Home {
    /// Takes the namespace in which the calling thread is now as its home.
    ///
    /// # Errors
    ///
    /// `/proc` is not mounted, or the kernel would not let this thread come back here.
    pub fn of_this_thread() -> Result<Self, EnterError> {
        Ok(Self {
            fd: open_home()?,
            is_away: Cell::new(false),
            _thread: PhantomData,
        })
    }

    /// As [`Home::of_this_thread`], in a process that has left `root` by `chroot(2)` and has no `/proc` any more.
    ///
    /// # Errors
    ///
    /// As [`Home::of_this_thread`].
    pub fn of_this_thread_from(root: &Root) -> Result<Self, EnterError> {
        Ok(Self {
            fd: rehearsed(open_thread_netns_from(root))?,
            is_away: Cell::new(false),
            _thread: PhantomData,
        })
    }

    /// Runs `body` inside `netns` on the calling thread, and comes home, also when `body` panics.
    ///
    /// The visit ends at home, also if the thread was elsewhere (by a guard) when it began.
    ///
    /// It costs two `setns` calls and nothing else. **If the thread cannot come home, the process aborts.**
    ///
    /// # Errors
    ///
    /// `netns` could not be entered, or this is a visit inside a visit; then `body` has not run.
    pub fn visit<T>(&self, netns: &Netns, body: impl FnOnce() -> T) -> Result<T, EnterError> {
        if self.is_away.get() {
            return Err(EnterError::Nested);
        }
        move_to(netns.as_fd()).map_err(|source| EnterError::Enter { source })?;
        self.is_away.set(true);
        let _way_home = WayHome(self);
        Ok(body())
    }
}

/// Ends a visit when it is dropped.
struct WayHome<'a>(&'a Home);

impl Drop for WayHome<'_> {
    fn drop(&mut self) {
        return_or_abort(self.0.fd.as_fd());
        self.0.is_away.set(false);
    }
}

/// Opens the calling thread's namespace, and proves that the kernel lets the thread come back to it.
///
/// Without the rehearsal a process that may enter a namespace of its own, but not its home (in a user
/// namespace without a network namespace, for example), would find out when it is too late.
fn open_home() -> Result<OwnedFd, EnterError> {
    rehearsed(open_thread_netns())
}

fn rehearsed(home: io::Result<OwnedFd>) -> Result<OwnedFd, EnterError> {
    let home = home.map_err(|source| EnterError::OpenHome { source })?;
    move_to(home.as_fd()).map_err(|source| EnterError::NoWayBack { source })?;
    Ok(home)
}

fn move_to(netns: BorrowedFd<'_>) -> io::Result<()> {
    Ok(setns(netns, CloneFlags::CLONE_NEWNET)?)
}

fn return_or_abort(home: BorrowedFd<'_>) {
    if let Err(error) = move_to(home) {
        // Nothing can be done about a failed write here.
        let _ = writeln!(
            io::stderr(),
            "netns-core: cannot return to the home network namespace: {error}; aborting, since this thread \
             would go on in the wrong network"
        );
        std::process::abort();
    }
}
