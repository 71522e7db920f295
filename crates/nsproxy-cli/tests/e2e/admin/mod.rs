//! The admin socket: beside HAProxy's, with administrators who change things, and with clients who mean no good.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nsproxy_testkit::{
    DEFAULT_DEADLINE, Netns, Peer, Running, Service, Signal, World, eventually, require, world,
};

use crate::common::{DEFAULTS, Proxy, line_with, nsproxy, run};

/// Sends a line, and returns everything that comes until the other end closes.
#[track_caller]
fn ask(socket: &Path, line: &str) -> String {
    let client = Peer::connect(socket);
    client.send(format!("{line}\n"));
    String::from_utf8(client.read_to_end(1 << 24)).unwrap()
}

/// The same, of one command of which the answer ends with an empty line.
#[track_caller]
fn answer(socket: &Path, command: &str) -> String {
    let all = ask(socket, command);
    let answer = all.strip_suffix('\n');
    answer.unwrap_or_else(|| panic!("{command}: {all:?}")).to_owned()
}

/// A row of `show stat` by its columns, of each proxy's part.
fn stat(socket: &Path) -> BTreeMap<(String, String), BTreeMap<String, String>> {
    let csv = answer(socket, "show stat");
    let mut lines = csv.lines();
    let header: Vec<_> = lines
        .next()
        .unwrap()
        .trim_start_matches("# ")
        .split(',')
        .collect();
    let rows = lines.map(|line| {
        let values = line.split(',').map(str::to_owned);
        let row: BTreeMap<_, _> = header.iter().map(|name| (*name).to_owned()).zip(values).collect();
        ((row["pxname"].clone(), row["svname"].clone()), row)
    });
    rows.collect()
}

/// An address of the home namespace at which somebody echoes.
fn echo(w: &World, port: u16) -> Service {
    Service::echo(w.home().listen(&*format!("127.0.0.1:{port}")))
}

/// A client that has sent something and has it back.
fn client(netns: &Netns, port: u16) -> Peer {
    let client = netns.connect(&*format!("127.0.0.1:{port}"));
    client.send("hello\n");
    client.expect("hello\n");
    client
}

fn end(client: Peer) {
    client.half_close();
    client.expect_eof();
    drop(client);
}

