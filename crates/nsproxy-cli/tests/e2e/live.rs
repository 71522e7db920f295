//! Namespaces that come, go and are replaced while `nsproxy` runs, and what it says of it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs;

use nsproxy_testkit::{
    DEFAULT_DEADLINE, Netns, Peer, Program, Running, Service, World, eventually, require, world,
};

use crate::common::{
    DEFAULTS, expect_reply, line_with, run, run_command, soon, v2_header, wait_until_refused,
};

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

/// Starts it where it has nothing to listen at yet.
fn start(w: &World, config: &str, said: &str) -> Running {
    let running = w.home().spawn(run_command(w, config));
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
            expect_reply(&blue, WEB, "home");
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
            expect_reply(w.home(), WEB, reply);
            w.remove_netns("blue");
        }
        line_with(&running, &["netns-removed netns=blue"]);
    });
}

#[test]
fn a_pattern_follows_every_name_that_matches_and_a_header_may_select_it() {
    world("live-pattern", |w| {
        let rest = "namespace_list\n  namespace tenant-*\n\
             listen all\n  bind 127.0.0.1:80 namespace tenant-*\n  server s 127.0.0.1:9000 namespace *\n\
             listen headers\n  bind 127.0.0.1:81 accept-proxy\n  server s 127.0.0.1:9000 namespace *\n";
        let running = run(w, w.home(), &config("", rest));
        for name in ["tenant-1", "tenant-2"] {
            let tenant = add(w, name);
            let _service = Service::reply(tenant.listen("127.0.0.1:9000"), name);
            expect_reply(&tenant, WEB, name);
            let client = w.home().connect("127.0.0.1:81");
            client.send(v2_header("192.0.2.1:1", "192.0.2.2:2", Some(name)));
            client.expect(name);
            line_with(&running, &["session relay=all", &format!("netns={name}")]);
        }
        let other = w.add_netns("other");
        let client = w.home().connect("127.0.0.1:81");
        client.send(v2_header("192.0.2.1:1", "192.0.2.2:2", Some("other")));
        client.expect_closed();
        assert!(other.run(|| Peer::try_connect(WEB)).is_err());
    });
}

#[test]
fn with_strict_namespaces_what_is_missing_ends_the_start() {
    world("live-strict", |w| {
        w.add_netns("blue");
        for (rest, said) in [
            (
                "listen l\n  bind 127.0.0.1:80 namespace nowhere\n  server s 127.0.0.1:9000\n",
                ["relay `l` cannot listen at 127.0.0.1:80", "`nowhere`"],
            ),
            (
                "listen l\n  bind 127.0.0.1:80 namespace blue\n  server s 127.0.0.1:9000 namespace nowhere\n",
                ["a namespace of the plan is missing", "`nowhere`"],
            ),
        ] {
            let command = run_command(w, &config("  strict-namespaces\n", rest));
            let errors = w.home().output(command).expect_code(1);
            assert!(said.iter().all(|part| errors.contains(part)), "{errors}");
        }
    });
}

#[test]
fn a_namespace_made_outside_is_seen_in_a_mount_namespace_that_mounts_spread_to() {
    let unshare = require!(Program::find("unshare"));
    world("live-mounts", |w| {
        // The first name makes the registry a shared mount.
        w.add_netns("first");
        let _service = Service::reply(w.home().listen("127.0.0.1:9000"), "home");
        let rest = "listen l\n  bind 127.0.0.1:80 namespace blue\n  server s 127.0.0.1:9000\n";
        let path = w.write("nsproxy.cfg", config("", rest));
        let mut command = unshare.command();
        command.args([
            "--mount",
            "--propagation",
            "slave",
            env!("CARGO_BIN_EXE_nsproxy"),
            "run",
            "-f",
        ]);
        command.arg(path);
        let running = w.home().spawn(command);
        running.wait_for_output("once it is there", soon());
        let blue = add(w, "blue");
        expect_reply(&blue, WEB, "home");
        w.remove_netns("blue");
        wait_until_refused(&blue, WEB);
    });
}
