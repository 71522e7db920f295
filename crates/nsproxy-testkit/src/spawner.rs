//! The thread of a world that starts its child processes.
//!
//! A child is killed when the thread that started it ends (`PR_SET_PDEATHSIG`, prctl(2)), so that
//! nothing survives a test that is itself killed. The threads of a test come and go while their
//! children should stay; this one lives as long as the world. It was started inside the world, so what
//! it starts inherits the world's mount namespace.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

type Request = (Command, Sender<io::Result<Child>>);

/// A running spawner thread; it ends, and its children with it, when this is dropped.
#[derive(Debug)]
pub(crate) struct Spawner {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Spawner {
    /// Starts the thread in the namespaces of the calling thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (requests, incoming) = mpsc::channel::<Request>();
        let thread = thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for (mut command, answer) in incoming {
                // The one who asked waits for the answer, so there is always somebody to take it.
                let _ = answer.send(command.spawn());
            }
        })?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Spawns `command` from the spawner thread.
    ///
    /// # Errors
    ///
    /// As [`Command::spawn`].
    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, answered) = mpsc::channel();
        let gone = || io::Error::other("the spawner thread has ended");
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send((command, answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked on anything but a bug of the standard library.
            let _ = thread.join();
        }
    }
}
