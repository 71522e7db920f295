//! `link set NAME ...`: changes an interface: up or down, its name, size, bridge, namespace.

use netns_core::NetnsSpec;
use netns_core::links::Links;

use super::super::context::Context;
use super::super::failure::{FAILED, Failure, Result};
use super::super::words::{Word, Words, once};
use super::{look, name};

/// What may be changed, for complaints and for the completions of shells.
pub(in super::super) const SET_WORDS: [&str; 7] =
    ["up", "down", "mtu", "master", "nomaster", "name", "netns"];

/// What is to become of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Change {
    link: String,
    up: Option<bool>,
    new_name: Option<String>,
    netns: Option<NetnsSpec>,
    mtu: Option<u32>,
    master: Option<Master>,
}

/// The bridge that an interface is to be a port of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Master {
    Bridge(String),
    None,
}

impl Change {
    pub(in super::super) fn parse(mut words: Words<'_>) -> Result<Self> {
        let mut change = Self {
            link: name(&mut words)?,
            ..Self::default()
        };
        if words.peek().is_none() {
            return Err(
                Failure::usage("Command line is not complete: nothing to change").at(words.end_place())
            );
        }
        while let Some(word) = words.next() {
            change.read(word, &mut words)?;
        }
        Ok(change)
    }

    fn read(&mut self, word: &Word, words: &mut Words<'_>) -> Result {
        match word.text.to_str() {
            Some("up") => once(&mut self.up, word, true),
            Some("down") => once(&mut self.up, word, false),
            Some("name") => once(&mut self.new_name, word, words.value(word)?.utf8()?),
            Some("netns") => once(&mut self.netns, word, words.value(word)?.netns_spec()?),
            Some("mtu") => once(
                &mut self.mtu,
                word,
                words.value(word)?.number_of("a size in bytes")?,
            ),
            Some("master") => once(&mut self.master, word, Master::Bridge(words.value(word)?.utf8()?)),
            Some("nomaster") => once(&mut self.master, word, Master::None),
            _ => Err(word.wrong(format_args!(
                "\"{}\" is unknown here; link set takes {}",
                word.shown(),
                SET_WORDS.join(", ")
            ))),
        }
    }

    /// Does it. Up comes last, because a link that is moved comes down.
    pub(in super::super) fn make(&self, context: &Context, links: &mut Links) -> Result {
        let name = self.link.as_str();
        if self.up == Some(false) {
            links.set_down(name)?;
        }
        if let Some(mtu) = self.mtu {
            links.set_mtu(name, mtu)?;
        }
        match &self.master {
            Some(Master::Bridge(bridge)) => links.set_master(name, Some(bridge))?,
            Some(Master::None) => links.set_master(name, None)?,
            None => {}
        }
        let Some(spec) = &self.netns else {
            if let Some(new_name) = &self.new_name {
                links.rename(name, new_name)?;
            }
            return self.bring_up(links);
        };
        let netns = context.open(spec)?;
        links.move_to(name, &netns, self.new_name.as_deref())?;
        match self.up {
            Some(true) => self.bring_up(&mut Links::in_netns(&netns)?),
            _ => Ok(()),
        }
    }

    /// What the interface is called before.
    pub(in super::super) fn link(&self) -> &str {
        &self.link
    }

    /// Whether the interface is elsewhere afterwards, or called otherwise.
    pub(in super::super) fn moves(&self) -> bool {
        self.netns.is_some() || self.new_name.is_some()
    }

    /// Whether nothing is left to be moved or renamed: the rest can be done again without harm.
    pub(in super::super) fn is_moved(&self, context: &Context, links: &mut Links) -> Result<bool> {
        if !self.moves() {
            return Ok(false);
        }
        let is_here = look(links, &self.link)?.is_some();
        let is_there = match &self.netns {
            Some(spec) => look(&mut context.links(Some(spec))?, self.final_name())?.is_some(),
            None => look(links, self.final_name())?.is_some(),
        };
        match (is_here, is_there) {
            (_, false) => Ok(false),
            (false, true) => Ok(true),
            (true, true) => Err(Failure::new(
                FAILED,
                format_args!(
                    "there is `{}` to be moved, and `{}` where it should go",
                    self.link,
                    self.final_name()
                ),
            )),
        }
    }

    /// What can be done again to a link that is where it should be.
    pub(in super::super) fn make_again(&self, context: &Context, links: &mut Links) -> Result {
        let there = Self {
            link: self.final_name().to_owned(),
            new_name: None,
            netns: None,
            ..self.clone()
        };
        match &self.netns {
            Some(spec) => there.make(context, &mut context.links(Some(spec))?),
            None => there.make(context, links),
        }
    }

    /// Brings a link back to the namespace `here`, of which `links` are, or to its name. What else was changed stays: how
    /// it was before is not known.
    pub(in super::super) fn unmake(
        &self,
        context: &Context,
        here: Option<&NetnsSpec>,
        links: &mut Links,
    ) -> Result {
        if self.is_moved(context, links)? {
            match &self.netns {
                Some(spec) => {
                    let home = context.open_or_current(here)?;
                    let mut links = context.links(Some(spec))?;
                    links.move_to(self.final_name(), &home, Some(&self.link))?;
                }
                None => links.rename(self.final_name(), &self.link)?,
            }
        }
        Ok(())
    }

    /// Where it is to go, if elsewhere.
    pub(in super::super) fn netns(&self) -> Option<&NetnsSpec> {
        self.netns.as_ref()
    }

    fn bring_up(&self, links: &mut Links) -> Result {
        if self.up == Some(true) {
            links.set_up(self.final_name())?;
        }
        Ok(())
    }

    /// What the interface is called afterwards.
    pub(in super::super) fn final_name(&self) -> &str {
        self.new_name.as_deref().unwrap_or(&self.link)
    }
}
