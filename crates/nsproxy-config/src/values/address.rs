//! Addresses of `bind`, `server` and `source` lines.
//!
//! The port is what follows the last colon, as in HAProxy: `::1:80` is port 80 of `::1`, and an IPv6 address
//! without a port needs brackets. An empty address and `*` stand for "any".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;

use super::number::{self, shorten};
use crate::model::{
    AbstractName, BindAddress, Family as Preferred, Host, InitAddr, PortRange, PortRule, ServerAddress,
};

/// The longest path of a unix socket, in bytes: `sun_path` without its final NUL (unix(7)).
const MAX_UNIX_PATH: usize = 107;

/// The port of name servers.
const NAMESERVER_PORT: u16 = 53;

/// Prefixes that HAProxy knows and nsproxy does not, and what to write instead.
const OTHER_FAMILIES: &[(&[&str], &str)] = &[
    (
        &["sockpair"],
        "nsproxy opens its sockets itself, in the namespace that the line names; write an address",
    ),
    (&["fd"], "`fd@N` is for `bind` and `log`; write an address"),
    (
        &["udp", "udp4", "udp6", "uxdg", "dgram"],
        "nsproxy relays streams, not datagrams; remove the line, or write `tcp@`",
    ),
    (
        &["quic4", "quic6"],
        "nsproxy relays TCP and does not end QUIC; relay the TCP port of the same service",
    ),
    (
        &[
            "mptcp", "mptcp4", "mptcp6", "uxst", "stream", "rhttp", "rev", "cli",
        ],
        "known are `ipv4@`, `ipv6@`, `tcp@`, `tcp4@`, `tcp6@`, `unix@`, `abns@` and `abnsz@`",
    ),
];

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the address is empty")]
    Empty,
    #[error("`{0}@` addresses are not supported by nsproxy")]
    Family(String, &'static str),
    #[error("`{0}@` is not a kind of address")]
    UnknownFamily(String),
    #[error("`{0}` is not an IP address")]
    NotAnIp(String),
    #[error("`{0}` is a host name, and only an IP address can stand here")]
    HostName(String),
    #[error("the name of a host has at most 253 bytes, in parts of 1 to 63")]
    LongHostName,
    #[error("a name with `_` at its beginning asks for SRV records, which nsproxy does not support yet")]
    ServiceName,
    #[error("a host name cannot stand behind `ipv4@` or `ipv6@`")]
    FamilyOfHost,
    #[error("the port of a host cannot be at a distance from the client's")]
    DistanceOfHost,
    #[error("`{0}` is not an {1} address")]
    WrongFamily(String, &'static str),
    #[error("an IPv6 address without a port needs brackets")]
    BareIpv6(String),
    #[error("this bracket is never closed")]
    OpenBracket,
    #[error("the port is missing")]
    NoPort,
    #[error("`{0}` is not a port")]
    Port(String),
    #[error("port ranges are for `bind` lines and for `source` on `server` lines")]
    PortRange,
    #[error("the port range ends before it begins")]
    ReversedRange,
    #[error("`{0}` is no distance from the client's port")]
    RelativePort(String),
    #[error("a unix socket cannot stand here")]
    UnixNotHere,
    #[error("the path of a unix socket has at most {MAX_UNIX_PATH} bytes, this one has {0}")]
    LongPath(usize),
    #[error("the name of an abstract unix socket has at most {MAX_UNIX_PATH} bytes, this one has {0}")]
    LongName(usize),
    #[error("`{0}` is not the number of a descriptor")]
    Descriptor(String),
    #[error("`$` in an address is not replaced by a variable")]
    Variable,
}

impl Fault {
    /// What to write instead.
    pub(crate) fn help(&self) -> Option<String> {
        Some(match self {
            Self::Empty => "remove the comma, or write an address such as `10.0.0.1:80`".to_owned(),
            Self::Family(_, instead) => (*instead).to_owned(),
            Self::UnknownFamily(_) => {
                "known are `ipv4@`, `ipv6@`, `unix@` and `abns@`; a namespace is an option: `namespace NAME`"
                    .to_owned()
            }
            Self::HostName(_) => "write the IP address".to_owned(),
            Self::ServiceName => "write the name of the host and its port".to_owned(),
            Self::DistanceOfHost => "write a port, none for the client's, or the address in the place of the name".to_owned(),
            Self::FamilyOfHost => {
                "write the name alone, and `resolve-prefer ipv4` or `resolve-prefer ipv6`".to_owned()
            }
            Self::BareIpv6(text) => format!("write `[{text}]`, or `[{text}]:PORT`"),
            Self::NoPort => {
                "write `ADDRESS:PORT`, for example `10.0.0.1:80`, `[2001:db8::1]:80` or `:80`".to_owned()
            }
            Self::Port(_) => "a port is a number from 1 to 65535".to_owned(),
            Self::PortRange => "write one port".to_owned(),
            Self::RelativePort(_) => {
                "write a port, none for the client's destination port, or a distance from it from -65534 to +65534"
                    .to_owned()
            }
            Self::UnixNotHere => "write an IP address".to_owned(),
            Self::Variable => "put the word in double quotes: inside them variables are replaced".to_owned(),
            Self::NotAnIp(_)
            | Self::WrongFamily(..)
            | Self::OpenBracket
            | Self::Descriptor(_)
            | Self::ReversedRange
            | Self::LongHostName
            | Self::LongPath(_)
            | Self::LongName(_) => {
                return None;
            }
        })
    }
}

/// A fault, and where in the word it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressError {
    pub(crate) fault: Fault,
    pub(crate) at: Range<usize>,
}

