//! `nsproxy netns list-id [target-nsid T] [nsid N]`: the numbers that are in use here, or in another namespace.

use std::io::Write as _;

use netns_core::NetnsName;
use netns_core::links::{LinkError, Links, NsidEntry};

use super::context::Context;
use super::failure::{FAILED, Failure, Result};
use super::json::{self, Object};
use super::nsid;
use super::words::{Word, Words, once};

pub(super) fn run(context: &Context, words: Words<'_>) -> Result {
    let Asked { target, nsid } = Asked::parse(words)?;
    let mut links = Links::here()?;
    let numbers: Vec<Number> = if let Some(nsid) = nsid {
        vec![Number::of(nsid, target, links.look_up_nsid(nsid, target)?)]
    } else {
        let entries = links.list_nsids(target).map_err(dump_failure)?;
        entries.into_iter().map(Number::from).collect()
    };
    let in_use = if target.is_none() && nsid.is_none() {
        numbers.len()
    } else {
        nsid::in_use(&mut links)
    };
    let names = nsid::names(context, links, in_use)?;
    let name = |number: &Number| number.here().and_then(|here| names.get(&here));
    let mut text = Vec::new();
    for number in &numbers {
        match number.nsid {
            Some(nsid) => write!(text, "nsid {nsid} ")?,
            None => text.extend_from_slice(b"nsid unassigned "),
        }
        if let Some(current) = number.current {
            write!(text, "current-nsid {current} ")?;
        }
        if let Some(name) = name(number) {
            text.extend_from_slice(b"(iproute2 netns name: ");
            text.extend_from_slice(name.as_bytes());
            text.push(b')');
        }
        text.push(b'\n');
    }
    context.answer(text, || {
        numbers.iter().map(|number| number.object(name(number))).collect()
    })
}

/// A line of the list.
#[derive(Debug, Clone, Copy)]
struct Number {
    /// In the target, or here. A namespace may have none in the target.
    nsid: Option<u32>,
    /// Here, if there is a target.
    current: Option<u32>,
}

impl Number {
    fn of(nsid: u32, target: Option<u32>, found: Option<NsidEntry>) -> Self {
        found.map_or_else(
            || Self {
                nsid: None,
                current: target.map(|_| nsid),
            },
            Self::from,
        )
    }

    /// The number by which this namespace knows it: names belong to that one.
    fn here(&self) -> Option<u32> {
        self.current.or(self.nsid)
    }

    fn object(self, name: Option<&NetnsName>) -> Object {
        let nsid = self.nsid.map(|nsid| ("nsid", nsid.into()));
        let current = self.current.map(|current| ("current-nsid", current.into()));
        let name = name.map(|name| ("name", json::name(name)));
        [nsid, current, name].into_iter().flatten().collect()
    }
}

impl From<NsidEntry> for Number {
    fn from(entry: NsidEntry) -> Self {
        Self {
            nsid: Some(entry.nsid),
            current: entry.current,
        }
    }
}

#[derive(Debug, Default)]
struct Asked {
    target: Option<u32>,
    nsid: Option<u32>,
}

impl Asked {
    fn parse(mut words: Words<'_>) -> Result<Self> {
        let mut asked = Self::default();
        while let Some(keyword) = words.next() {
            let slot = if keyword.is("target-nsid") {
                &mut asked.target
            } else if keyword.is("nsid") {
                &mut asked.nsid
            } else {
                return Err(keyword.wrong(format_args!(
                    "\"{}\" is unknown here; list-id takes [target-nsid N] [nsid N]",
                    keyword.shown()
                )));
            };
            let value = words.value(keyword)?;
            once(slot, keyword, nsid_number(value)?)?;
        }
        Ok(asked)
    }
}

/// 0 to 2147483647.
pub(super) fn nsid_number(word: &Word) -> Result<u32> {
    word.c_number().ok_or_else(|| {
        word.wrong(format_args!(
            "\"{}\" is not a number of a namespace (0 to 2147483647)",
            word.shown()
        ))
    })
}

/// `ip` has another code for a list that the kernel refuses than for a single number.
fn dump_failure(error: LinkError) -> Failure {
    let refused = matches!(error, LinkError::Refused { .. });
    let failure = Failure::from(error);
    if refused {
        failure.with_code(FAILED)
    } else {
        failure
    }
}
