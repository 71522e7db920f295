//! What the tests of the binary share: start nsproxy, or HAProxy in its place, and catch PROXY headers.
//!
//! Configurations name fixed ports, because HAProxy and the configurations of its documentation do. Each test has network
//! namespaces of its own, so no port can be taken.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::Pid;
use nsproxy_testkit::{
    Address, DEFAULT_DEADLINE, Deadline, Listener, MissingProgram, Netns, Peer, Program, Running, Service,
    ToAddress, World, eventually,
};
use socket2::{Domain, Socket, Type};

/// A `defaults` section: HAProxy warns without timeouts.
pub(crate) const DEFAULTS: &str =
    "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n";

/// From port 8000 to port 9000.
pub(crate) const RELAY: &str = "listen l\n  bind 127.0.0.1:8000\n  server s 127.0.0.1:9000\n";

/// How long nothing happens before a test believes that nothing will.
pub(crate) const SILENCE: Duration = Duration::from_millis(150);

pub(crate) fn soon() -> Deadline {
    Deadline::after(DEFAULT_DEADLINE)
}

/// `nsproxy` with these arguments.
pub(crate) fn nsproxy(arguments: &[&str]) -> Command {
    let mut command = Program::at(env!("CARGO_BIN_EXE_nsproxy")).command();
    command.args(arguments);
    command
}

/// `nsproxy run --verbose` with this configuration.
#[track_caller]
pub(crate) fn run_command(w: &World, config: &str) -> Command {
    let path = w.write("nsproxy.cfg", config);
    let mut command = nsproxy(&["run", "--verbose", "-f"]);
    command.arg(path);
    command
}

/// Starts `nsproxy run` in `netns` and waits until it listens everywhere.
#[track_caller]
pub(crate) fn run(w: &World, netns: &Netns, config: &str) -> Running {
    let running = netns.spawn(run_command(w, config));
    // It opens all listeners before it names the first.
    running.wait_for_output(" listens at ", soon());
    running
}

/// Waits for a line of standard error that has all of these in it, and returns it.
#[track_caller]
pub(crate) fn line_with(running: &Running, parts: &[&str]) -> String {
    eventually(DEFAULT_DEADLINE, &format!("a line with {parts:?}"), || {
        let printed = running.stderr();
        let found = printed
            .lines()
            .find(|line| parts.iter().all(|part| line.contains(part)));
        found.map(str::to_owned)
    })
}

/// What runs a configuration.
#[derive(Clone, Debug)]
pub(crate) enum Proxy {
    Haproxy(Program),
    Nsproxy,
}

impl Proxy {
    /// HAProxy and nsproxy, in this order.
    pub(crate) fn both() -> Result<[Self; 2], MissingProgram> {
        Ok([Self::Haproxy(Program::find("haproxy")?), Self::Nsproxy])
    }

    /// Starts it in `netns` and waits until something listens in all of these places.
    #[track_caller]
    pub(crate) fn start(&self, w: &World, netns: &Netns, config: &str, places: &[(&Netns, &str)]) -> Running {
        match self {
            Self::Nsproxy => run(w, netns, config),
            Self::Haproxy(program) => {
                let running = netns.spawn(w.haproxy(program, "haproxy", config));
                for (netns, address) in places {
                    netns.wait_listening(*address, soon());
                }
                running
            }
        }
    }
}

/// Plays `scene` with HAProxy and then with nsproxy in its place, and returns what both did.
///
/// # Panics
///
/// When they did not do the same.
#[track_caller]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    proxies: &[Proxy; 2],
    w: &World,
    (netns, config): (&Netns, &str),
    places: &[(&Netns, &str)],
    scene: impl Fn() -> T,
) -> T {
    let [haproxy, nsproxy] = proxies.each_ref().map(|proxy| {
        let _running = proxy.start(w, netns, config, places);
        scene()
    });
    assert_eq!(nsproxy, haproxy, "nsproxy (left) differs from HAProxy (right)");
    nsproxy
}

