//! Namespaces that come, go and are replaced while `nsproxy` runs, and what it says of it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::fs;

use nsproxy_testkit::{
    DEFAULT_DEADLINE, DnsAnswer, Netns, Peer, Program, Running, Service, World, eventually, require, world,
};

use crate::common::{
    DEFAULTS, exchange, expect_reply, line_with, run, run_command, soon, v2_header, wait_until_refused,
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

/// Waits until a namespace is dead: then the end of its link that is here is gone, too.
fn wait_for_death(w: &World, link: &str) {
    eventually(
        DEFAULT_DEADLINE,
        "the end of a link into a dead namespace",
        || (!w.home().ip("-br link").contains(link)).then_some(()),
    );
}

#[test]
fn lookups_checks_and_sockets_in_stock_do_not_keep_a_removed_namespace_alive() {
    world("live-pins", |w| {
        let blue = w.add_netns("blue");
        w.home().ip("link add v0 type veth peer name v1 netns blue");
        for (netns, link, address) in [(w.home(), "v0", "10.1.0.1/24"), (&blue, "v1", "10.1.0.2/24")] {
            netns.ip(&format!("link set {link} up"));
            netns.ip(&format!("address add {address} dev {link}"));
        }
        drop(blue);
        // Everything that is asked from within the namespace is outside of it: nothing in there is of this test.
        let dns = w.home().dns("10.1.0.1:53");
        dns.set(
            "db.example",
            DnsAnswer::Addresses(vec!["10.1.0.1".parse().unwrap()]),
        );
        let server = w.home().listen("10.1.0.1:9000");
        let silent = w.home().listen("10.1.0.1:9001");
        let rest = "resolvers dns\n  nameserver ns 10.1.0.1:53\n  hold valid 50ms\n  timeout resolve 50ms\n\
             listen l\n  bind 127.0.0.1:80\n  option tcp-check\n  tcp-check expect string never\n  timeout check 1m\n\
             \x20 server s db.example:9000 namespace blue resolvers dns init-addr none check port 9001 inter 50ms\n";
        let running = run(w, w.home(), &config("", rest));
        line_with(&running, &["l/s", "10.1.0.1"]);
        // A check that waits for its answer, and would for a minute.
        let check = silent.accept();
        // Sockets for more sessions than this one are made with its own.
        let client = w.home().connect(WEB);
        exchange(&client, &server.accept());
        client.close();
        // A question that nobody answers is under way, and is given up after three seconds.
        dns.set("db.example", DnsAnswer::Silence);
        let asked = dns.asked("db.example");
        eventually(DEFAULT_DEADLINE, "a question", || {
            (dns.asked("db.example") > asked).then_some(())
        });
        w.remove_netns("blue");
        wait_for_death(w, "v0");
        // What is over is over: in one that comes next, all begins anew.
        let again = w.add_netns("blue");
        again.ip("link set lo up");
        line_with(&running, &["netns-ready netns=blue"]);
        drop((check, silent, server));
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
