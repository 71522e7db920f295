//! `user`, `group`, `setcap`, `chroot`: what is left of root once everything listens, on every thread, and that it is enough.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nsproxy_testkit::{Netns, Program, Running, Service, World, require, skip, world};

use crate::common::{
    DEFAULTS, connect_from, exchange, expect_reply, joined, line_with, nsproxy, peer_ip, run, soon, take_all,
    upgraded, wait_for_end,
};

const NOBODY: &str = "65534 65534 65534 65534";
/// Bits of capabilities, by their numbers in `linux/capability.h`.
const SYS_ADMIN: u64 = 1 << 21;
const SYS_PTRACE: u64 = 1 << 19;
const NET_RAW: u64 = 1 << 13;
const NET_BIND_SERVICE: u64 = 1 << 10;

/// Whether there are other users to become: in a user namespace for one there are none.
fn has_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let count: u64 = map
        .split_whitespace()
        .skip(2)
        .step_by(3)
        .filter_map(|n| n.parse::<u64>().ok())
        .sum();
    if count < 65535 {
        skip("there is no other user to become in this user namespace");
    }
    count >= 65535
}

/// A world in which there are other users.
#[track_caller]
pub(crate) fn world_with_users(name: &str, body: impl FnOnce(&World) + Send) {
    world(name, |w| {
        if has_users() {
            body(w);
        }
    });
}

/// A line of `/proc/PID/task/TID/status`, of each thread.
fn status(pid: u32, field: &str) -> BTreeSet<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let field_of = |thread: PathBuf| {
        let status = fs::read_to_string(thread.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        let words: Vec<_> = line.trim_start_matches(':').split_whitespace().collect();
        words.join(" ")
    };
    threads.map(|thread| field_of(thread.unwrap().path())).collect()
}

#[track_caller]
fn expect_on_every_thread(pid: u32, field: &str, value: &str) {
    assert_eq!(status(pid, field), [value.to_owned()].into(), "{field}");
}

