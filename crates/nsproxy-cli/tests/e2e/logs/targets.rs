//! Where lines go: each kind of target, what is around a line, and targets that are missing or slow.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use nsproxy_testkit::{DEFAULT_DEADLINE, Netns, World, eventually, require, world};

use super::masked;
use crate::common::{Proxy, exchange, line_with, run, same};

/// One relay, behind what `global` says of logs.
fn config(global: &str) -> String {
    format!(
        "global\n{global}defaults\n  mode tcp\n  log global\n  option tcplog\n  timeout connect 5s\n\
         \x20 timeout client 5s\n  timeout server 5s\nlisten l\n  bind 127.0.0.1:8000\n  server s 127.0.0.1:9000\n"
    )
}

/// A session through the relay, which ends well.
#[track_caller]
fn session(home: &Netns, server: &nsproxy_testkit::Listener) {
    let client = home.connect("127.0.0.1:8000");
    let accepted = server.accept();
    exchange(&client, &accepted);
    client.close();
    accepted.expect_eof();
    accepted.close();
}

/// Plays a session with both, and returns what arrived, which must be the same.
#[track_caller]
fn both(w: &World, proxies: &[Proxy; 2], global: &str, receive: impl Fn() -> Vec<String>) -> Vec<String> {
    let server = w.home().listen("127.0.0.1:9000");
    let places = [(w.home(), "127.0.0.1:8000")];
    same(proxies, w, (w.home(), &config(global)), &places, || {
        session(w.home(), &server);
        receive()
    })
}

fn datagrams(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).expect("a path of its own");
    socket
        .set_read_timeout(Some(DEFAULT_DEADLINE))
        .expect("a timeout");
    socket
}

#[track_caller]
fn text(received: std::io::Result<usize>, buffer: &[u8]) -> String {
    let length = received.expect("a line in time");
    masked_header(&masked(&String::from_utf8_lossy(&buffer[..length])))
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
        let sockets = [datagrams(&all), datagrams(&notices)];
        let global = format!(
            "  log-tag relay\n  log {} local0\n  log {} local1 notice\n",
            all.display(),
            notices.display()
        );
        let lines = both(w, &proxies, &global, || {
            let mut buffer = [0; 1024];
            let received = sockets[0].recv(&mut buffer);
            let line = text(received, &buffer);
            // What comes there later is about the proxies themselves.
            sockets[1].set_nonblocking(true).expect("a flag");
            assert!(sockets[1].recv(&mut buffer).is_err(), "a session is no notice");
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
        let sockets = w.home().run(|| {
            [5140, 5141, 5142].map(|port| {
                let socket = UdpSocket::bind(("127.0.0.1", port)).expect("a free port");
                socket
                    .set_read_timeout(Some(DEFAULT_DEADLINE))
                    .expect("a timeout");
                socket
            })
        });
        let global = "  log-tag relay\n  log-send-hostname gateway\n\
            \x20 log 127.0.0.1:5140 format rfc5424 local1 info err\n  log 127.0.0.1:5141 local7\n\
            \x20 log 127.0.0.1:5142 len 80 format priority daemon\n";
        let lines = both(w, &proxies, global, || {
            let mut buffer = [0; 1024];
            let mut lines = Vec::new();
            for socket in &sockets {
                let received = socket.recv(&mut buffer);
                let line = text(received, &buffer);
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
            session(w.home(), &server);
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
        session(w.home(), &server);
        session(w.home(), &server);
        // Once it is there, lines come, and perhaps before them how many did not.
        let socket = datagrams(&path);
        session(w.home(), &server);
        let mut buffer = [0; 1024];
        let mut lines = std::iter::repeat_with(|| {
            let length = socket.recv(&mut buffer).expect("a line in time");
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        });
        let line = lines.find(|line| !line.starts_with("<4>log dropped="));
        assert!(line.is_some_and(|line| line.starts_with("<6>127.0.0.1:")));
    });
}

#[test]
fn a_target_that_takes_nothing_holds_up_nobody_and_is_told_what_it_has_missed() {
    world("log-slow", |w| {
        let path = w.path("log");
        let socket = datagrams(&path);
        let server = w.home().listen("127.0.0.1:9000");
        let long = "x".repeat(16_000);
        let config = format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
             listen l\n  bind 127.0.0.1:8000\n  server s 127.0.0.1:9000\n\
             \x20 log {} len 65535 format short local0\n  log-format \"{long} %ts\"\n",
            path.display()
        );
        let _running = run(w, w.home(), &config);
        // The socket holds some lines, the queue some tens of others; relaying goes on beyond.
        for _ in 0..120 {
            session(w.home(), &server);
        }
        let mut buffer = vec![0; 70_000];
        let lost = eventually(DEFAULT_DEADLINE, "the number of what was lost", || {
            // One more line brings what was lost to the target's notice.
            session(w.home(), &server);
            socket
                .set_read_timeout(Some(Duration::from_millis(20)))
                .expect("a timeout");
            while let Ok(length) = socket.recv(&mut buffer) {
                let line = String::from_utf8_lossy(&buffer[..length]);
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
        let bind = |place: &str| {
            let log = w
                .home()
                .run(|| UdpSocket::bind(place).expect("nobody else is in this namespace"));
            log.set_read_timeout(Some(DEFAULT_DEADLINE)).expect("a timeout");
            log
        };
        let (of_frontend, of_backend) = (bind("127.0.0.1:5140"), bind("127.0.0.1:5141"));
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
                let mut buffer = [0; 2048];
                let mut receive = |log: &UdpSocket| {
                    let length = log.recv(&mut buffer).expect("a line in time");
                    String::from_utf8_lossy(&buffer[..length]).into_owned()
                };
                let down = [receive(&of_backend), receive(&of_backend)];
                session(w.home(), &server);
                let line = receive(&of_frontend);
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
