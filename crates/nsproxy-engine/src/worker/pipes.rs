//! Pipes for splicing: made when first needed, lent to a flow while it holds bytes, taken back when empty, bounded in
//! number. A pipe that still holds bytes is never taken back: it is closed.

use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::pipe2;
use std::io;
use std::os::fd::AsFd;

/// Wanted capacity. The kernel grants less to a user who is over `pipe-user-pages-soft` (pipe(7)); what it grants is used.
const CAPACITY: i32 = 1 << 18;
/// Less than the default of 16 pages makes splicing slower than copying: such a pipe is of no use.
const LEAST_CAPACITY: u32 = 1 << 16;

/// A pipe of the kernel, empty when it is in the pool.
#[derive(Debug)]
pub(super) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    capacity: u32,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (read, write) = pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
        let granted = fcntl(&write, FcntlArg::F_SETPIPE_SZ(CAPACITY))
            .or_else(|_| fcntl(&write, FcntlArg::F_GETPIPE_SZ))?;
        Ok(Self {
            read,
            write,
            capacity: u32::try_from(granted).unwrap_or(0),
        })
    }

    /// Moves bytes from a socket into the pipe; 0 is the end of the stream.
    #[inline]
    pub(super) fn fill(&self, from: impl AsFd) -> io::Result<usize> {
        // SPLICE_F_NONBLOCK concerns the pipe; the socket's own O_NONBLOCK concerns the socket.
        Ok(splice(
            from,
            None,
            &self.write,
            None,
            self.capacity as usize,
            SpliceFFlags::SPLICE_F_NONBLOCK,
        )?)
    }

    /// Moves up to `bytes` bytes out of the pipe into a socket.
    #[inline]
    pub(super) fn flush(&self, to: impl AsFd, bytes: usize) -> io::Result<usize> {
        Ok(splice(
            &self.read,
            None,
            to,
            None,
            bytes,
            SpliceFFlags::SPLICE_F_NONBLOCK,
        )?)
    }
}

/// The pipes of one worker.
#[derive(Debug)]
pub(super) struct PipePool {
    idle: Vec<Pipe>,
    lent: usize,
    limit: usize,
}

impl PipePool {
    /// At most `limit` pipes, lent and idle together.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            idle: Vec::new(),
            lent: 0,
            limit,
        }
    }

    /// Lends a pipe. `None` when all are lent, or the kernel grants no more: the flow goes on by copying.
    pub(super) fn lend(&mut self) -> Option<Pipe> {
        let pipe = match self.idle.pop() {
            Some(pipe) => pipe,
            None if self.lent >= self.limit => return None,
            None => Pipe::new().ok().filter(|pipe| pipe.capacity >= LEAST_CAPACITY)?,
        };
        self.lent += 1;
        Some(pipe)
    }

    /// Takes an empty pipe back.
    pub(super) fn take_back(&mut self, pipe: Pipe) {
        self.lent -= 1;
        self.idle.push(pipe);
    }

    /// Closes a pipe that still holds bytes, or may.
    pub(super) fn discard(&mut self, pipe: Pipe) {
        self.lent -= 1;
        drop(pipe);
    }

    pub(super) fn lent(&self) -> usize {
        self.lent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_pipes_are_lent_than_the_limit_and_a_returned_one_is_lent_again() {
        let mut pool = PipePool::new(1);
        let pipe = pool.lend().unwrap();
        assert!(pool.lend().is_none());
        pool.take_back(pipe);
        assert_eq!(pool.lent(), 0);
        let pipe = pool.lend().unwrap();
        pool.discard(pipe);
        assert!(pool.lend().is_some());
    }
}
