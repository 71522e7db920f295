//! SIGUSR2: a new process in the place of the old one, which goes on when it does not come about.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use nsproxy_testkit::{
    Address, DEFAULT_DEADLINE, Netns, Program, Running, Service, Signal, World, eventually, require, world,
};

use crate::common::{
    DEFAULTS, RELAY, exchange, expect_reply, here, line_with, nsproxy, session, soon, wait_for_end,
    wait_until_refused,
};
use crate::load::under_load;

/// nsproxy from a file of the test's own, which can be replaced.
struct Installed<'w> {
    w: &'w World,
    program: PathBuf,
    running: Running,
}

impl<'w> Installed<'w> {
    fn start(w: &'w World, global: &str, rest: &str) -> Self {
        let program = w.path("nsproxy");
        symlink(env!("CARGO_BIN_EXE_nsproxy"), &program).unwrap();
        let file = write(w, global, rest);
        let mut command = Command::new(&program);
        command.args(["run", "--verbose", "-f", "nsproxy.cfg"]);
        command.current_dir(file.parent().unwrap());
        let running = w.home().spawn(command);
        running.wait_for_output(" listens at ", soon());
        Self { w, program, running }
    }

    /// The process that has the pidfile.
    fn pid(&self) -> Pid {
        let text = fs::read_to_string(self.w.path("pid")).unwrap();
        Pid::from_raw(text.trim().parse().unwrap())
    }

    /// Another program in its place.
    fn replace(&self, program: &Path) {
        fs::remove_file(&self.program).unwrap();
        symlink(program, &self.program).unwrap();
    }

    /// Has the process that has the pidfile upgraded, and returns the new one.
    #[track_caller]
    fn upgrade(&self) -> Pid {
        let old = self.pid();
        kill(old, Signal::SIGUSR2).unwrap();
        eventually(DEFAULT_DEADLINE, "another process in the pidfile", || {
            let text = fs::read_to_string(self.w.path("pid")).ok()?;
            let pid = Pid::from_raw(text.trim().parse().ok()?);
            (pid != old).then_some(pid)
        })
    }

    /// Ends the last process of several.
    #[track_caller]
    fn end(self) {
        let pid = self.pid();
        kill(pid, Signal::SIGTERM).unwrap();
        wait_for_end(pid);
        drop(self.running);
    }
}

fn write(w: &World, global: &str, rest: &str) -> PathBuf {
    let pidfile = w.path("pid");
    let text = format!(
        "global\n  pidfile {}\n{global}{DEFAULTS}{rest}",
        pidfile.display()
    );
    w.write("nsproxy.cfg", text)
}

/// Waits until a new process has heard that the one before it has let go of the listeners: a thread of its waits for that.
fn wait_until_alone(pid: Pid) {
    eventually(
        DEFAULT_DEADLINE,
        "the end of the wait for the other process",
        || {
            let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
            let mut names = threads.map(|thread| fs::read_to_string(thread?.path().join("comm")));
            let waits =
                |name: std::io::Result<String>| name.is_ok_and(|name| name.trim_end() == "nsproxy-upgrade");
            (!names.any(waits)).then_some(())
        },
    );
}

#[test]
fn sessions_end_in_the_old_process_and_begin_in_the_new_one() {
    world("upgrade", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let installed = Installed::start(w, "", RELAY);
        let old = installed.pid();
        let (client, accepted) = session(w.home(), "127.0.0.1:8000", &server);
        let new = installed.upgrade();
        line_with(&installed.running, &["upgraded", &format!("pid={new}")]);
        line_with(&installed.running, &["draining", "sessions=1", "limit=none"]);
        exchange(&client, &accepted);
        let (other, its) = session(w.home(), "127.0.0.1:8000", &server);
        client.close();
        accepted.close();
        wait_for_end(old);
        exchange(&other, &its);
        line_with(&installed.running, &["ended after 1 session (0 failed)"]);
        other.close();
        its.close();
        installed.end();
        wait_until_refused(w.home(), "127.0.0.1:8000");
    });
}

#[test]
fn upgrades_under_load_lose_no_connection() {
    world("upgrade-load", |w| {
        let _echo = Service::echo(w.home().listen("127.0.0.1:9000"));
        let installed = Installed::start(w, "", RELAY);
        under_load(w.home(), "127.0.0.1:8000", 5, |_| {
            installed.upgrade();
        });
        // The first process, whose sessions these were.
        let first = Pid::from_raw(i32::try_from(installed.running.pid()).unwrap());
        wait_for_end(first);
        let said = installed.running.stderr();
        assert_eq!(said.matches("(0 failed)").count(), 5, "{said}");
        installed.end();
    });
}

