//! Any order of operations on a registry, by this crate and by others, against a model of what should be there.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::collections::BTreeMap;
use std::fs;

use netns_core::{EntryState, Netns, NetnsId, RegistryError, Watch, WatchEvent};
use nix::mount::{MntFlags, umount2};
use proptest::prelude::*;
use util::{in_private_namespaces, mounts_at, name, registry};

/// What is done to one of a few names.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Add,
    /// Gives it to the namespace of the test itself.
    Attach,
    Remove,
    /// By hand, so that the file is left over.
    Unmount,
    /// By hand, as any program may.
    Touch,
}

/// What should stand under a name: a namespace, or a file without one.
type Model = BTreeMap<&'static str, Option<NetnsId>>;

const NAMES: [&str; 3] = ["a", "b", "c"];

fn apply(operation: Operation, text: &'static str, model: &mut Model) {
    let (entry, path) = (name(text), registry().path().join(text));
    let is_taken = model.contains_key(text);
    match operation {
        Operation::Add => match registry().add(&entry) {
            Ok(made) => assert_eq!(model.insert(text, Some(made.id().unwrap())), None),
            Err(error) => assert!(
                is_taken && matches!(error, RegistryError::Exists { .. }),
                "{error:?}"
            ),
        },
        Operation::Attach => {
            let here = Netns::current().unwrap();
            match registry().attach(&entry, &here) {
                Ok(()) => assert_eq!(model.insert(text, Some(here.id().unwrap())), None),
                Err(error) => assert!(
                    is_taken && matches!(error, RegistryError::Exists { .. }),
                    "{error:?}"
                ),
            }
        }
        Operation::Remove => match registry().remove(&entry) {
            Ok(()) => assert!(model.remove(text).is_some()),
            Err(error) => assert!(
                !is_taken && matches!(error, RegistryError::NotFound { .. }),
                "{error:?}"
            ),
        },
        Operation::Unmount => {
            let unmounted = umount2(&path, MntFlags::MNT_DETACH);
            let known = model.get_mut(text).and_then(Option::take);
            assert_eq!(unmounted.is_ok(), known.is_some());
        }
        Operation::Touch => {
            let made = fs::OpenOptions::new().write(true).create_new(true).open(&path);
            assert_eq!(made.is_ok(), !is_taken);
            model.entry(text).or_insert(None);
        }
    }
}

/// The registry shows what the model has, and each namespace is mounted once.
fn check(model: &Model) {
    let listed: BTreeMap<_, _> = registry()
        .list()
        .unwrap()
        .into_iter()
        .map(|entry| {
            let id = match entry.state {
                EntryState::Live { id } => Some(id),
                EntryState::Dangling => None,
                other => panic!("{}: {other:?}", entry.name),
            };
            (entry.name.to_string(), id)
        })
        .collect();
    let expected: BTreeMap<_, _> = model.iter().map(|(text, id)| ((*text).to_owned(), *id)).collect();
    assert_eq!(listed, expected);
    for text in NAMES {
        let is_live = matches!(model.get(text), Some(Some(_)));
        assert_eq!(mounts_at(&format!("/run/netns/{text}")), usize::from(is_live));
    }
    let of_ours: Vec<_> = model
        .iter()
        .filter(|(_, id)| **id == Some(Netns::current().unwrap().id().unwrap()))
        .map(|(text, _)| name(text))
        .collect();
    assert_eq!(registry().identify_current_thread().unwrap(), of_ours);
}

/// Who follows the watch believes what the model has.
fn follow(watch: &mut Watch, believed: &mut BTreeMap<String, Option<NetnsId>>, model: &Model) {
    for event in watch.events().unwrap() {
        match event {
            WatchEvent::Added { name } => assert_eq!(believed.insert(name.to_string(), None), None),
            WatchEvent::Ready { name, id } | WatchEvent::Replaced { name, id, .. } => {
                believed.insert(name.to_string(), Some(id)).unwrap();
            }
            WatchEvent::Unmounted { name } => {
                believed.insert(name.to_string(), None).unwrap();
            }
            WatchEvent::Removed { name } => assert!(believed.remove(&name.to_string()).is_some()),
            other => panic!("{other:?}"),
        }
    }
    let expected: BTreeMap<_, _> = model.iter().map(|(text, id)| ((*text).to_owned(), *id)).collect();
    assert_eq!(*believed, expected);
}

fn any_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => Just(Operation::Add),
        1 => Just(Operation::Attach),
        3 => Just(Operation::Remove),
        1 => Just(Operation::Unmount),
        1 => Just(Operation::Touch),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_done_to_a_registry_it_and_its_watch_show_what_should_be_there(
        steps in prop::collection::vec((any_operation(), prop::sample::select(&NAMES[..]), any::<bool>()), 1..24),
    ) {
        in_private_namespaces(move || {
            let (mut model, mut believed) = (Model::new(), BTreeMap::new());
            let mut watch = registry().watch().unwrap();
            fs::create_dir("/run/netns").unwrap();
            for (operation, text, looks) in steps {
                apply(operation, text, &mut model);
                check(&model);
                // Events of several operations may come together.
                if looks {
                    follow(&mut watch, &mut believed, &model);
                }
            }
            follow(&mut watch, &mut believed, &model);
        });
    }
}
