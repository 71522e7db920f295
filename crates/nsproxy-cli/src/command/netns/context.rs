//! What every subcommand works with: the registry, the options, and the namespace that the process is in.

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};

use netns_core::links::Links;
use netns_core::{Netns, NetnsSpec, OpenError, Registry};
use nix::sched::{CloneFlags, setns};

use super::failure::{FAILED, Failure, Result, USAGE};
use super::json::{self, Object};
use super::options::Options;

#[derive(Debug)]
pub(super) struct Context {
    pub(super) registry: Registry,
    pub(super) options: Options,
}

impl Context {
    /// Enters the namespace of `-n`, for good. Unlike with `ip -n`, only the network changes: what is made in the
    /// registry from there is seen by everybody.
    pub(super) fn enter(options: Options) -> Result<Self> {
        let context = Self {
            registry: Registry::system(),
            options,
        };
        if let Some(spec) = &context.options.netns {
            let netns = context.open(spec).map_err(|failure| failure.with_code(USAGE))?;
            enter(&netns).map_err(|failure| failure.with_code(USAGE).about(spec))?;
        }
        Ok(context)
    }

    pub(super) fn open(&self, spec: &NetnsSpec) -> Result<Netns> {
        Ok(self.open_spec(spec)?)
    }

    /// As [`Context::open`], with the error as the library has it.
    pub(super) fn open_spec(&self, spec: &NetnsSpec) -> std::result::Result<Netns, OpenError> {
        match spec.name() {
            Some(name) => self.registry.open(name),
            None => Netns::open(spec),
        }
    }

    /// The namespace that `spec` names, or the one that the process is in.
    pub(super) fn open_or_current(&self, spec: Option<&NetnsSpec>) -> Result<Netns> {
        match spec {
            Some(spec) => self.open(spec),
            None => Ok(Netns::current()?),
        }
    }

    /// The interfaces of the namespace that `spec` names, or of the one that the process is in.
    pub(super) fn links(&self, spec: Option<&NetnsSpec>) -> Result<Links> {
        let Some(spec) = spec else {
            return Ok(Links::here()?);
        };
        Links::in_netns(&self.open(spec)?).map_err(|error| Failure::from(error).about(spec))
    }

    /// Writes an answer, in JSON if that is asked for.
    pub(super) fn answer(&self, text: impl AsRef<[u8]>, objects: impl FnOnce() -> Vec<Object>) -> Result {
        if self.options.json {
            return print(json::array(&objects(), self.options.pretty));
        }
        print(text)
    }
}

/// Moves the process, which has one thread, into `netns`.
pub(super) fn enter(netns: &Netns) -> Result {
    setns(netns, CloneFlags::CLONE_NEWNET).map_err(|errno| {
        let source = io::Error::from(errno);
        Failure::caused(FAILED, netns_core::EnterError::Enter { source })
    })
}

/// Each on a line of its own.
pub(super) fn lines(things: &[impl Display]) -> String {
    let mut text = String::new();
    for thing in things {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{thing}");
    }
    text
}

/// Writes all of it at once.
pub(super) fn print(text: impl AsRef<[u8]>) -> Result {
    let mut output = io::stdout().lock();
    output.write_all(text.as_ref())?;
    Ok(output.flush()?)
}
