//! Host names, and whom they are asked of.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;

use super::{Place, PortRule};
use crate::json;

/// A server that is known by the name of its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Letters, digits, `-` and `_` between dots: parts of at most 63 bytes, 253 together, and perhaps a dot at the end.
    pub name: String,
    /// The port.
    pub port: PortRule,
    /// `resolvers`: the section whose name servers are asked, which is one of [`Config::resolvers`](super::Config::resolvers)
    /// or `default`. `None`: the files of the namespace tell.
    pub resolvers: Option<String>,
    /// `resolve-prefer`: the family that is taken when there are both.
    pub prefer: Family,
    /// `resolve-net`: addresses that come before others of their family.
    #[serde(serialize_with = "json::texts")]
    pub networks: Vec<Network>,
    /// `resolve-opts allow-dup-ip`: it may have the address of another server of its backend.
    pub allow_dup_ip: bool,
    /// `init-addr`: where the first address comes from, each in turn. Never empty.
    pub init_addr: Vec<InitAddr>,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    #[default]
    Ipv6,
}

/// A way to the first address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InitAddr {
    /// The one before a reload.
    Last,
    /// What the files of the namespace say, or the name servers that they name.
    Libc,
    /// Begin without.
    None,
    /// This one.
    Ip(IpAddr),
}

/// Addresses that begin alike. Displayed as `ADDRESS/BITS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// One of them.
    pub address: IpAddr,
    /// How many bits they have in common, at most as many as there are.
    pub bits: u8,
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// A `resolvers` section: name servers, which are asked in the namespace of each server that names the section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resolvers {
    /// Unique among them.
    pub name: String,
    /// Where the section begins.
    #[serde(serialize_with = "json::text")]
    pub place: Place,
    /// In the order of the text, at most [`Resolvers::MOST_NAMESERVERS`].
    pub nameservers: Vec<Nameserver>,
    /// `parse-resolv-conf`: those of the namespace's `resolv.conf`, too.
    pub parse_resolv_conf: bool,
    /// `resolve_retries`: how often a question is asked, at least once.
    pub resolve_retries: u32,
    /// `timeout resolve`: when to ask again.
    #[serde(serialize_with = "json::time")]
    pub timeout_resolve: Duration,
    /// `timeout retry`: how long to wait for an answer.
    #[serde(serialize_with = "json::time")]
    pub timeout_retry: Duration,
    /// `accepted_payload_size`: the largest answer by UDP, in bytes, at least 512.
    pub accepted_payload_size: u16,
    /// `hold`: for how long answers count.
    pub hold: Hold,
}

impl Resolvers {
    /// One lookup asks no more than so many servers.
    pub const MOST_NAMESERVERS: usize = 8;

    /// A section in which nothing is set: HAProxy's defaults.
    pub fn new(name: String, place: Place) -> Self {
        let second = Duration::from_secs(1);
        Self {
            name,
            place,
            nameservers: Vec::new(),
            parse_resolv_conf: false,
            resolve_retries: 3,
            timeout_resolve: second,
            timeout_retry: second,
            accepted_payload_size: 512,
            hold: Hold::default(),
        }
    }
}

/// A `nameserver` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Nameserver {
    /// Unique in its section.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it is asked by TCP only.
    pub tcp: bool,
}

/// For how long answers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// After an answer with addresses, until the next question at the latest.
    #[serde(serialize_with = "json::time")]
    pub valid: Duration,
    /// How long addresses outlive the last answer with some, when the answer is now that there is no such name.
    #[serde(serialize_with = "json::time")]
    pub nx: Duration,
    /// The same, when no server answers.
    #[serde(serialize_with = "json::time")]
    pub timeout: Duration,
    /// The same, when servers refuse.
    #[serde(serialize_with = "json::time")]
    pub refused: Duration,
    /// The same, for anything else.
    #[serde(serialize_with = "json::time")]
    pub other: Duration,
    /// How long an address is kept that answers do not have any more.
    #[serde(serialize_with = "json::time")]
    pub obsolete: Duration,
}

impl Default for Hold {
    fn default() -> Self {
        let half_a_minute = Duration::from_secs(30);
        Self {
            valid: Duration::from_secs(10),
            nx: half_a_minute,
            timeout: half_a_minute,
            refused: half_a_minute,
            other: half_a_minute,
            obsolete: Duration::ZERO,
        }
    }
}
