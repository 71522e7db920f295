//! The session, as a value: events and the time go in, steps come out.
//!
//! Nothing under `core/` knows a descriptor, a clock, a thread, an event loop or a system call; `cargo xtask tidy` fails
//! when one of them creeps in. That is what lets `sim.rs` play millions of steps against a byte-queue model with a
//! virtual clock, and what lets the worker be a plain executor of steps.
//!
//! | file | what it decides |
//! |---|---|
//! | `side.rs` | which of the two connections, which of the two directions |
//! | `readiness.rs` | what is known of a socket: latched edges |
//! | `meter.rs` | how many events there were in a second |
//! | `history.rs` | since when something is up or down |
//! | `moment.rs` | time as a number that is passed in |
//! | `flow.rs` | one direction: fill, flush, half-close, copy or splice |
//! | `session.rs` | states from accept to close, deadlines, the next step |
//! | `step.rs` | what goes into a session and what comes out of it |
//! | `expressions.rs` | whether bytes match a regular expression |
//! | `close.rs` | why a session ended |
//! | `balance/` | which server a session goes to, and who waits for one |
//! | `health/` | whether a server can be reached, by its checks |
//! | `namespaces/` | where names of namespaces lead, and which listeners are open for it |
//! | `bytes.rs` | what is looked for in bytes, and how they are written |
//! | `policy.rs` | which namespace a connection belongs to |
//! | `random.rs` | numbers that need not be foreseen |
//! | `rate.rs` | how many events there may be in a second |
//! | `rules/` | what the rules of a configuration say of a connection |

pub mod balance;
mod bytes;
pub mod close;
pub(crate) mod expressions;
pub mod flow;
pub mod health;
pub mod history;
pub mod meter;
pub mod moment;
pub mod namespaces;
pub mod policy;
pub(crate) mod random;
pub mod rate;
pub mod readiness;
pub mod rules;
pub mod session;
pub mod side;
mod step;

#[cfg(test)]
mod flow_properties;
#[cfg(test)]
mod sim;
