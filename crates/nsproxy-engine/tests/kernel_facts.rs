//! What the engine takes for granted of Linux, each shown by itself on real sockets.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use netns_core::NetnsId;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::pipe2;
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, eventually, world};
use socket2::{Domain, SockAddr, Socket, Type};

const LOOPBACK: &str = "127.0.0.1:0";

/// A peer, and our end of its connection as the engine has it: accepted, non-blocking, urgent data in line.
fn pair() -> (Peer, Socket) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.set_out_of_band_inline(true).unwrap();
    listener.set_tcp_nodelay(true).unwrap();
    listener.bind(&any_port()).unwrap();
    listener.listen(8).unwrap();
    let peer = Peer::connect(listener.local_addr().unwrap().as_socket().unwrap());
    let (socket, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    (peer, socket)
}

fn any_port() -> SockAddr {
    SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// What the engine asks for of every socket.
const TELLING: EpollFlags = EpollFlags::EPOLLIN
    .union(EpollFlags::EPOLLRDHUP)
    .union(EpollFlags::EPOLLPRI)
    .union(EpollFlags::EPOLLET);

/// An edge-triggered poller of one socket, with everything that the engine asks for.
fn edges(socket: &impl AsFd) -> Epoll {
    let epoll = edges_but_of_room(socket);
    await_room(&epoll, socket);
    epoll
}

/// The same, as long as no room was needed that was not there.
fn edges_but_of_room(socket: &impl AsFd) -> Epoll {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    epoll.add(socket, EpollEvent::new(TELLING, 0)).unwrap();
    epoll
}

fn await_room(epoll: &Epoll, socket: &impl AsFd) {
    let mut wanted = EpollEvent::new(TELLING | EpollFlags::EPOLLOUT, 0);
    epoll.modify(socket, &mut wanted).unwrap();
}

/// The next event, if one comes soon.
fn next_event(epoll: &Epoll, patience: Duration) -> Option<EpollFlags> {
    let mut events = [EpollEvent::empty()];
    let timeout = EpollTimeout::try_from(patience).unwrap();
    let count = epoll.wait(&mut events, timeout).unwrap();
    (count == 1).then(|| events[0].events())
}

/// Waits for an event that says this.
fn expect_event(epoll: &Epoll, flag: EpollFlags) -> EpollFlags {
    eventually(DEFAULT_DEADLINE, "an event", || {
        next_event(epoll, Duration::from_millis(100)).filter(|events| events.contains(flag))
    })
}

fn expect_no_event(epoll: &Epoll) {
    assert_eq!(next_event(epoll, Duration::from_millis(50)), None);
}

fn would_block<T: std::fmt::Debug>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).unwrap()
}

fn splice_in(socket: &Socket, pipe: &OwnedFd) -> std::io::Result<usize> {
    Ok(splice(
        socket,
        None,
        pipe,
        None,
        1 << 20,
        SpliceFFlags::SPLICE_F_NONBLOCK,
    )?)
}

/// Waits until `count` bytes are in the socket's receive queue.
fn await_queued(socket: &Socket, count: usize) {
    let mut buffer = vec![std::mem::MaybeUninit::uninit(); count];
    eventually(DEFAULT_DEADLINE, "bytes to arrive", || {
        (socket.peek(&mut buffer).ok()? >= count).then_some(())
    });
}

/// Waits for the peer's reset without taking the pending error.
fn await_reset(socket: &Socket) {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    epoll
        .add(socket, EpollEvent::new(EpollFlags::empty(), 0))
        .unwrap();
    expect_event(&epoll, EpollFlags::EPOLLERR);
}

#[test]
fn a_short_recv_means_drained_and_more_bytes_bring_a_new_edge() {
    let (peer, mut socket) = pair();
    let epoll = edges(&socket);
    peer.send("abc");
    expect_event(&epoll, EpollFlags::EPOLLIN);
    assert_eq!(socket.read(&mut [0; 100]).unwrap(), 3);
    // Nothing was read to "would block", and yet the next bytes are reported.
    peer.send("def");
    expect_event(&epoll, EpollFlags::EPOLLIN);
}

#[test]
fn an_end_that_was_reported_with_the_bytes_brings_no_edge_of_its_own() {
    let (peer, mut socket) = pair();
    peer.send("abc");
    peer.half_close();
    await_queued(&socket, 3);
    let epoll = edges(&socket);
    expect_event(&epoll, EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP);
    assert_eq!(socket.read(&mut [0; 100]).unwrap(), 3);
    expect_no_event(&epoll);
    assert_eq!(
        socket.read(&mut [0; 100]).unwrap(),
        0,
        "the end was there all the time"
    );
}

