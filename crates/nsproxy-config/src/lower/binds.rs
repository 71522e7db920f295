//! The check of all `bind` addresses together: none may be taken twice.
//!
//! An address is compared as it is written. That `0.0.0.0:80` and `10.0.0.1:80` meet, or that two names lead to one
//! namespace, is for the kernel to find out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::draft::Draft;
use super::sink::Sink;
use crate::model::{AbstractName, BindAddress, BindNetns, PortRange};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::values::number::shorten;

/// Addresses that more than one `bind` takes, and frontends that have none.
pub(super) fn check(drafts: &[Draft], sink: &mut Sink<'_>) {
    let mut paths: HashMap<&PathBuf, Span> = HashMap::new();
    let mut names: HashMap<(Option<&BindNetns>, &AbstractName), Span> = HashMap::new();
    let mut descriptors: HashMap<i32, Span> = HashMap::new();
    let mut activated: HashMap<&str, Span> = HashMap::new();
    let mut ips: Vec<(Option<&BindNetns>, IpAddr, PortRange, Span)> = Vec::new();
    for draft in drafts.iter().filter(|draft| draft.is_frontend()) {
        if draft.bind_lines == 0 && !draft.incomplete {
            let warning = Diagnostic::warning(
                draft.span,
                format!("{} has no `bind`, so nothing reaches it", draft.shown()),
            );
            sink.push(warning);
        }
        for (bind, span) in &draft.binds {
            match &bind.address {
                BindAddress::Ip { ip, ports } => ips.push((bind.netns.as_ref(), *ip, *ports, *span)),
                // A name is another one in each.
                BindAddress::Abstract(name) => {
                    let netns = bind.netns.as_ref();
                    if let Some(&first) = names.get(&(netns, name)) {
                        sink.push(taken(*span, first, netns));
                    }
                    names.entry((netns, name)).or_insert(*span);
                }
                BindAddress::Inherited(descriptor) => {
                    if let Some(&first) = descriptors.get(descriptor) {
                        sink.push(taken(*span, first, None));
                    }
                    descriptors.entry(*descriptor).or_insert(*span);
                }
                BindAddress::Activated(name) => {
                    if let Some(&first) = activated.get(&**name) {
                        sink.push(taken(*span, first, None));
                    }
                    activated.entry(name).or_insert(*span);
                }
                // A path is the same socket from every network namespace.
                BindAddress::Unix(path) => {
                    if let Some(&first) = paths.get(path) {
                        sink.push(taken(*span, first, None));
                    }
                    paths.entry(path).or_insert(*span);
                }
            }
        }
    }
    ips.sort_unstable();
    // Ranges are sorted by their first port: one overlaps those before it exactly when it begins in what reaches
    // furthest among them.
    let mut furthest: Option<(Option<&BindNetns>, IpAddr, PortRange, Span)> = None;
    for (netns, ip, ports, span) in ips {
        let same_place =
            furthest.filter(|&(other_netns, other_ip, ..)| (other_netns, other_ip) == (netns, ip));
        if let Some((_, _, other, first)) = same_place
            && ports.first() <= other.last()
        {
            let (early, late) = if first < span {
                (first, span)
            } else {
                (span, first)
            };
            sink.push(taken(late, early, netns));
        }
        if same_place.is_none_or(|(_, _, other, _)| other.last() < ports.last()) {
            furthest = Some((netns, ip, ports, span));
        }
    }
}

fn taken(span: Span, first: Span, netns: Option<&BindNetns>) -> Diagnostic {
    let place = netns.map_or_else(String::new, |netns| {
        format!(" in namespace `{}`", shorten(&netns.to_string()))
    });
    let error = Diagnostic::error(span, format!("this address is bound twice{place}"));
    error.with_related(first, "first bound here")
}
