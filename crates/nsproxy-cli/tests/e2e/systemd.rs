//! As a service: what the manager is told, sockets that it has opened, and the unit files.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sys::ptrace;
use nix::sys::signal::kill;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use nsproxy_testkit::{
    DEFAULT_DEADLINE, Program, Running, Service, Signal, World, eventually, require, world,
};
use socket2::Socket;

use crate::common::{
    DEFAULTS, RELAY, expect_reply, here, inherited, line_with, nsproxy, run_command, soon, upgraded,
    wait_for_end, wait_until_refused,
};

/// The manager's end of the socket.
struct Manager(UnixDatagram);

impl Manager {
    /// At this path, for a command that does not know of it yet.
    fn at(path: &Path, command: &mut Command) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(DEFAULT_DEADLINE)).unwrap();
        command.env("NOTIFY_SOCKET", path);
        Self(socket)
    }

    /// The next word that begins so; others are passed over.
    #[track_caller]
    fn expect(&self, beginning: &str) -> String {
        let mut others = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            let length = self.0.recv(&mut buffer);
            let length = length.unwrap_or_else(|error| panic!("no {beginning:?}: {error}, but {others:?}"));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(beginning) {
                return text;
            }
            others.push(text);
        }
    }

    /// Passes over what has come.
    fn skip(&self) {
        self.0.set_nonblocking(true).unwrap();
        while self.0.recv(&mut [0; 4096]).is_ok() {}
        self.0.set_nonblocking(false).unwrap();
    }
}

fn config(global: &str, rest: &str) -> String {
    format!("global\n  nbthread 2\n{global}{DEFAULTS}{rest}")
}

#[test]
fn the_manager_hears_of_start_reload_upgrade_and_end() {
    world("notify", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let mut command = run_command(w, &config("", RELAY));
        let manager = Manager::at(&w.path("notify"), &mut command);
        let running = w.home().spawn(command);
        assert_eq!(manager.expect("READY=1"), "READY=1\nSTATUS=relaying, 1 listener");
        // A clock that goes on from the start of the machine, in microseconds.
        running.signal(Signal::SIGHUP);
        let said = manager.expect("RELOADING=1\nMONOTONIC_USEC=");
        let micros: u128 = said
            .lines()
            .nth(1)
            .unwrap()
            .split_once('=')
            .unwrap()
            .1
            .parse()
            .unwrap();
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
        let age = Duration::from(now).as_micros().checked_sub(micros).unwrap();
        assert!(age < DEFAULT_DEADLINE.as_micros(), "{age}");
        manager.expect("READY=1\nSTATUS=relaying, 1 listener");
        w.write("nsproxy.cfg", "nonsense\n");
        running.signal(Signal::SIGHUP);
        manager.expect("RELOADING=1");
        let said = manager.expect("READY=1");
        assert!(
            said.contains("the reload was refused: the configuration is not valid"),
            "{said}"
        );
        running.signal(Signal::SIGUSR2);
        let said = manager.expect("STATUS=");
        assert!(
            said.contains("the upgrade has failed: the configuration is not valid"),
            "{said}"
        );
        // The old process names the new one, which speaks for itself then.
        w.write("nsproxy.cfg", config("", RELAY));
        let client = w.home().connect("127.0.0.1:8000");
        let accepted = server.accept();
        running.signal(Signal::SIGUSR2);
        let said = manager.expect("MAINPID=");
        let pid = Pid::from_raw(said.split_once('=').unwrap().1.parse().unwrap());
        assert_ne!(u32::try_from(pid.as_raw()), Ok(running.pid()));
        // With `NotifyAccess=main` it is heard only then.
        manager.expect("READY=1\nSTATUS=relaying, 1 listener");
        client.close();
        accepted.close();
        running.wait().expect_code(0);
        kill(pid, Signal::SIGTERM).unwrap();
        assert_eq!(
            manager.expect("STOPPING=1"),
            "STOPPING=1\nSTATUS=draining, 0 sessions to finish"
        );
        wait_until_refused(w.home(), "127.0.0.1:8000");
    });
}

#[test]
fn forward_tells_the_manager_too() {
    world("notify-forward", |w| {
        let mut command = nsproxy(&["forward", "127.0.0.1:8000", "127.0.0.1:9000"]);
        let manager = Manager::at(&w.path("notify"), &mut command);
        let running = w.home().spawn(command);
        manager.expect("READY=1\nSTATUS=relaying to 127.0.0.1:9000");
        running.signal(Signal::SIGTERM);
        manager.expect("STOPPING=1");
        running.wait().expect_code(0);
    });
}

/// A worker's thread.
fn worker(running: &Running) -> Pid {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.pid())).unwrap();
    let is_worker =
        |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "nsproxy-0\n");
    let task = tasks.map(|task| task.unwrap().path()).find(is_worker).unwrap();
    Pid::from_raw(task.file_name().unwrap().to_str().unwrap().parse().unwrap())
}

