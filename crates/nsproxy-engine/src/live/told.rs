//! What an observer is told of namespaces, kept until the lock is released: an observer may ask the engine things.

use std::sync::Arc;
use std::time::Duration;

use netns_core::NetnsSpec;

use super::{Current, Place};
use crate::core::namespaces::Change;
use crate::observer::{Notice, Observer};
use crate::opener::OpenError;
use crate::plan::Endpoint;

/// Something that has happened.
#[derive(Debug)]
pub(crate) enum Told {
    Changed {
        netns: NetnsSpec,
        change: Change,
        listeners: usize,
    },
    Opened {
        relay: String,
        address: Endpoint,
        netns: Arc<NetnsSpec>,
    },
    Failed {
        relay: String,
        address: Endpoint,
        netns: Arc<NetnsSpec>,
        error: OpenError,
        again: Option<Duration>,
    },
    Unsure {
        netns: NetnsSpec,
        error: OpenError,
    },
}

impl Told {
    /// A listener that had failed was opened.
    pub(crate) fn opened(current: &Current, place: &Place) -> Option<Self> {
        let (relay, address) = names(current, place);
        let netns = place.netns.clone()?;
        Some(Self::Opened {
            relay,
            address,
            netns,
        })
    }

    /// A listener could not be opened.
    pub(crate) fn failed(
        current: &Current,
        place: &Place,
        error: OpenError,
        again: Option<Duration>,
    ) -> Option<Self> {
        let (relay, address) = names(current, place);
        let netns = place.netns.clone()?;
        Some(Self::Failed {
            relay,
            address,
            netns,
            error,
            again,
        })
    }

    pub(crate) fn tell(&self, observer: &dyn Observer) {
        observer.notice(&match self {
            Self::Changed {
                netns,
                change,
                listeners,
            } => {
                let listeners = *listeners;
                match *change {
                    Change::Ready(id) => Notice::NetnsReady { netns, id, listeners },
                    Change::Replaced { was, id } => Notice::NetnsReplaced {
                        netns,
                        was,
                        id,
                        listeners,
                    },
                    Change::Removed(was) => Notice::NetnsRemoved {
                        netns,
                        was,
                        listeners,
                    },
                }
            }
            Self::Opened {
                relay,
                address,
                netns,
            } => Notice::ListenerOpened {
                relay,
                address,
                netns,
            },
            Self::Failed {
                relay,
                address,
                netns,
                error,
                again,
            } => Notice::ListenerFailed {
                relay,
                address,
                netns,
                error,
                again: *again,
            },
            Self::Unsure { netns, error } => Notice::NetnsUnknown { netns, error },
        });
    }
}

fn names(current: &Current, place: &Place) -> (String, Endpoint) {
    let address = current.plan(place).address.clone();
    (current.relay(place).name.clone(), address)
}
