//! `link add`: a new interface. Two word orders are understood: the kind first (`link add veth a peer b`), and that of
//! `ip link` (`link add a type veth peer name b`).

use netns_core::NetnsSpec;
use netns_core::links::{Links, MacvlanMode, Vxlan};

use super::super::context::Context;
use super::super::failure::{Failure, Result};
use super::super::words::{Word, Words};

/// The kinds that can be made, by the word for each.
pub(in super::super) const KINDS: [&str; 5] = ["veth", "vlan", "macvlan", "vxlan", "bridge"];

/// The words of all kinds, for the completions of shells too. The first two are dealt with apart.
pub(in super::super) const NEW_WORDS: [&str; 11] = [
    "peer", "name", "link", "netns", "id", "mode", "remote", "group", "local", "dev", "dstport",
];

/// Keywords with one value behind each.
const SETTINGS: &[&str] = NEW_WORDS.split_at(2).1;

/// An interface that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct NewLink {
    name: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Veth {
        /// Where the first end is to be.
        netns: Option<NetnsSpec>,
        peer: String,
        /// Where the second end is to be.
        peer_netns: Option<NetnsSpec>,
    },
    Vlan {
        parent: String,
        id: u16,
    },
    Macvlan {
        parent: String,
        mode: MacvlanMode,
    },
    Vxlan(Vxlan),
    Bridge,
}

impl NewLink {
    pub(in super::super) fn parse(words: Words<'_>) -> Result<Self> {
        let mut draft = Draft::read(words)?;
        let (Some(kind), Some(name)) = (draft.kind, draft.name) else {
            return Err(Failure::usage(format_args!(
                "Command line is not complete: link add {} NAME ...",
                KINDS.join("|")
            ))
            .at(draft.end));
        };
        let kind = match kind.text.to_str() {
            Some("veth") => draft.veth()?,
            Some("vlan") => Kind::Vlan {
                parent: draft.need("link", kind)?.utf8()?,
                id: draft.vlan_id(kind)?,
            },
            Some("macvlan") => Kind::Macvlan {
                parent: draft.need("link", kind)?.utf8()?,
                mode: match draft.take("mode")? {
                    // The kernel's own choice.
                    None => MacvlanMode::Vepa,
                    Some(word) => word.number_of("a mode: private, vepa, bridge, passthru or source")?,
                },
            },
            Some("vxlan") => Kind::Vxlan(draft.vxlan(kind)?),
            Some("bridge") => Kind::Bridge,
            _ => {
                return Err(kind.wrong(format_args!(
                    "\"{}\" is not a kind of interface that can be made here: {}",
                    kind.shown(),
                    KINDS.join(", ")
                )));
            }
        };
        draft.end()?;
        Ok(Self {
            name: name.utf8()?,
            kind,
        })
    }

    /// Makes it; `links` are those of the namespace where it is to be. The command acts in `here`; none is the namespace
    /// that the process is in.
    pub(in super::super) fn make(
        &self,
        context: &Context,
        here: Option<&NetnsSpec>,
        links: &mut Links,
    ) -> Result {
        let name = self.name.as_str();
        match &self.kind {
            Kind::Veth {
                netns,
                peer,
                peer_netns,
            } => {
                let peer_netns = match (netns, peer_netns) {
                    (None, None) => None,
                    (_, Some(spec)) => Some(context.open(spec)?),
                    (Some(_), None) => Some(context.open_or_current(here)?),
                };
                links.create_veth(name, peer, peer_netns.as_ref())?;
            }
            Kind::Vlan { parent, id } => links.create_vlan(parent, name, *id)?,
            Kind::Macvlan { parent, mode } => links.create_macvlan(parent, name, *mode)?,
            Kind::Vxlan(vxlan) => links.create_vxlan(name, vxlan)?,
            Kind::Bridge => links.create_bridge(name)?,
        }
        Ok(())
    }

    /// Deletes it if it is there.
    pub(in super::super) fn unmake(&self, links: &mut Links) -> Result {
        if self.is_there(links)? {
            links.delete(&self.name)?;
        }
        Ok(())
    }

    pub(in super::super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is to be, if not where the command acts.
    pub(in super::super) fn netns(&self) -> Option<&NetnsSpec> {
        match &self.kind {
            Kind::Veth { netns, .. } => netns.as_ref(),
            _ => None,
        }
    }
}

impl Kind {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Veth { .. } => "veth",
            Self::Vlan { .. } => "vlan",
            Self::Macvlan { .. } => "macvlan",
            Self::Vxlan(_) => "vxlan",
            Self::Bridge => "bridge",
        }
    }
}

/// The words, sorted by what they are for; each kind takes what it understands.
#[derive(Debug)]
struct Draft<'a> {
    kind: Option<&'a Word>,
    name: Option<&'a Word>,
    settings: Vec<(&'a Word, &'a Word)>,
    peer: Option<(&'a Word, &'a Word, Option<&'a Word>)>,
    end: usize,
}

