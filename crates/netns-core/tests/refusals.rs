//! What the kernel refuses: mounts that cannot be made or undone, and what a caller without privileges may not do. The
//! error says what is missing, and where; nothing half-made stays, and nothing is held afterwards.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use netns_core::links::{Links, NsidChoice};
use netns_core::{
    EnterError, ExecOperation, Home, Netns, NetnsName, NetnsSpec, Registry, RegistryError, SocketPool,
    enter_for_exec, run, tcp_listener,
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{Uid, setresuid};
use socket2::{Domain, Type};
use util::holdings::LeakCheck;
use util::{
    as_child, assert_passed, in_own_process, in_private_namespaces, is_child, mount_points, mounts_at, name,
    registry, start_child, this_test,
};

const NONE: Option<&str> = None;

#[test]
fn a_read_only_registry_refuses_and_stays_as_it_is() {
    in_own_process(|| {
        registry().add(&name("foo")).unwrap();
        let here = Netns::current().unwrap();
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(NONE, "/run/netns", NONE, read_only, NONE).unwrap();
        let _check = LeakCheck::start();
        for error in [
            registry().add(&name("bar")).unwrap_err(),
            registry().attach(&name("bar"), &here).unwrap_err(),
        ] {
            assert!(matches!(error, RegistryError::System { .. }), "{error:?}");
            let source = error.source().unwrap().to_string();
            assert!(source.contains("Read-only file system"), "{source}");
        }
        assert_eq!(registry().list().unwrap().len(), 1);
    });
}

#[test]
fn a_refused_mount_leaves_nothing_behind() {
    in_own_process(|| {
        registry().add(&name("first")).unwrap();
        // The kernel refuses to mount a namespace on a file which is not visible: hide /proc.
        let here = Netns::current().unwrap();
        let _check = LeakCheck::start();
        mount(Some("tmpfs"), "/proc", Some("tmpfs"), MsFlags::empty(), NONE).unwrap();
        let errors = [
            registry().attach(&name("second"), &here).unwrap_err(),
            registry().add(&name("second")).unwrap_err(),
            registry().identify_current_thread().unwrap_err(),
        ];
        umount2("/proc", MntFlags::MNT_DETACH).unwrap();
        for error in errors {
            assert!(error.to_string().contains("is /proc mounted?"), "{error}");
        }
        assert!(!Path::new("/run/netns/second").exists());
        assert_eq!(registry().list().unwrap().len(), 1);
    });
}

#[test]
fn a_mount_that_the_kernel_has_locked_is_told_from_others() {
    let inside = || {
        let _check = LeakCheck::start();
        let error = registry().remove(&name("foo")).unwrap_err();
        assert!(matches!(error, RegistryError::Busy { .. }), "{error:?}");
        assert!(registry().open(&name("foo")).is_ok());
    };
    if is_child() {
        return inside();
    }
    let test = this_test();
    in_private_namespaces(|| {
        registry().add(&name("foo")).unwrap();
        let launcher = ["unshare", "--user", "--map-root-user", "--mount"];
        assert_passed(start_child(&test, &launcher).as_ref());
        assert_eq!(mounts_at("/run/netns/foo"), 1);
    });
}

#[test]
fn a_registry_that_cannot_be_mounted_says_which_privilege_is_missing() {
    // A user namespace without a mount namespace of its own may make network namespaces, and may not mount.
    let child = as_child(&["unshare", "--user", "--map-root-user"], || {
        let directory = tempfile::tempdir().unwrap();
        let _check = LeakCheck::start();
        let error = Registry::at(directory.path()).add(&name("foo")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("CAP_SYS_ADMIN is needed in the user namespace that owns"),
            "{error}"
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    });
    assert_passed(child.as_ref());
}

#[test]
fn a_thread_that_could_not_come_home_is_not_let_go() {
    // A process in a new user namespace may enter a network namespace which it made, and not return to the
    // one that it came from: that belongs to the user namespace outside.
    let child = as_child(&["unshare", "--user", "--map-root-user"], || {
        let home = whereabouts();
        let owned = Netns::create().unwrap();
        let _check = LeakCheck::start();
        assert!(matches!(owned.enter(), Err(EnterError::NoWayBack { .. })));
        assert!(matches!(
            Home::of_this_thread(),
            Err(EnterError::NoWayBack { .. })
        ));
        assert_eq!(whereabouts(), home);
        let inside = run(&owned, whereabouts).unwrap();
        assert_ne!(inside, home);
    });
    assert_passed(child.as_ref());
}

#[test]
fn without_privileges_no_namespace_is_made_or_entered_and_the_error_says_what_is_missing() {
    in_own_process(|| {
        let other = Netns::create().unwrap();
        let mut pool = SocketPool::of_this_thread(NonZeroUsize::MIN, 8).unwrap();
        registry().add(&name("first")).unwrap();
        let _check = LeakCheck::start();
        let here = whereabouts();
        let errors = unprivileged(|| {
            let spec: NetnsSpec = "first".parse().unwrap();
            [
                said(run(&other, || ())),
                said(other.enter()),
                said(tcp_listener(&other, "127.0.0.1:0".parse().unwrap())),
                said(Links::in_netns(&other)),
                said(pool.socket(&spec, Domain::IPV4, Type::STREAM, None)),
                said(Netns::create()),
                said(registry().add(&name("foo"))),
            ]
        });
        for error in errors {
            assert!(error.contains("CAP_SYS_ADMIN is needed"), "{error}");
        }
        assert_eq!(whereabouts(), here);
        assert_eq!(pool.idle(), 0);
        assert_eq!(registry().list().unwrap().len(), 1);
    });
}

#[test]
fn without_privileges_no_name_is_given_or_taken_away() {
    in_own_process(|| {
        registry().add(&name("foo")).unwrap();
        let foo = registry().open(&name("foo")).unwrap();
        let _check = LeakCheck::start();
        let before = mount_points();
        for error in unprivileged(|| {
            [
                said(registry().attach(&name("bar"), &foo)),
                said(registry().remove(&name("foo"))),
                said(registry().remove_each(&[name("foo")]).remove(0)),
            ]
        }) {
            assert!(error.contains("CAP_SYS_ADMIN is needed"), "{error}");
        }
        assert_eq!(mount_points(), before);
        assert_eq!(registry().list().unwrap().len(), 1);
    });
}

#[test]
fn without_privileges_no_interface_is_changed_and_the_error_says_what_is_missing() {
    in_own_process(|| {
        let other = Netns::create().unwrap();
        let _check = LeakCheck::start();
        let mut here = Links::here().unwrap();
        for error in unprivileged(|| {
            [
                said(here.create_veth("v0", "v1", Some(&other))),
                said(here.create_bridge("br0")),
                said(here.set_up("lo")),
                said(here.add_address("lo", "10.0.0.1".parse().unwrap(), 24)),
                said(here.set_nsid(&other, NsidChoice::Auto)),
            ]
        }) {
            assert!(error.contains("CAP_NET_ADMIN is needed"), "{error}");
        }
        let links = here.list().unwrap();
        assert_eq!((links.len(), links[0].is_up), (1, false));
    });
}

#[test]
fn without_privileges_an_exec_leaves_the_thread_where_it_is() {
    in_own_process(|| {
        let netns = Netns::create().unwrap();
        let foo: NetnsName = name("foo");
        let _check = LeakCheck::start();
        let here = whereabouts();
        let error = unprivileged(|| enter_for_exec(&netns, &foo).unwrap_err());
        assert_eq!(error.operation, ExecOperation::EnterNetns);
        assert!(!error.has_moved());
        assert!(
            error
                .to_string()
                .contains("CAP_SYS_ADMIN is needed both in the caller's own"),
            "{error}"
        );
        assert_eq!(whereabouts(), here);
    });
}

/// An error with its causes.
#[track_caller]
fn said<T>(outcome: Result<T, impl Error + 'static>) -> String {
    let error = outcome.err().unwrap();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.extend([": ", &error.to_string()]);
        cause = error.source();
    }
    text
}

/// Runs `body` without any capability that counts, and takes them back afterwards.
fn unprivileged<T>(body: impl FnOnce() -> T) -> T {
    let (root, nobody) = (Uid::from_raw(0), Uid::from_raw(65534));
    setresuid(nobody, nobody, root).unwrap();
    let outcome = body();
    setresuid(root, root, root).unwrap();
    outcome
}

fn whereabouts() -> PathBuf {
    fs::read_link("/proc/thread-self/ns/net").unwrap()
}
