//! One question to a name server as bytes, and what a message says to it: an answer, or nothing that concerns it.
//!
//! A message that is not ours (another id, another question) is passed over, whoever sent it. Of one that is, only the
//! answers are read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::{OPT, RData};
use simple_dns::{
    CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE,
};

use crate::{Failure, HostName};

/// Without the extension of RFC 6891, an answer by UDP has at most so many bytes (RFC 1035, section 4.2.1).
pub const PLAIN_SIZE: u16 = 512;
/// How many addresses are taken from an answer.
pub const MOST_ADDRESSES: usize = 64;
/// The header of a message, in bytes.
const HEADER: usize = 12;
/// The smallest record: an empty name, type, class, time to live, length.
const SMALLEST_RECORD: usize = 11;
/// How many names an answer may lead over.
const MOST_ALIASES: usize = 16;

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Those of IPv4: A records.
    V4,
    /// Those of IPv6: AAAA records.
    V6,
}

impl Kind {
    /// One of each.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    fn qtype(self) -> QTYPE {
        QTYPE::TYPE(match self {
            Self::V4 => TYPE::A,
            Self::V6 => TYPE::AAAA,
        })
    }
}

/// One question.
#[derive(Debug, Clone)]
pub struct Query {
    /// Tells its answer apart from others; so it should be hard to guess.
    pub id: u16,
    /// The name that is asked for, as it is: no search domain is added.
    pub name: HostName,
    /// Which of its addresses.
    pub kind: Kind,
}

/// What a name server has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// These, each once, in order and [`MOST_ADDRESSES`] at most; none when the name has no address of this kind.
    Addresses(Vec<IpAddr>),
    /// It does not fit; TCP has room.
    Truncated,
    /// The server has none.
    Failed(Failure),
}

impl Query {
    /// The question as bytes. `size` is what an answer by UDP may have, in bytes. `None`: the name does not fit into a message.
    pub fn bytes(&self, size: u16) -> Option<Vec<u8>> {
        let mut packet = Packet::new_query(self.id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(
            Name::new(self.name.as_str()).ok()?,
            self.kind.qtype(),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        if size > PLAIN_SIZE {
            *packet.opt_mut() = Some(OPT {
                opt_codes: Vec::new(),
                udp_packet_size: size,
                version: 0,
            });
        }
        packet.build_bytes_vec().ok()
    }

    /// What a message says to this question; `None` when it is not an answer to it.
    pub fn reply(&self, message: &[u8]) -> Option<Reply> {
        // The question alone first: what follows it may have been cut off.
        let question = without_records(message, 0)?;
        let packet = Packet::parse(&question).ok()?;
        let [asked] = &packet.questions[..] else {
            return None;
        };
        let is_ours = packet.id() == self.id
            && packet.has_flags(PacketFlag::RESPONSE)
            && packet.opcode() == OPCODE::StandardQuery
            && asked.qname == Name::new(self.name.as_str()).ok()?
            && asked.qtype == self.kind.qtype()
            && asked.qclass == QCLASS::CLASS(CLASS::IN)
            && !asked.unicast_response;
        if !is_ours {
            return None;
        }
        if packet.has_flags(PacketFlag::TRUNCATION) {
            return Some(Reply::Truncated);
        }
        Some(match packet.rcode() {
            RCODE::NoError => self
                .addresses(message)
                .map_or(Reply::Failed(Failure::Other), Reply::Addresses),
            RCODE::NameError => Reply::Failed(Failure::NoSuchName),
            RCODE::Refused => Reply::Failed(Failure::Refused),
            _ => Reply::Failed(Failure::Other),
        })
    }

    /// The addresses at the end of the aliases; `None` for a message that cannot be read.
    fn addresses(&self, message: &[u8]) -> Option<Vec<IpAddr>> {
        let records = u16::from_be_bytes([*message.get(6)?, *message.get(7)?]);
        // So that nobody makes us set memory aside for records that cannot be there.
        if usize::from(records) * SMALLEST_RECORD > message.len() {
            return None;
        }
        let answers = without_records(message, records)?;
        let packet = Packet::parse(&answers).ok()?;
        let mut name = Name::new(self.name.as_str()).ok()?;
        for _ in 0..MOST_ALIASES {
            let of_name = || {
                packet
                    .answers
                    .iter()
                    .filter(|record| record.class == CLASS::IN && record.name == name)
            };
            let mut found: Vec<_> = of_name().filter_map(|record| self.address(record)).collect();
            found.sort_unstable();
            found.dedup();
            found.truncate(MOST_ADDRESSES);
            let alias = of_name().find_map(|record| match &record.rdata {
                RData::CNAME(alias) => Some(alias.0.clone()),
                _ => None,
            });
            match alias {
                Some(alias) if found.is_empty() => name = alias,
                _ => return Some(found),
            }
        }
        Some(Vec::new())
    }

    fn address(&self, record: &ResourceRecord<'_>) -> Option<IpAddr> {
        let address = match (&record.rdata, self.kind) {
            (RData::A(a), Kind::V4) => IpAddr::V4(Ipv4Addr::from(a.address)),
            (RData::AAAA(aaaa), Kind::V6) => IpAddr::V6(Ipv6Addr::from(aaaa.address)).to_canonical(),
            _ => return None,
        };
        is_of_a_host(address).then_some(address)
    }
}

/// Connecting to the unspecified address would reach this very host.
fn is_of_a_host(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !is_broadcast
}

/// The message with so many answers, and nothing that may follow them.
fn without_records(message: &[u8], answers: u16) -> Option<Vec<u8>> {
    let mut message = message.to_vec();
    let counts = message.get_mut(6..HEADER)?;
    counts.fill(0);
    counts[..2].copy_from_slice(&answers.to_be_bytes());
    Some(message)
}

#[cfg(test)]
mod tests;
