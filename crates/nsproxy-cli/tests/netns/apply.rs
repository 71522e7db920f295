//! `apply`: topologies from files, made, made again, and taken away.

use std::path::Path;

use nsproxy_testkit::{DEFAULT_DEADLINE, Deadline, Program, Service, World, world};

use crate::common::{answer, command, has, netns, netns_words, quiet, refusal, run};

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}

#[track_caller]
fn apply(w: &World, text: &str, more: &str) -> nsproxy_testkit::Finished {
    w.write("topology", text);
    netns(w, &format!("apply /run/world/topology {more}"))
}

/// What a topology can change, as `ip` sees it, without what the kernel adds and changes in its own time: the state of
/// links, and addresses and routes of IPv6.
fn state(w: &World, names: &[&str]) -> String {
    let mut state = run(w, "ip netns").expect_success();
    for name in names {
        for line in run(w, &format!("ip -n {name} -br link")).stdout.lines() {
            let fields: Vec<_> = line.split_whitespace().collect();
            state.extend([fields[0], " ", fields[2], "\n"]);
        }
        state.push_str(&run(w, &format!("ip -n {name} -4 -o addr")).stdout);
        state.push_str(
            &run(w, &format!("ip -n {name} -4 route"))
                .stdout
                .replace(" linkdown", ""),
        );
    }
    state
}

#[test]
fn the_first_networks_carry_the_first_configuration() {
    world("apply-first", |w| {
        let file = example("first-networks.netns");
        quiet(netns_words(w, &["apply", &file]));
        let config = "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n\
                      frontend clients\n  bind 127.0.0.1:50022 namespace 1 transparent\n  default_backend server\n\
                      backend server\n  server server1 192.168.122.4:2222 namespace 2 send-proxy-v2\n";
        let config = w.write("nsproxy.cfg", config);
        let inside = |name: &str| {
            let handle = std::fs::File::open(format!("/run/netns/{name}")).expect("apply made it");
            move |body: &mut (dyn FnMut() + Send)| {
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        nix::sched::setns(&handle, nix::sched::CloneFlags::CLONE_NEWNET)
                            .expect("root may enter");
                        body();
                    });
                });
            }
        };
        let mut service = None;
        inside("net2")(&mut || {
            let listener = nsproxy_testkit::Listener::bind("192.168.122.4:2222");
            service = Some(Service::reply(listener, b"hello from 2"));
        });
        let mut nsproxy = Program::at(env!("CARGO_BIN_EXE_nsproxy")).command();
        nsproxy.arg("run").arg("-f").arg(config);
        let running = w.home().spawn(nsproxy);
        running.wait_for_output(" listens at ", Deadline::after(DEFAULT_DEADLINE));
        inside("1")(&mut || {
            let client = nsproxy_testkit::Peer::connect("127.0.0.1:50022");
            client.half_close();
            client.expect(b"hello from 2");
            client.expect_eof();
        });
        drop((running, service));
        quiet(netns_words(w, &["apply", "--delete", &file]));
        assert_eq!(answer(w, "list"), "");
    });
}

#[test]
fn a_topology_can_be_applied_again_and_taken_away_twice() {
    world("apply-again", |w| {
        let file = example("tenants.netns");
        let names = ["relay", "tenant1", "tenant2"];
        quiet(netns_words(w, &["apply", &file]));
        has(&answer(w, "-n relay link"), &["to-tenant1", "master br1"]);
        let first = state(w, &names);
        quiet(netns_words(w, &["apply", &file]));
        assert_eq!(state(w, &names), first);
        // What is missing is made, and only that.
        answer(w, "-n tenant1 route delete default via 10.0.0.254");
        quiet(netns_words(w, &["apply", &file]));
        assert_eq!(state(w, &names), first);
        for _ in 0..2 {
            quiet(netns_words(w, &["apply", &file, "--delete"]));
            assert_eq!(run(w, "ip netns").stdout, "");
        }
    });
}

