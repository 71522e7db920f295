//! Sockets that are made in one namespace and used from another.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use netns_core::error::SocketOperation;
use netns_core::links::Links;
use netns_core::{Netns, NetnsId, SocketError, socket, tcp_listener, tcp_stream, udp_socket};
use socket2::{Domain, Type};
use util::in_private_namespaces;

/// A new namespace with `lo` up.
fn with_loopback() -> Netns {
    let netns = Netns::create().unwrap();
    Links::in_netns(&netns).unwrap().set_up("lo").unwrap();
    netns
}

fn any_port(address: &str) -> SocketAddr {
    format!("{address}:0").parse().unwrap()
}

#[test]
fn a_socket_stays_in_the_namespace_it_was_made_in() {
    in_private_namespaces(|| {
        let netns = Netns::create().unwrap();
        let socket = socket(&netns, Domain::IPV4, Type::STREAM, None).unwrap();
        assert_eq!(NetnsId::of_socket(&socket).unwrap(), netns.id().unwrap());
    });
}

#[test]
fn a_listener_and_a_stream_meet_inside_and_not_outside() {
    in_private_namespaces(|| {
        let netns = with_loopback();
        for address in ["127.0.0.1", "[::1]"] {
            let listener = tcp_listener(&netns, any_port(address)).unwrap();
            let address = listener.local_addr().unwrap();
            thread::scope(|scope| {
                scope.spawn(|| listener.accept().unwrap().0.write_all(b"hello").unwrap());
                let mut text = String::new();
                tcp_stream(&netns, address)
                    .unwrap()
                    .read_to_string(&mut text)
                    .unwrap();
                assert_eq!(text, "hello");
            });
            assert!(TcpStream::connect(address).is_err());
        }
    });
}

#[test]
fn the_same_address_can_be_had_in_two_namespaces() {
    in_private_namespaces(|| {
        let (a, b) = (with_loopback(), with_loopback());
        let first = tcp_listener(&a, any_port("127.0.0.1")).unwrap();
        let address = first.local_addr().unwrap();
        let second = tcp_listener(&b, address).unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
        assert!(tcp_listener(&a, address).is_err());
    });
}

#[test]
fn datagrams_arrive_inside() {
    in_private_namespaces(|| {
        let netns = with_loopback();
        let (from, to) = (
            udp_socket(&netns, any_port("127.0.0.1")).unwrap(),
            udp_socket(&netns, any_port("127.0.0.1")).unwrap(),
        );
        from.send_to(b"ping", to.local_addr().unwrap()).unwrap();
        let mut buffer = [0; 16];
        let (len, sender) = to.recv_from(&mut buffer).unwrap();
        assert_eq!(
            (&buffer[..len], sender),
            (b"ping".as_slice(), from.local_addr().unwrap())
        );
    });
}

#[test]
fn a_failed_socket_call_says_which_and_with_which_address() {
    in_private_namespaces(|| {
        // With `lo` up: a namespace that never had an interface up has no local table yet, and Linux then
        // lets a socket bind to any IPv4 address.
        let netns = with_loopback();
        let address: SocketAddr = "10.1.2.3:80".parse().unwrap();
        let error = tcp_listener(&netns, address).unwrap_err();
        assert!(matches!(
            error,
            SocketError::System { operation: SocketOperation::Bind(a), .. } if a == address
        ));
        assert!(error.to_string().contains("bind to 10.1.2.3:80"), "{error}");
        let error = tcp_stream(&Netns::create().unwrap(), "127.0.0.1:80".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("is the interface `lo` up"), "{error}");
    });
}
