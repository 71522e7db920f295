//! Start and end of `nsproxy run`, and what is left of sessions that have ended.

use std::fs;

use nsproxy_testkit::{
    DEFAULT_DEADLINE, Listener, Netns, Peer, Program, Running, Service, Signal, World, eventually, require,
    world,
};

use crate::common::{
    DEFAULTS, RELAY, SILENCE, exchange, finish, joined, line_with, run, run_command, session,
    wait_until_refused,
};

/// nsproxy with `RELAY` in the home namespace, a session through it, and the server.
fn one_session(w: &World) -> (Running, [Peer; 2], Listener) {
    let server = w.home().listen("127.0.0.1:9000");
    let running = run(w, w.home(), &format!("{DEFAULTS}{RELAY}"));
    let (client, accepted) = session(w.home(), "127.0.0.1:8000", &server);
    (running, [client, accepted], server)
}

fn drains_on(signal: Signal, name: &str) {
    world(name, |w| {
        let (mut running, [client, accepted], _server) = one_session(w);
        running.signal(signal);
        wait_until_refused(w.home(), "127.0.0.1:8000");
        exchange(&client, &accepted);
        assert!(running.is_running());
        client.half_close();
        accepted.expect_eof();
        accepted.send("the last words");
        accepted.close();
        client.expect("the last words");
        client.expect_eof();
        let said = running.wait().expect_code(0);
        assert!(said.contains("nsproxy: ended after "), "{said}");
    });
}

#[test]
fn sigterm_refuses_new_connections_and_lets_sessions_finish() {
    drains_on(Signal::SIGTERM, "drain-sigterm");
}

#[test]
fn sigint_refuses_new_connections_and_lets_sessions_finish() {
    drains_on(Signal::SIGINT, "drain-sigint");
}

#[test]
fn sigusr1_refuses_new_connections_and_lets_sessions_finish() {
    drains_on(Signal::SIGUSR1, "drain-sigusr1");
}

#[test]
fn every_session_finishes_when_it_drains() {
    world("drain-all", |w| {
        let _echo = Service::echo(w.home().listen("127.0.0.1:9000"));
        let mut running = run(w, w.home(), &format!("{DEFAULTS}{RELAY}"));
        let clients: Vec<_> = (0..40).map(|_| w.home().connect("127.0.0.1:8000")).collect();
        for client in &clients {
            client.send("before");
            client.expect("before");
        }
        running.signal(Signal::SIGTERM);
        line_with(&running, &["draining", "sessions=40", "limit=30s"]);
        for client in clients {
            assert!(running.is_running());
            client.send("after");
            client.expect("after");
            client.half_close();
            client.expect_eof();
        }
        let said = running.wait().expect_code(0);
        assert!(said.contains("40 sessions (0 failed)"), "{said}");
    });
}

#[test]
fn hard_stop_after_is_a_limit_for_sessions_that_do_not_finish() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1] {
        world("hard-stop-after", |w| {
            let server = w.home().listen("127.0.0.1:9000");
            let config = format!("global\n  hard-stop-after 200ms\n{DEFAULTS}{RELAY}");
            let running = run(w, w.home(), &config);
            let (client, accepted) = session(w.home(), "127.0.0.1:8000", &server);
            running.signal(signal);
            line_with(&running, &["draining", "sessions=1", "limit=200ms"]);
            client.expect_reset();
            accepted.expect_reset();
            let said = running.wait().expect_code(0);
            assert!(said.contains("reason=\"stopped\""), "{said}");
        });
    }
}

#[test]
fn a_signal_to_stop_gives_a_limit_to_what_had_none() {
    world("retire-then-stop", |w| {
        let (running, [client, accepted], _server) = one_session(w);
        running.signal(Signal::SIGUSR1);
        line_with(&running, &["draining", "limit=none"]);
        running.signal(Signal::SIGTERM);
        line_with(&running, &["draining", "limit=30s"]);
        exchange(&client, &accepted);
        running.signal(Signal::SIGTERM);
        client.expect_reset();
        running.wait().expect_code(0);
    });
}

