//! Where lines go: each kind of target, what is around a line, and targets that are missing or slow.

use std::time::Duration;

use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Netns, World, eventually, require, world};

use super::masked;
use crate::common::{Proxy, RELAY, finish, line_with, run, same, session};
use crate::syslog::Syslog;

/// One relay, behind what `global` says of logs.
fn config(global: &str) -> String {
    format!(
        "global\n{global}defaults\n  mode tcp\n  log global\n  option tcplog\n  timeout connect 5s\n\
         \x20 timeout client 5s\n  timeout server 5s\n{RELAY}"
    )
}

/// A session through the relay, which ends well.
#[track_caller]
fn one_session(home: &Netns, server: &Listener) {
    let (client, accepted) = session(home, "127.0.0.1:8000", server);
    finish(client, accepted);
}

/// Plays a session with both, and returns what arrived, which must be the same.
#[track_caller]
fn both(w: &World, proxies: &[Proxy; 2], global: &str, receive: impl Fn() -> Vec<String>) -> Vec<String> {
    let server = w.home().listen("127.0.0.1:9000");
    let places = [(w.home(), "127.0.0.1:8000")];
    same(proxies, w, (w.home(), &config(global)), &places, || {
        one_session(w.home(), &server);
        receive()
    })
}

/// The next line of tcplog, masked as a whole.
#[track_caller]
fn masked_line(log: &Syslog) -> String {
    masked_header(&masked(&log.line()))
}

/// Dates and process numbers of syslog headers are replaced: they stand before the client's address.
fn masked_header(line: &str) -> String {
    let (header, message) = line.split_once("127.0.0.1:PORT").expect("a line of tcplog");
    let words = header.split_inclusive(' ').map(|word| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        match word.split_once('[') {
            Some((tag, _)) => format!("{tag}[PID]: "),
            None if digits > 1 && !word.starts_with('<') => "N ".to_owned(),
            None if digits > 0 && word.contains('T') && word.contains('+') => "TIME ".to_owned(),
            None => match word.split_once('>') {
                Some((priority, rest)) if rest.contains(char::is_alphabetic) => format!("{priority}>MON "),
                _ => word.to_owned(),
            },
        }
    });
    words.collect::<String>() + "127.0.0.1:PORT" + message
}

#[test]
fn debians_log_lines_reach_the_syslog_socket_and_sessions_are_no_notice() {
    let proxies = require!(Proxy::both());
    world("log-debian", |w| {
        let [all, notices] = ["log", "notices"].map(|name| w.path(name));
        let sockets = [Syslog::at(&all), Syslog::at(&notices)];
        let global = format!(
            "  log-tag relay\n  log {} local0\n  log {} local1 notice\n",
            all.display(),
            notices.display()
        );
        let lines = both(w, &proxies, &global, || {
            let line = masked_line(&sockets[0]);
            // What comes there later is about the proxies themselves.
            assert!(sockets[1].is_empty(), "a session is no notice");
            vec![line]
        });
        let expected = "<134>MON N N relay[PID]: 127.0.0.1:PORT [DATE] l l/s T/T/T 9 -- N/N/N/N/0 0/0\n";
        assert_eq!(lines, [expected]);
    });
}

#[test]
fn each_format_has_haproxys_header_and_levels_are_raised_alike() {
    let proxies = require!(Proxy::both());
    world("log-formats", |w| {
        let sockets = [5140, 5141, 5142].map(|port| Syslog::udp(w.home(), port));
        let global = "  log-tag relay\n  log-send-hostname gateway\n\
            \x20 log 127.0.0.1:5140 format rfc5424 local1 info err\n  log 127.0.0.1:5141 local7\n\
            \x20 log 127.0.0.1:5142 len 80 format priority daemon\n";
        let lines = both(w, &proxies, global, || {
            let mut lines = Vec::new();
            for socket in &sockets {
                let line = masked_line(socket);
                // Where a line is cut depends on what is masked.
                let end = if line.starts_with("<30>") {
                    "<30>".len()
                } else {
                    line.len()
                };
                lines.push(line[..end].to_owned());
            }
            lines
        });
        let rest = "127.0.0.1:PORT [DATE] l l/s T/T/T 9 -- N/N/N/N/0 0/0\n";
        let expected = [
            format!("<142>1 N gateway relay N - - {rest}"),
            format!("<190>MON N N gateway relay[PID]: {rest}"),
            "<30>".to_owned(),
        ];
        assert_eq!(lines, expected);
    });
}

