//! `NetnsSpec`: which network namespace is meant, as a person writes it.
//!
//! Three forms: `blue` (a name in the registry), `/proc/12/ns/net` (an absolute path) and `pid:12`.
//! A spec is text that has been checked, no more: it opens nothing, and the namespace that it leads to
//! may be another one tomorrow. [`Netns::open`](crate::Netns::open) does the opening.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::{NameError, NetnsName, Registry};

/// What the third form begins with.
const PID_PREFIX: &str = "pid:";

/// Names a network namespace: by registry name, by path, or by a process that lives in it.
///
/// `Display` gives back the text that was parsed.
///
/// ```
/// use netns_core::NetnsSpec;
///
/// let spec: NetnsSpec = "pid:4711".parse()?;
/// assert_eq!(spec.pid(), Some(4711));
/// assert_eq!(spec.to_string(), "pid:4711");
///
/// let spec: NetnsSpec = "blue".parse()?;
/// assert_eq!(spec.name().unwrap().to_string(), "blue");
/// # Ok::<(), netns_core::SpecError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetnsSpec(Form);

/// Private, so that no spec exists which its own text would not give back.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Form {
    Name(NetnsName),
    Path(Arc<Path>),
    Pid(u32),
}

impl NetnsSpec {
    /// Parses `text`, which need not be UTF-8.
    ///
    /// # Errors
    ///
    /// `text` has none of the three forms.
    pub fn new(text: impl AsRef<OsStr>) -> Result<Self, SpecError> {
        let text = text.as_ref();
        let bytes = text.as_bytes();
        if let Some(digits) = bytes.strip_prefix(PID_PREFIX.as_bytes()) {
            let pid = parse_pid(digits).ok_or_else(|| SpecError::Pid {
                text: String::from_utf8_lossy(digits).into_owned(),
            })?;
            return Ok(Self(Form::Pid(pid)));
        }
        if bytes.starts_with(b"/") {
            return Self::from_path(Path::new(text));
        }
        Ok(Self(Form::Name(NetnsName::new(text)?)))
    }

    /// The spec of an absolute path.
    ///
    /// # Errors
    ///
    /// `path` is relative, or holds a NUL byte.
    pub fn from_path(path: impl Into<PathBuf>) -> Result<Self, SpecError> {
        let path = path.into();
        if !path.is_absolute() {
            return Err(SpecError::RelativePath { path });
        }
        if path.as_os_str().as_bytes().contains(&0) {
            return Err(SpecError::NulInPath { path });
        }
        Ok(Self(Form::Path(path.into())))
    }

    /// The spec of a process's network namespace.
    ///
    /// # Errors
    ///
    /// `pid` is 0, or larger than a process number can be.
    pub fn from_pid(pid: u32) -> Result<Self, SpecError> {
        if pid == 0 || i32::try_from(pid).is_err() {
            return Err(SpecError::Pid {
                text: pid.to_string(),
            });
        }
        Ok(Self(Form::Pid(pid)))
    }

    /// The registry name, if it is given by name.
    pub fn name(&self) -> Option<&NetnsName> {
        match &self.0 {
            Form::Name(name) => Some(name),
            Form::Path(_) | Form::Pid(_) => None,
        }
    }

    /// The absolute path, if it is given by path.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Form::Path(path) => Some(path),
            Form::Name(_) | Form::Pid(_) => None,
        }
    }

    /// The process number, if it is given by process.
    pub fn pid(&self) -> Option<u32> {
        match self.0 {
            Form::Pid(pid) => Some(pid),
            Form::Name(_) | Form::Path(_) => None,
        }
    }

    /// The file that it leads to.
    pub(crate) fn file(&self) -> PathBuf {
        match &self.0 {
            Form::Name(name) => Registry::system().path().join(name),
            Form::Path(path) => path.to_path_buf(),
            Form::Pid(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
        }
    }

    pub(crate) fn form(&self) -> &Form {
        &self.0
    }
}

/// Why a text does not say which network namespace is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Neither a path nor `pid:N`, and not a name either.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What follows `pid:` is not a process number (1 to 2147483647, digits only, no leading zero).
    #[error("`{text}` is not a process number; write `pid:` and digits, for example `pid:4711`")]
    Pid {
        /// What stands in the number's place.
        text: String,
    },
    /// A path that does not begin with `/`: it would mean something else in another directory.
    #[error("the path `{}` is not absolute", path.display())]
    RelativePath {
        /// The refused path.
        path: PathBuf,
    },
    /// No file name can hold a NUL byte.
    #[error("the path `{}` contains a NUL byte", path.display())]
    NulInPath {
        /// The refused path.
        path: PathBuf,
    },
    /// A registry entry whose name begins with `pid:`; written as a spec it would mean a process.
    #[error("the name `{name}` would be read as a process; give the path of its registry entry instead")]
    NameReadsAsPid {
        /// The refused name.
        name: NetnsName,
    },
}

impl FromStr for NetnsSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::new(text)
    }
}

impl TryFrom<NetnsName> for NetnsSpec {
    type Error = SpecError;

    fn try_from(name: NetnsName) -> Result<Self, SpecError> {
        if name.as_bytes().starts_with(PID_PREFIX.as_bytes()) {
            return Err(SpecError::NameReadsAsPid { name });
        }
        Ok(Self(Form::Name(name)))
    }
}

/// The text that was parsed; bytes that are not UTF-8 are replaced, as in [`Path::display`].
impl fmt::Display for NetnsSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Name(name) => fmt::Display::fmt(name, f),
            Form::Path(path) => fmt::Display::fmt(&path.display(), f),
            Form::Pid(pid) => f.pad(&format!("{PID_PREFIX}{pid}")),
        }
    }
}

impl fmt::Debug for NetnsSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetnsSpec({self})")
    }
}

/// Digits only and no leading zero, so that the text can be given back.
fn parse_pid(digits: &[u8]) -> Option<u32> {
    if digits.first() == Some(&b'0') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let pid: i32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    u32::try_from(pid).ok()
}
