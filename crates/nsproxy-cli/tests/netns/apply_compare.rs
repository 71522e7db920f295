//! `apply` on interfaces that are there: the ones that its lines would make are left alone, others are refused.

use nsproxy_testkit::{World, world};

use crate::common::{answer, has, netns, quiet, refusal, run, sleeper};

/// What every topology here begins with: two pairs to stand on, and two namespaces to lead to.
const BASE: &str = "add a b\nlink add veth base peer base-end\nlink add veth other peer other-end\n";

#[track_caller]
fn apply(w: &World, line: &str) {
    w.write("topology", format!("{BASE}{line}\n"));
    quiet(netns(w, "apply /run/world/topology"));
}

/// What is said of a line that does not fit what is there.
#[track_caller]
fn refused(w: &World, line: &str) -> String {
    w.write("topology", format!("{BASE}{line}\n"));
    refusal(w, 1, "apply /run/world/topology")
}

/// Asserts that a line can be applied twice, and that each of the others is refused and changes nothing.
#[track_caller]
fn compare(w: &World, line: &str, others: &[(&str, &str)]) {
    apply(w, line);
    let before = run(w, "ip -d -o link show dev new").expect_success();
    apply(w, line);
    for (other, said) in others {
        has(
            &refused(w, other),
            &["/run/world/topology:4:", "`new` already", said, "delete it"],
        );
        assert_eq!(run(w, "ip -d -o link show dev new").stdout, before, "{other}");
    }
    answer(w, "link delete new");
    apply(w, line);
    answer(w, "link delete new");
}

#[test]
fn a_vxlan_with_other_ends_is_refused() {
    world("compare-vxlan", |w| {
        compare(
            w,
            "link add vxlan new id 42 remote 10.0.0.9 local 10.0.0.1 dev base",
            &[
                (
                    "link add vxlan new id 43 remote 10.0.0.9 local 10.0.0.1 dev base",
                    "its id is 42, not 43",
                ),
                (
                    "link add vxlan new id 42 remote 10.0.0.8 local 10.0.0.1 dev base",
                    "its remote is 10.0.0.9, not 10.0.0.8",
                ),
                (
                    "link add vxlan new id 42 local 10.0.0.1 dev base",
                    "its remote is 10.0.0.9, not none",
                ),
                (
                    "link add vxlan new id 42 remote 10.0.0.9 local 10.0.0.2 dev base",
                    "its local is 10.0.0.1, not 10.0.0.2",
                ),
                (
                    "link add vxlan new id 42 remote 10.0.0.9 local 10.0.0.1 dev base dstport 8472",
                    "its dstport is 4789, not 8472",
                ),
                (
                    "link add vxlan new id 42 remote 10.0.0.9 local 10.0.0.1 dev other",
                    "its dev is `base`, not `other`",
                ),
                (
                    "link add vxlan new id 42 remote 10.0.0.9 local 10.0.0.1",
                    "its dev is `base`, not none",
                ),
            ],
        );
        compare(
            w,
            "link add vxlan new id 42",
            &[("link add vxlan new id 42 dev base", "its dev is none, not `base`")],
        );
    });
}

#[test]
fn a_macvlan_with_another_mode_or_parent_is_refused() {
    world("compare-macvlan", |w| {
        compare(
            w,
            "link add macvlan new link base mode bridge",
            &[
                (
                    "link add macvlan new link base mode private",
                    "its mode is bridge, not private",
                ),
                ("link add macvlan new link base", "its mode is bridge, not vepa"),
                (
                    "link add macvlan new link other mode bridge",
                    "its link is `base`, not `other`",
                ),
            ],
        );
    });
}

#[test]
fn a_vlan_with_another_number_or_parent_is_refused() {
    world("compare-vlan", |w| {
        answer(w, "link add veth probe peer probe-end");
        let made = netns(w, "link add vlan probe.5 link probe id 5");
        if made.stderr.contains("Unknown device type") {
            // A kernel without VLANs says so; what another answers is read in a unit test of the library.
            has(&made.expect_code(2), &["this kernel has no"]);
            return;
        }
        made.expect_success();
        compare(
            w,
            "link add vlan new link base id 5",
            &[
                ("link add vlan new link base id 6", "its id is 5, not 6"),
                (
                    "link add vlan new link other id 5",
                    "its link is `base`, not `other`",
                ),
            ],
        );
    });
}

