//! The resolver beside name servers that answer as they are told.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netns_core::NetnsSpec;
use nsproxy_resolve::{
    Failure, Family, First, Holds, Init, Missing, Resolver, Servers, SocketKind, Sockets, Source, Target,
    Transport,
};
use nsproxy_testkit::{DEFAULT_DEADLINE, DnsAnswer, DnsServer, eventually};
use socket2::Socket;

const LOOPBACK: &str = "127.0.0.1:0";

/// Sockets of this very namespace.
struct Here;

impl Sockets for Here {
    fn open(&mut self, _: Option<&NetnsSpec>, kind: SocketKind) -> io::Result<Socket> {
        let (domain, r#type, protocol) = kind.arguments();
        let socket = Socket::new(domain, r#type, protocol)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// A namespace that is not there.
struct Nowhere;

impl Sockets for Nowhere {
    fn open(&mut self, _: Option<&NetnsSpec>, _: SocketKind) -> io::Result<Socket> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A namespace that nobody gets into until the other end is dropped.
struct Stuck(Receiver<()>);

impl Sockets for Stuck {
    fn open(&mut self, _: Option<&NetnsSpec>, _: SocketKind) -> io::Result<Socket> {
        let _ = self.0.recv();
        Err(io::ErrorKind::NotFound.into())
    }
}

/// What a target was last said to have, and how often something was said.
type Told = Arc<Mutex<HashMap<String, (Option<IpAddr>, Option<Failure>, usize)>>>;

struct Watched {
    resolver: Resolver,
    told: Told,
}

impl Watched {
    fn start(sockets: impl Sockets + 'static) -> Self {
        let told = Told::default();
        let tells = Arc::clone(&told);
        let tell = move |target: &Target, address, failure| {
            let mut told = tells.lock().unwrap();
            let count = told.get(&target.name).map_or(0, |(.., count)| *count);
            told.insert(target.name.clone(), (address, failure, count + 1));
        };
        Self {
            resolver: Resolver::start(Box::new(sockets), None, tell).unwrap(),
            told,
        }
    }

    /// One target `s`, asked of these servers.
    fn of(servers: Servers) -> (Self, First) {
        let watched = Self::start(Here);
        let first = watched.resolver.watch(vec![target("s", "db.example", servers)]);
        (watched, first)
    }

    fn address(&self, name: &str) -> Option<IpAddr> {
        self.told
            .lock()
            .unwrap()
            .get(name)
            .and_then(|(address, ..)| *address)
    }

    /// Waits until a target has this address.
    #[track_caller]
    fn expect(&self, name: &str, expected: Option<IpAddr>) {
        eventually(DEFAULT_DEADLINE, &format!("{expected:?} for {name}"), || {
            (self.address(name) == expected).then_some(())
        });
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// They are asked often, and what they have said is kept for long.
fn servers(of: &[&DnsServer]) -> Servers {
    Servers {
        name: "test".to_owned(),
        servers: of
            .iter()
            .map(|server| (server.address(), Transport::Udp))
            .collect(),
        resolv_conf: false,
        attempts: 3,
        retry: Duration::from_millis(100),
        again_found: Duration::from_millis(50),
        again_failed: Duration::from_millis(50),
        payload: 512,
        holds: Holds::default(),
    }
}

fn target(name: &str, host: &str, servers: Servers) -> Target {
    Target {
        group: "b".to_owned(),
        name: name.to_owned(),
        host: host.parse().unwrap(),
        netns: None,
        source: Source::Servers(Arc::new(servers)),
        prefer: Family::V4,
        networks: Vec::new(),
        shares_address: false,
        init: vec![Init::Last, Init::None],
    }
}

fn only(address: &str) -> DnsAnswer {
    DnsAnswer::Addresses(vec![ip(address)])
}

/// A server that knows one name.
fn server(answer: DnsAnswer) -> DnsServer {
    let server = DnsServer::bind(LOOPBACK);
    server.set("db.example", answer);
    server
}

#[test]
fn an_address_is_told_once_and_again_when_it_changes() {
    let server = server(only("10.0.0.1"));
    let (watched, _) = Watched::of(servers(&[&server]));
    watched.expect("s", Some(ip("10.0.0.1")));
    let asked = server.asked("db.example");
    eventually(DEFAULT_DEADLINE, "more questions", || {
        (server.asked("db.example") > asked + 6).then_some(())
    });
    assert_eq!(watched.told.lock().unwrap()["s"].2, 1, "told again");
    server.set("db.example", only("10.0.0.2"));
    watched.expect("s", Some(ip("10.0.0.2")));
}

#[test]
fn an_address_is_lost_when_the_hold_of_the_failure_is_over_and_comes_back() {
    let (holds, over) = (Holds::default(), Duration::ZERO);
    let refused = Holds {
        refused: over,
        ..holds
    };
    let no_such_name = Holds {
        no_such_name: over,
        ..holds
    };
    let timeout = Holds {
        timeout: over,
        ..holds
    };
    let other = Holds { other: over, ..holds };
    for (answer, failure, holds) in [
        (DnsAnswer::Error(3), Failure::NoSuchName, no_such_name),
        (DnsAnswer::Error(5), Failure::Refused, refused),
        (DnsAnswer::Error(2), Failure::Other, other),
        (DnsAnswer::Addresses(Vec::new()), Failure::Other, other),
        (DnsAnswer::Silence, Failure::Timeout, timeout),
    ] {
        let server = server(only("10.0.0.2"));
        let (watched, _) = Watched::of(Servers {
            holds,
            ..servers(&[&server])
        });
        watched.expect("s", Some(ip("10.0.0.2")));
        server.set("db.example", answer);
        watched.expect("s", None);
        assert_eq!(watched.told.lock().unwrap()["s"].1, Some(failure));
        server.set("db.example", only("10.0.0.3"));
        watched.expect("s", Some(ip("10.0.0.3")));
    }
}

#[test]
fn a_truncated_answer_is_asked_for_again_by_tcp() {
    let server = server(DnsAnswer::Truncated(vec![ip("10.0.0.1")]));
    let (watched, _) = Watched::of(servers(&[&server]));
    watched.expect("s", Some(ip("10.0.0.1")));
    assert!(server.asked_by_tcp("db.example") > 0);
}

#[test]
fn a_server_may_be_asked_by_tcp_alone() {
    let server = server(only("10.0.0.1"));
    let by_tcp = Servers {
        servers: vec![(server.address(), Transport::Tcp)],
        ..servers(&[])
    };
    let (watched, _) = Watched::of(by_tcp);
    watched.expect("s", Some(ip("10.0.0.1")));
    assert_eq!(server.asked("db.example"), server.asked_by_tcp("db.example"));
}

#[test]
fn forged_answers_are_passed_over() {
    let server = server(DnsAnswer::Forged(ip("10.6.6.6"), vec![ip("10.0.0.1")]));
    let (watched, _) = Watched::of(servers(&[&server]));
    watched.expect("s", Some(ip("10.0.0.1")));
    let asked = server.asked("db.example");
    eventually(DEFAULT_DEADLINE, "more questions", || {
        (server.asked("db.example") > asked + 10).then_some(())
    });
    assert_eq!(watched.told.lock().unwrap()["s"].2, 1, "told of another address");
}

#[test]
fn an_alias_leads_to_its_addresses() {
    let server = server(DnsAnswer::Alias("real.example", vec![ip("10.0.0.1")]));
    let (watched, _) = Watched::of(servers(&[&server]));
    watched.expect("s", Some(ip("10.0.0.1")));
}

#[test]
fn a_silent_server_and_one_that_is_not_there_do_not_keep_another_from_answering() {
    let answers = server(only("10.0.0.1"));
    let silent = server(DnsAnswer::Silence);
    let gone = server(DnsAnswer::Silence).address();
    let mut all = servers(&[&silent, &answers]);
    all.servers.insert(0, (gone, Transport::Udp));
    let (watched, _) = Watched::of(all);
    watched.expect("s", Some(ip("10.0.0.1")));
}

#[test]
fn a_lost_question_is_asked_again() {
    let server = server(DnsAnswer::Silence);
    let patient = Servers {
        attempts: 1000,
        ..servers(&[&server])
    };
    let (watched, first) = Watched::of(patient);
    eventually(DEFAULT_DEADLINE, "two attempts", || {
        (server.asked("db.example") >= 4).then_some(())
    });
    server.set("db.example", only("10.0.0.1"));
    watched.expect("s", Some(ip("10.0.0.1")));
    drop(first);
}

#[test]
fn a_lost_question_for_one_family_is_asked_again_though_the_other_has_an_address() {
    let silent = DnsAnswer::SilentAboutV6(vec![ip("127.0.0.9")]);
    let server = server(silent);
    let patient = Servers {
        attempts: 1000,
        ..servers(&[&server])
    };
    let watched = Watched::start(Here);
    watched.resolver.watch(vec![Target {
        prefer: Family::V6,
        ..target("s", "db.example", patient)
    }]);
    eventually(DEFAULT_DEADLINE, "three attempts", || {
        (server.asked("db.example") >= 4).then_some(())
    });
    assert_eq!(watched.address("s"), None);
    server.set(
        "db.example",
        DnsAnswer::Addresses(vec![ip("127.0.0.9"), ip("::1")]),
    );
    watched.expect("s", Some(ip("::1")));
    assert_eq!(watched.told.lock().unwrap()["s"].2, 1, "told of the other one");
}

#[test]
fn two_targets_of_one_host_have_two_addresses_and_one_of_another_group_any() {
    let server = server(DnsAnswer::Addresses(vec![ip("10.0.0.1"), ip("10.0.0.2")]));
    let watched = Watched::start(Here);
    let target = |group: &str, name| Target {
        group: group.to_owned(),
        ..target(name, "db.example", servers(&[&server]))
    };
    watched.resolver.watch(vec![
        target("b", "one"),
        target("b", "two"),
        target("b", "three"),
        target("c", "four"),
    ]);
    watched.expect("two", Some(ip("10.0.0.2")));
    watched.expect("one", Some(ip("10.0.0.1")));
    watched.expect("four", Some(ip("10.0.0.1")));
    assert_eq!(watched.address("three"), None);
}

#[test]
fn of_two_families_the_preferred_one_is_taken() {
    // Both have a route.
    let server = server(DnsAnswer::Addresses(vec![ip("127.0.0.9"), ip("::1")]));
    let watched = Watched::start(Here);
    let target = |name, prefer| Target {
        prefer,
        shares_address: true,
        ..target(name, "db.example", servers(&[&server]))
    };
    watched
        .resolver
        .watch(vec![target("four", Family::V4), target("six", Family::V6)]);
    watched.expect("four", Some(ip("127.0.0.9")));
    watched.expect("six", Some(ip("::1")));
}

#[test]
fn who_waits_for_the_first_addresses_is_told_which_targets_have_none() {
    let server = server(only("10.0.0.1"));
    let watched = Watched::start(Here);
    let target = |name, host, init: &[Init]| Target {
        init: init.to_vec(),
        ..target(name, host, servers(&[&server]))
    };
    let first = watched.resolver.watch(vec![
        target("none", "a.example", &[Init::None]),
        target("given", "b.example", &[Init::Last, Init::Address(ip("10.0.0.9"))]),
        target("strict", "c.example", &[Init::Last]),
        // The C library's way has `localhost` in its file.
        target("listed", "localhost", &[Init::System]),
    ]);
    let Missing { failed, undecided } = first.wait(DEFAULT_DEADLINE);
    let failed: Vec<_> = failed.iter().map(|(target, _)| target.name.as_str()).collect();
    assert_eq!((failed, undecided), (vec!["strict"], vec![]));
    assert_eq!(watched.address("none"), None);
}

#[test]
fn who_has_no_patience_is_told_which_targets_are_not_decided() {
    // One that never begins to look anything up.
    let (enter, entered) = channel::<()>();
    let watched = Watched::start(Stuck(entered));
    let asked = servers(&[]);
    let target = |name, init| Target {
        source: Source::System,
        init: vec![init],
        ..target(name, "no-such-host.example", asked.clone())
    };
    let given = ip("10.0.0.9");
    let first = watched.resolver.watch(vec![
        target("decided", Init::Address(given)),
        target("open", Init::System),
    ]);
    watched.expect("decided", Some(given));
    let missing = first.wait(Duration::from_millis(200));
    assert_eq!(missing.failed, []);
    let undecided: Vec<_> = missing.undecided.iter().map(|target| &target.name).collect();
    assert_eq!(undecided, ["open"]);
    drop(enter);
}

#[test]
fn another_list_keeps_what_is_known_of_targets_that_stay() {
    for init in [Init::Last, Init::None, Init::Address(ip("10.0.0.9"))] {
        let server = server(only("10.0.0.1"));
        let (watched, _) = Watched::of(servers(&[&server]));
        watched.expect("s", Some(ip("10.0.0.1")));
        server.set("db.example", DnsAnswer::Silence);
        server.set("other.example", only("10.0.0.2"));
        // Nothing is known of what these have answered.
        let others = Servers {
            name: "others".to_owned(),
            ..servers(&[&server])
        };
        let stays = Target {
            init: vec![init],
            ..target("s", "db.example", others.clone())
        };
        let comes = target("t", "other.example", others);
        watched.resolver.watch(vec![stays, comes]);
        watched.expect("t", Some(ip("10.0.0.2")));
        assert_eq!(watched.told.lock().unwrap()["s"].2, 1, "{init:?}");
        assert_eq!(watched.address("s"), Some(ip("10.0.0.1")), "{init:?}");
    }
}

#[test]
fn without_a_namespace_there_is_no_address_and_the_thread_goes_on() {
    let watched = Watched::start(Nowhere);
    let never = servers(&[]);
    let asked = Servers {
        servers: vec![(SocketAddr::from(([127, 0, 0, 1], 53)), Transport::Udp)],
        attempts: 1,
        holds: Holds {
            other: Duration::ZERO,
            ..never.holds
        },
        ..never
    };
    let given = Target {
        init: vec![Init::Address(ip("10.0.0.9"))],
        ..target("s", "db.example", asked)
    };
    watched.resolver.watch(vec![given]);
    // First the one that is given, then none.
    eventually(DEFAULT_DEADLINE, "no socket", || {
        let told = watched.told.lock().unwrap().get("s").copied();
        (told == Some((None, Some(Failure::NoSocket), 2))).then_some(())
    });
}
