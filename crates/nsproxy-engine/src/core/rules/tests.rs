//! Tables of conditions over facts.

use std::borrow::Cow;
use std::net::IpAddr;

use super::made::Made;
use super::*;
use crate::core::side::Side;

fn term(negated: bool, tests: &[(Fetch, Matcher)]) -> Term {
    let test = |(fetch, matcher): &(Fetch, Matcher)| Test {
        expression: Expression {
            fetch: fetch.clone(),
            converters: Vec::new(),
        },
        matcher: matcher.clone(),
    };
    Term {
        negated,
        tests: tests.iter().map(test).collect::<Vec<_>>().into(),
    }
}

const YES: (Fetch, Matcher) = (Fetch::Constant(Value::Bool(true)), Matcher::True);
const NO: (Fetch, Matcher) = (Fetch::Constant(Value::Bool(false)), Matcher::True);
/// Not known before the end.
const LATER: (Fetch, Matcher) = (Fetch::WaitEnd, Matcher::True);

fn check(unless: bool, any: &[&[(bool, (Fetch, Matcher))]], is_last: bool) -> Answer {
    let terms = |all: &&[(bool, (Fetch, Matcher))]| {
        let terms = all
            .iter()
            .map(|(negated, test)| term(*negated, std::slice::from_ref(test)));
        terms.collect()
    };
    let condition = Condition {
        unless,
        any: any.iter().map(terms).collect(),
    };
    View::new(&Made::default(), is_last).check(Some(&condition))
}

#[test]
fn what_is_not_known_yet_is_neither_true_nor_false() {
    use Answer::{No, NotYet, Yes};
    let is = |test| (false, test);
    let not = |test| (true, test);
    for (unless, any, early, late) in [
        (false, vec![vec![is(YES)]], Yes, Yes),
        (true, vec![vec![is(YES)]], No, No),
        (false, vec![vec![is(LATER)]], NotYet, Yes),
        (true, vec![vec![is(LATER)]], NotYet, No),
        (false, vec![vec![not(LATER)]], NotYet, No),
        (false, vec![vec![is(NO), is(LATER)]], No, No),
        // The terms behind one that is not known are not asked, as in HAProxy.
        (false, vec![vec![is(LATER), is(NO)]], NotYet, No),
        (false, vec![vec![is(LATER)], vec![is(YES)]], Yes, Yes),
        (false, vec![vec![is(LATER)], vec![is(NO)]], NotYet, Yes),
        (false, vec![vec![is(NO)], vec![not(YES)]], No, No),
        (false, vec![vec![is(YES), not(NO)]], Yes, Yes),
    ] {
        let lists: Vec<&[_]> = any.iter().map(Vec::as_slice).collect();
        assert_eq!(check(unless, &lists, false), early, "{unless} {any:?}");
        assert_eq!(check(unless, &lists, true), late, "{unless} {any:?}");
    }
}

#[test]
fn one_test_of_a_name_suffices() {
    let condition = Condition {
        unless: false,
        any: vec![vec![term(false, &[NO, YES])]],
    };
    let facts = Made::default();
    assert_eq!(View::new(&facts, true).check(Some(&condition)), Answer::Yes);
    assert_eq!(View::new(&facts, true).check(None), Answer::Yes);
}

fn holds(facts: &Made, fetch: Fetch, matcher: Matcher) -> Answer {
    let condition = Condition {
        unless: false,
        any: vec![vec![term(false, &[(fetch, matcher)])]],
    };
    View::new(facts, false).check(Some(&condition))
}

