//! Addresses: what HAProxy 2.6 accepts and refuses, and what nsproxy refuses besides.

use super::*;

fn bind_ip(text: &str) -> (IpAddr, u16, u16) {
    match parse_bind(text) {
        Ok(BindAddress::Ip { ip, ports }) => (ip, ports.first(), ports.last()),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_port_follows_the_last_colon() {
    for (text, ip, port) in [
        ("127.0.0.1:80", "127.0.0.1", 80),
        (":80", "0.0.0.0", 80),
        ("*:80", "0.0.0.0", 80),
        ("ipv4@:80", "0.0.0.0", 80),
        ("ipv6@:80", "::", 80),
        ("ipv6@*:80", "::", 80),
        ("tcp6@[::1]:80", "::1", 80),
        (":::80", "::", 80),
        ("::1:80", "::1", 80),
        ("[::]:80", "::", 80),
        ("[2001:db8::1]:80", "2001:db8::1", 80),
    ] {
        assert_eq!(bind_ip(text), (ip.parse().unwrap(), port, port), "{text}");
    }
    assert_eq!(bind_ip(":1-65535"), ("0.0.0.0".parse().unwrap(), 1, 65535));
}

#[test]
fn paths_are_unix_sockets() {
    for (text, path) in [
        ("/run/x", "/run/x"),
        ("unix@/run/x", "/run/x"),
        ("unix@rel", "rel"),
        ("/a@b:1", "/a@b:1"),
    ] {
        assert_eq!(parse_bind(text), Ok(BindAddress::Unix(path.into())), "{text}");
        assert_eq!(parse_server(text), Ok(ServerAddress::Unix(path.into())), "{text}");
    }
    assert_eq!(
        parse_bind(&format!("/{}", "x".repeat(107))).unwrap_err().fault,
        Fault::LongPath(108)
    );
}

#[test]
fn an_unspecified_server_is_the_clients_destination() {
    for text in ["*", "0.0.0.0", "ipv4@", "[::]", "*:", ":"] {
        assert_eq!(
            parse_server(text),
            Ok(ServerAddress::Client {
                port: PortRule::Client
            }),
            "{text}"
        );
    }
    for text in ["*:80", "0.0.0.0:80", ":80", "[::]:80", ":::80", "ipv6@:80"] {
        assert_eq!(
            parse_server(text),
            Ok(ServerAddress::Client {
                port: PortRule::Fixed(80)
            }),
            "{text}"
        );
    }
}

#[test]
fn a_server_without_a_port_takes_the_clients() {
    for text in ["10.0.0.1", "10.0.0.1:", "[::1]", "[::1]:", "::1:"] {
        assert!(
            matches!(
                parse_server(text),
                Ok(ServerAddress::Ip {
                    port: PortRule::Client,
                    ..
                })
            ),
            "{text}"
        );
    }
}

#[test]
fn each_fault_is_named_and_placed() {
    for (text, fault, at) in [
        ("", Fault::Empty, 0..0),
        ("10.0.0.1", Fault::NoPort, 0..8),
        ("10.0.0.1:", Fault::NoPort, 0..9),
        ("10.0.0.1:0", Fault::Port("0".into()), 9..10),
        ("10.0.0.1:65536", Fault::Port("65536".into()), 9..14),
        (":80-x", Fault::Port("x".into()), 4..5),
        (":5-3", Fault::ReversedRange, 1..4),
        ("[::1:80", Fault::OpenBracket, 0..1),
        ("[10.0.0.1]:80", Fault::NotAnIp("10.0.0.1".into()), 1..9),
        ("[::1]80", Fault::NotAnIp("[::1]80".into()), 0..7),
        ("300.1.1.1:80", Fault::NotAnIp("300.1.1.1".into()), 0..9),
        ("example.org:80", Fault::HostName("example.org".into()), 0..11),
        ("abns@", Fault::Empty, 0..5),
        (
            "stream+sockpair@3",
            Fault::Family("stream+sockpair".into(), OTHER_FAMILIES[0].1),
            0..16,
        ),
        ("fd@1x", Fault::Descriptor("1x".into()), 0..5),
        ("fd@a:b", Fault::Descriptor("a:b".into()), 0..6),
        ("fd@", Fault::Descriptor(String::new()), 0..3),
        ("80@tenant1", Fault::UnknownFamily("80".into()), 0..3),
        ("ipv4@[::1]:80", Fault::WrongFamily("::1".into(), "IPv4"), 6..9),
        (
            "ipv6@1.2.3.4:80",
            Fault::WrongFamily("1.2.3.4".into(), "IPv6"),
            5..12,
        ),
        ("2001:db8::1", Fault::BareIpv6("2001:db8::1".into()), 0..11),
        ("::", Fault::BareIpv6("::".into()), 0..2),
        ("$ADDR:80", Fault::Variable, 0..8),
    ] {
        assert_eq!(parse_bind(text), Err(AddressError { fault, at }), "{text}");
    }
    assert_eq!(
        parse_server("::1").unwrap_err().fault,
        Fault::BareIpv6("::1".into())
    );
    for distance in ["+", "-", "+x", "+65535", "--1", "+1-2"] {
        assert_eq!(
            parse_server(&format!("10.0.0.1:{distance}")).unwrap_err().fault,
            Fault::RelativePort(distance.into())
        );
    }
    assert_eq!(parse_server("10.0.0.1:1-2").unwrap_err().fault, Fault::PortRange);
    assert_eq!(parse_source("/run/x").unwrap_err().fault, Fault::UnixNotHere);
}

#[test]
fn a_servers_port_may_be_a_distance_from_the_clients() {
    for (text, port) in [
        ("*:+1", PortRule::Distance(1)),
        ("*:-65534", PortRule::Distance(-65534)),
        ("*:+0", PortRule::Client),
    ] {
        assert_eq!(parse_server(text), Ok(ServerAddress::Client { port }), "{text}");
    }
}

#[test]
fn a_server_may_be_a_host() {
    for (text, name, port) in [
        ("db.example:80", "db.example", PortRule::Fixed(80)),
        ("tcp@db-1_x.:80", "db-1_x.", PortRule::Fixed(80)),
        ("localhost", "localhost", PortRule::Client),
        ("10.0.0.1a:80", "10.0.0.1a", PortRule::Fixed(80)),
    ] {
        match parse_server(text) {
            Ok(ServerAddress::Host(host)) => assert_eq!((&*host.name, host.port), (name, port), "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let long = format!("{}.example:80", "a".repeat(64));
    for (text, fault) in [
        ("_web._tcp.example:80", Fault::ServiceName),
        ("ipv6@db.example:80", Fault::FamilyOfHost),
        ("a..b:80", Fault::LongHostName),
        (&*long, Fault::LongHostName),
        ("db.example:+1", Fault::DistanceOfHost),
    ] {
        assert_eq!(parse_server(text).unwrap_err().fault, fault, "{text}");
    }
}

#[test]
fn an_abstract_name_is_filled_up_or_not() {
    let path = |text: &str| match parse_bind(text) {
        Ok(BindAddress::Abstract(name)) => {
            assert_eq!(name.to_string(), text);
            name.sun_path().into_os_string().into_encoded_bytes()
        }
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(path("abnsz@x:1"), b"\0x:1");
    let padded = path("abns@x");
    assert_eq!((&padded[..2], padded.len()), (&b"\0x"[..], 108));
    assert!(padded[2..].iter().all(|byte| *byte == 0));
    let long = "x".repeat(108);
    assert_eq!(
        parse_server(&format!("abns@{long}")).unwrap_err().fault,
        Fault::LongName(108)
    );
}

#[test]
fn a_name_server_is_asked_by_udp_unless_its_prefix_says_otherwise() {
    let parsed = |text| parse_nameserver(text).map(|(address, tcp)| (address.to_string(), tcp));
    let address = |text: &str, tcp| Ok((text.to_owned(), tcp));
    assert_eq!(parsed("10.0.0.1"), address("10.0.0.1:53", false));
    assert_eq!(parsed("udp4@10.0.0.1:5353"), address("10.0.0.1:5353", false));
    assert_eq!(parsed("tcp@[::1]"), address("[::1]:53", true));
    assert!(parse_nameserver("*:53").is_err() && parse_nameserver("udp@/x").is_err());
    assert!(parse_nameserver("udp4@[::1]:53").is_err() && parse_nameserver("ns.example").is_err());
}

#[test]
fn a_source_may_go_without_a_port() {
    assert_eq!(parse_source("0.0.0.0"), Ok("0.0.0.0:0".parse().unwrap()));
    assert_eq!(parse_source("*:90"), Ok("0.0.0.0:90".parse().unwrap()));
    assert_eq!(parse_source("[::1]:5"), Ok("[::1]:5".parse().unwrap()));
}