#[test]
fn the_watchdog_is_fed_while_every_worker_turns_and_not_when_one_is_stuck() {
    world("watchdog", |w| {
        let mut command = run_command(w, &config("", RELAY));
        let manager = Manager::at(&w.path("notify"), &mut command);
        command.env("WATCHDOG_USEC", "200000");
        let running = w.home().spawn(command);
        manager.expect("READY=1");
        manager.expect("WATCHDOG=1");
        manager.expect("WATCHDOG=1");
        // The rest of the process goes on, as it does when a thread hangs.
        let worker = worker(&running);
        ptrace::seize(worker, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(worker).unwrap();
        waitpid(worker, Some(WaitPidFlag::__WALL)).unwrap();
        // One may have been on its way.
        let rest = Duration::from_millis(250);
        manager.0.set_read_timeout(Some(rest)).unwrap();
        eventually(DEFAULT_DEADLINE, "silence", || manager.0.recv(&mut [0; 64]).err());
        ptrace::detach(worker, None).unwrap();
        manager.0.set_read_timeout(Some(DEFAULT_DEADLINE)).unwrap();
        manager.expect("WATCHDOG=1");
        manager.skip();
    });
}

#[test]
fn the_watchdog_of_another_process_is_not_fed() {
    world("no-watchdog", |w| {
        let mut command = run_command(w, &config("", RELAY));
        let manager = Manager::at(&w.path("notify"), &mut command);
        command.env("WATCHDOG_USEC", "100000").env("WATCHDOG_PID", "1");
        let running = w.home().spawn(command);
        manager.expect("READY=1");
        manager
            .0
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        assert!(manager.0.recv(&mut [0; 64]).is_err());
        drop(running);
    });
}

#[test]
fn a_new_process_feeds_the_watchdog_if_the_old_one_did_and_no_other() {
    // The number of the process, as systemd sets it.
    let sh = require!(Program::find("sh"));
    for (name, pid, is_fed) in [("watchdog-own", "$$", true), ("watchdog-foreign", "1", false)] {
        world(name, |w| {
            let file = w.write("nsproxy.cfg", config("", RELAY));
            let nsproxy = env!("CARGO_BIN_EXE_nsproxy");
            let script = format!("WATCHDOG_PID={pid} exec {nsproxy} run -f {}", file.display());
            let mut command = sh.command();
            command.args(["-c", &script]).env("WATCHDOG_USEC", "100000");
            let manager = Manager::at(&w.path("notify"), &mut command);
            let running = w.home().spawn(command);
            manager.expect("READY=1");
            // From the second one on, no variable speaks of a process that was meant.
            let mut old = Pid::from_raw(i32::try_from(running.pid()).unwrap());
            let mut all = Vec::new();
            for _ in 0..2 {
                kill(old, Signal::SIGUSR2).unwrap();
                let said = manager.expect("MAINPID=");
                old = Pid::from_raw(said.split_once('=').unwrap().1.parse().unwrap());
                all.push(old);
                manager.expect("READY=1");
                if is_fed {
                    manager.expect("WATCHDOG=1");
                } else {
                    manager
                        .0
                        .set_read_timeout(Some(Duration::from_millis(300)))
                        .unwrap();
                    assert!(manager.0.recv(&mut [0; 64]).is_err());
                    manager.0.set_read_timeout(Some(DEFAULT_DEADLINE)).unwrap();
                }
            }
            running.wait().expect_code(0);
            kill(old, Signal::SIGTERM).unwrap();
            all.into_iter().for_each(wait_for_end);
        });
    }
}

/// A listening socket, as a manager passes it on.
fn opened(w: &World, port: u16) -> Socket {
    let socket = inherited(w.home(), &format!("127.0.0.1:{port}"));
    socket.listen(16).unwrap();
    socket
}

#[test]
fn sockets_of_the_manager_are_known_by_name_and_go_on_when_the_service_ends() {
    // Others know only descriptors of one digit.
    let bash = require!(Program::find("bash"));
    world("activation", |w| {
        let _service = here(w);
        let sockets = [8000, 8001, 8002].map(|port| opened(w, port));
        let numbers = sockets.each_ref().map(|socket| socket.as_raw_fd().to_string());
        let file = w.write(
            "nsproxy.cfg",
            config("", &RELAY.replace("127.0.0.1:8000", "fd@web")),
        );
        // As systemd does: the sockets are 3 and up (by a detour, since one of them may be that already), and the number of the process is that of the service.
        let script = format!(
            "exec 203<&{} 204<&{} 205<&{}; exec 3<&203 4<&204 5<&205 203<&- 204<&- 205<&-; export LISTEN_PID=$$; exec {} run -f {}",
            numbers[0],
            numbers[1],
            numbers[2],
            env!("CARGO_BIN_EXE_nsproxy"),
            file.display()
        );
        let start = |names: &str| {
            let mut command = bash.command();
            command.args(["-c", &script]);
            command.env("LISTEN_FDS", "3").env("LISTEN_FDNAMES", names);
            w.home().spawn(command)
        };
        let running = start("web:other:web");
        running.wait_for_output(" listens at ", soon());
        for address in ["127.0.0.1:8000", "127.0.0.1:8002"] {
            line_with(&running, &["l listens at", address]);
            expect_reply(w.home(), address, "here");
        }
        // A new process has them, too.
        running.signal(Signal::SIGUSR2);
        let pid = upgraded(&running);
        running.wait().expect_code(0);
        expect_reply(w.home(), "127.0.0.1:8002", "here");
        kill(pid, Signal::SIGTERM).unwrap();
        wait_for_end(pid);
        // A client that comes while there is no service waits for the next one.
        let early = w.home().connect("127.0.0.1:8000");
        let again = start("web:other:web");
        early.expect("here");
        drop(again);
        let refused = start("other:other:other").wait().expect_code(1);
        assert!(
            refused.contains("nsproxy was not started with a socket of that name"),
            "{refused}"
        );
    });
}

/// A mount namespace like that of a hardened service sees what is mounted outside later.
#[test]
fn a_service_with_a_mount_namespace_of_its_own_reaches_namespaces_that_are_made_later() {
    let unshare = require!(Program::find("unshare"));
    world("unit-mounts", |w| {
        let start = || hardened(w, &unshare, "slave");
        // The first name of all would come too late for what has begun already, and this is said.
        let early = start();
        line_with(
            &early,
            &["warning: ", "may not be seen in it", "no mount of its own"],
        );
        drop(early);
        // The unit's ExecStartPre=.
        w.home().output(nsproxy(&["netns", "prepare"])).expect_success();
        let running = start();
        running.wait_for_output(" listens at ", soon());
        assert!(
            !running.stderr().contains("may not be seen"),
            "{}",
            running.stderr()
        );
        w.home()
            .output(nsproxy(&["netns", "add", "first"]))
            .expect_success();
        let late = w.add_netns("late");
        let service = Service::reply(late.listen("127.0.0.1:9000"), "late");
        expect_reply(w.home(), "127.0.0.1:8000", "late");
        // And one of that name that comes after it.
        drop((late, service));
        w.remove_netns("late");
        let late = w.add_netns("late");
        let _service = Service::reply(late.listen("127.0.0.1:9000"), "later");
        expect_reply(w.home(), "127.0.0.1:8000", "later");
        drop(running);
    });
}

/// nsproxy as a unit starts it, with mounts of its own that others' spread to like this; it connects in the namespace `late`.
fn hardened(w: &World, unshare: &Program, propagation: &str) -> Running {
    // As systemd has it outside of services.
    let flags = MsFlags::MS_REC | MsFlags::MS_SHARED;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).unwrap();
    let rest = RELAY.replace(":9000", ":9000 namespace late");
    let file = w.write("nsproxy.cfg", config("", &rest));
    // ProtectSystem=strict. Outside is a process that may be looked at, as systemd may.
    let script = format!(
        "unshare --mount --propagation {propagation} \
         sh -c 'mount -o remount,bind,ro / && exec {} run -f {}' & wait",
        env!("CARGO_BIN_EXE_nsproxy"),
        file.display()
    );
    let mut command = unshare.command();
    command.args([
        "--pid",
        "--fork",
        "--kill-child",
        "--mount",
        "--propagation",
        "slave",
    ]);
    command.args(["--mount-proc", "sh", "-c", &script]);
    w.home().spawn(command)
}

