//! What others can ask of a session, and what it is not told by events.

use std::time::Duration;

use super::{Session, State};
use crate::core::close::{CloseReason, RuleStage};
use crate::core::moment::Moment;

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Its PROXY header is awaited.
    Header,
    /// Rules wait for what the client sends.
    Inspecting,
    /// No server has room.
    Queued,
    /// A socket is made, or another attempt is about to be.
    Opening,
    /// The connection to the server is awaited.
    Connecting,
    /// The PROXY header for the server is written.
    Preface,
    /// Rules look at what the server sends.
    InspectingResponse,
    /// Bytes are relayed.
    Relaying,
    /// It ends.
    Closed,
}

impl Stage {
    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Inspecting => "inspecting",
            Self::Queued => "queued",
            Self::Opening => "opening",
            Self::Connecting => "connecting",
            Self::Preface => "preface",
            Self::InspectingResponse => "inspecting-response",
            Self::Relaying => "relaying",
            Self::Closed => "closed",
        }
    }
}

impl Session {
    /// How far it has come.
    pub const fn stage(&self) -> Stage {
        match &self.state {
            State::ExpectHeader { .. } => Stage::Header,
            State::Inspect { .. } => Stage::Inspecting,
            State::Queued { .. } => Stage::Queued,
            State::AwaitSocket { .. } | State::Retrying { .. } | State::Pausing { .. } => Stage::Opening,
            State::Connecting { .. } => Stage::Connecting,
            State::SendPreface { .. } => Stage::Preface,
            State::InspectResponse(_) => Stage::InspectingResponse,
            State::Relaying(_) => Stage::Relaying,
            State::Closed { .. } => Stage::Closed,
        }
    }

    /// Since a byte last moved on either connection, downstream first, or was last waited for. `None`: it does not relay.
    pub fn idle(&self, now: Moment) -> Option<[Duration; 2]> {
        let relaying = self.state.relaying()?;
        Some(relaying.last_active.map(|then| now.since(then)))
    }

    /// Since it waits for a server to have room, or for its connection: whichever it waits for now.
    pub fn waits_for(&self, now: Moment) -> Option<Duration> {
        match &self.state {
            State::Queued { since } | State::Connecting { since, .. } => Some(now.since(*since)),
            _ => None,
        }
    }

    /// Whether it ends because a rule of that kind has rejected it.
    pub fn is_rejected(&self, stage: RuleStage) -> bool {
        matches!(&self.state, State::Closed { reason: CloseReason::Rejected(by), .. } if *by == stage)
    }
}
