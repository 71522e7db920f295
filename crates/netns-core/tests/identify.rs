//! Between processes, namespaces and names, in all directions; and who sees a name.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use netns_core::{
    ExecEnvironment, Netns, OpenError, Reach, Registry, RegistryError, Sight, Thread, UserNamespace, run,
};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use static_assertions::assert_impl_all;
use util::{as_child, assert_passed, eventually, in_private_namespaces, name, registry};

assert_impl_all!(UserNamespace: Send, Sync);

/// A process inside `netns` that ends with [`end`].
fn sleeper(netns: &Netns) -> Child {
    run(netns, || {
        Command::new("cat").stdin(Stdio::piped()).spawn().unwrap()
    })
    .unwrap()
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn a_process_is_in_all_namespaces_that_are_names_of_its_own() {
    in_private_namespaces(|| {
        let foo = registry().add(&name("foo")).unwrap();
        registry().attach(&name("also-foo"), &foo).unwrap();
        registry().add(&name("bar")).unwrap();
        let child = sleeper(&foo);
        assert_eq!(
            registry().identify(child.id()).unwrap(),
            [name("also-foo"), name("foo")]
        );
        assert_eq!(registry().names_of(&foo).unwrap().len(), 2);
        let pid = child.id();
        end(child);
        assert!(matches!(
            registry().identify(pid),
            Err(RegistryError::Netns(OpenError::NotFound { .. }))
        ));
    });
}

#[test]
fn a_namespace_without_a_name_has_none_and_a_missing_registry_has_none_to_give() {
    in_private_namespaces(|| {
        assert!(registry().identify_current_thread().unwrap().is_empty());
        let foo = registry().add(&name("foo")).unwrap();
        assert!(registry().identify_current_thread().unwrap().is_empty());
        let inside = run(&foo, || registry().identify_current_thread().unwrap()).unwrap();
        assert_eq!(inside, [name("foo")]);
    });
}

#[test]
fn the_processes_of_a_name_are_listed_until_they_end() {
    in_private_namespaces(|| {
        let foo = registry().add(&name("foo")).unwrap();
        assert!(registry().pids(&name("foo")).unwrap().is_empty());
        let children = [sleeper(&foo), sleeper(&foo)];
        let mut pids: Vec<_> = children.iter().map(Child::id).collect();
        pids.sort_unstable();
        assert_eq!(registry().pids(&name("foo")).unwrap(), pids);
        children.into_iter().for_each(end);
        assert!(registry().pids(&name("foo")).unwrap().is_empty());
        assert!(matches!(
            registry().pids(&name("nope")),
            Err(RegistryError::Netns(OpenError::NotFound { .. }))
        ));
    });
}

#[test]
fn a_thread_that_entered_alone_is_found_and_can_be_opened_by_its_number() {
    in_private_namespaces(|| {
        let foo = registry().add(&name("foo")).unwrap();
        let (to_outside, from_inside) = mpsc::channel();
        let (to_inside, from_outside) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(|| {
                run(&foo, move || {
                    to_outside.send(nix::unistd::gettid()).unwrap();
                    from_outside.recv().unwrap_err();
                })
            });
            let tid = u32::try_from(from_inside.recv().unwrap().as_raw()).unwrap();
            let pid = std::process::id();
            let threads: Vec<Thread> = foo.threads().unwrap();
            assert_eq!(threads.len(), 1, "{threads:?}");
            assert_eq!((threads[0].pid, threads[0].tid), (pid, tid));
            assert!(foo.pids().unwrap().is_empty());
            let opened = Netns::open_tid(pid, tid).unwrap();
            assert_eq!(opened.id().unwrap(), foo.id().unwrap());
            drop(to_inside);
            eventually("the thread has ended", || {
                matches!(Netns::open_tid(pid, tid), Err(OpenError::NotFound { .. }))
            });
        });
        assert!(foo.threads().unwrap().is_empty());
    });
}

#[test]
fn the_inode_is_the_one_that_proc_shows() {
    in_private_namespaces(|| {
        let here = Netns::current().unwrap();
        assert_eq!(
            fs::read_link("/proc/thread-self/ns/net")
                .unwrap()
                .to_str()
                .unwrap(),
            format!("net:[{}]", here.inode().unwrap())
        );
    });
}

#[test]
fn namespaces_of_one_user_namespace_have_the_same_owner() {
    in_private_namespaces(|| {
        let here = Netns::current().unwrap().owner().unwrap();
        let new = Netns::create().unwrap().owner().unwrap();
        assert!(here.is_same_as(&new).unwrap());
        assert_eq!(here.owner_uid().unwrap(), nix::unistd::getuid().as_raw());
    });
}

