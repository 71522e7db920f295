//! Rules about what a server says: what client and server see, and the line in the log, as under HAProxy.

use nsproxy_testkit::world;

use super::both_write;
use crate::common::{SILENCE, joined, run};
use crate::rules::fate;

/// A `listen` for each way in which it may go.
const CONFIG: &str = "\
global
  log 127.0.0.1:5140 format raw local0
defaults
  mode tcp
  log global
  option tcplog
  timeout connect 10s
  timeout client 10s
  timeout server 10s
listen never
  bind 127.0.0.1:8000
  tcp-response content reject
  server s 127.0.0.1:9000
frontend ssh
  bind 127.0.0.1:8001
  default_backend ssh
backend ssh
  acl is-ssh res.payload(0,4) -m bin 5353482d
  tcp-response inspect-delay 10s
  tcp-response content accept if is-ssh
  tcp-response content reject if { res.len ge 4 }
  server s 127.0.0.1:9000
listen hasty
  bind 127.0.0.1:8002
  tcp-response inspect-delay 200ms
  tcp-response content accept if { res.len ge 1 }
  tcp-response content reject
  server s 127.0.0.1:9000
listen closing
  bind 127.0.0.1:8003
  tcp-response inspect-delay 10s
  tcp-response content close if { res.payload(0,3) -m str BAD }
  server s 127.0.0.1:9000
listen at-once
  bind 127.0.0.1:8004
  tcp-response content reject if { res.len gt 0 }
  server s 127.0.0.1:9000
listen whole
  bind 127.0.0.1:8005
  tcp-response inspect-delay 10s
  tcp-response content reject unless { res.len ge 8 }
  server s 127.0.0.1:9000
listen both
  bind 127.0.0.1:8006
  acl hello req.len ge 5
  tcp-request inspect-delay 10s
  tcp-request content accept if hello
  tcp-request content reject
  tcp-response inspect-delay 10s
  tcp-response content accept if { res.ssl_hello_type 2 }
  tcp-response content reject unless { src 127.0.0.1 } { srv_name s }
  server s 127.0.0.1:9000
";

#[test]
fn nothing_of_a_server_that_is_rejected_reaches_the_client() {
    let expected = [
        "127.0.0.1:PORT [DATE] never never/s T/T/T 0 PD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] ssh ssh/s T/T/T 4 PD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] hasty hasty/s T/T/T 0 PD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] whole whole/s T/T/T 5 PD N/N/N/N/0 0/0\n",
    ];
    both_write("response-rejected", CONFIG, &expected, |scene| {
        let mut lines = Vec::new();
        // Nothing is asked for: there is nothing to wait for.
        let (client, accepted) = scene.session("127.0.0.1:8000");
        assert_eq!(fate(&client), "");
        accepted.expect_eof();
        lines.push(scene.line());
        // What the client says goes on while the server is looked at.
        let (client, accepted) = scene.session("127.0.0.1:8001");
        client.send("a request");
        accepted.expect("a request");
        accepted.send("ST");
        client.expect_silence(SILENCE / 4);
        accepted.send("OP");
        assert_eq!(fate(&client), "");
        accepted.expect_eof();
        lines.push(scene.line());
        let (client, _silent) = scene.session("127.0.0.1:8002");
        assert_eq!(fate(&client), "");
        lines.push(scene.line());
        let (client, accepted) = scene.session("127.0.0.1:8005");
        accepted.send("short");
        accepted.close();
        assert_eq!(fate(&client), "");
        lines.push(scene.line());
        lines
    });
}

#[test]
fn a_server_that_is_accepted_is_relayed_from_its_first_byte_on() {
    let expected = [
        "127.0.0.1:PORT [DATE] ssh ssh/s T/T/T 12 -- N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] hasty hasty/s T/T/T 3 -- N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] at-once at-once/s T/T/T 5 -- N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] both both/s T/T/T 9 -- N/N/N/N/0 0/0\n",
    ];
    both_write("response-accepted", CONFIG, &expected, |scene| {
        let mut lines = Vec::new();
        let (client, accepted) = scene.session("127.0.0.1:8001");
        for byte in "SSH".bytes() {
            accepted.send([byte]);
            client.expect_silence(SILENCE / 4);
        }
        accepted.send("-2.0");
        client.expect("SSH-2.0");
        client.send("its turn");
        accepted.expect("its turn");
        accepted.send("again");
        client.expect("again");
        client.half_close();
        accepted.expect_eof();
        accepted.close();
        client.expect_eof();
        lines.push(scene.line());
        let (client, accepted) = scene.session("127.0.0.1:8002");
        accepted.send("any");
        accepted.close();
        assert_eq!(fate(&client), "any");
        client.close();
        lines.push(scene.line());
        // Without a delay what is there at once decides, and a server needs longer than that.
        let (client, accepted) = scene.session("127.0.0.1:8004");
        client.expect_silence(SILENCE / 4);
        accepted.send("later");
        accepted.close();
        assert_eq!(fate(&client), "later");
        client.close();
        lines.push(scene.line());
        let client = scene.home.connect("127.0.0.1:8006");
        client.send("hello");
        let accepted = scene.server.accept();
        accepted.expect("hello");
        let hello = b"\x16\x03\x03\x00\x04\x02\x00\x00\x00";
        accepted.send(hello);
        client.expect(hello);
        accepted.close();
        client.expect_eof();
        client.close();
        lines.push(scene.line());
        lines
    });
}

