//! One mount, asked for by its number (`statmount(2)`, and `STATX_MNT_ID_UNIQUE` of `statx(2)`, Linux 6.8).

use std::ffi::{CStr, OsString};
use std::io;
use std::mem::{offset_of, size_of, zeroed};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::check;

/// The same on all architectures but alpha; `libc` does not have it.
const SYS_STATMOUNT: libc::c_long = 457;

/// `linux/mount.h`.
const STATMOUNT_MNT_BASIC: u64 = 0x2;
const STATMOUNT_MNT_POINT: u64 = 0x10;

/// The size of [`Request`], in bytes.
const REQUEST_SIZE: u32 = 24;

/// `struct mnt_id_req` of Linux 6.8.
#[repr(C)]
struct Request {
    size: u32,
    spare: u32,
    mount: u64,
    wanted: u64,
}

/// `struct statmount`, and the room behind it for texts.
#[repr(C)]
struct Answer {
    size: u32,
    options: u32,
    mask: u64,
    super_block: [u64; 3],
    id: u64,
    parent: u64,
    old_ids: [u32; 2],
    attributes: u64,
    propagation: u64,
    groups: [u64; 3],
    root: u32,
    point: u32,
    rest: [u64; 50],
    texts: [u8; libc::PATH_MAX as usize],
}

// Where the kernel has them.
const _: () = assert!(offset_of!(Answer, propagation) == 72 && offset_of!(Answer, point) == 108);
const _: () = assert!(offset_of!(Answer, texts) == 512 && size_of::<Request>() == REQUEST_SIZE as usize);

/// Which mount a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MountOf {
    /// Its number, which no other mount gets before the next boot.
    pub(crate) id: u64,
    /// Whether the path leads to its root, and so is a mount point.
    pub(crate) is_root: bool,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The mount that it lies on.
    pub(crate) parent: u64,
    /// Where it is, as seen from the caller's root directory.
    pub(crate) point: PathBuf,
    /// Mounts come in from another mount, and do not go out to it.
    pub(crate) is_slave: bool,
}

/// The mount that `path` leads to. Symlinks are followed.
pub(crate) fn mount_of(path: &CStr) -> io::Result<MountOf> {
    // SAFETY: `statx` is numbers only, for which zero is a value.
    let mut answer: libc::statx = unsafe { zeroed() };
    // SAFETY: statx reads the path, which ends with a NUL and is live, and writes one `struct statx`, which this is.
    let result = unsafe {
        libc::statx(
            libc::AT_FDCWD,
            path.as_ptr(),
            0,
            libc::STATX_MNT_ID_UNIQUE,
            &raw mut answer,
        )
    };
    check(result)?;
    if answer.stx_mask & libc::STATX_MNT_ID_UNIQUE == 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(MountOf {
        id: answer.stx_mnt_id,
        is_root: answer.stx_attributes & u64::from(libc::STATX_ATTR_MOUNT_ROOT.cast_unsigned()) != 0,
    })
}

/// What the kernel says of the mount with the number `id`.
pub(crate) fn facts_of(id: u64) -> io::Result<Facts> {
    let request = Request {
        size: REQUEST_SIZE,
        spare: 0,
        mount: id,
        wanted: STATMOUNT_MNT_BASIC | STATMOUNT_MNT_POINT,
    };
    // SAFETY: `Answer` is numbers only, for which zero is a value.
    let mut answer: Answer = unsafe { zeroed() };
    // SAFETY: statmount reads a `struct mnt_id_req` of the size that it names, and writes no more bytes than it is told.
    let result = unsafe {
        libc::syscall(
            SYS_STATMOUNT,
            &raw const request,
            &raw mut answer,
            size_of::<Answer>(),
            0,
        )
    };
    check(i32::try_from(result).map_err(io::Error::other)?)?;
    let point = answer.texts.get(answer.point as usize..).unwrap_or_default();
    let point = CStr::from_bytes_until_nul(point).map_err(io::Error::other)?;
    if answer.mask & request.wanted != request.wanted {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(Facts {
        parent: answer.parent,
        point: OsString::from_vec(point.to_bytes().to_vec()).into(),
        is_slave: answer.propagation & libc::MS_SLAVE != 0,
    })
}
