//! The same script played by `ip netns` and by `nsproxy netns`: the same answers and the same exit codes.
//!
//! Where the two differ on purpose, the difference is tested in the other files and told in docs/netns.md.

use std::fs;

use nsproxy_testkit::{Program, World, world};

use crate::common::{REGISTRY, answer, command, netns, quiet, run};

/// Options, then the words behind `netns`.
const SCRIPT: &[(&str, &[&str])] = &[
    ("", &[]),
    ("", &["list"]),
    ("-all", &["delete"]),
    ("-all", &["exec", "true"]),
    ("", &["add", "foo"]),
    ("", &["a", "bar"]),
    ("", &["add", "foo"]),
    ("", &["add"]),
    ("", &["add", ""]),
    ("", &["add", "."]),
    ("", &["add", ".."]),
    ("", &["add", "a/b"]),
    ("", &["add", "sp ace"]),
    ("", &["add", "-x"]),
    ("", &["add", "quote\""]),
    ("", &["list"]),
    ("", &["ls"]),
    ("", &["s"]),
    ("", &["lst"]),
    ("", &[]),
    ("-j", &["list"]),
    ("-j -p", &["list"]),
    ("-p", &["list"]),
    ("", &["list-id"]),
    ("-j", &["list-id"]),
    ("", &["set", "foo", "12"]),
    ("", &["set", "foo", "12"]),
    ("", &["set", "foo", "13"]),
    ("", &["set", "bar", "12"]),
    ("", &["set", "bar", "0x10"]),
    ("", &["se", "sp ace", "auto"]),
    ("", &["set", "foo", "-1"]),
    ("", &["set", "foo", "zz"]),
    ("", &["set", "foo"]),
    ("", &["set"]),
    ("", &["set", "nope", "1"]),
    ("", &["list"]),
    ("-j", &["list"]),
    ("-j -p", &["list"]),
    ("", &["list-id"]),
    ("-j", &["list-id"]),
    ("-j -p", &["list-id"]),
    ("", &["list-id", "nsid", "12"]),
    ("-j", &["list-id", "nsid", "12"]),
    ("", &["list-id", "nsid", "99"]),
    ("", &["list-id", "nsid", "-3"]),
    ("", &["list-id", "nsid", "x"]),
    ("", &["list-id", "nsid"]),
    ("", &["list-id", "nsid", "1", "nsid", "2"]),
    ("", &["list-id", "frob"]),
    ("", &["list-id", "target-nsid", "77"]),
    ("", &["list-id", "target-nsid", "77", "nsid", "1"]),
    ("", &["list-id", "target-nsid", "12", "nsid", "16"]),
    ("-j", &["list-id", "target-nsid", "12", "nsid", "16"]),
    ("-n foo", &["set", "bar", "9"]),
    ("", &["list-id", "target-nsid", "12", "nsid", "16"]),
    ("-j", &["list-id", "target-nsid", "12", "nsid", "16"]),
    ("-n foo", &["list"]),
    ("-n foo", &["list-id"]),
    ("", &["list-id", "target-nsid", "12"]),
    ("-j", &["list-id", "target-nsid", "12"]),
    ("", &["list-id", "target-nsid", "12", "nsid", "9"]),
    ("", &["identify"]),
    ("", &["identify", "self"]),
    ("-n foo", &["identify"]),
    ("", &["identify", "abc"]),
    ("", &["identify", "1", "2"]),
    ("", &["identify", "4194305"]),
    ("", &["pids", "foo"]),
    ("", &["pids"]),
    ("", &["pids", "nope"]),
    ("", &["pids", "foo", "bar"]),
    ("", &["attach"]),
    ("", &["attach", "q"]),
    ("", &["attach", "q", "0"]),
    ("", &["attach", "q", "abc"]),
    ("", &["attach", "q", "4194305"]),
    ("", &["exec"]),
    ("", &["exec", "foo"]),
    ("", &["exec", "nope", "true"]),
    ("", &["exec", "foo", "/no/such"]),
    ("", &["exec", "foo", "sh", "-c", "exit 7"]),
    ("", &["exec", "foo", "ip", "-br", "link"]),
    ("", &["exec", "foo", "ls", "/sys/class/net"]),
    ("", &["exec", "foo", "ip", "netns", "identify"]),
    ("-all", &["exec", "echo", "here"]),
    ("-all", &["exec"]),
    ("-n nope", &["list"]),
    ("", &["frob"]),
    ("-frob", &["list"]),
    ("", &["delete", "nope"]),
    ("", &["delete"]),
    ("", &["del", "bar"]),
    ("", &["list"]),
    ("-all", &["delete"]),
    ("", &["list"]),
    ("-j", &["list"]),
];

