//! The admin socket: administrators ask how things are and change them, in HAProxy's words.
//!
//! Each socket has a thread that accepts, and each client one that serves it, up to `stats maxconn` at a time. So a client
//! that is slow or does not read is in nobody's way: its thread waits in the kernel, for `stats timeout` at most, and holds
//! one buffer. No worker ever waits for a client; it is asked for its sessions page by page, and otherwise nothing but
//! counters are read.
//!
//! | file | what it does |
//! |---|---|
//! | `socket.rs` | opens the places to listen at |
//! | `client.rs` | one client: lines in, answers out |
//! | `line.rs` | a line as commands of words |
//! | `command.rs` | the commands: who may give them, what carries them out |
//! | `directory.rs` | proxies and servers in the order of the configuration, with their numbers |
//! | `start.rs` | when that was |
//! | `info.rs` | `show info`, `show counters` |
//! | `usage.rs` | how much of its CPUs the process has used lately, and how many bytes it has sent |
//! | `stat/` | `show stat` |
//! | `servers.rs` | `show servers`, `get weight` |
//! | `change.rs` | `set server` and its kin |
//! | `sessions.rs` | `show sess`, `shutdown session` |
//! | `whereabouts.rs` | where servers are, `set server ... addr` |
//! | `typed.rs` | numbers and texts as CSV, typed lines and JSON |

mod change;
mod client;
mod command;
mod directory;
mod info;
mod line;
mod servers;
mod sessions;
mod socket;
mod start;
mod stat;
mod typed;
mod usage;
mod whereabouts;

use std::io;
use std::net::Shutdown;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use nsproxy_config::Config;
use nsproxy_config::model;
use nsproxy_engine::{Handle, SocketFile};
use socket2::Socket;

use self::directory::Directory;
pub(crate) use self::socket::{Opened, Taken, open};
use self::start::Start;
use self::usage::Usage;

/// How long a client may be inactive, unless `stats timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Clients at a time, unless `stats maxconn` says otherwise.
const CLIENTS: u32 = 10;
/// How long no connection is accepted when descriptors or memory have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Everything that answers are made from.
struct Context {
    engine: Handle,
    directory: RwLock<Arc<Directory>>,
    started: Start,
    usage: Usage,
    /// Lines of logs that could not be written.
    losses: Arc<AtomicU64>,
    /// The names and levels of the sockets.
    sockets: RwLock<Vec<(String, &'static str)>>,
}

impl Context {
    /// What the configuration in force has.
    fn directory(&self) -> Arc<Directory> {
        let directory = self.directory.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&directory)
    }

    fn sockets(&self) -> Vec<(String, &'static str)> {
        self.sockets
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Listens until it is dropped; the files of the sockets go with it.
pub(crate) struct Admin {
    context: Arc<Context>,
    places: Arc<Places>,
    timeout: Duration,
    listening: Vec<Arc<Socket>>,
    files: Vec<SocketFile>,
}

impl Admin {
    /// Listens nowhere yet.
    pub(crate) fn new(settings: &model::Admin, engine: Handle, losses: Arc<AtomicU64>) -> Self {
        let context = Arc::new(Context {
            engine,
            directory: RwLock::default(),
            started: Start::now(),
            usage: Usage::from_now_on(),
            losses,
            sockets: RwLock::default(),
        });
        Self {
            context,
            places: Arc::new(Places::new(settings.maxconn.unwrap_or(CLIENTS))),
            timeout: settings.timeout.unwrap_or(TIMEOUT),
            listening: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Serves those who come to these sockets.
    ///
    /// # Errors
    ///
    /// A thread cannot be started.
    pub(crate) fn listen(&mut self, sockets: Vec<Opened>) -> anyhow::Result<()> {
        let names = sockets
            .iter()
            .map(|opened| (opened.name.clone(), opened.level.name()));
        *self
            .context
            .sockets
            .write()
            .unwrap_or_else(PoisonError::into_inner) = names.collect();
        for opened in sockets {
            self.files.extend(opened.file);
            let socket = Arc::new(opened.socket);
            self.listening.push(Arc::clone(&socket));
            let desk = Desk {
                socket,
                level: opened.level,
                timeout: self.timeout,
                context: Arc::clone(&self.context),
                places: Arc::clone(&self.places),
            };
            thread::Builder::new()
                .name("nsproxy-admin".to_owned())
                .spawn(move || desk.run())
                .context("cannot listen for administrators")?;
        }
        Ok(())
    }

    /// Listens no more, since another process does. Clients who are served are served.
    pub(crate) fn leave(&mut self) {
        for socket in self.listening.drain(..) {
            // Whoever waits there for the next client is told. It can only fail on a socket that does not listen.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.files.clear();
    }

    /// Another configuration is in force.
    pub(crate) fn adopt(&self, config: &Config) {
        let directory = Arc::new(Directory::of(config, self.context.engine.max_sessions()));
        *self
            .context
            .directory
            .write()
            .unwrap_or_else(PoisonError::into_inner) = directory;
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What accepts at one socket.
struct Desk {
    socket: Arc<Socket>,
    level: model::AdminLevel,
    timeout: Duration,
    context: Arc<Context>,
    places: Arc<Places>,
}

impl Desk {
    /// Accepts until the socket is shut.
    fn run(self) {
        loop {
            // The place comes first: who has none waits in the kernel's backlog.
            let place = Places::take(&self.places);
            match self.socket.accept() {
                Ok((client, _)) => {
                    let (level, timeout) = (self.level, self.timeout);
                    let context = Arc::clone(&self.context);
                    // Without a thread the client is sent away; there may be one for the next.
                    let _ = thread::Builder::new()
                        .name("nsproxy-admin".to_owned())
                        .spawn(move || {
                            client::serve(&client, level, timeout, &context);
                            drop(place);
                        });
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) => {}
                // Descriptors or memory have run out.
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

/// Places for clients, of all sockets together.
struct Places {
    left: Mutex<u32>,
    freed: Condvar,
}

/// A client's place. It is free again when this is dropped.
struct Place(Arc<Places>);

impl Places {
    const fn new(most: u32) -> Self {
        Self {
            left: Mutex::new(most),
            freed: Condvar::new(),
        }
    }

    /// Waits for a place.
    fn take(places: &Arc<Self>) -> Place {
        let mut left = places.left();
        while *left == 0 {
            left = places.freed.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
        *left -= 1;
        Place(Arc::clone(places))
    }

    fn left(&self) -> MutexGuard<'_, u32> {
        // A number is whole, whoever panics beside it.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.left() += 1;
        self.0.freed.notify_one();
    }
}
