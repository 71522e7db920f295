//! One direction of a bulk transfer: what pours the pattern out, and what takes it in and checks it.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd as _};

use nix::sys::socket::{MsgFlags, recv};

use super::pattern;

/// After this many bytes somebody else has a turn.
const BUDGET: u64 = 1024 * 1024;
/// The most bytes in one write.
const CHUNK: usize = 128 * 1024;
/// One read of so many is compared. The bytes of the others are counted, and thrown away where they are (`MSG_TRUNC`, tcp(7)): to
/// copy all of them would cost more than a relay does. A byte too many or too few shows in the next comparison.
const COMPARED: u32 = 8;

/// Why a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The socket has nothing more to give or to take; the poll will say when it has.
    Blocked,
    /// The budget is spent: no event will come, so go on later without one.
    Again,
    /// The other side has ended its direction.
    Ended,
}

/// Writes the pattern.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Bytes written.
    pub(super) position: u64,
}

impl Source {
    /// Writes until the socket is full or the budget is spent.
    pub(super) fn pour(&mut self, socket: &mut impl Write) -> io::Result<Turn> {
        let end = self.position + BUDGET;
        while self.position < end {
            match socket.write(&pattern::at(self.position)[..CHUNK]) {
                Ok(length) => self.position += length as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Turn::Again)
    }
}

/// Reads and checks the pattern.
#[derive(Debug, Default)]
pub(super) struct Sink {
    /// Bytes read.
    pub(super) position: u64,
    reads: u32,
}

impl Sink {
    /// Reads until the socket is empty, at its end, or the budget is spent. `is_ending` is true when the event said that the
    /// end has arrived: then a short read does not mean that the socket is empty.
    ///
    /// # Errors
    ///
    /// `InvalidData` when a byte that was compared is not the one that was sent; otherwise the socket's own.
    pub(super) fn drain(
        &mut self,
        socket: &impl AsFd,
        scratch: &mut [u8],
        is_ending: bool,
    ) -> io::Result<Turn> {
        let end = self.position + BUDGET;
        while self.position < end {
            let is_compared = self.reads.is_multiple_of(COMPARED);
            let flags = if is_compared {
                MsgFlags::empty()
            } else {
                MsgFlags::MSG_TRUNC
            };
            match recv(socket.as_fd().as_raw_fd(), scratch, flags).map_err(io::Error::from) {
                Ok(0) => return Ok(Turn::Ended),
                Ok(length) => {
                    self.reads = self.reads.wrapping_add(1);
                    if is_compared && !pattern::fits(&scratch[..length], self.position) {
                        let message = format!("wrong bytes in the {length} after byte {}", self.position);
                        return Err(io::Error::new(ErrorKind::InvalidData, message));
                    }
                    self.position += length as u64;
                    if length < scratch.len() && !is_ending {
                        return Ok(Turn::Blocked);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Turn::Again)
    }
}