#[test]
fn a_new_process_that_fails_leaves_the_old_one_as_it_was() {
    let falsehood = require!(Program::find("false"));
    world("upgrade-fails", |w| {
        let _here = here(w);
        let _taken = w.home().listen("127.0.0.1:8009");
        let path = w.path("relay.sock");
        let relay = format!("{RELAY}  bind {}\n", path.display());
        let installed = Installed::start(w, "", &relay);
        let pid = installed.pid();
        let expect_here = || {
            for address in [
                Address::Inet(([127, 0, 0, 1], 8000).into()),
                Address::Unix(path.clone()),
            ] {
                expect_reply(w.home(), address, "here");
            }
            assert_eq!(installed.pid(), pid);
        };
        let fails = |why: &str| {
            let before = installed.running.stderr().len();
            installed.running.signal(Signal::SIGUSR2);
            eventually(DEFAULT_DEADLINE, why, || {
                let text = installed.running.stderr();
                let line = text
                    .get(before..)?
                    .lines()
                    .find(|line| line.contains("upgrade-failed"))?;
                assert!(line.contains(why), "{line}");
                Some(())
            });
            expect_here();
        };
        write(w, "", &relay.replace("server s", "serve s"));
        fails("the configuration is not valid: 1 error");
        write(w, "", &format!("{relay}  bind 127.0.0.1:8009\n"));
        fails("Address already in use");
        write(w, "", &relay);
        installed.replace(falsehood.path());
        fails("it ended with exit status: 1: it has not said that it relays");
        fs::remove_file(&installed.program).unwrap();
        fails("No such file or directory");
        // And all is well once that is mended.
        symlink(env!("CARGO_BIN_EXE_nsproxy"), &installed.program).unwrap();
        let new = installed.upgrade();
        wait_for_end(pid);
        assert!(path.exists(), "the old process has removed the new one's file");
        expect_reply(w.home(), Address::Unix(path.clone()), "here");
        // One that ends before it knows that the other has let go leaves the file to it.
        wait_until_alone(new);
        kill(new, Signal::SIGTERM).unwrap();
        wait_for_end(new);
        assert!(!path.exists());
        drop(installed);
    });
}

/// A process that one of these threads has started.
fn child(pid: u32) -> Option<Pid> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let mut children =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let child = children.find_map(|children| children.split_whitespace().next().map(str::to_owned))?;
    child.parse().ok().map(Pid::from_raw)
}

#[test]
fn a_signal_to_end_ends_an_upgrade_that_is_under_way_too() {
    // With the arguments of nsproxy, it follows the configuration for ever.
    let tail = require!(Program::find("tail"));
    world("upgrade-abandoned", |w| {
        let _here = here(w);
        let installed = Installed::start(w, "", RELAY);
        installed.replace(tail.path());
        installed.running.signal(Signal::SIGUSR2);
        let child = eventually(DEFAULT_DEADLINE, "the new process", || {
            child(installed.running.pid())
        });
        installed.running.signal(Signal::SIGHUP);
        line_with(&installed.running, &["reload-refused", "an upgrade is under way"]);
        installed.running.signal(Signal::SIGTERM);
        let Installed { running, .. } = installed;
        running.wait().expect_code(0);
        wait_for_end(child);
    });
}

#[test]
fn listeners_are_told_apart_by_their_namespaces() {
    world("upgrade-netns", |w| {
        let tenants: Vec<(Netns, Service)> = ["red", "blue"]
            .into_iter()
            .map(|name| {
                let netns = w.add_netns(name);
                let service = Service::reply(netns.listen("127.0.0.1:9000"), name);
                (netns, service)
            })
            .collect();
        let relay = |name: &str| {
            format!(
                "listen {name}\n  bind 127.0.0.1:8000 namespace {name}\n  \
                 server s 127.0.0.1:9000 namespace {name}\n"
            )
        };
        let installed = Installed::start(w, "", &[relay("red"), relay("blue")].concat());
        let old = installed.pid();
        installed.upgrade();
        wait_for_end(old);
        for (netns, _) in &tenants {
            expect_reply(netns, "127.0.0.1:8000", netns.name());
        }
        installed.end();
    });
}

#[test]
fn a_listener_that_the_new_configuration_does_not_have_ends_with_the_old_process() {
    world("upgrade-changed", |w| {
        let _here = here(w);
        let installed = Installed::start(w, "", RELAY);
        let old = installed.pid();
        write(w, "", &RELAY.replace(":8000", ":8001"));
        installed.upgrade();
        wait_for_end(old);
        line_with(
            &installed.running,
            &["does not listen at 127.0.0.1:8000 any more"],
        );
        wait_until_refused(w.home(), "127.0.0.1:8000");
        expect_reply(w.home(), "127.0.0.1:8001", "here");
        installed.end();
    });
}

#[test]
fn a_descriptor_that_is_no_channel_is_left_alone() {
    world("upgrade-astray", |w| {
        let mut command = nsproxy(&["run", "-f"]);
        command.arg(write(w, "", RELAY));
        // Standard error, on which this is said.
        command.env("NSPROXY_PREDECESSOR", "2");
        let said = w.home().spawn(command).wait().expect_code(1);
        assert!(
            said.contains("NSPROXY_PREDECESSOR does not lead to another nsproxy"),
            "{said}"
        );
    });
}

#[test]
fn sockets_that_were_meant_for_another_process_are_not_for_the_new_one_either() {
    world("upgrade-not-ours", |w| {
        let mut command = nsproxy(&["run", "-f"]);
        command.arg(write(w, "", RELAY));
        for (name, value) in [("PID", "1"), ("FDS", "1"), ("FDNAMES", "web")] {
            command.env(format!("LISTEN_{name}"), value);
        }
        let running = w.home().spawn(command);
        running.wait_for_output(" listens at ", soon());
        write(w, "", &format!("{RELAY}  bind fd@web\n"));
        running.signal(Signal::SIGUSR2);
        line_with(
            &running,
            &[
                "upgrade-failed",
                "nsproxy was not started with a socket of that name",
            ],
        );
    });
}
