//! Messages about the numbers that a namespace has for others.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};

use super::{attributes, number};
use crate::Netns;

/// The length of `struct rtgenmsg`, rounded up.
const HEADER: usize = 4;
const NETNSA_NSID: u16 = 1;
const NETNSA_CURRENT_NSID: u16 = 5;
/// In a request: the kernel chooses. In an answer: there is none.
const NOT_ASSIGNED: i32 = -1;

/// The numbers in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Found {
    pub(in super::super) nsid: Option<u32>,
    pub(in super::super) current: Option<u32>,
}

pub(in super::super) fn of_netns(netns: &Netns) -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetNsId(message(vec![descriptor(netns)]))
}

/// No number: the kernel chooses one.
pub(in super::super) fn set(netns: &Netns, nsid: Option<i32>) -> RouteNetlinkMessage {
    let nsid = NsidAttribute::Id(nsid.unwrap_or(NOT_ASSIGNED));
    RouteNetlinkMessage::NewNsId(message(vec![descriptor(netns), nsid]))
}

pub(in super::super) fn look_up(nsid: i32, target: Option<i32>) -> RouteNetlinkMessage {
    let mut attributes = vec![NsidAttribute::Id(nsid)];
    attributes.extend(target.map(NsidAttribute::TargetNsid));
    RouteNetlinkMessage::GetNsId(message(attributes))
}

pub(in super::super) fn all(target: Option<i32>) -> RouteNetlinkMessage {
    let attributes = target.map(NsidAttribute::TargetNsid).into_iter().collect();
    RouteNetlinkMessage::GetNsId(message(attributes))
}

pub(in super::super) fn read(payload: &[u8]) -> Option<Found> {
    let mut found = Found {
        nsid: None,
        current: None,
    };
    for attribute in attributes(payload.get(HEADER..)?) {
        // Negative: there is none.
        let nsid = number(attribute.value()).filter(|&nsid| i32::try_from(nsid).is_ok());
        match attribute.kind() {
            NETNSA_NSID => found.nsid = nsid,
            NETNSA_CURRENT_NSID => found.current = nsid,
            _ => {}
        }
    }
    Some(found)
}

fn descriptor(netns: &Netns) -> NsidAttribute {
    // No descriptor is negative.
    NsidAttribute::Fd(netns.as_fd().as_raw_fd().cast_unsigned())
}

fn message(attributes: Vec<NsidAttribute>) -> NsidMessage {
    let mut message = NsidMessage::default();
    message.attributes = attributes;
    message
}
