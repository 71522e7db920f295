//! What goes wrong in the middle: limits that are reached, namespaces that vanish, mounts that are refused.
//! Each operation says what was wrong, and leaves nothing half-made.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::fs;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use netns_core::links::Links;
use netns_core::{
    EntryState, ExecEnvironment, ExecOperation, Netns, NetnsId, OpenError, Registry, RegistryError,
    SocketPool, run, tcp_listener,
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Type};
use util::{
    as_child, assert_passed, in_private_namespaces, is_child, mount_points, name, registry, start_child,
    this_test,
};

#[test]
fn a_namespace_that_loses_its_name_after_it_was_opened_can_still_be_entered() {
    in_private_namespaces(|| {
        let foo = registry().add(&name("foo")).unwrap();
        let opened = registry().open(&name("foo")).unwrap();
        let id = foo.id().unwrap();
        drop(foo);
        registry().remove(&name("foo")).unwrap();
        let seen = run(&opened, || Netns::current().unwrap().id().unwrap()).unwrap();
        assert_eq!(seen, id);
        opened.enter().unwrap().leave().unwrap();
        Links::in_netns(&opened).unwrap().set_up("lo").unwrap();
        tcp_listener(&opened, "127.0.0.1:0".parse().unwrap()).unwrap();
    });
}

#[test]
fn a_name_that_vanishes_after_it_was_listed_is_not_found() {
    in_private_namespaces(|| {
        for text in ["removed", "unmounted"] {
            registry().add(&name(text)).unwrap();
        }
        let listed = registry().list().unwrap();
        assert!(
            listed
                .iter()
                .all(|entry| matches!(entry.state, EntryState::Live { .. }))
        );
        registry().remove(&name("removed")).unwrap();
        umount2("/run/netns/unmounted", MntFlags::MNT_DETACH).unwrap();
        assert!(matches!(
            registry().open(&name("removed")),
            Err(OpenError::NotFound { .. })
        ));
        assert!(matches!(
            registry().open(&name("unmounted")),
            Err(OpenError::NotNetns { .. })
        ));
    });
}

/// Fails each descriptor of an operation in turn: the first, the second, until it succeeds.
fn with_ever_more_descriptors(mut operation: impl FnMut() -> bool) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // The limit is one of numbers, and the lowest free one is given out first. There may be others in use above.
    let free = fs::File::open("/dev/null").unwrap().as_raw_fd();
    for more in 0..32 {
        setrlimit(Resource::RLIMIT_NOFILE, u64::try_from(free).unwrap() + more, hard).unwrap();
        let is_done = operation();
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        if is_done {
            assert!(more > 0, "the limit was not felt");
            return;
        }
    }
    panic!("not even with many descriptors");
}

/// Runs `body` in a child process, for which it may set limits, in private namespaces.
fn as_limited_child(body: impl FnOnce() + Send) -> Option<Output> {
    as_child(&[], || in_private_namespaces(body))
}

#[test]
fn a_pool_gives_its_stock_up_when_descriptors_run_out() {
    let child = as_limited_child(|| {
        let blue = registry().add(&name("blue")).unwrap().id().unwrap();
        registry().add(&name("red")).unwrap();
        let mut pool = SocketPool::of_this_thread(NonZeroUsize::new(4).unwrap(), 100).unwrap();
        let mut socket = |from: &str| {
            let socket = pool.socket(&from.parse().unwrap(), Domain::IPV4, Type::STREAM, None);
            (socket, pool.idle())
        };
        let taken: Vec<_> = (0..4).map(|_| socket("red")).collect();
        assert_eq!(taken[3].1, 3);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 200, hard).unwrap();
        let files: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        let (made, idle) = socket("blue");
        drop(files);
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        assert_eq!(NetnsId::of_socket(&made.unwrap()).unwrap(), blue);
        assert_eq!(idle, 0);
    });
    assert_passed(child.as_ref());
}

