//! The load generator against its own server, with and without something broken in between.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::*;

const SHORT: Duration = Duration::from_millis(50);

fn serve(service: Service) -> (Server, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (Server::start(vec![(listener, service)]).unwrap(), address)
}

fn measure(body: impl FnOnce(Meter<'_>) -> anyhow::Result<Measured>) -> anyhow::Result<Measured> {
    let mut snapshot = || Ok(Snapshot::default());
    body(Meter::start(SHORT, SHORT, &mut snapshot)?)
}

fn place(address: SocketAddr, from: Option<&str>) -> Place {
    Place {
        address,
        netns: None,
        from: from.map(|from| from.parse().unwrap()),
    }
}

/// A server that answers each connection's first bytes with `answer`.
fn false_server(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let mut request = [0; 64];
            if socket.read(&mut request).is_err() || socket.write_all(answer).is_err() {
                break;
            }
        }
    });
    address
}

#[test]
fn requests_of_any_size_are_answered_and_counted() {
    for (connections, size) in [(1, 64), (16, 64), (4, 16 * 1024), (2, 200_000)] {
        let (server, address) = serve(Service::Echo);
        let mut requests = Requests::open(address, connections, size).unwrap();
        let measured = measure(|meter| requests.run(meter)).unwrap();
        assert!(measured.operations > 0, "{size}");
        assert_eq!(measured.bytes, measured.operations * size as u64);
        assert_eq!(measured.latencies.len(), measured.operations);
        assert!(measured.length >= SHORT);
        assert_eq!(server.counters().take_fault(), None);
    }
}

#[test]
fn a_connection_for_each_request_is_answered_and_counted() {
    let (server, address) = serve(Service::Echo);
    let mut connect = Connect::new(vec![place(address, None)], 8, false).unwrap();
    let measured = measure(|meter| connect.run(meter)).unwrap();
    assert!(measured.operations > 0);
    assert_eq!(server.counters().take_fault(), None);
}

#[test]
fn the_header_is_taken_off_before_the_echo() {
    let (server, address) = serve(Service::EchoAfterHeader);
    let mut connect = Connect::new(vec![place(address, None)], 8, true).unwrap();
    assert!(measure(|meter| connect.run(meter)).unwrap().operations > 0);
    assert_eq!(server.counters().take_fault(), None);
}

#[test]
fn a_header_in_pieces_is_taken_off_too() {
    let (server, address) = serve(Service::EchoAfterHeader);
    let mut client = TcpStream::connect(address).unwrap();
    client.set_nodelay(true).unwrap();
    for byte in HEADER {
        client.write_all(&[byte]).unwrap();
    }
    client.write_all(b"hello").unwrap();
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");
    assert_eq!(server.counters().take_fault(), None);
}

#[test]
fn another_header_is_a_fault() {
    let (server, address) = serve(Service::EchoAfterHeader);
    let mut client = TcpStream::connect(address).unwrap();
    let mut header = HEADER;
    header[16] = 0;
    client.write_all(&header).unwrap();
    assert_eq!(client.read(&mut [0; 5]).unwrap_or(0), 0);
    let fault = server.counters().take_fault().unwrap();
    assert!(fault.contains("not the client's addresses"), "{fault}");
}

#[test]
fn a_client_of_another_address_is_a_fault() {
    static ALLOWED: [std::net::IpAddr; 1] = [std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 9))];
    let (server, address) = serve(Service::EchoFrom(&ALLOWED));
    let mut right = Connect::new(vec![place(address, Some("127.0.0.9"))], 4, false).unwrap();
    assert!(measure(|meter| right.run(meter)).unwrap().operations > 0);
    let mut wrong = Connect::new(vec![place(address, None)], 4, false).unwrap();
    assert!(measure(|meter| wrong.run(meter)).is_err());
    assert!(server.counters().take_fault().unwrap().contains("127.0.0.1"));
}

#[test]
fn bulk_is_counted_the_same_on_both_sides() {
    for (service, direction) in [
        (Service::Sink, BulkDirection::Up),
        (Service::Source, BulkDirection::Down),
    ] {
        for streams in [1, 8] {
            let (server, address) = serve(service);
            let bulk = Bulk::open(address, streams, direction).unwrap();
            let counters = std::sync::Arc::clone(server.counters());
            let mut snapshot = || {
                Ok(Snapshot {
                    server_received: counters.received(),
                    ..Snapshot::default()
                })
            };
            let meter = Meter::start(SHORT, SHORT, &mut snapshot).unwrap();
            let measured = bulk.run(meter, server.counters()).unwrap();
            assert!(measured.bytes > 0, "{direction:?}");
            assert_eq!(server.counters().take_fault(), None);
        }
    }
}

#[test]
fn a_wrong_answer_is_found() {
    let address = false_server(&[0; 64]);
    let mut requests = Requests::open(address, 1, 64).unwrap();
    let error = measure(|meter| requests.run(meter)).unwrap_err();
    assert!(error.to_string().contains("wrong bytes"), "{error:#}");
}

#[test]
fn an_answer_that_ends_early_is_found() {
    let address = false_server(b"");
    let mut connect = Connect::new(vec![place(address, None)], 1, false).unwrap();
    let error = measure(|meter| connect.run(meter)).unwrap_err();
    assert!(error.to_string().contains("ended after 0 bytes"), "{error:#}");
}

#[test]
fn a_stream_with_wrong_bytes_is_found() {
    let address = false_server(&[0; 500]);
    let bulk = Bulk::open(address, 1, BulkDirection::Down).unwrap();
    let (server, _) = serve(Service::Source);
    let error = measure(|meter| bulk.run(meter, server.counters())).unwrap_err();
    // The false server waits for a request, which is the word that stops it.
    assert!(format!("{error:#}").contains("wrong bytes"), "{error:#}");
}