impl<'a> Draft<'a> {
    fn read(mut words: Words<'a>) -> Result<Self> {
        let mut draft = Self {
            kind: None,
            name: None,
            settings: Vec::new(),
            peer: None,
            end: words.end_place(),
        };
        // `link add veth type veth` is an interface that is called veth.
        let is_kind = |word: &Word| KINDS.iter().any(|kind| word.is(kind));
        if let [first, second, ..] = words.rest()
            && is_kind(first)
            && !second.is("type")
        {
            draft.kind = words.next();
            words.take_if("name");
            draft.name = words.next();
        }
        while let Some(word) = words.next() {
            if word.is("peer") {
                draft.read_peer(word, &mut words)?;
            } else if word.is("type") && draft.kind.is_none() {
                draft.kind = Some(words.value(word)?);
            } else if SETTINGS.iter().any(|setting| word.is(setting)) {
                draft.settings.push((word, words.value(word)?));
            } else if word.is("name") && draft.name.is_none() {
                draft.name = Some(words.value(word)?);
            } else if draft.name.is_none() {
                draft.name = Some(word);
            } else {
                return Err(word.wrong(format_args!("\"{}\" is unknown here", word.shown())));
            }
        }
        Ok(draft)
    }

    /// `peer [name] NAME [netns NETNS]`.
    fn read_peer(&mut self, keyword: &'a Word, words: &mut Words<'a>) -> Result {
        words.take_if("name");
        let name = words.value(keyword)?;
        let netns = match words.peek() {
            Some(word) if word.is("netns") => {
                words.next();
                Some(words.value(word)?)
            }
            _ => None,
        };
        if self.peer.replace((keyword, name, netns)).is_some() {
            return Err(keyword.wrong("\"peer\" is given twice"));
        }
        Ok(())
    }

    /// The value of a keyword, if it is given.
    fn take(&mut self, keyword: &str) -> Result<Option<&'a Word>> {
        let Some(at) = self.settings.iter().position(|(word, _)| word.is(keyword)) else {
            return Ok(None);
        };
        let (_, value) = self.settings.remove(at);
        match self.settings.iter().find(|(word, _)| word.is(keyword)) {
            None => Ok(Some(value)),
            Some((again, _)) => Err(again.wrong(format_args!("\"{keyword}\" is given twice"))),
        }
    }

    fn need(&mut self, keyword: &str, kind: &Word) -> Result<&'a Word> {
        self.take(keyword)?
            .ok_or_else(|| Failure::usage(format_args!("a {} needs `{keyword}`", kind.shown())).at(self.end))
    }

    fn veth(&mut self) -> Result<Kind> {
        let netns = self.take("netns")?.map(Word::netns_spec).transpose()?;
        let (_, peer, peer_netns) = self
            .peer
            .take()
            .ok_or_else(|| Failure::usage("a veth needs `peer NAME [netns NETNS]`").at(self.end))?;
        Ok(Kind::Veth {
            netns,
            peer: peer.utf8()?,
            peer_netns: peer_netns.map(Word::netns_spec).transpose()?,
        })
    }

    fn vlan_id(&mut self, kind: &Word) -> Result<u16> {
        let word = self.need("id", kind)?;
        match word.number_of("the number of a VLAN")? {
            id @ 1..=4094 => Ok(id),
            _ => Err(word.wrong("the number of a VLAN is 1 to 4094")),
        }
    }

    fn vxlan(&mut self, kind: &Word) -> Result<Vxlan> {
        let word = self.need("id", kind)?;
        let vni = word.number_of("the number of a VXLAN")?;
        if vni >= 1 << 24 {
            return Err(word.wrong("the number of a VXLAN is 0 to 16777215"));
        }
        let remote = self.take("remote")?;
        let group = self.take("group")?;
        if let (Some(_), Some(group)) = (remote, group) {
            return Err(group.wrong("`remote` and `group` exclude each other"));
        }
        Ok(Vxlan {
            vni,
            remote: remote.or(group).map(Word::ip).transpose()?,
            local: self.take("local")?.map(Word::ip).transpose()?,
            device: self.take("dev")?.map(Word::utf8).transpose()?,
            port: self
                .take("dstport")?
                .map(|word| word.number_of("a port"))
                .transpose()?,
        })
    }

    /// Complains about what the kind did not take.
    fn end(&self) -> Result {
        let peer = self.peer.map(|(keyword, ..)| keyword);
        match self.settings.first().map(|(keyword, _)| *keyword).or(peer) {
            None => Ok(()),
            Some(word) if word.is("netns") => Err(word.wrong(
                "only a veth is made elsewhere: use -n NETNS, or move the interface with `link set NAME netns NETNS`",
            )),
            Some(word) => Err(word.wrong(format_args!(
                "\"{}\" has no meaning for this kind of interface",
                word.shown()
            ))),
        }
    }
}
