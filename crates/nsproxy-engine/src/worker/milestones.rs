//! How far sessions have come, and when. Remembered apart from the sessions, and only of those whose relay an observer
//! follows: without one, it costs nothing.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::core::balance::Waited;
use crate::core::moment::Moment;
use crate::core::rules::Value;
use crate::server::Server;

/// Numbers of sessions that a worker takes at a time, so that workers seldom write what others read.
const NUMBERS: u64 = 64;

/// How far one session has come.
#[derive(Debug, Default)]
pub(super) struct Milestones {
    /// It began: a PROXY header was complete, or none was expected.
    began: Option<After>,
    /// It got the server that was chosen last.
    assigned: Option<After>,
    /// The connection to that one was there.
    connected: Option<After>,
    /// Its number in the lines that it has left, of a server and of the pool: 1 for the first. Zero for none.
    numbers: [u32; 2],
    /// The only server that it could wait for.
    awaited: Option<Arc<Server>>,
    redispatched: bool,
    number: u64,
    unique_id: Option<Box<[u8]>>,
    /// What was logged, by index.
    remembered: Box<[Option<Value<'static>>]>,
}

/// Whole milliseconds since a session was accepted, 49 days at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct After(NonZeroU32);

/// The milestones of all sessions of a worker that are followed.
#[derive(Debug)]
pub(super) struct Followed {
    /// Those that no worker has taken.
    numbers: Arc<AtomicU64>,
    /// Of the next session, and of the first for which there is none any more.
    next: u64,
    end: u64,
    /// Indexed by the session's slab key. Of a session that is not followed, what another has left there.
    sessions: Vec<Milestones>,
}

impl Followed {
    /// For a worker that shares these numbers with the others.
    pub(super) fn new(numbers: Arc<AtomicU64>) -> Self {
        Self {
            numbers,
            next: 0,
            end: 0,
            sessions: Vec::new(),
        }
    }

    /// A number that no other session has.
    fn number(&mut self) -> u64 {
        if self.next == self.end {
            self.next = self.numbers.fetch_add(NUMBERS, Ordering::Relaxed);
            self.end = self.next.wrapping_add(NUMBERS);
        }
        let number = self.next;
        self.next = number.wrapping_add(1);
        number
    }

    /// A session begins that is followed.
    pub(super) fn add(&mut self, key: usize) {
        if self.sessions.len() <= key {
            self.sessions.resize_with(key + 1, Milestones::default);
        }
        let number = self.number();
        self.sessions[key] = Milestones {
            number,
            ..Milestones::default()
        };
    }

    /// Of a session that is followed.
    pub(super) fn get(&self, key: usize) -> Option<&Milestones> {
        self.sessions.get(key)
    }

    /// Of a session that is followed.
    pub(super) fn get_mut(&mut self, key: usize) -> Option<&mut Milestones> {
        self.sessions.get_mut(key)
    }

    /// A session has ended that was followed.
    pub(super) fn remove(&mut self, key: usize) {
        if let Some(milestones) = self.sessions.get_mut(key) {
            *milestones = Milestones::default();
        }
    }
}

impl Milestones {
    /// `true` the first time.
    pub(super) fn on_begin(&mut self, now: After) -> bool {
        let is_first = self.began.is_none();
        self.began.get_or_insert(now);
        is_first
    }

    /// It has to wait: for this server, or for any.
    pub(super) fn on_wait(&mut self, server: Option<Arc<Server>>) {
        self.assigned = None;
        self.awaited = server;
    }

    /// It has waited.
    pub(super) fn on_called(&mut self, waited: Waited) {
        add(&mut self.numbers, waited);
    }

    /// It has a server, which is another than the one before.
    pub(super) fn on_assigned(&mut self, now: After, redispatched: bool) {
        self.awaited = None;
        self.assigned = Some(now);
        self.redispatched |= redispatched;
    }

    pub(super) fn on_connected(&mut self, now: After) {
        self.connected = Some(now);
    }

    /// From accept to the end of its PROXY header.
    pub(super) fn handshake(&self) -> Option<Duration> {
        self.began.map(After::as_duration)
    }

    /// How long it took to find a server.
    pub(super) fn queued(&self) -> Option<Duration> {
        between(self.began, self.assigned)
    }

