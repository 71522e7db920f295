//! Sessions, listed for whoever asks: each worker is asked for a page at a time, so that neither it nor the asker ever holds
//! more than that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use netns_core::NetnsSpec;

use crate::core::session::Stage;
use crate::inbox::{Command, Mailbox, Mailboxes};
use crate::plan::Endpoint;

/// Places in a worker's list of sessions that are looked at for a page.
pub(crate) const PAGE: usize = 256;
/// How long a worker may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names a session of an engine; no other has the same, unless four thousand million of a worker have begun in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId {
    pub(crate) worker: usize,
    pub(crate) key: usize,
    pub(crate) generation: u32,
}

/// Bits of a worker's number and of a key in an identifier's number.
const WORKER_BITS: u32 = 10;
const KEY_BITS: u32 = 22;
/// The most workers that an engine may have.
pub(crate) const MOST_WORKERS: usize = 1 << WORKER_BITS;

impl SessionId {
    /// As one number, never 0.
    pub fn number(self) -> u64 {
        let low = |number: usize, bits: u32| number as u64 & ((1 << bits) - 1);
        u64::from(self.generation) << (WORKER_BITS + KEY_BITS)
            | low(self.worker, WORKER_BITS) << KEY_BITS
            | low(self.key, KEY_BITS)
    }

    /// That of such a number.
    pub fn from_number(number: u64) -> Self {
        let part = |shift: u32, bits: u32| {
            // At most 32 bits.
            usize::try_from(number >> shift & ((1 << bits) - 1)).unwrap_or(usize::MAX)
        };
        Self {
            worker: part(KEY_BITS, WORKER_BITS),
            key: part(0, KEY_BITS),
            generation: u32::try_from(number >> (WORKER_BITS + KEY_BITS)).unwrap_or(u32::MAX),
        }
    }
}

/// What a session is and how far it has come.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionStatus {
    /// Names it.
    pub id: SessionId,
    /// The relay's name.
    pub relay: String,
    /// The pool's name; `None` while rules have not decided on one.
    pub pool: Option<String>,
    /// The name of the server that was chosen last.
    pub server: Option<String>,
    /// The listener that it came by, and that one's namespace; `None` is the default one.
    pub listener: (Endpoint, Option<Arc<NetnsSpec>>),
    /// The client's address: the PROXY header's if there was one, else the socket's; none on a unix socket.
    pub client: Option<SocketAddr>,
    /// The namespace of the client's connection; `None` is the default one.
    pub client_netns: Option<Arc<NetnsSpec>>,
    /// Where the connection to the server comes from.
    pub source: Option<SocketAddr>,
    /// The server's address, unless it is a unix socket or none was chosen.
    pub upstream: Option<SocketAddr>,
    /// The namespace that the server is reached in; `None` is the default one, or none was chosen.
    pub upstream_netns: Option<Arc<NetnsSpec>>,
    /// How far it has come.
    pub stage: Stage,
    /// Since it was accepted.
    pub age: Duration,
    /// Since a byte last moved on the client's connection and on the server's, or was last waited for; once it relays.
    pub idle: Option<[Duration; 2]>,
    /// Until a timeout ends it or moves it on, if nothing happens.
    pub expires: Option<Duration>,
    /// Bytes delivered to the server and to the client.
    pub bytes: [u64; 2],
    /// Connection attempts after the first.
    pub retries: u16,
}

/// What a worker answers.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) sessions: Vec<SessionStatus>,
    /// Where the next page begins.
    pub(crate) next: Option<usize>,
}

/// A question to a worker: a page from this key on, or this session alone.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) from: usize,
    /// Only a session with this generation, at this very key.
    pub(crate) only: Option<u32>,
    pub(crate) reply: Sender<Page>,
}

/// The sessions of an engine, one page of one worker after the other. What begins or ends meanwhile may be among them or not.
#[derive(Debug)]
pub struct SessionList {
    mailboxes: Arc<Mailboxes>,
    /// The worker that is asked next, and from where.
    next: (usize, usize),
    page: std::vec::IntoIter<SessionStatus>,
}

impl SessionList {
    pub(crate) fn new(mailboxes: Arc<Mailboxes>) -> Self {
        Self {
            mailboxes,
            next: (0, 0),
            page: Vec::new().into_iter(),
        }
    }
}

impl Iterator for SessionList {
    type Item = SessionStatus;

    fn next(&mut self) -> Option<SessionStatus> {
        loop {
            if let Some(session) = self.page.next() {
                return Some(session);
            }
            let (worker, from) = self.next;
            let mailbox = self.mailboxes.get(worker)?;
            let page = ask(mailbox, from, None);
            self.next = match page.as_ref().and_then(|page| page.next) {
                Some(next) => (worker, next),
                None => (worker + 1, 0),
            };
            self.page = page.map(|page| page.sessions).unwrap_or_default().into_iter();
        }
    }
}

/// Asks a worker. One that has ended, or is not heard of, has no sessions.
pub(crate) fn ask(mailbox: &Mailbox, from: usize, only: Option<u32>) -> Option<Page> {
    let (reply, answer) = channel();
    mailbox.send(Command::List(Question { from, only, reply }));
    answer.recv_timeout(PATIENCE).ok()
}

/// Has a worker end a session; the answer is whether there was one.
pub(crate) fn end(mailbox: &Mailbox, id: SessionId) -> bool {
    let (reply, answer) = channel();
    mailbox.send(Command::EndSession(id, reply));
    answer.recv_timeout(PATIENCE).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_names_one_session(worker in 0_usize..1024, key in 0_usize..1 << 22, generation in 1_u32..) {
            let id = SessionId { worker, key, generation };
            prop_assert_eq!(SessionId::from_number(id.number()), id);
            prop_assert_ne!(id.number(), 0);
        }

        #[test]
        fn any_number_names_some_session(number in any::<u64>()) {
            prop_assert_eq!(SessionId::from_number(number).number(), number);
        }
    }
}