type Parsed<T> = Result<T, AddressError>;

/// One address of a `bind` line.
pub(crate) fn parse_bind(text: &str) -> Parsed<BindAddress> {
    if let Some(number) = text.strip_prefix("fd@") {
        let fault = || error(Fault::Descriptor(shorten(number)), 0..text.len());
        return parse_descriptor(number)
            .map(BindAddress::Inherited)
            .or_else(|| parse_socket_name(number).map(BindAddress::Activated))
            .ok_or_else(fault);
    }
    let parts = match split(text)? {
        Parts::Unix(path) => return Ok(BindAddress::Unix(path)),
        Parts::Abstract(name) => return Ok(BindAddress::Abstract(name)),
        Parts::Ip(parts) => parts,
    };
    let Some((port, at)) = parts.port.filter(|(port, _)| !port.is_empty()) else {
        return Err(error(Fault::NoPort, 0..text.len()));
    };
    let ip = parts.ip()?.unwrap_or_else(|| parts.any());
    let ports = parse_ports(port, at)?;
    Ok(BindAddress::Ip { ip, ports })
}

/// The address of a `server` line. Any unspecified address means the client's destination.
pub(crate) fn parse_server(text: &str) -> Parsed<ServerAddress> {
    let parts = match split(text)? {
        Parts::Unix(path) => return Ok(ServerAddress::Unix(path)),
        Parts::Abstract(name) => return Ok(ServerAddress::Abstract(name)),
        Parts::Ip(parts) => parts,
    };
    let host = parts.host_name()?;
    let ip = if host.is_some() { None } else { parts.ip()? };
    let port = match parts.port {
        None | Some(("", _)) => PortRule::Client,
        Some((port, at)) if port.starts_with(['+', '-']) => {
            let distance = parse_distance(port);
            let fault = || error(Fault::RelativePort(shorten(port)), at..at + port.len());
            PortRule::of_distance(distance.ok_or_else(fault)?)
        }
        Some((port, at)) => PortRule::Fixed(parse_one_port(port, at)?),
    };
    if let Some(name) = host {
        if let PortRule::Distance(_) = port {
            return Err(error(Fault::DistanceOfHost, 0..text.len()));
        }
        return Ok(ServerAddress::Host(Host {
            name: name.to_owned(),
            port,
            resolvers: None,
            prefer: Preferred::default(),
            networks: Vec::new(),
            allow_dup_ip: false,
            init_addr: vec![InitAddr::Last, InitAddr::Libc, InitAddr::None],
        }));
    }
    Ok(match ip.filter(|ip| !ip.is_unspecified()) {
        Some(ip) => ServerAddress::Ip { ip, port },
        None => ServerAddress::Client { port },
    })
}

/// The address of a `nameserver` line, and whether it is asked by TCP only. Without a port: that of name servers.
pub(crate) fn parse_nameserver(text: &str) -> Parsed<(SocketAddr, bool)> {
    let udp = ["udp@", "udp4@", "udp6@"];
    let is_tcp = ["tcp@", "tcp4@", "tcp6@"]
        .iter()
        .any(|prefix| text.starts_with(prefix));
    let plain = match udp.iter().find(|prefix| text.starts_with(**prefix)) {
        // The same without datagrams in it, at the same place.
        Some(_) => text.replacen("udp", "tcp", 1),
        None => text.to_owned(),
    };
    let mut address = parse_source(&plain)?;
    if address.ip().is_unspecified() {
        return Err(error(Fault::NotAnIp(shorten(text)), 0..text.len()));
    }
    if address.port() == 0 {
        address.set_port(NAMESERVER_PORT);
    }
    Ok((address, is_tcp))
}

/// The address of a `source` line; port 0 when there is none.
pub(crate) fn parse_source(text: &str) -> Parsed<SocketAddr> {
    let (ip, port) = parse_local(text)?;
    let port = port.map_or(Ok(0), |(port, at)| parse_one_port(port, at))?;
    Ok(SocketAddr::new(ip, port))
}

