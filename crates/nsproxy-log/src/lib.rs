//! Log lines as HAProxy writes them: what is put around a message, and the targets that it goes to.
//!
//! A [`Target`] is a thread with a bounded queue before it. [`Target::log`] never waits and, once the calling thread has
//! logged before, allocates nothing: a line is framed into a buffer of the thread and copied into the queue. What the
//! queue cannot take is dropped and counted, and so is what the target refuses; the count is the first thing that the
//! target gets when it takes lines again.
//!
//! ```
//! use nsproxy_log::{Address, Facility, Framing, Identity, Level, Settings, Target};
//!
//! let settings = Settings {
//!     address: Address::Stderr,
//!     framing: Framing::Short,
//!     max_len: nsproxy_log::DEFAULT_LEN,
//!     facility: Facility::LOCAL0,
//!     level: Level::Info,
//!     min_level: Level::Emerg,
//!     identity: Identity::new("nsproxy"),
//!     losses: std::sync::Arc::default(),
//! };
//! let target = Target::start(settings)?;
//! target.log(Level::Info, b"", b"ready"); // "<6>ready" on standard error
//! target.finish(std::time::Duration::from_secs(1));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What it does not do: decide which lines are worth writing, or know what a session is.

mod clock;
mod framing;
mod record;
mod severity;
mod sys;
mod target;
mod template;

pub use clock::Clock;
pub use framing::{DEFAULT_LEN, Framing, Identity};
pub use record::Record;
pub use severity::{Facility, Level};
pub use target::{Address, Settings, Target};
pub use template::{Problem, Template, TemplateError, Values};

/// Reads what the time of this place is (`TZ`, /etc/localtime), as otherwise the first date does: for a process that will
/// change its root directory.
pub fn read_time_zone() {
    let _ = sys::local_time(0);
}
