//! Commands in namespaces: `exec`, `exec` with every name, and `unshare`.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use nix::mount::{MsFlags, mount};
use nsproxy_testkit::{DEFAULT_DEADLINE, Deadline, Program, Signal, world};

use crate::common::{answer, command, has, netns, netns_words, quiet, refusal, run};

#[test]
fn a_command_sees_the_namespace_and_its_sys() {
    world("exec", |w| {
        let before = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        answer(w, "add foo");
        let mounted = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert_ne!(before, mounted);
        let links = answer(w, "exec foo ip -br link");
        assert_eq!(links.lines().count(), 1);
        has(&links, &["lo", "DOWN"]);
        run(w, "ip link add v0 type veth peer name v1").expect_success();
        assert_eq!(answer(w, "exec foo ls /sys/class/net"), "lo\n");
        assert_eq!(
            fs::read_to_string("/proc/thread-self/mountinfo").unwrap(),
            mounted
        );
        run(w, "ip link delete v0").expect_success();
    });
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    world("exec-code", |w| {
        answer(w, "add foo");
        quiet(netns_words(w, &["exec", "foo", "sh", "-c", "exit 0"]));
        netns_words(w, &["exec", "foo", "sh", "-c", "exit 7"]).expect_code(7);
        has(&refusal(w, 1, "exec foo /no/such"), &["/no/such"]);
        has(&refusal(w, 255, "exec nope true"), &["nope"]);
        has(&refusal(w, 1, "exec foo"), &["No command specified"]);
        has(&refusal(w, 1, "exec"), &["No netns name specified"]);
        fs::write("/run/netns/dangling", "").unwrap();
        has(&refusal(w, 255, "exec dangling true"), &["dangling"]);
    });
}

#[test]
fn a_command_is_killed_as_itself() {
    world("exec-signal", |w| {
        answer(w, "add foo");
        let running = w
            .home()
            .spawn(command(["exec", "foo", "sh", "-c", "echo up; exec sleep 1000"]));
        running.wait_for_output("up", Deadline::after(DEFAULT_DEADLINE));
        running.signal(Signal::SIGUSR1);
        assert_eq!(running.wait().status.signal(), Some(Signal::SIGUSR1 as i32));
    });
}

#[test]
fn the_process_stays_the_same_with_its_environment_directory_and_nothing_more() {
    world("exec-same", |w| {
        answer(w, "add foo");
        let script = "echo $$ $MARK; pwd; ls /proc/self/fd";
        let mut command = command(["exec", "foo", "--", "sh", "-c", script]);
        command.env("MARK", "kept").current_dir("/run/world");
        let running = w.home().spawn(command);
        let pid = running.pid();
        let printed = quiet(running.wait());
        // What the test itself was started with is inherited, and one is the directory that ls reads.
        let inherited = run(w, "ls /proc/self/fd").stdout;
        assert_eq!(printed, format!("{pid} kept\n/run/world\n{inherited}"));
    });
}

#[test]
fn a_command_gets_the_ordinary_meaning_of_a_broken_pipe() {
    world("exec-pipe", |w| {
        answer(w, "add foo");
        let ignored = |status: &str| {
            let line = status.lines().find(|line| line.starts_with("SigIgn")).unwrap();
            u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap()
        };
        let status = answer(w, "exec foo cat /proc/self/status");
        assert_eq!(ignored(&status) & (1 << (Signal::SIGPIPE as u32 - 1)), 0);
    });
}

#[test]
fn the_words_of_a_command_are_its_own() {
    world("exec-words", |w| {
        answer(w, "add foo");
        assert_eq!(
            answer(w, "exec foo echo -j --all --help -n x"),
            "-j --all --help -n x\n"
        );
        assert_eq!(answer(w, "exec foo -- echo -- x"), "-- x\n");
        assert_eq!(answer(w, "unshare -- echo -- --help"), "-- --help\n");
        assert_eq!(answer(w, "unshare echo -p"), "-p\n");
    });
}

