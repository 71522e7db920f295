//! One attempt at a name: what the servers have answered so far to the question for each kind of address, and what follows
//! from it. Values, without a socket or a clock.
//!
//! The first answer with addresses counts for its kind, whatever other servers say. A kind has none only when no server is
//! left that could have some.

use std::net::IpAddr;
use std::time::Instant;

use crate::Failure;

/// Where an attempt stands.
#[derive(Debug)]
pub(crate) struct Round {
    deadline: Instant,
    /// By the order of [`Kind::BOTH`](crate::message::Kind::BOTH).
    kinds: [Asked; 2],
}

#[derive(Debug, Default)]
struct Asked {
    /// Servers that have not answered.
    open: usize,
    found: Vec<IpAddr>,
    /// Of the last server that has none, and whether asking again is of no use.
    failed: Option<(Failure, bool)>,
}

/// What follows from the answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Wait,
    Found(Vec<IpAddr>),
    /// These of one kind, and nobody has said whether there are any of the other. It may help to ask again.
    Part(Vec<IpAddr>),
    /// The servers know that there is no address.
    None(Failure),
    /// The servers do not know. It may help to ask again.
    Unknown(Failure),
}

impl Asked {
    /// Whether somebody has not answered, and nobody has said that there is none.
    fn is_unanswered(&self) -> bool {
        self.open > 0 && self.found.is_empty() && !matches!(self.failed, Some((_, true)))
    }
}

impl Round {
    /// An attempt in which nobody was asked yet.
    pub(crate) fn new(deadline: Instant) -> Self {
        Self {
            deadline,
            kinds: Default::default(),
        }
    }

    /// The next attempt, in which nobody was asked yet. What was found is kept.
    pub(crate) fn begin_again(&mut self, deadline: Instant) {
        self.deadline = deadline;
        for asked in &mut self.kinds {
            asked.open = 0;
            asked.failed = None;
        }
    }

    /// A server was asked.
    pub(crate) fn ask(&mut self, kind: usize) {
        self.kinds[kind].open += 1;
    }

    /// One of them has answered, or never will.
    pub(crate) fn answered(&mut self, kind: usize, reply: Result<Vec<IpAddr>, Failure>) {
        let asked = &mut self.kinds[kind];
        asked.open = asked.open.saturating_sub(1);
        match reply {
            Ok(found) if found.is_empty() => asked.failed = Some((Failure::Other, true)),
            Ok(found) if asked.found.is_empty() => asked.found = found,
            Ok(_) => {}
            Err(failure) => asked.failed = Some((failure, failure == Failure::NoSuchName)),
        }
    }