#[test]
fn a_relay_without_sessions_ends_at_once() {
    world("drain-idle", |w| {
        let running = run(w, w.home(), &format!("{DEFAULTS}{RELAY}"));
        running.signal(Signal::SIGTERM);
        let said = running.wait().expect_code(0);
        assert!(
            said.contains("nsproxy: ended after no session (0 failed), 0 bytes up, 0 bytes down"),
            "{said}"
        );
    });
}

#[test]
fn a_second_signal_resets_what_is_left() {
    for (first, second) in [
        (Signal::SIGTERM, Signal::SIGTERM),
        (Signal::SIGINT, Signal::SIGTERM),
    ] {
        world("second-signal", |w| {
            let (running, [client, accepted], _server) = one_session(w);
            running.signal(first);
            wait_until_refused(w.home(), "127.0.0.1:8000");
            running.signal(second);
            client.expect_reset();
            accepted.expect_reset();
            let said = running.wait().expect_code(0);
            assert!(said.contains("reason=\"stopped\""), "{said}");
        });
    }
}

#[test]
fn a_session_that_waits_for_its_header_is_drained_too() {
    world("drain-header", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let config = format!("{DEFAULTS}{}", RELAY.replace(":8000", ":8000 accept-proxy"));
        let running = run(w, w.home(), &config);
        let client = w.home().connect("127.0.0.1:8000");
        client.send("PROXY ");
        // A second one, complete, shows that the first has been accepted before the signal.
        let other = w.home().connect("127.0.0.1:8000");
        other.send("PROXY UNKNOWN\r\n");
        exchange(&other, &server.accept());
        running.signal(Signal::SIGTERM);
        wait_until_refused(w.home(), "127.0.0.1:8000");
        client.send("UNKNOWN\r\n");
        let accepted = server.accept();
        exchange(&client, &accepted);
        finish(client, accepted);
        other.close();
        running.wait().expect_code(0);
    });
}

/// What `nsproxy run` says when it ends at once with 1.
#[track_caller]
fn refusal(w: &World, netns: &Netns, config: &str) -> String {
    netns.output(run_command(w, config)).expect_code(1)
}

#[track_caller]
fn has_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn an_address_that_the_namespace_lacks_is_named_with_it() {
    world("missing-address", |w| {
        w.add_netns("tenant1");
        let config = format!(
            "{DEFAULTS}{}",
            RELAY.replace("127.0.0.1:8000", "10.9.9.9:80 namespace tenant1")
        );
        has_all(
            &refusal(w, w.home(), &config),
            &[
                "relay `l`",
                "10.9.9.9:80",
                "tenant1",
                "Cannot assign requested address",
            ],
        );
    });
}

#[test]
fn an_address_in_use_is_named_and_nothing_is_relayed_by_halves() {
    world("address-in-use", |w| {
        let taken = w.home().listen("127.0.0.1:8001");
        let config =
            format!("{DEFAULTS}{RELAY}listen second\n  bind 127.0.0.1:8001\n  server s 127.0.0.1:9000\n");
        has_all(
            &refusal(w, w.home(), &config),
            &["relay `second`", "127.0.0.1:8001", "Address already in use"],
        );
        taken.expect_no_connection(SILENCE);
        wait_until_refused(w.home(), "127.0.0.1:8000");
    });
}

#[test]
fn a_server_in_a_missing_namespace_fails_its_sessions_and_says_so() {
    world("missing-server-netns", |w| {
        let config = format!("{DEFAULTS}{}", RELAY.replace(":9000", ":9000 namespace nowhere"));
        let running = run(w, w.home(), &config);
        w.home().connect("127.0.0.1:8000").expect_closed();
        line_with(&running, &["socket-failed", "relay=l", "server=s", "nowhere"]);
        line_with(&running, &["session ", "no socket for the server"]);
    });
}

