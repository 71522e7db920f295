//! What rules can ask of the server's side.

use super::made::Made;
use super::*;
use crate::core::side::Side;

fn value_of(fetch: Fetch) -> Expression {
    Expression {
        fetch,
        converters: Vec::new(),
    }
}

#[test]
fn what_the_server_sends_is_looked_at_apart_from_what_the_client_sends() {
    let facts = Made {
        contents: Some(b"GET".to_vec()),
        response: Some(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00".to_vec()),
        ..Made::default()
    };
    let number = |fetch| match View::new(&facts, true).value(&value_of(fetch)) {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    };
    let both = [Side::Downstream, Side::Upstream];
    assert_eq!(both.map(Fetch::Length).map(number), [Some(3), Some(9)]);
    assert_eq!(both.map(Fetch::HelloType).map(number), [None, Some(2)]);
}

#[test]
fn the_connection_to_the_server_can_be_asked_for() {
    let facts = Made::default();
    let view = View::new(&facts, true);
    let text = |fetch| view.value(&value_of(fetch)).map(|value| format!("{value:?}"));
    for (fetch, expected) in [
        (Fetch::ServerSource, "127.0.0.1"),
        (Fetch::ServerSourcePort, "40000"),
        (Fetch::ServerAddress, "127.0.0.2"),
        (Fetch::ServerPort, "80"),
        (Fetch::ServerNetns, "[114, 101, 100]"),
        (Fetch::Pool, "[98, 97, 99, 107]"),
        (Fetch::Server, "[102, 105, 114, 115, 116]"),
    ] {
        let text = text(fetch.clone()).unwrap_or_default();
        assert!(text.contains(expected), "{fetch:?}: {text}");
    }
}

#[test]
fn servers_are_chosen_in_order() {
    let choice = |condition: Option<bool>, server| ServerChoice {
        condition: condition.map(|holds| Condition {
            unless: false,
            any: vec![vec![Term {
                negated: false,
                tests: Arc::new([Test {
                    expression: value_of(Fetch::Constant(Value::Bool(holds))),
                    matcher: Matcher::True,
                }]),
            }]],
        }),
        server,
    };
    let rules = Rules {
        servers: vec![choice(Some(false), 1), choice(Some(true), 2), choice(None, 0)],
        ..Rules::default()
    };
    let facts = Made::default();
    let view = View::new(&facts, true);
    let chosen: Vec<usize> = rules.choose_servers(&view).collect();
    assert_eq!(chosen, [2, 0]);
    assert!(!rules.is_empty() && rules.decides_within() && !rules.decides_before());
}

#[test]
fn who_has_no_address_is_local() {
    let local = |source: Option<&str>| {
        let facts = Made {
            source: source.map(|address| address.parse().unwrap()),
            ..Made::default()
        };
        match View::new(&facts, true).value(&value_of(Fetch::SourceIsLocal)) {
            Some(Value::Bool(is)) => is,
            other => panic!("{other:?}"),
        }
    };
    let answers = [Some("127.0.0.1:1"), Some("192.0.2.1:1"), None].map(local);
    assert_eq!(answers, [true, false, true]);
}
