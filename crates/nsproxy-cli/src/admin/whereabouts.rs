//! Where servers are, and `set server BACKEND/SERVER addr`, which has one be elsewhere. The words are HAProxy's.

use std::io;
use std::net::IpAddr;

use nsproxy_engine::{ServerStatus, Target};

use super::Context;
use super::change::{NO_SERVER, Place};
use super::command::Out;
use super::servers;

/// Where a server is, as answers have it.
pub(super) struct Whereabouts<'s>(pub(super) &'s ServerStatus);

impl Whereabouts<'_> {
    /// With its port, as `show stat` has it; of a unix socket its kind.
    pub(super) fn shown(&self) -> String {
        if let Target::Unix(_) = self.0.target {
            return "unix".to_owned();
        }
        match self.ip() {
            Some(IpAddr::V6(ip)) => format!("[{ip}]:{}", self.port()),
            Some(ip) => format!("{ip}:{}", self.port()),
            None => format!("0.0.0.0:{}", self.port()),
        }
    }

    /// Its address alone, as `show servers` has it.
    pub(super) fn address(&self) -> String {
        match (self.ip(), &self.0.target) {
            (Some(ip), _) => ip.to_string(),
            (None, Target::Unix(_) | Target::Host { .. }) => "-".to_owned(),
            (None, _) => "0.0.0.0".to_owned(),
        }
    }

    /// Its port: 0 where it is the client's, and the distance where it has one, as HAProxy shows it.
    pub(super) fn port(&self) -> u16 {
        match self.0.target {
            Target::Ip { port, .. } | Target::Host { port, .. } | Target::ClientDestination { port } => {
                port.unwrap_or(0)
            }
            Target::Shifted { by, .. } => u16::try_from(by.rem_euclid(1 << 16)).unwrap_or(0),
            Target::Unix(_) => 0,
        }
    }

    /// The name of its host.
    pub(super) fn host(&self) -> Option<&str> {
        match &self.0.target {
            Target::Host { name, .. } => Some(name),
            _ => None,
        }
    }

    fn ip(&self) -> Option<IpAddr> {
        match self.0.target {
            Target::Ip { address, .. } => Some(address),
            Target::Shifted { address, .. } => address,
            Target::Host { .. } => self.0.address,
            Target::ClientDestination { .. } | Target::Unix(_) => None,
        }
    }
}

/// A port of a server, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    At(u16),
    /// So far from the client's.
    Distance(i32),
}

impl Port {
    fn of(target: &Target) -> Self {
        match target {
            Target::Ip { port, .. } | Target::Host { port, .. } | Target::ClientDestination { port } => {
                port.map_or(Self::Distance(0), Self::At)
            }
            Target::Shifted { by, .. } => Self::Distance(*by),
            Target::Unix(_) => Self::At(0),
        }
    }

    fn parse(word: &str) -> Option<Self> {
        if word.starts_with(['+', '-']) {
            let by = word.parse().ok()?;
            return (-65_535..=65_535).contains(&by).then_some(Self::Distance(by));
        }
        word.parse().ok().map(Self::At)
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(port) => port.fmt(f),
            Self::Distance(by) => write!(f, "{by:+}"),
        }
    }
}

/// `addr ADDRESS [port PORT]`. The answer says what has changed, also when all went well.
pub(super) fn change(
    words: &[String],
    place: Place<'_>,
    context: &Context,
    out: &mut Out<'_>,
) -> io::Result<()> {
    let Some(word) = words.first() else {
        return writeln!(
            out,
            "set server <b>/<s> addr requires an address and optionally a port."
        );
    };
    let Some(status) = servers::status(place, context) else {
        return writeln!(out, "{NO_SERVER}");
    };
    let is_checked = context.directory().is_checked_at_its_port(place);
    let port = match &words[1..] {
        [keyword, port @ ..] if keyword == "port" => Some(port.first().map_or("", String::as_str)),
        _ => None,
    };
    let (target, said) = moved(&status, word, port, is_checked);
    if let Some(target) = target {
        let (backend, server) = place;
        if !context.engine.set_target(backend, server, &target) {
            return writeln!(out, "{NO_SERVER}");
        }
    }
    writeln!(out, "{said} by 'stats socket command'")
}

/// Where the server is to be, if anywhere else, and what is said of it.
fn moved(
    status: &ServerStatus,
    word: &str,
    port: Option<&str>,
    is_checked: bool,
) -> (Option<Target>, String) {
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
    let Ok(address) = bare.unwrap_or(word).parse::<IpAddr>() else {
        return (None, format!("Invalid addr '{word}'"));
    };
    let now = match &status.target {
        Target::Unix(_) => {
            let refusal =
                "Update for the current server address family is only supported through configuration file";
            return (None, refusal.to_owned());
        }
        Target::Host { name, .. } => {
            return (
                None,
                format!("no need to change the addr: it follows the name '{name}'"),
            );
        }
        _ => Whereabouts(status).address(),
    };
    let mut changes = false;
    let mut said = if now == address.to_string() {
        "no need to change the addr".to_owned()
    } else {
        changes = true;
        format!("IP changed from '{now}' to '{word}'")
    };
    let before = Port::of(&status.target);
    let mut after = before;
    if let Some(word) = port {
        said += ", ";
        said += &*match Port::parse(word) {
            None => format!("problem converting port '{word}' to an int"),
            // HAProxy's words, its parenthesis included.
            Some(Port::Distance(_)) if is_checked => {
                "can't change <port> to port map because it is incompatible with current health check port \
                 configuration (use 'port' statement from the 'server' directive."
                    .to_owned()
            }
            Some(port) if port == before => "no need to change the port".to_owned(),
            Some(port) => {
                changes = true;
                after = port;
                format!("port changed from '{before}' to '{port}'")
            }
        };
    }
    let any = address.is_unspecified();
    let target = match after {
        Port::At(port) if any => Target::ClientDestination { port: Some(port) },
        Port::At(port) => Target::Ip {
            address,
            port: Some(port),
        },
        Port::Distance(0) if any => Target::ClientDestination { port: None },
        Port::Distance(0) => Target::Ip { address, port: None },
        Port::Distance(by) => Target::Shifted {
            address: (!any).then_some(address),
            by,
        },
    };
    (changes.then_some(target), said)
}
