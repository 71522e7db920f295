//! What the tests of nsproxy are written with: private namespaces, real programs, scriptable
//! peers, seeds and deadlines.
//!
//! ```no_run
//! use nsproxy_testkit::{Peer, Service, world};
//!
//! world("overlapping-addresses", |w| {
//!     let tenant = w.add_netns("tenant1");
//!     let relay = w.add_netns("relay");
//!     w.veth(("tenant1", "eth0", "10.0.0.1/24"), ("relay", "eth1", "10.0.0.2/24"));
//!
//!     let service = Service::reply(tenant.listen("10.0.0.1:0"), b"hello from tenant1");
//!     let peer = relay.connect(service.address());
//!     peer.half_close();
//!     peer.expect(b"hello from tenant1");
//!     peer.expect_eof();
//! });
//! ```
//!
//! The rules behind it:
//!
//! - A test that touches the kernel's namespaces runs in a [`world`] of its own: a fresh mount and
//!   network namespace with a private `/run`. The machine's own `/run/netns`, links and mounts are
//!   never touched, and a world checks at its end that nothing of it is left.
//! - Nothing waits without a deadline, and nothing sleeps for a fixed time: see [`eventually`].
//! - Ports are chosen by the kernel: bind port 0 and ask for the address.
//! - What a test needs and the machine lacks is asked for with [`require!`], which skips loudly, and
//!   fails where `CI=true` is set.
//! - What is random comes from a [`Rng`], whose seed is printed when the test fails and can be given
//!   again in `NSPROXY_SEED`.
//!
//! A failed expectation panics, with a message that says what came instead: a panic is how a test
//! reports. This crate is for tests only and is not published. It uses none of nsproxy's own crates,
//! so that they can all be tested with it.

#![allow(
    clippy::missing_panics_doc,
    reason = "every call here panics when its expectation is not met in time: that is the purpose of the crate"
)]

mod address;
mod deadline;
mod dns;
mod leftovers;
mod listener;
mod listening;
mod netns;
mod output;
mod peer;
mod program;
mod recipes;
mod rootless;
mod seed;
mod service;
mod skip;
mod spawner;
mod sys;
mod transfer;
mod world;

pub use nix::sys::signal::Signal;

pub use address::{Address, ToAddress};
pub use deadline::{DEFAULT_DEADLINE, Deadline, eventually};
pub use dns::{DnsAnswer, DnsServer};
pub use listener::Listener;
pub use netns::Netns;
pub use peer::Peer;
pub use program::{Finished, MissingProgram, Program, Running};
pub use seed::Rng;
pub use service::Service;
pub use skip::skip;
pub use transfer::{Checksum, Pattern, Tally, pattern};
pub use world::{LinkEnd, World, world};
