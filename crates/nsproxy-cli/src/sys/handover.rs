//! Sockets from one process to the next: one channel that a child is started with, and descriptors that come through it.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, getsockopt, recvmsg, sendmsg, sockopt,
};

use super::capset;

/// Descriptors that one message has at most; the kernel's own limit is 253 (unix(7)).
pub(crate) const MOST_AT_A_TIME: usize = 64;

/// Has a command's process start with this descriptor, under the same number; and with the capabilities of the calling
/// thread, also if it is not root. Without that, another user's program would start with none (capabilities(7)).
pub(crate) fn pass_on(command: &mut Command, channel: BorrowedFd<'_>) {
    let number = channel.as_raw_fd();
    let prepare = move || {
        // SAFETY: the descriptor was open when the process was forked, and nobody has closed it in here.
        let channel = unsafe { BorrowedFd::borrow_raw(number) };
        fcntl(channel, FcntlArg::F_SETFD(FdFlag::empty()))?;
        if nix::unistd::geteuid().is_root() {
            return Ok(());
        }
        let permitted = capset::get()?.permitted;
        capset::set_inheritable(permitted)?;
        for capability in (0..64).filter(|number| permitted & (1 << number) != 0) {
            raise_ambient(capability)?;
        }
        Ok(())
    };
    // SAFETY: it only makes system calls, which is all that may be done between fork and exec.
    unsafe { command.pre_exec(prepare) };
}

fn raise_ambient(capability: libc::c_ulong) -> io::Result<()> {
    // SAFETY: takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, capability, 0, 0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The channel that this process was started with under this number.
///
/// # Errors
///
/// There is no such descriptor, or it is no socket that keeps messages apart.
pub(crate) fn inherited_channel(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: asks for the flags of a descriptor by its number; one that is not open is an error.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags == -1 {
        return Err(io::Error::last_os_error());
    }
    // Whatever this process has opened is closed on exec: a number that has come to mean something else is not taken.
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it is open, and nobody closes it in here.
    let found = unsafe { BorrowedFd::borrow_raw(number) };
    // Anything else is not for this process to take, and to close: it may be standard error.
    if getsockopt(&found, sockopt::SockType)? != nix::sys::socket::SockType::SeqPacket {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: it is open, and was for this process to take from its start on.
    let channel = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(&channel, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(channel)
}

/// Sends a message, with descriptors.
pub(crate) fn send(channel: impl AsFd, text: &[u8], with: &[BorrowedFd<'_>]) -> io::Result<()> {
    let numbers: Vec<_> = with.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let rights = if with.is_empty() { &[][..] } else { &rights };
    sendmsg::<UnixAddr>(
        channel.as_fd().as_raw_fd(),
        &[IoSlice::new(text)],
        rights,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    Ok(())
}

/// Receives one message; an empty one without descriptors is the end.
pub(crate) fn receive(channel: impl AsFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut text = vec![0; 4096];
    let mut space = nix::cmsg_space!([RawFd; MOST_AT_A_TIME]);
    let mut parts = [IoSliceMut::new(&mut text)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        let number = channel.as_fd().as_raw_fd();
        match recvmsg::<UnixAddr>(number, &mut parts, Some(&mut space), flags) {
            Err(nix::Error::EINTR) => {}
            received => break received?,
        }
    };
    // What did come of them goes with this process, which cannot go on.
    if message.flags.contains(MsgFlags::MSG_CTRUNC) {
        return Err(io::Error::other(
            "not all descriptors have come through: this process may not have so many (`ulimit -n`)",
        ));
    }
    let mut with = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            with.extend(numbers.into_iter().map(|number| {
                // SAFETY: the kernel has just made it, for this process, and nobody else knows it.
                unsafe { OwnedFd::from_raw_fd(number) }
            }));
        }
    }
    let length = message.bytes;
    text.truncate(length);
    Ok((text, with))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        let pair = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        );
        pair.unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_message_that_has_lost_descriptors_is_an_error() {
        let (ours, theirs) = pair();
        for (count, is_whole) in [(MOST_AT_A_TIME, true), (MOST_AT_A_TIME + 1, false)] {
            send(&ours, b"sockets", &vec![ours.as_fd(); count]).unwrap_or_else(|error| panic!("{error}"));
            match receive(&theirs) {
                Ok((text, with)) => assert!(is_whole && text == b"sockets" && with.len() == count),
                Err(error) => {
                    assert!(!is_whole);
                    assert!(error.to_string().contains("not all descriptors"), "{error}");
                }
            }
        }
    }
}
