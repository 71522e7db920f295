//! Any file is either steps or complaints, and each complaint has a place in its line.

use std::path::Path;

use nsproxy_testkit::Rng;

use super::file;
use super::step::Step;

const WORDS: [&str; 40] = [
    "add",
    "set",
    "link",
    "address",
    "route",
    "delete",
    "exec",
    "apply",
    "-n",
    "-j",
    "--",
    "auto",
    "7",
    "veth",
    "vlan",
    "macvlan",
    "vxlan",
    "bridge",
    "peer",
    "netns",
    "name",
    "type",
    "dev",
    "id",
    "mode",
    "via",
    "default",
    "10.0.0.1/24",
    "10.0.0.0/8",
    "fd00::1",
    "::/0",
    "up",
    "master",
    "mtu",
    "1400",
    "a",
    "b/c",
    "\"q q\"",
    "\"",
    "#",
];

#[test]
fn any_line_is_a_step_or_a_complaint_that_points_into_it() {
    let mut rng = Rng::from_env();
    let (mut steps, mut complaints) = (0, 0);
    for _ in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..rng.between(0, 9) {
            if rng.one_in(30) {
                let mut bytes = [0; 5];
                rng.fill(&mut bytes);
                text.extend_from_slice(&bytes);
            } else {
                text.extend_from_slice(WORDS[rng.between(0, WORDS.len() - 1)].as_bytes());
            }
            text.push(if rng.one_in(20) { b'\t' } else { b' ' });
        }
        for line in file::lines(&text) {
            match line.words().and_then(|words| Step::parse(&words)) {
                Ok(Some(_)) => steps += 1,
                Ok(None) => {}
                Err(failure) => {
                    complaints += 1;
                    assert!(failure.place().is_some(), "no place: {failure}: {text:?}");
                    let complaint = line.complaint(Path::new("f"), &failure);
                    let lines: Vec<_> = complaint.lines().collect();
                    assert_eq!(lines.len(), 3, "{complaint}");
                    assert!(lines[2].ends_with('^'), "{complaint}");
                    assert!(
                        lines[2].chars().count() <= lines[1].chars().count() + 2,
                        "{complaint}"
                    );
                }
            }
        }
    }
    assert!(
        steps > 100 && complaints > 1000,
        "{steps} steps, {complaints} complaints"
    );
}

#[test]
fn each_kind_of_line_is_a_step() {
    for line in [
        "add a b",
        "set a auto",
        "-n a set b 0x10",
        "link add veth v0 peer v1 netns a",
        "link add v0 netns a type veth peer name v1 netns pid:7",
        "-n a link add vlan v.5 link v id 5",
        "link add macvlan m link v mode bridge",
        "link add vxlan x id 42 group 239.1.1.1 dev v",
        "link add bridge br0",
        "lin s v0 up mtu 1400 nomaster",
        "link set dev v0 name eth0 netns /proc/7/ns/net",
        "addr a dev v0 fd00::1/64",
        "r a default via fe80::1 dev v0",
        "-n a route add 10.0.0.0/8 dev v0 src 10.0.0.1 metric 5",
    ] {
        let line = file::lines(line.as_bytes()).next().unwrap();
        let step = line.words().and_then(|words| Step::parse(&words));
        assert!(matches!(step, Ok(Some(_))), "{line:?}: {step:?}");
    }
}
