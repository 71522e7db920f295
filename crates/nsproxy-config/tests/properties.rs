//! Whatever the bytes are: no panic, every diagnostic has its place, and rendering works.

use std::ffi::OsString;

use nsproxy_config::{RenderOptions, Source, parse};
use proptest::prelude::*;

fn env(name: &str) -> Option<OsString> {
    (name.len() == 1).then(|| OsString::from("10.0.0.1 x"))
}

fn read(text: impl Into<Vec<u8>>) {
    let report = match parse(vec![Source::new("a.cfg", text)], &env) {
        Ok(loaded) => {
            let shown = loaded.config.show().to_string();
            let again = parse(vec![Source::new("shown.cfg", &*shown)], &env);
            let again = again.unwrap_or_else(|report| panic!("{shown}\n{report}")).config;
            assert!(loaded.config.means_the_same_as(&again), "{shown}");
            loaded.warnings
        }
        Err(report) => report,
    };
    for diagnostic in report.diagnostics() {
        assert!(diagnostic.place().is_some(), "{diagnostic:?}");
    }
    report.render(RenderOptions {
        colour: true,
        ..RenderOptions::default()
    });
}

/// Words that get far into the lowering.
fn words() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "namespace_list",
        "namespace",
        "bind",
        "server",
        "source",
        "usesrc",
        "clientip",
        "timeout",
        "client",
        "connect",
        "server",
        "client-hs",
        "mode",
        "tcp",
        "http",
        "balance",
        "roundrobin",
        "leastconn",
        "default_backend",
        "maxconn",
        "nbthread",
        "accept-proxy",
        "transparent",
        "name",
        "from",
        "send-proxy",
        "send-proxy-v2",
        "ssl",
        "crt",
        "check",
        "inter",
        "*",
        "a",
        "b",
        "a",
        ":80",
        ":80-90",
        "10.0.0.1:80",
        "::1",
        "[::1]:80",
        "/tmp/x",
        "unix@x",
        "pid:1",
        "/x",
        "1s",
        "0",
        "1",
        "99999999999",
        "\"$A\"",
        "\"${B[*]}\"",
        "'",
        "\"",
        "#",
        "\\",
        "\\x41",
        "é",
        "\u{1f980}",
        "\n",
        "\n",
        "\n",
        "\n    ",
        "\n    ",
        "\r\n",
        ",",
        "-",
        ".if",
        "resolvers",
    ]);
    prop::collection::vec(known, 0..80).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(bytes);
    }

    #[test]
    fn arbitrary_text_does_no_harm(text in "\\PC{0,200}") {
        read(text);
    }

    #[test]
    fn arbitrary_statements_do_no_harm(text in words()) {
        read(text);
    }
}
