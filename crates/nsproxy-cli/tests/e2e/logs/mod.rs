//! `log` lines: the same configuration and the same scenes under HAProxy and nsproxy, and the lines that both write.

mod expressions;
mod identifiers;
mod queue;
mod quiet;
mod responses;
mod rules;
mod targets;

use std::net::Shutdown;

use nsproxy_testkit::{Listener, Netns, Peer, World, require, world};

use crate::common::{Proxy, exchange, finish, run, same, session, tenant};
use crate::syslog::Syslog;

/// Frontends of all kinds; only one of them is in a hurry. Each has one attempt: what becomes of others is in `queue`.
const CONFIG: &str = "\
global
  log 127.0.0.1:5140 format raw local0
defaults
  mode tcp
  log global
  timeout connect 10s
  timeout client 10s
  timeout server 10s
  retries 0
listen plain
  bind 127.0.0.1:8000
  server s 127.0.0.1:9000
defaults tcp
  mode tcp
  log global
  option tcplog
  timeout connect 10s
  timeout client 10s
  timeout server 10s
  retries 0
frontend main from tcp
  bind 127.0.0.1:8001
  default_backend b
backend b from tcp
  server s 127.0.0.1:9000
listen refused from tcp
  bind 127.0.0.1:8002
  server s 127.0.0.1:9001
listen proxied from tcp
  bind 127.0.0.1:8005 accept-proxy
  bind 127.0.0.1:8006 accept-proxy name label
  server s 127.0.0.1:9000
listen asap from tcp
  bind 127.0.0.1:8007
  option logasap
  server s 127.0.0.1:9000
listen quiet from tcp
  bind 127.0.0.1:8008
  option dontlognull
  option dontlog-normal
  server s 127.0.0.1:9000
listen own from tcp
  bind 127.0.0.1:8009
  log-format \"%ci %si:%sp %fi:%fp %bi %b %s %f %ft %B %U %ts %lc %{+Q}s %{+X}ci %{+X}sp %{+E}b 100%% %{+Q}o%b %s\"
  server s 127.0.0.1:9000
listen empty from tcp
  bind 127.0.0.1:8010
listen hasty from tcp
  bind 127.0.0.1:8011
  timeout client 400ms
  timeout server 400ms
  server s 127.0.0.1:9000
";

/// A syslog server, and the server behind the relays.
struct Scene<'w> {
    home: &'w Netns,
    log: Syslog,
    server: Listener,
}

impl<'w> Scene<'w> {
    fn new(w: &'w World) -> Self {
        let home = w.home();
        Self {
            home,
            log: Syslog::udp(home, 5140),
            server: home.listen("127.0.0.1:9000"),
        }
    }

    /// A session by way of this frontend.
    #[track_caller]
    fn session(&self, to: &str) -> (Peer, Peer) {
        let client = self.home.connect(to);
        (client, self.server.accept())
    }

    /// Gives 10.9.9.0/24 a link on which nobody answers.
    fn black_hole(&self) {
        if self.home.ip("link show").contains("hole") {
            return;
        }
        self.home.ip("link add hole type veth peer name bottom");
        self.home.ip("address add 10.9.9.1/24 dev hole");
        for link in ["hole", "bottom"] {
            self.home.ip(&format!("link set {link} up"));
        }
        for host in [8, 9] {
            self.home.ip(&format!(
                "neighbour add 10.9.9.{host} lladdr 02:00:00:00:00:01 dev hole"
            ));
        }
    }

    /// The next line, with what differs from run to run masked.
    #[track_caller]
    fn line(&self) -> String {
        masked(&self.log.line())
    }

    /// Uses a session and ends it, and returns its line. HAProxy may not know yet that it has a server when that one does: it
    /// would say something else of a client that leaves too early.
    #[track_caller]
    fn ended(&self, (client, accepted): (Peer, Peer)) -> String {
        exchange(&client, &accepted);
        finish(client, accepted);
        self.line()
    }
}

