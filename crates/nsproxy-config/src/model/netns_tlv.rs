//! What a received NETNS TLV may do at a listener.

use std::collections::BTreeSet;
use std::sync::Arc;

use netns_core::NetnsName;
use serde::Serialize;

use crate::json;

/// What the NETNS TLV of a received PROXY header may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NetnsTlv {
    /// Select a namespace.
    Select {
        /// `allow`: only these, which are all in [`namespace_list`](super::Config::namespace_list). `None`: all of that list.
        #[serde(serialize_with = "json::optional_texts")]
        only: Option<Arc<BTreeSet<NetnsName>>>,
        /// `require`: a connection whose header selects none is closed.
        required: bool,
    },
    /// `ignore`: nothing; the listener's namespace applies.
    Ignore,
}

impl Default for NetnsTlv {
    fn default() -> Self {
        Self::Select {
            only: None,
            required: false,
        }
    }
}
