//! Messages as servers, and others, may send them.

use proptest::prelude::*;
use simple_dns::rdata::{A, AAAA, CNAME};

use super::*;

fn query(kind: Kind) -> Query {
    Query {
        id: 0x1234,
        name: HostName::new("db.example").unwrap_or_else(|error| panic!("{error}")),
        kind,
    }
}

fn record(name: &'static str, rdata: RData<'static>) -> ResourceRecord<'static> {
    ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, 60, rdata)
}

fn v4(name: &'static str, last: u8) -> ResourceRecord<'static> {
    let address = Ipv4Addr::new(10, 0, 0, last).to_bits();
    record(name, RData::A(A { address }))
}

fn alias(name: &'static str, to: &'static str) -> ResourceRecord<'static> {
    record(name, RData::CNAME(CNAME(Name::new_unchecked(to))))
}

/// What makes of an answer another message.
type Change = Box<dyn FnOnce(&mut Packet<'_>)>;

/// An answer to the question, as the server would send it.
fn answer(
    query: &Query,
    answers: Vec<ResourceRecord<'static>>,
    change: impl FnOnce(&mut Packet<'_>),
) -> Vec<u8> {
    let asked = query.bytes(PLAIN_SIZE).unwrap_or_default();
    let mut packet = Packet::parse(&asked)
        .unwrap_or_else(|error| panic!("{error}"))
        .into_reply();
    packet.answers = answers;
    change(&mut packet);
    packet.build_bytes_vec_compressed().unwrap_or_default()
}

fn addresses(answers: Vec<ResourceRecord<'static>>) -> Option<Reply> {
    let query = query(Kind::V4);
    query.reply(&answer(&query, answers, |_| {}))
}

fn found(last: impl IntoIterator<Item = u8>) -> Reply {
    let found = last.into_iter().map(|last| IpAddr::from([10, 0, 0, last]));
    Reply::Addresses(found.collect())
}

#[test]
fn addresses_are_those_of_the_name_each_once_and_in_order() {
    let answers = vec![
        v4("db.example", 2),
        v4("DB.example", 1),
        v4("db.example", 2),
        v4("other.example", 3),
    ];
    assert_eq!(addresses(answers), Some(found([1, 2])));
}

#[test]
fn aliases_are_followed_wherever_they_stand_and_not_in_circles() {
    let chain = vec![
        v4("c.example", 7),
        alias("b.example", "c.example"),
        alias("db.example", "b.example"),
    ];
    assert_eq!(addresses(chain), Some(found([7])));
    let circle = vec![alias("db.example", "b.example"), alias("b.example", "db.example")];
    assert_eq!(addresses(circle), Some(found([])));
}

#[test]
fn an_address_that_no_host_has_is_left_out() {
    let odd = [[0, 0, 0, 0], [224, 0, 0, 1], [255, 255, 255, 255]].map(|address| {
        let address = Ipv4Addr::from(address).to_bits();
        record("db.example", RData::A(A { address }))
    });
    assert_eq!(addresses(odd.into()), Some(found([])));
}

#[test]
fn each_kind_has_its_own_addresses() {
    let query = query(Kind::V6);
    let address = Ipv6Addr::LOCALHOST.to_bits();
    let answers = vec![
        v4("db.example", 1),
        record("db.example", RData::AAAA(AAAA { address })),
    ];
    let reply = query.reply(&answer(&query, answers, |_| {}));
    assert_eq!(reply, Some(Reply::Addresses(vec![Ipv6Addr::LOCALHOST.into()])));
}

#[test]
fn what_is_not_an_answer_to_the_question_is_passed_over() {
    let query = query(Kind::V4);
    let other_name = Question::new(
        Name::new_unchecked("other.example"),
        Kind::V4.qtype(),
        QCLASS::CLASS(CLASS::IN),
        false,
    );
    let changes: [Change; 5] = [
        Box::new(|packet| packet.set_id(0x1235)),
        Box::new(|packet| packet.remove_flags(PacketFlag::RESPONSE)),
        Box::new(|packet| packet.questions.clear()),
        Box::new(|packet| packet.questions[0].qtype = Kind::V6.qtype()),
        Box::new(move |packet| packet.questions = vec![other_name]),
    ];
    for change in changes {
        assert_eq!(
            query.reply(&answer(&query, vec![v4("db.example", 1)], change)),
            None
        );
    }
    assert_eq!(query.reply(b""), None);
}

#[test]
fn the_codes_of_a_server_say_why_there_is_no_address() {
    let query = query(Kind::V4);
    for (code, failure) in [
        (RCODE::NameError, Failure::NoSuchName),
        (RCODE::Refused, Failure::Refused),
        (RCODE::ServerFailure, Failure::Other),
    ] {
        let reply = query.reply(&answer(&query, Vec::new(), |packet| *packet.rcode_mut() = code));
        assert_eq!(reply, Some(Reply::Failed(failure)));
    }
}

#[test]
fn a_truncated_answer_is_known_even_when_a_record_is_cut_in_two() {
    let query = query(Kind::V4);
    let whole = answer(&query, vec![v4("db.example", 1)], |packet| {
        packet.set_flags(PacketFlag::TRUNCATION);
    });
    assert_eq!(query.reply(&whole[..whole.len() - 3]), Some(Reply::Truncated));
}

#[test]
fn a_count_of_records_that_cannot_be_there_is_refused() {
    let query = query(Kind::V4);
    let mut message = answer(&query, Vec::new(), |_| {});
    message[6..8].fill(0xff);
    assert_eq!(query.reply(&message), Some(Reply::Failed(Failure::Other)));
}

#[test]
fn a_question_announces_a_size_only_when_it_is_more_than_the_plain_one() {
    let query = query(Kind::V4);
    let size = |size| {
        let bytes = query.bytes(size).unwrap_or_default();
        let packet = Packet::parse(&bytes).unwrap_or_else(|error| panic!("{error}"));
        packet.opt().map(|opt| opt.udp_packet_size)
    };
    assert_eq!([size(512), size(4096)], [None, Some(4096)]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), from in 0..40_usize) {
        let query = query(Kind::V4);
        query.reply(&bytes);
        let mut message = answer(&query, vec![alias("db.example", "b.example"), v4("b.example", 1)], |_| {});
        let from = from.min(message.len()) + 12;
        message.truncate(from);
        message.extend(bytes);
        query.reply(&message);
    }
}
