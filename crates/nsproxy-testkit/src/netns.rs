//! A handle on one network namespace of a world: run code, open sockets and start programs in it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::listening;
use crate::spawner::Spawner;
use crate::{Deadline, Finished, Listener, Peer, Program, Running, ToAddress};

/// A network namespace of a [`World`](crate::World). Cloning it is cheap and means the same namespace.
#[derive(Clone, Debug)]
pub struct Netns {
    name: Arc<str>,
    handle: Arc<OwnedFd>,
    spawner: Arc<Spawner>,
}

impl Netns {
    pub(crate) fn new(name: &str, handle: OwnedFd, spawner: &Arc<Spawner>) -> Self {
        Self {
            name: name.into(),
            handle: Arc::new(handle),
            spawner: Arc::clone(spawner),
        }
    }

    /// The name in `/run/netns`; `home` for the one the world started in, which has no name there.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `body` on a thread inside this namespace and hands its value back.
    ///
    /// The thread ends with the body, so the caller's own namespace never changes.
    ///
    /// # Panics
    ///
    /// When the body does, or when the namespace cannot be entered.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            setns(&self.handle, CloneFlags::CLONE_NEWNET)
                .unwrap_or_else(|errno| panic!("cannot enter netns {}: {errno}", self.name));
            body()
        };
        let name = format!("netns-{}", self.name);
        thread::scope(|scope| {
            thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, inside)
                .expect("a thread can be started")
                .join()
                .unwrap_or_else(|payload| panic::resume_unwind(payload))
        })
    }

    /// A peer connected from this namespace to `address`; see [`Peer::connect`].
    pub fn connect(&self, address: impl ToAddress) -> Peer {
        let address = address.to_address();
        self.run(|| Peer::connect(address))
    }

    /// A listener bound in this namespace; see [`Listener::bind`].
    pub fn listen(&self, address: impl ToAddress) -> Listener {
        let address = address.to_address();
        self.run(|| Listener::bind(address))
    }

    /// Starts a program in this namespace, with its output captured and standard input empty.
    ///
    /// The program is killed when the [`Running`] is dropped, and also when the test process dies.
    pub fn spawn(&self, mut command: Command) -> Running {
        let handle = self.duplicate().expect("a descriptor can be duplicated");
        Running::start(&mut command, Some(handle), |command| self.spawner.spawn(command))
    }

    /// Runs a program in this namespace to its end; it has [`DEFAULT_DEADLINE`](crate::DEFAULT_DEADLINE).
    pub fn output(&self, command: Command) -> Finished {
        self.spawn(command).wait()
    }

    /// Runs `ip` with these words as arguments, and returns what it printed.
    ///
    /// # Panics
    ///
    /// When `ip` is missing or fails.
    #[track_caller]
    pub fn ip(&self, arguments: &str) -> String {
        let mut command = match Program::find("ip") {
            Ok(program) => program.command(),
            Err(missing) => panic!("{missing}"),
        };
        command.args(arguments.split_whitespace());
        self.output(command).expect_success()
    }

    /// Waits until some socket listens on `address` here, without connecting to it.
    ///
    /// # Panics
    ///
    /// When none does by the deadline.
    #[track_caller]
    pub fn wait_listening(&self, address: impl ToAddress, deadline: Deadline) {
        let address = address.to_address();
        let found = self.run(|| listening::wait(&address, deadline));
        assert!(
            found,
            "nothing listens on {address} in netns {} after {:?}",
            self.name,
            deadline.allowed()
        );
    }

    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.handle.as_fd().try_clone_to_owned()
    }
}
