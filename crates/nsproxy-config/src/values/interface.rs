//! Names of links.

use super::number::shorten;

/// The longest name that the kernel takes, in bytes: `IFNAMSIZ` without its final NUL (netdevice(7)).
const LONGEST: usize = 15;

/// Why a word is not the name of a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InterfaceError {
    #[error("the name of a link has 1 to {LONGEST} bytes, `{0}` has {1}")]
    Length(String, usize),
    #[error("`{0}` cannot be the name of a link")]
    Name(String),
}

/// Whether a link can have this name, by the kernel's own rule (`dev_valid_name`).
pub(crate) fn check(name: &str) -> Result<(), InterfaceError> {
    if !(1..=LONGEST).contains(&name.len()) {
        return Err(InterfaceError::Length(shorten(name), name.len()));
    }
    let is_forbidden = |byte: u8| byte == b'/' || byte == b':' || byte == b'\0' || byte.is_ascii_whitespace();
    if matches!(name, "." | "..") || name.bytes().any(is_forbidden) {
        return Err(InterfaceError::Name(shorten(name)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_called_what_the_kernel_allows() {
        for name in ["eth0", "to-blue", "veth.1@x", "fifteen-bytes-x"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in ["", "sixteen-bytes-xy"] {
            assert!(matches!(check(name), Err(InterfaceError::Length(..))), "{name}");
        }
        for name in [".", "..", "a/b", "a:1", "a b"] {
            assert!(matches!(check(name), Err(InterfaceError::Name(_))), "{name}");
        }
    }
}
