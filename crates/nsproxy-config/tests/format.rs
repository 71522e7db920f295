//! Formatting keeps what a configuration means, and formatting twice is formatting once.

use std::fs;
use std::path::Path;

use nsproxy_config::{Source, format, parse};
use proptest::prelude::*;

fn formatted(text: &str) -> String {
    format(Source::new("a.cfg", text)).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn the_style_is_this() {
    let written = "# the head\nglobal   # one\n\tmaxconn 1\n\n\n\n  # about threads\n  nbthread\t2 #two\nfrontend \"f 1\"\n bind :80\n\
        # at the margin\n bind  '/a b'\n # the end\n# of b\n.if defined(X)\nbackend b\n .notice \"a  b\"\n server a\\ b\\\t10.0.0.1\n\
        .else\n backend c\r\n.endif\n   \n# last";
    let expected = "# the head\nglobal # one\n    maxconn 1\n\n    # about threads\n    nbthread 2 #two\n\nfrontend \"f 1\"\n    bind :80\n\
        \x20   # at the margin\n    bind '/a b'\n    # the end\n\n# of b\n.if defined(X)\nbackend b\n.notice \"a  b\"\n    server a\\ b\\\t10.0.0.1\n\
        .else\nbackend c\n.endif\n\n# last\n";
    assert_eq!(formatted(written), expected);
    assert_eq!(formatted(expected), expected);
}

#[test]
fn an_empty_text_stays_empty() {
    assert_eq!(formatted(""), "");
    assert_eq!(formatted("\n \n\t\n"), "");
}

#[test]
fn lines_that_cannot_be_read_are_refused_with_their_places() {
    let report = format(Source::new("a.cfg", "global\n maxconn \"1\n nbthread \\x0g\n")).unwrap_err();
    let places: Vec<_> = report
        .diagnostics()
        .iter()
        .map(|d| d.place().unwrap().line)
        .collect();
    assert_eq!(places, [2, 3]);
    assert!(format(Source::new("a.cfg", b"global # \xff\n".to_vec())).is_err());
}

#[test]
fn a_slip_in_the_name_of_a_section_stays_at_the_margin_and_an_error() {
    // Lines of the section before it are not looked at: with a blank before it, the slip would be one of them.
    let written = "userlist people\nlistne l\nbind :80\n";
    let expected = "userlist people\n\nlistne l\n    bind :80\n";
    assert_eq!(formatted(written), expected);
    same_meaning(written);
    assert_eq!(
        formatted("userlist people\n'listne' l\n"),
        "userlist people\n    'listne' l\n"
    );
    same_meaning("userlist people\n'listne' l\n");
}

#[test]
fn the_configurations_of_the_tests_mean_the_same_afterwards() {
    let mut compared = 0;
    for kind in ["accept", "warn"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(kind);
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "cfg") {
                same_meaning(&fs::read_to_string(path).unwrap());
                compared += 1;
            }
        }
    }
    assert!(compared > 10);
}

/// The same model, or refused both times with as many errors.
fn same_meaning(text: &str) {
    let Ok(new) = format(Source::new("a.cfg", text)) else {
        return;
    };
    assert_eq!(formatted(&new), new);
    let parse = |text: &str| parse(vec![Source::new("a.cfg", text)], &|_| Some("10.0.0.1 x".into()));
    match (parse(text), parse(&new)) {
        (Ok(old), Ok(new)) => assert!(old.config.means_the_same_as(&new.config), "{old:?}\n{new:?}"),
        (Err(_), Err(_)) => {}
        (old, new) => panic!("{old:?}\n{new:?}"),
    }
}

/// Pieces of lines that look like a configuration.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "global",
        "defaults",
        "listen",
        "frontend",
        "backend",
        "f",
        "a",
        "b",
        "bind",
        "server",
        ":80",
        "10.0.0.1:80",
        "maxconn",
        "1",
        "timeout",
        "client",
        "1s",
        "# a comment",
        "#",
        "\\ ",
        "\\",
        "\"a b\"",
        "'#'",
        "\"$A\"",
        "\"${B[*]}\"",
        "\\#",
        "\\x41",
        ".if",
        ".elif",
        ".else",
        ".endif",
        ".notice",
        "0",
        "\t",
        "  ",
        "\n",
        "\n",
        "\n",
        "\n\n",
        "\n    ",
        "\n  ",
        "\n#",
        "\r\n",
        "\r",
        "userlist",
        "é",
    ]);
    let glue = prop::sample::select(vec![" ", " ", "  ", "\t", ""]);
    prop::collection::vec((piece, glue), 0..60).prop_map(|pieces| {
        pieces
            .into_iter()
            .flat_map(|(piece, glue)| [piece, glue])
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_means_the_same_afterwards(text in text()) {
        same_meaning(&text);
    }

    #[test]
    fn any_characters_mean_the_same_afterwards(text in "[ \"'\\\\#$\n\r\t.a{}xé]{0,60}") {
        same_meaning(&text);
    }
}