    /// How long it is until `now` that it looks for one.
    pub(super) fn queued_until(&self, now: After) -> Option<Duration> {
        between(self.began, Some(now))
    }

    /// How long the connection to the last server took.
    pub(super) fn connect(&self) -> Option<Duration> {
        between(self.assigned, self.connected)
    }

    /// Its number in the lines of a server and of the pool; it is in one still if it has `waited` in that.
    pub(super) fn queue_numbers(&self, waited: Option<Waited>) -> [u32; 2] {
        let mut numbers = self.numbers;
        if let Some(waited) = waited {
            add(&mut numbers, waited);
        }
        numbers
    }

    pub(super) fn awaited(&self) -> Option<&Arc<Server>> {
        self.awaited.as_ref()
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Its identifier, once it has one.
    pub(super) fn unique_id(&self) -> Option<&[u8]> {
        self.unique_id.as_deref()
    }

    /// Gives it an identifier, for good.
    pub(super) fn identify(&mut self, unique_id: Box<[u8]>) {
        self.unique_id.get_or_insert(unique_id);
    }

    /// Keeps what will not be there later.
    pub(super) fn remember(&mut self, values: Box<[Option<Value<'static>>]>) {
        self.remembered = values;
    }

    /// What was kept; empty where nothing was.
    pub(super) fn remembered(&self) -> &[Option<Value<'static>>] {
        &self.remembered
    }

    pub(super) const fn was_redispatched(&self) -> bool {
        self.redispatched
    }
}

impl After {
    pub(super) fn between(accepted: Moment, now: Moment) -> Self {
        let millis = u32::try_from(now.since(accepted).as_millis()).unwrap_or(u32::MAX);
        // Never zero, so that `None` takes no room.
        Self(NonZeroU32::MIN.saturating_add(millis))
    }

    fn as_duration(self) -> Duration {
        Duration::from_millis(u64::from(self.0.get() - 1))
    }
}

fn between(from: Option<After>, to: Option<After>) -> Option<Duration> {
    Some(to?.as_duration().saturating_sub(from?.as_duration()))
}

fn add([server, pool]: &mut [u32; 2], waited: Waited) {
    let line = if waited.for_one { server } else { pool };
    *line = line.saturating_add(waited.overtaken_by).saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: u64) -> After {
        After::between(Moment::from_millis(5), Moment::from_millis(5 + millis))
    }

    #[test]
    fn each_part_is_measured_from_the_one_before() {
        let mut milestones = Milestones::default();
        assert!(milestones.on_begin(after(0)));
        assert!(!milestones.on_begin(after(2)));
        milestones.on_assigned(after(30), false);
        milestones.on_assigned(after(40), true);
        assert_eq!(milestones.connect(), None);
        milestones.on_connected(after(45));
        let parts = [milestones.handshake(), milestones.queued(), milestones.connect()];
        let millis = parts.map(|part| part.map(|part| part.as_millis()));
        assert_eq!(millis, [Some(0), Some(40), Some(5)]);
        assert!(milestones.was_redispatched());
    }

    #[test]
    fn numbers_in_several_lines_of_a_kind_are_added_up() {
        let mut milestones = Milestones::default();
        let waited = |for_one, overtaken_by| Waited {
            for_one,
            overtaken_by,
        };
        milestones.on_called(waited(false, 2));
        milestones.on_called(waited(true, 0));
        assert_eq!(milestones.queue_numbers(None), [1, 3]);
        assert_eq!(milestones.queue_numbers(Some(waited(false, 1))), [1, 5]);
    }

    #[test]
    fn a_key_that_is_used_again_starts_afresh() {
        let mut followed = Followed::new(Arc::default());
        followed.add(3);
        let begin = |followed: &mut Followed| followed.get_mut(3).is_some_and(|its| its.on_begin(after(1)));
        assert!(begin(&mut followed));
        followed.remove(3);
        followed.add(3);
        assert!(begin(&mut followed));
        assert_eq!(followed.get(3).map(Milestones::number), Some(1));
    }

    #[test]
    fn no_two_sessions_have_the_same_number() {
        let numbers = Arc::<AtomicU64>::default();
        let mut workers = [(); 3].map(|()| Followed::new(Arc::clone(&numbers)));
        let seen: std::collections::BTreeSet<_> = (0..600).map(|turn| workers[turn % 3].number()).collect();
        assert_eq!(seen.len(), 600);
    }
}
