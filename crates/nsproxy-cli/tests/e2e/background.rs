//! `daemon` and `pidfile`: in the background, and known by its number.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nsproxy_testkit::{DEFAULT_DEADLINE, Service, World, eventually, world};

use crate::common::{DEFAULTS, RELAY, nsproxy, wait_for_end};

/// Written into `nsproxy.cfg`: a relay from port 8000 to port 9000.
fn configuration(w: &World, global: &str) -> std::path::PathBuf {
    let pidfile = w.path("nsproxy.pid");
    let text = format!(
        "global\n  {global}\n  pidfile {}\n{DEFAULTS}{RELAY}",
        pidfile.display()
    );
    w.write("nsproxy.cfg", text)
}

/// As HAProxy is started: with these flags and `-f`.
fn started(flags: &[&str], file: &Path) -> Command {
    let mut command = nsproxy(flags);
    command.arg("-f").arg(file);
    command
}

fn pid(w: &World) -> Option<Pid> {
    let text = fs::read_to_string(w.path("nsproxy.pid")).ok()?;
    Some(Pid::from_raw(text.trim().parse().ok()?))
}

#[test]
fn a_daemon_that_logs_to_standard_output_lets_go_of_it_all_the_same() {
    world("daemon-stdout", |w| {
        let echo = Service::echo(w.home().listen("127.0.0.1:9000"));
        let text = format!(
            "global\n  daemon\n  pidfile {}\n{DEFAULTS}  log stdout format raw local0\n  log stderr format raw local0\n\
             listen l\n  bind 127.0.0.1:8000\n  server s 127.0.0.1:9000\n",
            w.path("nsproxy.pid").display()
        );
        let file = w.write("nsproxy.cfg", text);
        // The command has ended when nobody has its output any more.
        w.home().output(started(&[], &file)).expect_code(0);
        let pid = pid(w).expect("the pidfile is there when the command ends");
        kill(pid, Signal::SIGTERM).expect("it is there");
        wait_for_end(pid);
        drop(echo);
    });
}

#[test]
fn a_daemon_relays_when_the_command_has_ended_and_ends_on_sigterm() {
    for (name, global, flags) in [
        ("daemon", "daemon", &[][..]),
        ("daemon-flag", "nbthread 1", &["-D"][..]),
    ] {
        world(name, |w| {
            let echo = Service::echo(w.home().listen("127.0.0.1:9000"));
            let file = configuration(w, global);
            let said = w.home().output(started(flags, &file)).expect_code(0);
            assert!(said.contains("l listens at 127.0.0.1:8000"), "{said}");
            let pid = pid(w).expect("the pidfile is there when the command ends");
            let client = w.home().connect("127.0.0.1:8000");
            client.send("still there?");
            client.expect("still there?");
            // It has let go of the terminal's session, and of the terminal.
            assert_eq!(nix::unistd::getsid(Some(pid)), Ok(pid));
            let stderr = fs::read_link(format!("/proc/{pid}/fd/2")).unwrap();
            assert_eq!(stderr, Path::new("/dev/null"));
            client.close();
            kill(pid, Signal::SIGTERM).unwrap();
            wait_for_end(pid);
            assert!(!w.path("nsproxy.pid").exists());
            drop(echo);
        });
    }
}

#[test]
fn a_daemon_that_cannot_listen_fails_the_command_and_says_why() {
    world("daemon-refused", |w| {
        let _taken = w.home().listen("127.0.0.1:8000");
        let file = configuration(w, "daemon");
        let said = w.home().output(started(&[], &file)).expect_code(1);
        assert!(said.contains("Address already in use"), "{said}");
        eventually(DEFAULT_DEADLINE, "the pidfile to be removed", || {
            (!w.path("nsproxy.pid").exists()).then_some(())
        });
    });
}

#[test]
fn db_keeps_a_daemon_in_the_foreground_and_the_pidfile_is_written_all_the_same() {
    world("daemon-db", |w| {
        let file = configuration(w, "daemon");
        let running = w.home().spawn(started(&["-db"], &file));
        eventually(DEFAULT_DEADLINE, "the pidfile", || pid(w));
        assert_eq!(pid(w).map(Pid::as_raw), i32::try_from(running.pid()).ok());
        running.wait_for_output(" listens at ", crate::common::soon());
        running.signal(Signal::SIGTERM);
        running.wait().expect_code(0);
        assert!(!w.path("nsproxy.pid").exists());
    });
}
