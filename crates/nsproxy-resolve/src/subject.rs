//! A name that somebody wants to know the address of: what is known of it, and who wants it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use netns_core::NetnsSpec;

use crate::assign::{Wish, assign};
use crate::lookup::{Lookup, Outcome};
use crate::memory::Memory;
use crate::settings::{Init, Servers, Source, Target};
use crate::{Failure, HostName};

/// A name in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) host: HostName,
    pub(crate) netns: Option<NetnsSpec>,
}

/// A name, whom it is asked of, and its targets.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) question: Question,
    pub(crate) source: Source,
    pub(crate) lookup: Option<Lookup>,
    /// Whether that is the one that [`Init::System`] asks for.
    is_first: bool,
    memory: Memory,
    claims: Vec<Claim>,
}

/// A target, and how far it has come.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) target: Target,
    pub(crate) address: Option<IpAddr>,
    /// Ways to the first address that are left; empty once it is decided.
    init: VecDeque<Init>,
    /// Whether anything was said of it yet.
    is_told: bool,
    /// Told when no way has led to an address, and dropped when it is decided and said.
    waiting: Option<Sender<(Target, Failure)>>,
}

/// A target has another address.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) claim: usize,
    /// Why it has none.
    pub(crate) failure: Option<Failure>,
}

impl Claim {
    /// `address` is the one that it had before, if it was known before.
    pub(crate) fn new(target: Target, address: Option<IpAddr>, waiting: Sender<(Target, Failure)>) -> Self {
        Self {
            init: target.init.iter().copied().collect(),
            target,
            address,
            is_told: address.is_some(),
            waiting: Some(waiting),
        }
    }

    /// Tries ways to the first address until one needs a lookup, which `failed` if it was made.
    fn begin(&mut self, mut failed: Option<Failure>) {
        while let Some(init) = self.init.front() {
            match init {
                Init::Last if self.address.is_some() => return self.decide(),
                Init::System if failed.is_none() => return,
                Init::Last | Init::System => {}
                Init::Address(address) => {
                    self.address = Some(*address);
                    return self.decide();
                }
                Init::None => {
                    self.address = None;
                    return self.decide();
                }
            }
            self.init.pop_front();
        }
        if let Some(waiting) = self.waiting.take() {
            let failure = failed.take().unwrap_or(Failure::Other);
            // Whoever waits may have lost patience.
            let _ = waiting.send((self.target.clone(), failure));
        }
    }

    fn decide(&mut self) {
        self.init.clear();
    }

    fn wants_lookup(&self) -> bool {
        self.init.front() == Some(&Init::System)
    }
}

impl Subject {
    pub(crate) fn new(question: Question, source: Source, now: Instant) -> Self {
        Self {
            question,
            source,
            lookup: None,
            is_first: false,
            memory: Memory::new(now),
            claims: Vec::new(),
        }
    }

    pub(crate) fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Nobody wants it for the moment: another list of targets follows.
    pub(crate) fn take_claims(&mut self) -> Vec<Claim> {
        std::mem::take(&mut self.claims)
    }

    pub(crate) fn add(&mut self, mut claim: Claim) {
        claim.begin(None);
        claim.is_told |= claim.address.is_some();
        self.claims.push(claim);
    }

    /// Whom the next lookup asks.
    pub(crate) fn next_source(&mut self) -> Source {
        self.is_first = self.claims.iter().any(Claim::wants_lookup);
        if self.is_first {
            Source::System
        } else {
            self.source.clone()
        }
    }

    /// A lookup has ended: what changes with it, and after how long the next one is due.
    pub(crate) fn learn(&mut self, outcome: &Outcome, now: Instant) -> (Vec<Change>, Duration) {
        self.lookup = None;
        let of_the_system;
        let settings = match &self.source {
            Source::Servers(servers) => &**servers,
            Source::System => {
                of_the_system = Servers::of_the_system();
                &of_the_system
            }
        };
        let was_asked = !self.is_first || self.source == Source::System;
        if was_asked || outcome.is_ok() {
            self.memory.learn(outcome, &settings.holds, now);
        }
        let again = match outcome {
            _ if !was_asked => Duration::ZERO,
            Ok(_) => settings.again_found,
            Err(_) => settings.again_failed,
        };
        let failure = outcome.as_ref().err().copied();
        let before: Vec<_> = self.claims.iter().map(|claim| claim.address).collect();
        if self.is_first {
            self.end_first(failure);
        }
        self.assign();
        let mut changes = Vec::new();
        for (index, (claim, before)) in self.claims.iter_mut().zip(before).enumerate() {
            // That there is none is said once, too.
            let is_news = was_asked && failure.is_some() && claim.address.is_none() && !claim.is_told;
            if claim.address != before || is_news {
                claim.is_told = true;
                changes.push(Change {
                    claim: index,
                    failure,
                });
            }
        }
        (changes, again)
    }

    /// What is decided was said: whoever waits for that need not any longer.
    pub(crate) fn release(&mut self) {
        for claim in self.claims.iter_mut().filter(|claim| claim.init.is_empty()) {
            claim.waiting = None;
        }
    }

    /// Shares out what is known.
    pub(crate) fn assign(&mut self) {
        let Some(addresses) = self.memory.addresses() else {
            return;
        };
        let wishes: Vec<_> = self
            .claims
            .iter()
            .map(|Claim { target, address, .. }| Wish {
                target,
                current: *address,
            })
            .collect();
        let assigned = assign(&wishes, &addresses);
        for (claim, address) in self.claims.iter_mut().zip(assigned) {
            claim.address = address;
        }
    }

    fn end_first(&mut self, failure: Option<Failure>) {
        for claim in self.claims.iter_mut().filter(|claim| claim.wants_lookup()) {
            match failure {
                None => claim.decide(),
                Some(_) => claim.begin(failure),
            }
        }
    }
}
