//! Host names to addresses, asked in the network namespace that they are meant for, and watched: a [`Resolver`] tells which
//! address each watched [`Target`] has, and when that changes.
//!
//! One thread does all of it and waits for nothing but its own sockets. They come from [`Sockets`], one for each question, so
//! each has a port of the kernel's choice, and none lives longer than its question: nothing here keeps a namespace.
//!
//! # What is asked
//!
//! A name is looked up in the files `hosts` and by the servers of `resolv.conf` of its namespace ([`Source::System`]), or by
//! name servers that are given ([`Source::Servers`]). Both kinds of addresses are asked for at once, of all servers at once;
//! the first answer to each question counts. UDP comes first, TCP when an answer does not fit.
//!
//! # What is not there
//!
//! SRV records, DNSSEC, a cache by the times to live that answers carry: names are asked for again after times that are
//! configured.

mod assign;
mod exchange;
mod files;
mod lookup;
mod memory;
pub mod message;
mod name;
mod resolver;
mod round;
mod settings;
mod sockets;
mod subject;

pub use name::{HostName, NameError};
pub use resolver::{First, Missing, Resolver};
pub use settings::{Family, Holds, Init, MOST_SERVERS, Network, Servers, Source, Target, Transport};
pub use sockets::{SocketKind, Sockets};

/// Why a name has no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// The servers say that there is no such name.
    #[error("there is no such name")]
    NoSuchName,
    /// The servers refuse to answer.
    #[error("the name servers refuse to answer")]
    Refused,
    /// No server has answered in time.
    #[error("no name server answers")]
    Timeout,
    /// Anything else: an answer without an address, or one that cannot be read.
    #[error("the name servers have no address for it")]
    Other,
    /// There is no socket to ask with: the namespace is not there, or may not be entered.
    #[error("there is no socket in its namespace to ask with")]
    NoSocket,
}

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
