//! SIGHUP: from one configuration to the next while clients come and go.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs;
use std::path::PathBuf;

use nsproxy_testkit::{
    DEFAULT_DEADLINE, DnsAnswer, Netns, Running, Service, Signal, World, eventually, world,
};

use crate::admin::{answer, stat};
use crate::common::{
    DEFAULTS, RELAY, exchange, expect_reply, line_with, run, session, soon, wait_until_refused,
};
use crate::load::under_load;
use crate::names::etc;
use crate::syslog::Syslog;

/// `l` at port 8000 to this port, with these lines of `global`.
fn relay(global: &str, to: u16) -> String {
    format!(
        "global\n{global}{DEFAULTS}{}",
        RELAY.replace("9000", &to.to_string())
    )
}

fn service(w: &World, port: u16, name: &str) -> Service {
    Service::reply(w.home().listen(&*format!("127.0.0.1:{port}")), name)
}

/// Has the running nsproxy read this configuration, and returns its line about it.
#[track_caller]
fn reload(w: &World, running: &Running, config: &str, outcome: &str) -> String {
    let before = running.stderr().len();
    w.write("nsproxy.cfg", config);
    running.signal(Signal::SIGHUP);
    eventually(DEFAULT_DEADLINE, outcome, || {
        let text = running.stderr();
        let line = text.get(before..)?.lines().find(|line| line.contains(outcome));
        line.map(str::to_owned)
    })
}

/// Waits until new connections get this reply: workers are told one after the other.
#[track_caller]
fn wait_for_reply(netns: &Netns, address: &str, reply: &str) {
    eventually(DEFAULT_DEADLINE, reply, || {
        let client = netns.connect(address);
        client.half_close();
        (client.read_to_end(100) == reply.as_bytes()).then_some(())
    });
}

#[test]
fn new_connections_follow_the_new_configuration_and_sessions_the_old_one() {
    world("reload", |w| {
        let old = w.home().listen("127.0.0.1:9000");
        let _new = service(w, 9001, "new");
        let running = run(w, w.home(), &relay("", 9000));
        let (client, accepted) = session(w.home(), "127.0.0.1:8000", &old);
        let said = reload(w, &running, &relay("", 9001), "reloaded");
        assert!(said.contains("listeners=1 opened=0 closed=0"), "{said}");
        wait_for_reply(w.home(), "127.0.0.1:8000", "new");
        exchange(&client, &accepted);
    });
}

#[test]
fn listeners_come_and_go_with_their_lines() {
    world("reload-listeners", |w| {
        let _service = service(w, 9000, "here");
        let running = run(w, w.home(), &relay("", 9000));
        let moved = relay("", 9000).replace(":8000", ":8001");
        let said = reload(w, &running, &moved, "reloaded");
        assert!(said.contains("listeners=1 opened=1 closed=1"), "{said}");
        line_with(&running, &["l listens at 127.0.0.1:8001"]);
        wait_until_refused(w.home(), "127.0.0.1:8000");
        expect_reply(w.home(), "127.0.0.1:8001", "here");
    });
}

#[test]
fn a_configuration_that_is_no_good_changes_nothing_and_is_reported() {
    world("reload-bad", |w| {
        let _service = service(w, 9000, "old");
        let _new = service(w, 9001, "new");
        let _taken = w.home().listen("127.0.0.1:8009");
        let running = run(w, w.home(), &relay("", 9000));
        let with_taken = format!("{}  bind 127.0.0.1:8009\n", relay("", 9001));
        for (config, why) in [
            (
                &*relay("", 9001).replace("server s", "serve s"),
                "the configuration is not valid: 1 error",
            ),
            (&with_taken, "Address already in use"),
            (DEFAULTS, "nothing to relay"),
            (
                &relay("  user nobody\n", 9001),
                "`user` cannot change while nsproxy runs",
            ),
        ] {
            let said = reload(w, &running, config, "reload-refused");
            assert!(said.contains(why), "{said}");
            expect_reply(w.home(), "127.0.0.1:8000", "old");
        }
        // The file is gone altogether.
        fs::remove_file(w.path("nsproxy.cfg")).unwrap();
        running.signal(Signal::SIGHUP);
        running.wait_for_output("No such file or directory", soon());
        expect_reply(w.home(), "127.0.0.1:8000", "old");
        reload(w, &running, &relay("", 9001), "reloaded");
        wait_for_reply(w.home(), "127.0.0.1:8000", "new");
    });
}

