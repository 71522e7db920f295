//! What this crate relies on, and finds odd, in the kernel: each fact alone, so that a kernel in which it is
//! otherwise is found here and not by its consequences.

mod util;

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::thread;

use netns_core::{Netns, NetnsId, run};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use util::in_private_namespaces;

/// Why `Watch` listens to mountinfo, too.
#[test]
fn inotify_says_nothing_when_a_namespace_is_mounted_on_a_file() {
    in_private_namespaces(|| {
        fs::create_dir("/run/names").unwrap();
        fs::write("/run/names/foo", "").unwrap();
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        inotify
            .add_watch("/run/names", AddWatchFlags::IN_ALL_EVENTS)
            .unwrap();
        let netns = Netns::create().unwrap();
        let source = format!("/proc/thread-self/fd/{}", netns.as_fd().as_raw_fd());
        let none = None::<&str>;
        mount(
            Some(source.as_str()),
            "/run/names/foo",
            none,
            MsFlags::MS_BIND,
            none,
        )
        .unwrap();
        assert_eq!(inotify.read_events().unwrap_err(), nix::Error::EAGAIN);
        umount2("/run/names/foo", MntFlags::MNT_DETACH).unwrap();
        assert_eq!(inotify.read_events().unwrap_err(), nix::Error::EAGAIN);
    });
}

/// Why `Watch::events` must be called each time that its descriptor was reported readable.
#[test]
fn mountinfo_is_urgent_once_after_a_mount() {
    in_private_namespaces(|| {
        let mountinfo = File::open("/proc/thread-self/mountinfo").unwrap();
        let is_urgent = || {
            let mut asked = [PollFd::new(mountinfo.as_fd(), PollFlags::POLLPRI)];
            poll(&mut asked, PollTimeout::ZERO).unwrap() == 1
        };
        assert!(!is_urgent());
        let none = None::<&str>;
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
        assert!(is_urgent());
        assert!(!is_urgent());
    });
}

/// Why nothing here uses `/proc/self/ns/net`.
#[test]
fn proc_self_is_about_the_main_thread() {
    in_private_namespaces(|| {
        let other = Netns::create().unwrap();
        let (of_self, of_thread) = run(&other, || {
            let link = |path| fs::read_link(path).unwrap();
            (link("/proc/self/ns/net"), link("/proc/thread-self/ns/net"))
        })
        .unwrap();
        assert_ne!(of_self, of_thread);
        let expected = format!("net:[{}]", other.inode().unwrap());
        assert_eq!(of_thread.to_str(), Some(expected.as_str()));
    });
}

/// Why a socket is all that most code needs to have from inside.
#[test]
fn a_socket_and_a_thread_keep_the_namespace_in_which_they_were_made() {
    in_private_namespaces(|| {
        let other = Netns::create().unwrap();
        let id = other.id().unwrap();
        let guard = other.enter().unwrap();
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let (go, when) = std::sync::mpsc::channel::<()>();
        let born_inside = thread::spawn(move || {
            when.recv().unwrap_err();
            Netns::current().unwrap().id().unwrap()
        });
        drop(guard);
        drop(go);
        assert_eq!(born_inside.join().unwrap(), id);
        assert_eq!(NetnsId::of_socket(&socket).unwrap(), id);
    });
}
