//! The loop of the thread that makes checks: which one is due, which one has taken too long, which one can go on.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use mio::{Events, Poll, Token};
use slab::Slab;

use super::attempt::{Attempt, Progress};
use super::changes::Announcer;
use super::checked::{Checked, State};
use super::{Message, Watched};
use crate::clock::Clock;
use crate::core::health::{Change, CheckReport, CheckResult, Judged, OnError, Spread};
use crate::core::moment::{Moment, Span};
use crate::core::random::xorshift;
use crate::health::Health;
use crate::inbox::Mailboxes;
use crate::live::LeftNetns;
use crate::observer::Observer;
use crate::opener::{OpenAnswer, OpenToken, OpenerFactory, SocketOpener};

/// The token of the waker.
pub(super) const WAKER: Token = Token(usize::MAX);
const OPENER: Token = Token(usize::MAX - 1);
/// Checks on their way at a time; others wait for their turn. Descriptors are set aside for so many, see
/// [`Settings::checks`](crate::Settings::checks).
pub(crate) const MOST_AT_A_TIME: usize = 128;
const EVENTS: usize = 128;

/// What the thread owns.
pub(super) struct CheckerThread {
    poll: Poll,
    messages: Receiver<Message>,
    opener: Box<dyn SocketOpener>,
    announcer: Announcer,
    checked: Slab<Checked>,
    timers: BTreeSet<(Moment, usize)>,
    /// Those whose check is due and has to wait for its turn.
    due: VecDeque<usize>,
    /// Checks on their way.
    checking: usize,
    spread: Spread,
    clock: Clock,
    now: Moment,
    random: u64,
    answers: Vec<OpenAnswer>,
}

impl CheckerThread {
    pub(super) fn new(
        poll: Poll,
        messages: Receiver<Message>,
        factory: &dyn OpenerFactory,
        observer: Arc<dyn Observer>,
        mailboxes: Arc<Mailboxes>,
    ) -> io::Result<Self> {
        let mut opener = factory.opener(0)?;
        opener.register(poll.registry(), OPENER)?;
        Ok(Self {
            poll,
            messages,
            opener,
            announcer: Announcer::new(observer, mailboxes),
            checked: Slab::new(),
            timers: BTreeSet::new(),
            due: VecDeque::new(),
            checking: 0,
            spread: Spread::default(),
            clock: Clock::start(),
            now: Moment::default(),
            // An xorshift never leaves zero.
            random: RandomState::new().hash_one(0) | 1,
            answers: Vec::new(),
        })
    }

