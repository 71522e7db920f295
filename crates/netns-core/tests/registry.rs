//! The registry: names that come and go, among others that use the same directory.

mod util;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use netns_core::error::Found;
use netns_core::{EntryState, Netns, NetnsName, OpenError, Registry, RegistryError};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statfs::{NSFS_MAGIC, statfs};
use util::{in_private_namespaces, mounts_at, name, registry};

#[test]
fn listing_a_missing_registry_finds_nothing_and_creates_nothing() {
    in_private_namespaces(|| {
        assert!(registry().list().unwrap().is_empty());
        assert!(!Path::new("/run/netns").exists());
    });
}

#[test]
fn add_makes_the_directory_and_a_namespace_file() {
    in_private_namespaces(|| {
        let made = registry().add(&name("foo")).unwrap();
        assert_eq!(
            fs::metadata("/run/netns").unwrap().permissions().mode() & 0o7777,
            0o755
        );
        assert_eq!(statfs("/run/netns/foo").unwrap().filesystem_type(), NSFS_MAGIC);
        assert_eq!(
            fs::metadata("/run/netns/foo").unwrap().permissions().mode() & 0o7777,
            0o444
        );
        assert_eq!(
            registry().open(&name("foo")).unwrap().id().unwrap(),
            made.id().unwrap()
        );
        assert_eq!(
            Netns::open_name(&name("foo")).unwrap().id().unwrap(),
            made.id().unwrap()
        );
        assert_ne!(made.id().unwrap(), Netns::current().unwrap().id().unwrap());
    });
}

#[test]
fn many_names_are_added_at_once_and_each_has_its_own_outcome_and_namespace() {
    in_private_namespaces(|| {
        let before = Netns::current().unwrap().id().unwrap();
        registry().add(&name("b")).unwrap();
        let outcomes = registry().add_each(&[name("a"), name("b"), name("c")]);
        assert!(
            matches!(outcomes[..], [Ok(()), Err(RegistryError::Exists { .. }), Ok(())]),
            "{outcomes:?}"
        );
        let ids: std::collections::BTreeSet<_> = ["a", "b", "c"]
            .iter()
            .map(|text| registry().open(&name(text)).unwrap().id().unwrap())
            .collect();
        assert_eq!(ids.len(), 3);
        assert_eq!(Netns::current().unwrap().id().unwrap(), before);
        assert!(registry().add_each(&[]).is_empty());
    });
}