#[test]
fn an_add_that_runs_out_of_descriptors_leaves_neither_file_nor_mount() {
    let child = as_limited_child(|| {
        registry().add(&name("first")).unwrap();
        let before = mount_points();
        with_ever_more_descriptors(|| {
            let added = registry().add(&name("foo"));
            let is_there = Path::new("/run/netns/foo").exists();
            assert_eq!(added.is_ok(), is_there, "{added:?}");
            if let Err(error) = &added {
                let chain = format!("{error}: {:?}", std::error::Error::source(error));
                assert!(chain.contains("open files"), "{chain}");
                assert_eq!(mount_points_unlimited(), before);
            }
            added.is_ok()
        });
    });
    assert_passed(child.as_ref());
}

/// As [`mount_points`], for a moment without the limit.
fn mount_points_unlimited() -> Vec<String> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let points = mount_points();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    points
}

#[test]
fn a_watch_that_runs_out_of_descriptors_says_so_and_misses_nothing_once_there_are_some() {
    let child = as_limited_child(|| {
        registry().add(&name("first")).unwrap();
        with_ever_more_descriptors(|| registry().watch().is_ok());
        let mut watch = registry().watch().unwrap();
        let id = registry().add(&name("foo")).unwrap().id().unwrap();
        let mut events = Vec::new();
        with_ever_more_descriptors(|| {
            events.extend(watch.events().unwrap_or_default());
            watch.known().any(|(_, found)| found == Some(id))
        });
        assert_eq!(events.len(), 2, "{events:?}");
    });
    assert_passed(child.as_ref());
}

#[test]
fn a_process_that_may_make_no_more_namespaces_gets_no_name() {
    let launcher = ["unshare", "--user", "--map-root-user", "--mount", "--net"];
    let child = as_child(&launcher, || {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("netns"));
        fs::write("/proc/sys/user/max_net_namespaces", "0").unwrap();
        let error = registry.add(&name("foo")).unwrap_err();
        assert!(
            error.to_string().contains("max_net_namespaces is reached"),
            "{error}"
        );
        assert!(registry.list().unwrap().is_empty());
    });
    assert_passed(child.as_ref());
}

#[test]
fn a_process_that_may_have_no_more_inotify_instances_is_told_where_the_limit_is() {
    let child = as_child(&["unshare", "--user", "--map-root-user"], || {
        fs::write("/proc/sys/user/max_inotify_instances", "0").unwrap();
        let error = registry().watch().unwrap_err();
        assert!(error.to_string().contains("max_user_instances"), "{error}");
    });
    assert_passed(child.as_ref());
}

#[test]
fn an_exec_without_a_mount_namespace_says_that_the_thread_has_moved() {
    let launcher = ["unshare", "--user", "--map-root-user", "--mount"];
    let child = as_child(&launcher, || {
        let netns = Netns::create().unwrap();
        fs::write("/proc/sys/user/max_mnt_namespaces", "0").unwrap();
        let error = ExecEnvironment::unnamed().enter(&netns).unwrap_err();
        assert_eq!(error.operation, ExecOperation::UnshareMounts);
        assert!(error.has_moved());
        assert!(
            error.to_string().contains("max_mnt_namespaces is reached"),
            "{error}"
        );
    });
    assert_passed(child.as_ref());
}

#[test]
fn a_read_only_registry_refuses_and_stays_as_it_is() {
    in_private_namespaces(|| {
        registry().add(&name("foo")).unwrap();
        let none = None::<&str>;
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(none, "/run/netns", none, read_only, none).unwrap();
        let before = mount_points();
        let error = registry().add(&name("bar")).unwrap_err();
        assert!(matches!(error, RegistryError::System { .. }), "{error:?}");
        assert_eq!(mount_points(), before);
        assert_eq!(registry().list().unwrap().len(), 1);
    });
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
        assert_eq!(util::mounts_at("/run/netns"), 1);
    });
}