/// The namespace `tenant1`, with the address 10.0.0.1.
pub(crate) fn tenant(w: &World) -> Netns {
    let tenant = w.add_netns("tenant1");
    tenant.ip("address add 10.0.0.1/32 dev lo");
    tenant
}

/// Two namespaces joined by a pair of links, `one` with the first address and `other` with the second.
pub(crate) fn joined(w: &World, (one, address): (&str, &str), (other, its): (&str, &str)) -> (Netns, Netns) {
    let both = (w.add_netns(one), w.add_netns(other));
    let (to_other, to_one) = (format!("to-{other}"), format!("to-{one}"));
    w.veth((one, &*to_other, address), (other, &*to_one, its));
    both
}

/// Receives a PROXY header of either version, and nothing behind it.
#[track_caller]
pub(crate) fn read_header(peer: &Peer) -> Vec<u8> {
    let mut header = peer.read_exact(12);
    if header == proxy_proto::v2::SIGNATURE {
        header.extend(peer.read_exact(4));
        let length = u16::from_be_bytes([header[14], header[15]]);
        header.extend(peer.read_exact(usize::from(length)));
    } else {
        while !header.ends_with(b"\n") {
            header.extend(peer.read_exact(1));
        }
    }
    header
}

/// The parts of a header that tests ask for: source and destination, and the namespace.
#[track_caller]
pub(crate) fn meaning(header: &[u8]) -> (Option<(SocketAddr, SocketAddr)>, Option<String>) {
    let parsed = proxy_proto::parse(header).expect("a header that the specification allows");
    assert_eq!(parsed.consumed, header.len());
    let netns = parsed
        .header
        .netns()
        .map(|name| String::from_utf8_lossy(name).into_owned());
    (parsed.header.socket_addrs(), netns)
}

/// A header that names these addresses, source and destination, and this namespace.
#[track_caller]
pub(crate) fn expect_meaning(header: &[u8], (source, destination): (&str, &str), netns: &str) {
    let [source, destination]: [SocketAddr; 2] =
        [source, destination].map(|text| text.parse().expect("an address with port"));
    assert_eq!(
        meaning(header),
        (Some((source, destination)), Some(netns.to_owned()))
    );
}

/// A version 2 header for a connection from `source` to `destination`.
pub(crate) fn v2_header(source: &str, destination: &str, netns: Option<&str>) -> Vec<u8> {
    let [source, destination] = [source, destination].map(|text| text.parse().expect("an address with port"));
    let addresses =
        proxy_proto::Addresses::from_socket_addrs(proxy_proto::Transport::Stream, source, destination)
            .expect("both of one family");
    let header = proxy_proto::v2::to_vec(proxy_proto::Command::Proxy(addresses), |header| {
        if let Some(name) = netns {
            header.netns(name.as_bytes());
        }
    });
    header.expect("a name that is short enough")
}

/// Waits until connections are refused. One that comes about before is reset, so that it does not hold a relay up.
///
/// A listener that a test drops may live a moment longer, in a process that another test's thread is just starting.
#[track_caller]
pub(crate) fn wait_until_refused(netns: &Netns, address: &str) {
    eventually(DEFAULT_DEADLINE, "a refused connection", || {
        match netns.run(|| Peer::try_connect(address)) {
            Ok(early) => {
                early.reset();
                None
            }
            Err(error) => (error.kind() == ErrorKind::ConnectionRefused).then_some(()),
        }
    });
}

/// Connects from an address and port of the test's choice, so that two runs have the same header.
#[track_caller]
pub(crate) fn connect_from(netns: &Netns, source: &str, to: &str) -> Peer {
    let [source, to]: [SocketAddr; 2] = [source, to].map(|text| text.parse().expect("an address with port"));
    let connect = || {
        let socket = Socket::new(Domain::for_address(source), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&source.into())?;
        socket.connect_timeout(&to.into(), DEFAULT_DEADLINE)?;
        Ok::<_, std::io::Error>(socket)
    };
    let attempt = || match connect() {
        Ok(socket) => Some(Peer::new(socket)),
        // The connection before from there may live a moment longer, as in `wait_until_refused`.
        Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable) => None,
        Err(error) => panic!("cannot connect from {source} to {to}: {error}"),
    };
    netns.run(|| eventually(DEFAULT_DEADLINE, "the use of an address", attempt))
}

