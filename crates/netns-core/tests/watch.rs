//! Watching a registry: nothing is missed, whoever makes the names, and whatever becomes of the directory.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use netns_core::{Netns, NetnsId, Registry, Watch, WatchEvent};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use util::{in_private_namespaces, name, registry, skip, this_test};

const LIMIT: Duration = Duration::from_secs(10);

fn added(text: &str) -> WatchEvent {
    WatchEvent::Added { name: name(text) }
}

fn ready(text: &str, id: NetnsId) -> WatchEvent {
    WatchEvent::Ready { name: name(text), id }
}

fn removed(text: &str) -> WatchEvent {
    WatchEvent::Removed { name: name(text) }
}

/// What the watch knows, as text and whether there is a namespace.
fn known(watch: &Watch) -> Vec<(String, bool)> {
    watch
        .known()
        .map(|(name, id)| (name.to_string(), id.is_some()))
        .collect()
}

/// Waits for events until there are `count`.
#[track_caller]
fn wait_for(watch: &mut Watch, count: usize) -> Vec<WatchEvent> {
    let deadline = Instant::now() + LIMIT;
    let mut events = Vec::new();
    while events.len() < count {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "only these within ten seconds: {events:?}");
        events.extend(watch.wait(Some(left)).unwrap());
    }
    events
}

/// The descriptor is readable now.
fn is_readable(watch: &Watch) -> bool {
    let mut asked = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
    poll(&mut asked, PollTimeout::ZERO).unwrap() == 1
}

#[test]
fn what_is_there_at_the_start_is_known_and_what_comes_is_told() {
    in_private_namespaces(|| {
        registry().add(&name("old")).unwrap();
        let mut watch = registry().watch().unwrap();
        assert_eq!(known(&watch), [("old".to_owned(), true)]);
        assert_eq!(watch.events().unwrap(), []);
        let id = registry().add(&name("m1")).unwrap().id().unwrap();
        registry().remove(&name("old")).unwrap();
        let mut events = watch.events().unwrap();
        events.sort_by_key(|event| format!("{event:?}"));
        assert_eq!(events, [added("m1"), ready("m1", id), removed("old")]);
        assert_eq!(known(&watch), [("m1".to_owned(), true)]);
        assert_eq!(watch.find(&name("m1")), Some(id));
        assert_eq!(watch.find(&name("old")), None);
    });
}

/// Names of one registry.
const MANY: usize = 3000;

#[test]
fn thousands_of_names_are_watched_with_the_descriptors_of_one() {
    in_private_namespaces(|| {
        let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
        let netns = registry().add(&name("first")).unwrap();
        let (before, few) = (descriptors(), registry().watch().unwrap());
        let needed = descriptors() - before;
        drop(few);
        let add = |text: &str| registry().attach(&name(text), &netns).unwrap();
        for number in 1..MANY {
            add(&format!("n{number}"));
        }
        let before = descriptors();
        let mut watch = registry().watch().unwrap();
        assert_eq!(descriptors() - before, needed);
        assert_eq!(watch.known().filter(|(_, id)| id.is_some()).count(), MANY);
        // One more is told for itself.
        add("last");
        let id = netns.id().unwrap();
        let events = wait_for(&mut watch, 2);
        assert_eq!(events, [added("last"), ready("last", id)]);
        assert_eq!(descriptors() - before, needed);
    });
}

#[test]
fn a_name_that_comes_and_goes_between_two_calls_is_told_in_order() {
    in_private_namespaces(|| {
        registry().add(&name("first")).unwrap();
        let mut watch = registry().watch().unwrap();
        registry().add(&name("m1")).unwrap();
        registry().remove(&name("m1")).unwrap();
        assert_eq!(watch.events().unwrap(), [added("m1"), removed("m1")]);
    });
}

#[test]
fn a_directory_that_is_missing_at_the_start_is_waited_for_with_its_parents() {
    in_private_namespaces(|| {
        let registry = Registry::at("/run/not/yet/there");
        let mut watch = registry.watch().unwrap();
        assert_eq!(watch.events().unwrap(), []);
        fs::create_dir_all("/run/not/yet").unwrap();
        assert_eq!(watch.events().unwrap(), []);
        let id = registry.add(&name("foo")).unwrap().id().unwrap();
        assert_eq!(wait_for(&mut watch, 2), [added("foo"), ready("foo", id)]);
    });
}

