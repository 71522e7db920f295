//! Names and specs: which texts they are, and that they give them back. Nothing is opened.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use netns_core::{NameError, NetnsName, NetnsSpec, SpecError};
use proptest::prelude::*;

fn spec(text: &str) -> Result<NetnsSpec, SpecError> {
    text.parse()
}

#[test]
fn each_rule_of_a_name_has_its_own_refusal() {
    for (text, expected) in [
        ("", NameError::Empty),
        (".", NameError::Dots),
        ("..", NameError::Dots),
        ("a/b", NameError::Slash { at: 1 }),
        ("/", NameError::Slash { at: 0 }),
        ("ab\0", NameError::Nul { at: 2 }),
        (&"x".repeat(256), NameError::TooLong { len: 256 }),
    ] {
        assert_eq!(NetnsName::new(text).unwrap_err(), expected, "{text:?}");
    }
}

#[test]
fn names_may_be_odd() {
    for text in [
        "blue",
        "...",
        ".hidden",
        "sp ace",
        "-n",
        "a:b",
        "é",
        &"x".repeat(255),
    ] {
        let name: NetnsName = text.parse().unwrap();
        assert_eq!(name.to_string(), text);
        assert_eq!(name.to_str(), Some(text));
    }
}

#[test]
fn a_name_need_not_be_utf_8() {
    let name = NetnsName::from_bytes(b"\xffblue").unwrap();
    assert_eq!((name.as_bytes(), name.to_str()), (b"\xffblue".as_slice(), None));
    assert_eq!(name.to_string(), "\u{fffd}blue");
}

#[test]
fn a_map_of_names_can_be_asked_with_a_file_name() {
    let map = HashMap::from([(NetnsName::new("blue").unwrap(), 1)]);
    assert_eq!(map.get(OsStr::new("blue")), Some(&1));
    assert_eq!(map.get(OsStr::new("red")), None);
}

#[test]
fn a_spec_has_three_forms() {
    assert_eq!(
        spec("blue").unwrap().name(),
        Some(&NetnsName::new("blue").unwrap())
    );
    assert_eq!(
        spec("/proc/1/ns/net").unwrap().path(),
        Some(Path::new("/proc/1/ns/net"))
    );
    assert_eq!(spec("pid:4711").unwrap().pid(), Some(4711));
    assert_eq!(spec("pidgin").unwrap().pid(), None);
}

#[test]
fn a_process_number_is_written_in_one_way_only() {
    for text in [
        "pid:",
        "pid:0",
        "pid:01",
        "pid:+1",
        "pid:-1",
        "pid: 1",
        "pid:1x",
        "pid:2147483648",
        "pid:self",
    ] {
        assert!(matches!(spec(text), Err(SpecError::Pid { .. })), "{text}");
    }
    assert_eq!(spec("pid:2147483647").unwrap().pid(), Some(2_147_483_647));
    assert!(NetnsSpec::from_pid(0).is_err());
    assert!(NetnsSpec::from_pid(u32::MAX).is_err());
}

#[test]
fn a_path_is_absolute() {
    assert!(matches!(
        NetnsSpec::from_path("run/netns/blue"),
        Err(SpecError::RelativePath { .. })
    ));
    assert!(matches!(
        spec("run/netns/blue"),
        Err(SpecError::Name(NameError::Slash { at: 3 }))
    ));
    assert!(matches!(spec("/a\0b"), Err(SpecError::NulInPath { .. })));
}

#[test]
fn a_name_that_reads_as_a_process_is_no_spec() {
    let name = NetnsName::new("pid:1").unwrap();
    assert_eq!(
        NetnsSpec::try_from(name.clone()),
        Err(SpecError::NameReadsAsPid { name })
    );
}

proptest! {
    #[test]
    fn a_name_is_any_file_name_but_the_dots(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let is_file_name = (1..=255).contains(&bytes.len())
            && !bytes.contains(&b'/') && !bytes.contains(&0) && bytes != b"." && bytes != b"..";
        let name = NetnsName::from_bytes(&bytes);
        prop_assert_eq!(name.is_ok(), is_file_name);
        if let Ok(name) = name {
            prop_assert_eq!(name.as_bytes(), bytes);
        }
    }

    #[test]
    fn a_name_stays_inside_its_registry(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        if let Ok(name) = NetnsName::from_bytes(&bytes) {
            let path = Path::new("/run/netns").join(&name);
            prop_assert_eq!(path.parent(), Some(Path::new("/run/netns")));
            prop_assert_eq!(path.file_name(), Some(name.as_os_str()));
        }
    }

    #[test]
    fn a_spec_gives_its_text_back(text in r"(pid:[0-9]{0,11}|/[a-z./]{0,12}|[a-z:0-9. ]{1,12}|.{0,12})") {
        if let Ok(spec) = text.parse::<NetnsSpec>() {
            prop_assert_eq!(spec.to_string(), text.clone());
            prop_assert_eq!(spec.to_string().parse::<NetnsSpec>().unwrap(), spec);
        }
    }

    #[test]
    fn a_spec_keeps_bytes_that_are_not_utf_8(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let text = OsString::from_vec(bytes.clone());
        if let Ok(spec) = NetnsSpec::new(&text) {
            let kept = match (spec.name(), spec.path(), spec.pid()) {
                (Some(name), None, None) => name.as_bytes().to_vec(),
                (None, Some(path), None) => path.as_os_str().as_bytes().to_vec(),
                (None, None, Some(pid)) => format!("pid:{pid}").into_bytes(),
                forms => panic!("not one form: {forms:?}"),
            };
            prop_assert_eq!(kept, bytes);
        }
    }
}