/// Ports of clients, dates and times are replaced; a time that is -1 stays.
fn masked(line: &str) -> String {
    let words = line.split(' ').map(|word| match word {
        _ if word.starts_with('[') && word.ends_with(']') => "[DATE]".to_owned(),
        _ if word.matches('/').count() == 2 && !word.contains(|c: char| c.is_ascii_alphabetic()) => {
            let times = word.split('/').map(|time| match time {
                "-1" => "-1",
                _ if time.starts_with('+') => "+T",
                _ => "T",
            });
            times.collect::<Vec<_>>().join("/")
        }
        // Both may count the session before for a moment longer.
        _ if word.matches('/').count() == 4 => {
            let rest: Vec<_> = word.split('/').skip(4).collect();
            format!("N/N/N/N/{}", rest.join("/"))
        }
        _ => match word.rsplit_once(':') {
            Some((host, port)) if port.len() == 5 && host.contains('.') => format!("{host}:PORT"),
            _ => word.to_owned(),
        },
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Plays a scene with both, which have to write the same lines, and these.
#[track_caller]
fn both_write(
    name: &str,
    config: &str,
    expected: &[&str],
    scene: impl Fn(&Scene<'_>) -> Vec<String> + Send + Sync,
) {
    let proxies = require!(Proxy::both());
    world(name, |w| {
        let stage = Scene::new(w);
        let places: Vec<_> = listened_at(config).map(|place| (w.home(), place)).collect();
        let lines = same(&proxies, w, (w.home(), config), &places, || scene(&stage));
        assert_eq!(lines, expected);
    });
}

/// Where the frontends of a configuration listen.
fn listened_at(config: &str) -> impl Iterator<Item = &str> {
    config
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("bind ")?.split(' ').next())
}

#[test]
fn a_session_that_ends_well_has_haproxys_line_whoever_ends_it() {
    let line = "127.0.0.1:PORT [DATE] main b/s T/T/T 9 -- N/N/N/N/0 0/0\n";
    both_write("log-normal", CONFIG, &[line, line, line], |scene| {
        let mut lines = Vec::new();
        for half_close in [false, true] {
            let (client, accepted) = scene.session("127.0.0.1:8001");
            exchange(&client, &accepted);
            if half_close {
                client.half_close();
                accepted.expect_eof();
                accepted.close();
                client.expect_eof();
            } else {
                finish(client, accepted);
            }
            lines.push(scene.line());
        }
        let (client, accepted) = scene.session("127.0.0.1:8001");
        exchange(&client, &accepted);
        finish(accepted, client);
        lines.push(scene.line());
        lines
    });
}

#[test]
fn who_broke_a_session_off_is_told_by_the_same_letters() {
    let expected = [
        "127.0.0.1:PORT [DATE] main b/s T/T/T 9 CD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] main b/s T/T/T 9 SD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] hasty hasty/s T/T/T 9 cD N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] hasty hasty/s T/T/T 9 sD N/N/N/N/0 0/0\n",
    ];
    both_write("log-broken", CONFIG, &expected, |scene| {
        let mut lines = Vec::new();
        let (client, accepted) = scene.session("127.0.0.1:8001");
        exchange(&client, &accepted);
        client.reset();
        lines.push(scene.line());
        drop(accepted);
        let (client, accepted) = scene.session("127.0.0.1:8001");
        exchange(&client, &accepted);
        accepted.reset();
        lines.push(scene.line());
        drop(client);
        let (client, accepted) = scene.session("127.0.0.1:8011");
        exchange(&client, &accepted);
        lines.push(scene.line());
        drop((client, accepted));
        let (client, accepted) = scene.session("127.0.0.1:8011");
        exchange(&client, &accepted);
        client.half_close();
        accepted.expect_eof();
        lines.push(scene.line());
        lines
    });
}

#[test]
fn a_session_without_a_server_has_minus_one_for_what_did_not_happen() {
    let expected = [
        "127.0.0.1:PORT [DATE] refused refused/s T/-1/T 0 SC N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] empty empty/<NOSRV> -1/-1/T 0 SC N/N/N/N/0 0/0\n",
    ];
    both_write("log-no-server", CONFIG, &expected, |scene| {
        let ports = ["127.0.0.1:8002", "127.0.0.1:8010"];
        let line = |port| {
            let client = scene.home.connect(port);
            client.expect_closed();
            scene.line()
        };
        ports.map(line).to_vec()
    });
}

#[test]
fn a_proxy_header_decides_who_the_client_is_and_a_bad_one_has_a_sentence() {
    let expected = [
        "192.0.2.1:PORT [DATE] proxied proxied/s T/T/T 9 -- N/N/N/N/0 0/0\n",
        "127.0.0.1:PORT [DATE] proxied/1: Received something which does not look like a PROXY protocol header\n",
        "127.0.0.1:PORT [DATE] proxied/label: Received an invalid PROXY protocol header\n",
        "127.0.0.1:PORT [DATE] proxied/1: Truncated PROXY protocol header received\n",
        "127.0.0.1:PORT [DATE] proxied/1: Connection closed while waiting for PROXY protocol header\n",
        "127.0.0.1:PORT [DATE] proxied/1: Connection error while waiting for PROXY protocol header\n",
    ];
    both_write("log-header", CONFIG, &expected, |scene| {
        let mut lines = Vec::new();
        let client = scene.home.connect("127.0.0.1:8005");
        client.send("PROXY TCP4 192.0.2.1 192.0.2.2 10000 80\r\n");
        let accepted = scene.server.accept();
        exchange(&client, &accepted);
        client.close();
        drop(accepted);
        lines.push(scene.line());
        let bad = [
            ("127.0.0.1:8005", "GET / HTTP/1.0\r\n\r\n"),
            ("127.0.0.1:8006", "PROXY TCP4 1.2.3.4\r\n"),
            ("127.0.0.1:8005", "PROXY TC"),
            ("127.0.0.1:8005", ""),
        ];
        for (port, header) in bad {
            let client = scene.home.connect(port);
            if !header.is_empty() {
                client.send(header);
            }
            if header.len() < 12 {
                // HAProxy takes a header in one segment only, and may have reset the connection by now.
                let _ = client.socket().shutdown(Shutdown::Write);
            }
            let line = scene.line();
            // What nsproxy adds is its own.
            let sentence = line.split(" (").next().unwrap_or_default().trim_end();
            lines.push(format!("{sentence}\n"));
        }
        scene.home.connect("127.0.0.1:8005").reset();
        lines.push(scene.line());
        lines
    });
}

#[test]
fn a_session_is_announced_when_there_is_no_line_for_its_end() {
    let expected = ["Connect from 127.0.0.1:PORT to 127.0.0.1:8000 (plain/TCP)\n"];
    both_write("log-plain", CONFIG, &expected, |scene| {
        let (client, accepted) = scene.session("127.0.0.1:8000");
        let line = scene.line();
        drop((client, accepted));
        vec![line]
    });
}

#[test]
fn logasap_writes_before_the_end_and_not_again() {
    let expected = [
        "127.0.0.1:PORT [DATE] asap asap/s T/T/+T +0 -- N/N/N/N/0 0/0\n",
        "Connect from 127.0.0.1:PORT to 127.0.0.1:8000 (plain/TCP)\n",
    ];
    both_write("log-asap", CONFIG, &expected, |scene| {
        let (client, accepted) = scene.session("127.0.0.1:8007");
        let first = scene.line();
        exchange(&client, &accepted);
        finish(client, accepted);
        let (client, accepted) = scene.session("127.0.0.1:8000");
        let second = scene.line();
        drop((client, accepted));
        vec![first, second]
    });
}

#[test]
fn sessions_without_news_are_left_out_when_nobody_wants_them() {
    let expected = ["127.0.0.1:PORT [DATE] quiet quiet/s T/T/T 9 SD N/N/N/N/0 0/0\n"];
    both_write("log-quiet", CONFIG, &expected, |scene| {
        let (client, accepted) = scene.session("127.0.0.1:8008");
        exchange(&client, &accepted);
        finish(client, accepted);
        let (client, accepted) = scene.session("127.0.0.1:8008");
        accepted.reset();
        client.expect_closed();
        drop(client);
        let (client, accepted) = scene.session("127.0.0.1:8008");
        exchange(&client, &accepted);
        accepted.reset();
        client.expect_closed();
        vec![scene.line()]
    });
}

#[test]
fn a_format_of_ones_own_is_filled_in_alike() {
    let expected = [
        "127.0.0.1 127.0.0.1:9000 127.0.0.1:8009 127.0.0.1 own s own own 9 9 -- 0 \"s\" 7F000001 2328 own \
                     100% \"own\" \"s\"\n",
    ];
    both_write("log-format", CONFIG, &expected, |scene| {
        vec![scene.ended(scene.session("127.0.0.1:8009"))]
    });
}

#[test]
fn namespaces_are_in_the_line_and_standard_error_stays_quiet() {
    world("log-netns", |w| {
        let tenant = tenant(w);
        let server = tenant.listen("10.0.0.1:80");
        let log = Syslog::udp(w.home(), 5140);
        let config = "defaults\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
            listen l\n  bind 127.0.0.1:8000\n  server s 10.0.0.1:80 namespace tenant1\n\
            \x20 log 127.0.0.1:5140 format short local0\n  log-format \"%[fc_netns] %[bc_netns] %ts\"\n";
        let running = run(w, w.home(), config);
        let (client, accepted) = session(w.home(), "127.0.0.1:8000", &server);
        finish(client, accepted);
        assert_eq!(log.line(), "<6>- tenant1 --\n");
        // Where there is a `log` line, standard error does not tell the same once more.
        assert!(
            !running.stderr().contains("session relay="),
            "{}",
            running.stderr()
        );
    });
}