#[test]
fn what_is_moved_by_a_topology_is_not_made_again() {
    world("apply-move", |w| {
        let text = "add a\nlink add veth v0 peer v1\nlink set v1 mtu 1400\nlink set v1 name eth0 netns a\n\
                    -n a address add 10.0.0.2/24 dev eth0\n-n a link set eth0 up\n";
        for _ in 0..2 {
            quiet(apply(w, text, ""));
            has(&answer(w, "-n a link show eth0"), &["mtu 1400"]);
            has(&answer(w, "-n a address"), &["10.0.0.2/24"]);
            netns(w, "link show v1").expect_code(1);
        }
        for _ in 0..2 {
            quiet(apply(w, text, "--delete"));
            netns(w, "link show v0").expect_code(1);
            assert_eq!(answer(w, "list"), "");
        }
    });
}

#[test]
fn a_link_that_is_moved_and_then_renamed_is_not_made_again() {
    world("apply-move-rename", |w| {
        // In two steps, by way of another namespace, and with settings on the way.
        let text = "add a b\nlink add veth v0 peer v1\nlink set v0 netns a\n-n a link set v0 mtu 1400\n\
                    -n a link set v0 name v2\n-n a link set v2 netns b\n-n b link set v2 name eth0\n\
                    -n b address add 10.0.0.2/24 dev eth0\n-n b link set eth0 up\n";
        for _ in 0..3 {
            quiet(apply(w, text, ""));
            has(&answer(w, "-n b link show eth0"), &["mtu 1400"]);
            has(&answer(w, "-n b address"), &["10.0.0.2/24"]);
            assert_eq!(answer(w, "-n a link").lines().count(), 1, "`lo` is left");
            netns(w, "link show v0").expect_code(1);
        }
        // Half of it was undone by hand.
        answer(w, "-n b link set eth0 name v2 netns a");
        quiet(apply(w, text, ""));
        has(&answer(w, "-n b link show eth0"), &["mtu 1400"]);
        quiet(apply(w, text, "--delete"));
        netns(w, "link show v1").expect_code(1);
        assert_eq!(answer(w, "list"), "");
    });
}

#[test]
fn a_step_acts_in_its_own_namespace_when_it_is_done_and_when_it_is_undone() {
    world("apply-inside", |w| {
        let names = "add a b\n";
        let pair = "-n a link add veth v0 netns b peer v1\n";
        quiet(apply(w, &[names, pair].concat(), ""));
        has(&answer(w, "-n a link show v1"), &["veth"]);
        has(&answer(w, "-n b link show v0"), &["veth"]);
        netns(w, "link show v1").expect_code(1);

        let moved = "-n b link set v0 name w0 netns a\n";
        quiet(apply(w, &[names, moved].concat(), ""));
        has(&answer(w, "-n a link show w0"), &["veth"]);
        quiet(apply(w, moved, "--delete"));
        has(&answer(w, "-n b link show v0"), &["veth"]);
        netns(w, "link show v0").expect_code(1);
        quiet(apply(w, &[names, pair].concat(), "--delete"));
    });
}

#[test]
fn what_is_left_is_deleted_also_if_the_other_end_has_lost_its_name() {
    world("apply-lost", |w| {
        let text = "add a b\nlink add veth v0 peer v1 netns a\n-n b link add bridge br0\n";
        quiet(apply(w, text, ""));
        // A descriptor keeps the namespace alive, and with it the pair.
        let _held = std::fs::File::open("/run/netns/a").unwrap();
        answer(w, "delete a");
        nix::mount::umount2("/run/netns/b", nix::mount::MntFlags::MNT_DETACH).unwrap();
        quiet(apply(w, text, "--delete"));
        netns(w, "link show v0").expect_code(1);
        assert_eq!(answer(w, "list"), "");
    });
}

#[test]
fn a_default_route_is_known_in_each_way_to_write_it() {
    world("apply-default", |w| {
        let text = "link add veth v0 peer v1\nlink set v1 up\nlink set v0 up\naddress add 10.0.0.1/24 dev v0\n\
                    address add fd00::1/64 dev v0\nroute add 0.0.0.0/0 via 10.0.0.2 metric 0\n\
                    route add ::/0 via fd00::2\nroute add default via fd00::3 metric 7\n\
                    route add ::/0 dev v0 metric 9\nroute add default dev v0 src fd00::1 metric 10\n";
        for _ in 0..2 {
            quiet(apply(w, text, ""));
            assert_eq!(answer(w, "route").matches("default").count(), 3);
            assert_eq!(answer(w, "route").matches("::/0").count(), 2);
        }
        for _ in 0..2 {
            quiet(apply(w, text, "--delete"));
        }
        assert_eq!(answer(w, "route"), "");
    });
}

