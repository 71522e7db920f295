//! The process that this one takes over from.

use std::env;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, ensure};
use nsproxy_engine::{Adopting, Handle, OpenerFactory};
use socket2::Socket;

use super::{ALL, CHANNEL, FAILED, READY, SOCKETS, VERSION};
use crate::sys::handover;

/// The process that has started this one to take its place.
#[derive(Debug)]
pub(crate) struct Predecessor(OwnedFd);

impl Predecessor {
    /// Whether the environment speaks of one.
    pub(crate) fn is_there() -> bool {
        env::var_os(CHANNEL).is_some()
    }

    /// The one that the environment speaks of. `None`: this process was started by somebody else.
    ///
    /// # Errors
    ///
    /// The environment speaks of one that is not there.
    pub(crate) fn of_this_process() -> anyhow::Result<Option<Self>> {
        let Some(number) = env::var_os(CHANNEL) else {
            return Ok(None);
        };
        let number = number.to_str().and_then(|number| number.parse().ok());
        let number = number.with_context(|| format!("{CHANNEL} is no number of a descriptor"))?;
        match handover::inherited_channel(number) {
            Ok(channel) => Ok(Some(Self(channel))),
            Err(error) => Err(error).with_context(|| format!("{CHANNEL} does not lead to another nsproxy")),
        }
    }

    /// Receives its listening sockets, for openers that give them to whoever asks for a listener at their places.
    ///
    /// # Errors
    ///
    /// It sends something else, or nothing.
    pub(crate) fn sockets(&self, behind: Arc<dyn OpenerFactory>) -> anyhow::Result<Arc<Adopting>> {
        let mut sockets = Vec::new();
        let (version, _) = self.receive()?;
        ensure!(
            version == VERSION,
            "the other nsproxy speaks another language: `{}`",
            version.escape_ascii()
        );
        loop {
            match self.receive()? {
                (text, with) if text == SOCKETS => sockets.extend(with.into_iter().map(Socket::from)),
                (text, _) if text == ALL => break,
                (text, _) => anyhow::bail!("the other nsproxy says `{}`", text.escape_ascii()),
            }
        }
        let adopting = Adopting::new(sockets, behind);
        Ok(Arc::new(
            adopting.context("cannot use a socket of the other nsproxy")?,
        ))
    }

    fn receive(&self) -> anyhow::Result<(Vec<u8>, Vec<OwnedFd>)> {
        handover::receive(&self.0).context("cannot hear the other nsproxy")
    }

    /// This process relays. Once the other one has let go of the listeners, `engine` is told, and then `tell` is called.
    ///
    /// # Errors
    ///
    /// There is no thread to be had.
    pub(crate) fn relieve(self, engine: Handle, tell: impl FnOnce() + Send + 'static) -> io::Result<()> {
        // One that is gone does not need to be told.
        let _ = handover::send(&self.0, READY, &[]);
        thread::Builder::new()
            .name("nsproxy-upgrade".to_owned())
            .spawn(move || {
                // It says nothing any more: this is its end.
                while let Ok((text, _)) = handover::receive(&self.0)
                    && !text.is_empty()
                {}
                engine.succeed();
                tell();
            })
            .map(drop)
    }

    /// This process will not relay.
    pub(crate) fn disappoint(&self, why: &anyhow::Error) {
        let mut text = [FAILED, format!("{why:#}").as_bytes()].concat();
        text.truncate(4096);
        // The reason is on standard error, too.
        let _ = handover::send(&self.0, &text, &[]);
    }
}
