//! The work is in proportion to the text: two seconds are enough for everything here, optimised. The bound is generous
//! otherwise, since tests run on busy machines: what is quadratic misses it by orders of magnitude.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use nsproxy_config::{Report, Severity, Source, format, parse};

const BOUND: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 2 });

/// Parses, shows, formats and renders within the bound; the diagnostics.
fn read(text: String) -> Report {
    let most = 8 * text.len();
    let start = Instant::now();
    if let Ok(formatted) = format(Source::new("big.cfg", &*text)) {
        assert!(formatted.len() <= most);
    }
    let report = match parse(vec![Source::new("big.cfg", text)], &|_| None) {
        Ok(loaded) => {
            assert!(loaded.config.show().to_string().len() <= most);
            loaded.warnings
        }
        Err(report) => report,
    };
    let shown = report.to_string();
    let took = start.elapsed();
    assert!(took < BOUND, "{took:?}");
    assert!(shown.len() < 1 << 20);
    report
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, index| {
        _ = writeln!(text, "{}", line(index));
        text
    })
}

#[test]
fn a_hundred_thousand_sections() {
    let defaults = "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n";
    let sections = lines(50_000, |n| {
        format!(
            "frontend f{n}\n bind 127.0.0.1:80 namespace n{n}\n default_backend b{n}\nbackend b{n}\n server a 10.0.0.1"
        )
    });
    let report = read(format!("{defaults}{sections}"));
    assert!(report.is_empty(), "{report}");
}

#[test]
fn a_hundred_thousand_defaults_that_inherit() {
    let defaults = lines(100_000, |n| match n {
        0 => "defaults d0\n timeout client 1s".to_owned(),
        n => format!("defaults d{n} from d{}", n - 1),
    });
    let report = read(format!(
        "{defaults}listen l from d99999\n bind :80\n default_backend l\n"
    ));
    assert_eq!(report.count(Severity::Warning), 1, "{report}");
}

#[test]
fn a_hundred_thousand_servers_of_one_name() {
    let report = read(format!(
        "backend b\n{}",
        lines(100_000, |_| " server same 10.0.0.1:80".to_owned())
    ));
    assert_eq!(report.count(Severity::Error), 99_999);
}

#[test]
fn a_hundred_thousand_binds_of_one_address() {
    let report = read(format!(
        "listen l\n{}",
        lines(100_000, |_| " bind :1-65535 namespace a".to_owned())
    ));
    assert_eq!(report.count(Severity::Error), 99_999);
}

#[test]
fn a_hundred_thousand_unknown_words() {
    let report = read(format!(
        "listen l\n{}",
        lines(100_000, |n| format!(" unknown-{n}"))
    ));
    assert_eq!(report.count(Severity::Error), 100_000);
}

#[test]
fn a_hundred_thousand_backends_that_are_not_there() {
    let frontends = lines(50_000, |n| format!("frontend f{n}\n default_backend absent-{n}"));
    let backends = lines(50_000, |n| format!("backend present-{n}"));
    assert_eq!(read(frontends + &backends).count(Severity::Error), 50_000);
}

#[test]
fn a_hundred_thousand_lines_about_host_names() {
    let section =
        |n| format!("resolvers r{n}\n nameserver first 10.0.0.1:53\n nameserver second 10.0.0.2:53");
    let sections = lines(25_000, section) + &lines(25_000, |_| section(0));
    let servers = lines(25_000, |n| {
        format!(" server s{n} host-{n}.example:80 resolvers r{n}")
    });
    let lost = lines(25_000, |n| {
        format!(" server t{n} host-{n}.example:80 resolvers absent-{n}")
    });
    let report = read(format!("{sections}backend b\n{servers}{lost}"));
    assert_eq!(report.count(Severity::Error), 50_000);
}

#[test]
fn a_hundred_thousand_servers_that_track_each_other() {
    let head = "defaults\n timeout client 1s\n timeout connect 1s\n timeout server 1s\nlisten l\n bind :80\n";
    let servers = |last: &str| {
        let chain = |n| format!(" server s{n} 10.0.0.1:80 track s{}", n + 1);
        format!(
            "{head}{} server s25000 10.0.0.1:80 {last}\n",
            lines(25_000, chain)
        )
    };
    let report = read(servers("check"));
    assert!(report.is_empty(), "{report}");
    assert_eq!(read(servers("")).count(Severity::Error), 25_000);
    assert_eq!(read(servers("track nobody")).count(Severity::Error), 1);
    assert_eq!(read(servers("track s12500")).count(Severity::Error), 25_001);
}

