//! Names: added, listed, deleted, and what `ip netns` sees of it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use nsproxy_testkit::world;

use crate::common::{REGISTRY, answer, exists, has, inode, mounts, netns, netns_words, quiet, refusal, run};

#[test]
fn a_list_without_a_registry_is_empty_and_makes_none() {
    world("no-registry", |w| {
        fs::remove_dir(REGISTRY).unwrap();
        assert_eq!(answer(w, "list"), "");
        assert_eq!(answer(w, ""), "");
        assert_eq!(answer(w, "-all delete"), "");
        assert_eq!(answer(w, "identify"), "\n");
        // `ip` prints nothing at all, which is no JSON.
        assert_eq!(answer(w, "-j list"), "[]\n");
        assert!(!fs::exists(REGISTRY).unwrap());
    });
}

#[test]
fn a_name_is_made_as_ip_netns_makes_it() {
    world("add", |w| {
        fs::remove_dir(REGISTRY).unwrap();
        assert_eq!(answer(w, "add foo"), "");
        let directory = fs::metadata(REGISTRY).unwrap();
        assert_eq!(directory.permissions().mode() & 0o7777, 0o755);
        let entry = fs::metadata(format!("{REGISTRY}/foo")).unwrap();
        assert_eq!(entry.permissions().mode() & 0o7777, 0o444);
        // What `stat` calls the namespaces' own file system.
        assert_eq!(run(w, "stat -f -c %t /run/netns/foo").stdout, "6e736673\n");
        assert_eq!(answer(w, "list"), "foo\n");
        assert_eq!(run(w, "ip netns list").stdout, "foo\n");
        has(&run(w, "ip netns exec foo ip -br link").stdout, &["lo", "DOWN"]);
        run(w, "ip netns delete foo").expect_success();
        assert_eq!(answer(w, "list"), "");
    });
}

#[test]
fn a_name_that_is_taken_is_left_as_it_is() {
    world("taken", |w| {
        answer(w, "add foo");
        let before = inode("foo");
        has(&refusal(w, 1, "add foo"), &["/run/netns/foo", "File exists"]);
        assert_eq!(inode("foo"), before);
    });
}

#[test]
fn what_is_no_name_is_refused_and_nothing_is_made() {
    world("no-name", |w| {
        let too_long = "x".repeat(256);
        for name in ["", ".", "..", "a/b", &too_long] {
            for words in [
                &["add", name][..],
                &["add", "good", name],
                &["delete", name],
                &["exec", name, "true"],
            ] {
                let finished = netns_words(w, words);
                has(&finished.expect_code(255), &["Invalid netns name"]);
            }
        }
        assert_eq!(fs::read_dir(REGISTRY).unwrap().count(), 0);
        let longest = "x".repeat(255);
        answer(w, &format!("add {longest}"));
        answer(w, &format!("delete {longest}"));
        has(&refusal(w, 1, "add"), &["No netns name specified"]);
        has(&refusal(w, 1, "delete"), &["No netns name specified"]);
    });
}

#[test]
fn odd_names_survive_the_list_and_its_json() {
    world("odd-names", |w| {
        let names = ["sp ace", "quote\"'", "-j", "tab\t\u{1}", "\u{e9}"];
        let words: Vec<_> = ["add", "--"].into_iter().chain(names).collect();
        quiet(netns_words(w, &words));
        let listed = answer(w, "list");
        for name in names {
            assert!(listed.lines().any(|line| line == name), "{name:?} in {listed:?}");
        }
        let json: serde_json::Value = serde_json::from_str(&answer(w, "-j list")).unwrap();
        let mut found: Vec<_> = json
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["name"].as_str().unwrap())
            .collect();
        let mut expected = names.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
        quiet(netns(w, "--all delete"));
        assert_eq!(answer(w, "-j -p list"), "[ ]\n");
    });
}

#[test]
fn several_names_are_added_and_deleted_at_once_and_one_failure_stops_no_other() {
    world("several", |w| {
        answer(w, "add a b c");
        has(&refusal(w, 1, "add d a e"), &["/run/netns/a"]);
        assert!(exists("d") && exists("e"));
        has(
            &refusal(w, 1, "delete a nope b"),
            &["/run/netns/nope", "No such file or directory"],
        );
        assert!(!exists("a") && !exists("b") && exists("c"));
    });
}

#[test]
fn a_list_in_json_is_an_array_also_if_it_is_empty() {
    world("json", |w| {
        assert_eq!(answer(w, "-j list"), "[]\n");
        assert_eq!(answer(w, "-j -p list"), "[ ]\n");
        answer(w, "add foo");
        answer(w, "set foo 12");
        assert_eq!(answer(w, "-j list"), "[{\"name\":\"foo\",\"id\":12}]\n");
        let pretty = "[ {\n        \"name\": \"foo\",\n        \"id\": 12\n    } ]\n";
        assert_eq!(answer(w, "-j -p list"), pretty);
        assert_eq!(run(w, "ip -j -p netns list").stdout, pretty);
    });
}

#[test]
fn all_names_are_deleted_and_where_there_are_none_that_is_no_failure() {
    world("delete-all", |w| {
        assert_eq!(answer(w, "-all delete"), "");
        answer(w, "add a b c");
        assert_eq!(answer(w, "-all delete"), "");
        assert_eq!(answer(w, "list"), "");
        assert_eq!(mounts().len(), 1, "the directory");
        assert_eq!(fs::read_dir(REGISTRY).unwrap().count(), 0);
        assert_eq!(answer(w, "--all delete"), "");
        has(&refusal(w, 255, "-all delete a"), &["\"a\""]);
    });
}

#[test]
fn a_deleted_name_leaves_no_mount() {
    world("delete", |w| {
        answer(w, "add foo");
        assert_eq!(mounts().len(), 2, "the directory and the name");
        answer(w, "delete foo");
        assert!(!exists("foo"));
        assert_eq!(mounts().len(), 1);
    });
}

#[test]
fn what_is_left_of_a_namespace_can_be_deleted_and_a_directory_cannot() {
    world("remains", |w| {
        fs::write(format!("{REGISTRY}/dangling"), "").unwrap();
        symlink("/proc/self/ns/net", format!("{REGISTRY}/link")).unwrap();
        fs::create_dir(format!("{REGISTRY}/directory")).unwrap();
        let listed = netns(w, "list");
        has(&listed.stderr, &["/run/netns/dangling", "/run/netns/directory"]);
        let listed = listed.expect_success();
        let mut names: Vec<_> = listed.lines().collect();
        names.sort_unstable();
        assert_eq!(names, ["dangling", "directory", "link"]);
        answer(w, "delete dangling link");
        has(
            &refusal(w, 1, "delete directory"),
            &["/run/netns/directory", "directory"],
        );
        has(&refusal(w, 1, "--all delete"), &["/run/netns/directory"]);
        fs::remove_dir(format!("{REGISTRY}/directory")).unwrap();
    });
}

#[test]
fn a_namespace_outlives_its_name_as_long_as_something_is_in_it() {
    world("outlives", |w| {
        answer(w, "add foo");
        let held = fs::File::open(format!("{REGISTRY}/foo")).unwrap();
        let before = held.metadata().unwrap().ino();
        answer(w, "delete foo");
        answer(w, "add foo");
        assert_ne!(inode("foo"), before);
    });
}
