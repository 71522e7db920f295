//! Headers captured from the programs that people use, and headers of ours given to them: HAProxy and nginx.
//!
//! Each test runs the real program in network namespaces of its own. What it sends is parsed as it arrives, asking for
//! `at_least` bytes and no more, so that the payload behind the header shows whether a byte too many was taken.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use nsproxy_testkit::{
    Address, DEFAULT_DEADLINE, Deadline, Netns, Peer, Program, Running, World, require, world,
};
use proxy_proto::{
    Addresses, Checksum, Command as Meant, Header, ParseError, Parsed, Transport, Version, parse, v1, v2,
};

/// Where the program under test listens.
const PROXY: &str = "127.0.0.1:8001";
const DEFAULTS: &str = "defaults\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n";

// What they send.

#[test]
fn the_line_that_haproxy_sends_names_both_ends() {
    through_haproxy("capture-haproxy-v1", "send-proxy", "", |ends, header| {
        assert_eq!(header.version(), Version::V1);
        assert_eq!(header.socket_addrs(), Some(ends));
    });
}

#[test]
fn the_binary_header_that_haproxy_sends_names_both_ends_and_has_no_tlv() {
    through_haproxy("capture-haproxy-v2", "send-proxy-v2", "", |ends, header| {
        assert_eq!(header.version(), Version::V2);
        assert_eq!(header.command(), stream_between(ends));
        assert_eq!(header.tlvs().count(), 0);
    });
}

#[test]
fn the_unique_id_that_haproxy_sends_is_read() {
    let options = "send-proxy-v2 proxy-v2-options unique-id";
    let settings = " unique-id-format req-%[src_port]\n";
    through_haproxy("capture-haproxy-unique-id", options, settings, |ends, header| {
        let id = format!("req-{}", ends.0.port());
        assert_eq!(header.unique_id(), Some(id.as_bytes()));
        assert_eq!(header.tlvs().count(), 1);
    });
}

#[test]
fn the_checksum_that_haproxy_sends_is_verified() {
    let options = "send-proxy-v2 proxy-v2-options crc32c,unique-id";
    let settings = " unique-id-format %ci\n";
    through_haproxy("capture-haproxy-crc32c", options, settings, |ends, header| {
        assert_eq!(header.crc32c(), Checksum::Verified);
        assert_eq!(header.unique_id(), Some(&b"127.0.0.1"[..]));
        assert_eq!(header.socket_addrs(), Some(ends));
    });
}

#[test]
fn the_namespace_that_haproxy_sends_is_that_of_its_listener() {
    let haproxy = require!(Program::find("haproxy"));
    world("capture-haproxy-netns", |w| {
        let (blue, catcher) = (w.add_netns("blue"), w.home().listen("127.0.0.1:0"));
        let config = format!(
            "{DEFAULTS}listen l\n mode tcp\n bind {PROXY} namespace blue\n server s {} send-proxy-v2\n",
            catcher.address()
        );
        let _haproxy = start(w.home(), &blue, w.haproxy(&haproxy, "haproxy", &config));
        let (client, server) = (blue.connect(PROXY), catcher.accept());
        let bytes = read_header(&server);
        let header = whole(&bytes);
        assert_eq!(header.netns_str(), Ok(Some("blue")));
        assert_eq!(header.socket_addrs(), Some(ends_of(&client)));
    });
}

#[test]
fn a_health_check_of_haproxy_is_local() {
    let haproxy = require!(Program::find("haproxy"));
    world("capture-haproxy-check", |w| {
        let catcher = w.home().listen("127.0.0.1:0");
        let config = format!(
            "{DEFAULTS}listen l\n mode tcp\n bind {PROXY}\n server s {} check send-proxy-v2\n",
            catcher.address()
        );
        let _haproxy = start(w.home(), w.home(), w.haproxy(&haproxy, "haproxy", &config));
        let bytes = read_header(&catcher.accept());
        assert!(whole(&bytes).is_local());
    });
}

#[test]
fn the_line_that_nginx_sends_names_both_ends() {
    let nginx = require!(Program::find("nginx"));
    world("capture-nginx-v1", |w| {
        let catcher = w.home().listen("127.0.0.1:0");
        let config = format!(
            "{}daemon off;\nmaster_process off;\nuser root root;\npid {};\nevents {{}}\nstream {{ server {{\n\
             listen {PROXY};\n listen [::1]:8001;\n proxy_pass {};\n proxy_protocol on;\n}} }}\n",
            nginx_stream_module(),
            w.path("nginx.pid").display(),
            catcher.address()
        );
        let mut command = nginx.command();
        command
            .args(["-e", "stderr", "-c"])
            .arg(w.write("nginx.conf", config));
        let _nginx = start(w.home(), w.home(), command);
        for entry in [PROXY, "[::1]:8001"] {
            let (client, server) = (w.home().connect(entry), catcher.accept());
            // It connects upstream at once, and sends the line before anything has come.
            let bytes = read_header(&server);
            let header = whole(&bytes);
            assert_eq!(header.version(), Version::V1);
            assert_eq!(header.socket_addrs(), Some(ends_of(&client)));
            client.send("payload");
            server.expect("payload");
        }
    });
}

