//! Interfaces, addresses and routes, beside what `ip` sees of them.

use nsproxy_testkit::{DEFAULT_DEADLINE, Deadline, Program, eventually, world};

use crate::common::{answer, command, has, netns, netns_words, refusal, run, sleeper};

#[test]
fn a_pair_is_made_with_each_end_in_its_namespace_at_once() {
    world("veth", |w| {
        answer(w, "add a b");
        answer(w, "link add veth v0 peer v1 netns a");
        has(&run(w, "ip -br link").stdout, &["v0@"]);
        assert!(!run(w, "ip -br link").stdout.contains("v1"));
        has(&run(w, "ip -n a -br link").stdout, &["v1@"]);
        // The order of `ip link`, and both ends elsewhere.
        answer(w, "link add x0 type veth peer name x1 netns b");
        answer(w, "link add veth y0 netns a peer y1 netns b");
        has(&run(w, "ip -n b -br link").stdout, &["x1@", "y1@"]);
        has(&run(w, "ip -n a -br link").stdout, &["y0@"]);
        // Here means the namespace of -n.
        answer(w, "-n a link add veth z0 peer z1");
        has(&answer(w, "-n a link"), &["z0 ", "z1 ", "link z0"]);
    });
}

#[test]
fn an_end_that_belongs_elsewhere_is_never_seen_here() {
    world("veth-seen", |w| {
        answer(w, "add a");
        let mut ip = Program::find("ip").expect("a world needs it").command();
        ip.args(["monitor", "link"]);
        let monitor = w.home().spawn(ip);
        let deadline = || Deadline::after(DEFAULT_DEADLINE);
        eventually(DEFAULT_DEADLINE, "the monitor to look", || {
            answer(w, "link add veth probe peer probe-end");
            answer(w, "link delete probe");
            monitor.stdout().contains("Deleted").then_some(())
        });
        answer(w, "link add veth here-end peer there-end netns a");
        has(&run(w, "ip -n a -br link").stdout, &["there-end@"]);
        monitor.wait_for_output("here-end@", deadline());
        // What came before this was told before this.
        answer(w, "link add bridge last");
        monitor.wait_for_output("last", deadline());
        let told = monitor.stdout();
        assert!(
            told.contains("probe-end") && !told.contains("there-end"),
            "{told}"
        );
    });
}

#[test]
fn a_pair_with_a_taken_name_is_not_half_made() {
    world("veth-taken", |w| {
        answer(w, "add a");
        answer(w, "link add veth v0 peer v1 netns a");
        has(
            &refusal(w, 2, "link add veth v0 peer other"),
            &["v0", "File exists", "another interface has this name there"],
        );
        has(&refusal(w, 2, "link add veth w0 peer v1 netns a"), &["w0"]);
        let links = answer(w, "link show");
        assert!(!links.contains("other") && !links.contains("w0"), "{links}");
        has(
            &refusal(w, 2, "link add veth v0 peer third netns a"),
            &["v0", "File exists"],
        );
        let links = answer(w, "-n a link show");
        assert!(links.contains("v1") && !links.contains("third"), "{links}");
    });
}

#[test]
fn a_link_is_moved_with_a_new_name_and_comes_down() {
    world("move", |w| {
        answer(w, "add a");
        answer(w, "link add veth v0 peer v1");
        answer(w, "address add 10.0.0.1/24 dev v0");
        answer(w, "link set v0 up");
        answer(w, "link set v0 name w0 netns a");
        let moved = run(w, "ip -n a -br addr show w0").stdout;
        has(&moved, &["w0@", "DOWN"]);
        assert!(!moved.contains("10.0.0.1"), "{moved}");
        // To be moved and up at once.
        answer(w, "link set v1 netns a up");
        has(&answer(w, "-n a link show v1"), &["v1 "]);
        has(&run(w, "ip -n a link show v1").stdout, &["UP"]);
        // And on, into the namespace of a process.
        let b = w.add_netns("b");
        let sleeper = sleeper(&b);
        answer(w, &format!("-n a link set v1 netns pid:{}", sleeper.pid()));
        has(&answer(w, "-n b link show v1"), &["v1 "]);
    });
}

