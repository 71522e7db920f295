//! `link show [NAME]`: a line for each interface, as short as `ip -br link`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use netns_core::links::{Link, Links, Parent};

use super::super::context::Context;
use super::super::failure::Result;
use super::super::json::Object;
use super::super::words::Words;
use super::name;

pub(super) fn run(context: &Context, words: &mut Words<'_>) -> Result {
    let mut links = Links::here()?;
    let all = links.list()?;
    let names: BTreeMap<u32, &str> = all.iter().map(|link| (link.index, link.name.as_str())).collect();
    let one;
    let shown = if words.peek().is_none() {
        &all[..]
    } else {
        let name = name(words)?;
        words.end()?;
        one = [links.find(&name)?];
        &one[..]
    };
    let text: String = shown.iter().map(|link| line(link, &names)).collect();
    context.answer(text, || shown.iter().map(|link| object(link, &names)).collect())
}

fn line(link: &Link, names: &BTreeMap<u32, &str>) -> String {
    let state = match (link.is_up, link.has_carrier) {
        (false, _) => "DOWN",
        (true, false) => "NO-CARRIER",
        (true, true) => "UP",
    };
    let mac = link.mac.map(mac).unwrap_or_default();
    let mut line = format!("{:<16} {state:<14} {mac:<17} mtu {}", link.name, link.mtu);
    // Writing to a string cannot fail.
    if let Some(kind) = &link.kind {
        let _ = write!(line, " {kind}");
    }
    if let Some(parent) = link.parent {
        let _ = write!(line, " link {}", parent_name(parent, names));
    }
    if let Some(master) = link.master {
        let _ = write!(line, " master {}", by_index(master, names));
    }
    line + "\n"
}

fn object(link: &Link, names: &BTreeMap<u32, &str>) -> Object {
    let mut object: Object = vec![
        ("ifindex", link.index.into()),
        ("ifname", link.name.as_str().into()),
        ("up", link.is_up.into()),
        ("carrier", link.has_carrier.into()),
        ("mtu", link.mtu.into()),
    ];
    object.extend(link.mac.map(|address| ("address", mac(address).into())));
    object.extend(link.kind.as_deref().map(|kind| ("kind", kind.into())));
    if let Some(parent) = link.parent {
        object.push(("link", parent_name(parent, names).into()));
        if let Parent::Elsewhere { nsid: Some(nsid), .. } = parent {
            object.push(("link_netnsid", nsid.into()));
        }
    }
    object.extend(
        link.master
            .map(|master| ("master", by_index(master, names).into())),
    );
    object
}

/// The link below, or at the other end. In another namespace it has a number only, as in `ip link`: `if7`.
fn parent_name(parent: Parent, names: &BTreeMap<u32, &str>) -> String {
    match parent {
        Parent::Here { index } => by_index(index, names),
        Parent::Elsewhere { index, .. } => format!("if{index}"),
    }
}

fn by_index(index: u32, names: &BTreeMap<u32, &str>) -> String {
    names
        .get(&index)
        .map_or_else(|| format!("if{index}"), |&name| name.to_owned())
}

fn mac(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_elsewhere_does_not_get_the_name_of_an_interface_here() {
        let names = BTreeMap::from([(3, "eth0")]);
        assert_eq!(parent_name(Parent::Here { index: 3 }, &names), "eth0");
        assert_eq!(parent_name(Parent::Here { index: 4 }, &names), "if4");
        // The namespace of the second one is dying.
        for nsid in [Some(7), None] {
            assert_eq!(parent_name(Parent::Elsewhere { index: 3, nsid }, &names), "if3");
        }
    }
}
