//! Servers by the names of their hosts, each looked up where the server is.

use std::fs;
use std::net::IpAddr;

use nix::mount::{MsFlags, mount};
use nsproxy_testkit::{
    DEFAULT_DEADLINE, DnsAnswer, DnsServer, Netns, Peer, Service, World, eventually, require, world,
};

use crate::common::{DEFAULTS, Proxy, exchange, joined, line_with, run, run_command, same};
use crate::syslog::Syslog;

const PLACE: &str = "127.0.0.1:8000";
/// Asks often.
const QUICK: &str = "  timeout resolve 100ms\n  timeout retry 100ms\n  hold valid 100ms\n";
/// Believes at once that there is no address any more.
const FORGETFUL: &str = "  hold nx 0\n  hold timeout 0\n  hold refused 0\n  hold other 0\n";

fn only(address: &str) -> DnsAnswer {
    let address: IpAddr = address.parse().expect("an address");
    DnsAnswer::Addresses(vec![address])
}

/// `tenant1` and `tenant2`, each with a neighbour at 10.0.0.5, 10.0.0.6 and 10.0.0.7 that answers questions at the first.
fn overlapping(w: &World) -> [(Netns, DnsServer); 2] {
    [("tenant1", "host1"), ("tenant2", "host2")].map(|(tenant, host)| {
        let (_, neighbour) = joined(w, (tenant, "10.0.0.1/24"), (host, "10.0.0.5/24"));
        for address in ["10.0.0.6", "10.0.0.7"] {
            neighbour.ip(&format!("address add {address}/24 dev to-{tenant}"));
        }
        let dns = neighbour.dns("10.0.0.5:53");
        (neighbour, dns)
    })
}

