//! The same questions to HAProxy and to nsproxy, in the same scene, and their answers.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nsproxy_testkit::{DEFAULT_DEADLINE, Peer, World, eventually, require, world};

use super::{answer, ask, client, echo, end, stat};
use crate::common::{DEFAULTS, Proxy};

/// What both proxies run: two workers, checks, a tracker, disabled servers, one at a distance from the client's port, a backup.
fn both_config(socket: &Path) -> String {
    format!(
        "global\n  stats socket {} mode 600 level admin\n  stats timeout 30s\n  maxconn 100\n  nbthread 2\n{DEFAULTS}\
         frontend fe\n  bind 127.0.0.1:8001\n  default_backend be\n\
         backend be\n  balance roundrobin\n  server s1 127.0.0.1:9001 check inter 200 weight 3\n  \
         server s2 127.0.0.1:9002 check inter 200\n  server s3 127.0.0.1:9001 disabled\n  server s4 127.0.0.1:9001 backup\n  \
         server s5 127.0.0.1:9001 disabled check inter 200\n  server s6 0.0.0.0:+5 disabled\n  \
         server s7 unix@/nobody disabled\n\
         listen li\n  bind 127.0.0.1:8003\n  balance roundrobin\n  server s1 127.0.0.1:9001 track be/s1\n  server s2 127.0.0.1:9001 maxconn 5\n",
        socket.display()
    )
}

/// Columns that say the same of the same traffic, whenever they are read.
const SAME: &[&str] = &[
    "qcur",
    "qmax",
    "scur",
    "smax",
    "slim",
    "stot",
    "dreq",
    "dresp",
    "ereq",
    "econ",
    "eresp",
    "wretr",
    "wredis",
    "status",
    "weight",
    "act",
    "bck",
    "chkfail",
    "chkdown",
    "pid",
    "iid",
    "sid",
    "lbtot",
    "tracked",
    "type",
    "rate_lim",
    "check_status",
    "check_code",
    "cli_abrt",
    "srv_abrt",
    "last_chk",
    "check_desc",
    "check_rise",
    "check_fall",
    "check_health",
    "addr",
    "mode",
    "algo",
    "conn_tot",
    "dcon",
    "dses",
    "connect",
    "reuse",
    "uweight",
];

/// Parts of `show stat`.
const FILTERS: &[&str] = &[
    "show stat li 4 -1",
    "show stat be 2 -1",
    "show stat -1 1 -1",
    "show stat 2 7 -1",
    "show stat li 4 2",
    "show stat li 0 -1",
    "show stat li 4",
    "show stat up",
    "show stat no-maint",
    "show stat -1 4 -1 up",
    "show stat nonsense",
];

/// What changes something, and what is refused, one after the other.
const LINES: &[&str] = &[
    "get weight be/s1",
    "get weight be/zz",
    "get weight",
    "get weight zz/s1",
    "set weight be/s1",
    "set weight be/s1 300",
    "set weight be/s1 -3",
    "set weight be/s1 50%",
    "get weight be/s1",
    "set server be/s1 state",
    "set server be/s1 state up",
    "set server",
    "set server be/zz state maint",
    "set server zz/s1 state maint",
    "set server be/s1 weight",
    "set server be/s1 weight 256",
    "set server be/s1 state drain",
    "get weight be/s1",
    "show servers state zz",
    "show stat zz 4 -1",
    "show sess 0x1234",
    "set server be/s3 addr",
    "set server be/s3 addr nonsense",
    "set server be/s3 addr 127.0.0.1:80",
    "set server be/s3 addr 127.0.0.1",
    "set server be/s3 addr 127.0.0.2",
    "set server be/s3 addr 127.0.0.2 anything",
    "set server be/s3 addr 127.0.0.2 port",
    "set server be/s3 addr 127.0.0.2 port nonsense",
    "set server be/s3 addr 127.0.0.3 port nonsense",
    "set server be/s3 addr 127.0.0.3",
    "set server be/s3 addr 127.0.0.3 port 9007",
    "set server be/s3 addr 127.0.0.3 port 9007",
    "set server be/s3 addr ::1 port 9008",
    "set server be/s1 addr 127.0.0.1 port +3",
    "set server be/s6 addr 127.0.0.4",
    "set server be/s6 addr 127.0.0.4 port +7",
    "set server be/s6 addr 127.0.0.4 port 70",
    "set server be/s6 addr 0.0.0.0",
    "set server be/s7 addr 127.0.0.1",
    "set server be/s7 addr 127.0.0.1 port 80",
    "set timeout cli",
    "set timeout cli nonsense",
    "set timeout cli 5x",
    "set timeout cli 0",
    "set timeout cli 1500ms",
    "disable server",
    "disable server be/s4",
    "enable server be/s3",
    "enable server be/s5",
    "shutdown sessions server be/zz",
    "shutdown sessions server be/s1",
    "show backend",
    "show cli level",
    "operator; show cli level; set server be/s1 state ready; user; show cli level; show sess",
];

