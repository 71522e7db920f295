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
    /// Told how it was decided, once that was said.
    waiting: Option<Waiting>,
}

/// Whoever waits until the first addresses of targets are decided.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Which of the targets it is.
    pub(crate) index: usize,
    /// Hears of each target once, and why no way has led to an address if that is so.
    pub(crate) answers: Sender<(usize, Option<Failure>)>,
}

impl Waiting {
    fn tell(self, failure: Option<Failure>) {
        // Whoever waits may have lost patience.
        let _ = self.answers.send((self.index, failure));
    }
}

/// A target has another address.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) claim: usize,
    /// Why it has none.
    pub(crate) failure: Option<Failure>,
}

impl Claim {
    /// `address` is the one that it had before, if it was known before: with one, nothing is left to decide.
    pub(crate) fn new(target: Target, address: Option<IpAddr>, waiting: Waiting) -> Self {
        let mut claim = Self {
            init: target.init.iter().copied().collect(),
            target,
            address,
            is_told: address.is_some(),
            waiting: Some(waiting),
        };
        if address.is_some() {
            claim.decide();
        } else {
            claim.begin(None);
            claim.is_told = claim.address.is_some();
        }
        claim
    }

    /// Tries ways to the first address until one needs a lookup, which `failed` if it was made.
    fn begin(&mut self, failed: Option<Failure>) {
        while let Some(init) = self.init.front() {
            match init {
                Init::System if failed.is_none() => return,
                Init::Last | Init::System => {}
                Init::Address(address) => {
                    self.address = Some(*address);
                    return self.decide();
                }
                Init::None => return self.decide(),
            }
            self.init.pop_front();
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.tell(Some(failed.unwrap_or(Failure::Other)));
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

    pub(crate) fn add(&mut self, claim: Claim) {
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
            if let Some(waiting) = claim.waiting.take() {
                waiting.tell(None);
            }
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::settings::Family;

    fn target(init: &[Init]) -> Target {
        Target {
            group: "b".to_owned(),
            name: "s".to_owned(),
            host: "db.example".parse().unwrap_or_else(|error| panic!("{error}")),
            netns: None,
            source: Source::System,
            prefer: Family::V4,
            networks: Vec::new(),
            shares_address: false,
            init: init.to_vec(),
        }
    }

    fn claim(init: &[Init], address: Option<IpAddr>) -> Claim {
        let (answers, _) = channel();
        Claim::new(target(init), address, Waiting { index: 0, answers })
    }

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn an_address_from_before_is_kept_whatever_way_there_is_to_a_first_one() {
        for init in [Init::Last, Init::System, Init::Address(ip(9)), Init::None] {
            let claim = claim(&[init], Some(ip(1)));
            assert_eq!(claim.address, Some(ip(1)), "{init:?}");
            assert!(claim.init.is_empty(), "{init:?}");
        }
        assert_eq!(
            claim(&[Init::Last, Init::Address(ip(9))], None).address,
            Some(ip(9))
        );
    }

    #[test]
    fn without_servers_of_its_own_a_name_keeps_its_address_until_it_is_said_not_to_exist() {
        let begin = Instant::now();
        let target = target(&[Init::System]);
        let (host, netns) = (target.host, target.netns);
        let mut subject = Subject::new(Question { host, netns }, target.source, begin);
        subject.add(claim(&[Init::System], None));
        let later = begin + Duration::from_secs(3600);
        subject.learn(&Ok(vec![ip(1)]), begin);
        for failure in [
            Failure::Timeout,
            Failure::Refused,
            Failure::Other,
            Failure::NoSocket,
        ] {
            let (changes, _) = subject.learn(&Err(failure), later);
            assert!(changes.is_empty(), "{failure:?}");
            assert_eq!(subject.claims()[0].address, Some(ip(1)), "{failure:?}");
        }
        let (changes, _) = subject.learn(&Err(Failure::NoSuchName), later);
        assert_eq!(changes.len(), 1);
        assert_eq!(subject.claims()[0].address, None);
    }
}
