//! Where a `bind` line listens, if not in the namespace that nsproxy runs in.

use std::fmt;

use netns_core::{NetnsPattern, NetnsSpec};

/// `namespace` on a `bind` line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindNetns {
    /// In this one.
    Named(NetnsSpec),
    /// In each one whose name matches.
    Matching(NetnsPattern),
}

/// As it is written.
impl fmt::Display for BindNetns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(spec) => spec.fmt(f),
            Self::Matching(pattern) => pattern.fmt(f),
        }
    }
}
