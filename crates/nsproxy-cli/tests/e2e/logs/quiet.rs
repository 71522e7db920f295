//! `option dontlog-normal`, `dontlognull` and `logasap` together: which sessions have a line, and when, as under HAProxy.

use super::{Scene, both_write};
use crate::common::{exchange, finish};

/// All but `marker` leave out what ended well.
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
  retries 3
listen marker
  bind 127.0.0.1:8000
  server s 127.0.0.1:9000
defaults quiet
  mode tcp
  log global
  option tcplog
  option dontlog-normal
  timeout connect 300ms
  timeout client 10s
  timeout server 10s
  retries 3
listen plain from quiet
  bind 127.0.0.1:8001
  server s 127.0.0.1:9000
listen hasty from quiet
  bind 127.0.0.1:8003
  option logasap
  server s 127.0.0.1:9000
listen hasty_refused from quiet
  bind 127.0.0.1:8005
  option logasap
  retries 0
  server s 127.0.0.1:9001
listen hasty_null from quiet
  bind 127.0.0.1:8006
  option logasap
  option dontlognull
  server s 127.0.0.1:9000
defaults tried
  mode tcp
  log global
  option tcplog
  option dontlog-normal
  timeout connect 300ms
  timeout client 10s
  timeout server 10s
  option redispatch 1
  retries 3
  balance leastconn
listen tried from tried
  bind 127.0.0.1:8007
  server s 127.0.0.1:9001
  server t 127.0.0.1:9000
listen hasty_tried from tried
  bind 127.0.0.1:8008
  option logasap
  server s 127.0.0.1:9001
  server t 127.0.0.1:9000
";

/// A session that ends well.
#[track_caller]
fn good(scene: &Scene<'_>, to: &str) {
    let (client, accepted) = scene.session(to);
    exchange(&client, &accepted);
    finish(client, accepted);
}

/// A session that its server breaks off.
#[track_caller]
fn broken(scene: &Scene<'_>, to: &str) {
    let (client, accepted) = scene.session(to);
    exchange(&client, &accepted);
    accepted.reset();
    client.expect_closed();
}

const MARKER: &str = "127.0.0.1:PORT [DATE] marker marker/s T/T/T 9 -- N/N/N/N/0 0/0\n";

#[test]
fn a_session_that_ended_well_but_took_another_attempt_has_its_line() {
    let expected = [
        "127.0.0.1:PORT [DATE] plain plain/s T/T/T 9 SD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] tried tried/t T/T/T 9 -- N/N/N/N/+1 0/0\n",
        MARKER,
    ];
    both_write("log-quiet-retries", CONFIG, &expected, |scene| {
        good(scene, "127.0.0.1:8001");
        broken(scene, "127.0.0.1:8001");
        let mut lines = vec![scene.line()];
        good(scene, "127.0.0.1:8007");
        lines.push(scene.line());
        good(scene, "127.0.0.1:8000");
        lines.push(scene.line());
        lines
    });
}

#[test]
fn what_is_in_a_hurry_waits_for_news_when_only_news_are_wanted() {
    let expected = [
        // Nothing was new when it was connected, so the line comes in the end.
        "127.0.0.1:PORT [DATE] hasty hasty/s T/T/+T +9 SD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] hasty_refused hasty_refused/s T/-1/+T +0 SC N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] hasty_tried hasty_tried/t T/T/+T +0 -- N/N/N/N/+1 0/0\n",
        MARKER,
    ];
    both_write("log-quiet-asap", CONFIG, &expected, |scene| {
        for place in ["127.0.0.1:8003", "127.0.0.1:8006"] {
            good(scene, place);
        }
        broken(scene, "127.0.0.1:8003");
        let mut lines = vec![scene.line()];
        scene.home.connect("127.0.0.1:8005").expect_closed();
        lines.push(scene.line());
        let (client, accepted) = scene.session("127.0.0.1:8006");
        // A reset that comes before the relay knows of its connection looks like one that was refused, and is tried again.
        accepted.send("hello");
        client.expect("hello");
        accepted.reset();
        client.expect_closed();
        // It has sent nothing.
        good(scene, "127.0.0.1:8008");
        lines.push(scene.line());
        good(scene, "127.0.0.1:8000");
        lines.push(scene.line());
        lines
    });
}
