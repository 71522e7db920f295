//! Does the steps of a file that are not done.
//!
//! An interface that later steps move or rename may be anywhere on its way already. Where it was found is kept: what its
//! steps up to there do is done, also if by now another has the name that they look for.

use std::cmp::Ordering;

use netns_core::NetnsSpec;

use super::super::context::Context;
use super::super::failure::Result;
use super::super::link::NewLink;
use super::file::Line;
use super::part::{Found, Made, Part, parts};
use super::place::Place;
use super::step::Step;
use super::{OpenLinks, same};

/// A file on its way to be applied.
#[derive(Debug)]
pub(super) struct Maker<'a> {
    context: &'a Context,
    steps: &'a [(Line<'a>, Step)],
    parts: Vec<Option<Part>>,
    links: OpenLinks,
    found: Found<'a>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(context: &'a Context, steps: &'a [(Line<'a>, Step)]) -> Self {
        Self {
            context,
            steps,
            parts: parts(steps),
            links: OpenLinks::default(),
            found: Found::default(),
        }
    }

    /// Does the step at `at`, unless it is done. Those before it have been done.
    pub(super) fn make(&mut self, at: usize) -> Result {
        let (_, step) = &self.steps[at];
        let Some(Part { made, stage }) = self.parts[at] else {
            return self.make_to_foreign(at);
        };
        if let Some((link, made_in)) = step.new_link() {
            return self.make_link(at, made, link, made_in);
        }
        match self.found.stage(made).map(|has| has.cmp(&stage)) {
            Some(Ordering::Greater) => return Ok(()),
            Some(Ordering::Equal) if step.moves_link() => {
                return step.make_again(self.context, &mut self.links);
            }
            _ => step.make(self.context, &mut self.links)?,
        }
        if let Some(place) = step.leaves_link() {
            self.found.put(made, stage, place);
        }
        Ok(())
    }

    /// A step that is about no interface, or about one that the file does not make.
    fn make_to_foreign(&mut self, at: usize) -> Result {
        let (_, step) = &self.steps[at];
        if let (Some(before), Some(after)) = (step.finds_link(), step.leaves_link())
            && !before.is_taken(self.context, &mut self.links)?
        {
            let way = self.way(after, at);
            let (here, further) = way.split_at(1);
            if !self.is_any_taken(here)? && self.is_any_taken(further)? {
                return Ok(());
            }
        }
        step.make(self.context, &mut self.links)
    }

    /// Makes an interface, unless it is somewhere on its way.
    fn make_link(
        &mut self,
        at: usize,
        made: Made,
        link: &'a NewLink,
        made_in: Option<&'a NetnsSpec>,
    ) -> Result {
        let (_, step) = &self.steps[at];
        let way = step.finds_link().map_or_else(Vec::new, |from| self.way(from, at));
        let peers_way = step.new_peer().map_or_else(Vec::new, |from| self.way(from, at));
        let mut another = None;
        let mut found = None;
        for (stage, place) in way.iter().enumerate() {
            // On its way to a further place another interface of the file may be there for now. At the first place such a one
            // is in the way.
            if stage > 0 && self.found.has(place) || !place.is_taken(self.context, &mut self.links)? {
                continue;
            }
            let ways = |from| way_behind(from, &self.steps[at + 1..]);
            match same::check(self.context, &mut self.links, link, made_in, place, ways) {
                Ok(peers_stage) => {
                    found = Some((stage, peers_stage));
                    break;
                }
                Err(failure) => another = another.or(Some(failure)),
            }
        }
        let (stage, peers_stage) = match (found, another) {
            (Some(stages), _) => stages,
            (None, Some(failure)) => return Err(failure),
            (None, None) => {
                step.make(self.context, &mut self.links)?;
                (0, 0)
            }
        };
        if let Some(place) = way.get(stage) {
            self.found.put(made, stage, place.clone());
        }
        if let Some(place) = peers_way.get(peers_stage) {
            self.found.put(made.peer(), peers_stage, place.clone());
        }
        Ok(())
    }

    fn way(&self, from: Place<'a>, at: usize) -> Vec<Place<'a>> {
        way_behind(from, &self.steps[at + 1..])
    }

    fn is_any_taken(&mut self, places: &[Place<'_>]) -> Result<bool> {
        for place in places {
            if place.is_taken(self.context, &mut self.links)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where an interface is at first, and where later steps take it, one after the other.
fn way_behind<'a>(from: Place<'a>, later: &'a [(Line<'_>, Step)]) -> Vec<Place<'a>> {
    let mut way = vec![from];
    for (_, step) in later {
        if step.moves_link() && step.finds_link().as_ref() == way.last() {
            way.extend(step.leaves_link());
        }
    }
    way
}