#[test]
fn addresses_are_found_in_networks_of_either_family() {
    let networks = |list: &[(&str, u8)]| -> Networks {
        let network = |(ip, prefix): &(&str, u8)| (ip.parse::<IpAddr>().unwrap(), *prefix);
        list.iter().map(network).collect()
    };
    let all = networks(&[
        ("10.0.0.0", 8),
        ("192.0.2.7", 32),
        ("10.1.0.0", 16),
        ("2001:db8::", 32),
    ]);
    for (ip, is_in) in [
        ("10.255.0.1", true),
        ("11.0.0.0", false),
        ("9.255.255.255", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("2001:db8:ffff::1", true),
        ("2001:db9::", false),
        ("::ffff:10.0.0.1", true),
        ("::10.0.0.1", true),
        ("2002:0a00:0001::", true),
        ("2003:0a00:0001::", false),
    ] {
        assert_eq!(all.contains(ip.parse().unwrap()), is_in, "{ip}");
    }
    assert!(networks(&[("0.0.0.0", 0)]).contains([1, 2, 3, 4].into()));
    assert!(networks(&[("::ffff:0:0", 96)]).contains([1, 2, 3, 4].into()));
    assert!(!networks(&[]).contains([1, 2, 3, 4].into()));
}

#[test]
fn numbers_are_found_in_ranges() {
    let ranges: Ranges = [1..=5, 3..=9, 20..=20, i64::MIN..=-1].into_iter().collect();
    for (number, is_in) in [
        (0, false),
        (1, true),
        (9, true),
        (10, false),
        (20, true),
        (-7, true),
    ] {
        assert_eq!(ranges.contains(number), is_in, "{number}");
    }
}

#[test]
fn texts_are_found_where_they_have_to_be() {
    let matches = |place, ignores_case, texts: &[&str], value: &str| {
        let texts = texts.iter().map(|text| Cow::Borrowed(text.as_bytes()));
        Texts::new(place, ignores_case, texts).match_text(value.as_bytes())
    };
    for (place, texts, value, found) in [
        (Place::Whole, &["a.example", "b"][..], "a.example", true),
        (Place::Whole, &["a.example"], "A.example", false),
        (Place::Whole, &["a.example"], "a.example.", false),
        (Place::Beginning, &["ab", "abc", "x"], "abd", true),
        (Place::Beginning, &["ab", "b"], "aa", false),
        (Place::Beginning, &["abc"], "ab", false),
        (Place::End, &[".example", "d"], "a.example", true),
        (Place::End, &[".example"], "a.examples", false),
        (Place::Within, &["xx", "b.e"], "a.b.example", true),
        (Place::Within, &["xx"], "x.x", false),
        (Place::Path, &["/png/logo"], "/images/png/logo/32x32.png", true),
        (Place::Path, &["png"], "/a/32x32.png", false),
        (
            Place::Domain,
            &[".www1"],
            "http://www1.dc-eu.example.com:80/blah",
            true,
        ),
        (
            Place::Domain,
            &["dc-eu.example"],
            "http://www1.dc-eu.example.com:80/blah",
            true,
        ),
        (
            Place::Domain,
            &["eu"],
            "http://www1.dc-eu.example.com:80/blah",
            false,
        ),
        (Place::Domain, &["..."], "a", false),
    ] {
        assert_eq!(
            matches(place, false, texts, value),
            found,
            "{place:?} {texts:?} {value}"
        );
    }
    assert!(matches(Place::End, true, &[".Example"], "a.eXample"));
}

#[test]
fn an_unknown_value_matches_nothing() {
    let facts = Made::default();
    assert_eq!(holds(&facts, Fetch::Source, Matcher::Found), Answer::No);
    assert_eq!(
        holds(&facts, Fetch::Length(Side::Downstream), Matcher::Found),
        Answer::NotYet
    );
    assert_eq!(holds(&facts, Fetch::HelloServerName, Matcher::Found), Answer::No);
    assert_eq!(holds(&facts, Fetch::Tlv(2), Matcher::Found), Answer::No);
}

#[test]
fn bytes_that_may_still_come_are_waited_for() {
    let with = |contents: &[u8], has_ended| Made {
        contents: Some(contents.to_vec()),
        has_ended,
        ..Made::default()
    };
    let longer = || Matcher::Number([6..=i64::MAX].into_iter().collect());
    assert_eq!(
        holds(&with(b"12345", false), Fetch::Length(Side::Downstream), longer()),
        Answer::NotYet
    );
    assert_eq!(
        holds(&with(b"123456", false), Fetch::Length(Side::Downstream), longer()),
        Answer::Yes
    );
    let payload = |length| Fetch::Payload {
        side: Side::Downstream,
        offset: 1,
        length,
    };
    let is =
        |text: &'static str| Matcher::Text(Texts::new(Place::Whole, false, [Cow::Borrowed(text.as_bytes())]));
    assert_eq!(holds(&with(b"ab", false), payload(2), is("bc")), Answer::NotYet);
    assert_eq!(holds(&with(b"abcd", false), payload(2), is("bc")), Answer::Yes);
    assert_eq!(holds(&with(b"abdd", false), payload(2), is("bc")), Answer::No);
    assert_eq!(holds(&with(b"abc", false), payload(0), is("bcd")), Answer::NotYet);
    assert_eq!(holds(&with(b"abc", true), payload(0), is("bcd")), Answer::No);
    assert_eq!(
        holds(&with(b"GET", false), Fetch::HelloServerName, Matcher::Found),
        Answer::No
    );
    assert_eq!(
        holds(&with(&[22, 3], false), Fetch::HelloServerName, Matcher::Found),
        Answer::NotYet
    );
}

#[test]
fn each_of_many_values_is_come_to_once() {
    let header = proxy_proto::v2::to_vec(proxy_proto::Command::Local, |header| {
        for number in 0..3000_u16 {
            header.tlv(proxy_proto::TlvType(0xe0), &number.to_be_bytes());
        }
    });
    let facts = Made {
        header: Some(header.unwrap()),
        ..Made::default()
    };
    let is = |value: &[u8]| Matcher::Text(Texts::new(Place::Whole, false, [Cow::Owned(value.to_vec())]));
    let last = 2999_u16.to_be_bytes();
    let condition = |matcher| Condition {
        unless: false,
        any: vec![vec![term(false, &[(Fetch::Tlv(0xe0), matcher)])]],
    };
    let view = View::new(&facts, true);
    assert_eq!(view.check(Some(&condition(is(b"none")))), Answer::No);
    assert_eq!(view.check(Some(&condition(is(&last)))), Answer::Yes);
    assert_eq!(facts.header_reads.get(), 1, "it is read once for all rules");
}

#[test]
fn values_are_changed_before_they_are_compared() {
    let facts = Made {
        source: "192.0.2.130:70".parse().ok(),
        ..Made::default()
    };
    let view = View::new(&facts, true);
    let value = |fetch, converters: &[Converter]| {
        view.value(&Expression {
            fetch,
            converters: converters.to_vec(),
        })
    };
    let text = |text: &str| Some(Value::Bytes(Cow::Owned(text.as_bytes().to_vec())));
    assert_eq!(value(Fetch::Relay, &[Converter::Upper]), text("WEB"));
    assert_eq!(
        value(Fetch::Relay, &[Converter::Hex, Converter::Lower]),
        text("776562")
    );
    assert_eq!(value(Fetch::Netns, &[Converter::Length]), Some(Value::Number(4)));
    let mask = Converter::Mask { v4: 25, v6: None };
    assert_eq!(
        value(Fetch::Source, &[mask]),
        Some(Value::Address([192, 0, 2, 128].into()))
    );
    assert_eq!(value(Fetch::SourcePort, &[mask]), None);
}

#[test]
fn a_port_stays_when_the_address_becomes_one_of_another_family() {
    let ip = |ip: &str| Fetch::Constant(Value::Address(ip.parse().unwrap()));
    let changed = |source: Option<&str>, subject, fetch| {
        let facts = Made {
            source: source.map(|source| source.parse().unwrap()),
            ..Made::default()
        };
        let expression = Expression {
            fetch,
            converters: Vec::new(),
        };
        let changed = View::new(&facts, true).changed(subject, &expression);
        changed.map(|address| address.to_string())
    };
    let mapped = Some("[::ffff:192.0.2.1]:70");
    for (before, set, after) in [
        (Some("192.0.2.1:70"), "192.0.2.9", "192.0.2.9:70"),
        (mapped, "192.0.2.9", "192.0.2.9:70"),
        (Some("192.0.2.1:70"), "2001:db8::9", "[2001:db8::9]:70"),
        (None, "192.0.2.9", "192.0.2.9:0"),
    ] {
        assert_eq!(changed(before, Subject::Source, ip(set)).as_deref(), Some(after));
    }
    let port = |port| Fetch::Constant(Value::Number(port));
    for (before, set, after) in [
        (mapped, 80, Some("[::ffff:192.0.2.1]:80")),
        (None, 80, Some("0.0.0.0:80")),
        (mapped, 65_536, None),
    ] {
        assert_eq!(changed(before, Subject::SourcePort, port(set)).as_deref(), after);
    }
    assert_eq!(changed(mapped, Subject::SourcePort, ip("192.0.2.9")), None);
}

#[test]
fn pools_and_relays_can_be_asked_about() {
    let facts = Made::default();
    let view = View::new(&facts, true);
    let value = |fetch| {
        view.value(&Expression {
            fetch,
            converters: Vec::new(),
        })
    };
    for (fetch, number) in [
        (Fetch::UsableServers(2), 2),
        (Fetch::PoolSessions(2), 15),
        (Fetch::PoolWaiting(2), 5),
        (Fetch::PoolAverageWaiting(2), 3),
        (Fetch::PoolAverageWaiting(0), 10),
        (Fetch::RelaySessions, 3),
        (Fetch::Random(4), 3),
        (Fetch::Random(0), 0),
    ] {
        assert_eq!(value(fetch.clone()), Some(Value::Number(number)), "{fetch:?}");
    }
}

#[test]
fn the_first_rule_that_applies_is_next() {
    let rule = |test, action| Rule {
        condition: Some(Condition {
            unless: false,
            any: vec![vec![term(false, &[test])]],
        }),
        action,
    };
    let rules = [
        rule(NO, Action::Reject),
        rule(YES, Action::ExpectHeader),
        rule(LATER, Action::Accept),
    ];
    let facts = Made::default();
    let view = View::new(&facts, false);
    assert!(matches!(view.next(&rules, 0), Next::Do(Action::ExpectHeader, 2)));
    assert!(matches!(view.next(&rules, 2), Next::NotYet));
    assert!(matches!(
        View::new(&facts, true).next(&rules, 2),
        Next::Do(Action::Accept, 3)
    ));
    assert!(matches!(view.next(&rules, 3), Next::End));
    let choice = |test, pool| Choice {
        condition: Some(Condition {
            unless: false,
            any: vec![vec![term(false, &[test])]],
        }),
        pool,
    };
    let rules = Rules {
        choices: vec![choice(NO, 5), choice(YES, 6), choice(YES, 7)],
        ..Rules::default()
    };
    assert_eq!(rules.choose(&view), Some(1));
    assert_eq!(rules.expressions().count(), 3);
    assert!(!rules.is_empty() && Rules::default().is_empty());
}

#[test]
fn bytes_are_counted_by_a_number_before_them() {
    let value = |contents: &[u8], has_ended, fetch| {
        let facts = Made {
            contents: Some(contents.to_vec()),
            has_ended,
            ..Made::default()
        };
        let expression = Expression {
            fetch,
            converters: Vec::new(),
        };
        match View::new(&facts, has_ended).value(&expression) {
            Some(Value::Bytes(bytes)) => Some(bytes.into_owned()),
            _ => None,
        }
    };
    let counted = |offset, size, from| Fetch::Counted {
        side: Side::Downstream,
        offset,
        size,
        from,
    };
    let behind = CountedFrom::Behind;
    assert_eq!(
        value(b"\x02ab", false, counted(0, 1, behind(0))),
        Some(b"ab".to_vec())
    );
    assert_eq!(
        value(b"\x00\x01.a", false, counted(0, 2, behind(1))),
        Some(b"a".to_vec())
    );
    assert_eq!(
        value(b"ab\x02", false, counted(2, 1, CountedFrom::At(0))),
        Some(b"ab".to_vec())
    );
    assert_eq!(
        value(b"ab\x02", false, counted(2, 1, behind(-3))),
        Some(b"ab".to_vec())
    );
    // Before the beginning, of nothing, of more than there is.
    assert_eq!(value(b"ab\x02", true, counted(2, 1, behind(-4))), None);
    assert_eq!(value(b"\x00ab", true, counted(0, 1, behind(0))), None);
    assert_eq!(value(b"\xff\xff\xff\xffab", true, counted(0, 4, behind(0))), None);
    assert_eq!(
        value(b"\x02ab", true, counted(usize::MAX, 4, behind(i32::MAX))),
        None
    );
}
