//! What a worker is told by mailbox, and what it does then.

use std::sync::Arc;
use std::time::Instant;

use super::Worker;
use super::connector;
use super::entry::Entry;
use crate::core::balance::Load;
use crate::core::close::CloseReason;
use crate::inbox::Command;
use crate::listing::SessionId;
use crate::observer::Notice;
use crate::pool::Waiter;

impl Worker {
    /// Does what it was told since the last round.
    pub(super) fn read_inbox(&mut self) {
        self.mailbox.open();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Listen(listener, route) => {
                    let relay = Arc::clone(&route);
                    self.resources.places.remove(&listener);
                    self.resources.places.add(&listener);
                    if let Err(error) = self.acceptor.listen(&self.poll, listener, route) {
                        self.resources.observer.notice(&Notice::AcceptFailed {
                            relay: &relay.relay,
                            error: &error,
                        });
                    }
                }
                Command::Unlisten(id) => {
                    if let Some(listener) = self.acceptor.unlisten(&self.poll, id) {
                        self.resources.places.remove(&listener);
                    }
                }
                Command::LeaveNetns(left) => self.on_netns_left(left),
                Command::EnterNetns(id) => self.removed.forget(id),
                Command::TakeCensus(sender) => {
                    // Whoever asked may have given up.
                    let _ = sender.send(self.take_census());
                }
                Command::Adopt(accepted) => self.begin(*accepted),
                Command::Called(waiter) => self.on_called(waiter),
                Command::EndSessions(load, reason) => self.end_sessions_of(&load, reason),
                Command::EndSession(id, reply) => {
                    // Whoever asked may have gone.
                    let _ = reply.send(self.end_session(id));
                }
                Command::List(question) => self.answer(question),
                Command::ResumeAccepting => self.acceptor.resume(&self.poll, self.resources.now()),
                Command::ComeRound(round) => drop(round),
                Command::Rest => {
                    self.acceptor.rest(&self.poll);
                    // What this worker was told of, and has not accepted, is for another one now.
                    for mailbox in self.mailboxes.iter() {
                        mailbox.send(Command::LookAgain);
                    }
                }
                Command::Work => self.acceptor.work(&self.poll, self.resources.now()),
                Command::LookAgain => self.acceptor.look_again(&self.poll, self.resources.now()),
                Command::Drain(deadline) => {
                    self.acceptor.unlisten_all(&self.poll);
                    self.drain_until =
                        Some(self.drain_until.map_or(deadline, |earlier| earlier.min(deadline)));
                }
                Command::Stop => {
                    self.acceptor.unlisten_all(&self.poll);
                    self.drain_until = Some(Instant::now());
                }
            }
        }
    }

    /// A session that has waited has a place, unless it has ended.
    fn on_called(&mut self, Waiter { key, generation, .. }: Waiter) {
        if let Some(entry) = self.sessions.get_mut(key)
            && entry.generation == generation
            && connector::collect(entry, key, &mut self.resources)
        {
            let counting = self.resources.counting();
            if let (Some(server), Some(waited)) =
                (connector::holds_place(entry), entry.core.waits_for(counting.now))
            {
                counting.call(&entry.route.pool, server, waited);
            }
            entry.core.on_called(self.resources.now());
            self.drive(key);
        }
    }

    /// Ends the sessions that have a place at the server with this load.
    fn end_sessions_of(&mut self, load: &Arc<Load>, reason: CloseReason) {
        let has_place = |entry: &Entry| {
            let server = connector::holds_place(entry);
            server.is_some_and(|server| Arc::ptr_eq(&server.load, load))
        };
        let sessions = self.sessions.iter().filter(|(_, entry)| has_place(entry));
        let keys: Vec<_> = sessions.map(|(key, _)| key).collect();
        for key in keys {
            self.end(key, reason);
        }
    }

    fn end_session(&mut self, id: SessionId) -> bool {
        let is_there = self
            .sessions
            .get(id.key)
            .is_some_and(|entry| entry.generation == id.generation);
        if is_there {
            self.end(id.key, CloseReason::Killed);
        }
        is_there
    }

    pub(super) fn stop_sessions(&mut self) {
        let keys: Vec<_> = self.sessions.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.end(key, CloseReason::Stopped);
        }
    }
}
