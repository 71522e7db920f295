//! Health checks beside HAProxy: what they say to a server, what they make of its answers, and who gets sessions then.

use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nsproxy_testkit::{DEFAULT_DEADLINE, Netns, Peer, Running, Service, World, eventually, require, world};

use crate::common::{
    DEFAULTS, Proxy, SILENCE, exchange, line_with, read_header, run, same, session, soon, wait_until_refused,
};

const PLACE: &str = "127.0.0.1:8000";
/// Where a test says whether a server is well, apart from the server itself.
const PULSE: &str = "127.0.0.1:9999";

/// Something that can be connected to.
#[track_caller]
fn pulse(netns: &Netns, address: &str) -> Service {
    // The one before may live a moment longer.
    wait_until_refused(netns, address);
    Service::start(netns.listen(address), |_| {})
}

fn met(netns: &Netns) -> String {
    String::from_utf8_lossy(&netns.connect(PLACE).read_to_end(100)).into_owned()
}

/// Waits until several clients in a row meet this server.
#[track_caller]
fn wait_until_met(netns: &Netns, name: &str) {
    eventually(DEFAULT_DEADLINE, &format!("`{name}` to be met"), || {
        (0..3).all(|_| met(netns) == name).then_some(())
    });
}

/// What was said about health so far, but for what is a matter of chance: durations, and sessions that are just ending.
fn health_lines(running: &Running) -> Vec<String> {
    let printed = running.stderr();
    let starts = ["Health check for ", "Server ", "Backup Server "];
    let lines = printed.lines().filter_map(|line| {
        let at = starts.iter().filter_map(|start| line.find(start)).min()?;
        let words: Vec<_> = line[at..].split(' ').collect();
        let fixed = |(index, word): (usize, &&str)| {
            let behind = words.get(index + 1..index + 3);
            let is_count = behind == Some(&["sessions", "active,"]) && word.parse::<u32>().is_ok();
            let digits = word.bytes().take_while(u8::is_ascii_digit).count();
            let is_duration = digits > 0 && word[digits..].starts_with("ms");
            if is_count || is_duration {
                "_".to_owned()
            } else {
                (*word).to_owned()
            }
        };
        Some(words.iter().enumerate().map(fixed).collect::<Vec<_>>().join(" "))
    });
    lines.collect()
}

/// Waits until so much was said about health, and returns it in the order of the alphabet: which of several servers is
/// checked first is a matter of chance.
#[track_caller]
fn said(running: &Running, lines: usize) -> Vec<String> {
    let mut said = eventually(DEFAULT_DEADLINE, &format!("{lines} lines about health"), || {
        let said = health_lines(running);
        (said.len() >= lines).then_some(said)
    });
    said.sort();
    said
}

/// Runs the configuration under both and compares what `scene` makes of them.
#[track_caller]
fn both_say<T: PartialEq + std::fmt::Debug>(
    w: &World,
    both: &[Proxy; 2],
    config: &str,
    scene: impl Fn(&Running) -> T,
) -> T {
    let [haproxy, nsproxy] = both.each_ref().map(|proxy| {
        let running = proxy.start(w, w.home(), config, &[(w.home(), PLACE)]);
        scene(&running)
    });
    assert_eq!(nsproxy, haproxy, "nsproxy (left) differs from HAProxy (right)");
    nsproxy
}

#[test]
fn a_server_gets_clients_only_while_its_checks_pass_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("checks", |w| {
        let a = Service::reply(w.home().listen("127.0.0.1:0"), "a");
        let b = Service::reply(w.home().listen("127.0.0.1:0"), "b");
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  server a {} check port 9999 inter 50ms\n  server b {} backup\n",
            a.address(),
            b.address()
        );
        let said = both_say(w, &both, &config, |running| {
            wait_until_met(w.home(), "b");
            let well = pulse(w.home(), PULSE);
            wait_until_met(w.home(), "a");
            drop(well);
            wait_until_met(w.home(), "b");
            said(running, 3)
        });
        assert!(said[0].starts_with(
            "Server l/a is DOWN, reason: Layer4 connection problem, info: \"Connection refused\""
        ));
        assert!(said[2].starts_with("Server l/a is UP, reason: Layer4 check passed"));
    });
}

#[test]
fn each_step_towards_up_and_down_is_logged_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("log-checks", |w| {
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  option log-health-checks\n  \
             server a 127.0.0.1:9999 check inter 50ms rise 3 fall 2\n  server b 127.0.0.1:9 backup track a\n"
        );
        let said = both_say(w, &both, &config, |running| {
            said(running, 3);
            let well = pulse(w.home(), PULSE);
            said(running, 8);
            drop(well);
            said(running, 12)
        });
        assert_eq!(said.len(), 12, "{said:#?}");
        assert!(
            said.iter()
                .any(|line| line.contains("Backup Server l/b is UP via l/a")),
            "{said:#?}"
        );
    });
}

