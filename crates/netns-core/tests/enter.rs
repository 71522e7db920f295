//! Opening, entering and leaving: which thread is where, and what comes back.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};

use netns_core::error::Found;
use netns_core::{
    EnterError, EnterGuard, Home, NamespaceType, Netns, NetnsId, NetnsSpec, OpenError, Registry, run,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use util::{as_child, in_private_namespaces, name, registry};

/// The namespace of the calling thread, as a number.
fn whereabouts() -> NetnsId {
    Netns::current().unwrap().id().unwrap()
}

#[test]
fn run_is_inside_and_the_calling_thread_never_moves() {
    in_private_namespaces(|| {
        let home = whereabouts();
        let other = Netns::create().unwrap();
        assert_eq!(run(&other, whereabouts).unwrap(), other.id().unwrap());
        assert_eq!(whereabouts(), home);
    });
}

#[test]
fn a_panic_in_run_goes_on_in_the_calling_thread() {
    in_private_namespaces(|| {
        let other = Netns::create().unwrap();
        let panic = catch_unwind(|| run(&other, || panic!("from inside"))).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"from inside"));
    });
}

/// This test is the compiler's.
#[test]
fn what_belongs_to_a_thread_cannot_leave_it_and_a_handle_can() {
    assert_not_impl_any!(EnterGuard: Send, Sync);
    assert_not_impl_any!(Home: Send, Sync);
    assert_impl_all!(Netns: Send, Sync, AsFd);
    assert_impl_all!(Registry: Send, Sync);
}

#[test]
fn a_guard_is_inside_until_it_is_dropped() {
    in_private_namespaces(|| {
        let home = whereabouts();
        let other = Netns::create().unwrap();
        let guard = other.enter().unwrap();
        assert_eq!(whereabouts(), other.id().unwrap());
        drop(guard);
        assert_eq!(whereabouts(), home);
    });
}

#[test]
fn leave_takes_the_thread_home_once() {
    in_private_namespaces(|| {
        let home = whereabouts();
        let (first, second) = (Netns::create().unwrap(), Netns::create().unwrap());
        let mut guard = first.enter().unwrap();
        guard.leave().unwrap();
        assert_eq!(whereabouts(), home);
        let inner = second.enter().unwrap();
        guard.leave().unwrap();
        drop(guard);
        assert_eq!(
            whereabouts(),
            second.id().unwrap(),
            "a guard that was left moves nothing any more"
        );
        drop(inner);
        assert_eq!(whereabouts(), home);
    });
}

#[test]
fn guards_can_be_nested() {
    in_private_namespaces(|| {
        let home = whereabouts();
        let (outer, inner) = (Netns::create().unwrap(), Netns::create().unwrap());
        let outer_guard = outer.enter().unwrap();
        let inner_guard = inner.enter().unwrap();
        assert_eq!(whereabouts(), inner.id().unwrap());
        drop(inner_guard);
        assert_eq!(whereabouts(), outer.id().unwrap());
        drop(outer_guard);
        assert_eq!(whereabouts(), home);
    });
}

#[test]
fn a_guard_takes_the_thread_home_when_a_panic_unwinds() {
    in_private_namespaces(|| {
        let home = whereabouts();
        let other = Netns::create().unwrap();
        catch_unwind(|| {
            let _guard = other.enter().unwrap();
            panic!("inside");
        })
        .unwrap_err();
        assert_eq!(whereabouts(), home);
    });
}

#[test]
fn a_visit_is_inside_and_comes_home() {
    in_private_namespaces(|| {
        let home = Home::of_this_thread().unwrap();
        let here = whereabouts();
        for _ in 0..3 {
            let other = Netns::create().unwrap();
            assert_eq!(home.visit(&other, whereabouts).unwrap(), other.id().unwrap());
            assert_eq!(whereabouts(), here);
        }
    });
}

#[test]
fn a_visit_comes_home_when_its_body_panics_and_another_can_follow() {
    in_private_namespaces(|| {
        let home = Home::of_this_thread().unwrap();
        let here = whereabouts();
        let other = Netns::create().unwrap();
        catch_unwind(AssertUnwindSafe(|| home.visit(&other, || panic!("inside")))).unwrap_err();
        assert_eq!(whereabouts(), here);
        home.visit(&other, || ()).unwrap();
    });
}

#[test]
fn a_visit_inside_a_visit_is_refused() {
    in_private_namespaces(|| {
        let home = Home::of_this_thread().unwrap();
        let other = Netns::create().unwrap();
        let inner = home
            .visit(&other, || (home.visit(&other, || ()), whereabouts()))
            .unwrap();
        assert!(matches!(inner.0, Err(EnterError::Nested)));
        assert_eq!(inner.1, other.id().unwrap());
    });
}

