//! The numbers that a namespace has for others.

mod util;

use netns_core::Netns;
use netns_core::links::{LinkError, Links, NsidChoice};
use util::in_private_namespaces;

/// The kernel's words and errno of a refusal.
#[track_caller]
fn refusal(error: &LinkError) -> (Option<&str>, Option<i32>) {
    match error {
        LinkError::Refused { message, source, .. } => (message.as_deref(), source.raw_os_error()),
        other => panic!("not a refusal: {other:?}"),
    }
}

#[test]
fn a_number_is_set_once_and_listed() {
    in_private_namespaces(|| {
        let (foo, bar) = (Netns::create().unwrap(), Netns::create().unwrap());
        let mut here = Links::here().unwrap();
        assert_eq!(here.nsid_of(&foo).unwrap(), None);
        assert!(here.list_nsids(None).unwrap().is_empty());

        assert_eq!(here.set_nsid(&foo, NsidChoice::Fixed(12)).unwrap(), 12);
        assert_eq!(here.nsid_of(&foo).unwrap(), Some(12));
        for again in [NsidChoice::Fixed(12), NsidChoice::Fixed(13), NsidChoice::Auto] {
            let error = here.set_nsid(&foo, again).unwrap_err();
            assert_eq!(
                refusal(&error),
                (Some("Peer netns already has a nsid assigned"), Some(libc::EEXIST))
            );
        }
        let error = here.set_nsid(&bar, NsidChoice::Fixed(12)).unwrap_err();
        assert_eq!(
            refusal(&error),
            (Some("The specified nsid is already used"), Some(libc::EEXIST))
        );
        assert_eq!(here.set_nsid(&bar, NsidChoice::Auto).unwrap(), 0);
        let mut listed: Vec<_> = here
            .list_nsids(None)
            .unwrap()
            .into_iter()
            .map(|entry| (entry.nsid, entry.current))
            .collect();
        listed.sort_unstable();
        assert_eq!(listed, [(0, None), (12, None)]);
        let found = here.look_up_nsid(12, None).unwrap().unwrap();
        assert_eq!((found.nsid, found.current), (12, None));
    });
}

#[test]
fn the_numbers_of_another_namespace_are_listed_with_those_of_this_one() {
    in_private_namespaces(|| {
        let (foo, bar) = (Netns::create().unwrap(), Netns::create().unwrap());
        let (mut here, mut in_foo) = (Links::here().unwrap(), Links::in_netns(&foo).unwrap());
        here.set_nsid(&foo, NsidChoice::Fixed(3)).unwrap();
        here.set_nsid(&bar, NsidChoice::Fixed(4)).unwrap();
        in_foo.set_nsid(&bar, NsidChoice::Fixed(40)).unwrap();

        let listed = here.list_nsids(Some(3)).unwrap();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!((listed[0].nsid, listed[0].current), (40, Some(4)));
        // Asked by its number here.
        let found = here.look_up_nsid(4, Some(3)).unwrap().unwrap();
        assert_eq!((found.nsid, found.current), (40, Some(4)));
        // Nobody has given one to `foo` in `foo`.
        assert_eq!(here.look_up_nsid(3, Some(3)).unwrap(), None);
    });
}

#[test]
fn a_number_that_nobody_has_is_refused_in_the_words_of_the_kernel() {
    in_private_namespaces(|| {
        let mut here = Links::here().unwrap();
        let foo = Netns::create().unwrap();
        here.set_nsid(&foo, NsidChoice::Fixed(0)).unwrap();
        let error = here.look_up_nsid(99, None).unwrap_err();
        assert_eq!(refusal(&error).0, Some("Peer netns reference is invalid"));
        let error = here.look_up_nsid(0, Some(77)).unwrap_err();
        assert_eq!(refusal(&error).0, Some("Target netns reference is invalid"));
        let error = here.list_nsids(Some(77)).unwrap_err();
        assert_eq!(
            refusal(&error).0,
            Some("Invalid target network namespace id"),
            "{error:?}"
        );
        let error = here.look_up_nsid(u32::MAX, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the nsid 4294967295 is too large; the largest is 2147483647"
        );
    });
}
