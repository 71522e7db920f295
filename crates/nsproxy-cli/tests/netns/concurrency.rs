//! Many at once: nothing is lost, doubled or left behind.

use std::fs;
use std::thread;

use nsproxy_testkit::{Program, World, world};

use crate::common::{REGISTRY, answer, command, exists, mounts};

/// Runs these at the same time, and gives back which succeeded.
fn all_at_once(w: &World, commands: Vec<std::process::Command>) -> Vec<bool> {
    let running: Vec<_> = commands
        .into_iter()
        .map(|command| w.home().spawn(command))
        .collect();
    running
        .into_iter()
        .map(|running| running.wait().status.success())
        .collect()
}

fn ip(words: &str) -> std::process::Command {
    let mut command = Program::find("ip").expect("a world needs it").command();
    command.args(words.split_whitespace());
    command
}

#[test]
fn eight_first_adds_all_succeed_and_the_directory_is_mounted_once() {
    world("first-adds", |w| {
        for round in 0..5 {
            fs::remove_dir(REGISTRY).unwrap();
            let commands = (0..8)
                .map(|n| command(["add".to_owned(), format!("n{n}")]))
                .collect();
            assert_eq!(all_at_once(w, commands), [true; 8], "round {round}");
            let mounts = mounts();
            assert_eq!(mounts.len(), 9, "the directory and eight names: {mounts:#?}");
            answer(w, "-all delete");
            let mut umount = Program::find("umount").expect("util-linux").command();
            umount.arg(REGISTRY);
            w.home().output(umount).expect_success();
        }
    });
}

#[test]
fn of_eight_that_add_the_same_name_one_succeeds() {
    world("same-name", |w| {
        for _ in 0..5 {
            let commands = (0..8)
                .map(|n| {
                    if n % 2 == 0 {
                        command(["add", "same"])
                    } else {
                        ip("netns add same")
                    }
                })
                .collect();
            let succeeded = all_at_once(w, commands);
            assert_eq!(succeeded.iter().filter(|&&success| success).count(), 1);
            answer(w, "exec same true");
            answer(w, "delete same");
            assert!(!exists("same"));
        }
    });
}

#[test]
fn eight_that_add_and_delete_leave_what_they_should_beside_ip_netns() {
    world("add-and-delete", |w| {
        answer(w, "add kept");
        thread::scope(|scope| {
            for n in 0..8 {
                scope.spawn(move || {
                    for round in 0..6 {
                        let name = format!("n{n}-{round}");
                        let by_ip = |verb: &str| ip(&format!("netns {verb} {name}"));
                        let ours = |verb: &str| command([verb, &name]);
                        let (add, delete) = match (n + round) % 3 {
                            0 => (ours("add"), ours("delete")),
                            1 => (by_ip("add"), ours("delete")),
                            _ => (ours("add"), by_ip("delete")),
                        };
                        w.home().output(add).expect_success();
                        w.home().output(command(["exec", &name, "true"])).expect_success();
                        w.home().output(delete).expect_success();
                    }
                });
            }
        });
        assert_eq!(answer(w, "list"), "kept\n");
        assert_eq!(mounts().len(), 2, "the directory and one name: {:#?}", mounts());
    });
}