#[test]
fn every_error_of_a_file_is_told_with_its_place_and_nothing_is_done() {
    world("apply-errors", |w| {
        let text = "add good\nadd a/b # a remark\nlink add veth v0\n\tlink frob\n-n t1 addr add 10.9.0.2/33 dev eth0\n\
                    exec good true\n-j add x\nadd \"x\n-n good add x\nset good -1\nroute delete default\n";
        let said = apply(w, text, "").expect_code(255);
        has(
            &said,
            &[
                "/run/world/topology:2:5: Invalid netns name \"a/b\"",
                "\n    add a/b # a remark\n        ^^^\n",
                ":3:17: a veth needs `peer NAME [netns NETNS]`\n    link add veth v0\n                    ^\n",
                ":4:7: \"frob\"",
                "\n     link frob\n          ^^^^\n",
                ":5:16: \"10.9.0.2/33\"",
                ":6:1: \"exec\" is not a part of one",
                ":7:1: -n is the only option",
                ":8:5: this quote has no end",
                ":9:9: a name is the same everywhere",
                ":10:10: \"-1\"",
                ":11:7: \"delete\" is not a part of one",
                "nothing was done: the file has 10 errors",
            ],
        );
        assert_eq!(answer(w, "list"), "");
    });
}

#[test]
fn a_step_that_fails_is_shown_and_what_was_made_can_be_deleted() {
    world("apply-fails", |w| {
        let text = "add a b\nlink add bridge taken\nlink add veth taken peer v1 netns a\nadd c\n";
        let said = apply(w, text, "").expect_code(1);
        has(
            &said,
            &[
                "/run/world/topology:3:",
                "`taken`",
                "bridge",
                "link add veth taken",
            ],
        );
        has(&answer(w, "list"), &["a\n", "b\n"]);
        // Its own word would delete the bridge; with the right file all is gone.
        quiet(apply(w, "add a b\nlink add bridge taken\nadd c\n", "--delete"));
        assert_eq!(answer(w, "list"), "");
    });
}

#[test]
fn a_topology_may_come_from_standard_input() {
    world("apply-stdin", |w| {
        let path = w.write("topology", "add a\nset a 7\n");
        let line = format!(
            "{} netns apply - < {}",
            env!("CARGO_BIN_EXE_nsproxy"),
            path.display()
        );
        let mut shell = Program::find("sh").expect("a shell").command();
        shell.arg("-c").arg(line);
        quiet(w.home().output(shell));
        assert_eq!(answer(w, "list"), "a (id: 7)\n");
        // A number that is there already is good, and another is not.
        quiet(apply(w, "add a\nset a 7\nset a auto\n", ""));
        has(
            &apply(w, "add a\nset a 8\n", "").expect_code(2),
            &["topology:2:", "already has"],
        );
    });
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    world("apply-no-file", |w| {
        has(&refusal(w, 1, "apply /no/such"), &["/no/such", "No such file"]);
        has(&refusal(w, 255, "apply"), &["apply FILE"]);
        has(&refusal(w, 255, "apply a b"), &["\"b\""]);
        let help = w.home().output(command(["apply", "--help"]));
        has(&quiet(help), &["--delete", "link add veth"]);
    });
}

#[test]
fn a_file_that_is_no_text_is_refused_in_one_line() {
    world("apply-binary", |w| {
        w.write("binary", [&b"add a\n"[..], &[0; 4096]].concat());
        assert_eq!(
            refusal(w, 255, "apply /run/world/binary"),
            "nsproxy netns: /run/world/binary:2: a NUL byte: this file is no text, and nothing was done\n"
        );
        assert_eq!(answer(w, "list"), "");
    });
}

#[test]
fn a_file_that_does_not_end_is_not_read_into_memory() {
    world("apply-endless", |w| {
        has(
            &refusal(w, 1, "apply /dev/zero"),
            &["cannot read /dev/zero", "longer than 16 MiB"],
        );
    });
}
