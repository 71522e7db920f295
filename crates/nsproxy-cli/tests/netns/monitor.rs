//! `monitor`: what comes and goes is told at once.

use std::fs;

use nsproxy_testkit::{DEFAULT_DEADLINE, Deadline, Running, World, eventually, world};

use crate::common::{REGISTRY, answer, command, quiet, run};

/// Starts it and waits until it is looking.
fn monitor(w: &World) -> Running {
    let running = w.home().spawn(command(["monitor"]));
    eventually(DEFAULT_DEADLINE, "the monitor to look", || {
        answer(w, "add probe");
        answer(w, "delete probe");
        running.stdout().contains("delete probe").then_some(())
    });
    running
}

#[test]
fn what_comes_and_goes_is_told_promptly_into_a_pipe() {
    world("monitor", |w| {
        answer(w, "add before");
        let running = monitor(w);
        answer(w, "add m1");
        running.wait_for_output("add m1\n", Deadline::after(DEFAULT_DEADLINE));
        quiet(run(w, "ip netns add m2"));
        running.wait_for_output("add m2\n", Deadline::after(DEFAULT_DEADLINE));
        answer(w, "delete m1");
        running.wait_for_output("delete m1\n", Deadline::after(DEFAULT_DEADLINE));
        quiet(run(w, "ip netns delete m2"));
        running.wait_for_output("delete m2\n", Deadline::after(DEFAULT_DEADLINE));
        answer(w, "delete before");
        running.wait_for_output("delete before\n", Deadline::after(DEFAULT_DEADLINE));
        let printed = running.stdout();
        assert!(!printed.contains("add before"), "{printed}");
    });
}

#[test]
fn a_namespace_can_be_used_as_soon_as_it_is_told() {
    world("monitor-ready", |w| {
        let running = monitor(w);
        for n in 0..10 {
            let adding = w.home().spawn(command(["add".to_owned(), format!("r{n}")]));
            running.wait_for_output(&format!("add r{n}\n"), Deadline::after(DEFAULT_DEADLINE));
            answer(w, &format!("exec r{n} true"));
            adding.wait().expect_success();
        }
    });
}

#[test]
fn a_registry_that_does_not_exist_yet_is_watched() {
    world("monitor-early", |w| {
        fs::remove_dir(REGISTRY).unwrap();
        let running = monitor(w);
        answer(w, "add m1");
        running.wait_for_output("add m1\n", Deadline::after(DEFAULT_DEADLINE));
    });
}
