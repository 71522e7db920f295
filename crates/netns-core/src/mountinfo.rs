//! The mounts of the calling thread's mount namespace (`/proc/PID/mountinfo`, `proc_pid_mountinfo(5)`).
//!
//! Only what this crate asks for is read: where a mount is, and how mounts spread from it. The text comes from
//! the kernel; still, a line that is not understood is passed over.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The calling thread's. `/proc/self` would be the main thread's, which may be in another mount namespace.
pub(crate) const MOUNTINFO: &str = "/proc/thread-self/mountinfo";

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where it is, as seen from the caller's root directory.
    pub(crate) point: PathBuf,
    /// Mounts below it appear in others, too (`shared:N`).
    pub(crate) is_shared: bool,
    /// Mounts come in from another mount, and do not go out to it (`master:N`).
    pub(crate) is_slave: bool,
}

/// All mounts, in the order in which they hide each other.
pub(crate) fn read() -> io::Result<Vec<Mount>> {
    // Enough for most machines: otherwise it is read in pieces that grow from 32 bytes.
    let mut text = Vec::with_capacity(1 << 16);
    File::open(MOUNTINFO)?.read_to_end(&mut text)?;
    Ok(text.split(|&byte| byte == b'\n').filter_map(parse).collect())
}

/// Reads a line: number, parent, device, root, mount point, options, then fields like `shared:7` up to a `-`.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|&byte| byte == b' ');
    let point = unescape(words.nth(4)?);
    let spread: Vec<_> = words.skip(1).take_while(|&word| word != b"-").collect();
    let has = |kind: &[u8]| spread.iter().any(|word| word.starts_with(kind));
    Some(Mount {
        point: OsString::from_vec(point).into(),
        is_shared: has(b"shared:"),
        is_slave: has(b"master:"),
    })
}

/// Blanks, tabs, line ends and backslashes are written as `\` and three octal digits.
fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        let byte = match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if first == b'\\' => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        plain.push(byte.unwrap_or(first));
        text = if byte.is_some() { &rest[3..] } else { rest };
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_says_where_the_mount_is_and_how_it_spreads() {
        let line = b"36 35 98:0 /a /run/net\\040ns\\134 rw,noatime shared:7 master:1 - tmpfs tmpfs rw";
        assert_eq!(
            parse(line),
            Some(Mount {
                point: Path::new("/run/net ns\\").to_owned(),
                is_shared: true,
                is_slave: true,
            })
        );
        let private = parse(b"36 35 98:0 / / rw - ext4 /dev/shared:1 rw,master:2").unwrap();
        assert!(!private.is_shared && !private.is_slave);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn the_root_is_among_the_mounts_of_this_thread() {
        assert!(read().unwrap().iter().any(|mount| mount.point == Path::new("/")));
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_a_panic(line: Vec<u8>) {
            parse(&line);
        }

        #[test]
        fn what_was_escaped_is_given_back(text: Vec<u8>) {
            let escaped: Vec<u8> = text
                .iter()
                .flat_map(|&byte| match byte {
                    b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
                    byte => vec![byte],
                })
                .collect();
            prop_assert_eq!(unescape(&escaped), text);
        }
    }
}
