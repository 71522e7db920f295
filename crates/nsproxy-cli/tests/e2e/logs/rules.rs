//! The lines of connections that rules reject: which have one, and what it says, as under HAProxy.

use std::time::Duration;

use nsproxy_testkit::world;

use super::{Scene, both_write, masked};
use crate::common::{run, v2_header};
use crate::rules::fate_from;
use crate::syslog::Syslog;

/// The same rules before frontends whose logs differ.
const CONFIG: &str = "\
global
  log 127.0.0.1:5140 format raw local0
defaults bare
  mode tcp
  log global
  timeout connect 10s
  timeout client 10s
  timeout server 10s
defaults tcp from bare
  option tcplog
frontend f from tcp
  bind 127.0.0.1:8000
  bind 127.0.0.1:8001 accept-proxy
  tcp-request inspect-delay 10s
  tcp-request connection reject if { src 127.0.0.2 }
  tcp-request session reject if { src 127.0.0.3 }
  tcp-request content reject if { req.payload(0,2) -m str no }
  tcp-request content accept if { req.len ge 2 }
  default_backend b
frontend quiet from tcp
  bind 127.0.0.1:8002
  option dontlognull
  tcp-request inspect-delay 10s
  tcp-request content reject if { req.payload(0,2) -m str no }
  tcp-request content accept if { req.len ge 2 }
  default_backend b
frontend counted from tcp
  bind 127.0.0.1:8003
  log-format \"%f %b %s %U %B %ts\"
  tcp-request inspect-delay 10s
  tcp-request content reject if { req.payload(0,2) -m str no }
  default_backend b
frontend plain from bare
  bind 127.0.0.1:8004
  tcp-request inspect-delay 10s
  tcp-request session reject if { src 127.0.0.3 }
  tcp-request content reject if { req.payload(0,2) -m str no }
  default_backend b
frontend passing from tcp
  bind 127.0.0.1:8005
  default_backend picky
listen both from tcp
  bind 127.0.0.1:8006
  bind 127.0.0.1:8007 accept-proxy
  tcp-request inspect-delay 10s
  tcp-request content reject if { req.payload(0,2) -m str no }
  server s 127.0.0.1:9000
backend b from tcp
  server s 127.0.0.1:9000
backend picky from tcp
  tcp-request inspect-delay 10s
  tcp-request content reject if { req.payload(0,2) -m str no }
  server s 127.0.0.1:9000
";

/// A client that says this, and is let down.
#[track_caller]
fn rejected(scene: &Scene<'_>, port: &str, says: impl AsRef<[u8]>) {
    let client = scene.home.connect(port);
    client.send(says);
    client.expect_closed();
}

#[test]
fn only_what_is_rejected_for_its_content_has_a_line() {
    let expected = [
        "127.0.0.1:PORT [DATE] f f/<NOSRV> -1/-1/T 0 PR N/N/N/N/0 0/0\n",
        "192.0.2.1:PORT [DATE] f f/<NOSRV> -1/-1/T 0 PR N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] passing picky/<NOSRV> -1/-1/T 0 PR N/N/N/N/0 0/0\n",
        "counted counted <NOSRV> 3 0 PR\n",
    ];
    both_write("log-rejected", CONFIG, &expected, |scene| {
        let mut lines = Vec::new();
        fate_from(scene.home, "127.0.0.2");
        fate_from(scene.home, "127.0.0.3");
        rejected(scene, "127.0.0.1:8000", "no");
        lines.push(scene.line());
        rejected(
            scene,
            "127.0.0.1:8001",
            "PROXY TCP4 192.0.2.1 192.0.2.2 10000 80\r\nno",
        );
        lines.push(scene.line());
        rejected(scene, "127.0.0.1:8005", "no");
        lines.push(scene.line());
        rejected(scene, "127.0.0.1:8003", "no!");
        lines.push(scene.line());
        lines
    });
}

#[test]
fn who_leaves_while_rules_look_has_not_broken_off_a_header() {
    let expected = [
        "127.0.0.1:PORT [DATE] both both/<NOSRV> -1/-1/T 0 CR N/N/N/N/0 0/0\n",
        "192.0.2.1:PORT [DATE] both both/<NOSRV> -1/-1/T 0 CR N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] f b/s T/T/T 9 -- N/N/N/N/0 0/0\n",
    ];
    both_write("log-inspected", CONFIG, &expected, |scene| {
        let mut lines = Vec::new();
        for (port, says) in [
            ("127.0.0.1:8006", "n"),
            ("127.0.0.1:8007", "PROXY TCP4 192.0.2.1 192.0.2.2 10000 80\r\nn"),
        ] {
            let client = scene.home.connect(port);
            client.send(says);
            client.expect_silence(Duration::from_millis(50));
            client.reset();
            lines.push(scene.line());
        }
        let client = scene.home.connect("127.0.0.1:8000");
        client.send("yes");
        let accepted = scene.server.accept();
        accepted.expect("yes");
        lines.push(scene.ended((client, accepted)));
        lines
    });
}

#[test]
fn who_has_sent_something_is_not_null_though_no_server_got_it() {
    let expected = ["127.0.0.1:PORT [DATE] quiet quiet/<NOSRV> -1/-1/T 0 PR N/N/N/N/0 0/0\n"];
    both_write("log-rejected-null", CONFIG, &expected, |scene| {
        let silent = scene.home.connect("127.0.0.1:8002");
        silent.expect_silence(Duration::from_millis(50));
        silent.reset();
        rejected(scene, "127.0.0.1:8002", "no");
        vec![scene.line()]
    });
}

#[test]
fn a_connection_is_announced_before_its_content_is_looked_at() {
    let expected = ["Connect from 127.0.0.1:PORT to 127.0.0.1:8004 (plain/TCP)\n"; 2];
    both_write("log-rejected-plain", CONFIG, &expected, |scene| {
        let client = scene.home.connect("127.0.0.1:8004");
        let early = scene.line();
        client.send("no");
        client.expect_closed();
        rejected(scene, "127.0.0.1:8004", "no");
        vec![early, scene.line()]
    });
}

#[test]
fn a_header_without_the_namespace_that_is_required_is_blocked_not_broken() {
    world("log-required", |w| {
        let log = Syslog::udp(w.home(), 5140);
        let config = "global\n  log 127.0.0.1:5140 format raw local0\n\
            defaults\n  log global\n  option tcplog\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
            namespace_list\n  namespace blue\n\
            listen l\n  bind 127.0.0.1:8000 accept-proxy netns-tlv require\n  server s 127.0.0.1:9000\n";
        let _running = run(w, w.home(), config);
        for (netns, notice) in [(None, false), (Some("red"), true)] {
            let client = w.home().connect("127.0.0.1:8000");
            client.send(v2_header("192.0.2.1:10000", "192.0.2.2:80", netns));
            client.expect_closed();
            if notice {
                assert!(log.line().starts_with("netns-refused relay=l "));
            }
            assert_eq!(
                masked(&log.line()),
                "192.0.2.1:PORT [DATE] l l/<NOSRV> -1/-1/T 0 PR N/N/N/N/0 0/0\n"
            );
        }
    });
}