/// What each of the servers says that are scripted here, and the `tcp-check` lines for them.
const ANSWERS: &[(&str, &str)] = &[
    ("expect string +PONG", "+PONG\r\n"),
    ("expect string +PONG", "-ERR\r\n"),
    ("expect string +PONG", ""),
    ("expect ! string -ERR", "+PONG"),
    ("expect ! string -ERR", "-ERR"),
    ("expect rstring ^[+](PONG|OK)", "+OK"),
    ("expect rstring ^[+](PONG|OK)", "x+OK"),
    ("expect binary 2b504F", "+PONG"),
    ("expect binary 2b504E comment nothing", "+PONG"),
    ("expect rbinary ^2B(50|51)", "+PONG"),
    ("expect ! rbinary ^2B(50|51)", "+PONG"),
    ("expect min-recv 3 ! string x", "+PONG"),
    ("expect min-recv 9 string +PONG", "+PONG"),
    ("expect min-recv 2 string -", "+PONG"),
    (
        "expect string +\n  tcp-check comment \"the rest\"\n  tcp-check expect string OK",
        "+PONG",
    ),
    (
        "connect\n  tcp-check expect string +PONG\n  tcp-check expect string -",
        "+PONG",
    ),
    (
        "connect\n  tcp-check connect\n  tcp-check expect string +",
        "+PONG",
    ),
    ("connect comment only", "+PONG"),
];

#[test]
fn an_answer_means_what_it_means_in_haproxy() {
    let both = require!(Proxy::both());
    world("answers", |w| {
        let mut config = format!("{DEFAULTS}  option log-health-checks\nlisten place\n  bind {PLACE}\n");
        let services: Vec<_> = ANSWERS
            .iter()
            .enumerate()
            .map(|(index, (steps, answer))| {
                let service = Service::start(w.home().listen("127.0.0.1:0"), move |peer| {
                    // A check that knows enough has reset the connection already.
                    let _ = peer.try_send(answer);
                });
                _ = write!(
                    config,
                    "backend b{index}\n  option tcp-check\n  tcp-check {steps}\n  server s {} check inter 200ms\n",
                    service.address()
                );
                service
            })
            .collect();
        let said = both_say(w, &both, &config, |running| {
            // One line for each that passes, two for each that fails.
            eventually(DEFAULT_DEADLINE, "the first result of each", || {
                let lines = health_lines(running);
                let firsts: Vec<_> = (0..services.len())
                    .map(|index| {
                        let name = format!(" b{index}/s ");
                        lines.iter().find(|line| line.contains(&name)).cloned()
                    })
                    .collect();
                firsts.iter().all(Option::is_some).then_some(firsts)
            })
        });
        assert_eq!(said.len(), ANSWERS.len());
    });
}

/// A server that writes down what it hears.
fn listening(netns: &Netns, address: &str, serve: fn(&Peer) -> Vec<u8>) -> (Service, Receiver<Vec<u8>>) {
    let (sender, heard) = channel();
    let sender = Arc::new(Mutex::new(sender));
    let service = Service::start(netns.listen(address), move |peer| {
        let bytes = serve(&peer);
        if let Ok(sender) = sender.lock() {
            // The test may have heard enough.
            let _ = sender.send(bytes);
        }
    });
    (service, heard)
}

#[test]
fn a_conversation_has_the_words_that_it_has_in_haproxy() {
    let both = require!(Proxy::both());
    world("conversation", |w| {
        let (_service, heard) = listening(w.home(), PULSE, |peer| {
            let mut all = peer.read_exact(6);
            if peer.try_send("+PONG\r\n").is_ok() {
                all.extend(peer.read_exact(4));
            }
            all
        });
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  option tcp-check\n  tcp-check connect\n  tcp-check send PING\\r\\n\n  \
             tcp-check expect string +PONG\n  tcp-check send-binary 515549540d0a\n  server s {PULSE} check inter 10s\n"
        );
        let heard = same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            heard.recv_timeout(DEFAULT_DEADLINE).expect("a check")
        });
        assert_eq!(heard, b"PING\r\nQUIT");
    });
}

#[test]
fn checks_begin_with_the_header_that_they_have_in_haproxy() {
    let both = require!(Proxy::both());
    world("check-headers", |w| {
        for (options, steps) in [
            ("check-send-proxy", ""),
            ("send-proxy", ""),
            ("send-proxy-v2", ""),
            ("check-send-proxy", "tcp-check connect default"),
            ("send-proxy-v2", "tcp-check connect send-proxy"),
            ("send-proxy addr 127.0.0.1 check-send-proxy", ""),
        ] {
            let (service, heard) = listening(w.home(), "127.0.0.1:0", |peer| read_header(peer));
            let config = format!(
                "{DEFAULTS}listen l\n  bind {PLACE}\n  option tcp-check\n  {steps}\n  server s {} check inter 10s {options}\n",
                service.address()
            );
            same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
                let header = heard.recv_timeout(DEFAULT_DEADLINE).expect("a header");
                // Without the port of the check.
                let text = String::from_utf8_lossy(&header);
                let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
                words
                    .into_iter()
                    .enumerate()
                    .filter(|(index, _)| *index != 4)
                    .map(|(_, word)| word)
                    .collect::<Vec<_>>()
            });
        }
    });
}

