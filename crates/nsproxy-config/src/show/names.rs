//! `resolvers` sections, and what `server` lines say of their hosts.

use std::fmt::Write as _;

use super::Time;
use crate::model::{Family, Host, InitAddr, Resolvers};
use crate::quote;

/// The lines of a section.
pub(super) fn statements(resolvers: &Resolvers) -> Vec<String> {
    let nameservers = resolvers.nameservers.iter();
    let mut lines: Vec<_> = nameservers
        .map(|server| {
            let kind = if server.tcp { "tcp@" } else { "" };
            format!("nameserver {} {kind}{}", quote(&server.name), server.address)
        })
        .collect();
    if resolvers.parse_resolv_conf {
        lines.push("parse-resolv-conf".to_owned());
    }
    lines.push(format!("resolve_retries {}", resolvers.resolve_retries));
    lines.push(format!(
        "accepted_payload_size {}",
        resolvers.accepted_payload_size
    ));
    let hold = &resolvers.hold;
    let times = [
        ("timeout resolve", resolvers.timeout_resolve),
        ("timeout retry", resolvers.timeout_retry),
        ("hold valid", hold.valid),
        ("hold nx", hold.nx),
        ("hold timeout", hold.timeout),
        ("hold refused", hold.refused),
        ("hold other", hold.other),
        ("hold obsolete", hold.obsolete),
    ];
    lines.extend(times.map(|(name, time)| format!("{name} {}", Time(time))));
    lines
}

/// The options of a line.
pub(super) fn options(host: &Host, line: &mut String) {
    // A string takes whatever is written.
    if let Some(name) = &host.resolvers {
        _ = write!(line, " resolvers {}", quote(name));
    }
    line.push_str(match host.prefer {
        Family::Ipv4 => " resolve-prefer ipv4",
        Family::Ipv6 => " resolve-prefer ipv6",
    });
    if !host.networks.is_empty() {
        let networks: Vec<_> = host.networks.iter().map(ToString::to_string).collect();
        _ = write!(line, " resolve-net {}", networks.join(","));
    }
    if host.allow_dup_ip {
        line.push_str(" resolve-opts allow-dup-ip");
    }
    let init = host.init_addr.iter().map(|init| match init {
        InitAddr::Last => "last".to_owned(),
        InitAddr::Libc => "libc".to_owned(),
        InitAddr::None => "none".to_owned(),
        InitAddr::Ip(ip) => ip.to_string(),
    });
    _ = write!(line, " init-addr {}", init.collect::<Vec<_>>().join(","));
}