#[test]
fn descriptors_are_written_as_they_are() {
    let proxies = require!(Proxy::both());
    world("log-descriptors", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let global = "  log stdout format raw local0\n  log fd@2 format short local0\n";
        let [haproxy, nsproxy] = proxies.each_ref().map(|proxy| {
            let running = proxy.start(w, w.home(), &config(global), &[(w.home(), "127.0.0.1:8000")]);
            one_session(w.home(), &server);
            let line = eventually(DEFAULT_DEADLINE, "a line on standard output", || {
                let printed = running.stdout();
                printed.ends_with('\n').then_some(printed)
            });
            [masked(&line), masked(&line_with(&running, &["<6>127.0.0.1:"]))]
        });
        let rest = "[DATE] l l/s T/T/T 9 -- N/N/N/N/0 0/0";
        assert_eq!(nsproxy[0], format!("127.0.0.1:PORT {rest}\n"));
        assert_eq!(nsproxy[1], format!("<6>127.0.0.1:PORT {rest}"));
        assert_eq!(nsproxy, haproxy);
    });
}

#[test]
fn a_syslog_socket_that_is_missing_at_the_start_is_warned_about_and_found_later() {
    world("log-missing", |w| {
        let path = w.path("log");
        let server = w.home().listen("127.0.0.1:9000");
        let global = format!("  log {} format short local0\n", path.display());
        let running = run(w, w.home(), &config(&global));
        line_with(
            &running,
            &["warning", &path.display().to_string(), "is not there"],
        );
        one_session(w.home(), &server);
        one_session(w.home(), &server);
        // Once it is there, lines come, and perhaps before them how many did not.
        let socket = Syslog::at(&path);
        one_session(w.home(), &server);
        let mut lines = std::iter::repeat_with(|| socket.line());
        let line = lines.find(|line| !line.starts_with("<4>log dropped="));
        assert!(line.is_some_and(|line| line.starts_with("<6>127.0.0.1:")));
    });
}

#[test]
fn a_target_that_takes_nothing_holds_up_nobody_and_is_told_what_it_has_missed() {
    world("log-slow", |w| {
        let path = w.path("log");
        let socket = Syslog::at(&path);
        let server = w.home().listen("127.0.0.1:9000");
        let long = "x".repeat(16_000);
        let config = format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
             {RELAY}  log {} len 65535 format short local0\n  log-format \"{long} %ts\"\n",
            path.display()
        );
        let _running = run(w, w.home(), &config);
        // The socket holds some lines, the queue some tens of others; relaying goes on beyond.
        for _ in 0..120 {
            one_session(w.home(), &server);
        }
        let lost = eventually(DEFAULT_DEADLINE, "the number of what was lost", || {
            // One more line brings what was lost to the target's notice.
            one_session(w.home(), &server);
            socket.wait_for(Duration::from_millis(20));
            while let Ok(line) = socket.try_line() {
                if let Some(lost) = line.strip_prefix("<4>log dropped=") {
                    return lost.trim_end().parse::<u32>().ok();
                }
            }
            None
        });
        assert!((1..120).contains(&lost), "{lost} of 120 lines lost");
    });
}

#[test]
fn what_there_is_to_say_about_servers_goes_to_the_log_of_their_backend() {
    let proxies = require!(Proxy::both());
    world("backend-log", |w| {
        let [of_frontend, of_backend] = [5140, 5141].map(|port| Syslog::udp(w.home(), port));
        let server = w.home().listen("127.0.0.1:9000");
        // Only a rule leads to the backend, and its server is down.
        let config = "defaults\n  mode tcp\n  option tcplog\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
                      frontend l\n  log 127.0.0.1:5140 format raw local0\n  bind 127.0.0.1:8000\n\
                      \x20 use_backend b if { dst_port 1 }\n  default_backend other\n\
                      backend other\n  server s 127.0.0.1:9000\n\
                      backend b\n  log 127.0.0.1:5141 format raw local1\n  log-tag servers\n\
                      \x20 server s 127.0.0.1:9999 check inter 100ms fall 1\n";
        let said = same(
            &proxies,
            w,
            (w.home(), config),
            &[(w.home(), "127.0.0.1:8000")],
            || {
                let down = [of_backend.line(), of_backend.line()];
                one_session(w.home(), &server);
                let line = of_frontend.line();
                assert!(line.contains(" other/s "), "{line}");
                down.map(|line| {
                    line.split(", check duration")
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                })
            },
        );
        assert_eq!(said[1], "backend b has no server available!\n");
    });
}