#[test]
fn checks_are_made_in_the_namespace_of_the_server_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("check-namespaces", |w| {
        let services = ["one", "two"].map(|name| w.add_netns(name));
        let _well = services
            .each_ref()
            .map(|netns| Service::reply(netns.listen("127.0.0.1:80"), netns.name()));
        let _only_in_one = pulse(&services[0], PULSE);
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  balance roundrobin\n  default-server check port 9999 inter 50ms\n  \
             server a 127.0.0.1:80 namespace one\n  server b 127.0.0.1:80 namespace two\n"
        );
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            wait_until_met(w.home(), "one");
        });
    });
}

#[test]
fn a_server_that_follows_the_client_is_checked_where_it_is_told_to() {
    world("check-namespace", |w| {
        let one = w.add_netns("one");
        let _there = Service::reply(w.home().listen("127.0.0.1:8001"), "here");
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  server a *:8001 namespace * check check-namespace one addr 127.0.0.1 port 9999 inter 50ms\n"
        );
        let running = run(w, w.home(), &config);
        running.wait_for_output("l/a is DOWN", soon());
        w.home().connect(PLACE).expect_closed();
        let _well = pulse(&one, PULSE);
        wait_until_met(w.home(), "here");
    });
}

#[test]
fn failed_connections_mark_a_server_down_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("observe", |w| {
        let _well = pulse(w.home(), PULSE);
        for (on_error, lines) in [("mark-down", 1), ("fail-check", 0)] {
            let config = format!(
                "{DEFAULTS}listen l\n  bind {PLACE}\n  retries 0\n  \
                 server a 127.0.0.1:9 check port 9999 inter 10s observe layer4 error-limit 2 on-error {on_error}\n"
            );
            both_say(w, &both, &config, |running| {
                for _ in 0..4 {
                    w.home().connect(PLACE).expect_closed();
                }
                said(running, lines)
            });
        }
    });
}

#[test]
fn sessions_end_when_their_server_goes_down_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("marked-down", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        for (option, ends) in [("on-marked-down shutdown-sessions", true), ("", false)] {
            let config = format!(
                "{DEFAULTS}listen l\n  bind {PLACE}\n  server a 127.0.0.1:9000 check port 9999 inter 50ms {option}\n"
            );
            both_say(w, &both, &config, |running| {
                let well = pulse(w.home(), PULSE);
                let client = eventually(DEFAULT_DEADLINE, "a session", || {
                    let client = w.home().connect(PLACE);
                    let accepted = server.try_accept(Duration::from_millis(200)).ok()?;
                    Some((client, accepted))
                });
                exchange(&client.0, &client.1);
                drop(well);
                line_with(running, &["Server l/a is DOWN"]);
                if ends {
                    client.0.expect_closed();
                    client.1.expect_closed();
                } else {
                    client.0.expect_silence(SILENCE);
                    exchange(&client.0, &client.1);
                }
            });
        }
    });
}

#[test]
fn sessions_of_backups_end_when_a_server_comes_up_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("marked-up", |w| {
        let backup = w.home().listen("127.0.0.1:9001");
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  \
             server a 127.0.0.1:9999 check inter 50ms on-marked-up shutdown-backup-sessions\n  server b 127.0.0.1:9001 backup\n"
        );
        both_say(w, &both, &config, |running| {
            line_with(running, &["Server l/a is DOWN"]);
            let (client, accepted) = session(w.home(), PLACE, &backup);
            let _well = pulse(w.home(), PULSE);
            client.expect_closed();
            accepted.expect_closed();
        });
    });
}

#[test]
fn a_client_that_waits_gets_the_server_that_comes_up_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("comes-up", |w| {
        let busy = w.home().listen("127.0.0.1:9001");
        let free = w.home().listen("127.0.0.1:9002");
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  balance roundrobin\n  server a 127.0.0.1:9001 maxconn 1\n  \
             server b 127.0.0.1:9002 check port 9999 inter 50ms\n"
        );
        both_say(w, &both, &config, |running| {
            line_with(running, &["Server l/b is DOWN"]);
            let _first = session(w.home(), PLACE, &busy);
            let waits = w.home().connect(PLACE);
            busy.expect_no_connection(SILENCE);
            let _well = pulse(w.home(), PULSE);
            exchange(&waits, &free.accept());
        });
    });
}
