//! How far one check has come. Bytes and events go in; what to do next comes out.

use super::result::CheckResult;
use super::script::{Action, Connect, Script};

/// Most bytes of an answer that are looked at, the size of HAProxy's buffer.
const MOST_RECEIVED: usize = 16 * 1024;

/// A script that is being carried out.
#[derive(Debug, Clone)]
pub struct Run {
    script: Script,
    step: usize,
    /// Bytes of this step that were sent.
    sent: usize,
    /// Since the last bytes were sent.
    received: Vec<u8>,
    /// Whether to look for new bytes before the next expectation: after something new was said.
    stale: bool,
    /// Whether no more bytes will come.
    ended: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Connect, and report it.
    Connect(&'a Connect),
    /// Send these bytes, and report how many of them were taken.
    Send(&'a [u8]),
    /// Receive so many bytes at most, and report them.
    Receive(usize),
    /// It is over, with this result, and this to say about it.
    Over(CheckResult, String),
}

impl Run {
    /// Before the first step.
    pub const fn new(script: Script) -> Self {
        Self {
            script,
            step: 0,
            sent: 0,
            received: Vec::new(),
            stale: true,
            ended: false,
        }
    }

    /// What to do next.
    pub fn next_step(&mut self) -> Next<'_> {
        // Expectations that are fulfilled already are passed over.
        let unmet = loop {
            let Some(step) = self.script.steps().get(self.step) else {
                return self.passed();
            };
            let Action::Expect(expect) = &step.action else {
                break None;
            };
            let is_full = self.received.len() >= MOST_RECEIVED;
            let is_all = self.ended || is_full;
            let least = expect.pattern.least().max(expect.min_received.unwrap_or(0));
            if !is_all && (self.stale || self.received.len() < least) {
                return Next::Receive(MOST_RECEIVED - self.received.len());
            }
            let found = expect.pattern.is_in(&self.received);
            if !found && !is_all && expect.min_received.is_none() {
                return Next::Receive(MOST_RECEIVED - self.received.len());
            }
            if found == expect.negated {
                let is_empty = self.received.is_empty();
                break Some(expect.fault(step.number, step.comment.as_deref(), is_empty));
            }
            self.step += 1;
        };
        if let Some(fault) = unmet {
            return Next::Over(CheckResult::Layer7Invalid, fault);
        }
        match self.script.steps().get(self.step).map(|step| &step.action) {
            Some(Action::Connect(connect)) => Next::Connect(connect),
            Some(Action::Send(bytes)) => Next::Send(bytes.get(self.sent..).unwrap_or_default()),
            Some(Action::Expect(_)) | None => self.passed(),
        }
    }

    /// [`Next::Connect`] is done.
    pub fn on_connected(&mut self) {
        self.received.clear();
        self.stale = true;
        self.ended = false;
        self.step += 1;
    }

    /// So many bytes of [`Next::Send`] were taken.
    pub fn on_sent(&mut self, bytes: usize) {
        let Some(Action::Send(all)) = self.script.steps().get(self.step).map(|step| &step.action) else {
            return;
        };
        self.sent += bytes;
        if self.sent >= all.len() {
            self.sent = 0;
            self.received.clear();
            self.stale = true;
            self.step += 1;
        }
    }

    /// These bytes have come.
    pub fn on_received(&mut self, bytes: &[u8]) {
        let room = MOST_RECEIVED - self.received.len();
        self.received.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.stale = false;
    }

    /// No more bytes will come: the server has ended or reset the connection.
    pub const fn on_end(&mut self) {
        self.ended = true;
        self.stale = false;
    }

    /// Its time is over.
    pub fn on_timeout(&self) -> (CheckResult, String) {
        let is_connect = matches!(
            self.script.steps().get(self.step).map(|step| &step.action),
            Some(Action::Connect(_))
        );
        let place = self.place();
        if is_connect {
            (CheckResult::Layer4Timeout, place)
        } else {
            (CheckResult::Layer7Timeout, place)
        }
    }

    /// Where it is, for what fails by the system's word.
    pub fn place(&self) -> String {
        self.script.place(self.step)
    }

    fn passed(&self) -> Next<'static> {
        let info = if self.script.is_plain() { "" } else { "(tcp-check)" };
        let last = self.script.steps().last().map(|step| &step.action);
        let result = if let Some(Action::Connect(_)) = last {
            CheckResult::Layer4Passed
        } else {
            CheckResult::Layer7Passed
        };
        Next::Over(result, info.to_owned())
    }
}
