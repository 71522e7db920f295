//! Small servers for the far side of a relay: each connection is served on a thread of its own.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{Address, Listener, Peer, Tally};

/// A server in the background. Dropped, it serves the connections that have already come, to their ends,
/// accepts no more, and panics if serving one of them did.
#[derive(Debug)]
pub struct Service {
    address: Address,
    /// Closing this end wakes the accepting thread.
    running: Option<UnixStream>,
    acceptor: Option<JoinHandle<()>>,
    tallies: Arc<Mutex<Vec<Tally>>>,
}

impl Service {
    /// Calls `serve` for each connection.
    pub fn start(listener: Listener, serve: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        Self::start_with(listener, move |peer, _| serve(peer))
    }

    /// Sends back what comes, until the end of the stream.
    pub fn echo(listener: Listener) -> Self {
        Self::start(listener, |peer| {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = peer.try_receive(&mut buffer) {
                if peer.try_send(&buffer[..count]).is_err() {
                    return;
                }
            }
        })
    }

    /// Sends `reply` at once, then waits for the other end's end of stream, whatever comes before it.
    pub fn reply(listener: Listener, reply: impl Into<Vec<u8>>) -> Self {
        let reply = reply.into();
        Self::start(listener, move |peer| {
            // A client that has had enough may have reset the connection in the meantime.
            if peer.try_send(&reply).is_ok() && peer.socket().shutdown(Shutdown::Write).is_ok() {
                let mut buffer = [0; 4096];
                while let Ok(1..) = peer.try_receive(&mut buffer) {}
            }
        })
    }

    /// Takes what comes and sums it up; see [`Service::tallies`].
    pub fn sink(listener: Listener) -> Self {
        Self::start_with(listener, |peer, tallies| {
            let tally = peer.tally_to_end();
            tallies.lock().unwrap_or_else(PoisonError::into_inner).push(tally);
        })
    }

    /// Sends the first `length` bytes of the stream that follows from `seed`, then the end.
    pub fn source(listener: Listener, seed: u64, length: u64) -> Self {
        Self::start(listener, move |peer| {
            peer.send_pattern(seed, length);
            peer.half_close();
            peer.expect_eof();
        })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What a [`Service::sink`] has taken, one entry for each connection that has ended.
    pub fn tallies(&self) -> Vec<Tally> {
        self.tallies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn start_with(
        listener: Listener,
        serve: impl Fn(Peer, &Mutex<Vec<Tally>>) + Send + Sync + 'static,
    ) -> Self {
        let (running, stopped) = UnixStream::pair().expect("a socket pair can be made");
        let tallies = Arc::new(Mutex::default());
        let address = listener.address().clone();
        let sums = Arc::clone(&tallies);
        let name = format!("service-{address}");
        let accept = move || accept_all(&listener, &stopped, &|peer| serve(peer, &sums));
        let acceptor = thread::Builder::new()
            .name(name)
            .spawn(accept)
            .expect("a thread can be started");
        Self {
            address,
            running: Some(running),
            acceptor: Some(acceptor),
            tallies,
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.running.take());
        let outcome = self.acceptor.take().map_or(Ok(()), JoinHandle::join);
        if let Err(payload) = outcome
            && !thread::panicking()
        {
            panic::resume_unwind(payload);
        }
    }
}

/// Accepts until `stopped` is closed at its other end; panics in the end if serving a connection did.
fn accept_all(listener: &Listener, stopped: &UnixStream, serve: &(impl Fn(Peer) + Sync)) {
    thread::scope(|scope| {
        while wait_for_connection(listener, stopped) {
            match listener.try_accept(Duration::ZERO) {
                Ok(peer) => {
                    scope.spawn(move || serve(peer));
                }
                // Interrupted, or the client has gone again before it was accepted.
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => panic!("cannot accept on {}: {error}", listener.address()),
            }
        }
    });
}

/// True when a connection may be there, false when none is and the service is to stop.
fn wait_for_connection(listener: &Listener, stopped: &UnixStream) -> bool {
    let mut waited = [
        PollFd::new(listener.as_fd(), PollFlags::POLLIN),
        PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
    ];
    // An error (EINTR) leaves the events empty, and the caller comes back.
    let _ = poll(&mut waited, PollTimeout::NONE);
    waited[0].any() == Some(true) || waited[1].any() != Some(true)
}