#[test]
fn the_descriptor_is_readable_for_files_and_for_mounts_and_not_otherwise() {
    in_private_namespaces(|| {
        registry().add(&name("first")).unwrap();
        let mut watch = registry().watch().unwrap();
        assert!(is_readable(&watch), "until it has been asked");
        assert_eq!(watch.events().unwrap(), []);
        assert!(!is_readable(&watch));
        fs::write("/run/netns/plain", "").unwrap();
        assert!(is_readable(&watch));
        assert_eq!(watch.events().unwrap(), [added("plain")]);
        assert!(!is_readable(&watch));

        // A namespace is mounted on a file that is there: inotify says nothing of it.
        let made = Netns::create().unwrap();
        bind(&made, "/run/netns/plain");
        assert!(is_readable(&watch));
        assert_eq!(watch.events().unwrap(), [ready("plain", made.id().unwrap())]);
        assert!(!is_readable(&watch));
    });
}

#[test]
fn a_namespace_mounted_over_another_is_a_replacement_and_an_unmount_is_told() {
    in_private_namespaces(|| {
        let was = registry().add(&name("foo")).unwrap().id().unwrap();
        let mut watch = registry().watch().unwrap();
        let other = Netns::create().unwrap();
        let id = other.id().unwrap();
        bind(&other, "/run/netns/foo");
        let foo = name("foo");
        assert_eq!(
            watch.events().unwrap(),
            [WatchEvent::Replaced {
                name: foo.clone(),
                was,
                id
            }]
        );
        umount2("/run/netns/foo", MntFlags::MNT_DETACH).unwrap();
        umount2("/run/netns/foo", MntFlags::MNT_DETACH).unwrap();
        assert_eq!(watch.events().unwrap(), [WatchEvent::Unmounted { name: foo }]);
        assert_eq!(known(&watch), [("foo".to_owned(), false)]);
    });
}

#[test]
fn a_name_removed_and_added_again_leads_to_the_new_namespace() {
    in_private_namespaces(|| {
        registry().add(&name("foo")).unwrap();
        let mut watch = registry().watch().unwrap();
        registry().remove(&name("foo")).unwrap();
        let id = registry().add(&name("foo")).unwrap().id().unwrap();
        assert_eq!(
            watch.events().unwrap(),
            [removed("foo"), added("foo"), ready("foo", id)]
        );
    });
}

#[test]
fn a_rename_is_told_as_one_name_gone_and_another_come() {
    in_private_namespaces(|| {
        registry().add(&name("first")).unwrap();
        fs::write("/run/netns/from", "").unwrap();
        let mut watch = registry().watch().unwrap();
        fs::rename("/run/netns/from", "/run/netns/to").unwrap();
        assert_eq!(watch.events().unwrap(), [removed("from"), added("to")]);
    });
}

#[test]
fn a_directory_that_becomes_a_mount_point_later_is_still_watched() {
    in_private_namespaces(|| {
        fs::create_dir("/run/netns").unwrap();
        fs::write("/run/netns/plain", "").unwrap();
        let mut watch = registry().watch().unwrap();
        // The first add mounts the directory on itself.
        let id = registry().add(&name("foo")).unwrap().id().unwrap();
        assert_eq!(wait_for(&mut watch, 2), [added("foo"), ready("foo", id)]);
        assert_eq!(known(&watch).len(), 2);
    });
}

#[test]
fn a_directory_that_is_covered_by_another_shows_what_is_in_the_other() {
    in_private_namespaces(|| {
        registry().add(&name("foo")).unwrap();
        let mut watch = registry().watch().unwrap();
        let none = None::<&str>;
        mount(Some("tmpfs"), "/run/netns", Some("tmpfs"), MsFlags::empty(), none).unwrap();
        assert_eq!(wait_for(&mut watch, 1), [removed("foo")]);
        fs::write("/run/netns/bar", "").unwrap();
        assert_eq!(wait_for(&mut watch, 1), [added("bar")]);
        umount2("/run/netns", MntFlags::MNT_DETACH).unwrap();
        let events = wait_for(&mut watch, 3);
        assert_eq!(events[..2], [removed("bar"), added("foo")]);
        fs::write("/run/netns/more", "").unwrap();
        assert_eq!(wait_for(&mut watch, 1), [added("more")]);
    });
}

