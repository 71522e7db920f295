//! The admin socket: who may use it, and what administrators see and change. Beside HAProxy's in `haproxy`, and with clients
//! who mean no good in `clients`.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod clients;
mod haproxy;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::sys::signal::kill;
use nsproxy_testkit::{DEFAULT_DEADLINE, Netns, Peer, Running, Service, Signal, World, eventually, world};

use crate::common::{DEFAULTS, line_with, nsproxy, run, upgraded, wait_for_end};
use crate::identity::world_with_users;

/// Sends a line, and returns everything that comes until the other end closes.
#[track_caller]
fn ask(socket: &Path, line: &str) -> String {
    let client = Peer::connect(socket);
    client.send(format!("{line}\n"));
    String::from_utf8(client.read_to_end(1 << 24)).unwrap()
}

/// The same, of one command of which the answer ends with an empty line.
#[track_caller]
pub(crate) fn answer(socket: &Path, command: &str) -> String {
    let all = ask(socket, command);
    let answer = all.strip_suffix('\n');
    answer.unwrap_or_else(|| panic!("{command}: {all:?}")).to_owned()
}

/// A row of `show stat` by its columns, of each proxy's part.
pub(crate) fn stat(socket: &Path) -> BTreeMap<(String, String), BTreeMap<String, String>> {
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
        let (running, socket) = start(w, "mode 604 user root group root");
        assert!(answer(&socket, "show version").contains('.'));
        let file = fs::metadata(&socket).unwrap();
        assert_eq!((file.mode() & 0o777, file.uid(), file.gid()), (0o604, 0, 0));
        running.signal(Signal::SIGTERM);
        running.wait().expect_success();
        assert!(!socket.exists());
    });
}

/// It is asked after it has become what these lines of `global` say.
#[track_caller]
fn becomes(w: &World, lines: &str) {
    let socket = w.path("admin.sock");
    let config = config(&socket, "level admin").replace("global\n", &format!("global\n{lines}"));
    let _running = run(w, w.home(), &config);
    assert!(answer(&socket, "show info").starts_with("Name: nsproxy\n"));
}

#[test]
fn the_socket_is_there_for_a_process_that_has_left_its_root_directory() {
    world("admin-root", |w| {
        let root = w.path("empty");
        fs::create_dir(&root).unwrap();
        becomes(w, &format!("  chroot {}\n", root.display()));
    });
}

#[test]
fn the_socket_is_there_for_a_process_that_has_given_up_its_privileges() {
    world_with_users("admin-user", |w| becomes(w, "  uid 65534\n  gid 65534\n"));
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
fn a_server_that_is_moved_gets_its_sessions_and_its_checks_elsewhere_until_the_configuration_moves_it() {
    world("admin-moved", |w| {
        let _first = Service::reply(w.home().listen("127.0.0.1:9000"), "first");
        let _second = Service::reply(w.home().listen("127.0.0.2:9007"), "second");
        let _third = Service::reply(w.home().listen("127.0.0.1:9003"), "third");
        let socket = w.path("admin.sock");
        let config = |to: u16| {
            config(&socket, "level admin").replace(
                "server a 127.0.0.1:9000",
                &format!("server a 127.0.0.1:{to} check inter 50 fall 1\n  server u /tmp/nobody disabled"),
            )
        };
        let running = run(w, w.home(), &config(9000));
        let set = |words: &str| answer(&socket, &format!("set server l/{words}"));
        let is_there = |reply: &str| {
            eventually(DEFAULT_DEADLINE, reply, || {
                let client = w.home().connect("127.0.0.1:8000");
                client.half_close();
                (client.read_to_end(100) == reply.as_bytes()).then_some(())
            });
        };
        is_there("first");
        // Nobody is there, which its checks find.
        set("a addr 127.0.0.2 port 9006");
        line_with(&running, &["Server l/a is at 127.0.0.2:9006 now."]);
        line_with(&running, &["Server l/a is DOWN", "Connection refused"]);
        assert_eq!(
            set("a addr 127.0.0.2 port 9007"),
            "no need to change the addr, port changed from '9006' to '9007' by 'stats socket command'\n"
        );
        line_with(&running, &["Server l/a is UP"]);
        is_there("second");
        let row = &stat(&socket)[&("l".to_owned(), "a".to_owned())];
        assert_eq!(row["addr"], "127.0.0.2:9007");
        let reload = |to: u16, count: usize| {
            w.write("nsproxy.cfg", config(to));
            running.signal(Signal::SIGHUP);
            eventually(DEFAULT_DEADLINE, "a reload", || {
                (running.stderr().matches(" reloaded ").count() == count).then_some(())
            });
        };
        reload(9000, 1);
        is_there("second");
        reload(9003, 2);
        is_there("third");
        assert!(set("u addr 127.0.0.1 port 80").starts_with("Update for the current server address family"));
        assert!(set("zz addr 127.0.0.1").starts_with("No such server."));
    });
}

#[test]
fn a_server_that_is_disabled_and_checked_is_checked_once_it_is_enabled() {
    world("admin-enabled", |w| {
        let _echo = echo(w, 9000);
        let socket = w.path("admin.sock");
        let config = config(&socket, "level admin").replace(
            "server a 127.0.0.1:9000",
            "server a 127.0.0.1:9000\n  server off 127.0.0.1:9001 disabled check inter 50 fall 1\n  \
             server tracks 127.0.0.1:9000 track off",
        );
        let running = run(w, w.home(), &config);
        let status = |name: &str| stat(&socket)[&("l".to_owned(), name.to_owned())]["status"].clone();
        assert_eq!([status("off"), status("tracks")], ["MAINT", "MAINT (via l/off)"]);
        assert_eq!(answer(&socket, "enable server l/off"), "");
        line_with(
            &running,
            &["Server l/off is UP/READY (leaving forced maintenance)."],
        );
        line_with(&running, &["Server l/off is DOWN", "Connection refused"]);
        line_with(&running, &["Server l/tracks is DOWN via l/off"]);
        assert_eq!([status("off"), status("tracks")], ["DOWN", "DOWN"]);
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
        let pid = || {
            let info = answer(&socket, "show info");
            let line = info.lines().find_map(|line| line.strip_prefix("Pid: "));
            line.unwrap().to_owned()
        };
        assert_eq!(pid(), running.pid().to_string());
        running.signal(Signal::SIGUSR2);
        let new = upgraded(&running);
        assert_eq!(pid(), new.to_string());
        assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
        running.wait().expect_success();
        // The file is the new one's.
        assert!(answer(&socket, "show version").contains('.'));
        kill(new, Signal::SIGTERM).unwrap();
        wait_for_end(new);
        assert!(!socket.exists());
    });
}

#[test]
fn what_the_engine_counts_is_told_and_documented() {
    world("admin-counters", |w| {
        let _echo = echo(w, 9000);
        let (_running, socket) = start(w, "level user");
        end(client(w.home(), 8000));
        let counters = || -> BTreeMap<String, u64> {
            let text = answer(&socket, "show counters");
            let lines = text.lines().map(|line| line.split_once(": ").unwrap());
            lines
                .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
                .collect()
        };
        eventually(DEFAULT_DEADLINE, "the session to be counted", || {
            (counters()["finished"] == 1).then_some(())
        });
        let counters = counters();
        assert_eq!((counters["accepted"], counters["bytes_up"]), (1, 6));
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operation.md");
        let guide = fs::read_to_string(guide).unwrap();
        for name in counters.keys() {
            assert!(
                guide.contains(&format!("`{name}`")),
                "docs/operation.md has no `{name}`"
            );
        }
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
