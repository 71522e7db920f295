//! A watch as an event source of mio: its descriptor is registered, and made readable once.
//!
//! To register is to poll, which takes the kernel's only word of a mount that has changed shortly before.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::Watch;

/// Readable when [`Watch::events`] should be called, and once after each registration. Needs the feature `mio`.
impl Source for Watch {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&raw_fd(self)).register(registry, token, interests)?;
        Ok(self.remind()?)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&raw_fd(self)).reregister(registry, token, interests)?;
        Ok(self.remind()?)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&raw_fd(self)).deregister(registry)
    }
}

fn raw_fd(watch: &Watch) -> RawFd {
    watch.as_fd().as_raw_fd()
}
