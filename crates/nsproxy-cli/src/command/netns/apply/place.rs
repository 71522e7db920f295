//! Where an interface is or is to be, as a topology says it.

use std::fmt;

use netns_core::error::Found;
use netns_core::{NetnsSpec, OpenError};

use super::super::context::Context;
use super::super::failure::Result;
use super::super::link::look;
use super::OpenLinks;

/// A name in a namespace, whether there is such an interface or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place<'a> {
    /// None is the namespace of the command.
    pub(super) netns: Option<&'a NetnsSpec>,
    pub(super) link: &'a str,
}

impl Place<'_> {
    /// Whether there is an interface.
    pub(super) fn is_taken(&self, context: &Context, links: &mut OpenLinks) -> Result<bool> {
        if self.netns.is_some_and(|spec| is_gone(context, spec)) {
            return Ok(false);
        }
        Ok(look(links.of(context, self.netns)?, self.link)?.is_some())
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.link)?;
        match self.netns {
            Some(netns) => write!(f, " in `{netns}`"),
            None => Ok(()),
        }
    }
}

/// Whether nothing stands under the name or path, or only the file that is left of a namespace.
pub(super) fn is_gone(context: &Context, spec: &NetnsSpec) -> bool {
    matches!(
        context.open_spec(spec),
        Err(OpenError::NotFound { .. }
            | OpenError::NotNetns {
                found: Found::RegularFile,
                ..
            })
    )
}