#[test]
fn what_takes_a_new_start_is_named() {
    world("reload-fixed", |w| {
        let _service = service(w, 9000, "here");
        let running = run(w, w.home(), &relay("", 9000));
        let pidfile = w.path("nsproxy.pid");
        let config = relay(&format!("  pidfile {}\n  daemon\n", pidfile.display()), 9000);
        reload(w, &running, &config, "reloaded");
        for keyword in ["daemon", "pidfile"] {
            line_with(&running, &["reload-incomplete", &format!("keyword={keyword}")]);
        }
        assert!(!pidfile.exists());
    });
}

/// A syslog daemon's socket, and where it is.
fn syslog(w: &World) -> (PathBuf, Syslog) {
    let path = w.path("log");
    let syslog = Syslog::at(&path);
    (path, syslog)
}

/// Descriptors and threads that a process has.
fn held(pid: u32) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    (count("fd"), count("task"))
}

#[test]
fn log_targets_follow_and_nothing_of_the_old_configuration_is_left() {
    world("reload-leaks", |w| {
        let _service = service(w, 9000, "here");
        let (path, syslog) = syslog(w);
        let plain = relay("", 9000);
        // A log, a check, a name: each brings a thread and descriptors.
        let rich = format!(
            "{plain}  option tcplog\n  log {} local0\n  server checked 127.0.0.1:9000 check\n  \
             server named localhost:9000 init-addr none\n",
            path.display()
        );
        let running = run(w, w.home(), &plain);
        expect_reply(w.home(), "127.0.0.1:8000", "here");
        reload(w, &running, &plain, "reloaded");
        let before = held(running.pid());
        for _ in 0..3 {
            reload(w, &running, &rich, "reloaded");
            eventually(DEFAULT_DEADLINE, "a line of a session", || {
                expect_reply(w.home(), "127.0.0.1:8000", "here");
                syslog.line().contains(" l l/").then_some(())
            });
            reload(w, &running, &plain, "reloaded");
        }
        eventually(
            DEFAULT_DEADLINE,
            "as many descriptors and threads as before",
            || (held(running.pid()) == before).then_some(()),
        );
    });
}

#[test]
fn there_may_be_more_workers_than_at_the_start_and_fewer() {
    world("reload-workers", |w| {
        let _service = service(w, 9000, "here");
        let socket = w.path("admin.sock");
        let config = |count: usize| {
            let global = format!("  stats socket {}\n  nbthread {count}\n", socket.display());
            relay(&global, 9000)
        };
        let running = run(w, w.home(), &config(2));
        for count in [1, 2, 70, 3, 71, 1] {
            reload(w, &running, &config(count), "reloaded");
            expect_reply(w.home(), "127.0.0.1:8000", "here");
            let told = answer(&socket, "show info");
            assert!(told.contains(&format!("Nbthread: {count}\n")), "{told}");
        }
        assert!(!running.stderr().contains("reload-incomplete"));
    });
}

#[test]
fn a_session_is_logged_as_the_configuration_says_that_it_began_with() {
    world("reload-log", |w| {
        let origin = w.home().listen("127.0.0.1:9000");
        let (path, syslog) = syslog(w);
        let logged = format!(
            "{}  log-format OLD\n  log {} local0\n",
            relay("", 9000),
            path.display()
        );
        let running = run(w, w.home(), &logged);
        let (client, accepted) = session(w.home(), "127.0.0.1:8000", &origin);
        // The log is gone, and so is the frontend.
        let other = relay("", 9000)
            .replace("listen l", "listen other")
            .replace(":8000", ":8001");
        reload(w, &running, &other, "reloaded");
        client.close();
        accepted.close();
        let text = syslog.line();
        assert!(text.contains("OLD"), "{text}");
    });
}

