//! The data plane of nsproxy as a library: relays stream connections between Linux network namespaces.
//!
//! An [`Engine`] runs worker threads; a [`Plan`] says where to listen and where to connect; an [`Observer`] is told how
//! each session ended; a [`SocketOpener`] makes the sockets, in whichever namespace they belong.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//! use nsproxy_engine::{Endpoint, Engine, HealthPlan, InProcess, ListenerPlan, Plan, ServerPlan, Settings, Share, Silent, Target, UpstreamNetns};
//!
//! // What arrives at 127.0.0.1:8080 here goes to 10.0.0.5:80 in the namespace `tenant1`.
//! let listener = ListenerPlan::at(Endpoint::Ip(([127, 0, 0, 1], 8080).into()));
//! let server = ServerPlan {
//!     name: "web".to_owned(),
//!     target: Target::Ip { address: [10, 0, 0, 5].into(), port: Some(80) },
//!     netns: UpstreamNetns::Named("tenant1".parse()?),
//!     source: None,
//!     send_header: None,
//!     share: Share::default(),
//!     health: HealthPlan::default(),
//! };
//! let engine = Engine::start(&Settings::default(), Arc::new(InProcess), Arc::new(Silent))?;
//! engine.handle().apply(&Plan::forward(listener, server, None))?;
//! engine.handle().drain(Duration::from_secs(30)); // when it is time to end
//! let stats = engine.wait()?;
//! println!("{} bytes up, {} bytes down", stats.bytes_up, stats.bytes_down);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layers
//!
//! - [`core`] is pure: a session is a value that is told events and the time, and answers with steps;
//! - the workers carry steps out, with one poller each; nothing is shared on the way of a byte;
//! - sockets come from one seam only, the [`SocketOpener`]; an embedding program can bring its own.
//!
//! # What it relies on
//!
//! Linux 5.14 or later (`SO_NETNS_COOKIE`). `SIGPIPE` has to be ignored, as it is in every Rust program unless it changes
//! that: `splice` into a reset connection raises it. A panic in an [`Observer`] or [`SocketOpener`] on a worker ends the engine.

mod accepted;
mod administration;
mod admission;
mod checker;
mod clock;
mod control;
pub mod core;
mod engine;
mod error;
mod growing;
mod handed_over;
mod handle;
mod health;
mod inbox;
mod judge;
mod listeners;
mod listing;
mod live;
mod observer;
mod opener;
mod own;
mod places;
mod plan;
mod pool;
mod reconcile;
mod room;
mod route;
mod routes;
mod server;
mod servers;
mod source_ports;

mod stats;
mod status;
mod sys;
mod tally;
mod unix_listener;
mod whereabouts;
mod worker;
mod workers;

pub use self::core::balance::{Admin, Algorithm, Down, HashType, Share};
pub use self::core::close::{CloseReason, Errno, RuleStage};
pub use self::core::health::{
    Action, CheckReport, CheckResult, Connect, Destination, Expect, OnError, Pattern, Rules, Script, Spread,
    Step,
};
pub use self::core::history::Availability;
pub use self::core::moment::Span;
pub use self::core::rules;
pub use self::core::session::Stage;
pub use self::core::side::{Direction, Side};
pub use engine::{Engine, Settings, WaitError};
pub use error::{ApplyError, StartError};
pub use handed_over::HandedOver;
pub use handle::{Handle, ListenerStatus};
pub use health::HealthStatus;
pub use listing::{SessionId, SessionList, SessionStatus};
pub use live::{NetnsState, NetnsStatus};
pub use observer::{Cause, Notice, Observer, SessionSummary, Silent};
pub use opener::{
    Adopting, Family, InProcess, InProcessFrom, NetnsChange, NetnsInterest, NetnsWatcher, OpenAnswer,
    OpenError, OpenToken, OpenerFactory, Operation, PrepareError, Prepared, Presence, STOCK_INTERVAL,
    SocketKind, SocketOpener, SocketRequest, SourceBind,
};
pub use plan::{
    Balancing, CheckPlan, Compose, ComposedTlv, Endpoint, HeaderPlan, HealthPlan, HealthSource, KeepAlive,
    ListenerNetns, ListenerPlan, ListenerTuning, NETNS_REMOVED_TIMEOUT, NetnsSet, NetnsTlv, ObservePlan,
    Plan, PlanError, PoolPlan, RelayPlan, ServerPlan, SocketBuffers, SourceAddress, SourcePlan, Target,
    TlvPlan, UNIQUE_ID_LEN, UpstreamNetns,
};
pub use stats::Stats;
pub use status::{PoolStatus, RelayStatus, ServerStatus};
pub use tally::{Counts, Timing, Totals};
pub use unix_listener::{SocketFile, bind_path};
pub use worker::SessionFacts;
