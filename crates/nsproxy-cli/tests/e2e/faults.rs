//! A system that does not give what is asked for, and what becomes of sessions then.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs;
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;
use nsproxy_testkit::{
    DEFAULT_DEADLINE, Program, Running, Service, Signal, eventually, pattern, require, world,
};

use crate::common::{DEFAULTS, RELAY, run_command, soon};

/// Pipes that a process has open.
fn pipes(running: &Running) -> usize {
    let files = fs::read_dir(format!("/proc/{}/fd", running.pid())).unwrap();
    let links = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("pipe:"))
        .count()
}

/// Makes pipes until this user has more than the kernel grants to those without privileges (`pipe-user-pages-soft`).
fn use_up_pipes() -> Vec<(OwnedFd, OwnedFd)> {
    let limit = fs::read_to_string("/proc/sys/fs/pipe-user-pages-soft").unwrap();
    let pages: usize = limit.trim().parse().unwrap();
    let make = || {
        let pipe = pipe2(OFlag::O_CLOEXEC).unwrap();
        // Who may not have as much has what there is.
        let size = fcntl(&pipe.0, FcntlArg::F_SETPIPE_SZ(1 << 20));
        (
            pipe,
            size.map_or(2, |bytes| usize::try_from(bytes).unwrap() / 4096),
        )
    };
    let mut made = Vec::new();
    let mut used = 0;
    while used <= pages && made.len() < 400 {
        let (pipe, its) = make();
        used += its;
        made.push(pipe);
    }
    made
}

#[test]
fn a_user_who_has_all_the_pipes_that_the_kernel_grants_goes_on_by_copying() {
    let setpriv = require!(Program::find("setpriv"));
    world("pipe-limit", |w| {
        let length = 32 << 20;
        let source = Service::source(w.home().listen("127.0.0.1:9000"), 3, length);
        let config = format!("global\n  nbthread 1\n{DEFAULTS}{RELAY}");
        // With the client at its half, what is under way is in a pipe, if there is one.
        let transfer = |running: &Running, is_spliced: bool| {
            let before = pipes(running);
            let client = w.home().connect("127.0.0.1:8000");
            client.half_close();
            let bytes = pattern(3, usize::try_from(length).unwrap());
            let (first, second) = bytes.split_at(bytes.len() / 2);
            client.expect(first);
            let has_pipe = || (pipes(running) > before).then_some(());
            if is_spliced {
                eventually(DEFAULT_DEADLINE, "a pipe", has_pipe);
            } else {
                assert_eq!(has_pipe(), None, "a pipe of two pages is of no use");
            }
            client.expect(second);
            client.expect_eof();
        };
        let nsproxy = run_command(w, &config);
        let unprivileged = || {
            let mut command = setpriv.command();
            command.args(["--bounding-set", "-sys_resource,-sys_admin", "--inh-caps", "-all"]);
            command.arg(nsproxy.get_program()).args(nsproxy.get_args());
            let running = w.home().spawn(command);
            running.wait_for_output(" listens at ", soon());
            running
        };
        let held = use_up_pipes();
        let running = unprivileged();
        transfer(&running, false);
        drop(held);
        transfer(&running, true);
        running.signal(Signal::SIGTERM);
        running.wait().expect_code(0);
        drop(source);
    });
}
