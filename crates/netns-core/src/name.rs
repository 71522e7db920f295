//! `NetnsName`: the name of an entry in a namespace registry, checked once, when it is made.
//!
//! The rules are those of `ip netns`: not empty, at most 255 bytes, no `/`, neither `.` nor `..`.
//! A name is a string of bytes, as file names are; it need not be UTF-8. A name says nothing about
//! whether the namespace exists, nor which one it is: that is [`NetnsId`](crate::NetnsId)'s job.

use std::borrow::Borrow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a network namespace in a registry such as `/run/netns`.
///
/// A clone shares the text, so it is cheap. Order and equality are those of the bytes.
///
/// ```
/// use netns_core::NetnsName;
///
/// let blue: NetnsName = "blue".parse()?;
/// assert_eq!(blue.to_string(), "blue");
/// assert!("../blue".parse::<NetnsName>().is_err());
/// # Ok::<(), netns_core::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetnsName(Arc<OsStr>);

impl NetnsName {
    /// The longest name, in bytes: `NAME_MAX` of Linux.
    pub const MAX_LEN: usize = 255;

    /// Checks `name` and keeps a copy of it.
    ///
    /// # Errors
    ///
    /// Says which rule `name` breaks.
    pub fn new(name: impl AsRef<OsStr>) -> Result<Self, NameError> {
        let name = name.as_ref();
        check(name.as_bytes())?;
        Ok(Self(Arc::from(name)))
    }

    /// Checks `name`, given as bytes (as it arrives from a peer, for example), and keeps a copy of it.
    ///
    /// # Errors
    ///
    /// Says which rule `name` breaks.
    pub fn from_bytes(name: &[u8]) -> Result<Self, NameError> {
        Self::new(OsStr::from_bytes(name))
    }

    /// The name as the file name that it is.
    pub fn as_os_str(&self) -> &OsStr {
        &self.0
    }

    /// The name's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The name as text, if it is UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        self.0.to_str()
    }
}

/// Why a text is not the name of a network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is no text.
    #[error("a network namespace's name cannot be empty")]
    Empty,
    /// Longer than a file name may be.
    #[error(
        "a network namespace's name has at most {max} bytes, this one has {len}",
        max = NetnsName::MAX_LEN
    )]
    TooLong {
        /// The length of the refused name, in bytes.
        len: usize,
    },
    /// `/` at this offset: a name is one component of a path.
    #[error(
        "a network namespace's name cannot contain `/` (byte {at}); use an absolute path if a path is meant"
    )]
    Slash {
        /// Offset of the first `/`, in bytes.
        at: usize,
    },
    /// A NUL byte at this offset: no file name can hold one.
    #[error("a network namespace's name cannot contain a NUL byte (byte {at})")]
    Nul {
        /// Offset of the first NUL, in bytes.
        at: usize,
    },
    /// `.` or `..`: these are directories.
    #[error("`.` and `..` are not names of network namespaces")]
    Dots,
}

impl FromStr for NetnsName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<&str> for NetnsName {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<&OsStr> for NetnsName {
    type Error = NameError;

    fn try_from(text: &OsStr) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<OsString> for NetnsName {
    type Error = NameError;

    fn try_from(text: OsString) -> Result<Self, NameError> {
        Self::new(text)
    }
}

/// The name itself; bytes that are not UTF-8 are replaced, as in [`Path::display`].
impl fmt::Display for NetnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.display(), f)
    }
}

impl fmt::Debug for NetnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<OsStr> for NetnsName {
    fn as_ref(&self) -> &OsStr {
        &self.0
    }
}

impl AsRef<Path> for NetnsName {
    fn as_ref(&self) -> &Path {
        Path::new(&*self.0)
    }
}

/// Lets a map keyed by names be asked with an `&OsStr`.
impl Borrow<OsStr> for NetnsName {
    fn borrow(&self) -> &OsStr {
        &self.0
    }
}

fn check(name: &[u8]) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NetnsName::MAX_LEN {
        return Err(NameError::TooLong { len: name.len() });
    }
    if name == b"." || name == b".." {
        return Err(NameError::Dots);
    }
    if let Some(at) = name.iter().position(|&byte| byte == b'/') {
        return Err(NameError::Slash { at });
    }
    if let Some(at) = name.iter().position(|&byte| byte == 0) {
        return Err(NameError::Nul { at });
    }
    Ok(())
}