/// What both proxies run: two workers, checks, a tracker, a disabled server, a backup.
fn both_config(socket: &Path) -> String {
    format!(
        "global\n  stats socket {} mode 600 level admin\n  stats timeout 30s\n  maxconn 100\n  nbthread 2\n{DEFAULTS}\
         frontend fe\n  bind 127.0.0.1:8001\n  default_backend be\n\
         backend be\n  balance roundrobin\n  server s1 127.0.0.1:9001 check inter 200 weight 3\n  \
         server s2 127.0.0.1:9002 check inter 200\n  server s3 127.0.0.1:9001 disabled\n  server s4 127.0.0.1:9001 backup\n\
         listen li\n  bind 127.0.0.1:8003\n  server s1 127.0.0.1:9001 track be/s1\n  server s2 127.0.0.1:9001 maxconn 5\n",
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
    servers_after: Vec<String>,
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
    let refusals = [
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
        "disable server",
        "disable server be/s4",
        "enable server be/s3",
        "shutdown sessions server be/zz",
        "shutdown sessions server be/s1",
        "show backend",
        "show cli level",
        "operator; show cli level; set server be/s1 state ready; user; show cli level; show sess",
    ];
    let refusals = refusals.map(|line| format!("{line}: {}", ask(socket, line)));
    let servers_after = servers(socket, "show servers state");
    let version = answer(socket, "show version");
    let protocol = [
        "prompt\nshow version\nshow cli level;show version\nquit",
        "show version\r",
        "  show   version ;show version",
        "show\\ version;quit;show version",
    ];
    let protocol = protocol.map(|line| {
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
        servers_after,
        refusals: refusals.into(),
        protocol: protocol.into(),
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
        assert_eq!(nsproxy.refusals, haproxy.refusals);
        assert_eq!(nsproxy.servers_after, haproxy.servers_after);
        assert_eq!(nsproxy.protocol, haproxy.protocol);
    });
}

/// One relay with an admin socket, and with these words behind its path.
fn config(socket: &Path, words: &str) -> String {
    format!(
        "global\n  stats socket {} {words}\n{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  server a 127.0.0.1:9000\n",
        socket.display()
    )
}

fn start(w: &World, words: &str) -> (Running, PathBuf) {
    let socket = w.path("admin.sock");
    let running = run(w, w.home(), &config(&socket, words));
    (running, socket)
}

#[test]
fn the_file_has_its_mode_and_goes_with_the_process() {
    world("admin-file", |w| {
        let (running, socket) = start(w, "mode 640 uid 0 gid 0 level user");
        let file = fs::metadata(&socket).unwrap();
        assert!(file.file_type().is_socket());
        assert_eq!(file.permissions().mode() & 0o777, 0o640);
        assert_eq!((file.uid(), file.gid()), (0, 0));
        // One that is alive is not stolen.
        let other = config(&socket, "").replace("8000", "8010");
        let path = w.write("other.cfg", &*other);
        let refused = w.home().output({
            let mut command = nsproxy(&["run", "-f"]);
            command.arg(path);
            command
        });
        let said = refused.expect_code(1);
        assert!(said.contains("cannot listen for administrators at"), "{said}");
        assert!(answer(&socket, "show version").contains('.'));
        // One that was left behind is replaced.
        running.signal(Signal::SIGKILL);
        drop(running);
        assert!(socket.exists());
        let (running, socket) = start(w, "");
        assert!(answer(&socket, "show version").contains('.'));
        running.signal(Signal::SIGTERM);
        running.wait().expect_success();
        assert!(!socket.exists());
    });
}

#[test]
fn the_socket_is_there_for_a_process_that_has_given_up_its_privileges() {
    world("admin-user", |w| {
        let socket = w.path("admin.sock");
        let root = w.path("empty");
        fs::create_dir(&root).unwrap();
        let lines = format!("global\n  chroot {}\n", root.display());
        let config = config(&socket, "level admin").replace("global\n", &lines);
        let _running = run(w, w.home(), &config);
        assert!(answer(&socket, "show info").starts_with("Name: nsproxy\n"));
    });
}

#[test]
fn administrators_change_servers_and_end_sessions() {
    world("admin-change", |w| {
        let _echo = echo(w, 9000);
        let (running, socket) = start(w, "level admin");
        let kept = client(w.home(), 8000);
        assert_eq!(answer(&socket, "set server l/a state drain"), "");
        line_with(&running, &["Server l/a enters drain state."]);
        kept.send("still");
        kept.expect("still");
        w.home().connect("127.0.0.1:8000").expect_eof();
        assert_eq!(answer(&socket, "set server l/a state maint"), "");
        line_with(
            &running,
            &[
                "Server l/a is going DOWN for maintenance. 0 active and 0 backup servers left. 1 sessions active",
            ],
        );
        // It stays so under the next configuration.
        running.signal(Signal::SIGHUP);
        line_with(&running, &["reloaded"]);
        let row = &stat(&socket)[&("l".to_owned(), "a".to_owned())];
        assert_eq!((row["status"].as_str(), row["stot"].as_str()), ("MAINT", "1"));
        assert_eq!(answer(&socket, "enable server l/a"), "");
        line_with(
            &running,
            &["Server l/a is UP/READY (leaving forced maintenance)."],
        );
        let other = client(w.home(), 8000);
        let sessions = answer(&socket, "show sess");
        assert_eq!(sessions.lines().count(), 2, "{sessions}");
        let line = sessions
            .lines()
            .find(|line| line.contains(&kept.local_addr().to_string()))
            .unwrap();
        assert!(
            line.contains(" fe=l be=l srv=a ") && line.contains(" bin=11 bout=11 "),
            "{line}"
        );
        let id = line.split(':').next().unwrap();
        assert!(answer(&socket, &format!("show sess {id}")).contains("frontend=l listener=127.0.0.1:8000"));
        assert_eq!(answer(&socket, &format!("shutdown session {id}")), "");
        kept.expect_reset();
        other.send("y");
        other.expect("y");
        assert_eq!(
            answer(&socket, &format!("shutdown session {id}")),
            "No such session (use 'show sess').\n"
        );
        assert_eq!(answer(&socket, "shutdown sessions server l/a"), "");
        other.expect_reset();
    });
}

#[test]
fn each_level_may_do_what_it_says() {
    world("admin-level", |w| {
        let (_running, socket) = start(w, "level user");
        assert_eq!(answer(&socket, "show sess"), "Permission denied\n");
        assert_eq!(
            answer(&socket, "set server l/a state maint"),
            "Permission denied\n"
        );
        assert!(answer(&socket, "show stat").contains("l,a,"));
        // Where servers are is for those above.
        assert!(!answer(&socket, "show stat").contains("127.0.0.1:9000"));
        let help = answer(&socket, "help");
        assert!(
            help.contains("show stat") && !help.contains("shutdown session"),
            "{help}"
        );
    });
}

#[test]
fn namespaces_are_told_with_their_cookies_and_sessions() {
    world("admin-netns", |w| {
        let blue = w.add_netns("blue");
        let _echo = Service::echo(blue.listen("127.0.0.1:9000"));
        let socket = w.path("admin.sock");
        let config = config(&socket, "").replace(
            "server a 127.0.0.1:9000",
            "server a 127.0.0.1:9000 namespace blue\n  bind 127.0.0.1:8001 namespace green",
        );
        let _running = run(w, w.home(), &config);
        let cookie = blue.run(|| {
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
            netns_core::NetnsId::of_socket(&socket).unwrap()
        });
        let client = client(w.home(), 8000);
        let text = answer(&socket, "show netns");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "# name cookie state listeners pending sessions stock");
        assert!(
            lines[1].starts_with(&format!("blue {cookie} live 0 0 1 ")),
            "{text}"
        );
        assert_eq!(lines[2], "green 0 pending 0 1 0 0");
        end(client);
    });
}