/// Every thread is nobody, and has these capabilities only.
#[track_caller]
fn expect_nobody(pid: u32, capabilities: u64) {
    assert!(fs::read_dir(format!("/proc/{pid}/task")).unwrap().count() > 3);
    let bits = format!("{capabilities:016x}");
    for (field, value) in [
        ("Uid", NOBODY),
        ("Gid", NOBODY),
        ("Groups", ""),
        ("CapEff", &bits),
        ("CapPrm", &bits),
        ("CapInh", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
        ("NoNewPrivs", "1"),
    ] {
        expect_on_every_thread(pid, field, value);
    }
}

/// A service in the namespace `name`, which says that name.
fn service(w: &World, name: &str) -> (Netns, Service) {
    let netns = w.add_netns(name);
    let service = Service::reply(netns.listen("127.0.0.1:9000"), name);
    (netns, service)
}

fn start(w: &World, global: &str, rest: &str) -> Running {
    run(
        w,
        w.home(),
        &format!("global\n  nbthread 2\n{global}{DEFAULTS}{rest}"),
    )
}

#[test]
fn every_thread_keeps_what_servers_in_namespaces_need_and_nothing_else() {
    world_with_users("identity", |w| {
        let (_blue, _service) = service(w, "blue");
        let running = start(
            w,
            "  user nobody\n",
            "listen l\n  bind 127.0.0.1:80\n  server s 127.0.0.1:9000 namespace blue\n",
        );
        expect_nobody(running.pid(), SYS_ADMIN);
        line_with(
            &running,
            &[
                "goes on as user 65534, group 65534",
                "CAP_SYS_ADMIN to enter namespaces for server `l/s`",
            ],
        );
        expect_reply(w.home(), "127.0.0.1:80", "blue");
        // A namespace that was not there when everything was given up.
        w.remove_netns("blue");
        let (_blue, _service) = service(w, "blue");
        expect_reply(w.home(), "127.0.0.1:80", "blue");
    });
}

#[test]
fn a_configuration_that_needs_nothing_keeps_nothing() {
    world_with_users("identity-nothing", |w| {
        let _service = Service::reply(w.home().listen("127.0.0.1:9000"), "home");
        // A low port and a foreign address: all of it was needed before.
        let running = start(
            w,
            "  uid 65534\n  gid 65534\n",
            "listen l\n  bind 192.0.2.1:81 transparent\n  bind 127.0.0.1:82\n  server s 127.0.0.1:9000\n",
        );
        expect_nobody(running.pid(), 0);
        line_with(
            &running,
            &["goes on as user 65534, group 65534, without capabilities"],
        );
        expect_reply(w.home(), "127.0.0.1:82", "home");
        running.signal(Signal::SIGTERM);
        running.wait().expect_code(0);
    });
}

#[test]
fn the_clients_address_is_taken_without_root() {
    world_with_users("identity-usesrc", |w| {
        let (_, client_host) = joined(w, ("tenant1", "192.168.1.1/24"), ("host1", "192.168.1.5/24"));
        let (tenant2, server_host) = joined(w, ("tenant2", "10.0.0.1/24"), ("host2", "10.0.0.5/24"));
        server_host.ip("route add default via 10.0.0.1");
        take_all(&tenant2, "to-host2");
        let server = server_host.listen("10.0.0.5:80");
        let running = start(
            w,
            "  user nobody\n",
            "listen l\n  bind 192.168.1.1:80 namespace tenant1\n  source 0.0.0.0 usesrc clientip\n  server s 10.0.0.5:80 namespace tenant2\n",
        );
        expect_nobody(running.pid(), SYS_ADMIN | NET_RAW | NET_BIND_SERVICE);
        let client = connect_from(&client_host, "192.168.1.5:40000", "192.168.1.1:80");
        let accepted = server.accept();
        exchange(&client, &accepted);
        assert_eq!(peer_ip(&accepted), "192.168.1.5");
    });
}

#[test]
fn the_namespace_of_another_users_process_is_found_without_root() {
    let sleep = require!(Program::find("sleep"));
    world_with_users("identity-pid", |w| {
        let (blue, _service) = service(w, "blue");
        let mut command = sleep.command();
        command.arg("600");
        let process = blue.spawn(command);
        let running = start(
            w,
            "  user nobody\n  setcap cap_net_bind_service\n",
            &format!(
                "listen l\n  bind 127.0.0.1:80\n  server s 127.0.0.1:9000 namespace pid:{}\n",
                process.pid()
            ),
        );
        expect_nobody(running.pid(), SYS_ADMIN | SYS_PTRACE | NET_BIND_SERVICE);
        expect_reply(w.home(), "127.0.0.1:80", "blue");
    });
}

#[test]
fn namespaces_are_found_from_a_new_root_directory() {
    let sleep = require!(Program::find("sleep"));
    world_with_users("identity-chroot", |w| {
        let jail = w.path("jail");
        fs::create_dir(&jail).unwrap();
        let (blue, _service) = service(w, "blue");
        let mut command = sleep.command();
        command.arg("600");
        let process = blue.spawn(command);
        // By a symbolic link that begins at the old root, too.
        let link = w.path("link");
        std::os::unix::fs::symlink("/run/netns/blue", &link).unwrap();
        let socket = w.path("nsproxy.sock");
        let running = start(
            w,
            &format!("  user nobody\n  chroot {}\n", jail.display()),
            &format!(
                "listen name\n  bind 127.0.0.1:80,{}\n  server s 127.0.0.1:9000 namespace blue\n\
                 listen path\n  bind 127.0.0.1:81\n  server s 127.0.0.1:9000 namespace {}\n\
                 listen process\n  bind 127.0.0.1:82\n  server s 127.0.0.1:9000 namespace pid:{}\n",
                socket.display(),
                link.display(),
                process.pid()
            ),
        );
        expect_nobody(running.pid(), SYS_ADMIN | SYS_PTRACE);
        let root = fs::read_link(format!("/proc/{}/root", running.pid())).unwrap();
        assert_eq!(root, jail);
        for address in ["127.0.0.1:80", "127.0.0.1:81", "127.0.0.1:82"] {
            // More than once: sockets come from a stock.
            for _ in 0..5 {
                expect_reply(w.home(), address, "blue");
            }
        }
        drop(process);
        drop(blue);
        w.remove_netns("blue");
        let (_blue, _service) = service(w, "blue");
        expect_reply(w.home(), "127.0.0.1:80", "blue");
        expect_reply(w.home(), "127.0.0.1:81", "blue");
    });
}

#[test]
fn the_global_section_of_debian_runs_without_what_is_not_there_yet() {
    world_with_users("identity-debian", |w| {
        let jail = w.path("jail");
        fs::create_dir(&jail).unwrap();
        let (_blue, _service) = service(w, "blue");
        let text = format!(
            "global\n  chroot {}\n  user nobody\n  group nogroup\n  daemon\n  pidfile {}\n  log /dev/log local0\n  log /dev/log local1 notice\n  ca-base /etc/ssl/certs\n\
             {DEFAULTS}listen l\n  bind 127.0.0.1:80\n  server s 127.0.0.1:9000 namespace blue\n",
            jail.display(),
            w.path("pid").display()
        );
        let file = w.write("debian.cfg", text);
        let mut command = nsproxy(&["-f"]);
        command.arg(file);
        let said = w.home().output(command).expect_code(0);
        assert!(
            said.contains(&format!(
                "goes on as user 65534, group 65534 in {}",
                jail.display()
            )),
            "{said}"
        );
        let pid = fs::read_to_string(w.path("pid")).unwrap().trim().parse().unwrap();
        expect_nobody(pid, SYS_ADMIN);
        let stderr = fs::read_link(format!("/proc/{pid}/fd/2")).unwrap();
        assert_eq!(stderr, Path::new("/dev/null"));
        expect_reply(w.home(), "127.0.0.1:80", "blue");
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGTERM).unwrap();
    });
}

