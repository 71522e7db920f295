//! `use-server`: who gets which server, as under HAProxy.

use nsproxy_testkit::{Listener, Netns, Peer, World, require, world};

use crate::common::{DEFAULTS, Proxy, SILENCE, connect_from, exchange, same};

const PLACE: &str = "127.0.0.1:8000";
const SERVERS: [&str; 3] = ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"];

fn servers(w: &World) -> [Listener; 3] {
    SERVERS.map(|address| w.home().listen(address))
}

#[track_caller]
fn goes_to(home: &Netns, client: &str, server: &Listener) -> (Peer, Peer) {
    let client = connect_from(home, &format!("{client}:0"), PLACE);
    client.send("hello");
    let accepted = server.accept();
    accepted.expect("hello");
    (client, accepted)
}

#[test]
fn the_first_rule_that_holds_and_whose_server_is_up_decides_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("use-server", |w| {
        let servers = servers(w);
        // Without a rule, `first` takes the first one.
        let config = format!(
            "{DEFAULTS}frontend f\n  bind {PLACE}\n  default_backend b\n\
             backend b\n  balance first\n  acl third src 127.0.3.0/24\n\
             \x20 use-server out if third\n  use-server c if third\n  use-server b unless {{ src 127.0.0.0/22 }}\n\
             \x20 use-server light if {{ src 127.0.2.0/24 }} or {{ src_port 1 }}\n\
             \x20 server a {}\n  server b {} weight 1\n  server light {} weight 0\n  server c {2}\n  server out {1} disabled\n",
            SERVERS[0], SERVERS[1], SERVERS[2]
        );
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            for (client, server) in [
                ("127.0.0.1", 0),
                ("127.0.1.1", 0),
                ("127.0.2.1", 2),
                ("127.0.3.1", 2),
                ("127.0.9.1", 1),
            ] {
                let (client, accepted) = goes_to(w.home(), client, &servers[server]);
                exchange(&client, &accepted);
            }
        });
    });
}

#[test]
fn a_server_that_a_rule_chose_is_waited_for_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("use-server-full", |w| {
        let servers = servers(w);
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  timeout queue 10s\n  balance roundrobin\n  use-server b if {{ src 127.0.1.1 }}\n\
             \x20 server a {}\n  server b {} maxconn 1\n",
            SERVERS[0], SERVERS[1]
        );
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            let (first, taken) = goes_to(w.home(), "127.0.1.1", &servers[1]);
            let second = connect_from(w.home(), "127.0.1.1:0", PLACE);
            second.send("hello");
            for server in &servers[..2] {
                server.expect_no_connection(SILENCE / 4);
            }
            first.close();
            taken.close();
            let accepted = servers[1].accept();
            accepted.expect("hello");
            exchange(&second, &accepted);
        });
    });
}

#[test]
fn what_a_client_asks_for_chooses_a_server_and_who_cannot_be_reached_is_gone_round_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("use-server-content", |w| {
        let servers = servers(w);
        let config = format!(
            "{DEFAULTS}frontend f\n  bind {PLACE}\n  tcp-request inspect-delay 10s\n  tcp-request content accept if {{ req.len ge 1 }}\n\
             \x20 default_backend b\nbackend b\n  balance first\n  option redispatch 1\n  retries 2\n\
             \x20 use-server b if {{ req.payload(0,1) -m str b }}\n  use-server gone if {{ req.payload(0,1) -m str g }}\n\
             \x20 server a {}\n  server b {}\n  server gone 127.0.0.1:9009\n",
            SERVERS[0], SERVERS[1]
        );
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            for (says, server) in [("beta", 1), ("alpha", 0), ("gone", 0)] {
                let client = w.home().connect(PLACE);
                client.send(says);
                let accepted = servers[server].accept();
                accepted.expect(says);
                exchange(&client, &accepted);
            }
        });
    });
}
