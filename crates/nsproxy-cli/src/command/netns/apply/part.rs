//! Which interface of the file a step is about. Several may have a name in turn, so a name alone does not tell: the order
//! of the lines does.

use std::collections::BTreeMap;

use super::file::Line;
use super::place::Place;
use super::step::Step;

/// What a line makes: the interface itself, or the other end of its pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Made {
    line: usize,
    is_peer: bool,
}

impl Made {
    pub(super) const fn peer(self) -> Self {
        Self {
            is_peer: true,
            ..self
        }
    }
}

/// How far an interface of the file has come once a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) made: Made,
    /// How often it was moved or renamed.
    pub(super) stage: usize,
}

/// The part of each step. None is about an interface that the file does not make, or about none.
pub(super) fn parts(steps: &[(Line<'_>, Step)]) -> Vec<Option<Part>> {
    let mut at: BTreeMap<Place<'_>, Part> = BTreeMap::new();
    let steps = steps.iter().enumerate();
    steps.map(|(line, (_, step))| part(line, step, &mut at)).collect()
}

fn part<'a>(line: usize, step: &'a Step, at: &mut BTreeMap<Place<'a>, Part>) -> Option<Part> {
    let place = step.finds_link()?;
    if step.new_link().is_some() {
        let made = Made { line, is_peer: false };
        let part = Part { made, stage: 0 };
        at.insert(place, part);
        if let Some(peer) = step.new_peer() {
            let made = made.peer();
            at.insert(peer, Part { made, stage: 0 });
        }
        return Some(part);
    }
    if !step.moves_link() {
        return at.get(&place).copied();
    }
    let mut part = at.remove(&place)?;
    part.stage += 1;
    at.insert(step.leaves_link()?, part);
    Some(part)
}

/// Where the interfaces of the file are that were found or made so far.
#[derive(Debug, Default)]
pub(super) struct Found<'a>(BTreeMap<Made, (usize, Place<'a>)>);

impl<'a> Found<'a> {
    pub(super) fn put(&mut self, made: Made, stage: usize, place: Place<'a>) {
        self.0.insert(made, (stage, place));
    }

    pub(super) fn stage(&self, made: Made) -> Option<usize> {
        self.0.get(&made).map(|(stage, _)| *stage)
    }

    /// Whether one of them is there.
    pub(super) fn has(&self, place: &Place<'_>) -> bool {
        self.0.values().any(|(_, at)| at == place)
    }
}