#[test]
fn a_directory_that_is_removed_and_made_again_is_still_watched() {
    in_private_namespaces(|| {
        fs::create_dir("/run/netns").unwrap();
        fs::write("/run/netns/foo", "").unwrap();
        let mut watch = registry().watch().unwrap();
        fs::remove_dir_all("/run/netns").unwrap();
        assert_eq!(wait_for(&mut watch, 1), [removed("foo")]);
        fs::create_dir("/run/netns").unwrap();
        fs::write("/run/netns/bar", "").unwrap();
        assert_eq!(wait_for(&mut watch, 1), [added("bar")]);
        // Replaced by another directory of the same name.
        fs::create_dir("/run/other").unwrap();
        fs::write("/run/other/baz", "").unwrap();
        fs::rename("/run/netns", "/run/gone").unwrap();
        fs::rename("/run/other", "/run/netns").unwrap();
        assert_eq!(wait_for(&mut watch, 2), [removed("bar"), added("baz")]);
        fs::write("/run/gone/elsewhere", "").unwrap();
        assert_eq!(watch.events().unwrap(), []);
    });
}

#[test]
fn an_overflow_of_the_queue_loses_no_name_that_is_there() {
    let test = this_test();
    in_private_namespaces(|| {
        registry().add(&name("first")).unwrap();
        let queue: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        if queue > 100_000 {
            return skip(&test, "the queue is too long to be filled");
        }
        let mut watch = registry().watch().unwrap();
        for number in 0..=queue / 2 {
            let path = format!("/run/netns/x{number}");
            fs::write(&path, "").unwrap();
            fs::remove_file(&path).unwrap();
        }
        let id = registry().add(&name("last")).unwrap().id().unwrap();
        registry().remove(&name("first")).unwrap();
        let events = watch.events().unwrap();
        assert!(events.contains(&ready("last", id)));
        assert!(events.contains(&removed("first")));
        assert_eq!(known(&watch), [("last".to_owned(), true)]);
    });
}

#[test]
fn waiting_ends_when_a_name_comes_and_when_the_time_is_over() {
    in_private_namespaces(|| {
        registry().add(&name("first")).unwrap();
        let mut watch = registry().watch().unwrap();
        assert_eq!(watch.wait(Some(Duration::from_millis(5))).unwrap(), []);
        thread::scope(|scope| {
            scope.spawn(|| registry().add(&name("m1")).unwrap());
            let events = wait_for(&mut watch, 2);
            assert_eq!(events[0], added("m1"));
        });
    });
}

#[test]
fn who_follows_the_events_while_others_add_and_remove_knows_what_is_there_in_the_end() {
    in_private_namespaces(|| {
        let mut watch = registry().watch().unwrap();
        let mut believed = std::collections::BTreeSet::new();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|number| {
                    scope.spawn(move || {
                        for round in 0..20 {
                            let name = name(&format!("n{number}-{round}"));
                            registry().add(&name).unwrap();
                            if round % 2 == 0 {
                                registry().remove(&name).unwrap();
                            }
                        }
                    })
                })
                .collect();
            let deadline = Instant::now() + LIMIT;
            let mut were_done = false;
            // Once more after they have ended.
            while !were_done {
                assert!(Instant::now() < deadline);
                were_done = workers.iter().all(thread::ScopedJoinHandle::is_finished);
                for event in watch.wait(Some(Duration::from_millis(1))).unwrap() {
                    match event {
                        WatchEvent::Added { name } => assert!(believed.insert(name)),
                        WatchEvent::Removed { name } => assert!(believed.remove(&name)),
                        _ => {}
                    }
                }
            }
        });
        assert_eq!(believed.len(), 40);
        assert!(
            watch
                .known()
                .all(|(name, id)| believed.contains(name) && id.is_some())
        );
    });
}

