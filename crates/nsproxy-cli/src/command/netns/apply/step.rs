//! One step of a topology: what its line says, whether it is done, how to do it and how to undo it.

use netns_core::links::NsidChoice;
use netns_core::{NetnsName, NetnsSpec, RegistryError};

use super::super::address::Address;
use super::super::context::Context;
use super::super::failure::{FAILED, Failure, Result};
use super::super::link::{Change, NewLink};
use super::super::options::{self, Options};
use super::super::route::NewRoute;
use super::super::words::{Word, Words};
use super::super::{Subcommand, add, find, set};
use super::OpenLinks;

/// What may stand in a file.
const STEPS: &str = "a topology has: add, set, link add, link set, address add, route add";

/// A step, and the namespace that it acts in if it is not this one.
#[derive(Debug)]
pub(super) struct Step {
    netns: Option<NetnsSpec>,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Add(Vec<NetnsName>),
    Set(NetnsName, NsidChoice),
    NewLink(NewLink),
    Change(Change),
    Address(Address),
    Route(NewRoute),
}

impl Step {
    /// The step of a line; none if the line has no words.
    pub(super) fn parse(words: &[Word]) -> Result<Option<Self>> {
        let mut options = Options::default();
        let rest = options::before(&mut options, words)?;
        let Some((first, rest)) = rest.split_first() else {
            return match words.first() {
                None => Ok(None),
                Some(word) => Err(word.wrong(format_args!("this line does nothing; {STEPS}"))),
            };
        };
        let netns = options.netns.take();
        if options != Options::default() {
            return Err(words[0].wrong("-n is the only option in a topology"));
        }
        let mut words = Words::behind(first, rest);
        let action = match find(first)? {
            Subcommand::Add => Action::Add(add::names(words).map_err(|failure| match failure.place() {
                Some(_) => failure,
                None => failure.at(first.place),
            })?),
            Subcommand::Set => {
                let name = words.require("No netns name specified")?.netns_name()?;
                let choice = set::choice(words.require("No nsid specified")?)?;
                words.end()?;
                Action::Set(name, choice)
            }
            Subcommand::Link => match Self::verb(&mut words)? {
                Verb::Add => Action::NewLink(NewLink::parse(words)?),
                Verb::Set => Action::Change(Change::parse(words)?),
            },
            Subcommand::Address => {
                Self::only_add(&mut words)?;
                Action::Address(Address::parse(words)?)
            }
            Subcommand::Route => {
                Self::only_add(&mut words)?;
                Action::Route(NewRoute::parse(words)?)
            }
            _ => {
                return Err(first.wrong(format_args!(
                    "\"{}\" is not a part of one; {STEPS}",
                    first.shown()
                )));
            }
        };
        if netns.is_some() && matches!(action, Action::Add(_)) {
            return Err(first.wrong("a name is the same everywhere: -n has no meaning for `add`"));
        }
        Ok(Some(Self { netns, action }))
    }

    fn verb(words: &mut Words<'_>) -> Result<Verb> {
        let word = words.require(STEPS)?;
        match [("add", Verb::Add), ("set", Verb::Set)]
            .into_iter()
            .find(|(name, _)| word.abbreviates(name))
        {
            Some((_, verb)) => Ok(verb),
            None => Err(word.wrong(format_args!("\"{}\" is not a part of one; {STEPS}", word.shown()))),
        }
    }

    fn only_add(words: &mut Words<'_>) -> Result {
        let word = words.require(STEPS)?;
        if word.abbreviates("add") {
            return Ok(());
        }
        Err(word.wrong(format_args!("\"{}\" is not a part of one; {STEPS}", word.shown())))
    }

