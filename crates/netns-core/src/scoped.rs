//! `run`: a closure on a thread of its own, inside a network namespace.
//!
//! The thread enters, runs the closure and ends there. It never comes home, so there is no way back that
//! could fail, and it works even where the kernel would refuse the way back.

use std::io;
use std::panic;
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::Netns;
use crate::error::EnterError;

/// Runs `body` inside `netns`, on a new thread, and waits for it.
///
/// The calling thread does not move. A panic of `body` goes on in the calling thread. Threads that `body`
/// starts are born in `netns` and stay there, and so do the sockets that it makes.
///
/// # Errors
///
/// The thread could not be started, or could not enter; then `body` has not run.
///
/// ```no_run
/// use netns_core::{Netns, run};
///
/// let blue = Netns::open(&"blue".parse()?)?;
/// let socket = run(&blue, || std::net::UdpSocket::bind("0.0.0.0:53"))??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn run<T, F>(netns: &Netns, body: F) -> Result<T, EnterError>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    on_own_thread(|| {
        setns(netns, CloneFlags::CLONE_NEWNET).map_err(|errno| EnterError::Enter { source: errno.into() })?;
        Ok(body())
    })
    .map_err(|source| EnterError::StartThread { source })?
}

/// Runs `body` on a new thread which is free to move to any namespace, since it ends with `body`.
pub(crate) fn on_own_thread<T, F>(body: F) -> io::Result<T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, body)?;
        Ok(thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}
