//! Targets as they are: pipes that nobody reads, sockets that go and come back.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nsproxy_log::{Address, DEFAULT_LEN, Facility, Framing, Identity, Level, Settings, Target};

/// Longer than anything takes, shorter than a test may hang.
const DEADLINE: Duration = Duration::from_secs(10);

fn settings(address: Address) -> Settings {
    Settings {
        address,
        framing: Framing::Raw,
        max_len: DEFAULT_LEN,
        facility: Facility::LOCAL0,
        level: Level::Debug,
        min_level: Level::Emerg,
        identity: Identity::new("t"),
        losses: Arc::default(),
    }
}

fn unix_target(path: &Path) -> Target {
    Target::start(settings(Address::Unix(path.to_owned()))).expect("a thread")
}

fn receive(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 2048];
    socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let length = socket.recv(&mut buffer).expect("a datagram in time");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn info(target: &Target, text: &str) {
    target.log(Level::Info, b"", text.as_bytes());
}

#[test]
fn lines_come_to_a_descriptor_in_their_order() {
    let (reader, writer) = std::io::pipe().unwrap();
    let target = Target::start(settings(Address::Fd(writer.as_raw_fd()))).unwrap();
    drop(writer);
    for number in 0..100 {
        info(&target, &format!("line {number}"));
    }
    assert!(target.finish(DEADLINE));
    let lines: Vec<_> = BufReader::new(reader).lines().map(Result::unwrap).collect();
    let expected: Vec<_> = (0..100).map(|number| format!("line {number}")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_descriptor_that_is_not_open_is_refused() {
    assert!(Target::start(settings(Address::Fd(9_999_999))).is_err());
    assert!(Target::start(settings(Address::Fd(-1))).is_err());
}

#[test]
fn a_pipe_that_nobody_reads_holds_nobody_up_and_is_told_what_it_missed() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let settings = settings(Address::Fd(writer.as_raw_fd()));
    let losses = Arc::clone(&settings.losses);
    let target = Target::start(settings).unwrap();
    drop(writer);
    let line = "x".repeat(1000);
    let start = Instant::now();
    for _ in 0..10_000 {
        info(&target, &line);
    }
    assert!(start.elapsed() < DEADLINE, "logging waited for the pipe");
    assert!(!target.finish(Duration::from_millis(20)), "nobody has read");

    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let written = text.lines().filter(|got| **got == line).count();
    let reported: Vec<usize> = text
        .lines()
        .filter_map(|got| got.strip_prefix("log dropped="))
        .map(|count| count.parse().unwrap())
        .collect();
    assert!(!reported.is_empty(), "the pipe took everything");
    let reported = reported.iter().sum::<usize>();
    assert_eq!(written + reported, 10_000);
    assert_eq!(losses.load(Ordering::Relaxed), reported as u64);
}

#[test]
fn a_descriptor_that_somebody_made_non_blocking_loses_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let target = Target::start(settings(Address::Fd(writer.as_raw_fd()))).unwrap();
    drop(writer);
    // More than the pipe holds, less than the queue does.
    for number in 0..3000 {
        info(&target, &format!("{number:0100}"));
    }
    let reading = std::thread::spawn(move || BufReader::new(reader).lines().map(Result::unwrap).count());
    assert!(target.finish(DEADLINE));
    drop(target);
    assert_eq!(reading.join().unwrap(), 3000);
}

#[test]
fn a_syslog_socket_that_comes_back_is_found_and_told_what_it_missed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let target = unix_target(&path);
    info(&target, "one");
    assert_eq!(receive(&daemon), "one\n");

    drop(daemon);
    std::fs::remove_file(&path).unwrap();
    info(&target, "lost");
    info(&target, "lost, too");
    // There is no way to see that the lines were refused but the count that follows, so lines go on until it comes.
    let daemon = {
        let fresh = directory.path().join("fresh");
        let daemon = UnixDatagram::bind(&fresh).unwrap();
        std::fs::rename(&fresh, &path).unwrap();
        daemon
    };
    info(&target, "back");
    let mut seen = Vec::new();
    while seen.last().is_none_or(|line| line != "back\n") {
        seen.push(receive(&daemon));
    }
    // What was sent before the new socket was there is lost and counted; the queue keeps the order.
    let dropped = seen.iter().find_map(|line| line.strip_prefix("log dropped="));
    let arrived = seen.iter().filter(|line| line.starts_with("lost")).count();
    let count: usize = dropped.map_or(0, |count| count.trim_end().parse().unwrap());
    assert_eq!(count + arrived, 2);
}

#[test]
fn a_syslog_socket_that_nobody_reads_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let target = unix_target(&path);
    let start = Instant::now();
    for number in 0..20_000 {
        info(&target, &format!("{number:0100}"));
    }
    assert!(start.elapsed() < DEADLINE, "logging waited for the socket");
    assert!(receive(&daemon).ends_with("0\n"));
}

#[test]
fn a_syslog_socket_of_streams_gets_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let daemon = UnixListener::bind(&path).unwrap();
    let target = unix_target(&path);
    info(&target, "one");
    info(&target, "two");
    let (stream, _) = daemon.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("one"));
    assert_eq!(lines.next().as_deref(), Some("two"));
}

#[test]
fn a_syslog_server_gets_a_datagram_for_each_line() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut settings = settings(Address::Udp(server.local_addr().unwrap()));
    settings.framing = Framing::Priority;
    settings.level = Level::Notice;
    settings.min_level = Level::Warning;
    let target = Target::start(settings).unwrap();
    target.log(Level::Info, b"", b"not severe enough");
    target.log(Level::Notice, b"", b"severe enough");
    target.log(Level::Emerg, b"", b"less severe than it says");
    let mut buffer = [0; 100];
    let mut next = || {
        let length = server.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert_eq!(next(), "<133>severe enough\n");
    assert_eq!(next(), "<132>less severe than it says\n");
}

#[test]
fn a_reader_that_has_gone_is_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    let target = Target::start(settings(Address::Fd(writer.as_raw_fd()))).unwrap();
    drop((reader, writer));
    info(&target, "to nobody");
    assert!(target.finish(DEADLINE));
}
