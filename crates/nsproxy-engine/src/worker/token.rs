//! What a readiness event is about, packed into the number that the poller carries, and what it says.

use mio::Token;
use mio::event::Event;

use crate::core::readiness::Readiness;
use crate::core::side::Side;
use crate::listeners::ListenerId;

/// The thing that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// One socket of a session; the slab key.
    Session(usize, Side),
    /// A listening socket.
    Listener(ListenerId),
    /// Commands in the inbox.
    Inbox,
    /// Answers of the socket opener.
    Opener,
}

const LISTENER: usize = 1 << (usize::BITS - 1);
const INBOX: usize = LISTENER - 1;
const OPENER: usize = LISTENER - 2;

impl About {
    pub(super) const fn token(self) -> Token {
        Token(match self {
            Self::Session(key, side) => key * 2 + side.index(),
            Self::Listener(ListenerId(id)) => LISTENER | id as usize,
            Self::Inbox => INBOX,
            Self::Opener => OPENER,
        })
    }
}

impl From<Token> for About {
    #[inline]
    fn from(Token(token): Token) -> Self {
        match token {
            INBOX => Self::Inbox,
            OPENER => Self::Opener,
            // Below `LISTENER` is an identifier of 32 bits.
            _ if token & LISTENER != 0 => {
                Self::Listener(ListenerId(u32::try_from(token & !LISTENER).unwrap_or(u32::MAX)))
            }
            _ => Self::Session(token / 2, Side::BOTH[token % 2]),
        }
    }
}

/// What an event says of a socket.
#[inline]
pub(super) fn edge(event: &Event) -> Readiness {
    let mut edge = Readiness::empty();
    edge.set(Readiness::READABLE, event.is_readable());
    edge.set(Readiness::WRITABLE, event.is_writable());
    if event.is_read_closed() || event.is_priority() {
        edge |= Readiness::READABLE | Readiness::PENDING_MARK;
    }
    if event.is_error() {
        edge |= Readiness::READABLE | Readiness::WRITABLE | Readiness::PENDING_MARK | Readiness::ERROR;
    }
    edge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_says_what_it_is_about() {
        for about in [
            About::Session(0, Side::Downstream),
            About::Session(123_456, Side::Upstream),
            About::Listener(ListenerId(0)),
            About::Listener(ListenerId(u32::MAX)),
            About::Inbox,
            About::Opener,
        ] {
            assert_eq!(About::from(about.token()), about);
        }
    }
}