/// What is said on one connection.
const CONVERSATIONS: &[&str] = &[
    "prompt\nshow version\nshow cli level;show version\nquit",
    "show version\r",
    "  show   version ;show version",
    "show\\ version;quit;show version",
];

/// What a proxy says of the scene.
#[derive(Debug, PartialEq)]
struct Said {
    header: String,
    /// Which columns have a value, and the values that can be known.
    open: Vec<String>,
    ended: Vec<String>,
    info: Vec<String>,
    info_typed: Vec<String>,
    stat_typed: Vec<String>,
    servers: Vec<String>,
    connections: Vec<String>,
    sessions: Vec<String>,
    servers_after: Vec<String>,
    filters: Vec<String>,
    refusals: Vec<String>,
    protocol: Vec<String>,
}

/// Each row: the names of the columns that have a value, and the values that can be known.
fn shape(socket: &Path, besides: &[&str]) -> Vec<String> {
    let rows = stat(socket).into_iter().map(|((proxy, name), row)| {
        let filled: Vec<_> = row
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name.as_str())
            .collect();
        let known: Vec<_> = row
            .iter()
            .filter(|(name, _)| SAME.contains(&name.as_str()) || besides.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{proxy}/{name}: {} | {}", filled.join(","), known.join(" "))
    });
    rows.collect()
}

/// `show servers state` without times.
fn servers(socket: &Path, line: &str) -> Vec<String> {
    let text = answer(socket, line);
    let lines = text.lines().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            [ref before @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]
                if words.len() == 25 && !line.starts_with('#') =>
            {
                format!("{} {}", before.join(" "), words[10..].join(" "))
            }
            _ => line.to_owned(),
        }
    });
    lines.collect()
}

/// `show servers conn`, as far as it does not speak of connections that are kept for later, which nsproxy has none of.
fn connections(socket: &Path) -> Vec<String> {
    let text = answer(socket, "show servers conn");
    let lines = text.lines().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        if line.starts_with('#') {
            line.to_owned()
        } else {
            format!("{} of {}", words[..5].join(" "), words.len())
        }
    });
    lines.collect()
}

/// What the lines of `show sess` begin with, of these clients.
fn sessions(socket: &Path, clients: &[Peer]) -> Vec<String> {
    let text = answer(socket, "show sess");
    let mut lines = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        let address = client.local_addr().to_string();
        let line = text.lines().find(|line| line.contains(&address));
        let line = line.unwrap_or_else(|| panic!("no {address} in {text}"));
        let words: Vec<_> = line.split(' ').collect();
        let has = |word: &str| words.iter().any(|its| its.starts_with(word));
        // An identifier, in hexadecimal digits, and a colon.
        let id = words[0].strip_prefix("0x").and_then(|id| id.strip_suffix(':'));
        let is_hexadecimal = id.is_some_and(|id| u64::from_str_radix(id, 16).is_ok());
        let known = words[1..6].join(" ").replace(&address, "CLIENT");
        lines.push(format!(
            "{number}: {is_hexadecimal} {known} {} {}",
            has("age="),
            has("exp=")
        ));
    }
    lines
}

