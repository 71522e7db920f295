//! Open, identify, enter, create and list Linux network namespaces, and wire them together.
//!
//! - [`NetnsName`], [`NetnsSpec`], [`NetnsPattern`]: which namespace is meant, or which ones, as text. [`Netns`]: an open one. [`NetnsId`]:
//!   which one it is. [`UserNamespace`]: who owns it.
//! - [`run`], [`Netns::enter`], [`Home::visit`]: being inside. [`socket()`], [`tcp_listener`],
//!   [`tcp_stream`], [`udp_socket`]: a socket from inside. [`SocketPool`]: many.
//! - [`Root`]: the same from a root directory that the process has left.
//! - [`Registry`]: names, in `/run/netns` as `ip netns` does or elsewhere. [`Watch`]: when they change.
//! - [`enter_for_exec`], [`ExecEnvironment`]: what a program needs around it that knows nothing of namespaces.
//! - [`links`]: interfaces, addresses, routes, and the numbers that namespaces have for each other.
//!
//! # Threads
//!
//! A network namespace belongs to a **thread**, not to a process. All of the following follows from that.
//!
//! 1. `setns` and `unshare` move the calling thread only. Each other thread stays where it is.
//! 2. A new thread is born in the namespace of the thread that starts it, and a new process too. Code inside
//!    that lazily starts a thread (a pool, a resolver, an exporter) leaves that thread inside for ever.
//! 3. A socket belongs to the namespace in which `socket(2)` was called, for good. So it is enough to make it
//!    inside; it can be bound, connected and used from any thread. Most code needs no more than that.
//! 4. `/proc/self/ns/net` and `/proc/net` are the main thread's. `/proc/thread-self` is the calling thread's.
//!    `/proc/sys/net` follows the calling thread.
//! 5. A thread that cannot go home must not go on: it would work, in the wrong network.
//!
//! Three ways to be inside, from the safest to the cheapest:
//!
//! | | thread | way back | cost |
//! |---|---|---|---|
//! | [`run`] | a new one, which ends inside | none, so none can fail | a thread |
//! | [`Netns::enter`] | the calling one, until the guard goes | proven first, or abort | open, three `setns`, close |
//! | [`Home::visit`] | the calling one, for a closure | proven once, or abort | two `setns` |
//!
//! "Abort" is meant: if the kernel refuses the way back, the process ends with `SIGABRT` and a line on the
//! standard error. It can happen only to a thread that gave up its privileges while it was inside; do not do
//! that.
//!
//! # Asynchronous code
//!
//! There is no asynchronous form, on purpose. At an `.await` the executor runs other tasks on this thread, in
//! the foreign namespace, and may continue this task on another thread, which is at home. Programs have left
//! whole worker threads behind in a container's network that way. [`EnterGuard`] and [`Home`] are therefore
//! neither `Send` nor `Sync`, which makes a future that holds one across an `.await` not `Send` either. An
//! executor that runs tasks on one thread only does not ask for `Send`: there nothing but this paragraph
//! stops it. Make the socket inside with a closure, and wait for it outside:
//!
//! ```no_run
//! # use netns_core::{Netns, run};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let blue = Netns::open(&"blue".parse()?)?;
//! let listener = run(&blue, || std::net::TcpListener::bind("0.0.0.0:80"))??;
//! listener.set_nonblocking(true)?;
//! // From here on it is a socket like any other: hand it to the executor.
//! # Ok(())
//! # }
//! ```
//!
//! # Privileges
//!
//! To enter a namespace a thread needs `CAP_SYS_ADMIN` in its own user namespace and in the one that owns the
//! network namespace; to make one, in its own. To change interfaces it needs `CAP_NET_ADMIN` in the owning
//! one, and for the registry `CAP_SYS_ADMIN` over the mount namespace. Inside a user namespace of its own any
//! user has all of these. Errors say which one was missing.
//!
//! # Kernels
//!
//! Linux 5.14 or later is needed for [`NetnsId`] and all that tells namespaces apart, 5.2 to keep mounts in an
//! [`ExecEnvironment`], 4.11 for the rest. From 6.18 on an id is one system call.
//!
//! # Features
//!
//! `mio` makes [`Watch`] an event source of [mio](https://docs.rs/mio). Without it nothing of mio is built.

#[cfg(not(target_os = "linux"))]
compile_error!("network namespaces exist on Linux only");

mod enter;
pub mod error;
mod exec;
mod file_id;
mod id;
mod kind;
pub mod links;
mod mountinfo;
mod name;
mod netns;
mod owner;
mod pattern;
mod pool;
mod process;
mod registry;
mod root;
mod scoped;
mod socket;
mod spec;
mod sys;

pub use enter::{EnterGuard, Home};
pub use error::{EnterError, OpenError, SocketError};
pub use exec::{ExecEnvironment, ExecError, ExecOperation, ExecWarning, enter_for_exec};
pub use id::NetnsId;
pub use kind::NamespaceType;
pub use links::{LinkError, Links};
pub use name::{NameError, NetnsName};
pub use netns::Netns;
pub use owner::UserNamespace;
pub use pattern::{NetnsPattern, PatternError};
pub use pool::{PoolError, PoolTurn, SocketPool};
pub use process::{Process, Thread};
pub use registry::{
    Entry, EntryState, Reach, Registry, RegistryError, RegistryOperation, Sight, Watch, WatchEvent,
};
pub use root::Root;
pub use scoped::run;
pub use socket::{socket, tcp_listener, tcp_stream, udp_socket};
pub use spec::{NetnsSpec, SpecError};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
