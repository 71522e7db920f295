//! What a name server, or who pretends to be one, answers to a question: `nsproxy_resolve::message`.

use std::net::IpAddr;

use nsproxy_resolve::message::{Kind, MOST_ADDRESSES, PLAIN_SIZE, Query, Reply};
use nsproxy_resolve::{Failure, HostName};

/// Bytes of a header, and where its counts begin (RFC 1035, section 4.1.1).
const HEADER: usize = 12;
const COUNTS: usize = 4;
/// A header of an answer: recursion desired and available.
const FLAGS: [u8; 2] = [0x81, 0x80];

/// The first byte says what is asked for, and how the rest becomes a message: as it is; behind the id of the question; or behind a
/// header and the question, as an honest server has it, with a rest of flags, a number of answers, and these.
pub fn answer(bytes: &[u8]) {
    let Some((&how, rest)) = bytes.split_first() else {
        return;
    };
    let query = query(Kind::BOTH[usize::from(how & 1)]);
    let asked = query.bytes(PLAIN_SIZE).expect("a short name fits");
    let message = match (how >> 1) % 3 {
        0 => rest.to_vec(),
        1 => [&asked[..2], rest].concat(),
        _ => {
            let (numbers, answers) = rest.split_at(rest.len().min(3));
            let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
            let flags = [FLAGS[0] ^ number(0), FLAGS[1] ^ number(1)];
            let counts = [0, 1, 0, number(2), 0, 0, 0, 0];
            [&asked[..2], &flags, &counts, &asked[HEADER..], answers].concat()
        }
    };
    let reply = query.reply(&message);
    if let Some(Reply::Addresses(addresses)) = &reply {
        assert!(addresses.len() <= MOST_ADDRESSES, "too many addresses");
        assert!(
            addresses.is_sorted_by(|a, b| a < b),
            "not in order, or not once each"
        );
        for address in addresses {
            assert!(is_wanted(*address, query.kind), "{address} was not asked for");
        }
    }
    if reply.is_some() {
        let other = Query {
            id: !query.id,
            ..query.clone()
        };
        assert_eq!(other.reply(&message), None, "an answer to another question");
        // What a server adds behind its answers is for nobody; with less of them there is no other answer.
        if let Some(Reply::Addresses(_)) = reply {
            let mut counted = message.clone();
            counted[COUNTS + 4..HEADER].fill(0xff);
            counted.extend_from_slice(bytes);
            assert_eq!(query.reply(&counted), reply, "what follows the answers counts");
        }
        for end in (0..message.len()).step_by(1 + message.len() / 64) {
            let cut = query.reply(&message[..end]);
            let is_harmless = cut.is_none() || cut == reply || cut == Some(Reply::Failed(Failure::Other));
            assert!(
                is_harmless,
                "{cut:?} of a message that is cut off at {end}, {reply:?} of the whole"
            );
        }
    }
}

fn query(kind: Kind) -> Query {
    Query {
        id: 0x1234,
        name: HostName::new("db.example").expect("a name"),
        kind,
    }
}

/// Of the kind that is asked for, and of one host. An IPv4 address may come in IPv6 form.
fn is_wanted(address: IpAddr, kind: Kind) -> bool {
    let is_of_kind = match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => kind == Kind::V6 && v6.to_ipv4_mapped().is_none(),
    };
    is_of_kind && !address.is_unspecified() && !address.is_multicast()
}