#[test]
fn a_recv_stops_before_an_urgent_mark_although_more_is_there() {
    let (peer, mut socket) = pair();
    peer.send("abc");
    peer.socket().send_out_of_band(b"!").unwrap();
    peer.send("def");
    let epoll = edges(&socket);
    expect_event(&epoll, EpollFlags::EPOLLPRI);
    eventually(DEFAULT_DEADLINE, "all bytes", || {
        let mut waiting = [std::mem::MaybeUninit::uninit(); 16];
        (socket.peek(&mut waiting).ok()? >= 3).then_some(())
    });
    let mut buffer = [0; 100];
    assert_eq!(socket.read(&mut buffer).unwrap(), 3);
    let mut rest = Vec::new();
    eventually(DEFAULT_DEADLINE, "the rest", || {
        let count = socket.read(&mut buffer).ok()?;
        rest.extend_from_slice(&buffer[..count]);
        (rest == b"!def").then_some(())
    });
}

#[test]
fn a_splice_does_not_get_past_an_urgent_mark_and_takes_it_for_the_end_after_a_fin() {
    let (peer, mut socket) = pair();
    let (_read, write) = pipe();
    peer.socket().send_out_of_band(b"!").unwrap();
    let epoll = edges(&socket);
    expect_event(&epoll, EpollFlags::EPOLLPRI);
    assert!(
        would_block(splice_in(&socket, &write)),
        "a byte is there, and splice says that none is"
    );
    peer.half_close();
    expect_event(&epoll, EpollFlags::EPOLLRDHUP);
    assert_eq!(
        splice_in(&socket, &write).unwrap(),
        0,
        "the end, although a byte is there"
    );
    assert_eq!(socket.read(&mut [0; 100]).unwrap(), 1, "a recv gets it");
}

#[test]
fn a_splice_into_a_full_pipe_would_block_although_the_socket_has_bytes() {
    let (peer, mut socket) = pair();
    let (_read, mut write) = pipe().into_files();
    assert_eq!(fcntl(&write, FcntlArg::F_SETPIPE_SZ(4096)).unwrap(), 4096);
    // One page is one slot: a single byte fills it.
    assert_eq!(write.write(b"x").unwrap(), 1);
    peer.send("abc");
    await_queued(&socket, 3);
    let write = OwnedFd::from(write);
    assert!(would_block(splice_in(&socket, &write)));
    assert_eq!(
        socket.read(&mut [0; 100]).unwrap(),
        3,
        "it was the pipe that was full"
    );
}

trait IntoFiles {
    fn into_files(self) -> (std::fs::File, std::fs::File);
}

impl IntoFiles for (OwnedFd, OwnedFd) {
    fn into_files(self) -> (std::fs::File, std::fs::File) {
        (self.0.into(), self.1.into())
    }
}