#[test]
fn names_that_ip_netns_makes_are_told() {
    let test = this_test();
    in_private_namespaces(|| {
        let ip = |arguments: &[&str]| Command::new("ip").args(arguments).output();
        if ip(&["-V"]).is_err() {
            return skip(&test, "there is no `ip` program");
        }
        let mut watch = registry().watch().unwrap();
        assert!(ip(&["netns", "add", "m1"]).unwrap().status.success());
        let events = wait_for(&mut watch, 2);
        let id = Netns::open_name(&name("m1")).unwrap().id().unwrap();
        assert_eq!(events, [added("m1"), ready("m1", id)]);
        assert!(ip(&["netns", "delete", "m1"]).unwrap().status.success());
        // `ip` unmounts before it removes, and both may be seen.
        while wait_for(&mut watch, 1).last() != Some(&removed("m1")) {}
    });
}

/// To add a descriptor to an epoll set is to poll it, which takes the kernel's word that a mount has changed.
#[test]
fn a_mount_before_the_descriptor_is_added_to_an_epoll_set_is_not_missed() {
    in_private_namespaces(|| {
        registry().add(&name("first")).unwrap();
        fs::write("/run/netns/plain", "").unwrap();
        let mut watch = registry().watch().unwrap();
        let made = Netns::create().unwrap();
        bind(&made, "/run/netns/plain");
        let set = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        set.add(watch.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, 0))
            .unwrap();
        assert_eq!(set.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO), Ok(1));
        assert_eq!(watch.events().unwrap(), [ready("plain", made.id().unwrap())]);
        assert_eq!(set.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO), Ok(0));
    });
}

#[cfg(feature = "mio")]
#[test]
fn mio_wakes_up_for_a_mount_between_the_last_look_and_the_registration() {
    in_private_namespaces(|| {
        registry().add(&name("first")).unwrap();
        let mut watch = registry().watch().unwrap();
        let mut poll = mio::Poll::new().unwrap();
        let mut wakes = mio::Events::with_capacity(4);
        for round in 0..3 {
            let file = format!("/run/netns/plain{round}");
            fs::write(&file, "").unwrap();
            assert_eq!(watch.events().unwrap().len(), 1);
            bind(&Netns::create().unwrap(), &file);
            if round == 0 {
                poll.registry()
                    .register(&mut watch, mio::Token(7), mio::Interest::READABLE)
                    .unwrap();
            } else {
                poll.registry()
                    .reregister(&mut watch, mio::Token(7), mio::Interest::READABLE)
                    .unwrap();
            }
            poll.poll(&mut wakes, Some(LIMIT)).unwrap();
            assert!(!wakes.is_empty(), "round {round}");
            assert_eq!(watch.events().unwrap().len(), 1);
        }
    });
}

#[cfg(feature = "mio")]
#[test]
fn mio_wakes_up_for_files_and_for_mounts() {
    in_private_namespaces(|| {
        registry().add(&name("first")).unwrap();
        let mut watch = registry().watch().unwrap();
        let mut poll = mio::Poll::new().unwrap();
        poll.registry()
            .register(&mut watch, mio::Token(7), mio::Interest::READABLE)
            .unwrap();
        let mut wakes = mio::Events::with_capacity(4);
        let mut woken = |watch: &mut Watch, what: &str| {
            poll.poll(&mut wakes, Some(LIMIT)).unwrap();
            assert!(wakes.iter().any(|event| event.token() == mio::Token(7)), "{what}");
            watch.events().unwrap()
        };
        assert_eq!(woken(&mut watch, "the registration"), []);
        for round in 0..3 {
            let file = format!("/run/netns/plain{round}");
            fs::write(&file, "").unwrap();
            assert_eq!(woken(&mut watch, "a file").len(), 1);
            bind(&Netns::create().unwrap(), &file);
            assert_eq!(woken(&mut watch, "a mount").len(), 1);
        }
        poll.registry().deregister(&mut watch).unwrap();
    });
}

/// Mounts a namespace on a file, as others do who do not use this crate.
fn bind(netns: &Netns, path: &str) {
    let source = format!("/proc/thread-self/fd/{}", netns.as_fd().as_raw_fd());
    assert!(Path::new(path).exists());
    mount(
        Some(source.as_str()),
        path,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .unwrap();
}
