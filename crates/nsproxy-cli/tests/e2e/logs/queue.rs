//! What the lines say of waiting and of other attempts: HAProxy's numbers and letters, in the same scenes.

use std::time::Duration;

use super::{Scene, both_write};

/// One worker, since sessions that wait are told apart by the order in which they came.
const CONFIG: &str = "\
global
  nbthread 1
  log 127.0.0.1:5140 format raw local0
defaults
  mode tcp
  log global
  option tcplog
  balance roundrobin
  timeout connect 10s
  timeout client 10s
  timeout server 10s
  timeout queue 10s
  retries 0
listen any
  bind 127.0.0.1:8001
  server s 127.0.0.1:9000 maxconn 1
listen one
  bind 127.0.0.1:8002
  balance source
  server s 127.0.0.1:9000 maxconn 1 maxqueue 1
listen refused
  bind 127.0.0.1:8003
  retries 1
  timeout connect 300ms
  server s 127.0.0.1:9001
listen moved
  bind 127.0.0.1:8004
  retries 3
  option redispatch
  server s 127.0.0.1:9001
  server t 127.0.0.1:9000
listen silent
  bind 127.0.0.1:8005
  timeout connect 300ms
  server s 10.9.9.9:80
listen silents
  bind 127.0.0.1:8006
  retries 2
  option redispatch
  timeout connect 100ms
  server s 10.9.9.9:80
  server t 10.9.9.8:80
listen disabled
  bind 127.0.0.1:8007
  server s 127.0.0.1:9000 disabled
listen hasty
  bind 127.0.0.1:8008
  timeout queue 400ms
  server s 127.0.0.1:9000 maxconn 1
listen hasty_one
  bind 127.0.0.1:8009
  balance source
  timeout queue 400ms
  server s 127.0.0.1:9000 maxconn 1
";

/// Waits in vain for the one place of a server, and then ends the session that has it.
#[track_caller]
fn given_up(scene: &Scene<'_>, to: &str) -> Vec<String> {
    let first = scene.session(to);
    let waits = scene.home.connect(to);
    let line = scene.line();
    waits.expect_closed();
    vec![line, scene.ended(first)]
}

#[test]
fn who_waits_for_any_server_has_a_number_in_the_queue_of_the_backend() {
    let expected = [
        "127.0.0.1:PORT [DATE] hasty hasty/<NOSRV> T/-1/T 0 sQ N/N/N/N/0 0/1\n",
        "127.0.0.1:PORT [DATE] hasty hasty/s T/T/T 9 -- N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] any any/<NOSRV> T/-1/T 0 CD N/N/N/N/0 0/1\n",
        "127.0.0.1:PORT [DATE] any any/s T/T/T 9 -- N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] any any/s T/T/T 9 -- N/N/N/N/0 0/1\n",
        "127.0.0.1:PORT [DATE] any any/s T/T/T 9 -- N/N/N/N/0 0/2\n",
    ];
    both_write("log-queue-any", CONFIG, &expected, |scene| {
        let mut lines = given_up(scene, "127.0.0.1:8008");
        let first = scene.session("127.0.0.1:8001");
        let waits = scene.home.connect("127.0.0.1:8001");
        waits.expect_silence(Duration::from_millis(50));
        waits.reset();
        lines.push(scene.line());
        let [second, third] = [(); 2].map(|()| scene.home.connect("127.0.0.1:8001"));
        third.expect_silence(Duration::from_millis(50));
        lines.push(scene.ended(first));
        lines.push(scene.ended((second, scene.server.accept())));
        lines.push(scene.ended((third, scene.server.accept())));
        lines
    });
}

#[test]
fn who_waits_for_one_server_has_a_number_in_its_queue_and_its_name() {
    let expected = [
        "127.0.0.1:PORT [DATE] hasty_one hasty_one/s T/-1/T 0 sQ N/N/N/N/0 1/0\n",
        "127.0.0.1:PORT [DATE] hasty_one hasty_one/s T/T/T 9 -- N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] one one/s -1/-1/T 0 SQ N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] one one/s T/T/T 9 -- N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] one one/s T/T/T 9 -- N/N/N/N/0 1/0\n",
    ];
    both_write("log-queue-one", CONFIG, &expected, |scene| {
        let mut lines = given_up(scene, "127.0.0.1:8009");
        let first = scene.session("127.0.0.1:8002");
        let second = scene.home.connect("127.0.0.1:8002");
        second.expect_silence(Duration::from_millis(50));
        let beyond = scene.home.connect("127.0.0.1:8002");
        lines.push(scene.line());
        beyond.expect_closed();
        lines.push(scene.ended(first));
        lines.push(scene.ended((second, scene.server.accept())));
        lines
    });
}

#[test]
fn other_attempts_are_counted_and_have_a_plus_when_they_went_to_another_server() {
    let expected = [
        "127.0.0.1:PORT [DATE] refused refused/s T/-1/T 0 SC N/N/N/N/1 0/0\n",
        "127.0.0.1:PORT [DATE] moved moved/t T/T/T 9 -- N/N/N/N/+1 0/0\n",
        "127.0.0.1:PORT [DATE] disabled disabled/<NOSRV> -1/-1/T 0 SC N/N/N/N/0 0/0\n",
    ];
    both_write("log-retries", CONFIG, &expected, |scene| {
        let client = scene.home.connect("127.0.0.1:8003");
        client.expect_closed();
        let mut lines = vec![scene.line()];
        lines.push(scene.ended(scene.session("127.0.0.1:8004")));
        let client = scene.home.connect("127.0.0.1:8007");
        client.expect_closed();
        lines.push(scene.line());
        lines
    });
}

#[test]
fn a_server_that_does_not_answer_is_a_timeout_and_a_client_that_leaves_meanwhile_is_not() {
    let expected = [
        "127.0.0.1:PORT [DATE] silent silent/s T/-1/T 0 sC N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] silent silent/s T/-1/T 0 CD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] silents silents/s T/-1/T 0 sC N/N/N/N/+2 0/0\n",
    ];
    both_write("log-silent", CONFIG, &expected, |scene| {
        scene.black_hole();
        let client = scene.home.connect("127.0.0.1:8005");
        let mut lines = vec![scene.line()];
        client.expect_closed();
        let client = scene.home.connect("127.0.0.1:8005");
        client.expect_silence(Duration::from_millis(50));
        client.reset();
        lines.push(scene.line());
        let client = scene.home.connect("127.0.0.1:8006");
        lines.push(scene.line());
        client.expect_closed();
        lines
    });
}
