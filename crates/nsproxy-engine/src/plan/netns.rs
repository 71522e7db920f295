//! Which namespaces a plan means: one by name, path or process, or each whose name matches a pattern.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use netns_core::{NetnsName, NetnsPattern, NetnsSpec, SpecError};

/// Where a listener is, if not in the namespace that the engine was started in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListenerNetns {
    /// In this one, while it is there.
    Named(NetnsSpec),
    /// In each one of the registry whose name matches, now and later.
    Matching(NetnsPattern),
}

impl ListenerNetns {
    /// The namespace, if it is a single one.
    pub const fn named(&self) -> Option<&NetnsSpec> {
        match self {
            Self::Named(spec) => Some(spec),
            Self::Matching(_) => None,
        }
    }
}

impl From<NetnsSpec> for ListenerNetns {
    fn from(spec: NetnsSpec) -> Self {
        Self::Named(spec)
    }
}

impl From<NetnsPattern> for ListenerNetns {
    fn from(pattern: NetnsPattern) -> Self {
        Self::Matching(pattern)
    }
}

/// A single one, whatever characters are in its name.
impl FromStr for ListenerNetns {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        text.parse().map(Self::Named)
    }
}

impl fmt::Display for ListenerNetns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(spec) => spec.fmt(f),
            Self::Matching(pattern) => pattern.fmt(f),
        }
    }
}

/// Some namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetnsSet {
    /// These.
    pub specs: BTreeSet<NetnsSpec>,
    /// And those whose names match one of these.
    pub patterns: BTreeSet<NetnsPattern>,
}

impl NetnsSet {
    /// Whether none can be in it.
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty() && self.patterns.is_empty()
    }

    /// Whether this one is in it.
    pub fn contains(&self, spec: &NetnsSpec) -> bool {
        self.specs.contains(spec) || spec.name().is_some_and(|name| self.matches(name))
    }

    /// Whether a pattern matches this name.
    pub fn matches(&self, name: &NetnsName) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name))
    }
}

impl<const N: usize> From<[NetnsSpec; N]> for NetnsSet {
    fn from(specs: [NetnsSpec; N]) -> Self {
        specs.into_iter().collect()
    }
}

impl FromIterator<NetnsSpec> for NetnsSet {
    fn from_iter<I: IntoIterator<Item = NetnsSpec>>(specs: I) -> Self {
        Self {
            specs: specs.into_iter().collect(),
            patterns: BTreeSet::new(),
        }
    }
}