/// Files that say how names are looked up, in an `/etc` of the test's own.
pub(crate) fn etc(files: &[(&str, &str)]) {
    mount(
        Some("tmpfs"),
        "/etc",
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .expect("a private /etc");
    for (path, text) in files {
        let path = std::path::Path::new("/etc").join(path);
        fs::create_dir_all(path.parent().expect("it is in a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
}

/// What a client is told, or nothing when it is closed.
fn met() -> String {
    String::from_utf8_lossy(&Peer::connect(PLACE).read_to_end(10)).into_owned()
}

/// Waits until new clients meet this server, or none for "".
#[track_caller]
fn until(w: &World, expected: &str) {
    eventually(DEFAULT_DEADLINE, &format!("a server `{expected}`"), || {
        (w.home().run(met) == expected).then_some(())
    });
}

#[test]
fn one_name_is_another_host_in_each_namespace_and_may_move_while_sessions_go_on() {
    world("names", |w| {
        let [(host1, dns1), (host2, dns2)] = overlapping(w);
        dns1.set("db.example", only("10.0.0.5"));
        dns2.set("db.example", only("10.0.0.6"));
        let first = host1.listen("10.0.0.5:80");
        let second = host2.listen("10.0.0.6:80");
        let config = format!(
            "{DEFAULTS}resolvers dns\n  nameserver ns 10.0.0.5:53\n{QUICK}\
             listen one\n  bind 127.0.0.1:8001\n  server s db.example:80 namespace tenant1 resolvers dns init-addr none\n\
             listen two\n  bind 127.0.0.1:8002\n  server s db.example:80 namespace tenant2 resolvers dns init-addr none\n"
        );
        let running = run(w, w.home(), &config);
        line_with(&running, &["one/s", "10.0.0.5", "tenant1"]);
        line_with(&running, &["two/s", "10.0.0.6", "tenant2"]);
        let (client, server) = (w.home().connect("127.0.0.1:8001"), first.accept());
        exchange(&client, &server);
        exchange(&w.home().connect("127.0.0.1:8002"), &second.accept());
        let moved = host1.listen("10.0.0.7:80");
        dns1.set("db.example", only("10.0.0.7"));
        line_with(&running, &["one/s", "10.0.0.7"]);
        exchange(&w.home().connect("127.0.0.1:8001"), &moved.accept());
        exchange(&client, &server);
    });
}

#[test]
fn the_files_of_a_namespace_say_how_its_names_are_looked_up() {
    world("names-files", |w| {
        etc(&[
            ("hosts", "10.0.0.5 db\n"),
            ("resolv.conf", "nameserver 192.0.2.1\n"),
            (
                "netns/tenant1/resolv.conf",
                "nameserver 10.0.0.5\nsearch example\n",
            ),
            ("netns/tenant1/hosts", "# none\n"),
            ("netns/tenant2/hosts", "10.0.0.7 db # for this one\n"),
        ]);
        let [(host1, dns1), (host2, _dns2)] = overlapping(w);
        // There is no route for the other family, which would be preferred.
        let both = ["2001:db8::6", "10.0.0.6"].map(|address| address.parse().expect("an address"));
        dns1.set("db.example", DnsAnswer::Addresses(both.into()));
        let config = format!(
            "{DEFAULTS}listen one\n  bind 127.0.0.1:8001\n  server s db:80 namespace tenant1\n\
             listen two\n  bind 127.0.0.1:8002\n  server s db:80 namespace tenant2\n\
             listen three\n  bind 127.0.0.1:8003\n  server s db:80 namespace /run/netns/tenant1\n"
        );
        let servers = [
            host1.listen("10.0.0.6:80"),
            host2.listen("10.0.0.7:80"),
            host1.listen("10.0.0.5:80"),
        ];
        // The start has waited for the first lookups.
        let _running = run(w, w.home(), &config);
        for (place, server) in ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8003"]
            .iter()
            .zip(&servers)
        {
            exchange(&w.home().connect(*place), &server.accept());
        }
    });
}

#[test]
fn the_files_are_read_from_outside_of_a_new_root_directory() {
    world("names-chroot", |w| {
        etc(&[("resolv.conf", "nameserver 192.0.2.1\n")]);
        fs::create_dir_all("/etc/netns/tenant1").expect("a directory");
        // A link that begins at the old root directory, too.
        let file = w.write("resolv.conf", "nameserver 10.0.0.5\n");
        std::os::unix::fs::symlink(file, "/etc/netns/tenant1/resolv.conf").expect("a link");
        let jail = w.path("jail");
        fs::create_dir(&jail).expect("a directory");
        let [(host1, dns1), _] = overlapping(w);
        dns1.set("db.example", only("10.0.0.6"));
        let server = host1.listen("10.0.0.6:80");
        let config = format!(
            "global\n  chroot {}\n{DEFAULTS}listen l\n  bind {PLACE}\n  server s db.example:80 namespace tenant1\n",
            jail.display()
        );
        let _running = run(w, w.home(), &config);
        exchange(&w.home().connect(PLACE), &server.accept());
    });
}

#[test]
fn a_name_that_nobody_knows_does_not_stop_the_start_and_its_server_comes_up_with_an_address() {
    world("names-late", |w| {
        let [(host1, dns1), _] = overlapping(w);
        let config = format!(
            "{DEFAULTS}resolvers dns\n  nameserver ns 10.0.0.5:53\n{QUICK}  hold timeout 1s\n\
             listen l\n  bind {PLACE}\n  server s db.example:80 namespace tenant1 resolvers dns\n"
        );
        let running = run(w, w.home(), &config);
        line_with(&running, &["l/s is down", "no such name"]);
        w.home().connect(PLACE).expect_closed();
        let server = host1.listen("10.0.0.6:80");
        dns1.set("db.example", only("10.0.0.6"));
        line_with(&running, &["l/s", "10.0.0.6"]);
        exchange(&w.home().connect(PLACE), &server.accept());
        dns1.set("db.example", DnsAnswer::Silence);
        line_with(&running, &["l/s is down", "no name server answers"]);
        w.home().connect(PLACE).expect_closed();
    });
}

#[test]
fn changes_of_address_are_told_where_the_frontend_has_its_log() {
    world("names-log", |w| {
        let dns = w.home().dns("127.0.0.1:5353");
        let path = w.path("log");
        let log = Syslog::at(&path);
        let config = format!(
            "global\n  log {} local0\n{DEFAULTS}  log global\nresolvers dns\n  nameserver ns 127.0.0.1:5353\n{QUICK}\
             listen l\n  bind {PLACE}\n  server s db.example:80 resolvers dns\n",
            path.display()
        );
        let running = run(w, w.home(), &config);
        let line = log.line();
        assert!(line.starts_with("<129>"), "an alert: {line}");
        let down = "server l/s is down: db.example has no address: there is no such name";
        assert!(line.trim_end().ends_with(down), "{line}");
        let line = line_with(&running, &[down]);
        assert!(line.starts_with("20"), "a time comes first: {line}");
        dns.set("db.example", only("127.0.0.2"));
        let line = log.line();
        assert!(line.starts_with("<133>"), "a notice: {line}");
        assert!(
            line.trim_end().ends_with("server l/s: db.example is 127.0.0.2"),
            "{line}"
        );
    });
}

#[test]
fn a_server_that_must_have_an_address_stops_the_start_without_one() {
    world("names-strict", |w| {
        etc(&[
            ("hosts", "10.0.0.5 other\n"),
            ("resolv.conf", "nameserver 127.0.0.1\n"),
        ]);
        let dns = w.home().dns("127.0.0.1:53");
        let config =
            format!("{DEFAULTS}listen l\n  bind {PLACE}\n  server s db.example:80 init-addr last,libc\n");
        let said = w.home().output(run_command(w, &config)).expect_code(1);
        assert!(
            said.contains("server l/s: `db.example` has no address: there is no such name"),
            "{said}"
        );
        assert!(dns.asked("db.example") > 0);
        let config = config.replace("last,libc", "last,libc,127.0.0.3");
        let _service = Service::reply(w.home().listen("127.0.0.3:80"), "given");
        let _running = run(w, w.home(), &config);
        assert_eq!(w.home().run(met), "given");
    });
}

#[test]
fn an_address_that_moves_is_lost_and_comes_back_is_followed_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("names-haproxy", |w| {
        let dns = w.home().dns("127.0.0.1:5353");
        let _services = [("127.0.0.2:80", "two"), ("127.0.0.3:80", "three")]
            .map(|(address, name)| Service::reply(w.home().listen(address), name));
        let config = format!(
            "{DEFAULTS}resolvers dns\n  nameserver ns 127.0.0.1:5353\n{QUICK}{FORGETFUL}\
             listen l\n  bind {PLACE}\n  server s db.example:80 resolvers dns resolve-prefer ipv4 init-addr none\n"
        );
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            dns.set("db.example", DnsAnswer::Error(3));
            until(w, "");
            dns.set("db.example", only("127.0.0.2"));
            until(w, "two");
            dns.set("db.example", only("127.0.0.3"));
            until(w, "three");
            for answer in [DnsAnswer::Error(3), DnsAnswer::Error(5), DnsAnswer::Silence] {
                dns.set("db.example", answer);
                until(w, "");
                dns.set("db.example", only("127.0.0.3"));
                until(w, "three");
            }
        });
    });
}

#[test]
fn two_servers_of_one_host_share_its_addresses_out_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("names-two", |w| {
        let dns = w.home().dns("127.0.0.1:5353");
        let _services = [("127.0.0.2:80", "two"), ("127.0.0.3:80", "three")]
            .map(|(address, name)| Service::reply(w.home().listen(address), name));
        let line = "db.example:80 resolvers dns resolve-prefer ipv4 init-addr none";
        let config = format!(
            "{DEFAULTS}resolvers dns\n  nameserver ns 127.0.0.1:5353\n{QUICK}\
             listen l\n  bind {PLACE}\n  balance roundrobin\n  server a {line}\n  server b {line}\n"
        );
        let meets = |expected: &[&str]| {
            eventually(DEFAULT_DEADLINE, &format!("{expected:?}"), || {
                let mut met: Vec<_> = w.home().run(|| (0..4).map(|_| met()).collect());
                met.sort();
                (met == expected).then_some(())
            });
        };
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            dns.set("db.example", only("127.0.0.2"));
            meets(&["two"; 4]);
            let addresses = ["127.0.0.2", "127.0.0.3"].map(|ip| ip.parse().expect("an address"));
            dns.set("db.example", DnsAnswer::Addresses(addresses.into()));
            meets(&["three", "three", "two", "two"]);
        });
    });
}
