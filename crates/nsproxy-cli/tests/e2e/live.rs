//! Namespaces that come, go and are replaced while `nsproxy` runs, and what it says of it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs;

use nsproxy_testkit::{DEFAULT_DEADLINE, Netns, Running, Service, World, eventually, world};

use crate::common::{DEFAULTS, line_with, nsproxy, run, soon, wait_until_refused};

const WEB: &str = "127.0.0.1:80";

fn config(global: &str, rest: &str) -> String {
    format!("global\n  nbthread 2\n{global}{DEFAULTS}{rest}")
}

/// A namespace in which nsproxy comes to listen.
fn add(w: &World, name: &str) -> Netns {
    let netns = w.add_netns(name);
    netns.wait_listening(WEB, soon());
    netns
}

fn expect_reply(netns: &Netns, reply: &str) {
    let client = netns.connect(WEB);
    client.expect(reply);
    client.expect_eof();
}

/// Starts it where it has nothing to listen at yet.
fn start(w: &World, config: &str, said: &str) -> Running {
    let path = w.write("nsproxy.cfg", config);
    let mut command = nsproxy(&["run", "--verbose", "-f"]);
    command.arg(path);
    let running = w.home().spawn(command);
    running.wait_for_output(said, soon());
    running
}

#[test]
fn each_change_is_followed_and_told_as_another_user_in_another_root_directory() {
    world("live-change", |w| {
        let jail = w.path("jail");
        fs::create_dir(&jail).unwrap();
        let _service = Service::reply(w.home().listen("127.0.0.1:9000"), "home");
        // In a user namespace for one there is no other user to become; the new root directory is there.
        let global = format!("  chroot {}\n  setcap cap_net_admin\n", jail.display());
        let rest = "listen l\n  bind 127.0.0.1:80 namespace blue\n  server s 127.0.0.1:9000\n";
        let running = start(
            w,
            &config(&global, rest),
            " will listen at 127.0.0.1:80 in netns blue once it is there",
        );
        for round in 1..=2 {
            let blue = add(w, "blue");
            expect_reply(&blue, "home");
            w.remove_netns("blue");
            wait_until_refused(&blue, WEB);
            for line in ["netns-ready netns=blue id=", "netns-removed netns=blue was="] {
                eventually(DEFAULT_DEADLINE, line, || {
                    let told = running.stderr();
                    let lines = told.lines().filter(|told| told.contains(line));
                    (lines.filter(|told| told.ends_with(" listeners=1")).count() == round).then_some(())
                });
            }
        }
    });
}

#[test]
fn a_server_is_reached_in_the_namespace_of_now_and_its_sessions_end_with_the_one_before() {
    world("live-server", |w| {
        let rest = "listen l\n  bind 127.0.0.1:80\n  server s 127.0.0.1:9000 namespace blue\n";
        let running = run(w, w.home(), &config("", rest));
        for reply in ["first", "second"] {
            let blue = w.add_netns("blue");
            let _service = Service::reply(blue.listen("127.0.0.1:9000"), reply);
            expect_reply(w.home(), reply);
            w.remove_netns("blue");
        }
        line_with(&running, &["netns-removed netns=blue"]);
    });
}