    /// Checks until told to end.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let patience = self
                .timers
                .first()
                .map(|(at, _)| at.since(self.now) + Duration::from_millis(1));
            if let Err(error) = self.poll.poll(&mut events, patience)
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            self.tick();
            for event in &events {
                match event.token() {
                    WAKER | OPENER => {}
                    Token(slot) => self.on_edge(slot),
                }
            }
            if self.read_messages().is_break() {
                return Ok(());
            }
            self.on_time();
            self.begin_due();
            self.take_answers();
        }
    }

    fn tick(&mut self) {
        self.now = self.clock.now();
    }

    fn read_messages(&mut self) -> ControlFlow<()> {
        loop {
            match self.messages.try_recv() {
                Ok(Message::Adopt(watched, spread)) => self.adopt(watched, spread),
                Ok(Message::Pause(health, is_paused)) => self.pause(&health, is_paused),
                Ok(Message::ErrorLimit(health, errors)) => self.on_errors(&health, errors),
                Ok(Message::LeaveNetns(left)) => self.on_netns_left(&left),
                Ok(Message::End) | Err(TryRecvError::Disconnected) => return ControlFlow::Break(()),
                Err(TryRecvError::Empty) => return ControlFlow::Continue(()),
            }
        }
    }

    fn adopt(&mut self, watched: Vec<Watched>, spread: Spread) {
        self.spread = spread;
        self.let_go(&watched);
        let first_checks = spread.first_checks(watched.iter().map(|watched| watched.plan.rules.interval));
        // By the health, of which each server that is checked has its own.
        let known = self.checked.iter();
        let mut known: HashMap<_, _> = known
            .map(|(slot, checked)| (Arc::as_ptr(&checked.watched.health), slot))
            .collect();
        for (place, watched) in watched.into_iter().enumerate() {
            let interval = watched.plan.rules.interval;
            let (slot, changes) = match known.remove(&Arc::as_ptr(&watched.health)) {
                Some(slot) => (slot, self.checked[slot].adopt(watched)),
                None => (self.checked.insert(Checked::new(watched)), true),
            };
            if self.checked[slot].watched.is_paused {
                self.rest(slot);
            } else if changes {
                self.abandon(slot);
                let first = first_checks.millis(place, interval);
                self.arm(slot, self.now.as_millis() + first);
            }
            // The pools may have been set up with what was true a moment before.
            self.announcer.settle(&self.checked[slot]);
        }
        let gone: HashSet<_> = known.into_values().collect();
        self.due.retain(|slot| !gone.contains(slot));
        for slot in gone {
            self.abandon(slot);
            self.disarm(slot);
            self.checked.remove(slot);
        }
    }

    /// Servers that go by no check any more count as up. Whoever applied the plan has seen to that, but a check that failed
    /// since then, before this thread heard of the plan, has set them down again.
    fn let_go(&mut self, watched: &[Watched]) {
        let members = watched.iter().flat_map(|watched| &watched.members);
        let stay: HashSet<_> = members.map(|member| Arc::as_ptr(&member.server.load)).collect();
        for (_, checked) in &self.checked {
            for member in &checked.watched.members {
                if !stay.contains(&Arc::as_ptr(&member.server.load)) {
                    self.announcer.release(member);
                }
            }
        }
    }

    /// Makes no checks of a server for now, or begins again.
    fn pause(&mut self, health: &Arc<Health>, is_paused: bool) {
        let Some(slot) = self.find(health) else {
            return;
        };
        let checked = &mut self.checked[slot];
        if std::mem::replace(&mut checked.watched.is_paused, is_paused) == is_paused {
            return;
        }
        if is_paused {
            return self.rest(slot);
        }
        checked.restart();
        self.announcer.settle(&self.checked[slot]);
        self.arm(slot, self.now.as_millis());
    }

    /// A server is not checked until that is asked for.
    fn rest(&mut self, slot: usize) {
        self.abandon(slot);
        self.disarm(slot);
        self.due.retain(|due| *due != slot);
    }

    fn find(&self, health: &Arc<Health>) -> Option<usize> {
        let mut checked = self.checked.iter();
        let found = checked.find(|(_, checked)| Arc::ptr_eq(&checked.watched.health, health));
        found.map(|(slot, _)| slot)
    }

    /// A check that is on its way is not wanted any more.
    fn abandon(&mut self, slot: usize) {
        let checked = &mut self.checked[slot];
        if let State::Checking(mut attempt) = std::mem::replace(&mut checked.state, State::Idle) {
            attempt.close();
            self.checking -= 1;
        }
    }

    fn on_time(&mut self) {
        while let Some(&(at, slot)) = self.timers.first()
            && at <= self.now
        {
            self.disarm(slot);
            match &self.checked[slot].state {
                State::Idle => self.due.push_back(slot),
                State::Checking(attempt) if attempt.deadline() <= self.now => {
                    let progress = attempt.on_timeout();
                    self.go_on(slot, progress);
                }
                State::Checking(attempt) => {
                    let deadline = attempt.deadline();
                    self.arm(slot, deadline.as_millis());
                }
            }
        }
    }

    fn begin_due(&mut self) {
        while self.checking < MOST_AT_A_TIME
            && let Some(slot) = self.due.pop_front()
        {
            let checked = &mut self.checked[slot];
            if let State::Checking(_) = checked.state {
                continue;
            }
            let watched = &checked.watched;
            let (attempt, progress) = Attempt::begin(watched, self.now);
            checked.state = State::Checking(Box::new(attempt));
            self.checking += 1;
            self.go_on(slot, progress);
        }
    }

    fn take_answers(&mut self) {
        // An answer may lead to another request, of a script that connects more than once.
        loop {
            let mut answers = std::mem::take(&mut self.answers);
            self.opener.answers(&mut answers);
            let is_empty = answers.is_empty();
            for OpenAnswer { token, result } in answers.drain(..) {
                self.on_socket(token, result);
            }
            self.answers = answers;
            if is_empty {
                return;
            }
        }
    }

    fn on_socket(&mut self, token: OpenToken, result: Result<socket2::Socket, crate::opener::OpenError>) {
        let (slot, generation) = split(token);
        let Some(checked) = self.checked.get_mut(slot) else {
            return;
        };
        if let State::Checking(attempt) = &mut checked.state
            && checked.generation == generation
        {
            let watched = &checked.watched;
            let place = (self.poll.registry(), Token(slot));
            let progress = attempt.on_socket(result, place, watched, self.now);
            self.go_on(slot, progress);
        }
    }

    fn on_edge(&mut self, slot: usize) {
        if let Some(checked) = self.checked.get_mut(slot)
            && let State::Checking(attempt) = &mut checked.state
        {
            let progress = attempt.on_edge(&checked.watched, self.now);
            self.go_on(slot, progress);
        }
    }

    fn go_on(&mut self, slot: usize, progress: Progress) {
        let checked = &mut self.checked[slot];
        let State::Checking(attempt) = &mut checked.state else {
            return;
        };
        match progress {
            Progress::Waits => {}
            Progress::NeedsSocket(request) => {
                checked.generation = checked.generation.wrapping_add(1);
                self.opener.request(join(slot, checked.generation), request);
            }
            Progress::Over(result, info) => {
                let report = CheckReport {
                    result,
                    info,
                    duration: Some(attempt.duration()),
                };
                return self.finish(slot, Some(&report));
            }
            Progress::Pointless => return self.finish(slot, None),
            Progress::Prevented(errno) => {
                self.announcer
                    .check_prevented(&self.checked[slot], errno, self.now);
                return self.finish(slot, None);
            }
        }
        let deadline = attempt.deadline();
        self.arm(slot, deadline.as_millis());
    }

    /// A check has ended, with this report if it has found something out.
    fn finish(&mut self, slot: usize, report: Option<&CheckReport>) {
        self.abandon(slot);
        if let Some(report) = report {
            let checked = &mut self.checked[slot];
            let judged = checked.monitor.on_check(report.result.is_passed());
            if report.result.is_passed() {
                checked.watched.health.forgive();
            } else if judged.moved {
                checked.watched.health.count_failure();
            }
            self.announce(slot, judged, report);
        }
        let next = self.checked[slot].monitor.next_in();
        let after = self.spread.moved(next, draw(&mut self.random));
        self.arm(slot, self.now.as_millis() + after);
    }

    /// Sessions have met errors, one after the other.
    fn on_errors(&mut self, health: &Arc<Health>, errors: u32) {
        let Some(slot) = self.find(health) else {
            return;
        };
        let checked = &mut self.checked[slot];
        if checked.watched.is_paused {
            return;
        }
        let rules = *checked.monitor.rules();
        if rules.on_error != OnError::FastCheck {
            let judged = checked.monitor.on_errors();
            let report = CheckReport {
                result: CheckResult::Observed,
                info: format!(
                    "Detected {errors} consecutive errors, last one was: L4 unsuccessful connection"
                ),
                duration: None,
            };
            self.announce(slot, judged, &report);
        }
        if let Some(fast) = rules.fast_interval {
            self.hurry(slot, fast);
        }
    }

    /// No check is to keep a namespace alive.
    fn on_netns_left(&mut self, left: &LeftNetns) {
        self.opener.sweep();
        let over = self
            .checked
            .iter()
            .filter_map(|(slot, checked)| match &checked.state {
                State::Checking(attempt) => Some((slot, attempt.on_netns_left(&checked.watched, left)?)),
                State::Idle => None,
            });
        let over: Vec<_> = over.collect();
        for (slot, progress) in over {
            self.go_on(slot, progress);
        }
    }

    /// The next check is made no later than after `interval`.
    fn hurry(&mut self, slot: usize, interval: Span) {
        let soon = self.now.after(interval);
        let checked = &self.checked[slot];
        if matches!(checked.state, State::Idle) && checked.timer.is_some_and(|timer| timer > soon) {
            self.arm(slot, soon.as_millis());
        }
    }

    fn announce(&mut self, slot: usize, judged: Judged, report: &CheckReport) {
        let checked = &mut self.checked[slot];
        let is_news = judged.moved || checked.last != Some(report.result);
        checked.last = Some(report.result);
        checked
            .watched
            .health
            .set(checked.monitor.is_up(), checked.monitor.progress(), Some(report));
        let checked = &self.checked[slot];
        if is_news && checked.watched.plan.reports {
            self.announcer.check_ended(checked, report);
        }
        match judged.change {
            Some(change @ (Change::Up | Change::Down)) => self.announcer.changed(checked, change, report),
            None => {}
        }
    }

    fn arm(&mut self, slot: usize, millis: u64) {
        let at = Moment::from_millis(millis);
        if self.checked[slot].timer != Some(at) {
            self.disarm(slot);
            self.checked[slot].timer = Some(at);
            self.timers.insert((at, slot));
        }
    }

    fn disarm(&mut self, slot: usize) {
        if let Some(at) = self.checked[slot].timer.take() {
            self.timers.remove(&(at, slot));
        }
    }
}

/// Slab keys are far below 2^32.
fn join(slot: usize, generation: u32) -> OpenToken {
    OpenToken((slot as u64) << 32 | u64::from(generation))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "both halves are of 32 bits by construction"
)]
fn split(OpenToken(token): OpenToken) -> (usize, u32) {
    ((token >> 32) as usize, token as u32)
}

/// An xorshift's next lot.
fn draw(random: &mut u64) -> u32 {
    *random = xorshift(*random);
    u32::try_from(*random >> 32).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
