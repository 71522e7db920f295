//! Health checks for tests of the engine.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use nsproxy_engine::{
    CheckPlan, Connect, Destination, Endpoint, HealthPlan, HealthSource, OnError, Rules, Script, Span,
};

/// Every ten milliseconds; each result counts.
pub(crate) fn often() -> Rules {
    Rules {
        rise: NonZeroU32::MIN,
        fall: NonZeroU32::MIN,
        interval: Span::from_millis(10).expect("a span"),
        fast_interval: None,
        down_interval: None,
        on_error: OnError::FailCheck,
    }
}

pub(crate) fn connect(to: SocketAddr) -> Connect {
    Connect::new(Destination::At(Endpoint::Ip(to)))
}

/// Connections to this address, [`often`].
pub(crate) fn checked(to: SocketAddr) -> HealthPlan {
    checked_by(CheckPlan::new(Script::connect(connect(to)), often()))
}

pub(crate) fn checked_by(check: CheckPlan) -> HealthPlan {
    HealthPlan {
        source: HealthSource::Checked(Box::new(check)),
        ..HealthPlan::default()
    }
}

/// The health of this server of [`plan_of`](super::plan_of).
pub(crate) fn tracked(server: &str) -> HealthPlan {
    HealthPlan {
        source: HealthSource::Tracked {
            pool: super::POOL.to_owned(),
            server: server.to_owned(),
        },
        ..HealthPlan::default()
    }
}
