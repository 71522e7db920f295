//! Processes and their namespaces: identify, pids, attach.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use nsproxy_testkit::{DEFAULT_DEADLINE, Deadline, Program, World, eventually, world};

use crate::common::{REGISTRY, answer, exists, has, inode, refusal, run, sleeper};

#[test]
fn a_process_is_identified_by_every_name_of_its_namespace() {
    world("identify", |w| {
        let foo = w.add_netns("foo");
        let sleeper = sleeper(&foo);
        let pid = sleeper.pid();
        assert_eq!(answer(w, &format!("identify {pid}")), "foo\n");
        assert_eq!(answer(w, "exec foo ip netns identify"), "foo\n");
        let nsproxy = env!("CARGO_BIN_EXE_nsproxy");
        assert_eq!(answer(w, &format!("exec foo {nsproxy} netns identify")), "foo\n");
        assert_eq!(answer(w, "-n foo identify"), "foo\n");
        assert_eq!(answer(w, "identify"), "\n");
        answer(w, &format!("attach again {pid}"));
        assert_eq!(answer(w, &format!("identify {pid}")), "again\nfoo\n");
    });
}

#[test]
fn what_is_no_process_is_not_identified() {
    world("identify-wrong", |w| {
        has(&refusal(w, 1, "identify abc"), &["abc"]);
        has(&refusal(w, 1, "identify 1 2"), &["extra arguments"]);
        has(&refusal(w, 1, "identify 4194305"), &["4194305"]);
        let dead = dead(w);
        has(&refusal(w, 1, &format!("identify {dead}")), &[&dead]);
    });
}

/// A number that was that of a process until a moment ago.
fn dead(w: &World) -> String {
    let finished = w
        .home()
        .spawn(Program::find("true").expect("coreutils").command());
    let pid = finished.pid().to_string();
    finished.wait().expect_success();
    pid
}

#[test]
fn a_process_that_has_ended_and_was_not_asked_for_is_nowhere() {
    world("zombie", |w| {
        // Its parent becomes `sleep`, which asks for no child; before that the shell might.
        let mut shell = Program::find("sh").expect("a shell").command();
        let script = "until grep -q sleep /proc/$$/comm; do :; done & echo $!; exec sleep 1000";
        shell.args(["-c", script]);
        let parent = w.home().spawn(shell);
        parent.wait_for_output("\n", Deadline::after(DEFAULT_DEADLINE));
        let pid = parent.stdout().trim().to_owned();
        eventually(DEFAULT_DEADLINE, "the end of a process", || {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.contains("(zombie)").then_some(())
        });
        has(&refusal(w, 1, &format!("identify {pid}")), &[&pid]);
        has(&refusal(w, 1, &format!("attach q {pid}")), &[&pid]);
        assert!(!exists("q"));
    });
}

#[test]
fn the_processes_of_a_namespace_are_listed_as_long_as_they_live() {
    world("pids", |w| {
        let foo = w.add_netns("foo");
        assert_eq!(answer(w, "pids foo"), "");
        let sleeper = sleeper(&foo);
        let line = format!("{}\n", sleeper.pid());
        assert_eq!(answer(w, "pids foo"), line);
        assert_eq!(run(w, "ip netns pids foo").stdout, line);
        drop(sleeper);
        eventually(DEFAULT_DEADLINE, "an empty namespace", || {
            answer(w, "pids foo").is_empty().then_some(())
        });
        has(&refusal(w, 1, "pids"), &["No netns name specified"]);
        has(&refusal(w, 1, "pids nope"), &["nope"]);
        has(&refusal(w, 1, "pids foo bar"), &["extra arguments"]);
    });
}

#[test]
fn a_name_is_attached_to_the_namespace_of_a_process_or_of_a_file() {
    world("attach", |w| {
        let foo = w.add_netns("foo");
        let sleeper = sleeper(&foo);
        let pid = sleeper.pid();
        answer(w, &format!("attach q {pid}"));
        answer(w, &format!("attach hex {pid:#x}"));
        answer(w, &format!("attach octal 0{pid:o}"));
        answer(w, &format!("attach by-pid pid:{pid}"));
        answer(w, "attach by-path /run/netns/foo");
        let expected = fs::metadata(format!("/proc/{pid}/ns/net")).unwrap().ino();
        for name in ["q", "hex", "octal", "by-pid", "by-path"] {
            assert_eq!(inode(name), expected, "{name}");
        }
        has(
            &refusal(w, 1, &format!("attach q {pid}")),
            &["/run/netns/q", "File exists"],
        );
    });
}

#[test]
fn what_is_no_process_gets_no_name() {
    world("attach-wrong", |w| {
        for pid in ["0", "abc", "-1", "4194305", &dead(w)] {
            has(&refusal(w, 1, &format!("attach q {pid}")), &[pid]);
        }
        has(&refusal(w, 1, "attach q"), &["No netns name and PID specified"]);
        has(&refusal(w, 1, "attach"), &["No netns name and PID specified"]);
        has(&refusal(w, 255, "attach a/b 1"), &["Invalid netns name"]);
        assert!(!exists("q"));
        assert_eq!(fs::read_dir(REGISTRY).unwrap().count(), 0);
    });
}