// What they accept.

#[test]
fn haproxy_reads_the_addresses_and_tlvs_that_are_written() {
    let haproxy = require!(Program::find("haproxy"));
    world("written-haproxy", |w| {
        let config = format!(
            "{DEFAULTS}frontend f\n mode http\n bind {PROXY} accept-proxy\n http-request return status 200 \
             content-type text/plain lf-string \
             \"%[src]|%[src_port]|%[dst]|%[dst_port]|%[fc_pp_unique_id]|%[fc_pp_authority]\"\n"
        );
        let _haproxy = start(w.home(), w.home(), w.haproxy(&haproxy, "haproxy", &config));
        let answer = |header: &[u8]| http_answer(w, header);
        let (inet, inet6) = (inet(), inet6());
        assert_eq!(answer(&line(inet)), "192.0.2.1|4711|198.51.100.7|443||");
        assert_eq!(answer(&line(inet6)), "2001:db8::1|4711|2001:db8::2|443||");
        assert_eq!(answer(&block(inet, |_| {})), "192.0.2.1|4711|198.51.100.7|443||");
        let tlvs = |header: &mut v2::Builder<'_>| {
            header
                .unique_id(b"id-1")
                .authority("example.org")
                .netns(b"unknown")
                .pad_to(64)
                .crc32c();
        };
        assert_eq!(
            answer(&block(inet6, tlvs)),
            "2001:db8::1|4711|2001:db8::2|443|id-1|example.org"
        );
        // Where no addresses are given the real ones are used.
        for header in [line(Addresses::Unspec), local()] {
            assert!(answer(&header).starts_with("127.0.0.1|"));
        }
    });
}

#[test]
fn haproxy_refuses_a_header_of_ours_only_when_its_checksum_was_damaged() {
    let haproxy = require!(Program::find("haproxy"));
    world("written-haproxy-crc32c", |w| {
        let config = format!(
            "{DEFAULTS}frontend f\n mode http\n bind {PROXY} accept-proxy\n http-request return status 200 \
             content-type text/plain lf-string \"%[src]\"\n"
        );
        let _haproxy = start(w.home(), w.home(), w.haproxy(&haproxy, "haproxy", &config));
        let mut header = block(inet(), |header| drop_ref(header.crc32c()));
        assert_eq!(http_answer(w, &header), "192.0.2.1");
        *header.last_mut().expect("a header has bytes") ^= 1;
        let client = w.home().connect(PROXY);
        client.send(&header);
        client.expect_closed();
    });
}

#[test]
fn haproxy_connects_in_the_namespace_that_is_written() {
    let haproxy = require!(Program::find("haproxy"));
    world("written-haproxy-netns", |w| {
        let blue = w.add_netns("blue");
        let service = blue.listen("127.0.0.1:80");
        let config = format!(
            "{DEFAULTS}namespace_list\n namespace blue\nlisten l\n mode tcp\n bind {PROXY} accept-proxy\n \
             server s 127.0.0.1:80 namespace *\n"
        );
        let _haproxy = start(w.home(), w.home(), w.haproxy(&haproxy, "haproxy", &config));
        let client = w.home().connect(PROXY);
        client.send(block(inet(), |header| drop_ref(header.netns(b"blue"))));
        client.send("payload");
        service.accept().expect("payload");
    });
}

#[test]
fn nginx_reads_the_addresses_that_are_written() {
    let nginx = require!(Program::find("nginx"));
    world("written-nginx", |w| {
        let servers = format!(
            "server {{ listen {PROXY} proxy_protocol; return 200 '$proxy_protocol_addr|$proxy_protocol_port|\
             $proxy_protocol_server_addr|$proxy_protocol_server_port'; }}"
        );
        let _nginx = start(w.home(), w.home(), w.nginx(&nginx, "nginx", &servers));
        let answer = |header: &[u8]| http_answer(w, header);
        let (inet, inet6) = (inet(), inet6());
        let tlvs = |header: &mut v2::Builder<'_>| {
            header.unique_id(b"id-1").netns(b"blue").pad_to(64).crc32c();
        };
        for header in [line(inet), block(inet, |_| {}), block(inet, tlvs)] {
            assert_eq!(answer(&header), "192.0.2.1|4711|198.51.100.7|443");
        }
        for header in [line(inet6), block(inet6, |_| {}), block(inet6, tlvs)] {
            assert_eq!(answer(&header), "2001:db8::1|4711|2001:db8::2|443");
        }
        for header in [line(Addresses::Unspec), local()] {
            assert_eq!(answer(&header), "|||");
        }
    });
}