/// The same on a `server` line, where there may be several ports; the address has port 0 then.
pub(crate) fn parse_source_of_server(text: &str) -> Parsed<(SocketAddr, Option<PortRange>)> {
    let (ip, port) = parse_local(text)?;
    match port {
        Some((ports, at)) if ports.contains('-') => {
            Ok((SocketAddr::new(ip, 0), Some(parse_ports(ports, at)?)))
        }
        _ => Ok((parse_source(text)?, None)),
    }
}

/// An address of this host, and the text of its port, if there is one.
fn parse_local(text: &str) -> Parsed<(IpAddr, Option<(&str, usize)>)> {
    let Parts::Ip(parts) = split(text)? else {
        return Err(error(Fault::UnixNotHere, 0..text.len()));
    };
    let ip = parts.ip()?.unwrap_or_else(|| parts.any());
    Ok((ip, parts.port.filter(|(port, _)| !port.is_empty())))
}

/// What stands behind `fd@`.
pub(crate) fn parse_descriptor(number: &str) -> Option<i32> {
    let fd = number::parse(number, &(0..=i32::MAX.unsigned_abs())).ok()?;
    i32::try_from(fd).ok()
}

/// The name of a socket, which cannot be taken for a descriptor: as systemd allows it (`sd_listen_fds_with_names(3)`).
fn parse_socket_name(name: &str) -> Option<String> {
    let is_printable = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    let begins_as_number = name.starts_with(|first: char| first.is_ascii_digit() || "+-".contains(first));
    let is_name = !name.is_empty() && name.len() <= 255 && name.bytes().all(is_printable);
    (is_name && !begins_as_number).then(|| name.to_owned())
}

enum Parts<'t> {
    Unix(PathBuf),
    Abstract(AbstractName),
    Ip(IpParts<'t>),
}

/// The text of an IP address, cut up.
#[derive(Clone, Copy)]
struct IpParts<'t> {
    /// What a prefix demands.
    family: Option<Family>,
    host: &'t str,
    host_at: usize,
    bracketed: bool,
    /// The text behind the colon, and its offset.
    port: Option<(&'t str, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

fn split(text: &str) -> Parsed<Parts<'_>> {
    if text.is_empty() {
        return Err(error(Fault::Empty, 0..0));
    }
    if text.starts_with('/') {
        return unix_path(text, 0);
    }
    if let Some(at) = text.find('$') {
        return Err(error(Fault::Variable, at..text.len()));
    }
    let Some((prefix, rest)) = text.split_once('@') else {
        return split_port(text, 0, None);
    };
    let at = prefix.len() + 1;
    match prefix {
        "ipv4" | "tcp4" => split_port(rest, at, Some(Family::V4)),
        "ipv6" | "tcp6" => split_port(rest, at, Some(Family::V6)),
        "tcp" => split_port(rest, at, None),
        "unix" => unix_path(rest, at),
        "abns" => abstract_name(rest, at, true),
        "abnsz" => abstract_name(rest, at, false),
        _ => Err(error(other_family(prefix), 0..at)),
    }
}

/// What is to be said of a prefix that has no meaning here. `stream+ipv4` is known by its second half.
fn other_family(prefix: &str) -> Fault {
    let last = prefix.rsplit('+').next().unwrap_or(prefix);
    let first = prefix.split('+').next().unwrap_or(prefix);
    let known = OTHER_FAMILIES
        .iter()
        .find(|(prefixes, _)| prefixes.contains(&last) || prefixes.contains(&first));
    match known {
        Some((_, instead)) => Fault::Family(shorten(prefix), instead),
        None => Fault::UnknownFamily(shorten(prefix)),
    }
}

fn unix_path(path: &str, at: usize) -> Parsed<Parts<'_>> {
    match path.len() {
        0 => Err(error(Fault::Empty, 0..at)),
        len if len > MAX_UNIX_PATH => Err(error(Fault::LongPath(len), at..at + len)),
        _ => Ok(Parts::Unix(PathBuf::from(path))),
    }
}

fn abstract_name(name: &str, at: usize, is_padded: bool) -> Parsed<Parts<'_>> {
    match AbstractName::new(name, is_padded) {
        _ if name.is_empty() => Err(error(Fault::Empty, 0..at)),
        Some(name) => Ok(Parts::Abstract(name)),
        None => Err(error(Fault::LongName(name.len()), at..at + name.len())),
    }
}

