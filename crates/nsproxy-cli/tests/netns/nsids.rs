//! The numbers by which namespaces call each other.

use std::process::Command;

use nsproxy_testkit::world;

use crate::common::{answer, has, refusal, run};

#[test]
fn a_number_that_was_set_is_listed() {
    world("set", |w| {
        answer(w, "add foo bar");
        answer(w, "set foo 12");
        has(&answer(w, "list"), &["foo (id: 12)\n", "bar\n"]);
        has(
            &answer(w, "-j list"),
            &["{\"name\":\"foo\",\"id\":12}", "{\"name\":\"bar\"}"],
        );
        assert_eq!(answer(w, "list-id"), "nsid 12 (iproute2 netns name: foo)\n");
        assert_eq!(answer(w, "-j list-id"), "[{\"nsid\":12,\"name\":\"foo\"}]\n");
        assert_eq!(
            answer(w, "list-id nsid 12"),
            "nsid 12 (iproute2 netns name: foo)\n"
        );
        assert_eq!(run(w, "ip netns list-id").stdout, answer(w, "list-id"));
    });
}

#[test]
fn a_number_is_given_once_and_to_one() {
    world("set-again", |w| {
        answer(w, "add foo bar");
        answer(w, "set foo 12");
        has(&refusal(w, 2, "set foo 12"), &["already has a nsid assigned"]);
        has(&refusal(w, 2, "set foo 13"), &["already has a nsid assigned"]);
        has(&refusal(w, 2, "set bar 12"), &["already used"]);
        // The lowest that is free.
        answer(w, "set bar auto");
        answer(w, "add third fourth");
        answer(w, "set third 1");
        answer(w, "set fourth auto");
        has(
            &answer(w, "list"),
            &["bar (id: 0)\n", "third (id: 1)\n", "fourth (id: 2)\n"],
        );
    });
}

#[test]
fn wrong_words_for_numbers_are_shown() {
    world("wrong-numbers", |w| {
        answer(w, "add bar");
        for word in ["-1", "zz", "4294967296"] {
            has(&refusal(w, 255, &format!("set bar {word}")), &[word]);
        }
        has(&refusal(w, 1, "set bar"), &["No nsid specified"]);
        has(&refusal(w, 1, "set"), &["No netns name specified"]);
        has(&refusal(w, 1, "set nope 1"), &["nope"]);
        std::fs::write("/run/netns/dangling", "").unwrap();
        assert_eq!(run(w, "ip netns set dangling 1").status.code(), Some(2));
        has(&refusal(w, 2, "set dangling 1"), &["/run/netns/dangling"]);
        answer(w, "delete dangling");
        for word in ["-3", "x"] {
            has(&refusal(w, 255, &format!("list-id nsid {word}")), &[word]);
            has(&refusal(w, 255, &format!("list-id target-nsid {word}")), &[word]);
        }
        // A number that is too large is not told to be 0 or more: the error says what there is.
        has(
            &refusal(w, 255, "list-id nsid 2147483648"),
            &["2147483648", "0 to 2147483647"],
        );
        has(&refusal(w, 255, "list-id nsid"), &["nsid"]);
        has(&refusal(w, 255, "list-id nsid 1 nsid 2"), &["twice"]);
        has(&refusal(w, 255, "list-id frob"), &["frob"]);
    });
}

#[test]
fn a_number_that_nobody_has_is_refused_in_the_words_of_the_kernel() {
    world("no-number", |w| {
        has(
            &refusal(w, 2, "list-id nsid 99"),
            &["Peer netns reference is invalid"],
        );
        has(&refusal(w, 1, "list-id target-nsid 77"), &["77"]);
        has(&refusal(w, 2, "list-id target-nsid 77 nsid 1"), &["invalid"]);
    });
}

#[test]
fn the_numbers_of_another_namespace_are_listed_with_their_numbers_here() {
    world("target", |w| {
        answer(w, "add a b");
        answer(w, "set a 3");
        answer(w, "set b 4");
        answer(w, "-n a set b 9");
        let listed = answer(w, "list-id target-nsid 3");
        assert_eq!(listed, "nsid 9 current-nsid 4 (iproute2 netns name: b)\n");
        assert_eq!(run(w, "ip netns list-id target-nsid 3").stdout, listed);
        let json = answer(w, "-j list-id target-nsid 3");
        assert_eq!(json, "[{\"nsid\":9,\"current-nsid\":4,\"name\":\"b\"}]\n");
        assert_eq!(answer(w, "-n a list-id"), "nsid 9 (iproute2 netns name: b)\n");
    });
}

#[test]
fn every_name_of_a_numbered_namespace_shows_the_number() {
    world("two-names", |w| {
        answer(w, "add a");
        let b = w.add_netns("b");
        answer(w, "set a 3");
        answer(w, "attach also-a /run/netns/a");
        answer(w, "link add veth v0 peer v1 netns b");
        let listed = answer(w, "list");
        has(&listed, &["a (id: 3)\n", "also-a (id: 3)\n", "b (id: 0)\n"]);
        assert_eq!(run(w, "ip netns").stdout, listed);
        // A number whose namespace has no name is listed all the same. A process keeps the namespace: without one it would die,
        // and its number go, at some moment between the two commands that are compared.
        let mut sleep = Command::new("sleep");
        sleep.arg("60");
        let keeper = b.spawn(sleep);
        answer(w, "delete b");
        assert_eq!(run(w, "ip netns").stdout, answer(w, "list"));
        let numbers = answer(w, "list-id");
        has(&numbers, &["nsid 0 \n"]);
        assert_eq!(run(w, "ip netns list-id").stdout, numbers);
        drop(keeper);
    });
}
