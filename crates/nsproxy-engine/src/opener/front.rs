//! An opener that some requests are answered in front of: the rest, and all that it has in stock, is the business of the one
//! behind.

use std::io;

use netns_core::NetnsSpec;

use super::{OpenAnswer, OpenToken, SocketOpener, SocketRequest};

/// Who answers what it can, and passes the rest on.
pub(super) trait Front {
    /// As [`SocketOpener::request`].
    fn request(&mut self, token: OpenToken, request: SocketRequest, behind: &mut dyn SocketOpener);

    /// As [`SocketOpener::answers`], those of the opener behind among them.
    fn answers(&mut self, answers: &mut Vec<OpenAnswer>, behind: &mut dyn SocketOpener);
}

/// Both of them, as one opener.
pub(super) struct WithFront<F> {
    pub(super) front: F,
    pub(super) behind: Box<dyn SocketOpener>,
}

impl<F: Front> SocketOpener for WithFront<F> {
    fn register(&mut self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
        self.behind.register(registry, token)
    }

    fn request(&mut self, token: OpenToken, request: SocketRequest) {
        self.front.request(token, request, &mut *self.behind);
    }

    fn answers(&mut self, answers: &mut Vec<OpenAnswer>) {
        self.front.answers(answers, &mut *self.behind);
    }

    fn stock(&self) -> usize {
        self.behind.stock()
    }

    fn stock_by_netns(&self, tell: &mut dyn FnMut(&NetnsSpec, usize)) {
        self.behind.stock_by_netns(tell);
    }

    fn sweep(&mut self) {
        self.behind.sweep();
    }

    fn release_unused(&mut self) {
        self.behind.release_unused();
    }
}