#[test]
fn a_pair_with_another_end_is_refused() {
    world("compare-veth", |w| {
        compare(
            w,
            "link add veth new peer end",
            &[
                (
                    "link add veth new peer other-end",
                    "its peer is `end`, not `other-end`",
                ),
                (
                    "link add veth new peer end netns a",
                    "its peer is `end`, not `end` in `a`",
                ),
            ],
        );
        compare(
            w,
            "link add veth new peer end netns a",
            &[
                ("link add veth new peer end2 netns a", "not `end2` in `a`"),
                (
                    "link add veth new peer end netns b",
                    "its peer is in another namespace",
                ),
                ("link add veth new peer end", "its peer is in another namespace"),
            ],
        );
        // The same names again, but of two pairs.
        answer(w, "link add veth new peer new-end");
        answer(w, "link add veth end peer end-end");
        has(
            &refused(w, "link add veth new peer end"),
            &["its peer is `new-end`, not `end`"],
        );
    });
}

#[test]
fn a_pair_whose_other_end_is_in_a_namespace_that_has_lost_its_name_is_not_the_new_one() {
    world("compare-lost", |w| {
        let line = "link add veth new peer end netns a";
        apply(w, line);
        let _held = std::fs::File::open("/run/netns/a").expect("apply made it");
        answer(w, "delete a");
        has(
            &refused(w, line),
            &["its peer is in another namespace", "not `end` in `a`"],
        );
    });
}

#[test]
fn an_interface_is_compared_where_later_lines_have_taken_it_and_what_it_stands_on() {
    world("compare-moved", |w| {
        let moved = |id: u32| {
            format!(
                "link add vxlan new id {id} dev base\nlink set base name base2\nlink set new name vx netns a"
            )
        };
        for _ in 0..2 {
            apply(w, &moved(42));
        }
        has(&answer(w, "-n a link show vx"), &["vxlan"]);
        w.write("topology", format!("{BASE}{}\n", moved(43)));
        has(
            &refusal(w, 1, "apply /run/world/topology"),
            &["/run/world/topology:4:", "`new` already", "its id is 42, not 43"],
        );
        answer(w, "-n a link delete vx");
        answer(w, "link set base2 name base");
        // A macvlan that was moved still stands on what was left behind, and that may have moved, too.
        let line = "link add macvlan new link base mode bridge\nlink set new netns a\nlink set base name low netns b";
        for _ in 0..2 {
            apply(w, line);
        }
        has(&answer(w, "-n a link show new"), &["macvlan"]);
        let line = line.replace("link base", "link other");
        has(&refused(w, &line), &["`new` already", "not `other`"]);
    });
}

/// One name for several interfaces in turn: only the order of the lines tells them apart.
#[test]
fn interfaces_that_have_a_name_in_turn_are_told_apart() {
    world("compare-turn", |w| {
        let swap = "link add veth x peer x-end\nlink add veth y peer y-end\n\
                    link set x name z\nlink set y name x\nlink set z name y";
        for _ in 0..3 {
            apply(w, swap);
            has(&answer(w, "link show x"), &["link y-end"]);
            has(&answer(w, "link show y"), &["link x-end"]);
        }
        w.write("topology", format!("{BASE}{swap}\n"));
        for _ in 0..2 {
            quiet(netns(w, "apply /run/world/topology --delete"));
        }
        assert_eq!(answer(w, "link"), answer(w, "link show lo"));
    });
}

#[test]
fn a_file_that_uses_a_name_again_can_be_applied_again_from_each_of_its_steps() {
    world("compare-again", |w| {
        let lines = [
            "link add veth tmp peer to-a",
            "link set tmp netns a name eth0",
            "link add veth tmp peer to-b",
            "link set tmp netns b name eth0",
        ];
        for done in 1..=lines.len() {
            apply(w, &lines[..done].join("\n"));
            for _ in 0..2 {
                apply(w, &lines.join("\n"));
                has(&answer(w, "-n a link"), &["eth0"]);
                has(&answer(w, "-n b link"), &["eth0"]);
                has(&answer(w, "link"), &["to-a", "to-b"]);
            }
            answer(w, "link delete to-a");
            answer(w, "link delete to-b");
        }
        // The second one was taken back by hand.
        apply(w, &lines.join("\n"));
        let here = sleeper(w.home());
        answer(
            w,
            &format!("-n b link set eth0 name tmp netns pid:{}", here.pid()),
        );
        apply(w, &lines.join("\n"));
        has(&answer(w, "-n b link"), &["eth0"]);
    });
}