#[test]
fn what_is_not_a_network_namespace_is_refused_when_it_is_opened() {
    in_private_namespaces(|| {
        nix::unistd::mkfifo("/run/fifo", nix::sys::stat::Mode::S_IRUSR).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind("/run/socket").unwrap();
        for (path, expected) in [
            ("/etc/passwd", Found::RegularFile),
            ("/etc", Found::Directory),
            ("/proc/thread-self/ns/uts", Found::Namespace(NamespaceType::Uts)),
            ("/proc/thread-self/ns/mnt", Found::Namespace(NamespaceType::Mount)),
            ("/run/fifo", Found::OtherFile),
            ("/run/socket", Found::OtherFile),
            ("/dev/null", Found::OtherFile),
        ] {
            match Netns::open_path(path) {
                Err(OpenError::NotNetns { found, .. }) => assert_eq!(found, expected, "{path}"),
                other => panic!("{path}: {other:?}"),
            }
        }
        let file: OwnedFd = fs::File::open("/etc/passwd").unwrap().into();
        assert!(matches!(Netns::from_fd(file), Err(OpenError::NotNetns { .. })));
    });
}

#[test]
fn a_missing_namespace_is_told_from_a_wrong_one() {
    for spec in ["no-such-namespace-anywhere", "/no/such/path", "pid:2147483647"] {
        let spec: NetnsSpec = spec.parse().unwrap();
        let error = Netns::open(&spec).unwrap_err();
        assert!(matches!(error, OpenError::NotFound { .. }), "{spec}: {error:?}");
    }
}

#[test]
fn name_path_pid_descriptor_and_socket_lead_to_the_same_namespace() {
    in_private_namespaces(|| {
        let made = registry().add(&name("blue")).unwrap();
        let id = made.id().unwrap();
        let mut inside = run(&made, || {
            Command::new("cat")
                .stdin(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .unwrap();
        for spec in ["blue", "/run/netns/blue", &format!("pid:{}", inside.id())] {
            let spec: NetnsSpec = spec.parse().unwrap();
            assert_eq!(Netns::open(&spec).unwrap().id().unwrap(), id, "{spec}");
        }
        drop(inside.stdin.take());
        inside.wait().unwrap();

        let socket = run(&made, || std::net::UdpSocket::bind("0.0.0.0:0").unwrap()).unwrap();
        assert_eq!(Netns::of_socket(&socket).unwrap().id().unwrap(), id);
        assert_eq!(NetnsId::of_socket(&socket).unwrap(), id);
        assert_eq!(made.try_clone().unwrap().id().unwrap(), id);
        assert_eq!(Netns::from_fd(OwnedFd::from(made)).unwrap().id().unwrap(), id);
    });
}

#[test]
fn of_socket_refuses_what_is_no_socket() {
    let file = fs::File::open("/etc/passwd").unwrap();
    assert!(Netns::of_socket(&file).is_err());
    assert!(NetnsId::of_socket(&file).is_err());
}

#[test]
fn an_id_is_not_used_again_after_its_namespace_is_gone() {
    in_private_namespaces(|| {
        let mut ids: Vec<_> = (0..20).map(|_| Netns::create().unwrap().id().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 20);
    });
}

#[test]
fn a_guard_that_cannot_come_home_after_all_aborts_the_process() {
    let child = as_child(&[], || {
        let other = Netns::create().unwrap();
        let mut guard = other.enter().unwrap();
        give_up_capabilities();
        assert!(matches!(guard.leave(), Err(EnterError::Leave { .. })));
        drop(guard);
    });
    assert_aborted(child.as_ref());
}

#[test]
fn a_visit_that_cannot_come_home_after_all_aborts_the_process() {
    let child = as_child(&[], || {
        let home = Home::of_this_thread().unwrap();
        let other = Netns::create().unwrap();
        home.visit(&other, give_up_capabilities).unwrap();
    });
    assert_aborted(child.as_ref());
}

/// The child died of an abort, and said why. A test that was skipped has no child.
#[track_caller]
fn assert_aborted(child: Option<&Output>) {
    let Some(child) = child else { return };
    assert_eq!(child.status.signal(), Some(libc::SIGABRT), "{child:?}");
    assert!(String::from_utf8_lossy(&child.stderr).contains("cannot return to the home network namespace"));
}

fn give_up_capabilities() {
    let nobody = nix::unistd::Uid::from_raw(65534);
    nix::unistd::setresuid(nobody, nobody, nobody).unwrap();
}
