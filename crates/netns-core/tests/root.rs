//! Namespaces are found from a root directory that the process has left.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod util;

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use netns_core::{Netns, NetnsId, NetnsSpec, Registry, Root, SocketPool, WatchEvent};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::chroot;
use socket2::{Domain, Type};
use util::{in_private_namespaces, name, registry};

/// Runs `body` on a thread whose root directory, and nobody else's, is an empty one.
fn in_a_jail<T: Send>(jail: &Path, body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let jailed = scope.spawn(|| {
            unshare(CloneFlags::CLONE_FS).unwrap();
            chroot(jail).unwrap();
            body()
        });
        jailed.join().unwrap()
    })
}

#[test]
fn a_name_a_path_a_link_and_a_process_lead_where_they_led_before() {
    in_private_namespaces(|| {
        let (registry, blue) = (registry(), name("blue"));
        let id = registry.add(&blue).unwrap().id().unwrap();
        let home = Netns::current().unwrap().id().unwrap();
        let (jail, link) = (Path::new("/run/jail"), "/run/link");
        fs::create_dir(jail).unwrap();
        symlink("/run/netns/blue", link).unwrap();
        let root = Arc::new(Root::current().unwrap());
        let spec = |text: &str| text.parse::<NetnsSpec>().unwrap();
        in_a_jail(jail, || {
            assert!(Netns::open(&spec("blue")).is_err());
            for text in ["blue", "/run/netns/blue", link] {
                let netns = root.open(&spec(text)).unwrap();
                assert_eq!(netns.id().unwrap(), id, "{text}");
            }
            let own = root.open(&spec("/proc/thread-self/ns/net")).unwrap();
            assert_eq!(own.id().unwrap(), home);
            let pid = std::process::id();
            assert!(root.open(&spec(&format!("/proc/{pid}/ns/net"))).is_ok());
            assert!(root.open(&spec(&format!("pid:{pid}"))).is_ok());
            let error = root.open(&spec("green")).unwrap_err();
            assert!(error.to_string().contains("green"), "{error}");
        });
        // A name that is a link to a link of /proc, as people make for containers.
        symlink("/proc/thread-self/ns/net", "/run/netns/made").unwrap();
        symlink("made", "/run/netns/again").unwrap();
        symlink("again", "/run/netns/again-and-again").unwrap();
        symlink("round", "/run/netns/round").unwrap();
        in_a_jail(jail, || {
            for text in ["made", "again", "again-and-again"] {
                assert_eq!(root.open(&spec(text)).unwrap().id().unwrap(), home, "{text}");
            }
            root.open(&spec("round")).unwrap_err();
        });
        // A link does not keep sockets from being in stock.
        in_a_jail(jail, || {
            let batch = NonZeroUsize::new(4).unwrap();
            let mut pool = SocketPool::of_this_thread_from(Arc::clone(&root), batch, 16).unwrap();
            for text in [link, "made"] {
                for left in [0, 1, 0, 3] {
                    pool.socket(&spec(text), Domain::IPV4, Type::STREAM, None)
                        .unwrap();
                    assert_eq!(pool.idle(), left, "{text}");
                }
                pool.clear();
            }
        });
        // Sockets in stock are of the namespace that the name means now.
        in_a_jail(jail, || {
            let batch = NonZeroUsize::new(4).unwrap();
            let mut pool = SocketPool::of_this_thread_from(Arc::clone(&root), batch, 16).unwrap();
            let mut cookie = || {
                let socket = pool
                    .socket(&spec("blue"), Domain::IPV4, Type::STREAM, None)
                    .unwrap();
                NetnsId::of_socket(&socket).unwrap()
            };
            for _ in 0..8 {
                assert_eq!(cookie(), id);
            }
        });
        registry.remove(&blue).unwrap();
        let new = registry.add(&blue).unwrap().id().unwrap();
        assert_ne!(new, id);
        in_a_jail(jail, || {
            let netns = root.open(&spec("blue")).unwrap();
            assert_eq!(netns.id().unwrap(), new);
        });
    });
}

#[test]
fn a_path_with_steps_back_is_found_while_something_is_renamed() {
    in_private_namespaces(|| {
        let (there, back) = ("/run/there", "/run/back");
        fs::create_dir("/run/dir").unwrap();
        fs::write("/run/dir/file", "").unwrap();
        fs::write(there, "").unwrap();
        let root = Root::current().unwrap();
        let path = format!("/run/dir{}/file", "/../dir".repeat(8));
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let renames = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    fs::rename(there, back).unwrap();
                    fs::rename(back, there).unwrap();
                }
            });
            let failed = (0..20_000).find_map(|_| root.open_file(Path::new(&path)).err());
            is_over.store(true, Ordering::Relaxed);
            renames.join().unwrap();
            assert!(failed.is_none(), "{failed:?}");
        });
    });
}

#[test]
fn a_registry_is_watched_from_a_root_that_was_left_also_when_it_does_not_exist_yet() {
    in_private_namespaces(|| {
        let (jail, blue) = (Path::new("/run/jail"), name("blue"));
        fs::create_dir(jail).unwrap();
        let root = Root::current().unwrap();
        thread::scope(|scope| {
            let (telling, told) = channel();
            let jailed = scope.spawn(move || {
                in_a_jail(jail, || {
                    let mut watch = root.watch(&Registry::system()).unwrap();
                    assert_eq!(watch.known().count(), 0);
                    telling.send(None).unwrap();
                    loop {
                        let events = watch.wait(Some(Duration::from_secs(10))).unwrap();
                        assert!(!events.is_empty(), "nothing is told");
                        for event in events {
                            let is_last = matches!(event, WatchEvent::Removed { .. });
                            telling.send(Some(event)).unwrap();
                            if is_last {
                                return;
                            }
                        }
                    }
                });
            });
            let next = || told.recv().expect("the watch has failed");
            assert_eq!(next(), None);
            let id = registry().add(&blue).unwrap().id().unwrap();
            assert_eq!(next(), Some(WatchEvent::Added { name: blue.clone() }));
            let name = blue.clone();
            assert_eq!(next(), Some(WatchEvent::Ready { name, id }));
            // Only now: of a name that comes and goes before the watch has looked, there is nothing to tell.
            registry().remove(&blue).unwrap();
            // First it is unmounted; whether the watch sees that by itself is up to chance.
            let mut rest = std::iter::from_fn(next);
            assert!(rest.any(|event| event == WatchEvent::Removed { name: blue.clone() }));
            jailed.join().unwrap();
        });
    });
}
