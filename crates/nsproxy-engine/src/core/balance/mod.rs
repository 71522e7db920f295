//! Which server a session goes to, and which session goes to a server that has room again: values without a lock, a clock
//! or a socket. Whoever shares them among threads brings the lock; only [`Load`] is shared without one.
//!
//! | file | what it decides |
//! |---|---|
//! | `share.rs` | what a server may get: weight, limits, whether at all |
//! | `load.rs` | what a server has now |
//! | `down.rs` | why it can get no sessions now |
//! | `standing.rs` | what an administrator wants of a server |
//! | `balancer.rs` | the server for a session, by the pool's algorithm |
//! | `map.rs` | the fixed order of `static-rr` and of map-based hashing |
//! | `ring.rs` | consistent hashing |
//! | `hash.rs` | the number that stands for a client |
//! | `queue.rs` | who waits, in which order |
//! | `dispatcher.rs` | all of them together: places, waits, grants |
//!
//! The hashes, the map and the ring are HAProxy's (`lb_map.c`, `lb_chash.c`), so that a client keeps its server when one
//! takes the place of the other.

mod balancer;
mod dispatcher;
mod down;
mod hash;
mod load;
mod map;
mod queue;
mod ring;
mod share;
mod standing;

#[cfg(test)]
mod properties;

pub use balancer::{Algorithm, HashType};
pub use dispatcher::{Ask, Dispatcher, Placed, Setup};
pub use down::Down;
pub use hash::{hash_of_bytes, hash_of_client};
pub use load::Load;
pub use queue::{Ticket, Waited};
pub use share::Share;
pub use standing::{Admin, Setting, Standing};
