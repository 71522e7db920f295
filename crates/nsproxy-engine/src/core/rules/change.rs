//! What [`Action::Set`](super::Action::Set) makes of an address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Expression, Subject, Value, View};

impl View<'_> {
    /// The address of a connection as a rule wants it; `None` when the rule has no such value. The port stays whatever
    /// becomes of the IP address, as in HAProxy, and the other way round. What the connection does not have is 0.
    pub fn changed(&self, subject: Subject, expression: &Expression) -> Option<SocketAddr> {
        let before = match subject {
            Subject::Source | Subject::SourcePort => self.facts().source(),
            Subject::Destination | Subject::DestinationPort => self.facts().destination(),
        };
        match (subject, self.value(expression)?) {
            (Subject::Source | Subject::Destination, Value::Address(ip)) => {
                Some(SocketAddr::new(ip, before.map_or(0, |before| before.port())))
            }
            (Subject::SourcePort | Subject::DestinationPort, Value::Number(port)) => {
                let ip = before.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |before| before.ip());
                Some(SocketAddr::new(ip, u16::try_from(port).ok()?))
            }
            _ => None,
        }
    }
}
