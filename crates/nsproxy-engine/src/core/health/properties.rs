//! Properties of a server's health and of its checks, over random happenings and random splits of an answer.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::core::expressions::Expressions;
use crate::core::moment::Span;
use crate::plan::Endpoint;

fn any_on_error() -> impl Strategy<Value = OnError> {
    prop_oneof![
        Just(OnError::FastCheck),
        Just(OnError::FailCheck),
        Just(OnError::SuddenDeath),
        Just(OnError::MarkDown),
    ]
}

fn rules(rise: u32, fall: u32, on_error: OnError) -> Rules {
    Rules {
        rise: NonZeroU32::new(rise).unwrap(),
        fall: NonZeroU32::new(fall).unwrap(),
        interval: Span::from_millis(2000).unwrap(),
        fast_interval: Span::from_millis(500),
        down_interval: Span::from_millis(4000),
        on_error,
    }
}

fn connect() -> Connect {
    Connect::new(Destination::At(Endpoint::Ip(([192, 0, 2, 1], 80).into())))
}

/// These steps, with their places for numbers.
fn script(steps: Vec<Step>) -> Script {
    let numbered = steps
        .into_iter()
        .zip(1..)
        .map(|(step, number)| Step { number, ..step });
    Script::new(connect(), 0, None, numbered.collect())
}

fn expect(pattern: Pattern, negated: bool, min_received: Option<usize>) -> Step {
    let expect = Expect {
        pattern,
        negated,
        min_received,
    };
    Step {
        number: 1,
        action: Action::Expect(expect),
        comment: None,
    }
}

fn any_pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        "[ab]{0,3}".prop_map(|text| Pattern::Text(text.into_bytes())),
        prop::collection::vec(b'a'..=b'b', 1..3).prop_map(Pattern::Bytes),
        "[ab]{1,2}".prop_map(|text| Pattern::Regex(Expressions::new(false, [&*text]).unwrap())),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any_pattern(), any::<bool>(), prop::option::of(0..4_usize))
            .prop_map(|(pattern, negated, min)| expect(pattern, negated, min)),
        1 => "[xy]{1,4}".prop_map(|text| Step {
            number: 1,
            action: Action::Send(text.into_bytes()),
            comment: None,
        }),
    ]
}

/// Carries a script out with a server that says `answer` after each connection and each send, in pieces, and ends then.
fn carry_out(script: &Script, answer: &[u8], pieces: &[usize]) -> (CheckResult, String, Vec<u8>) {
    let mut run = Run::new(script.clone());
    let (mut left, mut sent) = (answer, Vec::new());
    let mut pieces = pieces.iter().copied().cycle();
    for _ in 0..10_000 {
        match run.next_step() {
            Next::Connect(_) => {
                left = answer;
                run.on_connected();
            }
            Next::Send(bytes) => {
                let some = pieces.next().unwrap_or(1).clamp(1, bytes.len().max(1));
                let some = some.min(bytes.len());
                sent.extend_from_slice(&bytes[..some]);
                run.on_sent(some);
                left = answer;
            }
            Next::Receive(room) => {
                assert!(room > 0);
                let some = pieces.next().unwrap_or(1).max(1).min(left.len()).min(room);
                if some == 0 {
                    run.on_end();
                } else {
                    run.on_received(&left[..some]);
                    left = &left[some..];
                }
            }
            Next::Over(result, info) => return (result, info, sent),
        }
    }
    panic!("it does not end");
}

