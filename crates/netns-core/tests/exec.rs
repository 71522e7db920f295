//! The environment of a program that is executed inside a network namespace.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::fs;
use std::path::Path;
use std::thread;

use netns_core::{ExecEnvironment, ExecOperation, ExecWarning, Netns};
use nix::mount::{MsFlags, mount};
use util::{as_child, assert_passed, in_private_namespaces, mount_points, name, registry, skip};

/// Runs `body` on a thread that has entered, which then ends. In a program it would execute another one.
fn inside<T: Send>(
    environment: &ExecEnvironment,
    netns: &Netns,
    body: impl FnOnce(Vec<ExecWarning>) -> T + Send,
) -> T {
    thread::scope(|scope| {
        scope
            .spawn(|| body(environment.enter(netns).unwrap()))
            .join()
            .unwrap()
    })
}

/// An `/etc` which the test may fill, in its private mount namespace.
fn private_etc() {
    let none = None::<&str>;
    mount(Some("tmpfs"), "/etc", Some("tmpfs"), MsFlags::empty(), none).unwrap();
}

fn interfaces_in_sys() -> Vec<String> {
    fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn sys_shows_the_interfaces_of_the_namespace_and_outside_nothing_has_changed() {
    in_private_namespaces(|| {
        let foo = registry().add(&name("foo")).unwrap();
        netns_core::Links::in_netns(&foo)
            .unwrap()
            .create_veth("only-here", "peer", None)
            .unwrap();
        let before = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let mut seen = inside(&ExecEnvironment::named(&name("foo")), &foo, |_| {
            assert_eq!(
                Netns::current().unwrap().id().unwrap(),
                foo.id().unwrap(),
                "the thread is in the network namespace"
            );
            let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
            assert!(
                mounts.contains(" - sysfs foo "),
                "the mount bears the name: {mounts}"
            );
            interfaces_in_sys()
        });
        seen.sort();
        assert_eq!(seen, ["lo", "only-here", "peer"]);
        assert_eq!(fs::read_to_string("/proc/thread-self/mountinfo").unwrap(), before);
    });
}

#[test]
fn the_files_of_the_namespace_lie_on_those_in_etc_inside_only() {
    in_private_namespaces(|| {
        private_etc();
        fs::create_dir_all("/etc/netns/foo/directory").unwrap();
        fs::create_dir("/etc/directory").unwrap();
        fs::write("/etc/netns/foo/resolv.conf", "nameserver 10.0.0.1\n").unwrap();
        fs::write("/etc/netns/foo/extra", "").unwrap();
        fs::write("/etc/netns/foo/directory/file", "inner").unwrap();
        fs::write("/etc/resolv.conf", "nameserver 192.0.2.1\n").unwrap();
        let foo = registry().add(&name("foo")).unwrap();

        inside(&ExecEnvironment::named(&name("foo")), &foo, |warnings| {
            assert_eq!(
                fs::read_to_string("/etc/resolv.conf").unwrap(),
                "nameserver 10.0.0.1\n"
            );
            assert_eq!(fs::read_to_string("/etc/directory/file").unwrap(), "inner");
            let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
            assert_eq!(
                warnings,
                ["Bind /etc/netns/foo/extra -> /etc/extra failed: No such file or directory"]
            );
        });
        assert_eq!(
            fs::read_to_string("/etc/resolv.conf").unwrap(),
            "nameserver 192.0.2.1\n"
        );
        assert!(!Path::new("/etc/extra").exists() && !Path::new("/etc/directory/file").exists());
    });
}

#[test]
fn a_file_of_etc_that_is_a_symlink_is_covered_where_it_leads() {
    in_private_namespaces(|| {
        private_etc();
        fs::create_dir_all("/etc/netns/foo").unwrap();
        fs::write("/etc/netns/foo/resolv.conf", "inner").unwrap();
        fs::write("/run/stub-resolv.conf", "stub").unwrap();
        std::os::unix::fs::symlink("/run/stub-resolv.conf", "/etc/resolv.conf").unwrap();
        let foo = registry().add(&name("foo")).unwrap();
        inside(&ExecEnvironment::named(&name("foo")), &foo, |warnings| {
            assert!(warnings.is_empty(), "{warnings:?}");
            assert_eq!(fs::read_to_string("/etc/resolv.conf").unwrap(), "inner");
        });
        assert_eq!(fs::read_to_string("/etc/resolv.conf").unwrap(), "stub");
    });
}

#[test]
fn without_a_name_and_with_another_directory_nothing_of_etc_netns_is_bound() {
    in_private_namespaces(|| {
        private_etc();
        fs::create_dir_all("/etc/netns/foo").unwrap();
        fs::write("/etc/netns/foo/hosts", "theirs").unwrap();
        fs::create_dir_all("/run/elsewhere/foo").unwrap();
        fs::write("/run/elsewhere/foo/hosts", "elsewhere").unwrap();
        fs::write("/etc/hosts", "ours").unwrap();
        let netns = Netns::create().unwrap();
        let hosts = |environment: &ExecEnvironment| {
            inside(environment, &netns, |warnings| {
                assert!(warnings.is_empty(), "{warnings:?}");
                fs::read_to_string("/etc/hosts").unwrap()
            })
        };
        assert_eq!(hosts(&ExecEnvironment::unnamed()), "ours");
        let foo = name("foo");
        let elsewhere = ExecEnvironment::named(&foo).etc_netns("/run/elsewhere");
        assert_eq!(hosts(&elsewhere), "elsewhere");
        // A name with nothing in the directory.
        assert_eq!(hosts(&ExecEnvironment::named(&name("bar"))), "ours");
    });
}

#[test]
fn cgroup_and_bpf_mounts_are_kept_unless_that_is_not_wanted() {
    in_private_namespaces(|| {
        let none = None::<&str>;
        if !Path::new("/sys/fs/bpf").exists() {
            return skip("cgroup_and_bpf_mounts_are_kept", "the kernel has no /sys/fs/bpf");
        }
        // Anything that can be told from an empty directory stands for the real one.
        mount(
            Some("tmpfs"),
            "/sys/fs/bpf",
            Some("tmpfs"),
            MsFlags::empty(),
            none,
        )
        .unwrap();
        fs::write("/sys/fs/bpf/pinned", "").unwrap();
        let of_cgroups = || -> Vec<String> {
            let mut points = mount_points();
            points.retain(|point| point.starts_with("/sys/fs/cgroup"));
            points
        };
        let (outside, netns) = (of_cgroups(), Netns::create().unwrap());
        let environment = ExecEnvironment::unnamed();
        inside(&environment, &netns, |warnings| {
            assert!(warnings.is_empty(), "{warnings:?}");
            assert!(Path::new("/sys/fs/bpf/pinned").exists());
            assert_eq!(of_cgroups(), outside);
            assert_eq!(interfaces_in_sys(), ["lo"]);
        });
        inside(&environment.clone().keep_sys_mounts(false), &netns, |_| {
            assert!(!Path::new("/sys/fs/bpf/pinned").exists());
            assert!(of_cgroups().is_empty());
        });
        // Inside of inside, as when one exec starts another.
        inside(&environment, &netns, |_| {
            let again = ExecEnvironment::unnamed().enter(&Netns::create().unwrap());
            assert!(again.unwrap().is_empty());
            assert!(Path::new("/sys/fs/bpf/pinned").exists());
            assert_eq!(of_cgroups(), outside);
        });
    });
}

#[test]
fn mounts_that_are_made_outside_later_are_seen_inside_and_not_the_other_way_round() {
    in_private_namespaces(|| {
        let none = None::<&str>;
        mount(none, "/run", none, MsFlags::MS_SHARED, none).unwrap();
        fs::create_dir("/run/outer").unwrap();
        fs::create_dir("/run/inner").unwrap();
        let netns = Netns::create().unwrap();
        let (to_outside, from_inside) = std::sync::mpsc::channel();
        let (to_inside, from_outside) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                ExecEnvironment::unnamed().enter(&netns).unwrap();
                mount(Some("tmpfs"), "/run/inner", Some("tmpfs"), MsFlags::empty(), none).unwrap();
                to_outside.send(()).unwrap();
                from_outside.recv().unwrap();
                assert!(Path::new("/run/outer/file").exists());
                to_outside.send(()).unwrap();
            });
            from_inside.recv().unwrap();
            assert_eq!(util::mounts_at("/run/inner"), 0);
            mount(Some("tmpfs"), "/run/outer", Some("tmpfs"), MsFlags::empty(), none).unwrap();
            fs::write("/run/outer/file", "").unwrap();
            to_inside.send(()).unwrap();
            from_inside.recv().unwrap();
        });
    });
}

#[test]
fn a_user_without_privileges_can_have_it_in_a_user_namespace() {
    let launcher = ["unshare", "--user", "--map-root-user", "--mount"];
    let child = as_child(&launcher, || {
        let netns = Netns::create().unwrap();
        match ExecEnvironment::unnamed().enter(&netns) {
            Ok(_) => assert_eq!(interfaces_in_sys(), ["lo"]),
            // In a container, `/sys` may not be wholly visible; then no user namespace may mount another.
            Err(error) => {
                assert_eq!(error.operation, ExecOperation::MountSys, "{error}");
                assert!(error.to_string().contains("wholly visible"), "{error}");
            }
        }
    });
    assert_passed(child.as_ref());
}