    /// Does it, unless it is done.
    pub(super) fn make(&self, context: &Context, links: &mut OpenLinks) -> Result {
        if let Action::Add(names) = &self.action {
            return names.iter().try_for_each(|name| add(context, name));
        }
        let links = links.of(context, self.netns.as_ref())?;
        match &self.action {
            Action::Add(_) => Ok(()),
            Action::Set(name, choice) => {
                let netns = context.registry.open(name)?;
                match (links.nsid_of(&netns)?, choice) {
                    (Some(_), NsidChoice::Auto) => Ok(()),
                    (Some(has), NsidChoice::Fixed(wanted)) if has == *wanted => Ok(()),
                    _ => Ok(links.set_nsid(&netns, *choice).map(drop)?),
                }
            }
            Action::NewLink(link) => {
                if link.is_made(context, links)? {
                    return Ok(());
                }
                link.make(context, links)
            }
            Action::Change(change) => {
                if change.is_moved(context, links)? {
                    return change.make_again(context, links);
                }
                change.make(context, links)
            }
            Action::Address(address) => {
                if address.is_made(links)? {
                    return Ok(());
                }
                address.make(links)
            }
            Action::Route(route) => {
                if route.is_made(links)? {
                    return Ok(());
                }
                route.make(links)
            }
        }
    }

    /// Whether it takes the interface that `earlier` is about to another place or name.
    pub(super) fn moves_link_of(&self, earlier: &Self) -> bool {
        match &self.action {
            Action::Change(change) => {
                change.moves() && self.netns == earlier.netns && earlier.link() == Some(change.link())
            }
            _ => false,
        }
    }

    /// Whether the interface that it moves has been moved.
    pub(super) fn is_moved(&self, context: &Context, links: &mut OpenLinks) -> Result<bool> {
        match &self.action {
            Action::Change(change) if !self.specs().any(|spec| is_gone(context, spec)) => {
                change.is_moved(context, links.of(context, self.netns.as_ref())?)
            }
            _ => Ok(false),
        }
    }

    /// The interface that it is about, by its name in the namespace that it acts in.
    fn link(&self) -> Option<&str> {
        match &self.action {
            Action::NewLink(link) => link.name_here(),
            Action::Change(change) => Some(change.link()),
            Action::Address(address) => Some(address.link()),
            _ => None,
        }
    }

    /// Undoes it, unless it is undone. In a namespace that is gone nothing is left of it.
    pub(super) fn unmake(&self, context: &Context, links: &mut OpenLinks) -> Result {
        if let Action::Add(names) = &self.action {
            links.close();
            return names.iter().rev().try_for_each(|name| remove(context, name));
        }
        if self.specs().any(|spec| is_gone(context, spec)) {
            return Ok(());
        }
        let links = links.of(context, self.netns.as_ref())?;
        match &self.action {
            // A number stays as long as its namespace.
            Action::Add(_) | Action::Set(..) => Ok(()),
            Action::NewLink(link) => link.unmake(context, links),
            Action::Change(change) => change.unmake(context, links),
            Action::Address(address) => address.unmake(links),
            Action::Route(route) => route.unmake(links),
        }
    }

    /// The namespaces without which nothing can be left to undo.
    fn specs(&self) -> impl Iterator<Item = &NetnsSpec> {
        let (link, change) = match &self.action {
            Action::NewLink(link) => (Some(link.specs()), None),
            Action::Change(change) => (None, Some(change.specs())),
            _ => (None, None),
        };
        let more = link.into_iter().flatten().chain(change.into_iter().flatten());
        self.netns.iter().chain(more)
    }
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Add,
    Set,
}

/// A name that is there already is good if a namespace stands under it.
fn add(context: &Context, name: &NetnsName) -> Result {
    match context.registry.add(name) {
        Ok(_) => Ok(()),
        Err(RegistryError::Exists { .. }) => Ok(context.registry.open(name).map(drop)?),
        Err(error) => Err(error.into()),
    }
}

fn remove(context: &Context, name: &NetnsName) -> Result {
    match context.registry.remove(name) {
        Ok(()) | Err(RegistryError::NotFound { .. }) => Ok(()),
        Err(error) => Err(Failure::caused(FAILED, error)),
    }
}

fn is_gone(context: &Context, spec: &NetnsSpec) -> bool {
    let opened = match spec.name() {
        Some(name) => context.registry.open(name),
        None => netns_core::Netns::open(spec),
    };
    matches!(opened, Err(netns_core::OpenError::NotFound { .. }))
}