proptest! {
    #[test]
    fn a_server_is_down_only_after_as_many_failures_and_up_only_after_as_many_passes(
        rise in 1..5_u32,
        fall in 1..5_u32,
        checks in prop::collection::vec(any::<bool>(), 1..100),
    ) {
        let mut monitor = Monitor::new(rules(rise, fall, OnError::FailCheck));
        // Nothing is known of it: one failure is enough, and one pass.
        let (mut is_up, mut against) = (true, fall - 1);
        for passed in checks {
            against = if passed == is_up { 0 } else { against + 1 };
            let enough = if is_up { fall } else { rise };
            let changes = against == enough;
            if changes {
                is_up = !is_up;
                against = 0;
            }
            let judged = monitor.on_check(passed);
            prop_assert_eq!(judged.change.is_some(), changes);
            prop_assert_eq!(monitor.is_up(), is_up);
            let (at, of) = monitor.progress();
            prop_assert!(at <= of);
            prop_assert!(!changes || judged.moved);
        }
    }

    #[test]
    fn a_level_never_leaves_its_range_whatever_happens(
        rise in 1..5_u32,
        fall in 1..5_u32,
        on_error in any_on_error(),
        happenings in prop::collection::vec(0..3_u8, 0..100),
    ) {
        let mut monitor = Monitor::new(rules(rise, fall, on_error));
        for happening in happenings {
            let was_up = monitor.is_up();
            let judged = match happening {
                0 => monitor.on_check(false),
                1 => monitor.on_check(true),
                _ => monitor.on_errors(),
            };
            let expected = match (was_up, monitor.is_up()) {
                (true, false) => Some(Change::Down),
                (false, true) => Some(Change::Up),
                _ => None,
            };
            prop_assert_eq!(judged.change, expected);
            let (at, of) = monitor.progress();
            prop_assert!(at <= of && (!monitor.is_up() || at > 0));
        }
    }

    #[test]
    fn an_answer_means_the_same_however_it_is_split(
        steps in prop::collection::vec(any_step(), 0..5),
        answer in prop::collection::vec(b'a'..=b'c', 0..12),
        pieces in prop::collection::vec(1..5_usize, 1..6),
    ) {
        // A conclusive look at whatever has come depends on how much that is.
        let splittable = steps.iter().all(|step| match &step.action {
            Action::Expect(expect) => expect.min_received.is_none() && !expect.negated,
            _ => true,
        });
        let script = script(steps);
        let whole = carry_out(&script, &answer, &[usize::MAX]);
        let split = carry_out(&script, &answer, &pieces);
        if splittable {
            prop_assert_eq!(whole, split);
        }
    }

    #[test]
    fn a_check_ends_and_sends_what_its_script_says(
        steps in prop::collection::vec(any_step(), 0..6),
        answer in prop::collection::vec(any::<u8>(), 0..40),
        pieces in prop::collection::vec(1..50_usize, 1..4),
    ) {
        let all: Vec<u8> = steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::Send(bytes) => Some(bytes.as_slice()),
                _ => None,
            })
            .flatten()
            .copied()
            .collect();
        let (result, _, sent) = carry_out(&script(steps), &answer, &pieces);
        prop_assert!(all.starts_with(&sent));
        if result.is_passed() {
            prop_assert_eq!(all, sent);
        }
    }
}

fn text(text: &str) -> Pattern {
    Pattern::Text(text.into())
}

#[test]
fn what_was_received_is_forgotten_when_something_is_sent() {
    let send = Step {
        number: 2,
        action: Action::Send(b"x".to_vec()),
        comment: None,
    };
    let again = |pattern| script(vec![expect(text("AB"), false, None), send.clone(), pattern]);
    // Both times the server says the same.
    let passed = carry_out(&again(expect(text("AB"), false, None)), b"AB", &[1]);
    assert_eq!(passed.0, CheckResult::Layer7Passed);
    let failed = carry_out(&again(expect(text("ABAB"), false, None)), b"AB", &[1]);
    assert_eq!(failed.0, CheckResult::Layer7Invalid);
    assert_eq!(failed.1, "TCPCHK did not match content 'ABAB' at step 3");
}

#[test]
fn one_answer_can_fulfil_several_expectations() {
    let script = script(vec![
        expect(text("A"), false, None),
        expect(text("AB"), true, None),
    ]);
    let (result, info, _) = carry_out(&script, b"AB", &[2]);
    assert_eq!(result, CheckResult::Layer7Invalid);
    assert_eq!(info, "TCPCHK matched unwanted content 'AB' at step 2");
}

#[test]
fn an_answer_without_an_end_is_not_kept_in_memory() {
    let script = script(vec![expect(text("never"), false, None)]);
    let (result, ..) = carry_out(&script, &vec![b'.'; 1 << 20], &[1000]);
    assert_eq!(result, CheckResult::Layer7Invalid);
}

#[test]
fn a_timeout_says_where() {
    let mut run = Run::new(Script::new(
        connect(),
        5,
        None,
        vec![expect(text("ABC"), false, None)],
    ));
    assert_eq!(
        run.on_timeout(),
        (
            CheckResult::Layer4Timeout,
            " at step 5 of tcp-check (connect)".to_owned()
        )
    );
    run.on_connected();
    assert_eq!(
        run.on_timeout(),
        (
            CheckResult::Layer7Timeout,
            " at step 1 of tcp-check (expect string 'ABC')".to_owned()
        )
    );
}
