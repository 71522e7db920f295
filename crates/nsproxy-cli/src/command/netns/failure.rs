//! Why a command failed: its words for a person, its exit code, and the word that it is about.
//!
//! The exit codes are those of `ip netns`, which scripts know. Each subcommand says which one belongs to which fault; the
//! defaults are here.

use std::fmt::{self, Display};
use std::io;

use netns_core::{EnterError, LinkError, OpenError, RegistryError};

use crate::log;

/// What a subcommand comes to.
pub(super) type Result<T = ()> = std::result::Result<T, Failure>;

/// An ordinary failure.
pub(super) const FAILED: u8 = 1;
/// The kernel refused a netlink request.
pub(super) const REFUSED: u8 = 2;
/// The command line is wrong, or the namespace to act in cannot be entered.
pub(super) const USAGE: u8 = 255;

/// A failure, to be printed once.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    /// Empty when everything has been said.
    text: String,
    place: Option<usize>,
}

impl Failure {
    pub(super) fn new(code: u8, text: impl Display) -> Self {
        Self {
            code,
            text: text.to_string(),
            place: None,
        }
    }

    /// Wrong words.
    pub(super) fn usage(text: impl Display) -> Self {
        Self::new(USAGE, text)
    }

    /// The whole chain of an error.
    pub(super) fn caused(code: u8, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(code, format_args!("{:#}", anyhow::Error::new(error)))
    }

    /// What is wrong with something, for a warning.
    pub(super) fn remark(text: impl Display) -> Self {
        Self::new(FAILED, text)
    }

    /// Something failed that has been told already.
    pub(super) fn told() -> Self {
        Self::new(FAILED, "")
    }

    /// The word at `place` is to blame.
    pub(super) fn at(mut self, place: usize) -> Self {
        self.place = Some(place);
        self
    }

    pub(super) fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// It happened to the namespace `netns`, which the library knows by its descriptor only.
    pub(super) fn about(mut self, netns: impl Display) -> Self {
        self.text = format!("network namespace `{netns}`: {}", self.text);
        self
    }

    pub(super) fn code(&self) -> u8 {
        self.code
    }

    pub(super) fn place(&self) -> Option<usize> {
        self.place
    }

    /// Says it on standard error.
    pub(super) fn complain(&self) {
        if !self.text.is_empty() {
            log::complain(&format!("nsproxy netns: {self}"));
        }
    }
}

/// Says something that is no failure.
pub(super) fn warn(text: impl Display) {
    log::complain(&format!("nsproxy netns: warning: {text}"));
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::caused(FAILED, error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::caused(FAILED, error)
    }
}

impl From<EnterError> for Failure {
    fn from(error: EnterError) -> Self {
        Self::caused(USAGE, error)
    }
}

/// A device that is not there is an ordinary failure, for `ip` looks for it before it asks the kernel.
impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        let code = match &error {
            LinkError::Refused { source, .. } if source.raw_os_error() == Some(nix::libc::ENODEV) => FAILED,
            LinkError::Refused { .. } => REFUSED,
            LinkError::Name { .. } | LinkError::MixedFamilies { .. } | LinkError::Enter(_) => USAGE,
            _ => FAILED,
        };
        Self::caused(code, error)
    }
}

/// Standard output cannot be written. A reader that has seen enough is nobody's fault.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::told();
        }
        Self::new(FAILED, format_args!("cannot write to standard output: {error}"))
    }
}