/// As the first page of LXC about network namespaces has it: `netunshare`, `new_ns_pid` and `etun`.
#[test]
fn an_end_of_a_pair_is_given_to_a_process_in_a_namespace_without_a_name() {
    world("etun", |w| {
        let sleeping = w.home().spawn(command(["unshare", "--", "sleep", "1000"]));
        let pid = sleeping.pid();
        eventually(DEFAULT_DEADLINE, "the start of sleep", || {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            (name == "sleep\n").then_some(())
        });
        answer(w, "link add veth etun0 peer etun1");
        answer(w, &format!("link set etun1 netns pid:{pid}"));
        netns(w, "link show etun1").expect_code(1);
        has(&answer(w, &format!("-n pid:{pid} link show etun1")), &["veth"]);
        has(
            &refusal(w, 2, &format!("link set lo netns pid:{pid}")),
            &["immutable"],
        );
        answer(w, "link delete etun0");
        netns(w, &format!("-n pid:{pid} link show etun1")).expect_code(1);
    });
}

#[test]
fn what_the_kernel_refuses_is_told_in_its_words() {
    world("refused", |w| {
        answer(w, "add a");
        has(&refusal(w, 2, "link set lo netns a"), &["`lo`", "immutable"]);
        has(&refusal(w, 1, "link set nope up"), &["nope"]);
        has(&refusal(w, 1, "link delete nope"), &["nope"]);
        has(&refusal(w, 1, "link show nope"), &["nope"]);
        has(&refusal(w, 1, "address add 10.0.0.1/24 dev nope"), &["nope"]);
        has(
            &refusal(w, 2, "route add default via 10.9.9.9"),
            &["10.9.9.9", "Network is unreachable"],
        );
        has(&refusal(w, 1, "link set lo netns nope"), &["nope"]);
        has(&refusal(w, 255, "-n nope link"), &["nope"]);
    });
}

#[test]
fn wrong_words_are_pointed_out() {
    world("link-words", |w| {
        for (words, part) in [
            ("link frob", "frob"),
            ("link add", "veth|vlan"),
            ("link add veth v0", "peer"),
            ("link add veth v0 peer", "peer"),
            ("link add veth v0 peer v1 id 3", "\"id\""),
            ("link add veth v0 peer v1 peer v2", "twice"),
            ("link add frob type frob", "frob"),
            ("link add vlan v link lo", "id"),
            ("link add vlan v link lo id 4095", "4094"),
            ("link add vlan v link lo id 1 id 2", "twice"),
            ("link add macvlan v link lo mode frob", "frob"),
            ("link add vxlan v id 16777216", "16777215"),
            ("link add vxlan v id 1 remote 10.0.0.1 group 239.1.1.1", "exclude"),
            ("link add bridge b netns a", "-n NETNS"),
            ("link set lo", "nothing to change"),
            ("link set lo frob", "frob"),
            ("link set lo up down", "twice"),
            ("link set lo mtu many", "many"),
            ("link delete lo lo2", "lo2"),
            ("address add 10.0.0.1/24", "dev"),
            ("address add 10.0.0.1/33 dev lo", "10.0.0.1/33"),
            ("route add", "DESTINATION"),
            ("route add default", "via"),
            ("route add 10.0.0.1/8 dev lo", "host"),
            ("route add 10.0.0.0/8 via fd00::1", "families"),
            ("-j link add bridge b", "-j"),
        ] {
            has(&refusal(w, 255, words), &[part]);
        }
    });
}