#[test]
fn a_hundred_thousand_blocks_in_each_other() {
    let begin = lines(100_000, |_| ".if 1".to_owned());
    let end = lines(100_000, |_| ".endif".to_owned());
    assert!(read(format!("{begin}{end}")).is_empty());
    assert_eq!(read(begin).count(Severity::Error), 100_000);
}

#[test]
fn a_hundred_thousand_uses_of_a_long_variable() {
    let long = "x".repeat(1 << 20);
    let uses = lines(100_000, |_| {
        ".if defined(LONG)\n unknown \"$LONG\"\n.endif".to_owned()
    });
    let report = read(format!("global\n setenv LONG {long}\n{uses}"));
    assert_eq!(report.count(Severity::Error), 100_000);
    let report = read(format!(
        "listen {long}\n{}",
        lines(100_000, |_| "\"${.SECTION}\"".to_owned())
    ));
    assert!(report.count(Severity::Error) >= 100_000);
}

#[test]
fn a_hundred_thousand_acls() {
    let head = "defaults\n timeout client 1s\n timeout connect 1s\n timeout server 1s\nbackend b\n server s 10.0.0.1:80\n";
    let acls = lines(50_000, |n| {
        format!(" acl a{n} src 10.{}.{}.0/24", n / 256, n % 256)
    });
    let uses = lines(50_000, |n| {
        format!(" use_backend b if a{n} !a{} or {{ src_port {n} }}", n / 2)
    });
    let report = read(format!("{head}frontend f\n bind :80\n{acls}{uses}"));
    assert!(report.is_empty(), "{report}");
    let unknown = lines(100_000, |n| {
        format!(" tcp-request connection reject if unknown-{n}")
    });
    assert_eq!(
        read(format!("{head}frontend f\n bind :80\n{unknown}")).count(Severity::Error),
        100_000
    );
}

#[test]
fn a_hundred_thousand_lines_of_one_acl() {
    let head = "defaults\n timeout client 1s\n timeout connect 1s\n timeout server 1s\nlisten f\n bind :80\n server s 10.0.0.1:80\n";
    let acls = lines(100_000, |n| {
        format!(" acl a req.ssl_sni -i -m end name{n}.example")
    });
    let rules = lines(1_000, |_| " tcp-request content reject if a".to_owned());
    let report = read(format!("{head} tcp-request inspect-delay 1s\n{acls}{rules}"));
    assert!(report.is_empty(), "{report}");
}

#[test]
fn a_line_of_ten_megabytes() {
    // Unoptimised it is less, since there are many.
    const SIZE: usize = if cfg!(debug_assertions) { 2 << 20 } else { 10 << 20 };
    for (start, piece) in [
        ("backend ", "x"),
        ("backend b\n server s ", "x"),
        ("listen l\n bind ", ":80,"),
        ("listen l\n bind :80 ", "ssl "),
        ("listen l\n bind :80 ", "name a "),
        ("backend b\n server s ", "\\x41"),
        ("backend b\n server s \"", "$A "),
        ("backend b\n server s '", "\" "),
        ("# ", "comment "),
        (".if ", "!"),
        (".if ", "("),
        (".if ", "1&&"),
        (".if streq(", "a"),
        (".if streq(a", ","),
        (".if ", "a "),
        (".notice ", "a"),
        ("global\n setenv ", "a"),
        ("global\n resetenv ", "a "),
        ("listen l\n option ", "a"),
        ("namespace_list\n namespace ", "a "),
        ("listen l\n acl a src ", "10.0.0.1 "),
        ("listen l\n acl a ", "("),
        ("listen l\n acl a src", ",lower"),
        ("listen l\n acl a req.payload(", "0,"),
        ("listen l\n tcp-request connection reject if ", "!"),
        ("listen l\n tcp-request connection reject if ", "TRUE or "),
        (
            "listen l\n tcp-request connection reject if ",
            "{ src 10.0.0.1 } ",
        ),
        ("listen l\n tcp-request connection reject if ", "{ "),
        ("", "\r"),
        ("", "é\u{0}"),
    ] {
        read(format!("{start}{}\n", piece.repeat(SIZE / piece.len())));
    }
}

#[test]
fn a_megabyte_of_lines_that_are_not_utf8() {
    let start = Instant::now();
    let text = b"\xff\xfe\n".repeat(1 << 18);
    let report = parse(vec![Source::new("big.cfg", text)], &|_| None).expect_err("not UTF-8");
    assert!(report.count(Severity::Error) >= 1 << 18);
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
}
