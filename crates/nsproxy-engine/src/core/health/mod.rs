//! Whether a server can be reached: what its checks and its traffic say of it, as values without a socket or a clock.
//!
//! | file | what it decides |
//! |---|---|
//! | `monitor.rs` | when a server counts as down or up again, and when to check it next |
//! | `result.rs` | what one check has found |
//! | `script.rs` | what one check does: connect, send, expect |
//! | `run.rs` | how far one check has come, and whether it has passed |
//! | `spread.rs` | when the first checks are made, and by how much others are moved |
//!
//! The rules are HAProxy's (`check.c`, `tcpcheck.c`), and so are the words of the results. Who makes the connections is in
//! `checker`.

mod monitor;
mod result;
mod run;
mod script;
mod spread;

#[cfg(test)]
mod properties;

pub use monitor::{Change, Judged, Monitor, OnError, Rules};
pub use result::{CheckReport, CheckResult};
pub use run::{Next, Run};
pub use script::{Action, Connect, Destination, Expect, Pattern, Script, Step};
pub use spread::Spread;