#[test]
fn many_names_are_removed_at_once_and_each_has_its_own_outcome() {
    in_private_namespaces(|| {
        assert!(registry().remove_each(&[]).is_empty());
        let missing = registry().remove_each(&[name("a")]);
        assert!(
            matches!(missing[..], [Err(RegistryError::NotFound { .. })]),
            "{missing:?}"
        );
        // More than share a lock.
        let mut names: Vec<_> = (0..70).map(|index| name(&format!("n{index}"))).collect();
        assert!(registry().add_each(&names).iter().all(Result::is_ok));
        names.insert(1, name("a"));
        let outcomes = registry().remove_each(&names);
        assert_eq!(outcomes.len(), 71);
        for (at, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(()) => assert_ne!(at, 1),
                Err(RegistryError::NotFound { path }) => {
                    assert_eq!((at, path.as_path()), (1, "/run/netns/a".as_ref()));
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(registry().list().unwrap().is_empty());
        fs::create_dir("/run/netns/directory").unwrap();
        let refused = registry().remove_each(&[name("directory")]);
        assert!(
            matches!(refused[..], [Err(RegistryError::IsDirectory { .. })]),
            "{refused:?}"
        );
        fs::remove_dir("/run/netns/directory").unwrap();
    });
}

#[test]
fn a_thread_that_adds_and_stays_is_in_the_last_namespace() {
    in_private_namespaces(|| {
        let outcomes = registry().add_each_and_stay(&[name("a"), name("b")]);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let last = registry().open(&name("b")).unwrap().id().unwrap();
        assert_eq!(Netns::current().unwrap().id().unwrap(), last);
    });
}

#[test]
fn add_never_moves_the_calling_thread() {
    in_private_namespaces(|| {
        let before = Netns::current().unwrap().id().unwrap();
        registry().add(&name("foo")).unwrap();
        assert_eq!(Netns::current().unwrap().id().unwrap(), before);
    });
}

#[test]
fn adding_a_taken_name_fails_and_leaves_the_first_namespace_unchanged() {
    in_private_namespaces(|| {
        registry().add(&name("foo")).unwrap();
        let inode = fs::metadata("/run/netns/foo").unwrap().ino();
        let error = registry().add(&name("foo")).unwrap_err();
        assert!(matches!(&error, RegistryError::Exists { path } if path == Path::new("/run/netns/foo")));
        assert_eq!(
            error.to_string(),
            "cannot create `/run/netns/foo`: File exists (the name is taken)"
        );
        assert_eq!(fs::metadata("/run/netns/foo").unwrap().ino(), inode);
        assert_eq!(mounts_at("/run/netns/foo"), 1);
    });
}

#[test]
fn the_longest_name_can_be_added_and_removed() {
    in_private_namespaces(|| {
        let longest = name(&"x".repeat(NetnsName::MAX_LEN));
        registry().add(&longest).unwrap();
        registry().remove(&longest).unwrap();
        assert!(registry().list().unwrap().is_empty());
    });
}

#[test]
fn names_with_spaces_and_with_bytes_that_are_not_utf_8_round_trip() {
    in_private_namespaces(|| {
        for name in [
            name("sp ace"),
            name("new\nline"),
            NetnsName::from_bytes(b"\xff\xfe").unwrap(),
        ] {
            registry().add(&name).unwrap();
            let entries = registry().list().unwrap();
            assert_eq!(entries.len(), 1);
            assert_eq!(entries[0].name, name);
            registry().remove(&name).unwrap();
        }
    });
}

#[test]
fn a_namespace_can_have_two_names() {
    in_private_namespaces(|| {
        let made = registry().add(&name("foo")).unwrap();
        registry().attach(&name("bar"), &made).unwrap();
        registry().remove(&name("foo")).unwrap();
        assert_eq!(
            registry().open(&name("bar")).unwrap().id().unwrap(),
            made.id().unwrap()
        );
    });
}

#[test]
fn attaching_to_a_taken_name_fails() {
    in_private_namespaces(|| {
        registry().add(&name("foo")).unwrap();
        let here = Netns::current().unwrap();
        assert!(matches!(
            registry().attach(&name("foo"), &here),
            Err(RegistryError::Exists { .. })
        ));
    });
}

#[test]
fn remove_takes_the_file_and_the_mount_away() {
    in_private_namespaces(|| {
        registry().add(&name("foo")).unwrap();
        registry().remove(&name("foo")).unwrap();
        assert!(!Path::new("/run/netns/foo").exists());
        assert_eq!(mounts_at("/run/netns/foo"), 0);
    });
}

#[test]
fn removing_what_is_not_there_says_so_with_its_path() {
    in_private_namespaces(|| {
        let without_directory = registry().remove(&name("nope")).unwrap_err();
        assert!(!Path::new("/run/netns").exists());
        registry().add(&name("foo")).unwrap();
        let without_entry = registry().remove(&name("nope")).unwrap_err();
        for error in [without_directory, without_entry] {
            assert_eq!(
                error.to_string(),
                "cannot remove `/run/netns/nope`: No such file or directory (no network namespace has this name)"
            );
        }
    });
}

#[test]
fn remove_takes_a_dangling_file_away() {
    in_private_namespaces(|| {
        fs::create_dir("/run/netns").unwrap();
        fs::write("/run/netns/foo", "").unwrap();
        registry().remove(&name("foo")).unwrap();
        assert!(!Path::new("/run/netns/foo").exists());
    });
}

#[test]
fn remove_takes_a_symlink_away_and_not_the_mount_it_leads_to() {
    in_private_namespaces(|| {
        let other = Registry::at("/run/other");
        other.add(&name("foo")).unwrap();
        fs::create_dir("/run/netns").unwrap();
        std::os::unix::fs::symlink("/run/other/foo", "/run/netns/link").unwrap();
        registry().remove(&name("link")).unwrap();
        assert!(fs::symlink_metadata("/run/netns/link").is_err());
        assert_eq!(mounts_at("/run/other/foo"), 1);
    });
}

#[test]
fn remove_undoes_stacked_mounts() {
    in_private_namespaces(|| {
        registry().add(&name("foo")).unwrap();
        let none = None::<&str>;
        mount(
            Some("/proc/thread-self/ns/net"),
            "/run/netns/foo",
            none,
            MsFlags::MS_BIND,
            none,
        )
        .unwrap();
        assert_eq!(mounts_at("/run/netns/foo"), 2);
        registry().remove(&name("foo")).unwrap();
        assert_eq!(mounts_at("/run/netns/foo"), 0);
        assert!(!Path::new("/run/netns/foo").exists());
    });
}

#[test]
fn remove_leaves_a_directory_alone() {
    in_private_namespaces(|| {
        fs::create_dir_all("/run/netns/dir/inner").unwrap();
        assert!(matches!(
            registry().remove(&name("dir")),
            Err(RegistryError::IsDirectory { .. })
        ));
        assert!(Path::new("/run/netns/dir/inner").exists());
    });
}

#[test]
fn list_tells_what_stands_under_each_name() {
    in_private_namespaces(|| {
        let live = registry().add(&name("live")).unwrap().id().unwrap();
        registry().add(&name("dead")).unwrap();
        umount2("/run/netns/dead", MntFlags::MNT_DETACH).unwrap();
        fs::create_dir("/run/netns/directory").unwrap();
        fs::write("/run/netns/notes", "not for a mount").unwrap();
        fs::write("/run/netns/uts", "").unwrap();
        let none = None::<&str>;
        mount(
            Some("/proc/thread-self/ns/uts"),
            "/run/netns/uts",
            none,
            MsFlags::MS_BIND,
            none,
        )
        .unwrap();
        std::os::unix::fs::symlink("live", "/run/netns/link").unwrap();
        std::os::unix::fs::symlink("/nowhere", "/run/netns/lost").unwrap();

        let mut entries = registry().list().unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<_> = entries.iter().map(|entry| entry.name.to_str().unwrap()).collect();
        assert_eq!(
            names,
            ["dead", "directory", "link", "live", "lost", "notes", "uts"]
        );
        let states: Vec<_> = entries.iter().map(|entry| &entry.state).collect();
        assert!(matches!(states[0], EntryState::Dangling));
        assert!(matches!(
            states[1],
            EntryState::WrongType {
                found: Found::Directory
            }
        ));
        assert!(matches!(states[2], EntryState::Symlink { id: Some(id), .. } if *id == live));
        assert!(matches!(states[3], EntryState::Live { id } if *id == live));
        assert!(matches!(states[4], EntryState::Symlink { to, id: None } if to == Path::new("/nowhere")));
        assert!(matches!(
            states[5],
            EntryState::WrongType {
                found: Found::RegularFile
            }
        ));
        assert!(matches!(
            states[6],
            EntryState::WrongType {
                found: Found::Namespace(_)
            }
        ));
    });
}

#[test]
fn opening_a_dangling_entry_says_that_no_namespace_is_mounted_on_it() {
    in_private_namespaces(|| {
        registry().add(&name("dead")).unwrap();
        umount2("/run/netns/dead", MntFlags::MNT_DETACH).unwrap();
        let error = registry().open(&name("dead")).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::NotNetns {
                    found: Found::RegularFile,
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("its mount is not visible in this mount namespace"),
            "{error}"
        );
        assert!(matches!(
            registry().open(&name("nope")),
            Err(OpenError::NotFound { .. })
        ));
    });
}
