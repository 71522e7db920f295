//! What a received NETNS TLV may do at a listener.

use std::collections::BTreeSet;
use std::sync::Arc;

use netns_core::{NetnsName, NetnsPattern};
use serde::{Serialize, Serializer};

use crate::json;

/// What the NETNS TLV of a received PROXY header may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NetnsTlv {
    /// Select a namespace.
    Select {
        /// `allow`: of [`namespace_list`](super::Config::namespace_list), only these. `None`: all of that list.
        #[serde(serialize_with = "json::optional")]
        only: Option<Arc<NetnsNames>>,
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

/// Names of namespaces, and patterns of such names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetnsNames {
    /// These.
    pub names: BTreeSet<NetnsName>,
    /// And each one that matches one of these.
    pub patterns: BTreeSet<NetnsPattern>,
}

impl NetnsNames {
    /// As a configuration writes them.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        let names = self.names.iter().map(ToString::to_string);
        names.chain(self.patterns.iter().map(ToString::to_string))
    }
}

/// A list of texts.
impl Serialize for NetnsNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.texts())
    }
}