    /// Whether answers for this kind are still of use.
    pub(crate) fn wants(&self, kind: usize) -> bool {
        self.kinds[kind].found.is_empty()
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// An answer is on its way that takes longer.
    pub(crate) fn extend(&mut self, deadline: Instant) {
        self.deadline = self.deadline.max(deadline);
    }

    pub(crate) fn verdict(&self, now: Instant) -> Verdict {
        let is_over = now >= self.deadline;
        let is_settled = |asked: &Asked| asked.open == 0 || !asked.found.is_empty();
        if !is_over && !self.kinds.iter().all(is_settled) {
            return Verdict::Wait;
        }
        let found: Vec<_> = self.kinds.iter().flat_map(|asked| asked.found.clone()).collect();
        if !found.is_empty() {
            let is_part = self.kinds.iter().any(Asked::is_unanswered);
            return if is_part {
                Verdict::Part(found)
            } else {
                Verdict::Found(found)
            };
        }
        let reasons = self.kinds.each_ref().map(|asked| match asked.failed {
            Some(failed) if asked.open == 0 => failed,
            _ => (Failure::Timeout, false),
        });
        // The one that leaves the answer open, else the one that says most.
        let knows = reasons.iter().all(|(_, is_final)| *is_final);
        let worst = reasons
            .into_iter()
            .filter(|(_, is_final)| *is_final == knows)
            .map(|(failure, _)| failure)
            .max_by_key(|failure| *failure == Failure::NoSuchName)
            .unwrap_or(Failure::Other);
        match (knows, is_over) {
            (true, _) => Verdict::None(worst),
            (false, true) => Verdict::Unknown(worst),
            // Whoever refuses at once is not asked again at once.
            (false, false) => Verdict::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    /// What follows before and after the deadline from these answers, of two servers for each kind.
    fn verdicts(answers: &[(usize, Result<Vec<IpAddr>, Failure>)]) -> [Verdict; 2] {
        let begin = Instant::now();
        let deadline = begin + Duration::from_secs(1);
        let mut round = Round::new(deadline);
        for kind in [0, 0, 1, 1] {
            round.ask(kind);
        }
        for (kind, answer) in answers {
            round.answered(*kind, answer.clone());
        }
        [round.verdict(begin), round.verdict(deadline)]
    }

    #[test]
    fn the_first_answer_of_each_kind_counts() {
        let answers = [(0, Ok(vec![ip(1)])), (0, Ok(vec![ip(2)])), (1, Ok(vec![ip(3)]))];
        let found = || Verdict::Found(vec![ip(1), ip(3)]);
        assert_eq!(verdicts(&answers), [found(), found()]);
    }

    #[test]
    fn a_server_that_has_none_does_not_speak_for_the_others() {
        let one_kind_is_done = [(0, Err(Failure::NoSuchName)), (0, Ok(vec![ip(1)]))];
        let part = Verdict::Part(vec![ip(1)]);
        assert_eq!(verdicts(&one_kind_is_done), [Verdict::Wait, part]);
        let found = || Verdict::Found(vec![ip(1)]);
        let one_says_none = [&one_kind_is_done[..], &[(1, Ok(vec![]))]].concat();
        assert_eq!(verdicts(&one_says_none), [Verdict::Wait, found()]);
        let both = [&one_kind_is_done[..], &[(1, Ok(vec![])), (1, Ok(vec![]))]].concat();
        assert_eq!(verdicts(&both), [found(), found()]);
    }

    #[test]
    fn when_all_servers_know_of_none_there_is_none() {
        let none = Err(Failure::NoSuchName);
        let all = [
            (0, none.clone()),
            (0, none.clone()),
            (1, none.clone()),
            (1, none.clone()),
        ];
        let no_such_name = || Verdict::None(Failure::NoSuchName);
        assert_eq!(verdicts(&all), [no_such_name(), no_such_name()]);
        let all = [(0, Ok(vec![])), (0, Ok(vec![])), (1, none.clone()), (1, none)];
        assert_eq!(verdicts(&all)[0], no_such_name());
        let all = [0, 0, 1, 1].map(|kind| (kind, Ok(vec![])));
        assert_eq!(verdicts(&all)[0], Verdict::None(Failure::Other));
    }

    #[test]
    fn what_was_found_is_kept_when_the_other_kind_is_asked_for_again() {
        let begin = Instant::now();
        let mut round = Round::new(begin);
        round.ask(0);
        round.ask(1);
        round.answered(0, Ok(vec![ip(1)]));
        assert_eq!(round.verdict(begin), Verdict::Part(vec![ip(1)]));
        round.begin_again(begin + Duration::from_secs(1));
        assert_eq!([0, 1].map(|kind| round.wants(kind)), [false, true]);
        round.ask(1);
        assert_eq!(round.verdict(begin), Verdict::Wait);
        round.answered(1, Ok(vec![ip(2)]));
        assert_eq!(round.verdict(begin), Verdict::Found(vec![ip(1), ip(2)]));
    }

    #[test]
    fn whoever_is_silent_or_refuses_is_asked_again_and_not_at_once() {
        let unknown = Verdict::Unknown;
        assert_eq!(verdicts(&[]), [Verdict::Wait, unknown(Failure::Timeout)]);
        let all = [0, 0, 1, 1].map(|kind| (kind, Err(Failure::Refused)));
        assert_eq!(verdicts(&all), [Verdict::Wait, unknown(Failure::Refused)]);
        let some = [(0, Ok(vec![])), (0, Ok(vec![])), (1, Err(Failure::Refused))];
        assert_eq!(verdicts(&some)[1], unknown(Failure::Timeout));
    }
}
