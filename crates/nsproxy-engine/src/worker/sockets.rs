//! Has the opener make sockets, passes its answers on to sessions, and keeps its stock fresh.

use super::Worker;
use super::connector;
use super::resources::split;
use crate::core::moment::Span;
use crate::observer::Notice;
use crate::opener::{OpenAnswer, STOCK_INTERVAL};

impl Worker {
    /// Lets the opener work, and passes its answers on.
    pub(super) fn open_sockets(&mut self) {
        while self.awaiting_sockets > 0 {
            let mut answers = std::mem::take(&mut self.answers);
            self.resources.opener.answers(&mut answers);
            let came = answers.len();
            self.awaiting_sockets = self.awaiting_sockets.saturating_sub(came);
            for OpenAnswer { token, result } in answers.drain(..) {
                let (key, generation) = split(token);
                let Some(entry) = self
                    .sessions
                    .get_mut(key)
                    .filter(|entry| entry.generation == generation)
                else {
                    // The session has ended in the meantime; its socket goes with the answer.
                    continue;
                };
                match result {
                    Ok(socket) => {
                        entry.set_upstream(socket);
                        entry.core.on_socket();
                    }
                    Err(error) => {
                        if let Some(request) = connector::request_with_another_port(entry, &error) {
                            let generation = entry.generation;
                            self.resources.request_socket(key, generation, request);
                            self.awaiting_sockets += 1;
                            continue;
                        }
                        entry.core.on_socket_failed(error.errno());
                        if let Some(chosen) = &entry.server {
                            let (relay, server) = (entry.route.relay.as_str(), chosen.server.name.as_str());
                            self.resources.observer.notice(&Notice::SocketFailed {
                                relay,
                                server,
                                error: &error,
                            });
                        }
                    }
                }
                self.drive(key);
            }
            self.answers = answers;
            if came == 0 {
                return;
            }
        }
    }

    /// Sockets in stock must not keep a namespace alive for long.
    pub(super) fn look_after_stock(&mut self) {
        let now = self.resources.now();
        let opener = &mut self.resources.opener;
        if self.stock_checked_at.is_some_and(|due| due <= now) {
            opener.release_unused();
            self.stock_checked_at = None;
        }
        if self.stock_checked_at.is_none() && opener.stock() > 0 {
            self.stock_checked_at = Span::from_duration(STOCK_INTERVAL).map(|interval| now.after(interval));
        }
    }
}