// Running them.

/// Starts a program in one namespace and waits until it listens at [`PROXY`] in another or the same.
#[track_caller]
fn start(netns: &Netns, entry: &Netns, command: Command) -> Running {
    let running = netns.spawn(command);
    entry.wait_listening(PROXY, Deadline::after(DEFAULT_DEADLINE));
    running
}

/// Sends a connection through HAProxy with these options of `server` and settings of `listen`, and has the header that comes
/// out checked, with the two ends that it has to name.
#[track_caller]
fn through_haproxy(
    name: &str,
    options: &str,
    settings: &str,
    check: impl Fn((SocketAddr, SocketAddr), Header<'_>) + Sync,
) {
    let haproxy = require!(Program::find("haproxy"));
    world(name, |w| {
        let catcher = w.home().listen("127.0.0.1:0");
        let config = format!(
            "{DEFAULTS}listen l\n mode tcp\n bind {PROXY}\n{settings} server s {} {options}\n",
            catcher.address()
        );
        let _haproxy = start(w.home(), w.home(), w.haproxy(&haproxy, "haproxy", &config));
        let client = w.home().connect(PROXY);
        client.send("payload");
        let server = catcher.accept();
        let bytes = read_header(&server);
        check(ends_of(&client), whole(&bytes));
        server.expect("payload");
        server.send("answer");
        client.expect("answer");
    });
}

/// The line that loads nginx's `stream` where it is a module of its own, as in Debian; elsewhere it is built in.
fn nginx_stream_module() -> String {
    const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if Path::new(MODULE).exists() {
        format!("load_module {MODULE};\n")
    } else {
        String::new()
    }
}

/// Receives a header as a receiver should: never more bytes than the parser asks for.
#[track_caller]
fn read_header(peer: &Peer) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        match parse(&bytes) {
            Ok(_) => return bytes,
            Err(ParseError::Incomplete { at_least }) => bytes.extend(peer.read_exact(at_least - bytes.len())),
            Err(ParseError::Invalid(invalid)) => panic!("{invalid}: {}", bytes.escape_ascii()),
        }
    }
}

/// The header that all of these bytes are.
#[track_caller]
fn whole(bytes: &[u8]) -> Header<'_> {
    let Parsed { header, consumed } = parse(bytes).expect("a header");
    assert_eq!(consumed, bytes.len());
    header
}

/// The body of the answer to a request behind this header.
#[track_caller]
fn http_answer(w: &World, header: &[u8]) -> String {
    let client = w.home().connect(PROXY);
    client.send([header, b"GET / HTTP/1.0\r\n\r\n"].concat());
    let answer = client.read_to_end(4096);
    let answer = String::from_utf8(answer).expect("a text");
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
    body.to_owned()
}

/// Where a connection comes from and where it goes to.
#[track_caller]
fn ends_of(client: &Peer) -> (SocketAddr, SocketAddr) {
    match (client.local_addr(), client.peer_addr()) {
        (Address::Inet(source), Address::Inet(destination)) => (source, destination),
        other => panic!("not internet addresses: {other:?}"),
    }
}

fn stream_between((source, destination): (SocketAddr, SocketAddr)) -> Meant<'static> {
    Meant::Proxy(Addresses::from_socket_addrs(Transport::Stream, source, destination).expect("one family"))
}

// Headers to write.

fn inet() -> Addresses<'static> {
    between("192.0.2.1:4711", "198.51.100.7:443")
}

fn inet6() -> Addresses<'static> {
    between("[2001:db8::1]:4711", "[2001:db8::2]:443")
}

fn between(source: &str, destination: &str) -> Addresses<'static> {
    let [source, destination] = [source, destination].map(|text| text.parse().expect("an address with port"));
    Addresses::from_socket_addrs(Transport::Stream, source, destination).expect("one family")
}

fn line(addresses: Addresses<'_>) -> Vec<u8> {
    let mut line = [0; v1::MAX_LEN];
    let len = v1::encode(&addresses, &mut line).expect("a line holds these addresses");
    line[..len].to_vec()
}

fn block(addresses: Addresses<'_>, tlvs: impl FnOnce(&mut v2::Builder<'_>)) -> Vec<u8> {
    let mut buf = [0; 512];
    let mut header = v2::Builder::proxy(&mut buf, addresses);
    tlvs(&mut header);
    let len = header.finish().expect("the buffer has room");
    buf[..len].to_vec()
}

fn local() -> Vec<u8> {
    let mut buf = [0; v2::FIXED_LEN];
    v2::Builder::local(&mut buf)
        .finish()
        .expect("the buffer has room");
    buf.to_vec()
}

/// The builder hands itself back for chaining; here the calls stand alone.
fn drop_ref(_: &mut v2::Builder<'_>) {}
