//! `nsproxy netns monitor`: a line for each name that comes and goes, as it happens.
//!
//! `ip netns monitor` says `add` when the name's file appears, before the namespace can be used. Here it is said when the
//! namespace is ready, so that whoever reads the line can go on at once.

use std::collections::BTreeSet;

use netns_core::{NetnsName, WatchEvent};

use super::context::{Context, print};
use super::failure::Result;

pub(super) fn run(context: &Context) -> Result {
    let mut watch = context.registry.watch()?;
    let mut told = Told::default();
    for (name, id) in watch.known() {
        let names = if id.is_some() {
            &mut told.ready
        } else {
            &mut told.empty
        };
        names.insert(name.clone());
    }
    loop {
        let mut text = Vec::new();
        for event in watch.wait(None)? {
            told.lines(event, &mut text);
        }
        // At once, also into a pipe.
        print(text)?;
    }
}

/// What has been said, so that each `delete` has its `add`.
#[derive(Debug, Default)]
struct Told {
    ready: BTreeSet<NetnsName>,
    /// Names whose file is there, and no namespace on it.
    empty: BTreeSet<NetnsName>,
    /// Names whose file has just appeared.
    coming: BTreeSet<NetnsName>,
}

impl Told {
    fn lines(&mut self, event: WatchEvent, text: &mut Vec<u8>) {
        match event {
            WatchEvent::Added { name } => {
                self.coming.insert(name);
            }
            WatchEvent::Ready { name, .. } => {
                self.coming.remove(&name);
                self.empty.remove(&name);
                if self.ready.insert(name.clone()) {
                    line(text, b"add ", &name);
                }
            }
            WatchEvent::Replaced { name, .. } => {
                line(text, b"delete ", &name);
                line(text, b"add ", &name);
                self.ready.insert(name);
            }
            WatchEvent::Unmounted { name } if self.ready.remove(&name) => line(text, b"delete ", &name),
            WatchEvent::Removed { name } => {
                // It came and went between two looks.
                if self.coming.remove(&name) {
                    line(text, b"add ", &name);
                    line(text, b"delete ", &name);
                } else if self.ready.remove(&name) || self.empty.remove(&name) {
                    line(text, b"delete ", &name);
                }
            }
            _ => {}
        }
    }
}

fn line(text: &mut Vec<u8>, what: &[u8], name: &NetnsName) {
    text.extend_from_slice(what);
    text.extend_from_slice(name.as_bytes());
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use netns_core::NetnsId;

    fn lines(events: Vec<WatchEvent>) -> String {
        let (mut told, mut text) = (Told::default(), Vec::new());
        for event in events {
            told.lines(event, &mut text);
        }
        String::from_utf8(text).unwrap()
    }

    fn name() -> NetnsName {
        "m1".parse().unwrap()
    }

    #[test]
    fn an_add_is_told_when_the_namespace_is_ready() {
        let id = NetnsId::from_u64(1);
        assert_eq!(lines(vec![WatchEvent::Added { name: name() }]), "");
        let ready = WatchEvent::Ready { name: name(), id };
        let added = WatchEvent::Added { name: name() };
        let removed = WatchEvent::Removed { name: name() };
        assert_eq!(lines(vec![added, ready, removed]), "add m1\ndelete m1\n");
    }

    #[test]
    fn what_came_and_went_between_two_looks_is_told_all_the_same() {
        let added = WatchEvent::Added { name: name() };
        let removed = WatchEvent::Removed { name: name() };
        assert_eq!(lines(vec![added, removed]), "add m1\ndelete m1\n");
    }

    #[test]
    fn a_name_that_leads_elsewhere_now_was_deleted_and_added() {
        let replaced = WatchEvent::Replaced {
            name: name(),
            was: NetnsId::from_u64(1),
            id: NetnsId::from_u64(2),
        };
        assert_eq!(lines(vec![replaced]), "delete m1\nadd m1\n");
    }
}