#[test]
fn bytes_queued_before_a_reset_can_still_be_read_and_then_the_reset_is_told_once() {
    let (peer, mut socket) = pair();
    peer.send("abc");
    await_queued(&socket, 3);
    peer.reset();
    await_reset(&socket);
    assert_eq!(socket.read(&mut [0; 100]).unwrap(), 3);
    assert_eq!(
        socket.read(&mut [0; 100]).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(
        socket.read(&mut [0; 100]).unwrap(),
        0,
        "from then on it looks like an end"
    );
}

#[test]
fn a_splice_of_a_reset_socket_tells_the_reset() {
    let (peer, socket) = pair();
    let (_read, write) = pipe();
    peer.reset();
    await_reset(&socket);
    assert_eq!(
        splice_in(&socket, &write).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn a_failed_write_takes_the_reset_with_it_and_a_later_read_reports_the_end() {
    let (peer, mut socket) = pair();
    peer.reset();
    await_reset(&socket);
    let error = socket.send_with_flags(b"x", libc::MSG_NOSIGNAL).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(
        socket
            .send_with_flags(b"x", libc::MSG_NOSIGNAL)
            .unwrap_err()
            .kind(),
        ErrorKind::BrokenPipe
    );
    assert_eq!(
        socket.read(&mut [0; 100]).unwrap(),
        0,
        "which is why the engine remembers the failed write"
    );
}

#[test]
fn after_a_fin_a_reset_is_a_broken_pipe_to_writers_and_an_end_to_readers() {
    let (peer, mut socket) = pair();
    peer.half_close();
    expect_event(&edges(&socket), EpollFlags::EPOLLRDHUP);
    peer.reset();
    await_reset(&socket);
    assert_eq!(socket.read(&mut [0; 100]).unwrap(), 0);
    assert_eq!(
        socket
            .send_with_flags(b"x", libc::MSG_NOSIGNAL)
            .unwrap_err()
            .kind(),
        ErrorKind::BrokenPipe
    );
}

#[test]
fn a_reset_socket_cannot_be_shut_down() {
    let (peer, socket) = pair();
    peer.reset();
    await_reset(&socket);
    let error = socket.shutdown(std::net::Shutdown::Write).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
}

#[test]
fn accepted_sockets_inherit_nodelay_and_urgent_data_in_line() {
    let (_peer, socket) = pair();
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.out_of_band_inline().unwrap());
}

#[test]
fn a_listener_that_was_registered_exclusively_and_not_emptied_is_reported_again() {
    let listener = Listener::bind(LOOPBACK);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
    epoll.add(&listener, EpollEvent::new(flags, 0)).unwrap();
    let _clients = [
        Peer::connect(listener.address()),
        Peer::connect(listener.address()),
    ];
    expect_event(&epoll, EpollFlags::EPOLLIN);
    let _first = listener.accept();
    expect_event(&epoll, EpollFlags::EPOLLIN);
    let _second = listener.accept();
    expect_no_event(&epoll);
}

#[test]
fn room_is_told_of_from_when_it_is_asked_for_and_at_once_if_it_is_there() {
    let (peer, socket) = pair();
    let epoll = edges_but_of_room(&socket);
    expect_no_event(&epoll);
    await_room(&epoll, &socket);
    expect_event(&epoll, EpollFlags::EPOLLOUT);
    let other = edges_but_of_room(&socket);
    let words = vec![0; 1 << 16];
    let mut sent = 0;
    let mut fill = || {
        while let Ok(bytes) = socket.send(&words) {
            sent += bytes;
        }
    };
    fill();
    await_room(&other, &socket);
    // What the kernel has moved on to the peer in the meantime has made room again.
    while next_event(&other, Duration::from_millis(20)).is_some() {
        fill();
    }
    let _ = peer.read_exact(sent);
    expect_event(&other, EpollFlags::EPOLLOUT);
}

#[test]
fn an_unconnected_socket_reports_a_hang_up_at_once() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
    expect_event(&edges(&socket), EpollFlags::EPOLLHUP);
}

#[test]
fn shutting_a_listener_down_refuses_new_connections_while_it_is_still_open() {
    let listener = Listener::bind(LOOPBACK);
    listener.socket().shutdown(std::net::Shutdown::Both).unwrap();
    let error = Peer::try_connect(listener.address()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_port_left_to_connect_is_shared_between_destinations() {
    // As many connections as there are ports, and then some: two in a range of two, to two destinations each.
    world("bind-no-port", |w| {
        w.home().run(|| {
            std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001").unwrap();
            let destinations = [Listener::bind("127.0.0.1:80"), Listener::bind("127.0.0.1:81")];
            let connected: Vec<_> = destinations
                .iter()
                .chain(&destinations)
                .map(|to| {
                    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                    setsockopt(&socket, sockopt::IpBindAddressNoPort, &true).unwrap();
                    socket
                        .bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 2], 0))))
                        .unwrap();
                    socket.connect(&SockAddr::from(to.address().inet())).unwrap();
                    socket
                })
                .collect();
            assert_eq!(connected.len(), 4);
        });
    });
}

#[test]
fn a_socket_stays_in_the_namespace_that_it_was_born_in() {
    world("birth-namespace", |w| {
        let tenant = w.add_netns("tenant1");
        let (there, cookie) = tenant.run(|| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let cookie = NetnsId::of_socket(&socket).unwrap();
            (socket, cookie)
        });
        let here = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert_ne!(NetnsId::of_socket(&here).unwrap(), cookie);
        // Bound at home, and listening abroad.
        assert_eq!(NetnsId::of_socket(&there).unwrap(), cookie);
        there.bind(&any_port()).unwrap();
        there.listen(1).unwrap();
        let address = there.local_addr().unwrap().as_socket().unwrap();
        assert_eq!(
            Peer::try_connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        drop(tenant.connect(address));
    });
}

#[test]
fn every_kind_of_socket_tells_the_cookie_of_its_namespace() {
    let cookie = |domain, kind| NetnsId::of_socket(&Socket::new(domain, kind, None).unwrap()).unwrap();
    let expected = cookie(Domain::UNIX, Type::STREAM);
    for (domain, kind) in [
        (Domain::UNIX, Type::DGRAM),
        (Domain::IPV4, Type::STREAM),
        (Domain::IPV6, Type::STREAM),
        (Domain::IPV4, Type::DGRAM),
    ] {
        assert_eq!(cookie(domain, kind), expected);
    }
}

#[test]
fn a_unix_stream_can_be_spliced_both_ways() {
    let (mut one, ours) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
    ours.set_nonblocking(true).unwrap();
    let (read, write) = pipe();
    one.write_all(b"abc").unwrap();
    assert_eq!(splice_in(&ours, &write).unwrap(), 3);
    assert_eq!(
        splice(&read, None, &ours, None, 3, SpliceFFlags::SPLICE_F_NONBLOCK).unwrap(),
        3
    );
    let mut buffer = [0; 10];
    assert_eq!(one.read(&mut buffer).unwrap(), 3);
    assert_eq!(&buffer[..3], b"abc");
}