#[test]
fn an_owner_outside_of_the_callers_user_namespace_is_not_told() {
    let child = as_child(&["unshare", "--user", "--map-root-user"], || {
        let error = Netns::current().unwrap().owner().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a user namespace outside of the caller's"),
            "{error}"
        );
        Netns::create().unwrap().owner().unwrap().owner_uid().unwrap();
    });
    assert_passed(child.as_ref());
}

#[test]
fn names_made_where_mounts_are_shared_reach_everywhere() {
    in_private_namespaces(|| {
        assert_eq!(registry().reach().unwrap(), Reach::Shared);
        registry().add(&name("foo")).unwrap();
        let reach = registry().reach().unwrap();
        assert_eq!((&reach, reach.warning()), (&Reach::Shared, None));
    });
}

#[test]
fn names_made_inside_of_exec_are_confined_and_that_is_told_beforehand() {
    in_private_namespaces(|| {
        let foo = registry().add(&name("foo")).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                ExecEnvironment::unnamed().enter(&foo).unwrap();
                let reach = registry().reach().unwrap();
                assert!(
                    matches!(&reach, Reach::Confined { mount_point } if mount_point.ends_with("run/netns")),
                    "{reach:?}"
                );
                assert!(
                    reach.warning().unwrap().contains("are not seen outside"),
                    "{reach}"
                );
                registry().add(&name("inner")).unwrap();
                assert!(registry().open(&name("inner")).is_ok());
            });
        });
        // What the warning is about.
        assert!(matches!(
            registry().open(&name("inner")),
            Err(OpenError::NotNetns { .. })
        ));
    });
}

#[test]
fn a_registry_that_does_not_exist_yet_reaches_as_far_as_its_parent() {
    in_private_namespaces(|| {
        let none = None::<&str>;
        mount(none, "/run", none, MsFlags::MS_SHARED, none).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNS).unwrap();
                mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none).unwrap();
                assert!(matches!(
                    registry().reach().unwrap(),
                    Reach::Confined { mount_point } if mount_point.ends_with("run")
                ));
            });
        });
        assert_eq!(registry().reach().unwrap(), Reach::Shared);
    });
}

/// What a mount namespace that is made now sees of a name that is added outside of it later, and what is foretold of that.
fn inner(propagation: MsFlags) -> (Sight, bool) {
    let none = None::<&str>;
    let (add, added) = mpsc::channel();
    let (told, tell) = mpsc::channel();
    let outcome = thread::scope(|scope| {
        let inner = scope.spawn(move || {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            mount(none, "/", none, propagation | MsFlags::MS_REC, none).unwrap();
            told.send(registry().sight().unwrap()).unwrap();
            added.recv().unwrap();
            registry().open(&name("late")).is_ok()
        });
        let sight = tell.recv().unwrap();
        registry().add(&name("late")).unwrap();
        add.send(()).unwrap();
        (sight, inner.join().unwrap())
    });
    registry().remove(&name("late")).unwrap();
    outcome
}

#[test]
fn names_that_are_added_outside_come_in_where_the_directory_was_prepared_and_that_is_foretold() {
    in_private_namespaces(|| {
        let none = None::<&str>;
        mount(none, "/run", none, MsFlags::MS_SHARED, none).unwrap();
        assert_eq!(inner(MsFlags::MS_SLAVE), (Sight::Unprepared, false));
        // Whoever added that name has prepared it.
        assert_eq!(inner(MsFlags::MS_SLAVE), (Sight::Clear, true));
        let (sight, is_seen) = inner(MsFlags::MS_PRIVATE);
        assert!(
            matches!(&sight, Sight::Blind { mount_point } if mount_point.ends_with("run/netns")),
            "{sight:?}"
        );
        assert!(sight.warning().unwrap().contains("no mount comes into"));
        assert!(!is_seen);
    });
}

#[test]
fn a_directory_can_be_prepared_before_the_first_name() {
    in_private_namespaces(|| {
        let none = None::<&str>;
        mount(none, "/run", none, MsFlags::MS_SHARED, none).unwrap();
        for _ in 0..2 {
            registry().prepare().unwrap();
        }
        assert_eq!(registry().reach().unwrap(), Reach::Shared, "once is enough");
        assert_eq!(inner(MsFlags::MS_SLAVE), (Sight::Clear, true));
    });
}

#[test]
fn mounts_that_lie_on_each_other_are_counted() {
    in_private_namespaces(|| {
        let registry = Registry::at("/run/netns");
        registry.add(&name("foo")).unwrap();
        let none = None::<&str>;
        mount(Some("/run/netns"), "/run/netns", none, MsFlags::MS_BIND, none).unwrap();
        let reach = registry.reach().unwrap();
        assert!(matches!(reach, Reach::Stacked { mounts: 2.. }), "{reach:?}");
        assert!(reach.to_string().contains("hide the names of those below"));
    });
}
