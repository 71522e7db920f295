//! The registry among others: threads, `ip netns`, other mount namespaces and user namespaces.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::process::{Command, Output};
use std::thread;

use netns_core::{EntryState, Netns, NetnsId, Registry};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use util::{
    as_child, assert_passed, in_private_namespaces, is_child, mounts_at, mounts_of_names, name, registry,
    skip, start_child, this_test,
};

#[test]
fn eight_parallel_first_adds_all_succeed_and_mount_the_directory_once() {
    in_private_namespaces(|| {
        thread::scope(|scope| {
            for number in 0..8 {
                scope.spawn(move || registry().add(&name(&format!("ns{number}"))).unwrap());
            }
        });
        assert_eq!(registry().list().unwrap().len(), 8);
        assert_eq!(mounts_at("/run/netns"), 1);
        for number in 0..8 {
            assert_eq!(mounts_at(&format!("/run/netns/ns{number}")), 1);
        }
    });
}

#[test]
fn names_are_mounted_once_where_run_is_a_shared_mount() {
    in_private_namespaces(|| {
        let none = None::<&str>;
        mount(none, "/run", none, MsFlags::MS_SHARED, none).unwrap();
        registry().add(&name("foo")).unwrap();
        assert_eq!(mounts_at("/run/netns"), 1);
        assert_eq!(mounts_at("/run/netns/foo"), 1);
    });
}

#[test]
fn one_of_several_parallel_adds_of_the_same_name_wins() {
    in_private_namespaces(|| {
        let winners: Vec<NetnsId> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| registry().add(&name("foo")).ok().map(|n| n.id().unwrap())))
                .collect();
            threads
                .into_iter()
                .filter_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(winners.len(), 1);
        assert_eq!(registry().open(&name("foo")).unwrap().id().unwrap(), winners[0]);
    });
}

#[test]
fn parallel_adds_and_removes_leave_neither_files_nor_mounts() {
    in_private_namespaces(|| {
        thread::scope(|scope| {
            for number in 0..8 {
                scope.spawn(move || {
                    for round in 0..5 {
                        let name = name(&format!("ns{number}-{round}"));
                        registry().add(&name).unwrap();
                        registry().remove(&name).unwrap();
                    }
                });
            }
        });
        assert!(registry().list().unwrap().is_empty());
        assert_eq!(mounts_of_names(), 0);
    });
}

#[test]
fn ip_netns_and_the_registry_use_what_the_other_made() {
    in_private_namespaces(|| {
        if Command::new("ip").arg("-V").output().is_err() {
            return skip(
                "ip_netns_and_the_registry_use_what_the_other_made",
                "there is no `ip` program",
            );
        }
        let ip = |arguments: &[&str]| Command::new("ip").args(arguments).output().unwrap();
        registry().add(&name("ours")).unwrap();
        assert!(ip(&["netns", "add", "theirs"]).status.success());
        let listed = ip(&["netns"]).stdout;
        assert_eq!(String::from_utf8(listed).unwrap(), "theirs\nours\n");
        assert_eq!(registry().list().unwrap().len(), 2);
        assert!(
            registry()
                .list()
                .unwrap()
                .iter()
                .all(|e| matches!(e.state, EntryState::Live { .. }))
        );
        assert!(ip(&["netns", "exec", "ours", "true"]).status.success());
        assert!(ip(&["netns", "delete", "ours"]).status.success());
        registry().remove(&name("theirs")).unwrap();
        assert!(registry().list().unwrap().is_empty());
        assert_eq!(mounts_at("/run/netns"), 1);
    });
}

#[test]
fn parallel_adds_and_deletes_of_ip_netns_and_the_registry_do_not_disturb_each_other() {
    in_private_namespaces(|| {
        if !has_ip() {
            return skip("parallel adds with `ip netns`", "there is no `ip` program");
        }
        thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || {
                    for round in 0..5 {
                        let name = name(&format!("ours{number}-{round}"));
                        registry().add(&name).unwrap();
                        registry().remove(&name).unwrap();
                    }
                    registry().add(&name(&format!("ours{number}"))).unwrap();
                });
                scope.spawn(move || {
                    for round in 0..5 {
                        let name = format!("theirs{number}-{round}");
                        assert!(ip(&["netns", "add", &name]).status.success());
                        assert!(ip(&["netns", "delete", &name]).status.success());
                    }
                    assert!(ip(&["netns", "add", &format!("theirs{number}")]).status.success());
                });
            }
        });
        let entries = registry().list().unwrap();
        assert_eq!(entries.len(), 8, "{entries:?}");
        assert!(
            entries
                .iter()
                .all(|entry| matches!(entry.state, EntryState::Live { .. })),
            "{entries:?}"
        );
        assert_eq!(mounts_at("/run/netns"), 1);
        assert_eq!(mounts_of_names(), 8);
    });
}

#[test]
fn a_name_that_is_added_is_seen_in_mount_namespaces_that_were_split_off_before() {
    in_private_namespaces(|| {
        registry().add(&name("first")).unwrap();
        let (to_outside, from_inside) = std::sync::mpsc::channel();
        let (to_inside, from_outside) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                unshare(CloneFlags::CLONE_NEWNS).unwrap();
                to_outside.send(()).unwrap();
                from_outside.recv().unwrap();
                to_outside.send(()).unwrap();
                Netns::open_name(&name("second")).unwrap();
            });
            from_inside.recv().unwrap();
            registry().add(&name("second")).unwrap();
            to_inside.send(()).unwrap();
            from_inside.recv().unwrap();
        });
    });
}

#[test]
fn a_user_without_privileges_can_have_a_registry_in_a_user_namespace() {
    let child = as_child(&["unshare", "--user", "--map-root-user", "--mount"], || {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("netns"));
        let made = registry.add(&name("foo")).unwrap();
        assert_eq!(
            registry.open(&name("foo")).unwrap().id().unwrap(),
            made.id().unwrap()
        );
        registry.remove(&name("foo")).unwrap();
        nix::mount::umount(registry.path()).unwrap();
    });
    assert_passed(child.as_ref());
}

#[test]
fn eight_processes_and_ip_netns_that_add_and_remove_at_once_leave_what_they_mean_to_leave() {
    if is_child() {
        let own = format!("p{}", std::process::id());
        for round in 0..5 {
            let name = name(&format!("{own}-{round}"));
            registry().add(&name).unwrap();
            registry().add(&name).unwrap_err();
            registry().remove(&name).unwrap();
            // The other program that uses the directory, if there is one.
            let theirs = format!("{own}-{round}-theirs");
            let ip = |verb| Command::new("ip").args(["netns", verb, &theirs]).status();
            if let Ok(added) = ip("add") {
                assert!(added.success() && ip("delete").unwrap().success());
            }
        }
        registry().add(&name(&own)).unwrap();
        return;
    }
    let test = this_test();
    in_private_namespaces(|| {
        let children: Vec<_> = thread::scope(|scope| {
            let starters: Vec<_> = (0..8).map(|_| scope.spawn(|| start_child(&test, &[]))).collect();
            starters
                .into_iter()
                .map(|starter| starter.join().unwrap())
                .collect()
        });
        for child in &children {
            assert_passed(child.as_ref());
        }
        let entries = registry().list().unwrap();
        assert_eq!(entries.len(), 8, "{entries:?}");
        assert!(
            entries
                .iter()
                .all(|entry| matches!(entry.state, EntryState::Live { .. }))
        );
        assert_eq!(mounts_at("/run/netns"), 1);
    });
}

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip").args(arguments).output().unwrap()
}

fn has_ip() -> bool {
    Command::new("ip").arg("-V").output().is_ok()
}
