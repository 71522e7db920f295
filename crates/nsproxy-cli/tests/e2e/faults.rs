//! A system that does not give what is asked for, and what becomes of sessions then.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;
use nsproxy_testkit::{
    DEFAULT_DEADLINE, Program, Running, Service, Signal, World, eventually, pattern, require, world,
};

use crate::common::{DEFAULTS, RELAY, exchange, line_with, run_command, session, soon, wait_until_refused};

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

/// A library that stands before the system's. While there is a file `forward` or `back` in the directory FAULTS, the clock that has a
/// date is a day off; while there is a file `panic`, the first worker cannot read the time, which is a panic.
const INTERPOSER: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static int is_there(const char *name) {
    char path[4096];
    const char *directory = getenv("FAULTS");
    if (!directory) return 0;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    char thread[16] = "";
    prctl(PR_GET_NAME, thread);
    if (clock == CLOCK_MONOTONIC && !strcmp(thread, "nsproxy-0") && is_there("panic")) {
        errno = EINVAL;
        return -1;
    }
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += 86400 * (is_there("forward") - is_there("back"));
    return result;
}
"#;

/// Has a command run with the library; its faults are the files in the directory that is returned.
fn with_faults(cc: &Program, w: &World, command: &mut Command) -> PathBuf {
    let source = w.write("interposer.c", INTERPOSER);
    let library = w.path("interposer.so");
    let mut compile = cc.command();
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    w.home().output(compile).expect_success();
    let faults = w.path("faults");
    fs::create_dir(&faults).unwrap();
    command.env("LD_PRELOAD", library).env("FAULTS", &faults);
    faults
}

#[test]
fn a_clock_that_jumps_changes_no_timeout() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let cc = require!(Program::find("cc"));
    world("clock-jumps", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let config = format!("global\n  hard-stop-after 500ms\n{DEFAULTS}{RELAY}");
        let mut command = run_command(w, &config.replace("20s", "1s"));
        let faults = with_faults(&cc, w, &mut command);
        let running = w.home().spawn(command);
        running.wait_for_output(" listens at ", soon());
        let session = || session(w.home(), "127.0.0.1:8000", &server);
        for (jump, is_ahead) in [("forward", true), ("back", false)] {
            let (client, accepted) = session();
            File::create(faults.join(jump)).unwrap();
            exchange(&client, &accepted);
            let last = Instant::now();
            client.expect_reset();
            let took = last.elapsed();
            assert!(took >= Duration::from_millis(900), "{jump}: ended after {took:?}");
            // The date of the line shows that the clock has jumped indeed.
            let line = line_with(&running, &["session relay=l", &client.local_addr().to_string()]);
            let date = humantime::parse_rfc3339(line.split(' ').next().unwrap()).unwrap();
            let now = SystemTime::now();
            let off = if is_ahead {
                date.duration_since(now)
            } else {
                now.duration_since(date)
            };
            assert!(off.unwrap().abs_diff(DAY) < Duration::from_secs(60), "{line}");
            fs::remove_file(faults.join(jump)).unwrap();
        }
        let (client, _accepted) = session();
        running.signal(Signal::SIGTERM);
        let begun = Instant::now();
        File::create(faults.join("forward")).unwrap();
        client.expect_reset();
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(400), "drained for {took:?}");
        running.wait().expect_code(0);
    });
}

#[test]
fn a_worker_that_panics_ends_the_process_with_a_report() {
    let cc = require!(Program::find("cc"));
    world("worker-panics", |w| {
        let echo = Service::echo(w.home().listen("127.0.0.1:9000"));
        let config = format!("global\n  nbthread 3\n{DEFAULTS}{RELAY}");
        let mut command = run_command(w, &config);
        let faults = with_faults(&cc, w, &mut command);
        let running = w.home().spawn(command);
        running.wait_for_output(" listens at ", soon());
        let clients: Vec<_> = (0..9)
            .map(|_| {
                let client = w.home().connect("127.0.0.1:8000");
                client.send("here");
                client.expect("here");
                client
            })
            .collect();
        File::create(faults.join("panic")).unwrap();
        // Every worker is told of the listeners again.
        running.signal(Signal::SIGHUP);
        let report = running.wait().expect_code(1);
        assert!(report.contains("thread 'nsproxy-0'"), "{report}");
        assert!(report.contains("worker 0 panicked"), "{report}");
        for client in &clients {
            client.expect_closed();
        }
        wait_until_refused(w.home(), "127.0.0.1:8000");
        drop(echo);
    });
}

/// Lines beyond what the queue for standard error holds.
const MANY_LINES: usize = 9000;

#[test]
fn a_reader_of_standard_error_that_does_not_read_holds_up_nobody_and_is_told_what_it_has_missed() {
    // Others know only descriptors of one digit.
    let bash = require!(Program::find("bash"));
    world("stuck-stderr", |w| {
        let reply = Service::reply(w.home().listen("127.0.0.1:9000"), "x");
        let config = format!("{DEFAULTS}{RELAY}");
        let nsproxy = run_command(w, &config);
        let (read, write) = nix::unistd::pipe().unwrap();
        let script = format!("exec \"$0\" \"$@\" 2>&{}", write.as_raw_fd());
        let mut command = bash.command();
        command.args(["-c", &script]);
        command.arg(nsproxy.get_program()).args(nsproxy.get_args());
        let running = w.home().spawn(command);
        drop(write);
        w.home().wait_listening("127.0.0.1:8000", soon());
        let session = || {
            let client = w.home().connect("127.0.0.1:8000");
            client.half_close();
            assert_eq!(client.read_to_end(10), b"x");
        };
        (0..MANY_LINES).for_each(|_| session());
        // Now somebody reads. The next line tells of those before it.
        let said = Arc::<Mutex<Vec<String>>>::default();
        let (heard, lines) = (Arc::clone(&said), BufReader::new(File::from(read)).lines());
        let reader = thread::spawn(move || {
            for line in lines {
                heard.lock().unwrap().push(line.unwrap());
            }
        });
        let mut count = MANY_LINES;
        eventually(DEFAULT_DEADLINE, "to be told of lines that are missing", || {
            session();
            count += 1;
            let said = said.lock().unwrap();
            said.iter()
                .any(|line| line.contains("log dropped="))
                .then_some(())
        });
        running.signal(Signal::SIGTERM);
        running.wait().expect_code(0);
        reader.join().unwrap();
        let said = said.lock().unwrap();
        let dropped = |line: &String| line.split_once("log dropped=")?.1.parse::<usize>().ok();
        let missed: usize = said.iter().filter_map(dropped).sum();
        let sessions = said
            .iter()
            .filter(|line| line.contains(" session relay=l "))
            .count();
        assert!(missed > 0 && sessions > 0);
        assert_eq!(sessions + missed, count);
        drop(reply);
    });
}