#[test]
fn what_cannot_be_given_up_or_kept_is_told_before_anything_is_relayed() {
    let setpriv = require!(Program::find("setpriv"));
    world_with_users("identity-refused", |w| {
        w.add_netns("blue");
        let rest = "listen l\n  bind 127.0.0.1:80\n  server s 127.0.0.1:9000 namespace blue\n";
        for (global, message) in [
            ("user no-such-user", "there is no user `no-such-user`"),
            ("group no-such-group", "there is no group `no-such-group`"),
            (
                "chroot /no/such/directory",
                "cannot make /no/such/directory the root directory",
            ),
        ] {
            let file = w.write("refused.cfg", format!("global\n  {global}\n{DEFAULTS}{rest}"));
            let mut command = nsproxy(&["run", "-f"]);
            command.arg(&file);
            let finished = w.home().output(command);
            assert!(finished.stderr.contains(message), "{}", finished.stderr);
            finished.expect_code(1);
            if global.starts_with("chroot") {
                continue;
            }
            let mut command = nsproxy(&["check", "-f"]);
            command.arg(&file);
            assert!(w.home().output(command).stderr.contains(message));
        }
        // Root without the capability.
        let file = w.write("lacking.cfg", format!("global\n  user nobody\n{DEFAULTS}{rest}"));
        let mut command = setpriv.command();
        command.args([
            "--bounding-set",
            "-sys_admin",
            "--",
            env!("CARGO_BIN_EXE_nsproxy"),
            "run",
            "-f",
        ]);
        command.arg(file);
        let finished = w.home().output(command);
        let message =
            "CAP_SYS_ADMIN is needed to enter namespaces for server `l/s`, and this process does not have it";
        assert!(finished.stderr.contains(message), "{}", finished.stderr);
        finished.expect_code(1);
    });
}

/// Starts nsproxy with a configuration that is named from the directory that it is in, and that others may read.
fn start_readable(w: &World, config: &str) -> Running {
    let file = w.write("readable.cfg", config);
    let directory = file.parent().unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = nsproxy(&["run", "-f", "readable.cfg"]);
    command.current_dir(directory);
    let running = w.home().spawn(command);
    running.wait_for_output(" listens at ", soon());
    running
}

/// Has it read this configuration, and waits for what it says about it.
#[track_caller]
fn reload(w: &World, running: &Running, config: &str, outcome: &[&str]) {
    w.write("readable.cfg", config);
    running.signal(Signal::SIGHUP);
    line_with(running, outcome);
}

