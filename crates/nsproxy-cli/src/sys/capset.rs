//! `capget(2)` and `capset(2)`: the capabilities of the calling thread.

use std::io;

use nix::libc;

/// Capabilities as bits: 1 shifted by the number of each (capabilities(7)).
pub(crate) type Bits = u64;

/// What the calling thread has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sets {
    pub(crate) effective: Bits,
    pub(crate) permitted: Bits,
}

/// `_LINUX_CAPABILITY_VERSION_3`: 64 bits, in two halves.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    /// 0 is the calling thread.
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const HEADER: Header = Header {
    version: VERSION,
    pid: 0,
};

/// What the calling thread has.
pub(crate) fn get() -> io::Result<Sets> {
    let mut header = HEADER;
    let mut halves = [Half::default(); 2];
    // SAFETY: the kernel reads the header and, for this version, writes two halves, which are there.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let join = |half: fn(&Half) -> u32| Bits::from(half(&halves[0])) | Bits::from(half(&halves[1])) << 32;
    Ok(Sets {
        effective: join(|half| half.effective),
        permitted: join(|half| half.permitted),
    })
}

/// Leaves the calling thread these capabilities and no others: they are in effect, and no program that it starts inherits
/// them. What is not permitted now cannot be had.
pub(crate) fn leave_only(kept: Bits) -> io::Result<()> {
    set(kept, 0)
}

/// The calling thread keeps what it is permitted, and a program that it starts may inherit these.
pub(crate) fn set_inheritable(inheritable: Bits) -> io::Result<()> {
    set(get()?.permitted, inheritable)
}

fn set(permitted: Bits, inheritable: Bits) -> io::Result<()> {
    let mut header = HEADER;
    let low = |bits: Bits| u32::try_from(bits & Bits::from(u32::MAX)).unwrap_or_default();
    let half = |permitted: Bits, inheritable: Bits| Half {
        effective: low(permitted),
        permitted: low(permitted),
        inheritable: low(inheritable),
    };
    let halves = [
        half(permitted, inheritable),
        half(permitted >> 32, inheritable >> 32),
    ];
    // SAFETY: the kernel reads the header and, for this version, two halves, which are there.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