#[derive(Debug, Clone, Copy)]
enum Tool {
    Ip,
    Nsproxy,
}

/// What a tool did at one line.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    line: String,
    stdout: String,
    code: Option<i32>,
    complained: bool,
}

fn play(tool: Tool, w: &World) -> Vec<Outcome> {
    fs::remove_dir(REGISTRY).expect("the registry is empty");
    SCRIPT
        .iter()
        .map(|(options, words)| {
            let options = options.split_whitespace();
            let command = match tool {
                Tool::Nsproxy => command(options.chain(words.iter().copied())),
                Tool::Ip => {
                    let mut command = Program::find("ip").expect("a world needs it").command();
                    command.args(options).arg("netns").args(*words);
                    command
                }
            };
            let finished = w.home().output(command);
            Outcome {
                line: format!("{words:?}"),
                complained: !finished.stderr.is_empty(),
                stdout: finished.stdout,
                code: finished.status.code(),
            }
        })
        .collect()
}

#[test]
fn the_same_script_has_the_same_answers_and_exit_codes() {
    let (mut ip, mut ours) = (Vec::new(), Vec::new());
    world("beside-ip", |w| ip = play(Tool::Ip, w));
    world("beside-nsproxy", |w| ours = play(Tool::Nsproxy, w));
    for (ip, ours) in ip.iter().zip(&ours) {
        assert_eq!(ours, ip, "nsproxy (left) differs from ip (right)");
    }
    assert_eq!(ip.len(), ours.len());
}

#[test]
fn each_can_use_what_the_other_made() {
    world("each-other", |w| {
        answer(w, "add ours");
        quiet(run(w, "ip netns add theirs"));
        for (mine, theirs) in [
            ("exec ours", "netns exec ours"),
            ("exec theirs", "netns exec theirs"),
        ] {
            let by_nsproxy = answer(w, &format!("{mine} readlink /proc/self/ns/net"));
            let by_ip = quiet(run(w, &format!("ip {theirs} readlink /proc/self/ns/net")));
            assert_eq!(by_nsproxy, by_ip);
        }
        answer(w, "set theirs 4");
        quiet(run(w, "ip netns set ours 5"));
        assert_eq!(answer(w, "list"), quiet(run(w, "ip netns")));
        answer(w, "delete theirs");
        quiet(run(w, "ip netns delete ours"));
        assert_eq!(answer(w, "list"), "");
    });
}

/// The test suite of iproute2 (`testsuite/tests/ip/netns/set_nsid.t`), with nsproxy in its place.
#[test]
fn the_test_that_iproute2_has_for_itself_passes() {
    world("set-nsid", |w| {
        answer(w, "add testnsid");
        answer(w, "set testnsid 99");
        assert_eq!(answer(w, "list"), "testnsid (id: 99)\n");
        assert_eq!(answer(w, ""), "testnsid (id: 99)\n");
        assert_eq!(answer(w, "list-id"), "nsid 99 (iproute2 netns name: testnsid)\n");
        answer(w, "del testnsid");
    });
}

#[test]
fn a_dangling_entry_is_listed_as_ip_lists_it() {
    world("dangling", |w| {
        fs::write(format!("{REGISTRY}/dangling"), "").unwrap();
        answer(w, "add good");
        let ip = run(w, "ip netns");
        let ours = netns(w, "list");
        assert_eq!((ours.stdout, ours.status), (ip.stdout, ip.status));
        assert_eq!(ours.stderr.lines().count(), 1, "told once: {}", ours.stderr);
    });
}