#[test]
fn health_outlives_a_reload() {
    world("reload-health", |w| {
        let _service = service(w, 9000, "here");
        let servers = "  default-server check inter 50 fall 1\n  server dead 127.0.0.1:9\n  server s ";
        let config = relay("", 9000).replace("  server s ", servers);
        let running = run(w, w.home(), &config);
        line_with(&running, &["Server l/dead is DOWN"]);
        reload(w, &running, &config, "reloaded");
        reload(w, &running, &config, "reloaded");
        for _ in 0..10 {
            expect_reply(w.home(), "127.0.0.1:8000", "here");
        }
        assert_eq!(running.stderr().matches("Server l/dead is DOWN").count(), 1);
    });
}

#[test]
fn counters_outlive_a_reload() {
    world("reload-counters", |w| {
        let _echo = Service::echo(w.home().listen("127.0.0.1:9000"));
        let socket = w.path("admin.sock");
        let config = |count: usize| {
            let global = format!("  stats socket {}\n  nbthread {count}\n", socket.display());
            relay(&global, 9000)
        };
        let running = run(w, w.home(), &config(1));
        let session = || {
            let client = w.home().connect("127.0.0.1:8000");
            client.send("count me");
            client.expect("count me");
            client.half_close();
            client.expect_eof();
        };
        // Of the frontend, the server and the backend; sums and the most that ever were.
        let counted = || {
            let rows = stat(&socket);
            let row = |name: &str| {
                let row = &rows[&("l".to_owned(), name.to_owned())];
                ["stot", "bin", "bout", "smax", "rate_max"].map(|column| row[column].clone())
            };
            ["FRONTEND", "s", "BACKEND"].map(row)
        };
        for _ in 0..5 {
            session();
        }
        eventually(DEFAULT_DEADLINE, "the sessions to be counted", || {
            (counted()[0][1] == "40").then_some(())
        });
        let before = counted();
        assert_eq!(before[1][..3], ["5", "40", "40"]);
        // By workers that were not there before, too.
        for (count, sessions) in [(1, 5), (3, 6), (2, 7)] {
            reload(w, &running, &config(count), "reloaded");
            if sessions == 5 {
                assert_eq!(counted(), before);
            } else {
                session();
            }
            let all = (sessions * 8).to_string();
            eventually(DEFAULT_DEADLINE, "the sessions to be counted", || {
                let of = |row: &[String; 5]| row[0] == sessions.to_string() && row[1] == all && row[2] == all;
                counted().iter().all(of).then_some(())
            });
        }
        assert!(answer(&socket, "show info").contains("\nCumConns: 7\n"));
    });
}