#[test]
fn a_new_process_takes_the_place_of_the_old_one_at_the_admin_socket() {
    world("admin-upgrade", |w| {
        let _echo = echo(w, 9000);
        let (running, socket) = start(w, "mode 600");
        let pid = |info: String| {
            let line = info
                .lines()
                .find(|line| line.starts_with("Pid: "))
                .map(str::to_owned);
            line.unwrap()
        };
        let before = pid(answer(&socket, "show info"));
        running.signal(Signal::SIGUSR2);
        line_with(&running, &["upgraded pid="]);
        let after = pid(answer(&socket, "show info"));
        assert_ne!(after, before);
        assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
        let pid = after.trim_start_matches("Pid: ").parse().unwrap();
        running.wait().expect_success();
        // The file is the new one's.
        assert!(answer(&socket, "show version").contains('.'));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        eventually(DEFAULT_DEADLINE, "the file to go", || {
            (!socket.exists()).then_some(())
        });
    });
}

#[test]
fn json_is_json() {
    world("admin-json", |w| {
        let (_running, socket) = start(w, "");
        let info: serde_json::Value = serde_json::from_str(&answer(&socket, "show info json")).unwrap();
        assert_eq!(info[0]["value"]["value"], "nsproxy");
        let rows: serde_json::Value = serde_json::from_str(&answer(&socket, "show stat json")).unwrap();
        assert_eq!(rows[1][1]["value"]["value"], "a");
        assert_eq!(rows[1][0]["objType"], "Server");
    });
}

#[test]
fn a_line_without_an_end_is_cut_off_and_nobody_else_notices() {
    world("admin-endless", |w| {
        let _echo = echo(w, 9000);
        let (_running, socket) = start(w, "");
        let endless = Peer::connect(&*socket);
        let piece = [b'x'; 4096];
        // Until the other end has had enough.
        eventually(DEFAULT_DEADLINE, "the end of the connection", || {
            endless.try_send(piece).is_err().then_some(())
        });
        end(client(w.home(), 8000));
        assert!(answer(&socket, "show version").contains('.'));
        // What is no text is no command, and no harm.
        let noise: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').chain([b'\n']).collect();
        let client = Peer::connect(&*socket);
        client.send(noise);
        assert!(String::from_utf8_lossy(&client.read_to_end(1 << 20)).contains("Unknown command"));
    });
}

#[test]
fn clients_beyond_the_limit_wait_and_those_who_say_nothing_are_sent_away() {
    world("admin-many", |w| {
        let _echo = echo(w, 9000);
        let socket = w.path("admin.sock");
        let config =
            config(&socket, "").replace("global\n", "global\n  stats maxconn 2\n  stats timeout 200ms\n");
        let running = run(w, w.home(), &config);
        let threads = || {
            fs::read_dir(format!("/proc/{}/task", running.pid()))
                .unwrap()
                .count()
        };
        let before = threads();
        let silent: Vec<_> = (0..20).map(|_| Peer::connect(&*socket)).collect();
        end(client(w.home(), 8000));
        // Two are served, and the threads of two before them may be about to end.
        assert!(threads() <= before + 4);
        // Whoever has waited is served once those before have gone.
        assert!(answer(&socket, "show version").contains('.'));
        silent[0].expect_eof();
    });
}

#[test]
fn a_client_that_does_not_read_is_in_nobodys_way() {
    world("admin-deaf", |w| {
        let _echo = echo(w, 9000);
        let (running, socket) = start(w, "level admin");
        let open: Vec<_> = (0..400).map(|_| client(w.home(), 8000)).collect();
        let deaf = Peer::connect(&*socket);
        // Far more than a socket holds.
        deaf.send("show sess all;".repeat(400) + "\n");
        let resident = || {
            let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        // It is under way.
        eventually(DEFAULT_DEADLINE, "something to read", || {
            let mut byte = [std::mem::MaybeUninit::uninit()];
            deaf.socket()
                .peek(&mut byte)
                .is_ok_and(|read| read == 1)
                .then_some(())
        });
        let before = resident();
        for client in &open {
            client.send("x");
            client.expect("x");
        }
        assert!(
            resident() < before + 8 * 1024,
            "memory grows: {before} KiB, {} KiB",
            resident()
        );
        assert!(answer(&socket, "show version").contains('.'));
    });
}
