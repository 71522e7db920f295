//! `nsproxy netns address add|delete ADDRESS/PREFIX dev NAME`, `address show [NAME]`.

use std::net::IpAddr;

use netns_core::links::{LinkAddress, Links};

use super::action::{self, ACTIONS, Action};
use super::context::Context;
use super::failure::{Failure, Result};
use super::json::Object;
use super::link::is_absent;
use super::words::{Word, Words, once};

pub(super) fn run(context: &Context, mut words: Words<'_>) -> Result {
    match action::choose(context, &mut words, &ACTIONS, Action::Show)? {
        Action::Show => show(context, &mut words),
        Action::Add => Address::parse(words)?.make(&mut Links::here()?),
        Action::Delete => {
            let Address { link, ip, prefix } = Address::parse(words)?;
            Ok(Links::here()?.remove_address(&link, ip, prefix)?)
        }
    }
}

/// An address that an interface is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    link: String,
    ip: IpAddr,
    prefix: u8,
}

impl Address {
    pub(super) fn parse(mut words: Words<'_>) -> Result<Self> {
        let (mut address, mut link) = (None, None);
        while let Some(word) = words.next() {
            if word.is("dev") {
                once(&mut link, word, words.value(word)?.utf8()?)?;
            } else {
                once(&mut address, word, word.ip_and_prefix()?)?;
            }
        }
        let (Some((ip, prefix)), Some(link)) = (address, link) else {
            return Err(
                Failure::usage("Command line is not complete: ADDRESS/PREFIX dev NAME").at(words.end_place()),
            );
        };
        Ok(Self { link, ip, prefix })
    }

    pub(super) fn link(&self) -> &str {
        &self.link
    }

    pub(super) fn make(&self, links: &mut Links) -> Result {
        Ok(links.add_address(&self.link, self.ip, self.prefix)?)
    }

    pub(super) fn is_made(&self, links: &mut Links) -> Result<bool> {
        Ok(links
            .list_addresses()?
            .iter()
            .any(|found| found.link == self.link && found.address == self.ip && found.prefix == self.prefix))
    }

    /// Takes it away if it is there.
    pub(super) fn unmake(&self, links: &mut Links) -> Result {
        match links.remove_address(&self.link, self.ip, self.prefix) {
            Err(error) if is_absent(&error) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}

fn show(context: &Context, words: &mut Words<'_>) -> Result {
    words.take_if("dev");
    let link = words.next().map(Word::utf8).transpose()?;
    words.end()?;
    let mut links = Links::here()?;
    if let Some(link) = &link {
        links.find(link)?;
    }
    let mut addresses = links.list_addresses()?;
    addresses.retain(|address| link.as_ref().is_none_or(|link| *link == address.link));
    let text: String = addresses.iter().map(line).collect();
    context.answer(text, || addresses.iter().map(object).collect())
}

fn line(address: &LinkAddress) -> String {
    let peer = address
        .peer
        .map(|peer| format!(" peer {peer}"))
        .unwrap_or_default();
    let tentative = if address.is_tentative { " tentative" } else { "" };
    format!(
        "{:<16} {}/{}{peer}{tentative}\n",
        address.link, address.address, address.prefix
    )
}

fn object(address: &LinkAddress) -> Object {
    let mut object: Object = vec![
        ("ifindex", address.index.into()),
        ("ifname", address.link.as_str().into()),
        (
            "family",
            if address.address.is_ipv4() {
                "inet"
            } else {
                "inet6"
            }
            .into(),
        ),
        ("local", address.address.to_string().into()),
        ("prefixlen", address.prefix.into()),
    ];
    object.extend(address.peer.map(|peer| ("address", peer.to_string().into())));
    if address.is_tentative {
        object.push(("tentative", true.into()));
    }
    object
}