#[test]
fn other_kinds_of_interfaces_are_made_where_the_kernel_has_them() {
    world("kinds", |w| {
        for (kind, words) in [
            ("bridge", "link add bridge new"),
            ("macvlan", "link add macvlan new link base mode bridge"),
            (
                "vxlan",
                "link add vxlan new id 42 remote 10.0.0.9 local 10.0.0.1 dev base dstport 4789",
            ),
            ("vlan", "link add vlan new link base id 5"),
        ] {
            answer(w, "link add veth base peer end");
            let made = netns(w, words);
            if made.stderr.contains("Unknown device type") {
                // The refusal names the kind that this kernel lacks.
                has(&made.expect_code(2), &["this kernel has no"]);
            } else {
                made.expect_success();
                has(&run(w, "ip -d link show new").stdout, &[kind]);
                has(&answer(w, "-j link show new"), &[&format!("\"kind\":\"{kind}\"")]);
                answer(w, "link delete new");
            }
            answer(w, "link delete base");
        }
    });
}

#[test]
fn a_link_joins_and_leaves_a_bridge() {
    world("bridge", |w| {
        answer(w, "link add bridge br0");
        answer(w, "link add veth v0 peer v1");
        answer(w, "link set v0 master br0 mtu 1400 up");
        has(&answer(w, "link show v0"), &["mtu 1400", "master br0"]);
        has(&run(w, "ip link show v0").stdout, &["mtu 1400", "master br0"]);
        answer(w, "link set v0 nomaster down");
        assert!(!answer(w, "link show v0").contains("master"));
    });
}

#[test]
fn addresses_and_routes_come_and_go() {
    world("addresses", |w| {
        answer(w, "add a");
        answer(w, "link add veth v0 peer v1 netns a");
        answer(w, "link set v0 up");
        answer(w, "-n a link set v1 up");
        answer(w, "address add 10.0.0.1/24 dev v0");
        answer(w, "addr add fd00::1/64 dev v0");
        has(&answer(w, "address show v0"), &["10.0.0.1/24", "fd00::1/64"]);
        has(
            &run(w, "ip -br addr show v0").stdout,
            &["10.0.0.1/24", "fd00::1/64"],
        );
        has(
            &answer(w, "-j address"),
            &["\"ifname\":\"v0\",\"family\":\"inet\",\"local\":\"10.0.0.1\",\"prefixlen\":24"],
        );
        answer(w, "-n a address add 10.0.0.2/24 dev v1");
        answer(w, "-n a route add default via 10.0.0.1");
        answer(w, "-n a route add 10.7.0.0/16 dev v1 metric 5");
        for (line, hint) in [
            ("address add 10.0.0.1/24 dev v0", "it has this address already"),
            (
                "-n a route add default via 10.0.0.1",
                "there is a route to it already",
            ),
        ] {
            has(&refusal(w, 2, line), &["File exists", hint]);
        }
        has(
            &answer(w, "-n a route"),
            &["default via 10.0.0.1 dev v1\n", "10.7.0.0/16 dev v1"],
        );
        has(
            &run(w, "ip -n a route").stdout,
            &["default via 10.0.0.1 dev v1", "10.7.0.0/16 dev v1"],
        );
        has(
            &answer(w, "-n a -j route"),
            &["{\"dst\":\"default\",\"gateway\":\"10.0.0.1\",\"dev\":\"v1\"}"],
        );
        answer(w, "-n a route delete default via 10.0.0.1");
        assert!(!answer(w, "-n a route show").contains("default"));
        // The destination says enough, but not of a new one.
        answer(w, "-n a route delete 10.7.0.0/16");
        assert!(!answer(w, "-n a route show").contains("10.7."));
        has(
            &refusal(w, 255, "-n a route add 10.7.0.0/16"),
            &["`via` or `dev`"],
        );
        has(
            &refusal(w, 2, "-n a route delete default via 10.0.0.1"),
            &["No such process"],
        );
        answer(w, "address delete 10.0.0.1/24 dev v0");
        assert!(!answer(w, "address").contains("10.0.0.1"));
        has(
            &refusal(w, 2, "address delete 10.0.0.1/24 dev v0"),
            &["Cannot assign requested address"],
        );
    });
}

#[test]
fn a_link_may_be_called_like_a_kind() {
    world("link-names", |w| {
        answer(w, "link add veth type veth peer name bridge");
        has(&answer(w, "link show veth"), &["veth "]);
        answer(w, "link delete dev bridge");
        netns_words(w, &["link", "show", "veth"]).expect_code(1);
    });
}
