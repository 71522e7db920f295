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
use super::place::{Place, is_gone};

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

    /// The interface that it makes, and the namespace in which it does so.
    pub(super) fn new_link(&self) -> Option<(&NewLink, Option<&NetnsSpec>)> {
        match &self.action {
            Action::NewLink(link) => Some((link, self.netns.as_ref())),
            _ => None,
        }
    }

    /// Where the other end is of the pair that it makes.
    pub(super) fn new_peer(&self) -> Option<Place<'_>> {
        let (link, made_in) = self.new_link()?;
        let peer = link.peer()?;
        Some(Place {
            netns: peer.netns.or(made_in),
            link: peer.name,
        })
    }

    /// Does again what can be done again to an interface that it has moved.
    pub(super) fn make_again(&self, context: &Context, links: &mut OpenLinks) -> Result {
        match &self.action {
            Action::Change(change) => change.make_again(context, links.of(context, self.acts_in())?),
            _ => Ok(()),
        }
    }

    /// Does it, unless it is done. Whether an interface is there has been looked at before.
    pub(super) fn make(&self, context: &Context, links: &mut OpenLinks) -> Result {
        if let Action::Add(names) = &self.action {
            return names.iter().try_for_each(|name| add(context, name));
        }
        let links = links.of(context, self.acts_in())?;
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
            Action::NewLink(link) => link.make(context, self.netns.as_ref(), links),
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

    /// Whether it takes an interface to another place.
    pub(super) fn moves_link(&self) -> bool {
        matches!(&self.action, Action::Change(change) if change.moves())
    }

    /// Where the interface is that it is about, when its turn comes.
    pub(super) fn finds_link(&self) -> Option<Place<'_>> {
        let link = match &self.action {
            Action::NewLink(link) => link.name(),
            Action::Change(change) => change.link(),
            Action::Address(address) => address.link(),
            _ => return None,
        };
        Some(Place {
            netns: self.acts_in(),
            link,
        })
    }

    /// Where that interface is after it.
    pub(super) fn leaves_link(&self) -> Option<Place<'_>> {
        match &self.action {
            Action::Change(change) => Some(Place {
                netns: change.netns().or(self.netns.as_ref()),
                link: change.final_name(),
            }),
            _ => self.finds_link(),
        }
    }

    /// Undoes it, unless it is undone. In a namespace that is gone nothing is left of it.
    pub(super) fn unmake(&self, context: &Context, links: &mut OpenLinks) -> Result {
        if let Action::Add(names) = &self.action {
            links.close();
            return names.iter().rev().try_for_each(|name| remove(context, name));
        }
        let destination = match &self.action {
            Action::Change(change) => change.netns(),
            _ => None,
        };
        let mut needed = self.acts_in().into_iter().chain(destination);
        if needed.any(|spec| is_gone(context, spec)) {
            return Ok(());
        }
        let links = links.of(context, self.acts_in())?;
        match &self.action {
            // A number stays as long as its namespace.
            Action::Add(_) | Action::Set(..) => Ok(()),
            Action::NewLink(link) => link.unmake(links),
            Action::Change(change) => change.unmake(context, self.netns.as_ref(), links),
            Action::Address(address) => address.unmake(links),
            Action::Route(route) => route.unmake(links),
        }
    }

    /// The namespace whose interfaces, addresses or routes it is about; none is that of the command.
    fn acts_in(&self) -> Option<&NetnsSpec> {
        match &self.action {
            Action::NewLink(link) => link.netns().or(self.netns.as_ref()),
            _ => self.netns.as_ref(),
        }
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