#[test]
fn files_of_the_namespace_stand_in_for_those_of_the_machine() {
    world("exec-etc", |w| {
        // An /etc of the world's own: the machine's is never touched.
        let none = None::<&str>;
        mount(Some("etc"), "/etc", Some("tmpfs"), MsFlags::empty(), none).unwrap();
        fs::create_dir_all("/etc/netns/foo").unwrap();
        fs::write("/etc/resolv.conf", "of the machine\n").unwrap();
        fs::write("/etc/netns/foo/resolv.conf", "of foo\n").unwrap();
        answer(w, "add foo bar");
        assert_eq!(answer(w, "exec foo cat /etc/resolv.conf"), "of foo\n");
        assert_eq!(answer(w, "exec bar cat /etc/resolv.conf"), "of the machine\n");
        assert_eq!(
            answer(w, "exec /run/netns/foo cat /etc/resolv.conf"),
            "of the machine\n"
        );
        assert_eq!(
            fs::read_to_string("/etc/resolv.conf").unwrap(),
            "of the machine\n"
        );

        fs::write("/etc/netns/foo/extra", "").unwrap();
        let finished = netns_words(w, &["exec", "foo", "sh", "-c", "cat /etc/resolv.conf; exit 5"]);
        assert_eq!(finished.stdout, "of foo\n");
        has(&finished.expect_code(5), &["warning", "/etc/netns/foo/extra"]);
        assert!(!fs::exists("/etc/extra").unwrap());
    });
}

#[test]
fn a_namespace_may_be_given_by_path_or_process() {
    world("exec-spec", |w| {
        let foo = w.add_netns("foo");
        let sleeper = crate::common::sleeper(&foo);
        let expected = answer(w, "exec foo readlink /proc/self/ns/net");
        for spec in ["/run/netns/foo".to_owned(), format!("pid:{}", sleeper.pid())] {
            assert_eq!(
                answer(w, &format!("exec {spec} readlink /proc/self/ns/net")),
                expected
            );
        }
    });
}

#[test]
fn a_command_runs_in_every_namespace_and_a_failure_is_not_hidden() {
    world("exec-all", |w| {
        answer(w, "add b a");
        let expected = run(w, "ip -all netns exec sh -c exit").expect_success();
        let same = answer(w, "-all exec sh -c exit");
        assert_eq!(same, expected);
        has(&same, &["\nnetns: a\n", "\nnetns: b\n"]);
        let finished = netns_words(w, &["exec", "--all", "sh", "-c", "exit 3"]);
        assert_eq!(finished.stdout, expected);
        finished.expect_code(1);
        // One that is killed does not spare the others.
        let finished = netns_words(w, &["-all", "exec", "sh", "-c", "kill -9 $$"]);
        assert_eq!(finished.stdout, expected);
        finished.expect_code(1);
        has(&refusal(w, 1, "-all exec"), &["No command specified"]);
        // A name that would be read as a process is a name all the same.
        answer(w, "delete a b");
        answer(w, "add pid:1");
        assert_eq!(
            answer(w, "-all exec ip netns identify"),
            "\nnetns: pid:1\npid:1\n"
        );
    });
}

#[test]
fn unshare_makes_a_namespace_that_ends_with_its_command() {
    world("unshare", |w| {
        let links = answer(w, "unshare ip -br link");
        assert_eq!(links.lines().count(), 1);
        has(&links, &["lo", "DOWN"]);
        let inside = answer(w, "unshare readlink /proc/self/ns/net");
        let outside = run(w, "readlink /proc/self/ns/net").stdout;
        assert_ne!(inside, outside);
        assert_eq!(answer(w, "unshare ls /sys/class/net"), "lo\n");
        assert_eq!(answer(w, "list"), "");
        netns(w, "unshare false").expect_code(1);
        has(&refusal(w, 1, "unshare"), &["No command specified"]);
        has(&refusal(w, 1, "unshare /no/such"), &["/no/such"]);
    });
}

#[test]
fn a_namespace_made_from_inside_another_with_an_option_is_seen_outside() {
    world("nested", |w| {
        answer(w, "add outer");
        answer(w, "-n outer add inner");
        assert_eq!(answer(w, "exec inner ls /sys/class/net"), "lo\n");
        let ip = Program::find("ip").unwrap();
        let mut command = ip.command();
        command.args(["netns", "exec", "inner", "true"]);
        quiet(w.home().output(command));
    });
}

#[test]
fn a_name_that_nobody_outside_will_see_is_warned_of() {
    world("unseen", |w| {
        answer(w, "add outer");
        let nsproxy = env!("CARGO_BIN_EXE_nsproxy");
        let finished = netns(w, &format!("exec outer {nsproxy} netns add inner"));
        has(&finished.stderr, &["warning", "not seen outside"]);
        finished.expect_success();
        has(&netns(w, "list").stderr, &["/run/netns/inner", "not visible"]);
        answer(w, "delete inner");
    });
}