#[test]
fn a_changed_host_name_is_looked_up_before_it_counts_and_the_old_one_is_not_asked_any_more() {
    world("reload-names", |w| {
        etc(&[("resolv.conf", "nameserver 127.0.0.1\n")]);
        let _services = [("127.0.0.1", "one"), ("127.0.0.2", "two")]
            .map(|(address, name)| Service::reply(w.home().listen(&*format!("{address}:9000")), name));
        let dns = w.home().dns("127.0.0.1:53");
        for (name, address) in [("one.example", "127.0.0.1"), ("two.example", "127.0.0.2")] {
            dns.set(name, DnsAnswer::Addresses(vec![address.parse().unwrap()]));
        }
        dns.set("none.example", DnsAnswer::Addresses(Vec::new()));
        let config = |host: &str| {
            format!(
                "{DEFAULTS}resolvers dns\n  nameserver ns 127.0.0.1:53\n  timeout resolve 100ms\n  \
                 timeout retry 100ms\n  hold valid 100ms\nlisten l\n  bind 127.0.0.1:8000\n  \
                 server s {host}:9000 resolvers dns init-addr libc,127.0.0.1\n"
            )
        };
        let running = run(w, w.home(), &config("one.example"));
        wait_for_reply(w.home(), "127.0.0.1:8000", "one");
        reload(w, &running, &config("two.example"), "reloaded");
        wait_for_reply(w.home(), "127.0.0.1:8000", "two");
        let asked = dns.asked("one.example");
        eventually(DEFAULT_DEADLINE, "three more questions", || {
            (dns.asked("two.example") > 5).then_some(())
        });
        assert!(dns.asked("one.example") <= asked + 1);
        // One that must have an address and has none is refused; the server stays where it is.
        let strict = config("none.example").replace("libc,127.0.0.1", "libc");
        let said = reload(w, &running, &strict, "reload-refused");
        assert!(said.contains("`none.example` has no address"), "{said}");
        expect_reply(w.home(), "127.0.0.1:8000", "two");
        let asked = dns.asked("two.example");
        eventually(DEFAULT_DEADLINE, "the old name to be watched again", || {
            (dns.asked("two.example") > asked + 2).then_some(())
        });
    });
}

#[test]
fn signals_that_come_during_a_reload_are_answered_together() {
    world("reload-together", |w| {
        let dns = w.home().dns("127.0.0.1:53");
        dns.set("slow.example", DnsAnswer::Silence);
        let running = run(w, w.home(), &relay("", 9000));
        let slow = format!(
            "{}  server slow slow.example:9000 resolvers dns init-addr libc,none\nresolvers dns\n  \
             nameserver ns 127.0.0.1:53\n  timeout retry 100ms\n  resolve_retries 1000\n",
            relay("", 9000)
        );
        w.write("nsproxy.cfg", slow);
        let is_pending = || {
            let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
            !status.contains("ShdPnd:\t0000000000000000")
        };
        // The first one waits for an address while the others come.
        for signal in 0..20 {
            running.signal(Signal::SIGHUP);
            eventually(DEFAULT_DEADLINE, "the signal to be taken", || {
                (!is_pending() && (signal > 0 || dns.asked("slow.example") > 0)).then_some(())
            });
        }
        dns.set(
            "slow.example",
            DnsAnswer::Addresses(vec!["127.0.0.1".parse().unwrap()]),
        );
        let reloads = || running.stderr().matches(" reloaded ").count();
        eventually(DEFAULT_DEADLINE, "two reloads", || (reloads() > 1).then_some(()));
        running.signal(Signal::SIGTERM);
        let said = running.wait().expect_code(0);
        // The last one may have been told of a moment later.
        let count = said.matches(" reloaded ").count();
        assert!((2..=3).contains(&count), "{count} reloads: {said}");
    });
}

#[test]
fn twenty_reloads_under_load_lose_no_connection() {
    world("reload-load", |w| {
        let _echoes = [9000, 9001].map(|port| Service::echo(w.home().listen(&*format!("127.0.0.1:{port}"))));
        let config = |round: usize| {
            let port = 9000 + u16::try_from(round % 2).unwrap();
            // A listener comes and goes beside the one that is used.
            let extra = if round.is_multiple_of(3) {
                "  bind 127.0.0.1:8001\n"
            } else {
                ""
            };
            // More than at the start, and fewer.
            let global = format!("  nbthread {}\n", 1 + round * 3 % 7);
            format!("{}{extra}", relay(&global, port))
        };
        let running = run(w, w.home(), &config(1));
        under_load(w.home(), "127.0.0.1:8000", 20, |round| {
            reload(w, &running, &config(round), "reloaded");
        });
        running.signal(Signal::SIGTERM);
        let said = running.wait().expect_code(0);
        assert!(said.contains("(0 failed)"), "{said}");
    });
}
