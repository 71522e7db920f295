//! Unix sockets without a file: their names, as configurations and as the kernel have them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use serde::Serialize;

/// The name of a unix socket that has no file: `abns@` and `abnsz@`. Each network namespace has names of its own (unix(7)).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AbstractName {
    name: String,
    is_padded: bool,
}

impl AbstractName {
    /// The space for an address, with the byte that makes it abstract.
    const SPACE: usize = 108;

    /// A name of 1 to 107 bytes, filled up with zeros or not.
    pub(crate) fn new(name: &str, is_padded: bool) -> Option<Self> {
        let name = name.to_owned();
        (1..Self::SPACE)
            .contains(&name.len())
            .then_some(Self { name, is_padded })
    }

    /// As the kernel has it: a zero, the name, and with `abns@` zeros up to the end.
    pub fn sun_path(&self) -> PathBuf {
        let mut bytes = vec![0];
        bytes.extend(self.name.as_bytes());
        if self.is_padded {
            bytes.resize(Self::SPACE, 0);
        }
        PathBuf::from(OsString::from_vec(bytes))
    }
}

impl std::fmt::Display for AbstractName {
    /// As it is written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let prefix = if self.is_padded { "abns" } else { "abnsz" };
        write!(f, "{prefix}@{}", self.name)
    }
}
