//! Whether an interface that is there is the one that the words of `link add` would make, as far as it can be told without
//! looking at another interface.

use std::fmt::Display;

use netns_core::NetnsSpec;
use netns_core::links::{Link, LinkSettings, Links, Vxlan};

use super::super::failure::{FAILED, Failure, Result};
use super::look;
use super::new::{Kind, NewLink};

/// The interface on which another is to stand, or the other end of a pair.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Base<'a> {
    /// The word before it: `link`, `dev` or `peer`.
    pub(in super::super) word: &'static str,
    pub(in super::super) name: &'a str,
    /// Where it is, if not where the command acts.
    pub(in super::super) netns: Option<&'a NetnsSpec>,
}

impl NewLink {
    /// Whether there is an interface of its name and kind among `links`.
    ///
    /// # Errors
    ///
    /// There is something else of its name.
    pub(in super::super) fn is_there(&self, links: &mut Links) -> Result<bool> {
        match look(links, self.name())? {
            None => Ok(false),
            Some(found) => self.check_kind(&found).map(|()| true),
        }
    }

    /// Refuses an interface of another kind, or with other settings.
    pub(in super::super) fn check(&self, found: &Link) -> Result {
        self.check_kind(found)?;
        match (&self.kind, &found.settings) {
            (Kind::Vlan { id, .. }, LinkSettings::Vlan { id: has }) => self.same("id", id, has),
            (Kind::Macvlan { mode, .. }, LinkSettings::Macvlan { mode: has }) => self.same("mode", mode, has),
            (
                Kind::Vxlan(wanted),
                LinkSettings::Vxlan {
                    vni,
                    remote,
                    local,
                    port,
                    ..
                },
            ) => {
                self.same("id", &wanted.vni, vni)?;
                self.same("remote", &Given(wanted.remote), &Given(*remote))?;
                self.same("local", &Given(wanted.local), &Given(*local))?;
                self.same("dstport", &wanted.port.unwrap_or(Vxlan::PORT), port)
            }
            _ => Ok(()),
        }
    }

    /// What it is to stand on, or its other end.
    pub(in super::super) fn base(&self) -> Option<Base<'_>> {
        match &self.kind {
            Kind::Veth { peer, peer_netns, .. } => Some(Base {
                word: "peer",
                name: peer,
                netns: peer_netns.as_ref(),
            }),
            Kind::Vlan { parent, .. } | Kind::Macvlan { parent, .. } => Some(Base {
                word: "link",
                name: parent,
                netns: None,
            }),
            Kind::Vxlan(vxlan) => vxlan.device.as_deref().map(|name| Base {
                word: "dev",
                name,
                netns: None,
            }),
            Kind::Bridge => None,
        }
    }

    /// The other end of a pair.
    pub(in super::super) fn peer(&self) -> Option<Base<'_>> {
        self.base().filter(|_| matches!(self.kind, Kind::Veth { .. }))
    }

    /// There is another one of its name and kind.
    pub(in super::super) fn differs(&self, what: &str, has: impl Display, wanted: impl Display) -> Failure {
        Failure::new(
            FAILED,
            format_args!(
                "there is a {} `{}` already, and its {what} is {has}, not {wanted}: delete it, or correct the line",
                self.kind.word(),
                self.name()
            ),
        )
    }

    fn same<T: PartialEq + Display>(&self, what: &str, wanted: &T, has: &T) -> Result {
        if wanted == has {
            return Ok(());
        }
        Err(self.differs(what, has, wanted))
    }

    fn check_kind(&self, found: &Link) -> Result {
        let word = self.kind.word();
        if found.kind.as_deref() == Some(word) {
            return Ok(());
        }
        let kind = found.kind.as_deref().unwrap_or("hardware");
        Err(Failure::new(
            FAILED,
            format_args!(
                "there is an interface `{}` already, and it is no {word}: {kind}",
                found.name
            ),
        ))
    }
}

/// Something that may be left out.
#[derive(PartialEq)]
struct Given<T>(Option<T>);

impl<T: Display> Display for Given<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("none"),
        }
    }
}