#[test]
fn a_service_that_mounts_do_not_spread_to_says_so() {
    let unshare = require!(Program::find("unshare"));
    world("unit-blind", |w| {
        w.add_netns("first");
        let running = hardened(w, &unshare, "private");
        line_with(
            &running,
            &[
                "warning: ",
                "are not seen in it: no mount comes into `/run/netns`",
            ],
        );
    });
}

#[test]
fn the_units_prepare_the_directory_of_names_before_they_have_mounts_of_their_own() {
    world("unit-prepares", |w| {
        for unit in units(w) {
            let text = fs::read_to_string(unit).unwrap();
            // `+`: in the mounts of everybody. `-`: where that cannot be, what is there has to do.
            let line = format!("ExecStartPre=-+{} netns prepare\n", env!("CARGO_BIN_EXE_nsproxy"));
            assert!(text.contains(&line), "{text}");
        }
    });
}

/// The unit files, with the program of this build in the place of the one that would be installed.
fn units(w: &World) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
    ["nsproxy.service", "nsproxy-forward@.service"]
        .iter()
        .map(|name| {
            let text = fs::read_to_string(directory.join(name)).unwrap();
            let text = text.replace("/usr/bin/nsproxy", env!("CARGO_BIN_EXE_nsproxy"));
            w.write(name, text)
        })
        .collect()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let analyze = require!(Program::find("systemd-analyze"));
    world("units", |w| {
        for unit in units(w) {
            let mut command = analyze.command();
            command
                .args(["verify", "--man=no", "--recursive-errors=no"])
                .arg(&unit);
            let finished = w.home().output(command);
            assert!(finished.stderr.trim().is_empty(), "{}", finished.stderr);
            finished.expect_success();
            // For the record: what is left open is what relaying between namespaces takes.
            let mut command = analyze.command();
            command
                .args(["security", "--offline=true", "--no-pager", "--threshold=60"])
                .arg(&unit);
            w.home().output(command).expect_success();
        }
    });
}