fn scene(w: &World, socket: &Path) -> Said {
    eventually(DEFAULT_DEADLINE, "both checks to have ended", || {
        let stat = stat(socket);
        let of = |name: &str, column: &str| stat[&("be".to_owned(), name.to_owned())][column].clone();
        let is_settled =
            of("s1", "check_status") == "L4OK" && of("s1", "status") == "UP" && of("s2", "status") == "DOWN";
        is_settled.then_some(())
    });
    let clients = [client(w.home(), 8001), client(w.home(), 8003)];
    let open = shape(socket, &[]);
    let servers_open = servers(socket, "show servers state");
    let connections = connections(socket);
    let sessions = sessions(socket, &clients);
    clients.into_iter().for_each(end);
    eventually(DEFAULT_DEADLINE, "the sessions to end", || {
        let stat = stat(socket);
        stat.values().all(|row| row["scur"] == "0").then_some(())
    });
    let ended = shape(socket, &["bin", "bout"]);
    let names = |text: String, separator: &str, parts: usize| -> Vec<String> {
        text.lines()
            .map(|line| {
                line.split(separator)
                    .take(parts)
                    .collect::<Vec<_>>()
                    .join(separator)
            })
            .collect()
    };
    let header = answer(socket, "show stat").lines().next().unwrap().to_owned();
    let info = names(answer(socket, "show info"), ":", 1);
    let info_typed = names(answer(socket, "show info typed"), ":", 3);
    let stat_typed = names(answer(socket, "show stat typed"), ":", 3);
    // Which rows there are.
    let filters: Vec<_> = FILTERS
        .iter()
        .map(|line| format!("{line}: {:?}", names(answer(socket, line), ",", 2)))
        .collect();
    let refusals: Vec<_> = LINES
        .iter()
        .map(|line| format!("{line}: {}", ask(socket, line)))
        .collect();
    eventually(
        DEFAULT_DEADLINE,
        "a check of the server that was disabled",
        || {
            let rows = stat(socket);
            (rows[&("be".to_owned(), "s5".to_owned())]["check_status"] == "L4OK").then_some(())
        },
    );
    let servers_after = servers(socket, "show servers state");
    let version = answer(socket, "show version");
    let protocol = CONVERSATIONS.iter().map(|line| {
        let said = ask(socket, line).replace(version.trim(), "VERSION");
        // What exists differs.
        let known = said
            .lines()
            .filter(|line| !line.contains(": ") && !line.starts_with("Unknown"));
        format!("{line}: {:?}", known.collect::<Vec<_>>())
    });
    Said {
        header,
        open,
        ended,
        info,
        info_typed,
        stat_typed,
        servers: servers_open,
        connections,
        sessions,
        servers_after,
        filters,
        refusals,
        protocol: protocol.collect(),
    }
}

#[test]
fn the_answers_are_those_of_haproxy() {
    let proxies = require!(Proxy::both());
    world("admin-both", |w| {
        let _echo = echo(w, 9001);
        let [haproxy, nsproxy] = proxies.map(|proxy| {
            let socket = w.path("admin.sock");
            let config = both_config(&socket);
            let running = proxy.start(w, w.home(), &config, &[(w.home(), "127.0.0.1:8003")]);
            // Ports are open before it.
            eventually(DEFAULT_DEADLINE, "the admin socket", || {
                UnixStream::connect(&socket).ok().map(drop)
            });
            let said = scene(w, &socket);
            drop(running);
            let _ = fs::remove_file(socket);
            said
        });
        assert_eq!(nsproxy.header, haproxy.header);
        assert_eq!(nsproxy.open, haproxy.open, "with sessions");
        assert_eq!(nsproxy.ended, haproxy.ended, "without sessions");
        assert_eq!(nsproxy.info, haproxy.info);
        assert_eq!(nsproxy.info_typed, haproxy.info_typed);
        assert_eq!(nsproxy.stat_typed, haproxy.stat_typed);
        assert_eq!(nsproxy.servers, haproxy.servers);
        assert_eq!(nsproxy.connections, haproxy.connections);
        assert_eq!(nsproxy.sessions, haproxy.sessions);
        assert_eq!(nsproxy.filters, haproxy.filters);
        assert_eq!(nsproxy.refusals, haproxy.refusals);
        assert_eq!(nsproxy.servers_after, haproxy.servers_after);
        assert_eq!(nsproxy.protocol, haproxy.protocol);
    });
}
