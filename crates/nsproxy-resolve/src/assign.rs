//! Which of a name's addresses each of its targets gets.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::settings::Target;

/// One target that wants an address, and the one that it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'t> {
    pub(crate) target: &'t Target,
    pub(crate) current: Option<IpAddr>,
}

/// An address for each, or none. What a target prefers counts most, then that it keeps the address that it has; an address
/// that another one of its group has is not for it, unless it may share.
pub(crate) fn assign(wishes: &[Wish<'_>], addresses: &[IpAddr]) -> Vec<Option<IpAddr>> {
    let mut holders: HashMap<(&str, IpAddr), usize> = HashMap::new();
    for wish in wishes {
        if let Some(current) = wish.current.filter(|current| addresses.contains(current)) {
            *holders.entry((&wish.target.group, current)).or_default() += 1;
        }
    }
    let assigned = wishes.iter().map(|Wish { target, current }| {
        let group = target.group.as_str();
        if let Some(count) = current.and_then(|current| holders.get_mut(&(group, current))) {
            *count -= 1;
        }
        let is_free = |address: &IpAddr| holders.get(&(group, *address)).is_none_or(|count| *count == 0);
        let preference = |address: &IpAddr| {
            let is_near = target.networks.iter().any(|network| network.contains(*address));
            (target.prefer.has(*address), is_near, Some(*address) == *current)
        };
        // Of equals the first one, so that the choice is the same each time.
        let chosen = addresses
            .iter()
            .rev()
            .filter(|address| target.shares_address || is_free(address))
            .max_by_key(|address| preference(address))
            .copied();
        if let Some(chosen) = chosen {
            *holders.entry((group, chosen)).or_default() += 1;
        }
        chosen
    });
    assigned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Family, Network, Source};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn target(group: &str) -> Target {
        Target {
            group: group.to_owned(),
            name: String::new(),
            host: "db".parse().unwrap_or_else(|error| panic!("{error}")),
            netns: None,
            source: Source::System,
            prefer: Family::V6,
            networks: Vec::new(),
            shares_address: false,
            init: Vec::new(),
        }
    }

    /// What targets get, by the address that each has.
    fn assigned(targets: &[(Target, &str)], addresses: &[&str]) -> Vec<String> {
        let wishes: Vec<_> = targets
            .iter()
            .map(|(target, current)| Wish {
                target,
                current: current.parse().ok(),
            })
            .collect();
        let addresses: Vec<_> = addresses.iter().map(|address| ip(address)).collect();
        let assigned = assign(&wishes, &addresses).into_iter();
        assigned
            .map(|address| address.map_or_else(|| "none".to_owned(), |address| address.to_string()))
            .collect()
    }

    #[test]
    fn a_target_keeps_its_address_while_there_is_no_better_one() {
        let addresses = ["10.0.0.1", "10.0.0.2"];
        assert_eq!(assigned(&[(target("a"), "10.0.0.2")], &addresses), ["10.0.0.2"]);
        assert_eq!(assigned(&[(target("a"), "10.0.0.3")], &addresses), ["10.0.0.1"]);
        assert_eq!(assigned(&[(target("a"), "10.0.0.3")], &[]), ["none"]);
        let mixed = ["10.0.0.1", "2001:db8::1"];
        assert_eq!(assigned(&[(target("a"), "10.0.0.1")], &mixed), ["2001:db8::1"]);
        let prefers_v4 = Target {
            prefer: Family::V4,
            ..target("a")
        };
        assert_eq!(assigned(&[(prefers_v4, "2001:db8::1")], &mixed), ["10.0.0.1"]);
    }

    #[test]
    fn a_network_that_is_near_comes_first() {
        let near = Target {
            networks: vec![Network {
                address: ip("10.9.0.0"),
                bits: 16,
            }],
            ..target("a")
        };
        let addresses = ["10.0.0.1", "10.9.0.1"];
        assert_eq!(assigned(&[(near.clone(), "10.0.0.1")], &addresses), ["10.9.0.1"]);
        assert_eq!(assigned(&[(near, "")], &["10.0.0.1"]), ["10.0.0.1"]);
    }

    #[test]
    fn targets_of_one_group_have_different_addresses_unless_they_may_share() {
        let two = [(target("a"), ""), (target("a"), "10.0.0.1")];
        assert_eq!(
            assigned(&two, &["10.0.0.1", "10.0.0.2"]),
            ["10.0.0.2", "10.0.0.1"]
        );
        assert_eq!(assigned(&two, &["10.0.0.1"]), ["none", "10.0.0.1"]);
        let shares = Target {
            shares_address: true,
            ..target("a")
        };
        let two = [(shares, ""), (target("a"), "10.0.0.1"), (target("b"), "")];
        assert_eq!(assigned(&two, &["10.0.0.1"]), ["10.0.0.1", "none", "10.0.0.1"]);
    }
}