#[test]
fn behind_chroot_and_user_a_reload_reads_the_same_files_and_opens_what_it_may() {
    world_with_users("identity-reload", |w| {
        let jail = w.path("jail");
        fs::create_dir(&jail).unwrap();
        let (_blue, _service) = service(w, "blue");
        let global = format!(
            "global\n  nbthread 2\n  chroot {}\n  user nobody\n",
            jail.display()
        );
        let networks = w.write("networks.lst", "127.0.0.0/8\n");
        let config = |bind: &str, more: &str| {
            format!(
                "{global}{DEFAULTS}listen l\n  bind 127.0.0.1:80\n  bind 127.0.0.1:{bind}\n{more}  \
                 acl here src -f {}\n  tcp-request connection reject if !here\n  \
                 server s 127.0.0.1:9000 namespace blue\n",
                networks.display()
            )
        };
        let running = start_readable(w, &config("8001", ""));
        expect_reply(w.home(), "127.0.0.1:80", "blue");
        // The privileged port stays open; a new one is opened where that takes no privilege.
        reload(
            w,
            &running,
            &config("8002", ""),
            &["reloaded listeners=2 opened=1 closed=1"],
        );
        expect_reply(w.home(), "127.0.0.1:8002", "blue");
        reload(
            w,
            &running,
            &config("81", ""),
            &[
                "reload-refused",
                "127.0.0.1:81",
                "CAP_NET_BIND_SERVICE is needed",
                "Permission denied",
            ],
        );
        let foreign = "  source 0.0.0.0 usesrc clientip\n";
        reload(
            w,
            &running,
            &config("8002", foreign),
            &[
                "reload-refused",
                "CAP_NET_RAW is needed for `usesrc` in backend `l`",
            ],
        );
        expect_reply(w.home(), "127.0.0.1:80", "blue");
        expect_reply(w.home(), "127.0.0.1:8002", "blue");
    });
}

#[test]
fn behind_user_a_new_process_has_what_the_old_one_kept() {
    world_with_users("identity-upgrade", |w| {
        let (_blue, _service) = service(w, "blue");
        let config = |global: &str| {
            format!(
                "global\n  nbthread 2\n{global}{DEFAULTS}listen l\n  bind 127.0.0.1:80\n  \
                 server s 127.0.0.1:9000 namespace blue\n"
            )
        };
        let running = start_readable(w, &config("  user nobody\n"));
        expect_nobody(running.pid(), SYS_ADMIN);
        running.signal(Signal::SIGUSR2);
        let pid = upgraded(&running);
        running.wait().expect_code(0);
        expect_nobody(u32::try_from(pid.as_raw()).unwrap(), SYS_ADMIN);
        // At a privileged port, and in a namespace that takes a privilege to enter.
        expect_reply(w.home(), "127.0.0.1:80", "blue");
        kill(pid, Signal::SIGTERM).unwrap();
        wait_for_end(pid);
        // Behind `chroot` there is nothing to start.
        let jail = w.path("jail");
        fs::create_dir(&jail).unwrap();
        let running = start_readable(w, &config(&format!("  chroot {}\n", jail.display())));
        running.signal(Signal::SIGUSR2);
        line_with(&running, &["upgrade-failed", "behind `chroot`"]);
        expect_reply(w.home(), "127.0.0.1:80", "blue");
    });
}

#[test]
fn a_listener_whose_namespace_comes_later_is_opened_without_root() {
    world_with_users("identity-late", |w| {
        let jail = w.path("jail");
        fs::create_dir(&jail).unwrap();
        let _service = Service::reply(w.home().listen("127.0.0.1:9000"), "home");
        let running = start(
            w,
            &format!("  user nobody\n  chroot {}\n", jail.display()),
            "listen here\n  bind 127.0.0.1:81\n  server s 127.0.0.1:9000\n\
             listen there\n  bind 192.0.2.1:80 namespace blue transparent\n  bind 127.0.0.1:80 namespace blue\n  server s 127.0.0.1:9000\n",
        );
        expect_nobody(running.pid(), SYS_ADMIN | NET_RAW | NET_BIND_SERVICE);
        let told = line_with(&running, &["goes on as user 65534"]);
        assert!(
            told.contains("CAP_NET_BIND_SERVICE to listen at ports below 1024 for `there`"),
            "{told}"
        );
        let blue = w.add_netns("blue");
        blue.wait_listening("127.0.0.1:80", soon());
        blue.wait_listening("192.0.2.1:80", soon());
        expect_reply(&blue, "127.0.0.1:80", "home");
    });
}
