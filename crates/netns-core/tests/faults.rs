//! What goes wrong in the middle: tables that are full, limits that are reached, namespaces that vanish. Each operation
//! says what was wrong, leaves nothing half-made, and holds nothing afterwards.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::fs;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};

use netns_core::links::Links;
use netns_core::{
    EntryState, ExecEnvironment, ExecOperation, Netns, NetnsId, NetnsSpec, OpenError, Registry, SocketPool,
    run, tcp_listener,
};
use nix::mount::{MntFlags, umount2};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Type};
use util::holdings::LeakCheck;
use util::{as_child, assert_passed, eventually, in_own_process, mount_points, name, registry};

#[test]
fn a_namespace_that_loses_its_name_after_it_was_opened_can_still_be_entered() {
    in_own_process(|| {
        registry().add(&name("first")).unwrap();
        let _check = LeakCheck::start();
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
    in_own_process(|| {
        registry().add(&name("first")).unwrap();
        let _check = LeakCheck::start();
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
        // A pool looks the name up for each socket, so it sees the same, and keeps none in stock.
        let mut pool = SocketPool::of_this_thread(NonZeroUsize::MIN, 8).unwrap();
        for text in ["removed", "unmounted"] {
            let spec: NetnsSpec = text.parse().unwrap();
            pool.socket(&spec, Domain::IPV4, Type::STREAM, None).unwrap_err();
        }
        assert_eq!(pool.idle(), 0);
        registry().remove(&name("unmounted")).unwrap();
    });
}

#[test]
fn a_process_that_ends_after_its_namespace_was_opened_takes_nothing_away() {
    in_own_process(|| {
        let other = Netns::create().unwrap();
        let _check = LeakCheck::start();
        let mut process = run(&other, || {
            Command::new("cat").stdin(Stdio::piped()).spawn().unwrap()
        })
        .unwrap();
        let spec: NetnsSpec = format!("pid:{}", process.id()).parse().unwrap();
        let opened = Netns::open(&spec).unwrap();
        process.kill().unwrap();
        // Until somebody asks how it ended, its number is still taken, but it is nowhere any more.
        eventually("the process has left its namespace", || {
            matches!(Netns::open(&spec), Err(OpenError::NotFound { .. }))
        });
        process.wait().unwrap();
        assert!(matches!(Netns::open(&spec), Err(OpenError::NotFound { .. })));
        let seen = run(&opened, || Netns::current().unwrap().id().unwrap()).unwrap();
        assert_eq!(seen, other.id().unwrap());
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

#[test]
fn a_pool_gives_its_stock_up_when_descriptors_run_out() {
    in_own_process(|| {
        let blue = registry().add(&name("blue")).unwrap().id().unwrap();
        registry().add(&name("red")).unwrap();
        let _check = LeakCheck::start();
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
}

#[test]
fn an_add_that_runs_out_of_descriptors_leaves_neither_file_nor_mount() {
    in_own_process(|| {
        registry().add(&name("first")).unwrap();
        let _check = LeakCheck::start();
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
        registry().remove(&name("foo")).unwrap();
    });
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
fn a_visit_and_its_socket_that_run_out_of_descriptors_hold_none() {
    in_own_process(|| {
        let other = Netns::create().unwrap();
        let _check = LeakCheck::start();
        with_ever_more_descriptors(|| other.enter().and_then(|mut guard| guard.leave()).is_ok());
        with_ever_more_descriptors(|| tcp_listener(&other, "0.0.0.0:0".parse().unwrap()).is_ok());
        with_ever_more_descriptors(|| Links::in_netns(&other).is_ok());
    });
}

#[test]
fn a_watch_that_runs_out_of_descriptors_says_so_and_misses_nothing_once_there_are_some() {
    in_own_process(|| {
        registry().add(&name("first")).unwrap();
        let _check = LeakCheck::start();
        with_ever_more_descriptors(|| registry().watch().is_ok());
        let mut watch = registry().watch().unwrap();
        let id = registry().add(&name("foo")).unwrap().id().unwrap();
        let mut events = Vec::new();
        with_ever_more_descriptors(|| {
            events.extend(watch.events().unwrap_or_default());
            watch.known().any(|(_, found)| found == Some(id))
        });
        assert_eq!(events.len(), 2, "{events:?}");
        registry().remove(&name("foo")).unwrap();
    });
}

#[test]
fn a_process_that_may_make_no_more_namespaces_gets_none_and_no_name() {
    let launcher = ["unshare", "--user", "--map-root-user", "--mount", "--net"];
    let child = as_child(&launcher, || {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("netns"));
        registry.add(&name("first")).unwrap();
        fs::write("/proc/sys/user/max_net_namespaces", "0").unwrap();
        let check = LeakCheck::start();
        let error = Netns::create().unwrap_err();
        let is_told = |text: &str| text.contains("max_net_namespaces is reached");
        assert!(is_told(&error.to_string()), "{error}");
        let error = registry.add(&name("foo")).unwrap_err();
        assert!(is_told(&error.to_string()), "{error}");
        for outcome in registry.add_each(&[name("foo"), name("bar")]) {
            let error = outcome.unwrap_err();
            assert!(is_told(&error.to_string()), "{error}");
        }
        assert_eq!(registry.list().unwrap().len(), 1);
        drop(check);
        registry.remove(&name("first")).unwrap();
        umount2(registry.path(), MntFlags::MNT_DETACH).unwrap();
    });
    assert_passed(child.as_ref());
}

#[test]
fn a_process_that_may_have_no_more_inotify_instances_is_told_where_the_limit_is() {
    let child = as_child(&["unshare", "--user", "--map-root-user"], || {
        fs::write("/proc/sys/user/max_inotify_instances", "0").unwrap();
        let _check = LeakCheck::start();
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
        let _check = LeakCheck::start();
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