#[test]
fn a_configuration_without_a_listener_is_refused() {
    world("no-listener", |w| {
        let errors = refusal(
            w,
            w.home(),
            &format!("{DEFAULTS}backend b\n  server s 127.0.0.1:9000\n"),
        );
        has_all(&errors, &["no listener"]);
    });
}

/// Descriptors that a process has open.
fn open_files(running: &Running) -> usize {
    let listed = fs::read_dir(format!("/proc/{}/fd", running.pid()));
    listed.expect("the process runs").count()
}

#[test]
fn nothing_stays_open_when_sessions_have_ended() {
    world("leaks", |w| {
        let service = Service::echo(w.home().listen("127.0.0.1:9000"));
        let config = format!(
            "{DEFAULTS}{}listen refused\n  bind 127.0.0.1:8001\n  retries 0\n  server s 127.0.0.1:9\n",
            RELAY.replace(":8000", ":8000 accept-proxy")
        );
        let running = run(w, w.home(), &config);
        let round = || {
            for _ in 0..20 {
                let good = w.home().connect("127.0.0.1:8000");
                good.send("PROXY UNKNOWN\r\nhello");
                good.expect("hello");
                let bad = w.home().connect("127.0.0.1:8000");
                bad.send("hello\r\n");
                bad.expect_closed();
                w.home().connect("127.0.0.1:8001").expect_closed();
                w.home().connect("127.0.0.1:8000").reset();
            }
        };
        round();
        let before = eventually(DEFAULT_DEADLINE, "the end of the sessions", || {
            (established(w.home()) == 0).then(|| open_files(&running))
        });
        round();
        eventually(DEFAULT_DEADLINE, "as many open files as before", || {
            (open_files(&running) <= before).then_some(())
        });
        drop(service);
    });
}

/// Connections that have an end in this namespace.
fn established(netns: &Netns) -> usize {
    let table = netns.run(|| fs::read_to_string("/proc/thread-self/net/tcp"));
    let table = table.expect("/proc is mounted");
    table
        .lines()
        .filter(|line| line.split_whitespace().nth(3) == Some("01"))
        .count()
}

/// Root without capabilities stands for another user, who may not be there in a user namespace.
#[test]
fn without_the_privilege_to_enter_a_namespace_it_says_so() {
    let setpriv = require!(Program::find("setpriv"));
    world("unprivileged", |w| {
        joined(w, ("tenant1", "10.0.0.1/24"), ("host1", "10.0.0.5/24"));
        let config = format!("{DEFAULTS}{}", RELAY.replace(":8000", ":8000 namespace tenant1"));
        let nsproxy = run_command(w, &config);
        let mut command = setpriv.command();
        command.args(["--bounding-set", "-all", "--inh-caps", "-all"]);
        command.arg(nsproxy.get_program()).args(nsproxy.get_args());
        let errors = w.home().output(command).expect_code(1);
        has_all(
            &errors,
            &["relay `l`", "127.0.0.1:8000", "tenant1", "CAP_SYS_ADMIN"],
        );
    });
}

#[test]
fn behind_sigkill_the_next_start_replaces_the_socket_file_and_steals_none_that_is_alive() {
    world("sigkill", |w| {
        let _echo = Service::echo(w.home().listen("127.0.0.1:9000"));
        let path = w.path("relay.sock");
        let config = format!(
            "{DEFAULTS}{}",
            RELAY.replace("127.0.0.1:8000", &path.display().to_string())
        );
        let reach = || {
            let client = w.home().connect(nsproxy_testkit::Address::Unix(path.clone()));
            client.send("there?");
            client.expect("there?");
        };
        let first = run(w, w.home(), &config);
        reach();
        has_all(
            &refusal(w, w.home(), &config),
            &["relay.sock", "Address already in use"],
        );
        reach();
        first.signal(Signal::SIGKILL);
        assert!(!first.wait().status.success());
        assert!(path.exists(), "nobody was left to remove it");
        let second = run(w, w.home(), &config);
        reach();
        second.signal(Signal::SIGTERM);
        second.wait().expect_code(0);
        assert!(!path.exists());
    });
}