#[test]
fn a_server_that_is_closed_is_reset_and_what_it_said_is_delivered() {
    let expected = ["127.0.0.1:PORT [DATE] closing closing/s T/T/T 6 -- N/N/N/N/0 0/0\n"];
    both_write("response-closed", CONFIG, &expected, |scene| {
        let (client, accepted) = scene.session("127.0.0.1:8003");
        client.send("a request");
        accepted.expect("a request");
        accepted.send("BADGER");
        assert_eq!(fate(&client), "BADGER");
        accepted.expect_reset();
        client.close();
        vec![scene.line()]
    });
}

#[test]
fn what_a_client_sends_and_ends_while_a_server_is_looked_at_reaches_it() {
    let expected = ["127.0.0.1:PORT [DATE] ssh ssh/s T/T/T 8 -- N/N/N/N/0 0/0\n"];
    both_write("response-half-close", CONFIG, &expected, |scene| {
        let (client, accepted) = scene.session("127.0.0.1:8001");
        let much = vec![b'x'; 300_000];
        client.send(&much);
        client.half_close();
        assert_eq!(accepted.read_to_end(much.len()).len(), much.len());
        accepted.send("SSH-");
        client.expect("SSH-");
        accepted.send("done");
        accepted.close();
        client.expect("done");
        client.expect_eof();
        client.close();
        vec![scene.line()]
    });
}

#[test]
fn who_breaks_off_while_a_server_is_looked_at_is_told_by_the_same_letters() {
    let expected = [
        "127.0.0.1:PORT [DATE] ssh ssh/s T/T/T 0 CD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] ssh ssh/s T/T/T 0 SD N/N/N/N/0 0/0\n",
    ];
    both_write("response-broken", CONFIG, &expected, |scene| {
        let mut lines = Vec::new();
        let (client, accepted) = scene.session("127.0.0.1:8001");
        client.send("a request");
        accepted.expect("a request");
        client.reset();
        lines.push(scene.line());
        drop(accepted);
        let (client, accepted) = scene.session("127.0.0.1:8001");
        client.send("a request");
        accepted.expect("a request");
        accepted.reset();
        lines.push(scene.line());
        drop(client);
        lines
    });
}

#[test]
fn a_response_is_judged_by_the_namespace_and_the_header_that_it_is_for() {
    world("response-netns", |w| {
        let (blue, relay) = joined(w, ("blue", "10.0.0.1/24"), ("relay", "10.0.0.2/24"));
        let config = "\
defaults
  mode tcp
  timeout connect 10s
  timeout client 10s
  timeout server 10s
listen l
  bind 127.0.0.1:8000 accept-proxy
  tcp-response inspect-delay 10s
  tcp-response content accept if { fc_pp_authority a.example } { res.len ge 1 }
  tcp-response content reject if { bc_netns blue } { bc_dst 127.0.0.1 } { bc_dst_port 9000 } { bc_src 127.0.0.1 } { be_name l } { res.payload(0,4) -m str secr }
  use-server there if { src 192.0.2.1 }
  use-server here unless { src 192.0.2.1 }
  server here 127.0.0.1:9000
  server there 127.0.0.1:9000 namespace blue
";
        let [there, here] = [&blue, &relay].map(|netns| netns.listen("127.0.0.1:9000"));
        let _running = run(w, &relay, config);
        for (source, listener, authority, expected) in [
            ("192.0.2.1:1", &there, "b.example", ""),
            ("192.0.2.1:1", &there, "a.example", "secret"),
            ("192.0.2.2:1", &here, "b.example", "secret"),
        ] {
            let client = relay.connect("127.0.0.1:8000");
            client.send(header_with(source, authority));
            let accepted = listener.accept();
            accepted.send("secret");
            if expected.is_empty() {
                assert_eq!(fate(&client), "", "{source} {authority}");
            } else {
                client.expect(expected);
            }
        }
    });
}

/// A version 2 header from this client, with an AUTHORITY TLV.
fn header_with(source: &str, authority: &str) -> Vec<u8> {
    let addresses = proxy_proto::Addresses::promoted(
        proxy_proto::Transport::Stream,
        source.parse().expect("an address"),
        "192.0.2.9:80".parse().expect("an address"),
    );
    let header = proxy_proto::v2::to_vec(proxy_proto::Command::Proxy(addresses), |header| {
        header.tlv(proxy_proto::TlvType::AUTHORITY, authority.as_bytes());
    });
    header.expect("it fits")
}
