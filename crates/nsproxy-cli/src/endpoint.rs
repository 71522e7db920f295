//! `ADDR:PORT[@NETNS]`, `PORT[@NETNS]` and `unix:PATH[@NETNS]`, as `forward` takes them.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use netns_core::NetnsSpec;

/// An address, and the namespace that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: nsproxy_engine::Endpoint,
    /// `None` is the namespace that the command was started in.
    pub(crate) netns: Option<NetnsSpec>,
}

impl FromStr for Endpoint {
    type Err = String;

    /// The last `@` begins the namespace. A path that has one in it is followed by another: `unix:/tmp/a@b@`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, netns) = match text.rsplit_once('@') {
            None => (text, None),
            Some((address, "")) => (address, None),
            Some((address, netns)) => {
                let spec = netns
                    .parse()
                    .map_err(|error| format!("the namespace `{netns}`: {error}"))?;
                (address, Some(spec))
            }
        };
        Ok(Self {
            address: parse_address(address)?,
            netns,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            nsproxy_engine::Endpoint::Ip(address) => address.fmt(f)?,
            nsproxy_engine::Endpoint::Unix(path) => write!(f, "unix:{}", path.display())?,
            inherited @ nsproxy_engine::Endpoint::Inherited(_) => inherited.fmt(f)?,
        }
        match &self.netns {
            Some(netns) => write!(f, " in netns {netns}"),
            None => Ok(()),
        }
    }
}

fn parse_address(text: &str) -> Result<nsproxy_engine::Endpoint, String> {
    use nsproxy_engine::Endpoint::{Ip, Unix};
    if let Some(path) = text.strip_prefix("unix:") {
        return if path.is_empty() {
            Err("no path after `unix:`".to_owned())
        } else {
            Ok(Unix(PathBuf::from(path)))
        };
    }
    if let Ok(port) = text.parse() {
        return Ok(Ip(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)));
    }
    if let Ok(address) = text.parse() {
        return Ok(Ip(address));
    }
    match text.rsplit_once(':') {
        Some(("*", port)) => port
            .parse()
            .map(|port| Ip(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)))
            .map_err(|_| format!("`{port}` is no port (0 to 65535)")),
        Some((host, port)) if port.parse::<u16>().is_ok() && !host.contains(':') => Err(format!(
            "`{host}` is no IP address; host names are not looked up here, so give the address"
        )),
        _ => Err(
            "expected ADDR:PORT, PORT or unix:PATH, each with an optional @NETNS; \
                  an IPv6 address goes in brackets: [::1]:80"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn accepts(text: &str, expected: &str) {
        assert_eq!(
            text.parse::<Endpoint>().map(|endpoint| endpoint.to_string()),
            Ok(expected.to_owned())
        );
    }

    #[track_caller]
    fn refuses(text: &str, part: &str) {
        let error = text.parse::<Endpoint>().unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }

    #[test]
    fn every_form_is_understood() {
        accepts("127.0.0.1:8080", "127.0.0.1:8080");
        accepts("10.0.0.5:80@tenant1", "10.0.0.5:80 in netns tenant1");
        accepts(
            "[2001:db8::1]:80@/proc/1/ns/net",
            "[2001:db8::1]:80 in netns /proc/1/ns/net",
        );
        accepts("80@pid:42", "127.0.0.1:80 in netns pid:42");
        accepts("*:80", "0.0.0.0:80");
        accepts("unix:/run/a.sock@blue", "unix:/run/a.sock in netns blue");
        accepts("unix:/tmp/a@b@", "unix:/tmp/a@b");
    }

    #[test]
    fn what_is_wrong_is_said() {
        refuses("example.org:80", "host names are not looked up");
        refuses("::1:80:x", "brackets");
        refuses("unix:", "no path");
        refuses("80@../x", "namespace");
        refuses("*:65536", "no port");
        refuses("", "expected");
    }
}
