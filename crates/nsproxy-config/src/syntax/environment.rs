//! The variables that a configuration sees: those of the caller, and what its own `global` section makes of them.
//!
//! As in HAProxy, `setenv` and its kin take effect for the lines below. The process's environment is not
//! touched.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;

use super::Word;
use crate::values::version;

/// How many bytes all variables of a configuration may expand to: a short text must not fill the memory.
const EXPANSION_BUDGET: usize = 16 << 20;

/// What HAProxy sets `HAPROXY_TCP_LOG_FMT` to: the format of `option tcplog`.
const TCP_LOG_FORMAT: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";

/// Where variables come from, and how much they may still expand to.
pub(crate) struct Environment<'e> {
    outer: &'e dyn Fn(&str) -> Option<OsString>,
    /// After a `resetenv`: the only names of `outer` that are still seen.
    kept: Option<HashSet<String>>,
    /// What the configuration has set, and unset.
    own: HashMap<String, Option<String>>,
    /// `None` once something did not fit.
    budget: Cell<Option<usize>>,
}

/// The statements of `global` that change variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EnvironmentStatement {
    /// `setenv NAME VALUE`.
    Set,
    /// `presetenv NAME VALUE`: only if it is not set.
    Preset,
    /// `unsetenv NAME...`.
    Unset,
    /// `resetenv [NAME...]`: unsets all but these.
    Reset,
}

impl EnvironmentStatement {
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "setenv" => Self::Set,
            "presetenv" => Self::Preset,
            "unsetenv" => Self::Unset,
            "resetenv" => Self::Reset,
            _ => return None,
        })
    }
}

impl<'e> Environment<'e> {
    /// The caller's variables, and those that HAProxy adds for every configuration. `files` are the names of
    /// the texts.
    pub(crate) fn new<'f>(
        outer: &'e dyn Fn(&str) -> Option<OsString>,
        files: impl Iterator<Item = &'f str>,
    ) -> Self {
        let files: Vec<&str> = files.collect();
        let predefined = [
            ("HAPROXY_BRANCH", version::BRANCH.to_owned()),
            ("HAPROXY_CFGFILES", files.join(";")),
            ("HAPROXY_TCP_LOG_FMT", TCP_LOG_FORMAT.to_owned()),
        ];
        Self {
            outer,
            kept: None,
            own: predefined
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Some(value)))
                .collect(),
            budget: Cell::new(Some(EXPANSION_BUDGET)),
        }
    }

    /// The value of a variable, if it is set.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        if let Some(own) = self.own.get(name) {
            return own.clone().map(OsString::from);
        }
        let visible = self.kept.as_ref().is_none_or(|kept| kept.contains(name));
        visible.then(|| (self.outer)(name)).flatten()
    }

    /// Whether a variable is set. Other than [`get`](Self::get), this copies no value.
    pub(super) fn is_set(&self, name: &str) -> bool {
        match self.own.get(name) {
            Some(own) => own.is_some(),
            None => self.get(name).is_some(),
        }
    }

    /// True when nothing more may be expanded. Values are not even copied then, since that too takes time.
    pub(super) fn is_spent(&self) -> bool {
        self.budget.get().is_none()
    }

    /// Takes the length of an expansion from what is left; false when there is not enough.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let left = self.budget.get().and_then(|budget| budget.checked_sub(bytes));
        self.budget.set(left);
        left.is_some()
    }

    /// Carries a statement out, when its words are as they should be. The lowering reports it otherwise.
    pub(super) fn apply(&mut self, statement: EnvironmentStatement, words: &[Word<'_>]) {
        let text = |index: usize| words.get(index).map(|word| word.text.clone().into_owned());
        match statement {
            EnvironmentStatement::Set | EnvironmentStatement::Preset => {
                if let (Some(name), Some(value)) = (text(1), text(2))
                    && (statement == EnvironmentStatement::Set || !self.is_set(&name))
                {
                    self.own.insert(name, Some(value));
                }
            }
            EnvironmentStatement::Unset => {
                for word in words.iter().skip(1) {
                    self.own.insert(word.text.clone().into_owned(), None);
                }
            }
            EnvironmentStatement::Reset => {
                let names: HashSet<String> = words
                    .iter()
                    .skip(1)
                    .map(|word| word.text.clone().into_owned())
                    .collect();
                self.own.retain(|name, _| names.contains(name));
                self.kept = Some(match self.kept.take() {
                    None => names,
                    Some(kept) => &kept & &names,
                });
            }
        }
    }
}
