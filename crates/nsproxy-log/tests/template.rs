//! `log-format`: what is parsed, what is refused and where, and how it is filled in.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use nsproxy_log::{Clock, Problem, Record, Template, Values};
use proptest::prelude::*;

fn record() -> Record<'static> {
    Record {
        frontend: "fe",
        backend: "be",
        server: Some("s\"1]"),
        client: Some("127.0.0.1:51434".parse().expect("an address")),
        frontend_address: Some("[2001:db8::1]:80".parse().expect("an address")),
        backend_address: None,
        server_address: Some("10.0.0.1:9000".parse().expect("an address")),
        accepted: UNIX_EPOCH + Duration::from_millis(1_795_329_422_003),
        handshake: Duration::from_millis(5),
        queued: Some(Duration::ZERO),
        connect: Some(Duration::from_millis(3)),
        total: Duration::from_millis(108),
        bytes_up: 5,
        bytes_down: 6,
        termination: *b"CD",
        is_early: false,
        process_sessions: 5,
        frontend_sessions: 4,
        backend_sessions: 3,
        server_sessions: 2,
        retries: 1,
        redispatched: true,
        server_queue: 7,
        backend_queue: 8,
        unique_id: Some("id-1"),
        number: 4711,
        host: "vm",
        lines: 20,
    }
}

/// An expression has itself for its value, unless it is called `none`.
struct Echo<'t>(&'t str, &'t Template);

impl Values for Echo<'_> {
    fn value(&self, index: usize) -> Option<Cow<'_, [u8]>> {
        let expression = &self.0[self.1.expressions()[index].clone()];
        (expression != "none").then_some(Cow::Borrowed(expression.as_bytes()))
    }
}

fn rendered(format: &str, record: &Record<'_>) -> String {
    let template: Template = format.parse().unwrap_or_else(|error| panic!("{format}: {error}"));
    let mut out = Vec::new();
    template.render(record, &Echo(format, &template), &mut Clock::default(), &mut out);
    String::from_utf8(out).expect("text")
}

fn refused(format: &str) -> (&str, Problem) {
    let error = format.parse::<Template>().expect_err(format);
    (&format[error.at], error.problem)
}

#[test]
fn the_default_line_is_haproxys() {
    let line = rendered(Template::TCPLOG, &record());
    let (before, rest) = line.split_once('[').unwrap();
    let (_, after) = rest.split_once("] ").unwrap();
    assert_eq!(before, "127.0.0.1:51434 ");
    assert_eq!(after, "fe be/s\"1] 0/3/108 6 CD 5/4/3/2/+1 7/8");
}

#[test]
fn a_line_of_a_session_that_is_early_has_a_plus_before_time_and_bytes() {
    let record = Record {
        is_early: true,
        ..record()
    };
    assert_eq!(rendered("%Tt %B %U %Tc", &record), "+108 +6 +5 3");
}

#[test]
fn what_is_not_there_is_a_dash_or_minus_one() {
    let record = Record {
        server: None,
        client: None,
        queued: None,
        connect: None,
        ..record()
    };
    assert_eq!(
        rendered("%ci:%cp %s %Tw/%Tc/%Td %{+Q}bi %{-M}bp.", &record),
        "-:- <NOSRV> -1/-1/-1 \"\" ."
    );
}

/// The values of a line of HAProxy 2.6.12.
#[test]
fn hexadecimal_numbers_have_haproxys_digits() {
    assert_eq!(
        rendered("%{+X}ci %{+X}cp %{+X}Ts %{+X}lc %{+X}B", &record()),
        "7F000001 C8EA 6B028D8E 0014 6"
    );
}

#[test]
fn quotes_and_escapes_keep_a_value_apart_from_the_rest() {
    assert_eq!(
        rendered("%{+Q}s %{+E}s %{+Q,+E}s", &record()),
        r#""s#221]" s\"1\] "s\"1\]""#
    );
}

#[test]
fn flags_of_o_hold_for_what_follows() {
    assert_eq!(
        rendered("%b %{+Q}o%b %{-Q}b %b%{-Q}o %b", &record()),
        r#"be "be" be "be" be"#
    );
}

#[test]
fn expressions_are_for_others_to_work_out() {
    assert_eq!(
        rendered("%[src,lower] %[none] %{+Q}[none] %{+Q}[str(a]\"b)].", &record()),
        "src,lower - \"\" \"str(a]#22b)\"."
    );
    let template: Template = "%[a(b]c),d]%[e(f]".parse().unwrap();
    assert_eq!(template.expressions(), [2..10, 13..16]);
}

#[test]
fn the_other_variables_are_those_of_the_manual() {
    assert_eq!(
        rendered("%fi %fp %si %sp %f %ft %ms %Th %Td %U %H 100%%  x", &record()),
        "2001:db8::1 80 10.0.0.1 9000 fe fe 003 5 100 5 vm 100% x"
    );
    assert_eq!(rendered("%pid", &record()), std::process::id().to_string());
}

#[test]
fn a_mistake_is_refused_with_its_place() {
    assert_eq!(
        refused("a %foo b"),
        ("%foo", Problem::UnknownVariable("foo".into()))
    );
    assert_eq!(refused("%ci %Tq"), ("%Tq", Problem::Foreign("Tq".into())));
    assert_eq!(refused("a%"), ("%", Problem::LonePercent));
    assert_eq!(refused("% b"), ("%", Problem::LonePercent));
    assert_eq!(refused("%{+Q b"), ("%{+Q b", Problem::Unclosed('}')));
    assert_eq!(refused("x%[fc_netns"), ("%[fc_netns", Problem::Unclosed(']')));
    assert_eq!(refused("%{+Q}"), ("%{+Q}", Problem::NothingFlagged));
    assert_eq!(refused("%{+X,+Z}b"), ("+Z", Problem::UnknownFlag("+Z".into())));
}

#[test]
fn an_unknown_variable_comes_with_the_known_ones() {
    let error = "%foo".parse::<Template>().unwrap_err();
    assert!(error.candidates().contains(&"%ft".to_owned()));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic_and_errors_point_into_it(text in "[%{}\\[\\]+,QXEo a-z\u{e9}]{0,40}|\\PC{0,60}") {
        match text.parse::<Template>() {
            Ok(template) => {
                let mut out = Vec::new();
                template.render(&record(), &(), &mut Clock::default(), &mut out);
            }
            Err(error) => prop_assert!(text.get(error.at).is_some()),
        }
    }

    #[test]
    fn text_without_percent_signs_and_double_spaces_stays_as_it_is(words in prop::collection::vec("[^% \r\n]{1,8}", 0..8)) {
        let text = words.join(" ");
        prop_assert_eq!(rendered(&text, &record()), text);
    }

    #[test]
    fn a_format_is_the_sum_of_its_parts(picks in prop::collection::vec(0..5_usize, 0..12)) {
        let parts = ["%ci", " x ", "%{+Q}b", "%%", "%Tw"];
        let picked: Vec<&str> = picks.iter().map(|pick| parts[*pick]).collect();
        let each: Vec<String> = picked.iter().map(|part| rendered(part, &record())).collect();
        let (whole, sum) = (picked.join("|"), each.join("|"));
        prop_assert_eq!(rendered(&whole, &record()), sum);
    }
}