/// Sends `request` one way and `reply` the other, which shows that the two are connected in both directions.
#[track_caller]
pub(crate) fn exchange(one: &Peer, other: &Peer) {
    one.send("a request");
    other.expect("a request");
    other.send("its reply");
    one.expect("its reply");
}

/// A session through a relay: its client, and what the server has accepted.
#[track_caller]
pub(crate) fn session(netns: &Netns, to: impl ToAddress, server: &Listener) -> (Peer, Peer) {
    let client = netns.connect(to);
    let accepted = server.accept();
    exchange(&client, &accepted);
    (client, accepted)
}

/// Ends a session from one side.
#[track_caller]
pub(crate) fn finish(first: Peer, second: Peer) {
    first.close();
    second.expect_eof();
    second.close();
}

/// At port 9000: says `here`.
pub(crate) fn here(w: &World) -> Service {
    Service::reply(w.home().listen("127.0.0.1:9000"), "here")
}

/// A client that is told `reply`, and then the end.
#[track_caller]
pub(crate) fn expect_reply(netns: &Netns, address: impl ToAddress, reply: &str) {
    let client = netns.connect(address);
    client.expect(reply);
    client.expect_eof();
}

/// Waits until a process upgrades, and returns the new one.
#[track_caller]
pub(crate) fn upgraded(running: &Running) -> Pid {
    let line = line_with(running, &["upgraded pid="]);
    let pid = line.rsplit_once("pid=").and_then(|(_, pid)| pid.parse().ok());
    Pid::from_raw(pid.expect("the number of a process"))
}

/// Waits for the end of a process that is no child of the test.
#[track_caller]
pub(crate) fn wait_for_end(pid: Pid) {
    eventually(DEFAULT_DEADLINE, "the end of a process", || {
        (!Path::new(&format!("/proc/{pid}/exe")).exists()).then_some(())
    });
}

/// A bound socket that a program which is started from here has, at the same number.
#[track_caller]
pub(crate) fn inherited(netns: &Netns, address: &str) -> Socket {
    let address: SocketAddr = address.parse().expect("an address with port");
    let make = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        fcntl(&socket, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok::<_, std::io::Error>(socket)
    };
    netns.run(make).expect("nobody else is in this namespace")
}

/// The IP address of the other end.
#[track_caller]
pub(crate) fn peer_ip(peer: &Peer) -> String {
    match peer.peer_addr() {
        Address::Inet(address) => address.ip().to_string(),
        Address::Unix(path) => panic!("{} is no internet address", path.display()),
    }
}

/// Delivers every packet that comes in by `link` to this namespace, whatever its destination: the way back for
/// connections that were made from foreign addresses.
#[track_caller]
pub(crate) fn take_all(netns: &Netns, link: &str) {
    netns.ip(&format!("rule add iif {link} lookup 100"));
    netns.ip("route add local 0.0.0.0/0 dev lo table 100");
}

/// Diverts connections to `port` that come in by `link` to the transparent listener `to` (TPROXY).
#[track_caller]
pub(crate) fn divert(w: &World, nft: &Program, netns: &Netns, (link, port): (&str, u16), to: &str) {
    let rules = format!(
        "table ip divert {{\n chain incoming {{\n  type filter hook prerouting priority mangle;\n\
         \x20 iifname \"{link}\" tcp dport {port} tproxy to {to} meta mark set 1 accept\n }}\n}}\n"
    );
    let mut command = nft.command();
    command.arg("-f").arg(w.write("divert.nft", rules));
    netns.output(command).expect_success();
    netns.ip("rule add fwmark 1 lookup 100");
    netns.ip("route add local 0.0.0.0/0 dev lo table 100");
}