fn split_port(text: &str, at: usize, family: Option<Family>) -> Parsed<Parts<'_>> {
    if let Some(inner) = text.strip_prefix('[') {
        let Some((host, rest)) = inner.split_once(']') else {
            return Err(error(Fault::OpenBracket, at..at + 1));
        };
        let rest_at = at + host.len() + 2;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some((port, rest_at + 1)),
            None if rest.is_empty() => None,
            None => return Err(error(Fault::NotAnIp(shorten(text)), at..at + text.len())),
        };
        return Ok(Parts::Ip(IpParts {
            family,
            host,
            host_at: at + 1,
            bracketed: true,
            port,
        }));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some((port, at + host.len() + 1))),
        None => (text, None),
    };
    let parts = IpParts {
        family,
        host,
        host_at: at,
        bracketed: false,
        port,
    };
    // `2001:db8::1` was cut at its last colon: say what is the matter, not that `2001:db8:` is no address.
    let bare = host.contains(':') && host.parse::<Ipv6Addr>().is_err() && text.parse::<Ipv6Addr>().is_ok();
    // `::` alone is an empty host, a colon and no port.
    if bare || text == "::" {
        return Err(error(Fault::BareIpv6(text.to_owned()), at..at + text.len()));
    }
    Ok(Parts::Ip(parts))
}

impl<'t> IpParts<'t> {
    /// The address; `None` for any.
    fn ip(&self) -> Parsed<Option<IpAddr>> {
        if !self.bracketed && matches!(self.host, "" | "*") {
            return Ok(None);
        }
        let fail = |fault: Fault| Err(error(fault, self.host_at..self.host_at + self.host.len()));
        let parsed: Option<IpAddr> = if self.bracketed {
            self.host.parse().ok().map(IpAddr::V6)
        } else {
            self.host.parse().ok()
        };
        let shown = || shorten(self.host);
        match (parsed, self.family) {
            (Some(IpAddr::V6(_)), Some(Family::V4)) => fail(Fault::WrongFamily(shown(), "IPv4")),
            (Some(IpAddr::V4(_)), Some(Family::V6)) => fail(Fault::WrongFamily(shown(), "IPv6")),
            (Some(ip), _) => Ok(Some(ip)),
            (None, _) if !self.bracketed && is_host_name(self.host) => fail(Fault::HostName(shown())),
            (None, _) => fail(Fault::NotAnIp(shown())),
        }
    }

    /// The name of a host, if it is one.
    fn host_name(&self) -> Parsed<Option<&'t str>> {
        if self.bracketed || self.host.parse::<IpAddr>().is_ok() || !is_host_name(self.host) {
            return Ok(None);
        }
        let fault = match self.host.strip_suffix('.').unwrap_or(self.host) {
            _ if self.family.is_some() => Fault::FamilyOfHost,
            name if name.starts_with('_') => Fault::ServiceName,
            name if name.len() > 253 || !name.split('.').all(|part| (1..=63).contains(&part.len())) => {
                Fault::LongHostName
            }
            _ => return Ok(Some(self.host)),
        };
        Err(error(fault, self.host_at..self.host_at + self.host.len()))
    }

    /// The unspecified address of the family.
    fn any(&self) -> IpAddr {
        match self.family {
            Some(Family::V6) => Ipv6Addr::UNSPECIFIED.into(),
            Some(Family::V4) | None => Ipv4Addr::UNSPECIFIED.into(),
        }
    }
}

/// True for what could be the name of a host, rather than an address with a slip.
fn is_host_name(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// One port or a range.
fn parse_ports(text: &str, at: usize) -> Parsed<PortRange> {
    let Some((first, last)) = text.split_once('-') else {
        return Ok(PortRange::single(parse_port(text, at)?));
    };
    let first_port = parse_port(first, at)?;
    let last_port = parse_port(last, at + first.len() + 1)?;
    PortRange::new(first_port, last_port).ok_or_else(|| error(Fault::ReversedRange, at..at + text.len()))
}

fn parse_one_port(text: &str, at: usize) -> Parsed<u16> {
    if text.contains('-') {
        return Err(error(Fault::PortRange, at..at + text.len()));
    }
    parse_port(text, at)
}

fn parse_port(text: &str, at: usize) -> Parsed<u16> {
    let port = number::parse(text, &(1..=u32::from(u16::MAX)))
        .ok()
        .and_then(|port| u16::try_from(port).ok());
    port.ok_or_else(|| error(Fault::Port(shorten(text)), at..at + text.len()))
}

/// A sign and a number: from port 1 to 65535 it is 65534.
fn parse_distance(text: &str) -> Option<i32> {
    let (sign, digits) = text.split_at_checked(1)?;
    let distance = number::parse(digits, &(0..=u32::from(u16::MAX) - 1)).ok()?;
    let distance = i32::try_from(distance).ok()?;
    Some(if sign == "-" { -distance } else { distance })
}

fn error(fault: Fault, at: Range<usize>) -> AddressError {
    AddressError { fault, at }
}

#[cfg(test)]
mod tests;
